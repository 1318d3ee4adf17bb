//! Actors that are written in Python.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mycelium::frame::Header;
use mycelium::{StopReason, WireDelivery};
use mycelium_hosted::{ActorSpec, Behavior, Encoded, Failure, Scope};
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::context::Context;
use crate::host::Host;
use crate::interrupt::Gate;
use crate::kind::Kind;
use crate::subscription::{how, topics_of};

/// Which method of an actor takes which message.
pub(crate) struct HandlerPlan {
    pub(crate) kind: Arc<Kind>,
    pub(crate) method: String,
    pub(crate) takes: Takes,
    pub(crate) policy: String,
    pub(crate) capacity: Option<usize>,
}

/// How a method takes messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// From its topic or told, one by one.
    Each,
    /// Told alone.
    Told,
    /// From its topic, as records one behind the other, so many at most.
    Batch(usize),
    /// As a query.
    Query,
}

/// How an actor is made, and what it receives.
pub(crate) struct ActorPlan {
    host: Arc<Host>,
    /// Called with the context: the actor, and its methods by their names.
    factory: Py<PyAny>,
    handlers: Vec<HandlerPlan>,
    /// How many lives have begun.
    lives: AtomicU64,
}

/// One life.
struct Life {
    plan: Arc<ActorPlan>,
    /// What `started` has made.
    made: Option<Made>,
    /// Ends a method that hangs, where a health probe says so.
    gate: Option<Arc<Gate>>,
}

struct Made {
    actor: Py<PyAny>,
    context: Py<Context>,
    hooks: Hooks,
    /// By type id: for messages, and for queries.
    takes: HashMap<u16, Method>,
    answers: HashMap<u16, Method>,
    /// Of which message records wait, and how many: of one at a time, so that all come in order.
    waiting: Option<(u16, usize)>,
    /// What a batch has failed with that was handed out before something else.
    failed: Option<PyErr>,
    /// Why the probe has given a method up.
    hung: Option<Failure>,
    /// The batch of messages has ended, and what its last method has begun has not: the life ends behind it.
    ends_behind: bool,
    /// What comes when the batch before it has come to its end.
    then: Option<Then>,
    /// Whether what has paused is a query.
    asked: bool,
    /// Whether it is a full batch: the message in hand is its last one, and has not failed where it has.
    full: bool,
}

/// What waits for a batch that has paused.
enum Then {
    Message(Encoded),
    Timer(u64),
    Down(u64, String),
    Query(Encoded),
    Stopping(String),
}

/// What the framework calls by itself.
struct Hooks {
    started: Py<PyAny>,
    stopping: Py<PyAny>,
    timer: Py<PyAny>,
    down: Py<PyAny>,
    resumed: Py<PyAny>,
    /// Has the event loop of `async` methods look, from any thread.
    wake: Py<PyAny>,
}

struct Method {
    kind: Arc<Kind>,
    call: Py<PyAny>,
    takes: Takes,
    records: Vec<u8>,
}

impl ActorPlan {
    pub(crate) fn new(host: &Arc<Host>, factory: Py<PyAny>, handlers: Vec<HandlerPlan>) -> Self {
        Self { host: Arc::clone(host), factory, handlers, lives: AtomicU64::new(0) }
    }

    pub(crate) fn spec(self) -> PyResult<ActorSpec> {
        let plan = Arc::new(self);
        let made = Arc::clone(&plan);
        let mut spec = ActorSpec::new(move || {
            Ok(Box::new(Life { plan: Arc::clone(&made), made: None, gate: None }) as Box<dyn Behavior>)
        });
        for handler in &plan.handlers {
            if matches!(handler.takes, Takes::Each | Takes::Batch(_)) {
                let topics = topics_of(std::slice::from_ref(&handler.kind));
                spec = spec.on(topics, how(&handler.policy, handler.capacity)?);
            }
        }
        Ok(spec)
    }

