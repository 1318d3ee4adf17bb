//! Waiting for room in a topic.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Form;
use super::core::{Core, Refusal};
use super::error::{Obstacle, PublishError};
use super::payload::{Boxed, Inline, Payload};
use crate::wait::Ticket;

/// The future of [`Topic::publish`](super::Topic::publish). Dropped before it is ready, nothing was published.
#[must_use = "nothing is published unless it is awaited"]
pub struct Publishing<'a, M: Clone + Send + Sync + 'static> {
    attempt: Attempt<'a, M>,
}

enum Attempt<'a, M: Clone + Send + Sync + 'static> {
    Inline(Waiting<'a, Inline<M>>),
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
    pub(super) fn new(form: &'a Form<M>, message: M, sender: u64) -> Self {
        let attempt = match form {
            Form::Inline(core) => Attempt::Inline(Waiting::new(core, Inline::wrap(message), sender)),
            Form::Boxed(core) => Attempt::Boxed(Waiting::new(core, Boxed::wrap(message), sender)),
        };
        Self { attempt }
    }
}

impl<'a, V: Payload> Waiting<'a, V> {
    #[inline]
    fn new(core: &'a Core<V>, payload: V, sender: u64) -> Self {
        Self { core, ticket: Ticket::new(&core.waiters), payload: Some(payload), sender }
    }

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PublishError<V::Message>>> {
        let Some(payload) = self.payload.take() else { panic!("`Publishing` polled after it was ready") };
        match self.core.try_publish(payload, self.sender) {
            Ok(()) => {
                self.ticket.served();
                Poll::Ready(Ok(()))
            }
            Err((payload, refusal)) => self.wait(payload, refusal, cx),
        }
    }

    #[cold]
    fn wait(
        &mut self,
        payload: V,
        refusal: Refusal,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError<V::Message>>> {
        let payload = match self.hopeless(payload, refusal) {
            Ok(error) => return Poll::Ready(Err(error)),
            Err(payload) => payload,
        };
        // The second attempt comes after the waker is in the list: room made before that is seen here, room made later
        // finds the waker.
        self.ticket.register(cx.waker());
        let (payload, refusal) = match self.core.try_publish(payload, self.sender) {
            Ok(()) => {
                self.ticket.served();
                return Poll::Ready(Ok(()));
            }
            Err(back) => back,
        };
        match self.hopeless(payload, refusal) {
            Ok(error) => Poll::Ready(Err(error)),
            Err(payload) => {
                self.payload = Some(payload);
                Poll::Pending
            }
        }
    }

    /// The error, if waiting cannot help; else the payload back.
    fn hopeless(&mut self, payload: V, refusal: Refusal) -> Result<PublishError<V::Message>, V> {
        let by = match refusal {
            Refusal::Closed => return Ok(PublishError::Closed(payload.unwrap())),
            Refusal::Full(by) => by,
        };
        if by.obstacle == Obstacle::FailLane {
            self.core.counters.add_rejected();
            return Ok(PublishError::Full { message: payload.unwrap(), by });
        }
        if self.sender != 0 && by.subscriber == self.sender {
            self.core.counters.add_rejected();
            return Ok(PublishError::WouldDeadlock(payload.unwrap()));
        }
        Err(payload)
    }
}

impl<M: Clone + Send + Sync + 'static> Unpin for Publishing<'_, M> {}

impl<M: Clone + Send + Sync + 'static> Future for Publishing<'_, M> {
    type Output = Result<(), PublishError<M>>;

    /// # Panics
    /// When polled after it was ready.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().attempt {
            Attempt::Inline(waiting) => waiting.poll(cx),
            Attempt::Boxed(waiting) => waiting.poll(cx),
        }
    }
}

impl<M: Clone + Send + Sync + 'static> fmt::Debug for Publishing<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publishing").finish_non_exhaustive()
    }
}
