//! What a supervisor counts and lists of its children, its restarts and its calls.

mod common;

use std::time::Duration;

use common::{Driver, ZERO, crash, ms, workers};
use mycelium_supervisor::{
    Backoff, CALLS_MAX, Call, CallId, ChildSpec, Counts, Event, ExitReason, Flags, Reply, Restart, Strategy,
};

#[test]
fn a_pool_counts_an_instance_until_it_has_dealt_with_its_exit() {
    let flags = Flags { strategy: Strategy::SimpleOneForOne, ..Flags::default() };
    let mut driver = Driver::up(flags, workers(&["w"]));
    for call in 0..2 {
        driver.step(ZERO, Event::Call(CallId(call), Call::StartInstance { id: None, start: () }));
        let child = driver.starts().expect("an instance starts");
        driver.step(ZERO, Event::Started(child));
    }
    let (one, two) = (driver.running("w#1"), driver.running("w#2"));
    driver.step(ms(1), Event::Call(CallId(2), Call::TerminateChild("w#2".into())));
    driver.step(ms(1), Event::Call(CallId(3), Call::CountChildren));
    driver.step(ms(2), Event::Exited(one, crash()));
    driver.step(ms(3), Event::Exited(two, ExitReason::Shutdown));
    assert!(
        matches!(driver.replies()[1], (3, Ok(Reply::Counts(counts))) if counts.active == 1 && counts.workers == 1)
    );
}

#[test]
fn calls_that_were_answered_count_no_more() {
    let mut driver = Driver::up(Flags::default(), workers(&["a"]));
    for call in 0..=CALLS_MAX as u64 {
        driver.step(ZERO, Event::Call(CallId(call), Call::CountChildren));
        assert!(matches!(driver.replies()[..], [(_, Ok(Reply::Counts(_)))]), "call {call}");
    }
}

#[test]
fn restarts_are_counted_and_what_calls_start_is_not() {
    let flags = Flags { strategy: Strategy::OneForAll, intensity: 9, ..Flags::default() };
    let mut driver = Driver::up(flags, workers(&["a", "b"]));
    let (a, b) = (driver.running("a"), driver.running("b"));
    driver.step(ms(1), Event::Call(CallId(1), Call::StartChild(ChildSpec::worker("c", ()))));
    let c = driver.starts().expect("c starts");
    driver.step(ms(1), Event::Started(c));
    assert_eq!(driver.supervisor.restarted(), 0);
    driver.step(ms(2), Event::Exited(c, crash()));
    for stopped in [b, a] {
        driver.step(ms(3), Event::Exited(stopped, ExitReason::Shutdown));
    }
    let first = driver.starts().expect("the group starts again");
    driver.step(ms(4), Event::Started(first));
    let second = driver.starts().expect("b follows");
    driver.step(ms(4), Event::StartFailed(second, crash()));
    assert_eq!(driver.supervisor.restarted(), 1, "a start that failed is no restart");
}

/// The lists and the number are what a page of the tree's state is made of.
#[test]
fn those_that_wait_are_listed_by_their_turn_and_each_change_is_counted() {
    let backoff = |ms| Backoff { initial: Duration::from_millis(ms), jitter: 0.0, ..Backoff::default() };
    let children = vec![
        ChildSpec::worker("a", ()).backoff(backoff(300)),
        ChildSpec::worker("b", ()).backoff(backoff(100)),
    ];
    let mut driver = Driver::up(Flags { intensity: 9, ..Flags::default() }, children);
    let backoffs = |driver: &Driver| {
        let waiting = driver.supervisor.backoffs().map(|(id, until)| (id.to_string(), until));
        (waiting.collect::<Vec<_>>(), driver.supervisor.backoff_changes())
    };
    assert_eq!(backoffs(&driver), (vec![], 0));
    driver.step(ms(1), Event::Exited(driver.running("a"), crash()));
    assert_eq!(backoffs(&driver), (vec![("a".into(), ms(301))], 1));
    driver.step(ms(2), Event::Exited(driver.running("b"), crash()));
    assert_eq!(backoffs(&driver), (vec![("b".into(), ms(102)), ("a".into(), ms(301))], 2));
    driver.step(ms(102), Event::Wake);
    assert_eq!(backoffs(&driver), (vec![("a".into(), ms(301))], 3));
}

