//! What a dry run does with its script: kills, bursts, and things that happen at one time.

use std::time::Duration;

use mycelium_supervisor::sim::{
    Act, Behaviour, DEPTH_MAX, Exit, Happening, Scenario, Scripted, SimError, Tree, simulate,
};
use mycelium_supervisor::{Call, ChildSpec, ExitReason, Strategy};

/// What befalls each path, from the first entry of the script on.
fn run(tree: Tree, acts: Vec<Act>) -> Vec<(String, Happening)> {
    let at = Duration::from_secs(1);
    let script = acts.into_iter().map(|act| Scripted { at, act }).collect();
    let scenario = Scenario { root: "root".into(), tree, script };
    let mut seen = Vec::new();
    simulate(&scenario, 0, &mut |entry| {
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
