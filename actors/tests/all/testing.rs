//! The test kit: what it records and expects, that its failures can be read, and that its guard notices what
//! is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium::testing::{Answers, Faults, Guarded, Loss};
use mycelium::tree::Child;
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, MessageBus, OnFailure, Responder, Subscription,
    Subscriptions, Supervisor,
};
use tokio::sync::Notify;

use crate::common::{Flush, Heard, PERIOD, Tick, Tock, backoff, on_both_runtimes, on_every_runtime};

/// What a panic said.
fn said(result: std::thread::Result<()>) -> String {
    let payload = result.expect_err("it panics");
    payload
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| payload.downcast_ref::<&str>().unwrap().to_string())
}

fn fails(test: impl FnOnce()) -> String {
    said(catch_unwind(AssertUnwindSafe(test)))
}

/// Waits a second over each number.
struct Ponders;
impl Actor for Ponders {
    type Error = BoxError;
}
impl Handler<u32> for Ponders {
    async fn handle(&mut self, _: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}

#[test]
fn a_guard_of_an_isolate_counts_what_was_told_and_waits() {
    let mut isolate = Guarded::new(Isolate::new(1));
    let actor = isolate.spawn(Ponders).unwrap();
    for number in 0..4_u32 {
        isolate.tell(&actor, number).unwrap();
    }
    let said = "messages were lost:\n  all messages: 4 still waiting";
    assert_eq!(isolate.losses().to_string(), said, "queued");
    isolate.run_for(Duration::from_millis(1_500)).unwrap();
    let said = "messages were lost:\n  all messages: 2 still waiting";
    assert_eq!(isolate.losses().to_string(), said, "behind the one in hand");
    actor.stop_gracefully();
    assert_eq!(isolate.losses().to_string(), said, "a marker is no message");
    assert_eq!(fails(|| drop(isolate)), said);
    let mut isolate = Guarded::new(Isolate::new(1)).allow_all(Loss::Waiting);
    let actor = isolate.spawn(Ponders).unwrap();
    isolate.tell(&actor, 1_u32).unwrap();
}

#[test]
fn an_expectation_that_fails_shows_both_messages_and_those_before() {
    let mut isolate = Isolate::new(1);
    let ticks = isolate.record::<Tick>().unwrap();
    assert!(fails(|| ticks.expect(&Tick(0))).contains("none has come\n  it would be the first one"));
    for number in 0..12 {
        isolate.publish(Tick(number)).unwrap();
    }
    isolate.run().unwrap();
    ticks.expect_all(&[Tick(0), Tick(1)]);
    let text = fails(|| ticks.expect(&Tick(3)));
    assert_eq!(
        text,
        "expected the next Tick to be\n  Tick(3), but it is\n  Tick(2)\n  \
         the ones before it, the last at the end: [Tick(0), Tick(1)]"
    );
    let text = fails(|| ticks.expect_none());
    assert!(text.starts_with("expected no more Tick, but there are 9: [Tick(3), Tick(4)"), "{text}");
    assert_eq!(ticks.take().len(), 9);
    ticks.expect_none();
    assert!(ticks.is_empty() && ticks.try_next().is_none());
}

#[test]
fn a_live_recorder_waits_for_what_comes_and_says_what_did_not() {
    on_every_runtime(async || {
        let bus = MessageBus::new();
        let (ticks, told) = (bus.record::<Tick>().unwrap(), bus.recorder::<String>().unwrap());
        let publisher = bus.publisher::<Tick>().unwrap();
        let recipient = told.recipient();
        let later = tokio::spawn(async move {
            for number in 0..100 {
                tokio::task::yield_now().await;
                publisher.publish(Tick(number)).await.unwrap();
                recipient.tell(number.to_string()).await.unwrap();
            }
        });
        for number in 0..100 {
            ticks.expect_next(&Tick(number)).await;
            assert_eq!(told.next().await, number.to_string());
        }
        later.await.unwrap();
        ticks.expect_none();
    });
}

#[tokio::test(start_paused = true)]
async fn a_live_recorder_does_not_wait_for_ever() {
    let bus = MessageBus::new();
    let ticks = bus.record::<Tick>().unwrap();
    bus.publisher().unwrap().publish(Tick(1)).await.unwrap();
    ticks.expect_next(&Tick(1)).await;
    let waiting = tokio::spawn(async move { ticks.expect_next(&Tick(2)).await });
    let text = said(Err(waiting.await.expect_err("it panics").into_panic()));
    assert_eq!(text, "no Tick came within 10s\n  the ones before it, the last at the end: [Tick(1)]");
}

#[test]
fn a_wait_for_the_next_message_that_is_dropped_loses_none() {
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        let ticks = bus.record::<Tick>().unwrap();
        for number in 0..50 {
            let _ = tokio::time::timeout(Duration::from_micros(1), ticks.next()).await.map(|tick| {
                assert_eq!(tick, Tick(number), "it came before the time was over");
            });
            if ticks.is_empty() {
                bus.publisher().unwrap().publish(Tick(number)).await.unwrap();
            }
            ticks.expect_next(&Tick(number)).await;
        }
    });
}

