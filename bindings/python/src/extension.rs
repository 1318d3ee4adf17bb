//! Extension modules of users, whose Rust actors Python makes by name.

use std::sync::{Arc, Mutex};

use mycelium::tree::Factories;
use mycelium::wire::Messages;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

use crate::embed::interpreter;
use crate::rust_actors::RustActors;

/// Has Python make these actors and services by name, `mycelium.Rust("cross")`, in its isolates,
/// sweeps and trees. It is for the `#[pymodule]` of an extension module: a crate of the type `cdylib` that
/// links this one, and `pyo3` with its feature `extension-module`. `messages` is the `CONTRACT` of generated
/// code, of the contract that the classes of Python are generated from.
///
/// Types of Rust are those of one library. So the module brings the package `mycelium` too, both halves of
/// it, and is imported before `mycelium`; a wheel that is installed beside it gives types to checkers, and
/// is not loaded. `examples/extension` of the repository is such a crate.
///
/// ```no_run
/// use mycelium::tree::Factories;
/// use mycelium_python::pyo3::prelude::*;
/// # use mycelium_python::pyo3;
/// # struct Cross;
/// # impl mycelium::Actor for Cross { type Error = mycelium::BoxError; }
/// # pub struct Contract;
/// # impl mycelium::wire::Messages for Contract {
/// #     fn each<V: mycelium::wire::Visitor>(&self, _: &mut V) {}
/// # }
/// # const CONTRACT: Contract = Contract; // In place of mycelium::contracts!()
///
/// #[pymodule]
/// fn crossing(module: &Bound<'_, PyModule>) -> PyResult<()> {
///     let factories = Factories::new().actor("cross", || Cross); // With arguments: `actor_with`
///     mycelium_python::extension(module, CONTRACT, factories)
/// }
/// ```
///
/// # Errors
/// `ImportError` where the process has loaded another `mycelium` before: that of the wheel, or of another
/// extension module; and what Python raises.
pub fn extension(
    module: &Bound<'_, PyModule>,
    messages: impl Messages + Send + 'static,
    factories: Factories,
) -> PyResult<()> {
    let name = module.name()?;
    if !interpreter::install(module.py(), false)? {
        return Err(PyImportError::new_err(format!(
            "{name} was imported after mycelium, or after another extension module with Rust actors, and brings a mycelium of \
             its own: import {name} first, and put the actors of several modules into one"
        )));
    }
    RustActors::new(factories, Arc::new(Mutex::new(messages))).register(module.py())
}
