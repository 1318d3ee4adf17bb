//! What senders and receiver share.

use std::fmt;
use std::mem::MaybeUninit;

use super::{InboxOptions, InboxStats, LinePlace, QUEUE_CAPACITY_MAX, Sending, TrySendError};
use crate::backlog::{Backlog, Offered, WhenFull};
use crate::discard::discard;
use crate::policy::{KeyFn, Overflow};
use crate::stamps::Mark;
use crate::sync::{AtomicU32, Ordering, Spin, SpinGuard};
use crate::wait::WaitList;
use crate::{Doorbell, Stamps};

/// A message and its stamp, which is there in every entry that the lock of the inbox has let out.
#[derive(Debug)]
pub(super) struct PortEntry<T> {
    stamp: MaybeUninit<u64>,
    pub(super) value: T,
}

impl<T> PortEntry<T> {
    fn new(stamp: u64, value: T) -> Self {
        Self { stamp: MaybeUninit::new(stamp), value }
    }

    #[inline]
    pub(super) fn stamp(&self) -> u64 {
        // SAFETY: `offer` alone makes one without, and writes it before the lock is free again.
        unsafe { self.stamp.assume_init() }
    }
}

/// The shared half of an inbox, at which messages are handed in.
///
/// [`Inbox::new`](super::Inbox::new) keeps it in memory of its own. Code that has a struct behind an `Arc`
/// anyway may put the port in there instead, implement [`AsRef`] for it, and read it with
/// [`Inbox::of`](super::Inbox::of).
pub struct Port<T> {
    pub(super) state: Spin<State<T>>,
    pub(super) queued: AtomicU32,
    pub(super) senders: AtomicU32,
    pub(super) waiters: WaitList,
    stamps: crate::sync::Arc<Stamps>,
    pub(super) doorbell: crate::sync::Arc<Doorbell>,
    /// Boxed, because few inboxes have one and idle inboxes are to be small.
    key: Option<Box<KeyFn<T>>>,
    pub(super) owner: u64,
    pub(super) waits: bool,
}

/// What the next message does for the receiver: nothing, ring its doorbell, or tell it a tag first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Armed(u32);

impl Armed {
    const NO: Self = Self(u32::MAX);
    const WITHOUT_TAG: u32 = u32::MAX - 1;

    pub(super) fn new(tag: Option<u32>) -> Self {
        Self(tag.unwrap_or(Self::WITHOUT_TAG))
    }

    fn tag(self) -> Option<u32> {
        (self.0 < Self::WITHOUT_TAG).then_some(self.0)
    }
}

