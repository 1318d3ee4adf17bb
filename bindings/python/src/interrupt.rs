//! How a method of an actor that does not return is ended: by an exception that another thread has the
//! interpreter raise in it.
//!
//! A [`Gate`] knows whether a call runs, and which. The thread that ends a call takes the interpreter's lock
//! first and the gate's then, as the actor's thread does. So the exception is set while that very call runs,
//! and when the call has returned, one that was not raised yet is taken back: it comes up in no other call.
#![allow(unsafe_code, reason = "an exception is set in another thread")]

use std::ffi::c_long;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

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
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    /// How many have begun.
    begun: u64,
    /// Whether the last one runs.
    runs: bool,
    /// Why it is ended.
    why: Option<String>,
}

impl Gate {
    /// For the actor whose thread this is, if a probe looks at it.
    pub(crate) fn of(scope: &mut Scope<'_>) -> Option<Arc<Self>> {
        let made = Python::attach(|py| {
            let ident = py.import("threading")?.call_method0("get_ident")?.extract::<std::ffi::c_ulong>()?;
            let threads = py.import("mycelium._threads")?;
            let (error, absorb) = (threads.getattr("Stuck")?.unbind(), threads.getattr("absorb")?.unbind());
            // The interpreter takes it as the type that C has there.
            Ok::<_, PyErr>(Self { ident: ident.cast_signed(), error, absorb, calls: Mutex::default() })
        });
        let gate = Arc::new(made.ok()?);
        let ends = Arc::clone(&gate);
        scope.interrupted_by(move |why| ends.end(why)).then_some(gate)
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins.
    pub(crate) fn enter(&self) {
        let mut calls = self.calls();
        calls.begun += 1;
        calls.runs = true;
    }

    /// It has returned; why it was ended, if it was.
    pub(crate) fn leave(&self, py: Python<'_>) -> Option<String> {
        let mut calls = self.calls();
        calls.runs = false;
        let why = calls.why.take();
        drop(calls);
        if why.is_some() {
            // Nobody sets one any more. One that was not raised yet comes up here, where it is dropped. To
            // have the interpreter forget it would leave Python 3.11 looking for one for ever.
            drop(self.absorb.call0(py));
        }
        why
    }

    /// Ends the call that runs. The interpreter may be kept by it for any time, so that is done on a thread
    /// that nobody waits for.
    fn end(self: &Arc<Self>, why: &str) {
        let calls = self.calls();
        if !calls.runs {
            return;
        }
        let (call, gate, why) = (calls.begun, Arc::clone(self), why.to_owned());
        drop(calls);
        let end = move || {
            Python::try_attach(|_| {
                let mut calls = gate.calls();
                if calls.runs && calls.begun == call {
                    calls.why = Some(why);
                    gate.raise();
                }
            });
        };
        // Without a thread it stays stuck, and reported.
        let _ = thread::Builder::new().name("mycelium-stuck".to_owned()).spawn(end);
    }

    /// Has the interpreter raise the exception in the thread, once it runs Python. The caller is attached.
    fn raise(&self) {
        // SAFETY: the caller is attached. The number is that of a thread, or of none any more, which the
        // interpreter looks up by itself; it takes a reference of its own to the class.
        unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(self.ident, self.error.as_ptr()) };
    }
}
