//! Messages that are written once, one after another, while those before are being read in place.
//!
//! # Protocol
//! A [`Batch`] is used on one thread (it is neither `Send` nor `Sync`). Only ever the slot at `len` is
//! written, before `len`, which is never more than there are slots, counts it.
//!
//! - A message without a destructor stays where it is until the slots are emptied, through `&mut` (by
//!   [`Batch::reset`]), which can coexist with neither a [`Lent`], which borrows the batch, nor a [`Shared`],
//!   which holds a count of it.
//! - One with a destructor has a count in `readers`: one for the queue until it was read
//!   ([`Batch::release`]), and one for each [`Shared`]. It is dropped when its count comes to zero, and never
//!   counted again. Its slot is not written again before all slots are emptied.
//!
//! So a slot below `len` is initialised, unless its message has a destructor and a count of zero. References
//! are given out to such slots alone, and whoever has one has a count, or borrows it from the queue or from a
//! `Shared`, so none meets a write or a drop.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::mem::{MaybeUninit, needs_drop};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

/// A fixed number of slots for messages, filled in order.
pub(crate) struct Batch<M> {
    len: Cell<usize>,
    slots: Box<[UnsafeCell<MaybeUninit<M>>]>,
    /// Who reads each message, if it has a destructor; else there are none.
    readers: Box<[Cell<usize>]>,
    /// Neither `Send` nor `Sync`.
    confined: PhantomData<*mut M>,
}

impl<M> Batch<M> {
    /// An empty batch for `capacity` messages. Of a type that has a destructor and no size it takes one:
    /// their addresses do not tell them apart.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = if needs_drop::<M>() && size_of::<M>() == 0 { capacity.min(1) } else { capacity };
        let slots = (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        let counted = if needs_drop::<M>() { capacity } else { 0 };
        let readers = (0..counted).map(|_| Cell::new(0)).collect();
        Self { len: Cell::new(0), slots, readers, confined: PhantomData }
    }

    /// How many messages have been written.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// How many messages fit.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Whether no more fit.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        // Not `==`: the compiler knows from this that a batch which is not full has a slot at `len`.
        self.len() >= self.slots.len()
    }

    /// Writes a message behind the others.
    ///
    /// # Panics
    /// When the batch is full.
    #[inline(always)]
    pub(crate) fn write(&self, message: M) {
        let at = self.len.get();
        // SAFETY: the slot is not below `len`, so nothing refers to it; and this is the only thread.
        let slot = unsafe { &mut *self.slots[at].get() };
        slot.write(message);
        if needs_drop::<M>() {
            self.readers[at].set(1);
        }
        self.len.set(at + 1);
    }

    /// Whether there is a message at `at`.
    #[inline(always)]
    fn holds(&self, at: usize) -> bool {
        at < self.len() && (!needs_drop::<M>() || self.readers[at].get() > 0)
    }

    /// The slot in which this message of the batch lies.
    fn slot_of(&self, message: &M) -> usize {
        let first = self.slots.as_ptr().addr();
        // A batch of messages without a size, which have destructors where this is asked, has one slot.
        ((&raw const *message).addr() - first).checked_div(size_of::<M>()).unwrap_or(0)
    }

    /// One more reads the message at `at`, whose count is not zero.
    fn share(&self, at: usize) {
        if let Some(readers) = self.readers.get(at) {
            readers.set(readers.get() + 1);
        }
    }

    /// One who had a count of the message at `at` reads it no more. The last one drops it.
    ///
    /// # Panics
    /// When the message's destructor does, unless the thread unwinds already: then its panic ends here.
    #[inline(always)]
    pub(crate) fn release(&self, at: usize) {
        if needs_drop::<M>() {
            self.release_counted(at);
        }
    }

    fn release_counted(&self, at: usize) {
        let Some(readers) = self.readers.get(at) else { return };
        let left = readers.get().saturating_sub(1);
        if readers.replace(left) != 1 {
            return;
        }
        if let Err(panic) = self.drop_at(at)
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }

    /// Drops the message at `at`, whose count has just come to zero; its panic, if it does.
    fn drop_at(&self, at: usize) -> std::thread::Result<()> {
        let slot = self.slots[at].get();
        catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: (1) the slot was below `len` and its count not zero, so it was initialised; (2) the
            // count is zero, so nothing refers to it and nothing will; (3) the count comes to zero once, so
            // this is done once.
            unsafe { std::ptr::drop_in_place(slot.cast::<M>()) }
        }))
    }

    /// Drops all messages and begins anew. The caller has `&mut`, so it knows that nobody reads them.
    ///
    /// # Panics
    /// When a destructor does, after all others have run, unless the thread unwinds already.
    #[inline]
    pub(crate) fn reset(&mut self) {
        if needs_drop::<M>() {
            self.drop_all();
        }
        self.len.set(0);
    }

    fn drop_all(&self) {
        let mut first = Ok(());
        for at in 0..self.len() {
            if self.readers[at].replace(0) > 0 {
                first = first.and(self.drop_at(at));
            }
        }
        if let Err(panic) = first
            && !std::thread::panicking()
        {
            self.len.set(0);
            resume_unwind(panic);
        }
    }
}

