//! Messages that are written once, one after another, while those before are being read in place.
//!
//! # Protocol
//! A [`Batch`] is used on one thread (it is neither `Send` nor `Sync`). `len` slots, never more than there are, are
//! initialised, and only ever the slot at `len` is written, before `len` counts it. References are given out to slots below `len` alone, so a write
//! and a reference never meet. Slots are emptied only through `&mut` (by [`Batch::reset`] or drop), which can coexist with
//! neither a [`Lent`], which borrows the batch, nor a [`Shared`], which holds a count of it.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;

/// A fixed number of slots for messages, filled in order.
pub(crate) struct Batch<M> {
    len: Cell<usize>,
    slots: Box<[UnsafeCell<MaybeUninit<M>>]>,
    /// Neither `Send` nor `Sync`.
    confined: PhantomData<*mut M>,
}

impl<M> Batch<M> {
    /// An empty batch for `capacity` messages.
    pub(crate) fn new(capacity: usize) -> Self {
        let slots = (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        Self { len: Cell::new(0), slots, confined: PhantomData }
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
        self.len.set(at + 1);
    }

    /// Drops all messages and begins anew. Whoever has `&mut` knows that nobody reads them.
    #[inline]
    pub(crate) fn reset(&mut self) {
        // Forgotten before they are dropped: if a drop unwinds, the rest is leaked and none is dropped twice.
        let len = self.len.replace(0);
        if std::mem::needs_drop::<M>() {
            for slot in &mut self.slots[..len] {
                // SAFETY: the slot was below `len`, so it is initialised, and it is not any more.
                unsafe { slot.get_mut().assume_init_drop() };
            }
        }
    }
}

impl<M> Drop for Batch<M> {
    fn drop(&mut self) {
        self.reset();
    }
}

/// One message of a batch, read in place. Its address never changes, and [`share`](Lent::share) makes it outlive the loan.
///
/// Handed on by value: behind a reference it would have to be written to memory for each message.
pub struct Lent<'a, M> {
    message: &'a M,
    batch: &'a Rc<Batch<M>>,
}

impl<'a, M> Lent<'a, M> {
    /// The message at `at`; `None` if none has been written there.
    #[inline(always)]
    pub(crate) fn new(batch: &'a Rc<Batch<M>>, at: usize) -> Option<Self> {
        if at >= batch.len() {
            return None;
        }
        // SAFETY: `len` is never more than there are slots.
        let slot = unsafe { batch.slots.get_unchecked(at) };
        // SAFETY: the slot is below `len`, so it is not written while anybody can read it.
        let slot = unsafe { &*slot.get() };
        // SAFETY: (1) a slot below `len` is initialised; (2) it is emptied only through `&mut Batch`, which nobody can have
        // while the batch is borrowed for `'a`.
        Some(Self { message: unsafe { slot.assume_init_ref() }, batch })
    }

    /// A handle that keeps the message where it is after the loan has ended.
    pub fn share(&self) -> Shared<M> {
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

/// One message of a batch, shared by everybody who reads it. Its address never changes.
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
        Self::new(&batch, 0).unwrap_or_else(|| unreachable!("one message was pushed into a batch for one"))
    }
}

impl<M> Clone for Shared<M> {
    #[inline]
    fn clone(&self) -> Self {
        Self { message: self.message, batch: Rc::clone(&self.batch) }
    }
}

impl<M> Deref for Shared<M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        // SAFETY: the slot was below `len` when this was made, and stays so: resetting or dropping the batch takes `&mut`
        // or the last count, and this holds a count. Slots below `len` are never written.
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
        let kept = Rc::new(());
        batch.write((1, Rc::clone(&kept)));
        let first = Shared::new(&batch, 0).unwrap();
        assert!(Shared::new(&batch, 1).is_none());
        let address: *const _ = &raw const *first;
        for n in 2..=3 {
            batch.write((n, Rc::clone(&kept)));
        }
        assert!(batch.is_full());
        assert_eq!((first.0, &raw const *first), (1, address));
        let last = first.clone();
        drop((batch, first));
        assert_eq!(Rc::strong_count(&kept), 4, "one reader keeps the whole batch");
        assert_eq!(last.0, 1);
        drop(last);
        assert_eq!(Rc::strong_count(&kept), 1);
    }

    #[test]
    fn a_drop_that_panics_drops_nothing_twice() {
        struct Bomb(Rc<Cell<u32>>, bool);
        impl Drop for Bomb {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
                assert!(!self.1, "boom");
            }
        }
        let drops = Rc::new(Cell::new(0));
        let mut batch = Batch::new(3);
        for n in 0..3 {
            batch.write(Bomb(Rc::clone(&drops), n == 1));
        }
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| batch.reset()));
        assert!(unwound.is_err());
        drop(batch);
        assert_eq!(drops.get(), 2);
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
