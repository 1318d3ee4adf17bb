//! The handle of a tree in an isolate.

use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use mycelium_supervisor as pure;
use pure::{ChildInfo, Counts, ExitReason, Strategy};

use super::run::TreeRun;
use crate::isolate::core::Core;
use crate::isolate::handle::{IsolateRef, Place};
use crate::isolate::{Isolate, RunError, SeatOf};
use crate::tree::{Builder, CallError, Child, Launcher, StartError, warn_where_a_panic_aborts};
use crate::{Actor, ActorRef};

/// A running tree of an isolate; see [`Isolate::supervise`]. Paths begin with the root's id: `root/desk/portfolio`.
///
/// Its calls are answered at once, at the isolate's present time. They run children's code, in turn with nothing else.
/// Dropping it means nothing: the tree ends with its isolate, or by [`stop`](Self::stop).
#[derive(Clone)]
pub struct IsolateTree {
    core: Weak<Core>,
    tree: Rc<TreeRun>,
}

impl Isolate {
    /// Starts a tree, described once and for as many isolates as are wanted, as a live one is: with [`Supervisor::builder`](crate::Supervisor::builder) or
    /// [`Supervisor::from_toml`](crate::Supervisor::from_toml).
    ///
    /// It returns when all children run, in virtual time. Usually that takes none. Where a child takes time to start, the
    /// isolate runs meanwhile.
    ///
    /// From then on a failure or panic of a child is its supervisor's business and does not end [`run`](Self::run). Restarts
    /// wait for their backoff in virtual time, while messages wait in the mailbox. A root supervisor that passes its
    /// intensity ends the run with [`RunError::TreeGaveUp`].
    ///
    /// # Errors
    /// [`StartError`]: a specification is not valid, a child is a process or a plain future, which have no virtual
    /// time, or a child did not start; then those before it were stopped again, in reverse order.
    ///
    /// ```
    /// use mycelium::tree::Backoff;
    /// use mycelium::{Actor, BoxError, Context, Handler, Isolate, Responder, Supervisor};
    /// use std::time::Duration;
    ///
    /// struct Parser;
    /// impl Actor for Parser { type Error = BoxError; }
    /// impl Handler<&'static str> for Parser {
    ///     async fn handle(&mut self, text: &&'static str, _: &mut Context<Self>) -> Result<(), BoxError> {
    ///         text.parse::<u64>()?; // an error ends this life of the actor
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut isolate = Isolate::new(42);
    /// let root = Supervisor::builder("root").backoff(Backoff::default()).actor("parser", || Parser);
    /// let tree = isolate.supervise(&root)?;
    /// let parser = tree.actor_ref::<Parser>("root/parser").expect("it runs");
    /// isolate.tell(&parser, "not a number")?;
    /// isolate.tell(&parser, "7")?; // it waits in the mailbox
    /// isolate.run()?;
    /// assert_eq!(isolate.now().as_nanos(), 100_000_000, "the restart waited 100 ms of virtual time");
    /// assert_eq!(isolate.stats().dead_letters, 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn supervise(&mut self, root: &Builder) -> Result<IsolateTree, StartError> {
        root.check().map_err(StartError::Spec)?;
        check_place(root, &root.id)?;
        warn_where_a_panic_aborts(&root.id);
        let tree = TreeRun::new(&self.core, root).map_err(StartError::Spec)?;
        self.core.add_tree(Rc::clone(&tree));
        tree.tend(&self.core);
        let started = self.run_until_tree(&tree, |tree| tree.is_ready() || tree.has_ended());
        if tree.is_ready() {
            return Ok(IsolateTree { core: Rc::downgrade(&self.core), tree });
        }
        let reason = match (tree.end(), started) {
            (Some(reason), _) => reason,
            (None, Err(error)) => ExitReason::Abnormal(error.to_string().into()),
            (None, Ok(())) => ExitReason::Abnormal("nothing is left to do, and it has not started".into()),
        };
        tree.stop();
        tree.tend(&self.core);
        Err(StartError::Failed(reason))
    }

    /// Runs until a tree has come so far, or nothing is left to do.
    pub(crate) fn run_until_tree(
        &mut self,
        tree: &TreeRun,
        so_far: impl Fn(&TreeRun) -> bool,
    ) -> Result<(), RunError> {
        tree.tend(&self.core);
        if so_far(tree) {
            return Ok(());
        }
        tree.awaited.set(true);
        let mut result = self.run_to(i64::MAX);
        tree.awaited.set(false);
        // What it waited for may have come with the end of the run.
        self.core.pause.set(false);
        if so_far(tree) && matches!(result, Err(RunError::TreeGaveUp { .. })) {
            result = Ok(());
        }
        result
    }
}

/// Looks for children that cannot be in an isolate.
fn check_place(builder: &Builder, path: &str) -> Result<(), StartError> {
    builder.children.iter().try_for_each(|child| {
        check_child(&format!("{path}/{}", child.id), &child.start)
            .map_err(|(path, what)| StartError::OnlyLive { path, what })
    })
}

