//! Addresses of actors.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::isolate::IsolateRef;
use crate::{Actor, ActorId, AskError, Handler, Responder, TellError};

/// The address of one actor: cheap to clone, the same type live and in an isolate.
///
/// It does not keep the actor alive.
pub struct ActorRef<A: Actor> {
    backend: Backend<A>,
}

enum Backend<A: Actor> {
    Isolate(IsolateRef<A>),
}

impl<A: Actor> Clone for ActorRef<A> {
    fn clone(&self) -> Self {
        let backend = match &self.backend {
            Backend::Isolate(isolate) => Backend::Isolate(isolate.clone()),
        };
        Self { backend }
    }
}

impl<A: Actor> fmt::Debug for ActorRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", A::name(), self.id())
    }
}

impl<A: Actor> ActorRef<A> {
    pub(crate) fn in_isolate(isolate: IsolateRef<A>) -> Self {
        Self { backend: Backend::Isolate(isolate) }
    }

    pub(crate) fn as_isolate(&self) -> Option<&IsolateRef<A>> {
        match &self.backend {
            Backend::Isolate(isolate) => Some(isolate),
        }
    }

    /// The actor's identity within its bus.
    pub fn id(&self) -> ActorId {
        match &self.backend {
            Backend::Isolate(isolate) => isolate.place.id(),
        }
    }

    /// Puts a message into the actor's mailbox; waits while it is full.
    ///
    /// `Ok` says that the mailbox has it, not that the actor has handled it.
    ///
    /// # Errors
    /// See [`TellError`]; the message comes back.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was sent.
    pub async fn tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        match &self.backend {
            Backend::Isolate(isolate) => isolate.tell(message).await,
        }
    }

    /// Puts a message into the actor's mailbox without waiting.
    ///
    /// # Errors
    /// [`TellError::Full`] where [`tell`](Self::tell) would wait.
    pub fn try_tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        match &self.backend {
            Backend::Isolate(isolate) => isolate.try_tell(message),
        }
    }

    /// Asks the actor and waits for its answer, however long that takes; see [`ask_within`](Self::ask_within).
    ///
    /// # Errors
    /// [`AskError::Stopped`] when the actor ends before it answers.
    ///
    /// # Cancel safety
    /// Dropped after the query was sent, the actor still answers and nobody listens.
    pub async fn ask<Q>(&self, query: Q) -> Result<A::Reply, AskError>
    where
        A: Responder<Q>,
        Q: Send + Sync + 'static,
    {
        match &self.backend {
            Backend::Isolate(isolate) => isolate.ask(query).await,
        }
    }

    /// Asks the actor and waits at most `limit` on its bus's clock.
    ///
    /// # Errors
    /// [`AskError::Timeout`] when the limit passes first; see [`AskError`] for the others.
    pub async fn ask_within<Q>(&self, query: Q, limit: Duration) -> Result<A::Reply, AskError>
    where
        A: Responder<Q>,
        Q: Send + Sync + 'static,
    {
        crate::context::within(self.timer(limit), self.ask(query)).await
    }

    fn timer(&self, limit: Duration) -> impl Future<Output = ()> + Send + use<A> {
        match &self.backend {
            Backend::Isolate(isolate) => isolate.timer(limit),
        }
    }
}
