//! The base of [`routing_config!`](crate::routing_config): actors called directly, without a bus.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use crate::actor::has_batches;
use crate::life;
use crate::{Actor, ActorId, Context, Handler};

/// A set of actors with a route for messages of type `M`; `routing_config!` implements it.
pub trait Route<M> {
    /// Calls the handlers of `message` in order.
    ///
    /// # Errors
    /// The first handler that fails or waits; those after it are not called.
    fn deliver(&mut self, message: &M) -> Result<(), RouteError>;
}

/// A handler did not handle its message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// It returned this error.
    Failed {
        /// The actor's name.
        actor: &'static str,
        /// The error's text.
        error: String,
    },
    /// It waited for a timer, an answer or a full queue, none of which a direct call has.
    Waited {
        /// The actor's name.
        actor: &'static str,
    },
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { actor, error } => write!(f, "a handler of {actor} failed: {error}"),
            Self::Waited { actor } => write!(
                f,
                "a handler of {actor} waits, and a direct call cannot: run this actor on a `MessageBus` or in an `Isolate`"
            ),
        }
    }
}

impl std::error::Error for RouteError {}

/// What handlers have published and no route has taken yet, oldest first.
#[derive(Default)]
pub struct Published(VecDeque<Box<dyn Any + Send + Sync>>);

impl Published {
    /// Whether nothing was published.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The oldest message.
    #[allow(clippy::should_implement_trait)] // No iterator: more may be added between two calls.
    pub fn next(&mut self) -> Option<Box<dyn Any + Send + Sync>> {
        self.0.pop_front()
    }

    pub(crate) fn put<M: Send + Sync + 'static>(&mut self, message: M) {
        self.0.push_back(Box::new(message));
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published").field("messages", &self.0.len()).finish()
    }
}

/// One actor of a `routing_config!`, with its context.
pub struct RouteSeat<A: Actor> {
    actor: A,
    ctx: Context<A>,
}

impl<A: Actor> RouteSeat<A> {
    /// Seats an actor; `number` becomes its id.
    pub fn new(actor: A, number: u64) -> Self {
        Self {
            actor,
            ctx: Context::direct(DirectContext { id: ActorId(number), published: Published::default() }),
        }
    }

    /// The actor.
    pub fn actor(&self) -> &A {
        &self.actor
    }

    /// Calls the handler; what it publishes is added to `published`. An actor that has stopped hears nothing
    /// more.
    ///
    /// # Errors
    /// See [`RouteError`].
    #[inline]
    pub fn deliver<M>(&mut self, message: &M, published: &mut Published) -> Result<(), RouteError>
    where
        A: Handler<M>,
    {
        if self.ctx.wants_stop() {
            return Ok(());
        }
        let polled = {
            let handling = pin!(life::handle(&mut self.actor, message, &mut self.ctx));
            handling.poll(&mut TaskContext::from_waker(Waker::noop()))
        };
        // Each message is a batch.
        let polled = if has_batches::<A>() && matches!(polled, Poll::Ready(Ok(()))) && !self.ctx.wants_stop()
        {
            pin!(self.actor.batch_ended(&mut self.ctx)).poll(&mut TaskContext::from_waker(Waker::noop()))
        } else {
            polled
        };
        if matches!(polled, Poll::Ready(Ok(()))) && self.ctx.is_quiet() {
            return Ok(());
        }
        self.look_after(polled, published)
    }

    /// What is left to do after a handler that published, stopped its actor, failed or waits.
    #[cold]
    fn look_after(
        &mut self,
        polled: Poll<Result<(), A::Error>>,
        published: &mut Published,
    ) -> Result<(), RouteError> {
        if let Some(new) = self.ctx.take_published() {
            published.0.append(&mut new.0);
        }
        match polled {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(error)) => Err(RouteError::Failed { actor: A::name(), error: error.to_string() }),
            Poll::Pending => Err(RouteError::Waited { actor: A::name() }),
        }
    }
}

impl<A: Actor> fmt::Debug for RouteSeat<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouteSeat({})", A::name())
    }
}

/// The half of a [`Context`] that belongs to direct calls.
// In C's order, as that of a live actor.
#[repr(C)]
pub(crate) struct DirectContext {
    pub(crate) published: Published,
    pub(crate) id: ActorId,
}
