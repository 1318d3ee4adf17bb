//! Isolates: actors of Python in virtual time, called in place on the thread that runs the isolate.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::sync::Arc;

use mycelium::frame::Header;
use mycelium::sweep::StopFlag;
use mycelium::tree::ChildStatus;
use mycelium::{RunError, Timestamp, WirePublishError};
use mycelium_hosted::{Address, Encoded, Error, HostedActor, HostedIsolate, Recorded};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};

use crate::confined::Confined;
use crate::context::Context;
use crate::contract::Contract;
use crate::errors::{self, Class};
use crate::host::{Apart, Host, UntilClosed};
use crate::kind::Kind;
use crate::leaving;
use crate::plan::{self, Hosting};
use crate::runtime::Told;
use crate::rust_actors::RustActors;
use crate::signals;
use crate::subscription::topics_of;
use crate::tree::status;
use crate::wait;

/// An isolate. It belongs to the thread that has made it.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Isolate {
    host: Arc<Host>,
    inside: Confined<Inside>,
    /// Ends a run in which an actor has raised `KeyboardInterrupt`; a sweep has its own flag.
    stop: Option<StopFlag>,
}

/// What belongs to its thread.
struct Inside {
    /// Borrowed while it runs; `None` once it is closed.
    hosted: RefCell<Option<HostedIsolate>>,
    /// Whether an actor of it is written in Python.
    calls_python: Cell<bool>,
    /// Who is found while it runs.
    spawned: RefCell<HashMap<String, Address>>,
    trees: RefCell<Vec<Arc<OwnTree>>>,
}

/// A tree, or why it had ended when its isolate was closed.
type OwnTree = UntilClosed<mycelium::Tree, Option<String>>;

/// A supervision tree of an isolate, which is given to each call.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct IsolateTree(Arc<OwnTree>);

impl Inside {
    /// The isolate is closed. Code of Python runs here: nothing is borrowed meanwhile.
    fn close(&self, host: &Host) {
        let (hosted, trees, spawned) = (self.hosted.take(), self.trees.take(), self.spawned.take());
        host.isolate.as_ref().inspect(|apart| apart.forget());
        drop((hosted, spawned));
        trees.iter().for_each(|tree| tree.let_go(end_of));
        host.clock.let_go(mycelium::Clock::now);
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        if let Some(inside) = self.inside.get() {
            inside.close(&self.host);
        }
    }
}

fn end_of(tree: &mycelium::Tree) -> Option<String> {
    tree.end_reason().map(|reason| reason.to_string())
}

/// What was published to some classes' topics in an isolate.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Recorder {
    recorded: Recorded,
    kinds: Vec<Arc<Kind>>,
}

impl Isolate {
    pub(crate) fn of(
        mut isolate: mycelium::Isolate,
        contract: &Bound<'_, Contract>,
        validate: bool,
        held: bool,
    ) -> PyResult<Self> {
        let (py, loaded) = (contract.py(), contract.get().loaded(contract.py())?);
        let stop = (!held).then(StopFlag::new);
        if let Some(stop) = &stop {
            isolate.stop_on(stop);
        }
        let (clock, contract) = (UntilClosed::new(isolate.clock()), contract.get());
        let mut hosted = HostedIsolate::new(isolate, &loaded);
        let (kinds, rust) = (Arc::clone(&contract.kinds), RustActors::of_process(py)?);
        rust.tell_isolate(hosted.isolate_mut(), &kinds.known);
        let isolate = Some(Apart::new(stop.clone()));
        let host = Arc::new(Host { kinds, validate, clock, rust, isolate });
        if !held {
            signals::hear(py, hosted.isolate_mut(), &host)?;
        }
        Ok(Self {
            host,
            inside: Confined::new(Inside {
                hosted: RefCell::new(Some(hosted)),
                calls_python: Cell::new(false),
                spawned: RefCell::default(),
                trees: RefCell::default(),
            }),
            stop,
        })
    }

    /// What belongs to its thread, on that thread.
    fn inside(&self, py: Python<'_>) -> PyResult<&Inside> {
        leaving::enter()?;
        self.inside.get().ok_or_else(|| {
            Class::Busy.of(py, "an isolate belongs to the thread that has made it: make one in each thread")
        })
    }

