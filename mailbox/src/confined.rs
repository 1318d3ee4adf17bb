//! Values that belong to one thread, in handles that may travel.
//!
//! # Protocol
//! Each thread that ever makes a [`Confined`] has a number of its own, never reused. The handle stores the
//! number of the thread that made it and never changes it; the value is reached, cloned and dropped on that
//! thread alone. Elsewhere the handle is an opaque row of words. So no two threads ever touch the value, and
//! no ordering is needed. A handle that stores [`NOWHERE`], the number of no thread, has no value; every
//! other has one.
//!
//! While [`enter`] runs, its thread's `ENTERED` is the address of a value that somebody on this thread holds
//! a count of. A handle whose value has this address holds a count of that very value, so the value is there,
//! it is a `T`, and it belongs to this thread. Only addresses are compared before that: no handle's value is
//! looked at on a foreign thread.

use std::cell::Cell;
use std::fmt;
use std::mem::MaybeUninit;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);

/// What an empty handle stores. No thread has it, and none can ask for it: see [`this_thread`].
const NOWHERE: NonZeroU64 = NonZeroU64::MAX;

/// What `ENTERED` is while nothing was entered: no value lies there, and no handle stores it.
const NOTHING: NonNull<()> = NonNull::without_provenance(NonZeroUsize::MAX);

thread_local! {
    /// This thread's number; 0 until it is first asked for.
    static THREAD: Cell<u64> = const { Cell::new(0) };
    /// Where the value lies that was entered last.
    static ENTERED: Cell<NonNull<()>> = const { Cell::new(NOTHING) };
}

/// This thread's number, which no other thread of this process has, had or will have.
pub fn this_thread() -> NonZeroU64 {
    let number = THREAD.get();
    NonZeroU64::new(number).unwrap_or_else(|| {
        // Relaxed: only uniqueness counts. The counter cannot wrap: that takes 584 years at one thread a
        // nanosecond.
        let number = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
        THREAD.set(number);
        NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
    })
}

/// A value that only the thread which made it can reach, in a handle that any thread may hold.
///
/// The check costs one thread-local load and a comparison. A handle that is dropped on another thread leaks
/// its count of the value (it may not be touched there); one that is cloned on another thread gives an empty
/// handle.
///
/// ```
/// use mycelium_mailbox::Confined;
/// use std::rc::Rc;
///
/// let here = Confined::new(Rc::new(7));
/// assert_eq!(here.get(), Some(&7));
/// std::thread::scope(|threads| {
///     threads.spawn(|| assert!(here.get().is_none()));
/// });
/// ```
pub struct Confined<T> {
    thread: NonZeroU64,
    /// Where the value lies; null in an empty handle.
    at: *const T,
    /// Initialised unless `thread` is [`NOWHERE`].
    value: MaybeUninit<Rc<T>>,
}

// SAFETY: (1) every access to `value` (`get`, `clone`, `drop`) first compares `thread` with the current
// thread's number; (2) the numbers are unique over the life of the process, and `NOWHERE` is none of them;
// (3) `thread` is never changed; (4) `entered` reads `at`, which is never changed, and reaches a value that
// was entered on the current thread. So a handle that has moved to another thread gives no access to its
// value there.
unsafe impl<T> Send for Confined<T> {}
// SAFETY: as above: a shared handle gives access on the value's own thread alone.
unsafe impl<T> Sync for Confined<T> {}

impl<T> Confined<T> {
    /// Confines `value` to the current thread.
    pub fn new(value: Rc<T>) -> Self {
        Self { thread: this_thread(), at: Rc::as_ptr(&value), value: MaybeUninit::new(value) }
    }

