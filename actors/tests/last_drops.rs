//! Destructors that panic at an end: it is told all the same, and as what it was.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{WATCHDOG, on_both_runtimes};
use mycelium::{
    Actor, BoxError, Context, Isolate, MessageBus, OnFailure, Service, ServiceContext, StopReason, Takes,
};

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
