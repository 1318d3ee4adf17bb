//! Callbacks: functions of Python that are called with each message, on the runtime's delivery thread.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mycelium_hosted::{CallbackId, Failure};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::core::Core;
use crate::errors;
use crate::kind::Kind;
use crate::subscription::{how, topics_of};

/// After how many calls the delivery thread lets others of Python run, whatever it calls (calls).
const TURN: u32 = 256;

/// A function that is called with each message of some classes.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Callback {
    core: Arc<Core>,
    id: CallbackId,
    names: String,
    closed: AtomicBool,
}

impl Callback {
    pub(crate) fn subscribe(
        py: Python<'_>,
        core: &Arc<Core>,
        kinds: Vec<Arc<Kind>>,
        callback: Py<PyAny>,
        raw: bool,
        policy: &str,
        capacity: Option<usize>,
    ) -> PyResult<Self> {
        core.open(py)?;
        let (topics, how) = (topics_of(&kinds), how(policy, capacity)?);
        let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        let keeps = match policy {
            "block" => kinds.iter().map(|kind| kind.header.type_id).collect(),
            _ => Vec::new(),
        };
        let awaited = Awaited::new(&core.called, keeps);
        let names = names.join(", ");
        let mut turn = 0;
        let call = move |delivery: &mycelium::WireDelivery<'_>| {
            let _ = &awaited;
            Python::attach(|py| {
                turn += 1;
                if turn == TURN {
                    turn = 0;
                    py.detach(|| ());
                }
                let kind = kinds.iter().find(|kind| kind.header.type_id == delivery.header.type_id);
                let Some(kind) = kind else { return Ok(()) };
                let message = if raw {
                    Ok(PyBytes::new(py, delivery.bytes).into_any())
                } else {
                    kind.decode(py, delivery.header, delivery.bytes)
                };
                let called = message.and_then(|message| callback.bind(py).call1((message,)));
                called.map(drop).map_err(|error| failed(py, "callback_failed", callback.bind(py), error))
            })
        };
        // The delivery thread may be started here, and attaches to Python.
        let subscribed = py.detach(|| core.hosted.subscribe(topics, how, call));
        let id = subscribed.map_err(|error| errors::of(py, &error))?;
        Ok(Self { core: Arc::clone(core), id, names, closed: AtomicBool::new(false) })
    }
}

/// Of how many callbacks under `block` each message is awaited, by type id.
pub(crate) type Called = Arc<Mutex<HashMap<u16, usize>>>;

/// That a callback keeps the publishers of these messages waiting: as long as its queue is there, which the
/// delivery thread drops together with this.
struct Awaited {
    called: Called,
    type_ids: Vec<u16>,
}

impl Awaited {
    fn new(called: &Called, type_ids: Vec<u16>) -> Self {
        let mut counts = called.lock().unwrap_or_else(PoisonError::into_inner);
        type_ids.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
        drop(counts);
        Self { called: Arc::clone(called), type_ids }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let mut counts = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &self.type_ids {
            counts.entry(*id).and_modify(|count| *count = count.saturating_sub(1));
        }
    }
}

/// Logs an exception (`mycelium._log`); its traceback.
#[cold]
pub(crate) fn failed(py: Python<'_>, how: &str, whose: &Bound<'_, PyAny>, error: PyErr) -> Failure {
    let text = error.to_string();
    let told = py.import("mycelium._log").and_then(|log| log.call_method1(how, (whose, error)));
    Failure::new(told.and_then(|told| told.extract::<String>()).unwrap_or(text))
}

#[pymethods]
impl Callback {
    /// Ends the calls: when this returns, the callback does not run and will not, unless it called this
    /// itself.
    fn close(&self, py: Python<'_>) {
        if self.core.is_forked() {
            return;
        }
        self.closed.store(true, Ordering::Release);
        // The second caller waits for the callback as well.
        py.detach(|| self.core.hosted.unsubscribe(self.id));
    }

    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire) || self.core.hosted.is_closed()
    }

    fn __repr__(&self) -> String {
        let state = if self.closed() { " (closed)" } else { "" };
        format!("<Callback on {}{state}>", self.names)
    }
}
