//! Actors and services that have a thread of the operating system of their own.

use std::cell::RefCell;
use std::fmt;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

use super::address::Member;
use super::bus::BusCore;
use super::fate::Fate;
use super::service::{LiveServiceRef, Supervision};
use crate::sync::oneshot;
use crate::{Actor, ActorRef, MessageBus, Service, ServiceRef, SpawnError};

/// A thread for one actor or service alone: for code that blocks or computes for long, and for the lowest
/// latency.
///
/// It ends with its actor. Each actor that it spawns on a bus without a runtime of its own
/// ([`BusBuilder::runtime`](crate::BusBuilder::runtime)), and every task of tokio that it starts, runs on
/// this thread and ends with it.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Handler, MessageBus, OwnThread};
/// use std::time::Duration;
///
/// struct Model;
/// impl Actor for Model { type Error = BoxError; }
/// impl Handler<u64> for Model {
///     async fn handle(&mut self, _: &u64, _: &mut Context<Self>) -> Result<(), BoxError> {
///         std::thread::sleep(Duration::from_millis(1)); // holds nobody else up
///         Ok(())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let model = bus.spawn_on_thread(OwnThread::new("model"), Model)?;
/// model.tell(1).await?;
/// bus.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a thread starts with its actor: give it to `MessageBus::spawn_on_thread`"]
pub struct OwnThread {
    name: String,
    core: Option<usize>,
    busy: bool,
    stack_bytes: Option<usize>,
    hooks: Option<Arc<dyn ThreadHooks>>,
}

/// What a thread does besides what runs on it: for interpreters of other languages, which want to know their
/// threads, and have a lock that a thread gives back while it waits. All of it is called on the thread that
/// it is about.
pub trait ThreadHooks: Send + Sync + 'static {
    /// The thread has begun, and nothing has run on it.
    fn started(&self) {}
    /// It has nothing to do, and waits after this. One that polls busily looks for news instead, between this
    /// and `after_wait`, again and again.
    fn before_wait(&self) {}
    /// It has waited.
    fn after_wait(&self) {}
    /// Nothing runs on it any more. It comes for each `started`.
    fn ended(&self) {}
}

impl OwnThread {
    /// A thread with this name, of which Linux shows 15 bytes.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), core: None, busy: false, stack_bytes: None, hooks: None }
    }

    /// Has these hooks called on it.
    pub fn hooks(mut self, hooks: Arc<dyn ThreadHooks>) -> Self {
        self.hooks = Some(hooks);
        self
    }

    /// Gives it a stack of this many bytes, in place of the standard library's 2 MiB: for code that recurses
    /// deeply. The system gives the memory when it is touched first.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_bytes = Some(bytes);
        self
    }

    /// Keeps it on this core, counted from 0. On Linux alone: elsewhere the spawn fails.
    pub fn pin_to(mut self, core: usize) -> Self {
        self.core = Some(core);
        self
    }

    /// Never lets it sleep: what comes is seen without a wake-up by the system, and a core is busy all the
    /// time.
    pub fn busy_polling(mut self) -> Self {
        self.busy = true;
        self
    }

    /// With the hooks and the stack of this one, unless it has its own.
    pub(crate) fn inheriting(mut self, before: &Self) -> Self {
        self.hooks = self.hooks.or_else(|| before.hooks.clone());
        self.stack_bytes = self.stack_bytes.or(before.stack_bytes);
        self
    }

    /// Starts it. It ends when the one it is for has ended, or did not come.
    fn start(self) -> Result<(Handle, ThreadEntry), SpawnError> {
        let failed = |cause: String| SpawnError::Thread { cause };
        if self.name.contains('\0') {
            return Err(failed("its name has a zero byte".into()));
        }
        let (ready, is_ready) = mpsc::sync_channel(1);
        let (told, is_for) = oneshot::channel();
        let entry = ThreadEntry { occupant: Arc::default(), told };
        let occupant = Arc::clone(&entry.occupant);
        let mut thread = thread::Builder::new().name(self.name.clone());
        if let Some(bytes) = self.stack_bytes {
            thread = thread.stack_size(bytes);
        }
        let run = move || match self.prepare() {
            Ok(runtime) => {
                OCCUPANT.set(Some(occupant));
                let _ = ready.send(Ok(runtime.handle().clone()));
                let _hooked = Hooked::new(self.hooks.as_deref());
                runtime.block_on(self.wait(is_for));
                // The values of its tasks go while the hooks still hold, and so does what is left of its
                // actor.
                drop((runtime, OCCUPANT.take()));
            }
            Err(cause) => drop(ready.send(Err(cause))),
        };
        thread.spawn(run).map_err(|error| failed(error.to_string()))?;
        let runtime = is_ready.recv().map_err(|_| failed("it ended at once".into()))?;
        Ok((runtime.map_err(failed)?, entry))
    }

    fn prepare(&self) -> Result<Runtime, String> {
        self.core.map_or(Ok(()), pin)?;
        let mut builder = Builder::new_current_thread();
        if let Some(hooks) = &self.hooks {
            let (before, after) = (Arc::clone(hooks), Arc::clone(hooks));
            builder.on_thread_park(move || before.before_wait()).on_thread_unpark(move || after.after_wait());
        }
        builder.enable_all().build().map_err(|error| error.to_string())
    }

    async fn wait(&self, occupant: oneshot::Receiver<Arc<dyn Member>>) {
        let Ok(member) = occupant.await else { return };
        while self.busy && !member.ended().initialized() {
            if let Some(hooks) = &self.hooks {
                // The runtime never parks the thread, so it does not call them: a lock that others need, such
                // as an interpreter's, is free for a moment.
                hooks.before_wait();
                thread::yield_now();
                hooks.after_wait();
            }
            tokio::task::yield_now().await;
        }
        member.ended().wait().await;
    }
}

