//! A program's log that panics over a line of a tree costs the tree nothing.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mycelium::tree::Child;
use mycelium::{Isolate, MessageBus, Result, Supervisor, actor};
use tracing::span;

/// Panics over each line of a supervisor.
struct Panics;

impl tracing::Subscriber for Panics {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "mycelium::supervision"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        panic!("the log is full");
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Fails(Arc<AtomicU32>);

#[actor]
impl Fails {
    #[started]
    fn begin(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    #[on(direct)]
    fn fail(&mut self, _: &()) -> Result {
        Err("as it was told".into())
    }
}

/// A tree whose child counts its lives, and whose observer panics, too.
fn root(lives: &Arc<AtomicU32>) -> mycelium::tree::Builder {
    let lives = Arc::clone(lives);
    let child = Child::actor("fails", move || Fails(Arc::clone(&lives)));
    Supervisor::builder("root").child(child).on_event(|_, _| panic!("told to"))
}

#[test]
fn a_log_that_panics_in_an_isolate_leaves_no_report_behind() {
    let (mut isolate, lives) = (Isolate::new(1), Arc::<AtomicU32>::default());
    let _guard = tracing::subscriber::set_default(Panics);
    let tree = isolate.supervise(&root(&lives)).unwrap();
    isolate.run().unwrap();
    let child = tree.lookup::<Fails>("root/fails").unwrap();
    isolate.tell(&child, ()).unwrap();
    isolate.run().unwrap();
    assert_eq!((lives.load(Ordering::SeqCst), child.is_alive()), (2, true));
}

#[tokio::test(flavor = "current_thread")]
async fn a_log_that_panics_on_a_bus_costs_the_tree_nothing() {
    let (bus, lives) = (MessageBus::new(), Arc::<AtomicU32>::default());
    let _guard = tracing::subscriber::set_default(Panics);
    let tree = root(&lives).start(&bus).await.unwrap();
    let child = tree.lookup::<Fails>("root/fails").unwrap();
    child.tell(()).await.unwrap();
    while lives.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    assert!(child.is_alive());
    tree.shutdown().await.unwrap();
}
