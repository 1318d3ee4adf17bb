//! A waker in two atomic words, which may be read before it is known whose it is.

use std::ptr;
use std::task::{RawWakerVTable, Waker};

use crate::sync::{AtomicPtr, Ordering};

/// A place for one waker. It knows not whether there is one, and drops none.
pub(crate) struct WakerWords {
    data: AtomicPtr<()>,
    table: AtomicPtr<RawWakerVTable>,
}

/// What was read of a place.
#[derive(Clone, Copy)]
pub(crate) struct ReadWaker {
    data: *mut (),
    table: *mut RawWakerVTable,
}

impl WakerWords {
    /// A place without one.
    pub(crate) fn new() -> Self {
        Self { data: AtomicPtr::new(ptr::null_mut()), table: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Puts `waker` there. The place owns it from here on.
    #[inline]
    pub(crate) fn put(&self, waker: Waker) {
        let waker = std::mem::ManuallyDrop::new(waker);
        self.data.store(waker.data().cast_mut(), Ordering::Relaxed);
        self.table.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
    }

    /// What is there, whoever owns it.
    #[inline]
    pub(crate) fn read(&self) -> ReadWaker {
        ReadWaker { data: self.data.load(Ordering::Relaxed), table: self.table.load(Ordering::Relaxed) }
    }
}

impl ReadWaker {
    /// Whether it is a waker that is as good as this one.
    #[inline]
    pub(crate) fn is(self, waker: &Waker) -> bool {
        ptr::eq(self.data, waker.data()) && ptr::eq(self.table, waker.vtable())
    }

    /// The waker.
    ///
    /// # Safety
    /// Both words are of one waker that was [`put`](WakerWords::put) there, and the caller has it for itself
    /// from here on.
    #[inline]
    pub(crate) unsafe fn take(self) -> Waker {
        // SAFETY: `put` has made the pointer of a reference for ever.
        let table: &'static RawWakerVTable = unsafe { &*self.table };
        // SAFETY: both are of a waker that was not dropped, as the caller says.
        unsafe { Waker::new(self.data, table) }
    }
}
