//! Markers between the messages to an actor of an isolate, and how many messages wait for it.

use std::rc::Rc;

use super::Isolate;
use super::core::IsolateCore;
use super::gauge::Gauge;
use super::handle::{IsolateRef, Place, Room, direct_rule, push, seat_of};
use super::lane::Lane;
use super::seat::{ActorCell, AnySeat};
use super::sub::{MarkerStep, Repeats, Rule};
use crate::Actor;
use crate::life::{MARKER, Marker};

/// The way by which markers come. It takes them also when it is full.
fn marker_lane<A: Actor>(seat: &Rc<ActorCell<A>>) -> Rc<Lane<Marker>> {
    seat.core.direct(seat.index, |place| {
        let gauge = Gauge::own(MARKER, false);
        let rule = Rule { repeats: Repeats::Always, ..direct_rule(&gauge) };
        Lane::to_one(place, seat.way_in::<Marker, MarkerStep>(rule), gauge)
    })
}

impl<A: Actor> IsolateRef<A> {
    /// Queues a marker behind all that was sent before.
    pub(crate) fn mark(&self, marker: Marker) {
        let Some(core) = self.place.core() else { return };
        if let Some(seat) = self.seat(core) {
            push(core, &marker_lane(&seat), marker);
        }
    }

    /// Has the actor end when it has handled all that was sent before.
    pub(crate) fn stop_at_marker(&self) {
        let Some(core) = self.place.core() else { return };
        if self.seat(core).is_some() && core.stop_markers.borrow_mut().insert(self.place.seat()) {
            self.mark(Marker::Stop);
        }
    }

    /// How much the actor has to do.
    pub(crate) fn load(&self) -> usize {
        let Some(core) = self.place.core() else { return 0 };
        let handles = self.seat(core).is_some_and(|seat| seat.is_handling());
        self.inbox_len() + usize::from(handles)
    }

    /// Whether the actor's own code runs now.
    pub(crate) fn is_current(&self) -> bool {
        self.place.core().is_some_and(|core| self.runs_now(core))
    }

    /// The same on its isolate. Code of another actor that runs inside of its code, as where it ends a tree,
    /// is none of it.
    pub(super) fn runs_now(&self, core: &IsolateCore) -> bool {
        core.running.get() == self.place.seat()
            && seat_of::<A>(core, self.place.seat()).is_some_and(|seat| seat.is_running())
    }

    /// Waits for its turn in any of these lanes, which lead to this actor and others.
    pub(crate) async fn room_in(&self, lanes: Vec<u32>) {
        Room { place: &self.place, lanes }.await;
    }

    /// How many messages and queries wait for the actor that were sent to it alone.
    pub(crate) fn inbox_len(&self) -> usize {
        let Some(core) = self.place.core() else { return 0 };
        let inboxes = core.inboxes.borrow();
        let lanes = inboxes.get(&self.place.seat()).into_iter().flatten().map(|direct| &direct.lane);
        lanes.filter(|lane| !lane.is_own()).map(|lane| lane.waiting()).sum()
    }
}

impl Isolate {
    /// How many messages and queries wait for actors that were sent to them alone: for those that have ended
    /// too, until they are counted as dead letters.
    pub(crate) fn told_waiting(&self) -> u64 {
        let inboxes = self.core.inboxes.borrow();
        let lanes = inboxes.values().flatten().map(|direct| &direct.lane);
        lanes.filter(|lane| !lane.is_own()).map(|lane| lane.waiting() as u64).sum()
    }
}

impl Place {
    /// The actor that sits here has come to its [`Marker::Stop`].
    pub(crate) fn is_at_marker(&self) {
        if let Some(core) = self.core() {
            core.stop_markers.borrow_mut().remove(&self.seat());
        }
    }
}
