//! The queue of one receiver with many senders, for direct sends.
//!
//! # Protocol
//! `state` (the queued messages, `armed`, `closed`, counters) is guarded by one short lock. A sender takes
//! the stamp inside it, so stamps never fall along the queue. `queued` mirrors the length for the receiver's
//! look: it is stored with `Release` inside the lock and loaded with `Acquire`, so a receiver that has seen
//! any later effect of the sender sees the message too. The receiver takes up to 32 messages at a time into
//! `hand`, which nobody else touches. They count against the capacity until it takes more, commits or arms: a
//! receiver that finds its inbox empty and does something else commits first.
//!
//! Sleep: the receiver first prepares its [`Doorbell`], then sets `armed` inside the lock, where it also
//! looks a last time. A sender that finds `armed` inside the lock clears it and rings after unlocking: one
//! ring per sleep. If it was armed with a tag, the sender tells the doorbell that before it stores `queued`.
//!
//! Memory: nothing is allocated before the first message. The store doubles up to the declared capacity and
//! gives memory back when several sleeps in a row found it mostly unused.

mod port;
mod send;

use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc as StdArc;

pub use port::Port;
pub use send::{LinePlace, SendError, Sending, TrySendError};

use crate::discard::{discard, discard_all};
use crate::merge::Source;
use crate::policy::Overflow;
use crate::sync::Ordering;
use crate::{Doorbell, Stamps};
use port::{Armed, PortEntry};

/// Capacity of an inbox unless declared otherwise, in messages.
pub const INBOX_CAPACITY_DEFAULT: u32 = 1024;
/// Largest capacity of any queue, in messages.
pub const QUEUE_CAPACITY_MAX: u32 = 1 << 30;

/// How an inbox is made.
#[derive(Clone, Debug)]
pub struct InboxOptions<T> {
    /// What a full inbox does.
    pub overflow: Overflow<T>,
    /// Messages queued and in the receiver's hand together; clamped to 1..=[`QUEUE_CAPACITY_MAX`]. With
    /// `DropOldest` and `Conflate` the single message in hand comes on top, because it cannot be replaced any
    /// more.
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

/// The sending half: counted access to a [`Port`], which has the methods. Cloning is cheap.
pub struct InboxSender<T> {
    port: StdArc<Port<T>>,
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
pub struct Inbox<T, P: AsRef<Port<T>> = Port<T>> {
    /// What holds the port.
    owner: StdArc<P>,
    /// The batch being handled. It survives a panic of the handler: the front leaves only by `advance` or
    /// `take`.
    hand: VecDeque<PortEntry<T>>,
    /// Messages of the batch that the shared store still counts.
    counted: usize,
}

impl<T> Deref for InboxSender<T> {
    type Target = Port<T>;

    #[inline]
    fn deref(&self) -> &Port<T> {
        &self.port
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
        Self::of(StdArc::new(Port::new(stamps, doorbell, options)))
    }

    /// A new sender to this inbox.
    #[must_use]
    pub fn sender(&self) -> InboxSender<T> {
        self.port().senders.fetch_add(1, Ordering::Relaxed);
        InboxSender { port: StdArc::clone(&self.owner) }
    }

    /// Whether nothing can arrive any more: closed or without senders, and empty.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        // Senders before messages: the last sender's messages were queued before it went.
        let no_sender = self.port().senders.load(Ordering::Acquire) == 0;
        let state = self.port().state.lock();
        (no_sender || state.closed) && state.backlog.is_empty() && self.hand.is_empty()
    }
}

impl<T, P: AsRef<Port<T>>> Inbox<T, P> {
    /// The receiving half of the port in `owner`. One is enough: a second one would share the messages with
    /// the first.
    #[must_use]
    pub fn of(owner: StdArc<P>) -> Self {
        Self { owner, hand: VecDeque::new(), counted: 0 }
    }

    /// The oldest message and its stamp, in place, among those a [`head`](Source::head) has made visible.
    #[inline]
    pub fn peek(&self) -> Option<(&T, u64)> {
        self.hand.front().map(|entry| (&entry.value, entry.stamp()))
    }

    /// Like [`peek`](Self::peek), for a handler that changes the message while it handles it.
    #[inline]
    pub fn peek_mut(&mut self) -> Option<(&mut T, u64)> {
        self.hand.front_mut().map(|entry| {
            let stamp = entry.stamp();
            (&mut entry.value, stamp)
        })
    }

