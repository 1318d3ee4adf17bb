//! One wake-up point per receiver, shared by all the sources it reads.
//!
//! # Protocol
//! `state` is one of
//! - `AWAKE`: the receiver looks at its sources by itself; nobody owns the waker cell.
//! - `BUSY`: whoever moved the state here owns the waker cell, for a few instructions.
//! - `ASLEEP`: the cell holds the waker; nobody owns it.
//!
//! The receiver goes to sleep in three steps: [`prepare`](Doorbell::prepare) (stores the waker, state
//! `ASLEEP`), then arms and looks again at every source, then returns `Pending`. A producer makes its message
//! visible first and rings second. **Sync point "last look"**: both sides write before they read, and all
//! four accesses are `SeqCst`, so either the producer finds `ASLEEP` and wakes, or the receiver's second look
//! finds the message. A producer that finds `BUSY` may leave: either another ringer is about to wake the
//! receiver, which must pass through `prepare` and the second look again before it sleeps, or the receiver is
//! inside `prepare` right now and the second look is still to come.
//!
//! # A waker that is kept
//! The bell of one task ([`Doorbell::of_one_task`]) keeps the waker from one sleep to the next, and is rung
//! by reference. `kept_state` is one of
//! - `EMPTY`: none is kept.
//! - `AWAKE`: `kept` holds one; nobody owns the place.
//! - `ASLEEP`: the same, and a ring wakes it. The receiver, who finds its own waker there, moves from `AWAKE`
//!   to this: one read-modify-write for a sleep, and none for a clone.
//! - `BUSY`: a ringer, who calls the waker, or the receiver, who puts another one there or takes it out, owns
//!   the place. A ringer stays for as long as the call takes, so nobody waits for it but a receiver that goes
//!   for good ([`forget`](Doorbell::forget)): one that goes to sleep meanwhile uses `state` and its cell.
//!
//! A ringer looks at `kept_state` and then at `state`. The receiver sets one of the two to `ASLEEP` before
//! its last look, and a ringer looks at both after its message is visible, so the sync point holds for
//! either. When the receiver sets `kept_state`, `state` is not `ASLEEP`.
//!
//! # What it tells
//! A receiver of many sources arms each with a tag (see `heads.rs`). A sender that takes such a source
//! off the list of those that are armed, under that queue's lock, writes the tag into `told`, under its own
//! lock, before a message can be seen in the queue. So who has seen any later effect of that message finds
//! `has_told` set, unless the receiver has taken the tag. **Sync point "told or asleep"**: a receiver that
//! sleeps has set the bell and then looks into `told` under its lock; who tells writes there and then looks
//! at the bell. The one that comes second sees what the other has written. Without the lock it may not: what
//! was told need not have left the sender's store buffer when it looks at the bell.

use std::fmt;
use std::mem::ManuallyDrop;
use std::task::Waker;

use crate::discard::{caught, wake};
use crate::sync::{AtomicBool, AtomicU8, Backoff, Ordering, Shared, Spin, model_fence};
use crate::words::WakerWords;

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const BUSY: u8 = 2;
const EMPTY: u8 = 3;

/// The bell of one receiver: producers ring it, the receiver sleeps on it.
///
/// ```
/// use mycelium_mailbox::Doorbell;
/// use std::task::Waker;
///
/// let bell = Doorbell::new();
/// bell.ring(); // nobody sleeps: costs one load
/// assert!(bell.prepare(Waker::noop()));
/// bell.ring(); // wakes
/// assert!(!bell.is_asleep());
/// ```
pub struct Doorbell {
    state: AtomicU8,
    kept_state: AtomicU8,
    keeps: bool,
    waker: Shared<Option<Waker>>,
    kept: WakerWords,
    /// Whether `told` holds any. Written under its lock.
    has_told: AtomicBool,
    /// The tags of sources in which a message is, or will be when the lock of its queue is free.
    told: Spin<Option<Box<Told>>>,
}

/// Boxed, because few receivers have it and idle inboxes are to be small.
#[derive(Default)]
struct Told {
    tags: Vec<u32>,
}

// SAFETY: the waker cell is touched only by the thread that moved `state` to BUSY, which one compare-exchange
// grants to one thread at a time, and what is kept likewise; `Waker` itself is Send and Sync.
unsafe impl Sync for Doorbell {}
// SAFETY: as above; the fields are Send.
unsafe impl Send for Doorbell {}

