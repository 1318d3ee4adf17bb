//! A program's log that panics over a line of a tree costs the tree nothing.
#![forbid(unsafe_code)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use std::time::Duration;

use mycelium::resilience::{BreakerPolicy, CircuitBreaker};
use mycelium::tree::Child;
use mycelium::{
    BoxError, Isolate, MessageBus, Result, ServiceContext, StopReason, Supervisor, actor, service,
};

use common::log::{PanickingLog, hear};

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
    let _guard = hear(PanickingLog::default());
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
    let _guard = hear(PanickingLog::default());
    let tree = root(&lives).start(&bus).await.unwrap();
    let child = tree.lookup::<Fails>("root/fails").unwrap();
    child.tell(()).await.unwrap();
    while lives.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    assert!(child.is_alive());
    tree.shutdown().await.unwrap();
}

struct FailingService;

#[service]
impl FailingService {
    async fn run(&mut self, _: &ServiceContext) -> Result {
        Err("as it was told".into())
    }
}

/// Asks the other one when it is told so, which does the same.
#[derive(Default)]
struct Asks(Option<mycelium::ActorRef<Asks>>);
struct Meet(mycelium::ActorRef<Asks>);
struct Go;
struct Whatever;

#[actor]
impl Asks {
    #[on(direct)]
    fn meet(&mut self, other: &Meet) {
        self.0 = Some(other.0.clone());
    }
    #[on(direct)]
    async fn go(&mut self, _: &Go) -> Result {
        let other = self.0.clone().ok_or("alone")?;
        Ok(other.ask(Whatever).await?)
    }
    #[ask]
    fn whatever(&self, _: &Whatever) {}
}

#[tokio::test(flavor = "current_thread")]
async fn a_log_that_panics_costs_no_member_of_a_bus_its_end() {
    let bus = MessageBus::builder().circle_after(Duration::from_millis(10)).build();
    let _guard = hear(PanickingLog::default());
    let fails = bus.spawn(Fails(Arc::default())).unwrap();
    for _ in 0..3 {
        fails.tell(()).await.unwrap();
    }
    assert_eq!(fails.ended().await, StopReason::Failed("as it was told".into()));
    let letters = bus.dead_letters();
    assert_eq!((letters.in_hand, letters.waiting), (1, 2), "each line of a dead letter panics");
    let service = bus.spawn_service(FailingService).unwrap();
    assert_eq!(service.ended().await, StopReason::Failed("as it was told".into()));
    assert_eq!(bus.alive(), 0);
    // Two that wait for each other, of whom the log would tell.
    let [left, right] = [(); 2].map(|()| bus.spawn(Asks::default()).unwrap());
    left.tell(Meet(right.clone())).await.unwrap();
    right.tell(Meet(left.clone())).await.unwrap();
    left.tell(Go).await.unwrap();
    right.tell(Go).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    left.kill();
    right.ended().await;
    bus.shutdown().await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn a_log_that_panics_costs_a_circuit_breaker_nothing() {
    let clock = MessageBus::new().clock();
    let _guard = hear(PanickingLog::default());
    let breaker = CircuitBreaker::new("venue", BreakerPolicy::default()).unwrap();
    let call = || breaker.call(&clock, async { Err::<(), BoxError>("down".into()) });
    while call().await.is_err_and(|error| !error.is_refused()) {}
}
