//! A `Block` subscriber's place in the ring.

use super::core::Core;
use super::error::SubscribeError;
use super::few::Few;
use super::payload::Payload;
use super::retain::Given;
use super::ring::{Ring, RingEntry};
use super::seat::SubscriberState;
use crate::discard::discard;
use crate::sync::Arc;

/// After how many messages, at most, a subscriber tells the producers how far it is.
const COMMIT_EVERY: u64 = 128;
/// The most it keeps to itself, as a share of its capacity.
const COMMIT_SHARE: u64 = 8;

pub(crate) struct Cursor<V: Payload> {
    pub(crate) core: Arc<Core<V>>,
    pub(crate) seat: Arc<SubscriberState>,
    ring: Arc<Ring<V>>,
    /// The topic's ring in which it goes on, while it reads what was retained. Held, so that nobody lets go
    /// of that one before.
    next_ring: Option<Arc<Ring<V>>>,
    /// Next position to handle.
    position: u64,
    /// Positions below are visible.
    visible: u64,
    /// What `seat.cursor` holds; above `position` only while it reads what was retained, which lies in a ring
    /// of its own.
    committed: u64,
    /// After how many messages it commits.
    quantum: u64,
    /// Whether the seat says so. Then all three positions are the same, until [`wake_up`](Self::wake_up), but
    /// for one that has retained messages to read first.
    idle: bool,
    /// Some of the producers that waited were woken since all of them were.
    woke_some: bool,
    /// See [`Subscription::was_cut_between`](super::Subscription::was_cut_between).
    pub(crate) cut_between: bool,
}

impl<V: Payload> Cursor<V> {
    pub(crate) fn new(
        core: Arc<Core<V>>,
        seat: Arc<SubscriberState>,
        ring: Arc<Ring<V>>,
        position: u64,
    ) -> Self {
        let quantum = (seat.capacity / COMMIT_SHARE).clamp(1, COMMIT_EVERY);
        let (visible, committed) = (position, position);
        let next_ring = None;
        Self {
            core,
            seat,
            ring,
            next_ring,
            position,
            visible,
            committed,
            quantum,
            idle: true,
            woke_some: false,
            cut_between: false,
        }
    }

    /// Gives it these messages before all others: they lie in a ring of its own, at the positions that end
    /// where it has come, and it goes on from there as from any ring that another has taken the place of. Its
    /// seat protects none of them, and what it tells the producers begins behind them.
    pub(super) fn begin_with(&mut self, retained: Given<RingEntry<V>>) -> Result<(), SubscribeError> {
        debug_assert!(self.idle && self.visible == self.position, "nothing was read");
        let count = retained.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let ring = Ring::new(count.next_power_of_two()).ok_or(SubscribeError::NoMemory)?;
        let (first, end) = (self.position - count, self.position);
        ring.start_at(first);
        for (position, RingEntry { stamp, sender, value }) in (first..).zip(retained.take()) {
            // SAFETY: nobody else knows this ring, and each position is written once, into a slot of its own.
            // One reader will pass it: this cursor.
            let _nothing = unsafe { ring.write(position, stamp, sender, value, 1) };
        }
        ring.finish(end);
        self.next_ring = Some(std::mem::replace(&mut self.ring, Arc::new(ring)));
        self.position = first;
        Ok(())
    }

