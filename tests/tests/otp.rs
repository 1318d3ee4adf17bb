//! Compares the supervision core, run by its simulator, with the `supervisor` of the real Erlang/OTP.
//!
//! Random trees and scripts go to both; the order of starts and ends, who restarted, what the calls replied
//! and how the root ended must be the same. What is known to differ is written in `docs/otp-differences.md`,
//! and either kept out of the scenarios by `otp/generate.rs` or made equal by `otp/compare.rs`; nothing else
//! is forgiven.
//!
//! - `MYCELIUM_CASES=100000` runs more than the usual 2,000.
//! - `MYCELIUM_SEED=N` replays a run; the seed is printed.

#[path = "otp/compare.rs"]
mod compare;
#[path = "otp/encode.rs"]
mod encode;
#[path = "otp/erlang.rs"]
mod erlang;
#[path = "otp/generate.rs"]
mod generate;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mycelium_random::{cases, seed};
use mycelium_supervisor::sim::{Act, Behaviour, Exit, Scenario, Scripted, Tree};
use mycelium_supervisor::{AutoShutdown, Call, ChildSpec, Flags, Restart, Strategy};

const SCENARIOS: u64 = 2_000;

/// Runs scenarios on both sides and returns how often each kind of line was seen.
fn run_both(scenarios: impl Iterator<Item = (u64, Scenario)> + Send + 'static) -> BTreeMap<String, u64> {
    let mut erlang = erlang::Erlang::start();
    let mut kinds = BTreeMap::new();
    let scenarios = scenarios.map(|(seed, scenario)| (seed, compare::with_its_end(&scenario)));
    for (seed, scenario, mut theirs) in erlang.answers(scenarios, encode::scenario) {
        let scenario = compare::without_skipped(&scenario, &mut theirs);
        let ours = compare::settle(&scenario, compare::trace(&scenario));
        let theirs = compare::settle(&scenario, theirs);
        assert!(
            ours == theirs,
            "seed {seed}: the core and OTP differ.\n{}\nscenario: {}\n\
             replay: MYCELIUM_SEED={seed} MYCELIUM_CASES=1 cargo test -p mycelium-tests --test otp",
            compare::side_by_side(&ours, &theirs),
            encode::scenario(&scenario),
        );
        for line in &ours {
            let kind = line.text.split(' ').next().unwrap_or_default();
            *kinds.entry(kind.to_owned()).or_insert(0) += 1;
        }
    }
    kinds
}

/// Scenarios in which the two differed once, or seemed to.
const DIFFERED: [u64; 1] = [1_795_426_915_705_303_756];

/// Every seed below is one scenario: the one after it is the next scenario of a run.
#[test]
fn random_trees_behave_as_under_otp() {
    let (first, count) = (seed(), cases(SCENARIOS));
    let seeds = DIFFERED.into_iter().chain((0..count).map(move |i| first.wrapping_add(i)));
    let kinds = run_both(seeds.map(|seed| (seed, generate::scenario(seed))));
    println!("compared: {kinds:?}");
    // A generator that never reaches a behaviour would prove nothing about it.
    if count >= SCENARIOS {
        for kind in ["started", "start_failed", "ended", "gave_up", "reply", "root_exited"] {
            assert!(kinds.get(kind).is_some_and(|seen| *seen > 100), "hardly any {kind}: {kinds:?}");
        }
    }
}

/// The scenarios of `tests/otp/scenarios`, which people wrote; a test of the command holds its output to the
/// lines beside them.
#[test]
fn scenarios_written_by_hand_behave_as_under_otp() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("otp/scenarios");
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let text = std::fs::read_to_string(&path).expect("scenarios are text");
        if path.extension().is_some_and(|end| end == "toml") && !text.contains("Not compared with OTP:") {
            let scenario =
                Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            println!("{}: {}", scenarios.len(), path.display());
            scenarios.push((scenarios.len() as u64, scenario));
        }
    }
    assert!(scenarios.len() > 30, "only {} scenarios", scenarios.len());
    run_both(scenarios.into_iter());
}

