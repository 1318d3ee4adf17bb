//! What actors of Python need to know of whoever hosts them: a runtime, or an isolate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mycelium::sweep::StopFlag;
use mycelium::{Clock, Timestamp};
use mycelium_hosted::{Address, Encoded, Failure, Known, Scope};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::context::Context;
use crate::kind::Kind;
use crate::rust_actors::RustActors;

/// The message classes of a contract that were met.
pub(crate) struct Kinds {
    pub(crate) known: Known,
    /// By the address of the class, which is kept.
    met: Mutex<HashMap<usize, Arc<Kind>>>,
}

/// A runtime or an isolate, as its actors see it.
pub(crate) struct Host {
    pub(crate) kinds: Arc<Kinds>,
    pub(crate) validate: bool,
    /// That of an isolate stands still once it is closed.
    pub(crate) clock: UntilClosed<Clock, Timestamp>,
    /// What it makes by name.
    pub(crate) rust: Arc<RustActors>,
    /// What only an isolate has.
    pub(crate) isolate: Option<Apart>,
}

/// What reaches into an isolate until that is closed, and what is left of it then: whoever has this longer,
/// on whatever thread, keeps nothing of the isolate.
pub(crate) struct UntilClosed<T, L>(Mutex<Result<T, L>>);

impl<T, L> UntilClosed<T, L> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(Ok(value)))
    }

    pub(crate) fn see<R>(&self, see: impl FnOnce(Result<&T, &L>) -> R) -> R {
        see(lock(&self.0).as_ref())
    }

    /// The isolate is closed, on its thread.
    pub(crate) fn let_go(&self, left: impl FnOnce(&T) -> L) {
        let mut value = lock(&self.0);
        let Ok(here) = &*value else { return };
        let left = left(here);
        let before = std::mem::replace(&mut *value, Err(left));
        // Dropped where it is free again.
        drop(value);
        drop(before);
    }
}

/// What an isolate and its actors tell each other.
#[derive(Default)]
pub(crate) struct Apart {
    /// Whose handler runs.
    current: Mutex<Option<Py<Context>>>,
    /// Who has begun, by path.
    begun: Mutex<HashMap<String, Address>>,
    /// What an actor has raised last in this run.
    failure: Mutex<Option<PyErr>>,
    /// What no actor may keep to itself: `KeyboardInterrupt`, `SystemExit`.
    interrupt: Mutex<Option<PyErr>>,
    /// Ends the run then.
    stop: Option<StopFlag>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kinds {
    pub(crate) fn new(known: Known) -> Arc<Self> {
        Arc::new(Self { known, met: Mutex::default() })
    }

    /// What is known of a message class.
    ///
    /// # Errors
    /// Those of `Kind::of`.
    pub(crate) fn of(&self, class: &Bound<'_, PyType>) -> PyResult<Arc<Kind>> {
        let at = class.as_ptr().addr();
        if let Some(kind) = lock(&self.met).get(&at) {
            return Ok(Arc::clone(kind));
        }
        let kind = Arc::new(Kind::of(&self.known, class)?);
        lock(&self.met).insert(at, Arc::clone(&kind));
        Ok(kind)
    }
}

impl Host {
    /// A message as bytes.
    pub(crate) fn encode(&self, message: &Bound<'_, PyAny>) -> PyResult<Encoded> {
        let kind = self.kinds.of(&message.get_type())?;
        let value = kind.encode(message, self.validate)?;
        Ok(Encoded { header: kind.header, bytes: value.as_bytes().to_vec() })
    }

    /// The time on the clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.see(|clock| clock.map_or_else(|stopped| *stopped, Clock::now))
    }

    /// Notes what a handler has raised; the reason of its life's end.
    #[cold]
    pub(crate) fn failed(&self, py: Python<'_>, whose: &Bound<'_, PyAny>, error: PyErr) -> Failure {
        if let Some(apart) = &self.isolate {
            let to = if error.is_instance_of::<PyException>(py) { &apart.failure } else { &apart.interrupt };
            *lock(to) = Some(error.clone_ref(py));
            if !error.is_instance_of::<PyException>(py) {
                apart.stop.iter().for_each(StopFlag::stop);
            }
        }
        crate::callback::failed(py, "actor_failed", whose, error)
    }

    /// Calls code of the actor with this context, which publishes in its name meanwhile.
    pub(crate) fn within<T>(&self, py: Python<'_>, context: &Py<Context>, call: impl FnOnce() -> T) -> T {
        let Some(apart) = &self.isolate else { return call() };
        let before = lock(&apart.current).replace(context.clone_ref(py));
        let called = call();
        *lock(&apart.current) = before;
        called
    }
}

impl Apart {
    pub(crate) fn new(stop: Option<StopFlag>) -> Self {
        Self { stop, ..Self::default() }
    }

    /// Whose handler runs.
    pub(crate) fn current(&self, py: Python<'_>) -> Option<Py<Context>> {
        lock(&self.current).as_ref().map(|context| context.clone_ref(py))
    }

    /// An actor has begun a life.
    pub(crate) fn begins(&self, scope: &Scope<'_>) {
        lock(&self.begun).insert(scope.path(), scope.address());
    }

    /// Who has begun at this path, and not ended.
    pub(crate) fn begun(&self, path: &str) -> Option<Address> {
        lock(&self.begun).get(path).filter(|address| address.is_alive()).cloned()
    }

    /// Forgets who has begun.
    pub(crate) fn forget(&self) {
        lock(&self.begun).clear();
    }

    /// Notes what is to be raised at once, by whoever runs the isolate.
    pub(crate) fn interrupts(&self, error: PyErr) {
        *lock(&self.interrupt) = Some(error);
    }

    /// Forgets what was raised: what is to be raised at once, and what an actor has failed with.
    pub(crate) fn take_raised(&self) -> (Option<PyErr>, Option<PyErr>) {
        (lock(&self.interrupt).take(), lock(&self.failure).take())
    }
}
