//! Arguments of Rust for `__init__` of Python.

use std::collections::BTreeMap;

use mycelium::tree::Argument;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The value that Python sees.
pub(super) fn value<'py>(py: Python<'py>, argument: &Argument) -> PyResult<Bound<'py, PyAny>> {
    Ok(match argument {
        Argument::Nothing => py.None().into_bound(py),
        Argument::Flag(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Argument::Whole(value) => value.into_pyobject(py)?.into_any(),
        Argument::Large(value) => value.into_pyobject(py)?.into_any(),
        Argument::Number(value) => value.into_pyobject(py)?.into_any(),
        Argument::Text(value) => value.into_pyobject(py)?.into_any(),
        Argument::List(values) => {
            let values = values.iter().map(|one| value(py, one)).collect::<PyResult<Vec<_>>>()?;
            values.into_pyobject(py)?.into_any()
        }
        Argument::Table(values) => table(py, values)?.into_any(),
        other => return Err(PyTypeError::new_err(format!("Python has no value for {other:?}"))),
    })
}

fn table<'py>(py: Python<'py>, values: &BTreeMap<String, Argument>) -> PyResult<Bound<'py, PyDict>> {
    let table = PyDict::new(py);
    for (name, one) in values {
        table.set_item(name, value(py, one)?)?;
    }
    Ok(table)
}