    /// A life's actor with its methods.
    fn make(&self, py: Python<'_>, scope: &mut Scope<'_>) -> PyResult<Made> {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        let context = Py::new(py, Context::new(&self.host, scope, life))?;
        let made =
            self.host.within(py, &context, || self.factory.bind(py).call1((context.clone_ref(py),)))?;
        let (actor, methods): (Py<PyAny>, Bound<'_, PyDict>) = made.extract()?;
        let method = |name: &str| methods.as_any().get_item(name).map(Bound::unbind);
        let (mut takes, mut answers) = (HashMap::new(), HashMap::new());
        for handler in &self.handlers {
            let of = if handler.takes == Takes::Query { &mut answers } else { &mut takes };
            let (kind, call) = (Arc::clone(&handler.kind), method(&handler.method)?);
            of.insert(kind.header.type_id, Method { kind, call, takes: handler.takes, records: Vec::new() });
        }
        let hooks = Hooks {
            started: method("started")?,
            stopping: method("stopping")?,
            timer: method("_fire")?,
            down: method("_down")?,
            resumed: method("_resumed")?,
            wake: method("_wake")?,
        };
        Ok(Made {
            actor,
            context,
            hooks,
            takes,
            answers,
            waiting: None,
            failed: None,
            hung: None,
            ends_behind: false,
            then: None,
            asked: false,
            full: false,
        })
    }
}

impl Made {
    /// Calls the method for a message; records wait for their batch.
    fn message(&mut self, py: Python<'_>, header: &Header, bytes: &[u8]) -> PyResult<()> {
        let id = header.type_id;
        let batch = match self.takes.get(&id).map(|method| method.takes) {
            Some(Takes::Batch(most)) => Some(most),
            _ => None,
        };
        let behind = batch.is_none() || self.waiting.is_some_and(|(other, _)| other != id);
        if behind && self.goes_first(py)? {
            self.then = Some(Then::Message(Encoded { header: *header, bytes: bytes.to_vec() }));
            return Ok(());
        }
        let taken = self.take(py, header, bytes, batch);
        self.ends(py, taken)
    }

    /// The same with nothing before it.
    fn take(&mut self, py: Python<'_>, header: &Header, bytes: &[u8], batch: Option<usize>) -> PyResult<()> {
        let id = header.type_id;
        let Some(method) = self.takes.get_mut(&id) else {
            let text = format!("it has no method with @on for messages with type id {id}");
            return Err(PyTypeError::new_err(text));
        };
        let Some(most) = batch else {
            let message = method.kind.decode(py, header, bytes)?;
            return method.call.bind(py).call1((message,)).map(drop);
        };
        if method.kind.is_record(header, bytes) {
            method.records.extend_from_slice(bytes);
        } else {
            let record = method.kind.renewed(py, header, bytes)?;
            method.records.extend_from_slice(record.bind(py).as_bytes());
        }
        let count = self.waiting.map_or(1, |(_, count)| count + 1);
        self.waiting = Some((id, count));
        if count < most {
            return Ok(());
        }
        // The last message is not tried again without the others.
        let flushed = self.flush(py).or_else(|error| self.puts_aside(py, error));
        self.full = flushed.is_ok() && self.context.get().is_paused();
        flushed
    }

    /// Hands out the batch that waits.
    fn flush(&mut self, py: Python<'_>) -> PyResult<()> {
        let waiting = self.waiting.take();
        let Some(method) = waiting.and_then(|(id, _)| self.takes.get_mut(&id)) else { return Ok(()) };
        let records = PyBytes::new(py, &method.records);
        method.records.clear();
        method.call.bind(py).call1((records,)).map(drop)
    }

    /// Earlier messages are handled before: whether it has paused, and the actor goes on with it first.
    fn goes_before(&mut self, py: Python<'_>) -> PyResult<bool> {
        if self.waiting.is_none() {
            return Ok(false);
        }
        self.flush(py)?;
        Ok(self.context.get().is_paused())
    }

    /// The same before a message or a timer. It has not failed where the batch has: it is handled, and the
    /// life ends then.
    fn goes_first(&mut self, py: Python<'_>) -> PyResult<bool> {
        match self.goes_before(py) {
            Err(error) => self.puts_aside(py, error).map(|()| false),
            paused => paused,
        }
    }

    /// Keeps an exception until the batch of messages has ended; what is no `Exception` waits for nothing.
    fn puts_aside(&mut self, py: Python<'_>, error: PyErr) -> PyResult<()> {
        if !error.is_instance_of::<PyException>(py) {
            return Err(error);
        }
        let told = self.ends::<()>(py, Err(error));
        self.failed = told.err();
        Ok(())
    }

