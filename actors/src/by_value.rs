//! Direct messages by value: [`Takes`] and [`Replies`], which every [`Handler`] and [`Responder`] implements
//! too.

use std::future::Future;

use crate::{Actor, Context, Handler, Responder};

/// An actor that takes messages of type `M` which are sent to it: [`ActorRef::tell`](crate::ActorRef::tell),
/// [`Recipient`](crate::Recipient), [`Context::schedule_after`].
///
/// Each [`Handler<M>`] is one, so no sender has to know how the message is taken. Where the actor shall own
/// the message (the sender of an answer, a buffer, a socket), implement this by hand, or write
/// `#[on(direct)] fn ..(&mut self, message: M)` in an `#[actor]` block.
///
/// Such a message need not be `Sync`. A [`TellError`](crate::TellError) gives the message back, so it is not
/// `Sync` then either, and `?` makes no [`BoxError`](crate::BoxError) of it: write
/// `.map_err(|error| error.to_string())?`.
///
/// A message of a topic is shared by all subscribers and comes by reference: a subscription needs a
/// [`Handler`].
///
/// # What is taken is not handled twice
/// An actor that fails has the message no more, so its supervisor cannot have the message handled again
/// ([`Redelivery::Retry`](crate::tree::Redelivery::Retry)): it is a dead letter, with
/// [`DeadLetterCause::Taken`](crate::DeadLetterCause::Taken).
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Isolate, Takes};
/// use tokio::sync::oneshot;
///
/// /// Whoever asks is answered later.
/// struct Subscribe(oneshot::Sender<u64>);
///
/// #[derive(Default)]
/// struct Desk { waiting: Vec<oneshot::Sender<u64>> }
/// impl Actor for Desk { type Error = BoxError; }
/// impl Takes<Subscribe> for Desk {
///     async fn take(&mut self, message: Subscribe, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         self.waiting.push(message.0);
///         Ok(())
///     }
/// }
/// # fn main() -> Result<(), BoxError> {
/// let mut isolate = Isolate::new(1);
/// let desk = isolate.spawn(Desk::default())?;
/// let (sender, mut answer) = oneshot::channel();
/// isolate.tell(&desk, Subscribe(sender))?;
/// isolate.run()?;
/// isolate.with(&desk, |desk| desk.waiting.pop().unwrap().send(7)).unwrap().unwrap();
/// assert_eq!(answer.try_recv()?, 7);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handler for `{M}`",
    label = "does not handle `{M}`",
    note = "in its `#[actor]` block add `#[on(direct)] fn ..(&mut self, message: {M})`, or implement `Takes<{M}>`",
    note = "to have it from a topic too, take it by reference: `#[on] fn ..(&mut self, message: &{M})`, or `Handler<{M}>`"
)]
pub trait Takes<M>: Actor {
    /// Handles one message, which is the actor's from now on.
    ///
    /// # Errors
    /// An error ends this actor with [`StopReason::Failed`](crate::StopReason::Failed); no other actor
    /// notices.
    ///
    /// # Cancel safety
    /// Where the actor is killed, the future is dropped where it waits, and the message with it unless it was
    /// put elsewhere.
    fn take(
        &mut self,
        message: M,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// How its host hands it over.
    #[doc(hidden)]
    fn dispatch<D: sealed::DispatchMessage<Self, M>>(to: D) -> D::Output {
        to.by_value()
    }
}

impl<A: Handler<M>, M: Send + Sync + 'static> Takes<M> for A {
    async fn take(&mut self, message: M, ctx: &mut Context<Self>) -> Result<(), A::Error> {
        self.handle(&message, ctx).await
    }

    fn dispatch<D: sealed::DispatchMessage<Self, M>>(to: D) -> D::Output {
        to.by_reference()
    }
}

/// An actor that answers queries of type `Q`: [`ActorRef::ask`](crate::ActorRef::ask),
/// [`ReplyRecipient`](crate::ReplyRecipient).
///
/// Each [`Responder<Q>`] is one. Implement it by hand, or write `#[ask] fn ..(&mut self, query: Q) -> ..` in
/// an `#[actor]` block, where the actor shall own the query. Such a query need not be `Sync`.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Isolate, Replies};
///
/// struct Submit(Box<str>);
///
/// #[derive(Default)]
/// struct Desk { orders: Vec<Box<str>> }
/// impl Actor for Desk { type Error = BoxError; }
/// impl Replies<Submit> for Desk {
///     type Reply = usize;
///     async fn reply(&mut self, query: Submit, _ctx: &mut Context<Self>) -> usize {
///         self.orders.push(query.0);
///         self.orders.len()
///     }
/// }
/// # fn main() -> Result<(), BoxError> {
/// let mut isolate = Isolate::new(1);
/// let desk = isolate.spawn(Desk::default())?;
/// assert_eq!(isolate.ask(&desk, Submit("buy".into()))?, 1);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer `{Q}`",
    label = "does not answer `{Q}`",
    note = "in its `#[actor]` block add `#[ask] fn ..(&self, query: &{Q}) -> ..`, or implement `Responder<{Q}>`"
)]
pub trait Replies<Q>: Actor {
    /// The answer.
    type Reply: Send + 'static;

    /// Answers one query, which is the actor's from now on.
    ///
    /// # Cancel safety
    /// That of [`Takes::take`]; whoever asked has [`AskError::Stopped`](crate::AskError::Stopped).
    fn reply(&mut self, query: Q, ctx: &mut Context<Self>) -> impl Future<Output = Self::Reply> + Send;

    /// How its host hands it over.
    #[doc(hidden)]
    fn dispatch<D: sealed::DispatchQuery<Self, Q>>(to: D) -> D::Output {
        to.by_value()
    }
}

impl<A: Responder<Q>, Q: Send + Sync + 'static> Replies<Q> for A {
    type Reply = <A as Responder<Q>>::Reply;

    async fn reply(&mut self, query: Q, ctx: &mut Context<Self>) -> Self::Reply {
        self.answer(&query, ctx).await
    }

    fn dispatch<D: sealed::DispatchQuery<Self, Q>>(to: D) -> D::Output {
        to.by_reference()
    }
}

/// What depends on how an actor takes a message or query. The choice is one of the type: it costs nothing at
/// run time, and what is handled by reference stays where its queue has it.
#[allow(unnameable_types, reason = "nobody else implements it")]
pub(crate) mod sealed {
    use super::{Handler, Replies, Responder, Takes};

    pub trait DispatchMessage<A, M> {
        type Output;
        fn by_value(self) -> Self::Output
        where
            A: Takes<M>;
        fn by_reference(self) -> Self::Output
        where
            A: Handler<M>,
            M: Sync;
    }

    pub trait DispatchQuery<A: Replies<Q>, Q> {
        type Output;
        fn by_value(self) -> Self::Output;
        fn by_reference(self) -> Self::Output
        where
            A: Responder<Q, Reply = <A as Replies<Q>>::Reply>,
            Q: Sync;
    }
}
