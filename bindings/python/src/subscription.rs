//! Reading the messages of some classes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mycelium::{WireMessage, WireSubscriber, WireTopics};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::core::Core;
use crate::errors::{self, Class};
use crate::kind::Kind;
use crate::pipe::Pipe;
use crate::wait::{self, Waited, until};

/// Messages of some classes, in the order of the bus.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Subscription {
    core: Arc<Core>,
    /// Few: a look at each is faster than a hash.
    kinds: Vec<Arc<Kind>>,
    names: String,
    reading: Mutex<Reading>,
    closed: AtomicBool,
}

struct Reading {
    /// `None` once it is closed.
    from: Option<WireSubscriber>,
    /// The bytes of a batch, kept for its capacity.
    records: Vec<u8>,
    pipe: Option<Arc<Pipe>>,
}

/// What a look has found.
enum Look<T> {
    Here(T),
    Nothing,
    /// The bus or the subscription is closed, and nothing waits any more.
    Ended,
}

impl Subscription {
    pub(crate) fn new(core: Arc<Core>, kinds: &[Arc<Kind>], from: WireSubscriber) -> Self {
        let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        let reading = Reading { from: Some(from), records: Vec::new(), pipe: None };
        Self {
            core,
            names: names.join(", "),
            kinds: kinds.to_vec(),
            reading: Mutex::new(reading),
            closed: AtomicBool::new(false),
        }
    }

    #[inline]
    fn kind_of(&self, type_id: u16) -> Option<&Arc<Kind>> {
        self.kinds.iter().find(|kind| kind.header.type_id == type_id)
    }

    /// The one reader: others have an error and not a deadlock.
    fn reading(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Reading>> {
        self.core.open(py)?;
        match self.reading.try_lock() {
            Ok(reading) => Ok(reading),
            Err(TryLockError::Poisoned(reading)) => Ok(reading.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Class::Busy.of(
                py,
                format!("another thread reads this subscription of {}: give each thread a subscription of its own", self.names),
            )),
        }
    }

    /// The next message.
    fn poll(reading: &mut Reading, cx: &mut Context<'_>) -> Poll<Option<WireMessage>> {
        let Some(from) = &mut reading.from else { return Poll::Ready(None) };
        from.poll_recv(cx)
    }

    /// Waits for the next message. `Nothing`: the limit has passed.
    fn wait(
        &self,
        py: Python<'_>,
        reading: &mut Reading,
        limit: Option<Duration>,
    ) -> PyResult<Look<WireMessage>> {
        // Nobody is detached for what is there already.
        match Self::poll(reading, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(message)) => return Ok(Look::Here(message)),
            Poll::Ready(None) => return Ok(Look::Ended),
            Poll::Pending if limit == Some(Duration::ZERO) => return Ok(Look::Nothing),
            Poll::Pending => {}
        }
        let _waits = self.core.waits();
        let given_up = || self.closed.load(Ordering::Acquire);
        let next = std::future::poll_fn(|cx| Self::poll(reading, cx));
        let look = match until(py, next, limit, given_up)? {
            Waited::Ready(Some(message)) => Look::Here(message),
            Waited::Ready(None) => Look::Ended,
            Waited::TimedOut => Look::Nothing,
            Waited::GivenUp => Look::Ended,
        };
        if matches!(look, Look::Ended) {
            reading.from = None;
        }
        Ok(look)
    }

    /// A look that has the event loop told, through the pipe, of what comes later.
    fn look(&self, py: Python<'_>, reading: &mut Reading) -> PyResult<Look<WireMessage>> {
        let pipe = pipe(py, reading)?;
        pipe.clear();
        let waker = Waker::from(pipe);
        Ok(match Self::poll(reading, &mut Context::from_waker(&waker)) {
            Poll::Ready(Some(message)) => Look::Here(message),
            Poll::Ready(None) => Look::Ended,
            Poll::Pending => Look::Nothing,
        })
    }

    fn decode<'py>(&self, py: Python<'py>, message: &WireMessage) -> PyResult<Bound<'py, PyAny>> {
        let header = message.header();
        match self.kind_of(header.type_id) {
            Some(kind) => kind.decode(py, header, message.bytes()),
            None => Ok(PyBytes::new(py, message.bytes()).into_any()),
        }
    }

    /// `first` and what waits behind it, as records one behind the other.
    fn records<'py>(
        &self,
        py: Python<'py>,
        reading: &mut Reading,
        first: WireMessage,
        most: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let Reading { from, records, .. } = reading;
        records.clear();
        let mut outdated = Vec::new();
        let mut add = |header: &mycelium::frame::Header, bytes: &[u8]| {
            let Some(kind) = self.kind_of(header.type_id) else { return };
            if kind.is_record(header, bytes) {
                records.extend_from_slice(bytes);
            } else {
                outdated.push((records.len(), *header, bytes.to_vec()));
                records.extend(std::iter::repeat_n(0, kind.header.root_len as usize));
            }
        };
        add(first.header(), first.bytes());
        if let Some(from) = from {
            from.drain(most.saturating_sub(1), |delivery| add(delivery.header, delivery.bytes));
        }
        for (at, header, bytes) in outdated {
            let Some(kind) = self.kind_of(header.type_id) else { continue };
            let record = kind.renewed(py, &header, &bytes)?;
            let record = record.bind(py).as_bytes();
            records[at..at + record.len()].copy_from_slice(record);
        }
        Ok(PyBytes::new(py, records))
    }
}

