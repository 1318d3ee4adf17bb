//! Waits that a service keeps and polls within a task of its own, or leaves for something else, and wakers
//! that run code at once.

#![allow(missing_docs)]

mod common;

use std::future::{Future as _, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use common::apart::Apart;
use common::{Tick, on_both_runtimes};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, MessageBus, PublishError, Service, ServiceContext,
    StopReason, Subscriptions, Timestamp,
};
use tokio::sync::oneshot;

const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

type Log = Arc<Mutex<Vec<String>>>;

fn millis(n: i64) -> Timestamp {
    Timestamp::from_nanos(n * 1_000_000)
}

/// Waits in tasks of its own, and hands a wait from one to another.
struct Within(Log);
impl Service for Within {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let say = |what: &str| {
            let line = format!("{what} {}", ctx.now().as_nanos() / 1_000_000);
            self.0.lock().unwrap().push(line);
        };
        Apart::new([2, 1].map(|n| ctx.sleep(MILLI * n))).await;
        say("both");
        let ticks = || [4, 6].map(|at| (millis(at), Tick(at as u64))).into_iter();
        let replays = [0, 1].map(|_| async { assert_eq!(ctx.replay(ticks()).await.unwrap(), 2) });
        Apart::new(replays).await;
        say("replays");
        // First polled with a waker that wakes nobody, then within a task, then by the service itself.
        let mut nap = pin!(ctx.sleep(MILLI));
        let mut once = |cx: &mut TaskContext<'_>| {
            assert!(nap.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        };
        assert!(once(&mut TaskContext::from_waker(Waker::noop())).is_ready());
        Apart::new([poll_fn(&mut once)]).await;
        nap.await;
        say("handed on");
        Ok(())
    }
}

/// The same within a handler.
struct Napping(Log);
impl Actor for Napping {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Napping {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Apart::new([3, 1].map(|n| ctx.sleep(MILLI * n))).await;
        self.0.lock().unwrap().push(format!("tick {} at {}", tick.0, ctx.now().as_nanos() / 1_000_000));
        Ok(())
    }
}

#[test]
fn waits_of_an_isolate_wake_whoever_polled_them_last() {
    let (mut isolate, log) = (Isolate::new(1), Log::default());
    isolate.spawn_service(Within(Arc::clone(&log))).unwrap();
    isolate.run().unwrap();
    assert_eq!(*log.lock().unwrap(), ["both 2", "replays 6", "handed on 7"]);

    let (mut isolate, log) = (Isolate::new(1), Log::default());
    isolate.spawn(Napping(Arc::clone(&log))).unwrap();
    isolate.publish(Tick(1)).unwrap();
    isolate.publish(Tick(2)).unwrap();
    isolate.run().unwrap();
    assert_eq!(*log.lock().unwrap(), ["tick 1 at 3", "tick 2 at 6"]);
}

/// Keeps a wait, goes on to foreign ones that it must not be ended in, and ends at a wait after them.
struct Keeps {
    first: oneshot::Receiver<()>,
    second: oneshot::Receiver<()>,
    in_tasks: bool,
    log: Log,
}
impl Service for Keeps {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut nap = pin!(ctx.sleep(HOUR));
        tokio::select! {
            biased;
            () = &mut nap => unreachable!(),
            first = &mut self.first => first?,
        }
        self.log.lock().unwrap().push("began".to_owned());
        (&mut self.second).await?;
        self.log.lock().unwrap().push("done".to_owned());
        match self.in_tasks {
            false => nap.await,
            true => Apart::new([nap]).await,
        }
        self.log.lock().unwrap().push("late".to_owned());
        Ok(())
    }
}

#[test]
fn a_service_is_not_ended_in_a_foreign_wait_because_it_keeps_one_of_ours() {
    on_both_runtimes(async || {
        for in_tasks in [false, true] {
            let bus = MessageBus::new();
            let log = Log::default();
            let ((first, began), (second, done)) = (oneshot::channel(), oneshot::channel());
            let keeps = Keeps { first: began, second: done, in_tasks, log: Arc::clone(&log) };
            let service = bus.spawn_service(keeps).unwrap();
            tokio::task::yield_now().await;
            first.send(()).unwrap();
            service.stop();
            // On several threads it may be polled between the two, and then it ends at its wait.
            while log.lock().unwrap().is_empty() && service.is_alive() {
                tokio::task::yield_now().await;
            }
            if log.lock().unwrap().is_empty() {
                continue;
            }
            for _ in 0..20 {
                tokio::task::yield_now().await;
                assert!(service.is_alive(), "it was ended in a foreign wait");
            }
            second.send(()).unwrap();
            assert_eq!(service.ended().await, StopReason::Normal);
            assert_eq!(*log.lock().unwrap(), ["began", "done"]);
        }
    });
}

/// Polls a sleep of so many seconds once, and lets it go.
struct LetsGo(Option<u64>);
impl Service for LetsGo {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut nap = Box::pin(ctx.sleep(Duration::from_secs(self.0.take().ok_or("again")?)));
        poll_fn(|cx| {
            assert!(nap.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        Ok(())
    }
}

#[test]
fn the_clock_moves_for_no_sleep_that_was_let_go() {
    let mut isolate = Isolate::new(1);
    for seconds in [60, 30, 90, 10] {
        isolate.spawn_service(LetsGo(Some(seconds))).unwrap();
        isolate.run().unwrap();
        assert_eq!(isolate.now().as_nanos(), 0, "{seconds}");
    }
}

#[test]
fn a_tell_that_is_polled_after_it_was_ready_panics_as_an_async_fn_does() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let napping = bus.spawn(Napping(Log::default())).unwrap();
        let mut tell = pin!(napping.tell(Tick(1)));
        tell.as_mut().await.unwrap();
        let again = || tell.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
        let panicked = catch_unwind(AssertUnwindSafe(again)).unwrap_err();
        let text = panicked.downcast_ref::<&str>().unwrap();
        assert!(text.contains("polled after it was ready"), "{text}");
        bus.shutdown().await.unwrap();
    });
}

/// Does something with its bus where it is woken, as an executor that polls its task there.
struct AtOnce(MessageBus, AtomicU32);
impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.resume_ingress();
            self.0.pause_ingress();
            self.0.resume_ingress();
        }
    }
}

#[test]
fn a_publisher_that_a_pause_wakes_may_pause_and_resume_there() {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let bus = MessageBus::builder().topic_capacity(1).build();
        let ticks = bus.publisher::<Tick>().unwrap();
        let notes = bus.publisher::<common::Note>().unwrap();
        let _full = bus.subscriber::<Tick>().unwrap();
        ticks.try_publish(Tick(1)).unwrap();
        let at_once = Arc::new(AtOnce(bus.clone(), AtomicU32::new(0)));
        let waker = Waker::from(Arc::clone(&at_once));
        let mut waits = Box::pin(ticks.publish(Tick(2)));
        assert!(waits.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
        bus.pause_ingress();
        assert!(at_once.1.load(Ordering::Relaxed) > 0, "it was woken");
        // All topics do what was said last.
        notes.try_publish(common::Note("one".into())).unwrap();
        assert!(matches!(ticks.try_publish(Tick(3)), Err(PublishError::Full(..))));
        bus.pause_ingress();
        assert!(notes.try_publish(common::Note("two".into())).is_err());
        drop(waits);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(common::WATCHDOG).expect("the test hangs, or has failed");
}
