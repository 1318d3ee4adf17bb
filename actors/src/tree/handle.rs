//! The handle of a running tree.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::caught;
use mycelium_supervisor as pure;
use pure::{ChildInfo, Counts, ExitReason, SpecError};

use super::child::Child;
use super::launch::Launcher;
use super::live::LiveTree;
use crate::error::first_named;
use crate::isolate::IsolateTree;
use crate::{Actor, ActorRef, PendingRestart};

/// How long [`Tree::shutdown`] waits before it kills what is left.
pub const TREE_SHUTDOWN_DEADLINE: Duration = Duration::from_secs(30);

/// A running tree, the same type live and in an isolate. Paths begin with the root's id:
/// `root/desk/portfolio`.
///
/// Live, dropping the last handle shuts the tree down without waiting; the shutdown of its bus ends it first,
/// in the tree's order and the bus's time. In an isolate the handle's drop means nothing: the isolate owns
/// its trees.
///
/// Actors and services may await its methods on every host, also inside an isolate, where time is
/// virtual. Code that runs an isolate awaits them with [`Isolate::block_on`](crate::Isolate::block_on). A
/// method that is polled once has made its call: dropped then, the call stands and its answer is lost.
///
/// ```
/// use mycelium::tree::{Child, ChildStatus};
/// use mycelium::{Actor, BoxError, Isolate, Supervisor};
///
/// struct Idle;
/// impl Actor for Idle { type Error = BoxError; }
///
/// let mut isolate = Isolate::new(42);
/// let tree = isolate.supervise(&Supervisor::builder("root").actor("a", || Idle))?;
/// isolate.block_on(tree.start_child("root", Child::actor("b", || Idle)))??;
/// isolate.block_on(tree.terminate_child("root/a"))??;
/// assert_eq!(isolate.block_on(tree.child("root/a"))??.status, ChildStatus::Down);
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone)]
pub struct Tree {
    backend: TreeBackend,
}

#[derive(Clone)]
pub(super) enum TreeBackend {
    Isolate(IsolateTree),
    Live(LiveTree),
}

/// A tree did not start.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StartError {
    /// A specification is not valid; nothing was started.
    Spec(SpecError),
    /// A child did not start, and those before it were stopped again.
    Failed(ExitReason),
    /// The supervisor refused the child.
    Refused(CallError),
    /// There is no tokio runtime to start on.
    NoRuntime,
    /// The runtime has ended, or ends now.
    RuntimeEnded,
    /// The signals that ask the process to end cannot be listened to; nothing was started.
    Signals(Box<str>),
    /// A child cannot be in an isolate; nothing was started.
    OnlyLive {
        /// Its path.
        path: Arc<str>,
        /// Its kind.
        what: &'static str,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(error) => write!(f, "the tree is not valid: {error}"),
            Self::Failed(reason) => write!(f, "the tree did not start: {reason}"),
            Self::Refused(error) => write!(f, "the child did not start: {error}"),
            Self::NoRuntime => f.write_str("a tree needs a tokio runtime: start it inside `#[tokio::main]`"),
            Self::RuntimeEnded => {
                f.write_str("the tree's tokio runtime has ended, or ends now: keep it until the tree has")
            }
            Self::Signals(error) => write!(f, "signals cannot be listened to: {error}"),
            Self::OnlyLive { path, what } => only_live(f, path, what),
        }
    }
}

impl std::error::Error for StartError {}

/// A call to a supervisor of a tree was refused.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CallError {
    /// No supervisor runs at this path.
    NoSupervisor(Box<str>),
    /// The supervisor refused.
    Refused(pure::CallError),
    /// The supervisor ended before it answered.
    Ended,
    /// The caller would wait for itself: the supervisor waits for its start, and makes no call before that is
    /// over. Nothing was done.
    Itself {
        /// The path of the supervisor.
        supervisor: Box<str>,
        /// The path of the child that called it.
        child: Box<str>,
    },
    /// The tree is in an isolate, and the caller on another thread or in another isolate.
    WrongThread,
    /// In an isolate: the child cannot be in one; nothing was started.
    OnlyLive {
        /// Its path.
        path: Arc<str>,
        /// Its kind.
        what: &'static str,
    },
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSupervisor(path) => {
                write!(
                    f,
                    "no supervisor runs at `{path}`; a path begins with the root's id, as in `root/desk`"
                )
            }
            Self::Refused(error) => error.fmt(f),
            Self::Ended => f.write_str("the supervisor ended before it answered"),
            Self::Itself { supervisor, child } => write!(
                f,
                "`{child}` would wait for itself: the supervisor at `{supervisor}` waits for its start; let it call when it \
                 has started, for example in the handler of a message that it sends to itself"
            ),
            Self::WrongThread => f.write_str(
                "the tree is in an isolate: call it from an actor or service of that isolate, or from the thread that runs it",
            ),
            Self::OnlyLive { path, what } => only_live(f, path, what),
        }
    }
}

