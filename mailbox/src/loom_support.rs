//! What the models share: how they are explored, and small receivers.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Notify;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::sync::Arc;
use crate::{
    Doorbell, Inbox, InboxOptions, Source, Stamps, SubscribeOptions, Subscription, Topic, poll_pick,
};

/// How many times an execution may preempt a thread.
const PREEMPTIONS_MAX: usize = 2;

pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.check(model);
}

std::thread_local! {
    /// Whether the model of this thread, which all threads of the model run on, has no `model_fence`.
    pub(crate) static WITHOUT_FENCES: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The same for what holds by locks alone: see [`model_fence`](crate::sync::model_fence).
pub(crate) fn explore_without_fences(model: impl Fn() + Send + Sync + 'static) {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            WITHOUT_FENCES.set(false);
        }
    }
    let _restore = Restore;
    WITHOUT_FENCES.set(true);
    explore(model);
}

/// Wakes a sleeping thread. Not `unpark`, which in loom also frees threads that are blocked on something
/// else.
struct Notifier {
    notify: Notify,
    /// Whether it has woken since the last sleep. No part of the model: one thread at a time runs in it.
    woken: std::sync::atomic::AtomicBool,
}

impl Wake for Notifier {
    fn wake(self: StdArc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.notify.notify();
    }
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let notifier = StdArc::new(Notifier { notify: Notify::new(), woken: false.into() });
    let waker = Waker::from(StdArc::clone(&notifier));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        let woken = notifier.woken.load(Ordering::SeqCst);
        notifier.notify.wait();
        notifier.woken.store(false, Ordering::SeqCst);
        if woken {
            // A future that woke itself waits for another thread to get on: let it.
            thread::yield_now();
        }
    }
}

pub(crate) fn topic<M: Clone + Send + Sync + 'static>(capacity: u32) -> Topic<M> {
    Topic::new(Arc::new(Stamps::new()), capacity)
}

/// One receiver of one topic.
pub(crate) struct Receiver<M: Clone + Send + Sync + 'static> {
    pub(crate) sources: [Subscription<M>; 1],
    pub(crate) bell: Arc<Doorbell>,
}

impl<M: Clone + Send + Sync + 'static> Receiver<M> {
    pub(crate) fn new(topic: &Topic<M>, options: SubscribeOptions<M>) -> Self {
        let bell = Arc::new(Doorbell::new());
        Self { sources: [topic.subscribe(Arc::clone(&bell), options).unwrap()], bell }
    }

    /// Sleeps until a message is there, and takes it.
    pub(crate) fn next(&mut self) -> M {
        block_on(poll_fn(|cx| poll_pick(&mut self.sources, &self.bell, cx)));
        let message = self.sources[0].peek().unwrap().message.clone();
        self.sources[0].advance();
        message
    }

    /// Passes the message that is there, without going to sleep, which would commit and wake everybody.
    pub(crate) fn pass(&mut self) {
        assert!(self.sources[0].head().is_some());
        self.sources[0].advance();
    }
}

/// A message that counts its living copies.
#[derive(Debug)]
pub(crate) struct Counted(StdArc<AtomicUsize>);

impl Counted {
    pub(crate) fn new(alive: &StdArc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(StdArc::clone(alive))
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) fn inbox<T>(capacity: u32, bell: &Arc<Doorbell>, stamps: &Arc<Stamps>) -> Inbox<T> {
    let options = InboxOptions { capacity, ..InboxOptions::default() };
    Inbox::new(Arc::clone(stamps), Arc::clone(bell), options)
}

/// The only source of a receiver.
pub(crate) fn one_inbox<T>(capacity: u32) -> ([Inbox<T>; 1], Arc<Doorbell>) {
    let bell = Arc::new(Doorbell::new());
    ([inbox(capacity, &bell, &Arc::new(Stamps::new()))], bell)
}

/// Sleeps until a message is there, and takes it.
pub(crate) fn receive<T: Copy>(inboxes: &mut [Inbox<T>], bell: &Doorbell) -> T {
    let picked = block_on(poll_fn(|cx| poll_pick(inboxes, bell, cx)));
    inboxes[picked.index].take().unwrap()
}

/// The sum of all that comes until the last sender has gone.
pub(crate) fn receive_all(inboxes: &mut [Inbox<u64>; 1], bell: &Doorbell) -> u64 {
    let mut sum = 0;
    block_on(poll_fn(|cx| {
        while poll_pick(inboxes, bell, cx).is_ready() {
            sum += inboxes[0].take().unwrap();
        }
        if inboxes[0].is_finished() { Poll::Ready(()) } else { Poll::Pending }
    }));
    sum
}
