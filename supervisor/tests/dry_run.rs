//! What a dry run does with its script: kills, bursts, and things that happen at one time.

use std::time::Duration;

use mycelium_supervisor::sim::{
    Act, Behaviour, DEPTH_MAX, Exit, Happening, Scenario, Scripted, SimError, Tree, simulate,
};
use mycelium_supervisor::{Backoff, Call, ChildSpec, ExitReason, Flags, Shutdown, Strategy};

/// What befalls each path, from the first entry of the script on.
fn run(tree: Tree, acts: Vec<Act>) -> Vec<(String, Happening)> {
    run_with(0, tree, acts)
}

fn run_with(seed: u64, tree: Tree, acts: Vec<Act>) -> Vec<(String, Happening)> {
    let at = Duration::from_secs(1);
    let script = acts.into_iter().map(|act| Scripted { at, act }).collect();
    let scenario = Scenario { root: "root".into(), tree, script };
    let mut seen = Vec::new();
    simulate(&scenario, seed, &mut |entry| {
        if entry.at >= at {
            seen.push((entry.path.to_string(), entry.what.clone()));
        }
    })
    .unwrap();
    seen
}

fn exit(path: &str, exit: Exit) -> Act {
    Act::Exit { path: path.into(), exit }
}

fn worker(id: &str) -> ChildSpec<std::sync::Arc<Behaviour>> {
    ChildSpec::worker(id, Behaviour::worker())
}

/// A root with a desk, which has one worker.
fn desk() -> Tree {
    let below = Tree { children: vec![worker("feed")], ..Tree::default() };
    let desk = ChildSpec::supervisor("desk", Behaviour::supervisor(below));
    Tree { children: vec![desk], ..Tree::default() }
}

#[test]
fn trees_may_be_as_deep_as_the_limit_says_and_no_deeper() {
    for (depth, fits) in [(DEPTH_MAX, true), (DEPTH_MAX + 1, false)] {
        let mut tree = Tree::default();
        for _ in 1..depth {
            let child = ChildSpec::supervisor("s", Behaviour::supervisor(tree));
            tree = Tree { children: vec![child], ..Tree::default() };
        }
        let scenario = Scenario { root: "root".into(), tree, script: Vec::new() };
        let outcome = simulate(&scenario, 0, &mut |_| ());
        assert_eq!(outcome.is_ok(), fits, "{outcome:?}");
        assert!(fits || matches!(outcome, Err(SimError::TooDeep { .. })));
    }
}

#[test]
fn a_kill_asks_nobody_below() {
    let seen = run(desk(), vec![exit("root/desk", Exit::Kill)]);
    let stopped = Happening::Stopped { killed: true, reason: ExitReason::Killed };
    assert_eq!(seen[0], ("root/desk/feed".into(), stopped));
    assert_eq!(seen[1], ("root/desk".into(), Happening::Exited { reason: ExitReason::Killed }));
}

#[test]
fn what_ends_in_the_same_burst_as_its_supervisor_is_killed_has_ended_by_itself() {
    let acts = vec![exit("root/desk/feed", Exit::Crash), exit("root/desk", Exit::Kill)];
    let seen = run(desk(), vec![Act::Burst(acts)]);
    assert_eq!(seen[0], ("root/desk/feed".into(), Happening::Exited { reason: Exit::Crash.reason() }));
}

#[test]
fn a_child_ends_once() {
    let twice = || vec![exit("root/desk/feed", Exit::Crash), exit("root/desk/feed", Exit::Normal)];
    let seen = run(desk(), vec![Act::Burst(twice())]);
    let skipped = seen.iter().filter(|(_, what)| *what == Happening::Skipped).count();
    assert_eq!(skipped, 1, "{seen:?}");
}

#[test]
fn instances_that_stop_at_one_time_all_do() {
    let slow = Behaviour { stop_takes: Duration::from_millis(50), ..Behaviour::default() };
    let mut tree = Tree { children: vec![ChildSpec::worker("w", slow.into())], ..Tree::default() };
    tree.flags.strategy = Strategy::SimpleOneForOne;
    let start = |id: &str| {
        let start = tree.children[0].start.clone();
        let call = Call::StartInstance { id: Some(id.into()), start };
        Act::Call { supervisor: "root".into(), target: "root".into(), call }
    };
    let acts = vec![start("a"), start("b"), start("c"), exit("root", Exit::Shutdown)];
    let seen = run(tree, acts);
    let stopped = seen.iter().filter(|(_, what)| matches!(what, Happening::Stopped { killed: false, .. }));
    assert_eq!(stopped.count(), 3, "{seen:?}");
    assert!(matches!(seen.last(), Some((_, Happening::RootExited { .. }))));
}

