//! What the engine does beyond the dry run: what a life leaves to the next, starts that take too long, kills
//! that do not come about, looks.

#[path = "common/play.rs"]
mod play;

use std::time::Duration;

use mycelium_supervisor::engine::{Host, Left, LifeId, ROOT, Report};
use mycelium_supervisor::{Call, CallId, ChildSpec, Event, ExitReason, Flags, Restart, Strategy};
use play::{Play, Script, Start, flags, tree, worker};

#[test]
fn what_a_life_leaves_goes_to_the_next_one_of_the_same_child_and_to_no_other() {
    let mut play = Play::new(flags(9), vec![worker("a")], Script::default());
    play.started("root/a");
    play.fails("root/a", 1);
    assert_eq!(play.engine.kept("root/a"), Some(&1));
    play.pass(1);
    assert_eq!(play.log(), ["start a with 1", "ready", "a ended: crash", "start a with 1"]);
    assert_eq!(play.engine.kept("root/a"), None);
    play.started("root/a");
    play.fails("root/a", 1);
    play.call(Call::TerminateChild("a".into()));
    assert_eq!(play.log(), ["a ended: crash", "answer true", "release 1"]);
    play.call(Call::DeleteChild("a".into()));
    play.call(Call::StartChild(ChildSpec::worker("a", Start::Worker(2))));
    assert_eq!(play.log(), ["forgot a", "answer true", "start a with 2"]);
}

#[test]
fn a_start_that_cannot_be_launched_keeps_what_was_left() {
    let mut play = Play::new(flags(9), vec![worker("a")], Script::default());
    play.started("root/a");
    play.fails("root/a", 1);
    play.host.says("nothing starts");
    play.pass(1);
    assert_eq!(play.engine.kept("root/a"), Some(&1));
    play.pass(9);
    let log = play.log();
    assert_eq!(log[log.len() - 2..], ["a did not start: closed", "start a with 1"]);
}

#[test]
fn an_estate_goes_to_the_successor_of_a_supervisor_and_is_released_with_the_root() {
    let desk = tree("desk", Flags { intensity: 0, ..flags(0) }, vec![worker("a"), worker("b")]);
    let mut play = Play::new(flags(1), vec![desk], Script::default());
    play.started("root/desk/a");
    play.started("root/desk/b");
    play.fails("root/desk/a", 1);
    play.report("root/desk/b", |child| Report::Left(child, ExitReason::Shutdown, Left::Worker(2)));
    assert_eq!(play.engine.kept("root/desk/a"), Some(&1));
    assert_eq!(play.engine.kept("root/desk/b"), Some(&2));
    assert_eq!(play.engine.kept("root/desk"), None);
    assert_eq!(play.engine.kept("root/desk/b/c"), None);
    play.pass(1);
    play.started("root/desk/a");
    play.started("root/desk/b");
    let log = play.log();
    assert_eq!(
        log,
        [
            "start a with 1",
            "start b with 2",
            "ready",
            "a ended: crash",
            "root/desk gave up",
            "stop root/desk/b",
            "b was stopped",
            "desk ended: shutdown",
            "start a with 1",
            "start b with 2",
        ]
    );
    // Once more is too often for the root.
    play.fails("root/desk/a", 1);
    play.report("root/desk/b", |child| Report::Left(child, ExitReason::Shutdown, Left::Worker(2)));
    let log = play.log();
    assert_eq!(log[log.len() - 3..], ["root gave up", "release 1", "release 2, asked"]);
    assert_eq!(play.host.end, Some((ExitReason::Shutdown, 0)));
}

/// A successor begins with the declared children alone.
#[test]
fn a_supervisor_that_ends_forgets_the_children_that_calls_have_added() {
    let mut play = Play::of_a_desk_with_more();
    play.fails("root/desk/a", 1);
    play.report("root/desk/more", |child| Report::Event(Event::Exited(child, ExitReason::Shutdown)));
    let log = play.log();
    let forgotten: Vec<_> = log.iter().filter(|line| line.starts_with("forgot ")).collect();
    assert_eq!(forgotten, ["forgot more"], "{log:?}");
}

