//! Supervision trees in an isolate: what its actors, their mailboxes and whoever runs it see of a failure.
//!
//! `isolate_sim.rs` compares the decisions with the dry run.

mod ear;
mod owner;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::common::{Heard, PERIOD, Tick, at_ms, backoff};
use mycelium::tree::{CallError, Child, ExitReason, Notice, Strategy};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Down, Handler, Isolate, RunError, Service, ServiceContext,
    StopReason, Subscription, Subscriptions, Supervisor, TellError,
};

use self::ear::{Ear, Panic, ear, ear_with, waits};

#[test]
fn a_failed_actor_is_back_after_its_backoff_and_its_mailbox_has_waited() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root").intensity(5, PERIOD).backoff(backoff(100));
    let tree = isolate.supervise(&root.child(ear("a", &log)).child(ear("b", &log))).unwrap();
    let a = tree.actor_ref::<Ear>("root/a").unwrap();
    for number in [1, 13, 2] {
        isolate.publish(Tick(number)).unwrap();
    }
    isolate.run_until(at_ms(50)).unwrap();
    assert!(waits(&tree, "root/a") && waits(&tree, "root/b"));
    // It is alive, and what is sent to it waits with the rest, in order.
    isolate.tell(&a, Tick(3)).unwrap();
    isolate.publish(Tick(4)).unwrap();
    let stats = isolate.run().unwrap();
    assert_eq!(
        log.take(),
        [
            "0 +a", "0 +b", "0 a 1", "0 b 1", "0 a 13", "0 b 13", "100 +a", "100 a 2", "100 a 3", "100 a 4",
            "100 +b", "100 b 2", "100 b 4",
        ]
    );
    // What each had in hand.
    assert_eq!((stats.dead_letters, stats.now), (2, at_ms(100)));
}

#[test]
fn an_error_lets_the_actor_take_its_leave_and_a_panic_does_not() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root").intensity(5, PERIOD).child(ear("a", &log));
    isolate.supervise(&root).unwrap();
    for number in [14, 13, 15, 1] {
        isolate.publish(Tick(number)).unwrap();
    }
    isolate.run().unwrap();
    let told = "told to";
    assert_eq!(
        log.take(),
        [
            "0 +a".to_owned(),
            "0 a 14".to_owned(),
            format!("0 -a {}", StopReason::Failed(told.into())),
            "0 +a".to_owned(),
            "0 a 13".to_owned(),
            "0 +a".to_owned(),
            "0 a 15".to_owned(),
            format!("0 -a {}", StopReason::Normal),
            "0 +a".to_owned(),
            "0 a 1".to_owned(),
        ]
    );
}

#[test]
fn a_mailbox_keeps_to_its_policy_while_its_actor_waits() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root")
        .intensity(5, PERIOD)
        .backoff(backoff(100))
        .child(ear_with("new", &log, Subscription::drop_oldest().capacity(2)))
        .child(ear_with("old", &log, Subscription::drop_newest().capacity(2)));
    isolate.supervise(&root).unwrap();
    isolate.publish(Tick(13)).unwrap();
    isolate.run_until(at_ms(1)).unwrap();
    for number in 1..=5 {
        isolate.publish(Tick(number)).unwrap();
    }
    isolate.run().unwrap();
    let heard = log.take();
    assert_eq!(heard[4..], ["100 +new", "100 new 4", "100 new 5", "100 +old", "100 old 1", "100 old 2"]);
    let ticks = isolate.topics()[0];
    assert_eq!((ticks.dropped_oldest, ticks.dropped_newest), (3, 3));
}

#[test]
fn a_full_mailbox_of_an_actor_in_backoff_holds_its_publisher_up() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let block = ear_with("a", &log, Subscription::default().capacity(2));
    isolate.supervise(&Supervisor::builder("root").backoff(backoff(100)).child(block)).unwrap();
    struct Source(Heard);
    impl Service for Source {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            for number in [13, 1, 2, 3, 4] {
                ctx.publish(Tick(number)).await?;
                ctx.sleep(Duration::from_millis(1)).await;
            }
            self.0.add_at(ctx.now(), "published");
            Ok(())
        }
    }
    isolate.spawn_service(Source(log.clone())).unwrap();
    isolate.run().unwrap();
    let heard = log.take();
    assert!(
        heard.contains(&"100 a 1".to_owned()) && heard.last().unwrap().ends_with("published"),
        "{heard:?}"
    );
    assert_eq!(heard.iter().filter(|line| line.contains(" a ")).count(), 5, "nothing is lost: {heard:?}");
    assert!(isolate.now() > at_ms(100));
}

#[test]
fn past_its_intensity_a_tree_ends_in_reverse_order_and_the_run_says_so() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root").intensity(1, PERIOD).backoff(backoff(10));
    let root =
        root.child(ear_with("a", &log, Subscription::default())).child(ear("b", &log)).child(ear("c", &log));
    let tree = isolate.supervise(&root).unwrap();
    let b = tree.actor_ref::<Ear>("root/b").unwrap();
    for _ in 0..3 {
        isolate.tell(&b, Tick(13)).unwrap();
    }
    let error = isolate.run().unwrap_err();
    assert_eq!(error, RunError::TreeGaveUp { child: "root/b".into(), at: at_ms(10) });
    assert_eq!(isolate.run().unwrap_err(), error, "it stays so");
    assert_eq!(tree.ended(), Some(ExitReason::Shutdown));
    assert!(matches!(tree.which_children("root"), Err(CallError::NoSupervisor(_))));
    let heard = log.take();
    let leaves: Vec<_> = heard.iter().filter(|line| line.contains('-')).collect();
    assert!(
        leaves.len() == 2 && leaves[0].starts_with("10 -c") && leaves[1].starts_with("10 -a"),
        "{heard:?}"
    );
    // Two in hand, and one that waited.
    assert_eq!(isolate.stats().dead_letters, 3);
    assert!(matches!(isolate.tell(&b, Tick(1)), Err(TellError::Stopped(_))));
}