fn pipe(py: Python<'_>, reading: &mut Reading) -> PyResult<Arc<Pipe>> {
    if let Some(pipe) = &reading.pipe {
        return Ok(Arc::clone(pipe));
    }
    let pipe = Pipe::new().map_err(|error| {
        Class::Subscribe
            .of(py, format!("the event loop cannot be told of messages: {error}; are too many files open?"))
    })?;
    reading.pipe = Some(Arc::clone(&pipe));
    Ok(pipe)
}

/// The states that Python is told: nothing yet, a value, the end.
const PENDING: u8 = 0;
const HERE: u8 = 1;
const ENDED: u8 = 2;

#[pymethods]
impl Subscription {
    /// `(state, message)`, after at most `timeout` seconds.
    #[pyo3(signature = (timeout = None))]
    fn recv<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyTuple>> {
        let mut reading = self.reading(py)?;
        let look = self.wait(py, &mut reading, wait::limit(timeout)?)?;
        drop(reading);
        self.told(py, look)
    }

    /// `(state, message)` at once; the descriptor becomes readable when it is worth another look.
    fn look_once<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut reading = self.reading(py)?;
        let look = self.look(py, &mut reading)?;
        drop(reading);
        self.told(py, look)
    }

    /// `(state, records)`, after at most `timeout` seconds: bytes, at most `most` records.
    #[pyo3(signature = (most, timeout = None))]
    fn recv_records<'py>(
        &self,
        py: Python<'py>,
        most: usize,
        timeout: Option<f64>,
    ) -> PyResult<(u8, Option<Bound<'py, PyBytes>>)> {
        let mut reading = self.reading(py)?;
        let look = self.wait(py, &mut reading, wait::limit(timeout)?)?;
        self.told_records(py, &mut reading, look, most)
    }

    /// `(state, records)` at once, as `look_once`.
    fn look_records<'py>(&self, py: Python<'py>, most: usize) -> PyResult<(u8, Option<Bound<'py, PyBytes>>)> {
        let mut reading = self.reading(py)?;
        let look = self.look(py, &mut reading)?;
        self.told_records(py, &mut reading, look, most)
    }

    /// What an event loop watches.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        let mut reading = self.reading(py)?;
        Ok(pipe(py, &mut reading)?.fileno())
    }

    /// Unsubscribes. A thread that waits returns within a few hundredths of a second.
    fn close(&self, py: Python<'_>) {
        self.closed.store(true, Ordering::Release);
        if let Ok(mut reading) = self.reading.try_lock() {
            let from = reading.from.take();
            if self.core.open(py).is_err() {
                // Of a parent process: its locks may be held for ever.
                std::mem::forget(from);
                return;
            }
            drop(reading);
            py.detach(|| drop(from));
        }
    }

    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn __repr__(&self) -> String {
        let state = if self.closed() { " (closed)" } else { "" };
        format!("<Subscription to {}{state}>", self.names)
    }
}

impl Subscription {
    fn told<'py>(&self, py: Python<'py>, look: Look<WireMessage>) -> PyResult<Bound<'py, PyTuple>> {
        match look {
            Look::Here(message) => (HERE, self.decode(py, &message)?).into_pyobject(py),
            Look::Nothing => (PENDING, py.None()).into_pyobject(py),
            Look::Ended => (ENDED, py.None()).into_pyobject(py),
        }
    }

    fn told_records<'py>(
        &self,
        py: Python<'py>,
        reading: &mut Reading,
        look: Look<WireMessage>,
        most: usize,
    ) -> PyResult<(u8, Option<Bound<'py, PyBytes>>)> {
        Ok(match look {
            Look::Here(first) => (HERE, Some(self.records(py, reading, first, most)?)),
            Look::Nothing => (PENDING, None),
            Look::Ended => (ENDED, None),
        })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Ok(reading) = self.reading.get_mut() else { return };
        if self.core.is_forked() {
            std::mem::forget(reading.from.take());
        }
    }
}

/// A subscription of the bus to these classes.
pub(crate) fn subscribe(
    py: Python<'_>,
    core: &Arc<Core>,
    kinds: &[Arc<Kind>],
    policy: &str,
    capacity: Option<usize>,
) -> PyResult<WireSubscriber> {
    core.open(py)?;
    let how = how(policy, capacity)?;
    let subscriber = core.hosted.bus().subscribe_wire_with(topics_of(kinds), how);
    subscriber.map_err(|error| errors::subscribe(py, &error))
}

/// The messages of these classes, on their topics.
pub(crate) fn topics_of(kinds: &[Arc<Kind>]) -> WireTopics {
    let mut topics: Vec<&str> = kinds.iter().map(|kind| kind.topic).collect();
    topics.sort_unstable();
    topics.dedup();
    WireTopics::from(topics.as_slice()).only(kinds.iter().map(|kind| kind.header.type_id))
}

/// What a subscription says of a queue that is full.
pub(crate) fn how(policy: &str, capacity: Option<usize>) -> PyResult<mycelium::Subscription<WireMessage>> {
    use mycelium::Subscription as How;
    let how = match policy {
        "block" => How::block(),
        "drop_oldest" => How::drop_oldest(),
        "drop_newest" => How::drop_newest(),
        "fail" => How::fail(),
        other => {
            return Err(pyo3::exceptions::PyValueError::new_err(format!(
                "there is no policy {other:?}: choose \"block\", \"drop_oldest\", \"drop_newest\" or \"fail\""
            )));
        }
    };
    match capacity {
        Some(0) => {
            Err(pyo3::exceptions::PyValueError::new_err("a capacity is a number of messages from 1 on"))
        }
        Some(messages) => Ok(how.capacity(messages)),
        None => Ok(how),
    }
}
