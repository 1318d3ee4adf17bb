//! Messages of an actor to one other actor.

use std::time::Duration;

use crate::{Actor, ActorRef, AskError, Context, Replies, Takes, TellError};

impl<A: Actor> Context<A> {
    /// Sends to one actor's inbox; waits while it is full. The same as [`ActorRef::tell`].
    ///
    /// ```
    /// # use mycelium::{ActorRef, Context, Isolate, Result, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, n: &u64) { self.0 += n; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # struct Feed(ActorRef<Sum>);
    /// # #[actor]
    /// # impl Feed {
    /// #[on(direct)]
    /// async fn number(&mut self, number: &u64, ctx: &mut Context<Self>) -> Result {
    ///     ctx.tell(&self.0, *number).await?; // handled after this handler has gone on
    ///     Ok(())
    /// }
    /// # }
    /// # let mut isolate = Isolate::new(1);
    /// # let sum = isolate.spawn(Sum(0))?;
    /// # let feed = isolate.spawn(Feed(sum.clone()))?;
    /// # isolate.tell(&feed, 7_u64)?;
    /// # isolate.run()?;
    /// # assert_eq!(isolate.take(&sum).unwrap().0, 7);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// See [`TellError`]; the message comes back.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was sent.
    pub async fn tell<B, M>(&mut self, to: &ActorRef<B>, message: M) -> Result<(), TellError<M>>
    where
        B: Takes<M>,
        M: Send + 'static,
    {
        to.tell(message).await
    }

    /// Asks one actor and waits for its answer. The same as [`ActorRef::ask`].
    ///
    /// This actor handles nothing while it waits: two actors that ask each other wait for ever, so use
    /// [`ask_within`](Self::ask_within) where that can be, or give the bus a limit
    /// ([`BusBuilder::ask_limit`](crate::BusBuilder::ask_limit)). Live, the log names both after a while.
    ///
    /// ```
    /// # use mycelium::{ActorRef, Context, Isolate, Result, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, n: &u64) { self.0 += n; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # struct Panel(ActorRef<Sum>, u64);
    /// # #[actor]
    /// # impl Panel {
    /// #[started]
    /// async fn begin(&mut self, ctx: &mut Context<Self>) -> Result {
    ///     self.1 = ctx.ask(&self.0, Total).await?;
    ///     Ok(())
    /// }
    /// # }
    /// # let mut isolate = Isolate::new(1);
    /// # let sum = isolate.spawn(Sum(7))?;
    /// # let panel = isolate.spawn(Panel(sum, 0))?;
    /// # isolate.run()?;
    /// # assert_eq!(isolate.take(&panel).unwrap().1, 7);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// See [`AskError`].
    ///
    /// # Cancel safety
    /// Dropped after the query was sent, the other actor still answers and nobody listens.
    pub async fn ask<B, Q>(&mut self, to: &ActorRef<B>, query: Q) -> Result<B::Reply, AskError>
    where
        B: Replies<Q>,
        Q: Send + 'static,
    {
        to.ask(query).await
    }

    /// Asks one actor and waits at most `limit` on the bus's clock.
    ///
    /// # Errors
    /// [`AskError::Timeout`] when the limit passes first; see [`AskError`] for the others.
    ///
    /// # Cancel safety
    /// Dropped after the query was sent, the other actor still answers and nobody listens.
    pub async fn ask_within<B, Q>(
        &mut self,
        to: &ActorRef<B>,
        query: Q,
        limit: Duration,
    ) -> Result<B::Reply, AskError>
    where
        B: Replies<Q>,
        Q: Send + 'static,
    {
        to.ask_within(query, limit).await
    }
}
