//! The runtime below a `Runtime` of Python, and whether it may still be used.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use mycelium::frame::Header;
use mycelium::{WirePublishError, WireRow};
use mycelium_hosted as hosted;
use pyo3::prelude::*;

use crate::attached::PythonThread;
use crate::callback::Called;
use crate::contract::Contract;
use crate::errors::{self, Class};
use crate::host::{Host, Kinds, UntilClosed};
use crate::rust_actors::RustActors;
use crate::subscription::Inlet;
use crate::wait::{self, Waited, until};

/// What the runtime and all that it has handed out share.
pub(crate) struct Core {
    pub(crate) hosted: hosted::Runtime,
    pub(crate) host: Arc<Host>,
    forked: AtomicBool,
    /// Whether it was closed, and its bus with it.
    over: AtomicBool,
    /// Whether the Rust program whose bus it is has dropped it.
    left: AtomicBool,
    /// How many threads wait detached.
    waiting: AtomicUsize,
    pub(crate) called: Called,
    /// Those that were started: a tree goes on whatever becomes of its handle in Python.
    trees: Mutex<Vec<hosted::HostedTree>>,
    /// Of subscriptions on the bus of a program.
    inlets: Mutex<Vec<Weak<Inlet>>>,
}

/// A thread that waits on a core.
pub(crate) struct Waiting<'a>(&'a Core);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Core {
    pub(crate) fn new(
        py: Python<'_>,
        contract: &Contract,
        threads: usize,
        topic_capacity: Option<usize>,
        validate: bool,
        topology: Option<(PathBuf, String)>,
    ) -> PyResult<Self> {
        let mut builder = hosted::Runtime::builder()
            .contract(contract.loaded(py)?)
            .workers(threads)
            .hooks(Arc::new(PythonThread));
        if let Some(messages) = topic_capacity {
            builder = builder.bus(|bus| bus.topic_capacity(messages));
        }
        if let Some((path, name)) = topology {
            builder = builder.topology(path, name);
        }
        let rust = RustActors::of_process(py)?;
        let builder = builder.bus(|bus| rust.tell_bus(bus, &contract.kinds.known));
        let hosted = py.detach(|| builder.start()).map_err(|error| errors::of(py, &error))?;
        Ok(Self::over(hosted, &contract.kinds, validate, rust))
    }

    /// Over a runtime that is there: its own, or that of a Rust program.
    pub(crate) fn over(
        hosted: hosted::Runtime,
        kinds: &Arc<Kinds>,
        validate: bool,
        rust: Arc<RustActors>,
    ) -> Self {
        let (kinds, clock) = (Arc::clone(kinds), UntilClosed::new(hosted.bus().clock()));
        Self {
            hosted,
            host: Arc::new(Host { kinds, validate, clock, rust, isolate: None }),
            forked: AtomicBool::new(false),
            over: AtomicBool::new(false),
            left: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            called: Called::default(),
            trees: Mutex::default(),
            inlets: Mutex::default(),
        }
    }

    /// Whether it may be used.
    #[inline]
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<()> {
        if self.forked.load(Ordering::Relaxed) {
            return Err(forked(py));
        }
        Ok(())
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.forked.load(Ordering::Relaxed)
    }

    /// Whether it was closed, and its bus with it.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Whether a message is worth its bytes, which Python makes: a thread of Python that publishes until the
    /// interpreter is gone must not be there then: see `leaving`.
    #[inline]
    pub(crate) fn takes(&self, py: Python<'_>, name: &'static str) -> PyResult<()> {
        if self.is_over() {
            Err(errors::publish(py, &WirePublishError::Closed { message: name }))
        } else {
            Ok(())
        }
    }

    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    pub(crate) fn is_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    pub(crate) fn waits(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Waiting(self)
    }

    /// Does something in the midst of a wait, which does not count meanwhile: a signal handler may close the
    /// runtime.
    pub(crate) fn aside<R>(&self, what: impl FnOnce() -> R) -> R {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        let done = what();
        self.waiting.fetch_add(1, Ordering::AcqRel);
        done
    }

    /// Keeps a tree until the runtime closes, or the tree has ended.
    pub(crate) fn keep(&self, tree: hosted::HostedTree) {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.retain(|tree| tree.tree().end_reason().is_none());
        trees.push(tree);
    }

    /// That it is not closed while its bus, which is that of a program, goes on.
    pub(crate) fn goes_on(&self, py: Python<'_>) -> PyResult<()> {
        if self.hosted.is_guest() && self.hosted.is_closed() {
            return Err(errors::of(py, &hosted::Error::Closed { what: "the runtime" }));
        }
        Ok(())
    }

    /// Has a close find a subscription on the bus of a program.
    ///
    /// # Errors
    /// It is closed.
    pub(crate) fn lends(&self, py: Python<'_>, inlet: &Arc<Inlet>) -> PyResult<()> {
        if self.hosted.is_guest() {
            let mut inlets = self.inlets.lock().unwrap_or_else(PoisonError::into_inner);
            inlets.retain(|inlet| inlet.strong_count() > 0);
            inlets.push(Arc::downgrade(inlet));
        }
        // A close may have looked before.
        self.goes_on(py)
    }

