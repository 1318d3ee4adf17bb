//! An ask of a live actor as a future: its first poll queues the query, and a later one has the answer.
//!
//! It is written by hand: each `async fn` on the way would ask at each poll how far it is, and move the query
//! and the answer once more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use mycelium_mailbox::{ReplyReceiver, TrySendError};

use super::address::{Address, Member};
use super::cancel::CancelPoint;
use super::current::poll_turn;
use super::envelope::Envelope;
use super::lookout::{Wait, WaitingWork, waiting};
use super::runtime::Limit;
use crate::error::Asked;
use crate::recipient::BoxFuture;
use crate::reference::rare;
use crate::{Actor, AskError, Replies};

/// The future of an ask. Polled after it was ready, it panics, as that of an `async fn` does.
#[must_use = "nothing is asked before this is awaited"]
pub(crate) struct PendingAsk<'a, A: Actor + Replies<Q>, Q> {
    to: &'a Address<A>,
    /// Until it is in the inbox. No part of the stage, which is written and not moved.
    query: Option<Q>,
    stage: AskStage<'a, A::Reply>,
    at: Option<CancelPoint>,
}

/// How far an ask has come.
enum AskStage<'a, R> {
    /// Nothing was done.
    Begin,
    /// The query is in the inbox.
    Queued(WaitingWork<ReplyReceiver<R>>),
    /// The inbox is full: what waits for room.
    Full(BoxFuture<'a, Result<ReplyReceiver<R>, AskError>>),
    Over,
}

impl<R> AskStage<'_, R> {
    /// Goes on from `Begin` or `Over`, in which nothing is to be dropped. To find that out is a call.
    #[inline(always)]
    fn goes_on_to(&mut self, next: Self) {
        debug_assert!(matches!(self, Self::Begin | Self::Over), "it waits for nothing");
        std::mem::forget(std::mem::replace(self, next));
    }
}

// Nothing in it is pinned.
impl<A: Actor + Replies<Q>, Q> Unpin for PendingAsk<'_, A, Q> {}

impl<'a, A, Q> PendingAsk<'a, A, Q>
where
    A: Replies<Q>,
    Q: Send + 'static,
{
    #[inline]
    pub(super) fn new(to: &'a Address<A>, query: Q) -> Self {
        Self { to, query: Some(query), stage: AskStage::Begin, at: None }
    }

    /// Waits for room, or fails: the query was refused.
    #[cold]
    #[inline(never)]
    fn wait_for_room(
        to: &'a Address<A>,
        refused: TrySendError<Envelope<A>>,
        answer: ReplyReceiver<A::Reply>,
    ) -> Result<AskStage<'a, A::Reply>, AskError> {
        let TrySendError::Full(asked) = refused else { return Err(to.unasked()) };
        Ok(AskStage::Full(rare(move || async move {
            to.wait_to_ask(asked).await?;
            Ok(answer)
        })))
    }

    /// Waits for the answer of an inbox that was full, once there is room.
    #[cold]
    #[inline(never)]
    fn poll_full(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), AskError>> {
        let AskStage::Full(waits) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let queued = ready!(waits.as_mut().poll(cx));
        self.stage = AskStage::Over;
        self.stage = AskStage::Queued(waiting(self.to.wait(Wait::Answer), queued?));
        Poll::Ready(Ok(()))
    }
}

impl<A, Q> Future for PendingAsk<'_, A, Q>
where
    A: Replies<Q>,
    Q: Send + 'static,
{
    type Output = Result<A::Reply, AskError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Self { to, query, stage, at } = this;
        if let AskStage::Begin = stage {
            ready!(poll_turn(cx, at));
            // It waits there no more.
            *at = None;
            stage.goes_on_to(AskStage::Over);
            let query = query.take();
            if to.is_current() {
                return Poll::Ready(Err(to.asked_itself()));
            }
            if let Some(query) = query {
                let (reply, answer) = mycelium_mailbox::reply();
                let queued = if Envelope::<A>::has_place_for::<Q>() {
                    to.inbox.offer_made(|| Envelope::query(query, reply))
                } else {
                    // Allocated where no lock is held.
                    to.inbox.offer(Envelope::query(query, reply))
                };
                stage.goes_on_to(match queued {
                    Ok(()) => AskStage::Queued(waiting(to.wait(Wait::Answer), answer)),
                    Err(refused) => Self::wait_for_room(to, refused, answer)?,
                });
            }
        }
        if let AskStage::Full(_) = stage {
            ready!(this.poll_full(cx))?;
        }
        // Pending would keep a `select!` without a guard for ever.
        let AskStage::Queued(answer) = &mut this.stage else {
            panic!("an ask was polled after it was ready")
        };
        let answered = ready!(Pin::new(answer).poll(cx));
        // Now, not when this is dropped: who does something else in the same poll waits no more.
        this.stage = AskStage::Over;
        match answered {
            Some(answer) => Poll::Ready(Ok(answer)),
            None => Poll::Ready(Err(this.to.unanswered())),
        }
    }
}

/// An ask with a limit, which counts from its first poll on.
///
/// Its timer is made when the answer does not come with that poll.
#[must_use = "nothing is asked before this is awaited"]
pub(crate) struct LimitedAsk<'a, A: Actor + Replies<Q>, Q> {
    ask: PendingAsk<'a, A, Q>,
    limit: Duration,
    timer: Option<Limit>,
}

// Nothing in it is pinned.
impl<A: Actor + Replies<Q>, Q> Unpin for LimitedAsk<'_, A, Q> {}

impl<'a, A, Q> LimitedAsk<'a, A, Q>
where
    A: Replies<Q>,
    Q: Send + 'static,
{
    #[inline]
    pub(super) fn new(to: &'a Address<A>, query: Q, limit: Duration) -> Self {
        Self { ask: PendingAsk::new(to, query), limit, timer: None }
    }

    /// The error of the limit, which says whether the query was queued.
    #[cold]
    fn late(&self) -> AskError {
        let late = Asked::of(self.ask.to.identity()).limit(Some(self.limit));
        AskError::timeout(if let AskStage::Queued(_) = self.ask.stage { late.sent() } else { late })
    }
}

impl<A, Q> Future for LimitedAsk<'_, A, Q>
where
    A: Replies<Q>,
    Q: Send + 'static,
{
    type Output = Result<A::Reply, AskError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let answered = Pin::new(&mut this.ask).poll(cx);
        if answered.is_ready() {
            return answered;
        }
        let timer = this.timer.get_or_insert_with(|| this.ask.to.limit(this.limit));
        ready!(timer.poll(cx));
        let late = this.late();
        // Given up now, not when this is dropped.
        (this.ask.query, this.ask.stage, this.ask.at) = (None, AskStage::Over, None);
        Poll::Ready(Err(late))
    }
}
