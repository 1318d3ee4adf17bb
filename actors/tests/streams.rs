//! Streams, blocking work and the random numbers of services, where a test needs one host or two at once.

#[path = "common/mod.rs"]
mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};

use common::{Heard, on_both_runtimes};
use futures_core::Stream;
use mycelium::rand_core::Rng;
use mycelium::tree::{Child, Restart};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, MessageBus, Responder, RunError, Service, ServiceContext,
    SpawnError, StopReason, StreamHandle, Supervisor, Takes, WaitsFor,
};
use tokio::sync::{Semaphore, mpsc};

/// What another task sends.
struct FromTask(mpsc::Receiver<u64>);
impl Stream for FromTask {
    type Item = u64;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<u64>> {
        self.0.poll_recv(cx)
    }
}

/// Counts for ever.
struct Endless(Arc<AtomicU64>);
impl Stream for Endless {
    type Item = u64;
    fn poll_next(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<u64>> {
        Poll::Ready(Some(self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

/// Keeps a stream, and handles an item when the gate lets it.
struct Keeper {
    gate: Arc<Semaphore>,
    heard: Heard,
    stream: Option<StreamHandle>,
}
impl Actor for Keeper {
    type Error = BoxError;
}
impl Handler<u64> for Keeper {
    async fn handle(&mut self, number: &u64, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.gate.acquire().await?.forget();
        self.heard.add(number.to_string());
        Ok(())
    }
}
struct NoMore;
impl Handler<NoMore> for Keeper {
    async fn handle(&mut self, _: &NoMore, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add("no more");
        Ok(())
    }
}
struct Attach<S>(std::sync::Mutex<Option<S>>);
impl<S: Stream<Item = u64> + Send + 'static> Responder<Attach<S>> for Keeper {
    type Reply = Result<(), SpawnError>;
    async fn answer(&mut self, attach: &Attach<S>, ctx: &mut Context<Self>) -> Self::Reply {
        let stream = attach.0.lock().unwrap().take().expect("it is attached once");
        self.stream = Some(ctx.attach_stream(stream, NoMore)?);
        Ok(())
    }
}
fn attach<S>(stream: S) -> Attach<S> {
    Attach(std::sync::Mutex::new(Some(stream)))
}

fn keeper(permits: usize) -> (Keeper, Heard, Arc<Semaphore>) {
    let (gate, heard) = (Arc::new(Semaphore::new(permits)), Heard::default());
    (Keeper { gate: Arc::clone(&gate), heard: heard.clone(), stream: None }, heard, gate)
}

#[test]
fn a_stream_waits_for_room_and_ends_with_the_bus() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().inbox_capacity(4).build();
        let (keeper, heard, gate) = keeper(0);
        let keeper = bus.spawn(keeper).unwrap();
        let read = Arc::<AtomicU64>::default();
        keeper.ask(attach(Endless(Arc::clone(&read)))).await.unwrap().unwrap();
        while read.load(Ordering::SeqCst) < 5 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let before = read.load(Ordering::SeqCst);
        assert!(before <= 8, "what waits is bounded by the mailbox: {before}");
        gate.add_permits(3);
        while heard.words().len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(heard.words(), ["0", "1", "2"]);
        assert_eq!(bus.stats().services(), 1, "the stream is seen");
        gate.close();
        bus.shutdown().await.unwrap();
        let after = read.load(Ordering::SeqCst);
        tokio::task::yield_now().await;
        assert_eq!((read.load(Ordering::SeqCst), bus.alive()), (after, 0));
    });
}

#[test]
fn what_another_task_sends_is_handled_and_its_end_is_heard() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (keeper, heard, _gate) = keeper(100);
        let keeper = bus.spawn(keeper).unwrap();
        let (sender, receiver) = mpsc::channel(2);
        keeper.ask(attach(FromTask(receiver))).await.unwrap().unwrap();
        for number in 0..10 {
            sender.send(number).await.unwrap();
        }
        drop(sender);
        heard.wait_for("no more").await;
        assert_eq!(heard.words().len(), 11);
        while bus.stats().services() > 0 {
            tokio::task::yield_now().await;
        }
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_stream_that_waits_for_something_outside_an_isolate_is_named() {
    let mut isolate = Isolate::new(42);
    let (keeper, heard, _gate) = keeper(100);
    let keeper = isolate.spawn(keeper).unwrap();
    let (sender, receiver) = mpsc::channel(2);
    sender.try_send(7).unwrap();
    isolate.ask(&keeper, attach(FromTask(receiver))).unwrap().unwrap();
    let error = isolate.run().unwrap_err();
    let RunError::Stuck { waiting } = &error else { panic!("{error}") };
    assert_eq!((waiting[0].actor.name, &waiting[0].waits_for), ("Stream", &WaitsFor::Outside));
    assert_eq!(heard.words(), ["7"]);
}

/// Blocks until the other half of what it is told is dropped.
struct Slow;
impl Actor for Slow {
    type Error = BoxError;
}
impl Takes<std::sync::mpsc::Receiver<()>> for Slow {
    async fn take(
        &mut self,
        released: std::sync::mpsc::Receiver<()>,
        ctx: &mut Context<Self>,
    ) -> Result<(), BoxError> {
        ctx.spawn_blocking(move || released.recv()).await?.unwrap_err();
        ctx.stop();
        Ok(())
    }
}

#[test]
fn blocking_work_holds_up_nobody_else() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (slow, (keeper, heard, _gate)) = (bus.spawn(Slow).unwrap(), keeper(10));
        let keeper = bus.spawn(keeper).unwrap();
        let (release, released) = std::sync::mpsc::channel();
        slow.tell(released).await.unwrap();
        tokio::task::yield_now().await;
        keeper.tell(1).await.unwrap();
        heard.wait_for("1").await;
        assert!(slow.is_alive(), "the other one still works");
        drop(release);
        assert_eq!(slow.ended().await, StopReason::Normal);
        bus.shutdown().await.unwrap();
    });
}

