//! The pools of a tree, by path: what their references share outlives the supervisors above.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use crate::PoolStats;
use crate::sync::{Mutex, MutexGuard};

/// What is known of a pool, whatever its workers are.
pub(crate) trait AnyPool: Send + Sync {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    /// How it is; `None` while nobody works for it.
    fn stats(&self) -> Option<PoolStats>;
}

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
        // Dropped here, where the map is free again.
        drop(before);
    }

    /// How those are for which somebody works, by path.
    pub(crate) fn stats(&self) -> Vec<PoolStats> {
        let pools: Vec<_> = self.lock().values().cloned().collect();
        pools.iter().filter_map(|pool| pool.stats()).collect()
    }

    /// Forgets all: the end of an isolate.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<dyn AnyPool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
