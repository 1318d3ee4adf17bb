//! Single steps of a supervisor, where the order of events decides.

mod common;

use common::{Driver, ZERO, crash, ms, workers};
use mycelium_supervisor::{
    Action, AutoShutdown, Backoff, CALLS_MAX, Call, CallError, CallId, ChildSpec, ChildStatus, Event,
    ExitReason, Flags, ID_BYTES_MAX, Notice, Reply, Restart, Shutdown, SpecError, StopHow, Strategy,
    Supervisor,
};

#[test]
fn a_shutdown_waits_for_a_slow_start_unless_that_is_abandoned() {
    let mut driver = Driver::new(Flags::default(), workers(&["a", "b"]));
    driver.step(ZERO, Event::Init);
    let a = driver.starts().expect("a starts");
    driver.step(ZERO, Event::Started(a));
    let b = driver.starts().expect("b starts");
    driver.step(ms(1), Event::Shutdown(ExitReason::Shutdown));
    assert!(driver.actions.is_empty());
    driver.step(ms(1), Event::AbandonStart);
    assert_eq!(driver.stops(), [(b, StopHow::Shutdown)]);
    driver.step(ms(2), Event::Started(b)); // too late, it was told to stop
    assert!(driver.actions.is_empty());
    driver.step(ms(3), Event::Exited(b, ExitReason::Shutdown));
    assert_eq!(driver.stops(), [(a, StopHow::Shutdown)]);
    driver.step(ms(4), Event::Exited(a, ExitReason::Shutdown));
    // Its own start has failed, because that of b did.
    assert!(matches!(driver.actions.last(), Some(Action::Exit(ExitReason::ShutdownWith(_)))));
}

#[test]
fn an_abandoned_start_that_fails_or_ignores_is_gone() {
    for ignores in [false, true] {
        let mut driver = Driver::new(Flags::default(), workers(&["a", "b"]));
        driver.step(ZERO, Event::Init);
        let a = driver.starts().expect("a starts");
        driver.step(ZERO, Event::Started(a));
        let b = driver.starts().expect("b starts");
        driver.step(ms(1), Event::Shutdown(ExitReason::Shutdown));
        driver.step(ms(1), Event::AbandonStart);
        assert_eq!(driver.stops(), [(b, StopHow::Shutdown)]);
        driver.step(ms(2), if ignores { Event::Ignored(b) } else { Event::StartFailed(b, crash()) });
        assert_eq!(driver.stops(), [(a, StopHow::Shutdown)], "ignores: {ignores}");
    }
}

#[test]
fn an_abandoned_start_is_killed_when_its_time_is_over_and_is_not_tried_again() {
    let children =
        vec![ChildSpec::worker("a", ()), ChildSpec::worker("b", ()).stop_by(Shutdown::Timeout(ms(50)))];
    let mut driver = Driver::up(Flags { intensity: 9, ..Flags::default() }, children);
    let (a, b) = (driver.running("a"), driver.running("b"));
    driver.step(ms(1), Event::AbandonStart);
    assert!(driver.actions.is_empty(), "nothing is starting");
    driver.step(ms(1), Event::Exited(b, crash()));
    let again = driver.starts().expect("b is restarted");
    driver.step(ms(2), Event::Shutdown(ExitReason::Shutdown));
    driver.step(ms(2), Event::AbandonStart);
    driver.step(ms(2), Event::AbandonStart);
    assert_eq!(driver.supervisor.next_wake(), Some(ms(52)));
    driver.step(ms(52), Event::Wake);
    assert_eq!(driver.stops(), [(again, StopHow::Kill)]);
    driver.step(ms(53), Event::Exited(again, ExitReason::Killed));
    assert!(matches!(driver.actions[0], Action::Notice(Notice::StartFailed { .. })), "{:?}", driver.actions);
    assert_eq!(driver.stops(), [(a, StopHow::Shutdown)]);
    driver.step(ms(54), Event::Exited(a, ExitReason::Shutdown));
    assert_eq!(driver.actions.last(), Some(&Action::Exit(ExitReason::Shutdown)));
}

