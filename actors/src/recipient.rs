//! Addresses of whoever takes a message type, whatever actor that is.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use crate::isolate::step;
use crate::live::CancelPoint;
use crate::reference::sealed;
use crate::{
    Actor, ActorId, ActorRef, AskError, Identity, Query, Replies, StopReason, Takes, TellError, Watchable,
};

/// The address of somebody who takes messages of type `M`: an [`ActorRef`] without the type of its actor.
/// Cheap to clone, the same type live and in an isolate.
///
/// Its holder needs to know neither the actor's type nor what else it handles. It is made once from a
/// reference, by [`ActorRef::recipient`] or `From`, which allocates; a `tell` that need not wait for room
/// allocates no more than that of the reference. Errors and promises are those of the reference. It does not
/// keep the actor alive.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Handler, Isolate, Recipient};
///
/// struct Alert(&'static str);
///
/// #[derive(Default)]
/// struct Desk(Vec<&'static str>);
/// impl Actor for Desk { type Error = BoxError; }
/// impl Handler<Alert> for Desk {
///     async fn handle(&mut self, alert: &Alert, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         self.0.push(alert.0);
///         Ok(())
///     }
/// }
///
/// /// Tells everybody, whatever they are.
/// struct Siren(Vec<Recipient<Alert>>);
/// impl Actor for Siren {
///     type Error = BoxError;
///     async fn started(&mut self, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         for recipient in &self.0 {
///             recipient.tell(Alert("limit reached")).await?;
///         }
///         Ok(())
///     }
/// }
/// # fn main() -> Result<(), BoxError> {
/// let mut isolate = Isolate::new(1);
/// let desk = isolate.spawn(Desk::default())?;
/// isolate.spawn(Siren(vec![desk.recipient()]))?;
/// isolate.run()?;
/// assert_eq!(isolate.take(&desk).unwrap().0, ["limit reached"]);
/// # Ok(())
/// # }
/// ```
pub struct Recipient<M> {
    to: Arc<dyn Accepting<M>>,
}

/// The address of somebody who answers queries of type `Q` with an `R`: an [`ActorRef`] without the type of
/// its actor. Cheap to clone, the same type live and in an isolate.
///
/// Where the contract ties the query to its answer ([`Query`]), `ReplyRecipient<Q>` says it all.
///
/// It is made from a reference by [`ActorRef::reply_recipient`] or `From`. An ask through it allocates its
/// future, besides what the reference's own does. It does not keep the actor alive.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, MessageBus, ReplyRecipient, Responder};
///
/// struct Equity;
/// struct Broker;
/// impl Actor for Broker { type Error = BoxError; }
/// impl Responder<Equity> for Broker {
///     type Reply = f64;
///     async fn answer(&mut self, _: &Equity, _ctx: &mut Context<Self>) -> f64 { 1_000_000.0 }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let account: ReplyRecipient<Equity, f64> = bus.spawn(Broker)?.into();
/// assert_eq!(account.ask(Equity).await?, 1_000_000.0);
/// # Ok(())
/// # }
/// ```
pub struct ReplyRecipient<Q, R = <Q as Query>::Reply> {
    to: Arc<dyn Answering<Q, R>>,
}

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a reference of any type says of its actor.
pub(crate) trait RecipientOf: sealed::Watchable + Send + Sync {
    fn id(&self) -> ActorId;
    fn name(&self) -> &'static str;
    fn identity(&self) -> Identity;
    fn is_alive(&self) -> bool;
    fn ended(&self) -> BoxFuture<'_, StopReason>;
}

/// An inbox for messages of type `M`.
pub(crate) trait Accepting<M>: RecipientOf {
    /// Ready if the task that sends may go on: live, a loop of sends lets others run.
    fn poll_turn(&self, cx: &mut TaskContext<'_>, at: &mut Option<CancelPoint>) -> Poll<()>;
    /// Queues the message now; one that does not fit is counted nowhere, because its sender may wait.
    fn offer(&self, message: M) -> Result<(), TellError<M>>;
    fn try_tell(&self, message: M) -> Result<(), TellError<M>>;
    fn tell(&self, message: M) -> BoxFuture<'_, Result<(), TellError<M>>>;
    /// Waits on this thread, unless its actor would have to run there meanwhile.
    fn tell_blocking(&self, message: M) -> Result<(), TellError<M>>;
}

/// An inbox for queries of type `Q`, and the way back of their answers.
pub(crate) trait Answering<Q, R>: RecipientOf {
    /// `limit`: how long the answer is waited for; `None`: as the bus says.
    fn ask(&self, query: Q, limit: Option<Duration>) -> BoxFuture<'_, Result<R, AskError>>;

