//! The memory of a topic's ring: slots written by the producer that holds the topic's lock, read in place.
//!
//! # Protocol
//! Position p lives in slot `p & mask`. The producer inside the critical section writes position `tail` and
//! publishes it by the unlocking store of the topic's word (`Release`); a reader that has loaded the word
//! with `Acquire` reads all positions below its tail. A slot is written again for position p + capacity only
//! after every cursor was seen past p (`Acquire` on the cursor pairs with the reader's `Release` store after
//! its last use of the slot).
//!
//! A value that is counted is dropped by the last who passes it (`payload.rs`), before its cursor is told:
//! then a slot that is written holds nothing, and neither does a ring that no subscriber reads any more. One
//! that is kept stays in its slot until that is written again, or until the ring is dropped. Positions
//! `first..` have been written since the ring was made.
//!
//! The producer may write anything into slots that it may write next, before it does ([`Ring::warm`]).
//!
//! A ring that has become too small is continued by a larger one: positions from `end` on are written there,
//! and readers go over to it once they have read all before (`end` is set before the word that makes later
//! positions visible). Nothing is copied, and the smaller ring is never written again.

use std::mem::MaybeUninit;

use super::payload::Payload;
use crate::sync::{AtomicU64, Ordering, Shared};

/// One message in a ring or a lane.
#[derive(Debug)]
pub(crate) struct RingEntry<V> {
    pub(crate) stamp: u64,
    pub(crate) sender: u64,
    pub(crate) value: V,
}

/// So many slots are [warmed](Ring::warm) together (slots, a power of two). With more, a reader's core, which
/// fetches lines ahead of what it reads, takes some of them back before they are written.
pub(super) const WARMED: u64 = if cfg!(loom) { 2 } else { 8 };

/// The length of a cache line, or less (bytes).
#[cfg(not(loom))]
const LINE: usize = 64;

pub(crate) struct Ring<V: Payload> {
    slots: Box<[Shared<MaybeUninit<RingEntry<V>>>]>,
    mask: u64,
    /// The first position.
    first: AtomicU64,
    /// One past the last position; set once, when a larger ring takes over or the topic lets go of this one.
    end: AtomicU64,
}

// SAFETY: the slots are the only shared mutable state; the protocol above gives each slot either one writer
// or any number of readers. Values are dropped on whichever thread passes them last, hence `V: Send`, and
// read from several threads, hence `V: Sync`: `Payload` asks for both.
unsafe impl<V: Payload> Sync for Ring<V> {}
// SAFETY: as above.
unsafe impl<V: Payload> Send for Ring<V> {}

impl<V: Payload> Ring<V> {
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
    fn slot(&self, position: u64) -> &Shared<MaybeUninit<RingEntry<V>>> {
        // Masking first keeps the value below the slice's length, on 32-bit targets too.
        #[allow(clippy::cast_possible_truncation)]
        let index = (position & self.mask) as usize;
        debug_assert!(index < self.slots.len());
        // SAFETY: there are `mask + 1` slots and `index <= mask`.
        unsafe { self.slots.get_unchecked(index) }
    }

    /// Writes `position`, from parts, so that they go into the slot without a stop on the stack. So many
    /// subscribers will pass it. Returns what was kept in the slot, to be dropped where no lock is held.
    ///
    /// # Safety
    /// The caller holds the topic's lock, `position` is the topic's tail, and every cursor is past
    /// `position - capacity`.
    #[inline]
    pub(crate) unsafe fn write(
        &self,
        position: u64,
        stamp: u64,
        sender: u64,
        value: V,
        readers: usize,
    ) -> Option<V> {
        let reused = || position - self.first.load(Ordering::Relaxed) >= self.capacity();
        // SAFETY: the slot was written one round ago, and no reader uses it any more. It is overwritten
        // below.
        let kept = (V::KEPT && reused()).then(|| unsafe { self.value_in(position).read() });
        if V::COUNTED {
            value.set_readers(readers as u64);
        }
        self.slot(position).with_mut(|slot| {
            // SAFETY: no reader may look at this slot before its position is published, so we are alone. A
            // value that was counted there was dropped by the last who passed it.
            unsafe { slot.write(MaybeUninit::new(RingEntry { stamp, sender, value })) };
        });
        kept
    }

    /// Has the slots of [`WARMED`] positions from this one on, a multiple of that, come into this core's
    /// cache, by writing to each line of them. They lie in that of a reader on another core. A publish that
    /// writes there waits for its line, as the lock of the next one waits for all writes before it: so each
    /// publish would wait for one line after the other. These come together. A hint for the processor
    /// (`prefetchw`) does not help: it leaves a line that is here, and shared with the reader's core, as it
    /// is.
    ///
    /// # Safety
    /// The caller holds the topic's lock, the first position is the topic's tail, every cursor is past all
    /// these positions less the capacity, and payloads are not [kept](Payload::KEPT).
    #[inline(never)]
    pub(super) unsafe fn warm(&self, position: u64) {
        // They lie one behind the other: there are so many slots or a multiple, else a cursor would be in
        // between. Below the number of slots, which is a length of memory.
        #[allow(clippy::cast_possible_truncation)]
        let (at, count) = ((position & self.mask) as usize, WARMED as usize);
        let Some(slots) = self.slots.get(at..at + count) else { return };
        #[cfg(loom)]
        // In the model the slots are not plain memory; it tells of one that anybody reads.
        slots.iter().for_each(|slot| slot.with_mut(|_| ()));
        #[cfg(not(loom))]
        {
            let (bytes, len) = (slots.as_ptr().cast_mut().cast::<u8>(), count * size_of::<RingEntry<V>>());
            // The last byte too, as the first need not lie at the beginning of its line.
            for at in (0..len.div_ceil(LINE)).map(|line| line * LINE) {
                // SAFETY: it lies in the slots, which are cells. No reader may look at them before their
                // positions are published, so we are alone, and what lies there is nobody's.
                unsafe { bytes.wrapping_add(at).write(0) };
            }
            // SAFETY: as above.
            unsafe { bytes.wrapping_add(len - 1).write(0) };
        }
    }

