//! A queue on one thread whose messages are read in place while more are written behind.
//!
//! # Protocol
//! A [`Fifo`] is neither `Send` nor `Sync`. Messages are written once, into the last batch, and read from the
//! first, the head; when all of one was read, the next takes its place, or it begins anew if nobody shares
//! it.
//!
//! - `head` is replaced or begun anew only while `reading` is not set; [`Fifo::next`] sets it for as long as
//!   it lends a message out of the head, also when the reader unwinds.
//! - `behind` is borrowed for a few statements at a time that run no code of the message's type.
//! - Dropping a message is such code: batches are moved out of the queue before they are dropped. A message
//!   that was read is dropped before `reading` is cleared, unless it is shared, and then nothing of it is
//!   left in a batch that is begun anew.

use std::cell::{Cell, UnsafeCell};
use std::collections::VecDeque;
use std::mem::needs_drop;
use std::rc::Rc;

use crate::batch::{Batch, Lent};
use crate::{Present, Shared};

/// A batch that is begun anew is made larger up to this size (bytes).
const BATCH_AGAIN_BYTES_MAX: usize = 2_048;

/// A batch that was read to its end is kept for another time up to this size (bytes).
const SPARE_BYTES_MAX: usize = 65_536;

/// A first-in, first-out queue for one thread. It grows without a bound of its own: whoever writes counts.
///
/// ```
/// let queue = mycelium_mailbox::Fifo::new(4, 64);
/// queue.push(1);
/// queue.push(2);
/// assert_eq!(queue.next(|message| { queue.push(3); *message }), Some(1));
/// assert_eq!(queue.next(|message| *message), Some(2));
/// assert_eq!((queue.taken(), queue.len()), (2, 1));
/// ```
pub struct Fifo<M> {
    head: UnsafeCell<Rc<Batch<M>>>,
    /// How many messages of the head were read.
    at: Cell<usize>,
    /// How many were read before those.
    taken_before: Cell<u64>,
    reading: Cell<bool>,
    /// Whether there are batches behind the head; then it is written no more.
    split: Cell<bool>,
    /// Batches behind the head; all but the last are full.
    behind: UnsafeCell<VecDeque<Rc<Batch<M>>>>,
    /// An empty batch.
    spare: Cell<Option<Rc<Batch<M>>>>,
    batch_min: usize,
    batch_max: usize,
}

impl<M> Fifo<M> {
    /// An empty queue that keeps messages in batches of `batch_min` at first and `batch_max` at most. Nothing
    /// is allocated for messages before the first.
    pub fn new(batch_min: usize, batch_max: usize) -> Self {
        Self {
            head: UnsafeCell::new(Rc::new(Batch::new(0))),
            at: Cell::new(0),
            taken_before: Cell::new(0),
            reading: Cell::new(false),
            split: Cell::new(false),
            behind: UnsafeCell::default(),
            spare: Cell::default(),
            batch_min: batch_min.max(1),
            batch_max: batch_max.max(batch_min).max(1),
        }
    }