    #[inline]
    pub(crate) fn head(&mut self) -> Option<u64> {
        // The usual look of who has many topics: nothing has come since the last one, and nothing retained is
        // left to read.
        if self.idle && self.position == self.visible && self.core.tail() == self.visible {
            return None;
        }
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
                self.settle_down();
                return None;
            }
            if self.idle {
                self.wake_up();
            }
            let end = self.ring.end();
            if self.position >= end {
                self.change_rings();
                continue;
            }
            self.visible = tail.min(end).max(self.position);
            if let Some(entry) = self.peek() {
                return Some(entry.stamp);
            }
        }
    }

    /// Tells that everything visible was read.
    fn settle_down(&mut self) {
        if !self.idle {
            self.idle = true;
            self.commit_as(true);
        }
    }

    /// Goes on in the ring that has taken the place of this one, which is read to its end.
    #[cold]
    fn change_rings(&mut self) {
        if let Some(ring) = self.core.ring_at(self.position) {
            self.ring = ring;
        }
        self.next_ring = None;
        self.core.drop_outlived();
    }

    /// Takes that back, before anything is read.
    fn wake_up(&mut self) {
        self.idle = false;
        self.position = self.seat.wake_up();
        self.committed = self.position;
    }

    /// The message in front, among the visible ones. Skips the subscriber's own.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<&RingEntry<V>> {
        while self.position < self.visible {
            // SAFETY: `visible` was loaded from the topic's word with Acquire; the seat is not idle where
            // `position` is below it, and its cursor is at most `position`, so the slot is not overwritten
            // before `position` moves on, which needs `&mut self`. Retained messages lie in a ring that
            // nobody writes any more.
            let sender = unsafe { self.ring.read(self.position) }.sender;
            if !self.seat.skips(sender) {
                // SAFETY: as above.
                return Some(unsafe { self.ring.read(self.position) });
            }
            // Nobody handles it here.
            self.discard();
        }
        None
    }

    /// Passes the message in front, which was handled.
    #[inline]
    pub(crate) fn advance(&mut self) {
        // SAFETY: as in `peek`, until the commit; the position is never again that of this cursor.
        self.advance_by(|ring, position| unsafe { ring.pass(position) });
    }

    /// Passes the message in front and returns it, or a clone if others have it too.
    pub(crate) fn take_front(&mut self, passed: &mut u64) -> Option<V::Message> {
        let value = &self.peek()?.value;
        if !value.is_last() || !value.is_sole() {
            // A clone that panics leaves it in front.
            let message = value.message().clone();
            *passed += 1;
            self.advance();
            return Some(message);
        }
        let mut taken = None;
        *passed += 1;
        // SAFETY: as in `advance`.
        self.advance_by(|ring, position| taken = unsafe { ring.pass_and_take(position) });
        taken.map(V::unwrap)
    }

    /// Passes the message in front, which nobody handles here: no panic of its destructor gets out.
    #[inline]
    pub(crate) fn discard(&mut self) {
        // SAFETY: as in `advance`.
        self.advance_by(|ring, position| discard(unsafe { ring.pass_and_take(position) }));
    }

    #[inline(always)]
    fn advance_by(&mut self, pass: impl FnOnce(&Ring<V>, u64)) {
        if self.position < self.visible {
            let passed = self.position;
            self.position += 1;
            if V::COUNTED {
                pass(&self.ring, passed);
            }
            if self.position >= self.committed + self.quantum {
                self.commit();
            }
        }
    }

    /// Visible messages that lie one behind the other in the ring, from the one in front, own ones among
    /// them: at most `most`, and no more than until the next commit.
    pub(crate) fn run(&mut self, most: u32) -> &[RingEntry<V>] {
        if self.position >= self.committed + self.quantum {
            self.commit();
        }
        let until = self.visible.min(self.committed + self.quantum).min(self.position + u64::from(most));
        // SAFETY: as in `peek`, for all positions up to `visible`.
        unsafe { self.ring.read_run(self.position, until) }
    }

    /// Drops the `at`th message of the last run if nobody else is to read it. Only of payloads that are
    /// counted, of each message once and before [`pass`](Self::pass) passes it.
    ///
    /// # Panics
    /// When its destructor does.
    #[inline]
    pub(crate) fn release(&mut self, at: usize) {
        // SAFETY: as in `peek`: the cursor protects the run until the next commit, and nothing of it is read
        // again that was released.
        unsafe { self.ring.pass(self.position + at as u64) };
    }

    /// As [`release`](Self::release), of a message that nobody handles here: no panic of its destructor gets
    /// out.
    pub(crate) fn release_unhandled(&mut self, at: usize) {
        // SAFETY: as in `release`.
        discard(unsafe { self.ring.pass_and_take(self.position + at as u64) });
    }

    /// Passes the message in front, which is in the last run: itself, if nobody else is to read it.
    #[inline]
    pub(crate) fn pass_next(&mut self) -> Option<V> {
        let passed = self.position;
        self.pass(1);
        // SAFETY: as in `release`; the position is never again that of this cursor.
        unsafe { self.ring.pass_and_take(passed) }
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
        if self.position > self.committed {
            self.commit_as(false);
        }
    }

    fn commit_as(&mut self, idle: bool) {
        let freed = self.position - self.committed;
        // Beside an empty queue nobody is left asleep: one that was woken before may never be polled again.
        let freed = if idle { usize::MAX } else { usize::try_from(freed).unwrap_or(usize::MAX) };
        self.committed = self.position;
        self.seat.tell(self.position, idle);
        if self.core.waiters.any() {
            self.core.waiters.wake(freed);
            self.woke_some = !idle;
        }
    }

    pub(crate) fn arm(&mut self, tag: Option<u32>) -> bool {
        self.commit();
        if self.core.arm(&self.seat, tag).tail() != self.position {
            return true;
        }
        // As a lane does: once, for who waits from now on waits for others, and perhaps sleeps on this very
        // doorbell.
        if std::mem::take(&mut self.woke_some) {
            self.core.waiters.wake_all();
        }
        false
    }

    /// Messages published and not handled, the subscriber's own among them.
    pub(crate) fn unread(&self) -> u64 {
        self.core.tail() - self.position
    }
}

