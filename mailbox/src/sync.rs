//! The one seam to atomics, locks and shared cells.
//!
//! Production code and model code are the same text: with `--cfg loom` every name below comes from loom,
//! which explores the interleavings of each structure's model (`cargo test --lib loom`, see the crate's
//! documentation). With `--cfg shuttle` atomics and locks come from shuttle, for the models of whole buses in
//! `actors`.

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

/// What a segment of shared memory is made of. Models of whole buses have no segments, so shuttle does not
/// know of them.
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64 as Word, fence as word_fence};
/// What the kernel sleeps on.
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::AtomicU32 as FutexWord;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64 as Word, fence as word_fence};

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Locks `mutex`, whatever happened to an earlier holder.
///
/// No user code that may panic runs while one of this crate's mutexes is held, except a `Waker`'s own code,
/// which leaves the guarded data whole, so a poisoned mutex is still sound to use.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

/// Orders everything before it and everything after it in the single total order, in loom's model only.
///
/// Wherever this is called, the operations on both sides are `SeqCst` already and production code needs
/// nothing more. loom models `SeqCst` accesses as acquire and release, so the model needs the fence spelled
/// out. There it orders accesses beside them too, which production code does not: a model of what holds by
/// locks alone is to be without (`loom_support.rs`).
#[inline(always)]
pub(crate) fn model_fence() {
    #[cfg(all(test, loom))]
    if crate::loom_support::WITHOUT_FENCES.get() {
        return;
    }
    #[cfg(loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

/// How long a contended lock is spun on before the thread gives up its time slice (pauses).
#[cfg(not(any(loom, shuttle)))]
const SPINS_MAX: u32 = 60;
/// How long a thread stands back from a lock that another one takes for message after message (pauses): 10 to
/// 50 ns each, as processors go.
#[cfg(not(any(loom, shuttle)))]
const STANDS_BACK: u32 = 10;
/// How often the time slice is given up before the thread sleeps for [`NAP`].
#[cfg(not(any(loom, shuttle)))]
const YIELDS_MAX: u32 = 32;
/// How long a thread sleeps that neither spinning nor yielding helped.
#[cfg(not(any(loom, shuttle)))]
const NAP: std::time::Duration = std::time::Duration::from_micros(50);

/// Waiting for a lock whose holder needs some tens of nanoseconds.
///
/// First it spins, for a holder that runs on another core. Then it yields, for a holder that was preempted.
/// Last it naps, for a holder of lower real-time priority, which yielding alone would never let run.
#[derive(Default)]
pub(crate) struct Backoff {
    /// How long it has spun, and how often it has waited after that.
    #[cfg(not(any(loom, shuttle)))]
    rounds: u32,
}

impl Backoff {
    #[cold]
    pub(crate) fn wait(&mut self) {
        self.wait_for(1);
    }

    /// Waits for longer, before the lock is looked at again. The memory that it guards moves to the core of
    /// whoever takes it, which takes longer than the work under it, so it pays to let another one have it for
    /// some messages in a row: two threads that publish without a pause take 0.7 times as long as if they
    /// took turns.
    #[cold]
    pub(crate) fn stand_back(&mut self) {
        #[cfg(any(loom, shuttle))]
        const STANDS_BACK: u32 = 1;
        self.wait_for(STANDS_BACK);
    }

    fn wait_for(&mut self, pauses: u32) {
        #[cfg(any(loom, shuttle))]
        let _ = pauses;
        #[cfg(loom)]
        loom::thread::yield_now();
        #[cfg(shuttle)]
        shuttle::thread::yield_now();
        #[cfg(not(any(loom, shuttle)))]
        {
            if self.rounds < SPINS_MAX {
                self.rounds += pauses;
                (0..pauses).for_each(|_| std::hint::spin_loop());
                return;
            }
            self.rounds = self.rounds.saturating_add(1);
            if self.rounds <= SPINS_MAX + YIELDS_MAX {
                std::thread::yield_now();
            } else {
                std::thread::sleep(NAP);
            }
        }
    }
}

/// Waits in the model before a spin lock is tried, so that loom does not explore endless spinning. Nothing in
/// production.
///
/// Its own acquire and release edges double those of the lock behind it, so the model says nothing about
/// those: the compare-exchange with `Acquire` and the store with `Release` are there to be read. Readers take
/// no lock, and theirs are modelled.
#[derive(Debug)]
pub(crate) struct Turnstile {
    #[cfg(loom)]
    mutex: Mutex<()>,
}

/// Held as long as the lock behind a [`Turnstile`].
pub(crate) struct Passage<'a> {
    #[cfg(loom)]
    _guard: MutexGuard<'a, ()>,
    passes: PhantomData<&'a ()>,
}

