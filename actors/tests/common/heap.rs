//! Counts what is allocated.
#![allow(dead_code, unreachable_pub)] // Each program uses a part.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

/// The system's allocator, with counters.
pub struct Counting;

thread_local! {
    // One for each thread: on a busy machine the test harness's own thread may allocate while the test
    // counts.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static OWN_BYTES: Cell<i64> = const { Cell::new(0) };
}
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the calling thread has allocated.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Bytes that the calling thread has allocated, less those that it has freed.
pub fn own_bytes() -> i64 {
    OWN_BYTES.get()
}

/// Bytes that are allocated now, by all threads.
pub fn live_bytes() -> i64 {
    LIVE_BYTES.load(Ordering::Relaxed)
}

fn bytes(layout: Layout) -> i64 {
    i64::try_from(layout.size()).unwrap_or(i64::MAX)
}

// SAFETY: everything is passed on to the system's allocator; the counters touch no memory of the caller's,
// and have neither an initialiser nor a destructor that could allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        OWN_BYTES.set(OWN_BYTES.get() + bytes(layout));
        LIVE_BYTES.fetch_add(bytes(layout), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        OWN_BYTES.set(OWN_BYTES.get() - bytes(layout));
        LIVE_BYTES.fetch_sub(bytes(layout), Ordering::Relaxed);
        // SAFETY: `at` came from `alloc` above, hence from the system's allocator, with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}
