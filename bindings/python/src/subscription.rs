//! Reading the messages of some classes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mycelium::{WireArray, WireMessage, WireSubscriber, WireTopics};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::core::Core;
use crate::errors::{self, Class};
use crate::kind::Kind;
use crate::leaving;
use crate::pipe::Pipe;
use crate::wait::{self, Waited, until};

/// Messages of some classes, in the order of the bus.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Subscription {
    core: Arc<Core>,
    /// Few: a look at each is faster than a hash.
    kinds: Vec<Arc<Kind>>,
    names: String,
    inlet: Arc<Inlet>,
    /// Whether a task waits for the pipe, which tells one.
    awaited: AtomicBool,
}

/// What it reads, where a close of the runtime reaches it.
pub(crate) struct Inlet {
    reading: Mutex<Reading>,
    closed: AtomicBool,
    /// Whether the runtime is closed and its bus, which is that of a program, goes on: publishers there would
    /// wait for whoever reads no more.
    left: AtomicBool,
}

struct Reading {
    /// `None` once it is closed, or has left its topics.
    from: Option<WireSubscriber>,
    /// Taken as it left them, and not read yet.
    held: VecDeque<WireMessage>,
    pipe: Option<Arc<Pipe>>,
}

impl Inlet {
    /// The runtime is closed: it leaves its topics, and reads what waits for it. Whether it has: a thread
    /// that reads sees that it is to leave before it is done.
    pub(crate) fn leave(&self) -> bool {
        self.left.store(true, Ordering::SeqCst);
        match self.reading.try_lock() {
            Ok(mut reading) => reading.leave(),
            Err(TryLockError::Poisoned(reading)) => reading.into_inner().leave(),
            Err(TryLockError::WouldBlock) => return false,
        }
        true
    }

    fn is_left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }
}

impl Reading {
    fn leave(&mut self) {
        let Some(mut from) = self.from.take() else { return };
        // No more than that: publishers go on meanwhile.
        let waiting = from.unread();
        from.drain(waiting, |delivery| self.held.push_back(delivery.to_message()));
        drop(from);
        self.pipe.iter().for_each(Wake::wake_by_ref);
    }

    /// How many messages wait, at most.
    fn unread(&self) -> usize {
        self.held.len() + self.from.as_ref().map_or(0, WireSubscriber::unread)
    }

