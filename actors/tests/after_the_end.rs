//! Whoever comes to a bus while it shuts down, or afterwards.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use common::{Tick, on_both_runtimes};
use mycelium::tree::{Child, ExitReason, Notice};
use mycelium::{
    Actor, BoxError, Context, Handler, MessageBus, PublishError, SpawnError, Subscriptions, Supervisor,
};

#[test]
fn a_topic_that_is_first_used_after_a_shutdown_is_closed() {
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        bus.shutdown().await.unwrap();
        assert!(matches!(bus.subscriber::<Tick>(), Err(SpawnError::Closed)));
        bus.resume_ingress();
        if let Ok(publisher) = bus.publisher::<Tick>() {
            assert!(matches!(publisher.publish(Tick(1)).await, Err(PublishError::Closed(_))));
        }
    });
}

/// Takes as long to say what it subscribes to as it is kept.
struct Slow(Mutex<Option<mpsc::Receiver<()>>>, mpsc::Sender<()>);
impl Actor for Slow {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        self.1.send(()).unwrap();
        self.0.lock().unwrap().take().unwrap().recv().unwrap();
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Slow {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn an_actor_that_is_spawned_across_a_shutdown_is_refused() {
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        let ((go, wait), (begun, begins)) = (mpsc::channel(), mpsc::channel());
        let (other, runtime) = (bus.clone(), tokio::runtime::Handle::current());
        let spawner = std::thread::spawn(move || {
            let _entered = runtime.enter();
            other.spawn(Slow(Mutex::new(Some(wait)), begun)).map(drop)
        });
        begins.recv().unwrap();
        bus.shutdown().await.unwrap();
        go.send(()).unwrap();
        assert!(matches!(spawner.join().unwrap(), Err(SpawnError::Closed)));
        assert_eq!(bus.alive(), 0);
    });
}

/// Panics when it is dropped.
struct Spite;
impl Drop for Spite {
    fn drop(&mut self) {
        panic!("spite");
    }
}

struct Quiet;
impl Actor for Quiet {
    type Error = BoxError;
}

#[test]
fn a_panic_whose_payload_panics_is_a_failed_start_and_no_more() {
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        let child = Child::actor("spiteful", || -> Quiet { panic_any(Spite) });
        let below = Supervisor::builder("below").child(child);
        let root = Supervisor::builder("root").actor("quiet", || Quiet).supervisor(below);
        assert!(root.start(&bus).await.is_err());
        assert_eq!(bus.alive(), 0);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn an_observer_whose_panic_panics_costs_its_tree_nothing() {
    on_both_runtimes(async || {
        let (bus, seen) = (MessageBus::new(), Arc::new(Mutex::new(0)));
        let sees = Arc::clone(&seen);
        let root = Supervisor::builder("root").actor("quiet", || Quiet).on_event(move |_, _: &Notice| {
            *sees.lock().unwrap() += 1;
            panic_any(Spite)
        });
        let tree = root.start(&bus).await.unwrap();
        assert!(tree.lookup::<Quiet>("root/quiet").unwrap().is_alive());
        tree.shutdown().await.unwrap();
        assert!(*seen.lock().unwrap() >= 2);
    });
}

#[test]
fn a_factory_whose_drop_panics_costs_its_supervisor_nothing() {
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        let below = Supervisor::builder("below").actor("quiet", || Quiet);
        let tree = Supervisor::builder("root").supervisor(below).start(&bus).await.unwrap();
        let quiet = tree.lookup::<Quiet>("root/below/quiet").unwrap();
        let spite = Spite;
        let child = Child::actor("spiteful", move || {
            let _ = &spite;
            Quiet
        });
        tree.start_child("root/below", child).await.unwrap();
        tree.terminate_child("root/below/spiteful").await.unwrap();
        tree.delete_child("root/below/spiteful").await.unwrap();
        assert_eq!(tree.count_children("root/below").await.unwrap().active, 1);
        assert!(quiet.is_alive());
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_tree_whose_runtime_goes_while_a_thread_unwinds_was_killed() {
    let started = Mutex::new(None);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let below = Supervisor::builder("below").actor("quiet", || Quiet);
        let root = Supervisor::builder("root").supervisor(below);
        let tree = runtime.block_on(root.start(&MessageBus::new())).unwrap();
        *started.lock().unwrap() = Some(tree);
        panic!("told to unwind");
    }));
    assert!(unwound.is_err());
    let tree = started.into_inner().unwrap().unwrap();
    assert_eq!(tree.end_reason(), Some(ExitReason::Killed), "no supervisor has panicked");
}
