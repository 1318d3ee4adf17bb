//! What the engine tells its host when lives end, and of what they leave.

#[path = "common/play.rs"]
mod play;

use mycelium_supervisor::engine::{Host, Left, ROOT, Report};
use mycelium_supervisor::{Call, ChildSpec, Event, ExitReason, Flags, Restart, Shutdown, Strategy};
use play::{Play, Script, Start, flags, tree, worker};

#[test]
fn nobody_is_told_of_the_end_of_a_child_that_was_not_ready_when_its_supervisor_was_killed() {
    let desk = tree("desk", flags(9), vec![worker("a"), worker("b")]);
    let mut play = Play::new(flags(9), vec![desk], Script::default());
    play.started("root/desk/a");
    play.log();
    let desk = play.life("root/desk/b").node;
    play.engine.kill(&mut play.host, desk);
    assert_eq!(play.log(), ["abandon root/desk/b", "abandon root/desk/a", "a was killed"]);
}

#[test]
fn what_a_supervisor_that_is_stopped_for_good_has_below_it_stops_for_good_too() {
    let desk = tree("desk", flags(9), vec![worker("a")]);
    let mut play = Play::new(flags(9), vec![desk], Script::default());
    play.started("root/desk/a");
    play.log();
    play.call(Call::TerminateChild("desk".into()));
    assert_eq!(play.log(), ["stop root/desk/a for good"]);
    play.report("root/desk/a", |child| Report::Left(child, ExitReason::Shutdown, Left::Worker(1)));
    assert_eq!(play.log()[..2], ["a was stopped", "release 1, asked"]);
}

#[test]
fn the_host_hears_that_a_supervisor_ends_before_its_children_are_gone() {
    let mut play = Play::new(flags(0), vec![worker("a"), worker("b")], Script::default());
    play.started("root/a");
    play.started("root/b");
    assert!(!play.host.ending);
    play.fails("root/a", 1);
    assert!(play.host.ending && play.host.end.is_none(), "it waits for b");
}

#[test]
fn a_child_that_a_call_ends_leaves_nothing_to_its_group_which_waits() {
    for deletes in [false, true] {
        let group = Flags { strategy: Strategy::OneForAll, ..flags(9) };
        let mut play = Play::new(group, vec![worker("a"), worker("b")], Script::default());
        play.started("root/a");
        play.started("root/b");
        play.fails("root/a", 1);
        play.report("root/b", |child| Report::Left(child, ExitReason::Shutdown, Left::Worker(2)));
        assert_eq!(play.engine.kept("root/b"), Some(&2), "all of it comes back");
        play.log();
        if deletes {
            play.call(Call::DeleteChild("b".into()));
            assert_eq!(play.log(), ["forgot b", "answer true", "release 2, asked"]);
            play.call(Call::StartChild(ChildSpec::worker("b", Start::Worker(1))));
            assert_eq!(play.log(), ["start b with 3"]);
        } else {
            play.call(Call::TerminateChild("b".into()));
            assert_eq!(play.log(), ["answer true", "release 2, asked"]);
            play.pass(1);
            play.started("root/a");
            assert_eq!(play.log(), ["start a with 1", "start b with 3"]);
        }
    }
}

#[test]
fn whoever_stands_before_the_one_that_waits_leaves_nothing_when_it_ends() {
    let group = Flags { strategy: Strategy::RestForOne, ..flags(9) };
    let children = vec![worker("a").restart(Restart::Transient), worker("b"), worker("c")];
    let mut play = Play::new(group, children, Script::default());
    ["root/a", "root/b", "root/c"].iter().for_each(|path| play.started(path));
    play.fails("root/b", 1);
    play.report("root/c", |child| Report::Left(child, ExitReason::Shutdown, Left::Worker(2)));
    play.log();
    play.report("root/a", |child| Report::Left(child, ExitReason::Normal, Left::Worker(3)));
    assert_eq!(play.log(), ["a ended: normal", "release 3"]);
    assert_eq!((play.engine.kept("root/b"), play.engine.kept("root/c")), (Some(&1), Some(&2)));
}

