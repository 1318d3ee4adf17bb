//! What a topic knows of one subscriber.
//!
//! # Protocol of the cursor
//! `cursor` is `position << 1 | IDLE`. The position protects its slot and all after it.
//! - The subscriber tells it: without `IDLE` while messages may be visible to it, with `IDLE` once a look has
//!   found none. It takes `IDLE` back by a read-modify-write before it reads any slot again, and goes on from
//!   the position it finds.
//! - While `IDLE` is set, a producer that holds the topic's lock may move the position past messages which
//!   this subscriber is not to get, its own. Its compare-exchange fails if the subscriber has taken `IDLE`
//!   back meanwhile.
//!
//! So nobody reads a slot that the position does not protect, and an actor that has read everything is not
//! held back by what it published itself.

use std::ops::Range;

use super::Badge;
use crate::Doorbell;
use crate::sync::{Arc, AtomicU32, AtomicU64, CachePadded, Ordering};

/// One subscriber's place in a topic, shared by the subscriber and the topic.
#[derive(Debug)]
pub(crate) struct SubscriberState {
    /// The position the subscriber reads next, as far as it told. Unused by lanes.
    cursor: CachePadded<AtomicU64>,
    /// Its index among all seats. Owned by the holder of the topic's lock, as the next two.
    place: AtomicU32,
    /// Its index among the gates, or its lane's among the lanes.
    rank: AtomicU32,
    /// Its index among the sleepers, whom the next publish must ring; [`AWAKE`] if it is none.
    bed: AtomicU32,
    /// What its doorbell is told at the next publish; [`NO_TAG`] if that is nothing. Owned as those before.
    tag: AtomicU32,
    /// How many messages the subscriber had not handled when it left. Written once, by itself.
    left: AtomicU64,
    pub(crate) doorbell: Arc<Doorbell>,
    pub(crate) id: u64,
    /// How far the ring's tail may run ahead of `cursor`; the bound of a lane.
    pub(crate) capacity: u64,
    /// Whether the subscriber gets its own messages.
    pub(crate) echo: bool,
    /// See [`SubscribeOptions::apart`](super::SubscribeOptions::apart).
    pub(crate) apart: bool,
    /// Name of the policy.
    pub(crate) policy: &'static str,
    pub(crate) badge: Option<Badge>,
}

/// The subscriber has read everything that it has seen.
const IDLE: u64 = 1;
const POSITION_SHIFT: u32 = 1;

/// The bed of who sleeps in none.
const AWAKE: u32 = u32::MAX;
/// The tag of who wants to be told nothing.
const NO_TAG: u32 = u32::MAX;

/// What a [`SubscriberState`] says of its subscriber.
pub(crate) struct Occupant {
    pub(crate) doorbell: Arc<Doorbell>,
    pub(crate) id: u64,
    pub(crate) capacity: u64,
    pub(crate) echo: bool,
    pub(crate) apart: bool,
    pub(crate) policy: &'static str,
    pub(crate) badge: Option<Badge>,
}

impl SubscriberState {
    pub(crate) fn new(occupant: Occupant) -> Self {
        let Occupant { doorbell, id, capacity, echo, apart, policy, badge } = occupant;
        Self {
            cursor: CachePadded(AtomicU64::new(0)),
            place: AtomicU32::new(0),
            rank: AtomicU32::new(0),
            bed: AtomicU32::new(AWAKE),
            tag: AtomicU32::new(NO_TAG),
            left: AtomicU64::new(0),
            doorbell,
            id,
            capacity,
            echo,
            apart,
            policy,
            badge,
        }
    }

    /// The subscriber's: protects `position` and what comes after it, from now on.
    #[inline]
    pub(crate) fn tell(&self, position: u64, idle: bool) {
        self.cursor.swap(position << POSITION_SHIFT | u64::from(idle), Ordering::SeqCst);
    }

    /// The subscriber's, before it reads again after it was idle: where it goes on.
    pub(crate) fn wake_up(&self) -> u64 {
        self.cursor.fetch_and(!IDLE, Ordering::SeqCst) >> POSITION_SHIFT
    }

