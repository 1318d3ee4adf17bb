//! The producers' side of a topic.
//!
//! # Protocol
//! `word` is `tail << 1 | LOCKED`: the number of messages written to the ring, and the producers' lock.
//! - Lock: compare-exchange of the `LOCKED` bit (`Acquire`). Whoever holds it owns `producer`, the slot of position
//!   `tail`, the `armed` flags of all seats, and the producers' end of every lane.
//! - Unlock: one plain store of the whole word (`Release`), nobody else writes it meanwhile. It publishes the new tail
//!   (**sync point "message visible"**; it pairs with the `Acquire` in [`Core::tail`]). A reader that finds a later
//!   locker's value reads from the same release sequence.
//! - Sleep: a subscriber that goes to sleep prepares its doorbell, then takes the lock, sets `armed`, puts its place on the
//!   list `asleep` and reads the tail. So it either sees a message or is seen by the next publish: no fence is needed, and
//!   fan-out to any number of awake subscribers costs one comparison inside the lock.
//! - A producer that finds somebody `asleep` empties the list, clears their `armed` flags, takes the wakers inside the lock
//!   and wakes after it: one with its own lock, the others [`RING_CHUNK`] at a time. It touches no seat that is awake, except
//!   that of a receiver which another topic has woken meanwhile: that costs one look at its doorbell.
//! - `limit` is the smallest cursor plus capacity when the cursors were last read. Cursors only grow, so below it no rescan
//!   is needed.
//!
//! A publish is all or nothing: gates and `Fail` lanes are checked before anything is stored. Only a message's `Clone` or a
//! key function that panics can leave a message in some lanes and not in others; the lock is released then, too. Both run
//! inside the critical section and must not publish to the same topic. What a publish displaces is dropped outside.

use super::SUBSCRIBERS_MAX;
use super::counters::{Cause, Counters};
use super::cursor::Cursor;
use super::error::{Blocker, Obstacle, SubscribeError};
use super::lane::{Lane, LaneReader};
use super::payload::Payload;
use super::ring::{Entry, Ring};
use super::seat::Seat;
use super::trash::Trash;
use crate::Stamps;
use crate::backlog::Backlog;
use crate::policy::KeyFn;
use crate::stamps::Mark;
use crate::sync::{
    Arc, AtomicU8, AtomicU64, AtomicUsize, Backoff, CachePadded, Mutex, Ordering, Passage, Shared, Turnstile,
    lock,
};
use crate::wait::WaitList;
use std::task::Waker;

const LOCKED: u64 = 1;
const TAIL_SHIFT: u32 = 1;
/// How many sleepers are taken from the list under one lock, after the first.
const RING_CHUNK: usize = 16;

pub(crate) struct Core<V: Payload> {
    turnstile: Turnstile,
    word: CachePadded<AtomicU64>,
    producer: CachePadded<Shared<Producer<V>>>,
    listeners: CachePadded<Listeners>,
    pub(crate) counters: CachePadded<Counters>,
    pub(crate) waiters: WaitList,
    parties: Mutex<Vec<Party<V>>>,
    stamps: Arc<Stamps>,
    ring_capacity: u64,
}

/// What every publish reads and few write.
#[derive(Debug)]
struct Listeners {
    /// Number of subscriptions.
    active: AtomicUsize,
    /// Whose messages are taken: [`OPEN`], [`INSIDERS`] or [`CLOSED`], which is for good. Written inside the lock.
    gate: AtomicU8,
}

/// Everybody's.
const OPEN: u8 = 0;
/// Those of senders with an id.
const INSIDERS: u8 = 1;
/// Nobody's.
const CLOSED: u8 = 2;

/// Owned by whoever holds the lock.
struct Producer<V: Payload> {
    limit: u64,
    ring: Option<Arc<Ring<V>>>,
    gates: Vec<Arc<Seat>>,
    lanes: Vec<Arc<Lane<V>>>,
    fail_lanes: usize,
    mark: Mark,
    /// All seats, each at its place.
    roster: Vec<Arc<Seat>>,
    /// The places of the armed seats, with room for all.
    asleep: Vec<u32>,
}

/// One subscriber, for those who come, leave and look: no publish touches it.
enum Party<V: Payload> {
    Gate(Arc<Seat>),
    Lane(Arc<Lane<V>>),
}

