//! kameo 0.22, without its `tracing` feature.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kameo::actor::{Actor, ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::{Context, Message};
use kameo::supervision::RestartPolicy;
use tokio::sync::mpsc;

use crate::ask::Asked;
use crate::carrier::Carrier;
use crate::crash::Stage;
use crate::crowd::Crowd;
use crate::load::{Counter, Load, Small};
use crate::pool::{Pooled, Tally, WORKERS, Way};

/// The bound of the mailbox, in messages.
const CAPACITY: usize = 1024;

/// An actor around a [`Counter`].
#[derive(Debug)]
pub(crate) struct Receiver(Counter);

impl Actor for Receiver {
    type Args = Counter;
    type Error = Infallible;
    async fn on_start(counter: Counter, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(counter))
    }
}

/// What is told: a newtype, as kameo implements `Message` per type of message.
struct Told<M>(M);

impl<M: Load> Message<Told<M>> for Receiver {
    type Reply = ();
    async fn handle(&mut self, Told(message): Told<M>, _: &mut Context<Self, ()>) {
        self.0.see(&message);
    }
}

/// `tell` through a bounded mailbox; fan-out is a loop, which is faster than kameo_actors' pub/sub.
#[derive(Debug)]
pub(crate) struct Tell<M> {
    actors: Vec<ActorRef<Receiver>>,
    message: PhantomData<fn(M)>,
}

impl<M: Load> Carrier<M> for Tell<M> {
    type Sender = Vec<ActorRef<Receiver>>;

    async fn start(counters: Vec<Counter>) -> Self {
        let spawn = |counter| Receiver::spawn_with_mailbox(counter, mailbox::bounded(CAPACITY));
        let actors: Vec<_> = counters.into_iter().map(spawn).collect();
        for actor in &actors {
            actor.wait_for_startup().await;
        }
        Self { actors, message: PhantomData }
    }

    fn sender(&self) -> Self::Sender {
        self.actors.clone()
    }

    async fn send(sender: &mut Self::Sender, message: M) {
        let Some((last, others)) = sender.split_last() else { return };
        for actor in others {
            assert!(actor.tell(Told(message.clone())).await.is_ok(), "the actor is alive");
        }
        assert!(last.tell(Told(message)).await.is_ok(), "the actor is alive");
    }

    async fn stop(self) {
        for actor in self.actors {
            actor.stop_gracefully().await.ok();
            actor.wait_for_shutdown().await;
        }
    }
}

/// An actor that answers, or just is.
#[derive(Clone, Debug)]
pub(crate) struct Echo;

impl Actor for Echo {
    type Args = Self;
    type Error = Infallible;
    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<u64> for Echo {
    type Reply = u64;
    async fn handle(&mut self, number: u64, _: &mut Context<Self, u64>) -> u64 {
        number + 1
    }
}

/// `ask`.
#[derive(Debug)]
pub(crate) struct Ask(ActorRef<Echo>);

impl Asked for Ask {
    async fn start() -> Self {
        Self(Echo::spawn(Echo))
    }

    async fn ask(&mut self, number: u64) -> u64 {
        self.0.ask(number).await.expect("the actor answers")
    }

    async fn stop(self) {
        self.0.kill();
    }
}

/// The same, with the actor on a thread of its own.
#[derive(Debug)]
pub(crate) struct AskThread(ActorRef<Echo>);

impl Asked for AskThread {
    async fn start() -> Self {
        Self(Echo::spawn_in_thread(Echo))
    }

    async fn ask(&mut self, number: u64) -> u64 {
        self.0.ask(number).await.expect("the actor answers")
    }

    async fn stop(self) {
        self.0.kill();
    }
}

impl Crowd for ActorRef<Echo> {
    type Home = ();

    fn home() {}

    async fn spawn((): &()) -> Self {
        Echo::spawn(Echo)
    }

    async fn started((): &(), actors: &[Self]) {
        for actor in actors {
            actor.wait_for_startup().await;
        }
    }

    async fn stop(&self) {
        self.stop_gracefully().await.ok();
    }

    async fn stopped(self) {
        self.wait_for_shutdown().await;
    }
}

/// The supervisor of the crashing actor.
struct Boss;

impl Actor for Boss {
    type Args = ();
    type Error = Infallible;
    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// An actor that crashes when told to, and announces itself each time it starts.
struct Crasher(Stage);

impl Actor for Crasher {
    type Args = (Stage, mpsc::UnboundedSender<ActorRef<Self>>);
    type Error = Infallible;
    async fn on_start((stage, up): Self::Args, myself: ActorRef<Self>) -> Result<Self, Infallible> {
        up.send(myself).ok();
        Ok(Self(stage))
    }
}

struct Boom;
struct Next;

impl Message<Boom> for Crasher {
    type Reply = ();
    async fn handle(&mut self, _: Boom, _: &mut Context<Self, ()>) {
        self.0.crash();
    }
}

impl Message<Next> for Crasher {
    type Reply = Result<Instant, Infallible>;
    async fn handle(&mut self, _: Next, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Ok(Instant::now())
    }
}

/// Crashes a child of `supervise` and times each crash until the child handles its next message.
pub(crate) async fn crashes(times: usize) -> Vec<f64> {
    let boss = Boss::spawn(());
    let stage = Stage::default();
    let (up, mut started) = mpsc::unbounded_channel();
    let child = Crasher::supervise(&boss, (stage.clone(), up))
        .restart_policy(RestartPolicy::Permanent)
        .restart_limit(u32::MAX, Duration::from_secs(1))
        .spawn()
        .await;
    let mut child = started.recv().await.unwrap_or(child);
    let mut samples = Vec::with_capacity(times);
    for _ in 0..times {
        child.tell(Boom).await.ok();
        child = started.recv().await.expect("the child is restarted");
        let handled = child.ask(Next).await.expect("the child answers");
        samples.push(stage.since_crash(handled));
    }
    boss.kill();
    samples
}

/// A worker of a pool.
pub(crate) struct Hand(Arc<Tally>);

impl Actor for Hand {
    type Args = Self;
    type Error = Infallible;
    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<Told<Small>> for Hand {
    type Reply = ();
    async fn handle(&mut self, Told(message): Told<Small>, _: &mut Context<Self, ()>) {
        self.0.see(&message);
    }
}

/// Workers that are told by turns, by hand. The pool of `kameo_actors`, which has one more actor before each
/// worker, cannot be had without kameo's `tracing`, which would slow everybody down here.
pub(crate) struct Workers {
    workers: Vec<ActorRef<Hand>>,
    next: usize,
}

impl Pooled for Workers {
    async fn start(_: Way, tally: Arc<Tally>) -> Self {
        let worker = |_| Hand::spawn_with_mailbox(Hand(Arc::clone(&tally)), mailbox::bounded(CAPACITY));
        Self { workers: (0..WORKERS).map(worker).collect(), next: 0 }
    }

    async fn send(&mut self, message: Small) {
        self.next = (self.next + 1) % WORKERS;
        assert!(self.workers[self.next].tell(Told(message)).await.is_ok(), "the worker is alive");
    }

    async fn stop(self) {
        for worker in self.workers {
            worker.stop_gracefully().await.ok();
            worker.wait_for_shutdown().await;
        }
    }
}
