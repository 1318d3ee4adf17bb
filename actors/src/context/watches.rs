//! How an actor watches others, and depends on them.

use super::{Context, ContextBackend};
use crate::life::{EndNotice, NoticeMeaning};
use crate::reference::Target;
use crate::{Actor, Down, Monitor, StopReason, Takes, Watchable};

impl<A: Actor> Context<A> {
    /// Watches another actor of this bus, by its reference or as a [`Recipient`](crate::Recipient): when it
    /// has ended, this one handles one [`Down`] that says why, after everything that the other had sent or
    /// published to it.
    ///
    /// Exactly one `Down` comes for each call, also when the other has ended long ago. A restart in place
    /// under a supervisor is no end: the reference goes on, and nothing comes. The watch itself ends with
    /// [`unwatch`](Self::unwatch), and with the life of this actor: one that is restarted watches again in
    /// `started`.
    ///
    /// ```
    /// use mycelium::{Actor, ActorRef, BoxError, Context, Down, Handler, MessageBus};
    ///
    /// struct Venue;
    /// impl Actor for Venue { type Error = BoxError; }
    ///
    /// struct Orders { venue: ActorRef<Venue> }
    /// impl Actor for Orders {
    ///     type Error = BoxError;
    ///     async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         ctx.watch(&self.venue);
    ///         Ok(())
    ///     }
    /// }
    /// impl Handler<Down> for Orders {
    ///     async fn handle(&mut self, down: &Down, ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         println!("{} {}", down.actor, down.reason); // Venue#1 ended normally
    ///         ctx.stop();
    ///         Ok(())
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let venue = bus.spawn(Venue)?;
    /// let orders = bus.spawn(Orders { venue: venue.clone() })?;
    /// venue.stop();
    /// orders.ended().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&mut self, other: &impl Watchable) -> Monitor
    where
        A: Takes<Down>,
    {
        match (&mut self.backend, other.watched().0) {
            (ContextBackend::Live(live), Target::Live(other)) => live.watch(&other),
            (ContextBackend::Isolate(isolate), Target::Isolate(other)) => isolate.watch(&other),
            _ => self.watch_of_nobody(),
        }
    }

    /// Has this actor end when another of its bus ends abnormally: with
    /// [`StopReason::DependencyEnded`](crate::StopReason::DependencyEnded), in its turn after everything that
    /// the other had sent to it; at once if the other has ended so already. A normal end and a shutdown mean
    /// nothing.
    ///
    /// It goes one way, unlike a link of Erlang: the other goes on when this one ends. Like a watch it
    /// outlasts restarts in place of the other, and ends with [`unwatch`](Self::unwatch) and the life of this
    /// actor. Two actors that can only fail together depend on each other, or have a supervisor with
    /// [`OneForAll`](crate::tree::Strategy::OneForAll), which restarts them together; a dependency does not
    /// restart anything.
    ///
    /// ```
    /// # use mycelium::{Actor, ActorRef, BoxError, Context, MessageBus, StopReason};
    /// struct Venue;
    /// impl Actor for Venue { type Error = BoxError; }
    ///
    /// struct Session { venue: ActorRef<Venue> }
    /// impl Actor for Session {
    ///     type Error = BoxError;
    ///     async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         ctx.depend_on(&self.venue);
    ///         Ok(())
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let venue = bus.spawn(Venue)?;
    /// let session = bus.spawn(Session { venue: venue.clone() })?;
    /// venue.kill();
    /// assert_eq!(session.ended().await, StopReason::DependencyEnded("Venue#1 was killed".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn depend_on(&mut self, other: &impl Watchable) -> Monitor {
        match (&mut self.backend, other.watched().0) {
            (ContextBackend::Live(live), Target::Live(other)) => live.depend_on(&other),
            (ContextBackend::Isolate(isolate), Target::Isolate(other)) => isolate.depend_on(&other),
            _ => self.watch_of_nobody(),
        }
    }

    /// Ends a watch or a dependency: nothing comes of it any more, also if the other has ended meanwhile.
    /// Whether there was one whose notice has not been handled.
    pub fn unwatch(&mut self, monitor: Monitor) -> bool {
        match &mut self.backend {
            ContextBackend::Isolate(isolate) => isolate.unwatch(monitor),
            ContextBackend::Live(live) => live.unwatch(monitor),
            ContextBackend::Direct(_) => false,
        }
    }

    /// In an isolate: the turn of a notice has come.
    pub(crate) fn take_in<'a>(&self, notice: &'a EndNotice) -> NoticeMeaning<'a> {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.take_in(notice),
            ContextBackend::Live(_) | ContextBackend::Direct(_) => NoticeMeaning::Nothing,
        }
    }

    /// In an isolate: ends the actor for this reason once the handler that runs has returned.
    pub(crate) fn end_with(&self, reason: StopReason) {
        if let ContextBackend::Isolate(isolate) = &self.backend {
            isolate.ask_end(reason);
        }
    }

    /// Where nobody ends: in direct calls, or with a reference of another isolate.
    fn watch_of_nobody(&self) -> Monitor {
        Monitor { watcher: self.id(), number: u64::MAX }
    }
}