    /// An exception ends the life, and one that was put aside before it is told with it. A stop ends the life
    /// with that one, and not normally.
    fn ends<T>(&mut self, py: Python<'_>, called: PyResult<T>) -> PyResult<T> {
        let error = match called {
            Ok(_) if self.context.get().is_at_end() => return self.failed.take().map_or(called, Err),
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let first = self.failed.take();
        first.inspect(|first| comes_after(py, &error, first));
        Err(error)
    }

    fn timer(&mut self, py: Python<'_>, number: u64) -> PyResult<()> {
        if self.goes_first(py)? {
            self.then = Some(Then::Timer(number));
            return Ok(());
        }
        let fired = self.hooks.timer.bind(py).call1((number,)).map(drop);
        self.ends(py, fired)
    }

    /// Whoever is watched under this number has ended.
    fn down(&mut self, py: Python<'_>, number: u64, reason: String) -> PyResult<()> {
        if self.goes_first(py)? {
            self.then = Some(Then::Down(number, reason));
            return Ok(());
        }
        let told = self.hooks.down.bind(py).call1((number, reason)).map(drop);
        self.ends(py, told)
    }

    fn batch_ended(&mut self, py: Python<'_>) -> PyResult<()> {
        // Messages behind a batch that failed count as handled, and are handed out too.
        let flushed = self.flush(py);
        self.ends(py, flushed)?;
        self.fails_behind()
    }

    /// The last words of a life. An end of it ends no batch: what waits is handed out before.
    fn stopping(&mut self, py: Python<'_>, reason: String) -> PyResult<()> {
        match self.goes_before(py) {
            Ok(false) => {}
            Ok(true) => {
                self.then = Some(Then::Stopping(reason));
                return Ok(());
            }
            Err(error) => self.failed = self.ends::<()>(py, Err(error)).err(),
        }
        let said = self.hooks.stopping.bind(py).call1((reason,)).map(drop);
        self.ends(py, said)?;
        self.fails_behind()
    }

    /// Fails with what was put aside, behind what has paused.
    fn fails_behind(&mut self) -> PyResult<()> {
        self.ends_behind = self.failed.is_some() && self.context.get().is_paused();
        if self.ends_behind { Ok(()) } else { self.failed.take().map_or(Ok(()), Err) }
    }

    fn answer(&mut self, py: Python<'_>, query: &Encoded, host: &Host) -> PyResult<Encoded> {
        match self.goes_before(py) {
            Ok(false) => {}
            Ok(true) => {
                self.then = Some(Then::Query(query.clone()));
                return Ok(query.clone());
            }
            Err(error) => return Err(self.fails_before(py, error)),
        }
        let Some(method) = self.answers.get(&query.header.type_id) else {
            let text =
                format!("it has no method with @ask for messages with type id {}", query.header.type_id);
            return Err(PyTypeError::new_err(text));
        };
        let asked = method.kind.decode(py, &query.header, &query.bytes)?;
        let answer = method.call.bind(py).call1((asked,))?;
        self.asked = self.context.get().is_paused();
        // One that has paused is answered when it goes on.
        if self.asked { Ok(query.clone()) } else { host.encode(&answer) }
    }

    /// A batch has failed in front of a query. An error of an answer ends no life, and this one is to.
    fn fails_before(&mut self, py: Python<'_>, error: PyErr) -> PyErr {
        // The query has its answer.
        self.then = None;
        self.failed = self.ends::<()>(py, Err(error.clone_ref(py))).err();
        error
    }

    /// Goes on where a method has paused, with the answer to what it has asked; the answer of a query.
    fn resumed(
        &mut self,
        py: Python<'_>,
        answer: Option<Result<Encoded, Failure>>,
        host: &Host,
    ) -> PyResult<Option<Encoded>> {
        let answer = match answer {
            Some(Ok(Encoded { header, bytes })) => {
                let told = (header.type_id, header.version, header.root_len, PyBytes::new(py, &bytes));
                told.into_pyobject(py)?.into_any()
            }
            Some(Err(failure)) => PyString::new(py, failure.text()).into_any(),
            None => py.None().into_bound(py),
        };
        let done = self.hooks.resumed.bind(py).call1((answer,));
        let done = match (done, &self.then) {
            (Err(error), Some(Then::Query(_))) => return Err(self.fails_before(py, error)),
            (Err(error), Some(_)) => {
                self.puts_aside(py, error)?;
                py.None().into_bound(py)
            }
            (Err(error), None) if self.full => {
                self.puts_aside(py, error)?;
                py.None().into_bound(py)
            }
            (Err(error), None) => {
                let asked = std::mem::take(&mut self.asked);
                return if asked { Err(error) } else { self.ends(py, Err(error)) };
            }
            (Ok(done), _) => done,
        };
        if self.then.is_some() && !self.context.get().is_paused() {
            return self.goes_on(py, host);
        }
        let paused = self.context.get().is_paused();
        if self.ends_behind && !paused {
            self.ends_behind = false;
            return self.failed.take().map_or(Ok(None), Err);
        }
        self.full &= paused;
        if paused {
            return Ok(None);
        }
        if !self.asked {
            return self.ends(py, Ok(None));
        }
        self.asked = false;
        host.encode(&done).map(Some)
    }

    /// Does what has waited for a batch; the answer of a query.
    fn goes_on(&mut self, py: Python<'_>, host: &Host) -> PyResult<Option<Encoded>> {
        match self.then.take() {
            None => Ok(None),
            Some(Then::Message(message)) => self.message(py, &message.header, &message.bytes).map(|()| None),
            Some(Then::Timer(number)) => self.timer(py, number).map(|()| None),
            Some(Then::Down(number, reason)) => self.down(py, number, reason).map(|()| None),
            Some(Then::Stopping(reason)) => self.stopping(py, reason).map(|()| None),
            Some(Then::Query(query)) => {
                let answer = self.answer(py, &query, host)?;
                Ok((!self.asked).then_some(answer))
            }
        }
    }
}

/// Has Python tell of both exceptions where it tells of the later one.
fn comes_after(py: Python<'_>, error: &PyErr, first: &PyErr) {
    let value = error.value(py);
    if !value.is(first.value(py)) && value.getattr("__context__").is_ok_and(|context| context.is_none()) {
        // Without it the first one is missing in the traceback, and nothing else.
        let _ = value.setattr("__context__", first.value(py));
    }
}

impl Life {
    /// Calls Python, and does what it has ordered. Its exception is the reason of the life's end.
    fn call<T>(
        &mut self,
        scope: &mut Scope<'_>,
        call: impl FnOnce(Python<'_>, &mut Made, &Host) -> PyResult<T>,
    ) -> Result<T, Failure> {
        let host = &*self.plan.host;
        let Some(made) = &mut self.made else { return Err(Failure::new("this life has not begun")) };
        Python::attach(|py| {
            let context = made.context.clone_ref(py);
            self.gate.iter().for_each(|gate| gate.enter());
            let called = host.within(py, &context, || call(py, made, host));
            let hung = self.gate.as_ref().and_then(|gate| gate.leave(py));
            let done = context.get().carry_out(scope);
            let failed = |error| host.failed(py, made.actor.bind(py), error);
            match hung {
                None => {
                    let called = called.map_err(failed)?;
                    done.map(|()| called).map_err(|error| Failure::new(error.to_string()))
                }
                Some(why) => {
                    let traceback = called.err().map(failed);
                    let traceback = traceback.as_ref().map_or("it has returned by now", Failure::text);
                    made.hung = Some(Failure::new(format!("{why}\n{traceback}")));
                    Err(made.hung.clone().unwrap_or_else(|| Failure::new(why)))
                }
            }
        })
    }
}

impl Behavior for Life {
    fn started(&mut self, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let plan = Arc::clone(&self.plan);
        plan.host.isolate.as_ref().inspect(|apart| apart.begins(scope));
        let made = Python::attach(|py| {
            let made = plan.make(py, scope).and_then(|made| {
                let gate = Gate::of(py, scope, made.hooks.wake.clone_ref(py))?;
                Ok((made, gate))
            });
            made.map_err(|error| plan.host.failed(py, PyString::new(py, &scope.path()).as_any(), error))
        });
        let (made, gate) = made?;
        (self.made, self.gate) = (Some(made), gate);
        self.call(scope, |py, made, _| made.hooks.started.bind(py).call0().map(drop))
    }

