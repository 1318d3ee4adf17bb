//! The bus of a runtime, and who may still use it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mycelium::MessageBus;
use mycelium::frame::Header;
use mycelium::wire::{self, WirePublishError};
use pyo3::prelude::*;
use tokio::runtime;

use crate::errors::{self, Class};
use crate::wait::{Waited, until};

/// What the runtime and all that it has handed out share.
pub(crate) struct Core {
    pub(crate) bus: MessageBus,
    pub(crate) contract: wire::Contract,
    tokio: Mutex<Option<runtime::Runtime>>,
    forked: AtomicBool,
    closed: AtomicBool,
    /// How many threads wait detached.
    waiting: AtomicUsize,
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
        contract: wire::Contract,
        threads: usize,
        topic_capacity: Option<usize>,
    ) -> PyResult<Self> {
        let tokio = runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("mycelium")
            .enable_time()
            .build()
            .map_err(|error| {
                Class::Shutdown.of(py, format!("the runtime's threads cannot be started: {error}"))
            })?;
        let mut bus = MessageBus::builder().runtime(tokio.handle().clone()).contract(contract);
        if let Some(messages) = topic_capacity {
            bus = bus.topic_capacity(messages);
        }
        Ok(Self {
            bus: bus.build(),
            contract,
            tokio: Mutex::new(Some(tokio)),
            forked: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
        })
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

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn waits(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Waiting(self)
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
        match self.bus.try_publish_wire(header, bytes) {
            Ok(()) => Ok(()),
            Err(WirePublishError::Full { .. }) if limit != Some(Duration::ZERO) => {
                self.publish_waiting(py, header, bytes, limit)
            }
            Err(error) => Err(errors::publish(py, &error)),
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
        let _waits = self.waits();
        match until(py, self.bus.publish_wire(header, bytes), limit, || false)? {
            Waited::Ready(Ok(())) => Ok(()),
            Waited::Ready(Err(error)) => Err(errors::publish(py, &error)),
            Waited::TimedOut | Waited::GivenUp => {
                // The name comes with the error of one more try, if there is still no room.
                self.bus.try_publish_wire(header, bytes).map_err(|error| errors::publish(py, &error))
            }
        }
    }

    /// This process is a child that has none of the runtime's threads.
    pub(crate) fn mark_forked(&self) {
        self.forked.store(true, Ordering::Relaxed);
        // Its threads cannot be joined: they are the parent's.
        if let Ok(mut tokio) = self.tokio.try_lock() {
            std::mem::forget(tokio.take());
        }
    }

    /// Stops all actors, closes all topics and ends the runtime's threads. A second call does nothing.
    pub(crate) fn close(&self, py: Python<'_>, limit: Duration) -> PyResult<()> {
        if self.forked.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.closed.store(true, Ordering::Release);
        let Some(tokio) = py.detach(|| self.tokio.lock().ok().and_then(|mut tokio| tokio.take())) else {
            return Ok(());
        };
        let ended = py.detach(|| {
            let ended = tokio.block_on(self.bus.shutdown_within(limit));
            tokio.shutdown_timeout(limit);
            // Whoever waits sees the end of its bus, and is back in Python before the interpreter ends.
            let begun = std::time::Instant::now();
            while self.waiting.load(Ordering::Acquire) > 0 && begun.elapsed() < limit {
                std::thread::sleep(Duration::from_millis(1));
            }
            ended
        });
        ended.map_err(|error| errors::shutdown(py, &error))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // From any thread, one of the runtime's own included: nobody is waited for.
        if let Some(tokio) = self.tokio.get_mut().ok().and_then(Option::take) {
            tokio.shutdown_background();
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
