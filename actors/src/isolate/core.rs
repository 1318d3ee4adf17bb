//! The part of an isolate that its actors reach from inside a handler: clock, queues, timers.
//!
//! While an isolate runs, its [`Core`] stands in a thread-local; contexts and references hold nothing but numbers
//! and find it there. So they are `Send`, as the same types must be live, and cost no reference count, lock or
//! atomic here. A context that strays to another thread finds no core and says so.
//!
//! Nothing in this file calls user code while the core is borrowed.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use super::OUTSIDE;
use super::lane::{AnyLane, TopicLane};
use super::seat::AnySeat;
use crate::{Message, SpawnError, StopReason, TimerHandle};

/// How many events may wait in one isolate before a publisher has to wait (events).
pub const QUEUE_CAPACITY: usize = 1_024;

/// The lane of an event that resumes a seat instead.
const RESUME: u32 = u32::MAX;

static NEXT_ISOLATE: AtomicU64 = AtomicU64::new(1);

thread_local! {
    // `ManuallyDrop` spares each access the check for a destructor; the guard of `enter` always takes the core out.
    static CURRENT: ManuallyDrop<RefCell<Option<Box<Core>>>> = const { ManuallyDrop::new(RefCell::new(None)) };
}

/// The caller's thread does not run this isolate.
#[derive(Debug)]
pub(crate) struct NotHere;

/// Calls `f` with the core of isolate `id` if it runs on this thread.
#[inline]
pub(crate) fn with_core<R>(id: u64, f: impl FnOnce(&mut Core) -> R) -> Result<R, NotHere> {
    CURRENT.with(|current| match current.borrow_mut().as_deref_mut() {
        Some(core) if core.id == id => Ok(f(core)),
        _ => Err(NotHere),
    })
}

/// Runs `f` with `core` in its place, and takes it out again whatever happens in `f`.
pub(crate) fn enter<R>(core: &mut Option<Box<Core>>, f: impl FnOnce() -> R) -> R {
    struct Leave<'a> {
        core: &'a mut Option<Box<Core>>,
        outer: Option<Box<Core>>,
    }
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            *self.core = CURRENT.with(|current| current.replace(self.outer.take()));
        }
    }
    let inner = core.take();
    // An isolate may be driven from inside another one's handler: the outer core is put back afterwards.
    let outer = CURRENT.with(|current| current.replace(inner));
    let _leave = Leave { core, outer };
    f()
}

/// Queues, clock and timers of one isolate.
pub(crate) struct Core {
    pub(crate) id: u64,
    pub(crate) seed: u64,
    pub(crate) now: u64,
    /// What waits, in order.
    order: Vec<Event>,
    lanes: Vec<Rc<dyn AnyLane>>,
    topics: TopicIndex,
    direct: HashMap<(u32, TypeId), Rc<dyn Any>>,
    pub(crate) seats: Vec<Rc<dyn AnySeat>>,
    pub(crate) inlets: Vec<Rc<dyn Any>>,
    timers: BinaryHeap<Timer>,
    next_timer: u64,
    signals: Arc<Signals>,
    room: Vec<Waker>,
    room_made: bool,
    cancelled: HashSet<u64>,
    pub(crate) ended: Option<Ended>,
    pub(crate) unheard: u64,
    pub(crate) dead_letters: u64,
}

/// The first actor that ended abnormally: it ends the run.
pub(crate) struct Ended {
    pub(crate) actor: &'static str,
    pub(crate) seat: u32,
    pub(crate) reason: StopReason,
}

impl Core {
    pub(crate) fn new(seed: u64, now: u64) -> Self {
        Self {
            id: NEXT_ISOLATE.fetch_add(1, Ordering::Relaxed),
            seed,
            now,
            order: Vec::new(),
            lanes: Vec::new(),
            topics: TopicIndex::default(),
            direct: HashMap::new(),
            seats: Vec::new(),
            inlets: Vec::new(),
            timers: BinaryHeap::new(),
            next_timer: 0,
            signals: Arc::default(),
            room: Vec::new(),
            room_made: false,
            cancelled: HashSet::new(),
            ended: None,
            unheard: 0,
            dead_letters: 0,
        }
    }