impl Doorbell {
    /// A bell whose receiver is awake.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: AtomicU8::new(AWAKE),
            kept_state: AtomicU8::new(EMPTY),
            keeps: false,
            waker: Shared::new(None),
            kept: WakerWords::new(),
            has_told: AtomicBool::new(false),
            told: Spin::new(None),
        }
    }

    /// A bell whose receiver sleeps as one task of a runtime, with the same waker each time, and is awake
    /// now. The waker is kept until [`forget`](Self::forget) or the bell's drop, and cloned under the lock of
    /// a topic.
    #[must_use]
    pub fn of_one_task() -> Self {
        let mut bell = Self::new();
        bell.keeps = true;
        bell
    }

    /// First step to sleep: from now on a ring wakes `waker`.
    ///
    /// The receiver must look at all its sources once more after this returned `true`, and only then sleep.
    /// `false` says that a ring is under way: do not sleep, look again.
    #[must_use]
    #[inline]
    pub fn prepare(&self, waker: &Waker) -> bool {
        (self.keeps && self.prepare_kept(waker)) || self.prepare_cell(waker)
    }

    fn prepare_cell(&self, waker: &Waker) -> bool {
        // The clone and the drop of wakers run foreign code; neither happens while the state is BUSY.
        let fresh = waker.clone();
        let seen = self.state.load(Ordering::Relaxed);
        if seen == BUSY || !claim(&self.state, seen) {
            return false;
        }
        // SAFETY: `claim` moved the state to BUSY, so the cell is ours until the swap below.
        let old = self.waker.with_mut(|cell| unsafe { (*cell).replace(fresh) });
        self.state.swap(ASLEEP, Ordering::SeqCst);
        model_fence();
        drop(old);
        true
    }

    /// The same with the waker that is kept. `false`: there is no such way now.
    #[inline]
    fn prepare_kept(&self, waker: &Waker) -> bool {
        if self.state.load(Ordering::Relaxed) == ASLEEP {
            // From a sleep that something else has ended.
            self.cancel_cell();
        }
        if !self.kept.read().is(waker) {
            return self.keep(waker);
        }
        let set = self.kept_state.compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::Relaxed);
        model_fence();
        set.is_ok() || self.set_again()
    }

    /// Sets the bell that is set from a sleep which something else has ended: it is written anew, so that
    /// whoever sees that sees all that came before this sleep.
    #[cold]
    fn set_again(&self) -> bool {
        let set = self.kept_state.compare_exchange(ASLEEP, ASLEEP, Ordering::SeqCst, Ordering::Relaxed);
        model_fence();
        set.is_ok()
    }

    /// Keeps this waker from now on, and sets the bell with it.
    #[cold]
    fn keep(&self, waker: &Waker) -> bool {
        let fresh = waker.clone();
        let seen = self.kept_state.load(Ordering::Relaxed);
        if seen == BUSY || !claim(&self.kept_state, seen) {
            return false;
        }
        // SAFETY: unless it was `EMPTY` there is one, and `claim` has made it this function's.
        let old = (seen != EMPTY).then(|| unsafe { self.kept.read().take() });
        self.kept.put(fresh);
        self.kept_state.swap(ASLEEP, Ordering::SeqCst);
        model_fence();
        drop(old);
        true
    }

    /// Undoes [`prepare`](Self::prepare) after the second look found work. A ring may still arrive: it is
    /// spurious.
    pub fn cancel(&self) {
        if self.keeps {
            let _rung = self.kept_state.compare_exchange(ASLEEP, AWAKE, Ordering::SeqCst, Ordering::Relaxed);
        }
        self.cancel_cell();
    }

    fn cancel_cell(&self) {
        if self.state.load(Ordering::Relaxed) == ASLEEP && claim(&self.state, ASLEEP) {
            drop(self.take_claimed());
        }
    }

    /// Wakes the receiver if it sleeps.
    ///
    /// The caller has made its message visible before, by a `SeqCst` read-modify-write or under a lock that
    /// the receiver takes too when it arms the source.
    #[inline]
    pub fn ring(&self) {
        if self.with_kept(|waker| caught(|| waker.wake_by_ref())).is_some() {
            return;
        }
        if let Some(waker) = self.take_cell() {
            wake(waker);
        }
    }

    /// Like [`ring`](Self::ring), but leaves the wake-up to the caller, who may hold a lock now.
    #[inline]
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        // One whose clone panics is rung by nobody, as one that panics when it is woken; others are.
        let clone = |waker: &Waker| {
            let mut cloned = None;
            caught(|| cloned = Some(waker.clone()));
            cloned
        };
        match self.with_kept(clone) {
            Some(cloned) => cloned,
            None => self.take_cell(),
        }
    }

    /// Does this with the waker that is kept, if the receiver sleeps with it.
    #[inline]
    fn with_kept<T>(&self, rings: impl FnOnce(&Waker) -> T) -> Option<T> {
        struct Leave<'a>(&'a AtomicU8);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                // Release: whoever claims the place next comes after what was done with it.
                self.0.store(AWAKE, Ordering::Release);
            }
        }
        model_fence();
        if self.kept_state.load(Ordering::SeqCst) != ASLEEP || !claim(&self.kept_state, ASLEEP) {
            return None;
        }
        let _leave = Leave(&self.kept_state);
        // SAFETY: there is one, and nobody takes it out before this leaves; this drops it not.
        let waker = ManuallyDrop::new(unsafe { self.kept.read().take() });
        Some(rings(&waker))
    }

    #[inline]
    fn take_cell(&self) -> Option<Waker> {
        model_fence();
        if self.state.load(Ordering::SeqCst) != ASLEEP || !claim(&self.state, ASLEEP) {
            return None;
        }
        self.take_claimed()
    }

    /// The receiver's, which sleeps no more: drops the waker that is kept. It waits for whoever rings just
    /// now.
    pub fn forget(&self) {
        let mut backoff = Backoff::default();
        loop {
            // A read-modify-write reads the last value, so that no model waits for ever.
            let seen =
                match self.kept_state.compare_exchange(AWAKE, BUSY, Ordering::SeqCst, Ordering::Relaxed) {
                    Ok(seen) | Err(seen) => seen,
                };
            match seen {
                EMPTY => return,
                AWAKE => break,
                ASLEEP if claim(&self.kept_state, ASLEEP) => break,
                _ => backoff.wait(),
            }
        }
        // SAFETY: there is one, and the place is this function's.
        let kept = unsafe { self.kept.read().take() };
        self.kept_state.store(EMPTY, Ordering::Release);
        drop(kept);
    }

    /// Tells the receiver that the source with this tag has a message. Inside the lock of its queue, before
    /// the message can be seen.
    #[inline(never)]
    pub(crate) fn tell(&self, tag: u32) {
        let mut told = self.told.lock();
        // It is there, and has room: whoever arms with a tag has seen to it.
        told.get_or_insert_default().tags.push(tag);
        self.has_told.store(true, Ordering::Release);
    }

    /// The receiver's: whether there are tags, as far as it follows from what this thread has seen.
    #[inline]
    pub(crate) fn has_told(&self) -> bool {
        self.has_told.load(Ordering::Acquire)
    }

    /// The receiver's, after [`prepare`](Self::prepare): the same, for all that has told before it could see
    /// the bell set.
    pub(crate) fn tells(&self) -> bool {
        self.told.lock().as_ref().is_some_and(|told| !told.tags.is_empty())
    }

    /// The receiver's: moves the tags into `into`, which is empty and has room for them.
    pub(crate) fn take_told(&self, into: &mut Vec<u32>) {
        let mut told = self.told.lock();
        into.extend(told.iter_mut().flat_map(|told| told.tags.drain(..)));
        self.has_told.store(false, Ordering::Relaxed);
    }

    /// The receiver's: so many tags are told without an allocation.
    pub(crate) fn make_room_to_tell(&self, tags: usize) {
        let mut room = Some(Box::new(Told { tags: Vec::with_capacity(tags) }));
        let mut told = self.told.lock();
        std::mem::swap(&mut *told, &mut room);
        if let (Some(told), Some(before)) = (&mut *told, &mut room) {
            told.tags.append(&mut before.tags);
        }
        drop(told);
    }

    /// Whether the receiver sleeps or is about to.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        self.kept_state.load(Ordering::Relaxed) == ASLEEP || self.state.load(Ordering::Relaxed) == ASLEEP
    }

    /// Empties the cell and ends at `AWAKE`. Only after a successful `claim`.
    #[inline]
    fn take_claimed(&self) -> Option<Waker> {
        // SAFETY: the caller's `claim` moved the state to BUSY, so the cell is ours until the store below.
        let waker = self.waker.with_mut(|cell| unsafe { (*cell).take() });
        // Release: whoever claims the cell next finds it as it is now. Nobody looks for a message because of
        // this store, so it need not be in the total order.
        self.state.store(AWAKE, Ordering::Release);
        waker
    }
}

#[inline]
fn claim(state: &AtomicU8, from: u8) -> bool {
    state.compare_exchange(from, BUSY, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        if self.keeps {
            self.forget();
        }
    }
}

impl Default for Doorbell {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorbell").field("asleep", &self.is_asleep()).finish()
    }
}
