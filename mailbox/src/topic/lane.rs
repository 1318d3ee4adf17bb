//! The private queue of a subscriber whose policy is not `Block`, or who wants one of its own.
//!
//! # Protocol
//! `backlog` is guarded by the lane's lock. Producers take it inside the topic's critical section (so the
//! stamps rise along the lane). `queued` mirrors the length: stored with `Release` inside it, loaded with
//! `Acquire` by the subscriber's look. A publish fills one lane after the other, so a subscriber that is not
//! the only one takes its messages inside the topic's critical section too: whatever it publishes because of
//! them comes after they are in every lane and in the ring. Sleeping goes through the topic's
//! seats, like for ring subscribers. `in_hand` is the subscriber's note for statistics: nothing depends on
//! it.
//!
//! A lane under `Block` refuses what it has no room for, and its producers wait as for a gate: the
//! subscriber makes room under the lane's lock, then reads the count of waiters; a producer puts its waker
//! into the list, then looks at the lane under its lock. The thread that has the lock second sees what the
//! other has written before it (**sync point "room or waiter"** of `wait.rs`).

use std::collections::VecDeque;

use super::core::Core;
use super::counters::Cause;
use super::error::Obstacle;
use super::payload::Payload;
use super::ring::RingEntry;
use super::seat::SubscriberState;
use crate::backlog::{BATCH, Backlog, Offered, WhenFull};
use crate::discard::{discard, discard_all};
use crate::policy::KeyFn;
use crate::sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Ordering, Spin, SpinGuard};

pub(crate) struct Lane<V: Payload> {
    pub(crate) seat: Arc<SubscriberState>,
    backlog: Spin<Backlog<RingEntry<V>>>,
    queued: AtomicUsize,
    /// Messages that the subscriber has taken and not passed.
    in_hand: AtomicUsize,
    key: Option<KeyFn<V::Message>>,
    /// What it is to a producer when it is full, if that is an obstacle.
    pub(crate) refuses: Option<Obstacle>,
    /// The how manieth lane of its topic it is. Owned by the holder of the topic's lock, as the next.
    number: AtomicU64,
    /// Whether its subscriber has left.
    gone: AtomicBool,
}

impl<V: Payload> Lane<V> {
    pub(crate) fn new(
        seat: Arc<SubscriberState>,
        backlog: Backlog<RingEntry<V>>,
        key: Option<KeyFn<V::Message>>,
        refuses: Option<Obstacle>,
    ) -> Self {
        let (backlog, queued, in_hand) = (Spin::new(backlog), AtomicUsize::new(0), AtomicUsize::new(0));
        let (number, gone) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { seat, backlog, queued, in_hand, key, refuses, number, gone }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.backlog.lock().is_full()
    }

    /// Whether it conflates.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The key of a message here. Foreign code: no lock is held.
    pub(crate) fn key_of(&self, message: &V::Message) -> u64 {
        self.key.as_ref().map_or(0, |key| key(message))
    }

    pub(crate) fn has_come(&self, number: u64) {
        self.number.store(number, Ordering::Relaxed);
    }

    pub(crate) fn has_left(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// Whether it gets what is published now, for the first so many lanes of its topic.
    #[inline]
    pub(crate) fn is_served(&self, lanes: u64) -> bool {
        self.number.load(Ordering::Relaxed) <= lanes && !self.gone.load(Ordering::Relaxed)
    }

    /// Room for one more entry, which stays until this is dropped; `None`: a policy decides what becomes of
    /// one, or its key does.
    #[inline]
    pub(crate) fn free_place(&self) -> Option<LanePlace<'_, V>> {
        let backlog = self.backlog.lock();
        backlog.has_place().then_some(LanePlace { backlog, queued: &self.queued })
    }

    /// Takes and stores an entry, whose message has this key here. If something is dropped for it: why, and
    /// what that is. It is none if the entry itself has no place: then it is not taken.
    #[inline(always)] // What it returns is large, and mostly not there.
    pub(crate) fn offer(
        &self,
        key: u64,
        take: impl FnOnce() -> RingEntry<V>,
    ) -> Option<(Cause, Option<RingEntry<V>>)> {
        let mut backlog = self.backlog.lock();
        let mut displaced = None;
        if !backlog.has_place() {
            match backlog.when_full() {
                WhenFull::Refuse | WhenFull::DropNewest => return Some((Cause::DroppedNewest, None)),
                WhenFull::DropOldest => displaced = backlog.pop(),
                WhenFull::Conflate => {
                    let offered = backlog.offer(take(), key);
                    self.queued.store(backlog.len(), Ordering::Release);
                    return match offered {
                        Offered::Stored => None,
                        Offered::Conflated(old) => Some((Cause::Conflated, Some(old))),
                        Offered::DroppedOldest(old) => Some((Cause::DroppedOldest, Some(old))),
                        Offered::DroppedNewest(new) | Offered::Refused(new) => {
                            Some((Cause::DroppedNewest, Some(new)))
                        }
                    };
                }
            }
        }
        backlog.push(take());
        self.queued.store(backlog.len(), Ordering::Release);
        displaced.map(|old| (Cause::DroppedOldest, Some(old)))
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Acquire)
    }

    /// Messages that were not passed, as far as can be seen from outside.
    pub(crate) fn waiting(&self) -> usize {
        self.queued() + self.in_hand.load(Ordering::Relaxed)
    }
}

