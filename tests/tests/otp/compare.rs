//! The core's trace in the words of `otp_driver.erl`, and what is made equal before the two are compared.

use std::fmt::Write as _;

use mycelium_supervisor::sim::{Act, Entry, Happening, Plan, Scenario, Scripted, simulate};
use mycelium_supervisor::{CallError, ChildStatus, ExitReason, Reply, SpecError, Strategy};

use crate::encode;

/// Ends the target of a call that was part of a burst.
pub(crate) const BURST: &str = "~";

/// OTP's clock moved on to its next second during the scenario.
pub(crate) const TICKED: &str = "ticked";

/// What the core does with a scenario, then with a shutdown of what is left of the tree.
pub(crate) fn trace(scenario: &Scenario) -> Vec<String> {
    let mut scenario = scenario.clone();
    let at = scenario.script.last().map(|scripted| scripted.at).unwrap_or_default();
    let act = Act::Exit { path: scenario.root.to_string(), exit: mycelium_supervisor::sim::Exit::Shutdown };
    scenario.script.push(Scripted { at, act });
    let mut lines = Vec::new();
    simulate(&scenario, 0, &mut |entry| lines.extend(line(&scenario, entry)))
        .unwrap_or_else(|error| panic!("{error}: {}", encode::scenario(&scenario)));
    lines
}

/// Instances of a simple-one-for-one supervisor are stopped all at once, in no defined order: their lines are sorted
/// where they follow each other. After a burst nobody can tell when a reply or the decision to give up came, only in
/// which order: their lines come last.
pub(crate) fn settle(scenario: &Scenario, mut lines: Vec<String>) -> Vec<String> {
    for line in &mut lines {
        // The driver has requests of its own for instances, but the functions are the same.
        for (request, function) in [
            ("reply start_instance ", "reply start_child "),
            ("reply terminate_instance ", "reply terminate_child "),
        ] {
            if let Some(rest) = line.strip_prefix(request) {
                *line = format!("{function}{rest}");
            }
        }
    }
    // Random scenarios keep away from the ends of periods: a second more or less changes nothing.
    lines.retain(|line| line != TICKED);
    // What ended when a supervisor above it was killed, OTP leaves open.
    let killed = encode::killed(scenario);
    lines.retain(|line| {
        let ended = line.strip_prefix("ended ").and_then(|rest| rest.split(' ').next());
        !ended.is_some_and(|path| killed.iter().any(|above| path.starts_with(above)))
    });
    if scenario.script.iter().any(|scripted| matches!(scripted.act, Act::Burst(_))) {
        // The sort is stable: the order among the lines of one kind stays.
        lines.sort_by_key(|line| match line.split(' ').next() {
            Some("gave_up") => 1,
            Some("reply") if line.contains(BURST) => 2,
            _ => 0,
        });
    }
    let mut start = 0;
    while start < lines.len() {
        let first = end_below_instance(scenario, &lines[start]);
        let mut end = start + 1;
        if let Some((supervisor, _)) = first {
            let same =
                |line| end_below_instance(scenario, line).is_some_and(|(other, _)| other == supervisor);
            while end < lines.len() && same(&lines[end]) {
                end += 1;
            }
            // The sort is stable: what ends below one instance keeps its order.
            lines[start..end].sort_by_cached_key(|line| end_below_instance(scenario, line));
        }
        start = end;
    }
    lines
}

/// The topmost simple-one-for-one supervisor above what ended in this line, and the instances of such supervisors that it
/// is below, the lowest last.
fn end_below_instance(scenario: &Scenario, line: &str) -> Option<(String, Vec<String>)> {
    let path = line.strip_prefix("ended ")?.split(' ').next()?;
    let pools = path
        .match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .filter(|(above, _)| encode::strategy_at(scenario, above) == Some(Strategy::SimpleOneForOne));
    let pools: Vec<_> = pools.collect();
    let instances = pools.iter().filter_map(|(_, below)| below.split('/').next()).map(str::to_owned);
    Some((pools.first()?.0.to_owned(), instances.collect()))
}

