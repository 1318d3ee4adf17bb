//! Counts what is allocated, by this thread and by all.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

static LIVE_OF_ALL: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, with counters per thread: tests that run beside each other do not disturb each
/// other.
pub(crate) struct Counting;

fn count(allocations: u64, bytes: i64) {
    LIVE_OF_ALL.fetch_add(bytes, Ordering::Relaxed);
    // A thread that ends may free after its counters are gone: nobody reads those.
    let _ = ALLOCATIONS.try_with(|counter| counter.set(counter.get() + allocations));
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every call is passed to the system's allocator unchanged; the counters are an atomic and
// constant-initialized thread locals without destructors, so counting never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, signed(layout.size()));
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, -signed(layout.size()));
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, signed(size) - signed(layout.size()));
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// How many allocations this thread has made; 0 once it has ended.
pub(crate) fn made_by_this_thread() -> u64 {
    ALLOCATIONS.try_with(Cell::get).unwrap_or(0)
}

/// How many allocations `run` makes on this thread.
pub(crate) fn allocations(run: impl FnOnce()) -> u64 {
    let before = made_by_this_thread();
    run();
    made_by_this_thread() - before
}

/// By how many bytes, at most, the heap grew on this thread while `run` ran.
pub(crate) fn peak_bytes(run: impl FnOnce()) -> i64 {
    let before = LIVE.get();
    PEAK.set(before);
    run();
    PEAK.get() - before
}

/// Bytes this thread has allocated and not freed.
pub(crate) fn live_bytes() -> i64 {
    LIVE.get()
}

/// Bytes that all threads have allocated and not freed.
pub(crate) fn live_bytes_of_all() -> i64 {
    LIVE_OF_ALL.load(Ordering::Relaxed)
}
