//! The lanes of an isolate: how they are made and found, and what waits in them.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;

use super::{DirectLane, IsolateCore};
use crate::TopicStats;
use crate::isolate::lane::{AnyLane, Lane, LanePlace, LaneWay, NoWay};
use crate::isolate::waits::SeatWait;

impl IsolateCore {
    /// The lane that carries payloads of type `M` straight to one seat, made by `make` on first use.
    pub(crate) fn direct<M: 'static>(
        &self,
        seat: u32,
        make: impl FnOnce(LanePlace) -> Lane<M>,
    ) -> Rc<Lane<M>> {
        let key = (seat, TypeId::of::<M>());
        let known = self.direct.borrow().get(&key).cloned().and_then(|lane| lane.downcast::<Lane<M>>().ok());
        known.unwrap_or_else(|| {
            let lane = self.add_lane(make);
            let direct = DirectLane { of: key.1, lane: Rc::clone(&lane) as Rc<dyn AnyLane> };
            self.inboxes.borrow_mut().entry(seat).or_default().push(direct);
            self.direct.borrow_mut().insert(key, Rc::clone(&lane) as Rc<dyn Any>);
            lane
        })
    }

    pub(in crate::isolate) fn add_lane<M: 'static>(
        &self,
        make: impl FnOnce(LanePlace) -> Lane<M>,
    ) -> Rc<Lane<M>> {
        let freed = self.seats.free_lanes.borrow_mut().pop();
        let index = freed.unwrap_or_else(|| self.lanes.borrow().len() as u32);
        let lane = Rc::new(make(LanePlace { index, changes: Rc::clone(&self.changes) }));
        lane.list_change();
        let (mut lanes, new) = (self.lanes.borrow_mut(), Some(Rc::clone(&lane) as Rc<dyn AnyLane>));
        match lanes.get_mut(index as usize) {
            Some(place) => *place = new,
            None => lanes.push(new),
        }
        drop(lanes);
        lane
    }

    /// The lane with this index.
    pub(super) fn lane(&self, lane: u32) -> Option<Rc<dyn AnyLane>> {
        self.lanes.borrow().get(lane as usize)?.clone()
    }

    /// Waits for room in the topic with this `TYPE_ID`, as the publisher in this seat.
    pub(in crate::isolate) fn wait_for_topic(&self, type_id: u16, seat: u32, waker: &Waker) {
        match self.topics.lane(type_id) {
            Some(lane) => {
                self.wait_for_room(lane, seat, waker);
                self.note_wait(SeatWait::Topic(lane));
            }
            // Not refused by a topic that is not there.
            None => waker.wake_by_ref(),
        }
    }

    /// The name of what goes by a lane.
    pub(crate) fn lane_name(&self, lane: u32) -> &'static str {
        self.lane(lane).map_or("a message", |lane| lane.name())
    }

    /// Brings the ways of the lanes' messages to their receivers up to date.
    #[cold]
    pub(crate) fn renew_ways(&self, ways: &mut Vec<Box<dyn LaneWay>>) {
        // Dropped at the end: a receiver may go with its way, and its drop is the user's code.
        let mut before = Vec::new();
        for index in self.changes.take() {
            let way = self.lane(index).map_or_else(|| Box::new(NoWay) as Box<dyn LaneWay>, AnyLane::way);
            match ways.get_mut(index as usize) {
                Some(old) => before.push(std::mem::replace(old, way)),
                // A lane is listed when it is made, so they come in order.
                None => ways.push(way),
            }
        }
    }

    /// Who sent the messages in the queue of a lane, the oldest first.
    pub(crate) fn senders_to(&self, lane: u32) -> Vec<u32> {
        self.order.values().iter().filter(|event| event.lane == lane).map(|event| event.of).collect()
    }

    /// The counters of the topics.
    pub(crate) fn topics(&self) -> Vec<TopicStats> {
        let mut senders = BTreeMap::<u32, Vec<u32>>::new();
        for event in self.order.values() {
            senders.entry(event.lane).or_default().push(event.of);
        }
        let of = |lane: u32| senders.get(&lane).map_or(&[][..], Vec::as_slice);
        let lanes = self.lanes.borrow().clone();
        (0u32..).zip(lanes).filter_map(|(index, lane)| lane?.stats(of(index))).collect()
    }
}
