//! The address of a pool.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::launch::find;
use super::state::PoolState;
use super::{POOL_WORKERS_MAX, worker_id};
use crate::context::within;
use crate::recipient::{Accepting, Answering, BoxFuture, RecipientOf};
use crate::reference::sealed::{WatchRef, Watchable};
use crate::tree::{CallError, WeakTree};
use crate::{
    Actor, ActorId, ActorRef, AskError, Identity, Recipient, Replies, ReplyRecipient, StopReason, Takes,
    TellError, Tree,
};

/// The address of a [`Pool`](super::Pool): whatever is sent to it, one worker gets. Cheap to clone, the same
/// type live and in an isolate.
///
/// It keeps neither the pool nor its tree alive, and outlives restarts of the workers and of the supervisors
/// above.
///
/// ```
/// use mycelium::pool::Pool;
/// use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Supervisor};
///
/// struct Pricer;
/// impl Actor for Pricer { type Error = BoxError; }
/// impl Handler<u32> for Pricer {
///     async fn handle(&mut self, instrument: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
///         println!("prices {instrument}");
///         Ok(())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let pricers = Pool::new(|| Pricer).workers(2).supervisor("pricers");
/// let tree = Supervisor::builder("root").supervisor(pricers).start(&bus).await?;
/// let pricers = tree.pool_ref::<Pricer>("root/pricers").expect("it runs");
/// for instrument in 0..10 {
///     pricers.tell(instrument).await?; // one worker gets it
/// }
/// pricers.resize(4).await?;
/// pricers.flush().await?; // all that was told is handled
/// assert_eq!((pricers.size(), pricers.inbox_len()), (4, 0));
/// tree.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub struct PoolRef<A: Actor> {
    state: Arc<PoolState<A>>,
    /// The worker that no resize removes.
    first: ActorRef<A>,
    tree: WeakTree,
}

/// A pool was not changed, or not waited for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PoolError {
    /// A pool has at least one worker and at most [`POOL_WORKERS_MAX`].
    Size(usize),
    /// A worker would wait for itself: leave this to somebody outside of the pool.
    Itself,
    /// Its supervisor has not carried it out.
    Call(CallError),
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "a pool has 1 to {POOL_WORKERS_MAX} workers, not {size}"),
            Self::Itself => f.write_str(
                "a worker cannot wait for what its own pool has to do, because it is a part of that: leave it to an \
                 actor outside of the pool",
            ),
            Self::Call(error) => write!(f, "the pool's supervisor has not done it: {error}"),
        }
    }
}

impl std::error::Error for PoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Call(error) => Some(error),
            _ => None,
        }
    }
}

impl From<CallError> for PoolError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl Tree {
    /// The pool at this path, whose workers are of type `A`; `None` if there is none. See
    /// [`Pool`](crate::pool::Pool).
    #[must_use]
    pub fn pool_ref<A: Actor>(&self, path: &str) -> Option<PoolRef<A>> {
        let state = find::<A>(self.pools()?, path)?;
        let first = state.worker(0)?;
        Some(PoolRef { state, first, tree: self.downgrade() })
    }
}

