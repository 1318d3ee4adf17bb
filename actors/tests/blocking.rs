//! Threads that are not async: recipients, pools and bytes.

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::wire::{Mine, Price, bytes, header};
use common::{Heard, PERIOD, on_both_runtimes};
use mycelium::pool::{Pool, PoolRef};
use mycelium::tree::Builder;
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, MessageBus, Recipient, Subscription, Subscriptions,
    Supervisor, TellError,
};
use tokio::sync::Semaphore;

const MESSAGES: u64 = 200;

/// Handles as many messages as it has permits for.
#[derive(Clone)]
struct Gate {
    permits: Arc<Semaphore>,
    heard: Heard,
}

impl Gate {
    fn new(permits: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)), heard: Heard::default() }
    }
    async fn pass(&self, word: String) -> Result<(), BoxError> {
        self.permits.acquire().await?.forget();
        self.heard.add(word);
        Ok(())
    }
    fn pool(&self, workers: usize) -> Builder {
        let worker = self.clone();
        let pool = Pool::new(move || worker.clone()).workers(workers).supervisor("pool");
        Supervisor::builder("root").supervisor(pool.intensity(9, PERIOD))
    }
}

impl Actor for Gate {
    type Error = BoxError;
}
impl Handler<u64> for Gate {
    async fn handle(&mut self, number: &u64, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.pass(number.to_string()).await
    }
}

/// Hears prices, of which two fit.
struct Market(Gate);
impl Actor for Market {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with::<Price>(Subscription::block().capacity(2));
    }
}
impl Handler<Price> for Market {
    async fn handle(&mut self, price: &Price, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.pass(price.at.to_string()).await
    }
}

/// Has a thread send all messages, of which few have room, and lets them through when it waits.
async fn sent_by_a_thread(gate: &Gate, mut send: impl FnMut(u64) + Send + 'static) {
    let sent = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&sent);
    let sending = thread::spawn(move || {
        for number in 0..MESSAGES {
            send(number);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    while sent.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(sent.load(Ordering::SeqCst) < 20, "the others have no room");
    gate.permits.add_permits(MESSAGES as usize);
    while !sending.is_finished() {
        tokio::task::yield_now().await;
    }
    sending.join().unwrap();
    gate.heard.wait_for(&(MESSAGES - 1).to_string()).await;
    let mut heard: Vec<u64> = gate.heard.take().iter().map(|word| word.parse().unwrap()).collect();
    heard.sort_unstable();
    assert_eq!(heard, (0..MESSAGES).collect::<Vec<_>>());
}

#[test]
fn a_thread_waits_for_room_through_recipients_and_pools_and_with_bytes() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().inbox_capacity(2).contract(Mine).build();
        let gate = Gate::new(0);
        let recipient: Recipient<u64> = bus.spawn(gate.clone()).unwrap().recipient();
        sent_by_a_thread(&gate, move |number| recipient.tell_blocking(number).unwrap()).await;

        // Of one worker, so that the last message is the last one handled.
        let gate = Gate::new(0);
        let tree = gate.pool(1).start(&bus).await.unwrap();
        let pool: PoolRef<Gate> = tree.lookup_pool("root/pool").unwrap();
        let through = pool.clone();
        sent_by_a_thread(&gate, move |number| through.tell_blocking(number).unwrap()).await;
        let recipient: Recipient<u64> = pool.recipient();
        gate.permits.forget_permits(usize::MAX);
        sent_by_a_thread(&gate, move |number| recipient.tell_blocking(number).unwrap()).await;

        let gate = Gate::new(0);
        bus.spawn(Market(gate.clone())).unwrap();
        let publisher = bus.clone();
        sent_by_a_thread(&gate, move |number| {
            let price = Price { at: i64::try_from(number).unwrap() };
            publisher.publish_wire_blocking(&header::<Price>(), &bytes(&price)).unwrap();
        })
        .await;
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_thread_that_waits_has_an_error_when_the_pool_is_stopped() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().inbox_capacity(1).build();
        let gate = Gate::new(0);
        let tree = gate.pool(1).start(&bus).await.unwrap();
        let pool: PoolRef<Gate> = tree.lookup_pool("root/pool").unwrap();
        let (teller, told) = (pool.clone(), Arc::<AtomicUsize>::default());
        let count = Arc::clone(&told);
        let tell = move |number| {
            count.fetch_add(1, Ordering::SeqCst);
            teller.tell_blocking(number).err()
        };
        let telling = thread::spawn(move || (0_u64..).find_map(tell));
        // One is in hand or waits, so that the next one has no room, or the one after it.
        while told.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        gate.permits.add_permits(1 << 40);
        pool.stop_gracefully().await.unwrap();
        while !telling.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(matches!(telling.join().unwrap(), Some(TellError::Stopped(..))));
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn in_an_isolate_nobody_waits_and_the_error_says_who_is_full() {
    let mut isolate = Isolate::new(1);
    let gate = Gate::new(0);
    let tree = isolate.supervise(&gate.pool(1)).unwrap();
    let pool: PoolRef<Gate> = tree.lookup_pool("root/pool").unwrap();
    let recipient: Recipient<u64> = pool.workers()[0].recipient();
    let through_pool: Recipient<u64> = pool.recipient();
    // The first one keeps the worker, which waits for something that nobody does here.
    pool.tell_blocking(0_u64).unwrap();
    isolate.run().unwrap_err();
    let mut told = 1_u64;
    let refused = loop {
        match pool.tell_blocking(told) {
            Ok(()) => told += 1,
            Err(error) => break error,
        }
        isolate.run().unwrap_err();
    };
    let whose = |error: TellError<u64>| match error {
        TellError::Full(number, Some(whose)) if number == told => whose.to_string(),
        error => panic!("{error}"),
    };
    assert_eq!(whose(refused), "root/pool");
    assert_eq!(whose(through_pool.tell_blocking(told).unwrap_err()), "root/pool");
    assert_eq!(whose(recipient.tell_blocking(told).unwrap_err()), "root/pool/worker-1");
}