    /// Drops the message in front: it was handled.
    #[inline]
    pub fn advance(&mut self) {
        if self.hand.len() == 1 {
            // It is dropped where it lies, and not moved out before.
            self.hand.clear();
        } else {
            drop(self.hand.pop_front());
        }
    }

    /// Takes the message in front out.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        self.hand.pop_front().map(|entry| entry.value)
    }

    /// Refuses further messages; those queued can still be read. Waiting senders get [`SendError::Closed`].
    pub fn close(&self) {
        self.port().close();
    }

    /// Messages waiting and in hand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hand.len() + self.port().queued.load(Ordering::Acquire) as usize
    }

    /// Whether no message waits or is in hand.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives unused memory back now, without waiting for several quiet sleeps.
    pub fn shrink(&mut self) {
        self.port().state.lock().backlog.shrink();
        if self.hand.is_empty() {
            self.hand = VecDeque::new();
        }
    }

    /// The counters up to now.
    #[must_use]
    pub fn stats(&self) -> InboxStats {
        self.port().stats()
    }

    fn port(&self) -> &Port<T> {
        (*self.owner).as_ref()
    }

    #[inline(never)]
    fn refill(&mut self) {
        let port = (*self.owner).as_ref();
        let mut state = port.state.lock();
        let freed = state.backlog.take(&mut self.hand, usize::MAX);
        port.queued.store(state.backlog.count(), Ordering::Relaxed);
        drop(state);
        self.counted = self.hand.len();
        self.wake_senders(freed);
    }

    fn wake_senders(&self, freed: usize) {
        if freed > 0 && self.port().waits && self.port().waiters.any() {
            // Beside an empty queue nobody is left asleep: one that was woken before may never be polled
            // again.
            self.port().waiters.wake(if self.is_empty() { usize::MAX } else { freed });
        }
    }
}

impl<T, P: AsRef<Port<T>>> Source for Inbox<T, P> {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        if self.hand.is_empty() {
            // Unless somebody waits for room, what was handled counts until a commit or the next batch: most
            // receivers sleep now, which commits under the same lock.
            let idle = self.counted == 0 || !(self.port().waits && self.port().waiters.any());
            if idle && self.port().queued.load(Ordering::Acquire) == 0 {
                return None;
            }
            self.refill();
        }
        self.hand.front().map(PortEntry::stamp)
    }

    fn commit(&mut self) {
        if self.hand.len() == self.counted {
            return;
        }
        self.counted = self.hand.len();
        let freed = self.port().state.lock().backlog.release(self.counted);
        self.wake_senders(freed);
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        let mut state = self.port().state.lock();
        // What a commit does, under the same lock.
        let left = self.hand.len();
        let freed = state.backlog.release(left);
        let has_messages = !state.backlog.is_empty() || left > 0;
        if !has_messages {
            state.armed = Armed::new(tag);
            state.backlog.calm_down();
        }
        drop(state);
        self.counted = left;
        // Nobody is left asleep beside an empty queue.
        self.wake_senders(if has_messages { freed } else { usize::MAX });
        has_messages
    }
}

impl<T, P: AsRef<Port<T>>> Drop for Inbox<T, P> {
    fn drop(&mut self) {
        self.port().close();
        let unread = {
            let mut state = self.port().state.lock();
            self.port().queued.store(0, Ordering::Relaxed);
            state.backlog.release(0);
            state.backlog.drain()
        };
        while let Some(oldest) = self.hand.pop_front() {
            discard(oldest);
        }
        discard_all(unread);
    }
}

impl<T> Clone for InboxSender<T> {
    fn clone(&self) -> Self {
        self.port.senders.fetch_add(1, Ordering::Relaxed);
        Self { port: StdArc::clone(&self.port) }
    }
}

impl<T> Drop for InboxSender<T> {
    fn drop(&mut self) {
        if self.port.senders.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let rings = self.port.disarm(&mut self.port.state.lock());
        if rings {
            self.port.doorbell.ring();
        }
    }
}

impl<T> fmt::Debug for InboxSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxSender").field("queued", &self.len()).finish_non_exhaustive()
    }
}

impl<T, P: AsRef<Port<T>>> fmt::Debug for Inbox<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("queued", &self.len()).finish_non_exhaustive()
    }
}
