//! The memory of a topic's ring: slots written by the producer that holds the topic's lock, read in place.
//!
//! # Protocol
//! Position p lives in slot `p & mask`. The producer inside the critical section writes position `tail` and publishes
//! it by the unlocking swap of the topic's word (`Release`); a reader that has loaded the word with `Acquire` reads all
//! positions below its tail. A slot is written again for position p + capacity only after every cursor was seen past p
//! (`Acquire` on the cursor pairs with the reader's `Release` store after its last use of the slot).
//!
//! Positions `first..` have been written since the ring was made; older values stay in their slots until overwritten, or
//! until the ring is dropped.
//!
//! A ring that has become too small is continued by a larger one: positions from `end` on are written there, and readers go over
//! to it once they have read all before (`end` is set before the word that makes later positions visible). Nothing is copied, and
//! the smaller ring is never written again.

use std::mem::MaybeUninit;

use crate::sync::{AtomicU64, Ordering, Shared};

/// One message in a ring or a lane.
#[derive(Clone, Debug)]
pub(crate) struct Entry<V> {
    pub(crate) stamp: u64,
    pub(crate) sender: u64,
    pub(crate) value: V,
}

pub(crate) struct Ring<V> {
    slots: Box<[Shared<MaybeUninit<Entry<V>>>]>,
    mask: u64,
    /// The position of the first message written.
    first: AtomicU64,
    /// One past the last position; set once, when the topic lets go of the ring.
    end: AtomicU64,
}

// SAFETY: the slots are the only shared mutable state; the protocol above gives each slot either one writer or any
// number of readers. Values are dropped on whichever thread overwrites them or drops the ring, hence `V: Send`, and
// read from several threads, hence `V: Sync`.
unsafe impl<V: Send + Sync> Sync for Ring<V> {}
// SAFETY: as above.
unsafe impl<V: Send + Sync> Send for Ring<V> {}

impl<V> Ring<V> {
    /// A ring of `capacity` slots (a power of two); `None` if there is no memory for it.
    pub(crate) fn new(capacity: u64) -> Option<Self> {
        debug_assert!(capacity.is_power_of_two(), "positions are masked");
        let count = usize::try_from(capacity).unwrap_or(usize::MAX);
        let mut slots = Vec::new();
        slots.try_reserve_exact(count).ok()?;
        slots.resize_with(count, || Shared::new(MaybeUninit::uninit()));
        let (first, end) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Some(Self { slots: slots.into(), mask: capacity - 1, first, end })
    }

    /// Begins at position `first`. Inside the topic's lock, once, before anything is written.
    pub(crate) fn start_at(&self, first: u64) {
        self.first.store(first, Ordering::Relaxed);
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.mask + 1
    }

    #[inline]
    fn slot(&self, position: u64) -> &Shared<MaybeUninit<Entry<V>>> {
        // Masking first keeps the value below the slice's length, on 32-bit targets too.
        #[allow(clippy::cast_possible_truncation)]
        let index = (position & self.mask) as usize;
        debug_assert!(index < self.slots.len());
        // SAFETY: there are `mask + 1` slots and `index <= mask`.
        unsafe { self.slots.get_unchecked(index) }
    }

    /// Writes `position` (from parts, so that they go into the slot without a stop on the stack) and returns what the slot held before, if that needs dropping.
    ///
    /// # Safety
    /// The caller holds the topic's lock, `position` is the topic's tail, positions are written without gaps from
    /// `first` on, and every cursor of this ring is past `position - capacity`.
    #[inline]
    pub(crate) unsafe fn write(&self, position: u64, stamp: u64, sender: u64, value: V) -> Option<Entry<V>> {
        let reused = position - self.first.load(Ordering::Relaxed) >= self.capacity();
        self.slot(position).with_mut(|slot| {
            let old = if std::mem::needs_drop::<V>() && reused {
                // SAFETY: the slot was written one round ago and no reader uses it any more. It is overwritten
                // below, so the value is taken out once.
                let old = unsafe { slot.read() };
                // SAFETY: as above: it was initialized.
                Some(unsafe { old.assume_init() })
            } else {
                None
            };
            // SAFETY: no reader may look at this slot before its position is published, so we are alone.
            unsafe { slot.write(MaybeUninit::new(Entry { stamp, sender, value })) };
            old
        })
    }

    /// The message at `position`, in place.
    ///
    /// # Safety
    /// `position` is in `first..tail` of a tail loaded with `Acquire`, and the caller's cursor stays at or below
    /// `position` for the lifetime of the reference.
    #[inline]
    pub(crate) unsafe fn read(&self, position: u64) -> &Entry<V> {
        self.slot(position).with(|slot| {
            // SAFETY: the slot is initialized and stays unwritten while the caller's cursor protects it.
            let slot = unsafe { &*slot };
            // SAFETY: `position` was published, so its slot is initialized.
            unsafe { slot.assume_init_ref() }
        })
    }

    /// The messages from `from` on, in place, as far as they lie one behind the other and below `until`.
    ///
    /// # Safety
    /// As for [`read`](Self::read), for all positions in `from..until`.
    #[inline]
    pub(crate) unsafe fn read_run(&self, from: u64, until: u64) -> &[Entry<V>] {
        if from >= until {
            return &[];
        }
        #[cfg(loom)]
        // SAFETY: the caller says so. In the model the slots are not plain memory: one at a time.
        return std::slice::from_ref(unsafe { self.read(from) });
        #[cfg(not(loom))]
        {
            // Below the number of slots, which is a length of memory.
            #[allow(clippy::cast_possible_truncation)]
            let (at, wanted) = ((from & self.mask) as usize, (until - from) as usize);
            let straight = wanted.min(self.slots.len() - at);
            let slots = &self.slots[at..at + straight];
            // SAFETY: `Shared` and `MaybeUninit` are transparent, so these slots are so many entries; each is initialized
            // and stays unwritten, as the caller says.
            unsafe { std::slice::from_raw_parts(slots.as_ptr().cast(), straight) }
        }
    }

    /// One past the last position that is written here; later ones are in another ring. Exact for what a tail shows that was
    /// loaded before.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        // Relaxed: set inside the topic's lock, whose word the caller has loaded with `Acquire`.
        self.end.load(Ordering::Relaxed)
    }

    /// Ends this ring before position `end`. Inside the topic's lock, after the last write.
    pub(crate) fn finish(&self, end: u64) {
        self.end.store(end, Ordering::Relaxed);
    }
}

impl<V> Drop for Ring<V> {
    fn drop(&mut self) {
        if !std::mem::needs_drop::<V>() {
            return;
        }
        let end = self.end();
        let first = self.first.load(Ordering::Relaxed).max(end.saturating_sub(self.capacity()));
        for position in first..end {
            self.slot(position).with_mut(|slot| {
                // SAFETY: `&mut self` says that we are alone.
                let slot = unsafe { &mut *slot };
                // SAFETY: the positions `first..end` are the ones written last, each once.
                unsafe { slot.assume_init_drop() };
            });
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_ring_that_no_memory_can_hold_is_refused() {
        assert!(Ring::<u64>::new(1 << 60).is_none());
        assert_eq!(Ring::<u64>::new(8).map(|ring| ring.capacity()), Some(8));
    }
}
