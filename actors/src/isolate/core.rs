//! The part of an isolate that its actors reach from inside a handler: clock, queues, timers.
//!
//! Contexts and references hold it as [`Confined`], so they are `Send`, as the same types must be live, and cost no
//! lock or atomic here. One that strays to another thread finds no core and says so.
//!
//! No user code runs while anything in here is borrowed: messages and wakers are moved out before they are dropped.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use mycelium_mailbox::{Held, Line};

use super::apart::Apart;
use super::bounds::Bounds;
use super::feed::AnyFeed;
use super::handle::id_of;
use super::lane::{AnyLane, Changes, Lane, LanePlace, Way};
use super::names::Names;
use super::seat::AnySeat;
use super::signals::Signals;
use super::timers::{Due, Fire, Timers};
use super::topics::TopicIndex;
use super::tree::TreeRun;
use super::waits::Waits;
use super::wire::Transcript;
use super::{OUTSIDE, OnFailure, RunError};
use crate::wire::Table;
use crate::{Message, Probe, StopReason, TopicStats};

/// How many events may wait in one isolate before a publisher has to wait (events).
pub const QUEUE_CAPACITY: usize = 1_024;

/// The lane of an event that resumes a seat instead.
const RESUME: u32 = u32::MAX;

/// Queues, clock and timers of one isolate.
pub(crate) struct Core {
    pub(crate) seed: u64,
    pub(crate) now: Cell<i64>,
    pub(crate) bounds: Bounds,
    pub(crate) apart: Apart,
    pub(crate) waits: Waits,
    /// What waits, in order.
    order: Line<Event>,
    lanes: RefCell<Vec<Rc<dyn AnyLane>>>,
    changes: Rc<Changes>,
    pub(super) topics: TopicIndex,
    /// The messages of the isolate's contracts.
    pub(crate) table: RefCell<Table>,
    pub(super) transcript: Transcript,
    direct: RefCell<HashMap<(u32, TypeId), Rc<dyn Any>>>,
    seats: RefCell<Vec<Rc<dyn AnySeat>>>,
    timers: RefCell<Timers>,
    feeds: RefCell<Vec<Rc<dyn AnyFeed>>>,
    /// The actors whose batches end before the clock moves, in the order in which those began.
    batches: Line<u32>,
    /// No earlier than this, something else than feeds and events is to be done. It is exact when a feed begins to fire.
    other_work: Cell<i64>,
    /// When the next feed is due, and which.
    next_feed: Cell<Option<(i64, u32)>>,
    signals: Arc<Signals>,
    room: RefCell<Vec<Waker>>,
    /// How many events had been handled when those who wait for room were last woken; more make room. No such number:
    /// something else did.
    room_seen: Cell<u64>,
    failure: RefCell<Option<RunError>>,
    trees: RefCell<Vec<Rc<TreeRun>>>,
    /// A tree has come to where somebody waits for it: the run is to return.
    pub(crate) pause: Cell<bool>,
    /// Whose code was polled last: after a panic, whose it was.
    pub(crate) running: Cell<u32>,
    /// The service that went on last, since the bounds were looked at.
    pub(crate) went_on: Cell<u32>,
    /// Set by `Context::stop`; the seat whose code runs takes it.
    pub(crate) stop_asked: Cell<bool>,
    /// With it, if a link has asked.
    pub(crate) linked: RefCell<Option<StopReason>>,
    pub(super) closed: Cell<bool>,
    pub(crate) on_failure: Cell<OnFailure>,
    pub(crate) names: Names,
    pub(crate) probe: RefCell<Option<Arc<dyn Probe>>>,
    pub(crate) unheard: Cell<u64>,
    pub(crate) dead_letters: Cell<u64>,
    pub(crate) retried: Cell<u64>,
}

/// One entry of the order; the lane has the message.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) lane: u32,
    /// The sender, or the seat to resume.
    pub(crate) of: u32,
}

/// What the run loop does when nothing waits.
pub(crate) enum Idle {
    /// Something waits again.
    Event,
    /// The timer of this seat is due.
    Resume(u32),
    /// The batch of this seat ends.
    EndBatch(u32),
    /// These may go on.
    Wake(Vec<Waker>),
    /// Nothing is left to do by then.
    Done,
}

