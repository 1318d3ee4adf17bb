//! Subscribing and leaving: a few instructions inside the topic's lock, whatever the number of subscribers.
//!
//! # Protocol
//! `parties` is locked by whoever comes, leaves or looks, and before the topic's lock. Only its holder makes,
//! replaces or drops a ring, and adds or removes subscribers. A subscriber knows its index in each list, so
//! that leaving searches none of them: the last of a list takes the free place and is told.
//!
//! `limit` need not be exact, but never above the smallest cursor plus capacity: who comes lowers it to its
//! own, who leaves lets it be, and a publish that reaches it reads the cursors anew.

use super::SUBSCRIBERS_MAX;
use super::core::{Core, Crowd, Producer};
use super::cursor::Cursor;
use super::error::{Obstacle, SubscribeError};
use super::lane::{Lane, LaneReader};
use super::payload::Payload;
use super::provision::Keyed;
use super::retain::{Retained, to_entries};
use super::ring::{Ring, RingEntry};
use super::seat::SubscriberState;
use crate::backlog::Backlog;
use crate::policy::KeyFn;
use crate::sync::{Arc, lock};

/// One subscriber, for those who come, leave and look: no publish touches it.
pub(super) enum Party<V: Payload> {
    Gate(Arc<SubscriberState>),
    Lane(Arc<Lane<V>>),
}

impl<V: Payload> Party<V> {
    fn seat(&self) -> &Arc<SubscriberState> {
        match self {
            Self::Gate(seat) => seat,
            Self::Lane(lane) => &lane.seat,
        }
    }
}

/// All of them, in the order of their seats' places.
pub(super) struct Parties<V: Payload> {
    list: Vec<Party<V>>,
    /// How many of them are not apart.
    together: usize,
}

impl<V: Payload> Parties<V> {
    pub(super) fn new() -> Self {
        Self { list: Vec::new(), together: 0 }
    }

    fn push(&mut self, party: Party<V>) {
        self.together += usize::from(!party.seat().apart);
        self.list.push(party);
    }

    /// Whether it was the last one that is not apart.
    fn remove(&mut self, seat: &SubscriberState) -> bool {
        take_out(&mut self.list, seat.place() as usize, |_, _| {});
        self.together -= usize::from(!seat.apart);
        !seat.apart && self.together == 0
    }
}

impl<V: Payload> Core<V> {
    /// Who is subscribed, and how many messages wait for each.
    pub(crate) fn subscribers(&self) -> Vec<(Arc<SubscriberState>, u64)> {
        let waiting = |party: &Party<V>| match party {
            // The cursor first: it is never ahead of a tail that is read later.
            Party::Gate(seat) => {
                let position = seat.position();
                self.tail().saturating_sub(position)
            }
            Party::Lane(lane) => lane.waiting() as u64,
        };
        lock(&self.parties).list.iter().map(|party| (Arc::clone(party.seat()), waiting(party))).collect()
    }

    pub(crate) fn add_gate(
        core: &Arc<Self>,
        seat: SubscriberState,
        retained: bool,
    ) -> Result<Cursor<V>, SubscribeError> {
        let seat = Arc::new(seat);
        let mut parties = lock(&core.parties);
        core.check_room(parties.list.len())?;
        let fresh = core.ring_for(seat.capacity)?;
        let list = core.room_for_retained(retained);
        parties.push(Party::Gate(Arc::clone(&seat)));
        let mut section = core.lock();
        let tail = section.tail();
        seat.tell(tail, true);
        let producer = section.producer();
        if let Some(fresh) = fresh {
            producer.go_on_in(fresh, tail);
        }
        let Some(ring) = producer.ring.clone() else { unreachable!("`ring_for` has made one") };
        let limit = tail + seat.capacity;
        producer.limit = if producer.gates.is_empty() { limit } else { producer.limit.min(limit) };
        seat.set_rank(producer.gates.len());
        producer.gates.push(Arc::clone(&seat));
        producer.sleepers.enrol(&seat);
        core.listeners.come(Crowd::GATE);
        let list = core.list_retained(list, &seat);
        drop(section);
        drop(parties);
        core.tell_change();
        let mut cursor = Cursor::new(Arc::clone(core), seat, ring, tail);
        // From here on the cursor's drop leaves the topic: should a clone panic, or memory lack.
        let given = to_entries(list);
        let messages = given.len();
        cursor.begin_with(given)?;
        core.has_given(messages);
        Ok(cursor)
    }

