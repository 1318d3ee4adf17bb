//! The private queue of a subscriber whose policy is not `Block`.
//!
//! # Protocol
//! `backlog` is guarded by the lane's mutex. Producers take it inside the topic's critical section (so the stamps rise
//! along the lane), the subscriber takes it alone. `queued` mirrors the length: stored with `Release` inside the mutex,
//! loaded with `Acquire` by the subscriber's look. Sleeping goes through the topic's seats, like for ring subscribers.

use std::collections::VecDeque;

use super::core::Core;
use super::payload::Payload;
use super::ring::Entry;
use super::seat::Seat;
use crate::backlog::{Backlog, Offer};
use crate::policy::KeyFn;
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, lock};

pub(crate) struct Lane<V: Payload> {
    pub(crate) seat: Arc<Seat>,
    backlog: Mutex<Backlog<Entry<V>>>,
    queued: AtomicUsize,
    key: Option<KeyFn<V::Message>>,
    pub(crate) fails: bool,
}

impl<V: Payload> Lane<V> {
    pub(crate) fn new(
        seat: Arc<Seat>,
        backlog: Backlog<Entry<V>>,
        key: Option<KeyFn<V::Message>>,
        fails: bool,
    ) -> Self {
        Self { seat, backlog: Mutex::new(backlog), queued: AtomicUsize::new(0), key, fails }
    }

    pub(crate) fn is_full(&self) -> bool {
        lock(&self.backlog).is_full()
    }

    pub(crate) fn offer(&self, entry: Entry<V>) -> Offer<Entry<V>> {
        let key = self.key.as_ref().map_or(0, |key| key(entry.value.message()));
        let mut backlog = lock(&self.backlog);
        let offered = backlog.offer(entry, key);
        self.queued.store(backlog.len(), Ordering::Release);
        offered
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Acquire)
    }
}

/// The subscriber's half of a lane.
pub(crate) struct LaneReader<V: Payload> {
    pub(crate) core: Arc<Core<V>>,
    pub(crate) lane: Arc<Lane<V>>,
    /// The batch being handled; survives a panic of the handler.
    hand: VecDeque<Entry<V>>,
    /// Messages of the batch that the store still counts.
    counted: usize,
}

impl<V: Payload> LaneReader<V> {
    pub(crate) fn new(core: Arc<Core<V>>, lane: Arc<Lane<V>>) -> Self {
        Self { core, lane, hand: VecDeque::new(), counted: 0 }
    }

    #[inline]
    pub(crate) fn head(&mut self) -> Option<u64> {
        if self.hand.is_empty() && (self.counted > 0 || self.lane.queued() > 0) {
            let mut backlog = lock(&self.lane.backlog);
            // Nobody waits for room in a lane, so what `take` freed interests nobody.
            let _freed = backlog.take(&mut self.hand);
            self.lane.queued.store(backlog.len(), Ordering::Relaxed);
            self.counted = self.hand.len();
        }
        self.hand.front().map(|entry| entry.stamp)
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<&Entry<V>> {
        self.hand.front()
    }

    #[inline]
    pub(crate) fn advance(&mut self) {
        drop(self.hand.pop_front());
    }

    pub(crate) fn commit(&mut self) {
        if self.counted > self.hand.len() {
            self.counted = self.hand.len();
            lock(&self.lane.backlog).release(self.counted);
        }
    }

    pub(crate) fn arm(&mut self) -> bool {
        self.commit();
        self.lane.seat.arm(&self.core.listeners.sleepers);
        let mut backlog = lock(&self.lane.backlog);
        if backlog.len() > 0 || !self.hand.is_empty() {
            return true;
        }
        backlog.calm_down();
        false
    }

    pub(crate) fn unread(&self) -> usize {
        self.hand.len() + self.lane.queued()
    }
}

impl<V: Payload> Drop for LaneReader<V> {
    fn drop(&mut self) {
        self.core.remove_lane(&self.lane);
        let (unread, left) = {
            let mut backlog = lock(&self.lane.backlog);
            (backlog.drain(), self.hand.len())
        };
        self.core.counters.add_unread(unread.len() + left);
    }
}
