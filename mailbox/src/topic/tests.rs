//! What tests of the topic count.

use std::cell::Cell;

thread_local!(static STEPS: Cell<u64> = const { Cell::new(0) });

/// A seat's place is looked at, or changes.
pub(super) fn count_step() {
    STEPS.set(STEPS.get() + 1);
}

/// How often this thread has looked at the place of a seat, or has changed it.
#[cfg(not(loom))]
pub(super) fn steps() -> u64 {
    STEPS.get()
}