/// Writes down what it draws.
struct Draws(&'static str, Heard);
impl Service for Draws {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let [mut one, mut other] = [ctx.random(), ctx.random()];
        let drawn = [one.next_u64(), one.next_u64(), other.next_u64()];
        assert!(drawn[0] != drawn[1] && drawn[0] != drawn[2]);
        self.1.add(format!("{} {drawn:?}", self.0));
        Ok(())
    }
}

#[test]
fn services_draw_the_same_numbers_live_and_in_an_isolate() {
    on_both_runtimes(|| async {
        let heard = Heard::default();
        let of = |name| {
            let heard = heard.clone();
            move || Draws(name, heard.clone())
        };
        let child = |name| Child::service(name, of(name)).restart(Restart::Temporary);
        let root = || Supervisor::builder("root").child(child("a")).child(child("b"));
        let drawn = |seed: u64| {
            let mut isolate = Isolate::new(seed);
            // Another one before it changes nothing for those in trees.
            isolate.supervise(&root()).unwrap();
            for name in ["c", "d"] {
                isolate.spawn_service(Draws(name, heard.clone())).unwrap();
            }
            isolate.run().unwrap();
            let mut drawn = heard.take();
            drawn.sort();
            drawn
        };
        let virtual_ones = drawn(7);
        assert_eq!(virtual_ones.len(), 4);
        assert_ne!(virtual_ones, drawn(8));
        let bus = MessageBus::builder().seed(7).build();
        for name in ["c", "d"] {
            bus.spawn_service(Draws(name, heard.clone())).unwrap();
        }
        let tree = root().start(&bus).await.unwrap();
        while heard.words().len() < 4 {
            tokio::task::yield_now().await;
        }
        let mut live = heard.take();
        live.sort();
        assert_eq!(live, virtual_ones);
        let mut numbers: Vec<_> = live.iter().map(|line| line.split_once(' ').unwrap().1).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), 4);
        tree.shutdown().await.unwrap();
        bus.shutdown().await.unwrap();
    });
}
