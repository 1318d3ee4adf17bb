//! The queue of one receiver with many senders, for direct sends.
//!
//! # Protocol
//! `state` (the queued messages, `armed`, `closed`, counters) is guarded by one short lock. A sender takes the stamp
//! inside it, so stamps never fall along the queue. `queued` mirrors the length for the receiver's look: it is stored with
//! `Release` inside the lock and loaded with `Acquire`, so a receiver that has seen any later effect of the sender
//! sees the message too. The receiver takes up to 32 messages at a time into `hand`, which nobody else touches.
//!
//! Sleep: the receiver first prepares its [`Doorbell`], then sets `armed` inside the lock, where it also looks a last
//! time. A sender that finds `armed` inside the lock clears it and rings after unlocking: one ring per sleep.
//!
//! Memory: nothing is allocated before the first message. The store doubles up to the declared capacity and gives memory
//! back when several sleeps in a row found it mostly unused.

mod send;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc as StdArc;

pub use send::{SendError, Sending, TrySendError};

use crate::backlog::{Backlog, Offer, WhenFull};
use crate::merge::Source;
use crate::policy::{KeyFn, Overflow};
use crate::stamps::Mark;
use crate::sync::{AtomicU32, Ordering, Spin, SpinGuard};
use crate::wait::WaitList;
use crate::{Doorbell, Stamps};

/// Capacity of an inbox unless declared otherwise, in messages.
pub const INBOX_CAPACITY_DEFAULT: u32 = 1024;
/// Largest capacity of any queue, in messages.
pub const QUEUE_CAPACITY_MAX: u32 = 1 << 30;

/// How an inbox is made.
#[derive(Clone, Debug)]
pub struct InboxOptions<T> {
    /// What a full inbox does.
    pub overflow: Overflow<T>,
    /// Messages queued and in the receiver's hand together; clamped to 1..=[`QUEUE_CAPACITY_MAX`]. With `DropOldest`
    /// and `Conflate` the single message in hand comes on top, because it cannot be replaced any more.
    pub capacity: u32,
    /// The receiver's id, or 0. A sender of the same id gets an error instead of waiting for itself.
    pub owner: u64,
}

impl<T> Default for InboxOptions<T> {
    fn default() -> Self {
        Self { overflow: Overflow::Block, capacity: INBOX_CAPACITY_DEFAULT, owner: 0 }
    }
}

/// What was dropped or refused, by cause. Each counter only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxStats {
    /// Messages put in the queue.
    pub accepted: u64,
    /// Older messages dropped for newer ones.
    pub dropped_oldest: u64,
    /// New messages not queued because the inbox was full.
    pub dropped_newest: u64,
    /// Older messages replaced by one of the same key.
    pub conflated: u64,
    /// Attempts refused with `Full`.
    pub rejected: u64,
}

/// The sending half. Cloning is cheap.
pub struct InboxSender<T> {
    shared: StdArc<Shared<T>>,
}

/// The receiving half.
///
/// ```
/// use std::sync::Arc;
/// use mycelium_mailbox::{Doorbell, Inbox, InboxOptions, Source, Stamps};
///
/// let bell = Arc::new(Doorbell::new());
/// let mut inbox = Inbox::new(Arc::new(Stamps::new()), bell, InboxOptions::default());
/// let sender = inbox.sender();
/// sender.try_send("hello").unwrap();
/// assert!(inbox.head().is_some());
/// assert_eq!(inbox.peek(), Some((&"hello", 0)));
/// inbox.advance();
/// assert!(inbox.head().is_none());
/// ```
pub struct Inbox<T> {
    shared: StdArc<Shared<T>>,
    /// The batch being handled. It survives a panic of the handler: the front leaves only by `advance` or `take`.
    hand: VecDeque<Entry<T>>,
    /// Messages of the batch that the shared store still counts.
    counted: usize,
}

#[derive(Debug)]
struct Entry<T> {
    stamp: u64,
    value: T,
}

struct Shared<T> {
    state: Spin<State<T>>,
    queued: AtomicU32,
    senders: AtomicU32,
    waiters: WaitList,
    stamps: crate::sync::Arc<Stamps>,
    doorbell: crate::sync::Arc<Doorbell>,
    /// Boxed, because few inboxes have one and idle inboxes are to be small.
    key: Option<Box<KeyFn<T>>>,
    owner: u64,
    waits: bool,
}

struct State<T> {
    backlog: Backlog<Entry<T>>,
    mark: Mark,
    armed: bool,
    closed: bool,
    accepted: u64,
    /// Dropped or refused, by the policy's own cause; [`State::stats`] names it.
    lost: u64,
    conflated: u64,
}

