//! The lanes of an isolate: how they are made and found, and what waits in them.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{DirectCount, IsolateCore};
use crate::TopicStats;
use crate::isolate::lane::{AnyLane, Lane, LanePlace, LaneWay};

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
            let counted = Rc::clone(&lane);
            let waiting: DirectCount = Box::new(move || counted.waiting());
            self.inboxes.borrow_mut().entry(seat).or_default().push(waiting);
            self.direct.borrow_mut().insert(key, Rc::clone(&lane) as Rc<dyn Any>);
            lane
        })
    }

    pub(in crate::isolate) fn add_lane<M: 'static>(
        &self,
        make: impl FnOnce(LanePlace) -> Lane<M>,
    ) -> Rc<Lane<M>> {
        let index = self.lanes.borrow().len() as u32;
        let lane = Rc::new(make(LanePlace { index, changes: Rc::clone(&self.changes) }));
        lane.list_change();
        self.lanes.borrow_mut().push(Rc::clone(&lane) as Rc<dyn AnyLane>);
        lane
    }

    /// The name of what goes by a lane.
    pub(crate) fn lane_name(&self, lane: u32) -> &'static str {
        self.lanes.borrow().get(lane as usize).map_or("a message", |lane| lane.name())
    }

    /// Brings the ways of the lanes' messages to their receivers up to date.
    #[cold]
    pub(crate) fn renew_ways(&self, ways: &mut Vec<Box<dyn LaneWay>>) {
        // Dropped at the end: a receiver may go with its way, and its drop is the user's code.
        let mut before = Vec::new();
        for index in self.changes.take() {
            let lane = self.lanes.borrow().get(index as usize).cloned();
            let Some(way) = lane.map(AnyLane::way) else { continue };
            match ways.get_mut(index as usize) {
                Some(old) => before.push(std::mem::replace(old, way)),
                // A lane is listed when it is made, so they come in order.
                None => ways.push(way),
            }
        }
    }

    pub(crate) fn lanes(&self) -> Vec<Rc<dyn AnyLane>> {
        self.lanes.borrow().clone()
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
        (0u32..).zip(self.lanes()).filter_map(|(index, lane)| lane.stats(of(index))).collect()
    }
}