impl std::error::Error for CallError {}

fn only_live(f: &mut fmt::Formatter<'_>, path: &str, what: &str) -> fmt::Result {
    write!(
        f,
        "{path} is {what}, which cannot run inside an isolate, because it has no virtual time: start this tree live, or \
         give the child an actor or a service in its place"
    )
}

/// Some children of a tree had to be killed because they missed their shutdown time. The tree has ended,
/// unless it is [`stuck`](Self::stuck). The text names ten of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeShutdownError {
    /// The path of the tree.
    pub tree: Arc<str>,
    /// Their paths: those that were killed since this shutdown began. [`Tree::missed`] has all of the tree's
    /// life.
    pub missed: Vec<Arc<str>>,
    /// The tree has not ended and goes on: code that never awaits, such as a factory, keeps a supervisor of
    /// it. The log says when it ends. Only live.
    pub stuck: bool,
    /// The one that asked is this child, and would wait for itself: the tree waits for its start. It ends
    /// when that is over, and nobody was waited for.
    pub itself: Option<Arc<str>>,
}

impl fmt::Display for TreeShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tree, missed, stuck, itself } = self;
        if let Some(child) = itself {
            return write!(
                f,
                "`{child}` would wait for itself: {tree} ends when its start is over; let it call `Tree::stop`"
            );
        }
        if !missed.is_empty() {
            let (first, more) = first_named(missed);
            write!(f, "killed because they missed their shutdown time: {}", first.join(", "))?;
            more.map_or(Ok(()), |more| write!(f, " and {more} more"))?;
        }
        let between = if missed.is_empty() { "" } else { "; " };
        if *stuck { write!(f, "{between}the tree {tree} {GOES_ON}") } else { Ok(()) }
    }
}

impl std::error::Error for TreeShutdownError {}

/// What is said of a tree that cannot be ended.
pub(super) const GOES_ON: &str =
    "goes on: code that never awaits, such as a factory, keeps a supervisor of it";

/// Says in the log what a tree cannot do in a program whose panics end the process.
pub(crate) fn warn_where_a_panic_aborts(tree: &str) {
    if cfg!(panic = "abort") {
        caught(|| {
            tracing::warn!(
                target: "mycelium::supervision",
                tree,
                "this program is built with `panic = \"abort\"`: a panic ends the process, and no supervisor can restart anything \
                 after it; build with `panic = \"unwind\"`"
            );
        });
    }
}

impl Tree {
    pub(crate) fn live(tree: LiveTree) -> Self {
        Self { backend: TreeBackend::Live(tree) }
    }

    pub(crate) fn in_isolate(tree: IsolateTree) -> Self {
        Self { backend: TreeBackend::Isolate(tree) }
    }

    pub(super) fn backend(&self) -> &TreeBackend {
        &self.backend
    }