impl Turnstile {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(loom)]
            mutex: Mutex::new(()),
        }
    }

    #[inline(always)]
    pub(crate) fn enter(&self) -> Passage<'_> {
        Passage {
            #[cfg(loom)]
            _guard: lock(&self.mutex),
            passes: PhantomData,
        }
    }
}

/// A lock for critical sections of some tens of nanoseconds: one read-modify-write to lock, one store to
/// unlock.
///
/// # Protocol
/// `locked` is set by a compare-exchange (`Acquire`) and cleared by the holder's store (`Release`); who holds
/// it owns `value`. It is not fair, and a panic of the holder unlocks it.
///
/// ```
/// let log = mycelium_mailbox::Spin::new(vec![1]);
/// log.lock().push(2);
/// assert_eq!(*log.lock(), [1, 2]);
/// ```
#[derive(Debug)]
pub struct Spin<T> {
    turnstile: Turnstile,
    locked: AtomicBool,
    value: Shared<T>,
}

// SAFETY: `value` is reached only through the guard, which one thread at a time holds.
unsafe impl<T: Send> Sync for Spin<T> {}
// SAFETY: it owns its value.
unsafe impl<T: Send> Send for Spin<T> {}

/// The held lock of a [`Spin`].
pub struct SpinGuard<'a, T> {
    spin: &'a Spin<T>,
    _passage: Passage<'a>,
    /// The guard gives `&T` and `&mut T`, so it is Send and Sync at most as those are.
    holds: PhantomData<&'a mut T>,
}

impl<T> Spin<T> {
    /// A lock around `value`.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { turnstile: Turnstile::new(), locked: AtomicBool::new(false), value: Shared::new(value) }
    }

    /// Waits for the lock: it spins, then yields, then naps.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        let passage = self.turnstile.enter();
        if !self.try_claim() {
            self.claim_contended();
        }
        SpinGuard { spin: self, _passage: passage, holds: PhantomData }
    }

    #[cold]
    fn claim_contended(&self) {
        let mut backoff = Backoff::default();
        loop {
            backoff.stand_back();
            if !self.locked.load(Ordering::Relaxed) && self.try_claim() {
                return;
            }
        }
    }

    #[inline]
    fn try_claim(&self) -> bool {
        self.locked.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, and the reference borrows the guard.
        self.spin.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and the reference borrows the guard.
        self.spin.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.spin.locked.store(false, Ordering::Release);
    }
}

/// A piece of memory that is freed by hand: a model tells of one that was not.
#[derive(Debug)]
pub(crate) struct Freed {
    #[cfg(loom)]
    _track: loom::alloc::Track<()>,
}

impl Freed {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(loom)]
            _track: loom::alloc::Track::new(()),
        }
    }
}

/// A cell that several threads may reach; each use says by which protocol it is alone or read-only.
///
/// In production it is laid out like its content, so that neighbours in a slice are neighbours in memory.
#[derive(Debug)]
#[cfg_attr(not(loom), repr(transparent))]
pub(crate) struct Shared<T> {
    #[cfg(loom)]
    inner: loom::cell::UnsafeCell<T>,
    #[cfg(not(loom))]
    inner: std::cell::UnsafeCell<T>,
}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        #[cfg(loom)]
        let inner = loom::cell::UnsafeCell::new(value);
        #[cfg(not(loom))]
        let inner = std::cell::UnsafeCell::new(value);
        Self { inner }
    }

    /// The content, of whoever owns the cell.
    #[inline(always)]
    pub(crate) fn into_inner(self) -> T {
        self.inner.into_inner()
    }

    /// Hands out a pointer for reading; the caller upholds that nobody writes meanwhile.
    #[inline(always)]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        #[cfg(loom)]
        return self.inner.with(read);
        #[cfg(not(loom))]
        read(self.inner.get())
    }

    /// Hands out a pointer for writing; the caller upholds that nobody else reads or writes meanwhile.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        #[cfg(loom)]
        return self.inner.with_mut(write);
        #[cfg(not(loom))]
        write(self.inner.get())
    }
}

/// Keeps `T` on cache lines of its own, so that writers of neighbours do not slow its readers.
///
/// 128 bytes, because the prefetcher of current x86-64 cores fetches lines in pairs and some arm64 lines are
/// that long.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub(crate) T);

impl<T> Deref for CachePadded<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