    /// The isolate between two runs.
    fn idle(&self, py: Python<'_>) -> PyResult<RefMut<'_, HostedIsolate>> {
        let Ok(hosted) = self.inside(py)?.hosted.try_borrow_mut() else {
            return Err(Class::Busy.of(
                py,
                "the isolate runs, and an actor's handler asked for what belongs between two runs: publish and tell with \
                 `self.ctx`, and ask with `await self.ctx.ask(..)`",
            ));
        };
        RefMut::filter_map(hosted, Option::as_mut).map_err(|_| closed(py))
    }

    /// Drives the isolate, and raises what is to be raised of what its actors have.
    fn drive<T>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut HostedIsolate) -> Result<T, Error>,
    ) -> PyResult<T> {
        self.driven(py, call, |error| errors::of(py, error))
    }

    fn driven<T, E>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut HostedIsolate) -> Result<T, E>,
        error_of: impl FnOnce(&E) -> PyErr,
    ) -> PyResult<T> {
        let mut hosted = self.idle(py)?;
        self.stop.iter().for_each(StopFlag::reset);
        let ran = call(&mut hosted);
        drop(hosted);
        self.outcome(py, ran, error_of)
    }

    /// The same. Other threads of Python go on meanwhile where no actor of it needs Python, and so do other
    /// isolates in them.
    fn driven_apart<T: Send, E: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut HostedIsolate) -> Result<T, E> + Send,
        error_of: impl FnOnce(&E) -> PyErr,
    ) -> PyResult<T> {
        if self.inside(py)?.calls_python.get() {
            return self.driven(py, call, error_of);
        }
        drop(self.idle(py)?);
        self.stop.iter().for_each(StopFlag::reset);
        let ran = py.detach(|| {
            let mut hosted = self.inside.get()?.hosted.try_borrow_mut().ok()?;
            hosted.as_mut().map(call)
        });
        // It is as it was a moment ago: this thread alone reaches it.
        let ran = ran.ok_or_else(|| closed(py))?;
        self.outcome(py, ran, error_of)
    }

    /// What a call that has run the isolate gives back, unless something is to be raised in its place.
    fn outcome<T, E>(
        &self,
        py: Python<'_>,
        ran: Result<T, E>,
        error_of: impl FnOnce(&E) -> PyErr,
    ) -> PyResult<T> {
        let (interrupt, failure) = self.host.isolate.as_ref().map_or((None, None), Apart::take_raised);
        if let Some(interrupt) = interrupt {
            return Err(interrupt);
        }
        ran.map_err(|error| {
            let error = error_of(&error);
            error.set_cause(py, failure);
            error
        })
    }

    /// Whoever is at this name or path, also while it runs.
    fn address(&self, py: Python<'_>, path: &str) -> PyResult<Address> {
        let Inside { spawned, trees, .. } = self.inside(py)?;
        let trees = trees.borrow();
        let trees = || trees.iter().filter_map(|tree| tree.see(|tree| tree.ok().cloned()));
        let actor = || trees().find_map(|tree| tree.lookup::<HostedActor>(path)).map(Address::of);
        let pool = || trees().find_map(|tree| tree.lookup_pool::<HostedActor>(path)).map(Address::of_pool);
        // A tree says nothing while it starts somebody.
        let begun = || self.host.isolate.as_ref().and_then(|apart| apart.begun(path));
        let found = spawned.borrow().get(path).cloned().or_else(actor).or_else(pool).or_else(begun);
        found.ok_or_else(|| errors::of(py, &Error::NoAddress { path: path.to_owned() }))
    }

    /// Publishes from outside, or in the name of the actor whose handler runs.
    fn publish_encoded(&self, py: Python<'_>, message: Encoded) -> PyResult<()> {
        self.inside(py)?;
        if let Some(context) = self.host.isolate.as_ref().and_then(|apart| apart.current(py)) {
            return context.get().publish_later(py, message);
        }
        let published = self.idle(py)?.isolate_mut().publish_wire(&message.header, &message.bytes);
        published.map_err(|error| refused(py, &error))
    }
}

/// Why records were not all published.
enum Stopped {
    Refused(WirePublishError),
    Run(RunError),
}

/// Publishes records from outside, and handles what waits when that is too much; at its time each, if that
/// lies in them.
fn replay<'a>(
    hosted: &mut HostedIsolate,
    header: &Header,
    records: impl Iterator<Item = &'a [u8]>,
    at: Option<usize>,
) -> Result<(), Stopped> {
    let isolate = hosted.isolate_mut();
    for record in records {
        let time = at.and_then(|at| record.get(at..at + 8)?.try_into().ok()).map(i64::from_le_bytes);
        if let Some(time) = time {
            isolate.run_until(Timestamp::from_nanos(time)).map_err(Stopped::Run)?;
        }
        match isolate.publish_wire(header, record) {
            Err(WirePublishError::Full { .. }) => {
                isolate.run_until(isolate.now()).map_err(Stopped::Run)?;
                isolate.publish_wire(header, record).map_err(Stopped::Refused)?;
            }
            published => published.map_err(Stopped::Refused)?,
        }
    }
    Ok(())
}

