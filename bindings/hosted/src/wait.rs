//! Waiting for futures on threads of any kind.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use mycelium::{ThreadHooks, without_cancellation};
use tokio::runtime::{Handle, Runtime};
use tokio::task::coop::unconstrained;

use crate::Error;

thread_local! {
    /// Whose timers count for what this thread waits for: those of a runtime that it drives itself stand
    /// still meanwhile.
    static TIMERS: RefCell<Option<OfProcess>> = const { RefCell::new(None) };
    /// What looks whether a wait of this thread is to end.
    static LOOK: RefCell<Option<Look>> = const { RefCell::new(None) };
}

type Look = Rc<dyn Fn() -> bool>;

/// Timers, and whose they are: in a child that was forked on this thread they stand still for ever.
struct OfProcess {
    timers: Handle,
    process: u32,
}

/// How long a thread waits at most between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Has `look` called on this thread about every 50 ms from now on, while a call of it waits to publish, to
/// tell, for an answer, for a tree or for the end of a runtime. Where it returns `true`, the wait ends: with
/// [`Error::Interrupted`], and what was to be published or told was not; with [`Error::AskInterrupted`], and
/// a query may have been received; or with [`Error::WaitInterrupted`], and what was begun goes on. A language
/// whose signal handlers run between its own instructions runs them there. `look` may make such calls itself.
/// `None` ends it.
///
/// ```
/// # let runtime = mycelium_hosted::Runtime::builder()
/// #     .contract_text("mycelium contract 1\nschema acme 1\nmessage Tick 7 1 ticks\nfield price 1 i64\n", "ticks")?
/// #     .start()?;
/// let _full = runtime.reader("ticks", mycelium::Subscription::block().capacity(1))?;
/// mycelium_hosted::on_wait(Some(std::rc::Rc::new(|| true)));
/// let error = (0..10).find_map(|n: i64| runtime.publish(7, &n.to_le_bytes()).err());
/// assert_eq!(error, Some(mycelium_hosted::Error::Interrupted));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn on_wait(look: Option<Rc<dyn Fn() -> bool>>) {
    LOOK.with(|slot| *slot.borrow_mut() = look);
}

/// The same for the time of `work`.
pub fn looking<R>(look: Rc<dyn Fn() -> bool>, work: impl FnOnce() -> R) -> R {
    struct Before(Option<Look>);
    impl Drop for Before {
        fn drop(&mut self) {
            on_wait(self.0.take());
        }
    }
    let _before = Before(LOOK.with(|slot| slot.borrow_mut().replace(look)));
    work()
}

/// This thread waits by the timers of that runtime from now on.
pub(crate) fn take_timers_of(handle: &Handle) {
    let of_process = OfProcess { timers: handle.clone(), process: std::process::id() };
    TIMERS.with(|timers| *timers.borrow_mut() = Some(of_process));
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
    Interrupted,
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
        poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Waited<T> {
        self.wait_looking(limit, hooks, None, poll)
    }

    fn wait_looking<T>(
        self: &Arc<Self>,
        limit: Option<Duration>,
        hooks: Option<&dyn ThreadHooks>,
        look: Option<&Look>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Waited<T> {
        *self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
        // A limit past the end of time is none.
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        let timers = TIMERS.with(|timers| {
            let timers = timers.borrow();
            let own = timers.as_ref().filter(|of| of.process == std::process::id());
            own.map(|of| of.timers.clone())
        });
        let _entered = timers.as_ref().map(Handle::enter);
        // It takes no part in the budget of a task, which is not refilled before the code returns.
        let mut work = pin!(unconstrained(poll_fn(|cx| poll(cx))));
        let mut looked = look.map(|_| Instant::now());
        loop {
            // Nor does it end a service whose code this is: the thread is kept.
            if let Poll::Ready(value) = without_cancellation(|| work.as_mut().poll(&mut cx)) {
                return Waited::Ready(value);
            }
            if self.is_stopped() {
                return Waited::Stopped;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Waited::TimedOut;
            }
            if let (Some(look), Some(at)) = (look, &mut looked)
                && at.elapsed() >= LOOK_EVERY
            {
                if look() {
                    return Waited::Interrupted;
                }
                *at = Instant::now();
                // It may have waited by itself, and then others have woken what sleeps here.
                *self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
                continue;
            }
            let most = look.map(|_| LOOK_EVERY);
            let turn = left.into_iter().chain(most).min();
            let _asleep = Asleep::new(hooks);
            // A waker that came meanwhile has left a token, with which this returns at once.
            turn.map_or_else(thread::park, thread::park_timeout);
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
        Waited::TimedOut | Waited::Stopped | Waited::Interrupted => {
            unreachable!("it has no limit, and nobody stops it")
        }
    }
}

/// The same, unless what looks on this thread ([`on_wait`]) ends it.
pub(crate) fn block_looking<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut work = pin!(work);
    let look = LOOK.with(|look| look.borrow().clone());
    match Arc::new(Parking::default()).wait_looking(None, None, look.as_ref(), |cx| work.as_mut().poll(cx)) {
        Waited::Ready(done) => done,
        Waited::TimedOut | Waited::Stopped | Waited::Interrupted => Err(Error::Interrupted),
    }
}

/// The same where what was begun goes on without this thread, as `after` says.
pub(crate) fn block_beside<T>(
    after: &'static str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    block_looking(work).map_err(|error| match error {
        Error::Interrupted => Error::WaitInterrupted { after },
        error => error,
    })
}

