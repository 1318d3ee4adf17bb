//! What tests of queues share: a minimal executor, which parks the thread until woken, and subscriptions.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use mycelium_mailbox::{Doorbell, Overflow, Stamps, SubscribeOptions, Subscription, Topic};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `future` to its end on this thread, sleeping while it waits.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static WAKER: Waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    }
    let mut future = pin!(future);
    WAKER.with(|waker| {
        let mut cx = Context::from_waker(waker);
        loop {
            match future.as_mut().poll(&mut cx) {
                Poll::Ready(output) => return output,
                Poll::Pending => std::thread::park(),
            }
        }
    })
}

/// Counts how often its waker was used.
pub(crate) struct Counter {
    wakes: Arc<Wakes>,
    waker: Waker,
}

struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counter {
    pub(crate) fn new() -> Self {
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&wakes));
        Self { wakes, waker }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn count(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }
}

pub(crate) fn topic<M: Clone + Send + Sync + 'static>(capacity: u32) -> Topic<M> {
    Topic::new(Arc::new(Stamps::new()), capacity)
}

pub(crate) fn subscribe<M: Clone + Send + Sync + 'static>(
    topic: &Topic<M>,
    id: u64,
    overflow: Overflow<M>,
) -> Subscription<M> {
    let options = SubscribeOptions { id, overflow, ..SubscribeOptions::default() };
    topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
}
