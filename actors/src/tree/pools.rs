//! The pools of a tree, by path: what their references share outlives the supervisors above. It goes when
//! their supervisor is deleted, and with the tree.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::below::take_below;
use super::launch::Launcher;
use crate::PoolStats;
use crate::sync::{Mutex, MutexGuard};

/// What is known of a pool, whatever its workers are.
pub(crate) trait AnyPool: Send + Sync {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    /// How it is; `None` while nobody works for it.
    fn stats(&self) -> Option<PoolStats>;
    /// Its workers, if this actor is one of them.
    fn workers_with(&self, worker: u64) -> Option<Vec<u64>>;
    /// Its supervisor has decided something. `ends`: it ends.
    fn decided(&self, ends: bool, core: &SupervisorCore);
    /// Its supervisor has ended, and may be restarted.
    fn supervisor_ended(&self);
    /// Its tree knows it no more.
    fn forgotten(&self);
}

/// The decisions of one supervisor.
pub(crate) type SupervisorCore = mycelium_supervisor::Supervisor<Launcher>;

/// The pools of one tree.
#[derive(Default)]
pub(crate) struct Pools(Mutex<BTreeMap<Arc<str>, Arc<dyn AnyPool>>>);

impl Pools {
    pub(crate) fn get(&self, path: &str) -> Option<Arc<dyn AnyPool>> {
        self.lock().get(path).cloned()
    }

    /// From now on this is the pool at this path.
    pub(crate) fn set(&self, path: &str, pool: Arc<dyn AnyPool>) {
        let before = self.lock().insert(path.into(), pool);
        // Told and dropped here, where the map is free again.
        before.iter().for_each(|pool| pool.forgotten());
    }

    /// The supervisor at this path has decided something. `ends`: it ends.
    pub(crate) fn decided(&self, path: &str, ends: bool, core: &SupervisorCore) {
        if let Some(pool) = self.get(path) {
            pool.decided(ends, core);
        }
    }

    /// The supervisor at this path has ended, and what was in it may be restarted; if it is the root, that is
    /// the end of the tree.
    pub(crate) fn supervisor_ended(&self, path: &str) {
        if !path.contains('/') {
            self.clear();
        } else if let Some(pool) = self.get(path) {
            pool.supervisor_ended();
        }
    }

    /// The child at this path is no more, with all below it.
    pub(crate) fn forget(&self, path: &str) {
        let forgotten = take_below(&mut self.lock(), path);
        // Told and dropped here, where the map is free again.
        forgotten.iter().for_each(|pool| pool.forgotten());
    }

    /// How those are for which somebody works, by path.
    pub(crate) fn stats(&self) -> Vec<PoolStats> {
        let pools: Vec<_> = self.lock().values().cloned().collect();
        pools.iter().filter_map(|pool| pool.stats()).collect()
    }

    /// The workers of the pool that this actor is a worker of.
    pub(crate) fn workers_with(&self, worker: u64) -> Option<Vec<u64>> {
        let pools: Vec<_> = self.lock().values().cloned().collect();
        pools.iter().find_map(|pool| pool.workers_with(worker))
    }

    /// Forgets all: the end of a tree or an isolate.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        all.values().for_each(|pool| pool.forgotten());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<dyn AnyPool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
