//! Dropping values where nobody is at hand whom a panic of their destructor would concern.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

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

/// Wakes whoever waits, for code that has nothing else to do with it.
///
/// The waker may be code of a stranger: of an executor or a combinator of the user's. One that panics has
/// been reported by the panic hook, and is not let through: it would end whoever answers, receives or makes
/// room, and leave those unwoken that wait behind it.
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Wake, Waker};
///
/// struct Loud;
/// impl Wake for Loud {
///     fn wake(self: Arc<Self>) {
///         panic!("for the panic hook alone");
///     }
/// }
/// mycelium_mailbox::wake(Waker::from(Arc::new(Loud)));
/// ```
#[inline]
pub fn wake(waker: Waker) {
    caught(|| waker.wake());
}

/// Runs foreign code. No panic gets out, which the panic hook has reported.
///
/// ```
/// mycelium_mailbox::caught(|| panic!("for the panic hook alone"));
/// ```
#[inline]
pub fn caught(code: impl FnOnce()) {
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