impl<V: Payload> Party<V> {
    fn seat(&self) -> &Arc<Seat> {
        match self {
            Self::Gate(seat) => seat,
            Self::Lane(lane) => &lane.seat,
        }
    }
}

/// Why nothing was published.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    Full(Blocker),
    Closed,
}

// SAFETY: `producer` is reached only through `Section`, which one thread at a time holds; everything else is Sync by itself.
unsafe impl<V: Payload> Sync for Core<V> {}
// SAFETY: as above; the values are `V: Send + Sync` by `Payload`.
unsafe impl<V: Payload> Send for Core<V> {}

/// The held lock. Its drop unlocks and publishes `word`.
struct Section<'a, V: Payload> {
    core: &'a Core<V>,
    word: u64,
    _passage: Passage<'a>,
}

impl<V: Payload> Section<'_, V> {
    #[inline]
    fn tail(&self) -> u64 {
        self.word >> TAIL_SHIFT
    }

    #[inline]
    fn producer(&mut self) -> &mut Producer<V> {
        // SAFETY: this section holds the lock, and the reference borrows the section.
        self.core.producer.with_mut(|producer| unsafe { &mut *producer })
    }
}

impl<V: Payload> Drop for Section<'_, V> {
    #[inline]
    fn drop(&mut self) {
        self.core.word.store(self.word, Ordering::Release);
    }
}

impl<V: Payload> Core<V> {
    pub(crate) fn new(stamps: Arc<Stamps>, ring_capacity: u64) -> Self {
        let producer = Producer {
            limit: 0,
            ring: None,
            gates: Vec::new(),
            lanes: Vec::new(),
            fail_lanes: 0,
            mark: Mark::NONE,
            roster: Vec::new(),
            asleep: Vec::new(),
        };
        let listeners = Listeners { active: AtomicUsize::new(0), gate: AtomicU8::new(OPEN) };
        Self {
            turnstile: Turnstile::new(),
            word: CachePadded(AtomicU64::new(0)),
            producer: CachePadded(Shared::new(producer)),
            listeners: CachePadded(listeners),
            counters: CachePadded(Counters::default()),
            waiters: WaitList::new(),
            parties: Mutex::new(Vec::new()),
            stamps,
            ring_capacity,
        }
    }

    /// Publishes `value`, which is empty afterwards, or says why not and leaves it there.
    ///
    /// # Panics
    /// When `value` is empty.
    #[inline]
    pub(crate) fn try_publish(&self, value: &mut Option<V>, sender: u64) -> Result<(), Refusal> {
        if self.listeners.active.load(Ordering::Acquire) == 0 {
            return if self.refuses(sender) {
                Err(Refusal::Closed)
            } else {
                *value = None;
                Ok(())
            };
        }
        let mut section = self.lock();
        let tail = section.tail();
        let producer = section.producer();
        self.admit(producer, tail, sender)?;
        assert!(value.is_some(), "a message is published once");
        let stamp = self.stamps.stamp(&mut producer.mark);
        self.counters.count(Cause::Published);
        if !producer.lanes.is_empty() {
            if let Some(value) = value.take() {
                self.publish_to_lanes(section, Entry { stamp, sender, value });
            }
            return Ok(());
        }
        let Some(ring) = &producer.ring else {
            // The last subscriber has just left.
            drop(section);
            *value = None;
            return Ok(());
        };
        // Taken here and not before, so that it moves straight into its slot.
        let old = value.take().and_then(|value| {
            // SAFETY: the lock is held, `tail` is the next position, and `admit` found every cursor past the slot.
            unsafe { ring.write(tail, stamp, sender, value) }
        });
        if producer.asleep.is_empty() {
            section.word = (tail + 1) << TAIL_SHIFT;
            drop(section);
        } else {
            section.word = (tail + 1) << TAIL_SHIFT;
            self.wake_after(section);
        }
        drop(old);
        Ok(())
    }

    /// The rest of a publish where there are lanes, and perhaps a ring too.
    #[inline(never)]
    fn publish_to_lanes(&self, mut section: Section<'_, V>, entry: Entry<V>) {
        let tail = section.tail();
        let producer = section.producer();
        let trash = self.fill_lanes(producer, &entry);
        let old = if let Some(ring) = &producer.ring {
            // SAFETY: the lock is held, `tail` is the next position, and `admit` found every cursor past the slot.
            let old = unsafe { ring.write(tail, entry.stamp, entry.sender, entry.value) };
            section.word = (tail + 1) << TAIL_SHIFT;
            old
        } else {
            Some(entry)
        };
        self.wake_after(section);
        drop(old);
        drop(trash);
    }

