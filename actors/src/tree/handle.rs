//! The handle of a running tree.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mycelium_supervisor as pure;
use pure::{ChildInfo, Counts, ExitReason, SpecError};

use super::child::{Builder, Child};
use super::forest::Place;
use super::launch::Launcher;
use super::shell::{Estate, KILL_GRACE, Leash, Shared, spawn_supervisor};
use crate::live::has_ended;
use crate::rt::timeout;
use crate::sync::{SetOnce, oneshot};
use crate::{Actor, ActorRef};

/// How long [`Tree::shutdown`] waits before it kills what is left.
pub const TREE_SHUTDOWN_DEADLINE: Duration = Duration::from_secs(30);

/// A running tree. Paths begin with the root's id: `root/desk/portfolio`.
///
/// Dropping the last handle shuts the tree down without waiting. The shutdown of its bus ends it first, in the tree's order and
/// the bus's time.
#[derive(Clone)]
pub struct Tree {
    shared: Arc<Shared>,
    leash: Leash,
    ended: Arc<SetOnce<ExitReason>>,
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
    /// A child cannot be in an isolate; nothing was started.
    OnlyLive {
        /// Its path.
        path: Arc<str>,
        /// What it is.
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
    /// In an isolate: the supervisor is busy, because a child takes time to start or to stop. The call stands, and is
    /// carried out as the isolate runs.
    Unanswered,
    /// In an isolate: the child cannot be in one; nothing was started.
    OnlyLive {
        /// Its path.
        path: Arc<str>,
        /// What it is.
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
            Self::Unanswered => f.write_str(
                "the supervisor is busy with a child that takes its time; run the isolate further",
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

/// The tree has ended, and some children had to be killed because they missed their shutdown time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeShutdownError {
    /// Their paths, among them those that were killed earlier in the life of the tree.
    pub missed: Vec<Arc<str>>,
}

impl fmt::Display for TreeShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "killed because they missed their shutdown time: {}", self.missed.join(", "))
    }
}

impl std::error::Error for TreeShutdownError {}

/// Says in the log what a tree cannot do in a program whose panics end the process.
pub(crate) fn warn_where_a_panic_aborts(tree: &str) {
    if cfg!(panic = "abort") {
        tracing::warn!(
            target: "mycelium::supervision",
            tree,
            "this program is built with `panic = \"abort\"`: a panic ends the process, and no supervisor can restart anything after \
             it; build with `panic = \"unwind\"`"
        );
    }
}

impl Tree {
    pub(crate) async fn start(root: &Builder, shared: Arc<Shared>) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        warn_where_a_panic_aborts(&root.id);
        let ended = Arc::new(SetOnce::new());
        let (ready, is_ready) = oneshot::channel();
        let core = Arc::clone(&shared.bus.core);
        let place = Place::new(&shared, &ended);
        let leash = spawn_supervisor(
            root,
            &root.id,
            &shared,
            Estate::new(),
            Box::new(move || {
                // Whoever started the tree may have left.
                let _ = ready.send(());
            }),
            Box::new(move |reason, _| place.end(reason)),
        )
        .map_err(StartError::Spec)?;
        core.forest.plant(leash.loose(), &shared, &ended);
        if core.is_closed() {
            // Its shutdown may have looked for trees before.
            leash.stop(true);
        }
        let tree = Self { shared, leash, ended };
        match is_ready.await {
            Ok(()) => Ok(tree),
            Err(_) if has_ended(&runtime) => Err(StartError::RuntimeEnded),
            Err(_) => Err(StartError::Failed(tree.ended().await)),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The actor at this path; `None` if there is none or it is of another type. The reference outlives restarts of
    /// the actor and of the supervisors above it, not a kill, nor [`terminate_child`](Self::terminate_child): an actor that has
    /// ended so is still found here until its child starts again or is forgotten; see [`ActorRef::is_alive`].
    #[must_use]
    pub fn actor_ref<A: Actor>(&self, path: &str) -> Option<ActorRef<A>> {
        self.shared.actors().get(path)?.reference.downcast_ref::<ActorRef<A>>().cloned()
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

    /// Adds a child to the supervisor at `path` and starts it. Under simple-one-for-one it becomes an instance: its id
    /// and what it runs are the child's, the options those of the one specification.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the supervisor carries the call out all the same, if it has been sent: after the first poll.
    pub async fn start_child(&self, path: &str, child: Child) -> Result<(), CallError> {
        let spec = child.0;
        let instance =
            pure::Call::StartInstance { id: Some(Arc::clone(&spec.id)), start: spec.start.clone() };
        match self.call(path, pure::Call::StartChild(spec)).await {
            Err(CallError::Refused(pure::CallError::SimpleOneForOne)) => {
                self.call(path, instance).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    /// Stops the child at `path`. Its specification stays, unless it is temporary.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the supervisor carries the call out all the same, if it has been sent: after the first poll.
    pub async fn terminate_child(&self, path: &str) -> Result<(), CallError> {
        self.call_on(path, pure::Call::TerminateChild).await
    }

    /// Starts the child at `path`, which does not run.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the supervisor carries the call out all the same, if it has been sent: after the first poll.
    pub async fn restart_child(&self, path: &str) -> Result<(), CallError> {
        self.call_on(path, pure::Call::RestartChild).await
    }

    /// Forgets the child at `path`, which does not run.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the supervisor carries the call out all the same, if it has been sent: after the first poll.
    pub async fn delete_child(&self, path: &str) -> Result<(), CallError> {
        self.call_on(path, pure::Call::DeleteChild).await
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

    /// Stops all children in reverse order, each within its shutdown time, and kills what is left after `limit`. The
    /// bus stays open. Killed processes are reaped by then; what could not be killed within [`KILL_GRACE`] goes on.
    ///
    /// # Errors
    /// [`TreeShutdownError`] names who had to be killed. The tree has ended all the same.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the shutdown goes on.
    pub async fn shutdown_within(&self, limit: Duration) -> Result<(), TreeShutdownError> {
        self.leash.stop(true);
        if timeout(limit, self.ended.wait()).await.is_err() {
            self.leash.kill();
            // The root gives up on what cannot be killed after its own grace.
            let _ = timeout(KILL_GRACE * 2, self.ended.wait()).await;
        }
        let missed = self.shared.missed();
        if missed.is_empty() { Ok(()) } else { Err(TreeShutdownError { missed }) }
    }

    /// Waits for the end of the tree and says why it ended: `shutdown` after a shutdown, and also when the root gave up
    /// or its significant children ended.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn ended(&self) -> ExitReason {
        self.ended.wait().await.clone()
    }

    async fn call_on(
        &self,
        path: &str,
        call: impl FnOnce(Arc<str>) -> pure::Call<Launcher>,
    ) -> Result<(), CallError> {
        let (supervisor, id) = path.rsplit_once('/').unwrap_or(("", path));
        self.call(supervisor, call(id.into())).await.map(drop)
    }

    async fn call(&self, path: &str, call: pure::Call<Launcher>) -> Result<pure::Reply<Launcher>, CallError> {
        let supervisor = self.shared.supervisor(path).ok_or_else(|| CallError::NoSupervisor(path.into()))?;
        supervisor.call(call)?.await.map_err(|_| CallError::Ended)?.map_err(CallError::Refused)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("ended", &self.ended.get()).finish_non_exhaustive()
    }
}