/// Why a message was not queued.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The isolate's queue or a `Block` subscriber is full: the publisher may wait.
    Full,
    /// A `Fail` subscriber is full: the publish fails.
    Fail,
    /// The run is over: it may go on in the next one.
    Over,
    /// The publisher's own subscription is the full one: it would wait for itself.
    OwnFull,
    /// Another message type has this `TYPE_ID`.
    Duplicate,
    /// The isolate has been dropped.
    Closed,
    /// The caller is on another thread than the isolate.
    WrongThread,
}

impl Core {
    pub(crate) fn new(seed: u64, now: i64) -> Self {
        let signals = Arc::<Signals>::default();
        Self {
            seed,
            now: Cell::new(now),
            bounds: Bounds::default(),
            apart: Apart::default(),
            waits: Waits::default(),
            order: Line::new(QUEUE_CAPACITY, Event { lane: RESUME, of: OUTSIDE }),
            lanes: RefCell::default(),
            changes: Rc::new(Changes::new(Arc::clone(&signals))),
            topics: TopicIndex::default(),
            table: RefCell::default(),
            transcript: Transcript::default(),
            direct: RefCell::default(),
            seats: RefCell::default(),
            timers: RefCell::default(),
            feeds: RefCell::default(),
            batches: Line::new(usize::MAX, OUTSIDE),
            other_work: Cell::new(i64::MIN),
            next_feed: Cell::new(None),
            signals,
            room: RefCell::default(),
            room_seen: Cell::new(0),
            failure: RefCell::default(),
            trees: RefCell::default(),
            pause: Cell::new(false),
            running: Cell::new(OUTSIDE),
            went_on: Cell::new(OUTSIDE),
            stop_asked: Cell::new(false),
            linked: RefCell::default(),
            closed: Cell::new(false),
            on_failure: Cell::default(),
            names: Names::default(),
            probe: RefCell::default(),
            unheard: Cell::new(0),
            dead_letters: Cell::new(0),
            retried: Cell::new(0),
        }
    }

    /// Queues the message for the subscribers of its topic; it stays in `message` if it is refused.
    #[inline(always)]
    pub(crate) fn publish<M: Message>(
        &self,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        match self.topics.at_home::<Lane<M>>(M::TYPE_ID) {
            Some((topic, lane)) => self.publish_to(topic, lane, sender, message),
            None => self.publish_abroad(M::TYPE_ID, sender, message),
        }
    }

