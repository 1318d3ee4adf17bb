//! What ends before all others on a bus: its trees, of which it knows no more than that.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, Weak};

use mycelium_supervisor::ExitReason;

use super::bus::BusCore;
use crate::sync::{Mutex, MutexGuard, SetOnce};
use crate::{Actor, ActorId, ActorRef, PendingRestart, PoolStats};

/// How a tree is told to end. To hold it keeps nothing.
pub(crate) trait Control: Send + Sync {
    /// Asks it to stop its children in reverse order.
    fn stop(&self);
    fn kill(&self);
}

/// What a bus wants to know of a tree whose supervisors are still there.
pub(crate) trait Standing: Any + Send + Sync {
    /// Shows the reference of the actor at this path, if there is one.
    fn look_at(&self, path: &str, look: &mut dyn FnMut(&dyn Any));
    /// The pool at this path, if there is one, with its tree: something that pools know.
    fn pool(self: Arc<Self>, path: &str) -> Option<Box<dyn Any>>;
    /// The children that wait for their restart.
    fn pending_restarts(&self) -> Vec<PendingRestart>;
    /// Its pools.
    fn pools(&self) -> Vec<PoolStats>;
    /// The workers of the pool that this actor is a worker of, if it is one here.
    fn workers_with(&self, worker: u64) -> Option<Vec<u64>>;
    /// The actors in it.
    fn members(&self) -> Vec<ActorId>;
    /// Its path, if it goes on though it was killed, which it says in the log.
    fn still_runs(&self) -> Option<Arc<str>>;
}

/// Every tree of a bus that has not ended, by its number.
#[derive(Default)]
pub(crate) struct Forest(Mutex<Trees>);

#[derive(Default)]
struct Trees {
    next: u64,
    running: BTreeMap<u64, Stem>,
    /// What is looked up in those that run, and in those whose first children start.
    standing: BTreeMap<u64, Weak<dyn Standing>>,
}

/// What a bus holds of a tree. Without its supervisors, what they share is gone.
struct Stem {
    control: Arc<dyn Control>,
    ended: Arc<SetOnce<ExitReason>>,
}

impl Forest {
    /// That of a new tree.
    pub(crate) fn number(&self) -> u64 {
        let mut trees = self.lock();
        trees.next += 1;
        trees.next
    }

    /// A tree runs. The bus may be closed by now: whoever plants looks afterwards.
    pub(crate) fn plant(&self, number: u64, control: Arc<dyn Control>, ended: &Arc<SetOnce<ExitReason>>) {
        let ended = Arc::clone(ended);
        let mut trees = self.lock();
        // One that has ended meanwhile has given its place up.
        if !ended.initialized() {
            trees.running.insert(number, Stem { control, ended });
        }
    }

    /// Those that run, the youngest first.
    pub(crate) fn youngest_first(&self) -> Vec<Felling> {
        let trees = self.lock();
        let standing = |number| trees.standing.get(number).and_then(Weak::upgrade);
        trees.running.iter().rev().map(|(number, stem)| Felling::new(stem, standing(number))).collect()
    }

    /// Whether one has not ended.
    pub(crate) fn stands(&self) -> bool {
        self.lock().running.values().any(|stem| !stem.ended.initialized())
    }

    /// The actor at this path of the eldest tree that has one there.
    pub(crate) fn lookup<A: Actor>(&self, path: &str) -> Option<ActorRef<A>> {
        self.standing().iter().find_map(|tree| {
            let mut found = None;
            tree.look_at(path, &mut |reference| found = reference.downcast_ref::<ActorRef<A>>().cloned());
            found
        })
    }

    /// The pool at this path of the eldest tree that has one there which `take` takes.
    pub(crate) fn find_pool<R>(&self, path: &str, take: fn(Box<dyn Any>) -> Option<R>) -> Option<R> {
        self.standing().into_iter().find_map(|tree| take(tree.pool(path)?))
    }

    /// Whether an actor or a pool of a tree has this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.standing().into_iter().any(|tree| {
            let mut found = false;
            tree.look_at(path, &mut |_| found = true);
            found || tree.pool(path).is_some()
        })
    }

    /// The children of all trees that wait for their restart, by path.
    pub(crate) fn pending_restarts(&self) -> Vec<PendingRestart> {
        let mut pending: Vec<_> = self.standing().iter().flat_map(|tree| tree.pending_restarts()).collect();
        pending.sort();
        pending
    }

    /// The pools of all trees, by path.
    pub(crate) fn pools(&self) -> Vec<PoolStats> {
        let mut pools: Vec<_> = self.standing().iter().flat_map(|tree| tree.pools()).collect();
        pools.sort_by(|a, b| a.path.cmp(&b.path));
        pools
    }

    /// The workers of the pool that this actor is a worker of; none if it is in no pool.
    pub(crate) fn workers_with(&self, worker: u64) -> Vec<u64> {
        self.standing().iter().find_map(|tree| tree.workers_with(worker)).unwrap_or_default()
    }

    /// The trees whose supervisors are there, eldest first. Of those that go meanwhile, the last handle is
    /// dropped where no lock is held.
    pub(crate) fn standing(&self) -> Vec<Arc<dyn Standing>> {
        self.lock().standing.values().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Trees> {
        // Every change is one insertion or removal: the map stays whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Given up when the tree ends, also when its runtime goes down with it.
pub(crate) struct ForestPlace {
    core: Arc<BusCore>,
    number: u64,
    ended: Arc<SetOnce<ExitReason>>,
}

impl ForestPlace {
    /// That of a tree which is about to start: its children may look each other up before it is planted.
    pub(crate) fn new(
        core: &Arc<BusCore>,
        number: u64,
        ended: &Arc<SetOnce<ExitReason>>,
        standing: Weak<dyn Standing>,
    ) -> Self {
        core.forest.lock().standing.insert(number, standing);
        Self { core: Arc::clone(core), number, ended: Arc::clone(ended) }
    }

    /// The tree has ended.
    pub(crate) fn end(self, reason: ExitReason) {
        // First: whoever hears of the end may take its names.
        let standing = self.core.forest.lock().standing.remove(&self.number);
        drop(standing);
        self.ended.set(reason);
    }
}

impl Drop for ForestPlace {
    fn drop(&mut self) {
        // Unless its end was told.
        self.ended.set(ExitReason::Killed);
        let mut trees = self.core.forest.lock();
        let gone = (trees.running.remove(&self.number), trees.standing.remove(&self.number));
        drop(trees);
        drop(gone);
    }
}

/// A tree that the end of its bus ends.
pub(crate) struct Felling {
    control: Arc<dyn Control>,
    ended: Arc<SetOnce<ExitReason>>,
    /// `None`: its supervisors are gone.
    standing: Option<Arc<dyn Standing>>,
}

impl Felling {
    fn new(stem: &Stem, standing: Option<Arc<dyn Standing>>) -> Self {
        Self { control: Arc::clone(&stem.control), ended: Arc::clone(&stem.ended), standing }
    }

    /// Asks it to stop its children in reverse order.
    pub(crate) fn stop(&self) {
        self.control.stop();
    }

    pub(crate) fn kill(&self) {
        self.control.kill();
    }

    /// The actors in it.
    pub(crate) fn actors(&self) -> Vec<ActorId> {
        self.standing.as_ref().map(|standing| standing.members()).unwrap_or_default()
    }

    pub(crate) async fn ended(&self) {
        self.ended.wait().await;
    }

    /// It goes on, though it was killed: its path, if anything of it is there.
    pub(crate) fn outlives(&self) -> Option<Arc<str>> {
        self.standing.as_ref()?.still_runs()
    }
}
