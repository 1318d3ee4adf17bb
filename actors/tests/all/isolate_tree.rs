//! Supervision trees in an isolate: what its actors, their mailboxes and whoever runs it see of a failure.
//!
//! `isolate_sim.rs` compares the decisions with the dry run.

mod ear;
mod health;
mod owner;

use std::sync::Arc;

use crate::common::{Heard, PERIOD, Tick, at_ms, at_once, backoff};
use mycelium::tree::{CallError, ChildStatus, ExitReason, Notice, Strategy};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, RunError, StopReason, Subscription, Subscriptions,
    Supervisor, TellError,
};

use self::ear::{Ear, ear, ear_with};

#[test]
fn past_its_intensity_a_tree_ends_in_reverse_order_and_the_run_says_so() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root").intensity(1, PERIOD).backoff(backoff(10));
    let root =
        root.child(ear_with("a", &log, Subscription::default())).child(ear("b", &log)).child(ear("c", &log));
    let tree = isolate.supervise(&root).unwrap();
    let b = tree.lookup::<Ear>("root/b").unwrap();
    for _ in 0..3 {
        isolate.tell(&b, Tick(13)).unwrap();
    }
    let error = isolate.run().unwrap_err();
    assert_eq!(error, RunError::TreeGaveUp { child: "root/b".into(), at: at_ms(10) });
    assert_eq!(isolate.run().unwrap_err(), error, "it stays so");
    assert_eq!(tree.end_reason(), Some(ExitReason::Shutdown));
    assert!(matches!(at_once(tree.which_children("root")).unwrap(), Err(CallError::NoSupervisor(_))));
    let heard = log.take();
    let leaves: Vec<_> = heard.iter().filter(|line| line.contains('-')).collect();
    assert!(
        leaves.len() == 2 && leaves[0].starts_with("10 -c") && leaves[1].starts_with("10 -a"),
        "{heard:?}"
    );
    // Two in hand, and one that waited.
    assert_eq!(isolate.stats().dead_letters, 3);
    assert!(matches!(isolate.tell(&b, Tick(1)), Err(TellError::Stopped(..))));
}

#[test]
fn a_group_comes_back_with_its_mailboxes_and_a_nested_supervisor_escalates() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let desk = Supervisor::builder("desk").strategy(Strategy::OneForAll).intensity(1, PERIOD);
    let desk = desk.child(ear("a", &log)).child(ear("b", &log));
    let root = Supervisor::builder("root").intensity(1, PERIOD).supervisor(desk);
    let tree = isolate.supervise(&root).unwrap();
    let (a, b) = (tree.lookup::<Ear>("root/desk/a").unwrap(), tree.lookup::<Ear>("root/desk/b").unwrap());
    isolate.tell(&b, Tick(13)).unwrap();
    isolate.tell(&a, Tick(1)).unwrap();
    isolate.run().unwrap();
    let shutdown = StopReason::Shutdown;
    let stop = format!("0 -a {shutdown}");
    assert_eq!(log.take(), ["0 +a", "0 +b", "0 b 13", &stop, "0 +a", "0 +b", "0 a 1"]);
    assert!(a.is_alive() && b.is_alive(), "references outlive a restart of their group");
    isolate.tell(&b, Tick(13)).unwrap();
    isolate.run().unwrap();
    assert_eq!(log.take(), ["0 b 13", &stop, "0 +a", "0 +b"]);
    assert!(a.is_alive() && b.is_alive(), "references outlive a restart of the supervisor above");
    isolate.tell(&a, Tick(2)).unwrap();
    isolate.run().unwrap();
    assert_eq!(log.take(), ["0 a 2"]);
}

