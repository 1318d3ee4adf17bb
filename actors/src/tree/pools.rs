//! The pools of a tree, by path: what their references share outlives the supervisors above.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use crate::sync::{Mutex, MutexGuard};

/// What is known of a pool, whatever its workers are.
type AnyPool = Arc<dyn Any + Send + Sync>;

/// The pools of one tree.
#[derive(Default)]
pub(crate) struct Pools(Mutex<HashMap<Arc<str>, AnyPool>>);

impl Pools {
    pub(crate) fn get(&self, path: &str) -> Option<AnyPool> {
        self.lock().get(path).cloned()
    }

    /// From now on this is the pool at this path.
    pub(crate) fn set(&self, path: &str, pool: AnyPool) {
        let before = self.lock().insert(path.into(), pool);
        // Dropped here, where the map is free again.
        drop(before);
    }

    /// Forgets all: the end of an isolate.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, AnyPool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
