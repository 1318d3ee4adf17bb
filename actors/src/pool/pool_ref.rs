//! The address of a pool.

use std::any::Any;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::POOL_WORKERS_MAX;
use super::state::PoolState;
use crate::context::within;
use crate::error::Asked;
use crate::isolate::step;
use crate::live::{block_on, cancellable, turn};
use crate::recipient::{Accepting, AnswerFuture, Answering, BoxFuture, RecipientOf};
use crate::reference::rare;
use crate::reference::sealed::{WatchRef, Watchable};
use crate::tree::{AnyPool, CallError, FoundPool, WeakTree};
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
/// let pricers = tree.lookup_pool::<Pricer>("root/pricers").expect("it runs");
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
    tree: WeakTree,
}

/// A pool was not changed, or not waited for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PoolError {
    /// A pool has at least one worker and at most [`POOL_WORKERS_MAX`].
    Size(usize),
    /// A worker would wait for itself, or for one that waits for it: leave this to somebody outside of the
    /// pool.
    Itself,
    /// It was [stopped](PoolRef::stop_gracefully), or is being stopped.
    Stopped,
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
            Self::Stopped => f.write_str(
                "the pool was stopped: restart its workers, or its supervisor, by their tree before you resize it",
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
    pub fn lookup_pool<A: Actor>(&self, path: &str) -> Option<PoolRef<A>> {
        PoolRef::of(self.pools()?.get(path)?, self.downgrade())
    }
}

impl<A: Actor> PoolRef<A> {
    /// What a look for a path has found.
    pub(super) fn found(found: Box<dyn Any>) -> Option<Self> {
        let (pool, tree) = *found.downcast::<FoundPool>().ok()?;
        Self::of(pool, tree)
    }

    /// The pool of this tree, if its workers are of this type and have begun.
    pub(crate) fn of(pool: Arc<dyn AnyPool>, tree: WeakTree) -> Option<Self> {
        let state = pool.into_any().downcast::<PoolState<A>>().ok()?;
        state.worker(0)?;
        Some(Self { state, tree })
    }

    /// The worker that no resize removes, as it is now.
    fn first(&self) -> ActorRef<A> {
        // A pool that has been found has one, or has had one.
        self.state.worker(0).unwrap_or_else(|| ActorRef::nowhere(ActorId(0)))
    }