thread_local! {
    /// Whose thread this is.
    static OCCUPANT: RefCell<Option<Occupant>> = const { RefCell::new(None) };
}

/// Whose own thread this is, if it is one's.
pub(super) fn occupant() -> Option<Arc<dyn Member>> {
    OCCUPANT.with_borrow(|occupant| occupant.as_ref().and_then(|occupant| occupant.get().cloned()))
}

/// Whether this is somebody's own thread.
pub(super) fn is_own() -> bool {
    OCCUPANT.with_borrow(Option::is_some)
}

/// The one that a thread is for, once it has come.
type Occupant = Arc<OnceLock<Arc<dyn Member>>>;

/// Where it comes to its thread.
struct ThreadEntry {
    occupant: Occupant,
    told: oneshot::Sender<Arc<dyn Member>>,
}

impl ThreadEntry {
    fn come(self, member: Arc<dyn Member>) {
        let _ = self.occupant.set(Arc::clone(&member));
        let _ = self.told.send(member);
    }
}

/// A thread between `started` and `ended`.
struct Hooked<'a>(Option<&'a dyn ThreadHooks>);

impl<'a> Hooked<'a> {
    fn new(hooks: Option<&'a dyn ThreadHooks>) -> Self {
        hooks.inspect(|hooks| hooks.started());
        Self(hooks)
    }
}

impl Drop for Hooked<'_> {
    fn drop(&mut self) {
        self.0.inspect(|hooks| hooks.ended());
    }
}

impl PartialEq for OwnThread {
    fn eq(&self, other: &Self) -> bool {
        let hooks = |thread: &Self| thread.hooks.as_ref().map(|hooks| Arc::as_ptr(hooks).cast::<()>());
        let plain = |thread: &Self| (thread.core, thread.busy, thread.stack_bytes);
        self.name == other.name && plain(self) == plain(other) && hooks(self) == hooks(other)
    }
}

impl Eq for OwnThread {}

impl fmt::Debug for OwnThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, core, busy, stack_bytes, hooks } = self;
        f.debug_struct("OwnThread")
            .field("name", name)
            .field("core", core)
            .field("busy", busy)
            .field("stack_bytes", stack_bytes)
            .field("hooks", &hooks.is_some())
            .finish()
    }
}