    /// Copies records that wait to `out`: how many.
    fn read_array(&mut self, array: &WireArray, out: &mut [u8]) -> usize {
        let mut taken = 0;
        for slot in out.chunks_exact_mut(array.stride) {
            let Some(message) = self.held.front() else { break };
            let Some(root) = array.root(message.header(), message.bytes()) else { return taken };
            slot.copy_from_slice(root);
            self.held.pop_front();
            taken += 1;
        }
        match &mut self.from {
            Some(from) if self.held.is_empty() => {
                taken + from.read_array(array, &mut out[taken * array.stride..])
            }
            _ => taken,
        }
    }
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
        let reading = Reading { from: Some(from), held: VecDeque::new(), pipe: None };
        let inlet = Inlet {
            reading: Mutex::new(reading),
            closed: AtomicBool::new(false),
            left: AtomicBool::new(false),
        };
        Self {
            core,
            names: names.join(", "),
            kinds: kinds.to_vec(),
            inlet: Arc::new(inlet),
            awaited: AtomicBool::new(false),
        }
    }

    /// What a close of the runtime finds.
    pub(crate) fn inlet(&self) -> &Arc<Inlet> {
        &self.inlet
    }

    #[inline]
    fn kind_of(&self, type_id: u16) -> Option<&Arc<Kind>> {
        self.kinds.iter().find(|kind| kind.header.type_id == type_id)
    }

    /// The one reader: others have an error and not a deadlock.
    fn reading(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Reading>> {
        leaving::enter()?;
        self.core.open(py)?;
        loop {
            match self.inlet.reading.try_lock() {
                Ok(reading) => return Ok(reading),
                Err(TryLockError::Poisoned(reading)) => return Ok(reading.into_inner()),
                // It may be the close of the runtime that has it, for a moment; a reader ends soon then.
                Err(TryLockError::WouldBlock) if self.inlet.is_left() => py.detach(std::thread::yield_now),
                Err(TryLockError::WouldBlock) => return Err(self.busy(py, "another thread reads")),
            }
        }
    }

    fn busy(&self, py: Python<'_>, who: &str) -> PyErr {
        let what = "give each thread and each task a subscription of its own";
        Class::Busy.of(py, format!("{who} this subscription of {}: {what}", self.names))
    }

    /// Ends a look: whoever has closed it meanwhile could not, while the reader had it.
    fn looked<T>(&self, py: Python<'_>, reading: MutexGuard<'_, Reading>, look: &Look<T>) {
        if matches!(look, Look::Ended) {
            self.inlet.closed.store(true, Ordering::Release);
        }
        drop(reading);
        if self.closed() {
            self.close(py);
        } else if self.inlet.is_left() {
            self.inlet.leave();
        }
    }

    /// The next message.
    fn poll(reading: &mut Reading, cx: &mut Context<'_>) -> Poll<Option<WireMessage>> {
        if let Some(message) = reading.held.pop_front() {
            return Poll::Ready(Some(message));
        }
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
        if self.awaited.load(Ordering::Acquire) {
            return Err(self.busy(py, "a task waits for"));
        }
        if self.closed() {
            return Ok(Look::Ended);
        }
        // Nobody is detached for what is there already.
        match Self::poll(reading, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(message)) => return Ok(Look::Here(message)),
            Poll::Ready(None) => return Ok(Look::Ended),
            Poll::Pending if limit == Some(Duration::ZERO) => return Ok(Look::Nothing),
            Poll::Pending => {}
        }
        let given_up = || self.inlet.closed.load(Ordering::Acquire) || self.inlet.is_left();
        let next = std::future::poll_fn(|cx| Self::poll(reading, cx));
        Ok(match until(py, &self.core, next, limit, given_up)? {
            Waited::Ready(Some(message)) => Look::Here(message),
            Waited::TimedOut => Look::Nothing,
            Waited::Ready(None) => Look::Ended,
            Waited::GivenUp => {
                reading.leave();
                let last = reading.held.pop_front().filter(|_| !self.closed());
                last.map_or(Look::Ended, Look::Here)
            }
        })
    }

    /// A look that has the event loop told, through the pipe, of what comes later.
    fn look(&self, py: Python<'_>, reading: &mut Reading) -> PyResult<Look<WireMessage>> {
        if self.closed() {
            return Ok(Look::Ended);
        }
        // The pipe is read only where it is to be waited for.
        let next = reading.held.pop_front();
        if let Some(message) = next.or_else(|| reading.from.as_mut()?.try_recv()) {
            return Ok(Look::Here(message));
        }
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

    /// What waits of the class of an array, at most `most` records one behind the other; `None`: something
    /// else is next, or nothing waits.
    fn waiting_records<'py>(
        &self,
        py: Python<'py>,
        reading: &mut Reading,
        most: usize,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let [kind] = &self.kinds[..] else { return Ok(None) };
        if !kind.fixed || kind.header.root_len == 0 || self.closed() || self.awaited.load(Ordering::Acquire) {
            return Ok(None);
        }
        let array = kind.array();
        let most = most.min(reading.unread());
        if most == 0 {
            return Ok(None);
        }
        let mut taken = 0;
        let records = PyBytes::new_with(py, most.saturating_mul(array.stride), |out| {
            taken = reading.read_array(&array, out) * array.stride;
            Ok(())
        })?;
        Ok(match records.as_bytes() {
            all if all.len() == taken => Some(records),
            _ if taken == 0 => None,
            all => Some(PyBytes::new(py, &all[..taken])),
        })
    }

    /// `first` and what waits behind it. A value of an older version is read by itself: should that fail,
    /// nothing else is lost.
    fn records<'py>(
        &self,
        py: Python<'py>,
        reading: &mut Reading,
        first: WireMessage,
        most: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let Some(kind) = self.kind_of(first.header().type_id) else { return Ok(PyBytes::new(py, &[])) };
        if !kind.is_record(first.header(), first.bytes()) {
            return Ok(kind.renewed(py, first.header(), first.bytes())?.bind(py).clone());
        }
        let (array, value) = (kind.array(), first.bytes());
        let room = most.clamp(1, 1 + reading.unread());
        let mut taken = value.len();
        let records = PyBytes::new_with(py, room.saturating_mul(value.len()), |out| {
            let (front, behind) = out.split_at_mut(value.len());
            front.copy_from_slice(value);
            if !behind.is_empty() {
                taken += reading.read_array(&array, behind) * array.stride;
            }
            Ok(())
        })?;
        let all = records.as_bytes();
        Ok(if all.len() == taken { records } else { PyBytes::new(py, &all[..taken]) })
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
        let limit = wait::limit(timeout)?;
        let mut reading = self.reading(py)?;
        let look = self.wait(py, &mut reading, limit)?;
        self.looked(py, reading, &look);
        self.told(py, look)
    }

    /// `(state, message)` at once; the descriptor becomes readable when it is worth another look.
    fn look_once<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut reading = self.reading(py)?;
        let look = self.look(py, &mut reading)?;
        self.looked(py, reading, &look);
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
        let limit = wait::limit(timeout)?;
        let mut reading = self.reading(py)?;
        if let Some(records) = self.waiting_records(py, &mut reading, most)? {
            self.looked(py, reading, &Look::Here(()));
            return Ok((HERE, Some(records)));
        }
        let look = self.wait(py, &mut reading, limit)?;
        self.told_records(py, reading, look, most)
    }

    /// `(state, records)` at once, as `look_once`.
    fn look_records<'py>(&self, py: Python<'py>, most: usize) -> PyResult<(u8, Option<Bound<'py, PyBytes>>)> {
        let mut reading = self.reading(py)?;
        let look = self.look(py, &mut reading)?;
        self.told_records(py, reading, look, most)
    }

    /// A task waits from now on: what its event loop watches.
    fn begin_wait(&self, py: Python<'_>) -> PyResult<i32> {
        let mut reading = self.reading(py)?;
        let descriptor = pipe(py, &mut reading)?.fileno();
        if self.awaited.swap(true, Ordering::AcqRel) {
            return Err(self.busy(py, "another task waits for"));
        }
        Ok(descriptor)
    }

    /// It does no more.
    fn end_wait(&self) {
        self.awaited.store(false, Ordering::Release);
    }

    /// Unsubscribes. A thread that waits returns within a few hundredths of a second.
    fn close(&self, py: Python<'_>) {
        self.inlet.closed.store(true, Ordering::Release);
        let reading = match self.inlet.reading.try_lock() {
            Err(TryLockError::Poisoned(reading)) => Some(reading.into_inner()),
            // It sees that it is closed before it has done.
            Err(TryLockError::WouldBlock) => None,
            Ok(reading) => Some(reading),
        };
        if let Some(mut reading) = reading {
            let (from, held) = (reading.from.take(), std::mem::take(&mut reading.held));
            reading.pipe.iter().for_each(Wake::wake_by_ref);
            if self.core.open(py).is_err() {
                // Of a parent process: its locks may be held for ever.
                std::mem::forget((from, held));
                return;
            }
            drop(reading);
            py.detach(|| drop((from, held)));
        }
    }

    #[getter]
    fn closed(&self) -> bool {
        self.inlet.closed.load(Ordering::Acquire)
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
        mut reading: MutexGuard<'_, Reading>,
        look: Look<WireMessage>,
        most: usize,
    ) -> PyResult<(u8, Option<Bound<'py, PyBytes>>)> {
        let look = match look {
            Look::Here(first) => Look::Here(self.records(py, &mut reading, first, most)?),
            Look::Nothing => Look::Nothing,
            Look::Ended => Look::Ended,
        };
        self.looked(py, reading, &look);
        Ok(match look {
            Look::Here(records) => (HERE, Some(records)),
            Look::Nothing => (PENDING, None),
            Look::Ended => (ENDED, None),
        })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.core.is_forked() {
            std::mem::forget(Arc::clone(&self.inlet));
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
    core.goes_on(py)?;
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