/// Room for one entry in a lane, whose lock is held.
pub(crate) struct LanePlace<'a, V: Payload> {
    backlog: SpinGuard<'a, Backlog<RingEntry<V>>>,
    queued: &'a AtomicUsize,
}

impl<V: Payload> LanePlace<'_, V> {
    #[inline(always)]
    pub(crate) fn put(mut self, entry: RingEntry<V>) {
        self.backlog.push(entry);
        self.queued.store(self.backlog.len(), Ordering::Release);
    }
}

/// The subscriber's half of a lane.
pub(crate) struct LaneReader<V: Payload> {
    pub(crate) core: Arc<Core<V>>,
    pub(crate) lane: Arc<Lane<V>>,
    /// The batch being handled; survives a panic of the handler.
    hand: VecDeque<RingEntry<V>>,
    /// Messages of the batch that the store still counts.
    counted: usize,
    /// Producers were woken since it was found empty.
    woke_some: bool,
    /// See [`Subscription::was_cut_between`](super::Subscription::was_cut_between).
    pub(crate) cut_between: bool,
}

impl<V: Payload> LaneReader<V> {
    pub(crate) fn new(core: Arc<Core<V>>, lane: Arc<Lane<V>>) -> Self {
        Self { core, lane, hand: VecDeque::new(), counted: 0, woke_some: false, cut_between: false }
    }

    /// Gives it these messages before all others. They count for no capacity, and no policy drops them.
    pub(crate) fn begin_with(&mut self, retained: Vec<RingEntry<V>>) {
        self.hand = retained.into();
        self.lane.in_hand.store(self.hand.len(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn head(&mut self) -> Option<u64> {
        if self.hand.is_empty() && (self.counted > 0 || self.lane.queued() > 0) {
            self.refill();
        }
        self.hand.front().map(|entry| entry.stamp)
    }

    #[inline(never)]
    fn refill(&mut self) {
        let (mut section, mut most) = (None, usize::MAX);
        let mut backlog = self.lane.backlog.lock();
        // Asked under the lane's lock: for whom these messages are, is seen with them.
        if !backlog.is_empty() && !self.core.listeners.crowd().is_one_lane() {
            // Others may not have the last of them yet. Nothing is allocated under the locks.
            let waiting = backlog.len();
            drop(backlog);
            self.hand.reserve(waiting.min(BATCH));
            most = self.hand.capacity();
            section = Some(self.core.lock());
            backlog = self.lane.backlog.lock();
        }
        let freed = backlog.take(&mut self.hand, most);
        self.lane.queued.store(backlog.len(), Ordering::Relaxed);
        drop((backlog, section));
        self.made_room(freed);
        self.counted = self.hand.len();
        self.lane.in_hand.store(self.counted, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<&RingEntry<V>> {
        self.hand.front()
    }

    #[inline]
    pub(crate) fn advance(&mut self) {
        let passed = self.take();
        if V::COUNTED {
            self.cut_between = true;
            drop(passed);
            self.cut_between = false;
        }
    }

    /// Passes the message in front, which nobody handles: no panic of its destructor gets out.
    pub(crate) fn discard(&mut self) {
        discard(self.take());
    }

    /// Passes the message in front and returns it, or a clone if others have it too.
    pub(crate) fn take_front(&mut self, passed: &mut u64) -> Option<V::Message> {
        let value = &self.hand.front()?.value;
        if value.is_sole() {
            *passed += 1;
            return self.take().map(|entry| entry.value.unwrap());
        }
        // A clone that panics leaves it in front.
        let message = value.message().clone();
        *passed += 1;
        self.advance();
        Some(message)
    }

    #[inline]
    pub(crate) fn take(&mut self) -> Option<RingEntry<V>> {
        let taken = self.hand.pop_front();
        self.lane.in_hand.store(self.hand.len(), Ordering::Relaxed);
        taken
    }

    pub(crate) fn commit(&mut self) {
        if self.counted > self.hand.len() {
            self.counted = self.hand.len();
            let freed = self.lane.backlog.lock().release(self.counted);
            self.made_room(freed);
        }
    }

    /// Wakes producers that wait for so many places. Only a lane with the obstacle `Lane` has any.
    #[inline]
    fn made_room(&mut self, places: usize) {
        if self.lane.refuses == Some(Obstacle::Lane) && places > 0 && self.core.waiters.any() {
            self.core.waiters.wake(places);
            self.woke_some = true;
        }
    }

    pub(crate) fn arm(&mut self, tag: Option<u32>) -> bool {
        self.commit();
        self.core.arm(&self.lane.seat, tag);
        let mut backlog = self.lane.backlog.lock();
        if !backlog.is_empty() || !self.hand.is_empty() {
            return true;
        }
        backlog.calm_down();
        drop(backlog);
        // Beside an empty queue nobody is left asleep: one that was woken before may never be polled again.
        // Once: who waits from now on waits for others, and perhaps sleeps on this very doorbell.
        if std::mem::take(&mut self.woke_some) {
            self.core.waiters.wake_all();
        }
        false
    }

    pub(crate) fn unread(&self) -> usize {
        self.hand.len() + self.lane.queued()
    }
}

impl<V: Payload> Drop for LaneReader<V> {
    fn drop(&mut self) {
        self.core.remove_lane(&self.lane);
        let unread = self.lane.backlog.lock().drain();
        let left = unread.len() + self.hand.len();
        self.lane.seat.leave_behind(left);
        self.core.counters.add_unread(left);
        while let Some(oldest) = self.hand.pop_front() {
            discard(oldest);
        }
        discard_all(unread);
    }
}