/// A deferred exit once held the place of the child and not of the life: it let the next death overtake what
/// came first.
#[test]
fn an_exit_that_was_settled_meanwhile_leaves_no_place_to_the_next_one() {
    let flags = Flags { strategy: Strategy::OneForAll, intensity: 9, ..Flags::default() };
    let mut driver = Driver::up(flags, workers(&["a", "b", "c"]));
    let (a, b, c) = (driver.running("a"), driver.running("b"), driver.running("c"));
    driver.step(ms(1), Event::Exited(a, crash()));
    // b dies while c is being stopped: the restart of the group settles it, and its exit means nothing any
    // more.
    driver.step(ms(2), Event::Exited(b, crash()));
    driver.step(ms(3), Event::Exited(c, ExitReason::Shutdown));
    let again = driver.starts().expect("the group starts again");
    driver.step(ms(4), Event::Started(again));
    let again = driver.starts().expect("b follows");
    driver.step(ms(4), Event::Started(again));
    // While c starts, a call comes, and then b dies once more: the call is first.
    driver.step(ms(5), Event::Call(CallId(1), Call::TerminateChild("b".into())));
    driver.step(ms(6), Event::Exited(again, crash()));
    let last = driver.starts();
    assert_eq!(last, None);
    let c = driver.supervisor.life("c").expect("c starts");
    driver.step(ms(7), Event::Started(c));
    assert_eq!(driver.replies(), [(1, Ok(Reply::Ok))]);
    assert!(driver.starts().is_none() && driver.stops().is_empty(), "{:?}", driver.actions);
    assert_eq!(driver.supervisor.child("b").expect("it is kept").status, ChildStatus::Down);
}

#[test]
fn a_shutdown_has_its_turn_after_what_came_before_it() {
    let flags = Flags { strategy: Strategy::OneForAll, intensity: 9, ..Flags::default() };
    let mut driver = Driver::up(flags, workers(&["a", "b"]));
    let (a, b) = (driver.running("a"), driver.running("b"));
    driver.step(ms(1), Event::Exited(a, crash()));
    driver.step(ms(2), Event::Call(CallId(1), Call::CountChildren));
    driver.step(ms(3), Event::Shutdown(ExitReason::Shutdown));
    driver.step(ms(4), Event::Call(CallId(2), Call::CountChildren));
    assert_eq!(driver.replies(), [(2, Err(CallError::Stopping))], "nobody comes to it");
    driver.step(ms(5), Event::Exited(b, ExitReason::Shutdown));
    for id in ["a", "b"] {
        let child = driver.starts().expect("the restart is carried out");
        driver.step(ms(6), Event::Started(child));
        assert!(driver.supervisor.child(id).is_some());
    }
    assert!(matches!(driver.replies()[..], [(1, Ok(Reply::Counts(counts)))] if counts.active == 2));
    assert_eq!(driver.stops().len(), 1);
}

/// Whose exit waits behind a call is listed as OTP lists its dead pid.
#[test]
fn a_call_that_came_before_an_exit_still_finds_the_child() {
    let mut driver = Driver::up(Flags::default(), workers(&["a", "b"]));
    let (a, b) = (driver.running("a"), driver.running("b"));
    let calls = [
        Call::TerminateChild("b".into()),
        Call::WhichChildren,
        Call::CountChildren,
        Call::StartChild(ChildSpec::worker("a", ())),
        Call::RestartChild("a".into()),
        Call::DeleteChild("a".into()),
    ];
    for (number, call) in calls.into_iter().enumerate() {
        driver.step(ms(1), Event::Call(CallId(number as u64), call));
    }
    driver.step(ms(2), Event::Exited(a, crash()));
    assert_eq!(
        driver.supervisor.child("a").expect("it is there").status,
        ChildStatus::Down,
        "at this moment"
    );
    driver.step(ms(3), Event::Exited(b, ExitReason::Shutdown));
    let replies = driver.replies();
    assert!(matches!(&replies[1].1, Ok(Reply::Children(all)) if all[1].status == ChildStatus::Running(a)));
    assert!(matches!(&replies[2].1, Ok(Reply::Counts(counts)) if counts.active == 0));
    assert_eq!(replies[3].1, Err(CallError::AlreadyStarted(a)));
    assert_eq!((&replies[4].1, &replies[5].1), (&Err(CallError::Running), &Err(CallError::Running)));
    assert!(driver.starts().is_some(), "then its exit has its turn");
}

