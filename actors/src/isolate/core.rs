//! The part of an isolate that its actors reach from inside a handler: clock, queues, timers.
//!
//! Contexts and references hold it as [`Confined`], so they are `Send`, as the same types must be live, and
//! cost no lock or atomic here. One that strays to another thread finds no core and says so.
//!
//! No user code runs while anything in here is borrowed: messages and wakers are moved out before they are
//! dropped.

mod ends;
mod feeds;
mod lanes;
mod places;
mod publish;
mod seats;
mod trees;

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use mycelium_mailbox::{Line, discard};

use super::apart::Apart;
use super::bounds::{Bounds, Over};
use super::changes::LaneChanges;
use super::lane::AnyLane;
use super::names::SeatNames;
use super::signals::LoopSignals;
use super::timers::{Due, Fire, IsolateTimers, Taken};
use super::topics::TopicIndex;
use super::tree::TreeRun;
use super::waits::WaitNotes;
use super::wire::Transcript;
use super::{OUTSIDE, OnFailure, RunError};
use crate::Probe;
use crate::dead_letters::Letters;
use crate::wire::Table;

pub(crate) use self::ends::Parts;
use self::feeds::FeedTable;
pub(crate) use self::places::EventPlace;
pub(crate) use self::publish::Refusal;
use self::seats::SeatTable;
pub(crate) use self::trees::TreeCalls;
use self::trees::TreeTable;

/// How many events may wait in one isolate before a publisher has to wait (events).
pub const QUEUE_CAPACITY: usize = 1_024;

/// The lane of an event that resumes a seat instead.
const RESUME: u32 = u32::MAX;

/// A lane for messages of one type to one actor.
pub(super) struct DirectLane {
    of: TypeId,
    pub(super) lane: Rc<dyn AnyLane>,
}

/// Queues, clock and timers of one isolate.
///
/// Ten thousand of them are made for one sweep, so what an ordinary run does not need is behind a pointer and
/// made when it is needed.
pub(crate) struct IsolateCore {
    pub(crate) seed: u64,
    pub(crate) now: Cell<i64>,
    pub(crate) bounds: Bounds,
    pub(crate) apart: Apart,
    pub(crate) waits: WaitNotes,
    /// What waits, in order.
    pub(super) order: Line<Event>,
    /// By their indices; `None`: it was freed.
    lanes: RefCell<Vec<Option<Rc<dyn AnyLane>>>>,
    changes: Rc<LaneChanges>,
    pub(super) topics: TopicIndex,
    /// The messages of the isolate's contracts.
    pub(crate) table: RefCell<Table>,
    pub(super) transcript: Transcript,
    direct: RefCell<BTreeMap<(u32, TypeId), Rc<dyn Any>>>,
    /// The direct lanes by the seats that they lead to.
    pub(super) inboxes: RefCell<BTreeMap<u32, Vec<DirectLane>>>,
    /// The seats that have a [`Marker::Stop`](crate::life::Marker::Stop) before them.
    pub(super) stop_markers: RefCell<BTreeSet<u32>>,
    seats: SeatTable,
    timers: RefCell<IsolateTimers>,
    feeds: FeedTable,
    /// The actors whose batches end before the clock moves, in the order in which those began.
    batches: Line<u32>,
    /// No earlier than this, something else than feeds and events is to be done. It is exact when a feed
    /// begins to fire.
    other_work: Cell<i64>,
    /// How many events had been taken when a feed began to fire.
    fed_at: Cell<usize>,
    /// How many messages came from replays that come to an end.
    pub(crate) replayed: Cell<u64>,
    /// How many messages were retained.
    retained: Cell<u64>,
    signals: Arc<LoopSignals>,
    failure: RefCell<Option<Box<RunError>>>,
    /// Made when there is the first.
    trees: OnceCell<Box<TreeTable<TreeRun>>>,
    /// Whose code was polled last: after a panic, whose it was.
    pub(crate) running: Cell<u32>,
    /// The service that went on last, since the bounds were looked at.
    pub(crate) went_on: Cell<u32>,
    pub(super) closed: Cell<bool>,
    pub(crate) on_failure: Cell<OnFailure>,
    pub(crate) names: SeatNames,
    pub(crate) probe: RefCell<Option<Arc<dyn Probe>>>,
    pub(crate) unheard: Cell<u64>,
    pub(crate) dead_letters: Cell<u64>,
    /// Made when there is the first.
    pub(super) letters: RefCell<Option<Box<Letters>>>,
    pub(crate) trees_made: Cell<u64>,
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
    /// This one may go on.
    Wake(Waker),
    /// Nothing is left to do by then.
    Done,
    /// The run is over.
    Over(Over),
}