    /// How many messages wait. It looks at each batch behind the first.
    pub fn len(&self) -> usize {
        // SAFETY: as this queue's protocol says.
        let behind = unsafe { &*self.behind.get() };
        // SAFETY: as in `open_head`.
        let head = unsafe { &*self.head.get() };
        head.len() - self.at.get() + behind.iter().map(|batch| batch.len()).sum::<usize>()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages were ever taken out by [`next`](Self::next). Messages that were cleared do not
    /// count.
    #[inline(always)]
    pub fn taken(&self) -> u64 {
        self.taken_before.get() + self.at.get() as u64
    }

    /// Puts a message at the end.
    #[inline(always)]
    pub fn push(&self, message: M) {
        match self.open_head() {
            Some(head) => head.write(message),
            None => self.push_behind(|| message),
        }
    }

    /// Takes the message out of where it is held, and puts it at the end.
    #[inline(always)]
    pub fn push_from(&self, message: Present<'_, M, impl Sized>) {
        match self.open_head() {
            // Taken no earlier, so that it is moved once.
            Some(head) => head.write(message.take()),
            None => self.push_behind(|| message.take()),
        }
    }

    /// Takes the oldest message and lends it to `read`; `None` when there is none, or inside of another
    /// `next`. A message with a destructor is dropped then, unless `read` has shared it.
    ///
    /// # Panics
    /// When `read` does, or else the message's destructor; the message counts as read.
    #[inline(always)]
    pub fn next<T>(&self, read: impl FnOnce(Lent<'_, M>) -> T) -> Option<T> {
        if self.reading.get() {
            return None;
        }
        // SAFETY: nobody reads, so `advance` may replace the head, and this reference ends before it does.
        if self.at.get() >= unsafe { &*self.head.get() }.len() && !self.advance() {
            return None;
        }
        let at = self.at.get();
        // SAFETY: until `reading` is set nothing else runs, and while it is set, the head is neither replaced
        // nor begun anew.
        let head = unsafe { &*self.head.get() };
        let message = Lent::new(head, at)?;
        let _reading = Reading::begin(&self.reading);
        self.at.set(at + 1);
        let _read = needs_drop::<M>().then(|| Release { batch: head, at });
        Some(read(message))
    }

    /// The message that [`next`](Self::next) lends at this moment; `None` outside of it.
    pub fn lent(&self) -> Option<Shared<M>> {
        if !self.reading.get() {
            return None;
        }
        // SAFETY: while `reading` is set, the head is neither replaced nor begun anew.
        let head = unsafe { &*self.head.get() };
        // `next` has passed it, and has a count of it until the loan ends.
        Some(Lent::new(head, self.at.get().checked_sub(1)?)?.share())
    }

    /// Drops all messages. Inside of [`next`](Self::next), only those behind the head's batch.
    pub fn clear(&self) {
        // SAFETY: as this queue's protocol says; nothing runs between these two statements.
        let behind = std::mem::take(unsafe { &mut *self.behind.get() });
        self.split.set(false);
        self.spare.take();
        if !self.reading.get() {
            self.begin_head();
            drop(self.replace_head(Rc::new(Batch::new(0))));
        }
        drop(behind);
    }

    /// The head, if it is the batch that is written next and has room.
    #[inline(always)]
    fn open_head(&self) -> Option<&Batch<M>> {
        // SAFETY: the head is replaced by other calls alone, and this reference is not kept beyond the next
        // write.
        let head = unsafe { &*self.head.get() };
        if self.split.get() || head.is_full() { None } else { Some(head) }
    }

    /// Writes into a batch with room: the head again if all of it was read, or one behind it.
    #[cold]
    #[inline(never)]
    fn push_behind(&self, message: impl FnOnce() -> M) {
        let message = message();
        if !self.split.get() && self.begin_anew() {
            // SAFETY: as in `open_head`.
            unsafe { &*self.head.get() }.write(message);
            return;
        }
        // SAFETY: `behind` is reached for a few statements at a time, and none of them runs other code.
        let behind = unsafe { &mut *self.behind.get() };
        // SAFETY: as in `open_head`.
        let last = behind.back().unwrap_or(unsafe { &*self.head.get() });
        if last.is_full() {
            let larger = || {
                let room = (last.capacity() * 2).clamp(self.batch_min, self.batch_max);
                Rc::new(Batch::new(room))
            };
            behind.push_back(self.spare.take().unwrap_or_else(larger));
            self.split.set(true);
        }
        if let Some(last) = behind.back() {
            last.write(message);
        }
    }

    /// None of the head, or of what takes its place, has been read.
    fn begin_head(&self) {
        self.taken_before.set(self.taken());
        self.at.set(0);
    }

    /// Begins the head anew if all of it was read and nobody reads or shares it any more. A queue that comes
    /// to this often gets a larger head, and comes to it less often.
    fn begin_anew(&self) -> bool {
        if self.reading.get() {
            return false;
        }
        // SAFETY: nobody reads, and no code of the message's type runs before this reference ends: a batch
        // that was read and is not shared has no message left that needs a drop.
        let head = unsafe { &mut *self.head.get() };
        if self.at.get() < head.len() {
            return false;
        }
        let Some(batch) = Rc::get_mut(head) else { return false };
        let room = (batch.capacity() * 2).clamp(self.batch_min, self.batch_max);
        // The first one has no room at all.
        let may_grow = batch.capacity() == 0 || room * size_of::<M>() <= BATCH_AGAIN_BYTES_MAX;
        if room > batch.capacity() && may_grow {
            *batch = Batch::new(room);
        } else {
            batch.reset();
        }
        self.begin_head();
        true
    }

    /// Goes on to the next batch, if there is one. Called only while nobody reads.
    #[cold]
    fn advance(&self) -> bool {
        // SAFETY: as in `push_behind`.
        let behind = unsafe { &mut *self.behind.get() };
        let Some(next) = behind.pop_front() else { return false };
        self.split.set(!behind.is_empty());
        self.begin_head();
        self.spare(self.replace_head(next));
        true
    }

    /// Keeps a batch for the next time that one is full, unless somebody still reads it or a larger one is
    /// kept.
    fn spare(&self, mut batch: Rc<Batch<M>>) {
        let bytes = batch.capacity() * size_of::<M>();
        if bytes > SPARE_BYTES_MAX {
            return;
        }
        let Some(unshared) = Rc::get_mut(&mut batch) else { return };
        unshared.reset();
        let larger = self.spare.take().filter(|other| other.capacity() >= batch.capacity());
        self.spare.set(larger.or(Some(batch).filter(|batch| batch.capacity() > 0)));
    }

    /// Called only while nobody reads. The value that it returns is dropped by the caller, when nothing is
    /// borrowed.
    fn replace_head(&self, next: Rc<Batch<M>>) -> Rc<Batch<M>> {
        // SAFETY: nobody reads, so nothing refers to the head.
        std::mem::replace(unsafe { &mut *self.head.get() }, next)
    }
}

/// Ends the queue's part in a message that was read, also when that is an unwinding.
struct Release<'a, M> {
    batch: &'a Batch<M>,
    at: usize,
}

impl<M> Drop for Release<'_, M> {
    #[inline(always)]
    fn drop(&mut self) {
        self.batch.release(self.at);
    }
}

