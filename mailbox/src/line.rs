//! A queue of small values on one thread.
//!
//! # Protocol
//! A [`Line`] is not `Sync`. Its ring is borrowed inside of single calls alone, and none of them runs code
//! of others meanwhile, because the values are `Copy`; so no two borrows meet. The ring's length is a power of two, or 0 while
//! nothing was ever written, and never shrinks. `head` and `tail` count what was taken and what was written; the value with
//! number `n` lies at `n` modulo the ring's length, so whatever they are, every place that is reached lies in the ring.

use std::cell::{Cell, UnsafeCell};

/// Values kept at first; the ring doubles when it is full.
const ROOM_MIN: usize = 8;

/// A first-in, first-out queue of small values for one thread. [`push`](Line::push) grows it without a bound of its own;
/// [`push_after`](Line::push_after) refuses beyond its limit.
///
/// ```
/// let line = mycelium_mailbox::Line::new(0, 2);
/// line.push(1);
/// assert!(line.push_after(2, || assert_eq!(line.len(), 1)));
/// assert!(!line.push_after(3, || unreachable!("two wait")));
/// assert_eq!((line.pop(), line.len(), line.taken()), (Some(1), 1, 1));
/// ```
pub struct Line<T> {
    ring: UnsafeCell<Box<[T]>>,
    head: Cell<u64>,
    tail: Cell<u64>,
    /// How many may wait before `push_after` has to look: the ring's length or the limit, whichever is less.
    room: Cell<u64>,
    limit: u64,
    filler: T,
}

impl<T: Copy> Line<T> {
    /// An empty line. `filler` lies where nothing was written yet; it is never seen.
    pub fn new(filler: T, limit: usize) -> Self {
        Self {
            ring: UnsafeCell::default(),
            head: Cell::new(0),
            tail: Cell::new(0),
            room: Cell::new(0),
            limit: limit as u64,
            filler,
        }
    }

    /// How many values wait.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.waiting() as usize
    }

    #[inline(always)]
    fn waiting(&self) -> u64 {
        self.tail.get() - self.head.get()
    }

    /// Whether none waits.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether as many wait as [`push_after`](Self::push_after) allows.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.waiting() >= self.limit
    }

    /// How many values were taken, less those that were put back.
    #[inline(always)]
    pub fn taken(&self) -> u64 {
        self.head.get()
    }

    /// Puts a value at the end.
    #[inline]
    pub fn push(&self, value: T) {
        if self.waiting() >= self.capacity() {
            self.grow();
        }
        self.write(value);
    }

    /// Calls `f` and puts a value at the end, unless the line is full: then `false`, and `f` is not called.
    ///
    /// `f` must put nothing into this line: its value could take the place of the one that has waited longest.
    #[inline(always)]
    pub fn push_after(&self, value: T, f: impl FnOnce()) -> bool {
        if self.waiting() >= self.room.get() && !self.make_room() {
            return false;
        }
        f();
        self.write(value);
        true
    }

    /// Takes the oldest value.
    #[inline(always)]
    pub fn pop(&self) -> Option<T> {
        let head = self.head.get();
        if head == self.tail.get() {
            return None;
        }
        self.head.set(head + 1);
        // SAFETY: as this line's protocol says.
        let ring = unsafe { &*self.ring.get() };
        // SAFETY: something was written, so there is a ring, and its length is a power of two, so that this is less.
        Some(*unsafe { ring.get_unchecked(head as usize & (ring.len() - 1)) })
    }

    /// Puts the value that was taken last back to the front.
    pub fn put_back(&self, value: T) {
        // SAFETY: as this line's protocol says.
        let ring = unsafe { &mut *self.ring.get() };
        if let Some(head) = self.head.get().checked_sub(1)
            && self.waiting() < ring.len() as u64
            && let Some(slot) = ring.get_mut(head as usize & (ring.len() - 1))
        {
            *slot = value;
            self.head.set(head);
        }
    }

    fn capacity(&self) -> u64 {
        // SAFETY: as this line's protocol says.
        unsafe { &*self.ring.get() }.len() as u64
    }

    /// Called only when there is a ring.
    #[inline(always)]
    fn write(&self, value: T) {
        let tail = self.tail.get();
        // SAFETY: as this line's protocol says.
        let ring = unsafe { &mut *self.ring.get() };
        debug_assert!(ring.len().is_power_of_two());
        // SAFETY: there is a ring: `push` has grown it, and `push_after` found room, which is more than 0 for a ring alone; its
        // length is a power of two, so that this is less.
        *unsafe { ring.get_unchecked_mut(tail as usize & (ring.len() - 1)) } = value;
        self.tail.set(tail + 1);
    }

    /// Grows a ring that is full, up to the limit.
    #[cold]
    #[inline(never)]
    fn make_room(&self) -> bool {
        if self.is_full() {
            return false;
        }
        self.grow();
        true
    }

    #[cold]
    fn grow(&self) {
        // SAFETY: as this line's protocol says.
        let ring = unsafe { &mut *self.ring.get() };
        let mut larger = vec![self.filler; (ring.len() * 2).max(ROOM_MIN)].into_boxed_slice();
        let mask = larger.len() - 1;
        for number in self.head.get()..self.tail.get() {
            let number = number as usize;
            larger[number & mask] = ring[number & (ring.len() - 1)];
        }
        *ring = larger;
        self.room.set(self.capacity().min(self.limit));
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
            const LIMIT: usize = 20;
            let line = Line::new(u32::MAX, LIMIT);
            let mut model = VecDeque::new();
            let mut taken = 0;
            for (number, step) in (0u32..).zip(steps) {
                match step {
                    0..3 => {
                        line.push(number);
                        model.push_back(number);
                    }
                    3..6 => {
                        let mut called = false;
                        let pushed = line.push_after(number, || called = true);
                        prop_assert_eq!((pushed, called), (model.len() < LIMIT, model.len() < LIMIT));
                        model.extend(pushed.then_some(number));
                    }
                    _ => {
                        let oldest = line.pop();
                        prop_assert_eq!(oldest, model.pop_front());
                        taken += u64::from(oldest.is_some());
                        if let Some(oldest) = oldest.filter(|oldest| oldest % 3 == 0) {
                            line.put_back(oldest);
                            model.push_front(oldest);
                            taken -= 1;
                        }
                    }
                }
                prop_assert_eq!((line.len(), line.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!((line.taken(), line.is_full()), (taken, model.len() >= LIMIT));
            }
        }
    }
}