#[cold]
fn closed(py: Python<'_>) -> PyErr {
    Class::Closed.of(py, "the isolate is closed: make a new `Isolate(..)`")
}

#[cold]
fn refused(py: Python<'_>, error: &WirePublishError) -> PyErr {
    match error {
        WirePublishError::Full { message, .. } => Class::Full.of(
            py,
            format!(
                "{message} was not published: as many messages wait in the isolate as may; call `run()` or `run_for(0)` before \
                 the next ones, or `publish_many`, which does"
            ),
        ),
        other => errors::publish(py, other),
    }
}

#[pymethods]
impl Isolate {
    #[new]
    fn new(contract: &Bound<'_, Contract>, seed: u64, start: i64, validate: bool) -> PyResult<Self> {
        let isolate = mycelium::Isolate::starting_at(seed, Timestamp::from_nanos(start));
        Self::of(isolate, contract, validate, false)
    }

    fn publish(&self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        self.publish_encoded(message.py(), self.host.encode(message)?)
    }

    fn publish_value(&self, class: &Bound<'_, PyType>, value: &[u8]) -> PyResult<()> {
        let header = self.host.kinds.of(class)?.header;
        self.publish_encoded(class.py(), Encoded { header, bytes: value.to_vec() })
    }

    /// Publishes the records of a buffer, one after the other; how many. From outside it handles what waits
    /// when that is too much. `blank`: bytes of each record that belong to no field. `at`: where in a record
    /// the time lies, to which the isolate runs before it.
    #[pyo3(signature = (class, records, blank, at = None))]
    fn publish_records(
        &self,
        class: &Bound<'_, PyType>,
        records: PyBuffer<u8>,
        blank: Vec<(usize, usize)>,
        at: Option<usize>,
    ) -> PyResult<usize> {
        let (py, kind) = (class.py(), self.host.kinds.of(class)?);
        let (size, len) = (kind.header.root_len as usize, records.len_bytes());
        if !kind.fixed || size == 0 || !len.is_multiple_of(size) {
            let text = format!("{len} bytes are no array of {}, whose records have {size} bytes", kind.name);
            return Err(PyTypeError::new_err(text));
        }
        let mut copy = vec![0; len];
        records.copy_to_slice(py, &mut copy)?;
        for record in copy.chunks_exact_mut(size) {
            for (from, to) in &blank {
                record.get_mut(*from..*to).into_iter().for_each(|gap| gap.fill(0));
            }
        }
        let (count, header) = (copy.len() / size, kind.header);
        self.inside(py)?;
        let Some(context) = self.host.isolate.as_ref().and_then(|apart| apart.current(py)) else {
            let replay =
                move |hosted: &mut HostedIsolate| replay(hosted, &header, copy.chunks_exact(size), at);
            self.driven_apart(py, replay, |stopped| match stopped {
                Stopped::Refused(error) => refused(py, error),
                Stopped::Run(error) => Class::Run.of(py, error.to_string()),
            })?;
            return Ok(count);
        };
        for record in copy.chunks_exact(size) {
            context.get().publish_later(py, Encoded { header, bytes: record.to_vec() })?;
        }
        Ok(count)
    }

