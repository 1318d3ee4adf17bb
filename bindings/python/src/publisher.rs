//! Publishing messages of one class, or of any.

use std::cell::Cell;
use std::sync::Arc;

use mycelium::WireRow;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use crate::core::Core;
use crate::kind::Kind;
use crate::{leaving, wait};

/// Publishes messages of one class: faster than `Runtime.publish`, which looks the class up for each
/// message.
#[pyclass(frozen, subclass, module = "mycelium._native")]
pub(crate) struct Publisher {
    core: Arc<Core>,
    kind: Arc<Kind>,
}

impl Publisher {
    pub(crate) fn new(core: Arc<Core>, kind: Arc<Kind>) -> Self {
        Self { core, kind }
    }
}

/// The bytes of a buffer that is one piece of memory.
#[allow(unsafe_code, reason = "the bytes of a buffer are copied from where they lie")]
fn cells(records: &PyBuffer<u8>) -> Option<&[Cell<u8>]> {
    let bytes = records.as_slice_ptr()?;
    // SAFETY: while the buffer is borrowed its exporter keeps so many bytes there; a cell lies in memory as
    // its byte does, and the copy that is made of these only reads them.
    Some(unsafe { std::slice::from_raw_parts(bytes.cast::<Cell<u8>>().as_ptr(), bytes.len()) })
}

/// Sets these ranges of bytes of each record to zero.
fn clear(records: &mut [u8], size: usize, blank: &[(usize, usize)]) {
    for (from, to) in blank {
        let gaps = records.chunks_exact_mut(size).filter_map(|record| record.get_mut(*from..*to));
        gaps.for_each(|gap| gap.fill(0));
    }
}

#[pymethods]
impl Publisher {
    #[inline]
    #[pyo3(signature = (message, timeout = None))]
    fn publish(&self, message: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let (py, limit) = (message.py(), wait::limit(timeout)?);
        if let Ok(value) = message.cast_exact::<PyBytes>() {
            return self.core.publish(py, &self.kind.header, value.as_bytes(), limit);
        }
        self.check(message)?;
        self.core.takes(py, self.kind.name)?;
        let value = self.kind.encode(message, self.core.host.validate)?;
        self.core.publish(py, &self.kind.header, value.as_bytes(), limit)
    }

    /// Publishes the messages or encoded values of an iterable; how many.
    #[pyo3(signature = (messages, timeout = None))]
    fn publish_each(&self, messages: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<usize> {
        leaving::enter()?;
        let mut published = 0;
        for message in messages.try_iter()? {
            self.publish(&message?, timeout)?;
            published += 1;
        }
        Ok(published)
    }

    /// Publishes the records of a buffer of bytes, one after the other; how many. `blank`: ranges of
    /// bytes of each record that belong to no field, which are set to zero.
    #[pyo3(signature = (records, blank, timeout = None))]
    fn publish_records(
        &self,
        py: Python<'_>,
        records: PyBuffer<u8>,
        blank: Vec<(usize, usize)>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        let (limit, size) = (wait::limit(timeout)?, self.kind.header.root_len as usize);
        let len = records.len_bytes();
        if !self.kind.fixed || size == 0 || !len.is_multiple_of(size) {
            let name = self.kind.name;
            return Err(PyTypeError::new_err(format!(
                "{len} bytes are no array of {name}, whose records have {size} bytes"
            )));
        }
        // Another thread may write to the array meanwhile: what is checked and published is a copy.
        let cells = cells(&records);
        let (mut row, mut copy) =
            (cells.and_then(|cells| WireRow::of_cells(&self.kind.header, cells, size)), Vec::new());
        let (mut rest, mut most) = if let Some(row) = &mut row {
            row.edit().into_iter().for_each(|copy| clear(copy, size, &blank));
            if self.core.publish_row(py, row)? {
                return Ok(len / size);
            }
            // A queue that was full makes room bit by bit: no more is tried than fits by and by.
            (row.rest(), 1)
        } else {
            copy.resize(len, 0);
            records.copy_to_slice(py, &mut copy)?;
            clear(&mut copy, size, &blank);
            (&copy[..], len)
        };
        while !rest.is_empty() {
            let count = most.min(rest.len() / size);
            let piece = &rest[..count * size];
            let (published, refused) = self.core.publish_records(py, &self.kind.header, piece, size, limit);
            refused?;
            most = if published < count { 1 } else { most.saturating_mul(2) };
            rest = &rest[published * size..];
        }
        Ok(len / size)
    }

    /// The class of its messages.
    #[getter]
    fn message_type<'py>(&self, py: Python<'py>) -> &Bound<'py, PyType> {
        self.kind.class.bind(py)
    }

    fn __repr__(&self) -> String {
        format!("<Publisher of {} to {:?}>", self.kind.name, self.kind.topic)
    }
}

impl Publisher {
    fn check(&self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = message.py();
        if message.get_type().is(self.kind.class.bind(py)) {
            return Ok(());
        }
        let got = message.get_type().qualname()?;
        let want = self.kind.name;
        Err(PyTypeError::new_err(format!(
            "a publisher of {want} was given a {got}: publish an instance of {want}, or the bytes of `encode()`"
        )))
    }
}