    /// Queues the message for the subscribers of its topic; it stays in `message` if it is refused.
    #[inline]
    pub(crate) fn publish<M: Message>(
        &mut self,
        sender: u32,
        message: &mut Option<M>,
    ) -> Result<(), Refusal> {
        let Some((lane, topic)) = self.topics.find(M::TYPE_ID) else {
            self.unheard += 1;
            message.take();
            return Ok(());
        };
        let Some(topic) = topic.downcast_ref::<TopicLane<M>>() else { return Err(Refusal::Duplicate) };
        if self.order.len() >= QUEUE_CAPACITY {
            return Err(Refusal::Full);
        }
        match topic.take(sender, message)? {
            Some(payload) => self.order.push(Event { lane, of: sender, payload: Some(payload) }),
            None => self.unheard += 1,
        }
        Ok(())
    }

    /// The lane of topic `M`, made on first use.
    pub(crate) fn topic<M: Message>(&mut self) -> Result<Rc<TopicLane<M>>, SpawnError> {
        if let Some((lane, topic)) = self.topics.find(M::TYPE_ID) {
            let held_by = self.lanes[lane as usize].name();
            let refused = SpawnError::DuplicateTypeId { type_id: M::TYPE_ID, held_by, refused: M::NAME };
            return Rc::clone(topic).downcast().map_err(|_| refused);
        }
        let index = self.lanes.len() as u32;
        let lane = Rc::new(TopicLane::<M>::new());
        self.lanes.push(Rc::clone(&lane) as Rc<dyn AnyLane>);
        self.topics.insert(M::TYPE_ID, index, Rc::clone(&lane) as Rc<dyn Any>);
        Ok(lane)
    }

    /// The lane of the topic with this `TYPE_ID`, if anybody ever subscribed to it.
    pub(crate) fn lane_of(&self, type_id: u16) -> Option<Rc<dyn AnyLane>> {
        Some(Rc::clone(&self.lanes[self.topics.find(type_id)?.0 as usize]))
    }

    /// The lane that carries payloads of type `L` straight to one seat, made by `make` on first use.
    pub(crate) fn direct<L: AnyLane>(&mut self, seat: u32, make: impl FnOnce(u32) -> L) -> Rc<L> {
        let key = (seat, TypeId::of::<L>());
        if let Some(lane) = self.direct.get(&key)
            && let Ok(lane) = Rc::clone(lane).downcast::<L>()
        {
            return lane;
        }
        let lane = Rc::new(make(self.lanes.len() as u32));
        self.lanes.push(Rc::clone(&lane) as Rc<dyn AnyLane>);
        self.direct.insert(key, Rc::clone(&lane) as Rc<dyn Any>);
        lane
    }

    /// Puts one event of `lane` at the end of the order.
    pub(crate) fn enqueue(&mut self, lane: u32) {
        self.order.push(Event { lane, of: OUTSIDE, payload: None });
    }

    /// Whether a sender should wait until the queue has drained.
    pub(crate) fn is_full(&self) -> bool {
        self.order.len() >= QUEUE_CAPACITY
    }

    /// Resumes `seat` after everything that is queued now.
    pub(crate) fn enqueue_resume(&mut self, seat: u32) {
        self.order.push(Event { lane: RESUME, of: seat, payload: None });
    }

    /// Wakes `waker` when publishers may try again.
    pub(crate) fn wait_for_room(&mut self, waker: &Waker) {
        self.room.push(waker.clone());
    }

    /// Something that waited was handled or dropped.
    pub(crate) fn made_room(&mut self) {
        self.room_made = true;
    }

    /// Sets a timer; its number can be given to [`Core::cancel_timer`].
    pub(crate) fn set_timer(&mut self, at: u64, due: Due) -> u64 {
        let seq = self.next_timer;
        self.next_timer += 1;
        self.timers.push(Timer { at, seq, due });
        seq
    }

    /// Forgets a timer that has not fired, so that the clock does not move for it.
    pub(crate) fn cancel_timer(&mut self, seq: u64) {
        self.cancelled.insert(seq);
    }

