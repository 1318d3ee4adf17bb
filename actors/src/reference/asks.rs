//! Questions to one actor.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::{ActorRef, ReferenceBackend, rare};
use crate::context::within;
use crate::error::Asked;
use crate::isolate::{IsolateAsk, stepped};
use crate::live::PendingAsk;
use crate::recipient::BoxFuture;
use crate::{Actor, AskError, Replies};

/// The future of an ask. It is written by hand: an `async fn` would ask at each poll how far it is, and move
/// the query and the answer once more.
#[must_use = "nothing is asked before this is awaited"]
enum AskFuture<'a, A: Replies<Q>, Q> {
    Live(PendingAsk<'a, A, Q>),
    Isolate(IsolateAsk<'a, A, Q>),
    /// Boxed, so that an ask without a limit keeps no room for it.
    Rare(BoxFuture<'a, Result<A::Reply, AskError>>),
}

impl<A, Q> Future for AskFuture<'_, A, Q>
where
    A: Replies<Q>,
    Q: Send + 'static,
{
    type Output = Result<A::Reply, AskError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Live(live) => Pin::new(live).poll(cx),
            Self::Isolate(isolate) => Pin::new(isolate).poll(cx),
            Self::Rare(waits) => waits.as_mut().poll(cx),
        }
    }
}

impl<A: Actor> ActorRef<A> {
    #[cold]
    pub(crate) fn whom(&self) -> Asked {
        Asked::of(self.identity())
    }

    /// Asks the actor and waits for its answer: for as long as
    /// [`BusBuilder::ask_limit`](crate::BusBuilder::ask_limit) says, or else however long that takes; see
    /// [`ask_within`](Self::ask_within).
    ///
    /// # Errors
    /// [`AskError::Stopped`] when the actor ends or fails before it answers, [`AskError::Timeout`] after the
    /// limit of its bus. [`AskError::may_have_been_handled`] says whether the actor may have handled it.
    ///
    /// # Cancel safety
    /// Dropped after the query was sent, the actor still answers and nobody listens.
    ///
    /// ```
    /// # use mycelium::{BoxError, MessageBus, Result};
    /// # use std::time::Duration;
    /// # struct Add(u64);
    /// # struct Total;
    /// # #[derive(Default)] struct Sum(u64);
    /// # #[mycelium::actor]
    /// # impl Sum {
    /// #     #[on(direct)] fn add(&mut self, add: &Add) { self.0 += add.0; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let bus = MessageBus::new();
    /// let sum = bus.spawn(Sum::default())?;
    /// sum.tell(Add(3)).await?;
    /// let total: u64 = sum.ask(Total).await?;
    /// assert_eq!(total, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ask<Q>(&self, query: Q) -> impl Future<Output = Result<A::Reply, AskError>> + Send
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        match &self.backend {
            ReferenceBackend::Live(live) => match live.ask_limit() {
                None => AskFuture::Live(live.ask(query)),
                Some(limit) => AskFuture::Rare(rare(move || live.ask_within(query, limit))),
            },
            ReferenceBackend::Isolate(isolate) => AskFuture::Isolate(isolate.ask(query)),
            ReferenceBackend::Nowhere(_) => {
                AskFuture::Rare(rare(move || stepped(Err(AskError::stopped(self.whom())))))
            }
        }
    }

    /// Ready when the query is in the inbox, with what waits for the answer.
    pub(crate) async fn begin<Q>(
        &self,
        query: Q,
    ) -> Result<impl Future<Output = Result<A::Reply, AskError>> + Send + use<A, Q>, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        let ReferenceBackend::Live(live) = &self.backend else { return Err(AskError::OtherBus) };
        let (live, answer) = (Arc::clone(live), live.begin(query).await?);
        Ok(async move { live.answered(answer).await })
    }

    /// Asks the actor and waits at most `limit` on its bus's clock, whatever limit its bus has.
    ///
    /// # Errors
    /// [`AskError::Timeout`] when the limit passes first; see [`AskError`] for the others.
    ///
    /// # Cancel safety
    /// Dropped after the query was sent, the actor still answers and nobody listens.
    ///
    /// ```
    /// # use mycelium::{BoxError, MessageBus, Result};
    /// # use std::time::Duration;
    /// # struct Add(u64);
    /// # struct Total;
    /// # #[derive(Default)] struct Sum(u64);
    /// # #[mycelium::actor]
    /// # impl Sum {
    /// #     #[on(direct)] fn add(&mut self, add: &Add) { self.0 += add.0; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let bus = MessageBus::new();
    /// let sum = bus.spawn(Sum::default())?;
    /// assert_eq!(sum.ask_within(Total, Duration::from_secs(1)).await?, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ask_within<Q>(&self, query: Q, limit: Duration) -> Result<A::Reply, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        match &self.backend {
            ReferenceBackend::Live(live) => live.ask_within(query, limit).await,
            ReferenceBackend::Isolate(isolate) => {
                let mut timer = pin!(isolate.timer(limit));
                let late = || self.whom().limit(Some(limit));
                // First for room and then for the answer, so that the error says which of them did not come.
                let answer = match isolate.send_query(query) {
                    Ok(answer) => answer,
                    Err(unqueued) => {
                        let waiting = Box::pin(isolate.wait_to_ask(unqueued));
                        let Some(put) = within(timer.as_mut(), waiting).await else {
                            return Err(AskError::timeout(late()));
                        };
                        put?
                    }
                };
                let answered = within(timer, isolate.answered(answer)).await;
                answered.unwrap_or_else(|| Err(AskError::timeout(late().sent())))
            }
            ReferenceBackend::Nowhere(_) => stepped(Err(AskError::stopped(self.whom()))).await,
        }
    }
}
