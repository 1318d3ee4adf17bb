//! The one interpreter of the process, and the package that the program brings.

use std::path::PathBuf;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::native_module;

/// The Python half of this module.
pub(super) const HOST_MODULE: &str = "mycelium._host";

/// The modules of the package: name, whether it is a package, text.
const PACKAGE: &[(&str, bool, &str)] = include!(concat!(env!("OUT_DIR"), "/package.rs"));

const FINDER: &std::ffi::CStr = {
    match std::ffi::CStr::from_bytes_with_nul(concat!(include_str!("finder.py"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("finder.py holds a zero byte"),
    }
};

/// Has Python look in these folders, and `import mycelium` have the package of this program; its half that
/// knows of Rust programs.
///
/// # Errors
/// What Python raises.
pub(super) fn prepare<'py>(py: Python<'py>, folders: &[PathBuf]) -> PyResult<Bound<'py, PyModule>> {
    let path = py.import("sys")?.getattr("path")?.cast_into::<PyList>()?;
    for (at, folder) in folders.iter().enumerate() {
        let folder = folder.as_os_str();
        while path.contains(folder)? {
            path.call_method1("remove", (folder,))?;
        }
        path.insert(at.min(path.len()), folder)?;
    }
    if !install(py, true)? {
        return Err(PyRuntimeError::new_err(
            "this process has loaded the package mycelium of a wheel already, whose native half is another one: a Rust \
             program brings its own, so import nothing of it before",
        ));
    }
    py.import(HOST_MODULE)
}

/// Has `import mycelium` have the package that is compiled into this program or extension module; whether it
/// has, as the process may have loaded another one before. `embedded`: whether a Rust program is the process.
///
/// # Errors
/// What Python raises.
pub(crate) fn install(py: Python<'_>, embedded: bool) -> PyResult<bool> {
    if is_prepared(py)? {
        return Ok(true);
    }
    let native = PyModule::new(py, "mycelium._native")?;
    native_module(&native, embedded)?;
    let modules = PyDict::new(py);
    for (name, is_package, text) in PACKAGE {
        modules.set_item(name, (is_package, text))?;
    }
    let finder = PyModule::from_code(py, FINDER, c"embedded/finder.py", c"mycelium_finder")?;
    // Another thread may have been faster.
    let came_second: bool = finder.call_method1("install", (modules, native, embedded))?.extract()?;
    Ok(!came_second || is_prepared(py)?)
}

/// Whether the native half is there, and that of this program.
fn is_prepared(py: Python<'_>) -> PyResult<bool> {
    let modules = py.import("sys")?.getattr("modules")?;
    match modules.get_item("mycelium._native") {
        Ok(native) => Ok(native
            .getattr("Program")
            .is_ok_and(|class| class.is(py.get_type::<crate::runtime::Program>()))),
        Err(_) => Ok(false),
    }
}
