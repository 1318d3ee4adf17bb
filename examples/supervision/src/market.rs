//! What outlives the lives of the tree's children: the outside world, and the faults that the script puts
//! into it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The world around the tree.
#[derive(Default)]
pub(crate) struct Market {
    /// Whether there are prices.
    pub(crate) open: AtomicBool,
    /// The number of the latest price.
    latest: AtomicU64,
    /// Whether the strategy panics at its next price.
    pub(crate) strategy_panics: AtomicBool,
    /// The strategy waits for ever at its next price.
    pub(crate) strategy_hangs: AtomicBool,
    /// How many lives of the feed end with an error.
    pub(crate) feed_fails: AtomicU32,
    /// Whether a filler panics at its next order.
    pub(crate) filler_panics: AtomicBool,
}

impl Market {
    /// The number of the next price.
    pub(crate) fn next_number(&self) -> u64 {
        self.latest.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether this fault is due; it happens once.
    pub(crate) fn happens(fault: &AtomicBool) -> bool {
        fault.swap(false, Ordering::Relaxed)
    }

    /// Whether a life of the feed is to fail, which counts one down.
    pub(crate) fn feed_fails_now(&self) -> bool {
        let down = |left: u32| left.checked_sub(1);
        self.feed_fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, down).is_ok()
    }
}