    /// Whether everybody has room for one more message.
    #[inline]
    fn admit(&self, producer: &mut Producer<V>, tail: u64, sender: u64) -> Result<(), Refusal> {
        // First, so that a closed topic is an end and not a wait, however full it is.
        if self.refuses(sender) {
            return Err(Refusal::Closed);
        }
        if tail >= producer.limit && producer.ring.is_some() {
            let mut blocker = producer.rescan();
            if tail >= producer.limit {
                blocker = producer.move_past_own(tail, blocker);
            }
            if tail >= producer.limit {
                return Err(Refusal::Full(blocker));
            }
        }
        if producer.fail_lanes > 0 {
            let full = |lane: &&Arc<Lane<V>>| lane.fails && !lane.seat.skips(sender) && lane.is_full();
            if let Some(lane) = producer.lanes.iter().find(full) {
                return Err(Refusal::Full(Blocker {
                    subscriber: lane.seat.id,
                    obstacle: Obstacle::FailLane,
                }));
            }
        }
        Ok(())
    }

    fn fill_lanes(&self, producer: &Producer<V>, entry: &Entry<V>) -> Trash<Entry<V>> {
        let mut trash = Trash::default();
        for lane in &producer.lanes {
            if lane.seat.skips(entry.sender) {
                continue;
            }
            let Some((cause, displaced)) = lane.offer(entry) else { continue };
            self.counters.count(cause);
            trash.put(displaced);
        }
        trash
    }

