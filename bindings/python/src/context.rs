//! What an actor of Python does from within its handlers.
//!
//! The core lends an actor's context for the time of one call, and Python keeps references as long as it
//! likes. So what an actor orders is written down here, and done when its handler has returned.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use mycelium_hosted::{Address, Encoded, Error, Scope};
use pyo3::prelude::*;

use crate::errors::Class;
use crate::host::Host;
use crate::wait;

/// What an actor has ordered.
enum Order {
    After(Duration, u64),
    Every(Duration, u64),
    Cancel(u64),
    Watch(Address, u64),
    Unwatch(u64),
    Ready,
    Stop,
    /// In an isolate alone, as those below.
    Publish(Encoded),
    Tell(Address, Encoded),
    Pause(Duration),
    Ask(Address, Encoded),
}

/// An actor's half of its life that Python sees.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Context {
    host: Arc<Host>,
    path: String,
    id: u64,
    seed: u64,
    life: u64,
    thread: ThreadId,
    /// `None` when the life has ended.
    orders: Mutex<Option<Vec<Order>>>,
    /// Whether a handler has stopped the life.
    stopped: AtomicBool,
}

impl Context {
    pub(crate) fn new(host: &Arc<Host>, scope: &mut Scope<'_>, life: u64) -> Self {
        Self {
            host: Arc::clone(host),
            path: scope.path(),
            id: scope.id(),
            seed: scope.random(),
            life,
            thread: thread::current().id(),
            orders: Mutex::new(Some(Vec::new())),
            stopped: AtomicBool::new(false),
        }
    }

    /// Does what was ordered.
    ///
    /// # Errors
    /// Whoever is to be watched cannot be.
    pub(crate) fn carry_out(&self, scope: &mut Scope<'_>) -> Result<(), Error> {
        let orders = match &mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(orders) if !orders.is_empty() => std::mem::take(orders),
            _ => return Ok(()),
        };
        let mut done = Ok(());
        for order in orders {
            match order {
                Order::After(delay, number) => scope.schedule_after(delay, number),
                Order::Every(period, number) => scope.schedule_every(period, number),
                Order::Cancel(number) => {
                    scope.cancel(number);
                }
                Order::Watch(whom, number) => done = done.and(scope.watch(&whom, number)),
                Order::Unwatch(number) => {
                    scope.unwatch(number);
                }
                Order::Ready => scope.ready(),
                Order::Stop => scope.stop(),
                Order::Publish(message) => scope.publish_later(message),
                Order::Tell(to, message) => scope.tell_later(to, message),
                Order::Pause(time) => scope.pause_for(time),
                Order::Ask(whom, query) => scope.pause_to_ask(whom, query),
            }
        }
        done
    }

    /// The life has ended.
    pub(crate) fn end(&self) {
        *self.orders.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether its handler has asked to go on later.
    pub(crate) fn is_paused(&self) -> bool {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.iter().flatten().any(|order| matches!(order, Order::Pause(_) | Order::Ask(..)))
    }

    /// Whether the life ends when its handler returns, which has done so: it has stopped it, and goes on no
    /// more.
    pub(crate) fn is_at_end(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) && !self.is_paused()
    }

    /// Publishes when its handler has returned.
    pub(crate) fn publish_later(&self, py: Python<'_>, message: Encoded) -> PyResult<()> {
        self.order(py, Order::Publish(message))
    }

    /// Tells when its handler has returned.
    pub(crate) fn tell_later(&self, py: Python<'_>, to: Address, message: Encoded) -> PyResult<()> {
        self.order(py, Order::Tell(to, message))
    }

    /// Asks when its handler has returned, and goes on with the answer.
    pub(crate) fn ask_later(&self, py: Python<'_>, whom: Address, query: Encoded) -> PyResult<()> {
        self.order(py, Order::Ask(whom, query))
    }

    /// Watches whoever is at this address, when its handler has returned.
    pub(crate) fn watch_later(&self, py: Python<'_>, whom: Address, number: u64) -> PyResult<()> {
        self.order(py, Order::Watch(whom, number))
    }

    fn order(&self, py: Python<'_>, order: Order) -> PyResult<()> {
        if thread::current().id() != self.thread {
            return Err(Class::Busy.of(
                py,
                format!(
                    "the context of {} belongs to its handlers: publish with the Runtime from other threads",
                    self.path
                ),
            ));
        }
        match &mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(orders) => orders.push(order),
            None => {
                let text =
                    format!("this life of {} has ended: its next one has a context of its own", self.path);
                return Err(Class::Closed.of(py, text));
            }
        }
        Ok(())
    }
}

#[pymethods]
impl Context {
    #[getter]
    fn path(&self) -> &str {
        &self.path
    }

    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    /// For the actor's random numbers: the same for the same seed of the bus.
    #[getter]
    fn seed(&self) -> u64 {
        self.seed
    }

    /// Which of the actor's lives it is, from 0 on.
    #[getter]
    fn life(&self) -> u64 {
        self.life
    }

    /// The time on the bus's clock, in nanoseconds since 1970.
    fn now(&self) -> i64 {
        self.host.now().as_nanos()
    }

    fn after(&self, py: Python<'_>, seconds: f64, number: u64) -> PyResult<()> {
        let delay = wait::limit(Some(seconds))?.unwrap_or_default();
        self.order(py, Order::After(delay, number))
    }

    fn every(&self, py: Python<'_>, seconds: f64, number: u64) -> PyResult<()> {
        let period = wait::limit(Some(seconds))?.unwrap_or_default();
        if period.is_zero() {
            return Err(pyo3::exceptions::PyValueError::new_err("a period is longer than nothing"));
        }
        self.order(py, Order::Every(period, number))
    }

    fn cancel(&self, py: Python<'_>, number: u64) -> PyResult<()> {
        self.order(py, Order::Cancel(number))
    }

    fn unwatch(&self, py: Python<'_>, number: u64) -> PyResult<()> {
        self.order(py, Order::Unwatch(number))
    }

    /// In an isolate: publishes when the handler has returned. `timeout` is that of a runtime.
    #[pyo3(signature = (message, timeout = None))]
    fn publish(&self, message: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        wait::limit(timeout)?;
        let encoded = self.host.encode(message)?;
        self.publish_later(message.py(), encoded)
    }

    /// In an isolate: goes on (`_resumed`) after so many nanoseconds.
    fn pause(&self, py: Python<'_>, nanos: u64) -> PyResult<()> {
        self.order(py, Order::Pause(Duration::from_nanos(nanos)))
    }

    fn ready(&self, py: Python<'_>) -> PyResult<()> {
        self.order(py, Order::Ready)
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.order(py, Order::Stop)?;
        self.stopped.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn __repr__(&self) -> String {
        format!("<Context of {}>", self.path)
    }
}