#[test]
fn a_group_comes_back_with_its_mailboxes_and_a_nested_supervisor_escalates() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let desk = Supervisor::builder("desk").strategy(Strategy::OneForAll).intensity(1, PERIOD);
    let desk = desk.child(ear("a", &log)).child(ear("b", &log));
    let root = Supervisor::builder("root").intensity(1, PERIOD).supervisor(desk);
    let tree = isolate.supervise(&root).unwrap();
    let (a, b) =
        (tree.actor_ref::<Ear>("root/desk/a").unwrap(), tree.actor_ref::<Ear>("root/desk/b").unwrap());
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
    assert!(!a.is_alive() && !b.is_alive(), "the supervisor above has made new ones");
    let again = tree.actor_ref::<Ear>("root/desk/a").unwrap();
    isolate.tell(&again, Tick(2)).unwrap();
    isolate.run().unwrap();
    assert_eq!(log.take(), ["0 a 2"]);
}

#[test]
fn a_panic_keeps_nobody_else_from_the_message_and_a_run_without_a_supervisor_still_ends() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root").intensity(5, PERIOD).child(ear("a", &log)).child(ear("b", &log));
    isolate.supervise(&root).unwrap();
    isolate.publish(Tick(13)).unwrap();
    isolate.run().unwrap();
    assert_eq!(log.take(), ["0 +a", "0 +b", "0 a 13", "0 b 13", "0 +a", "0 +b"]);
    let alone =
        isolate.spawn(Ear { name: "alone", log: log.clone(), ticks: Subscription::default() }).unwrap();
    isolate.tell(&alone, Tick(14)).unwrap();
    assert!(matches!(isolate.run(), Err(RunError::ActorFailed { .. })));
}

#[test]
fn an_ask_whose_handler_panics_and_a_timer_of_a_life_end_with_it() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root").intensity(5, PERIOD).child(ear("a", &log));
    let tree = isolate.supervise(&root).unwrap();
    let a = tree.actor_ref::<Ear>("root/a").unwrap();
    isolate.tell(&a, Tick(20)).unwrap();
    isolate.run_until(at_ms(1)).unwrap();
    assert_eq!(isolate.ask(&a, Panic), Err(AskError::Stopped));
    let stats = isolate.run().unwrap();
    assert_eq!(log.take(), ["0 +a", "0 a 20", "1 +a"]);
    assert_eq!(stats.now, at_ms(1), "nothing was left for later");
}

/// Watches an actor, in its first life alone, and fails at 14.
struct Watcher(ActorRef<Ear>, Heard, Arc<AtomicU32>);
impl Actor for Watcher {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.2.fetch_add(1, Ordering::Relaxed) == 0 {
            ctx.watch(&self.0);
        }
        Ok(())
    }
}
impl Handler<Down> for Watcher {
    async fn handle(&mut self, down: &Down, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.1.add_at(ctx.now(), format_args!("down {}", down.reason));
        Ok(())
    }
}
impl Handler<Tick> for Watcher {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("told to".into())
    }
}

#[test]
fn a_restart_in_an_isolate_is_no_end_for_who_watches_and_ends_the_own_watches() {
    for watcher_restarts in [false, true] {
        let log = Heard::default();
        let mut isolate = Isolate::new(1);
        let root = Supervisor::builder("root").intensity(5, PERIOD).child(ear("a", &log));
        let tree = isolate.supervise(&root).unwrap();
        let a = tree.actor_ref::<Ear>("root/a").unwrap();
        let (watched, seen, lives) = (a.clone(), log.clone(), Arc::<AtomicU32>::default());
        let watcher = Child::actor("w", move || Watcher(watched.clone(), seen.clone(), Arc::clone(&lives)));
        tree.start_child("root", watcher).unwrap();
        isolate.tell(&a, Tick(13)).unwrap();
        isolate.run().unwrap();
        assert_eq!(log.take(), ["0 +a", "0 a 13", "0 +a"]);
        if watcher_restarts {
            isolate.tell(&tree.actor_ref::<Watcher>("root/w").unwrap(), Tick(14)).unwrap();
            isolate.run().unwrap();
        }
        tree.terminate_child("root/a").unwrap();
        isolate.run().unwrap();
        let shutdown = StopReason::Shutdown;
        let mut expected = vec![format!("0 -a {shutdown}"), format!("0 down {shutdown}")];
        expected.truncate(if watcher_restarts { 1 } else { 2 });
        assert_eq!(log.take(), expected);
    }
}

#[test]
fn thousands_of_isolates_with_trees_leave_nothing_behind() {
    struct Guest(#[allow(dead_code)] Arc<()>);
    impl Actor for Guest {
        type Error = BoxError;
        fn subscriptions(topics: &mut Subscriptions<Self>) {
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
        handles.iter().all(|tree| tree.ended().is_some() && tree.actor_ref::<Guest>("root/guest").is_none())
    );
    drop((root, handles));
    assert_eq!((Arc::strong_count(&witness), Arc::strong_count(&observed)), (1, 1));
}
