//! Why Python does not do something.

use std::fmt;

use pyo3::prelude::*;
use pyo3::types::PyTracebackMethods;

/// Python could not be set up, or a class not be used. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonError {
    text: String,
    traceback: Option<String>,
}

impl PythonError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), traceback: None }
    }

    /// What Python has raised.
    pub(super) fn raised(error: &PyErr) -> Self {
        Python::attach(|py| {
            let traceback = error.traceback(py).and_then(|traceback| traceback.format().ok());
            Self { text: error.to_string(), traceback }
        })
    }

    /// Where it was raised, as Python prints it; `None` where no code of Python ran.
    #[must_use]
    pub fn traceback(&self) -> Option<&str> {
        self.traceback.as_deref()
    }
}

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for PythonError {}
