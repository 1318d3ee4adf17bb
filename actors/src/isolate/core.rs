//! The part of an isolate that its actors reach from inside a handler: clock, queues, timers.
//!
//! While an isolate runs, its [`Core`] stands in a thread-local; contexts and references hold nothing but numbers
//! and find it there. So they are `Send`, as the same types must be live, and cost no reference count, lock or
//! atomic here. A context that strays to another thread finds no core and says so.
//!
//! Nothing in this file calls user code while the core is borrowed.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use super::lane::{AnyLane, Payload, TopicLane};
use super::seat::AnySeat;
use crate::{Message, SpawnError, StopReason, TimerHandle};

/// How many events may wait in one isolate before a publisher has to wait (events).
pub const QUEUE_CAPACITY: usize = 65_536;

/// Marks an entry of the order queue that resumes a seat instead of dispatching a lane.
const RESUME: u32 = 1 << 31;

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
    order: VecDeque<u32>,
    lanes: Vec<Rc<dyn AnyLane>>,
    topics: TopicIndex,
    direct: HashMap<(u32, TypeId), Rc<dyn Any>>,
    pub(crate) seats: Vec<Rc<dyn AnySeat>>,
    pub(crate) inlets: Vec<Rc<dyn Any>>,
    timers: BinaryHeap<Timer>,
    next_timer: u64,
    wakes: Arc<Wakes>,
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

/// What the run loop does next.
pub(crate) enum Next {
    Dispatch(Rc<dyn AnyLane>),
    Resume(Rc<dyn AnySeat>),
    /// Nothing waits at this moment of virtual time.
    Idle,
    /// An actor has ended abnormally.
    Ended,
}

impl Core {
    pub(crate) fn new(seed: u64, now: u64) -> Self {
        Self {
            id: NEXT_ISOLATE.fetch_add(1, Ordering::Relaxed),
            seed,
            now,
            order: VecDeque::new(),
            lanes: Vec::new(),
            topics: TopicIndex::default(),
            direct: HashMap::new(),
            seats: Vec::new(),
            inlets: Vec::new(),
            timers: BinaryHeap::new(),
            next_timer: 0,
            wakes: Arc::default(),
            room: Vec::new(),
            room_made: false,
            cancelled: HashSet::new(),
            ended: None,
            unheard: 0,
            dead_letters: 0,
        }
    }

    /// Queues `message` for the subscribers of its topic.
    #[inline]
    pub(crate) fn publish<M: Message, P: Payload<M>>(
        &mut self,
        sender: u32,
        message: M,
    ) -> Result<(), Refused<M>> {
        let Some(lane) = self.topics.find(M::TYPE_ID) else {
            self.unheard += 1;
            return Ok(());
        };
        let Some(topic) = self.lanes[lane as usize].as_any().downcast_ref::<TopicLane<M, P>>() else {
            return Err(Refused::Duplicate(message));
        };
        if self.order.len() >= QUEUE_CAPACITY {
            return Err(Refused::Full(message));
        }
        match topic.push(sender, message) {
            Ok(true) => self.order.push_back(lane),
            Ok(false) => self.unheard += 1,
            Err(refused) => return Err(refused),
        }
        Ok(())
    }

    /// The lane of topic `M`, made on first use.
    pub(crate) fn topic<M: Message, P: Payload<M>>(&mut self) -> Result<Rc<TopicLane<M, P>>, SpawnError> {
        if let Some(lane) = self.topics.find(M::TYPE_ID) {
            let lane = &self.lanes[lane as usize];
            return Rc::clone(lane).into_any().downcast().map_err(|_| SpawnError::DuplicateTypeId {
                type_id: M::TYPE_ID,
                held_by: lane.name(),
                refused: M::NAME,
            });
        }
        let index = self.lanes.len() as u32;
        let lane = Rc::new(TopicLane::<M, P>::new());
        self.lanes.push(Rc::clone(&lane) as Rc<dyn AnyLane>);
        self.topics.insert(M::TYPE_ID, index);
        Ok(lane)
    }

    /// The lane of the topic with this `TYPE_ID`, if anybody ever subscribed to it.
    pub(crate) fn lane_of(&self, type_id: u16) -> Option<Rc<dyn AnyLane>> {
        Some(Rc::clone(&self.lanes[self.topics.find(type_id)? as usize]))
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
        self.order.push_back(lane);
    }

    /// Whether a sender should wait until the queue has drained.
    pub(crate) fn is_full(&self) -> bool {
        self.order.len() >= QUEUE_CAPACITY
    }

    /// Resumes `seat` after everything that is queued now.
    pub(crate) fn enqueue_resume(&mut self, seat: u32) {
        self.order.push_back(seat | RESUME);
    }

    /// Wakes `waker` when publishers may try again.
    pub(crate) fn wait_for_room(&mut self, waker: &Waker) {
        self.room.push(waker.clone());
    }

    /// Something that waited was handled or dropped.
    pub(crate) fn made_room(&mut self) {
        self.room_made = true;
    }