#[test]
fn calls_that_wait_for_the_first_start_are_refused_when_it_fails() {
    let mut driver = Driver::new(Flags::default(), workers(&["a"]));
    driver.step(ZERO, Event::Init);
    let a = driver.starts().expect("a starts");
    driver.step(ZERO, Event::Call(CallId(1), Call::CountChildren));
    driver.step(ZERO, Event::StartFailed(a, crash()));
    assert_eq!(driver.replies(), [(1, Err(CallError::Stopping))]);
    assert!(matches!(driver.actions.last(), Some(Action::Exit(ExitReason::ShutdownWith(_)))));
}

#[test]
fn calls_wait_for_a_start_in_their_order_and_see_what_follows_it() {
    let mut driver = Driver::up(Flags::default(), workers(&["a"]));
    let a = driver.running("a");
    driver.step(ms(1), Event::Exited(a, crash()));
    let again = driver.starts().expect("a is restarted");
    driver.step(ms(1), Event::Call(CallId(1), Call::TerminateChild("a".into())));
    driver.step(ms(1), Event::Call(CallId(2), Call::CountChildren));
    assert!(driver.actions.is_empty());
    driver.step(ms(2), Event::Started(again));
    assert_eq!(driver.stops(), [(again, StopHow::Shutdown)]);
    driver.step(ms(3), Event::Exited(again, ExitReason::Shutdown));
    let replies = driver.replies();
    assert_eq!(replies[0], (1, Ok(Reply::Ok)));
    assert!(matches!(replies[1], (2, Ok(Reply::Counts(counts))) if counts.active == 0 && counts.specs == 1));
}

#[test]
fn calls_are_bounded_while_the_supervisor_is_busy() {
    let mut driver = Driver::new(Flags::default(), workers(&["a"]));
    driver.step(ZERO, Event::Init);
    for call in 0..CALLS_MAX as u64 {
        driver.step(ZERO, Event::Call(CallId(call), Call::CountChildren));
        assert!(driver.actions.is_empty());
    }
    driver.step(ZERO, Event::Call(CallId(9_999), Call::CountChildren));
    assert_eq!(driver.replies(), [(9_999, Err(CallError::Busy))]);
}

/// What would wait behind the first one waits in vain, and takes no room.
#[test]
fn whoever_was_told_to_end_keeps_nothing_that_comes_later() {
    let mut driver = Driver::up(Flags { intensity: 9, ..Flags::default() }, workers(&["a", "b"]));
    driver.step(ms(1), Event::Exited(driver.running("b"), crash()));
    let again = driver.starts().expect("b is restarted");
    driver.step(ms(2), Event::Shutdown(ExitReason::Shutdown));
    let before = format!("{:?}", driver.supervisor);
    for _ in 0..3 {
        driver.step(ms(3), Event::Shutdown(ExitReason::Normal));
    }
    assert_eq!(format!("{:?}", driver.supervisor), before);
    driver.step(ms(4), Event::Started(again));
    assert_eq!(driver.stops(), [(again, StopHow::Shutdown)]);
}

#[test]
fn a_failed_restart_lets_a_waiting_call_go_first() {
    let mut driver = Driver::up(Flags { intensity: 9, ..Flags::default() }, workers(&["a"]));
    let a = driver.running("a");
    driver.step(ms(1), Event::Exited(a, crash()));
    let again = driver.starts().expect("a is restarted");
    driver.step(ms(1), Event::Call(CallId(1), Call::TerminateChild("a".into())));
    driver.step(ms(1), Event::StartFailed(again, crash()));
    assert_eq!(driver.replies(), [(1, Ok(Reply::Ok))]);
    assert_eq!(driver.supervisor.next_wake(), None);
}

