//! The trees that run on one bus: for the end of the bus, which comes after theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, Weak};

use mycelium_supervisor::ExitReason;

use super::shell::{Loose, MissedBefore, Shared};
use crate::live::Core;
use crate::sync::{Mutex, MutexGuard, SetOnce};
use crate::{Actor, ActorId, ActorRef};

/// Every tree of a bus that has not ended, by its number.
#[derive(Default)]
pub(crate) struct Forest(Mutex<Trees>);

#[derive(Default)]
struct Trees {
    next: u64,
    running: BTreeMap<u64, Stem>,
}

/// What a bus holds of a tree. Without its supervisors, what they share is gone.
struct Stem {
    control: Loose,
    ended: Arc<SetOnce<ExitReason>>,
    shared: Weak<Shared>,
}

impl Forest {
    /// That of a new tree.
    pub(crate) fn number(&self) -> u64 {
        let mut trees = self.lock();
        trees.next += 1;
        trees.next
    }

    /// A tree runs. The bus may be closed by now: whoever plants looks afterwards.
    pub(crate) fn plant(&self, control: Loose, shared: &Arc<Shared>, ended: &Arc<SetOnce<ExitReason>>) {
        let number = shared.number;
        let (shared, ended) = (Arc::downgrade(shared), Arc::clone(ended));
        let mut trees = self.lock();
        // One that has ended meanwhile has given its place up.
        if !ended.initialized() {
            trees.running.insert(number, Stem { control, ended, shared });
        }
    }

    /// Those that run, the youngest first.
    pub(crate) fn youngest_first(&self) -> Vec<Felling> {
        self.lock().running.values().rev().map(Felling::new).collect()
    }

    /// The actor at this path of the eldest tree that has one there.
    pub(crate) fn actor_ref<A: Actor>(&self, path: &str) -> Option<ActorRef<A>> {
        // Of those whose supervisors go meanwhile, the last handle is dropped where no lock is held.
        let trees: Vec<_> = self.lock().running.values().filter_map(|stem| stem.shared.upgrade()).collect();
        trees.iter().find_map(|shared| {
            let actors = shared.actors();
            actors.get(path)?.reference.downcast_ref::<ActorRef<A>>().cloned()
        })
    }

    fn lock(&self) -> MutexGuard<'_, Trees> {
        // Every change is one insertion or removal: the map stays whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Given up when the tree ends, also when its runtime goes down with it.
pub(crate) struct Place {
    core: Arc<Core>,
    number: u64,
    ended: Arc<SetOnce<ExitReason>>,
}

impl Place {
    /// That of a tree which is about to start.
    pub(crate) fn new(shared: &Shared, ended: &Arc<SetOnce<ExitReason>>) -> Self {
        Self { core: Arc::clone(&shared.bus.core), number: shared.number, ended: Arc::clone(ended) }
    }

    /// The tree has ended.
    pub(crate) fn end(self, reason: ExitReason) {
        let _ = self.ended.set(reason);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Unless its end was told.
        let _ = self.ended.set(ExitReason::Killed);
        let stem = self.core.forest.lock().running.remove(&self.number);
        drop(stem);
    }
}

/// A tree that the end of its bus ends.
pub(crate) struct Felling {
    control: Loose,
    ended: Arc<SetOnce<ExitReason>>,
    /// Of the tree, and who had been killed before; `None`: its supervisors are gone.
    before: Option<MissedBefore>,
}

impl Felling {
    fn new(stem: &Stem) -> Self {
        let before = stem.shared.upgrade().map(|shared| shared.set_missed_aside());
        Self { control: stem.control.clone(), ended: Arc::clone(&stem.ended), before }
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
        let ids = |before: &MissedBefore| before.shared.actors().values().map(|placed| placed.id).collect();
        self.before.as_ref().map(ids).unwrap_or_default()
    }

    pub(crate) async fn ended(&self) {
        self.ended.wait().await;
    }

    /// The paths of those who had to be killed meanwhile.
    pub(crate) fn missed(&self) -> Vec<Arc<str>> {
        self.before.as_ref().map(|before| before.shared.missed()).unwrap_or_default()
    }
}
