//! The private queue of a subscriber whose policy is not `Block`, or who wants one of its own.
//!
//! # Protocol
//! `backlog` is owned by the holder of the topic's lock: there is no lock of the lane, so a publish beside a
//! lane pays for one lock. Producers fill it inside the topic's critical section (so the stamps rise along
//! the lane), and its subscriber takes messages there, some at a time. A publish fills one lane after the
//! other in one section, so whatever a subscriber publishes because of a message comes after that one is in
//! every lane and in the ring. `queued` mirrors the length: stored with `Release` inside the section, loaded
//! with `Acquire` by the subscriber's look. Sleeping goes through the topic's seats, like for ring
//! subscribers. `in_hand` is the subscriber's note for statistics: nothing depends on it.
//!
//! A lane under `Block` refuses what it has no room for, and its producers wait as for a gate: the
//! subscriber makes room under the topic's lock, then reads the count of waiters; a producer puts its waker
//! into the list, then looks at the lane under that lock. The thread that has the lock second sees what the
//! other has written before it (**sync point "room or waiter"** of `wait.rs`).

use std::collections::VecDeque;

use super::core::Core;
use super::counters::Cause;
use super::error::Obstacle;
use super::payload::Payload;
use super::retain::Given;
use super::ring::RingEntry;
use super::seat::SubscriberState;
use crate::backlog::{BATCH, Backlog, Offered, WhenFull};
use crate::discard::{discard, discard_all};
use crate::policy::KeyFn;
use crate::sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Ordering, Shared};

pub(crate) struct Lane<V: Payload> {
    pub(crate) seat: Arc<SubscriberState>,
    /// Owned by the holder of the topic's lock.
    backlog: Shared<Backlog<RingEntry<V>>>,
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

// SAFETY: `backlog` is reached only by the holder of the topic's lock, one thread at a time; everything else
// is Sync by itself. The values are `V: Send` by `Payload`.
unsafe impl<V: Payload> Sync for Lane<V> {}

impl<V: Payload> Lane<V> {
    pub(crate) fn new(
        seat: Arc<SubscriberState>,
        backlog: Backlog<RingEntry<V>>,
        key: Option<KeyFn<V::Message>>,
        refuses: Option<Obstacle>,
    ) -> Self {
        let (backlog, queued, in_hand) = (Shared::new(backlog), AtomicUsize::new(0), AtomicUsize::new(0));
        let (number, gone) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { seat, backlog, queued, in_hand, key, refuses, number, gone }
    }

    /// What waits. `with` must not come here again.
    ///
    /// # Safety
    /// The caller holds the topic's lock.
    #[inline(always)]
    unsafe fn backlog<R>(&self, with: impl FnOnce(&mut Backlog<RingEntry<V>>) -> R) -> R {
        // SAFETY: the holder of the topic's lock is alone, and comes here once at a time.
        self.backlog.with_mut(|backlog| with(unsafe { &mut *backlog }))
    }

    /// Whether it has no room.
    ///
    /// # Safety
    /// The caller holds the topic's lock.
    pub(crate) unsafe fn is_full(&self) -> bool {
        // SAFETY: the caller holds the lock.
        unsafe { self.backlog(|backlog| backlog.is_full()) }
    }

    /// Whether there is room for one more entry, so that nobody has to decide what becomes of it: no policy,
    /// and no key.
    ///
    /// # Safety
    /// The caller holds the topic's lock.
    #[inline(always)]
    pub(crate) unsafe fn has_place(&self) -> bool {
        // SAFETY: the caller holds the lock.
        unsafe { self.backlog(|backlog| backlog.has_place()) }
    }

    /// Stores an entry for which there [is room](Self::has_place).
    ///
    /// # Safety
    /// The caller holds the topic's lock.
    #[inline(always)]
    pub(crate) unsafe fn put(&self, entry: RingEntry<V>) {
        let put = |backlog: &mut Backlog<_>| {
            backlog.push(entry);
            self.queued.store(backlog.len(), Ordering::Release);
        };
        // SAFETY: the caller holds the lock.
        unsafe { self.backlog(put) }
    }

