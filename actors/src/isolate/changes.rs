//! What the lanes of an isolate tell its run loop: whose receivers have changed, and who receives from which.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::signals::LoopSignals;

/// The lanes whose ways the run loop has to look for anew, each once.
pub(crate) struct LaneChanges {
    /// Raised for each, so that the run loop looks at one mark for this and all else.
    signals: Arc<LoopSignals>,
    lanes: RefCell<Vec<u32>>,
    /// The lane whose last message some receivers have not got yet, because one before them has panicked.
    unfinished: Cell<Option<u32>>,
    /// Seats and the topics' lanes that they receive from, or did.
    of_seats: RefCell<BTreeSet<(u32, u32)>>,
}

impl LaneChanges {
    pub(crate) fn new(signals: Arc<LoopSignals>) -> Self {
        let (lanes, unfinished, of_seats) = Default::default();
        Self { signals, lanes, unfinished, of_seats }
    }

    /// The receivers of this lane have changed. Once until it is [taken](Self::take).
    pub(crate) fn list(&self, lane: u32) {
        self.lanes.borrow_mut().push(lane);
        self.signals.raise();
    }

    pub(crate) fn take(&self) -> Vec<u32> {
        self.lanes.take()
    }

    /// Some receivers of this lane have not got its last message.
    pub(crate) fn leave_unfinished(&self, lane: u32) {
        self.unfinished.set(Some(lane));
    }

    pub(crate) fn take_unfinished(&self) -> Option<u32> {
        self.unfinished.take()
    }

    /// A seat receives from a topic's lane.
    pub(crate) fn join(&self, seat: u32, lane: u32) {
        self.of_seats.borrow_mut().insert((seat, lane));
    }

    /// The topics' lanes that a seat may receive from, which are forgotten: it has ended.
    pub(crate) fn take_lanes_of(&self, seat: u32) -> Vec<u32> {
        let mut of_seats = self.of_seats.borrow_mut();
        let lanes: Vec<_> = of_seats.range((seat, 0)..=(seat, u32::MAX)).map(|(_, lane)| *lane).collect();
        lanes.iter().for_each(|lane| _ = of_seats.remove(&(seat, *lane)));
        lanes
    }
}