    /// Tells one worker; waits while all who may have the message are full. By key that is one of them, else
    /// whichever has room first gets it. A worker does not wait for itself.
    ///
    /// `Ok` says that a worker's inbox has it, not that it was handled.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, Supervisor, actor, pool::Pool};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// let sums = Pool::new(|| Sum(0)).workers(4);
    /// let tree = Supervisor::builder("root").supervisor(sums.supervisor("sums")).start(&bus).await?;
    /// let sums = tree.lookup_pool::<Sum>("root/sums").ok_or("it runs")?;
    /// for number in 1..=10_u64 {
    ///     sums.tell(number).await?; // one worker has it
    /// }
    /// # sums.flush().await?;
    /// # let mut total = 0;
    /// # for worker in sums.workers() { total += worker.ask(Total).await?; }
    /// # assert_eq!(total, 55);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`TellError`]; the message comes back.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was sent.
    #[inline]
    pub fn tell<M>(&self, message: M) -> impl Future<Output = Result<(), TellError<M>>> + Send
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        self.state.tell(message)
    }

    /// Tells one worker from code that is not async, and keeps the thread while all who may have the message
    /// are full.
    ///
    /// In async code it would keep a whole thread of the runtime: use [`tell`](Self::tell) there. A pool of
    /// an isolate, which runs on this very thread, is not waited for: it is told as with
    /// [`try_tell`](Self::try_tell).
    ///
    /// # Errors
    /// Those of [`tell`](Self::tell); in an isolate [`TellError::Full`] where that would wait.
    pub fn tell_blocking<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match self.state.is_live {
            true => block_on(self.tell(message)),
            false => self.try_tell(message),
        }
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
    /// ```
    /// # use mycelium::{MessageBus, Result, Supervisor, actor, pool::Pool};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// let sums = Pool::new(|| Sum(0)).workers(4);
    /// let tree = Supervisor::builder("root").supervisor(sums.supervisor("sums")).start(&bus).await?;
    /// let sums = tree.lookup_pool::<Sum>("root/sums").ok_or("it runs")?;
    /// assert_eq!(sums.ask(Total).await?, 0); // of the worker whose turn it is
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`AskError`].
    ///
    /// # Cancel safety
    /// Dropped after the query was sent, the worker still answers and nobody listens.
    #[allow(clippy::manual_async_fn, reason = "an `async fn` would hold the query twice")]
    pub fn ask<Q>(&self, query: Q) -> impl Future<Output = Result<A::Reply, AskError>> + Send
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        async move {
            if let Some(limit) = self.state.ask_limit() {
                return rare(move || self.ask_within(query, limit)).await;
            }
            if self.state.is_live {
                turn().await;
                let (worker, answer) = self.state.begin(query).await?;
                return worker.answered(answer).await;
            }
            let (worker, answer) = match self.state.begin_here(query) {
                Ok(begun) => begun,
                Err(later) => later.await?,
            };
            worker.answered_here(answer).await
        }
    }

    /// Asks one worker and waits at most `limit` on its bus's clock.
    ///
    /// # Errors
    /// [`AskError::Timeout`] when the limit passes first; see [`AskError`] for the others.
    ///
    /// # Cancel safety
    /// That of [`ask`](Self::ask).
    #[allow(clippy::manual_async_fn, reason = "an `async fn` would hold the query twice")]
    pub fn ask_within<Q>(
        &self,
        query: Q,
        limit: Duration,
    ) -> impl Future<Output = Result<A::Reply, AskError>> + Send
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        async move {
            let mut timer = pin!(self.first().timer(limit));
            // First for room and then for the answer, so that the error says which of them did not come.
            let no_room = || AskError::timeout(Asked::of(self.state.whose(None)).limit(Some(limit)));
            let (worker, answered) = if self.state.is_live {
                within(timer.as_mut(), turn()).await.ok_or_else(no_room)?;
                let begun = within(timer.as_mut(), self.state.begin(query)).await;
                let (worker, answer) = begun.ok_or_else(no_room)??;
                let answered = within(timer, worker.answered(answer)).await;
                (worker, answered)
            } else {
                let (worker, answer) = match self.state.begin_here(query) {
                    Ok(begun) => begun,
                    Err(later) => within(timer.as_mut(), later).await.ok_or_else(no_room)??,
                };
                let answered = within(timer, worker.answered_here(answer)).await;
                (worker, answered)
            };
            answered.unwrap_or_else(|| Err(AskError::timeout(worker.whom().sent().limit(Some(limit)))))
        }
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

    /// How many messages wait in the inboxes of its workers, those that leave among them: see
    /// [`ActorRef::inbox_len`].
    #[must_use]
    pub fn inbox_len(&self) -> usize {
        self.state.waiting()
    }

    /// Changes the number of workers. It is ready when new ones have begun, or those that leave have handled
    /// what they had been sent and are gone: nothing is lost, nothing comes twice, and each key keeps its
    /// order.
    ///
    /// Of `n` workers, a key of `n` goes to each that comes; no key moves between two that stay. New workers
    /// begin with the messages of a key when those who had it have handled all that they were sent
    /// before. When workers leave, those that stay pause until what had been sent to the leavers is
    /// handled. Without keys nobody waits. Messages that a leaving worker still has in queues of its own,
    /// subscriptions and timers, go with it.
    ///
    /// Resizes and stops of one pool take turns. Where many resizes by key are not over yet, because a worker
    /// takes its time, the next one waits for the eldest of them.
    ///
    /// ```
    /// # use mycelium::pool::Pool;
    /// # use mycelium::{MessageBus, Result, Supervisor, actor};
    /// # struct Worker;
    /// # #[actor] impl Worker { #[on(direct)] fn job(&mut self, _: &u64) {} }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// # let pool = Pool::new(|| Worker).workers(2);
    /// let tree = Supervisor::builder("root").supervisor(pool.supervisor("pool")).start(&bus).await?;
    /// let pool = tree.lookup_pool::<Worker>("root/pool").ok_or("it runs")?;
    /// pool.resize(8).await?;
    /// assert_eq!(pool.size(), 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PoolError`]. [`PoolError::Itself`]: a worker calls it, and it would wait for what the pool has to
    /// do: while another resize goes on, when it would remove that worker, and, in a pool with keys, when it
    /// would remove any. [`PoolError::Stopped`] of a pool that was stopped. The pool has the size that it
    /// had, except where those that leave could not be removed.
    ///
    /// # Cancel safety
    /// Dropped when the number has changed already, those that leave are removed by the next resize. It
    /// waits as long as handlers of those that leave take, without a limit of its own, and other resizes and
    /// stops wait for it: who cannot wait for ever drops it after a while (`ctx.timeout`,
    /// `tokio::time::timeout`), and calls it again.
    pub async fn resize(&self, size: usize) -> Result<(), PoolError> {
        step().await;
        cancellable(self.state.resize(&self.tree, size)).await
    }

    /// Waits until all that was told to the pool before has been handled, and what was published before, as
    /// far as its subscription has it. Workers that leave handle theirs too.
    ///
    /// ```
    /// # use mycelium::pool::Pool;
    /// # use mycelium::{MessageBus, Result, Supervisor, actor};
    /// # use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    /// static SUM: AtomicU64 = AtomicU64::new(0);
    /// # struct Worker;
    /// # #[actor] impl Worker { #[on(direct)] fn job(&mut self, job: &u64) { SUM.fetch_add(*job, Relaxed); } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// # let pool = Pool::new(|| Worker).workers(2);
    /// # let tree = Supervisor::builder("root").supervisor(pool.supervisor("pool")).start(&bus).await?;
    /// # let pool = tree.lookup_pool::<Worker>("root/pool").ok_or("it runs")?;
    /// for job in 1..=4 {
    ///     pool.tell(job).await?;
    /// }
    /// pool.flush().await?;
    /// assert_eq!(SUM.load(Relaxed), 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PoolError::Itself`] to a worker of the pool.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn flush(&self) -> Result<(), PoolError> {
        step().await;
        cancellable(self.state.flush(&self.tree)).await
    }

    /// Ends the workers when they have handled all that was told to the pool, and published for it, before.
    /// From then on nothing is taken: [`TellError::Stopped`]. Their supervisor stays until its tree ends;
    /// when it is told to start a worker again, or is restarted, the pool takes messages again. A pool that
    /// was stopped before is left as it is.
    ///
    /// # Errors
    /// See [`PoolError`]: [`PoolError::Itself`] to a worker of the pool.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the pool may take nothing any more and still run: call it again. It waits
    /// as long as handlers take, without a limit of its own; see [`resize`](Self::resize).
    pub async fn stop_gracefully(&self) -> Result<(), PoolError> {
        step().await;
        cancellable(self.state.stop_gracefully(&self.tree)).await
    }

    /// The pool as somebody who takes messages of type `M`. Its identity and its end are those of the first
    /// worker at that moment, which no resize removes; one that has been killed is replaced by another.
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
        Self { state: Arc::clone(&self.state), tree: self.tree.clone() }
    }
}

