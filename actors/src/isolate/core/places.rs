//! The order in which everything in an isolate is published and sent, also what is no event: to a late
//! subscriber a retained message comes after what was sent before it, and before what was sent after it.

use super::IsolateCore;

/// A place in that order: behind so many events, and behind so much of what was published between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventPlace {
    events: usize,
    between: u64,
}

impl EventPlace {
    #[cfg(test)]
    pub(crate) const fn new(events: usize, between: u64) -> Self {
        Self { events, between }
    }
}

impl IsolateCore {
    /// That of a message that is retained now.
    pub(in crate::isolate) fn place_of_next(&self) -> EventPlace {
        let between = self.retained.get();
        self.retained.set(between + 1);
        EventPlace { events: self.order.put(), between }
    }

    /// That of the message that is handed out now.
    pub(in crate::isolate) fn place_in_hand(&self) -> EventPlace {
        let taken = self.order.taken();
        match self.fed_at.get() == taken {
            // It has come from a feed, when no event waited: it was published now.
            true => EventPlace { events: taken, between: self.retained.get() },
            false => EventPlace { events: taken.wrapping_sub(1), between: u64::MAX },
        }
    }

    /// Whether all events before this place were taken.
    pub(in crate::isolate) fn has_come_to(&self, place: EventPlace) -> bool {
        place.events <= self.order.taken()
    }
}
