//! Calls from runtimes that have no timers, and names that are looked up while a tree starts.

#![allow(missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium::tree::{Child, Restart};
use mycelium::{
    Actor, AskError, BoxError, Context, MessageBus, Responder, Service, ServiceContext, Supervisor,
};
use tokio::runtime::Builder;

struct Other;
impl Actor for Other {
    type Error = BoxError;
}

/// Answers, or never does.
struct Query(bool);
impl Responder<Query> for Other {
    type Reply = u32;
    async fn answer(&mut self, query: &Query, _: &mut Context<Self>) -> u32 {
        if !query.0 {
            std::future::pending::<()>().await;
        }
        7
    }
}

#[test]
fn a_deadline_counts_for_who_asks_on_a_runtime_without_timers() {
    let with_timers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bus = MessageBus::builder().runtime(with_timers.handle().clone()).build();
    let other = bus.spawn(Other).unwrap();
    let without = Builder::new_current_thread().build().unwrap();
    without.block_on(async {
        assert_eq!(other.ask_within(Query(true), Duration::from_secs(60)).await, Ok(7));
        assert!(matches!(
            other.ask_within(Query(false), Duration::from_millis(5)).await,
            Err(AskError::Timeout(_))
        ));
    });
}

/// Looks for its sibling as soon as it runs, and counts in vain looks.
struct Seeker(Arc<AtomicU32>);
impl Service for Seeker {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let found = ctx.lookup::<Other>("root/other");
        self.0.fetch_add(u32::from(found.is_none()), Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_child_finds_those_that_were_started_before_it_while_its_tree_starts() {
    let in_vain = Arc::new(AtomicU32::new(0));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for _ in 0..1_000 {
        let seen = Arc::clone(&in_vain);
        let seeker = Child::service("seeker", move || Seeker(Arc::clone(&seen))).restart(Restart::Temporary);
        let root = Supervisor::builder("root").actor("other", || Other).child(seeker);
        runtime.block_on(async {
            let tree = root.start(&MessageBus::new()).await.unwrap();
            tree.shutdown().await.unwrap();
        });
    }
    assert_eq!(in_vain.load(Ordering::Relaxed), 0);
}

#[test]
fn the_names_of_a_tree_are_free_when_its_end_is_known() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let bus = MessageBus::builder().runtime(runtime.handle().clone()).build();
    runtime.block_on(async {
        for _ in 0..3_000 {
            let root = Supervisor::builder("root").actor("other", || Other);
            let tree = root.start(&bus).await.unwrap();
            assert!(bus.spawn_named("root/other", Other).is_err());
            tree.shutdown().await.unwrap();
            assert!(bus.lookup::<Other>("root/other").is_none());
            let other = bus.spawn_named("root/other", Other).unwrap();
            other.stop();
            other.ended().await;
        }
    });
}
