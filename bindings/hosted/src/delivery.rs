//! The thread that calls callbacks.
//!
//! A runtime has one. It belongs to the foreign language from its first callback on ([`ThreadHooks`]), sleeps
//! where its messages lie and calls for all of them in one go: no message changes threads on its way.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use mycelium::{ThreadHooks, WireDelivery, WireMessage, WireSubscriber};

use crate::wait::Parking;
use crate::{Error, Failure};

/// How many messages of one subscription are delivered before another one has its turn (messages).
const TURN: usize = 256;

/// What is called for each message.
pub(crate) type Callback = Box<dyn FnMut(&WireDelivery<'_>) -> Result<(), Failure> + Send>;

/// A callback of a runtime: [`Runtime::unsubscribe`](crate::Runtime::unsubscribe) takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallbackId(u64);

/// One subscription with its callback.
struct Line {
    id: CallbackId,
    /// Cleared when it is called no more.
    wanted: Arc<AtomicBool>,
    subscriber: WireSubscriber,
    held: Option<WireMessage>,
    finished: bool,
    callback: Callback,
}

/// What others tell the thread, and it them.
#[derive(Default)]
struct Orders {
    next: u64,
    added: Vec<Line>,
    /// Those that exist.
    known: Vec<(CallbackId, Arc<AtomicBool>)>,
    removed: HashSet<CallbackId>,
    ended: bool,
}

struct Post {
    parking: Arc<Parking>,
    orders: Mutex<Orders>,
    changed: Condvar,
    /// Whether there are orders.
    news: AtomicBool,
    /// Whether it ends when nothing waits any more.
    finishing: AtomicBool,
    failures: AtomicU64,
    last_failure: Mutex<Option<Failure>>,
}

/// The handle of a delivery thread.
#[derive(Clone)]
pub(crate) struct Delivery {
    post: Arc<Post>,
    thread: thread::ThreadId,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Delivery {
    /// Starts the thread.
    pub(crate) fn start(hooks: Arc<dyn ThreadHooks>) -> Result<Self, Error> {
        let post = Arc::new(Post {
            parking: Arc::default(),
            orders: Mutex::default(),
            changed: Condvar::new(),
            news: AtomicBool::new(false),
            finishing: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            last_failure: Mutex::default(),
        });
        let of_thread = Arc::clone(&post);
        let thread = thread::Builder::new()
            .name("mycelium-calls".to_owned())
            .spawn(move || run(&of_thread, &*hooks))
            .map_err(|error| Error::Threads(error.to_string()))?;
        Ok(Self { post, thread: thread.thread().id() })
    }

    pub(crate) fn add(&self, subscriber: WireSubscriber, callback: Callback) -> Result<CallbackId, Error> {
        let wanted = Arc::new(AtomicBool::new(true));
        let mut orders = lock(&self.post.orders);
        if orders.ended {
            return Err(Error::Closed { what: "the runtime" });
        }
        let id = CallbackId(orders.next);
        orders.next += 1;
        orders.known.push((id, Arc::clone(&wanted)));
        orders.added.push(Line { id, wanted, subscriber, held: None, finished: false, callback });
        drop(orders);
        self.post.tell();
        Ok(id)
    }

    /// Ends a subscription: whether there was one. When this returns its callback does not run and will not,
    /// and is dropped; called from a callback, it is dropped when that has returned.
    pub(crate) fn remove(&self, id: CallbackId) -> bool {
        let mut orders = lock(&self.post.orders);
        let Some(at) = orders.known.iter().position(|(known, _)| *known == id) else { return false };
        let first = !orders.removed.contains(&id);
        orders.known[at].1.store(false, Ordering::SeqCst);
        orders.removed.insert(id);
        drop(orders);
        self.post.tell();
        if !self.is_here() {
            let gone = |orders: &mut Orders| !orders.known.iter().any(|(known, _)| *known == id);
            let orders = lock(&self.post.orders);
            drop(self.post.changed.wait_while(orders, |orders| !gone(orders)));
        }
        first
    }

    /// Whether this thread is the one.
    pub(crate) fn is_here(&self) -> bool {
        thread::current().id() == self.thread
    }

    /// Delivers what waits, and ends; whether it has by then.
    pub(crate) fn finish(&self, limit: Duration) -> bool {
        self.post.finishing.store(true, Ordering::SeqCst);
        self.post.tell();
        let ended = self.wait_end(limit);
        if !ended {
            self.stop();
        }
        ended
    }

    /// Ends as soon as the callback that runs has returned.
    pub(crate) fn stop(&self) {
        self.post.parking.stop();
    }

    fn wait_end(&self, limit: Duration) -> bool {
        let deadline = Instant::now().checked_add(limit);
        let mut orders = lock(&self.post.orders);
        while !orders.ended {
            let left = deadline.map_or(limit, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            let waited = self.post.changed.wait_timeout(orders, left);
            orders = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// How many callbacks have failed, and how the last one.
    pub(crate) fn failures(&self) -> (u64, Option<Failure>) {
        (self.post.failures.load(Ordering::Relaxed), lock(&self.post.last_failure).clone())
    }
}

impl Post {
    /// There are orders.
    fn tell(&self) {
        self.news.store(true, Ordering::SeqCst);
        std::task::Waker::from(Arc::clone(&self.parking)).wake();
    }

    /// Does what was ordered.
    fn obey(&self, lines: &mut Vec<Line>) {
        if !self.news.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut orders = lock(&self.orders);
        lines.append(&mut orders.added);
        let removed = std::mem::take(&mut orders.removed);
        drop(orders);
        if removed.is_empty() {
            return;
        }
        // Callbacks are dropped here, on their thread, and where no lock is held.
        lines.retain(|line| !removed.contains(&line.id));
        lock(&self.orders).known.retain(|(id, _)| !removed.contains(id));
        self.changed.notify_all();
    }

    fn failed(&self, failure: Failure) {
        tracing::error!(target: "mycelium::hosted", %failure, "a callback has failed");
        self.failures.fetch_add(1, Ordering::Relaxed);
        *lock(&self.last_failure) = Some(failure);
    }

    /// Nothing is called any more.
    fn ended(&self) {
        let mut orders = lock(&self.orders);
        orders.ended = true;
        orders.known.clear();
        let added = std::mem::take(&mut orders.added);
        drop(orders);
        self.changed.notify_all();
        drop(added);
    }
}

fn run(post: &Arc<Post>, hooks: &dyn ThreadHooks) {
    struct Ended<'a>(&'a Post, &'a dyn ThreadHooks);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.1.ended();
            self.0.ended();
        }
    }
    let _ended = Ended(post, hooks);
    hooks.started();
    let mut lines = Vec::new();
    while !post.parking.is_stopped() {
        post.obey(&mut lines);
        // Not lazily: each has its turn.
        let delivered = lines.iter_mut().map(|line| line.deliver(post)).sum::<usize>();
        if delivered > 0 {
            continue;
        }
        if post.finishing.load(Ordering::SeqCst) && !post.news.load(Ordering::SeqCst) {
            break;
        }
        post.parking.wait(None, Some(hooks), |cx| {
            let mut ready = post.news.load(Ordering::SeqCst);
            for line in &mut lines {
                ready |= line.poll(cx);
            }
            if ready { Poll::Ready(()) } else { Poll::Pending }
        });
    }
}

impl Line {
    /// Calls for the messages that wait, a turn of them; how many.
    fn deliver(&mut self, post: &Post) -> usize {
        let Self { wanted, subscriber, held, callback, .. } = self;
        let mut call = |delivery: &WireDelivery<'_>| {
            if post.parking.is_stopped() || !wanted.load(Ordering::Relaxed) {
                return;
            }
            let called = catch_unwind(AssertUnwindSafe(|| callback(delivery)));
            match called {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => post.failed(failure),
                Err(panic) => post.failed(Failure::new(format!("panicked: {}", text_of(&*panic)))),
            }
        };
        let first = held.take();
        first.iter().for_each(|message| call(&message.delivery()));
        usize::from(first.is_some()) + subscriber.drain(TURN, |delivery| call(&delivery))
    }

    /// Whether a message is there.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if self.finished || self.held.is_some() {
            return self.held.is_some();
        }
        match self.subscriber.poll_recv(cx) {
            Poll::Ready(Some(message)) => self.held = Some(message),
            Poll::Ready(None) => self.finished = true,
            Poll::Pending => {}
        }
        self.held.is_some()
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}