impl<T> State<T> {
    fn stats(&self) -> InboxStats {
        let mut stats =
            InboxStats { accepted: self.accepted, conflated: self.conflated, ..InboxStats::default() };
        match self.backlog.when_full() {
            WhenFull::Refuse => stats.rejected = self.lost,
            WhenFull::DropNewest => stats.dropped_newest = self.lost,
            WhenFull::DropOldest | WhenFull::Conflate => stats.dropped_oldest = self.lost,
        }
        stats
    }
}

impl<T> Shared<T> {
    /// Queues `value` or gives it back. The caller counts rejections.
    #[inline]
    fn offer(&self, value: T) -> Result<(), TrySendError<T>> {
        let key = self.key.as_ref().map_or(0, |key| key(&value));
        let mut state = self.state.lock();
        if state.closed {
            return Err(TrySendError::Closed(value));
        }
        if !state.backlog.has_place() {
            return self.offer_full(state, value, key);
        }
        let stamp = self.stamps.stamp(&mut state.mark);
        state.backlog.push(Entry { stamp, value });
        state.accepted += 1;
        self.finish(state);
        Ok(())
    }

    #[cold]
    fn offer_full(
        &self,
        mut state: SpinGuard<'_, State<T>>,
        value: T,
        key: u64,
    ) -> Result<(), TrySendError<T>> {
        let stamp = self.stamps.stamp(&mut state.mark);
        // What is displaced is dropped after the lock is free again: its drop is foreign code.
        let _displaced = match state.backlog.offer(Entry { stamp, value }, key) {
            Offer::Refused(entry) => return Err(TrySendError::Full(entry.value)),
            Offer::DroppedNewest(entry) => {
                state.lost += 1;
                drop(state);
                drop(entry);
                return Ok(());
            }
            Offer::Stored => None,
            Offer::DroppedOldest(entry) => {
                state.lost += 1;
                Some(entry)
            }
            Offer::Conflated(entry) => {
                state.conflated += 1;
                Some(entry)
            }
        };
        state.accepted += 1;
        self.finish(state);
        Ok(())
    }

    /// Ends a send that changed the queue: tells the receiver, and rings if it sleeps.
    #[inline]
    fn finish(&self, mut state: SpinGuard<'_, State<T>>) {
        self.queued.store(state.backlog.count(), Ordering::Release);
        let ring = std::mem::take(&mut state.armed);
        drop(state);
        if ring {
            self.doorbell.ring();
        }
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let ring = std::mem::take(&mut state.armed);
        drop(state);
        if ring {
            self.doorbell.ring();
        }
        self.waiters.wake_all();
    }

    fn stats(&self) -> InboxStats {
        self.state.lock().stats()
    }
}

