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
use std::time::Duration;

use mycelium::{ThreadHooks, WireDelivery, WireMessage, WireSubscriber, WireTopics};

use crate::runtime::STACK_BYTES;
use crate::wait::{Ending, Parking};
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

/// One that exists, for others to know.
struct LineEntry {
    id: CallbackId,
    wanted: Arc<AtomicBool>,
    topics: WireTopics,
}

/// What others tell the thread, and it them.
#[derive(Default)]
struct Orders {
    next: u64,
    added: Vec<Line>,
    /// Those that exist.
    known: Vec<LineEntry>,
    removed: HashSet<CallbackId>,
    /// Whether no more are taken.
    refuses: bool,
    /// Whether the thread has nothing of the foreign language any more.
    ended: bool,
    /// Nothing with a later stamp than this is delivered: it ends when the rest is.
    last: Option<u64>,
}

struct Post {
    parking: Arc<Parking>,
    orders: Mutex<Orders>,
    changed: Condvar,
    /// Whether there are orders.
    news: AtomicBool,
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
            failures: AtomicU64::new(0),
            last_failure: Mutex::default(),
        });
        let of_thread = Arc::clone(&post);
        let thread = thread::Builder::new()
            .name("mycelium-calls".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || run(&of_thread, &*hooks))
            .map_err(|error| Error::Threads(error.to_string()))?;
        Ok(Self { post, thread: thread.thread().id() })
    }

    pub(crate) fn add(
        &self,
        topics: WireTopics,
        subscriber: WireSubscriber,
        callback: Callback,
    ) -> Result<CallbackId, Error> {
        let wanted = Arc::new(AtomicBool::new(true));
        let mut orders = lock(&self.post.orders);
        if orders.refuses {
            return Err(Error::Closed { what: "the runtime" });
        }
        let id = CallbackId(orders.next);
        orders.next += 1;
        orders.known.push(LineEntry { id, wanted: Arc::clone(&wanted), topics });
        orders.added.push(Line { id, wanted, subscriber, held: None, finished: false, callback });
        drop(orders);
        self.post.tell();
        Ok(id)
    }

    /// Ends a subscription: whether there was one. When this returns its callback does not run and will not,
    /// and is dropped; called from a callback, it is dropped when that has returned. Nobody waits for a
    /// callback that a close has given up.
    pub(crate) fn remove(&self, id: CallbackId) -> bool {
        let mut orders = lock(&self.post.orders);
        let Some(at) = orders.known.iter().position(|known| known.id == id) else { return false };
        let first = !orders.removed.contains(&id);
        orders.known[at].wanted.store(false, Ordering::SeqCst);
        orders.removed.insert(id);
        drop(orders);
        self.post.tell();
        if !self.is_here() {
            let there = |orders: &mut Orders| {
                orders.known.iter().any(|known| known.id == id) && !self.post.parking.is_stopped()
            };
            drop(self.post.changed.wait_while(lock(&self.post.orders), there));
        }
        first
    }

    /// Whether this thread is the one.
    pub(crate) fn is_here(&self) -> bool {
        thread::current().id() == self.thread
    }

    /// Whether one of its callbacks hears this topic.
    pub(crate) fn hears(&self, topic: &str) -> bool {
        lock(&self.post.orders).known.iter().any(|known| known.topics.takes(topic))
    }

    /// Delivers what has stamps up to `last`, and ends; whether it has in its time.
    pub(crate) fn finish(&self, last: u64, ending: &Ending, grace: Duration) -> bool {
        lock(&self.post.orders).last = Some(last);
        self.post.tell();
        let ended = self.wait_end(ending, grace);
        if !ended {
            self.stop();
        }
        ended
    }

    /// Ends as soon as the callback that runs has returned.
    pub(crate) fn stop(&self) {
        self.post.parking.stop();
        // Under the lock: whoever is about to wait has seen it, or is woken.
        let _orders = lock(&self.post.orders);
        self.post.changed.notify_all();
    }

    /// Whether it has ended in this time.
    pub(crate) fn wait_end(&self, ending: &Ending, grace: Duration) -> bool {
        ending.wait_while(&self.post.changed, &self.post.orders, grace, |orders| orders.ended)
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

    /// Does what was ordered. `last` is what [`Delivery::finish`] says.
    fn obey(&self, lines: &mut Vec<Line>, last: &mut Option<u64>) {
        if !self.news.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut orders = lock(&self.orders);
        lines.append(&mut orders.added);
        *last = orders.last;
        let removed = std::mem::take(&mut orders.removed);
        drop(orders);
        if removed.is_empty() {
            return;
        }
        // Callbacks are dropped here, on their thread, and where no lock is held.
        lines.retain(|line| !removed.contains(&line.id));
        lock(&self.orders).known.retain(|known| !removed.contains(&known.id));
        self.changed.notify_all();
    }

    fn failed(&self, failure: Failure) {
        tracing::error!(target: "mycelium::hosted", %failure, "a callback has failed");
        self.failures.fetch_add(1, Ordering::Relaxed);
        *lock(&self.last_failure) = Some(failure);
    }

    /// Nothing more is taken: what has not been begun with.
    fn refuse(&self) -> Vec<Line> {
        let mut orders = lock(&self.orders);
        orders.refuses = true;
        std::mem::take(&mut orders.added)
    }

    /// Nothing is called any more.
    fn ended(&self) {
        let mut orders = lock(&self.orders);
        orders.ended = true;
        orders.known.clear();
        drop(orders);
        self.changed.notify_all();
    }
}

