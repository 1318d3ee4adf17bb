//! The exit of the interpreter. Before Python 3.14 it unwinds the daemon threads that want the interpreter
//! again, which must have no frames of Rust below then. So the last thread says when it leaves: calls of
//! others that run Python are refused from then on, and `mycelium._threads` ends those that have begun.

use std::sync::OnceLock;
use std::thread::{self, ThreadId};

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

/// The thread on which the interpreter exits, once nobody else is waited for.
static LAST: OnceLock<ThreadId> = OnceLock::new();

/// The interpreter exits on this thread.
#[pyfunction]
pub(crate) fn leave() {
    // A second call comes from the same thread.
    let _ = LAST.set(thread::current().id());
}

/// Refuses a call that runs Python, if the interpreter exits on another thread.
///
/// # Errors
/// `SystemExit`, which ends a thread and prints nothing.
#[inline]
pub(crate) fn enter() -> PyResult<()> {
    match LAST.get() {
        Some(last) if *last != thread::current().id() => Err(PySystemExit::new_err(())),
        _ => Ok(()),
    }
}
