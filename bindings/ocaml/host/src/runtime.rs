//! A bus as OCaml sees it.

use std::ffi::CString;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use mycelium::pool::PoolRef;
use mycelium::wire::Messages;
use mycelium::{MessageBus, ThreadHooks};
use mycelium_ffi::MyceliumHandle;
use mycelium_hosted::{self as hosted, Address, CLOSE_DEADLINE, Exposed, HostedActor};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::door::Kept;
use crate::program::Program;
use crate::{OCamlActor, OCamlError};

/// The side of a bus that OCaml sees: its actors are children of the program's supervision trees. Cloning is
/// cheap.
///
/// It lasts as long as it, or an actor of it, is there. When all are dropped without a
/// [`close`](Self::close), what OCaml has begun on the bus by itself is ended in the background.
///
/// ```no_run
/// use mycelium::tree::{Child, Redelivery};
/// use mycelium::{MessageBus, Supervisor};
/// use mycelium_ocaml::{OCamlChild, OCamlRuntime};
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
/// let ocaml = OCamlRuntime::builder(&bus).contract(CONTRACT).start()?;
/// let risk = ocaml.actor("risk")?; // Mycelium.Hosted.register "risk" (module Risk) configure
/// let desk = Supervisor::builder("desk")
///     .child(Child::ocaml("risk", &risk).redelivery(Redelivery::Retry { attempts: 3 }));
/// let tree = desk.start(&bus).await?;
/// tree.drain(std::time::Duration::from_secs(5)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OCamlRuntime(Arc<Guest>);

/// A bus in OCaml.
pub(crate) struct Guest {
    program: &'static Program,
    pub(crate) hosted: hosted::Runtime,
    handle: MyceliumHandle,
    /// None once it is closed. Used by OCaml's first thread.
    kept: Arc<Mutex<Option<Kept>>>,
}

type Share = Box<dyn FnOnce(MessageBus, Handle, Arc<dyn ThreadHooks>) -> hosted::Runtime + Send>;

/// Sets the OCaml of a bus up: see [`OCamlRuntime::builder`].
#[must_use = "a builder starts nothing before `start`"]
pub struct OCamlBuilder {
    bus: MessageBus,
    share: Option<Share>,
    handle: Option<Handle>,
}

impl OCamlBuilder {
    /// The messages that OCaml sees: those that the bus was given
    /// ([`BusBuilder::contract`](mycelium::BusBuilder::contract)), mostly the `CONTRACT` of generated code.
    /// It is needed.
    pub fn contract(mut self, messages: impl Messages + Send + 'static) -> Self {
        self.share =
            Some(Box::new(move |bus, handle, hooks| hosted::Runtime::share(bus, &messages, handle, hooks)));
        self
    }

    /// The runtime of tokio that the bus runs on; that of the caller, unless set.
    pub fn runtime(mut self, handle: Handle) -> Self {
        self.handle = Some(handle);
        self
    }

    /// Starts OCaml, if nobody has done so before, and gives it the bus. Blocks while the top level of its
    /// modules runs, which has to return.
    ///
    /// # Errors
    /// [`OCamlError`]: no OCaml is linked into the program, its top level has raised, there is no contract,
    /// or no runtime of tokio here.
    pub fn start(self) -> Result<OCamlRuntime, OCamlError> {
        let Self { bus, share, handle } = self;
        let share = share.ok_or_else(|| {
            OCamlError::new(
                "OCaml has no messages: give `OCamlBuilder::contract` what the bus was given, the `CONTRACT` of generated code",
            )
        })?;
        let handle = handle.or_else(|| Handle::try_current().ok()).ok_or_else(|| {
            OCamlError::new(
                "there is no runtime of tokio here: start OCaml inside of one, or give it with `OCamlBuilder::runtime`",
            )
        })?;
        let program = Program::get()?;
        let hosted = share(bus, handle, program.hooks());
        let handle =
            mycelium_ffi::share(hosted.clone()).map_err(|error| OCamlError::new(error.to_string()))?;
        let kept = program.run(move |door| door.enter(handle));
        let kept = kept.and_then(|kept| kept.map_err(|failure| OCamlError::new(failure.to_string())));
        let kept = kept.inspect_err(|_| {
            mycelium_ffi::mycelium_free(handle);
        })?;
        let kept = Arc::new(Mutex::new(Some(kept)));
        Ok(OCamlRuntime(Arc::new(Guest { program, hosted, handle, kept })))
    }
}

impl OCamlRuntime {
    /// OCaml for this bus, which needs a contract.
    pub fn builder(bus: &MessageBus) -> OCamlBuilder {
        OCamlBuilder { bus: bus.clone(), share: None, handle: None }
    }