#[test]
fn what_an_added_child_leaves_ends_with_its_supervisor() {
    let mut play = Play::of_a_desk_with_more();
    play.fails("root/desk/a", 1);
    play.report("root/desk/more", |child| Report::Left(child, ExitReason::Shutdown, Left::Worker(2)));
    let log = play.log();
    assert!(log.contains(&"release 2, asked".to_owned()), "{log:?}");
    assert_eq!(play.engine.kept("root/desk/a"), Some(&1));
}

#[test]
fn only_a_child_that_had_been_asked_has_missed_its_time() {
    let children = vec![worker("a").stop_by(Shutdown::BrutalKill), worker("b")];
    let mut play = Play::new(flags(9), children, Script::default());
    play.started("root/a");
    play.started("root/b");
    play.log();
    play.call(Call::TerminateChild("a".into()));
    assert_eq!(play.log(), ["kill root/a"]);
    play.report("root/a", |child| Report::Event(Event::Exited(child, ExitReason::Killed)));
    play.log();
    play.call(Call::TerminateChild("b".into()));
    play.pass(5);
    assert_eq!(play.log(), ["stop root/b for good", "kill root/b", "missed root/b"]);
}

#[test]
fn a_life_knows_whether_it_was_asked_to_end_until_it_is_over() {
    let mut play = Play::new(flags(9), vec![worker("a")], Script::default());
    play.started("root/a");
    let asked = |play: &Play| play.engine.node(ROOT).unwrap().is_asked(play.life("root/a").child);
    assert_eq!(asked(&play), Some(false));
    play.call(Call::TerminateChild("a".into()));
    assert_eq!(asked(&play), Some(true));
    play.report("root/a", |child| Report::Event(Event::Exited(child, ExitReason::Shutdown)));
    assert_eq!(asked(&play), None);
}

#[test]
fn a_start_that_takes_too_long_is_missed_where_its_supervisor_is_to_end() {
    let mut play = Play::new(flags(9), vec![worker("a")], Script::default());
    play.host.post(ROOT, Report::Stop { for_good: true });
    play.run();
    play.log();
    play.pass(30);
    assert_eq!(play.log(), ["give up root/a: not ready after 30s", "missed root/a"]);
}

#[test]
fn nobody_looks_any_more_at_a_child_that_is_told_to_stop() {
    let children = vec![worker("a").stop_by(Shutdown::Infinity)];
    let mut play = Play::new(flags(9), children, Script { looks: 9, ..Script::default() });
    play.started("root/a");
    play.call(Call::TerminateChild("a".into()));
    play.log();
    play.pass(60);
    assert_eq!(play.log(), [""; 0]);
}

#[test]
fn supervisors_that_wait_until_the_same_time_all_wake() {
    let desks = ["d", "e", "f"].map(|id| tree(id, flags(9), vec![worker("a")]));
    let mut play = Play::new(flags(9), desks.to_vec(), Script::default());
    for desk in ["d", "e", "f"] {
        play.started(&format!("root/{desk}/a"));
    }
    for desk in ["d", "e", "f"] {
        play.fails(&format!("root/{desk}/a"), 1);
    }
    play.log();
    play.pass(1);
    assert_eq!(play.log(), ["start a with 1"; 3]);
}

#[test]
fn the_template_of_a_pool_has_a_specification_to_ask_for() {
    let pool = Flags { strategy: Strategy::SimpleOneForOne, ..flags(9) };
    let mut play = Play::new(pool, vec![worker("w")], Script::default());
    for (id, found) in [("w", true), ("x", false)] {
        play.log();
        play.call(Call::ChildSpec(id.into()));
        assert_eq!(play.log(), [format!("answer {found}")], "{id}");
    }
}
