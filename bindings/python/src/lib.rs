//! Python actors in the supervision trees of a Rust program, and the native half of the Python package
//! `mycelium`.
//!
//! A Rust program links this crate and gives its bus a [`PythonRuntime`]: `Child::python` puts classes of
//! Python into its trees ([`PythonChild`]), and trees in TOML name them ([`PythonFactories`]). The package
//! comes with the program; `docs/python.md` of the repository has both sides.
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
mod embed;
mod errors;
mod extension;
mod host;
mod interrupt;
mod isolate;
mod kind;
mod leaving;
mod log;
mod pipe;
mod plan;
mod publisher;
mod runtime;
mod rust_actors;
mod signals;
mod subscription;
mod sweep;
mod tree;
mod wait;

use pyo3::prelude::*;

pub use embed::{
    Argument, PythonActor, PythonBuilder, PythonChild, PythonError, PythonFactories, PythonRuntime,
};
pub use extension::extension;
pub use mycelium_hosted::{Address, Encoded, Exposed, HostedActor, HostedPool};
pub use pyo3;

/// Fills the module `mycelium._native`: for the wheel, and for programs that embed Python. `embedded`: which
/// of both.
///
/// # Errors
/// What Python raises.
#[doc(hidden)]
pub fn native_module(module: &Bound<'_, PyModule>, embedded: bool) -> PyResult<()> {
    module.add("EMBEDDED", embedded)?;
    module.add_function(wrap_pyfunction!(leaving::leave, module)?)?;
    rust_actors::add_registry(module)?;
    module.add_class::<callback::Callback>()?;
    module.add_class::<context::Context>()?;
    module.add_class::<contract::Contract>()?;
    module.add_class::<isolate::Isolate>()?;
    module.add_class::<isolate::IsolateTree>()?;
    module.add_class::<isolate::Recorder>()?;
    module.add_class::<log::LogTap>()?;
    module.add_class::<publisher::Publisher>()?;
    module.add_class::<runtime::Runtime>()?;
    module.add_class::<runtime::Program>()?;
    module.add_class::<subscription::Subscription>()?;
    module.add_class::<sweep::Sweep>()?;
    module.add_class::<sweep::Trial>()?;
    module.add_class::<tree::Tree>()
}