    /// The same for the topic with this `TYPE_ID`, wherever it lies.
    #[inline(never)]
    pub(crate) fn publish_abroad<M: 'static>(
        &self,
        type_id: u16,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        let Some(topic) = self.topics.find(type_id) else { return self.nobody_listens(sender, message) };
        let Some(topic) = topic.get::<Lane<M>>() else { return Err(Refusal::Duplicate) };
        self.publish_to(topic, topic.index(), sender, message)
    }

    /// Queues the message for the subscribers of `topic`, the lane `index`; see [`Core::publish`].
    #[inline(always)]
    fn publish_to<M: 'static>(
        &self,
        topic: &Lane<M>,
        index: u32,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        if !topic.is_open() {
            return self.publish_refused(topic, sender, message);
        }
        if message.is_held() {
            if !self.order.try_push(Event { lane: index, of: sender }) {
                return Err(Refusal::Full);
            }
            topic.write_from(message);
        }
        Ok(())
    }

    #[cold]
    fn publish_refused<M: 'static>(
        &self,
        topic: &Lane<M>,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        if topic.heard() { Err(topic.refusal(sender)) } else { self.nobody_listens(sender, message) }
    }

    #[cold]
    fn nobody_listens<M>(&self, sender: u32, message: &mut Held<M, impl Sized>) -> Result<(), Refusal> {
        if self.closed.get() {
            return Err(Refusal::Closed);
        }
        // Nothing else would bound a loop that does only this.
        if sender != OUTSIDE && self.take_step().is_err() {
            return Err(Refusal::Over);
        }
        self.unheard.set(self.unheard.get() + 1);
        super::let_go(message.take());
        Ok(())
    }

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
            self.direct.borrow_mut().insert(key, Rc::clone(&lane) as Rc<dyn Any>);
            lane
        })
    }

    pub(super) fn add_lane<M: 'static>(&self, make: impl FnOnce(LanePlace) -> Lane<M>) -> Rc<Lane<M>> {
        let index = self.lanes.borrow().len() as u32;
        let lane = Rc::new(make(LanePlace { index, changes: Rc::clone(&self.changes) }));
        lane.list_change();
        self.lanes.borrow_mut().push(Rc::clone(&lane) as Rc<dyn AnyLane>);
        lane
    }

    /// Puts one event of `lane` at the end of the order.
    pub(crate) fn enqueue(&self, lane: u32) {
        self.order.push(Event { lane, of: OUTSIDE });
    }

    /// Resumes `seat` after everything that is queued now.
    pub(crate) fn enqueue_resume(&self, seat: u32) {
        self.order.push(Event { lane: RESUME, of: seat });
    }

    /// Whether a sender should wait until the queue has drained.
    pub(crate) fn is_full(&self) -> bool {
        self.order.is_full()
    }

    /// Wakes `waker` when publishers may try again.
    pub(crate) fn wait_for_room(&self, waker: &Waker) {
        self.other_work.set(i64::MIN);
        let mut room = self.room.borrow_mut();
        // One that is polled again while it waits has its place.
        if !room.iter().any(|other| other.will_wake(waker)) {
            room.push(waker.clone());
        }
    }

    /// Something that waited was handled or dropped.
    pub(crate) fn made_room(&self) {
        self.room_seen.set(u64::MAX);
    }

    /// A batch of this seat ends when nothing waits at this moment.
    pub(crate) fn open_batch(&self, seat: u32) {
        self.other_work.set(i64::MIN);
        self.batches.push(seat);
    }

    pub(crate) fn set_timer(&self, at: i64, due: Due) -> u64 {
        self.other_work.set(self.other_work.get().min(at));
        self.timers.borrow_mut().set(at, due)
    }

    pub(crate) fn cancel_timer(&self, timer: u64) {
        self.timers.borrow_mut().cancel(timer);
    }

    /// The next event.
    #[inline]
    pub(crate) fn next(&self) -> Option<Event> {
        self.order.pop()
    }

    /// Puts the event that was just taken back to the front.
    pub(crate) fn put_back(&self, event: Event) {
        self.order.put_back(event);
    }

    /// Finds what the run loop does when nothing waits.
    #[inline]
    pub(crate) fn idle(&self, until: i64) -> Idle {
        let events = self.bounds.events();
        if !self.room.borrow().is_empty() && self.room_seen.replace(events) != events {
            return Idle::Wake(self.room.take());
        }
        // A batch ends before the clock moves, and after all that is due now.
        let until = if self.batches.is_empty() { until } else { until.min(self.now.get()) };
        let feed = self.next_feed.get().filter(|(at, _)| *at <= until);
        let limit = feed.map_or(until, |(at, _)| at);
        let ended = |fire: &Fire| self.seat(fire.seat).is_none_or(|seat| seat.has_outlived(fire.life));
        let due = self.timers.borrow_mut().take(limit, ended);
        let Some((at, due)) = due else {
            let Some((at, feed)) = feed else { return self.batches.pop().map_or(Idle::Done, Idle::EndBatch) };
            self.now.set(self.now.get().max(at));
            return self.fire_feed(feed, until);
        };
        self.now.set(self.now.get().max(at));
        match due {
            Due::Resume(seat) => Idle::Resume(seat),
            Due::Wake(waker) => Idle::Wake(vec![waker]),
            Due::Fire(fire) => {
                (fire.queue)(self);
                Idle::Event
            }
        }
    }

    /// Whether one more event may be handled, and it would be the next.
    #[inline(always)]
    pub(crate) fn may_hand_out(&self) -> bool {
        self.order.is_empty() && self.bounds.has_step()
    }

    /// The name of what goes by a lane.
    pub(crate) fn lane_name(&self, lane: u32) -> &'static str {
        self.lanes.borrow().get(lane as usize).map_or("a message", |lane| lane.name())
    }

    /// How many messages came from replays that come to an end.
    pub(crate) fn replayed(&self) -> u64 {
        self.feeds.borrow().iter().map(|feed| feed.input()).sum()
    }

    /// Whether nothing is to do before an event at `at`.
    #[inline(always)]
    pub(crate) fn is_quiet_until(&self, at: i64) -> bool {
        self.may_hand_out() && !self.signals.any() && at < self.other_work.get()
    }

    /// Lets a feed publish what is due.
    fn fire_feed(&self, index: u32, until: i64) -> Idle {
        let feeds = self.feeds.borrow();
        let Some(feed) = feeds.get(index as usize).cloned() else { return Idle::Event };
        // The others' turn comes with their time at the latest.
        let others = feeds.iter().enumerate().filter(|(other, _)| *other != index as usize);
        let first = others.filter_map(|(_, other)| other.at()).min();
        let limit = first.map_or(until, |at| until.min(at.saturating_sub(1)));
        drop(feeds);
        let waits_for_room = !self.room.borrow().is_empty();
        self.other_work.set(if waits_for_room { i64::MIN } else { self.timers.borrow().first() });
        match feed.fire(self, limit) {
            Some(at) if first.is_none() => self.next_feed.set(Some((at, index))),
            Some(_) => self.look_at_feeds(),
            // It is over, or waits for room: its service decides.
            None => {
                self.look_at_feeds();
                return Idle::Resume(feed.seat());
            }
        }
        Idle::Event
    }

    /// Adds a feed; see [`super::feed`].
    pub(crate) fn add_feed(&self, feed: Rc<dyn AnyFeed>) {
        self.feeds.borrow_mut().push(feed);
        self.look_at_feeds();
    }

    /// Removes a feed.
    pub(crate) fn remove_feed(&self, feed: &impl AnyFeed) {
        let gone =
            self.feeds.borrow_mut().extract_if(.., |other| std::ptr::addr_eq(Rc::as_ptr(other), feed)).next();
        self.look_at_feeds();
        drop(gone);
    }

    /// Finds the feed that is due first; of two with one time, the one that was added first.
    #[inline]
    pub(crate) fn look_at_feeds(&self) {
        let feeds = self.feeds.borrow();
        let due = (0u32..).zip(feeds.iter()).filter_map(|(index, feed)| Some((feed.at()?, index)));
        self.next_feed.set(due.min());
    }

    /// The next free seat and the waker that resumes it.
    pub(crate) fn next_seat(&self) -> (u32, Waker) {
        let seat = self.seats.borrow().len() as u32;
        (seat, self.signals.waker(seat))
    }

    /// Takes a seat; it is resumed for the first time after everything that is queued now.
    pub(crate) fn add_seat(&self, seat: Rc<dyn AnySeat>) {
        self.enqueue_resume(self.seats.borrow().len() as u32);
        self.add_quiet_seat(seat);
    }

    /// Takes a seat that whoever takes it resumes.
    pub(crate) fn add_quiet_seat(&self, seat: Rc<dyn AnySeat>) {
        self.seats.borrow_mut().push(seat);
    }

    #[inline]
    pub(crate) fn seat(&self, seat: u32) -> Option<Rc<dyn AnySeat>> {
        self.seats.borrow().get(seat as usize).cloned()
    }

    pub(crate) fn seats(&self) -> Vec<Rc<dyn AnySeat>> {
        self.seats.borrow().clone()
    }

    /// Brings the ways of the lanes' messages to their receivers up to date.
    #[cold]
    pub(crate) fn renew_ways(&self, ways: &mut Vec<Box<dyn Way>>) {
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
        let mut senders = HashMap::<u32, Vec<u32>>::new();
        for event in self.order.values() {
            senders.entry(event.lane).or_default().push(event.of);
        }
        let of = |lane: u32| senders.get(&lane).map_or(&[][..], Vec::as_slice);
        (0u32..).zip(self.lanes()).filter_map(|(index, lane)| lane.stats(of(index))).collect()
    }

    pub(crate) fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    /// Notes that `seat` has ended, with `waiting` messages before it.
    pub(crate) fn seat_ended(&self, seat: u32, waiting: u64) {
        self.dead_letters.set(self.dead_letters.get() + waiting);
        self.made_room();
        for lane in self.changes.take_lanes_of(seat) {
            let lane = self.lanes.borrow().get(lane as usize).cloned();
            lane.into_iter().for_each(|lane| lane.remove(seat, self));
        }
    }

    /// Notes that an actor or service which no tree looks after has ended.
    pub(crate) fn left_alone(&self, actor: &'static str, seat: u32, reason: StopReason, waiting: u64) {
        self.seat_ended(seat, waiting);
        // Who was killed was meant to be.
        let stops = self.on_failure.get() == OnFailure::StopRun;
        if stops && reason.is_abnormal() && reason != StopReason::Killed {
            self.fail(RunError::ActorFailed { actor, id: id_of(seat), reason, at: self.moment() });
        }
    }

    /// Hands the last message to those who have not got it yet because an actor has panicked over it.
    pub(crate) fn finish_delivery(&self) {
        let lane =
            self.changes.take_unfinished().and_then(|lane| self.lanes.borrow().get(lane as usize).cloned());
        lane.iter().for_each(|lane| lane.deliver_rest());
    }

    /// Ends the run, unless something else has before.
    pub(crate) fn fail(&self, failure: RunError) {
        if self.failure.borrow().is_none() {
            *self.failure.borrow_mut() = Some(failure);
            self.signals.halt();
        }
    }

    /// What ended the run.
    pub(crate) fn first_failure(&self) -> Option<RunError> {
        self.failure.borrow().clone()
    }

    pub(crate) fn add_tree(&self, tree: Rc<TreeRun>) {
        self.trees.borrow_mut().push(Rc::clone(&tree));
        self.add_feed(tree);
    }

    pub(crate) fn trees(&self) -> Vec<Rc<TreeRun>> {
        self.trees.borrow().clone()
    }

    /// Lets the supervisors deal with what was reported to them; those that have ended are forgotten.
    #[cold]
    pub(crate) fn tend_trees(&self) {
        for tree in self.trees() {
            tree.tend(self);
        }
        let ended: Vec<_> = self.trees.borrow_mut().extract_if(.., |tree| tree.has_ended()).collect();
        for tree in ended {
            self.remove_feed(&*tree);
        }
    }

    /// Whether a tree is to be tended.
    pub(crate) fn has_trees(&self) -> bool {
        !self.trees.borrow().is_empty()
    }

    /// Drops everything that may refer to an actor, at the isolate's end.
    ///
    /// # Panics
    /// When code of an actor or message does, once all the rest is dropped, unless the thread unwinds already.
    pub(crate) fn dismantle(&self) {
        self.closed.set(true);
        let mut first = Ok(());
        let mut end = |part: &dyn Fn()| {
            let ended = catch_unwind(AssertUnwindSafe(part));
            first = std::mem::replace(&mut first, Ok(())).and(ended);
        };
        end(&|| drop(self.timers.take()));
        self.next_feed.set(None);
        end(&|| drop(self.feeds.take()));
        end(&|| drop(self.room.take()));
        end(&|| drop(self.direct.take()));
        for tree in self.trees.take() {
            end(&|| tree.clear());
        }
        let (lanes, seats) = (self.lanes.take(), self.seats.take());
        for lane in lanes {
            end(&|| lane.clear());
        }
        for seat in seats {
            end(&|| seat.clear());
        }
        if let Err(panic) = first
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_room_waits_once_however_often_it_is_polled() {
        let core = Core::new(0, 0);
        let ((_, one), (_, other)) = (core.next_seat(), core.next_seat());
        for _ in 0..10 {
            core.wait_for_room(&one);
            core.wait_for_room(&other);
        }
        assert_eq!(core.room.borrow().len(), 2);
    }
}
