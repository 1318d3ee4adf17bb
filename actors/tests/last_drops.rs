//! Destructors that panic at an end: it is told all the same, and as what it was.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

mod common;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{Heard, Tick, WATCHDOG, on_both_runtimes};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, MessageBus, OnFailure, Publisher, Service,
    ServiceContext, StopReason, Subscription, Subscriptions, Takes,
};
use tokio::sync::Notify;

/// Panics when it is dropped, unless its thread does so already.
struct Loud(Arc<AtomicU32>);
impl Drop for Loud {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert!(std::thread::panicking(), "a destructor fails");
    }
}

/// The same, whatever its thread does.
struct Louder(Arc<AtomicU32>);
impl Drop for Louder {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a destructor fails");
    }
}

impl Actor for Loud {
    type Error = BoxError;
}

#[test]
fn an_actor_whose_drop_panics_as_its_runtime_goes_has_ended() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let drops = Arc::new(AtomicU32::new(0));
    let actor = first.block_on(async { MessageBus::new().spawn(Loud(Arc::clone(&drops))).unwrap() });
    drop(first);
    let ended = second.block_on(async { tokio::time::timeout(WATCHDOG, actor.ended()).await });
    assert!(ended.is_ok() && !actor.is_alive());
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

/// Returns.
struct Returns(#[allow(dead_code)] Loud);
impl Service for Returns {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_service_whose_drop_panics_has_panicked() {
    on_both_runtimes(async || {
        let service = MessageBus::new().spawn_service(Returns(Loud(Arc::default()))).unwrap();
        let StopReason::Panicked(text) = service.ended().await else { panic!("{:?}", service.ended().await) };
        assert!(text.contains("a destructor fails"), "{text}");
    });
}

/// An error that panics when it is told, or when it is dropped.
#[derive(Debug)]
struct BadError {
    told: bool,
}
impl std::fmt::Display for BadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        assert!(!self.told, "an error fails");
        f.write_str("told")
    }
}
impl std::error::Error for BadError {}
impl Drop for BadError {
    fn drop(&mut self) {
        assert!(self.told, "an error fails");
    }
}

/// Fails with it.
struct Fails {
    told: bool,
}
impl Service for Fails {
    type Error = BadError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BadError> {
        Err(BadError { told: self.told })
    }
}

#[test]
fn a_service_whose_error_panics_has_panicked() {
    on_both_runtimes(async || {
        for (told, part) in [(true, "text"), (false, "destructor")] {
            let panicked =
                || StopReason::Panicked(format!("the {part} of its error panicked: an error fails").into());
            let service = MessageBus::new().spawn_service(Fails { told }).unwrap();
            assert_eq!(service.ended().await, panicked());
            let mut isolate = Isolate::new(1);
            let service = isolate.spawn_service(Fails { told }).unwrap();
            isolate.on_failure(OnFailure::GoOn);
            let ended = isolate.block_on(service.ended()).unwrap();
            assert_eq!(ended, panicked());
        }
    });
}

/// Fills the queues of its owner when it is dropped, and says what it is told then.
struct Filler {
    ticks: Publisher<Tick>,
    owner: Option<ActorRef<Held>>,
    heard: Heard,
}
impl Drop for Filler {
    fn drop(&mut self) {
        // More than there is room for.
        let refused = (0..9).find_map(|n| self.ticks.publish_blocking(Tick(n)).err());
        self.heard.add(format!("{refused:?}"));
        if let Some(owner) = &self.owner {
            let refused = (0..9).find_map(|n| owner.tell_blocking(Tick(n)).err());
            self.heard.add(refused.map_or_else(String::new, |refused| refused.to_string()));
        }
    }
}

