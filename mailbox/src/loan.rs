//! A message of an isolate, in a handle that may travel.
//!
//! # Protocol
//! `shared` holds counts that belong to `thread` alone: they are touched (by `share` and the drop) only after
//! the current thread's number was compared with it. The message itself is read anywhere: it is `Sync`, it
//! stays where it is while a count of it is held, and this holds one until it is dropped, or for ever if that
//! happens elsewhere.

use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::ops::Deref;

use crate::{Shared, this_thread};

/// A [`Shared`] message that may be read and sent everywhere. One that is dropped on another thread than it
/// was made on leaks its count of the message, which is never dropped then.
///
/// ```
/// use mycelium_mailbox::{Loan, Shared};
///
/// let loan = Loan::new(Shared::of(String::from("here")));
/// std::thread::scope(|threads| {
///     threads.spawn(|| assert!(*loan == "here" && loan.share().is_none()));
/// });
/// assert_eq!(*loan.share().unwrap(), "here");
/// ```
pub struct Loan<M> {
    thread: NonZeroU64,
    shared: ManuallyDrop<Shared<M>>,
}

// SAFETY: as the protocol says: elsewhere the message is read, which is `Sync`, and nothing else touched.
unsafe impl<M: Sync> Send for Loan<M> {}
// SAFETY: as above; a shared handle gives the counts on their own thread alone.
unsafe impl<M: Sync> Sync for Loan<M> {}

impl<M> Loan<M> {
    /// A handle for a message of this thread.
    #[must_use]
    pub fn new(message: Shared<M>) -> Self {
        Self { thread: this_thread(), shared: ManuallyDrop::new(message) }
    }

    /// The message with another count, if this is its thread.
    #[must_use]
    pub fn share(&self) -> Option<Shared<M>> {
        (self.thread == this_thread()).then(|| Shared::clone(&self.shared))
    }
}

impl<M> Deref for Loan<M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        &self.shared
    }
}

impl<M> Drop for Loan<M> {
    fn drop(&mut self) {
        if self.thread == this_thread() {
            // SAFETY: `drop` runs once, and nothing else takes it out.
            unsafe { ManuallyDrop::drop(&mut self.shared) };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_loan_is_read_everywhere_and_its_counts_are_touched_at_home_alone() {
        let count = Arc::new(());
        let loan = Loan::new(Shared::of(Arc::clone(&count)));
        let kept = loan.share();
        let back = std::thread::spawn(move || {
            assert!(loan.share().is_none() && Arc::strong_count(&loan) == 2);
            loan
        });
        drop(back.join().unwrap());
        assert_eq!(Arc::strong_count(&count), 2, "another still reads it");
        drop(kept);
        assert_eq!(Arc::strong_count(&count), 1);
        let elsewhere = Loan::new(Shared::of(Arc::clone(&count)));
        std::thread::spawn(move || drop(elsewhere)).join().unwrap();
        assert_eq!(Arc::strong_count(&count), 2, "it leaks rather than be touched there");
    }
}
