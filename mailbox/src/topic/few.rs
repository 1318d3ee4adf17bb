//! What a publish holds for a moment outside the topic's lock: copies for lanes, their keys, and what they
//! displaced.

use std::mem::MaybeUninit;

use crate::discard::discard;

/// How many values fit without an allocation.
const IN_PLACE: usize = 4;

/// A few values in place, more on the heap. The rest in it is [discarded](discard).
///
/// # Protocol
/// The first `len` places of `few` are initialized. It is not an array of options: those would all be written
/// for each publish.
pub(super) struct Few<T> {
    few: [MaybeUninit<T>; IN_PLACE],
    many: Vec<T>,
    len: usize,
}

impl<T> Few<T> {
    #[inline(always)] // Made where it stays: it is too large to be moved about.
    pub(super) fn new() -> Self {
        Self { few: [const { MaybeUninit::uninit() }; IN_PLACE], many: Vec::new(), len: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether so many values need memory beyond what it has.
    #[inline]
    pub(super) fn needs_memory_for(&self, values: usize) -> bool {
        values > IN_PLACE + self.many.capacity()
    }

    /// Takes memory for so many values.
    pub(super) fn make_room_for(&mut self, values: usize) {
        self.many.reserve(values.saturating_sub(IN_PLACE).saturating_sub(self.many.len()));
    }

    /// Takes memory that another one has [left](Self::into_memory).
    pub(super) fn use_memory(&mut self, memory: Vec<T>) {
        if self.many.is_empty() {
            self.many = memory;
        }
    }

    /// Whether it has memory on the heap.
    #[inline]
    pub(super) fn has_memory(&self) -> bool {
        self.many.capacity() > 0
    }

    /// Discards the values and leaves the memory.
    pub(super) fn take_memory(&mut self) -> Vec<T> {
        self.clear();
        std::mem::take(&mut self.many)
    }

    #[inline]
    pub(super) fn push(&mut self, value: T) {
        match self.few.get_mut(self.len) {
            Some(slot) => _ = slot.write(value),
            None => self.many.push(value),
        }
        self.len += 1;
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        match self.few.get_mut(self.len) {
            // SAFETY: it was below `len`, which says now that it is taken out.
            Some(slot) => Some(unsafe { slot.assume_init_read() }),
            None => self.many.pop(),
        }
    }

    /// The value that was pushed at this place.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        match self.few.get(at) {
            // SAFETY: the places below `len` are initialized.
            Some(slot) => (at < self.len).then(|| unsafe { slot.assume_init_ref() }),
            None => self.many.get(at - IN_PLACE),
        }
    }

    pub(super) fn clear(&mut self) {
        while let Some(value) = self.pop() {
            discard(value);
        }
    }
}

impl<T> Drop for Few<T> {
    #[inline]
    fn drop(&mut self) {
        if std::mem::needs_drop::<T>() {
            self.clear();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_the_end_wherever_they_lie() {
        let mut few = Few::new();
        (0..11).for_each(|number| few.push(number));
        assert_eq!((few.get(3), few.get(4), few.get(10), few.get(11)), (Some(&3), Some(&4), Some(&10), None));
        let back: Vec<_> = std::iter::from_fn(|| few.pop()).collect();
        assert_eq!(back, (0..11).rev().collect::<Vec<_>>());
        assert!(few.needs_memory_for(100) && !few.needs_memory_for(11));
        few.make_room_for(100);
        assert!(!few.needs_memory_for(100));
        assert!(few.has_memory());
        let memory = few.take_memory();
        let mut next = Few::new();
        next.use_memory(memory);
        assert!(!next.needs_memory_for(11));
    }
}