#[test]
fn a_group_is_stopped_before_its_backoff_and_started_after_it() {
    let backoff = Some(Backoff::default());
    let flags = Flags { strategy: Strategy::OneForAll, backoff, ..Flags::default() };
    let mut driver = Driver::up(flags, workers(&["a", "b"]));
    let (a, b) = (driver.running("a"), driver.running("b"));
    driver.step(ms(10), Event::Exited(a, crash()));
    assert_eq!(driver.stops(), [(b, StopHow::Shutdown)]);
    driver.step(ms(20), Event::Exited(b, ExitReason::Shutdown));
    let waiting = Notice::Waiting { id: "a".into(), backoff: ms(100), until: ms(120) };
    assert_eq!(driver.actions.last(), Some(&Action::Notice(waiting)));
    assert_eq!(driver.supervisor.next_wake(), Some(ms(120)));
    driver.step(ms(119), Event::Wake);
    assert!(driver.actions.is_empty());
    driver.step(ms(120), Event::Wake);
    let a = driver.starts().expect("a starts first");
    driver.step(ms(120), Event::Started(a));
    assert!(driver.starts().is_some_and(|b| b > a), "b starts after a");
}

#[test]
fn a_child_that_ran_long_enough_begins_its_backoff_anew() {
    let own = Backoff { initial: ms(100), jitter: 0.0, reset_after: ms(1_000), ..Backoff::default() };
    let mut driver =
        Driver::up(Flags { intensity: 9, ..Flags::default() }, vec![ChildSpec::worker("a", ()).backoff(own)]);
    let mut now = ZERO;
    for (ran, waits) in [(0, 100), (999, 200), (1_000, 100), (0, 200)] {
        now += ms(ran);
        driver.step(now, Event::Exited(driver.running("a"), crash()));
        assert_eq!(driver.supervisor.next_wake(), Some(now + ms(waits)), "it ran {ran} ms");
        now += ms(waits);
        driver.step(now, Event::Wake);
        let again = driver.starts().expect("its backoff is over");
        driver.step(now, Event::Started(again));
    }
}

#[test]
fn a_life_that_runs_can_neither_start_again_nor_fail_to_nor_ignore() {
    let mut driver = Driver::new(Flags::default(), workers(&["a", "b"]));
    driver.step(ZERO, Event::Init);
    let a = driver.starts().expect("a starts");
    driver.step(ZERO, Event::Started(a));
    let b = driver.starts().expect("b starts");
    for event in [Event::Started(a), Event::Ignored(a), Event::StartFailed(a, crash())] {
        driver.step(ms(1), event);
        assert!(driver.actions.is_empty(), "{:?}", driver.actions);
    }
    assert_eq!(driver.running("a"), a);
    driver.step(ms(2), Event::Started(b));
    assert_eq!(driver.actions.last(), Some(&Action::Ready));
}

#[test]
fn under_rest_for_one_those_that_started_before_the_one_that_failed_go_on() {
    let flags = Flags { strategy: Strategy::RestForOne, intensity: 9, ..Flags::default() };
    let mut driver = Driver::up(flags, workers(&["a", "b", "c"]));
    let (a, b, c) = (driver.running("a"), driver.running("b"), driver.running("c"));
    driver.step(ms(1), Event::Exited(b, crash()));
    assert_eq!(driver.stops(), [(c, StopHow::Shutdown)]);
    driver.step(ms(2), Event::Exited(c, ExitReason::Shutdown));
    assert!(driver.stops().is_empty(), "{:?}", driver.actions);
    assert_eq!(driver.starts(), driver.supervisor.life("b"));
    assert_eq!(driver.running("a"), a);
}

