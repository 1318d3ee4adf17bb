//! What all supervisors of one tree share, and its handle with them.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError};

use mycelium_mailbox::caught;
use mycelium_supervisor as pure;
use pure::engine::Answer;
use pure::{CALLS_MAX, ChildInfo, Jitter};

use super::{Mail, Tasks};
use crate::live::{MissedLog, MissedMark, Standing, sender_on, tree_number};
use crate::rt::Instant;
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, Quiet, mpsc, oneshot, quiet};
use crate::tree::below::take_below;
use crate::tree::builder::Builder;
use crate::tree::handle::CallError;
use crate::tree::launch::Launcher;
use crate::tree::observe::Observer;
use crate::tree::pools::Pools;
use crate::tree::sources::{SourceSeen, Sources};
use crate::tree::start_waits::StartWaits;
use crate::tree::{FoundPool, WeakTree};
use crate::{ActorId, MessageBus, PendingRestart, PoolStats};

/// Where an actor is in the tree, and how it is reached.
pub(crate) struct Placed {
    pub(crate) id: ActorId,
    /// An `ActorRef` of the actor's type.
    pub(crate) reference: Box<dyn Any + Send>,
}

/// Most calls that a supervisor has not answered yet. It refuses them before that, while it takes its mail
/// in.
const UNANSWERED_MAX: usize = CALLS_MAX * 2;

/// Where a supervisor takes calls.
#[derive(Clone)]
pub(crate) struct Mailbox {
    post: mpsc::UnboundedSender<Mail>,
    unanswered: Arc<AtomicUsize>,
}

impl Mailbox {
    pub(super) fn new(post: mpsc::UnboundedSender<Mail>) -> Self {
        Self { post, unanswered: Arc::default() }
    }

    /// Sends a call behind all that has been sent to this supervisor.
    pub(crate) fn call(
        &self,
        call: pure::Call<Launcher>,
    ) -> Result<Quiet<oneshot::Receiver<Answer<Tasks>>>, CallError> {
        self.send(|reply| Mail::Call(call, reply))
    }

    /// Looks at the child of this id when this has its turn, whatever the supervisor is doing then.
    pub(crate) fn look(
        &self,
        id: Arc<str>,
    ) -> Result<Quiet<oneshot::Receiver<Option<ChildInfo>>>, CallError> {
        self.send(|reply| Mail::Look(id, reply))
    }

    fn send<T>(
        &self,
        mail: impl FnOnce(Replier<T>) -> Mail,
    ) -> Result<Quiet<oneshot::Receiver<T>>, CallError> {
        let (to, answer) = oneshot::channel();
        let before = self.unanswered.fetch_add(1, Ordering::Relaxed);
        let reply = Replier { to: Some(to), unanswered: Arc::clone(&self.unanswered) };
        if before >= UNANSWERED_MAX {
            return Err(CallError::Refused(pure::CallError::Busy));
        }
        self.post.send(mail(reply)).map_err(|_| CallError::Ended)?;
        Ok(quiet(answer))
    }
}

/// Where the reply to a call goes. Dropped, the call gets none.
pub(crate) struct Replier<T = Answer<Tasks>> {
    to: Option<oneshot::Sender<T>>,
    unanswered: Arc<AtomicUsize>,
}

impl<T> Replier<T> {
    pub(super) fn answer(mut self, answer: T) {
        if let Some(to) = self.to.take() {
            // The asker may have left.
            let _ = to.send(answer);
        }
    }
}