#[test]
fn a_temporary_child_is_forgotten_and_a_report_of_nobody_releases_what_it_brings() {
    let mut play = Play::new(flags(9), vec![worker("a").restart(Restart::Temporary)], Script::default());
    let life = play.life("root/a");
    play.started("root/a");
    play.fails("root/a", 1);
    play.fails("root/a", 7);
    assert_eq!(
        play.log(),
        ["start a with 1", "ready", "a ended: crash", "release 1", "forgot a", "release 7"]
    );
    assert!(play.engine.body(life).is_none());
    play.host.post(99, Report::Left(life.child, ExitReason::Normal, Left::Worker(8)));
    play.run();
    assert_eq!(play.log(), ["release 8"]);
}

#[test]
fn a_child_that_is_not_ready_in_time_is_given_up_and_one_that_cannot_be_ended_is_missed() {
    let mut play = Play::new(flags(9), vec![worker("a")], Script::default());
    play.pass(30);
    assert_eq!(play.log(), ["start a with 1", "give up root/a: not ready after 30s"]);
    play.pass(1);
    assert_eq!(play.log(), ["kill root/a", "missed root/a", "a did not start: not ready after 30s"]);
    assert_eq!(
        play.host.end.as_ref().map(|(reason, _)| reason.to_string().contains("not ready")),
        Some(true)
    );
}

#[test]
fn a_start_that_is_given_up_has_failed_also_if_its_word_comes_before_its_end() {
    let mut play = Play::new(flags(9), vec![worker("a"), worker("b")], Script::default());
    play.pass(30);
    play.started("root/a");
    assert_eq!(play.log(), ["start a with 1", "give up root/a: not ready after 30s"], "b waits");
    // It still has to be gone in time.
    play.pass(1);
    assert_eq!(play.log(), ["kill root/a", "missed root/a", "a did not start: not ready after 30s"]);
}

#[test]
fn a_child_that_is_told_to_stop_has_its_shutdown_time_and_no_other_limit() {
    let mut play = Play::new(flags(9), vec![worker("a")], Script::default());
    play.started("root/a");
    play.host.post(ROOT, Report::Stop { for_good: true });
    play.run();
    play.pass(5);
    assert_eq!(
        play.log(),
        ["start a with 1", "ready", "stop root/a for good", "kill root/a", "missed root/a"]
    );
    play.pass(1);
    assert_eq!(play.log(), ["kill root/a", "missed root/a", "a was killed"]);
}

#[test]
fn a_group_that_restarts_stops_in_place() {
    let group = Flags { strategy: Strategy::OneForAll, ..flags(9) };
    let mut play = Play::new(group, vec![worker("a"), worker("b")], Script::default());
    play.started("root/a");
    play.started("root/b");
    play.fails("root/a", 1);
    play.report("root/b", |child| Report::Left(child, ExitReason::Shutdown, Left::Worker(2)));
    assert_eq!(play.engine.kept("root/b"), Some(&2), "all of the group comes back");
    play.pass(1);
    play.started("root/a");
    let log = play.log();
    assert_eq!(
        log[3..],
        ["a ended: crash", "stop root/b", "b was stopped", "start a with 1", "start b with 2"]
    );
}

#[test]
fn a_kill_takes_all_below_along_and_tells_of_an_end_that_came_before() {
    let desk = tree("desk", flags(9), vec![worker("a"), worker("b")]);
    let mut play = Play::new(flags(9), vec![desk], Script::default());
    play.started("root/desk/a");
    play.started("root/desk/b");
    play.log();
    let LifeId { node, child } = play.life("root/desk/a");
    play.host.post(node, Report::Event(Event::Exited(child, ExitReason::Normal)));
    play.engine.kill(&mut play.host, ROOT);
    play.run();
    assert_eq!(
        play.log(),
        [
            "abandon root/desk/b",
            "b was killed",
            "abandon root/desk/a, which has ended",
            "a ended: normal",
            "desk was killed",
        ]
    );
    assert_eq!(play.host.end, Some((ExitReason::Killed, 0)));
    assert!(play.engine.node(ROOT).is_none() && play.engine.next_due().is_none());
}

