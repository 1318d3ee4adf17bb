//! The core's trace in the words of `otp_driver.erl`, and what is made equal before the two are compared.

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;

use mycelium_supervisor::sim::{Act, Entry, Exit, Happening, Plan, Scenario, Scripted, simulate};
use mycelium_supervisor::{CallError, ChildStatus, ExitReason, Reply, SpecError, Strategy};

use crate::encode;

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// In microseconds; none for a call that is never answered, of which a caller learns when it likes.
    pub(crate) at: Option<u128>,
    pub(crate) text: String,
}

impl Line {
    /// A line of the driver.
    pub(crate) fn parse(line: &str) -> Self {
        let (at, text) = line.split_once(' ').unwrap_or(("-", line));
        Self { at: at.parse().ok(), text: text.trim_end().to_owned() }
    }

    pub(crate) fn new(at: u128, text: &str) -> Self {
        let at = (!text.ends_with(" noproc")).then_some(at);
        Self { at, text: text.trim_end().to_owned() }
    }

    /// The path of what ended, if the line tells that.
    fn ended(&self) -> Option<&str> {
        self.text.strip_prefix("ended ")?.split(' ').next()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{at:>12} {}", self.text),
            None => write!(f, "{:>12} {}", "-", self.text),
        }
    }
}

/// The scenario, and a shutdown of what is left of the tree after it.
pub(crate) fn with_its_end(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    let at = scenario.script.last().map(|scripted| scripted.at).unwrap_or_default();
    let act = Act::Exit { path: scenario.root.to_string(), exit: Exit::Shutdown };
    scenario.script.push(Scripted { at, act });
    scenario
}

/// The scenario without what the driver left out: see `is_starting` there.
pub(crate) fn without_skipped(scenario: &Scenario, theirs: &mut Vec<Line>) -> Scenario {
    let number = |line: &Line| line.text.strip_prefix("skipped ")?.parse::<usize>().ok();
    let skipped: BTreeSet<usize> = theirs.iter().filter_map(number).collect();
    theirs.retain(|line| number(line).is_none());
    let script = scenario.script.iter().enumerate().filter(|(i, _)| !skipped.contains(i));
    Scenario { script: script.map(|(_, scripted)| scripted.clone()).collect(), ..scenario.clone() }
}

/// What the core does with a scenario.
pub(crate) fn trace(scenario: &Scenario) -> Vec<Line> {
    let mut lines = Vec::new();
    simulate(scenario, 0, &mut |entry| lines.extend(line(scenario, entry)))
        .unwrap_or_else(|error| panic!("{error}: {}", encode::scenario(scenario)));
    lines
}

/// - What ends below a supervisor at the moment at which that is killed, OTP leaves open: it is left out.
/// - Instances of a simple-one-for-one supervisor are stopped all at once, in no defined order: their lines
///   are sorted where they follow each other.
/// - A decision to give up and a reply may come before or after the other ends of a burst: at that moment
///   they come last.
/// - How many instances of a pool are active, OTP miscounts once one was terminated that waited for another
///   try.
/// - Of a call that is not answered a caller learns at once here, and there when the supervisor is gone: it
///   comes last.
pub(crate) fn settle(scenario: &Scenario, mut lines: Vec<Line>) -> Vec<Line> {
    for line in &mut lines {
        // The driver has requests of its own for instances, but the functions are the same.
        for (request, function) in [
            ("reply start_instance ", "reply start_child "),
            ("reply terminate_instance ", "reply terminate_child "),
            ("reply which_instances ", "reply which_children "),
        ] {
            if let Some(rest) = line.text.strip_prefix(request) {
                line.text = format!("{function}{rest}");
            }
        }
    }
    blur_counts(scenario, &mut lines);
    let killed = killed(scenario, &lines);
    lines.retain(|line| {
        let below = |path: &str| {
            path.match_indices('/').any(|(slash, _)| killed.contains(&(line.at, path[..slash].to_owned())))
        };
        !line.ended().is_some_and(below)
    });
    let bursts: BTreeSet<u128> = scenario
        .script
        .iter()
        .filter(|scripted| matches!(scripted.act, Act::Burst(_)))
        .map(|scripted| scripted.at.as_micros())
        .collect();
    // The sort is stable: the order among the other lines of a moment stays.
    lines.sort_by_key(|line| {
        let in_burst = line.at.is_some_and(|at| bursts.contains(&at));
        let decision = in_burst && (line.text.starts_with("gave_up") || line.text.starts_with("reply"));
        (line.at.is_none(), line.at, decision)
    });
    // Also before: what a burst is sorted by may follow on instances.
    sort_instances(scenario, &mut lines);
    sort_bursts(scenario, &mut lines);
    let unanswered = lines.partition_point(|line| line.at.is_some());
    lines[unanswered..].sort();
    sort_instances(scenario, &mut lines);
    lines
}