impl<T> Drop for Replier<T> {
    fn drop(&mut self) {
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Paths of children, and until when each waits for its restart.
type Backoffs = Vec<(Arc<str>, Instant)>;

/// A tree was killed and has not ended in time.
const OUTLIVES: usize = 1;
/// A tree has ended.
const HAS_ENDED: usize = 2;

/// What all supervisors of one tree share.
pub(crate) struct TreeShared {
    pub(crate) bus: MessageBus,
    /// Of the tree on its bus; it rises with each start of a tree.
    pub(crate) number: u64,
    /// Its path.
    root: Arc<str>,
    observer: Option<Observer>,
    /// Of the supervisors, in the order in which they start.
    seeds: Mutex<Jitter>,
    supervisors: Mutex<HashMap<Arc<str>, Mailbox>>,
    actors: Mutex<BTreeMap<Arc<str>, Placed>>,
    sources: Mutex<Sources>,
    pub(crate) pools: Pools,
    pub(crate) starts: Arc<StartWaits>,
    missed: Mutex<MissedLog>,
    /// When it was first asked to end through its handle.
    told: OnceLock<MissedMark>,
    /// By supervisor: the children that wait for their restart, and until when.
    backoffs: Mutex<HashMap<Arc<str>, Backoffs>>,
    #[cfg(unix)]
    pub(crate) groups: Arc<crate::tree::process::Groups>,
    /// Whether it [goes on](OUTLIVES) and [has ended](HAS_ENDED), in one: whichever comes second knows of the
    /// other.
    late: AtomicUsize,
    /// The child with which the root passed its intensity.
    gave_up: OnceLock<Arc<str>>,
}

impl TreeShared {
    pub(crate) fn new(bus: MessageBus, root: &Builder) -> Self {
        let (supervisors, actors, sources, missed, backoffs) = Default::default();
        #[cfg(unix)]
        let groups = Arc::default();
        let gave_up = OnceLock::new();
        let number = bus.core.forest.number();
        Self {
            bus,
            number,
            root: Arc::clone(&root.id),
            observer: root.observer.clone(),
            seeds: Mutex::new(Jitter::new(root.seed)),
            supervisors,
            actors,
            sources,
            pools: Pools::default(),
            starts: Arc::default(),
            missed,
            told: OnceLock::new(),
            backoffs,
            #[cfg(unix)]
            groups,
            late: AtomicUsize::new(0),
            gave_up,
        }
    }

    /// The references of the actors, by path.
    pub(crate) fn actors(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Placed>> {
        lock(&self.actors)
    }

    /// The path of the tree.
    pub(crate) fn root(&self) -> &Arc<str> {
        &self.root
    }

    /// Where a supervisor takes calls.
    pub(crate) fn supervisor(&self, path: &str) -> Option<Mailbox> {
        lock(&self.supervisors).get(path).cloned()
    }

    /// The same for a call of the one whose code runs, who may be one that the supervisor waits for.
    pub(crate) fn supervisor_to_call(&self, path: &str) -> Result<Mailbox, CallError> {
        let supervisor = self.supervisor(path).ok_or_else(|| CallError::NoSupervisor(path.into()))?;
        self.check_caller(path)?;
        Ok(supervisor)
    }

    /// Whether the one whose code runs, if it is a child of this tree, may wait for the supervisor at this
    /// path.
    pub(crate) fn check_caller(&self, path: &str) -> Result<(), CallError> {
        let core = &self.bus.core;
        let caller = sender_on(core.topics.mark());
        if caller != 0
            && self.starts.waits(path)
            && let Some(caller) = core.members.find(caller)
            && caller.tree() == tree_number(Some(self.number))
            && let Some(caller) = caller.path()
        {
            self.starts.check(path, &caller)?;
        }
        Ok(())
    }

    /// That of the supervisor which starts now.
    pub(super) fn next_seed(&self) -> u64 {
        lock(&self.seeds).next_u64()
    }

    /// An actor has begun at this path.
    pub(crate) fn place(&self, path: &Arc<str>, placed: Placed) {
        let before = self.actors().insert(Arc::clone(path), placed);
        // Dropped here, where the map is free again.
        drop(before);
    }

    /// `calls` are those to the supervisor at this path.
    pub(super) fn add_supervisor(&self, path: &Arc<str>, calls: Mailbox) {
        lock(&self.supervisors).insert(Arc::clone(path), calls);
    }

    /// Whether the supervisor that takes this mail is that at this path.
    pub(super) fn is_supervisor(&self, path: &str, post: &mpsc::UnboundedSender<Mail>) -> bool {
        lock(&self.supervisors).get(path).is_some_and(|there| there.post.same_channel(post))
    }

    /// A supervisor has ended. One that could not be killed in time may have a successor there, which stays.
    pub(super) fn forget_supervisor(&self, path: &str, calls: &Mailbox) {
        let mut supervisors = lock(&self.supervisors);
        if supervisors.get(path).is_some_and(|there| there.post.same_channel(&calls.post)) {
            supervisors.remove(path);
        }
    }

    /// A child is no more, with all below it.
    pub(super) fn forget_child(&self, path: &str) {
        let forgotten = take_below(&mut self.actors(), path);
        // Dropped here, where the map is free again.
        drop(forgotten);
        lock(&self.sources).forget(path);
        self.pools.forget(path);
    }

    /// Somebody asks it to end through its handle.
    pub(crate) fn told(&self) {
        let now = self.missed().mark();
        let _ = self.told.set(now);
    }

    /// The children that had to be killed since somebody has asked it to end, if somebody has.
    pub(crate) fn missed_since_told(&self) -> Vec<Arc<str>> {
        self.told.get().map(|told| self.missed().since(*told)).unwrap_or_default()
    }

    /// A child had to be killed because its shutdown time was over, or that of its bus.
    pub(crate) fn add_missed(&self, path: Arc<str>) {
        if self.bus.core.is_closed() {
            self.bus.core.missed().children.add(Arc::clone(&path));
        }
        self.missed().add(path);
    }

    /// The children that had to be killed because their shutdown time was over.
    pub(crate) fn missed(&self) -> MutexGuard<'_, MissedLog> {
        lock(&self.missed)
    }

    /// The tree goes on though it was killed: code that never awaits keeps its supervisor. `false`: it has
    /// ended just now.
    pub(crate) fn outlives(&self) -> bool {
        let before = self.late.fetch_or(OUTLIVES, Ordering::Relaxed);
        if before == 0 {
            caught(|| {
                tracing::warn!(
                    target: "mycelium::shutdown",
                    tree = &*self.root,
                    "a tree was killed and goes on: code that never awaits, such as a factory, keeps a supervisor of it"
                );
            });
        }
        before & HAS_ENDED == 0
    }

    /// The tree has ended.
    pub(crate) fn has_ended(&self) {
        if self.late.fetch_or(HAS_ENDED, Ordering::Relaxed) == OUTLIVES {
            caught(
                || tracing::info!(target: "mycelium::shutdown", tree = &*self.root, "the tree that went on has ended"),
            );
        }
    }

    /// The sources that were started since they were taken last, in the order of their first starts.
    pub(crate) fn sources(&self) -> Vec<SourceSeen> {
        lock(&self.sources).all()
    }

    /// A drain has stopped this one: see [`Sources::stopped`].
    pub(crate) fn source_stopped(&self, seen: &SourceSeen) -> bool {
        lock(&self.sources).stopped(seen)
    }

    pub(super) fn add_source(&self, path: &Arc<str>) {
        lock(&self.sources).add(path);
    }

    /// The children of the supervisor at this path that wait for their restart, and until when.
    pub(super) fn set_backoffs(&self, supervisor: &Arc<str>, waiting: Backoffs) {
        let mut backoffs = lock(&self.backoffs);
        if waiting.is_empty() {
            backoffs.remove(supervisor);
        } else {
            backoffs.insert(Arc::clone(supervisor), waiting);
        }
    }

    /// The children that wait for their restart, by path.
    pub(crate) fn pending_restarts(&self) -> Vec<PendingRestart> {
        let now = Instant::now();
        let backoffs = lock(&self.backoffs);
        let waiting = backoffs.values().flatten().map(|(path, until)| PendingRestart {
            path: Arc::clone(path),
            remaining: until.saturating_duration_since(now),
        });
        let mut pending: Vec<_> = waiting.collect();
        drop(backoffs);
        pending.sort();
        pending
    }

    pub(super) fn observer(&self) -> Option<&Observer> {
        self.observer.as_ref()
    }

    /// The root passed its intensity with this child.
    pub(super) fn give_up(&self, child: Arc<str>) {
        let _ = self.gave_up.set(child);
    }

    /// The child with which the root passed its intensity, if it did.
    pub(crate) fn gave_up(&self) -> Option<&Arc<str>> {
        self.gave_up.get()
    }
}

impl Standing for TreeShared {
    fn look_at(&self, path: &str, look: &mut dyn FnMut(&dyn Any)) {
        if let Some(placed) = self.actors().get(path) {
            look(&*placed.reference);
        }
    }

    fn pool(self: Arc<Self>, path: &str) -> Option<Box<dyn Any>> {
        let pool: FoundPool = (self.pools.get(path)?, WeakTree::Live(Arc::downgrade(&self)));
        Some(Box::new(pool))
    }

    fn pending_restarts(&self) -> Vec<PendingRestart> {
        self.pending_restarts()
    }

    fn pools(&self) -> Vec<PoolStats> {
        self.pools.stats()
    }

    fn workers_with(&self, worker: u64) -> Option<Vec<u64>> {
        self.pools.workers_with(worker)
    }

    fn members(&self) -> Vec<ActorId> {
        self.actors().values().map(|placed| placed.id).collect()
    }

    fn still_runs(&self) -> Option<Arc<str>> {
        self.outlives().then(|| Arc::clone(&self.root))
    }
}

/// The maps stay whole whatever panics: every change is one insertion or removal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Supervisor;

    #[test]
    fn a_tree_that_has_ended_by_the_time_it_is_looked_at_does_not_go_on() {
        let shared = TreeShared::new(MessageBus::new(), &Supervisor::builder("root"));
        assert!(shared.outlives() && shared.outlives());
        shared.has_ended();
        assert!(!shared.outlives());
        let shared = TreeShared::new(MessageBus::new(), &Supervisor::builder("root"));
        shared.has_ended();
        assert!(!shared.outlives(), "nobody would say when it ends");
    }

    #[test]
    fn a_supervisor_that_ends_late_leaves_its_successor_reachable() {
        let (shared, path) =
            (TreeShared::new(MessageBus::new(), &Supervisor::builder("root")), Arc::from("root/desk"));
        let [first, second] = [(); 2].map(|()| Mailbox::new(mpsc::unbounded_channel().0));
        shared.add_supervisor(&path, first.clone());
        shared.add_supervisor(&path, second.clone());
        shared.forget_supervisor(&path, &first);
        assert!(shared.supervisor(&path).is_some_and(|there| there.post.same_channel(&second.post)));
        shared.forget_supervisor(&path, &second);
        assert!(shared.supervisor(&path).is_none());
    }
}
