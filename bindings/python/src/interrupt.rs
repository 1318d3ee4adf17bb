//! How a method of an actor that does not return is ended: by an exception that another thread has the
//! interpreter raise in it.
//!
//! A [`Gate`] knows whether a call runs, and which. The thread that ends a call takes the interpreter's lock
//! first and the gate's then, as the actor's thread does. So the exception is set while that very call runs,
//! and when the call has returned, one that was not raised yet is taken back: it comes up in no other call.
//!
//! A call that waits for the interpreter, which another thread keeps, has not hung. A probe that looks at the
//! actor from outside cannot tell. So the thread that is to end a call has it go on for its limit once more,
//! and takes the interpreter again and again meanwhile: only time in which that is to be had at once counts.
#![allow(unsafe_code, reason = "an exception is set in another thread")]

use std::ffi::c_long;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mycelium_hosted::Scope;
use pyo3::prelude::*;

/// The calls of one life.
pub(crate) struct Gate {
    /// The number by which Python knows the thread.
    ident: c_long,
    /// Raised in a call that is ended.
    error: Py<PyAny>,
    /// Has it come up, if it has not yet.
    absorb: Py<PyAny>,
    /// Has the actor's event loop look, which may wait in C.
    wake: Py<PyAny>,
    calls: Mutex<Calls>,
}

/// How often the interpreter is to be had at once before a call is ended.
const TAKES: u32 = 8;

/// How often it is taken at most: where threads that compute never leave it free, a call that hangs ends too.
const TAKES_MAX: u32 = 64;

/// How many switch intervals it may take to have the interpreter: a few threads that compute are before it.
const SWITCHES: u32 = 8;

/// How late a thread may have the interpreter although nobody keeps it: the system has threads wait too.
const LATE_MIN: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Calls {
    /// How many have begun.
    begun: u64,
    /// Since when the last one runs, if it does.
    since: Option<Instant>,
    /// Why it is ended.
    why: Option<String>,
}

impl Calls {
    /// Whether this one runs.
    fn runs(&self, call: u64) -> bool {
        self.since.is_some() && self.begun == call
    }
}

impl Gate {
    /// For the actor whose thread this is, if a probe looks at it. `wake` has its event loop look.
    ///
    /// # Errors
    /// What Python raises.
    pub(crate) fn of(py: Python<'_>, scope: &mut Scope<'_>, wake: Py<PyAny>) -> PyResult<Option<Arc<Self>>> {
        let ident = py.import("threading")?.call_method0("get_ident")?.extract::<std::ffi::c_ulong>()?;
        let threads = py.import("mycelium._threads")?;
        let (error, absorb) = (threads.getattr("Stuck")?.unbind(), threads.getattr("absorb")?.unbind());
        // The interpreter takes the number as the type that C has there.
        let gate = Self { ident: ident.cast_signed(), error, absorb, wake, calls: Mutex::default() };
        let gate = Arc::new(gate);
        let ends = Arc::clone(&gate);
        Ok(scope.interrupted_by(move |why| ends.end(why)).then_some(gate))
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins.
    pub(crate) fn enter(&self) {
        let mut calls = self.calls();
        calls.begun += 1;
        calls.since = Some(Instant::now());
    }

    /// It has returned; why it was ended, if it was.
    pub(crate) fn leave(&self, py: Python<'_>) -> Option<String> {
        let mut calls = self.calls();
        calls.since = None;
        let why = calls.why.take();
        drop(calls);
        if why.is_some() {
            // Nobody sets one any more. One that was not raised yet comes up here, where it is dropped. To
            // have the interpreter forget it would leave Python 3.11 looking for one for ever.
            drop(self.absorb.call0(py));
        }
        why
    }

    /// Ends the call that runs. The interpreter may be kept for any time, so that is done on a thread that
    /// nobody waits for.
    fn end(self: &Arc<Self>, why: &str) {
        let calls = self.calls();
        let Some(since) = calls.since else { return };
        let (call, gate, why) = (calls.begun, Arc::clone(self), why.to_owned());
        drop(calls);
        let again = since.elapsed() / TAKES;
        let end = move || {
            let mut in_time = 0;
            for _ in 0..TAKES_MAX {
                thread::sleep(again);
                match gate.takes_it(call) {
                    Some(at_once) => in_time += u32::from(at_once),
                    None => return,
                }
                if in_time == TAKES {
                    break;
                }
            }
            gate.end_now(call, why);
        };
        // Without a thread it stays stuck, and reported.
        let _ = thread::Builder::new().name("mycelium-stuck".to_owned()).spawn(end);
    }

    /// Whether the interpreter was to be had at once; `None` if the call has returned.
    fn takes_it(&self, call: u64) -> Option<bool> {
        let asked = Instant::now();
        Python::try_attach(|py| {
            let waited = asked.elapsed();
            let switch = py.import("sys").and_then(|sys| sys.call_method0("getswitchinterval"));
            let switch = switch.and_then(|seconds| seconds.extract::<f64>()).unwrap_or_default();
            let late = Duration::try_from_secs_f64(switch).unwrap_or_default() * SWITCHES;
            self.calls().runs(call).then_some(waited <= late.max(LATE_MIN))
        })?
    }

    fn end_now(&self, call: u64, why: String) {
        Python::try_attach(|py| {
            let mut calls = self.calls();
            if calls.runs(call) {
                calls.why = Some(why);
                self.raise();
                drop(calls);
                // The lock is not held: this runs Python, as the actor's thread may. A loop that is closed
                // by now waits no more.
                drop(self.wake.call0(py));
            }
        });
    }

    /// Has the interpreter raise the exception in the thread, once it runs Python. The caller is attached.
    fn raise(&self) {
        // SAFETY: the caller is attached. The number is that of a thread, or of none any more, which the
        // interpreter looks up by itself; it takes a reference of its own to the class.
        unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(self.ident, self.error.as_ptr()) };
    }
}