    /// The message at `position`, in place.
    ///
    /// # Safety
    /// `position` lies in this ring, below a tail loaded with `Acquire`, and the caller's cursor stays at or
    /// below `position`, and does not pass it, for the lifetime of the reference.
    #[inline]
    pub(crate) unsafe fn read(&self, position: u64) -> &RingEntry<V> {
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
    pub(crate) unsafe fn read_run(&self, from: u64, until: u64) -> &[RingEntry<V>] {
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
            // SAFETY: `Shared` and `MaybeUninit` are transparent, so these slots are so many entries; each is
            // initialized and stays unwritten, as the caller says.
            unsafe { std::slice::from_raw_parts(slots.as_ptr().cast(), straight) }
        }
    }

    /// One subscriber passes `position`; the last drops the value, in place.
    ///
    /// # Safety
    /// `position` may be read, as for [`read`](Self::read), on behalf of a subscriber that was there when it
    /// was published. That one passes it once, whatever comes of it, and reads it no more.
    ///
    /// # Panics
    /// When the value's destructor does; it is passed and dropped then.
    #[inline]
    pub(crate) unsafe fn pass(&self, position: u64) {
        // SAFETY: the caller says that it may be read, and passes it once.
        if V::COUNTED && unsafe { self.is_last(position) } {
            let value = self.value_in(position);
            // SAFETY: all other subscribers are done with the value, the last who passes it comes here once,
            // and nobody writes the slot before the caller's cursor is past it.
            unsafe { value.drop_in_place() };
        }
    }

    /// Like [`pass`](Self::pass), but the last takes the value out, to drop it where it holds no lock.
    ///
    /// # Safety
    /// As for `pass`.
    pub(crate) unsafe fn pass_and_take(&self, position: u64) -> Option<V> {
        // SAFETY: the caller says that it may be read, and passes it once.
        if !V::COUNTED || !unsafe { self.is_last(position) } {
            return None;
        }
        let value = self.value_in(position);
        // SAFETY: as in `pass`; it is dropped by whoever gets it.
        Some(unsafe { value.read() })
    }

    /// Where the value of `position` lies. No reference to the whole slot is made: a producer may look at its
    /// sender just now.
    fn value_in(&self, position: u64) -> *mut V {
        self.slot(position).with(|slot| {
            let entry = slot.cast_mut().cast::<RingEntry<V>>();
            // SAFETY: the slot is as large as an entry.
            unsafe { &raw mut (*entry).value }
        })
    }

    /// Who published `position`, whose value may be gone.
    ///
    /// # Safety
    /// `position` was published, lies in this ring, and the slot was not written since: the caller holds the
    /// topic's lock, and a cursor was at or below `position` when it took it.
    pub(crate) unsafe fn sender_of(&self, position: u64) -> u64 {
        self.slot(position).with(|slot| {
            let entry = slot.cast::<RingEntry<V>>();
            // SAFETY: the slot is as large as an entry.
            let sender = unsafe { &raw const (*entry).sender };
            // SAFETY: it was written, and who drops the value leaves it alone.
            unsafe { sender.read() }
        })
    }

    /// Passes `position`. Whether that was the last subscriber.
    ///
    /// # Safety
    /// As for [`pass`](Self::pass).
    #[inline]
    unsafe fn is_last(&self, position: u64) -> bool {
        // SAFETY: the caller says so; it has not passed it yet.
        unsafe { self.read(position) }.value.pass()
    }

    /// One past the last position that is written here; later ones are in another ring. Exact for what a tail
    /// shows that was loaded before.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        // Relaxed: set inside the topic's lock, whose word the caller has loaded with `Acquire`.
        self.end.load(Ordering::Relaxed)
    }

    /// Ends this ring before position `end`. Inside the topic's lock, once, after the last write.
    pub(crate) fn finish(&self, end: u64) {
        self.end.store(end, Ordering::Relaxed);
    }
}

impl<V: Payload> Drop for Ring<V> {
    fn drop(&mut self) {
        let end = self.end();
        if !V::KEPT || end == u64::MAX {
            return;
        }
        let first = self.first.load(Ordering::Relaxed).max(end.saturating_sub(self.capacity()));
        for position in first..end {
            // SAFETY: `&mut self` says that we are alone, and the positions `first..end` are the ones written
            // last, each once.
            unsafe { self.value_in(position).drop_in_place() };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::payload::Inline;
    use super::*;

    #[test]
    fn a_ring_that_no_memory_can_hold_is_refused() {
        assert!(Ring::<Inline<u64>>::new(1 << 60).is_none());
        assert_eq!(Ring::<Inline<u64>>::new(8).map(|ring| ring.capacity()), Some(8));
    }
}