/// Holds it in its code until that is dropped, and beside.
struct Held {
    filler: Option<Filler>,
    _kept: Filler,
    entered: Arc<Notify>,
}
impl Held {
    fn new(bus: &MessageBus, heard: &Heard) -> Self {
        let filler = || Filler { ticks: bus.publisher().unwrap(), owner: None, heard: heard.clone() };
        Self { filler: Some(filler()), _kept: filler(), entered: Arc::default() }
    }
}
impl Actor for Held {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(1).echo());
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let mut filler = self.filler.take().unwrap();
        filler.owner = Some(ctx.actor_ref());
        self.entered.notify_one();
        std::future::pending::<()>().await;
        drop(filler);
        Ok(())
    }
}
impl Handler<Tick> for Held {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Service for Held {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let own = ctx.subscribe(Subscription::<Tick>::block().capacity(1).echo())?;
        let filler = self.filler.take().unwrap();
        self.entered.notify_one();
        std::future::pending::<()>().await;
        drop((filler, own));
        Ok(())
    }
}

/// Ends an actor or a service whose destructors fill its own queues, by a kill or with its runtime.
fn end_one_that_fills_itself(service: bool, kills: bool, workers: usize, heard: &Heard) {
    let runtime = match workers {
        0 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    };
    let runtime = runtime.unwrap();
    let bus = runtime.block_on(async {
        let bus = MessageBus::builder().topic_capacity(1).inbox_capacity(1).build();
        let held = Held::new(&bus, heard);
        let entered = Arc::clone(&held.entered);
        let ended = if service {
            let held = bus.spawn_service(held).unwrap();
            entered.notified().await;
            kills.then(|| held.kill());
            Box::pin(async move { held.ended().await }) as Pin<Box<dyn Future<Output = StopReason>>>
        } else {
            let held = bus.spawn(held).unwrap();
            entered.notified().await;
            kills.then(|| held.kill());
            Box::pin(async move { held.ended().await })
        };
        if kills {
            assert_eq!(ended.await, StopReason::Killed);
        }
        bus
    });
    drop(runtime);
    assert_eq!(bus.alive(), 0);
}

#[test]
fn a_destructor_at_an_end_never_waits_for_its_own_actor_or_service() {
    for run in 0..8 {
        let (service, kills, workers) = (run & 1 != 0, run & 2 != 0, 2 * (run >> 2));
        let (heard, (done, is_done)) = (Heard::default(), std::sync::mpsc::channel());
        let heard_of = heard.clone();
        let running = std::thread::spawn(move || {
            end_one_that_fills_itself(service, kills, workers, &heard_of);
            let _ = done.send(());
        });
        let timed_out = Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        assert_ne!(is_done.recv_timeout(WATCHDOG), timed_out, "{run} hangs: {:?}", heard.words());
        running.join().unwrap();
        let words = heard.words();
        assert_eq!(words[0], "Some(PublishError::SelfBlocked)", "{run}");
        assert!(service || words[1].contains("wait for itself"), "{run}: {words:?}");
        // The value is dropped behind its queues.
        assert_eq!(words.last().unwrap(), "None", "{run}");
    }
}

/// Sets timers for what it is told.
struct Schedules;
impl Actor for Schedules {
    type Error = BoxError;
}
impl Takes<u32> for Schedules {
    async fn take(&mut self, _: u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Takes<Louder> for Schedules {
    async fn take(&mut self, _: Louder, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Takes<Vec<Louder>> for Schedules {
    async fn take(&mut self, all: Vec<Louder>, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for loud in all {
            ctx.schedule_after(Duration::from_secs(9), loud);
        }
        Ok(())
    }
}

#[test]
fn an_isolate_with_timers_whose_destructors_panic_drops_each_of_them() {
    let drops = Arc::new(AtomicU32::new(0));
    let mut isolate = Isolate::new(1);
    let actor = isolate.spawn(Schedules).unwrap();
    let all: Vec<_> = (0..3).map(|_| Louder(Arc::clone(&drops))).collect();
    isolate.tell(&actor, all).unwrap();
    isolate.run_for(Duration::from_secs(1)).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(isolate))).is_err());
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}