impl<V: Payload> Cursor<V> {
    /// Passes all that is published, without the topic's lock. How many messages for this subscriber that
    /// were.
    fn leave_behind(&mut self) -> usize {
        // What was retained, while the seat may be idle.
        let mut unread = 0;
        while self.position < self.committed {
            unread += 1;
            self.discard();
        }
        if self.idle {
            self.wake_up();
        }
        let tail = self.core.tail();
        while self.position < tail {
            let position = self.position;
            if position >= self.ring.end() {
                self.change_rings();
                continue;
            }
            // SAFETY: the position is below a tail loaded with `Acquire`, in this ring, and the seat's cursor
            // is at or below it.
            unread += usize::from(!self.seat.skips(unsafe { self.ring.sender_of(position) }));
            self.position += 1;
            // SAFETY: as above, and the position is never again that of this cursor.
            discard(unsafe { self.ring.pass_and_take(position) });
        }
        unread
    }
}

impl<V: Payload> Drop for Cursor<V> {
    /// The rest is dropped by the last who leaves it, outside the lock. A message that is published at this
    /// very moment is passed inside, as much as fits without an allocation. More of it is passed outside
    /// first; that comes to an end, because producers cannot get past this cursor's seat, which is told
    /// nothing meanwhile.
    fn drop(&mut self) {
        let mut unread = 0;
        loop {
            if V::COUNTED || self.seat.skipped() != 0 {
                unread += self.leave_behind();
            }
            let mut passed = Few::new();
            let Self { core, seat, position, committed, .. } = self;
            let has_left = core.remove_gate(seat, |producer, tail| {
                // An idle cursor may have been moved past messages that are not counted anyway.
                let rest = (*position).max(*committed).max(seat.position())..tail;
                if !V::COUNTED && seat.skipped() == 0 {
                    // With those of what was retained.
                    let unread = committed.saturating_sub(*position) + (tail - rest.start);
                    return Some(usize::try_from(unread).unwrap_or(usize::MAX));
                }
                for at in rest {
                    if passed.needs_memory_for(passed.len() + 1) {
                        return None;
                    }
                    *position = at + 1;
                    let Some(ring) = producer.ring_at(at) else { continue };
                    // SAFETY: all positions below the tail are published, the seat's cursor protects those
                    // that this one has not passed, and the topic's lock is held, so nothing is overwritten.
                    unread += usize::from(!seat.skips(unsafe { ring.sender_of(at) }));
                    // SAFETY: as above; `position` is past it now, so this is the only time that this
                    // subscriber passes it.
                    if let Some(value) = unsafe { ring.pass_and_take(at) } {
                        passed.push(value);
                    }
                }
                Some(unread)
            });
            if has_left {
                // The others may have let go of it before.
                if self.next_ring.take().is_some() {
                    self.core.drop_outlived();
                }
                return;
            }
        }
    }
}