    /// The value, if this is the thread that made it.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        Some(&**self.count()?)
    }

    /// The value, if it is the one that this thread has entered last: see [`enter`].
    ///
    /// It tells no more than [`get`](Self::get), but sooner. The value of `get` has to be read from the
    /// handle, so it waits for whatever led to the handle. This is read from the thread, and the handle
    /// only confirms it, which a processor guesses right beforehand. In a chain of events, each of which
    /// leads to the next, nothing has to wait then.
    #[inline(always)]
    pub fn entered(&self) -> Option<&T> {
        let entered = ENTERED.get();
        // Numbers and not pointers are compared: compilers may take either of two equal pointers.
        if entered.addr().get() != self.at.addr() {
            return None;
        }
        // SAFETY: (1) this handle is not empty, because `ENTERED` is never null, so its thread holds a count
        // of the value at `at` for it; (2) a count of a value at the same address was held on this thread
        // when it was entered, and still is: `enter` has not returned; so it is the same value, a `T`, and
        // this is its thread.
        Some(unsafe { entered.cast::<T>().as_ref() })
    }

    /// The value, if this is the thread that made it and the one which [`entered`](Self::entered) finds, or
    /// if nothing is entered.
    #[inline]
    pub fn here(&self) -> Option<&T> {
        self.entered().or_else(|| if ENTERED.get() == NOTHING { self.get() } else { None })
    }

    /// Whether it is this very value, on this thread.
    pub fn is(&self, value: &Rc<T>) -> bool {
        self.count().is_some_and(|own| Rc::ptr_eq(own, value))
    }

    #[inline]
    fn count(&self) -> Option<&Rc<T>> {
        if self.thread.get() != THREAD.get() {
            return None;
        }
        // SAFETY: `thread` is the number of a thread, so there is a value, and it is this one, so it may be
        // reached.
        Some(unsafe { self.value.assume_init_ref() })
    }
}

/// Calls `f`, during which [`Confined::entered`] finds `value`. Within it another value may be entered: that
/// one is found until the inner call returns.
///
/// ```
/// use mycelium_mailbox::{Confined, enter};
/// use std::rc::Rc;
///
/// let value = Rc::new(7);
/// let handle = Confined::new(Rc::clone(&value));
/// assert_eq!(enter(&value, || handle.entered().copied()), Some(7));
/// assert_eq!(handle.entered(), None);
/// ```
///
/// # Panics
/// When `f` does.
pub fn enter<T, R>(value: &Rc<T>, f: impl FnOnce() -> R) -> R {
    struct Leave(NonNull<()>);
    impl Drop for Leave {
        fn drop(&mut self) {
            ENTERED.set(self.0);
        }
    }
    // A value without a size has an address, but others may lie there too.
    let at = if size_of::<T>() == 0 { NOTHING } else { NonNull::from(&**value).cast() };
    let _leave = Leave(ENTERED.replace(at));
    f()
}

impl<T> Clone for Confined<T> {
    fn clone(&self) -> Self {
        match self.count() {
            Some(value) => Self { value: MaybeUninit::new(Rc::clone(value)), ..*self },
            None => Self { thread: NOWHERE, at: ptr::null(), value: MaybeUninit::uninit() },
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
    fn only_the_value_entered_last_is_found_and_only_on_its_thread() {
        let (outer, inner) = (Rc::new(1), Rc::new(2));
        let (to_outer, to_inner) = (Confined::new(Rc::clone(&outer)), Confined::new(Rc::clone(&inner)));
        let found = || (to_outer.entered().copied(), to_inner.entered().copied());
        let here = || (to_outer.here().copied(), to_inner.here().copied());
        assert_eq!(here(), (Some(1), Some(2)));
        assert_eq!((to_outer.is(&outer), to_outer.is(&inner)), (true, false));
        enter(&outer, || {
            assert_eq!((found(), here()), ((Some(1), None), (Some(1), None)));
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                enter(&inner, || {
                    assert_eq!(found(), (None, Some(2)));
                    panic!("boom");
                });
            }));
            assert!(unwound.is_err());
            assert_eq!(found(), (Some(1), None));
            assert!(std::thread::scope(|threads| threads
                .spawn(|| to_outer.entered().is_none())
                .join()
                .unwrap()));
        });
        assert_eq!(found(), (None, None));
        let empty = std::thread::scope(|threads| threads.spawn(|| to_outer.clone()).join().unwrap());
        assert!(empty.entered().is_none() && empty.get().is_none());
    }

    #[test]
    fn a_handle_made_elsewhere_is_empty_here_even_after_its_thread_ended() {
        let there = std::thread::spawn(|| Confined::new(Rc::new(5))).join().unwrap();
        assert!(there.get().is_none());
        assert!(std::thread::spawn(move || there.get().is_none()).join().unwrap());
    }
}