#[test]
fn of_two_whose_wait_ends_together_the_one_that_began_first_starts_first() {
    let backoff = |ms| Backoff { initial: Duration::from_millis(ms), jitter: 0.0, ..Backoff::default() };
    for (early, late) in [("a", "b"), ("b", "a")] {
        let spec = |id| ChildSpec::worker(id, ()).backoff(backoff(if id == early { 100 } else { 50 }));
        let flags = Flags { intensity: 9, ..Flags::default() };
        let mut driver = Driver::up(flags, vec![spec("a"), spec("b")]);
        driver.step(ms(1), Event::Exited(driver.running(early), crash()));
        driver.step(ms(51), Event::Exited(driver.running(late), crash()));
        driver.step(ms(101), Event::Wake);
        assert_eq!(driver.starts(), driver.supervisor.life(early), "{early} began to wait first");
        assert_eq!(driver.supervisor.life(late), None);
    }
}

#[test]
fn an_instance_that_waits_for_its_restart_is_not_active() {
    let backoff = Some(Backoff::default());
    let flags = Flags { strategy: Strategy::SimpleOneForOne, backoff, intensity: 9, ..Flags::default() };
    let mut driver = Driver::up(flags, workers(&["w"]));
    for call in 0..2 {
        driver.step(ZERO, Event::Call(CallId(call), Call::StartInstance { id: None, start: () }));
        let child = driver.starts().expect("an instance starts");
        driver.step(ZERO, Event::Started(child));
    }
    driver.step(ms(1), Event::Exited(driver.running("w#1"), crash()));
    driver.step(ms(2), Event::Call(CallId(2), Call::CountChildren));
    let counts = Counts { specs: 1, active: 1, supervisors: 0, workers: 2 };
    assert_eq!(driver.replies(), [(2, Ok(Reply::Counts(counts)))]);
}

#[test]
fn the_instances_of_a_pool_are_counted_as_what_its_template_is() {
    for (template, is_worker) in [(ChildSpec::worker("w", ()), true), (ChildSpec::supervisor("w", ()), false)]
    {
        let flags = Flags { strategy: Strategy::SimpleOneForOne, ..Flags::default() };
        let mut driver = Driver::up(flags, vec![template]);
        for call in 0..3 {
            driver.step(ZERO, Event::Call(CallId(call), Call::StartInstance { id: None, start: () }));
            let child = driver.starts().expect("an instance starts");
            driver.step(ZERO, Event::Started(child));
        }
        driver.step(ms(1), Event::Call(CallId(3), Call::CountChildren));
        let (supervisors, workers) = if is_worker { (0, 3) } else { (3, 0) };
        let counts = Counts { specs: 1, active: 3, supervisors, workers };
        assert_eq!(driver.replies(), [(3, Ok(Reply::Counts(counts)))]);
    }
}

#[test]
fn children_are_counted_by_kind_running_or_not() {
    let children = vec![
        ChildSpec::supervisor("s", ()),
        ChildSpec::worker("w", ()),
        ChildSpec::supervisor("t", ()),
        ChildSpec::worker("x", ()).restart(Restart::Temporary),
    ];
    let mut driver = Driver::up(Flags::default(), children);
    let count = |driver: &mut Driver| {
        driver.step(ms(1), Event::Call(CallId(1), Call::CountChildren));
        match driver.replies()[..] {
            [(1, Ok(Reply::Counts(counts)))] => counts,
            ref other => panic!("{other:?}"),
        }
    };
    assert_eq!(count(&mut driver), Counts { specs: 4, active: 4, supervisors: 2, workers: 2 });
    let s = driver.running("s");
    driver.step(ms(2), Event::Call(CallId(2), Call::TerminateChild("s".into())));
    driver.step(ms(3), Event::Exited(s, ExitReason::Shutdown));
    assert_eq!(count(&mut driver), Counts { specs: 4, active: 3, supervisors: 2, workers: 2 });
}
