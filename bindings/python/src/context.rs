//! What an actor of Python does from within its handlers.
//!
//! The core lends an actor's context for the time of one call, and Python keeps references as long as it
//! likes. So what an actor orders is written down here, and done when its handler has returned.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use mycelium_hosted::Scope;
use pyo3::prelude::*;

use crate::core::Core;
use crate::errors::Class;
use crate::wait;

/// What an actor has ordered.
enum Order {
    After(Duration, u64),
    Every(Duration, u64),
    Cancel(u64),
    Ready,
    Stop,
}

/// An actor's half of its life that Python sees.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Context {
    core: Arc<Core>,
    path: String,
    id: u64,
    seed: u64,
    thread: ThreadId,
    /// `None` when the life has ended.
    orders: Mutex<Option<Vec<Order>>>,
}

impl Context {
    pub(crate) fn new(core: &Arc<Core>, scope: &mut Scope<'_>) -> Self {
        Self {
            core: Arc::clone(core),
            path: scope.path(),
            id: scope.id(),
            seed: scope.random(),
            thread: thread::current().id(),
            orders: Mutex::new(Some(Vec::new())),
        }
    }

    /// Does what was ordered.
    pub(crate) fn carry_out(&self, scope: &mut Scope<'_>) {
        let orders = match &mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(orders) if !orders.is_empty() => std::mem::take(orders),
            _ => return,
        };
        for order in orders {
            match order {
                Order::After(delay, number) => scope.schedule_after(delay, number),
                Order::Every(period, number) => scope.schedule_every(period, number),
                Order::Cancel(number) => {
                    scope.cancel(number);
                }
                Order::Ready => scope.ready(),
                Order::Stop => scope.stop(),
            }
        }
    }

    /// The life has ended.
    pub(crate) fn end(&self) {
        *self.orders.lock().unwrap_or_else(PoisonError::into_inner) = None;
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

    /// The time on the bus's clock, in nanoseconds since 1970.
    fn now(&self) -> i64 {
        self.core.hosted.bus().clock().now().as_nanos()
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

    fn ready(&self, py: Python<'_>) -> PyResult<()> {
        self.order(py, Order::Ready)
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.order(py, Order::Stop)
    }

    fn __repr__(&self) -> String {
        format!("<Context of {}>", self.path)
    }
}
