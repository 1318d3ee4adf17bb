//! Threads of the core that call Python: the delivery thread, and one for each hosted actor.
//!
//! To make a thread known to the interpreter costs microseconds, to take its lock again a tenth of one.
//! So such a thread is attached once, when it starts, gives the lock back only while it waits, and is let
//! go at its end. The core says when (`ThreadHooks`): `started`, then `before_wait` and `after_wait` in
//! turns, then `ended`, all on the thread itself.
#![allow(unsafe_code, reason = "the interpreter's lock is given back in one call and taken again in another")]

use std::cell::Cell;
use std::ptr;

use mycelium::ThreadHooks;
use pyo3::types::PyAnyMethods;
use pyo3::{Python, ffi};

/// What a thread of the core is to the interpreter.
#[derive(Clone, Copy)]
struct State {
    taken: ffi::PyGILState_STATE,
    /// Null while the thread is attached.
    waiting: *mut ffi::PyThreadState,
}

thread_local! {
    static STATE: Cell<Option<State>> = const { Cell::new(None) };
}

/// What Python wants to know of the core's threads.
pub(crate) struct PythonThread;

/// Notes this thread in `mycelium._threads`, which ends those that do not end by themselves.
fn note(method: &str) {
    Python::attach(|py| {
        let noted = py.import("mycelium._threads").and_then(|threads| {
            let ident = py.import("threading")?.call_method0("get_ident")?;
            threads.getattr("alive")?.call_method1(method, (ident,))
        });
        // Nothing depends on it before the interpreter exits.
        drop(noted);
    });
}

impl ThreadHooks for PythonThread {
    fn started(&self) {
        // SAFETY: the interpreter is initialised, as this module is loaded, and is not being finalised:
        // it closes all runtimes before (`atexit` in `_runtime.py`), which joins their threads. `ended`
        // undoes it once.
        let taken = unsafe { ffi::PyGILState_Ensure() };
        STATE.set(Some(State { taken, waiting: ptr::null_mut() }));
        note("add");
    }

    fn before_wait(&self) {
        let Some(state) = STATE.get().filter(|state| state.waiting.is_null()) else { return };
        // SAFETY: `STATE` is set and not waiting, so this thread has been attached since `started` or
        // `after_wait`: PyO3 leaves it attached whenever its own calls have returned.
        let waiting = unsafe { ffi::PyEval_SaveThread() };
        STATE.set(Some(State { waiting, ..state }));
    }

    fn after_wait(&self) {
        let Some(state) = STATE.get().filter(|state| !state.waiting.is_null()) else { return };
        // SAFETY: `waiting` is this thread's own state, which `before_wait` has saved, and nobody has
        // taken it since: it is set to null below.
        unsafe { ffi::PyEval_RestoreThread(state.waiting) };
        STATE.set(Some(State { waiting: ptr::null_mut(), ..state }));
    }

    fn ended(&self) {
        // A thread that ends attached; one that ends while it waits is attached first.
        self.after_wait();
        note("discard");
        let Some(state) = STATE.take() else { return };
        // SAFETY: it undoes the `PyGILState_Ensure` of `started` on the same thread, which is attached.
        unsafe { ffi::PyGILState_Release(state.taken) };
    }
}