impl<A: Actor> PoolRef<A> {
    /// Tells one worker; waits while all who may have the message are full. By key that is one of them, else
    /// the first who was asked.
    ///
    /// `Ok` says that a worker's inbox has it, not that it was handled.
    ///
    /// # Errors
    /// See [`TellError`]; the message comes back.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was sent.
    pub async fn tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        self.state.tell(message).await
    }

    /// Tells one worker without waiting.
    ///
    /// # Errors
    /// [`TellError::Full`] where [`tell`](Self::tell) would wait.
    pub fn try_tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        self.state.try_tell(message)
    }

    /// Asks one worker and waits for its answer: for as long as
    /// [`BusBuilder::ask_limit`](crate::BusBuilder::ask_limit) says, or else however long that takes. A
    /// worker that asks its own pool without a key asks another one.
    ///
    /// By key, while a resize goes on, the worker that is asked waits for what others have to do first. So a
    /// worker that asks its own pool by key should use [`ask_within`](Self::ask_within).
    ///
    /// # Errors
    /// See [`AskError`].
    ///
    /// # Cancel safety
    /// Dropped after the query was sent, the worker still answers and nobody listens.
    pub async fn ask<Q>(&self, query: Q) -> Result<A::Reply, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        match self.first.ask_limit() {
            None => self.state.ask(query).await,
            // Boxed, so that an ask without a limit keeps no room for it.
            Some(limit) => Box::pin(self.ask_within(query, limit)).await,
        }
    }

    /// Asks one worker and waits at most `limit` on its bus's clock.
    ///
    /// # Errors
    /// [`AskError::Timeout`] when the limit passes first; see [`AskError`] for the others.
    ///
    /// # Cancel safety
    /// That of [`ask`](Self::ask).
    pub async fn ask_within<Q>(&self, query: Q, limit: Duration) -> Result<A::Reply, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        within(self.first.timer(limit), self.state.ask(query)).await
    }

    /// The path of the pool in its tree.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.state.path
    }

    /// How many workers get messages.
    #[must_use]
    pub fn size(&self) -> usize {
        self.state.size()
    }

    /// The workers that get messages, by their numbers.
    #[must_use]
    pub fn workers(&self) -> Vec<ActorRef<A>> {
        self.state.workers()
    }

    /// How many messages wait in the inboxes of its workers: see [`ActorRef::inbox_len`].
    #[must_use]
    pub fn inbox_len(&self) -> usize {
        self.state.workers().iter().map(ActorRef::inbox_len).sum()
    }

    /// Changes the number of workers. It is ready when new ones have begun, or those that leave have handled
    /// what they had been sent and are gone: nothing is lost, nothing comes twice, and each key keeps its
    /// order.
    ///
    /// Of `n` workers, a key of `n` goes to each that comes; no key moves between two that stay. New workers
    /// begin with the messages of a key when those who had it have handled all that they were sent
    /// before. When workers leave, those that stay pause until what had been sent to the leavers is
    /// handled. Without keys nobody waits. What a worker that leaves still has in queues of its own,
    /// subscriptions and timers, goes with it.
    ///
    /// Resizes of one pool take turns.
    ///
    /// # Errors
    /// [`PoolError`]; the pool has the size that it had, except where those that leave could not be removed.
    ///
    /// # Cancel safety
    /// Dropped when the number has changed already, those that leave are removed by the next resize.
    pub async fn resize(&self, size: usize) -> Result<(), PoolError> {
        if !(1..=POOL_WORKERS_MAX).contains(&size) {
            return Err(PoolError::Size(size));
        }
        let state = &self.state;
        let _turn = state.resizing.lock().await;
        if size < state.seated() && state.is_current(size..state.seated()) {
            return Err(PoolError::Itself);
        }
        for number in state.size()..size {
            if let Err(error) = self.add(number).await {
                self.remove_from(state.size()).await?;
                return Err(error);
            }
        }
        state.switch(size);
        self.remove_from(size).await
    }

    /// Starts a worker, unless a resize that was dropped has left it there.
    async fn add(&self, number: usize) -> Result<(), PoolError> {
        if self.state.worker(number).is_some_and(|worker| worker.is_alive()) {
            return Ok(());
        }
        let child = self.state.child(number).ok_or(CallError::Ended)?;
        Ok(self.tree.start_child(&self.state.path, child).await?)
    }

    /// Ends the workers from this number on: they get nothing any more and have nothing to do.
    async fn remove_from(&self, size: usize) -> Result<(), PoolError> {
        for number in (size..self.state.seated()).rev() {
            if let Some(passed) = self.state.worker(number).map(|worker| worker.fence()) {
                passed.passed().await;
            }
            self.tree.remove_child(&self.state.path, &worker_id(number)).await?;
            self.state.unseat(number);
        }
        Ok(())
    }

    /// Waits until all that was told to the pool before has been handled, and what was published before, as
    /// far as its subscription has it.
    ///
    /// # Errors
    /// [`PoolError::Itself`].
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn flush(&self) -> Result<(), PoolError> {
        if self.state.is_current(0..self.size()) {
            return Err(PoolError::Itself);
        }
        let feed = self.state.feed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(passed) = feed.map(|feed| feed.fence()) {
            passed.passed().await;
        }
        for passed in self.state.fences() {
            passed.passed().await;
        }
        Ok(())
    }

    /// Ends the workers when they have handled all that was told to the pool, and published for it, before.
    /// From then on nothing is taken: [`TellError::Stopped`]. Their supervisor stays until its tree ends;
    /// when it starts a worker again, the pool takes messages again.
    ///
    /// # Errors
    /// See [`PoolError`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the pool may take nothing any more and still run: call it again.
    pub async fn stop_gracefully(&self) -> Result<(), PoolError> {
        let state = &self.state;
        let _turn = state.resizing.lock().await;
        if state.is_current(0..state.seated()) {
            return Err(PoolError::Itself);
        }
        let feed = state.feed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(feed) = feed {
            feed.stop_gracefully();
            feed.ended().await;
        }
        state.close();
        for passed in state.fences() {
            passed.passed().await;
        }
        for number in (0..state.seated()).rev() {
            self.tree.terminate_child(&state.path, &worker_id(number)).await?;
        }
        Ok(())
    }

    /// The pool as somebody who takes messages of type `M`. Its identity and its end are those of the first
    /// worker, which no resize removes.
    pub fn recipient<M>(&self) -> Recipient<M>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        Recipient::of(self.clone())
    }

    /// The pool as somebody who answers queries of type `Q`. See [`recipient`](Self::recipient).
    pub fn reply_recipient<Q>(&self) -> ReplyRecipient<Q, A::Reply>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        ReplyRecipient::of(self.clone())
    }
}

