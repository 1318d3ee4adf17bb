//! Addresses of actors.

mod asks;
mod offers;
mod telling;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use mycelium_mailbox::Stop;

pub(crate) use self::telling::{Tellable, Telling, TellingLater, rare};
use crate::context::Either;
use crate::isolate::{IsolateRef, Place, Tied};
use crate::live::{Address, CancelPoint, Member, Watched, block_on, cancellable, poll_turn, turn};
use crate::{Actor, ActorId, Identity, StopReason, Takes, TellError};

/// The address of one actor: cheap to clone, the same type live and in an isolate.
///
/// It does not keep the actor alive.
///
/// ```
/// # use mycelium::{Actor, BoxError, Context, Handler, MessageBus, StopReason};
/// # struct Log;
/// # impl Actor for Log { type Error = BoxError; }
/// # impl Handler<String> for Log {
/// #     async fn handle(&mut self, _: &String, _: &mut Context<Self>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let log = bus.spawn(Log)?;
/// log.tell("a line".to_owned()).await?;
/// log.stop_gracefully(); // what was told before is handled
/// assert_eq!(log.ended().await, StopReason::Normal);
/// assert!(log.tell("too late".to_owned()).await.is_err());
/// # Ok(())
/// # }
/// ```
pub struct ActorRef<A: Actor> {
    backend: ReferenceBackend<A>,
}

enum ReferenceBackend<A: Actor> {
    Isolate(Tied<IsolateRef<A>>),
    Live(Arc<Address<A>>),
    /// Of an actor that is called directly: nobody receives for it.
    Nowhere(ActorId),
}

/// Anybody that an actor can [watch](crate::Context::watch) or [depend on](crate::Context::depend_on): an
/// [`ActorRef`], a [`Recipient`](crate::Recipient) or a [`ReplyRecipient`](crate::ReplyRecipient), and
/// nothing else.
pub trait Watchable: sealed::Watchable {}

/// The actor that is watched.
pub(crate) enum Target {
    Isolate(Place),
    Live(Arc<dyn Watched>),
    /// It never ends.
    Nobody,
}

#[allow(unnameable_types, reason = "nobody else implements it")]
pub(crate) mod sealed {
    /// Opaque outside of this crate.
    pub struct WatchRef(pub(crate) super::Target);

    pub trait Watchable {
        fn watched(&self) -> WatchRef;
    }
}

impl<A: Actor> Watchable for ActorRef<A> {}

impl<A: Actor> sealed::Watchable for ActorRef<A> {
    fn watched(&self) -> sealed::WatchRef {
        sealed::WatchRef(match &self.backend {
            ReferenceBackend::Isolate(isolate) => Target::Isolate(isolate.place.clone()),
            ReferenceBackend::Live(live) => Target::Live(Arc::clone(live) as _),
            ReferenceBackend::Nowhere(_) => Target::Nobody,
        })
    }
}

impl<A: Actor> Clone for ActorRef<A> {
    fn clone(&self) -> Self {
        let backend = match &self.backend {
            ReferenceBackend::Isolate(isolate) => ReferenceBackend::Isolate(isolate.clone()),
            ReferenceBackend::Live(live) => ReferenceBackend::Live(Arc::clone(live)),
            ReferenceBackend::Nowhere(id) => ReferenceBackend::Nowhere(*id),
        };
        Self { backend }
    }
}

impl<A: Actor> fmt::Debug for ActorRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.identity(), f)
    }
}

impl<A: Actor> ActorRef<A> {
    pub(crate) fn in_isolate(isolate: IsolateRef<A>) -> Self {
        Self { backend: ReferenceBackend::Isolate(Tied::new(isolate)) }
    }

    pub(crate) fn live(address: Arc<Address<A>>) -> Self {
        Self { backend: ReferenceBackend::Live(address) }
    }

    pub(crate) fn nowhere(id: ActorId) -> Self {
        Self { backend: ReferenceBackend::Nowhere(id) }
    }

