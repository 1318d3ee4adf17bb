//! Timers that can be called off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Calls a scheduled message off. Dropping it does not.
#[derive(Clone, Debug, Default)]
pub struct TimerHandle {
    cancelled: Arc<AtomicBool>,
}

impl TimerHandle {
    /// The message will not be delivered, unless it already has been or is being handled.
    pub fn cancel(&self) {
        // Relaxed: the flag guards no other data.
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