impl<T> InboxSender<T> {
    /// Queues `value` now or gives it back.
    ///
    /// `Ok` says that it is queued; it does not say that the receiver will handle it, nor, with a policy that drops,
    /// that it will still be there.
    ///
    /// # Errors
    /// [`TrySendError::Full`] under `Block` and `Fail`; [`TrySendError::Closed`] once the receiver is gone.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let result = self.shared.offer(value);
        if let Err(TrySendError::Full(_)) = &result {
            self.shared.state.lock().lost += 1;
        }
        result
    }

    /// Like [`try_send`](Self::try_send), but a refusal is not counted: for a caller that waits with [`send`](Self::send)
    /// then.
    ///
    /// # Errors
    /// Those of `try_send`.
    #[inline]
    pub fn offer(&self, value: T) -> Result<(), TrySendError<T>> {
        self.shared.offer(value)
    }

    /// Queues `value`, waiting for room under `Block`. `sender` is the sending actor's id, or 0.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was sent.
    ///
    /// # Errors
    /// [`SendError::Full`] under `Fail`; [`SendError::WouldDeadlock`] when the receiver itself would wait for its own
    /// full inbox; [`SendError::Closed`] once the receiver is gone.
    pub fn send(&self, value: T, sender: u64) -> Sending<'_, T> {
        Sending::new(&self.shared, value, sender)
    }

    /// Whether the receiver refuses further messages.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.state.lock().closed
    }

    /// Messages waiting, without those in the receiver's hand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.queued.load(Ordering::Relaxed) as usize
    }

    /// Whether no message waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The counters up to now.
    #[must_use]
    pub fn stats(&self) -> InboxStats {
        self.shared.stats()
    }

    /// Whether both send to the same inbox.
    #[must_use]
    pub fn same_inbox(&self, other: &Self) -> bool {
        StdArc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Inbox<T> {
    /// An open inbox whose receiver sleeps on `doorbell`.
    #[must_use]
    pub fn new(
        stamps: crate::sync::Arc<Stamps>,
        doorbell: crate::sync::Arc<Doorbell>,
        options: InboxOptions<T>,
    ) -> Self {
        let InboxOptions { overflow, capacity, owner } = options;
        let capacity = capacity.clamp(1, QUEUE_CAPACITY_MAX);
        let when_full = WhenFull::from(&overflow);
        let waits = matches!(overflow, Overflow::Block);
        let key = if let Overflow::Conflate(key) = overflow { Some(Box::new(key)) } else { None };
        let backlog = Backlog::new(when_full, capacity);
        let state = State {
            backlog,
            mark: Mark::NONE,
            armed: false,
            closed: false,
            accepted: 0,
            lost: 0,
            conflated: 0,
        };
        let shared = Shared {
            state: Spin::new(state),
            queued: AtomicU32::new(0),
            senders: AtomicU32::new(0),
            waiters: WaitList::new(),
            stamps,
            doorbell,
            key,
            owner,
            waits,
        };
        Self { shared: StdArc::new(shared), hand: VecDeque::new(), counted: 0 }
    }

    /// A new sender to this inbox.
    #[must_use]
    pub fn sender(&self) -> InboxSender<T> {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        InboxSender { shared: StdArc::clone(&self.shared) }
    }

    /// The oldest message and its stamp, in place, among those a [`head`](Source::head) has made visible.
    #[inline]
    pub fn peek(&self) -> Option<(&T, u64)> {
        self.hand.front().map(|entry| (&entry.value, entry.stamp))
    }

    /// Like [`peek`](Self::peek), for a handler that changes the message while it handles it.
    #[inline]
    pub fn peek_mut(&mut self) -> Option<(&mut T, u64)> {
        self.hand.front_mut().map(|entry| (&mut entry.value, entry.stamp))
    }

    /// Drops the message in front: it was handled.
    #[inline]
    pub fn advance(&mut self) {
        drop(self.hand.pop_front());
    }

    /// Takes the message in front out.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        self.hand.pop_front().map(|entry| entry.value)
    }

    /// Refuses further messages; those queued can still be read. Waiting senders get [`SendError::Closed`].
    pub fn close(&self) {
        self.shared.close();
    }

    /// Whether nothing can arrive any more: closed or without senders, and empty.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        // Senders before messages: the last sender's messages were queued before it went.
        let no_sender = self.shared.senders.load(Ordering::Acquire) == 0;
        let state = self.shared.state.lock();
        (no_sender || state.closed) && state.backlog.len() == 0 && self.hand.is_empty()
    }

    /// Messages waiting and in hand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hand.len() + self.shared.queued.load(Ordering::Acquire) as usize
    }

    /// Whether no message waits or is in hand.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives unused memory back now, without waiting for several quiet sleeps.
    pub fn shrink(&mut self) {
        self.shared.state.lock().backlog.shrink();
        if self.hand.is_empty() {
            self.hand = VecDeque::new();
        }
    }

    /// The counters up to now.
    #[must_use]
    pub fn stats(&self) -> InboxStats {
        self.shared.stats()
    }

    #[inline(never)]
    fn refill(&mut self) {
        let mut state = self.shared.state.lock();
        let freed = state.backlog.take(&mut self.hand);
        self.shared.queued.store(state.backlog.count(), Ordering::Relaxed);
        drop(state);
        self.counted = self.hand.len();
        self.wake_senders(freed);
    }

    fn wake_senders(&self, freed: usize) {
        if freed > 0 && self.shared.waits && self.shared.waiters.any() {
            self.shared.waiters.wake(freed);
        }
    }
}

impl<T> Source for Inbox<T> {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        if self.hand.is_empty() {
            if self.counted == 0 && self.shared.queued.load(Ordering::Acquire) == 0 {
                return None;
            }
            self.refill();
        }
        self.hand.front().map(|entry| entry.stamp)
    }

    fn commit(&mut self) {
        if self.hand.len() == self.counted {
            return;
        }
        self.counted = self.hand.len();
        let freed = self.shared.state.lock().backlog.release(self.counted);
        self.wake_senders(freed);
    }

    fn arm(&mut self) -> bool {
        self.commit();
        let mut state = self.shared.state.lock();
        if state.backlog.len() > 0 || !self.hand.is_empty() {
            return true;
        }
        state.armed = true;
        state.backlog.calm_down();
        drop(state);
        if self.shared.waits && self.shared.waiters.any() {
            self.shared.waiters.wake_all();
        }
        false
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        self.shared.close();
        let unread = {
            let mut state = self.shared.state.lock();
            self.shared.queued.store(0, Ordering::Relaxed);
            state.backlog.drain()
        };
        drop(unread);
    }
}

impl<T> Clone for InboxSender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self { shared: StdArc::clone(&self.shared) }
    }
}

impl<T> Drop for InboxSender<T> {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let ring = std::mem::take(&mut self.shared.state.lock().armed);
        if ring {
            self.shared.doorbell.ring();
        }
    }
}

impl<T> fmt::Debug for InboxSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxSender").field("queued", &self.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("queued", &self.len()).finish_non_exhaustive()
    }
}
