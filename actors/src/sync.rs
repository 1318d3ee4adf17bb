//! The one seam to locks, atomics and shared maps.
//!
//! Production code and model code are the same text: with `--cfg shuttle` the names below come from
//! shuttle, whose scheduler may run another task before each operation (`cargo xtask shuttle`). All that is
//! left to `std` and tokio, among it `Arc`, `OnceLock` and the channels, is one step in a model: it may
//! come before or after what others do, never in between.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use mycelium_mailbox::{caught, wake};

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
pub(crate) use tokio::sync::{mpsc, oneshot};

/// Has `work`, of which somebody else's code wakes this, woken by a waker out of which no panic comes: see
/// [`mycelium_mailbox::wake`]. Tokio wakes inside of a list, whose others would be forgotten.
pub(crate) fn quiet<F: Future + Unpin>(work: F) -> Quiet<F> {
    Quiet { work, wakers: None }
}

/// See [`quiet`].
pub(crate) struct Quiet<F> {
    work: F,
    /// That of whoever waits, and the one that stands for it.
    wakers: Option<(Waker, Waker)>,
}

impl<F: Future + Unpin> Future for Quiet<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { work, wakers } = &mut *self;
        let known = wakers.take().filter(|(theirs, _)| theirs.will_wake(cx.waker()));
        let (_, ours) = wakers.insert(known.unwrap_or_else(|| {
            let theirs = cx.waker().clone();
            (theirs.clone(), Waker::from(Arc::new(QuietWaker(theirs))))
        }));
        Pin::new(work).poll(&mut Context::from_waker(ours))
    }
}

struct QuietWaker(Waker);

impl Wake for QuietWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake(self.0.clone());
    }
}

/// A value that is set once, and that others wait for.
pub(crate) struct SetOnce<T>(tokio::sync::SetOnce<T>);

impl<T> SetOnce<T> {
    pub(crate) fn new() -> Self {
        Self(tokio::sync::SetOnce::new())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.get()
    }

    pub(crate) fn initialized(&self) -> bool {
        self.0.initialized()
    }

    /// The first value stays.
    pub(crate) fn set(&self, value: T) {
        let _later = self.0.set(value);
    }

    pub(crate) async fn wait(&self) -> &T {
        match self.0.get() {
            Some(value) => value,
            None => quiet(pin!(self.0.wait())).await,
        }
    }
}

impl<T> Default for SetOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Tells those who wait that something is different.
#[derive(Default)]
pub(crate) struct Notify(tokio::sync::Notify);

impl Notify {
    pub(crate) fn new() -> Self {
        Self(tokio::sync::Notify::new())
    }

    pub(crate) fn notify_waiters(&self) {
        self.0.notify_waiters();
    }

    /// Ready when others are told after this call, whether it has been polled by then or not.
    pub(crate) fn notified(&self) -> impl Future<Output = ()> + '_ {
        let notified = self.0.notified();
        async move { quiet(pin!(notified)).await }
    }
}

/// Gives an answer to whoever waits, who may have left.
pub(crate) fn answer<T>(to: oneshot::Sender<T>, answer: T) {
    let mut unsent = None;
    caught(|| unsent = to.send(answer).err());
    drop(unsent);
}

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