impl<M> Drop for Batch<M> {
    fn drop(&mut self) {
        self.reset();
    }
}

/// One message of a batch, read in place. Its address never changes, and [`share`](Lent::share) makes it
/// outlive the loan.
///
/// Handed on by value: behind a reference it would have to be written to memory for each message.
pub struct Lent<'a, M> {
    message: &'a M,
    batch: &'a Rc<Batch<M>>,
}

impl<'a, M> Lent<'a, M> {
    /// The message at `at`; `None` if there is none. The caller has a count of it until the loan ends.
    #[inline(always)]
    pub(crate) fn new(batch: &'a Rc<Batch<M>>, at: usize) -> Option<Self> {
        if !batch.holds(at) {
            return None;
        }
        // SAFETY: `len` is never more than there are slots.
        let slot = unsafe { batch.slots.get_unchecked(at) };
        // SAFETY: the slot is below `len`, so it is not written while anybody can read it.
        let slot = unsafe { &*slot.get() };
        // SAFETY: (1) `holds` says that the slot is initialised; (2) it is emptied only through `&mut Batch`,
        // which nobody can have while the batch is borrowed for `'a`, or when its count comes to zero, and
        // the caller has one.
        Some(Self { message: unsafe { slot.assume_init_ref() }, batch })
    }

    /// A handle that keeps the message where it is after the loan has ended.
    pub fn share(&self) -> Shared<M> {
        if needs_drop::<M>() {
            self.batch.share(self.batch.slot_of(self.message));
        }
        Shared { message: NonNull::from(self.message), batch: Rc::clone(self.batch) }
    }
}

impl<M> Clone for Lent<'_, M> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Lent<'_, M> {}

impl<M> Deref for Lent<'_, M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        self.message
    }
}

/// One message of a batch, shared by everybody who reads it. Its address never changes. The last one drops
/// it, if it has a destructor.
pub struct Shared<M> {
    message: NonNull<M>,
    /// Keeps the message where it is.
    batch: Rc<Batch<M>>,
}

impl<M> Shared<M> {
    /// The message at `at`; `None` if none has been written there.
    #[inline]
    pub(crate) fn new(batch: &Rc<Batch<M>>, at: usize) -> Option<Self> {
        Some(Lent::new(batch, at)?.share())
    }

    /// The message, without another count.
    #[inline]
    pub fn lend(&self) -> Lent<'_, M> {
        Lent { message: self, batch: &self.batch }
    }

    /// A message of its own.
    pub fn of(message: M) -> Self {
        let batch = Rc::new(Batch::new(1));
        batch.write(message);
        let shared = Self::new(&batch, 0);
        // No queue reads it.
        batch.release(0);
        shared.unwrap_or_else(|| unreachable!("one message was pushed into a batch for one"))
    }
}

impl<M> Clone for Shared<M> {
    #[inline]
    fn clone(&self) -> Self {
        self.lend().share()
    }
}

impl<M> Drop for Shared<M> {
    fn drop(&mut self) {
        if needs_drop::<M>() {
            let at = self.batch.slot_of(self);
            self.batch.release(at);
        }
    }
}