/// The random test must be able to fail: the same tree with another restart type is seen as different.
#[test]
fn a_difference_is_found() {
    let tree = |restart| Scenario {
        root: "root".into(),
        tree: Tree {
            flags: Flags::default(),
            children: vec![ChildSpec::worker("a", Behaviour::worker()).restart(restart)],
        },
        script: vec![Scripted {
            at: Duration::ZERO,
            act: Act::Exit { path: "root/a".into(), exit: Exit::Normal },
        }],
    };
    let mut erlang = erlang::Erlang::start();
    let (permanent, transient) = (tree(Restart::Permanent), tree(Restart::Transient));
    let sent = [(0, compare::with_its_end(&permanent))].into_iter();
    let mut answers = erlang.answers(sent, encode::scenario);
    let (_, permanent, theirs) = answers.next().expect("one scenario, one answer");
    let theirs = compare::settle(&permanent, theirs);
    assert_eq!(compare::trace(&permanent), theirs);
    assert_ne!(compare::trace(&compare::with_its_end(&transient)), theirs);
}

/// A restart exactly one period old counts, one that is a microsecond older does not.
#[test]
fn the_window_is_inclusive_as_under_otp() {
    let crash = |at| Scripted { at, act: Act::Exit { path: "root/a".into(), exit: Exit::Crash } };
    let period = Flags::default().period;
    let scenarios = [period, period + Duration::from_micros(1)].map(|second| Scenario {
        root: "root".into(),
        tree: Tree { flags: Flags::default(), children: vec![ChildSpec::worker("a", Behaviour::worker())] },
        script: vec![crash(Duration::ZERO), crash(second)],
    });
    let gives_up = scenarios
        .each_ref()
        .map(|scenario| compare::trace(scenario).iter().any(|line| line.text == "gave_up root"));
    assert_eq!(gives_up, [true, false]);
    run_both((0..).zip(scenarios));
}

/// Two restarts that failed are tried again in the order in which they failed, not in that of the children.
#[test]
fn retries_keep_their_order_as_under_otp() {
    let fails_once = || Behaviour { start_fails: vec![2], ..Behaviour::default() }.into();
    let exit = |path: &str| Act::Exit { path: path.to_owned(), exit: Exit::Crash };
    let call =
        Act::Call { supervisor: "root".to_owned(), target: "root".to_owned(), call: Call::WhichChildren };
    let children = ["a", "b", "c"].map(|id| ChildSpec::worker(id, fails_once())).into();
    let scenario = Scenario {
        root: "root".into(),
        tree: Tree { flags: Flags { intensity: 9, ..Flags::default() }, children },
        script: vec![Scripted {
            at: Duration::ZERO,
            act: Act::Burst(vec![exit("root/b"), exit("root/c"), exit("root/a"), call]),
        }],
    };
    let ours = compare::trace(&scenario);
    let starts = ours.iter().map(|line| &*line.text).filter(|text| text.starts_with("started"));
    let retried: Vec<&str> = starts.skip(3).collect();
    assert_eq!(retried, ["started root/b", "started root/c", "started root/a"]);
    run_both([(0, scenario)].into_iter());
}

/// All combinations of strategy, auto-shutdown and restart type, each child ended in each way: no chance
/// involved.
#[test]
fn every_combination_of_two_children_behaves_as_under_otp() {
    let mut scenarios = Vec::new();
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for auto_shutdown in [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant]
        {
            for (first, second) in pairs([Restart::Permanent, Restart::Transient, Restart::Temporary]) {
                for exit in [Exit::Crash, Exit::Normal, Exit::Shutdown, Exit::Kill] {
                    let flags = Flags { strategy, auto_shutdown, ..Flags::default() };
                    let child = |id: &str, restart| {
                        ChildSpec::worker(id, Behaviour::worker()).restart(restart).significant(
                            auto_shutdown != AutoShutdown::Never && restart != Restart::Permanent,
                        )
                    };
                    let children = vec![child("a", first), child("b", second)];
                    let end = |path: &str| Scripted {
                        at: Duration::ZERO,
                        act: Act::Exit { path: path.to_owned(), exit },
                    };
                    scenarios.push(Scenario {
                        root: "root".into(),
                        tree: Tree { flags, children },
                        script: vec![end("root/a"), end("root/b"), end("root/a")],
                    });
                }
            }
        }
    }
    run_both(scenarios.into_iter().enumerate().map(|(i, scenario)| (i as u64, scenario)));
}

fn pairs<T: Copy>(of: [T; 3]) -> impl Iterator<Item = (T, T)> {
    (0..9).map(move |i| (of[i / 3], of[i % 3]))
}
