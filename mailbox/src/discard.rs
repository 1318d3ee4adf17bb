//! Dropping values where nobody is at hand whom a panic of their destructor would concern.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops what nobody will handle: a displaced message, one that a receiver leaves behind, a copy too many.
///
/// A destructor that panics has been reported by the panic hook, and is not let through: it would end a publisher or a subscriber
/// that has nothing to do with it, and keep the values behind it from being dropped.
pub(crate) fn discard<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        drop(catch_unwind(AssertUnwindSafe(|| drop(value))));
    }
}

/// [`discard`], one by one.
pub(crate) fn discard_all<T>(values: impl IntoIterator<Item = T>) {
    if std::mem::needs_drop::<T>() {
        values.into_iter().for_each(discard);
    }
}
