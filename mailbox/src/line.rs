//! A queue of small values on one thread.
//!
//! # Protocol
//! A [`Line`] is not `Sync`. Its ring is borrowed inside of single calls alone, and none of them runs code
//! of others, because the values are `Copy`; so no two borrows meet.
//!
//! Positions count for ever, and wrap. Waiting values lie from `head` to before `tail`, which is never
//! further on than the ring is long. Once there is a ring, its length is a power of two, `mask` is one
//! less, and a position lies in the slot that `mask` leaves of it; while there is none, nothing waits and
//! `limit` is 0. `limit` is never more than the ring is long.

use std::cell::{Cell, UnsafeCell};

/// Values kept at first; the ring doubles when it is full.
const ROOM_MIN: usize = 8;

/// A first-in, first-out queue of small values for one thread. [`push`](Line::push) knows no bound;
/// [`try_push`](Line::try_push) has that of the line.
///
/// ```
/// let line = mycelium_mailbox::Line::new(2, 0);
/// line.push(1);
/// assert!(line.try_push(2));
/// assert!(!line.try_push(3));
/// assert_eq!((line.pop(), line.len()), (Some(1), 1));
/// ```
pub struct Line<T> {
    ring: UnsafeCell<Box<[T]>>,
    mask: Cell<usize>,
    head: Cell<usize>,
    tail: Cell<usize>,
    /// So many may wait before a `try_push` has to look further.
    limit: Cell<usize>,
    most: usize,
    filler: T,
}

impl<T: Copy> Line<T> {
    /// An empty line for `most` values. `filler` lies where nothing was written yet; it is never seen.
    pub fn new(most: usize, filler: T) -> Self {
        let (mask, head, tail, limit) = Default::default();
        Self { ring: UnsafeCell::default(), mask, head, tail, limit, most, filler }
    }

    /// How many values wait.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.tail.get().wrapping_sub(self.head.get())
    }

    /// Whether none waits.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.head.get() == self.tail.get()
    }

    /// Whether as many wait as the line is for, or more.
    pub fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    /// Puts a value at the end, unless the line is full.
    #[inline(always)]
    pub fn try_push(&self, value: T) -> bool {
        if self.len() >= self.limit.get() && !self.grow_within() {
            return false;
        }
        // SAFETY: fewer wait than the ring has slots: fewer than `limit`, or it has just grown.
        unsafe { self.write(value) };
        true
    }

    /// Puts a value at the end, however many wait.
    pub fn push(&self, value: T) {
        // SAFETY: as this line's protocol says; `grow` borrows it after this borrow has ended.
        if self.len() >= unsafe { &*self.ring.get() }.len() {
            self.grow();
        }
        // SAFETY: fewer wait than the ring has slots.
        unsafe { self.write(value) };
    }

    /// # Safety
    /// Fewer values wait than the ring has slots.
    #[inline(always)]
    unsafe fn write(&self, value: T) {
        let tail = self.tail.get();
        // SAFETY: as this line's protocol says.
        let ring = unsafe { &mut *self.ring.get() };
        // SAFETY: there is a ring, so `mask` leaves less than its length.
        *unsafe { ring.get_unchecked_mut(tail & self.mask.get()) } = value;
        self.tail.set(tail.wrapping_add(1));
    }

    /// Takes the oldest value.
    #[inline(always)]
    pub fn pop(&self) -> Option<T> {
        let head = self.head.get();
        if head == self.tail.get() {
            return None;
        }
        // SAFETY: as in `write`.
        let ring = unsafe { &*self.ring.get() };
        // SAFETY: something waits, so there is a ring, and `mask` leaves less than its length.
        let value = *unsafe { ring.get_unchecked(head & self.mask.get()) };
        self.head.set(head.wrapping_add(1));
        Some(value)
    }

    /// How many values were put at the end so far. It wraps.
    #[inline]
    pub fn put(&self) -> usize {
        self.tail.get()
    }

    /// How many values were taken so far, and not put back. It wraps.
    #[inline]
    pub fn taken(&self) -> usize {
        self.head.get()
    }

    /// A copy of the values that wait, the oldest first.
    pub fn values(&self) -> Vec<T> {
        // SAFETY: as in `write`; copies are made of `Copy` values, which runs no other code.
        let ring = unsafe { &*self.ring.get() };
        ring.iter().cycle().skip(self.head.get() & self.mask.get()).take(self.len()).copied().collect()
    }

    /// Puts a value at the front.
    pub fn put_back(&self, value: T) {
        // SAFETY: as in `write`.
        if self.len() >= unsafe { &*self.ring.get() }.len() {
            self.grow();
        }
        let head = self.head.get().wrapping_sub(1);
        // SAFETY: as in `write`.
        let ring = unsafe { &mut *self.ring.get() };
        if let Some(slot) = ring.get_mut(head & self.mask.get()) {
            *slot = value;
            self.head.set(head);
        }
    }

    /// Grows for one more, if the line is not full.
    #[cold]
    fn grow_within(&self) -> bool {
        let grows = !self.is_full();
        if grows {
            self.grow();
        }
        grows
    }

    #[cold]
    fn grow(&self) {
        let mut values = self.values();
        // SAFETY: as in `write`.
        let ring = unsafe { &mut *self.ring.get() };
        values.resize((ring.len() * 2).max(ROOM_MIN), self.filler);
        let mask = values.len() - 1;
        // Positions count on.
        values.rotate_right(self.head.get() & mask);
        *ring = values.into_boxed_slice();
        self.mask.set(mask);
        self.limit.set(self.most.min(ring.len()));
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
            let line = Line::new(20, u32::MAX);
            // As after long use.
            line.head.set(usize::MAX - 30);
            line.tail.set(usize::MAX - 30);
            let (mut model, mut put, mut taken) = (VecDeque::new(), usize::MAX - 30, usize::MAX - 30);
            for (number, step) in (0u32..).zip(steps) {
                match step {
                    0..3 => {
                        let room = model.len() < 20;
                        prop_assert_eq!(line.try_push(number), room);
                        model.extend(room.then_some(number));
                        put = put.wrapping_add(usize::from(room));
                    }
                    3..5 => {
                        line.push(number);
                        model.push_back(number);
                        put = put.wrapping_add(1);
                    }
                    5 => {
                        line.put_back(number);
                        model.push_front(number);
                        taken = taken.wrapping_sub(1);
                    }
                    _ => {
                        taken = taken.wrapping_add(usize::from(!model.is_empty()));
                        prop_assert_eq!(line.pop(), model.pop_front());
                    }
                }
                prop_assert_eq!((line.put(), line.taken()), (put, taken));
                prop_assert_eq!((line.len(), line.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(line.is_full(), model.len() >= 20);
                prop_assert_eq!(line.values(), Vec::from(model.clone()));
            }
        }
    }
}
