//! Waiting on a Python thread: detached, and in slices, so that signals are heard.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use mycelium_hosted::{Error, looking};
use pyo3::prelude::*;

use crate::core::Core;
use crate::errors;

/// How long a thread waits before it looks for signals and for whoever closes what it waits on.
const SLICE: Duration = Duration::from_millis(20);

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// How a wait ended.
pub(crate) enum Waited<T> {
    Ready(T),
    TimedOut,
    /// `given_up` said so, or the runtime is closed.
    GivenUp,
}

/// Waits until `work` is ready, the limit has passed or `given_up` says so. Python's other threads run
/// meanwhile, and signal handlers on the main thread.
///
/// # Errors
/// What a signal handler raises, `KeyboardInterrupt` above all, and what another thread has raised in this
/// one, such as whoever ends a method that hangs: `work` is dropped then.
pub(crate) fn until<F>(
    py: Python<'_>,
    core: &Core,
    work: F,
    limit: Option<Duration>,
    given_up: impl Fn() -> bool,
) -> PyResult<Waited<F::Output>>
where
    F: Future + Send,
    F::Output: Send,
{
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut work = pin!(work);
    loop {
        let now = Instant::now();
        let left = end.map_or(SLICE, |end| end.saturating_duration_since(now).min(SLICE));
        let mut at = work.as_mut();
        // A signal handler runs outside of the wait that is counted: it may close the runtime.
        let waits = core.waits();
        let output = py.detach(|| {
            // Asks have timers.
            let _entered = core.hosted.enter();
            slice(at.as_mut(), &waker, now + left)
        });
        drop(waits);
        if let Some(output) = output {
            return Ok(Waited::Ready(output));
        }
        py.check_signals()?;
        hear(py)?;
        // A message that has not come when all is closed comes from nobody.
        if given_up() || core.is_over() {
            return Ok(Waited::GivenUp);
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(Waited::TimedOut);
        }
    }
}

/// Calls what waits on this thread for actors. Python's other threads run meanwhile, and signal handlers on
/// the main thread.
///
/// # Errors
/// Those of the call, and those of [`until`]: what was begun goes on then.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    core: &Arc<Core>,
    call: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let of_look = Arc::clone(core);
    hearing(
        py,
        move |look| of_look.aside(look),
        || {
            let _waits = core.waits();
            call()
        },
    )
}

/// The same where the wait does not count: whoever closes the runtime waits for none that does so too.
/// `around` calls each look.
pub(crate) fn hearing<T: Send>(
    py: Python<'_>,
    around: impl Fn(&dyn Fn() -> bool) -> bool + Send + 'static,
    call: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let (done, raised) = py.detach(move || {
        let raised = Rc::new(RefCell::new(None));
        let told = Rc::clone(&raised);
        let hears = move |py: Python<'_>| {
            let error = py.check_signals().and_then(|()| hear(py)).err();
            let ends = error.is_some();
            *told.borrow_mut() = error;
            ends
        };
        // An interpreter that ends has no handlers any more.
        let look = move || around(&|| Python::try_attach(&hears).unwrap_or(false));
        (looking(Rc::new(look), call), raised.take())
    });
    raised.map_or_else(|| done.map_err(|error| errors::of(py, &error)), Err)
}

/// Has an exception come up that another thread has set in this one: the interpreter looks for one where it
/// runs Python, and for signals alone where it is asked to.
fn hear(py: Python<'_>) -> PyResult<()> {
    let absorb = py.import("mycelium._threads")?.getattr("absorb")?;
    absorb.call0().map(drop)
}

/// Waits until then at most.
fn slice<F: Future>(mut work: Pin<&mut F>, waker: &Waker, end: Instant) -> Option<F::Output> {
    let mut cx = Context::from_waker(waker);
    loop {
        if let Poll::Ready(output) = work.as_mut().poll(&mut cx) {
            return Some(output);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        // A waker that came meanwhile has left a token, with which this returns at once.
        thread::park_timeout(left);
    }
}

/// A limit in seconds, as Python has it; `None` for no limit.
pub(crate) fn limit(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    seconds
        .map(|seconds| {
            Duration::try_from_secs_f64(seconds).map_err(|_| {
                pyo3::exceptions::PyValueError::new_err(format!(
                    "a timeout is a number of seconds from 0 on, and not {seconds}; None waits for ever"
                ))
            })
        })
        .transpose()
}