/// What is ready at once, where to wait would be to wait for this very thread.
pub(crate) fn at_once<F: Future>(work: F) -> Option<F::Output> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The same as [`block_on`] for `limit` at most.
pub(crate) fn within<F: Future>(limit: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    match Arc::new(Parking::default()).wait(Some(limit), None, |cx| work.as_mut().poll(cx)) {
        Waited::Ready(output) => Some(output),
        Waited::TimedOut | Waited::Stopped | Waited::Interrupted => None,
    }
}

/// The same as [`block_looking`] for `limit` at most.
pub(crate) fn looking_within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Option<Result<T, Error>> {
    let mut work = pin!(work);
    let look = LOOK.with(|look| look.borrow().clone());
    let parking = Arc::new(Parking::default());
    match parking.wait_looking(Some(limit), None, look.as_ref(), |cx| work.as_mut().poll(cx)) {
        Waited::Ready(done) => Some(done),
        Waited::Interrupted => Some(Err(Error::Interrupted)),
        Waited::TimedOut | Waited::Stopped => None,
    }
}

/// The time of something that ends in several steps, and what looks on the thread that waits for all of them.
pub(crate) struct Ending {
    limit: Duration,
    deadline: Option<Instant>,
    look: Option<Look>,
    interrupted: Cell<bool>,
}

impl Ending {
    pub(crate) fn within(limit: Duration) -> Self {
        let look = LOOK.with(|look| look.borrow().clone());
        Self { limit, deadline: Instant::now().checked_add(limit), look, interrupted: Cell::new(false) }
    }

    /// How long is left: nothing where the wait was interrupted.
    pub(crate) fn left(&self) -> Duration {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        if self.is_interrupted() { Duration::ZERO } else { self.deadline.map_or(self.limit, left) }
    }

    /// Whether what looks has ended the wait.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    /// Keeps this thread until `work` is ready; `None`: it was interrupted.
    pub(crate) fn block_on<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        let look = self.look.as_ref().filter(|_| !self.is_interrupted());
        match Arc::new(Parking::default()).wait_looking(None, None, look, |cx| work.as_mut().poll(cx)) {
            Waited::Ready(done) => Some(done),
            Waited::TimedOut | Waited::Stopped | Waited::Interrupted => {
                self.interrupted.set(true);
                None
            }
        }
    }

    /// Waits until it is so, for what is left and at least for `grace`; whether it is.
    pub(crate) fn wait_while<T>(
        &self,
        changed: &Condvar,
        state: &Mutex<T>,
        grace: Duration,
        mut is_so: impl FnMut(&mut T) -> bool,
    ) -> bool {
        let deadline = Instant::now().checked_add(self.left().max(grace));
        loop {
            let look = self.look.as_ref().filter(|_| !self.is_interrupted());
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let turn = left.into_iter().chain(look.map(|_| LOOK_EVERY)).min().unwrap_or(self.limit);
            let guard = state.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = changed.wait_timeout_while(guard, turn, |state| !is_so(state));
            let (mut guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if is_so(&mut guard) {
                return true;
            }
            // What looks may use what is locked.
            drop(guard);
            if left.is_some_and(|left| left <= turn) {
                return false;
            }
            if look.is_some_and(|look| look()) {
                self.interrupted.set(true);
                return false;
            }
        }
    }
}

/// Ends the threads below a bus. An actor of another runtime may be who closes this one: tokio lets nobody
/// wait for threads from where a task runs, so another thread does it for it.
pub(crate) fn end_threads(threads: Runtime, limit: Duration) {
    if Handle::try_current().is_err() {
        return threads.shutdown_timeout(limit);
    }
    // Out of the closure's reach where there is no thread for it: to drop it here would wait as well.
    let slot = Arc::new(Mutex::new(Some(threads)));
    let of_thread = Arc::clone(&slot);
    let end = move || {
        let threads = of_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        threads.into_iter().for_each(|threads| threads.shutdown_timeout(limit));
    };
    match thread::Builder::new().name("mycelium-ends".to_owned()).spawn(end) {
        Ok(ending) => drop(ending.join()),
        Err(_) => slot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .into_iter()
            .for_each(Runtime::shutdown_background),
    }
}