/// Marks a queue as being read, and as free again at its end, also when that is an unwinding.
struct Reading<'a>(&'a Cell<bool>);

impl<'a> Reading<'a> {
    #[inline(always)]
    fn begin(reading: &'a Cell<bool>) -> Self {
        reading.set(true);
        Self(reading)
    }
}

impl Drop for Reading<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use proptest::prelude::*;

    use super::*;
    use crate::Held;

    #[test]
    fn what_is_lent_can_be_shared_from_outside_while_it_is_lent() {
        let fifo = Fifo::new(2, 16);
        for text in ["a", "b", "c"] {
            fifo.push(text.to_owned());
        }
        let shared: Vec<_> =
            (0..3).filter_map(|_| fifo.next(|lent| (fifo.lent(), String::clone(&lent)))).collect();
        assert!(fifo.lent().is_none());
        for (shared, lent) in shared {
            assert_eq!(*shared.unwrap(), lent);
        }
    }

    proptest! {
        /// Against a queue of numbers: pushes, reads that push, readers that keep what they read, and clears.
        #[test]
        fn a_fifo_is_a_queue(steps in prop::collection::vec((0u8..10, 1usize..20), 0..120)) {
            let queue = Fifo::new(2, 8);
            let mut model = VecDeque::new();
            let mut kept: Vec<(Shared<u32>, u32)> = Vec::new();
            let (mut number, mut taken) = (0u32, 0);
            for (step, count) in steps {
                match step {
                    0 => {
                        queue.clear();
                        model.clear();
                    }
                    1 => kept.clear(),
                    2..5 => for _ in 0..count {
                        number += 1;
                        let mut message = Held::new(number, ());
                        message.present().into_iter().for_each(|message| queue.push_from(message));
                        prop_assert!(!message.is_held());
                        model.push_back(number);
                    },
                    _ => for _ in 0..count {
                        let expected = model.pop_front();
                        let read = queue.next(|message| {
                            if step == 5 {
                                number += 1;
                                queue.push(number);
                                model.push_back(number);
                            }
                            if step == 6 {
                                kept.push((message.share(), *message));
                            }
                            prop_assert_eq!(queue.next(|_| ()), None);
                            Ok(*message)
                        });
                        taken += u64::from(expected.is_some());
                        prop_assert_eq!(read.transpose()?, expected);
                    },
                }
                prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(queue.taken(), taken);
                for (shared, number) in &kept {
                    prop_assert_eq!(**shared, *number);
                }
            }
        }
    }

    #[test]
    fn a_drop_may_push_and_a_panic_leaves_the_queue_usable() {
        struct Bell(Rc<Fifo<u32>>, Rc<Cell<u32>>);
        impl Drop for Bell {
            fn drop(&mut self) {
                self.0.push(1);
                self.1.set(self.1.get() + 1);
            }
        }
        let (rung, drops) = (Rc::new(Fifo::new(1, 4)), Rc::new(Cell::new(0)));
        let queue = Fifo::new(2, 4);
        for _ in 0..20 {
            queue.push(Bell(Rc::clone(&rung), Rc::clone(&drops)));
        }
        let unwound = catch_unwind(AssertUnwindSafe(|| queue.next(|_| panic!("boom"))));
        assert!(unwound.is_err());
        let mut read = 1;
        while queue.next(|_| ()).is_some() {
            read += 1;
        }
        queue.push(Bell(Rc::clone(&rung), Rc::clone(&drops)));
        queue.next(|_| queue.clear()).unwrap();
        drop(queue);
        assert_eq!((read, drops.get()), (20, 21));
        let rings = std::iter::from_fn(|| rung.next(|one| *one)).sum::<u32>();
        assert_eq!(rings, 21);
    }
}