#[test]
fn each_call_has_its_own_answer_however_many_wait() {
    let call = |call| Act::Call { supervisor: "root/desk".into(), target: "root/desk".into(), call };
    let slow = Behaviour { start_takes: Duration::from_millis(50), ..Behaviour::default() };
    let start = Call::StartChild(ChildSpec::worker("new", slow.into()));
    let seen = run(desk(), vec![call(start), call(Call::CountChildren), call(Call::WhichChildren)]);
    let replies = seen.iter().filter_map(|(_, what)| match what {
        Happening::Reply { call, child, .. } => Some((*call, child.as_deref())),
        _ => None,
    });
    let expected =
        [("start_child", Some("root/desk/new")), ("count_children", None), ("which_children", None)];
    assert_eq!(replies.collect::<Vec<_>>(), expected);
}

/// A supervisor that waits for the end of one child finds in its mailbox what came in the same burst.
#[test]
fn all_of_a_burst_is_there_when_a_busy_supervisor_sees_what_it_waits_for() {
    let slow = Behaviour { stop_takes: Duration::from_millis(50), ..Behaviour::default() };
    let children = vec![ChildSpec::worker("slow", slow.into()), worker("quick")];
    let call = Call::TerminateChild("slow".into());
    let terminate = Act::Call { supervisor: "root".into(), target: "root/slow".into(), call };
    let burst = Act::Burst(vec![exit("root/slow", Exit::Crash), exit("root/quick", Exit::Crash)]);
    let seen = run(Tree { children, ..Tree::default() }, vec![terminate, burst]);
    let reason = Exit::Crash.reason();
    assert_eq!(seen[0], ("root/quick".into(), Happening::Exited { reason: reason.clone() }));
    assert_eq!(seen[1], ("root/slow".into(), Happening::Stopped { killed: false, reason }));
    assert!(matches!(seen[2].1, Happening::Reply { .. }), "{seen:?}");
    assert_eq!(seen[3..], [("root/quick".into(), Happening::Started)]);
}

#[test]
fn each_supervisor_of_a_run_draws_by_a_seed_of_its_own_which_the_seed_of_the_run_gives() {
    let waits = |seed| {
        let flags =
            Flags { backoff: Some(Backoff { jitter: 1.0, ..Backoff::default() }), ..Flags::default() };
        let below = Tree { flags, children: vec![worker("feed")] };
        let desk = |id| ChildSpec::supervisor(id, Behaviour::supervisor(below.clone()));
        let tree = Tree { children: vec![desk("a"), desk("b")], ..Tree::default() };
        let crashes = ["root/a/feed", "root/b/feed"].map(|path| exit(path, Exit::Crash));
        let seen = run_with(seed, tree, crashes.to_vec());
        let waits = seen.into_iter().filter_map(|(_, what)| match what {
            Happening::Waiting { backoff } => Some(backoff),
            _ => None,
        });
        <[Duration; 2]>::try_from(waits.collect::<Vec<_>>()).expect("each of the two waits once")
    };
    let [a, b] = waits(1);
    assert_eq!(waits(1), [a, b]);
    assert_ne!(a, b);
    assert!(waits(2).iter().all(|wait| ![a, b].contains(wait)));
}

#[test]
fn a_child_that_is_killed_is_gone_as_soon_as_one_that_stops_at_once() {
    let desk = |id, shutdown| {
        let children = ["x", "y"].map(|id| worker(id).stop_by(shutdown)).to_vec();
        ChildSpec::supervisor(id, Behaviour::supervisor(Tree { children, ..Tree::default() }))
    };
    let children = vec![desk("kills", Shutdown::BrutalKill), desk("asks", Shutdown::Infinity)];
    let exits = ["root/kills", "root/asks"].map(|path| exit(path, Exit::Shutdown));
    let seen = run(Tree { children, ..Tree::default() }, vec![Act::Burst(exits.to_vec())]);
    let stopped = seen.iter().filter(|(_, what)| matches!(what, Happening::Stopped { .. }));
    let paths: Vec<&str> = stopped.map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths[..4], ["root/kills/y", "root/asks/y", "root/kills/x", "root/asks/x"]);
}

#[test]
fn a_call_that_is_waiting_when_its_supervisor_is_killed_has_no_result() {
    let target = "root/desk".to_owned();
    let call = Act::Call { supervisor: target.clone(), target: target.clone(), call: Call::CountChildren };
    let seen = run(desk(), vec![Act::Burst(vec![call, exit("root/desk", Exit::Kill)])]);
    let reply = Happening::Reply { call: "count_children", result: None, child: None };
    assert!(seen.contains(&(target, reply)), "{seen:?}");
}