    /// The publishers that wait for room, if any was made since they were last taken.
    pub(crate) fn take_room_waiters(&mut self) -> Vec<Waker> {
        if std::mem::take(&mut self.room_made) { std::mem::take(&mut self.room) } else { Vec::new() }
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
    pub(crate) fn take_timer(&mut self, until: u64) -> Option<Due> {
        loop {
            if self.timers.peek()?.at > until {
                return None;
            }
            let timer = self.timers.pop()?;
            if !self.cancelled.is_empty() && self.cancelled.remove(&timer.seq) {
                continue;
            }
            if let Due::Fire { seat, handle, .. } = &timer.due
                && (handle.is_cancelled() || self.seats[*seat as usize].end_reason().is_some())
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

    #[inline]
    pub(crate) fn next(&mut self) -> Next {
        if self.ended.is_some() {
            return Next::Ended;
        }
        match self.order.pop_front() {
            Some(lane) if lane & RESUME == 0 => {
                self.room_made = true;
                Next::Dispatch(Rc::clone(&self.lanes[lane as usize]))
            }
            Some(seat) => Next::Resume(Rc::clone(&self.seats[(seat & !RESUME) as usize])),
            None => Next::Idle,
        }
    }

    pub(crate) fn waker(&self, seat: u32) -> Waker {
        Waker::from(Arc::new(SeatWaker { wakes: Arc::clone(&self.wakes), seat }))
    }

    pub(crate) fn wakes(&self) -> Arc<Wakes> {
        Arc::clone(&self.wakes)
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
        Parts(
            std::mem::take(&mut self.seats),
            std::mem::take(&mut self.lanes),
            std::mem::take(&mut self.timers),
            std::mem::take(&mut self.inlets),
        )
    }
}

/// Why a message was not queued.
pub(crate) enum Refused<M> {
    /// The isolate's queue or a `Block` subscriber is full: the publisher may wait.
    Full(M),
    /// A `Fail` subscriber is full: the publish fails.
    Fail(M),
    /// The publisher's own subscription is the full one: it would wait for itself.
    OwnFull(M),
    Duplicate(M),
}

/// What happens when a timer is due.
pub(crate) enum Due {
    /// Resume the seat that waits for it.
    Resume(u32),
    /// Wake whatever waits.
    Wake(Waker),
    /// Queue a message that `seat` has scheduled for itself.
    Fire { seat: u32, handle: TimerHandle, queue: Box<dyn FnOnce(&mut Core)> },
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

/// Seats whose futures were woken, in the order of the wake-ups.
#[derive(Default)]
pub(crate) struct Wakes {
    any: AtomicBool,
    seats: Mutex<Vec<u32>>,
}

impl Wakes {
    /// Moves the woken seats into `into`.
    #[inline]
    pub(crate) fn take(&self, into: &mut Vec<u32>) {
        if self.any.load(Ordering::Acquire) {
            let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
            self.any.store(false, Ordering::Release);
            into.append(&mut seats);
        }
    }
}

struct SeatWaker {
    wakes: Arc<Wakes>,
    seat: u32,
}

impl Wake for SeatWaker {
    fn wake(self: Arc<Self>) {
        let mut seats = self.wakes.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.push(self.seat);
        self.wakes.any.store(true, Ordering::Release);
    }
}

/// From `TYPE_ID` to lane: open addressing with a power-of-two size that doubles at half load.
#[derive(Default)]
struct TopicIndex {
    /// `(TYPE_ID, lane + 1)`; lane 0 marks a free entry.
    entries: Vec<(u16, u32)>,
    used: usize,
}

impl TopicIndex {
    #[inline]
    fn find(&self, type_id: u16) -> Option<u32> {
        let mask = self.entries.len().checked_sub(1)?;
        let mut at = type_id as usize & mask;
        loop {
            match self.entries[at] {
                (_, 0) => return None,
                (id, lane) if id == type_id => return Some(lane - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn insert(&mut self, type_id: u16, lane: u32) {
        if (self.used + 1) * 2 > self.entries.len() {
            let old = std::mem::take(&mut self.entries);
            self.entries = vec![(0, 0); (old.len() * 2).max(8)];
            self.used = 0;
            for (id, lane) in old.into_iter().filter(|entry| entry.1 != 0) {
                self.insert(id, lane - 1);
            }
        }
        let mask = self.entries.len() - 1;
        let mut at = type_id as usize & mask;
        while self.entries[at].1 != 0 {
            at = (at + 1) & mask;
        }
        self.entries[at] = (type_id, lane + 1);
        self.used += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_index_finds_what_was_inserted_and_nothing_else() {
        let mut index = TopicIndex::default();
        assert_eq!(index.find(3), None);
        for id in (0..2_000u16).map(|n| n.wrapping_mul(8)) {
            index.insert(id, u32::from(id) + 7);
        }
        for id in 0..16_000u16 {
            let expected = (id % 8 == 0).then(|| u32::from(id) + 7);
            assert_eq!(index.find(id), expected, "id {id}");
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
