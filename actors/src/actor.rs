//! The traits that users implement: [`Actor`], [`Handler`], [`Responder`] and [`Service`].

use std::fmt;
use std::future::{Future, ready};

use crate::{Context, ServiceContext, StopReason, Subscriptions};

/// The error type of handlers that do not need one of their own; `?` converts every `std::error::Error` into it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a handler returns: `Ok(())`, or the error that ends its actor.
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
    /// What its handlers fail with. An error ends the actor with [`StopReason::Failed`].
    type Error: fmt::Display + fmt::Debug + Send + 'static;

    /// The name in logs, counters and errors; the type's name without its path unless overridden.
    fn name() -> &'static str {
        let full = std::any::type_name::<Self>();
        let head = full.split('<').next().unwrap_or(full);
        head.rsplit("::").next().unwrap_or(full)
    }

    /// The topics that this actor receives from its first moment on; they may depend on how it was made. Under a supervisor its first
    /// value is asked, and the lives after that keep what they have.
    ///
    /// They are in force when `spawn` returns, so a message published after it is received whatever the order in
    /// which actors start. [`Context::subscribe`] adds more later.
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        let _ = topics;
    }

    /// Runs once before the first message.
    ///
    /// # Errors
    /// An error ends the actor before it has handled anything.
    fn started(&mut self, ctx: &mut Context<Self>) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = ctx;
        ready(Ok(()))
    }

    /// Runs once after the last message, unless the actor was killed or its own code panicked.
    fn stopping(&mut self, reason: &StopReason, ctx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        let _ = (reason, ctx);
        ready(())
    }
}

/// An actor that handles messages of type `M`, from topics and sent to it directly.
///
/// The message comes by reference: on a topic it is read in place and shared by all subscribers. While the future
/// waits, the actor handles nothing else.
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
/// What can go wrong for the one who asked belongs in `Reply` (a `Result`, say): a reply never ends the actor.
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
    /// What its loop fails with.
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

    /// Runs until the service has done its work or [`ServiceContext::stopped`] says so.
    ///
    /// # Errors
    /// An error ends the service with [`StopReason::Failed`].
    fn run(&mut self, ctx: &ServiceContext) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
