//! What a topic knows of one subscriber.

use crate::Doorbell;
use crate::sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, CachePadded, Ordering, model_fence};

/// One subscriber's place in a topic, shared by the subscriber and the topic.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The position the subscriber reads next, as far as it told; it protects that slot and all after it. Written by the
    /// subscriber only. Unused by lanes.
    pub(crate) cursor: CachePadded<AtomicU64>,
    /// Whether the next publish must ring. Set by the subscriber, cleared by the producer that rings.
    pub(crate) armed: AtomicBool,
    pub(crate) doorbell: Arc<Doorbell>,
    pub(crate) id: u64,
    /// How far the ring's tail may run ahead of `cursor`; the bound of a lane.
    pub(crate) capacity: u64,
    /// Whether this is a gate of the ring, not a lane.
    pub(crate) gate: bool,
    /// Whether the subscriber gets its own messages.
    pub(crate) echo: bool,
    /// Name of the overflow policy.
    pub(crate) policy: &'static str,
}

impl Seat {
    /// Asks to be rung at the next publish. The caller looks at its queue once more afterwards.
    ///
    /// `sleepers` rises before `armed` is set, so it never reads lower than the number of armed seats.
    pub(crate) fn arm(&self, sleepers: &AtomicUsize) {
        sleepers.fetch_add(1, Ordering::SeqCst);
        if self.armed.swap(true, Ordering::SeqCst) {
            sleepers.fetch_sub(1, Ordering::SeqCst);
        }
        model_fence();
    }

    /// Undoes [`arm`](Self::arm). Whether the seat was armed.
    pub(crate) fn disarm(&self, sleepers: &AtomicUsize) -> bool {
        // A read-modify-write even where the flag is clear: a subscriber that arms later then sees what we published.
        let was = self.armed.swap(false, Ordering::SeqCst);
        if was {
            sleepers.fetch_sub(1, Ordering::SeqCst);
        }
        was
    }

    /// Whether this subscriber is not to get messages of `sender`.
    #[inline]
    pub(crate) fn skips(&self, sender: u64) -> bool {
        sender != 0 && sender == self.id && !self.echo
    }
}
