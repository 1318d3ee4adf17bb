//! Many messages at once: every message is shown once, in order, and belongs to one batch.

use std::sync::{Arc, Mutex};

use mycelium::{
    Actor, BoxError, Context, Handler, Responder, Service, ServiceContext, Subscription, Subscriptions,
};

use crate::common::{Flush, Heard, Tick, Tock};
use crate::host::Host;

/// Keeps what it has handled, batch by batch.
#[derive(Default)]
struct Ledger {
    open: Vec<u64>,
    closed: Vec<Vec<u64>>,
}
impl Actor for Ledger {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn batch_ended(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.closed.push(std::mem::take(&mut self.open));
        Ok(())
    }
}
impl Handler<Tick> for Ledger {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.open.push(tick.0);
        Ok(())
    }
}
impl Responder<Flush> for Ledger {
    type Reply = (usize, Vec<u64>);
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> (usize, Vec<u64>) {
        (self.open.len(), self.closed.concat())
    }
}

conformance!(every_message_is_in_one_batch_and_no_batch_stays_open_at_rest);
fn every_message_is_in_one_batch_and_no_batch_stays_open_at_rest<H: Host>() {
    let mut host = H::new();
    let ledger = host.spawn(Ledger::default()).unwrap();
    for n in 0..200 {
        host.publish(Tick(n)).unwrap();
        if n % 40 == 0 {
            host.settle();
        }
    }
    host.settle();
    assert_eq!(host.ask(&ledger, Flush).unwrap(), (0, (0..200).collect()));
}

/// Drains its ticks until it has seen so many, at most seven at once.
struct Drainer(u64, Heard, Arc<Mutex<Vec<(u64, u64)>>>);
impl Service for Drainer {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe(Subscription::<Tick>::block().capacity(16))?;
        self.1.add("subscribed");
        let mut seen = 0;
        while seen < self.0 {
            let waited =
                ticks.recv_many(7, |one| self.2.lock().unwrap().push((one.message.0, one.stamp))).await;
            assert!((1..=7).contains(&waited), "{waited} at once");
            let drained = ticks.drain(7, |one| self.2.lock().unwrap().push((one.message.0, one.stamp)));
            seen += waited as u64 + drained as u64;
        }
        Ok(())
    }
}

/// Publishes ticks and tocks in turn, and waits where there is no room.
struct Feed(u64);
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for n in 0..self.0 {
            ctx.publish(Tick(n)).await?;
            ctx.publish(Tock(n)).await?;
        }
        Ok(())
    }
}

conformance!(a_drain_shows_every_message_once_in_the_order_of_the_bus);
fn a_drain_shows_every_message_once_in_the_order_of_the_bus<H: Host>() {
    const ALL: u64 = 1_000;
    let mut host = H::new();
    let (heard, seen) = (Heard::default(), Arc::<Mutex<Vec<(u64, u64)>>>::default());
    let drainer = host.spawn_service(Drainer(ALL, heard.clone(), Arc::clone(&seen))).unwrap();
    host.until(|| !heard.words().is_empty());
    let feed = host.spawn_service(Feed(ALL)).unwrap();
    host.service_ended(&feed);
    host.service_ended(&drainer);
    let seen = seen.lock().unwrap();
    assert!(seen.iter().map(|(tick, _)| *tick).eq(0..ALL), "{seen:?}");
    assert!(seen.is_sorted_by_key(|(_, stamp)| *stamp), "{seen:?}");
}
