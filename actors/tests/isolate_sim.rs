//! A tree of real actors in an isolate does what the dry run of the same tree foretells, to the nanosecond.
//!
//! - `MYCELIUM_CASES=100000` plays more than the usual 2,000.
//! - `MYCELIUM_SEED=N` replays a run; the seed is printed.

#[path = "common/mod.rs"]
mod common;
#[path = "isolate_sim/generate.rs"]
mod generate;
#[path = "isolate_sim/play.rs"]
mod play;

use std::collections::BTreeMap;
use std::time::Duration;

use mycelium_random::{cases, seeds};
use mycelium_supervisor::sim::{Happening, Plan, Scenario, simulate};
use mycelium_supervisor::{CallError, ExitReason, Reply};

const SCENARIOS: u64 = 2_000;

/// One event of a tree.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    at: Duration,
    path: String,
    what: String,
}

/// What a scenario came to.
#[derive(Debug, PartialEq)]
struct Played {
    lines: Vec<Line>,
    /// By the target of the call; `None`: not answered at once.
    replies: BTreeMap<String, Option<String>>,
    started: bool,
    end: Option<ExitReason>,
}

/// The causes of failures read differently: a script has no error types.
fn kind(reason: &ExitReason) -> &'static str {
    match reason {
        ExitReason::Normal => "normal",
        ExitReason::Shutdown => "shutdown",
        ExitReason::ShutdownWith(_) => "shutdown_with",
        ExitReason::Killed => "killed",
        ExitReason::Abnormal(_) => "abnormal",
    }
}

fn result_of(result: Result<&Reply<Plan>, &CallError>) -> String {
    match result {
        Ok(Reply::Children(children)) => format!("{children:?}"),
        Ok(Reply::Counts(counts)) => format!("{counts:?}"),
        Ok(_) => "ok".to_owned(),
        Err(CallError::StartFailed(reason)) => format!("start_failed {}", kind(reason)),
        // Whether it has begun to end or has ended, when a call of a burst reaches it, is told by nobody.
        Err(CallError::Stopping) => reply_of(None),
        Err(error) => format!("{error:?}"),
    }
}

fn reply_of(result: Option<&Result<Reply<Plan>, CallError>>) -> String {
    result.map_or_else(|| "noproc".to_owned(), |result| result_of(result.as_ref()))
}

/// The dry run.
fn foretold(scenario: &Scenario, seed: u64) -> Played {
    let (mut lines, mut replies, mut end) = (Vec::new(), BTreeMap::new(), None);
    simulate(scenario, seed, &mut |entry| {
        let what = match &entry.what {
            Happening::Started => "started".to_owned(),
            Happening::StartFailed { reason } => format!("start_failed {}", kind(reason)),
            Happening::Exited { reason } => format!("exited {}", kind(reason)),
            Happening::Stopped { killed, reason } => format!("stopped {} killed={killed}", kind(reason)),
            Happening::Waiting { backoff } => format!("waiting {backoff:?}"),
            Happening::GaveUp => "gave_up".to_owned(),
            Happening::AutoShutdown => "auto_shutdown".to_owned(),
            Happening::Reply { result, .. } => {
                replies.insert(entry.path.to_string(), Some(reply_of(result.as_ref())));
                return;
            }
            Happening::RootExited { reason } => {
                end = Some(reason.clone());
                return;
            }
            Happening::Skipped => return,
            other => panic!("not known: {other:?}"),
        };
        lines.push(Line { at: entry.at, path: entry.path.to_string(), what });
    })
    .expect("a valid scenario");
    let started = !matches!(end, Some(ExitReason::ShutdownWith(_)));
    Played { lines, replies, started, end }
}

/// What has to hold, with counts of what was compared.
#[derive(Debug, Default)]
struct Compared {
    lines: usize,
    waits: usize,
    gave_up: usize,
    killed: usize,
    replies: usize,
    unanswered: usize,
    not_started: usize,
}

fn compare(seed: u64, compared: &mut Compared) {
    let mut scenario = generate::scenario(seed);
    let (played, acted) = play::play(&scenario, seed);
    scenario.script = acted;
    if !played.started {
        // Nobody had a tree to act on.
        scenario.script.clear();
        compared.not_started += 1;
    }
    let mut foretold = foretold(&scenario, seed);
    // A call that was not answered at once is answered later; both say no more of it.
    for (target, answer) in &played.replies {
        match (answer, foretold.replies.get_mut(target)) {
            (None, Some(later)) => *later = None,
            (None, None) => drop(foretold.replies.insert(target.clone(), None)),
            _ => {}
        }
    }
    if !played.started {
        foretold.end = foretold.end.map(|end| strip(&end));
    }
    let played_end = played.end.as_ref().map(strip);
    let foretold_end = foretold.end.as_ref().map(strip);
    let hint = || format!("MYCELIUM_SEED={seed} MYCELIUM_CASES=1\n{scenario:#?}");
    let differs = played.lines.iter().zip(&foretold.lines).position(|(one, other)| one != other);
    assert_eq!(played.lines, foretold.lines, "\nleft: played, right: foretold; line {differs:?}\n{}", hint());
    // Once the root has ended, the dry run is over; calls that come then find nobody.
    let late = |target: &String| played.replies.get(target) == Some(&Some("noproc".to_owned()));
    let answers: BTreeMap<_, _> = played
        .replies
        .iter()
        .filter(|(target, _)| foretold.replies.contains_key(*target) || !late(target))
        .collect();
    assert_eq!(answers, foretold.replies.iter().collect(), "{}", hint());
    assert_eq!((played.started, played_end), (foretold.started, foretold_end), "{}", hint());
    let count = |word: &str| played.lines.iter().filter(|line| line.what.contains(word)).count();
    compared.lines += played.lines.len();
    compared.waits += count("waiting");
    compared.gave_up += count("gave_up");
    compared.killed += count("killed=true");
    compared.replies += played.replies.values().flatten().count();
    compared.unanswered += played.replies.values().filter(|answer| answer.is_none()).count();
}

/// Without the name of the error.
fn strip(reason: &ExitReason) -> ExitReason {
    match reason {
        ExitReason::ShutdownWith(_) => ExitReason::ShutdownWith("".into()),
        other => other.clone(),
    }
}

#[test]
fn a_tree_in_an_isolate_does_what_its_dry_run_foretells() {
    std::panic::set_hook(Box::new(|info| {
        // The actors' panics are a part of the script.
        if info.payload_as_str().is_none_or(|text| text != "crash") {
            eprintln!("{info}");
        }
    }));
    let mut compared = Compared::default();
    for seed in seeds(SCENARIOS) {
        compare(seed, &mut compared);
    }
    println!("{compared:?}");
    if cases(SCENARIOS) >= SCENARIOS {
        let Compared { lines, waits, gave_up, killed, replies, unanswered, not_started } = compared;
        let counts = [lines, waits, gave_up, killed, replies, unanswered, not_started];
        assert!(counts.iter().all(|count| *count >= 20), "the scenarios test too little: {counts:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in seeds(100) {
        let scenario = generate::scenario(seed);
        assert_eq!(play::play(&scenario, seed).0, play::play(&scenario, seed).0);
    }
}
