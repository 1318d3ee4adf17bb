//! Mycelium under supervision: children that crash, many of them, and one that waits to be restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mycelium::tree::{Backoff, Builder, Child, Notice};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, MessageBus, Publisher, Responder, Subscriptions, Supervisor,
};
use tokio::sync::mpsc;

use crate::crash::{Lap, Stage};
use crate::load::{Load, Small};

/// Restarts that a supervisor allows itself within a nanosecond: the most that it accepts.
const RESTARTS: u32 = 1_000_000;

/// How long the crashed child waits while messages are published to it: long enough for a burst even on a
/// busy machine.
const BACKOFF: Duration = Duration::from_millis(20);

/// Messages in one burst: fewer than the topic holds, so that nobody waits for room.
const BURST: u64 = 512;

/// A supervisor that restarts at once and never gives up.
fn patient() -> Builder {
    Supervisor::builder("root").intensity(RESTARTS, Duration::from_nanos(1))
}

/// An actor that crashes when told to.
struct Crasher(Stage);

impl Actor for Crasher {
    type Error = BoxError;
}

#[derive(Clone, Copy)]
struct Boom;
struct Next;

impl Handler<Boom> for Crasher {
    async fn handle(&mut self, _: &Boom, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.crash();
    }
}

impl Responder<Next> for Crasher {
    type Reply = Instant;
    async fn answer(&mut self, _: &Next, _: &mut Context<Self>) -> Instant {
        Instant::now()
    }
}

/// An actor that is there.
struct Idle;

impl Actor for Idle {
    type Error = BoxError;
}

/// `count` idle children more.
fn with_idle(builder: Builder, count: usize, prefix: &str) -> Builder {
    (0..count).fold(builder, |builder, n| builder.actor(format!("{prefix}{n}"), || Idle))
}

/// Crashes a child, which has so many siblings, and times each crash until the child handles its next
/// message. That one waits in its mailbox.
pub(crate) async fn crashes(times: usize, siblings: usize) -> Vec<f64> {
    let stage = Stage::default();
    let crasher = stage.clone();
    let child = Child::actor("crasher", move || Crasher(crasher.clone()));
    let bus = MessageBus::new();
    let before = with_idle(patient(), siblings / 2, "before").child(child);
    let tree =
        with_idle(before, siblings - siblings / 2, "after").start(&bus).await.expect("the tree starts");
    let child: ActorRef<Crasher> = tree.lookup("root/crasher").expect("it runs");
    let mut samples = Vec::with_capacity(times);
    for _ in 0..times {
        child.tell(Boom).await.expect("the reference outlives its crashes");
        let handled = child.ask(Next).await.expect("the child answers in its next life");
        samples.push(stage.since_crash(handled));
    }
    tree.shutdown().await.expect("the tree ends in time");
    samples
}

/// Seconds in which so many workers start in order, each after the one before, and in which they stop in
/// reverse; then the same in seconds of computing.
pub(crate) async fn start_and_stop(workers: usize) -> Vec<f64> {
    let bus = MessageBus::new();
    let builder = with_idle(patient(), workers, "worker");
    let lap = Lap::begin();
    let tree = builder.start(&bus).await.expect("the tree starts");
    let (start, start_cpu) = lap.end();
    assert_eq!(bus.alive(), workers, "all of them run");
    let lap = Lap::begin();
    tree.shutdown().await.expect("the tree ends in time");
    let (stop, stop_cpu) = lap.end();
    vec![start, stop, start_cpu, stop_cpu]
}

/// Counts what it hears in all its lives.
struct Listener {
    heard: Arc<AtomicU64>,
    up: mpsc::UnboundedSender<()>,
}

impl Actor for Listener {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Small>();
    }
}

impl Handler<Small> for Listener {
    async fn handle(&mut self, message: &Small, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.fetch_add(message.number(), Ordering::Relaxed);
        Ok(())
    }
}

/// What a burst begins with: the child keeps busy for as long as a backoff lasts, or it crashes. So it is a
/// timer that lets it read the burst in either case, on whatever core, and the next burst finds the queue in
/// the same caches.
#[derive(Clone, Copy)]
struct Knock {
    crash: bool,
}

impl Handler<Knock> for Listener {
    async fn handle(&mut self, knock: &Knock, _: &mut Context<Self>) -> Result<(), BoxError> {
        if knock.crash {
            std::panic::resume_unwind(Box::new("crash on purpose"));
        }
        self.up.send(())?;
        tokio::time::sleep(BACKOFF).await;
        Ok(())
    }
}

/// Nanoseconds per publish in bursts to one child: to one that is busy, or to one that has crashed and waits.
pub(crate) async fn publishes(bursts: usize, crash: bool) -> Vec<f64> {
    let heard = Arc::new(AtomicU64::new(0));
    let (up, mut ready) = mpsc::unbounded_channel();
    let (count, tell) = (Arc::clone(&heard), up.clone());
    let backoff = Backoff { initial: BACKOFF, multiplier: 1.0, ..Backoff::default() };
    let make = move || Listener { heard: Arc::clone(&count), up: up.clone() };
    let root = patient().child(Child::actor("listener", make).backoff(backoff)).on_event(move |_, notice| {
        if matches!(notice, Notice::Waiting { .. }) {
            tell.send(()).ok();
        }
    });
    let bus = MessageBus::new();
    let tree = root.start(&bus).await.expect("the tree starts");
    let child: ActorRef<Listener> = tree.lookup("root/listener").expect("it runs");
    let publisher: Publisher<Small> = bus.publisher().expect("one type has this id");
    let mut samples = Vec::with_capacity(bursts);
    for burst in 1..=bursts as u64 {
        child.tell(Knock { crash }).await.expect("the reference outlives its crashes");
        ready.recv().await.expect("the tree is there");
        // The first wakes a child in backoff, as it would wake one that sleeps: once, and at a price that
        // depends on whether tokio has to wake a thread for it.
        publisher.publish(Small::new(1)).await.expect("the bus is open");
        let begin = Instant::now();
        for _ in 1..BURST {
            publisher.publish(Small::new(1)).await.expect("the bus is open");
        }
        samples.push(begin.elapsed().as_nanos() as f64 / (BURST - 1) as f64);
        // All of them come, in the next life if need be: a lost one would make this wait for ever.
        while heard.load(Ordering::Relaxed) < burst * BURST {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(heard.load(Ordering::Relaxed), bursts as u64 * BURST, "nothing was lost or doubled");
    tree.shutdown().await.expect("the tree ends in time");
    samples
}
