//! The traits that users implement: [`Actor`], [`Handler`], [`Responder`] and [`Service`].

use std::fmt;
use std::future::{Future, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crate::{Context, ServiceContext, StopReason, Subscriptions};

/// The error type of handlers that do not need one of their own; `?` converts every `std::error::Error` into
/// it.
///
/// ```
/// # use mycelium::BoxError;
/// fn port(text: &str) -> Result<u16, BoxError> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(port("eighty").unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of a handler: `Ok(())`, or the error that ends its actor.
///
/// ```
/// fn port(text: &str) -> mycelium::Result<u16> {
///     let port = text.parse()?; // any error
///     if port < 1024 {
///         return Err("choose a port from 1024 on".into()); // or a text
///     }
///     Ok(port)
/// }
/// # assert!(port("80").is_err());
/// ```
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// A value with state that receives messages one at a time.
///
/// The host (a live `MessageBus` or an [`Isolate`](crate::Isolate)) calls the handlers with
/// exclusive access, in the order that `docs/semantics.md` promises. The same implementation runs in both.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Handler, Message, Subscriptions};
///
/// #[derive(Clone, Copy, Debug)]
/// struct Fill { quantity: i64 }
/// impl Message for Fill {
///     const NAME: &'static str = "Fill";
///     const TYPE_ID: u16 = 1;
///     const TOPIC: &'static str = "fills";
/// }
///
/// #[derive(Default)]
/// struct Portfolio { position: i64 }
///
/// impl Actor for Portfolio {
///     type Error = BoxError;
///     fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
///         topics.on::<Fill>();
///     }
/// }
///
/// impl Handler<Fill> for Portfolio {
///     async fn handle(&mut self, fill: &Fill, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         self.position += fill.quantity;
///         Ok(())
///     }
/// }
/// # let mut isolate = mycelium::Isolate::new(1);
/// # let portfolio = isolate.spawn(Portfolio::default()).unwrap();
/// # isolate.publish(Fill { quantity: 3 }).unwrap();
/// # isolate.run().unwrap();
/// # assert_eq!(isolate.take(&portfolio).unwrap().position, 3);
/// ```
pub trait Actor: Sized + Send + 'static {
    /// The error of its handlers. An error ends the actor with [`StopReason::Failed`].
    type Error: fmt::Display + fmt::Debug + Send + 'static;

    /// The name in logs, counters and errors; the type's name without its path unless overridden.
    fn name() -> &'static str {
        let full = std::any::type_name::<Self>();
        let head = full.split('<').next().unwrap_or(full);
        head.rsplit("::").next().unwrap_or(full)
    }

    /// The topics that this actor receives from its first moment on; they may depend on how it was made.
    /// Under a supervisor its first value is asked, and the lives after that keep what they have.
    ///
    /// They are in force when `spawn` returns, so a message published after it is received whatever the order
    /// in which actors start. [`Context::subscribe`] adds more later.
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        let _ = topics;
    }

    /// Runs once before the first message.
    ///
    /// ```
    /// # use mycelium::{Actor, BoxError, Context, Isolate};
    /// # struct Journal { path: &'static str, lines: usize }
    /// # impl Actor for Journal {
    /// # type Error = BoxError;
    /// async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
    ///     self.lines = std::fs::read_to_string(self.path)?.lines().count(); // an error: it does not start
    ///     Ok(())
    /// }
    /// # }
    /// # let mut isolate = Isolate::new(1);
    /// # isolate.spawn(Journal { path: "/no/such/file", lines: 0 })?;
    /// # assert!(isolate.run().is_err());
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// An error ends the actor before it has handled anything.
    fn started(&mut self, ctx: &mut Context<Self>) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = ctx;
        ready(Ok(()))
    }

    /// Runs after each batch of messages, for what is worth doing once for many of them: to recompute, to
    /// write, to publish a summary.
    ///
    /// Live, a batch ends when nothing waits for the actor any more, and when it lets other tasks run, after
    /// some hundred messages. In an isolate it ends when nothing waits there at this moment of virtual time,
    /// before the clock moves; actors come in the order in which their batches began. In a `routing_config!`
    /// each message is a batch. A batch has at least one message; answers to queries and notices of watches
    /// count too. An end of the actor's life ends the batch without this: `stopping` is there for that.
    ///
    /// Until it returns, the actor handles nothing. Nothing is paid for it by actors that have none.
    ///
    /// ```
    /// use mycelium::{Actor, BoxError, Context, Handler, Isolate, Message, Subscriptions};
    ///
    /// #[derive(Clone, Debug)] struct Quote { bid: i64 }
    /// # impl Message for Quote { const NAME: &'static str = "Quote"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "quotes"; }
    /// #[derive(Default)]
    /// struct Index { sum: i64, published: Vec<i64> }
    ///
    /// impl Actor for Index {
    ///     type Error = BoxError;
    ///     fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
    ///         topics.on::<Quote>();
    ///     }
    ///     async fn batch_ended(&mut self, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         self.published.push(self.sum);
    ///         Ok(())
    ///     }
    /// }
    /// impl Handler<Quote> for Index {
    ///     async fn handle(&mut self, quote: &Quote, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         self.sum += quote.bid;
    ///         Ok(())
    ///     }
    /// }
    /// # let mut isolate = Isolate::new(1);
    /// # let index = isolate.spawn(Index::default()).unwrap();
    /// # for bid in [1, 2, 3] { isolate.publish(Quote { bid }).unwrap(); }
    /// # isolate.run().unwrap();
    /// # assert_eq!(isolate.take(&index).unwrap().published, [6]);
    /// ```
    ///
    /// # Errors
    /// An error ends the actor as one of a handler does, with no message in hand.
    fn batch_ended(
        &mut self,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = ctx;
        NoBatches(PhantomData)
    }

    /// Runs once after the last message, unless the actor was killed or its own code panicked.
    ///
    /// ```
    /// # use mycelium::{Actor, BoxError, Context, Isolate, StopReason};
    /// # struct Journal { lines: Vec<String>, closed: bool }
    /// # impl Actor for Journal {
    /// # type Error = BoxError;
    /// async fn stopping(&mut self, reason: &StopReason, _: &mut Context<Self>) {
    ///     self.lines.push(format!("closed: {reason}"));
    /// }
    /// # }
    /// # let mut isolate = Isolate::new(1);
    /// # isolate.spawn(Journal { lines: vec![], closed: false })?;
    /// # isolate.run()?;
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    fn stopping(&mut self, reason: &StopReason, ctx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        let _ = (reason, ctx);
        ready(())
    }
}