/// Adds up.
#[derive(Default)]
struct Sum(u64);
impl Actor for Sum {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Sum {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0 += tick.0;
        Ok(())
    }
}
impl Responder<Flush> for Sum {
    type Reply = u64;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

#[test]
fn a_failure_comes_at_its_message_and_once_live_and_in_an_isolate() {
    let root = || {
        let child = Child::actor("sum", Sum::default).backoff(backoff(1));
        Supervisor::builder("root").intensity(3, PERIOD).child(child)
    };
    // The second of three: the first goes with its life, the third comes to the next.
    let faults =
        Arc::new(Faults::new().panic_at::<Sum, Tick>(2).panic_at::<Sum, Tock>(1).panic_at::<Sum, Tick>(0));
    let mut isolate = Isolate::new(1);
    isolate.probe(faults.clone());
    let tree = isolate.supervise(&root()).unwrap();
    let sum = tree.lookup::<Sum>("root/sum").unwrap();
    for number in [1, 10, 100] {
        isolate.publish(Tick(number)).unwrap();
    }
    isolate.run().unwrap();
    assert_eq!(isolate.ask(&sum, Flush).unwrap(), 100);
    assert_eq!(faults.injected(), 1);
    on_both_runtimes(async || {
        let faults = Arc::new(Faults::new().panic_at::<Sum, Tick>(2));
        let bus = MessageBus::builder().probe(faults.clone()).build();
        let tree = root().start(&bus).await.unwrap();
        let sum = tree.lookup::<Sum>("root/sum").unwrap();
        for number in [1, 10, 100] {
            bus.publisher().unwrap().publish(Tick(number)).await.unwrap();
        }
        while sum.ask(Flush).await.unwrap() != 100 {}
        assert_eq!(faults.injected(), 1);
    });
}

#[test]
fn other_probes_see_the_calls_behind_injected_failures() {
    struct Words(Heard);
    impl mycelium::Probe for Words {
        fn ended(&self, call: &mycelium::Call, outcome: &mycelium::CallOutcome<'_>) {
            self.0.add(format!("{} {outcome}", call.message));
        }
    }
    let heard = Heard::default();
    let faults = Faults::new().and(Arc::new(Words(heard.clone()))).panic_at::<Sum, Tick>(2);
    let mut isolate = Isolate::new(1);
    isolate.probe(Arc::new(faults));
    isolate.on_failure(OnFailure::GoOn);
    isolate.spawn(Sum::default()).unwrap();
    isolate.publish(Tick(1)).unwrap();
    isolate.run().unwrap();
    isolate.publish(Tick(2)).unwrap();
    isolate.run().unwrap();
    // Each call has one end.
    assert_eq!(heard.words(), ["Tick is done", "Tick panicked"]);
}

/// Panics where it is cloned.
#[derive(Debug, PartialEq)]
struct Fragile(bool);
impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.0, "asked to panic in a clone");
        Self(self.0)
    }
}

#[test]
fn a_recorder_that_has_failed_does_not_pass_for_one_that_heard_nothing() {
    let mut isolate = Isolate::new(1);
    isolate.on_failure(OnFailure::GoOn);
    let recorder = isolate.recorder::<Fragile>().unwrap();
    recorder.expect_none();
    recorder.recipient().try_tell(Fragile(true)).unwrap();
    isolate.run().unwrap();
    assert!(recorder.is_empty());
    let text = fails(|| recorder.expect_none());
    assert!(text.contains("the recorder has failed and misses messages: a clone has panicked"), "{text}");
    let text = fails(|| recorder.expect(&Fragile(false)));
    assert!(text.contains("a clone has panicked"), "{text}");
}

/// Panics at the second clone, of all its copies.
#[derive(Debug, Default)]
struct SecondTime(Arc<AtomicU32>);
impl Clone for SecondTime {
    fn clone(&self) -> Self {
        assert_ne!(self.0.fetch_add(1, Ordering::SeqCst), 1, "asked to panic in a clone");
        Self(Arc::clone(&self.0))
    }
}

#[test]
fn a_clone_that_panics_where_a_message_is_looked_at_loses_none() {
    let mut isolate = Isolate::new(1);
    let recorder = isolate.recorder::<SecondTime>().unwrap();
    recorder.recipient().try_tell(SecondTime::default()).unwrap();
    isolate.run().unwrap();
    assert!(fails(|| drop(recorder.try_next())).contains("in a clone"));
    assert!(recorder.try_next().is_some());
}

