//! The native half of the Python package `mycelium`: a bus in a Python process, and its messages as bytes.
//!
//! All that needs no speed is written in Python, in `python/mycelium`: there `Runtime`, `Publisher` and
//! `Subscription` are made of the classes here. The rules of this half: a thread waits detached from Python
//! and in slices, so that Ctrl-C, `close` and the end of the interpreter reach it; a lock is never held
//! across Python code; errors are classes of `mycelium.errors`, by name.
#![deny(unsafe_code)]
#![allow(clippy::needless_pass_by_value, reason = "PyO3 hands arguments over")]

mod actor;
mod attached;
mod callback;
mod confined;
mod context;
mod contract;
mod core;
mod errors;
mod host;
mod isolate;
mod kind;
mod log;
mod pipe;
mod plan;
mod publisher;
mod runtime;
mod subscription;
mod sweep;
mod tree;
mod wait;

/// The module `mycelium._native`.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::callback::Callback;
    #[pymodule_export]
    use crate::context::Context;
    #[pymodule_export]
    use crate::contract::Contract;
    #[pymodule_export]
    use crate::isolate::{Isolate, IsolateTree, Recorder};
    #[pymodule_export]
    use crate::log::LogTap;
    #[pymodule_export]
    use crate::publisher::Publisher;
    #[pymodule_export]
    use crate::runtime::Runtime;
    #[pymodule_export]
    use crate::subscription::Subscription;
    #[pymodule_export]
    use crate::sweep::{Sweep, Trial};
    #[pymodule_export]
    use crate::tree::Tree;
}
