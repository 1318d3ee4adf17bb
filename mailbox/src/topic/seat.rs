//! What a topic knows of one subscriber.

use crate::Doorbell;
use crate::sync::{Arc, AtomicBool, AtomicU32, AtomicU64, CachePadded, Ordering};

/// One subscriber's place in a topic, shared by the subscriber and the topic.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The position the subscriber reads next, as far as it told; it protects that slot and all after it. Written by the
    /// subscriber only. Unused by lanes.
    pub(crate) cursor: CachePadded<AtomicU64>,
    /// Whether the next publish must ring. Owned by the holder of the topic's lock: the subscriber sets it when it goes to
    /// sleep, the producer that rings clears it.
    armed: AtomicBool,
    /// Where it is in the topic's roster. Owned by the holder of the topic's lock.
    place: AtomicU32,
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

/// What a [`Seat`] says of its subscriber.
pub(crate) struct Occupant {
    pub(crate) doorbell: Arc<Doorbell>,
    pub(crate) id: u64,
    pub(crate) capacity: u64,
    pub(crate) gate: bool,
    pub(crate) echo: bool,
    pub(crate) policy: &'static str,
}

impl Seat {
    pub(crate) fn new(occupant: Occupant) -> Self {
        let Occupant { doorbell, id, capacity, gate, echo, policy } = occupant;
        Self {
            cursor: CachePadded(AtomicU64::new(0)),
            armed: AtomicBool::new(false),
            place: AtomicU32::new(0),
            doorbell,
            id,
            capacity,
            gate,
            echo,
            policy,
        }
    }

    pub(crate) fn place(&self) -> u32 {
        self.place.load(Ordering::Relaxed)
    }

    pub(crate) fn set_place(&self, place: u32) {
        self.place.store(place, Ordering::Relaxed);
    }

    /// Sets or clears `armed` and returns what it was. Only inside the topic's lock, so no read-modify-write is needed.
    pub(crate) fn set_armed(&self, armed: bool) -> bool {
        let was = self.armed.load(Ordering::Relaxed);
        self.armed.store(armed, Ordering::Relaxed);
        was
    }

    /// Whether this subscriber is not to get messages of `sender`.
    #[inline]
    pub(crate) fn skips(&self, sender: u64) -> bool {
        sender != 0 && sender == self.skipped()
    }

    /// The sender whose messages this subscriber is not to get; 0 if there is none.
    #[inline]
    pub(crate) fn skipped(&self) -> u64 {
        if self.echo { 0 } else { self.id }
    }
}
