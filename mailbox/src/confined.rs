//! Values that belong to one thread, in handles that may travel.
//!
//! # Protocol
//! Each thread that ever makes a [`Confined`] has a number of its own, never reused. The handle stores the number of
//! the thread that made it and never changes it; the value is reached, cloned and dropped on that thread alone.
//! Elsewhere the handle is an opaque pair of words. So no two threads ever touch the value, and no ordering is needed.
//! A handle that stores [`NOWHERE`], the number of no thread, has no value; every other has one.

use std::cell::Cell;
use std::fmt;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);

/// What an empty handle stores. No thread has it, and none can ask for it: see [`this_thread`].
const NOWHERE: NonZeroU64 = NonZeroU64::MAX;

thread_local! {
    /// This thread's number; 0 until it is first asked for.
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

/// This thread's number, which no other thread has or will have.
fn this_thread() -> NonZeroU64 {
    let number = THREAD.get();
    NonZeroU64::new(number).unwrap_or_else(|| {
        // Relaxed: only uniqueness counts. The counter cannot wrap: that takes 584 years at one thread a nanosecond.
        let number = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
        THREAD.set(number);
        NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
    })
}

/// A value that only the thread which made it can reach, in a handle that any thread may hold.
///
/// The check costs one thread-local load and a comparison. A handle that is dropped on another thread leaks its value
/// (it may not be touched there); one that is cloned on another thread gives an empty handle.
///
/// ```
/// use mycelium_mailbox::Confined;
/// use std::rc::Rc;
///
/// let here = Confined::new(Rc::new(7));
/// assert_eq!(here.get().map(|seven| **seven), Some(7));
/// std::thread::scope(|threads| {
///     threads.spawn(|| assert!(here.get().is_none()));
/// });
/// ```
pub struct Confined<T> {
    thread: NonZeroU64,
    /// Initialised unless `thread` is [`NOWHERE`].
    value: MaybeUninit<T>,
}

// SAFETY: (1) every access to `value` (`get`, `clone`, `drop`) first compares `thread` with the current thread's number;
// (2) the numbers are unique over the life of the process, and `NOWHERE` is none of them; (3) `thread` is never changed. So a handle that has moved to
// another thread gives no access to the value there.
unsafe impl<T> Send for Confined<T> {}
// SAFETY: as above: a shared handle gives access on the value's own thread alone.
unsafe impl<T> Sync for Confined<T> {}

impl<T> Confined<T> {
    /// Confines `value` to the current thread.
    pub fn new(value: T) -> Self {
        Self { thread: this_thread(), value: MaybeUninit::new(value) }
    }

    /// The value, if this is the thread that made it.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if self.thread.get() != THREAD.get() {
            return None;
        }
        // SAFETY: `thread` is the number of a thread, so there is a value, and it is this one, so it may be reached.
        Some(unsafe { self.value.assume_init_ref() })
    }
}

impl<T: Clone> Clone for Confined<T> {
    fn clone(&self) -> Self {
        match self.get() {
            Some(value) => Self { thread: self.thread, value: MaybeUninit::new(value.clone()) },
            None => Self { thread: NOWHERE, value: MaybeUninit::uninit() },
        }
    }
}

impl<T> Drop for Confined<T> {
    fn drop(&mut self) {
        if self.thread.get() == THREAD.get() {
            // SAFETY: this is the value's thread, so there is a value, and `drop` runs once.
            unsafe { self.value.assume_init_drop() };
        }
    }
}

impl<T> fmt::Debug for Confined<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Confined(thread {})", self.thread)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn the_value_stays_on_its_thread() {
        let count = Rc::new(());
        let here = Confined::new(Rc::clone(&count));
        let clone = here.clone();
        assert_eq!(Rc::strong_count(&count), 3);
        let back = std::thread::spawn(move || {
            assert!(clone.get().is_none());
            assert!(clone.clone().get().is_none());
            clone
        })
        .join()
        .unwrap();
        assert!(back.get().is_some());
        drop(back);
        assert_eq!(Rc::strong_count(&count), 2);
        std::thread::spawn(move || drop(here)).join().unwrap();
        assert_eq!(Rc::strong_count(&count), 2, "a value was dropped on a thread that is not its own");
    }

    #[test]
    fn a_handle_made_elsewhere_is_empty_here_even_after_its_thread_ended() {
        let there = std::thread::spawn(|| Confined::new(5)).join().unwrap();
        assert!(there.get().is_none());
        assert!(std::thread::spawn(move || there.get().is_none()).join().unwrap());
    }
}