    /// The subscriber's, when it leaves: what it has not handled.
    pub(crate) fn leave_behind(&self, messages: usize) {
        self.left.store(messages as u64, Ordering::Relaxed);
    }

    pub(crate) fn left_behind(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// The position that is protected.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        #[cfg(test)]
        super::tests::count_step();
        self.cursor.load(Ordering::SeqCst) >> POSITION_SHIFT
    }

    /// The position up to which this gate lets the tail go.
    #[inline]
    pub(crate) fn limit(&self) -> u64 {
        self.position() + self.capacity
    }

    /// Whether the subscriber has read everything that it has seen.
    pub(crate) fn is_idle(&self) -> bool {
        self.cursor.load(Ordering::SeqCst) & IDLE != 0
    }

    /// A producer's, inside the topic's lock: moves an idle subscriber past the messages for which `skips`
    /// says so, up to `tail`, and at most `most` of them. Returns the positions that it has passed by that.
    pub(crate) fn move_past(&self, tail: u64, most: u64, skips: impl Fn(u64) -> bool) -> Range<u64> {
        let word = self.cursor.load(Ordering::SeqCst);
        let from = word >> POSITION_SHIFT;
        if word & IDLE == 0 {
            return from..from;
        }
        let end = tail.min(from.saturating_add(most));
        let to = (from..end).find(|&position| !skips(position)).unwrap_or(end);
        let moved = to << POSITION_SHIFT | IDLE;
        let exchange = || self.cursor.compare_exchange(word, moved, Ordering::SeqCst, Ordering::Relaxed);
        if to > from && exchange().is_ok() { from..to } else { from..from }
    }

    pub(crate) fn place(&self) -> u32 {
        #[cfg(test)]
        super::tests::count_step();
        self.place.load(Ordering::Relaxed)
    }

    pub(crate) fn set_place(&self, place: usize) {
        #[cfg(test)]
        super::tests::count_step();
        self.place.store(index(place), Ordering::Relaxed);
    }

    pub(crate) fn rank(&self) -> usize {
        #[cfg(test)]
        super::tests::count_step();
        self.rank.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn set_rank(&self, rank: usize) {
        #[cfg(test)]
        super::tests::count_step();
        self.rank.store(index(rank), Ordering::Relaxed);
    }

    pub(crate) fn bed(&self) -> Option<usize> {
        #[cfg(test)]
        super::tests::count_step();
        let bed = self.bed.load(Ordering::Relaxed);
        (bed != AWAKE).then_some(bed as usize)
    }

    pub(crate) fn set_bed(&self, bed: Option<usize>) {
        #[cfg(test)]
        super::tests::count_step();
        self.bed.store(bed.map_or(AWAKE, index), Ordering::Relaxed);
    }

    /// Has the doorbell be told `tag` from now on; whether it was to be told one before.
    pub(crate) fn set_tag(&self, tag: Option<u32>) -> bool {
        let before = self.tag.load(Ordering::Relaxed);
        self.tag.store(tag.unwrap_or(NO_TAG), Ordering::Relaxed);
        before != NO_TAG
    }

    /// Tells the doorbell the tag, once, if there is one. Whether there was.
    #[inline]
    pub(crate) fn tell_tag(&self) -> bool {
        let tag = self.tag.load(Ordering::Relaxed);
        if tag == NO_TAG {
            return false;
        }
        self.tag.store(NO_TAG, Ordering::Relaxed);
        self.doorbell.tell(tag);
        true
    }

    /// Whether this subscriber is not to get messages of `sender`.
    #[inline]
    pub(crate) fn skips(&self, sender: u64) -> bool {
        sender != 0 && sender == self.skipped()
    }

    /// The sender whose messages this subscriber is not to get; 0 if there is none.
    #[inline]
    pub(crate) fn skipped(&self) -> u64 {
        if self.echo { 0 } else { self.id }
    }
}

/// The place of one of at most [`SUBSCRIBERS_MAX`](super::SUBSCRIBERS_MAX).
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