impl<A: Actor> fmt::Debug for PoolRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.path(), self.size(), A::name())
    }
}

impl<A: Actor> Watchable for PoolRef<A> {
    fn watched(&self) -> WatchRef {
        self.first().watched()
    }
}

impl<A: Actor> RecipientOf for PoolRef<A> {
    fn id(&self) -> ActorId {
        self.first().id()
    }

    fn name(&self) -> &'static str {
        A::name()
    }

    fn identity(&self) -> Identity {
        self.first().identity()
    }

    fn is_alive(&self) -> bool {
        self.first().is_alive()
    }

    fn ended(&self) -> BoxFuture<'_, StopReason> {
        let first = self.first();
        Box::pin(async move { first.ended().await })
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
        self.state.offer_to_tell(message)
    }

    fn try_tell(&self, message: M) -> Result<(), TellError<M>> {
        self.try_tell(message)
    }

    fn tell(&self, message: M) -> BoxFuture<'_, Result<(), TellError<M>>> {
        Box::pin(self.tell(message))
    }

    fn tell_blocking(&self, message: M) -> Result<(), TellError<M>> {
        self.tell_blocking(message)
    }
}

impl<A: Replies<Q>, Q: Send + 'static> Answering<Q, A::Reply> for PoolRef<A> {
    fn ask(&self, query: Q, limit: Option<Duration>) -> BoxFuture<'_, Result<A::Reply, AskError>> {
        match limit {
            Some(limit) => Box::pin(self.ask_within(query, limit)),
            None => Box::pin(self.ask(query)),
        }
    }

    fn begin(&self, query: Q) -> Result<BoxFuture<'static, Result<AnswerFuture<A::Reply>, AskError>>, Q> {
        if !self.state.is_live {
            return Err(query);
        }
        let state = Arc::clone(&self.state);
        Ok(Box::pin(async move {
            let (worker, answer) = state.begin(query).await?;
            let answer: AnswerFuture<A::Reply> = Box::pin(async move { worker.answered(answer).await });
            Ok(answer)
        }))
    }
}