impl IsolateCore {
    pub(crate) fn new(seed: u64, now: i64) -> Self {
        let signals = Arc::<LoopSignals>::default();
        Self {
            seed,
            now: Cell::new(now),
            bounds: Bounds::default(),
            apart: Apart::default(),
            waits: WaitNotes::default(),
            order: Line::new(QUEUE_CAPACITY, Event { lane: RESUME, of: OUTSIDE }),
            lanes: RefCell::default(),
            changes: Rc::new(LaneChanges::new(Arc::clone(&signals))),
            topics: TopicIndex::default(),
            table: RefCell::default(),
            transcript: Transcript::default(),
            direct: RefCell::default(),
            inboxes: RefCell::default(),
            stop_markers: RefCell::default(),
            seats: SeatTable::default(),
            timers: RefCell::default(),
            feeds: FeedTable::default(),
            batches: Line::new(usize::MAX, OUTSIDE),
            other_work: Cell::new(i64::MIN),
            fed_at: Cell::new(usize::MAX),
            replayed: Cell::new(0),
            retained: Cell::new(0),
            signals,
            failure: RefCell::default(),
            trees: OnceCell::new(),
            running: Cell::new(OUTSIDE),
            went_on: Cell::new(OUTSIDE),
            closed: Cell::new(false),
            on_failure: Cell::default(),
            names: SeatNames::default(),
            probe: RefCell::default(),
            unheard: Cell::new(0),
            dead_letters: Cell::new(0),
            letters: RefCell::default(),
            trees_made: Cell::new(0),
            retried: Cell::new(0),
        }
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

    /// Wakes `waker`, with which this seat waits, when it is its turn to send something by this lane.
    pub(crate) fn wait_for_room(&self, lane: u32, seat: u32, waker: &Waker) {
        self.other_work.set(i64::MIN);
        self.changes.room.wait(lane, seat, waker);
    }

    /// Whether anybody waits for room.
    pub(super) fn is_waited_for(&self) -> bool {
        self.changes.room.any()
    }

    fn room_in(&self, lane: u32) -> usize {
        self.lane(lane).map_or(usize::MAX, |lane| lane.room())
    }

    /// A batch of this seat ends when nothing waits at this moment.
    pub(crate) fn open_batch(&self, seat: u32) {
        self.other_work.set(i64::MIN);
        self.batches.push(seat);
    }

    /// The end of its batch has its turn in the next run.
    pub(crate) fn put_back_batch(&self, seat: u32) {
        self.other_work.set(i64::MIN);
        self.batches.put_back(seat);
    }

    pub(crate) fn set_timer(&self, at: i64, due: Due) -> u64 {
        self.other_work.set(self.other_work.get().min(at));
        let (number, swept) = self.timers.borrow_mut().set(at, due, |fire| self.is_stale(fire));
        swept.into_iter().for_each(discard);
        number
    }

    /// Whether the life that has set it is over.
    fn is_stale(&self, fire: &Fire) -> bool {
        self.seat(fire.seat).is_none_or(|seat| seat.has_outlived(fire.life))
    }

    pub(crate) fn cancel_timer(&self, at: i64, timer: u64) {
        self.timers.borrow_mut().cancel(at, timer);
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
        let room = &self.changes.room;
        if room.is_due() && room.wake(|lane| self.room_in(lane)) {
            return Idle::Event;
        }
        // A batch ends before the clock moves, and after all that is due now.
        let until = if self.batches.is_empty() { until } else { until.min(self.now.get()) };
        let feed = self.feeds.first().filter(|(at, _)| *at <= until);
        let limit = feed.map_or(until, |(at, _)| at);
        let taken = self.timers.borrow_mut().take(limit, |fire| self.is_stale(fire));
        let Taken::Due(at, due) = taken else {
            if let Taken::Over(due) = taken {
                // Its destructor may have published.
                discard(due);
                return Idle::Event;
            }
            let Some((at, feed)) = feed else { return self.batches.pop().map_or(Idle::Done, Idle::EndBatch) };
            return self.fire_feed((at, feed), until);
        };
        self.now.set(self.now.get().max(at));
        match due {
            Due::Resume(seat) => Idle::Resume(seat),
            Due::Wake(waker) => Idle::Wake(waker),
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

    pub(crate) fn signals(&self) -> &Arc<LoopSignals> {
        &self.signals
    }

    /// Whether nothing waits in the queue of events.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