/// OTP 25 goes on counting an instance as restarting that was terminated while its restart waited for another
/// try: from then on its pool counts one active instance too few.
fn blur_counts(scenario: &Scenario, lines: &mut [Line]) {
    let (mut restarting, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for line in lines {
        let words: Vec<&str> = line.text.split(' ').collect();
        let pool_of = |path: &str| {
            let (pool, _) = path.rsplit_once('/')?;
            (encode::strategy_at(scenario, pool) == Some(Strategy::SimpleOneForOne)).then(|| pool.to_owned())
        };
        match words[..] {
            ["start_failed", path] => drop(restarting.insert(path.to_owned())),
            ["started", path] => {
                restarting.remove(path);
                wrong.remove(path);
            }
            ["reply", "terminate_child", path, "ok"] if restarting.remove(path) => {
                wrong.extend(pool_of(path));
            }
            ["reply", "count_children", pool, specs, _, supervisors, workers] if wrong.contains(pool) => {
                line.text = format!("reply count_children {pool} {specs} active=? {supervisors} {workers}");
            }
            _ => {}
        }
    }
}

/// Which supervisors are killed, and when.
fn killed(scenario: &Scenario, lines: &[Line]) -> BTreeSet<(Option<u128>, String)> {
    let is_supervisor = |path: &str| encode::strategy_at(scenario, path).is_some();
    let seen = lines.iter().filter_map(|line| {
        let path = line.ended().filter(|_| line.text.ends_with(" killed"))?;
        is_supervisor(path).then(|| (line.at, path.to_owned()))
    });
    let told = scenario.script.iter().filter_map(|scripted| match &scripted.act {
        Act::Exit { path, exit: Exit::Kill } if is_supervisor(path) => {
            Some((Some(scripted.at.as_micros()), path.clone()))
        }
        _ => None,
    });
    seen.chain(told).collect()
}

/// One of those who end in a burst may be the one for which their supervisor waits: core and OTP hear of that
/// one first or last. Their lines are sorted where they follow each other.
fn sort_bursts(scenario: &Scenario, lines: &mut [Line]) {
    let bursts = scenario.script.iter().filter_map(|scripted| match &scripted.act {
        Act::Burst(acts) => Some((scripted.at.as_micros(), acts)),
        _ => None,
    });
    // Of all bursts of one moment together.
    let ends: BTreeSet<(Option<u128>, &str)> = bursts
        .flat_map(|(at, acts)| acts.iter().map(move |act| (at, act)))
        .filter_map(|(at, act)| match act {
            Act::Exit { path, .. } => Some((Some(at), path.as_str())),
            _ => None,
        })
        .collect();
    let in_burst = |line: &Line| line.ended().is_some_and(|path| ends.contains(&(line.at, path)));
    lines.chunk_by_mut(|one, other| in_burst(one) && in_burst(other)).for_each(<[Line]>::sort);
}

fn sort_instances(scenario: &Scenario, lines: &mut [Line]) {
    let pool = |line: &Line| Some((line.at, end_below_instance(scenario, line)?.0));
    let mut start = 0;
    while start < lines.len() {
        let first = pool(&lines[start]);
        let mut end = start + 1;
        while first.is_some() && end < lines.len() && pool(&lines[end]) == first {
            end += 1;
        }
        // The sort is stable: what ends below one instance keeps its order.
        lines[start..end].sort_by_cached_key(|line| end_below_instance(scenario, line));
        start = end;
    }
}

/// The topmost simple-one-for-one supervisor above what ended in this line, and the instances of such
/// supervisors that it is below, the lowest last.
fn end_below_instance(scenario: &Scenario, line: &Line) -> Option<(String, Vec<String>)> {
    let path = line.ended()?;
    let pools = path
        .match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .filter(|(above, _)| encode::strategy_at(scenario, above) == Some(Strategy::SimpleOneForOne));
    let pools: Vec<_> = pools.collect();
    let instances = pools.iter().filter_map(|(_, below)| below.split('/').next()).map(str::to_owned);
    Some((pools.first()?.0.to_owned(), instances.collect()))
}

/// Both traces with a mark where they first part.
pub(crate) fn side_by_side(ours: &[Line], theirs: &[Line]) -> String {
    let mut text = format!("  {:<72} | OTP\n", "core");
    for i in 0..ours.len().max(theirs.len()) {
        let mark = if ours.get(i) == theirs.get(i) { ' ' } else { '>' };
        let word = |lines: &[Line]| lines.get(i).map_or_else(|| "-".to_owned(), Line::to_string);
        let _ = writeln!(text, "{mark} {:<72} | {}", word(ours), word(theirs));
    }
    text
}

fn line(scenario: &Scenario, entry: &Entry) -> Option<Line> {
    let path = &entry.path;
    let text = match &entry.what {
        Happening::Started => format!("started {path}"),
        Happening::StartFailed { .. } => format!("start_failed {path}"),
        Happening::Exited { reason } | Happening::Stopped { reason, .. } => {
            format!("ended {path} {}", word(reason))
        }
        Happening::GaveUp => format!("gave_up {path}"),
        Happening::RootExited { reason } => format!("root_exited {}", word(reason)),
        Happening::Reply { call, result, .. } => {
            let supervisor = encode::strategy_at(scenario, path);
            let simple = supervisor == Some(Strategy::SimpleOneForOne);
            format!("reply {call} {path} {}", reply(result.as_ref(), simple))
        }
        // OTP has no word for these: it does not wait, and reports an automatic shutdown by its effects only.
        Happening::Waiting { .. } | Happening::AutoShutdown | Happening::Skipped => return None,
        other => panic!("{other:?} is new: compare it"),
    };
    Some(Line::new(entry.at.as_micros(), &text))
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
