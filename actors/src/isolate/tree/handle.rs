//! A running tree of an isolate: the isolate's half of a [`Tree`].

use std::any::Any;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use mycelium_mailbox::Confined;
use mycelium_supervisor as pure;
use pure::{ChildInfo, ExitReason};
use tokio::sync::oneshot;

use super::child::{Reply, SeatedChild, TreeAsk, TreeQuestion};
use super::run::TreeRun;
use crate::isolate::core::IsolateCore;
use crate::isolate::handle::{IsolateRef, Place};
use crate::isolate::seat::AnySeat;
use crate::isolate::waits::SeatWait;
use crate::isolate::{ActorCell, Isolate, OUTSIDE};
use crate::life::MissedMark;
use crate::tree::{
    Builder, CallError, Child, FoundPool, Launcher, Pools, StartError, Tree, WeakTree,
    warn_where_a_panic_aborts,
};
use crate::{Actor, ActorRef, PendingRestart, SpawnError};

/// A call is carried out at once, at the isolate's present time. That runs children's code, in turn with
/// nothing else.
#[derive(Clone)]
pub(crate) struct IsolateTree {
    pub(super) place: Place,
    tree: Confined<TreeRun>,
}

impl Isolate {
    /// Starts a tree, described once and for as many isolates as are wanted, as a live one is: with
    /// [`Supervisor::builder`](crate::Supervisor::builder) or
    /// [`Supervisor::from_toml`](crate::Supervisor::from_toml).
    ///
    /// It returns when all children run, in virtual time. Usually that takes none. Where a child takes time
    /// to start, the isolate runs meanwhile.
    ///
    /// From then on a failure or panic of a child is its supervisor's business and does not end
    /// [`run`](Self::run). Restarts wait for their backoff in virtual time, while messages wait in the
    /// mailbox. A root supervisor that passes its intensity ends the run with
    /// [`RunError::TreeGaveUp`](crate::RunError::TreeGaveUp).
    ///
    /// # Errors
    /// [`StartError`]: a specification is not valid, a child is a process or a plain future, which have no
    /// virtual time, or a child did not start; then those before it were stopped again, in reverse order.
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
    /// let parser = tree.lookup::<Parser>("root/parser").expect("it runs");
    /// isolate.tell(&parser, "not a number")?;
    /// isolate.tell(&parser, "7")?; // it waits in the mailbox
    /// isolate.run()?;
    /// assert_eq!(isolate.now().as_nanos(), 100_000_000, "the restart waited 100 ms of virtual time");
    /// assert_eq!(isolate.stats().dead_letters, 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn supervise(&mut self, root: &Builder) -> Result<Tree, StartError> {
        root.check().map_err(StartError::Spec)?;
        check_place(root, &root.id)?;
        warn_where_a_panic_aborts(&root.id);
        let tree = TreeRun::new(&self.core, root).map_err(StartError::Spec)?;
        self.core.add_tree(Rc::clone(&tree));
        let handle = IsolateTree::new(&self.core, &tree);
        let started = self.block_on(handle.started());
        if tree.is_ready() {
            return Ok(Tree::in_isolate(handle));
        }
        let reason = match (tree.end(), started) {
            (Some(reason), _) => reason,
            (None, Err(error)) => ExitReason::Abnormal(error.to_string().into()),
            (None, Ok(())) => ExitReason::Abnormal("it has not started".into()),
        };
        handle.stop();
        Err(StartError::Failed(reason))
    }
}

