//! Dropping values where nobody is at hand whom a panic of their destructor would concern.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops what nobody will handle: a displaced message, one that a receiver leaves behind, a copy too many.
///
/// A destructor that panics has been reported by the panic hook, and is not let through: it would end a
/// publisher or a subscriber that has nothing to do with it, and keep the values behind it from being
/// dropped.
///
/// ```
/// struct Loud;
/// impl Drop for Loud {
///     fn drop(&mut self) {
///         panic!("for the panic hook alone");
///     }
/// }
/// mycelium_mailbox::discard(Loud);
/// ```
pub fn discard<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        caught(|| drop(value));
    }
}

/// Runs foreign code. No panic gets out, which the panic hook has reported.
pub(crate) fn caught(code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        let_go(payload);
    }
}

/// Drops the value that code has panicked with, whose destructor may panic as well. The next value is left
/// alone.
#[cold]
fn let_go(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
}

/// [`discard`], one by one.
pub(crate) fn discard_all<T>(values: impl IntoIterator<Item = T>) {
    if std::mem::needs_drop::<T>() {
        values.into_iter().for_each(discard);
    }
}