    fn tell(&self, path: &str, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, message) = (message.py(), self.host.encode(message)?);
        self.inside(py)?;
        if let Some(context) = self.host.isolate.as_ref().and_then(|apart| apart.current(py)) {
            return context.get().tell_later(py, self.address(py, path)?, message);
        }
        self.idle(py)?.tell(path, message).map_err(|error| errors::of(py, &error))
    }

    /// The answer to a query, as `(type id, version, root length, bytes)`.
    fn ask<'py>(&self, path: &str, query: &Bound<'py, PyAny>) -> PyResult<Told<'py>> {
        let (py, query) = (query.py(), self.host.encode(query)?);
        let Encoded { header, bytes } = self.drive(py, |hosted| hosted.ask(path, query))?;
        Ok((header.type_id, header.version, header.root_len, PyBytes::new(py, &bytes)))
    }

    /// Has the actor whose handler runs go on with the answer to a query.
    fn ask_later(&self, path: &str, query: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, query) = (query.py(), self.host.encode(query)?);
        match self.host.isolate.as_ref().and_then(|apart| apart.current(py)) {
            Some(context) => context.get().ask_later(py, self.address(py, path)?, query),
            None => Err(Class::Busy.of(py, "only the handler of an actor waits for an answer with `await`")),
        }
    }

    /// Has the actor with this context watch whoever is at this path.
    fn watch_at(
        &self,
        py: Python<'_>,
        context: &Bound<'_, Context>,
        path: &str,
        number: u64,
    ) -> PyResult<()> {
        context.get().watch_later(py, self.address(py, path)?, number)
    }

    fn run(&self, py: Python<'_>) -> PyResult<()> {
        let run = |hosted: &mut HostedIsolate| hosted.isolate_mut().run();
        self.driven_apart(py, run, |error: &RunError| Class::Run.of(py, error.to_string())).map(drop)
    }

    /// `step`: it is one of many, which each take a moment, and other threads of Python wait meanwhile.
    #[pyo3(signature = (nanos, step = false))]
    fn run_until(&self, py: Python<'_>, nanos: i64, step: bool) -> PyResult<()> {
        let until = Timestamp::from_nanos(nanos);
        let run = move |hosted: &mut HostedIsolate| hosted.isolate_mut().run_until(until);
        let error_of = |error: &RunError| Class::Run.of(py, error.to_string());
        if step { self.driven(py, run, error_of) } else { self.driven_apart(py, run, error_of) }.map(drop)
    }

    fn shut_down(&self, py: Python<'_>) -> PyResult<()> {
        let shut_down = |hosted: &mut HostedIsolate| hosted.isolate_mut().shutdown();
        self.driven(py, shut_down, |error| Class::Run.of(py, error.to_string())).map(drop)
    }

    fn now(&self, py: Python<'_>) -> PyResult<i64> {
        self.inside(py)?;
        Ok(self.host.now().as_nanos())
    }

    fn spawn(&self, py: Python<'_>, name: &str, plan: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some(child) = plan::rust(plan, name, &self.host)? {
            let spawned = self.idle(py)?.isolate_mut().spawn_child(&child);
            return spawned.map_err(|error| errors::of(py, &Error::Subscribe(error)));
        }
        let spec = plan::spec(plan, &self.host)?;
        let inside = self.inside(py)?;
        inside.calls_python.set(true);
        let address = self.idle(py)?.spawn(name, spec).map_err(|error| errors::of(py, &error))?;
        inside.spawned.borrow_mut().insert(name.to_owned(), address);
        Ok(())
    }

    fn start_tree(&self, plan: &Bound<'_, PyAny>) -> PyResult<IsolateTree> {
        let py = plan.py();
        let builder = {
            let (hosted, calls_python) = (self.idle(py)?, &self.inside(py)?.calls_python);
            let child = |id: &str, spec| {
                calls_python.set(true);
                hosted.child(id, spec)
            };
            let pool = |spec| {
                calls_python.set(true);
                hosted.pool(spec)
            };
            plan::builder(plan, &Hosting { host: &self.host, child: &child, pool: &pool })?
        };
        let tree = self.drive(py, |hosted| hosted.start(&builder))?;
        let tree = Arc::new(OwnTree::new(tree));
        self.inside(py)?.trees.borrow_mut().push(Arc::clone(&tree));
        Ok(IsolateTree(tree))
    }

    /// Of each child of the supervisor at this path: id, whether it is a supervisor, its state.
    fn children(
        &self,
        py: Python<'_>,
        tree: &Bound<'_, IsolateTree>,
        path: &str,
    ) -> PyResult<Vec<(String, bool, String)>> {
        let tree = tree.get().tree(py)?;
        let children = self.in_tree(py, tree.which_children(path))?;
        let row = |child: &mycelium::tree::ChildInfo| {
            let supervisor = child.kind == mycelium::tree::ChildKind::Supervisor;
            let status: ChildStatus = child.status;
            (child.id.to_string(), supervisor, self::status(status).to_owned())
        };
        Ok(children.iter().map(row).collect())
    }

    fn terminate_child(&self, py: Python<'_>, tree: &Bound<'_, IsolateTree>, path: &str) -> PyResult<()> {
        let tree = tree.get().tree(py)?;
        self.in_tree(py, tree.terminate_child(path))
    }

    /// Ends a tree within so many seconds of virtual time, when all that waits was handled.
    fn drain(&self, py: Python<'_>, tree: &Bound<'_, IsolateTree>, limit: f64) -> PyResult<()> {
        let limit = wait::limit(Some(limit))?.unwrap_or_default();
        let tree = tree.get().tree(py)?;
        let run = |hosted: &mut HostedIsolate| hosted.isolate_mut().block_on(tree.drain(limit));
        let drained = self.driven(py, run, |error| Class::Run.of(py, error.to_string()))?;
        drained.map(drop).map_err(|error| errors::of(py, &Error::Drain(Box::new(error))))
    }

    fn restart_child(&self, py: Python<'_>, tree: &Bound<'_, IsolateTree>, path: &str) -> PyResult<()> {
        let tree = tree.get().tree(py)?;
        self.in_tree(py, tree.restart_child(path))
    }

    /// Records the messages of these classes from now on.
    fn record(&self, py: Python<'_>, classes: Vec<Bound<'_, PyType>>) -> PyResult<Recorder> {
        let kinds = classes.iter().map(|class| self.host.kinds.of(class)).collect::<PyResult<Vec<_>>>()?;
        let recorded = self.idle(py)?.record(topics_of(&kinds)).map_err(|error| errors::of(py, &error))?;
        Ok(Recorder { recorded, kinds })
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.idle(py)?.isolate_mut().stats();
        let all = PyDict::new(py);
        all.set_item("now", stats.now.as_nanos())?;
        all.set_item("events", stats.events)?;
        all.set_item("resumptions", stats.resumptions)?;
        all.set_item("unheard", stats.unheard)?;
        all.set_item("dead_letters", stats.dead_letters)?;
        all.set_item("retried", stats.retried)?;
        Ok(all)
    }

    fn limit_events(&self, py: Python<'_>, most: u64) -> PyResult<()> {
        self.idle(py)?.isolate_mut().limit_events(most);
        Ok(())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let inside = self.inside(py)?;
        if inside.hosted.try_borrow_mut().is_err() {
            return Err(Class::Busy.of(py, "the isolate runs: close it when the run has ended"));
        }
        inside.close(&self.host);
        Ok(())
    }

    #[getter]
    fn closed(&self) -> bool {
        self.inside
            .get()
            .is_some_and(|inside| inside.hosted.try_borrow().is_ok_and(|hosted| hosted.is_none()))
    }
}

