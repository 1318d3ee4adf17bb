//! References that users hold: as long as there is one, what its actor or service has left can be had.

use std::ops::Deref;

use super::{IsolateRef, Place};
use crate::Actor;

/// Whatever is in a place.
pub(crate) trait HasPlace {
    fn place(&self) -> &Place;
}

impl HasPlace for Place {
    fn place(&self) -> &Place {
        self
    }
}

impl<A: Actor> HasPlace for IsolateRef<A> {
    fn place(&self) -> &Place {
        &self.place
    }
}

/// A reference that its seat counts. One that ends on another thread than its isolate's is counted until the
/// isolate ends: its seat cannot be reached from there.
pub(crate) struct Tied<T: HasPlace>(T);

impl<T: HasPlace> Tied<T> {
    pub(crate) fn new(to: T) -> Self {
        if let Some(core) = to.place().core_from_anywhere() {
            core.tie(to.place().seat());
        }
        Self(to)
    }
}

impl<T: HasPlace> Deref for Tied<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: HasPlace + Clone> Clone for Tied<T> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<T: HasPlace> Drop for Tied<T> {
    fn drop(&mut self) {
        if let Some(core) = self.0.place().core_from_anywhere() {
            core.untie(self.0.place().seat());
        }
    }
}