#[test]
fn a_child_that_died_unnoticed_is_not_stopped_again() {
    let flags = Flags { strategy: Strategy::OneForAll, intensity: 1, ..Flags::default() };
    let mut driver = Driver::up(flags, workers(&["a", "b", "c"]));
    let (a, b, c) = (driver.running("a"), driver.running("b"), driver.running("c"));
    driver.step(ms(1), Event::Exited(a, crash()));
    assert_eq!(driver.stops(), [(c, StopHow::Shutdown)]);
    // b crashes while c is being stopped: one restart of the group serves both, and one is counted.
    driver.step(ms(1), Event::Exited(b, crash()));
    driver.step(ms(2), Event::Exited(c, ExitReason::Shutdown));
    assert!(driver.stops().is_empty());
    assert!(driver.starts().is_some());
}

#[test]
fn instances_stop_together_under_one_deadline() {
    let template = ChildSpec::worker("w", ()).stop_by(Shutdown::Timeout(ms(50))).restart(Restart::Temporary);
    let mut driver =
        Driver::up(Flags { strategy: Strategy::SimpleOneForOne, ..Flags::default() }, vec![template]);
    for call in 0..3 {
        driver.step(ZERO, Event::Call(CallId(call), Call::StartInstance { id: None, start: () }));
        let child = driver.starts().expect("an instance starts");
        driver.step(ZERO, Event::Started(child));
    }
    driver.step(ms(10), Event::Shutdown(ExitReason::Shutdown));
    let told = driver.stops();
    assert_eq!(told.len(), 3);
    driver.step(ms(20), Event::Exited(told[0].0, ExitReason::Shutdown));
    assert_eq!(driver.supervisor.next_wake(), Some(ms(60)));
    driver.step(ms(60), Event::Wake);
    assert_eq!(driver.stops(), [(told[1].0, StopHow::Kill), (told[2].0, StopHow::Kill)]);
    driver.step(ms(61), Event::Exited(told[1].0, ExitReason::Killed));
    driver.step(ms(61), Event::Exited(told[2].0, ExitReason::Killed));
    assert_eq!(driver.actions.last(), Some(&Action::Exit(ExitReason::Shutdown)));
    assert!(driver.supervisor.has_ended());
}

#[test]
fn a_child_has_a_backoff_of_its_own() {
    let own = Backoff { initial: ms(7), ..Backoff::default() };
    let children = vec![ChildSpec::worker("a", ()).backoff(own)];
    let mut driver = Driver::up(Flags::default(), children);
    let a = driver.running("a");
    driver.step(ms(1), Event::Exited(a, crash()));
    assert_eq!(driver.supervisor.next_wake(), Some(ms(8)));
}

#[test]
fn a_wake_up_before_its_time_kills_nobody() {
    let children = vec![ChildSpec::worker("a", ()).stop_by(Shutdown::Timeout(ms(50)))];
    let mut driver = Driver::up(Flags::default(), children);
    let a = driver.running("a");
    assert!(!driver.supervisor.has_ended());
    driver.step(ms(1), Event::Shutdown(ExitReason::Shutdown));
    assert_eq!(driver.stops(), [(a, StopHow::Shutdown)]);
    driver.step(ms(50), Event::Wake);
    assert!(driver.actions.is_empty() && !driver.supervisor.has_ended());
    driver.step(ms(51), Event::Wake);
    assert_eq!(driver.stops(), [(a, StopHow::Kill)]);
    driver.step(ms(52), Event::Exited(a, ExitReason::Killed));
    assert!(driver.supervisor.has_ended());
}

#[test]
fn an_id_may_be_as_long_as_the_limit_says_and_no_longer() {
    let with_id = |bytes: usize| {
        Supervisor::new(Flags::default(), vec![ChildSpec::worker("a".repeat(bytes).as_str(), ())], 0)
    };
    assert!(with_id(ID_BYTES_MAX).is_ok());
    assert!(matches!(with_id(ID_BYTES_MAX + 1), Err(SpecError::InvalidId { .. })));
}

#[test]
fn each_start_of_any_child_is_a_life_of_its_own() {
    let mut driver = Driver::up(Flags { intensity: 9, ..Flags::default() }, workers(&["a", "b"]));
    let (a, b) = (driver.running("a"), driver.running("b"));
    assert_eq!((a.life(), b.life()), (1, 2));
    for life in 3..6 {
        driver.step(ms(life), Event::Exited(driver.running("a"), crash()));
        let again = driver.starts().expect("a starts again");
        assert_eq!(again.life(), life);
        driver.step(ms(life), Event::Started(again));
    }
}