    /// A ring with at least this many slots, unless the topic has one. It is allocated here, where no lock of
    /// publishers is held.
    fn ring_for(&self, capacity: u64) -> Result<Option<Arc<Ring<V>>>, SubscribeError> {
        let present = self.lock().producer().ring.as_ref().map(|ring| ring.capacity());
        if present.is_some_and(|present| present >= capacity) {
            return Ok(None);
        }
        let fresh = Ring::new(self.ring_capacity.max(capacity).next_power_of_two());
        fresh.map(|ring| Some(Arc::new(ring))).ok_or(SubscribeError::NoMemory)
    }

    /// The ring that holds `position`, or will; there is one as long as anybody reads rings.
    pub(super) fn ring_at(&self, position: u64) -> Option<Arc<Ring<V>>> {
        self.lock().producer().ring_at(position).cloned()
    }

    /// Lets go of the rings that nobody reads any more.
    pub(super) fn drop_outlived(&self) {
        // Each is twice as large as the one before, so they are few.
        while let Some(ring) = self.take_outlived() {
            drop(ring);
        }
    }

    fn take_outlived(&self) -> Option<Arc<Ring<V>>> {
        self.lock().producer().take_outlived()
    }

    /// Memory for the list of what is retained, if that is asked for: made where no lock of publishers is
    /// held.
    fn room_for_retained(&self, wanted: bool) -> Option<Vec<Arc<Retained<V>>>> {
        let retention = self.retention.as_ref().filter(|_| wanted)?;
        Some(Vec::with_capacity(retention.len()))
    }

    /// What this subscriber gets of what is retained. Inside the critical section in which it takes its
    /// place.
    fn list_retained(
        &self,
        list: Option<Vec<Arc<Retained<V>>>>,
        seat: &SubscriberState,
    ) -> Vec<Arc<Retained<V>>> {
        match (&self.retention, list) {
            (Some(retention), Some(list)) => retention.list(list, |sender| seat.skips(sender)),
            _ => Vec::new(),
        }
    }

    /// So many retained messages have come to a late subscriber.
    fn has_given(&self, messages: usize) {
        if let Some(retention) = &self.retention {
            retention.has_given(messages);
        }
    }

    pub(crate) fn add_lane(
        core: &Arc<Self>,
        seat: SubscriberState,
        backlog: Backlog<RingEntry<V>>,
        key: Option<KeyFn<V::Message>>,
        refuses: Option<Obstacle>,
        retained: bool,
    ) -> Result<LaneReader<V>, SubscribeError> {
        let seat = Arc::new(seat);
        let lane = Arc::new(Lane::new(seat, backlog, key, refuses));
        let mut parties = lock(&core.parties);
        core.check_room(parties.list.len())?;
        let list = core.room_for_retained(retained);
        parties.push(Party::Lane(Arc::clone(&lane)));
        let mut section = core.lock();
        let producer = section.producer();
        producer.lanes_ever += 1;
        lane.has_come(producer.lanes_ever);
        let (lanes, stale) = producer.lanes_like(&lane);
        lane.seat.set_rank(lanes.len());
        lanes.push(Arc::clone(&lane));
        producer.sleepers.enrol(&lane.seat);
        producer.refusing_lanes += usize::from(refuses.is_some());
        core.listeners.come(Crowd::LANE);
        let list = core.list_retained(list, &lane.seat);
        drop(section);
        drop(parties);
        drop(stale);
        core.tell_change_of(&lane.seat);
        let mut reader = LaneReader::new(Arc::clone(core), lane);
        // From here on the reader's drop leaves the topic: should a clone panic.
        let given = to_entries(list);
        core.has_given(given.len());
        reader.begin_with(given);
        Ok(reader)
    }

    fn check_room(&self, subscribers: usize) -> Result<(), SubscribeError> {
        if self.is_closed() {
            return Err(SubscribeError::Closed);
        }
        if subscribers >= SUBSCRIBERS_MAX { Err(SubscribeError::TooMany) } else { Ok(()) }
    }