    /// Takes the earliest timer if it is due by `until`, and moves the clock to it.
    fn take_timer(&mut self, until: u64) -> Option<Due> {
        loop {
            if self.timers.peek()?.at > until {
                return None;
            }
            let timer = self.timers.pop()?;
            if !self.cancelled.is_empty() && self.cancelled.remove(&timer.seq) {
                continue;
            }
            if let Due::Fire(fire) = &timer.due
                && (fire.handle.is_cancelled() || self.seats[fire.seat as usize].end_reason().is_some())
            {
                continue;
            }
            self.now = self.now.max(timer.at);
            return Some(timer.due);
        }
    }

    /// Moves the clock forward to `at`.
    pub(crate) fn advance(&mut self, at: u64) {
        self.now = self.now.max(at);
    }

    /// Finds what the run loop does when it has handled all it took.
    pub(crate) fn idle(&mut self, batch: &mut Vec<Event>, until: u64) -> Idle {
        batch.clear();
        if !self.order.is_empty() {
            std::mem::swap(&mut self.order, batch);
            self.room_made = true;
            return Idle::Batch;
        }
        if !self.room.is_empty() && self.room_made {
            self.room_made = false;
            return Idle::Wake(std::mem::take(&mut self.room));
        }
        loop {
            match self.take_timer(until) {
                None => return Idle::Done,
                Some(Due::Resume(seat)) => return Idle::Resume(Rc::clone(&self.seats[seat as usize])),
                Some(Due::Wake(waker)) => return Idle::Wake(vec![waker]),
                Some(Due::Fire(fire)) => (fire.queue)(self),
            }
            if !self.order.is_empty() {
                return self.idle(batch, until);
            }
        }
    }

    pub(crate) fn waker(&self, seat: u32) -> Waker {
        Waker::from(Arc::new(SeatWaker { signals: Arc::clone(&self.signals), seat }))
    }

    pub(crate) fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }

    /// Records the first actor that ended abnormally, which ends the run.
    pub(crate) fn halt(&mut self, ended: Ended) {
        if self.ended.is_none() {
            self.ended = Some(ended);
            self.signals.halt.store(true, Ordering::Release);
            self.signals.any.store(true, Ordering::Release);
        }
    }

    pub(crate) fn lanes(&self) -> &[Rc<dyn AnyLane>] {
        &self.lanes
    }

    /// Takes everything that may refer to an actor out, for the isolate's end: it is dropped outside the borrow.
    pub(crate) fn dismantle(&mut self) -> impl Drop + use<> {
        struct Parts(Vec<Rc<dyn AnySeat>>, Vec<Rc<dyn AnyLane>>, BinaryHeap<Timer>, Vec<Rc<dyn Any>>);
        impl Drop for Parts {
            fn drop(&mut self) {
                self.2.clear();
                for lane in &self.1 {
                    lane.clear();
                }
                for seat in &self.0 {
                    seat.clear();
                }
                self.3.clear();
            }
        }
        self.direct.clear();
        self.topics = TopicIndex::default();
        Parts(
            std::mem::take(&mut self.seats),
            std::mem::take(&mut self.lanes),
            std::mem::take(&mut self.timers),
            std::mem::take(&mut self.inlets),
        )
    }
}

/// Why a message was not queued.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    /// The isolate's queue or a `Block` subscriber is full: the publisher may wait.
    Full,
    /// A `Fail` subscriber is full: the publish fails.
    Fail,
    /// The publisher's own subscription is the full one: it would wait for itself.
    OwnFull,
    /// Another message type has this `TYPE_ID`.
    Duplicate,
}

/// What happens when a timer is due.
pub(crate) enum Due {
    /// Resume the seat that waits for it.
    Resume(u32),
    /// Wake whatever waits.
    Wake(Waker),
    /// Queue a message that an actor has scheduled for itself.
    Fire(Box<Fire>),
}

/// A message for later.
pub(crate) struct Fire {
    pub(crate) seat: u32,
    pub(crate) handle: TimerHandle,
    pub(crate) queue: Box<dyn FnOnce(&mut Core)>,
}

/// One entry of the order.
pub(crate) struct Event {
    pub(crate) lane: u32,
    /// The sender, or the seat to resume.
    pub(crate) of: u32,
    /// The message of a topic; direct lanes keep theirs.
    pub(crate) payload: Option<Rc<dyn Any>>,
}