    /// Queues the query, and gives then what waits for the answer, however long that takes, and for nothing
    /// else. `Err`: this recipient knows no moment between the two.
    fn begin(&self, query: Q) -> Result<BoxFuture<'static, Result<AnswerFuture<R>, AskError>>, Q> {
        Err(query)
    }
}

/// What waits for an answer.
pub(crate) type AnswerFuture<R> = BoxFuture<'static, Result<R, AskError>>;

impl<A: Actor> RecipientOf for ActorRef<A> {
    fn id(&self) -> ActorId {
        self.id()
    }

    fn name(&self) -> &'static str {
        self.name()
    }

    fn identity(&self) -> Identity {
        self.identity()
    }

    fn is_alive(&self) -> bool {
        self.is_alive()
    }

    fn ended(&self) -> BoxFuture<'_, StopReason> {
        Box::pin(self.ended())
    }
}

impl<A: Takes<M>, M: Send + 'static> Accepting<M> for ActorRef<A> {
    fn poll_turn(&self, cx: &mut TaskContext<'_>, at: &mut Option<CancelPoint>) -> Poll<()> {
        self.poll_turn(cx, at)
    }

    fn offer(&self, message: M) -> Result<(), TellError<M>> {
        self.offer(message)
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

impl<A: Replies<Q>, Q: Send + 'static> Answering<Q, A::Reply> for ActorRef<A> {
    fn ask(&self, query: Q, limit: Option<Duration>) -> BoxFuture<'_, Result<A::Reply, AskError>> {
        match limit {
            Some(limit) => Box::pin(self.ask_within(query, limit)),
            None => Box::pin(self.ask(query)),
        }
    }

    fn begin(&self, query: Q) -> Result<BoxFuture<'static, Result<AnswerFuture<A::Reply>, AskError>>, Q> {
        let actor = self.clone();
        Ok(Box::pin(async move {
            let answer: AnswerFuture<A::Reply> = Box::pin(actor.begin(query).await?);
            Ok(answer)
        }))
    }
}

impl<M: Send + 'static> Recipient<M> {
    pub(crate) fn of(to: impl Accepting<M> + 'static) -> Self {
        Self { to: Arc::new(to) }
    }

    /// Puts a message into the inbox; waits while it is full. The same as [`ActorRef::tell`].
    ///
    /// `Ok` says that the inbox has it, not that it was handled.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Recipient, Result, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let sum = bus.spawn(Sum(0))?;
    /// let numbers: Recipient<u64> = sum.recipient();
    /// numbers.tell(7).await?;
    /// assert_eq!(sum.ask(Total).await?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`TellError`]; the message comes back.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was sent.
    pub async fn tell(&self, message: M) -> Result<(), TellError<M>> {
        let mut at = None;
        poll_fn(move |cx| self.to.poll_turn(cx, &mut at)).await;
        match self.to.offer(message) {
            // Only a future that waits has to lie anywhere.
            Err(TellError::Full(message, _)) => self.to.tell(message).await,
            Err(error) => {
                step().await;
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Puts a message into the inbox from code that is not async, and keeps the thread while it is full.
    /// The same as [`ActorRef::tell_blocking`]: an actor of an isolate is not waited for.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Recipient, Result, actor};
    /// # struct Log;
    /// # #[actor] impl Log { #[on(direct)] fn line(&mut self, _: &String) {} }
    /// # #[tokio::main]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let log: Recipient<String> = bus.spawn(Log)?.recipient();
    /// std::thread::spawn(move || log.tell_blocking("from a thread".to_owned())).join().unwrap()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`tell`](Self::tell); in an isolate [`TellError::Full`] where that would wait.
    pub fn tell_blocking(&self, message: M) -> Result<(), TellError<M>> {
        self.to.tell_blocking(message)
    }

    /// The same, for a sender that waits then: what is refused is counted nowhere.
    pub(crate) fn offer(&self, message: M) -> Result<(), TellError<M>> {
        self.to.offer(message)
    }

    /// Puts a message into the inbox without waiting. The same as [`ActorRef::try_tell`].
    ///
    /// # Errors
    /// [`TellError::Full`] where [`tell`](Self::tell) would wait.
    pub fn try_tell(&self, message: M) -> Result<(), TellError<M>> {
        self.to.try_tell(message)
    }
}

impl<Q: Send + 'static, R: Send + 'static> ReplyRecipient<Q, R> {
    pub(crate) fn of(to: impl Answering<Q, R> + 'static) -> Self {
        Self { to: Arc::new(to) }
    }

    /// Ready when the query is in the inbox, with what waits for the answer. `Err`: it can be asked alone.
    pub(crate) fn begin(&self, query: Q) -> Result<BoxFuture<'static, Result<AnswerFuture<R>, AskError>>, Q> {
        self.to.begin(query)
    }

    /// Asks and waits for the answer, for as long as the bus says. The same as [`ActorRef::ask`].
    ///
    /// ```
    /// # use mycelium::{MessageBus, ReplyRecipient, Result, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let totals: ReplyRecipient<Total, u64> = bus.spawn(Sum(7))?.reply_recipient();
    /// assert_eq!(totals.ask(Total).await?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`AskError`].
    ///
    /// # Cancel safety
    /// Dropped after the query was sent, it is still answered and nobody listens.
    pub async fn ask(&self, query: Q) -> Result<R, AskError> {
        self.to.ask(query, None).await
    }

    /// Asks and waits at most `limit` on the bus's clock. The same as [`ActorRef::ask_within`].
    ///
    /// # Errors
    /// [`AskError::Timeout`] when the limit passes first; see [`AskError`] for the others.
    ///
    /// # Cancel safety
    /// That of [`ask`](Self::ask).
    pub async fn ask_within(&self, query: Q, limit: Duration) -> Result<R, AskError> {
        self.to.ask(query, Some(limit)).await
    }
}

impl<A: Actor> ActorRef<A> {
    /// The actor as somebody who takes messages of type `M`.
    pub fn recipient<M>(&self) -> Recipient<M>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        self.clone().into()
    }

    /// The actor as somebody who answers queries of type `Q`.
    pub fn reply_recipient<Q>(&self) -> ReplyRecipient<Q, A::Reply>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        self.clone().into()
    }
}

