//! The producers' side of a topic.
//!
//! # Protocol
//! `word` is `tail << 1 | LOCKED`: the number of messages written to the ring, and the producers' lock.
//! - Lock: compare-exchange of the `LOCKED` bit (`Acquire`). The thread that holds it owns `producer`, the
//!   slot of position `tail`, the `armed` flags of all seats, and the producers' end of every lane.
//! - Unlock: one plain store of the whole word (`Release`), nobody else writes it meanwhile. It publishes the
//!   new tail (**sync point "message visible"**; it pairs with the `Acquire` in [`Core::tail`]). A reader
//!   that finds a later locker's value reads from the same release sequence.
//! - Sleep: a subscriber that goes to sleep prepares its doorbell, then takes the lock, puts its seat on the
//!   list of sleepers and reads the tail. So it either sees a message or is seen by the next publish: no
//!   fence is needed, and fan-out to any number of awake subscribers costs one comparison inside the lock.
//! - A producer that finds sleepers empties their list, takes the wakers inside the lock and wakes after it:
//!   one with its own lock, the others some at a time. It touches no seat that is awake, except that of a
//!   receiver which another topic has woken meanwhile: that costs one look at its doorbell.
//! - `limit` is at most the smallest cursor plus capacity. Cursors only grow, so below it no cursor is read.
//!
//! Publishing is in `post.rs` and `sole.rs`, sleeping in `sleepers.rs`, subscribing and leaving in
//! `membership.rs`.

use std::convert::Infallible;

use super::Changed;
use super::counters::{Counters, TopicStats};
use super::error::Blocker;
use super::lane::Lane;
use super::membership::Parties;
use super::origin::Origin;
use super::payload::Payload;
use super::provision::{Keyed, Memory};
use super::retain::{RETAINED_MAX, Retain, Retention};
use super::ring::Ring;
use super::seat::SubscriberState;
use super::sleepers::Sleepers;
use super::times::StampTimes;
use crate::Stamps;
use crate::stamps::Mark;
use crate::sync::{
    Arc, AtomicU8, AtomicU64, Backoff, CachePadded, Mutex, Ordering, Passage, Shared, Spin, Turnstile, lock,
};
use crate::wait::WaitList;

const LOCKED: u64 = 1;
/// The first position of a topic that retains. The positions below are those of retained messages, in rings
/// of late subscribers.
const FIRST_OF_RETAINING: u64 = RETAINED_MAX as u64;
pub(super) const TAIL_SHIFT: u32 = 1;

pub(crate) struct Core<V: Payload> {
    turnstile: Turnstile,
    word: CachePadded<AtomicU64>,
    producer: CachePadded<Shared<Producer<V>>>,
    pub(super) listeners: CachePadded<Listeners>,
    pub(crate) counters: CachePadded<Counters>,
    pub(crate) waiters: WaitList,
    pub(super) parties: Mutex<Parties<V>>,
    /// Told when a subscriber has come or left.
    changed: Mutex<Option<Changed>>,
    pub(super) memory: Spin<Memory<V>>,
    pub(super) stamps: Arc<Stamps>,
    pub(super) ring_capacity: u64,
    /// What late subscribers get first, in a topic that retains anything.
    pub(super) retention: Option<Box<Retention<V>>>,
}

/// What every publish reads and few write.
#[derive(Debug)]
pub(super) struct Listeners {
    /// Number of gates, and of lanes in the upper half: a [`Crowd`]. Written inside the lock.
    active: AtomicU64,
    /// Whose messages are taken: [`OPEN`], [`INSIDERS`] or [`CLOSED`], which is for good. Written inside the
    /// lock.
    gate: AtomicU8,
    /// How often the last subscriber that is not apart has left. Written inside the lock.
    emptied: AtomicU64,
}

/// How many are subscribed.
#[derive(Clone, Copy)]
pub(super) struct Crowd(u64);

impl Crowd {
    pub(super) const GATE: Self = Self(1);
    pub(super) const LANE: Self = Self(1 << u32::BITS);
    /// What a topic counts for what it retains: two lanes, so that no lane is ever the only one.
    const RETENTION: Self = Self(2 << u32::BITS);

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(super) fn has_lanes(self) -> bool {
        self.0 >= Self::LANE.0
    }

    #[inline]
    pub(super) fn has_gates(self) -> bool {
        self.0 & (Self::LANE.0 - 1) != 0
    }

    /// Whether that is one lane, and nobody else.
    #[inline]
    pub(super) fn is_one_lane(self) -> bool {
        self.0 == Self::LANE.0
    }