    /// Takes all that waits: its subscriber has left.
    ///
    /// # Safety
    /// The caller holds the topic's lock.
    pub(crate) unsafe fn take_rest(&self) -> Backlog<RingEntry<V>> {
        // SAFETY: the caller holds the lock.
        unsafe { self.backlog(|backlog| std::mem::replace(backlog, Backlog::new(WhenFull::Refuse, 0))) }
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

    /// Takes and stores an entry, whose message has this key here. If something is dropped for it: why, and
    /// what that is. It is none if the entry itself has no place: then it is not taken.
    ///
    /// # Safety
    /// The caller holds the topic's lock.
    #[inline(always)] // What it returns is large, and mostly not there.
    pub(crate) unsafe fn offer(
        &self,
        key: u64,
        take: impl FnOnce() -> RingEntry<V>,
    ) -> Option<(Cause, Option<RingEntry<V>>)> {
        let offer = |backlog: &mut Backlog<RingEntry<V>>| {
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
        };
        // SAFETY: the caller holds the lock.
        unsafe { self.backlog(offer) }
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Acquire)
    }

    /// Messages that were not passed, as far as can be seen from outside.
    pub(crate) fn waiting(&self) -> usize {
        self.queued() + self.in_hand.load(Ordering::Relaxed)
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
    pub(super) fn begin_with(&mut self, retained: Given<RingEntry<V>>) {
        self.hand = retained.take().into();
        self.lane.in_hand.store(self.hand.len(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn head(&mut self) -> Option<u64> {
        if self.hand.is_empty() && (self.counted > 0 || self.lane.queued() > 0) {
            self.refill();
            // Beside an empty queue nobody is left asleep: one that was woken before may never be polled
            // again, and this reader may have others to read before it sleeps.
            if self.hand.is_empty() && std::mem::take(&mut self.woke_some) {
                self.core.waiters.wake_all();
            }
        }
        self.hand.front().map(|entry| entry.stamp)
    }

    #[inline(never)]
    fn refill(&mut self) {
        let Self { core, lane, hand, .. } = self;
        // Nothing is allocated under the lock.
        hand.reserve(lane.queued().clamp(1, BATCH).next_power_of_two());
        let most = hand.capacity();
        let take = |backlog: &mut Backlog<_>| {
            let freed = backlog.take(hand, most);
            lane.queued.store(backlog.len(), Ordering::Relaxed);
            (freed, backlog.in_hand())
        };
        let section = core.lock();
        // SAFETY: the topic's lock is held.
        let (freed, counted) = unsafe { lane.backlog(take) };
        drop(section);
        self.made_room(freed);
        self.counted = counted;
        self.lane.in_hand.store(self.hand.len(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<&RingEntry<V>> {
        self.hand.front()
    }

    /// Messages of the batch that lie one behind the other, from the one in front, at most `most`.
    #[inline]
    pub(crate) fn batch(&self, most: u32) -> &[RingEntry<V>] {
        let (front, _) = self.hand.as_slices();
        &front[..front.len().min(usize::try_from(most).unwrap_or(usize::MAX))]
    }

    /// Passes so many messages of the batch, which have no destructor.
    pub(crate) fn pass_together(&mut self, messages: usize) {
        self.hand.drain(..messages.min(self.hand.len()));
        self.lane.in_hand.store(self.hand.len(), Ordering::Relaxed);
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
            let section = self.core.lock();
            // SAFETY: the topic's lock is held.
            let freed = unsafe { self.lane.backlog(|backlog| backlog.release(self.counted)) };
            drop(section);
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
        let (counted, left) = (self.counted, self.hand.len());
        let look = |backlog: &mut Backlog<_>| {
            let freed = if counted > left { backlog.release(left) } else { 0 };
            let any = !backlog.is_empty() || left > 0;
            if !any {
                backlog.calm_down();
            }
            (freed, any)
        };
        let section = self.core.arm(&self.lane.seat, tag);
        // SAFETY: the topic's lock is held.
        let (freed, any) = unsafe { self.lane.backlog(look) };
        drop(section);
        self.counted = counted.min(left);
        self.made_room(freed);
        // Beside an empty queue nobody is left asleep: one that was woken before may never be polled again.
        // Once: who waits from now on waits for others, and perhaps sleeps on this very doorbell.
        if !any && std::mem::take(&mut self.woke_some) {
            self.core.waiters.wake_all();
        }
        any
    }

    pub(crate) fn unread(&self) -> usize {
        self.hand.len() + self.lane.queued()
    }
}

impl<V: Payload> Drop for LaneReader<V> {
    fn drop(&mut self) {
        let unread = self.core.remove_lane(&self.lane).drain();
        let left = unread.len() + self.hand.len();
        self.lane.seat.leave_behind(left);
        self.core.counters.add_unread(left);
        while let Some(oldest) = self.hand.pop_front() {
            discard(oldest);
        }
        discard_all(unread);
    }
}
