//! A value whose drop stays out of the code around it.

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// Drops its value in a function of its own.
///
/// For the rare variant of a value that is dropped often: what is left in place is small, so that it is
/// inlined.
///
/// ```
/// let text = mycelium_mailbox::Aside::new(String::from("here"));
/// assert_eq!(text.len(), 4);
/// ```
pub struct Aside<T>(ManuallyDrop<T>);

impl<T> Aside<T> {
    /// Wraps the value.
    #[inline(always)]
    pub fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

impl<T> Deref for Aside<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Aside<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for Aside<T> {
    #[inline(always)]
    fn drop(&mut self) {
        #[inline(never)]
        fn drop_apart<T>(value: &mut ManuallyDrop<T>) {
            // SAFETY: called by the drop of its owner alone, which runs once and after which nothing reaches
            // it.
            unsafe { ManuallyDrop::drop(value) };
        }
        drop_apart(&mut self.0);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn the_value_is_dropped_once() {
        let count = Rc::new(());
        let mut aside = Aside::new(Rc::clone(&count));
        assert_eq!(Rc::strong_count(&aside), 2);
        *aside = Rc::clone(&count);
        assert_eq!(Rc::strong_count(&count), 2);
        drop(aside);
        assert_eq!(Rc::strong_count(&count), 1);
    }
}
