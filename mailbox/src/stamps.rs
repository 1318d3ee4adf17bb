//! The bus-wide order: one counter that numbers every message put in any queue of a bus.
//!
//! # Protocol
//! `next` is only ever incremented, by a producer that is alone in its queue (inside the queue's critical section).
//! Hence stamps rise strictly within each queue. Relaxed ordering is enough: the increments form one modification
//! order, and if the publication of A happens before that of B, coherence gives A the lower stamp.

use crate::sync::{AtomicU64, CachePadded, Ordering};

/// The counter that gives all queues of one bus a common order.
///
/// ```
/// use mycelium_mailbox::Stamps;
///
/// let stamps = Stamps::new();
/// assert!(stamps.take() < stamps.take());
/// ```
#[derive(Debug, Default)]
pub struct Stamps {
    next: CachePadded<AtomicU64>,
}

impl Stamps {
    /// A counter of its own: one for each bus.
    #[must_use]
    pub fn new() -> Self {
        Self { next: CachePadded(AtomicU64::new(0)) }
    }

    /// The next stamp. At one per nanosecond the counter lasts 584 years.
    #[inline]
    pub fn take(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// How many stamps were taken so far; a lower bound while producers run.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }
}
