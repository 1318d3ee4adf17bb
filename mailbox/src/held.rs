//! A message on its way into a queue.
//!
//! # Protocol
//! The message is initialised while `is_held`; every way out (`take` and the drop) clears that first.

use std::mem::{MaybeUninit, needs_drop};

/// A message that its queue takes out once it has room: an `Option` whose mark lies behind the message.
///
/// An `Option` is marked before its message is copied into it. As the mark might be written over the message's source,
/// compilers then copy through a third place.
///
/// ```
/// let mut held = mycelium_mailbox::Held::new(7);
/// assert!(held.is_held());
/// assert_eq!((held.take(), held.take()), (Some(7), None));
/// ```
#[repr(C)]
pub struct Held<M> {
    message: MaybeUninit<M>,
    is_held: bool,
}

impl<M> Held<M> {
    /// Holds the message.
    #[inline(always)]
    pub fn new(message: M) -> Self {
        Self { message: MaybeUninit::new(message), is_held: true }
    }

    /// Whether the message is still here.
    #[inline(always)]
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Takes the message out.
    #[inline(always)]
    pub fn take(&mut self) -> Option<M> {
        if !self.is_held {
            return None;
        }
        self.is_held = false;
        // SAFETY: it was held, and will not be read again, because it is not held any more.
        Some(unsafe { self.message.assume_init_read() })
    }
}

impl<M> Drop for Held<M> {
    #[inline(always)]
    fn drop(&mut self) {
        if needs_drop::<M>() && self.is_held {
            self.is_held = false;
            // SAFETY: it was held, and will not be reached again.
            unsafe { self.message.assume_init_drop() };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_message_is_dropped_once_wherever_it_ends() {
        let count = Rc::new(());
        drop(Held::new(Rc::clone(&count)));
        assert_eq!(Rc::strong_count(&count), 1);
        let mut held = Held::new(Rc::clone(&count));
        let taken = held.take();
        assert!(taken.is_some() && !held.is_held() && held.take().is_none());
        drop(held);
        assert_eq!(Rc::strong_count(&count), 2);
        drop(taken);
        assert_eq!(Rc::strong_count(&count), 1);
    }
}
