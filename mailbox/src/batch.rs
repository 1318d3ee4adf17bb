//! Messages that are written once, one after another, while those before are being read in place.
//!
//! # Protocol
//! A [`Batch`] is used on one thread (it is neither `Send` nor `Sync`). `len` slots are initialised, and only ever the
//! slot at `len` is written, before `len` counts it. References are given out to slots below `len` alone, so a write
//! and a reference never meet. Slots are emptied only through `&mut` (by [`Batch::reset`] or drop), which no
//! [`Shared`] can coexist with: each holds a count of the batch.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;

/// A fixed number of slots for messages, filled in order.
pub struct Batch<M> {
    len: Cell<usize>,
    slots: Box<[UnsafeCell<MaybeUninit<M>>]>,
    /// Neither `Send` nor `Sync`.
    confined: PhantomData<*mut M>,
}

impl<M> Batch<M> {
    /// An empty batch for `capacity` messages.
    pub fn new(capacity: usize) -> Self {
        let slots = (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        Self { len: Cell::new(0), slots, confined: PhantomData }
    }

    /// How many messages have been written.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Whether no message has been written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages fit.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Whether no more fit.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() == self.slots.len()
    }

    /// Takes the message out of `message` and writes it behind the others; a full batch leaves it there.
    #[inline]
    pub fn push(&self, message: &mut Option<M>) -> bool {
        let at = self.len.get();
        let Some(slot) = self.slots.get(at) else { return false };
        let Some(message) = message.take() else { return false };
        // SAFETY: the slot is not below `len`, so nothing refers to it; and this is the only thread.
        let slot = unsafe { &mut *slot.get() };
        slot.write(message);
        self.len.set(at + 1);
        true
    }

    /// Drops all messages and begins anew. Whoever has `&mut` knows that nobody reads them.
    #[inline]
    pub fn reset(&mut self) {
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

/// One message of a batch, shared by everybody who reads it. Its address never changes.
pub struct Shared<M> {
    message: NonNull<M>,
    /// Keeps the message where it is.
    batch: Rc<Batch<M>>,
}

impl<M> Shared<M> {
    /// The message at `at`; `None` if none has been written there.
    #[inline]
    pub fn new(batch: &Rc<Batch<M>>, at: usize) -> Option<Self> {
        if at >= batch.len() {
            return None;
        }
        let slot = batch.slots.get(at)?;
        Some(Self { message: NonNull::new(slot.get())?.cast(), batch: Rc::clone(batch) })
    }

    /// A message of its own.
    pub fn of(message: M) -> Self {
        let batch = Rc::new(Batch::new(1));
        batch.push(&mut Some(message));
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
        assert!(batch.push(&mut Some((1, Rc::clone(&kept)))));
        let first = Shared::new(&batch, 0).unwrap();
        assert!(Shared::new(&batch, 1).is_none());
        let address: *const _ = &raw const *first;
        for n in 2..=3 {
            assert!(batch.push(&mut Some((n, Rc::clone(&kept)))));
        }
        let mut refused = Some((4, Rc::clone(&kept)));
        assert!(batch.is_full() && !batch.push(&mut refused) && refused.is_some());
        assert_eq!((first.0, &raw const *first), (1, address));
        let last = first.clone();
        drop((batch, first, refused));
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
            batch.push(&mut Some(Bomb(Rc::clone(&drops), n == 1)));
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
                        let pushed = batch.push(&mut Some(value.to_string()));
                        prop_assert_eq!(pushed, model.len() < 5);
                        if pushed {
                            model.push(value.to_string());
                        }
                    }
                }
                prop_assert_eq!(batch.len(), model.len());
            }
        }
    }
}