    /// The actor at this path; `None` if there is none or it is of another type. The reference outlives
    /// restarts of the actor and of the supervisors above it, not a kill, nor
    /// [`terminate_child`](Self::terminate_child): an actor that has ended so is still found here until its
    /// child starts again or is forgotten; see [`ActorRef::is_alive`].
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, Supervisor, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let tree = Supervisor::builder("root").actor("sum", || Sum(0)).start(&bus).await?;
    /// let sum = tree.lookup::<Sum>("root/sum").ok_or("it runs")?;
    /// assert_eq!(sum.ask(Total).await?, 0);
    /// tree.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn lookup<A: Actor>(&self, path: &str) -> Option<ActorRef<A>> {
        match &self.backend {
            TreeBackend::Isolate(isolate) => isolate.lookup(path),
            TreeBackend::Live(live) => live.lookup(path),
        }
    }

    /// The child at this path at this moment, whatever its supervisor is doing.
    ///
    /// # Errors
    /// [`CallError::Refused`] with `NotFound` when there is none; see [`CallError`] for the others.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn child(&self, path: &str) -> Result<ChildInfo, CallError> {
        let (above, id) = split(path);
        let child = match &self.backend {
            TreeBackend::Isolate(isolate) => isolate.child(above, id).await?,
            TreeBackend::Live(live) => live.child(above, id).await?,
        };
        child.ok_or(CallError::Refused(pure::CallError::NotFound))
    }

    /// The children of the supervisor at `path`, last started first (OTP's `which_children`).
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing has changed.
    pub async fn which_children(&self, path: &str) -> Result<Vec<ChildInfo>, CallError> {
        match self.call(path, pure::Call::WhichChildren).await? {
            pure::Reply::Children(children) => Ok(children),
            _ => Err(CallError::Ended),
        }
    }

    /// How many children the supervisor at `path` has (OTP's `count_children`).
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing has changed.
    pub async fn count_children(&self, path: &str) -> Result<Counts, CallError> {
        match self.call(path, pure::Call::CountChildren).await? {
            pure::Reply::Counts(counts) => Ok(counts),
            _ => Err(CallError::Ended),
        }
    }

    /// Adds a child to the supervisor at `path` and starts it. Under simple-one-for-one it becomes an
    /// instance: its id and what it runs are the child's, the options those of the one specification.
    ///
    /// ```
    /// # use mycelium::tree::Child;
    /// # use mycelium::{MessageBus, Result, Supervisor, actor};
    /// # struct Quoter;
    /// # #[actor] impl Quoter { #[on(direct)] fn quote(&mut self, _: &u64) {} }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// let tree = Supervisor::builder("root").start(&bus).await?;
    /// tree.start_child("root", Child::actor("GOOG", || Quoter)).await?;
    /// tree.lookup::<Quoter>("root/GOOG").ok_or("it runs")?.tell(1).await?;
    /// tree.terminate_child("root/GOOG").await?; // Stays known: `restart_child` or `delete_child`.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the supervisor carries the call out all the same, if it has been sent:
    /// after the first poll.
    pub async fn start_child(&self, path: &str, child: Child) -> Result<(), CallError> {
        self.call(path, pure::Call::StartChild(child.0)).await.map(drop)
    }

    /// Stops the child at `path`. Its specification stays, unless it is temporary.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the supervisor carries the call out all the same, if it has been sent:
    /// after the first poll.
    pub async fn terminate_child(&self, path: &str) -> Result<(), CallError> {
        self.call_on(path, pure::Call::TerminateChild).await
    }

    /// Starts the child at `path`, which does not run.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the supervisor carries the call out all the same, if it has been sent:
    /// after the first poll.
    pub async fn restart_child(&self, path: &str) -> Result<(), CallError> {
        self.call_on(path, pure::Call::RestartChild).await
    }

    /// Forgets the child at `path`, which does not run.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the supervisor carries the call out all the same, if it has been sent:
    /// after the first poll.
    pub async fn delete_child(&self, path: &str) -> Result<(), CallError> {
        self.call_on(path, pure::Call::DeleteChild).await
    }

    /// Begins to stop all children in reverse order, and waits for nothing.
    pub fn stop(&self) {
        match &self.backend {
            TreeBackend::Isolate(isolate) => isolate.stop(),
            TreeBackend::Live(live) => live.stop(),
        }
    }

    /// Stops all children in reverse order and waits [`TREE_SHUTDOWN_DEADLINE`] at most.
    ///
    /// # Errors
    /// See [`shutdown_within`](Self::shutdown_within).
    ///
    /// # Cancel safety
    /// See there.
    pub async fn shutdown(&self) -> Result<(), TreeShutdownError> {
        self.shutdown_within(TREE_SHUTDOWN_DEADLINE).await
    }

    /// Stops all children in reverse order, each within its shutdown time, and kills what is left after
    /// `limit`. The bus stays open. Live, killed processes are reaped by then, and what could not be killed
    /// within [`KILL_GRACE`](super::KILL_GRACE) goes on.
    ///
    /// # Errors
    /// [`TreeShutdownError`] names who had to be killed meanwhile. The tree has ended all the same, unless it
    /// is [stuck](TreeShutdownError::stuck). A child whose start the tree waits for has one
    /// [at once](TreeShutdownError::itself), and the tree ends.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the shutdown goes on.
    pub async fn shutdown_within(&self, limit: Duration) -> Result<(), TreeShutdownError> {
        if let Some((tree, child)) = self.is_waited_for() {
            self.stop();
            return Err(TreeShutdownError { tree, missed: Vec::new(), stuck: false, itself: Some(child) });
        }
        let (missed, stuck) = match &self.backend {
            TreeBackend::Isolate(isolate) => {
                let before = isolate.missed_mark();
                isolate.stop_within(limit).await;
                (isolate.missed_since(before), false)
            }
            TreeBackend::Live(live) => {
                let before = live.shared().missed().mark();
                let stuck = live.stop_within(limit).await;
                (live.shared().missed().since(before), stuck)
            }
        };
        if missed.is_empty() && !stuck {
            return Ok(());
        }
        let tree = match &self.backend {
            TreeBackend::Isolate(isolate) => isolate.path().unwrap_or_default(),
            TreeBackend::Live(live) => Arc::clone(live.shared().root()),
        };
        Err(TreeShutdownError { tree, missed, stuck, itself: None })
    }

    /// The path of the tree, and that of the child of it whose code runs, if its root waits for the start of
    /// that one.
    fn is_waited_for(&self) -> Option<(Arc<str>, Arc<str>)> {
        let (root, called) = match &self.backend {
            TreeBackend::Isolate(isolate) => (isolate.path()?, isolate.check_root()),
            TreeBackend::Live(live) => {
                let root = Arc::clone(live.shared().root());
                let called = live.shared().check_caller(&root);
                (root, called)
            }
        };
        match called {
            Err(CallError::Itself { child, .. }) => Some((root, child.into())),
            _ => None,
        }
    }

    /// The children that had to be killed so far because they missed their shutdown time.
    #[must_use]
    pub fn missed(&self) -> Vec<Arc<str>> {
        match &self.backend {
            TreeBackend::Isolate(isolate) => isolate.missed(),
            TreeBackend::Live(live) => live.shared().missed().all(),
        }
    }

    /// The children that have failed and wait for their restart, by path; of each supervisor
    /// [`PENDING_RESTARTS_MAX`](crate::PENDING_RESTARTS_MAX) at most. On a thread that does not run the
    /// tree's isolate there are none.
    #[must_use]
    pub fn pending_restarts(&self) -> Vec<PendingRestart> {
        match &self.backend {
            TreeBackend::Isolate(isolate) => isolate.pending_restarts(),
            TreeBackend::Live(live) => live.shared().pending_restarts(),
        }
    }

    /// Why the tree has ended, if it has; see [`ended`](Self::ended).
    #[must_use]
    pub fn end_reason(&self) -> Option<ExitReason> {
        match &self.backend {
            TreeBackend::Isolate(isolate) => isolate.end_reason(),
            TreeBackend::Live(live) => live.end_reason(),
        }
    }

    /// Waits for the end of the tree and says why it ended: `shutdown` after a shutdown, and also when the
    /// root gave up or its significant children ended.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn ended(&self) -> ExitReason {
        match &self.backend {
            TreeBackend::Isolate(isolate) => isolate.ended().await,
            TreeBackend::Live(live) => live.ended().await,
        }
    }

    async fn call_on(
        &self,
        path: &str,
        call: impl FnOnce(Arc<str>) -> pure::Call<Launcher>,
    ) -> Result<(), CallError> {
        let (supervisor, id) = split(path);
        self.call(supervisor, call(id.into())).await.map(drop)
    }

    async fn call(&self, path: &str, call: pure::Call<Launcher>) -> Result<pure::Reply<Launcher>, CallError> {
        match &self.backend {
            TreeBackend::Isolate(isolate) => isolate.call(path, call).await,
            TreeBackend::Live(live) => live.call(path, call).await,
        }
    }
}

/// The path of a child's supervisor, and its id.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("ended", &self.end_reason()).finish_non_exhaustive()
    }
}
