//! What the lanes of an isolate tell its run loop: whose receivers have changed, who receives from which, and
//! where there may be room.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::OUTSIDE;
use super::room::RoomLines;
use super::signals::LoopSignals;

/// The lanes whose ways the run loop has to look for anew, each once.
pub(crate) struct LaneChanges {
    /// Raised for each, so that the run loop looks at one mark for this and all else.
    signals: Arc<LoopSignals>,
    lanes: RefCell<Vec<u32>>,
    /// The lane whose last message some receivers have not got yet, because one before them has panicked.
    unfinished: Cell<Option<u32>>,
    /// Seats, the topics' lanes that they receive from, and with which tickets.
    of_seats: RefCell<BTreeSet<(u32, u32, u64)>>,
    /// Those that wait for room.
    pub(super) room: RoomLines,
}

impl LaneChanges {
    pub(crate) fn new(signals: Arc<LoopSignals>) -> Self {
        let (lanes, unfinished, of_seats, room) = Default::default();
        Self { signals, lanes, unfinished, of_seats, room }
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

    /// A seat receives from a topic's lane, with this ticket.
    pub(crate) fn join(&self, seat: u32, lane: u32, ticket: u64) {
        // Code outside of all actors does not end.
        if seat != OUTSIDE {
            self.of_seats.borrow_mut().insert((seat, lane, ticket));
        }
    }

    /// It does so no more.
    pub(crate) fn leave(&self, seat: u32, lane: u32, ticket: u64) {
        self.of_seats.borrow_mut().remove(&(seat, lane, ticket));
    }

    /// The tickets with which a seat receives from a topic's lane.
    pub(crate) fn tickets_of(&self, seat: u32, lane: u32) -> Vec<u64> {
        let of_seats = self.of_seats.borrow();
        of_seats.range((seat, lane, 0)..=(seat, lane, u64::MAX)).map(|(_, _, ticket)| *ticket).collect()
    }

    /// The topics' lanes that a seat receives from, each with its tickets there, which are forgotten: it has
    /// ended.
    pub(crate) fn take_lanes_of(&self, seat: u32) -> Vec<(u32, Vec<u64>)> {
        let mut of_seats = self.of_seats.borrow_mut();
        let mut lanes: Vec<(u32, Vec<u64>)> = Vec::new();
        for (_, lane, ticket) in of_seats.range((seat, 0, 0)..=(seat, u32::MAX, u64::MAX)) {
            match lanes.last_mut() {
                Some((last, tickets)) if last == lane => tickets.push(*ticket),
                _ => lanes.push((*lane, vec![*ticket])),
            }
        }
        for (lane, tickets) in &lanes {
            tickets.iter().for_each(|ticket| _ = of_seats.remove(&(seat, *lane, *ticket)));
        }
        lanes
    }
}
