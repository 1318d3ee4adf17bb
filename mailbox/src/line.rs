//! A queue of small values on one thread.
//!
//! # Protocol
//! A [`Line`] is not `Sync`. Its ring is borrowed inside of single calls alone, and none of them runs code
//! of others, because the values are `Copy`; so no two borrows meet. Once there is a ring, `head` lies within it, and its
//! length is a power of two; while there is none, `len` is 0.

use std::cell::{Cell, UnsafeCell};

/// Values kept at first; the ring doubles when it is full.
const ROOM_MIN: usize = 8;

/// A first-in, first-out queue of small values for one thread. It grows without a bound of its own: whoever writes looks
/// at [`len`](Line::len).
///
/// ```
/// let line = mycelium_mailbox::Line::new(0);
/// line.push(1);
/// line.push(2);
/// assert_eq!((line.pop(), line.len()), (Some(1), 1));
/// ```
pub struct Line<T> {
    /// Its length is a power of two.
    ring: UnsafeCell<Box<[T]>>,
    head: Cell<usize>,
    len: Cell<usize>,
    filler: T,
}

impl<T: Copy> Line<T> {
    /// An empty line. `filler` lies where nothing was written yet; it is never seen.
    pub fn new(filler: T) -> Self {
        Self { ring: UnsafeCell::default(), head: Cell::new(0), len: Cell::new(0), filler }
    }

    /// How many values wait.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Whether none waits.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a value at the end.
    #[inline(always)]
    pub fn push(&self, value: T) {
        let len = self.len.get();
        // SAFETY: as this line's protocol says; `grow` borrows it after this borrow has ended.
        if len == unsafe { &*self.ring.get() }.len() {
            self.grow();
        }
        // SAFETY: as above.
        let ring = unsafe { &mut *self.ring.get() };
        let at = (self.head.get() + len) & (ring.len() - 1);
        // SAFETY: after `grow`, or if `len` is less than it, the ring's length is a power of two, so that `at` is less.
        *unsafe { ring.get_unchecked_mut(at) } = value;
        self.len.set(len + 1);
    }

    /// Takes the oldest value.
    #[inline(always)]
    pub fn pop(&self) -> Option<T> {
        let len = self.len.get();
        if len == 0 {
            return None;
        }
        let head = self.head.get();
        // SAFETY: as in `push`.
        let ring = unsafe { &*self.ring.get() };
        // SAFETY: something waits, so there is a ring, and `head` lies within it.
        let value = *unsafe { ring.get_unchecked(head) };
        self.head.set((head + 1) & (ring.len() - 1));
        self.len.set(len - 1);
        Some(value)
    }

    /// A copy of the values that wait, the oldest first.
    pub fn values(&self) -> Vec<T> {
        // SAFETY: as in `push`; copies are made of `Copy` values, which runs no other code.
        let ring = unsafe { &*self.ring.get() };
        ring.iter().cycle().skip(self.head.get()).take(self.len()).copied().collect()
    }

    /// Puts a value at the front.
    pub fn put_back(&self, value: T) {
        // SAFETY: as in `push`.
        if self.len.get() == unsafe { &*self.ring.get() }.len() {
            self.grow();
        }
        // SAFETY: as in `push`.
        let ring = unsafe { &mut *self.ring.get() };
        let head = self.head.get().wrapping_sub(1) & ring.len().wrapping_sub(1);
        if let Some(slot) = ring.get_mut(head) {
            *slot = value;
            self.head.set(head);
            self.len.set(self.len.get() + 1);
        }
    }

    #[cold]
    fn grow(&self) {
        // SAFETY: as in `push`.
        let ring = unsafe { &mut *self.ring.get() };
        let mut values = std::mem::take(ring).into_vec();
        values.rotate_left(self.head.replace(0));
        values.resize((values.len() * 2).max(ROOM_MIN), self.filler);
        *ring = values.into_boxed_slice();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_is_a_queue(steps in prop::collection::vec(0u8..8, 0..200)) {
            let line = Line::new(u32::MAX);
            let mut model = VecDeque::new();
            for (number, step) in (0u32..).zip(steps) {
                match step {
                    0..5 => {
                        line.push(number);
                        model.push_back(number);
                    }
                    5 => {
                        line.put_back(number);
                        model.push_front(number);
                    }
                    _ => prop_assert_eq!(line.pop(), model.pop_front()),
                }
                prop_assert_eq!((line.len(), line.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(line.values(), Vec::from(model.clone()));
            }
        }
    }
}