fn run(post: &Arc<Post>, hooks: &dyn ThreadHooks) {
    struct Ended<'a>(&'a Post, &'a dyn ThreadHooks);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            // Callbacks are dropped while the thread is the language's.
            drop(self.0.refuse());
            self.1.ended();
            self.0.ended();
        }
    }
    let _ended = Ended(post, hooks);
    hooks.started();
    let (mut lines, mut last) = (Vec::new(), None);
    while !post.parking.is_stopped() {
        post.obey(&mut lines, &mut last);
        // Not lazily: each has its turn.
        let delivered = lines.iter_mut().map(|line| line.deliver(post, last)).sum::<usize>();
        if delivered > 0 {
            continue;
        }
        if last.is_some() && !post.news.load(Ordering::SeqCst) {
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
    /// Calls for the messages that wait, a turn of them; how many. It has finished with the first one whose
    /// stamp is later than `last`. Their times would not tell: over a link comes that of another clock.
    fn deliver(&mut self, post: &Post, last: Option<u64>) -> usize {
        let Self { wanted, subscriber, held, finished, callback, .. } = self;
        if *finished && held.is_none() {
            return 0;
        }
        let last = last.unwrap_or(u64::MAX);
        let mut call = |delivery: &WireDelivery<'_>| {
            if delivery.stamp > last {
                *finished = true;
                return false;
            }
            // It waits on, and is counted as dropped when the subscription ends.
            if post.parking.is_stopped() || !wanted.load(Ordering::Relaxed) {
                return false;
            }
            let called = catch_unwind(AssertUnwindSafe(|| callback(delivery)));
            match called {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => post.failed(failure),
                Err(panic) => post.failed(Failure::new(format!("panicked: {}", text_of(&*panic)))),
            }
            true
        };
        let first = held.take();
        let goes_on = first.iter().all(|message| call(&message.delivery()));
        let more = if goes_on { subscriber.drain_while(TURN, |delivery| call(&delivery)) } else { 0 };
        usize::from(first.is_some()) + more
    }

    /// Whether a message is there.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if self.finished || self.held.is_some() || !self.wanted.load(Ordering::Relaxed) {
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

/// What a panic says.
pub(crate) fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}