    /// Whether that is one lane, and gates.
    #[inline]
    pub(super) fn is_one_lane_beside_gates(self) -> bool {
        self.0 >> u32::BITS == 1 && self.has_gates()
    }

    #[inline]
    pub(super) fn lanes(self) -> usize {
        // At most SUBSCRIBERS_MAX.
        usize::try_from(self.0 >> u32::BITS).unwrap_or(usize::MAX)
    }
}

impl Listeners {
    #[inline]
    pub(super) fn crowd(&self) -> Crowd {
        Crowd(self.active.load(Ordering::Acquire))
    }

    pub(super) fn come(&self, one: Crowd) {
        self.active.fetch_add(one.0, Ordering::Release);
    }

    /// `emptied`: it was the last one that is not apart.
    pub(super) fn leave(&self, one: Crowd, emptied: bool) {
        self.active.fetch_sub(one.0, Ordering::Release);
        self.emptied.fetch_add(u64::from(emptied), Ordering::Release);
    }
}

/// Everybody's.
const OPEN: u8 = 0;
/// Those of senders with an id.
const INSIDERS: u8 = 1;
/// Nobody's.
const CLOSED: u8 = 2;

/// Owned by whoever holds the lock.
pub(crate) struct Producer<V: Payload> {
    pub(super) limit: u64,
    /// Messages that are published now are written into it; there is one as long as there are gates.
    pub(super) ring: Option<Arc<Ring<V>>>,
    /// What `ring` took the place of, the oldest first, as long as subscribers read there.
    pub(super) older: Vec<Arc<Ring<V>>>,
    /// Each at its rank, as the lanes.
    pub(super) gates: Vec<Arc<SubscriberState>>,
    /// Those without keys.
    pub(super) lanes: Vec<Arc<Lane<V>>>,
    /// Those that conflate.
    pub(super) keyed: Vec<Arc<Lane<V>>>,
    /// A copy of that list, made when a publish needs one, as long as it is true.
    pub(super) keyed_now: Option<Keyed<V>>,
    /// How many lanes have come, of all time.
    pub(super) lanes_ever: u64,
    /// How many lanes refuse what they have no room for.
    pub(super) refusing_lanes: usize,
    pub(super) mark: Mark,
    pub(super) sleepers: Sleepers,
}

/// Why nothing was published. An outdated message is one that an [`Origin`] may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal<O = Infallible> {
    Full(Blocker),
    Closed,
    Outdated(O),
}

// SAFETY: `producer` is reached only through `Section`, which one thread at a time holds; everything else is
// Sync by itself.
unsafe impl<V: Payload> Sync for Core<V> {}
// SAFETY: as above; the values are `V: Send + Sync` by `Payload`.
unsafe impl<V: Payload> Send for Core<V> {}

/// The held lock. Its drop unlocks and publishes `word`.
pub(super) struct Section<'a, V: Payload> {
    core: &'a Core<V>,
    pub(super) word: u64,
    _passage: Passage<'a>,
}

impl<V: Payload> Section<'_, V> {
    #[inline]
    pub(super) fn tail(&self) -> u64 {
        self.word >> TAIL_SHIFT
    }

    #[inline]
    pub(super) fn producer(&mut self) -> &mut Producer<V> {
        // SAFETY: this section holds the lock, and the reference borrows the section.
        self.core.producer.with_mut(|producer| unsafe { &mut *producer })
    }
}

impl<V: Payload> Drop for Section<'_, V> {
    #[inline]
    fn drop(&mut self) {
        #[cfg(test)]
        super::tests::section_ends();
        self.core.word.store(self.word, Ordering::Release);
    }
}

impl<V: Payload> Core<V> {
    pub(crate) fn new(stamps: Arc<Stamps>, ring_capacity: u64, retain: Option<Retain<V::Message>>) -> Self {
        let producer = Producer {
            limit: 0,
            ring: None,
            older: Vec::new(),
            gates: Vec::new(),
            lanes: Vec::new(),
            keyed: Vec::new(),
            keyed_now: None,
            lanes_ever: 0,
            refusing_lanes: 0,
            mark: Mark::NONE,
            sleepers: Sleepers::default(),
        };
        let (crowd, tail) =
            if retain.is_some() { (Crowd::RETENTION, FIRST_OF_RETAINING) } else { (Crowd(0), 0) };
        let (active, gate) = (AtomicU64::new(crowd.0), AtomicU8::new(OPEN));
        let listeners = Listeners { active, gate, emptied: AtomicU64::new(0) };
        let retention = retain.map(|retain| Box::new(Retention::new(retain)));
        Self {
            turnstile: Turnstile::new(),
            word: CachePadded(AtomicU64::new(tail << TAIL_SHIFT)),
            producer: CachePadded(Shared::new(producer)),
            listeners: CachePadded(listeners),
            counters: CachePadded(Counters::default()),
            waiters: WaitList::new(),
            parties: Mutex::new(Parties::new()),
            changed: Mutex::new(None),
            memory: Spin::new(Memory::new()),
            stamps,
            ring_capacity,
            retention,
        }
    }

