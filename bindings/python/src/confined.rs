//! A value that belongs to the thread that has made it, in an object of Python, which any thread may hold.
//!
//! `get` gives it on that thread alone, and it is dropped there alone: an object that is dropped on another
//! thread leaks it. An isolate that was closed before has nothing left to leak.
#![allow(unsafe_code, reason = "what belongs to one thread is held by an object that others may drop")]

use std::mem::ManuallyDrop;
use std::thread::{self, ThreadId};

pub(crate) struct Confined<T> {
    thread: ThreadId,
    value: ManuallyDrop<T>,
}

// SAFETY: every access to `value` (`get`, `drop`) first compares `thread`, which is never changed, with the
// current thread; no two threads of a process have one id. So the value is never touched elsewhere.
unsafe impl<T> Send for Confined<T> {}
// SAFETY: as above: a shared reference gives access on the value's own thread alone.
unsafe impl<T> Sync for Confined<T> {}

impl<T> Confined<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { thread: thread::current().id(), value: ManuallyDrop::new(value) }
    }

    /// The value, on its own thread.
    pub(crate) fn get(&self) -> Option<&T> {
        (thread::current().id() == self.thread).then_some(&*self.value)
    }
}

impl<T> Drop for Confined<T> {
    fn drop(&mut self) {
        if thread::current().id() == self.thread {
            // SAFETY: this is the value's own thread, and nobody sees it after this.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