#[test]
fn a_reference_and_its_mailbox_outlive_the_restart_of_any_supervisor_above() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let desk = Supervisor::builder("desk").intensity(0, PERIOD).child(ear("a", &log)).child(ear("b", &log));
    let floor = Supervisor::builder("floor").intensity(0, PERIOD).supervisor(desk);
    let root = Supervisor::builder("root").intensity(2, PERIOD).backoff(backoff(100)).supervisor(floor);
    let tree = isolate.supervise(&root).unwrap();
    let [a, b] = ["a", "b"].map(|id| tree.lookup::<Ear>(&format!("root/floor/desk/{id}")).unwrap());
    for number in [13, 1, 2] {
        isolate.tell(&a, Tick(number)).unwrap();
    }
    isolate.run_until(at_ms(50)).unwrap();
    let floor = at_once(tree.child("root/floor")).unwrap().unwrap();
    assert!(matches!(floor.status, ChildStatus::Waiting { .. }) && a.is_alive() && b.is_alive());
    let found = tree.lookup::<Ear>("root/floor/desk/b").expect("it is found while it waits");
    isolate.tell(&found, Tick(3)).unwrap();
    isolate.publish(Tick(4)).unwrap();
    isolate.run().unwrap();
    let left = format!("0 -b {}", StopReason::Shutdown);
    assert_eq!(
        log.take(),
        [
            "0 +a", "0 +b", "0 a 13", &left, "100 +a", "100 a 1", "100 a 2", "100 a 4", "100 +b", "100 b 3",
            "100 b 4"
        ]
    );
    assert_eq!(isolate.stats().dead_letters, 1, "what was in hand");
    // The third time it is too much for the root, and what waits has nobody.
    for number in [13, 13, 5, 6] {
        isolate.tell(&a, Tick(number)).unwrap();
    }
    assert!(matches!(isolate.run(), Err(RunError::TreeGaveUp { .. })));
    assert!(!a.is_alive() && !b.is_alive());
    assert_eq!(isolate.stats().dead_letters, 5);
}

#[test]
fn who_waits_below_a_supervisor_that_is_terminated_ends() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let desk = Supervisor::builder("desk").intensity(0, PERIOD).child(ear("a", &log));
    let root = Supervisor::builder("root").intensity(9, PERIOD).backoff(backoff(100)).supervisor(desk);
    let tree = isolate.supervise(&root).unwrap();
    let a = tree.lookup::<Ear>("root/desk/a").unwrap();
    for number in [13, 1] {
        isolate.tell(&a, Tick(number)).unwrap();
    }
    isolate.run_until(at_ms(50)).unwrap();
    isolate.block_on(tree.terminate_child("root/desk")).unwrap().unwrap();
    assert!(!a.is_alive(), "no other life comes");
    assert_eq!(isolate.stats().dead_letters, 2);
    isolate.block_on(tree.restart_child("root/desk")).unwrap().unwrap();
    let other = tree.lookup::<Ear>("root/desk/a").unwrap();
    assert!(other.is_alive() && !a.is_alive());
    isolate.block_on(tree.terminate_child("root/desk")).unwrap().unwrap();
    assert!(!other.is_alive(), "stopped for good");
    isolate.run().unwrap();
}

#[test]
fn thousands_of_isolates_with_trees_leave_nothing_behind() {
    struct Guest(#[allow(dead_code)] Arc<()>);
    impl Actor for Guest {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on::<Tick>();
        }
    }
    impl Handler<Tick> for Guest {
        async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            ctx.schedule_after(PERIOD, Tick(0));
            match tick.0 % 4 {
                0 => panic!("told to"),
                1 => return Err("told to".into()),
                2 => ctx.sleep(PERIOD).await,
                _ => {}
            }
            Ok(())
        }
    }
    let (witness, observed) = (Arc::new(()), Arc::new(()));
    let (guest, seen) = (Arc::clone(&witness), Arc::clone(&observed));
    let desk =
        Supervisor::builder("desk").strategy(Strategy::OneForAll).intensity(2, PERIOD).actor("guest", {
            let guest = Arc::clone(&guest);
            move || Guest(Arc::clone(&guest))
        });
    let root = Supervisor::builder("root")
        .intensity(3, PERIOD)
        .backoff(backoff(100))
        .actor("guest", move || Guest(Arc::clone(&guest)))
        .supervisor(desk)
        .on_event(move |_, _: &Notice| drop(Arc::clone(&seen)));
    let made_before = Arc::strong_count(&witness);
    let mut handles = Vec::new();
    for number in 0..3_000_u64 {
        let mut isolate = Isolate::new(number);
        let tree = isolate.supervise(&root).unwrap();
        for tick in 0..number % 7 {
            isolate.publish(Tick(number + tick)).unwrap();
        }
        // It is dropped in the middle of everything: in handlers, in backoff, given up, or shut down.
        let _ = isolate.run_until(at_ms((number % 300) as i64));
        if number % 5 == 0 {
            let _ = isolate.shutdown();
        }
        handles.push(tree);
    }
    assert_eq!(Arc::strong_count(&witness), made_before, "no actor is left, although the handles are");
    assert!(
        handles
            .iter()
            .all(|tree| tree.end_reason().is_some() && tree.lookup::<Guest>("root/guest").is_none())
    );
    drop((root, handles));
    assert_eq!((Arc::strong_count(&witness), Arc::strong_count(&observed)), (1, 1));
}
