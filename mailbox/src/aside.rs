//! A value whose drop stays out of the code around it.

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, needs_drop};
use std::ops::{Deref, DerefMut};

use crate::discard::discard;

/// Drops its value in a function of its own.
///
/// For the rare variant of a value that is dropped often: what is left in place is small, so that it is
/// inlined. Where an `M` has no destructor, nothing unwinds out of the drop: a panic has been reported by the
/// panic hook. So `M` is what the value has of others, whose destructor may concern whoever drops it.
///
/// ```
/// let text = mycelium_mailbox::Aside::<_>::new(String::from("here"));
/// assert_eq!(text.len(), 4);
/// ```
pub struct Aside<T, M = T> {
    value: ManuallyDrop<T>,
    foreign: PhantomData<fn() -> M>,
}

impl<T, M> Aside<T, M> {
    /// Wraps the value.
    #[inline(always)]
    pub fn new(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), foreign: PhantomData }
    }
}

impl<T, M> Deref for Aside<T, M> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T, M> DerefMut for Aside<T, M> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T, M> Drop for Aside<T, M> {
    #[inline(always)]
    fn drop(&mut self) {
        #[inline(never)]
        fn drop_apart<T>(value: &mut ManuallyDrop<T>) {
            // SAFETY: called by the drop of its owner alone, which runs once and after which nothing reaches
            // it.
            unsafe { ManuallyDrop::drop(value) };
        }
        if const { needs_drop::<M>() } {
            drop_apart(&mut self.value);
        } else {
            drop_quietly(&mut self.value);
        }
    }
}

/// Drops a value in the ABI of C, out of which nothing unwinds: see the drop of a `Ticket` (`wait.rs`) for
/// what that saves.
#[cold]
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "no other language calls it")]
extern "C" fn drop_quietly<T>(value: &mut ManuallyDrop<T>) {
    // SAFETY: called by the drop of its owner alone, which runs once and after which nothing reaches it.
    discard(unsafe { ManuallyDrop::take(value) });
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use super::*;

    #[test]
    fn the_value_is_dropped_once() {
        let count = Rc::new(());
        let mut aside = Aside::<_>::new(Rc::clone(&count));
        assert_eq!(Rc::strong_count(&aside), 2);
        *aside = Rc::clone(&count);
        assert_eq!(Rc::strong_count(&count), 2);
        drop(aside);
        assert_eq!(Rc::strong_count(&count), 1);
    }

    struct Loud {
        _count: Rc<()>,
    }
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("for whoever drops it, or for the panic hook alone");
        }
    }

    #[test]
    fn a_panic_of_its_drop_ends_there_unless_others_have_a_destructor_in_it() {
        let count = Rc::new(());
        drop(Aside::<_, u64>::new(Loud { _count: Rc::clone(&count) }));
        assert_eq!(Rc::strong_count(&count), 1);
        let aside = Aside::<_>::new(Loud { _count: Rc::clone(&count) });
        assert!(catch_unwind(AssertUnwindSafe(|| drop(aside))).is_err());
        assert_eq!(Rc::strong_count(&count), 1);
    }
}
