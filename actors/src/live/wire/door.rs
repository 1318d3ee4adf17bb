//! What a topic keeps for the bytes that enter it one by one: a clock, and memory for short values.

use mycelium_mailbox::{SHELVED_BYTES_MAX, Shelf, Spin, Ticks};
use mycelium_remote::frame::Header;

use crate::clock::LiveClock;
use crate::wire::WireValue;

/// The door of one topic. Its lock is held for the copy of a short value.
pub(in crate::live) struct ByteDoor(Spin<DoorState>);

#[derive(Default)]
struct DoorState {
    /// The clock, as far as it was asked.
    ticks: Ticks,
    shelf: Shelf<Header>,
    /// Whether a value was refused that may have taken its place on the shelf: the next one has memory of
    /// its own. So whoever tries again and again leaves no gaps between values that wait.
    refused: bool,
}

impl Default for ByteDoor {
    fn default() -> Self {
        Self(Spin::new(DoorState::default()))
    }
}

impl ByteDoor {
    /// The time, in nanoseconds.
    pub(super) fn now(&self, clock: LiveClock) -> i64 {
        clock.now_by(&mut self.0.lock().ticks)
    }

    /// A copy of a value, published now unless its header says when it was. `most`: how many of them the
    /// topic's ring holds, if that is the only place where they wait; else each has memory of its own, as one
    /// that stays where others are passed would keep those beside it.
    #[inline]
    pub(super) fn place(
        &self,
        clock: LiveClock,
        most: Option<usize>,
        mut header: Header,
        bytes: &[u8],
    ) -> WireValue {
        let mut inside = self.0.lock();
        if header.publish_ns == 0 {
            header.publish_ns = clock.now_by(&mut inside.ticks);
        }
        match most.filter(|_| bytes.len() <= SHELVED_BYTES_MAX) {
            Some(most) if !inside.refused => WireValue(inside.shelf.put(header, bytes, most)),
            _ => {
                inside.refused = false;
                drop(inside);
                WireValue::new(header, bytes)
            }
        }
    }

    /// The value that was placed last was refused, or waits.
    #[cold]
    pub(super) fn has_refused(&self) {
        self.0.lock().refused = true;
    }
}