    #[inline]
    fn lock(&self) -> Section<'_, V> {
        let passage = self.turnstile.enter();
        let word = self.word.load(Ordering::Relaxed) & !LOCKED;
        let word = if self.try_claim(word) { word } else { self.claim_contended() };
        Section { core: self, word, _passage: passage }
    }

    #[cold]
    fn claim_contended(&self) -> u64 {
        let mut backoff = Backoff::default();
        loop {
            let word = self.word.load(Ordering::Relaxed);
            if word & LOCKED == 0 && self.try_claim(word) {
                return word;
            }
            backoff.wait();
        }
    }

    #[inline]
    fn try_claim(&self, word: u64) -> bool {
        self.word.compare_exchange(word, word | LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// The number of messages written to the ring, all of them visible to the caller.
    #[inline]
    pub(crate) fn tail(&self) -> u64 {
        self.word.load(Ordering::Acquire) >> TAIL_SHIFT
    }

    /// Ends the section and wakes everybody who sleeps. Wakers run foreign code: no lock is held.
    #[inline]
    fn wake_after(&self, mut section: Section<'_, V>) {
        let producer = section.producer();
        let first = producer.take_sleeper();
        let more = !producer.asleep.is_empty();
        drop(section);
        if let Some(waker) = first {
            waker.wake();
        }
        if more {
            self.wake_others();
        }
    }

    #[cold]
    fn wake_others(&self) {
        let mut more = true;
        while more {
            let mut wakers = [const { None }; RING_CHUNK];
            let mut section = self.lock();
            let producer = section.producer();
            wakers.fill_with(|| producer.take_sleeper());
            more = !producer.asleep.is_empty();
            drop(section);
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }

    /// Asks to be rung at the next publish, for a subscriber whose doorbell is prepared. Returns the tail.
    pub(crate) fn arm(&self, seat: &Seat) -> u64 {
        let mut section = self.lock();
        if !seat.set_armed(true) {
            section.producer().asleep.push(seat.place());
        }
        section.tail()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.listeners.gate.load(Ordering::Acquire) == CLOSED
    }

    #[inline]
    fn refuses(&self, sender: u64) -> bool {
        let gate = self.listeners.gate.load(Ordering::Acquire);
        gate != OPEN && (gate == CLOSED || sender == 0)
    }

    /// Refuses messages of senders without an id. Those that wait for room find out.
    pub(crate) fn refuse_outsiders(&self) {
        let section = self.lock();
        if self.listeners.gate.load(Ordering::Relaxed) == OPEN {
            self.listeners.gate.store(INSIDERS, Ordering::Release);
        }
        drop(section);
        self.waiters.wake_all();
    }

    /// Takes them again, unless the topic is closed.
    pub(crate) fn accept_outsiders(&self) {
        let section = self.lock();
        if self.listeners.gate.load(Ordering::Relaxed) == INSIDERS {
            self.listeners.gate.store(OPEN, Ordering::Release);
        }
        drop(section);
    }

    /// Refuses further messages and subscriptions, wakes everybody. What is queued can still be read.
    pub(crate) fn close(&self) {
        let section = self.lock();
        self.listeners.gate.store(CLOSED, Ordering::Release);
        self.wake_after(section);
        self.waiters.wake_all();
    }

    /// Who is subscribed, and how many messages wait for each.
    pub(crate) fn subscribers(&self) -> Vec<(Arc<Seat>, u64)> {
        let waiting = |party: &Party<V>| match party {
            // The cursor first: it is never ahead of a tail that is read later.
            Party::Gate(seat) => {
                let position = seat.position();
                self.tail().saturating_sub(position)
            }
            Party::Lane(lane) => lane.queued() as u64,
        };
        lock(&self.parties).iter().map(|party| (Arc::clone(party.seat()), waiting(party))).collect()
    }

    pub(crate) fn ring_capacity(&self) -> u64 {
        self.ring_capacity
    }
}

/// Subscribing and leaving.
impl<V: Payload> Core<V> {
    pub(crate) fn add_gate(core: &Arc<Self>, seat: Seat) -> Result<Cursor<V>, SubscribeError> {
        let seat = Arc::new(seat);
        let mut parties = lock(&core.parties);
        core.check_room(parties.len())?;
        let ring = core.ring_for(seat.capacity)?;
        parties.push(Party::Gate(Arc::clone(&seat)));
        let mut section = core.lock();
        let tail = section.tail();
        seat.tell(tail, true);
        let producer = section.producer();
        producer.gates.push(Arc::clone(&seat));
        producer.enrol(&seat);
        producer.rescan();
        core.listeners.active.fetch_add(1, Ordering::Release);
        drop(section);
        Ok(Cursor::new(Arc::clone(core), seat, ring, tail))
    }

    /// A ring with at least this many slots: that of the topic, or a new one in its place. Only the holder of `parties` makes,
    /// replaces or drops a ring.
    fn ring_for(&self, capacity: u64) -> Result<Arc<Ring<V>>, SubscribeError> {
        let present = self.current_ring();
        if let Some(ring) = present.filter(|ring| ring.capacity() >= capacity) {
            return Ok(ring);
        }
        // Allocated before the lock is taken again.
        let empty = Ring::new(self.ring_capacity.max(capacity).next_power_of_two());
        let empty = empty.ok_or(SubscribeError::NoMemory)?;
        let mut section = self.lock();
        let tail = section.tail();
        let producer = section.producer();
        let ring = Arc::new(match &producer.ring {
            None => empty.starting_at(tail),
            Some(old) => {
                let first = producer.gates.iter().map(|gate| gate.position()).min().unwrap_or(tail);
                // SAFETY: the lock is held. `first` is the smallest cursor, and cursors only grow, so all positions from there
                // to the tail are published and not overwritten.
                unsafe { empty.with_copies(old, first, tail) }
            }
        });
        let old = producer.ring.replace(Arc::clone(&ring));
        if let Some(old) = &old {
            old.replace(tail);
        }
        drop(section);
        drop(old);
        Ok(ring)
    }

    /// What is published now is written into it.
    pub(crate) fn current_ring(&self) -> Option<Arc<Ring<V>>> {
        self.lock().producer().ring.clone()
    }

    pub(crate) fn add_lane(
        core: &Arc<Self>,
        seat: Seat,
        backlog: Backlog<Entry<V>>,
        key: Option<KeyFn<V::Message>>,
        fails: bool,
    ) -> Result<LaneReader<V>, SubscribeError> {
        let seat = Arc::new(seat);
        let lane = Arc::new(Lane::new(seat, backlog, key, fails));
        let mut parties = lock(&core.parties);
        core.check_room(parties.len())?;
        parties.push(Party::Lane(Arc::clone(&lane)));
        let mut section = core.lock();
        let producer = section.producer();
        producer.lanes.push(Arc::clone(&lane));
        producer.enrol(&lane.seat);
        producer.fail_lanes += usize::from(fails);
        core.listeners.active.fetch_add(1, Ordering::Release);
        drop(section);
        Ok(LaneReader::new(Arc::clone(core), lane))
    }

    fn check_room(&self, subscribers: usize) -> Result<(), SubscribeError> {
        if self.is_closed() {
            return Err(SubscribeError::Closed);
        }
        if subscribers >= SUBSCRIBERS_MAX { Err(SubscribeError::TooMany) } else { Ok(()) }
    }

    /// Frees a gate. `unread`, given the ring and the tail, says how many messages the subscriber leaves behind.
    pub(crate) fn remove_gate(&self, seat: &Arc<Seat>, unread: impl FnOnce(&Ring<V>, u64) -> usize) {
        let mut parties = lock(&self.parties);
        self.leave(&mut parties, seat);
        let mut section = self.lock();
        let tail = section.tail();
        let producer = section.producer();
        if let Some(ring) = &producer.ring {
            self.counters.add_unread(unread(ring, tail));
        }
        producer.strike(seat);
        producer.gates.retain(|gate| !Arc::ptr_eq(gate, seat));
        producer.rescan();
        let last = if producer.gates.is_empty() { producer.ring.take() } else { None };
        if let Some(ring) = &last {
            ring.finish(tail);
        }
        drop(section);
        drop(parties);
        drop(last);
        // The gate may have been the one that held producers back.
        self.waiters.wake_all();
    }

    pub(crate) fn remove_lane(&self, lane: &Arc<Lane<V>>) {
        let mut parties = lock(&self.parties);
        self.leave(&mut parties, &lane.seat);
        let mut section = self.lock();
        let producer = section.producer();
        producer.strike(&lane.seat);
        producer.lanes.retain(|other| !Arc::ptr_eq(other, lane));
        producer.fail_lanes -= usize::from(lane.fails);
    }

    fn leave(&self, parties: &mut Vec<Party<V>>, seat: &Arc<Seat>) {
        parties.retain(|other| !Arc::ptr_eq(other.seat(), seat));
        self.listeners.active.fetch_sub(1, Ordering::Release);
    }
}

impl<V: Payload> Producer<V> {
    /// Takes the waker of one sleeper off the list; `None` if nobody is left who sleeps.
    #[inline]
    fn take_sleeper(&mut self) -> Option<Waker> {
        while let Some(place) = self.asleep.pop() {
            let seat = &self.roster[place as usize];
            seat.set_armed(false);
            let waker = seat.doorbell.take_waker();
            if waker.is_some() {
                return waker;
            }
        }
        None
    }

    fn enrol(&mut self, seat: &Arc<Seat>) {
        // At most SUBSCRIBERS_MAX.
        seat.set_place(u32::try_from(self.roster.len()).unwrap_or(u32::MAX));
        self.roster.push(Arc::clone(seat));
        // Going to sleep allocates nothing.
        self.asleep.reserve(self.roster.len() - self.asleep.len());
    }

    fn strike(&mut self, seat: &Seat) {
        let place = seat.place();
        if seat.set_armed(false) {
            self.asleep.retain(|&other| other != place);
        }
        self.roster.swap_remove(place as usize);
        let Some(moved) = self.roster.get(place as usize) else { return };
        let before = moved.place();
        moved.set_place(place);
        self.asleep.iter_mut().filter(|other| **other == before).for_each(|other| *other = place);
    }

    /// Moves those that hold the tail back past what they have published themselves, where they have read everything else,
    /// and rescans.
    #[cold]
    fn move_past_own(&mut self, tail: u64, blocker: Blocker) -> Blocker {
        let Some(ring) = &self.ring else { return blocker };
        let mut moved = false;
        for gate in self.gates.iter().filter(|gate| gate.skipped() != 0 && gate.limit() <= tail) {
            moved |= gate.move_past(tail, |position| {
                // SAFETY: `move_past` asks for positions from the gate's cursor to the tail: they are published, and nobody
                // writes while the lock is held.
                gate.skips(unsafe { ring.read(position) }.sender)
            });
        }
        if moved { self.rescan() } else { blocker }
    }

    /// Reads all cursors: how far the tail may go, and who says so.
    #[cold]
    fn rescan(&mut self) -> Blocker {
        let mut blocker = Blocker { subscriber: 0, obstacle: Obstacle::Ring };
        self.limit = u64::MAX;
        for seat in &self.gates {
            let limit = seat.limit();
            if limit < self.limit {
                self.limit = limit;
                blocker.subscriber = seat.id;
            }
        }
        blocker
    }
}