/// Both traces with a mark where they first part.
pub(crate) fn side_by_side(ours: &[String], theirs: &[String]) -> String {
    let mut text = format!("  {:<60} | OTP\n", "core");
    for i in 0..ours.len().max(theirs.len()) {
        let (ours, theirs) = (ours.get(i).map_or("-", |s| s), theirs.get(i).map_or("-", |s| s));
        let mark = if ours.trim_end() == theirs.trim_end() { ' ' } else { '>' };
        let _ = writeln!(text, "{mark} {ours:<60} | {theirs}");
    }
    text
}

fn line(scenario: &Scenario, entry: &Entry) -> Option<String> {
    let path = &entry.path;
    Some(match &entry.what {
        Happening::Started => format!("started {path}"),
        Happening::StartFailed { .. } => format!("start_failed {path}"),
        Happening::Exited { reason } | Happening::Stopped { reason, .. } => {
            format!("ended {path} {}", word(reason))
        }
        Happening::GaveUp => format!("gave_up {path}"),
        Happening::RootExited { reason } => format!("root_exited {}", word(reason)),
        Happening::Reply { call, result, .. } => {
            // The driver calls this request by another name, so that it can sort the answer.
            let label = path;
            let path = path.trim_end_matches(BURST);
            let simple = encode::strategy_at(scenario, path) == Some(Strategy::SimpleOneForOne);
            let name = match *call {
                "which_children" if simple => "which_instances",
                call => call,
            };
            format!("reply {name} {label} {}", reply(result.as_ref(), simple)).trim_end().to_owned()
        }
        // OTP has no word for these: it does not wait, and reports an automatic shutdown by its effects only.
        Happening::Waiting { .. } | Happening::AutoShutdown | Happening::Skipped => return None,
        other => panic!("{other:?} is new: compare it"),
    })
}

fn reply(result: Option<&Result<Reply<Plan>, CallError>>, simple: bool) -> String {
    let Some(result) = result else { return "noproc".to_owned() };
    match result {
        Ok(Reply::Ok) => "ok".to_owned(),
        Ok(Reply::Started(_)) => "started".to_owned(),
        Ok(Reply::Ignored) => "ignored".to_owned(),
        Ok(Reply::Counts(counts)) => format!(
            "specs={} active={} supervisors={} workers={}",
            counts.specs, counts.active, counts.supervisors, counts.workers
        ),
        Ok(Reply::Children(children)) => {
            let mut words: Vec<String> = children
                .iter()
                .map(|child| {
                    let id = if simple { "undefined" } else { &*child.id };
                    let state = match child.status {
                        ChildStatus::Running(_) => "running",
                        ChildStatus::Waiting { .. } => "restarting",
                        ChildStatus::Down => "undefined",
                        other => panic!("a supervisor at rest has a child that is {other:?}"),
                    };
                    format!("{id}={state}:{}", format!("{:?}", child.kind).to_lowercase())
                })
                .collect();
            if simple {
                words.sort();
            }
            words.join(" ")
        }
        Err(CallError::NotFound) => "not_found".to_owned(),
        Err(CallError::Running) => "running".to_owned(),
        Err(CallError::Restarting) => "restarting".to_owned(),
        Err(CallError::AlreadyPresent) => "already_present".to_owned(),
        Err(CallError::AlreadyStarted(_)) => "already_started".to_owned(),
        Err(CallError::SimpleOneForOne) => "simple_one_for_one".to_owned(),
        // A caller of a supervisor that ends before it answers is told by an exit of the call.
        Err(CallError::Stopping) => "noproc".to_owned(),
        Err(CallError::StartFailed(_)) => "start_failed".to_owned(),
        Err(CallError::Spec(SpecError::SignificantNever { .. } | SpecError::SignificantPermanent { .. })) => {
            "bad_combination".to_owned()
        }
        other => panic!("{other:?} is not expected in a generated scenario"),
    }
}

fn word(reason: &ExitReason) -> &'static str {
    match reason {
        ExitReason::Normal => "normal",
        ExitReason::Shutdown => "shutdown",
        ExitReason::ShutdownWith(_) => "shutdown_with",
        ExitReason::Killed => "killed",
        ExitReason::Abnormal(_) => "abnormal",
    }
}