    #[inline]
    pub(super) fn lock(&self) -> Section<'_, V> {
        let passage = self.turnstile.enter();
        let word = self.word.load(Ordering::Relaxed) & !LOCKED;
        let word = if self.try_claim(word) { word } else { self.claim_contended() };
        #[cfg(test)]
        super::tests::section_begins();
        Section { core: self, word, _passage: passage }
    }

    #[cold]
    fn claim_contended(&self) -> u64 {
        let mut backoff = Backoff::default();
        loop {
            backoff.stand_back();
            let word = self.word.load(Ordering::Relaxed);
            if word & LOCKED == 0 && self.try_claim(word) {
                return word;
            }
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

    /// The counters up to now.
    pub(crate) fn stats(&self) -> TopicStats {
        let mut stats = self.counters.snapshot();
        if let Some(retention) = &self.retention {
            stats.retained = retention.len() as u64;
            stats.retained_given = retention.given();
            stats.retained_evicted = retention.evicted();
        }
        stats
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.listeners.gate.load(Ordering::Acquire) == CLOSED
    }

    /// See [`Topic::times_emptied`](super::Topic::times_emptied).
    #[inline]
    pub(crate) fn times_emptied(&self) -> u64 {
        self.listeners.emptied.load(Ordering::Acquire)
    }

    /// Whether messages of this origin are taken. Inside the lock that is so for as long as it is held.
    #[inline]
    pub(super) fn admit<O: Origin>(&self, origin: O) -> Result<(), Refusal<O::Outdated>> {
        let gate = self.listeners.gate.load(Ordering::Acquire);
        if gate != OPEN && (gate == CLOSED || origin.sender() == 0) {
            return Err(Refusal::Closed);
        }
        origin.outdated(|| self.times_emptied()).map_or(Ok(()), |outdated| Err(Refusal::Outdated(outdated)))
    }

    /// Refuses messages of senders without an id. Those that wait for room find out.
    pub(crate) fn pause_ingress(&self) {
        let section = self.lock();
        if self.listeners.gate.load(Ordering::Relaxed) == OPEN {
            self.listeners.gate.store(INSIDERS, Ordering::Release);
        }
        drop(section);
        self.waiters.wake_all();
    }

    /// Takes them again, unless the topic is closed.
    pub(crate) fn resume_ingress(&self) {
        let section = self.lock();
        if self.listeners.gate.load(Ordering::Relaxed) == INSIDERS {
            self.listeners.gate.store(OPEN, Ordering::Release);
        }
        drop(section);
    }

    /// Refuses further messages and subscriptions, wakes everybody. Queued messages can still be read.
    pub(crate) fn close(&self) {
        let section = self.lock();
        self.listeners.gate.store(CLOSED, Ordering::Release);
        self.wake_after(section);
        self.waiters.wake_all();
    }

    pub(crate) fn ring_capacity(&self) -> u64 {
        self.ring_capacity
    }

    /// See [`Topic::keep_times`](super::Topic::keep_times).
    pub(crate) fn keep_times(&self, times: Option<StampTimes>) {
        let before = self.lock().producer().mark.keep_times(times);
        // Here, where the lock is free.
        drop(before);
    }

    /// See [`Topic::with_times`](super::Topic::with_times).
    pub(crate) fn with_times<R>(&self, with: impl FnOnce(&mut StampTimes) -> R) -> Option<R> {
        self.lock().producer().mark.times().map(with)
    }

    /// See [`Topic::note_changes`](super::Topic::note_changes).
    pub(crate) fn note_changes(&self, changed: Option<Changed>) {
        let before = std::mem::replace(&mut *lock(&self.changed), changed);
        drop(before);
    }

    /// This subscriber has come or left. No lock is held. One that is apart changes nothing for those who
    /// ask: there may be many of them, links, and each of these would look at all topics.
    pub(super) fn tell_change_of(&self, seat: &SubscriberState) {
        if !seat.apart {
            self.tell_change();
        }
    }

    /// A subscriber has come or left. No lock is held.
    pub(super) fn tell_change(&self) {
        let changed = lock(&self.changed).clone();
        if let Some(changed) = changed {
            changed();
        }
    }
}
