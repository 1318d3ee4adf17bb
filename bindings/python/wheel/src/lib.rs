//! The extension module `mycelium._native`, which Python loads from the wheel. All of it is in
//! `mycelium-python`, which Rust programs that host Python link instead.
#![deny(unsafe_code)]

use pyo3::prelude::*;

/// The module `mycelium._native`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    mycelium_python::native_module(module, false)
}