    fn message(&mut self, message: &WireDelivery<'_>, scope: &mut Scope<'_>) -> Result<(), Failure> {
        self.call(scope, |py, made, _| made.message(py, message.header, message.bytes))
    }

    fn told(&mut self, message: &Encoded, scope: &mut Scope<'_>) -> Result<(), Failure> {
        self.call(scope, |py, made, _| made.message(py, &message.header, &message.bytes))
    }

    fn query(&mut self, query: &Encoded, scope: &mut Scope<'_>) -> Result<Encoded, Failure> {
        self.call(scope, |py, made, host| made.answer(py, query, host))
    }

    fn resumed(
        &mut self,
        answer: Option<Result<Encoded, Failure>>,
        scope: &mut Scope<'_>,
    ) -> Result<Option<Encoded>, Failure> {
        self.call(scope, |py, made, host| made.resumed(py, answer, host))
    }

    fn timer(&mut self, number: u64, scope: &mut Scope<'_>) -> Result<(), Failure> {
        self.call(scope, |py, made, _| made.timer(py, number))
    }

    fn down(&mut self, number: u64, reason: &StopReason, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let reason = reason.to_string();
        self.call(scope, |py, made, _| made.down(py, number, reason))
    }

    fn batch_ended(&mut self, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let hung = self.made.as_mut().and_then(|made| made.hung.take());
        let rests = self.made.as_ref().is_none_or(|made| made.waiting.is_none() && made.failed.is_none());
        // Behind an answer that has hung too: what waits counts as handled.
        let flushed = if rests { Ok(()) } else { self.call(scope, |py, made, _| made.batch_ended(py)) };
        // An error of an answer ends no life, and a method that has hung is to.
        hung.map_or(flushed, Err)
    }

    fn stopping(&mut self, reason: &StopReason, scope: &mut Scope<'_>) {
        let reason = reason.to_string();
        // It is logged, and the life ends anyway.
        let _ = self.call(scope, |py, made, _| made.stopping(py, reason));
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let Some(made) = self.made.take() else { return };
        made.context.get().end();
        // At once if it can be, and not when somebody attaches the next time.
        Python::try_attach(|_| drop(made));
    }
}
