//! The runtime: a bus, its threads, and the message classes that were met.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mycelium::AskError;
use mycelium_hosted::{Encoded, Error};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyType};

use crate::callback::Callback;
use crate::context::Context;
use crate::contract::Contract;
use crate::core::Core;
use crate::errors::{self, Class};
use crate::kind::Kind;
use crate::plan::{self, Hosting};
use crate::publisher::Publisher;
use crate::subscription::{self, Subscription};
use crate::tree::Tree;
use crate::wait::{self, Waited};

/// A message as bytes: type id, version, root length, value.
pub(crate) type Told<'py> = (u16, u16, u32, Bound<'py, PyBytes>);

/// How many threads a runtime may have.
const THREADS_MAX: usize = 64;

/// A bus in this process.
#[pyclass(frozen, subclass, weakref, module = "mycelium._native")]
pub(crate) struct Runtime {
    core: Arc<Core>,
    contract: Py<Contract>,
}

/// The runtime of the Rust program that embeds this interpreter, before Python has a `Runtime` for it.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Program {
    pub(crate) core: Arc<Core>,
    pub(crate) contract: Py<Contract>,
}

/// What a `Runtime` is made of.
#[derive(FromPyObject)]
pub(crate) enum Below<'py> {
    /// A bus of its own.
    Contract(Bound<'py, Contract>),
    /// The bus of a Rust program.
    Program(Bound<'py, Program>),
}

impl Runtime {
    fn kind(&self, class: &Bound<'_, PyType>) -> PyResult<Arc<Kind>> {
        self.core.host.kinds.of(class)
    }
}

#[pymethods]
impl Runtime {
    #[new]
    #[pyo3(signature = (contract, threads, topic_capacity, validate, topology = None))]
    fn new(
        py: Python<'_>,
        contract: Below<'_>,
        threads: usize,
        topic_capacity: Option<usize>,
        validate: bool,
        topology: Option<(PathBuf, String)>,
    ) -> PyResult<Self> {
        let contract = match contract {
            Below::Contract(contract) => contract,
            Below::Program(program) => {
                let Program { core, contract } = program.get();
                return Ok(Self { core: Arc::clone(core), contract: contract.clone_ref(py) });
            }
        };
        if !(1..=THREADS_MAX).contains(&threads) {
            return Err(PyValueError::new_err(format!("threads is {threads}: choose 1 to {THREADS_MAX}")));
        }
        if topic_capacity == Some(0) {
            return Err(PyValueError::new_err("topic_capacity is a number of messages from 1 on"));
        }
        let core = Core::new(py, contract.get(), threads, topic_capacity, validate, topology)?;
        Ok(Self { core: Arc::new(core), contract: contract.unbind() })
    }

    /// Publishes a message to its topic.
    #[pyo3(signature = (message, timeout = None))]
    fn publish(&self, message: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let (kind, limit) = (self.kind(&message.get_type())?, wait::limit(timeout)?);
        self.core.takes(message.py(), kind.name)?;
        let value = kind.encode(message, self.core.host.validate)?;
        self.core.publish(message.py(), &kind.header, value.as_bytes(), limit)
    }

    /// A publisher of the messages of one class.
    fn publisher_of(&self, class: &Bound<'_, PyType>) -> PyResult<Publisher> {
        let kind = self.kind(class)?;
        self.core.open(class.py())?;
        Ok(Publisher::new(Arc::clone(&self.core), kind))
    }

    /// A subscription to the messages of these classes.
    fn subscription_to(
        &self,
        py: Python<'_>,
        classes: Vec<Bound<'_, PyType>>,
        policy: &str,
        capacity: Option<usize>,
    ) -> PyResult<Subscription> {
        let kinds = classes.iter().map(|class| self.kind(class)).collect::<PyResult<Vec<_>>>()?;
        if kinds.is_empty() {
            return Err(no_class());
        }
        let from = subscription::subscribe(py, &self.core, &kinds, policy, capacity)?;
        let made = Subscription::new(Arc::clone(&self.core), &kinds, from);
        self.core.lends(py, made.inlet()).map(|()| made)
    }

    /// Has `callback` called with each message of these classes, on the runtime's delivery thread.
    fn callback_on(
        &self,
        classes: Vec<Bound<'_, PyType>>,
        callback: Py<PyAny>,
        raw: bool,
        policy: &str,
        capacity: Option<usize>,
    ) -> PyResult<Callback> {
        let Some(py) = classes.first().map(Bound::py) else { return Err(no_class()) };
        let kinds = classes.iter().map(|class| self.kind(class)).collect::<PyResult<Vec<_>>>()?;
        Callback::subscribe(py, &self.core, kinds, callback, raw, policy, capacity)
    }

    /// Starts a supervision tree, and waits until all its children run.
    fn start_tree(&self, plan: &Bound<'_, PyAny>) -> PyResult<Tree> {
        let py = plan.py();
        self.core.open(py)?;
        let builder = plan::builder(
            plan,
            &Hosting {
                host: &self.core.host,
                child: &|id, spec| self.core.hosted.child(id, spec),
                pool: &|spec| self.core.hosted.pool(spec),
            },
        )?;
        Tree::start(py, &self.core, builder)
    }

    /// The answer to a query, as `(type id, version, root length, bytes)`.
    fn ask_at<'py>(&self, path: &str, query: &Bound<'py, PyAny>, timeout: f64) -> PyResult<Told<'py>> {
        let (py, limit) = (query.py(), wait::limit(Some(timeout))?);
        self.core.open(py)?;
        // First: a runtime that is closed runs no Python, see `Core::takes`.
        let address = self.core.hosted.address(path).map_err(|error| errors::of(py, &error))?;
        let query = self.core.host.encode(query)?;
        let answer = match wait::until(py, &self.core, address.asked(query), limit, || false)? {
            Waited::Ready(answer) => answer,
            Waited::TimedOut => Err(Error::Ask(AskError::timed_out(None, limit.unwrap_or_default()))),
            Waited::GivenUp => Err(Error::Closed { what: "the runtime" }),
        };
        let Encoded { header, bytes } = answer.map_err(|error| errors::of(py, &error))?;
        Ok((header.type_id, header.version, header.root_len, PyBytes::new(py, &bytes)))
    }

    /// Has the actor with this context watch whoever is at this path.
    fn watch_at(
        &self,
        py: Python<'_>,
        context: &Bound<'_, Context>,
        path: &str,
        number: u64,
    ) -> PyResult<()> {
        self.core.open(py)?;
        let address = self.core.hosted.address(path).map_err(|error| errors::of(py, &error))?;
        context.get().watch_later(py, address, number)
    }

    /// Puts a message into the mailbox of the actor at this path.
    #[pyo3(signature = (path, message, timeout = None))]
    fn tell_at(&self, path: &str, message: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let (py, limit) = (message.py(), wait::limit(timeout)?);
        self.core.open(py)?;
        let address = self.core.hosted.address(path).map_err(|error| errors::of(py, &error))?;
        let message = self.core.host.encode(message)?;
        let told = match wait::until(py, &self.core, address.told(message), limit, || false)? {
            Waited::Ready(told) => told,
            Waited::GivenUp => Err(Error::Closed { what: "the runtime" }),
            Waited::TimedOut => {
                let text = format!(
                    "{path} was not told: its mailbox is full; wait longer (`timeout=None` waits for ever), or send less"
                );
                return Err(Class::Full.of(py, text));
            }
        };
        told.map_err(|error| errors::of(py, &error))
    }

    #[getter]
    fn contract(&self, py: Python<'_>) -> Py<Contract> {
        self.contract.clone_ref(py)
    }

    /// What the topics, queues and actors of the bus have counted.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.core.open(py)?;
        let stats = py.detach(|| self.core.hosted.bus().stats());
        let all = PyDict::new(py);
        let topics = PyList::empty(py);
        for topic in &stats.topics {
            let row = PyDict::new(py);
            row.set_item("message", topic.message)?;
            row.set_item("topic", topic.topic)?;
            row.set_item("published", topic.published)?;
            row.set_item("delivered", topic.delivered)?;
            row.set_item("waiting", topic.waiting)?;
            row.set_item("dropped", topic.dropped_oldest + topic.dropped_newest + topic.conflated)?;
            row.set_item("dropped_unsubscribed", topic.dropped_unsubscribed)?;
            row.set_item("dead_letters", topic.dead_letters)?;
            topics.append(row)?;
        }
        let queues = PyList::empty(py);
        for queue in &stats.queues {
            let row = PyDict::new(py);
            row.set_item("receiver", queue.receiver.as_ref().map(ToString::to_string))?;
            row.set_item("message", queue.message)?;
            row.set_item("policy", queue.policy)?;
            row.set_item("waiting", queue.waiting)?;
            row.set_item("capacity", queue.capacity)?;
            queues.append(row)?;
        }
        all.set_item("actors", stats.actors())?;
        all.set_item("restarts", stats.restarts)?;
        all.set_item("topics", topics)?;
        all.set_item("queues", queues)?;
        all.set_item("callback_failures", self.core.hosted.failures().0)?;
        all.set_item("text", stats.to_string())?;
        Ok(all)
    }

    /// Takes nothing more from publishers outside of actors.
    fn pause_ingress(&self, py: Python<'_>) -> PyResult<()> {
        self.core.open(py)?;
        py.detach(|| self.core.hosted.bus().pause_ingress());
        Ok(())
    }

    /// Takes it again.
    fn resume_ingress(&self, py: Python<'_>) -> PyResult<()> {
        self.core.open(py)?;
        py.detach(|| self.core.hosted.bus().resume_ingress());
        Ok(())
    }

    /// Ends all actors, closes all topics and ends the runtime's threads.
    fn shut_down(&self, py: Python<'_>, limit: f64) -> PyResult<()> {
        let limit = wait::limit(Some(limit))?.unwrap_or(Duration::ZERO);
        self.core.close(py, limit)
    }

    /// This process is a child of the runtime's.
    fn mark_forked(&self) {
        self.core.mark_forked();
    }

    /// Whether the Rust program has dropped it.
    #[getter]
    fn left(&self) -> bool {
        self.core.is_left()
    }

    #[getter]
    fn closed(&self) -> bool {
        self.core.hosted.is_closed()
    }
}

#[cold]
fn no_class() -> PyErr {
    PyValueError::new_err("a subscription names at least one message class")
}