    /// Whether to wait for room would be to wait for oneself: the delivery thread empties the queues of all
    /// callbacks of its runtime.
    fn would_wait_for_itself(&self, type_id: u16) -> bool {
        let called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        called.get(&type_id).is_some_and(|count| *count > 0) && self.hosted.is_delivering()
    }

    /// Publishes one value; waits for room detached from Python.
    #[inline]
    pub(crate) fn publish(
        &self,
        py: Python<'_>,
        header: &Header,
        bytes: &[u8],
        limit: Option<Duration>,
    ) -> PyResult<()> {
        self.open(py)?;
        match self.hosted.bus().try_publish_wire(header, bytes) {
            Ok(()) => Ok(()),
            Err(WirePublishError::Full { message, .. }) if self.would_wait_for_itself(header.type_id) => {
                Err(errors::publish(py, &WirePublishError::SelfBlocked { message }))
            }
            Err(WirePublishError::Full { .. }) if limit != Some(Duration::ZERO) => {
                self.publish_waiting(py, header, bytes, limit)
            }
            Err(error) => Err(errors::publish(py, &error)),
        }
    }

    /// Publishes copies, as far as there is room: whether there was for all.
    pub(crate) fn publish_row(&self, py: Python<'_>, row: &mut WireRow) -> PyResult<bool> {
        self.open(py)?;
        match self.hosted.bus().try_publish_wire_row(row) {
            Ok(()) => Ok(true),
            Err(WirePublishError::Full { .. }) => Ok(false),
            Err(error) => Err(errors::publish(py, &error)),
        }
    }

    /// Publishes values of `each` bytes that lie one behind the other; how many, and what the next one was
    /// refused with. After the first that finds a queue full, it waits for that one's room, and returns.
    pub(crate) fn publish_records(
        &self,
        py: Python<'_>,
        header: &Header,
        bytes: &[u8],
        each: usize,
        limit: Option<Duration>,
    ) -> (usize, PyResult<()>) {
        if let Err(error) = self.open(py) {
            return (0, Err(error));
        }
        match self.hosted.bus().try_publish_wire_many(header, bytes, each) {
            Ok(()) => (bytes.len() / each, Ok(())),
            Err((published, WirePublishError::Full { .. })) => {
                let value = &bytes[published * each..(published + 1) * each];
                let waited = self.publish(py, header, value, limit);
                (published + usize::from(waited.is_ok()), waited)
            }
            Err((published, error)) => (published, Err(errors::publish(py, &error))),
        }
    }

    #[cold]
    fn publish_waiting(
        &self,
        py: Python<'_>,
        header: &Header,
        bytes: &[u8],
        limit: Option<Duration>,
    ) -> PyResult<()> {
        match until(py, self, self.hosted.bus().publish_wire(header, bytes), limit, || false)? {
            Waited::Ready(Ok(())) => Ok(()),
            Waited::Ready(Err(error)) => Err(errors::publish(py, &error)),
            Waited::TimedOut | Waited::GivenUp => {
                // The name comes with the error of one more try, if there is still no room.
                self.hosted.bus().try_publish_wire(header, bytes).map_err(|error| errors::publish(py, &error))
            }
        }
    }

    /// This process is a child that has none of the runtime's threads.
    pub(crate) fn mark_forked(&self) {
        self.forked.store(true, Ordering::Relaxed);
        // It is never dropped: its threads are the parent's, and so may be whoever holds its locks.
        std::mem::forget(self.hosted.clone());
        if let Ok(trees) = self.trees.try_lock() {
            std::mem::forget(trees.clone());
        }
    }

    /// Ends everything: see `hosted::Runtime::close`. A second call does nothing.
    pub(crate) fn close(&self, py: Python<'_>, limit: Duration) -> PyResult<()> {
        if self.is_forked() {
            return Ok(());
        }
        let closed = wait::hearing(py, |look| look(), || self.hosted.close(limit));
        py.detach(|| self.let_go(limit));
        closed
    }

    /// The same on a thread that has not the interpreter, and needs none.
    pub(crate) fn close_detached(&self, limit: Duration) -> Result<(), hosted::Error> {
        if self.is_forked() {
            return Ok(());
        }
        let closed = self.hosted.close(limit);
        self.let_go(limit);
        closed
    }

    /// Once it is closed: lets go of what it has handed out.
    fn let_go(&self, limit: Duration) {
        if !self.hosted.is_closed() {
            return;
        }
        self.over.store(!self.hosted.is_guest(), Ordering::Release);
        let trees = std::mem::take(&mut *self.trees.lock().unwrap_or_else(PoisonError::into_inner));
        drop(trees);
        let begun = Instant::now();
        if self.hosted.is_guest() {
            let inlets = std::mem::take(&mut *self.inlets.lock().unwrap_or_else(PoisonError::into_inner));
            for inlet in inlets.iter().filter_map(Weak::upgrade) {
                while !inlet.leave() && begun.elapsed() < limit {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            // The bus goes on and so do the actors in the program's trees, as does the interpreter.
            return;
        }
        // A thread that waits sees the end of its bus, and is back in Python before the interpreter ends.
        while self.waiting.load(Ordering::Acquire) > 0 && begun.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cold]
fn forked(py: Python<'_>) -> PyErr {
    Class::Closed.of(
        py,
        "this process was forked from the one that has the runtime, whose threads are not here: make a Runtime in the child, or \
         start it with the `spawn` method of multiprocessing",
    )
}