    /// The actor that OCaml has registered under this name (`Mycelium.Hosted.register`): calls its
    /// `configure` with this bus, on OCaml's first thread, and checks its messages. Blocks until OCaml has
    /// its turn. Nothing runs before it is a child of a tree.
    ///
    /// # Errors
    /// [`OCamlError`]: no actor is registered so, `configure` raises, its messages are not those of the bus,
    /// or this is closed.
    pub fn actor(&self, name: &str) -> Result<OCamlActor, OCamlError> {
        let guest = &self.0;
        if guest.hosted.is_closed() {
            return Err(closed());
        }
        let asked = CString::new(name).map_err(|_| {
            OCamlError::new(format!("the name {name:?} holds a zero byte: none is called so"))
        })?;
        let kept = Arc::clone(&guest.kept);
        let spec = guest.program.run(move |door| {
            let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.as_ref().map(|kept| door.actor(kept, &asked))
        })?;
        let spec = spec.ok_or_else(closed)?.map_err(|failure| OCamlError::new(failure.to_string()))?;
        // An actor that lives has its bus in OCaml, whatever the program has dropped.
        Ok(OCamlActor::new(name, guest.hosted.clone(), spec.keeping(Arc::clone(guest))))
    }

    /// The pool of OCaml actors at this path of a tree, to look at it and to resize it.
    /// [`address`](Self::address) finds it by the same path for messages in bytes.
    ///
    /// # Errors
    /// [`OCamlError`]: no such pool is there, or this is closed.
    pub fn pool(&self, path: &str) -> Result<PoolRef<HostedActor>, OCamlError> {
        self.0.hosted.lookup_pool(path).map_err(|error| OCamlError::new(error.to_string()))
    }

    /// The actor or pool of OCaml at this path of a tree, such as `"desk/risk"`, or the Rust actor that was
    /// exposed under this name: told and asked in bytes, `Encoded::of(&message)`.
    ///
    /// # Errors
    /// [`OCamlError`]: nobody is there, or this is closed.
    pub fn address(&self, path: &str) -> Result<Address, OCamlError> {
        self.0.hosted.address(path).map_err(|error| OCamlError::new(error.to_string()))
    }

    /// Has a Rust actor found under `name` by `Address.find` of OCaml. The last one of a name counts. Actors
    /// of OCaml are found by their paths.
    pub fn expose(&self, name: &str, exposed: Exposed) {
        self.0.hosted.expose(name, exposed);
    }

    /// Ends what OCaml has begun on the bus by itself: its callbacks, readers and trees. The bus and OCaml go
    /// on. Trees of the program that have OCaml actors are to be shut down before.
    ///
    /// # Errors
    /// [`OCamlError`]: something did not end within `limit`, an actor of a tree that still runs among it. It
    /// is closed all the same.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it goes on in the background.
    pub async fn close(&self, limit: Duration) -> Result<(), OCamlError> {
        // On a thread that nobody waits for: a handler may keep it for any time, and a runtime of tokio waits
        // for what blocks in it before it ends.
        let (told, is_closed) = oneshot::channel();
        let guest = Arc::clone(&self.0);
        detached(move || {
            let ended = guest.hosted.close(limit).map_err(|error| OCamlError::new(error.to_string()));
            // Nobody may listen any more.
            let _ = told.send(ended);
            guest.leave();
        })?;
        is_closed
            .await
            .unwrap_or_else(|_| Err(OCamlError::new("the thread that closes OCaml has ended early")))
    }
}

impl Guest {
    /// OCaml has the bus no more.
    fn leave(&self) {
        leave(self.program, &self.kept);
    }
}

fn leave(program: &Program, kept: &Arc<Mutex<Option<Kept>>>) {
    let kept = Arc::clone(kept);
    // It fails in a child of `fork` alone, which has no OCaml.
    let _ = program.run(move |door| {
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(kept) = kept {
            door.leave(kept);
        }
    });
}

impl Drop for Guest {
    fn drop(&mut self) {
        let (program, hosted, handle) = (self.program, self.hosted.clone(), self.handle);
        let kept = Arc::clone(&self.kept);
        // The last one may go with an actor, on its thread, which must not wait for itself. Without a thread,
        // OCaml keeps what is left of it.
        let _ = detached(move || {
            // A program that cares closes it, and is told.
            let _ = hosted.close(CLOSE_DEADLINE);
            leave(program, &kept);
            mycelium_ffi::mycelium_free(handle);
        });
    }
}

/// Runs this on a thread that nobody waits for.
fn detached(run: impl FnOnce() + Send + 'static) -> Result<(), OCamlError> {
    let thread = thread::Builder::new().name("mycelium-close".to_owned());
    let started = thread.spawn(run);
    started.map(drop).map_err(|error| OCamlError::new(format!("a thread cannot be started: {error}")))
}

fn closed() -> OCamlError {
    OCamlError::new("this `OCamlRuntime` is closed: ask for actors before, or start another one for the bus")
}

impl fmt::Debug for OCamlRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OCamlRuntime").field(&self.0.hosted).finish()
    }
}

impl fmt::Debug for OCamlBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OCamlBuilder").field("bus", &self.bus).finish_non_exhaustive()
    }
}