impl<A: Takes<M>, M: Send + 'static> From<ActorRef<A>> for Recipient<M> {
    fn from(actor: ActorRef<A>) -> Self {
        Self { to: Arc::new(actor) }
    }
}

impl<A: Replies<Q>, Q: Send + 'static> From<ActorRef<A>> for ReplyRecipient<Q, A::Reply> {
    fn from(actor: ActorRef<A>) -> Self {
        Self { to: Arc::new(actor) }
    }
}

impl<A: Takes<M>, M: Send + 'static> From<&ActorRef<A>> for Recipient<M> {
    fn from(actor: &ActorRef<A>) -> Self {
        actor.clone().into()
    }
}

impl<A: Replies<Q>, Q: Send + 'static> From<&ActorRef<A>> for ReplyRecipient<Q, A::Reply> {
    fn from(actor: &ActorRef<A>) -> Self {
        actor.clone().into()
    }
}

/// What both have besides their messages.
macro_rules! known {
    ($name:ident<$($param:ident),+>) => {
        impl<$($param),+> $name<$($param),+> {
            /// The identity of the actor within its bus.
            pub fn id(&self) -> ActorId {
                self.to.id()
            }

            /// The name of the actor in logs, statistics and errors.
            pub fn identity(&self) -> Identity {
                self.to.identity()
            }

            /// The name of the actor's type.
            pub fn name(&self) -> &'static str {
                self.to.name()
            }

            /// Whether the actor has not ended. On a thread that does not run its isolate the answer is
            /// `false`.
            pub fn is_alive(&self) -> bool {
                self.to.is_alive()
            }

            /// Waits for the actor's end and says why it ended. Any number of others may watch.
            ///
            /// # Cancel safety
            /// It may be dropped and called again.
            pub async fn ended(&self) -> StopReason {
                self.to.ended().await
            }
        }

        // Written by hand: a derive would ask for messages that can be cloned.
        impl<$($param),+> Clone for $name<$($param),+> {
            fn clone(&self) -> Self {
                Self { to: Arc::clone(&self.to) }
            }
        }

        impl<$($param),+> fmt::Debug for $name<$($param),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.identity(), f)
            }
        }

        impl<$($param),+> sealed::Watchable for $name<$($param),+> {
            fn watched(&self) -> sealed::WatchRef {
                self.to.watched()
            }
        }

        impl<$($param),+> Watchable for $name<$($param),+> {}
    };
}

known!(Recipient<M>);
known!(ReplyRecipient<Q, R>);
