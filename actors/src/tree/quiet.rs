//! Values of users that a supervisor's task may be the last to hold.

use std::ops::Deref;

use mycelium_mailbox::discard;

/// Dropped anywhere, a panic of its destructor is for the panic hook alone.
#[derive(Clone)]
pub(crate) struct Quiet<T>(Option<T>);

impl<T> Quiet<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> Deref for Quiet<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let Some(value) = &self.0 else { unreachable!("it is there until its drop") };
        value
    }
}

impl<T> Drop for Quiet<T> {
    fn drop(&mut self) {
        discard(self.0.take());
    }
}
