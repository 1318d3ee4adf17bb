//! `Context::interrupted_by`: for how long it counts.
#![forbid(unsafe_code)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::with_ever_longer_limits;
use mycelium::tree::{Child, Health};
use mycelium::{Context, MessageBus, Result, Supervisor, actor};

/// What has happened in all lives.
#[derive(Default)]
struct Record {
    lives: AtomicU32,
    interrupts: AtomicU32,
}

/// Says in its first life alone how it is interrupted.
struct Once(Arc<Record>);

enum Order {
    Fail,
    Hang,
}

struct Lives;

#[actor]
impl Once {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        if self.0.lives.fetch_add(1, Ordering::SeqCst) == 0 {
            let record = Arc::clone(&self.0);
            assert!(ctx.interrupted_by(move |_| _ = record.interrupts.fetch_add(1, Ordering::SeqCst)));
        }
    }

    #[on(direct)]
    async fn obey(&mut self, order: &Order, _: &mut Context<Self>) -> Result {
        match order {
            Order::Fail => Err("as it was told".into()),
            Order::Hang => std::future::pending().await,
        }
    }

    #[ask]
    fn lives(&self, _: &Lives) -> u32 {
        self.0.lives.load(Ordering::SeqCst)
    }
}

#[test]
fn what_one_life_has_said_of_interrupts_does_not_count_for_the_next() {
    with_ever_longer_limits(interrupts_of_each_life);
}

async fn interrupts_of_each_life(limit: Duration) {
    for (first, interrupts) in [(Order::Hang, 1), (Order::Fail, 0)] {
        let (bus, record) = (MessageBus::new(), Arc::<Record>::default());
        let own = Arc::clone(&record);
        let child = Child::actor("once", move || Once(Arc::clone(&own)));
        let child = child.health(Health::within(limit).restart());
        let root = Supervisor::builder("root").intensity(9, Duration::from_secs(60)).child(child);
        let tree = root.start(&bus).await.unwrap();
        let once = tree.lookup::<Once>("root/once").unwrap();
        once.tell(first).await.unwrap();
        assert_eq!(once.ask(Lives).await.unwrap(), 2);
        once.tell(Order::Hang).await.unwrap();
        assert_eq!(once.ask(Lives).await.unwrap(), 3);
        assert_eq!(record.interrupts.load(Ordering::SeqCst), interrupts);
        assert_eq!(Arc::strong_count(&record), 3, "the test, the factory and the actor of this life");
        tree.shutdown().await.unwrap();
    }
}

/// Does nothing.
struct Idle(#[allow(dead_code)] Arc<Record>);

#[actor]
impl Idle {}

/// Says that it is interrupted by code that panics.
struct Faulty(Arc<Record>);

#[actor]
impl Faulty {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        self.0.lives.fetch_add(1, Ordering::SeqCst);
        let record = Arc::clone(&self.0);
        let interrupt = move |_: &str| {
            record.interrupts.fetch_add(1, Ordering::SeqCst);
            panic!("told to");
        };
        assert!(ctx.interrupted_by(interrupt));
    }

    #[on(direct)]
    async fn hang(&mut self, _: &Order, _: &mut Context<Self>) {
        std::future::pending::<()>().await;
    }

    #[ask]
    fn lives(&self, _: &Lives) -> u32 {
        self.0.lives.load(Ordering::SeqCst)
    }
}

#[test]
fn an_interrupt_that_panics_costs_its_supervisor_nothing_and_the_handler_is_given_up() {
    with_ever_longer_limits(interrupts_that_panic);
}

async fn interrupts_that_panic(limit: Duration) {
    let (bus, record) = (MessageBus::new(), Arc::<Record>::default());
    let (own, other) = (Arc::clone(&record), Arc::<Record>::default());
    let child = Child::actor("faulty", move || Faulty(Arc::clone(&own)));
    let child = child.health(Health::within(limit).restart());
    let root = Supervisor::builder("root").intensity(9, Duration::from_secs(60)).child(child);
    let tree = root.actor("other", move || Idle(Arc::clone(&other))).start(&bus).await.unwrap();
    let faulty = tree.lookup::<Faulty>("root/faulty").unwrap();
    for life in 2..5 {
        faulty.tell(Order::Hang).await.unwrap();
        assert_eq!(faulty.ask(Lives).await.unwrap(), life);
    }
    assert_eq!(record.interrupts.load(Ordering::SeqCst), 3);
    assert_eq!(tree.end_reason(), None);
    tree.shutdown().await.unwrap();
}
