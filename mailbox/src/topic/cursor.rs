//! A `Block` subscriber's place in the ring.

use super::core::Core;
use super::payload::Payload;
use super::ring::{Entry, Ring};
use super::seat::Seat;
use crate::sync::{Arc, Ordering};

/// After how many messages, at most, a subscriber tells the producers how far it is.
const COMMIT_EVERY: u64 = 128;
/// The most it keeps to itself, as a share of its capacity.
const COMMIT_SHARE: u64 = 8;

pub(crate) struct Cursor<V: Payload> {
    pub(crate) core: Arc<Core<V>>,
    pub(crate) seat: Arc<Seat>,
    ring: Arc<Ring<V>>,
    /// Next position to handle.
    position: u64,
    /// Positions below are visible.
    visible: u64,
    /// What `seat.cursor` holds; never above `position`.
    committed: u64,
    /// After how many messages it commits.
    quantum: u64,
}

impl<V: Payload> Cursor<V> {
    pub(crate) fn new(core: Arc<Core<V>>, seat: Arc<Seat>, ring: Arc<Ring<V>>, position: u64) -> Self {
        let quantum = (seat.capacity / COMMIT_SHARE).clamp(1, COMMIT_EVERY);
        Self { core, seat, ring, position, visible: position, committed: position, quantum }
    }

    #[inline]
    pub(crate) fn head(&mut self) -> Option<u64> {
        if let Some(entry) = self.peek() {
            return Some(entry.stamp);
        }
        self.look()
    }

    /// Loads the tail until a message for this subscriber is visible or nothing is left.
    fn look(&mut self) -> Option<u64> {
        loop {
            let tail = self.core.tail();
            if tail == self.visible {
                self.commit();
                return None;
            }
            self.visible = tail;
            if let Some(entry) = self.peek() {
                return Some(entry.stamp);
            }
        }
    }

    /// The message in front, among the visible ones. Skips the subscriber's own.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<&Entry<V>> {
        while self.position < self.visible {
            // SAFETY: `visible` was loaded from the topic's word with Acquire; `seat.cursor` is at most `position`,
            // so the slot is not overwritten before `position` moves on, which needs `&mut self`.
            let sender = unsafe { self.ring.read(self.position) }.sender;
            if !self.seat.skips(sender) {
                // SAFETY: as above.
                return Some(unsafe { self.ring.read(self.position) });
            }
            self.advance();
        }
        None
    }

    #[inline]
    pub(crate) fn advance(&mut self) {
        if self.position < self.visible {
            self.position += 1;
            if self.position - self.committed >= self.quantum {
                self.commit();
            }
        }
    }

    /// Visible messages that lie one behind the other in the ring, from the one in front, own ones among them: at most
    /// `most`, and no more than until the next commit.
    pub(crate) fn run(&mut self, most: u32) -> &[Entry<V>] {
        if self.position - self.committed >= self.quantum {
            self.commit();
        }
        let until = self.visible.min(self.committed + self.quantum).min(self.position + u64::from(most));
        // SAFETY: as in `peek`, for all positions up to `visible`.
        unsafe { self.ring.read_run(self.position, until) }
    }

    /// Passes the first `messages` of the last run.
    #[inline]
    pub(crate) fn pass(&mut self, messages: usize) {
        self.position += messages as u64;
        debug_assert!(self.position <= self.visible, "only visible messages are passed");
    }

    /// Frees the handled slots and wakes producers that wait for them.
    #[inline]
    pub(crate) fn commit(&mut self) {
        if self.committed != self.position {
            self.commit_now();
        }
    }

    fn commit_now(&mut self) {
        let freed = self.position - self.committed;
        self.committed = self.position;
        self.seat.cursor.swap(self.position, Ordering::SeqCst);
        if self.core.waiters.any() {
            self.core.waiters.wake(usize::try_from(freed).unwrap_or(usize::MAX));
        }
    }

    pub(crate) fn arm(&mut self) -> bool {
        self.commit();
        if self.core.arm(&self.seat) != self.position {
            return true;
        }
        if self.core.waiters.any() {
            self.core.waiters.wake_all();
        }
        false
    }

    /// Messages published and not handled, the subscriber's own among them.
    pub(crate) fn unread(&self) -> u64 {
        self.core.tail() - self.position
    }
}

impl<V: Payload> Drop for Cursor<V> {
    fn drop(&mut self) {
        let Self { core, seat, ring, position, .. } = self;
        core.remove_gate(seat, |tail| {
            let unread = (*position..tail).filter(|&at| {
                // SAFETY: all positions below the tail are published, `seat.cursor` is at or below `position`, and the
                // topic's lock is held, so nothing is overwritten.
                let entry = unsafe { ring.read(at) };
                !seat.skips(entry.sender)
            });
            unread.count()
        });
    }
}