pub(super) struct State<T> {
    pub(super) backlog: Backlog<PortEntry<T>>,
    mark: Mark,
    pub(super) armed: Armed,
    pub(super) closed: bool,
    accepted: u64,
    /// Dropped or refused, by the policy's own cause; [`State::stats`] names it.
    pub(super) lost: u64,
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

impl<T> Port<T> {
    /// An open port whose receiver sleeps on `doorbell`.
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
            armed: Armed::NO,
            closed: false,
            accepted: 0,
            lost: 0,
            conflated: 0,
        };
        Self {
            state: Spin::new(state),
            queued: AtomicU32::new(0),
            senders: AtomicU32::new(0),
            waiters: WaitList::new(),
            stamps,
            doorbell,
            key,
            owner,
            waits,
        }
    }

    /// Queues `value` now or gives it back.
    ///
    /// `Ok` says that it is queued; it does not say that the receiver will handle it, nor, with a policy that
    /// drops, that it will still be there.
    ///
    /// # Errors
    /// [`TrySendError::Full`] under `Block` and `Fail`; [`TrySendError::Closed`] once the receiver is gone.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let result = self.offer(value);
        if let Err(TrySendError::Full(_)) = &result {
            self.state.lock().lost += 1;
        }
        result
    }

    /// Like [`try_send`](Self::try_send), but a refusal is not counted: for a caller that waits with
    /// [`send`](Self::send) then.
    ///
    /// # Errors
    /// Those of `try_send`.
    #[inline(always)] // A call would copy the message twice more.
    pub fn offer(&self, value: T) -> Result<(), TrySendError<T>> {
        self.offer_made(|| value)
    }

    /// The same for a value that `make` makes where it is to lie, if there is room.
    ///
    /// # Errors
    /// Those of `try_send`.
    #[inline(always)]
    pub fn offer_made(&self, make: impl FnOnce() -> T) -> Result<(), TrySendError<T>> {
        if self.key.is_some() {
            return self.offer_keyed(make());
        }
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return Err(TrySendError::Closed(make()));
        }
        if !state.backlog.has_place() {
            return self.offer_full(state, make(), 0);
        }
        let stamp = self.stamps.stamp(&mut state.mark);
        // The stamp is written where the entry lies. Before, the entry would be read, to be moved there, in
        // larger pieces than it was written in: such a load waits until the cache has both.
        state.backlog.push(PortEntry { stamp: MaybeUninit::uninit(), value: make() });
        if let Some(newest) = state.backlog.newest_mut() {
            newest.stamp = MaybeUninit::new(stamp);
        }
        state.accepted += 1;
        self.finish(state);
        Ok(())
    }

    /// With `Conflate`, whose keys are foreign code and asked for where no lock is held.
    #[cold]
    fn offer_keyed(&self, value: T) -> Result<(), TrySendError<T>> {
        let key = self.key.as_ref().map_or(0, |key| key(&value));
        let state = self.state.lock();
        if state.closed {
            return Err(TrySendError::Closed(value));
        }
        self.offer_full(state, value, key)
    }

    /// Queues `value` behind all that waits, however much that is: for what the receiver's side sends itself,
    /// which it has to bound. With `Conflate` it is offered as any other.
    ///
    /// # Errors
    /// [`TrySendError::Closed`] once the receiver is gone.
    pub fn send_past_bound(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.key.is_some() {
            return self.offer(value);
        }
        let mut state = self.state.lock();
        if state.closed {
            return Err(TrySendError::Closed(value));
        }
        let stamp = self.stamps.stamp(&mut state.mark);
        state.backlog.push(PortEntry::new(stamp, value));
        state.accepted += 1;
        self.finish(state);
        Ok(())
    }

    /// Messages that count against the bound: those that wait, and those of the receiver's last batch, as far
    /// as it has told.
    #[must_use]
    pub fn load(&self) -> usize {
        self.state.lock().backlog.load()
    }

    /// Queues `value`, waiting for room under `Block`. `sender` is the sending actor's id, or 0.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was sent.
    ///
    /// # Errors
    /// [`Full`](super::SendError::Full) under `Fail`; [`WouldDeadlock`](super::SendError::WouldDeadlock) when
    /// the receiver itself would wait for its own full inbox; [`Closed`](super::SendError::Closed) once the
    /// receiver is gone.
    pub fn send(&self, value: T, sender: u64) -> Sending<'_, T> {
        Sending::new(self, value, sender)
    }

    /// A place in the line for room, without a message.
    pub fn place(&self) -> LinePlace<'_> {
        LinePlace::new(self)
    }

    /// Whether the receiver refuses further messages.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Messages waiting, without those in the receiver's hand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queued.load(Ordering::Relaxed) as usize
    }

    /// The bound, in messages.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.state.lock().backlog.capacity()
    }

    /// Whether no message waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the receiver sleeps on.
    #[must_use]
    pub fn doorbell(&self) -> &crate::sync::Arc<Doorbell> {
        &self.doorbell
    }

    /// The counters up to now.
    #[must_use]
    pub fn stats(&self) -> InboxStats {
        self.state.lock().stats()
    }

    #[cold]
    fn offer_full(
        &self,
        mut state: SpinGuard<'_, State<T>>,
        value: T,
        key: u64,
    ) -> Result<(), TrySendError<T>> {
        let stamp = self.stamps.stamp(&mut state.mark);
        // A displaced message is dropped after the lock is free again: its drop is foreign code.
        let displaced = match state.backlog.offer(PortEntry::new(stamp, value), key) {
            Offered::Refused(entry) => return Err(TrySendError::Full(entry.value)),
            Offered::DroppedNewest(entry) => {
                state.lost += 1;
                drop(state);
                discard(entry);
                return Ok(());
            }
            Offered::Stored => None,
            Offered::DroppedOldest(entry) => {
                state.lost += 1;
                Some(entry)
            }
            Offered::Conflated(entry) => {
                state.conflated += 1;
                Some(entry)
            }
        };
        state.accepted += 1;
        self.finish(state);
        discard(displaced);
        Ok(())
    }

    /// Ends a send that changed the queue: tells the receiver, and rings if it sleeps.
    #[inline(always)] // A few instructions, in the way of each message.
    fn finish(&self, mut state: SpinGuard<'_, State<T>>) {
        let rings = self.disarm(&mut state);
        self.queued.store(state.backlog.count(), Ordering::Release);
        drop(state);
        if rings {
            self.doorbell.ring();
        }
    }

    /// Tells the doorbell what it is to be told. Whether it is to be rung when the lock is free.
    #[inline]
    pub(super) fn disarm(&self, state: &mut State<T>) -> bool {
        let armed = std::mem::replace(&mut state.armed, Armed::NO);
        if let Some(tag) = armed.tag() {
            self.doorbell.tell(tag);
        }
        armed != Armed::NO
    }

    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let rings = self.disarm(&mut state);
        drop(state);
        if rings {
            self.doorbell.ring();
        }
        self.waiters.wake_all();
    }
}

impl<T> AsRef<Self> for Port<T> {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<T> fmt::Debug for Port<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("queued", &self.len()).finish_non_exhaustive()
    }
}