/// What the `batch_ended` of an actor that has none returns. Its layout, no bytes at a boundary of 64, is its
/// mark: a future that does something has bytes, for its state.
#[repr(align(64))]
struct NoBatches<E>(PhantomData<fn() -> E>);

impl<E> Future for NoBatches<E> {
    type Output = Result<(), E>;

    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(()))
    }
}

/// Whether `A` has a `batch_ended` of its own. A constant of the type, so that the others pay nothing.
#[inline(always)]
pub(crate) fn has_batches<A: Actor>() -> bool {
    #[inline(always)]
    fn is_written<X, Y, F>(_: impl FnOnce(X, Y) -> F) -> bool {
        const { size_of::<F>() != 0 || align_of::<F>() != align_of::<NoBatches<()>>() }
    }
    is_written(A::batch_ended)
}

/// An actor that handles messages of type `M`, from topics and sent to it directly.
///
/// The message comes by reference: on a topic it is read in place and shared by all subscribers. One that is
/// sent to this actor alone can be taken by value instead: [`Takes`](crate::Takes). While the future waits,
/// the actor handles nothing else.
///
/// # How a handler ends
/// `Ok(())`: the message is handled. An error ends the actor with [`StopReason::Failed`], and the message is
/// retried or a dead letter, as its supervisor says. A method under `#[actor]` ends alike: one that returns
/// nothing cannot fail, and the error of one that returns a `Result` is converted into [`Actor::Error`], also
/// that of an `.await` at its end. A trait fixes the return type, so by hand `?` converts: the two actors
/// here do the same.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Handler, Isolate, Message, Subscriptions};
///
/// # #[derive(Clone, Copy, Debug)] struct Order(i64);
/// # impl Message for Order { const NAME: &'static str = "Order"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "orders"; }
/// # #[derive(Clone, Copy, Debug)] struct Fill(i64);
/// # impl Message for Fill { const NAME: &'static str = "Fill"; const TYPE_ID: u16 = 2; const TOPIC: &'static str = "fills"; }
/// struct ByHand;
/// impl Actor for ByHand {
///     type Error = BoxError;
///     fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
///         topics.on::<Order>();
///     }
/// }
/// impl Handler<Order> for ByHand {
///     async fn handle(&mut self, order: &Order, ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         Ok(ctx.publish(Fill(order.0)).await?)
///     }
/// }
///
/// struct ByMacro;
/// #[mycelium::actor]
/// impl ByMacro {
///     #[on]
///     async fn order(&mut self, order: &Order, ctx: &mut Context<Self>) -> mycelium::Result<()> {
///         ctx.publish(Fill(order.0)).await
///     }
/// }
/// # let mut isolate = Isolate::new(1);
/// # isolate.spawn(ByHand).unwrap();
/// # isolate.spawn(ByMacro).unwrap();
/// # isolate.publish(Order(1)).unwrap();
/// # isolate.run().unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handler for `{M}`",
    label = "does not handle `{M}`",
    note = "in its `#[actor]` block add `#[on] fn ..(&mut self, message: &{M})`, or implement `Handler<{M}>`"
)]
pub trait Handler<M>: Actor {
    /// Handles one message.
    ///
    /// # Errors
    /// An error ends this actor with [`StopReason::Failed`]; no other actor notices.
    fn handle(
        &mut self,
        message: &M,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// An actor that answers queries of type `Q`.
///
/// A failure that concerns the one who asked belongs in `Reply` (a `Result`, say): a reply never ends the
/// actor.
///
/// ```
/// # use mycelium::{Actor, BoxError, Context, Isolate, Responder};
/// # struct Account { cash: i64 }
/// # impl Actor for Account { type Error = BoxError; }
/// struct Cash;
/// impl Responder<Cash> for Account {
///     type Reply = i64;
///     async fn answer(&mut self, _: &Cash, _: &mut Context<Self>) -> i64 {
///         self.cash
///     }
/// }
/// # let mut isolate = Isolate::new(1);
/// # let account = isolate.spawn(Account { cash: 7 })?;
/// # assert_eq!(isolate.ask(&account, Cash)?, 7);
/// # Ok::<(), mycelium::BoxError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer `{Q}`",
    label = "does not answer `{Q}`",
    note = "in its `#[actor]` block add `#[ask] fn ..(&self, query: &{Q}) -> ..`, or implement `Responder<{Q}>`"
)]
pub trait Responder<Q>: Actor {
    /// The answer.
    type Reply: Send + 'static;