impl<A: Actor> Clone for PoolRef<A> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), first: self.first.clone(), tree: self.tree.clone() }
    }
}

impl<A: Actor> fmt::Debug for PoolRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.path(), self.size(), A::name())
    }
}

impl<A: Actor> Watchable for PoolRef<A> {
    fn watched(&self) -> WatchRef {
        self.first.watched()
    }
}

impl<A: Actor> RecipientOf for PoolRef<A> {
    fn id(&self) -> ActorId {
        self.first.id()
    }

    fn name(&self) -> &'static str {
        A::name()
    }

    fn identity(&self) -> Identity {
        self.first.identity()
    }

    fn is_alive(&self) -> bool {
        self.first.is_alive()
    }

    fn ended(&self) -> BoxFuture<'_, StopReason> {
        Box::pin(self.first.ended())
    }
}

impl<A: Takes<M>, M: Send + 'static> Accepting<M> for PoolRef<A> {
    fn poll_turn(
        &self,
        cx: &mut std::task::Context<'_>,
        at: &mut Option<crate::live::CancelPoint>,
    ) -> std::task::Poll<()> {
        match self.state.is_live {
            true => crate::live::poll_turn(cx, at),
            false => std::task::Poll::Ready(()),
        }
    }

    fn offer(&self, message: M) -> Result<(), TellError<M>> {
        self.try_tell(message)
    }

    fn try_tell(&self, message: M) -> Result<(), TellError<M>> {
        self.try_tell(message)
    }

    fn tell(&self, message: M) -> BoxFuture<'_, Result<(), TellError<M>>> {
        Box::pin(self.tell(message))
    }
}

impl<A: Replies<Q>, Q: Send + 'static> Answering<Q, A::Reply> for PoolRef<A> {
    fn ask(&self, query: Q, limit: Option<Duration>) -> BoxFuture<'_, Result<A::Reply, AskError>> {
        match limit {
            Some(limit) => Box::pin(self.ask_within(query, limit)),
            None => Box::pin(self.ask(query)),
        }
    }
}
