//! Python actors in a Rust program.
//!
//! The interpreter is started once for the process, by whoever needs it first, without signal handlers, and
//! is never finalised: threads of actors may be attached at any time. Each bus that wants Python has a
//! [`PythonRuntime`] of its own over it.

mod actor;
mod argument;
mod error;
pub(crate) mod interpreter;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mycelium::pool::PoolRef;
pub use mycelium::tree::Argument;
use mycelium::tree::Factories;
use mycelium::wire::Messages;
use mycelium::{MessageBus, ThreadHooks};
use mycelium_hosted::{self as hosted, Address, Exposed, HostedActor};
use pyo3::prelude::*;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

pub use self::actor::{PythonActor, PythonChild, PythonFactories};
pub use self::error::PythonError;
use self::interpreter::HOST_MODULE;
use crate::attached::PythonThread;
use crate::contract::Contract;
use crate::core::Core;
use crate::runtime::Program;
use crate::rust_actors::{RustActors, Types};

/// How much longer than its limit a close waits for the interpreter before it says that somebody keeps it.
const GRACE: Duration = Duration::from_secs(1);

/// What a runtime is called unless told otherwise.
const NAME: &str = "main";

/// The side of a bus that Python sees: its actors are children of the program's supervision trees, and
/// `mycelium.host()` in Python is this bus. Cloning is cheap.
///
/// It lasts as long as it, or an actor of it, is there. When all are dropped without a
/// [`close`](Self::close), `mycelium.host()` has it no more, and callbacks and trees that Python has begun
/// last as long as Python keeps their runtime.
///
/// ```no_run
/// use mycelium::tree::{Child, Redelivery};
/// use mycelium::{MessageBus, Supervisor};
/// use mycelium_python::{PythonChild, PythonRuntime};
/// # mod generated {
/// #     pub struct Contract;
/// #     impl mycelium::wire::Messages for Contract {
/// #         fn each<V: mycelium::wire::Visitor>(&self, _: &mut V) {}
/// #     }
/// #     pub const CONTRACT: Contract = Contract;
/// # }
/// # use generated::CONTRACT; // In place of mycelium::contracts!()
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), mycelium::BoxError> {
/// let bus = MessageBus::builder().contract(CONTRACT).build();
/// let python = PythonRuntime::builder(&bus).contract(CONTRACT).path("models").start()?;
/// let model = python.actor("signals:Model")?; // class Model(mycelium.Actor), in models/signals.py
/// let desk = Supervisor::builder("desk")
///     .child(Child::python("model", &model).redelivery(Redelivery::Retry { attempts: 3 }));
/// let tree = desk.start(&bus).await?;
/// tree.drain(std::time::Duration::from_secs(5)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PythonRuntime(Arc<Guest>);

struct Guest {
    core: Arc<Core>,
    /// The `Runtime` of Python, until it is dropped.
    runtime: Option<Py<PyAny>>,
    name: String,
}

/// Makes the runtime on the bus; and the types of its messages, for isolates of Python.
type Share =
    (Box<dyn FnOnce(MessageBus, Handle, Arc<dyn ThreadHooks>) -> hosted::Runtime + Send>, Arc<dyn Types>);

/// Sets the Python of a bus up: see [`PythonRuntime::builder`].
#[must_use = "a builder starts nothing before `start`"]
pub struct PythonBuilder {
    bus: MessageBus,
    share: Option<Share>,
    handle: Option<Handle>,
    folders: Vec<PathBuf>,
    name: String,
    validate: bool,
    factories: Option<Factories>,
}

impl PythonBuilder {
    /// The messages that Python sees: those that the bus was given
    /// ([`BusBuilder::contract`](mycelium::BusBuilder::contract)), mostly the `CONTRACT` of generated code.
    /// It is needed.
    pub fn contract(mut self, messages: impl Messages + Send + 'static) -> Self {
        let messages = Arc::new(Mutex::new(messages));
        let types = Arc::clone(&messages) as Arc<dyn Types>;
        let share = move |bus, handle, hooks| {
            let messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
            hosted::Runtime::share(bus, &*messages, handle, hooks)
        };
        self.share = Some((Box::new(share), types));
        self
    }

    /// The actors and services of Rust that Python makes by name: `mycelium.Rust("cross", fast=5)`, in trees
    /// that it starts on this bus, in its isolates and sweeps. Isolates, and buses that Python makes by
    /// itself, have those of all buses of the process; of a name that several have, the last one counts
    /// there.
    ///
    /// ```no_run
    /// use mycelium::tree::Factories;
    /// use mycelium_python::PythonRuntime;
    /// # struct Cross;
    /// # impl mycelium::Actor for Cross { type Error = mycelium::BoxError; }
    /// # #[derive(Clone, Copy)]
    /// # pub struct Contract;
    /// # impl mycelium::wire::Messages for Contract {
    /// #     fn each<V: mycelium::wire::Visitor>(&self, _: &mut V) {}
    /// # }
    /// # const CONTRACT: Contract = Contract;
    ///
    /// # fn with(bus: &mycelium::MessageBus) -> Result<(), mycelium_python::PythonError> {
    /// let factories = Factories::new().actor("cross", || Cross);
    /// let python = PythonRuntime::builder(bus).contract(CONTRACT).factories(factories).start()?;
    /// # let _ = python;
    /// # Ok(())
    /// # }
    /// ```
    pub fn factories(mut self, factories: Factories) -> Self {
        self.factories = Some(factories);
        self
    }

    /// A folder in which Python looks for modules before all others: `sys.path` of the whole process.
    /// May be called several times. Besides, Python looks where its installation says: an active virtual
    /// environment (its `bin` first on PATH), PYTHONPATH, and its own packages.
    pub fn path(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders.push(folder.into());
        self
    }

    /// The name by which Python finds this bus, `mycelium.host("main")`, where the process has several.
    /// "main" unless set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Whether what Python publishes is checked against the rules of the contract, as it is unless set. The
    /// bus checks values of types that Rust has in any case.
    pub fn validate(mut self, validate: bool) -> Self {
        self.validate = validate;
        self
    }

    /// The runtime of tokio that the bus runs on; that of the caller, unless set.
    pub fn runtime(mut self, handle: Handle) -> Self {
        self.handle = Some(handle);
        self
    }

    /// Starts the interpreter, if nobody has done so before, and gives it the bus. Blocks while Python
    /// imports the package, for some tens of milliseconds.
    ///
    /// # Errors
    /// [`PythonError`] without a contract, outside of a runtime of tokio, for a name that another bus of this
    /// process has, and where Python cannot load the package. An interpreter that cannot be started at all
    /// ends the process, with its own message: PYTHONHOME is wrong then, mostly.
    pub fn start(self) -> Result<PythonRuntime, PythonError> {
        let Self { bus, share, handle, folders, name, validate, factories } = self;
        let (share, types) = share.ok_or_else(|| {
            PythonError::new(
                "Python has no messages: give `PythonBuilder::contract` what the bus was given, the `CONTRACT` of \
                 generated code",
            )
        })?;
        let handle = handle.or_else(|| Handle::try_current().ok()).ok_or_else(|| {
            PythonError::new(
                "there is no runtime of tokio here: start Python inside of one, or give it with `PythonBuilder::runtime`",
            )
        })?;
        Python::initialize();
        Python::attach(|py| {
            let host = interpreter::prepare(py, &folders)?;
            let hosted = share(bus, handle, Arc::new(PythonThread));
            let contract = Contract::of_program(hosted.known(), format!("the Rust program's bus {name:?}"));
            let rust = Arc::new(RustActors::new(factories.clone().unwrap_or_default(), types));
            let core = Arc::new(Core::over(hosted, &contract.kinds, validate, Arc::clone(&rust)));
            let program = Program { core: Arc::clone(&core), contract: Py::new(py, contract)? };
            let runtime = host.call_method1("enter", (program, &name))?.unbind();
            if factories.is_some() {
                rust.register(py)?;
            }
            Ok(PythonRuntime(Arc::new(Guest { core, runtime: Some(runtime), name })))
        })
        .map_err(|error: PyErr| PythonError::raised(&error))
    }
}

impl PythonRuntime {
    /// Python for this bus, which needs a contract.
    pub fn builder(bus: &MessageBus) -> PythonBuilder {
        PythonBuilder {
            bus: bus.clone(),
            share: None,
            handle: None,
            folders: Vec::new(),
            name: NAME.to_owned(),
            validate: true,
            factories: None,
        }
    }

    /// An actor of the class at this path, such as `"desk.models:Signals"`, made without arguments: imports
    /// the module, and checks the class and its messages. Nothing runs before it is a child of a tree.
    ///
    /// # Errors
    /// [`PythonError`]: there is no such module or class, it raises when it is imported, it is no
    /// `mycelium.Actor`, its messages are not those of the bus, or it takes arrays and there is no numpy.
    pub fn actor(&self, class: &str) -> Result<PythonActor, PythonError> {
        self.actor_with(class, [])
    }

    /// The same with arguments by name, for each life.
    ///
    /// # Errors
    /// Those of [`actor`](Self::actor), and arguments that its `__init__` does not take.
    ///
    /// ```no_run
    /// # fn with(python: &mycelium_python::PythonRuntime) -> Result<(), mycelium_python::PythonError> {
    /// let model = python.actor_with("signals:Model", [("window", 20.into()), ("symbol", "GOOG".into())])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn actor_with<'a>(
        &self,
        class: &str,
        arguments: impl IntoIterator<Item = (&'a str, Argument)>,
    ) -> Result<PythonActor, PythonError> {
        let arguments = arguments.into_iter().collect();
        PythonActor::new(self, class, arguments)
    }

    /// The actor or pool of Python at this path of a tree, such as `"desk/model"`, or the Rust actor that was
    /// exposed under this name: told and asked in bytes, `Encoded::of(&message)`.
    ///
    /// # Errors
    /// [`PythonError`]: nobody is there.
    pub fn address(&self, path: &str) -> Result<Address, PythonError> {
        self.0.core.hosted.address(path).map_err(|error| PythonError::new(error.to_string()))
    }

    /// The pool of Python actors at this path of a tree, to look at it and to resize it.
    /// [`address`](Self::address) finds it by the same path for messages in bytes.
    ///
    /// # Errors
    /// [`PythonError`]: no such pool is there.
    pub fn pool(&self, path: &str) -> Result<PoolRef<HostedActor>, PythonError> {
        self.0.core.hosted.lookup_pool(path).map_err(|error| PythonError::new(error.to_string()))
    }

    /// Has a Rust actor found under `name` by Python's `ask` and `tell`. The last one of a name counts.
    /// Actors of Python are found by their paths.
    pub fn expose(&self, name: &str, exposed: Exposed) {
        self.0.core.hosted.expose(name, exposed);
    }

    /// Ends what Python has begun on the bus by itself: its callbacks, subscriptions and trees. The bus and
    /// the interpreter go on. Trees of the program that have Python actors are to be shut down before.
    ///
    /// # Errors
    /// [`PythonError`]: something did not end within `limit`, an actor of a tree that still runs among it. It
    /// is closed all the same. Trees that Python has begun are killed then, one after the other, which takes
    /// up to half a second each, and are named. While a handler keeps the interpreter for itself, in a long
    /// call of C, even that is only begun: it goes on, in the background, when the handler lets go.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it goes on in the background.
    pub async fn close(&self, limit: Duration) -> Result<(), PythonError> {
        // On a thread that nobody waits for: a handler may keep the interpreter for any time, and a runtime
        // of tokio waits for what blocks in it before it ends.
        let (told, closed) = oneshot::channel();
        let (found, has_interpreter) = oneshot::channel();
        let (guest, begun) = (Arc::clone(&self.0), Instant::now());
        detached(move || {
            guest.leave_python();
            // Nobody may listen any more.
            let _ = found.send(());
            // The rest has limits of its own, and needs no interpreter.
            let ended = guest.core.close_detached(limit.saturating_sub(begun.elapsed()));
            let _ = told.send(ended.map_err(|error| PythonError::new(error.to_string())));
        })?;
        let patience = {
            let _timers = self.0.core.hosted.enter();
            timeout(limit.saturating_add(GRACE), has_interpreter)
        };
        if patience.await.is_err() {
            return Err(kept());
        }
        closed
            .await
            .unwrap_or_else(|_| Err(PythonError::new("the thread that closes Python has ended early")))
    }
}

impl Guest {
    /// Python finds the bus by its name no more.
    fn leave_python(&self) {
        Python::attach(|py| self.runtime.iter().for_each(|runtime| leave(py, &self.name, runtime)));
    }
}

/// Python finds the bus by its name no more.
fn leave(py: Python<'_>, name: &str, runtime: &Py<PyAny>) {
    let left = py.import(HOST_MODULE).and_then(|host| host.call_method1("leave", (name, runtime)));
    // It is there since `enter`, and raises nothing.
    drop(left);
}

impl Drop for Guest {
    fn drop(&mut self) {
        // The name is free at once. Python's own table is cleaned by a thread that nobody waits for, as a
        // handler may keep the interpreter.
        self.core.leave();
        let (name, runtime) = (std::mem::take(&mut self.name), self.runtime.take());
        // Without a thread, Python keeps what is left of it until another bus takes the name.
        let _ = detached(move || {
            Python::try_attach(|py| runtime.inspect(|runtime| leave(py, &name, runtime)));
        });
    }
}

/// Runs this on a thread that nobody waits for.
fn detached(run: impl FnOnce() + Send + 'static) -> Result<(), PythonError> {
    let thread = thread::Builder::new().name("mycelium-close".to_owned());
    let started = thread.spawn(run);
    started.map(drop).map_err(|error| PythonError::new(format!("a thread cannot be started: {error}")))
}

/// Why a close has not come to its end.
fn kept() -> PythonError {
    PythonError::new(
        "a handler or another thread keeps the interpreter for itself, such as a long call of C that does not give \
         Python's lock back: closing goes on in the background when it does; give that work a process of its own",
    )
}

impl fmt::Debug for PythonRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonRuntime").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for PythonBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonBuilder")
            .field("name", &self.name)
            .field("folders", &self.folders)
            .finish_non_exhaustive()
    }
}