#[test]
fn the_template_of_a_pool_is_no_child_to_terminate_and_nobody_else_is() {
    let flags = Flags { strategy: Strategy::SimpleOneForOne, ..Flags::default() };
    let mut driver = Driver::up(flags, workers(&["w"]));
    for (call, name, error) in [(1, "w", CallError::SimpleOneForOne), (2, "x", CallError::NotFound)] {
        driver.step(ms(1), Event::Call(CallId(call), Call::TerminateChild(name.into())));
        assert_eq!(driver.replies(), [(call, Err(error))]);
    }
}

#[test]
fn a_supervisor_ends_with_its_last_significant_child_and_not_before() {
    let flags = Flags { auto_shutdown: AutoShutdown::AllSignificant, ..Flags::default() };
    let significant = |id: &str| ChildSpec::worker(id, ()).restart(Restart::Transient).significant(true);
    let children = vec![significant("a"), significant("b"), ChildSpec::worker("c", ())];
    let mut driver = Driver::up(flags, children);
    let (a, b, c) = (driver.running("a"), driver.running("b"), driver.running("c"));
    driver.step(ms(1), Event::Exited(a, ExitReason::Normal));
    assert!(driver.stops().is_empty(), "{:?}", driver.actions);
    driver.step(ms(2), Event::Exited(b, ExitReason::Normal));
    assert_eq!(driver.stops(), [(c, StopHow::Shutdown)]);
}

#[test]
fn a_child_that_starts_with_its_group_is_not_down() {
    let down = |driver: &Driver| ["a", "b", "c"].map(|id| driver.supervisor.is_down(id));
    let backoff = Backoff { initial: ms(10), jitter: 0.0, ..Backoff::default() };
    let flags = Flags { strategy: Strategy::RestForOne, intensity: 9, ..Flags::default() };
    let children = workers(&["a", "b", "c"]).into_iter().map(|child| child.backoff(backoff)).collect();
    let mut driver = Driver::new(flags, children);
    assert_eq!(down(&driver), [false; 3]);
    driver.step(ZERO, Event::Init);
    for _ in 0..3 {
        assert_eq!(down(&driver), [false; 3]);
        let next = driver.starts().expect("the next one starts");
        driver.step(ZERO, Event::Started(next));
    }
    let (b, c) = (driver.running("b"), driver.running("c"));
    driver.step(ms(1), Event::Exited(b, crash()));
    assert_eq!(down(&driver), [false; 3], "c stops");
    driver.step(ms(2), Event::Exited(c, ExitReason::Shutdown));
    assert_eq!(driver.supervisor.child("c").expect("it is kept").status, ChildStatus::Down);
    assert_eq!(down(&driver), [false; 3], "c waits with b");
    driver.step(ms(12), Event::Wake);
    let again = driver.starts().expect("b starts again");
    assert_eq!(down(&driver), [false; 3]);
    driver.step(ms(12), Event::Started(again));
    let again = driver.starts().expect("c follows");
    driver.step(ms(12), Event::Started(again));
    // Terminated ones come with nobody, unless somebody before them fails.
    let [a, b, c] = ["a", "b", "c"].map(|id| driver.running(id));
    driver.step(ms(13), Event::Call(CallId(1), Call::TerminateChild("b".into())));
    driver.step(ms(13), Event::Exited(b, ExitReason::Shutdown));
    assert_eq!(down(&driver), [false, true, false]);
    driver.step(ms(14), Event::Exited(c, crash()));
    assert_eq!(down(&driver), [false, true, false], "c waits alone");
    driver.step(ms(15), Event::Shutdown(ExitReason::Shutdown));
    driver.step(ms(15), Event::Exited(a, ExitReason::Shutdown));
    assert_eq!(down(&driver), [true; 3]);
    assert!(driver.supervisor.is_down("unknown"));
}