    /// Answers one query.
    fn answer(&mut self, query: &Q, ctx: &mut Context<Self>) -> impl Future<Output = Self::Reply> + Send;
}

/// An actor with a loop of its own instead of handlers.
///
/// # How it ends
/// A service ends when its loop returns. It can also be told to stop: by
/// [`ServiceRef::stop`](crate::ServiceRef::stop), by its supervisor, or by the shutdown of its bus. Its next
/// wait then ends it: the future of `run` is dropped there, as a `select!` drops the branches that lost, and
/// the service was shut down, which is no failure. A publish that waits for room is such a wait, and so is
/// every other wait of this crate: for a message, a time, a tell, an answer, the end of another. A wait for
/// something else (a socket, a timer of tokio) is not: only code of `run` that has come to the next wait of
/// this crate is dropped.
///
/// A service that has to finish something first ends by its own hand: from its first call of
/// [`ServiceContext::stopped`](crate::ServiceContext::stopped) on, nothing of it is dropped, and it has its
/// shutdown time to return. One that blocks its thread and never awaits asks
/// [`ServiceContext::is_stopping`](crate::ServiceContext::is_stopping).
///
/// ```
/// # use mycelium::{BoxError, Message, Service, ServiceContext, Subscription};
/// # #[derive(Clone, Debug)] struct Fill(u64);
/// # impl Message for Fill { const NAME: &'static str = "Fill"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "fills"; }
/// struct Journal(Vec<u64>);
///
/// impl Service for Journal {
///     type Error = BoxError;
///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
///         let mut fills = ctx.subscribe::<Fill>(Subscription::block())?;
///         let mut stopped = std::pin::pin!(ctx.stopped());
///         loop {
///             tokio::select! {
///                 biased;
///                 Some(fill) = fills.recv() => self.0.push(fill.0), // all that waits
///                 () = &mut stopped => return Ok(()),
///             }
///         }
///     }
/// }
/// # let mut isolate = mycelium::Isolate::new(1);
/// # isolate.spawn_service(Journal(Vec::new())).unwrap();
/// # isolate.run().unwrap();
/// ```
///
/// # Example
/// ```
/// use mycelium::{BoxError, Service, ServiceContext};
/// use std::time::Duration;
///
/// struct Heartbeat { beats: u32 }
///
/// impl Service for Heartbeat {
///     type Error = BoxError;
///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
///         for _ in 0..10 {
///             ctx.sleep(Duration::from_millis(100)).await;
///             self.beats += 1;
///         }
///         Ok(())
///     }
/// }
/// # let mut isolate = mycelium::Isolate::new(1);
/// # isolate.spawn_service(Heartbeat { beats: 0 }).unwrap();
/// # isolate.run().unwrap();
/// # assert_eq!(isolate.now().as_nanos(), 1_000_000_000);
/// ```
pub trait Service: Send + 'static {
    /// The error of its loop.
    type Error: fmt::Display + fmt::Debug + Send + 'static;

    /// The name in logs, counters and errors; the type's name without its path unless overridden.
    fn name() -> &'static str
    where
        Self: Sized,
    {
        let full = std::any::type_name::<Self>();
        let head = full.split('<').next().unwrap_or(full);
        head.rsplit("::").next().unwrap_or(full)
    }

    /// Runs until the service has done its work, or was told to stop and has come to its next wait: see
    /// [above](Service#how-it-ends).
    ///
    /// # Errors
    /// An error ends the service with [`StopReason::Failed`].
    ///
    /// # Cancel safety
    /// It is dropped at a wait when the service is stopped, and wherever it waits when it is killed. Work
    /// that has to be whole in spite of the first ends by its own hand; nothing helps against the second.
    fn run(&mut self, ctx: &ServiceContext) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
