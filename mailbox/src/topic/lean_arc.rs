//! A shared allocation with one count, for messages that do not lie in their slots.
//!
//! # Protocol
//! `holders` counts the [`LeanArc`]s of one allocation. A clone adds one (`Relaxed`: it is made by a holder,
//! so the count cannot come to zero meanwhile). A drop takes one away with `Release`. **Sync point "last
//! holder"**: the drop that takes the last one away orders itself behind all the others with `Acquire`; so
//! everything that others did with the message is over when it is dropped. One that finds the number at 1 is
//! alone, for nobody else could clone it: it need not write.
//!
//! There are no weak holders, as `std`'s have them: so what lies before a message is one word. A message of
//! 1,024 bytes takes 1,032, which is the largest allocation in the caches for each thread of glibc.
//! `triomphe`'s has one count too, and a locked instruction for each drop, which a sole holder here has not.
//!
//! # The count
//! It has 64 bits on all targets. Holders that are forgotten would have to come every nanosecond for five
//! hundred years to make it overflow, so nothing looks for that.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

use crate::sync::{AtomicU64, Freed, Ordering, Shared, fence};

/// One of those who hold a message.
pub(crate) struct LeanArc<M> {
    at: NonNull<Allocation<M>>,
    owns: PhantomData<Allocation<M>>,
}

struct Allocation<M> {
    holders: AtomicU64,
    /// In a model, the cell tells of a read that the drop does not come after.
    message: Shared<M>,
    _freed: Freed,
}

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Allocation<[u64; 128]>>() == 1_032);

// SAFETY: the message is read by all holders, whichever thread they are on, hence `M: Sync`, and dropped by
// the last one, hence `M: Send`; the count is atomic.
unsafe impl<M: Send + Sync> Send for LeanArc<M> {}
// SAFETY: as above; `&LeanArc` gives `&M` and another holder.
unsafe impl<M: Send + Sync> Sync for LeanArc<M> {}

impl<M> LeanArc<M> {
    #[inline(always)]
    pub(crate) fn new(message: M) -> Self {
        let holders = AtomicU64::new(1);
        let allocation =
            Box::new(Allocation { holders, message: Shared::new(message), _freed: Freed::new() });
        Self { at: NonNull::from(Box::leak(allocation)), owns: PhantomData }
    }

    #[inline(always)]
    fn allocation(&self) -> &Allocation<M> {
        // SAFETY: it lives as long as it has holders, of which this is one.
        unsafe { self.at.as_ref() }
    }

    /// Whether this is the only holder; then it stays so until it is cloned.
    #[inline(always)]
    pub(crate) fn is_sole(&self) -> bool {
        // Acquire: sync point "last holder".
        self.allocation().holders.load(Ordering::Acquire) == 1
    }

    /// The allocation, if this is the last holder.
    ///
    /// # Safety
    /// The holder goes with this call, and uses the allocation no more.
    #[inline(always)]
    unsafe fn leave(&mut self) -> Option<Box<Allocation<M>>> {
        if !self.is_sole() {
            if self.allocation().holders.fetch_sub(1, Ordering::Release) != 1 {
                return None;
            }
            fence(Ordering::Acquire);
        }
        // SAFETY: `new` has it from a box, and the last holder goes.
        Some(unsafe { Box::from_raw(self.at.as_ptr()) })
    }
}

impl<M: Clone> LeanArc<M> {
    /// The message itself for the last holder, else a clone.
    pub(crate) fn unwrap_or_clone(self) -> M {
        if !self.is_sole() {
            return M::clone(&self);
        }
        let mut this = ManuallyDrop::new(self);
        // SAFETY: it is not dropped, and not used again.
        match unsafe { this.leave() } {
            Some(allocation) => allocation.message.into_inner(),
            None => unreachable!("the only holder is the last one"),
        }
    }
}

impl<M> Deref for LeanArc<M> {
    type Target = M;

    #[inline(always)]
    fn deref(&self) -> &M {
        // SAFETY: nobody writes while there are holders, and the reference borrows one.
        self.allocation().message.with(|message| unsafe { &*message })
    }
}

impl<M> Clone for LeanArc<M> {
    #[inline]
    fn clone(&self) -> Self {
        self.allocation().holders.fetch_add(1, Ordering::Relaxed);
        Self { at: self.at, owns: PhantomData }
    }
}

impl<M> Drop for LeanArc<M> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: this is its drop.
        drop(unsafe { self.leave() });
    }
}

impl<M: fmt::Debug> fmt::Debug for LeanArc<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        M::fmt(self, f)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_message_is_dropped_by_its_last_holder() {
        let count = Rc::new(());
        let first = LeanArc::new(Rc::clone(&count));
        let second = first.clone();
        assert!(!first.is_sole() && Rc::ptr_eq(&first, &second));
        drop(first);
        assert!(second.is_sole());
        assert_eq!(Rc::strong_count(&count), 2);
        drop(second);
        assert_eq!(Rc::strong_count(&count), 1);
    }

    #[test]
    fn the_last_holder_gets_the_message_itself_and_others_a_clone() {
        let first = LeanArc::new(vec![1, 2]);
        let (second, at) = (first.clone(), first.as_ptr());
        let clone = first.unwrap_or_clone();
        assert!(clone == [1, 2] && clone.as_ptr() != at);
        let own = second.unwrap_or_clone();
        assert!(own == [1, 2] && own.as_ptr() == at);
    }

    #[test]
    fn a_clone_that_panics_leaves_one_holder_less() {
        struct Uncloneable(Rc<()>);
        impl Clone for Uncloneable {
            fn clone(&self) -> Self {
                panic!("as the author of a message may");
            }
        }
        let count = Rc::new(());
        let first = LeanArc::new(Uncloneable(Rc::clone(&count)));
        let second = first.clone();
        let cloning = std::panic::AssertUnwindSafe(|| first.unwrap_or_clone());
        assert!(std::panic::catch_unwind(cloning).is_err());
        assert!(second.is_sole());
        drop(second.unwrap_or_clone().0);
        assert_eq!(Rc::strong_count(&count), 1);
    }

    #[test]
    fn a_message_is_aligned_as_its_type_asks() {
        #[repr(align(128))]
        #[derive(Clone)]
        struct Wide(u8);
        let first = LeanArc::new(Wide(7));
        assert!((&raw const *first).is_aligned() && first.0 == 7);
        assert_eq!(first.clone().unwrap_or_clone().0, 7);
        LeanArc::new(()).unwrap_or_clone();
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::thread;

    use super::*;
    use crate::loom_support::explore;

    #[test]
    fn loom_the_last_of_those_who_hold_a_message_drops_it() {
        explore(|| {
            let first = LeanArc::new(7);
            let threads = [0, 1].map(|_| {
                let held = first.clone();
                thread::spawn(move || {
                    let another = held.clone();
                    drop(held);
                    assert_eq!(*another, 7);
                })
            });
            assert_eq!(*first, 7);
            drop(first);
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    #[test]
    fn loom_of_those_who_take_a_message_the_last_has_it_itself() {
        explore(|| {
            let first = LeanArc::new(Box::new(7));
            let second = first.clone();
            let other = thread::spawn(move || assert_eq!(*second.unwrap_or_clone(), 7));
            assert_eq!(*first.unwrap_or_clone(), 7);
            other.join().unwrap();
        });
    }
}
