//! Waiting for room in a topic.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::core::{Core, Refusal};
use super::error::{Blocker, Obstacle, PublishError};
use super::payload::{Boxed, Inline, Owned, Payload};
use super::{Badge, Form, kept};
use crate::wait::Ticket;

/// The future of [`Topic::publish`](super::Topic::publish). Dropped before it is ready, nothing was
/// published.
#[must_use = "nothing is published unless it is awaited"]
pub struct Publishing<'a, M: Clone + Send + Sync + 'static> {
    attempt: Attempt<'a, M>,
}

enum Attempt<'a, M: Clone + Send + Sync + 'static> {
    Inline(Waiting<'a, Inline<M>>),
    Owned(Waiting<'a, Owned<M>>),
    Boxed(Waiting<'a, Boxed<M>>),
}

struct Waiting<'a, V: Payload> {
    core: &'a Core<V>,
    ticket: Ticket<'a>,
    /// Wrapped once, so that waiting allocates nothing more.
    payload: Option<V>,
    sender: u64,
}

impl<'a, M: Clone + Send + Sync + 'static> Publishing<'a, M> {
    #[inline]
    pub(super) fn new(form: &'a Form<M>, message: M, sender: u64) -> Self {
        let attempt = match form {
            Form::Inline(core) if const { Form::<M>::IS_INLINE } => {
                Attempt::Inline(Waiting::new(core, Inline::wrap(message), sender))
            }
            Form::Owned(core) if const { Form::<M>::IS_OWNED } => {
                Attempt::Owned(Waiting::new(core, Owned::wrap(message), sender))
            }
            Form::Boxed(core) if const { Form::<M>::IS_BOXED } => {
                Attempt::Boxed(Waiting::new(core, Boxed::wrap(message), sender))
            }
            _ => unreachable!("the form is a constant of the message type"),
        };
        Self { attempt }
    }

    /// Which of those that wait, or have waited, for room in this topic it is; 0: it has not begun to.
    #[must_use]
    pub fn ticket(&self) -> u64 {
        match &self.attempt {
            Attempt::Inline(waiting) => waiting.ticket.number(),
            Attempt::Owned(waiting) => waiting.ticket.number(),
            Attempt::Boxed(waiting) => waiting.ticket.number(),
        }
    }

    /// See [`Topic::badge_of`](super::Topic::badge_of).
    #[must_use]
    pub fn badge_of(&self, by: Blocker) -> Option<Badge> {
        match &self.attempt {
            Attempt::Inline(waiting) => waiting.core.badge_of(by),
            Attempt::Owned(waiting) => waiting.core.badge_of(by),
            Attempt::Boxed(waiting) => waiting.core.badge_of(by),
        }
    }
}

impl<'a, V: Payload> Waiting<'a, V> {
    #[inline]
    fn new(core: &'a Core<V>, payload: V, sender: u64) -> Self {
        Self { core, ticket: Ticket::new(&core.waiters), payload: Some(payload), sender }
    }

    #[inline(always)]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PublishError<V::Message>>> {
        assert!(self.payload.is_some(), "`Publishing` polled after it was ready");
        match self.core.try_publish(&mut self.payload, self.sender) {
            Ok(()) => {
                self.ticket.served();
                Poll::Ready(Ok(()))
            }
            Err(refusal) => self.wait(refusal, cx),
        }
    }

    #[cold]
    fn wait(&mut self, refusal: Refusal, cx: &mut Context<'_>) -> Poll<Result<(), PublishError<V::Message>>> {
        if let Some(error) = self.hopeless(refusal) {
            return Poll::Ready(Err(error));
        }
        // The second attempt comes after the waker is in the list: room made before that is seen here, room
        // made later finds the waker.
        self.ticket.register(cx.waker());
        match self.core.try_publish(&mut self.payload, self.sender) {
            Ok(()) => {
                self.ticket.served();
                Poll::Ready(Ok(()))
            }
            Err(refusal) => self.hopeless(refusal).map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
        }
    }

    /// The error with the message, if waiting cannot help.
    fn hopeless(&mut self, refusal: Refusal) -> Option<PublishError<V::Message>> {
        let by = match refusal {
            Refusal::Closed => return Some(PublishError::Closed(kept(&mut self.payload).unwrap())),
            Refusal::Full(by) => by,
        };
        if by.obstacle == Obstacle::FailLane {
            self.core.counters.add_rejected();
            return Some(PublishError::Full { message: kept(&mut self.payload).unwrap(), by });
        }
        if self.sender != 0 && by.subscriber == self.sender {
            self.core.counters.add_rejected();
            return Some(PublishError::WouldDeadlock(kept(&mut self.payload).unwrap()));
        }
        None
    }
}

impl<M: Clone + Send + Sync + 'static> Unpin for Publishing<'_, M> {}

impl<M: Clone + Send + Sync + 'static> Future for Publishing<'_, M> {
    type Output = Result<(), PublishError<M>>;

    /// # Panics
    /// When polled after it was ready.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().attempt {
            Attempt::Inline(waiting) if const { Form::<M>::IS_INLINE } => waiting.poll(cx),
            Attempt::Owned(waiting) if const { Form::<M>::IS_OWNED } => waiting.poll(cx),
            Attempt::Boxed(waiting) if const { Form::<M>::IS_BOXED } => waiting.poll(cx),
            _ => unreachable!("the form is a constant of the message type"),
        }
    }
}

impl<M: Clone + Send + Sync + 'static> fmt::Debug for Publishing<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publishing").finish_non_exhaustive()
    }
}