#[test]
fn a_guarded_bus_sees_what_waits_in_mailboxes() {
    /// Handles one message for ever, and says when it begins.
    struct Slow(Arc<Notify>);
    impl Actor for Slow {
        type Error = BoxError;
    }
    impl Handler<Tick> for Slow {
        async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            self.0.notify_one();
            std::future::pending().await
        }
    }
    on_both_runtimes(async || {
        let bus = Guarded::new(MessageBus::new());
        let begun = Arc::new(Notify::new());
        let slow = bus.spawn(Slow(Arc::clone(&begun))).unwrap();
        slow.tell(Tick(1)).await.unwrap();
        assert!(bus.losses().is_empty(), "it is in hand, or will be");
        for number in 2..5 {
            slow.tell(Tick(number)).await.unwrap();
        }
        assert_eq!(bus.losses().entries, [(None, Loss::Waiting, 3)], "whether it has taken one or none");
        begun.notified().await;
        assert_eq!(bus.losses().entries, [(None, Loss::Waiting, 3)], "also if it has taken all");
        assert_eq!(bus.losses().to_string(), "messages were lost:\n  all messages: 3 still waiting");
        assert!(fails(|| drop(bus)).contains("3 still waiting"));
    });
}

#[test]
fn answers_by_rote_are_what_their_function_says() {
    let mut isolate = Isolate::new(1);
    let mut asked = 0;
    let answers = Answers::new(move |tick: &Tick| {
        asked += 1;
        tick.0 * asked
    });
    let answers = isolate.spawn(answers).unwrap();
    assert_eq!(isolate.ask(&answers, Tick(5)).unwrap(), 5);
    assert_eq!(isolate.ask(&answers, Tick(5)).unwrap(), 10);
}

/// Subscribes as it is told, and fails at its second tick, or waits in it.
struct Bad {
    how: Subscription<Tick>,
    waits: bool,
}
impl Actor for Bad {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(self.how);
    }
}
impl Handler<Tick> for Bad {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.waits {
            ctx.sleep(Duration::from_secs(1)).await;
            return Ok(());
        }
        Err("told to fail".into())
    }
}

#[test]
fn a_guarded_isolate_fails_its_test_for_each_kind_of_loss_and_names_it() {
    let run = |how: Subscription<Tick>, waits: bool, time: Duration, allowed: Option<Loss>| {
        let mut isolate = Guarded::new(Isolate::new(1));
        if let Some(loss) = allowed {
            isolate = isolate.allow::<Tick>(loss);
        }
        isolate.on_failure(OnFailure::GoOn);
        isolate.spawn(Bad { how, waits }).unwrap();
        for number in 0..3 {
            isolate.publish(Tick(number)).unwrap();
        }
        isolate.run_for(time).unwrap();
    };
    let (short, long) = (Duration::from_millis(1), Duration::from_secs(10));
    let small = || Subscription::drop_oldest().capacity(1);
    let rows = [
        (Subscription::block(), true, short, "Tick: 3 still waiting"),
        (small(), true, long, "Tick: 1 dropped by a policy"),
        (Subscription::block(), false, long, "all messages: 3 dead letters"),
    ];
    for (how, waits, time, expected) in rows {
        let text = fails(|| run(how, waits, time, None));
        assert!(text.starts_with("messages were lost:\n  ") && text.contains(expected), "{text}");
    }
    run(Subscription::block(), true, long, None);
    run(small(), true, long, Some(Loss::Dropped));
}

#[test]
fn a_guard_that_is_dropped_in_a_panic_adds_none() {
    let text = fails(|| {
        let mut isolate = Guarded::new(Isolate::new(1));
        isolate.spawn(Sum::default()).unwrap();
        isolate.publish(Tick(1)).unwrap();
        panic!("the test's own");
    });
    assert_eq!(text, "the test's own");
}

#[test]
fn a_guarded_bus_counts_alike() {
    on_both_runtimes(async || {
        let bus = Guarded::new(MessageBus::new());
        let sum = bus.spawn(Sum::default()).unwrap();
        bus.publisher().unwrap().publish(Tick(1)).await.unwrap();
        assert_eq!(sum.ask(Flush).await.unwrap(), 1);
        bus.shutdown().await.unwrap();
        drop(bus);
        let bus = Guarded::new(MessageBus::new());
        let reader = bus.subscriber::<Tick>().unwrap();
        bus.publisher().unwrap().publish(Tick(1)).await.unwrap();
        assert_eq!(bus.losses().to_string(), "messages were lost:\n  Tick: 1 still waiting");
        drop(reader);
        assert!(fails(|| drop(bus)).contains("Tick: 1 left behind by a subscriber"));
    });
}