impl Event {
    /// Whether a seat is to be resumed rather than a lane dispatched.
    #[inline]
    pub(crate) fn is_resume(&self) -> bool {
        self.lane == RESUME
    }
}

/// What the run loop does when it has handled all it took.
pub(crate) enum Idle {
    /// There is a new batch.
    Batch,
    /// A seat's timer is due.
    Resume(Rc<dyn AnySeat>),
    /// These may go on.
    Wake(Vec<Waker>),
    /// Nothing is left to do by then.
    Done,
}

struct Timer {
    at: u64,
    seq: u64,
    due: Due,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.seq) == (other.at, other.seq)
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    /// Reversed, so that the heap's greatest is the earliest; timers of one moment keep the order they were set in.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

/// What the run loop must look at before the next event.
#[derive(Default)]
pub(crate) struct Signals {
    any: AtomicBool,
    halt: AtomicBool,
    /// Seats whose futures were woken, in the order of the wake-ups.
    woken: Mutex<Vec<u32>>,
}

impl Signals {
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether an actor has ended abnormally.
    pub(crate) fn halted(&self) -> bool {
        self.halt.load(Ordering::Acquire)
    }

    /// Moves the woken seats into `into`.
    pub(crate) fn take_woken(&self, into: &mut Vec<u32>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Ordering::Release);
        into.append(&mut woken);
    }
}

struct SeatWaker {
    signals: Arc<Signals>,
    seat: u32,
}

impl Wake for SeatWaker {
    fn wake(self: Arc<Self>) {
        let mut woken = self.signals.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.push(self.seat);
        self.signals.any.store(true, Ordering::Release);
    }
}

/// From `TYPE_ID` to topic: open addressing with a power-of-two size that doubles at half load.
#[derive(Default)]
struct TopicIndex {
    entries: Vec<Option<TopicEntry>>,
    used: usize,
}

struct TopicEntry {
    type_id: u16,
    lane: u32,
    topic: Rc<dyn Any>,
}

impl TopicIndex {
    #[inline]
    fn find(&self, type_id: u16) -> Option<(u32, &Rc<dyn Any>)> {
        let mask = self.entries.len().checked_sub(1)?;
        let mut at = type_id as usize & mask;
        loop {
            let entry = self.entries[at].as_ref()?;
            if entry.type_id == type_id {
                return Some((entry.lane, &entry.topic));
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, type_id: u16, lane: u32, topic: Rc<dyn Any>) {
        if (self.used + 1) * 2 > self.entries.len() {
            let size = (self.entries.len() * 2).max(8);
            let old = std::mem::take(&mut self.entries);
            self.entries.resize_with(size, || None);
            old.into_iter().flatten().for_each(|entry| self.put(entry));
        }
        self.put(TopicEntry { type_id, lane, topic });
        self.used += 1;
    }

    fn put(&mut self, entry: TopicEntry) {
        let mask = self.entries.len() - 1;
        let mut at = entry.type_id as usize & mask;
        while self.entries[at].is_some() {
            at = (at + 1) & mask;
        }
        self.entries[at] = Some(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_index_finds_what_was_inserted_and_nothing_else() {
        let mut index = TopicIndex::default();
        assert!(index.find(3).is_none());
        for id in (0..2_000u16).map(|n| n.wrapping_mul(8)) {
            index.insert(id, u32::from(id) + 7, Rc::new(()));
        }
        for id in 0..16_000u16 {
            let expected = (id % 8 == 0).then(|| u32::from(id) + 7);
            assert_eq!(index.find(id).map(|(lane, _)| lane), expected, "id {id}");
        }
    }

    #[test]
    fn timers_of_one_moment_fire_in_the_order_they_were_set() {
        let mut core = Core::new(0, 0);
        for (seat, at) in [(1, 20), (2, 10), (3, 20), (4, 10)] {
            core.set_timer(at, Due::Resume(seat));
        }
        let mut fired = Vec::new();
        while let Some(Due::Resume(seat)) = core.take_timer(20) {
            fired.push((core.now, seat));
        }
        assert_eq!(fired, [(10, 2), (10, 4), (20, 1), (20, 3)]);
    }
}