impl<M> Deref for Shared<M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        // SAFETY: the slot was below `len` when this was made, and stays so: resetting or dropping the batch
        // takes `&mut` or the last count of it, and this holds one. Slots below `len` are never written. A
        // message with a destructor is dropped when its own count is zero, and this holds one of those too.
        unsafe { self.message.as_ref() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_read_while_more_are_written() {
        let batch = Rc::new(Batch::new(3));
        batch.write((1, "one"));
        let first = Shared::new(&batch, 0).unwrap();
        assert!(Shared::new(&batch, 1).is_none());
        let address: *const _ = &raw const *first;
        for n in 2..=3 {
            batch.write((n, "more"));
        }
        assert!(batch.is_full());
        assert_eq!((first.0, &raw const *first), (1, address));
        let last = first.clone();
        drop((batch, first));
        assert_eq!(last.0, 1, "one reader keeps the whole batch");
    }

    #[test]
    fn a_message_with_a_destructor_is_dropped_by_its_last_reader_and_alone() {
        let batch = Rc::new(Batch::new(3));
        let kept: Vec<_> = (0..3).map(|_| Rc::new(())).collect();
        let alive = || kept.iter().map(|one| Rc::strong_count(one) - 1).collect::<Vec<_>>();
        kept.iter().for_each(|one| batch.write(Rc::clone(one)));
        let one = Shared::new(&batch, 0).unwrap();
        let another = one.clone();
        batch.release(0);
        batch.release(1);
        assert_eq!(alive(), [1, 0, 1], "the first is still read, the last is still queued");
        drop(one);
        assert_eq!(alive(), [1, 0, 1]);
        drop(another);
        assert_eq!(alive(), [0, 0, 1]);
        assert!(Shared::new(&batch, 0).is_none() && Shared::new(&batch, 1).is_none());
        drop(batch);
        assert_eq!(alive(), [0, 0, 0]);
    }

    thread_local!(static DROPS: Cell<usize> = const { Cell::new(0) });

    #[test]
    fn messages_without_a_size_are_told_apart() {
        struct Nothing;
        impl Drop for Nothing {
            fn drop(&mut self) {
                DROPS.set(DROPS.get() + 1);
            }
        }
        let queue = crate::Fifo::new(4, 16);
        (0..5).for_each(|_| queue.push(Nothing));
        let kept = queue.next(|message| message.share()).unwrap();
        for dropped in 1..4 {
            queue.next(|_| ()).unwrap();
            assert_eq!(DROPS.get(), dropped);
        }
        drop(kept);
        assert_eq!(DROPS.get(), 4);
        drop(queue);
        assert_eq!(DROPS.get(), 5);
    }

    /// Counts its drop, and may panic then.
    struct Bomb(Rc<Cell<u32>>, bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(!self.1, "boom");
        }
    }

    #[test]
    fn a_drop_that_panics_leaves_no_other_undropped_and_drops_nothing_twice() {
        let drops = Rc::new(Cell::new(0));
        let mut batch = Batch::new(4);
        for n in 0..4 {
            batch.write(Bomb(Rc::clone(&drops), n % 2 == 1));
        }
        let unwound = catch_unwind(AssertUnwindSafe(|| batch.reset()));
        assert!(unwound.is_err());
        assert_eq!((drops.get(), batch.len()), (4, 0));
        drop(batch);
        assert_eq!(drops.get(), 4);
    }

    #[test]
    fn a_drop_that_panics_while_another_panic_unwinds_does_not_abort() {
        let drops = Rc::new(Cell::new(0));
        let queue = crate::Fifo::new(4, 16);
        for _ in 0..3 {
            queue.push(Bomb(Rc::clone(&drops), true));
        }
        let unwound = catch_unwind(AssertUnwindSafe(|| queue.next(|_| panic!("first"))));
        assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"first"));
        let unwound = catch_unwind(AssertUnwindSafe(|| queue.next(|_| 7)));
        assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"boom"));
        assert_eq!((drops.get(), queue.taken(), queue.len()), (2, 2, 1));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
        assert_eq!(drops.get(), 3);
    }

    proptest! {
        /// Against a vector: pushes, reads and resets in any order.
        #[test]
        fn a_batch_is_a_bounded_vector(steps in prop::collection::vec((0u8..8, any::<u32>()), 0..100)) {
            let mut batch = Rc::new(Batch::<String>::new(5));
            let mut model: Vec<String> = Vec::new();
            for (step, value) in steps {
                match step {
                    0 => {
                        Rc::get_mut(&mut batch).unwrap().reset();
                        model.clear();
                    }
                    1..4 => {
                        let at = step as usize;
                        prop_assert_eq!(Shared::new(&batch, at).map(|message| String::clone(&message)), model.get(at).cloned());
                    }
                    _ => {
                        prop_assert_eq!(batch.is_full(), model.len() == 5);
                        if !batch.is_full() {
                            batch.write(value.to_string());
                            model.push(value.to_string());
                        }
                    }
                }
                prop_assert_eq!(batch.len(), model.len());
            }
        }
    }
}