fn check_child(path: &str, child: &Launcher) -> Result<(), (Arc<str>, &'static str)> {
    if let Some(what) = child.only_live() {
        return Err((path.into(), what));
    }
    let below = child.builder().map_or(&[][..], |builder| &builder.children);
    below.iter().try_for_each(|child| check_child(&format!("{path}/{}", child.id), &child.start))
}

impl IsolateTree {
    /// The actor at this path; `None` if there is none or it is of another type. The reference outlives restarts of
    /// the actor and of the supervisors above it, not a kill, nor [`terminate_child`](Self::terminate_child).
    #[must_use]
    pub fn actor_ref<A: Actor>(&self, path: &str) -> Option<ActorRef<A>> {
        self.tree.actor_ref(&self.core.upgrade()?, path)
    }

    /// The child at this path at this moment, whatever its supervisor is doing.
    #[must_use]
    pub fn child(&self, path: &str) -> Option<ChildInfo> {
        self.tree.child(path)
    }

    /// The children of the supervisor at `path`, last started first (OTP's `which_children`).
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn which_children(&self, path: &str) -> Result<Vec<ChildInfo>, CallError> {
        match self.call(path, |_| pure::Call::WhichChildren)? {
            pure::Reply::Children(children) => Ok(children),
            _ => Err(CallError::Ended),
        }
    }

    /// How many children the supervisor at `path` has (OTP's `count_children`).
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn count_children(&self, path: &str) -> Result<Counts, CallError> {
        match self.call(path, |_| pure::Call::CountChildren)? {
            pure::Reply::Counts(counts) => Ok(counts),
            _ => Err(CallError::Ended),
        }
    }

    /// Adds a child to the supervisor at `path` and starts it. Under simple-one-for-one it becomes an instance: its id
    /// and what it runs are the child's, the options those of the one specification.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn start_child(&self, path: &str, child: Child) -> Result<(), CallError> {
        let spec = child.0;
        check_child(&format!("{path}/{}", spec.id), &spec.start)
            .map_err(|(path, what)| CallError::OnlyLive { path, what })?;
        let call = |strategy| match strategy {
            Strategy::SimpleOneForOne => pure::Call::StartInstance { id: Some(spec.id), start: spec.start },
            _ => pure::Call::StartChild(spec),
        };
        self.call(path, call).map(drop)
    }

    /// Stops the child at `path`. Its specification stays, unless it is temporary.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::Unanswered`] while the child takes its time to stop.
    pub fn terminate_child(&self, path: &str) -> Result<(), CallError> {
        self.call_on(path, pure::Call::TerminateChild)
    }

    /// Starts the child at `path`, which does not run.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn restart_child(&self, path: &str) -> Result<(), CallError> {
        self.call_on(path, pure::Call::RestartChild)
    }

    /// Forgets the child at `path`, which does not run.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn delete_child(&self, path: &str) -> Result<(), CallError> {
        self.call_on(path, pure::Call::DeleteChild)
    }

    /// Begins to stop all children in reverse order; it goes on as the isolate runs. [`Isolate::shutdown`] waits for it.
    pub fn stop(&self) {
        self.tree.stop();
        if let Some(core) = self.core.upgrade() {
            self.tree.tend(&core);
        }
    }

    /// Why the tree has ended, if it has: `shutdown` after a stop, and also when the root gave up or its significant
    /// children ended.
    #[must_use]
    pub fn ended(&self) -> Option<ExitReason> {
        self.tree.end()
    }

    /// The children that had to be killed because they missed their shutdown time.
    #[must_use]
    pub fn missed(&self) -> Vec<Arc<str>> {
        self.tree.missed()
    }

    fn call_on(
        &self,
        path: &str,
        call: impl FnOnce(Arc<str>) -> pure::Call<Launcher>,
    ) -> Result<(), CallError> {
        let (supervisor, id) = path.rsplit_once('/').unwrap_or(("", path));
        self.call(supervisor, |_| call(id.into())).map(drop)
    }

    fn call(
        &self,
        path: &str,
        call: impl FnOnce(Strategy) -> pure::Call<Launcher>,
    ) -> Result<pure::Reply<Launcher>, CallError> {
        let core = self.core.upgrade().ok_or(CallError::Ended)?;
        let answer = self.tree.call(&core, path, call);
        let answer = answer.ok_or_else(|| CallError::NoSupervisor(path.into()))?;
        answer.ok_or(CallError::Unanswered)?.map_err(CallError::Refused)
    }
}

impl fmt::Debug for IsolateTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IsolateTree").field("ended", &self.ended()).finish_non_exhaustive()
    }
}

impl TreeRun {
    /// The actor at this path; `None` if there is none or it is of another type.
    pub(in crate::isolate) fn actor_ref<A: Actor>(&self, core: &Rc<Core>, path: &str) -> Option<ActorRef<A>> {
        let seat = self.seat(path)?.into_any().downcast::<SeatOf<A>>().ok()?;
        Some(ActorRef::in_isolate(IsolateRef::new(Place::new(core, seat.index))))
    }
}