impl Isolate {
    /// Adds the actor or the service that a [`Child`] describes, made once, outside of all trees: an actor
    /// under the child's id, by which [`lookup`](Self::lookup) finds it. Of a service the id means nothing,
    /// nor do the child's options, which are for supervisors. A failure of it ends the run
    /// ([`OnFailure`](crate::OnFailure)).
    ///
    /// ```
    /// use mycelium::tree::{Arguments, Factories};
    /// use mycelium::{Actor, BoxError, Isolate};
    ///
    /// struct Journal;
    /// impl Actor for Journal { type Error = BoxError; }
    ///
    /// let factories = Factories::new().actor("journal", || Journal);
    /// let mut isolate = Isolate::new(42);
    /// isolate.spawn_child(&factories.child_of("journal", "orders", &Arguments::new())?)?;
    /// assert!(isolate.lookup::<Journal>("orders").is_some());
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::Child`]: it is a supervisor, a process or a plain future, or was not made;
    /// [`SpawnError::NameTaken`], and those of [`spawn`](Self::spawn).
    pub fn spawn_child(&mut self, child: &Child) -> Result<(), SpawnError> {
        child.0.start.spawn(self, &child.0.id)
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
    pub(crate) fn new(core: &Rc<IsolateCore>, tree: &Rc<TreeRun>) -> Self {
        Self { place: Place::new(core, OUTSIDE), tree: Confined::new(Rc::clone(tree)) }
    }

    /// That of a tree of the same isolate.
    pub(in crate::isolate) fn of(place: &Place, tree: &Rc<TreeRun>) -> Self {
        Self { place: place.beside(OUTSIDE), tree: Confined::new(Rc::clone(tree)) }
    }

    /// The pool at this path, if there is one, with its tree.
    pub(in crate::isolate) fn found_pool(self, path: &str) -> Option<Box<dyn Any>> {
        let pool: FoundPool = (self.pools()?.get(path)?, WeakTree::Isolate(self));
        Some(Box::new(pool))
    }

    /// The tree, on its isolate's thread, and not from inside another isolate.
    pub(super) fn here(&self) -> Option<(&IsolateCore, &TreeRun)> {
        Some((self.place.core()?, self.tree.get()?))
    }

    /// The same from anywhere on that thread, for what is answered at once.
    fn on_thread(&self) -> Option<(&IsolateCore, &TreeRun)> {
        Some((self.place.core_from_anywhere()?, self.tree.get()?))
    }

    pub(crate) fn lookup<A: Actor>(&self, path: &str) -> Option<ActorRef<A>> {
        let (core, tree) = self.on_thread()?;
        let seat = tree.seat_at(core, path)?.into_any().downcast::<ActorCell<A>>().ok()?;
        Some(ActorRef::in_isolate(IsolateRef::new(self.place.beside(seat.index))))
    }

    pub(crate) fn pending_restarts(&self) -> Vec<PendingRestart> {
        self.on_thread().map(|(core, tree)| tree.pending_restarts(core)).unwrap_or_default()
    }

    /// Whether a call from here can reach it.
    pub(crate) fn is_here(&self) -> bool {
        self.here().is_some()
    }

    /// Its pools; `None` on another thread.
    pub(crate) fn pools(&self) -> Option<&Pools> {
        self.tree.get().map(TreeRun::pools)
    }

    pub(crate) async fn child(&self, above: &str, id: &str) -> Result<Option<ChildInfo>, CallError> {
        poll_fn(|cx| self.poll_turn(cx)).await?;
        let looked = self.here().ok_or(CallError::WrongThread)?.1.look(above, id);
        match looked {
            Some(child) => child,
            None => self.ask(above, |to| TreeQuestion::Child(id.into(), to)).await,
        }
    }

    pub(crate) async fn call(
        &self,
        path: &str,
        call: pure::Call<Launcher>,
    ) -> Result<pure::Reply<Launcher>, CallError> {
        let only_live = match &call {
            pure::Call::StartChild(spec) => check_child(&format!("{path}/{}", spec.id), &spec.start),
            pure::Call::StartInstance { id, start } => {
                check_child(&format!("{path}/{}", id.as_deref().unwrap_or_default()), start)
            }
            _ => Ok(()),
        };
        only_live.map_err(|(path, what)| CallError::OnlyLive { path, what })?;
        self.ask(path, |to| TreeQuestion::Call(Box::new(call), to)).await
    }

    async fn ask<T>(&self, path: &str, what: impl FnOnce(Reply<T>) -> TreeQuestion) -> Result<T, CallError> {
        poll_fn(|cx| self.poll_turn(cx)).await?;
        let (to, mut answer) = oneshot::channel();
        let (core, tree) = self.here().ok_or(CallError::WrongThread)?;
        tree.ask(core, TreeAsk { path: path.into(), what: what(to) });
        let answered = poll_fn(|cx| {
            let polled = Pin::new(&mut answer).poll(cx);
            if let (Poll::Pending, Some((core, _))) = (&polled, self.here()) {
                core.note_wait(SeatWait::Supervisor);
            }
            polled
        });
        answered.await.map_err(|_| CallError::Ended)?
    }

    /// Ready if the run may go on: calls that are answered at once count towards its bounds.
    fn poll_turn(&self, cx: &TaskContext<'_>) -> Poll<Result<(), CallError>> {
        match self.here() {
            None => Poll::Ready(Err(CallError::WrongThread)),
            Some((core, _)) if core.goes_on(cx) => Poll::Ready(Ok(())),
            Some(_) => Poll::Pending,
        }
    }

    pub(crate) fn stop(&self) {
        if let Some((core, tree)) = self.on_thread() {
            tree.stop();
            tree.tend(core);
        }
    }

    pub(crate) async fn stop_within(&self, limit: Duration) {
        self.stop();
        let ended = tokio::select! {
            biased;
            _ = self.ended() => true,
            () = self.place.sleep(limit) => false,
        };
        if !ended {
            self.kill().await;
        }
    }

    /// Ends it now.
    pub(crate) async fn kill(&self) {
        if let Some((core, tree)) = self.here() {
            tree.kill();
            tree.tend(core);
        }
        self.ended().await;
    }

    /// Whether the one whose code runs, if it is a child of this tree, may wait for its root.
    pub(crate) fn check_root(&self) -> Result<(), CallError> {
        self.here().map_or(Ok(()), |(core, tree)| tree.check_caller(core, tree.path()))
    }

    /// Its path; on another thread none.
    pub(crate) fn path(&self) -> Option<Arc<str>> {
        Some(Arc::clone(self.tree.get()?.path()))
    }

    pub(crate) fn missed(&self) -> Vec<Arc<str>> {
        self.tree.get().map(TreeRun::missed).unwrap_or_default()
    }

    /// A moment, for [`missed_since`](Self::missed_since).
    pub(crate) fn missed_mark(&self) -> MissedMark {
        self.here().map(|(_, tree)| tree.missed_mark()).unwrap_or_default()
    }

    pub(crate) fn missed_since(&self, mark: MissedMark) -> Vec<Arc<str>> {
        self.here().map(|(_, tree)| tree.missed_since(mark)).unwrap_or_default()
    }

    pub(crate) fn end_reason(&self) -> Option<ExitReason> {
        self.tree.get()?.end()
    }

    /// Why it ended; on another thread never.
    pub(crate) async fn ended(&self) -> ExitReason {
        poll_fn(|cx| self.poll_for(cx, TreeRun::end)).await
    }

    /// Ready when all children run, or the tree has ended.
    async fn started(&self) {
        if let Some((core, tree)) = self.here() {
            tree.tend(core);
        }
        poll_fn(|cx| self.poll_for(cx, |tree| (tree.is_ready() || tree.has_ended()).then_some(()))).await;
    }

    fn poll_for<T>(&self, cx: &TaskContext<'_>, come: impl Fn(&TreeRun) -> Option<T>) -> Poll<T> {
        let Some((core, tree)) = self.here() else { return Poll::Pending };
        match come(tree) {
            Some(it) if core.goes_on(cx) => Poll::Ready(it),
            Some(_) => Poll::Pending,
            None => {
                tree.watch(cx.waker());
                core.note_wait(SeatWait::TreeEnd);
                Poll::Pending
            }
        }
    }
}

impl TreeRun {
    /// Whether a child or a pool has this path.
    pub(in crate::isolate) fn has(&self, path: &str) -> bool {
        self.seat(path).is_some() || self.pools().get(path).is_some()
    }

    /// The seat of the actor at this path; `None` if there is none or it is of another type.
    pub(in crate::isolate) fn actor_at<A: Actor>(&self, core: &IsolateCore, path: &str) -> Option<u32> {
        let seat = self.seat_at(core, path).filter(|seat| !self.is_at_work() || !seat.has_ended())?;
        Some(seat.into_any().downcast::<ActorCell<A>>().ok()?.index)
    }

    /// The seat of the child at this path, also where its supervisors run code of the one who looks.
    fn seat_at(&self, core: &IsolateCore, path: &str) -> Option<Rc<dyn AnySeat>> {
        if !self.is_at_work() {
            return self.seat(path);
        }
        let is_it = |child: &dyn SeatedChild| child.tree() == self.number() && *child.path() == *path;
        core.seat(self.place_of(path)?).filter(|seat| seat.as_child().is_some_and(is_it))
    }
}
