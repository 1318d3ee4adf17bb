//! Waiting for room in an inbox, and what can go wrong.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::Port;
use crate::wait::Ticket;

/// A message was not queued by [`try_send`](super::Port::try_send).
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySendError<T> {
    /// The inbox holds as many messages as its capacity allows.
    Full(T),
    /// The receiver is gone or closed.
    Closed(T),
}

/// A message was not queued by [`send`](super::Port::send).
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<T> {
    /// The inbox is full and its policy is `Fail`.
    Full(T),
    /// The receiver is gone or closed.
    Closed(T),
    /// The sender is the inbox's own receiver, and the inbox is full: waiting would never end.
    WouldDeadlock(T),
}

impl<T> TrySendError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) => value,
        }
    }
}

impl<T> SendError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) | Self::WouldDeadlock(value) => value,
        }
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => {
                "the inbox is full; wait with `send`, or declare a larger capacity or another policy"
            }
            Self::Closed(_) => "the receiver of this inbox is gone",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the inbox is full and its policy is Fail",
            Self::Closed(_) => "the receiver of this inbox is gone",
            Self::WouldDeadlock(_) => {
                "the receiver sends to its own full inbox and would wait for itself; raise its capacity or use try_send"
            }
        })
    }
}

/// A place in the line for room in one inbox, for a sender that takes whichever of several inboxes has room
/// first. It holds no message.
///
/// A sender that waits offers to all of them, [stands in line](Self::stand) at each, offers once more, and
/// only then sleeps. Where an offer is taken, it says so to that inbox's place ([`served`](Self::served))
/// and drops the others, which hand the wake-ups that they may have had on to the next in line.
///
/// ```
/// use std::sync::Arc;
/// use std::task::Waker;
/// use mycelium_mailbox::{Doorbell, Inbox, InboxOptions, Source, Stamps};
///
/// let inbox = || {
///     let options = InboxOptions { capacity: 1, ..InboxOptions::default() };
///     Inbox::<u32>::new(Arc::new(Stamps::new()), Arc::new(Doorbell::new()), options)
/// };
/// let (mut one, two) = (inbox(), inbox());
/// let senders = [one.sender(), two.sender()];
/// senders.iter().for_each(|sender| sender.offer(1).unwrap());
/// let mut places = [senders[0].place(), senders[1].place()];
/// places.iter_mut().for_each(|place| place.stand(Waker::noop()));
/// assert!(senders.iter().all(|sender| sender.offer(2).is_err()));
/// // It sleeps; then one of them has handled something, and wakes it.
/// one.head();
/// one.advance();
/// one.commit();
/// senders[0].offer(2).unwrap();
/// places[0].served();
/// ```
#[must_use = "dropped, it has left the line"]
pub struct LinePlace<'a> {
    ticket: Ticket<'a>,
}

impl<'a> LinePlace<'a> {
    pub(super) fn new<T>(port: &'a Port<T>) -> Self {
        Self { ticket: Ticket::new(&port.waiters) }
    }

    /// Has `waker` woken when there is room, or the inbox closes. The place in the line is that of the first
    /// time.
    pub fn stand(&mut self, waker: &Waker) {
        self.ticket.register(waker);
    }

    /// The inbox has taken a message: the wake-up is used up.
    pub fn served(&mut self) {
        self.ticket.served();
    }
}

impl fmt::Debug for LinePlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinePlace").finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> std::error::Error for TrySendError<T> {}
impl<T: fmt::Debug> std::error::Error for SendError<T> {}

/// The future of [`InboxSender::send`](super::Port::send). Dropped before it is ready, nothing was sent.
#[must_use = "nothing is sent unless it is awaited"]
pub struct Sending<'a, T> {
    port: &'a Port<T>,
    ticket: Ticket<'a>,
    value: Option<T>,
    sender: u64,
}

impl<'a, T> Sending<'a, T> {
    pub(super) fn new(port: &'a Port<T>, value: T, sender: u64) -> Self {
        Self { port, ticket: Ticket::new(&port.waiters), value: Some(value), sender }
    }

    /// The message back, if it was not sent.
    #[must_use]
    pub fn into_value(self) -> Option<T> {
        self.value
    }

    /// One attempt: done, failed, or the value back where waiting may help.
    fn attempt(&self, value: T) -> Result<Result<(), SendError<T>>, T> {
        match self.port.offer(value) {
            Ok(()) => Ok(Ok(())),
            Err(TrySendError::Closed(value)) => Ok(Err(SendError::Closed(value))),
            Err(TrySendError::Full(value)) if !self.port.waits => {
                self.port.state.lock().lost += 1;
                Ok(Err(SendError::Full(value)))
            }
            Err(TrySendError::Full(value)) if self.sender != 0 && self.sender == self.port.owner => {
                Ok(Err(SendError::WouldDeadlock(value)))
            }
            Err(TrySendError::Full(value)) => Err(value),
        }
    }
}

impl<T> Unpin for Sending<'_, T> {}

impl<T> Future for Sending<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    /// When polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(value) = this.value.take() else { panic!("`Sending` polled after it was ready") };
        // The second attempt comes after the waker is in the list: room made before that is seen here, room
        // made later finds the waker.
        let value = match this.attempt(value) {
            Ok(done) => {
                this.ticket.served();
                return Poll::Ready(done);
            }
            Err(value) => value,
        };
        this.ticket.register(cx.waker());
        match this.attempt(value) {
            Ok(done) => {
                this.ticket.served();
                Poll::Ready(done)
            }
            Err(value) => {
                this.value = Some(value);
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("sent", &self.value.is_none()).finish_non_exhaustive()
    }
}
