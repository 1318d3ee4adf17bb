//! Waiting for futures on threads of any kind.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use mycelium::ThreadHooks;
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;

thread_local! {
    /// Whose timers count for what this thread waits for: those of a runtime that it drives itself stand
    /// still meanwhile.
    static TIMERS: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// This thread waits by the timers of that runtime from now on.
pub(crate) fn take_timers_of(handle: &Handle) {
    TIMERS.with(|timers| *timers.borrow_mut() = Some(handle.clone()));
}

/// Where one thread at a time sleeps.
#[derive(Default)]
pub(crate) struct Parking {
    stopped: AtomicBool,
    sleeper: Mutex<Option<Thread>>,
}

/// How a wait has ended.
pub(crate) enum Waited<T> {
    Ready(T),
    TimedOut,
    Stopped,
}

impl Wake for Parking {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(thread) = &*self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
    }
}

impl Parking {
    /// Ends its waits from now on.
    pub(crate) fn stop(self: &Arc<Self>) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake_by_ref();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Keeps this thread until `poll` is ready. `hooks` are told when it really sleeps.
    pub(crate) fn wait<T>(
        self: &Arc<Self>,
        limit: Option<Duration>,
        hooks: Option<&dyn ThreadHooks>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Waited<T> {
        *self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
        // A limit past the end of time is none.
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        let timers = TIMERS.with(|timers| timers.borrow().clone());
        let _entered = timers.as_ref().map(Handle::enter);
        // It takes no part in the budget of a task, which is not refilled before the code returns.
        let mut work = pin!(unconstrained(poll_fn(|cx| poll(cx))));
        loop {
            if let Poll::Ready(value) = work.as_mut().poll(&mut cx) {
                return Waited::Ready(value);
            }
            if self.is_stopped() {
                return Waited::Stopped;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Waited::TimedOut;
            }
            let _asleep = Asleep::new(hooks);
            // Whoever woke it meanwhile has left a token, with which this returns at once.
            left.map_or_else(thread::park, thread::park_timeout);
        }
    }
}

/// A thread between `before_wait` and `after_wait`.
struct Asleep<'a>(Option<&'a dyn ThreadHooks>);

impl<'a> Asleep<'a> {
    fn new(hooks: Option<&'a dyn ThreadHooks>) -> Self {
        hooks.inspect(|hooks| hooks.before_wait());
        Self(hooks)
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.0.inspect(|hooks| hooks.after_wait());
    }
}

/// Keeps this thread until `work` is ready.
pub(crate) fn block_on<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    match Arc::new(Parking::default()).wait(None, None, |cx| work.as_mut().poll(cx)) {
        Waited::Ready(output) => output,
        Waited::TimedOut | Waited::Stopped => unreachable!("it has no limit, and nobody stops it"),
    }
}

/// The same for `limit` at most.
pub(crate) fn within<F: Future>(limit: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    match Arc::new(Parking::default()).wait(Some(limit), None, |cx| work.as_mut().poll(cx)) {
        Waited::Ready(output) => Some(output),
        Waited::TimedOut | Waited::Stopped => None,
    }
}