#[test]
fn a_supervisor_is_found_from_its_start_to_its_end_and_not_while_its_parent_has_to_hear_of_that() {
    let mut play = Play::new(flags(9), vec![tree("desk", flags(9), vec![worker("a")])], Script::default());
    let paths = |play: &Play| play.engine.nodes().map(|node| node.path().to_string()).collect::<Vec<_>>();
    assert_eq!(paths(&play), ["root", "root/desk"]);
    play.started("root/desk/a");
    let desk = play.engine.find("root/desk").expect("it runs");
    assert!(play.engine.find_child("root/desk").is_some() && play.engine.find_child("root/desk/a").is_some());
    play.engine.kill(&mut play.host, desk);
    assert_eq!(paths(&play), ["root"]);
    assert!(play.engine.find("root/desk").is_none_or(|id| play.engine.node(id).is_none()));
    assert_eq!(play.engine.find_child("root/desk"), None, "its end waits in the queue");
    play.run();
    play.pass(1);
    assert_eq!(paths(&play), ["root", "root/desk"]);
}

#[test]
fn a_child_is_looked_at_until_it_is_stuck_and_its_end_is_then_a_failure() {
    let mut play = Play::new(flags(9), vec![worker("a")], Script { looks: 2, ..Script::default() });
    play.started("root/a");
    play.pass(25);
    assert_eq!(play.log()[2..], ["look at root/a", "look at root/a"]);
    play.report("root/a", |child| Report::Left(child, ExitReason::Killed, Left::Worker(1)));
    assert_eq!(play.log(), ["a ended: stuck"]);
    play.host.looks = 1;
    play.pass(1);
    play.started("root/a");
    let at = Some(play.now + Duration::from_secs(3));
    play.report("root/a", |child| Report::LookAt(child, None));
    play.pass(11);
    assert_eq!(play.log(), ["start a with 1"], "it was called off");
    play.report("root/a", |child| Report::LookAt(child, at));
    play.pass(0);
    assert_eq!(play.log(), ["look at root/a"]);
}

#[test]
fn nobody_looks_at_a_child_that_starts_or_is_told_to_stop() {
    let mut play = Play::new(flags(9), vec![worker("a")], Script { looks: 9, ..Script::default() });
    let soon = Some(Duration::from_secs(1));
    play.report("root/a", |child| Report::LookAt(child, soon));
    play.pass(30);
    assert_eq!(play.log(), ["start a with 1", "give up root/a: not ready after 30s"], "its limit stays");

    let mut play = Play::new(flags(9), vec![worker("a")], Script::default());
    play.started("root/a");
    play.host.post(ROOT, Report::Stop { for_good: true });
    play.run();
    play.host.looks = 9;
    play.report("root/a", |child| Report::LookAt(child, soon));
    play.pass(4);
    assert_eq!(play.log()[2..], ["stop root/a for good"]);
}

/// The same where the supervisor is the root, which ends for good, and where it may be restarted itself.
#[test]
fn what_one_child_leaves_for_good_is_released_at_once_though_another_one_waits() {
    for desk in ["root", "root/desk"] {
        let mut children = vec![worker("a"), worker("b")];
        if desk == "root/desk" {
            children = vec![tree("desk", flags(9), children)];
        }
        let mut play = Play::new(flags(9), children, Script::default());
        let [a, b] = ["a", "b"].map(|id| format!("{desk}/{id}"));
        play.started(&a);
        play.started(&b);
        play.fails(&a, 1);
        play.log();
        let node = play.life(&b).node;
        play.host.post(node, Report::Event(Event::Call(CallId(0), Call::TerminateChild("b".into()))));
        play.run();
        play.report(&b, |child| Report::Left(child, ExitReason::Shutdown, Left::Worker(2)));
        let stops = format!("stop {b} for good");
        assert_eq!(play.log(), [&stops, "b was stopped", "answer true", "release 2, asked"]);
        assert_eq!((play.engine.kept(&a), play.engine.kept(&b)), (Some(&1), None));
        play.pass(1);
        assert_eq!(play.log(), ["start a with 1"]);
    }
}

/// A probe that gives a child up knows better why it ended than what it says at its end, unless that is a
/// failure of its own.
#[test]
fn one_that_was_given_up_and_ends_normally_has_failed_for_what_it_was_given_up_for() {
    for (said, told) in [
        (ExitReason::Normal, "a did not start: not ready after 30s"),
        (ExitReason::Abnormal("boom".into()), "a did not start: boom"),
    ] {
        let mut play = Play::new(flags(9), vec![worker("a")], Script::default());
        play.pass(30);
        play.log();
        play.report("root/a", |child| Report::Event(Event::Exited(child, said.clone())));
        assert_eq!(play.log(), [told], "{said:?}");
    }
}