    pub(crate) fn as_isolate(&self) -> Option<&IsolateRef<A>> {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => Some(isolate),
            ReferenceBackend::Live(_) | ReferenceBackend::Nowhere(_) => None,
        }
    }

    /// Whether the actor lives in an isolate: nobody handles what waits there while the isolate's thread does
    /// something else.
    #[must_use]
    pub fn is_isolated(&self) -> bool {
        self.as_isolate().is_some()
    }

    /// The live actor as its bus sees it.
    pub(crate) fn member(&self) -> Option<Arc<dyn Member>> {
        match &self.backend {
            ReferenceBackend::Live(live) => Some(Arc::clone(live) as _),
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => None,
        }
    }

    /// The actor's identity within its bus.
    pub fn id(&self) -> ActorId {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.place.id(),
            ReferenceBackend::Live(live) => live.id,
            ReferenceBackend::Nowhere(id) => *id,
        }
    }

    /// The name of the actor in logs, statistics and errors. On a thread that does not run its isolate it
    /// has no path.
    pub fn identity(&self) -> Identity {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.place.identity(A::name()),
            ReferenceBackend::Live(live) => live.identity(),
            ReferenceBackend::Nowhere(id) => Identity { id: *id, name: A::name(), path: None },
        }
    }

    /// The name of the actor's type: [`Actor::name`].
    pub fn name(&self) -> &'static str {
        A::name()
    }

    /// Puts a message into the actor's inbox; waits while it is full.
    ///
    /// `Ok` says that the inbox has it, not that the actor has handled it.
    ///
    /// # Errors
    /// See [`TellError`]; the message comes back.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was sent.
    ///
    /// ```
    /// # use mycelium::{BoxError, MessageBus, Result};
    /// # use std::time::Duration;
    /// struct Add(u64);
    /// struct Total;
    /// #[derive(Default)]
    /// struct Sum(u64);
    ///
    /// #[mycelium::actor]
    /// impl Sum {
    ///     #[on(direct)]
    ///     fn add(&mut self, add: &Add) {
    ///         self.0 += add.0;
    ///     }
    ///     #[ask]
    ///     fn total(&self, _: &Total) -> u64 {
    ///         self.0
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let bus = MessageBus::new();
    /// let sum = bus.spawn(Sum::default())?;
    /// sum.tell(Add(3)).await?;
    /// sum.tell(Add(4)).await?;
    /// assert_eq!(sum.ask(Total).await?, 7); // in that order
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn tell<M>(&self, message: M) -> impl Future<Output = Result<(), TellError<M>>> + Send
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        Telling::new(self, message)
    }

    /// The error of a tell to nobody.
    fn ended_before<M>(&self, message: M) -> TellError<M> {
        TellError::Stopped(message, Some(Arc::new(self.identity())))
    }

    /// Puts a message into the actor's inbox from code that is not async, and keeps the thread while it is
    /// full.
    ///
    /// In async code it would keep a whole thread of the runtime: use [`tell`](Self::tell) there. An actor of
    /// an isolate, which runs on this very thread, is not waited for: it is told as with
    /// [`try_tell`](Self::try_tell).
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let sum = bus.spawn(Sum(0))?;
    /// let reader = sum.clone();
    /// let thread = std::thread::spawn(move || (1..=4).try_for_each(|number| reader.tell_blocking(number)));
    /// tokio::task::spawn_blocking(|| thread.join()).await?.expect("it does not panic")?;
    /// assert_eq!(sum.ask(Total).await?, 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`tell`](Self::tell).
    pub fn tell_blocking<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match &self.backend {
            ReferenceBackend::Live(_) => block_on(self.tell(message)),
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => self.try_tell(message),
        }
    }

    /// Puts a message into the actor's inbox without waiting.
    ///
    /// # Errors
    /// [`TellError::Full`] where [`tell`](Self::tell) would wait.
    ///
    /// ```
    /// # use mycelium::{BoxError, MessageBus, Result, TellError};
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
    /// match sum.try_tell(Add(3)) {
    ///     Ok(()) => {}
    ///     Err(TellError::Full(add, _)) => println!("{} is not added: the inbox is full", add.0),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.try_tell(message),
            ReferenceBackend::Live(live) => live.try_tell(message),
            ReferenceBackend::Nowhere(_) => Err(self.ended_before(message)),
        }
    }

    /// The same, for a sender that waits then: what is refused is counted nowhere.
    pub(crate) fn offer<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match &self.backend {
            ReferenceBackend::Live(live) => live.offer(message).or_else(|error| live.refused(error)),
            ReferenceBackend::Isolate(isolate) => isolate.offer(message),
            ReferenceBackend::Nowhere(_) => self.try_tell(message),
        }
    }

    /// Ready if the task that sends may go on; see [`turn`].
    pub(crate) fn poll_turn(&self, cx: &mut TaskContext<'_>, at: &mut Option<CancelPoint>) -> Poll<()> {
        match &self.backend {
            ReferenceBackend::Live(_) => poll_turn(cx, at),
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => Poll::Ready(()),
        }
    }

    /// Asks the actor to end: it finishes the message in hand, runs `stopping` and ends with
    /// [`StopReason::Normal`]. Messages that wait in its inbox become dead letters: see
    /// [`stop_gracefully`](Self::stop_gracefully).
    ///
    /// A stop that comes too late for this life, because the message in hand fails or the actor waits for its
    /// restart, stands for the next one: that ends when `started` has returned, and handles nothing. The next
    /// life of a permanent child, which follows each end, goes on instead.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, StopReason, actor};
    /// # struct Sum(u64);
    /// # #[actor] impl Sum { #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let sum = bus.spawn(Sum(0))?;
    /// sum.stop();
    /// assert_eq!(sum.ended().await, StopReason::Normal);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&self) {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.stop(),
            ReferenceBackend::Live(live) => live.stop(Stop::Life),
            ReferenceBackend::Nowhere(_) => {}
        }
    }

    /// Asks the actor to end when it has handled all that was there before this call, told, asked and
    /// published: it takes its turn as a message would, but needs no room. Then the actor runs `stopping` and
    /// ends with [`StopReason::Normal`]. It returns at once: wait with [`ended`](Self::ended).
    ///
    /// A message that comes after this call is accepted until the actor has ended, and is a dead letter
    /// then, as with [`stop`](Self::stop). A permanent child, which its supervisor starts again, goes on
    /// with it in its next life. If the actor fails before it comes to its end, its next life ends there.
    /// Asked again before that, nothing changes.
    ///
    /// ```
    /// use mycelium::{Actor, BoxError, Context, Handler, Isolate, StopReason};
    ///
    /// #[derive(Default)]
    /// struct Journal(Vec<u32>);
    /// impl Actor for Journal { type Error = BoxError; }
    /// impl Handler<u32> for Journal {
    ///     async fn handle(&mut self, line: &u32, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         self.0.push(*line);
    ///         Ok(())
    ///     }
    /// }
    /// let mut isolate = Isolate::new(1);
    /// let journal = isolate.spawn(Journal::default())?;
    /// isolate.tell(&journal, 1)?;
    /// journal.stop_gracefully();
    /// isolate.tell(&journal, 2)?; // too late
    /// isolate.run()?;
    /// assert_eq!(isolate.end_reason(&journal), Some(StopReason::Normal));
    /// assert_eq!(isolate.stats().dead_letters, 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn stop_gracefully(&self) {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.stop_at_marker(),
            ReferenceBackend::Live(live) => live.stop_at_marker(),
            ReferenceBackend::Nowhere(_) => {}
        }
    }

    /// How many messages and queries wait in the actor's inbox, which has what was told and asked; live with
    /// those of its last batch, of at most 32, as far as it has told. Messages that wait on its topics are in
    /// [`MessageBus::stats`](crate::MessageBus::stats). On a thread that does not run its isolate the answer
    /// is 0.
    ///
    /// ```
    /// # use mycelium::{Isolate, actor};
    /// # struct Sum(u64);
    /// # #[actor] impl Sum { #[on(direct)] fn add(&mut self, n: &u64) { self.0 += n; } }
    /// # let mut isolate = Isolate::new(1);
    /// let sum = isolate.spawn(Sum(0))?;
    /// isolate.tell(&sum, 1)?;
    /// isolate.tell(&sum, 2)?;
    /// assert_eq!(sum.inbox_len(), 2);
    /// isolate.run()?;
    /// assert_eq!(sum.inbox_len(), 0);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    #[must_use]
    pub fn inbox_len(&self) -> usize {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.inbox_len(),
            ReferenceBackend::Live(live) => live.inbox_len(),
            ReferenceBackend::Nowhere(_) => 0,
        }
    }

    /// Drops the actor's code where it waits, at its task's next turn; it ends with [`StopReason::Killed`]
    /// and `stopping` does not run. Code that never awaits cannot be ended.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, StopReason, actor};
    /// # struct Stuck;
    /// # #[actor] impl Stuck { #[started] async fn begin(&mut self) { std::future::pending::<()>().await } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// let stuck = bus.spawn(Stuck)?;
    /// stuck.kill();
    /// assert_eq!(stuck.ended().await, StopReason::Killed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill(&self) {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.kill(),
            ReferenceBackend::Live(live) => live.kill(),
            ReferenceBackend::Nowhere(_) => {}
        }
    }

    /// Whether the actor has not ended. On a thread that does not run its isolate the answer is `false`.
    pub fn is_alive(&self) -> bool {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.is_alive(),
            ReferenceBackend::Nowhere(_) => true,
            ReferenceBackend::Live(live) => live.is_alive(),
        }
    }

    /// Waits for the actor's end and says why it ended. Any number of others may watch.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    ///
    /// ```
    /// # use mycelium::{BoxError, MessageBus, Result, StopReason};
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
    /// sum.stop();
    /// assert_eq!(sum.ended().await, StopReason::Normal);
    /// assert!(sum.tell(Add(1)).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ended(&self) -> StopReason {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => std::future::poll_fn(|cx| isolate.poll_ended(cx)).await,
            ReferenceBackend::Nowhere(_) => std::future::pending().await,
            ReferenceBackend::Live(live) => {
                turn().await;
                cancellable(live.ended.wait()).await.clone()
            }
        }
    }

    pub(crate) fn timer(&self, limit: Duration) -> impl Future<Output = ()> + Send + use<A> {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => Either::Isolate(isolate.timer(limit)),
            ReferenceBackend::Live(live) => Either::Live(Box::pin(live.timer(limit))),
            ReferenceBackend::Nowhere(_) => Either::Never,
        }
    }
}
