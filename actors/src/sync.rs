//! The one seam to locks, atomics and shared maps.
//!
//! Production code and model code are the same text: with `--cfg shuttle` the names below come from
//! shuttle, whose scheduler may run another task before each operation (`cargo xtask shuttle`). All that is
//! left to `std` and tokio, among it `Arc`, `OnceLock` and the channels, is one step in a model: it may
//! come before or after what others do, never in between.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
/// In a model all operations are in one order anyway.
pub(crate) use std::sync::atomic::fence;
#[cfg(not(shuttle))]
pub(crate) use std::sync::{
    Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
pub(crate) use tokio::sync::{SetOnce, mpsc, oneshot};

#[cfg(not(shuttle))]
type Inner<K, V> = dashmap::DashMap<K, V>;
/// In a model a guard of the map must not be held where another task may run, unless the scheduler knows of
/// it; and the order of the values must be the same in each run.
#[cfg(shuttle)]
type Inner<K, V> = Mutex<std::collections::BTreeMap<K, V>>;

/// A map that many tasks read and few change. No guard of it leaves its methods: values are cloned out.
pub(crate) struct Map<K, V>(Inner<K, V>);

#[cfg(not(shuttle))]
impl<K: Eq + Hash, V: Clone> Map<K, V> {
    pub(crate) fn new() -> Self {
        Self(Inner::new())
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).map(|held| held.clone())
    }

    /// `make` runs at most once, and while the key is locked.
    pub(crate) fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> V) -> V {
        self.0.entry(key).or_insert_with(make).clone()
    }

    pub(crate) fn values(&self) -> Vec<V> {
        self.0.iter().map(|entry| entry.value().clone()).collect()
    }
}

#[cfg(shuttle)]
impl<K: Eq + Hash + Ord, V: Clone> Map<K, V> {
    pub(crate) fn new() -> Self {
        Self(Inner::default())
    }

    fn lock(&self) -> MutexGuard<'_, std::collections::BTreeMap<K, V>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn get<Q: Hash + Ord + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.lock().get(key).cloned()
    }

    pub(crate) fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> V) -> V {
        self.lock().entry(key).or_insert_with(make).clone()
    }

    pub(crate) fn values(&self) -> Vec<V> {
        self.lock().values().cloned().collect()
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Map")
    }
}