    /// Frees a gate. `pass`, given the producers' side and the tail, passes what the subscriber leaves
    /// behind: how many messages that were. `None`: more have just come than it passes under the lock; then
    /// nothing is done, and the answer is `false`.
    pub(crate) fn remove_gate(
        &self,
        seat: &SubscriberState,
        pass: impl FnOnce(&Producer<V>, u64) -> Option<usize>,
    ) -> bool {
        let mut parties = lock(&self.parties);
        let mut section = self.lock();
        let tail = section.tail();
        let producer = section.producer();
        let Some(unread) = pass(producer, tail) else { return false };
        let emptied = parties.remove(seat);
        self.listeners.leave(Crowd::GATE, emptied);
        seat.leave_behind(unread);
        self.counters.add_unread(unread);
        producer.sleepers.strike(seat);
        take_out(&mut producer.gates, seat.rank(), |moved, rank| moved.set_rank(rank));
        let (mut last, mut older) = (None, Vec::new());
        if producer.gates.is_empty() {
            last = producer.ring.take();
            last.iter().for_each(|ring| ring.finish(tail));
            older = std::mem::take(&mut producer.older);
        }
        let outlived = !producer.older.is_empty();
        drop(section);
        drop(parties);
        drop((last, older));
        if outlived {
            self.drop_outlived();
        }
        // First, so that a producer that was woken sees who is there.
        self.tell_change();
        // The gate may have been the one that held producers back.
        self.waiters.wake_all();
        true
    }

    /// Takes a lane out: what waits there, for its subscriber to drop.
    pub(crate) fn remove_lane(&self, lane: &Lane<V>) -> Backlog<RingEntry<V>> {
        let mut parties = lock(&self.parties);
        let mut section = self.lock();
        let emptied = parties.remove(&lane.seat);
        self.listeners.leave(Crowd::LANE, emptied);
        lane.has_left();
        let producer = section.producer();
        producer.sleepers.strike(&lane.seat);
        let (lanes, stale) = producer.lanes_like(lane);
        take_out(lanes, lane.seat.rank(), |moved, rank| moved.seat.set_rank(rank));
        producer.refusing_lanes -= usize::from(lane.refuses.is_some());
        // SAFETY: the topic's lock is held.
        let rest = unsafe { lane.take_rest() };
        drop(section);
        drop(parties);
        drop(stale);
        self.tell_change_of(&lane.seat);
        // It may have been the one that held producers back.
        self.waiters.wake_all();
        rest
    }
}

impl<V: Payload> Producer<V> {
    pub(super) fn lane_count(&self) -> usize {
        self.lanes.len() + self.keyed.len()
    }

    /// The list of lanes that one which comes or leaves belongs in, and the copy that its change makes
    /// untrue: to be dropped where no lock is held, for key functions may go with it.
    fn lanes_like(&mut self, lane: &Lane<V>) -> (&mut Vec<Arc<Lane<V>>>, Option<Keyed<V>>) {
        if lane.has_key() { (&mut self.keyed, self.keyed_now.take()) } else { (&mut self.lanes, None) }
    }

    /// The lanes that conflate, if there are any.
    pub(super) fn keyed_now(&mut self) -> Option<Keyed<V>> {
        if self.keyed.is_empty() {
            return None;
        }
        let Self { keyed, keyed_now, .. } = self;
        Some(Arc::clone(keyed_now.get_or_insert_with(|| Arc::new(keyed.clone()))))
    }

    /// From position `tail` on, messages are written into `fresh`.
    fn go_on_in(&mut self, fresh: Arc<Ring<V>>, tail: u64) {
        fresh.start_at(tail);
        let old = self.ring.replace(fresh);
        if let Some(old) = old {
            old.finish(tail);
            self.older.push(old);
        }
    }

    /// The ring that holds `position`, or will.
    pub(super) fn ring_at(&self, position: u64) -> Option<&Arc<Ring<V>>> {
        self.older.iter().find(|ring| position < ring.end()).or(self.ring.as_ref())
    }

    /// Takes the oldest ring out if nobody reads there any more. A subscriber may need all that follow on the
    /// one that it holds; one that reads what was retained holds the first of those, too.
    fn take_outlived(&mut self) -> Option<Arc<Ring<V>>> {
        let outlived = self.older.first().is_some_and(|ring| Arc::strong_count(ring) == 1);
        outlived.then(|| self.older.remove(0))
    }
}