#[cfg(target_os = "linux")]
fn pin(core: usize) -> Result<(), String> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    if core >= CpuSet::MAX_CPU {
        return Err(format!("core {core} is none that a thread can be pinned to"));
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).map_err(|error| {
        format!("it cannot be pinned to core {core}: {error}; is there one, for this process?")
    })
}

#[cfg(not(target_os = "linux"))]
fn pin(core: usize) -> Result<(), String> {
    Err(format!("it cannot be pinned to core {core}: that is implemented for Linux alone"))
}

impl MessageBus {
    /// Starts an actor on a thread of its own; otherwise the same as [`spawn`](Self::spawn). It returns when
    /// the thread runs. A supervised one: [`Child::on_thread`](crate::tree::Child::on_thread).
    ///
    /// ```
    /// # use mycelium::{MessageBus, OwnThread, Result, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let sum = bus.spawn_on_thread(OwnThread::new("sum"), Sum(0))?;
    /// sum.tell(7).await?;
    /// assert_eq!(sum.ask(Total).await?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::Thread`], and those of [`spawn`](Self::spawn).
    pub fn spawn_on_thread<A: Actor>(&self, thread: OwnThread, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.core.spawn_on_thread(thread, actor, None)
    }

    /// Starts a service on a thread of its own; otherwise the same as [`spawn_service`](Self::spawn_service).
    /// It returns when the thread runs.
    ///
    /// # Errors
    /// [`SpawnError::Thread`], and those of [`spawn_service`](Self::spawn_service).
    pub fn spawn_service_on_thread<S: Service>(
        &self,
        thread: OwnThread,
        service: S,
    ) -> Result<ServiceRef<S>, SpawnError> {
        self.launch_service_on_thread(thread, service, None).map(ServiceRef::live)
    }

    /// Starts a service for a supervisor.
    pub(crate) fn launch_supervised<S: Service>(
        &self,
        service: S,
        supervision: Supervision,
        thread: Option<&OwnThread>,
    ) -> Result<LiveServiceRef, SpawnError> {
        match thread {
            Some(thread) => self.launch_service_on_thread(thread.clone(), service, Some(supervision)),
            None => self.core.launch_service(service, Some(supervision)),
        }
    }

    fn launch_service_on_thread<S: Service>(
        &self,
        thread: OwnThread,
        service: S,
        supervision: Option<Supervision>,
    ) -> Result<LiveServiceRef, SpawnError> {
        let (runtime, entry) = self.core.start_thread(thread)?;
        let service = self.core.launch_service_on(&runtime, true, service, supervision)?;
        entry.come(service.member());
        Ok(service)
    }
}

impl BusCore {
    /// Starts an actor for a supervisor.
    pub(crate) fn spawn_supervised<A: Actor>(
        self: &Arc<Self>,
        actor: A,
        fate: Box<dyn Fate<A>>,
        thread: Option<&OwnThread>,
    ) -> Result<ActorRef<A>, SpawnError> {
        match thread {
            Some(thread) => self.spawn_on_thread(thread.clone(), actor, Some(fate)),
            None => self.spawn(actor, None, Some(fate)),
        }
    }

    fn spawn_on_thread<A: Actor>(
        self: &Arc<Self>,
        thread: OwnThread,
        actor: A,
        fate: Option<Box<dyn Fate<A>>>,
    ) -> Result<ActorRef<A>, SpawnError> {
        let (runtime, entry) = self.start_thread(thread)?;
        let actor = self.spawn_on(&runtime, actor, None, fate)?;
        if let Some(member) = actor.member() {
            entry.come(member);
        }
        Ok(actor)
    }

    fn start_thread(&self, thread: OwnThread) -> Result<(Handle, ThreadEntry), SpawnError> {
        // For the lookout, which is to run elsewhere.
        let _ = self.runtime();
        if self.is_closed() { Err(SpawnError::Closed) } else { thread.start() }
    }
}
