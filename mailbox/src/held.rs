//! A message on its way into a queue.
//!
//! # Protocol
//! The message is initialised while `with` is something; every way out (`take`, `take_all`, that of
//! [`Present`] and the drop) clears that first. There is a [`Present`] only while `with` is something.

use std::mem::{MaybeUninit, needs_drop};

/// A message that its queue takes out once it has room, and with it whatever belongs to it until then.
///
/// It is an `Option` whose mark lies behind the message. The usual one is marked before its message is copied
/// into it: as the mark might be written over the message's source, compilers then copy through a third
/// place.
///
/// ```
/// let mut held = mycelium_mailbox::Held::new(7, "urgent");
/// assert_eq!(held.with(), Some(&"urgent"));
/// assert_eq!((held.take(), held.take()), (Some(7), None));
/// assert_eq!(held.with(), None);
/// ```
#[repr(C)]
pub struct Held<M, W = ()> {
    message: MaybeUninit<M>,
    with: Option<W>,
}

impl<M, W> Held<M, W> {
    /// Holds the message, and `with` as long as that is here.
    #[inline(always)]
    pub fn new(message: M, with: W) -> Self {
        Self { message: MaybeUninit::new(message), with: Some(with) }
    }

    /// Whether the message is still here.
    #[inline(always)]
    pub fn is_held(&self) -> bool {
        self.with.is_some()
    }

    /// What came with the message, if that is still here.
    #[inline(always)]
    pub fn with(&self) -> Option<&W> {
        self.with.as_ref()
    }

    /// Takes the message out.
    #[inline(always)]
    pub fn take(&mut self) -> Option<M> {
        Some(self.take_all()?.0)
    }

    /// The message, if it is still here, to be taken without another look.
    #[inline(always)]
    pub fn present(&mut self) -> Option<Present<'_, M, W>> {
        if self.is_held() { Some(Present(self)) } else { None }
    }

    /// Takes out the message and what came with it.
    #[inline(always)]
    pub fn take_all(&mut self) -> Option<(M, W)> {
        let with = self.with.take()?;
        // SAFETY: it was held, and will not be read again, because it is not held any more.
        Some((unsafe { self.message.assume_init_read() }, with))
    }
}

/// A message that was seen to be held; dropped, it still is.
///
/// ```
/// let mut held = mycelium_mailbox::Held::new(7, ());
/// assert_eq!(held.present().map(|message| message.take()), Some(7));
/// assert!(held.present().is_none());
/// ```
pub struct Present<'a, M, W = ()>(&'a mut Held<M, W>);

impl<M, W> Present<'_, M, W> {
    /// Takes the message out.
    #[inline(always)]
    pub fn take(self) -> M {
        self.0.with = None;
        // SAFETY: it was held when this was made, nobody else could reach it since, and it will not be read
        // again, because it is not held any more.
        unsafe { self.0.message.assume_init_read() }
    }
}

impl<M, W> Drop for Held<M, W> {
    #[inline(always)]
    fn drop(&mut self) {
        if needs_drop::<M>() && self.with.take().is_some() {
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
        drop(Held::new(Rc::clone(&count), ()));
        assert_eq!(Rc::strong_count(&count), 1);
        let mut held = Held::new(Rc::clone(&count), ());
        assert!(held.present().is_some() && held.is_held());
        let taken = held.present().map(Present::take);
        assert!(taken.is_some() && !held.is_held() && held.take().is_none() && held.present().is_none());
        drop(held);
        assert_eq!(Rc::strong_count(&count), 2);
        drop(taken);
        assert_eq!(Rc::strong_count(&count), 1);
    }
}