/// Takes the element at `at` out. The last one takes its place; `tell` says so to it.
fn take_out<T>(list: &mut Vec<T>, at: usize, tell: impl FnOnce(&T, usize)) {
    list.swap_remove(at);
    if let Some(moved) = list.get(at) {
        tell(moved, at);
    }
    give_back(list);
}

/// A list with no more room than this is left as it is (entries).
const KEEP_ENTRIES: usize = 256;

/// Gives memory back after a crowd has left: half of its room is free then. A list is moved once each time
/// that three quarters of it have gone, so leaving stays constant on average.
pub(super) fn give_back<T>(list: &mut Vec<T>) {
    if list.capacity() > KEEP_ENTRIES && list.len() <= list.capacity() / 4 {
        list.shrink_to(list.len() * 2);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::tests::steps;
    use crate::sync::{AtomicU64, Ordering};
    use crate::{Doorbell, Overflow, Source, Stamps, SubscribeOptions, Topic};
    use std::sync::Arc;

    #[test]
    fn a_list_gives_back_half_of_its_room_when_three_quarters_of_it_are_free() {
        let room_after = |room: usize, entries: usize| {
            let mut list = Vec::with_capacity(room);
            list.resize(entries, 0_u8);
            super::give_back(&mut list);
            list.capacity()
        };
        assert_eq!(room_after(1_024, 257), 1_024);
        assert_eq!(room_after(1_024, 256), 512, "as many may come again as there are");
        assert_eq!(room_after(1_024, 0), 0);
        assert_eq!((room_after(256, 0), room_after(257, 0)), (256, 0), "a short list is left as it is");
    }

    #[test]
    fn it_is_counted_how_often_the_last_subscriber_that_is_not_apart_has_left() {
        let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 8);
        let subscribe = |overflow, apart| {
            let options = SubscribeOptions { overflow, apart, ..SubscribeOptions::default() };
            topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
        };
        let changes = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&changes);
        topic.note_changes(Some(Arc::new(move || _ = count.fetch_add(1, Ordering::SeqCst))));
        let _apart = subscribe(Overflow::Block, true);
        for (round, overflow) in (1..).zip([Overflow::Block, Overflow::DropOldest]) {
            let (one, other) = (subscribe(overflow, false), subscribe(Overflow::Block, false));
            drop(subscribe(Overflow::DropNewest, true));
            drop(other);
            assert_eq!(topic.times_emptied(), round - 1);
            drop(one);
            assert_eq!(topic.times_emptied(), round);
            assert_eq!(changes.load(Ordering::SeqCst), 4 * round, "those who are apart are no change");
        }
    }

    /// How many seats are looked at, at most, for one subscriber to come, go to sleep or leave.
    const STEPS_MAX: u64 = 16;

    #[test]
    fn coming_and_leaving_take_the_same_few_steps_in_a_crowd_of_any_size() {
        let bell = Arc::new(Doorbell::new());
        for subscribers in [16, 4096] {
            let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 64);
            let subscribe = |at: usize| {
                let overflow = if at.is_multiple_of(3) { Overflow::DropOldest } else { Overflow::Block };
                let options = SubscribeOptions { overflow, ..SubscribeOptions::default() };
                let mut queue = topic.subscribe(Arc::clone(&bell), options).unwrap();
                if at.is_multiple_of(2) {
                    queue.arm();
                }
                queue
            };
            let before = steps();
            let mut all: Vec<_> = (0..subscribers).map(subscribe).collect();
            // First one in three, from the front, and as many come; then all, from both ends.
            let mut out: Vec<_> = all.iter_mut().step_by(3).collect();
            out.iter_mut().enumerate().for_each(|(at, queue)| **queue = subscribe(at));
            while !all.is_empty() {
                drop(all.swap_remove(0));
                drop(all.pop());
            }
            let (moves, taken) = (subscribers as u64 * 8 / 3, steps() - before);
            assert!(taken <= moves * STEPS_MAX, "{subscribers} subscribers: {taken} steps for {moves} moves");
            assert!(topic.subscribers().is_empty());
        }
    }
}