impl IsolateTree {
    fn tree(&self, py: Python<'_>) -> PyResult<mycelium::Tree> {
        self.0.see(|tree| tree.ok().cloned()).ok_or_else(|| closed(py))
    }
}

impl Isolate {
    /// Has a tree do something, and runs the isolate as far as that takes.
    fn in_tree<T>(
        &self,
        py: Python<'_>,
        call: impl Future<Output = Result<T, mycelium::tree::CallError>>,
    ) -> PyResult<T> {
        let run = |hosted: &mut HostedIsolate| hosted.isolate_mut().block_on(call);
        let called = self.driven(py, run, |error| Class::Run.of(py, error.to_string()))?;
        called.map_err(|error| errors::of(py, &Error::Call(error)))
    }
}

#[pymethods]
impl IsolateTree {
    /// Why it has ended, if it has.
    fn end_reason(&self) -> Option<String> {
        self.0.see(|tree| tree.map_or_else(Clone::clone, end_of))
    }
}

#[pymethods]
impl Recorder {
    /// The messages that were recorded since the last time.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let all = self.recorded.take();
        let known = all.iter().filter_map(|message| Some((self.kind_of(message)?, message)));
        known.map(|(kind, message)| kind.decode(py, &message.header, &message.bytes)).collect()
    }

    /// The same as records one behind the other.
    fn take_records<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut records = Vec::new();
        for message in self.recorded.take() {
            let Some(kind) = self.kind_of(&message) else { continue };
            if kind.is_record(&message.header, &message.bytes) {
                records.extend_from_slice(&message.bytes);
            } else {
                records.extend_from_slice(
                    kind.renewed(py, &message.header, &message.bytes)?.bind(py).as_bytes(),
                );
            }
        }
        Ok(PyBytes::new(py, &records))
    }
}

impl Recorder {
    fn kind_of(&self, message: &Encoded) -> Option<&Arc<Kind>> {
        self.kinds.iter().find(|kind| kind.header.type_id == message.header.type_id)
    }
}
