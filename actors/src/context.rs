//! The means of a handler besides changing its actor: publish, send, ask, set timers, subscribe, stop.

mod interrupts;
mod letters;
mod lookup;
mod outside;
mod sends;
mod waiting;
mod watches;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::Sources;
use mycelium_remote::frame::Header;
use rand_pcg::Pcg64Mcg;

pub use self::outside::{BlockingError, StreamHandle};
pub(crate) use self::waiting::{Either, within};
use crate::isolate::IsolateContext;
use crate::life::{Chance, Origin};
use crate::live::{Inlet, LiveContext};
use crate::publish::Through;
use crate::routing::{DirectContext, Published};
use crate::{
    Actor, ActorRef, Clock, Every, Handler, Message, Probe, Publish, PublishError, SpawnError, Subscription,
    Takes, TimerHandle, Timestamp, WireMessage, WirePublishError, WireTopics, clock, rt,
};

/// Identifies an actor or service within its bus; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorId(pub(crate) u64);

impl ActorId {
    /// The number itself: unique within one bus, not between buses.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The handler's view of its host. Each actor has one; it is the same type live and in an isolate.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Handler, Isolate};
/// use std::time::Duration;
///
/// #[derive(Default)]
/// struct Heartbeat { beats: u64 }
/// struct Beat;
///
/// impl Actor for Heartbeat {
///     type Error = BoxError;
///     async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         ctx.schedule_after(Duration::from_secs(1), Beat);
///         Ok(())
///     }
/// }
/// impl Handler<Beat> for Heartbeat {
///     async fn handle(&mut self, _: &Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         self.beats += 1;
///         match self.beats {
///             3 => ctx.stop(), // once this handler has returned
///             _ => drop(ctx.schedule_after(Duration::from_secs(1), Beat)),
///         }
///         Ok(())
///     }
/// }
///
/// let mut isolate = Isolate::new(1);
/// let heartbeat = isolate.spawn(Heartbeat::default())?;
/// isolate.run()?;
/// assert_eq!(isolate.now().as_nanos(), 3_000_000_000);
/// assert_eq!(isolate.take(&heartbeat).expect("it has ended").beats, 3);
/// # Ok::<(), BoxError>(())
/// ```
pub struct Context<A: Actor> {
    backend: ContextBackend<A>,
    chance: Chance,
    /// Whether the actor has asked to stop: the host looks there once the handler has returned; a live actor
    /// is nudged besides.
    stop_asked: bool,
    /// Whether a probe looks on.
    is_probed: bool,
}

#[repr(u8)]
enum ContextBackend<A: Actor> {
    Isolate(IsolateContext<A>),
    Live(LiveContext<A>),
    Direct(DirectContext),
}

impl<A: Actor> Context<A> {
    pub(crate) fn in_isolate(backend: IsolateContext<A>, origin: Origin) -> Self {
        Self::of(ContextBackend::Isolate(backend), origin)
    }

    pub(crate) fn live(backend: LiveContext<A>, origin: Origin) -> Self {
        Self::of(ContextBackend::Live(backend), origin)
    }

    pub(crate) fn direct(backend: DirectContext) -> Self {
        let origin = Origin::Number(backend.id.get());
        Self::of(ContextBackend::Direct(backend), origin)
    }

    fn of(backend: ContextBackend<A>, origin: Origin) -> Self {
        let mut new = Self { backend, chance: Chance::Unused(origin), stop_asked: false, is_probed: false };
        new.is_probed = new.probe().is_some();
        new
    }

    /// Whether the actor lives in an isolate, whose one thread calls it.
    #[must_use]
    pub fn is_isolated(&self) -> bool {
        self.as_in_isolate().is_some()
    }

    pub(crate) fn as_in_isolate(&self) -> Option<&IsolateContext<A>> {
        match &self.backend {
            ContextBackend::Isolate(isolate) => Some(isolate),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn as_live(&mut self) -> Option<&mut LiveContext<A>> {
        match &mut self.backend {
            ContextBackend::Live(live) => Some(live),
            _ => None,
        }
    }

    /// Whether a direct call left nothing behind that its caller has to look at.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        match &self.backend {
            ContextBackend::Direct(direct) => direct.published.is_empty() && !self.stop_asked,
            _ => !self.stop_asked,
        }
    }

    /// What a direct call has published since the last time.
    pub(crate) fn take_published(&mut self) -> Option<&mut Published> {
        match &mut self.backend {
            ContextBackend::Direct(direct) => Some(&mut direct.published),
            _ => None,
        }
    }

    /// Brings a live actor's `sources` up to date with the subscriptions that its handlers made and ended.
    pub(crate) fn apply_changes(&mut self, sources: &mut Sources<Inlet<A>>) {
        if let ContextBackend::Live(live) = &mut self.backend {
            live.apply_changes(sources);
        }
    }

    /// This actor's identity.
    pub fn id(&self) -> ActorId {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().id(),
            ContextBackend::Live(live) => live.id(),
            ContextBackend::Direct(direct) => direct.id,
        }
    }

    /// A reference to this actor, to hand to others.
    pub fn actor_ref(&self) -> ActorRef<A> {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.actor_ref(),
            ContextBackend::Live(live) => ActorRef::live(std::sync::Arc::clone(&live.address)),
            ContextBackend::Direct(direct) => ActorRef::nowhere(direct.id),
        }
    }

    /// The time on the bus's clock: the wall clock live, virtual time in an isolate.
    pub fn now(&self) -> Timestamp {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().now(),
            ContextBackend::Live(live) => live.core().clock.now(),
            ContextBackend::Direct(_) => clock::now(),
        }
    }

    /// The bus's clock, to keep or to hand to helpers such as [`Retry`](crate::resilience::Retry).
    pub fn clock(&self) -> Clock {
        match &self.backend {
            ContextBackend::Isolate(isolate) => Clock::in_isolate(isolate.place().clone()),
            ContextBackend::Live(live) => Clock::live(live.core().clock),
            ContextBackend::Direct(_) => Clock::nowhere(),
        }
    }

    /// Publishes to the topic of `M`; waits while a `Block` subscriber is full.
    ///
    /// `Ok` says that every subscriber's queue has taken it or its policy has counted it as dropped, not that
    /// anybody has handled it. With no subscriber it is `Ok` and the message is gone.
    ///
    /// ```
    /// # use mycelium::{Context, Isolate, Message, Result, actor};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # struct Pulse;
    /// # #[actor]
    /// # impl Pulse {
    /// #[started]
    /// async fn begin(&mut self, ctx: &mut Context<Self>) -> Result {
    ///     ctx.publish(Tick(1)).await
    /// }
    /// # }
    /// # let mut isolate = Isolate::new(1);
    /// # isolate.spawn(Pulse)?;
    /// # isolate.run()?;
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// See [`PublishError`]; the message comes back and nobody has received it.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was published.
    // The message is passed by value through several layers: inlined, it is moved once.
    #[inline(always)]
    pub fn publish<M: Message>(&mut self, message: M) -> Publish<'_, M> {
        let through = match &mut self.backend {
            ContextBackend::Isolate(isolate) => Through::Isolate(isolate.place()),
            ContextBackend::Live(live) => Through::Live(&live.outlet),
            ContextBackend::Direct(direct) => Through::Direct(&mut direct.published),
        };
        Publish::new(message, through)
    }

    /// Publishes without waiting.
    ///
    /// # Errors
    /// [`PublishError::Full`] where [`publish`](Self::publish) would wait; see there for the others.
    #[inline]
    pub fn try_publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>> {
        match &mut self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().try_publish(message),
            ContextBackend::Live(live) => live.outlet.try_publish(message),
            ContextBackend::Direct(direct) => {
                direct.published.put(message);
                Ok(())
            }
        }
    }

    /// Publishes a value that is bytes already, as this actor: see
    /// [`MessageBus::publish_wire`](crate::MessageBus::publish_wire).
    ///
    /// # Errors
    /// See [`WirePublishError`]; nobody has received anything.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was published.
    pub async fn publish_wire(&mut self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().publish_wire(header, bytes).await,
            ContextBackend::Live(live) => live.outlet.publish_wire(header, bytes).await,
            ContextBackend::Direct(_) => Err(WirePublishError::NotOnABus),
        }
    }

    /// Publishes bytes without waiting.
    ///
    /// # Errors
    /// [`WirePublishError::Full`] where [`publish_wire`](Self::publish_wire) would wait; see there for the
    /// others.
    pub fn try_publish_wire(&mut self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().try_publish_wire(header, bytes),
            ContextBackend::Live(live) => live.outlet.try_publish_wire(header, bytes),
            ContextBackend::Direct(_) => Err(WirePublishError::NotOnABus),
        }
    }

    /// Waits on the bus's clock. The actor handles nothing meanwhile: for a wake-up call that lets it work,
    /// use [`schedule_after`](Self::schedule_after).
    ///
    /// ```
    /// # use mycelium::{Context, Isolate, Timestamp, actor};
    /// # use std::time::Duration;
    /// # struct Slow(Timestamp);
    /// # #[actor]
    /// # impl Slow {
    /// #[started]
    /// async fn begin(&mut self, ctx: &mut Context<Self>) {
    ///     ctx.sleep(Duration::from_secs(60)).await; // no time at all in an isolate
    ///     self.0 = ctx.now();
    /// }
    /// # }
    /// # let mut isolate = Isolate::new(1);
    /// # let slow = isolate.spawn(Slow(Timestamp::ZERO))?;
    /// # isolate.run()?;
    /// # assert_eq!(isolate.take(&slow).unwrap().0.as_nanos(), 60_000_000_000);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Cancel safety
    /// Dropped, it has waited for nothing.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<A> {
        match &self.backend {
            ContextBackend::Isolate(isolate) => Either::Isolate(isolate.place().sleep(duration)),
            ContextBackend::Live(_) => Either::Live(Box::pin(rt::sleep(duration))),
            ContextBackend::Direct(_) => Either::Never,
        }
    }

    /// Sends `message` to this actor itself once `delay` has passed on the bus's clock.
    ///
    /// It is handled between two other messages, no earlier than its time. Timers end with their actor. One
    /// that sets itself anew is late by a little more each time: use
    /// [`schedule_every`](Self::schedule_every).
    ///
    /// ```
    /// # use mycelium::{Context, Isolate, StopReason, actor};
    /// # use std::time::Duration;
    /// struct TooLate;
    /// # struct Desk;
    /// # #[actor]
    /// # impl Desk {
    /// #[started]
    /// fn begin(&mut self, ctx: &mut Context<Self>) {
    ///     ctx.schedule_after(Duration::from_secs(5), TooLate); // `cancel` of what it returns calls it off
    /// }
    /// #[on(direct)]
    /// fn too_late(&mut self, _: &TooLate, ctx: &mut Context<Self>) {
    ///     ctx.stop();
    /// }
    /// # }
    /// # let mut isolate = Isolate::new(1);
    /// # let desk = isolate.spawn(Desk)?;
    /// # isolate.run()?;
    /// # assert_eq!(isolate.end_reason(&desk), Some(StopReason::Normal));
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    pub fn schedule_after<M>(&mut self, delay: Duration, message: M) -> TimerHandle
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match &mut self.backend {
            ContextBackend::Isolate(isolate) => isolate.schedule_after(delay, message),
            ContextBackend::Live(live) => live.schedule_after(delay, message),
            ContextBackend::Direct(_) => TimerHandle::default(),
        }
    }

    /// Sends a copy of `message` to this actor itself again and again, until it is cancelled or this life of
    /// the actor ends.
    ///
    /// `every` is a [`Duration`], or an [`Every`] that says more: when the first one comes, and what becomes
    /// of those that fall into a long handler. Each is due a whole number of periods after the first, so that
    /// nothing adds up. It is handled between two other messages, no earlier than its time, and never two of
    /// them wait. In an isolate it goes on for ever: run until a time
    /// ([`Isolate::run_until`](crate::Isolate::run_until)), or cancel it.
    ///
    /// ```
    /// use mycelium::{Actor, BoxError, Context, Handler, Isolate, TimerHandle, Timestamp};
    /// use std::time::Duration;
    ///
    /// #[derive(Clone)]
    /// struct Beat;
    /// #[derive(Default)]
    /// struct Heart { beats: u32, timer: TimerHandle }
    /// impl Actor for Heart {
    ///     type Error = BoxError;
    ///     async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         self.timer = ctx.schedule_every(Duration::from_millis(10), Beat);
    ///         Ok(())
    ///     }
    /// }
    /// impl Handler<Beat> for Heart {
    ///     async fn handle(&mut self, _: &Beat, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         self.beats += 1;
    ///         if self.beats == 100 {
    ///             self.timer.cancel();
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// let mut isolate = Isolate::new(1);
    /// isolate.spawn(Heart::default()).unwrap();
    /// assert_eq!(isolate.run().unwrap().now, Timestamp::from_nanos(1_000_000_000));
    /// ```
    pub fn schedule_every<M>(&mut self, every: impl Into<Every>, message: M) -> TimerHandle
    where
        A: Takes<M>,
        M: Clone + Send + 'static,
    {
        match &mut self.backend {
            ContextBackend::Isolate(isolate) => isolate.schedule_every(every.into(), message),
            ContextBackend::Live(live) => live.schedule_every(every.into(), message),
            ContextBackend::Direct(_) => TimerHandle::default(),
        }
    }

    /// Starts to receive every `M` published from now on.
    ///
    /// An actor has one subscription for each message type, whether [`Actor::subscriptions`] or this has made
    /// it: asked for again, it stays the one it is, with all that waits there. To change its options,
    /// [`unsubscribe`](Self::unsubscribe) first.
    ///
    /// The next life of a supervised actor has its subscriptions from the last one. Made anew, in `started`
    /// say, such a subscription stays the one it is, also if its policy or capacity would be others now.
    ///
    /// ```
    /// use mycelium::{Actor, BoxError, Context, Handler, Isolate, Message, Subscription};
    ///
    /// # #[derive(Clone, Debug)]
    /// # struct Tick;
    /// # impl Message for Tick {
    /// #     const TYPE_ID: u16 = 1;
    /// #     const NAME: &'static str = "Tick";
    /// #     const TOPIC: &'static str = "ticks";
    /// # }
    /// struct Listen(bool);
    /// struct Screen;
    /// impl Actor for Screen { type Error = BoxError; }
    /// impl Handler<Listen> for Screen {
    ///     async fn handle(&mut self, listen: &Listen, ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         if listen.0 {
    ///             ctx.subscribe(Subscription::<Tick>::drop_oldest().capacity(16))?;
    ///         } else {
    ///             ctx.unsubscribe::<Tick>();
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// impl Handler<Tick> for Screen {
    ///     async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> { Ok(()) }
    /// }
    /// let mut isolate = Isolate::new(1);
    /// let screen = isolate.spawn(Screen)?;
    /// isolate.tell(&screen, Listen(true))?;
    /// isolate.run()?;
    /// isolate.publish(Tick)?;
    /// assert_eq!(isolate.stats().unheard, 0);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::AlreadySubscribed`] when this life has the subscription with another policy, capacity or
    /// echo (the key of `Conflate` is not compared), [`SpawnError::DuplicateTypeId`] when another message
    /// type has this `TYPE_ID` on this bus, [`SpawnError::OfThePool`] when a pool receives it for this
    /// worker.
    pub fn subscribe<M: Message>(&mut self, subscription: Subscription<M>) -> Result<(), SpawnError>
    where
        A: Handler<M>,
    {
        match &mut self.backend {
            ContextBackend::Isolate(isolate) => isolate.subscribe(subscription),
            ContextBackend::Live(live) => live.subscribe(subscription),
            ContextBackend::Direct(_) => Err(SpawnError::NotOnABus),
        }
    }

    /// Stops receiving `M`. Messages that already wait for this actor are dropped and counted.
    pub fn unsubscribe<M: Message>(&mut self)
    where
        A: Handler<M>,
    {
        match &mut self.backend {
            ContextBackend::Isolate(isolate) => isolate.unsubscribe::<M>(),
            ContextBackend::Live(live) => {
                live.unsubscribe::<M>();
            }
            ContextBackend::Direct(_) => {}
        }
    }

    /// Starts to receive every message that is published to these topics from now on, as bytes: see
    /// [`Subscriptions::on_wire`](crate::Subscriptions::on_wire). For each message it is a subscription of
    /// its own, beside the one to its type.
    ///
    /// # Errors
    /// [`SpawnError::UnknownTopic`], [`SpawnError::ConflatesBytes`], [`SpawnError::Contradiction`], and those
    /// of [`subscribe`](Self::subscribe); then nothing has changed.
    pub fn subscribe_wire(
        &mut self,
        topics: impl Into<WireTopics>,
        subscription: Subscription<WireMessage>,
    ) -> Result<(), SpawnError>
    where
        A: Handler<WireMessage>,
    {
        match &mut self.backend {
            ContextBackend::Isolate(isolate) => isolate.subscribe_wire(&topics.into(), subscription),
            ContextBackend::Live(live) => live.subscribe_wire(&topics.into(), &subscription),
            ContextBackend::Direct(_) => Err(SpawnError::NotOnABus),
        }
    }

    /// Stops receiving the bytes of these topics. Messages that already wait for this actor are dropped and
    /// counted.
    pub fn unsubscribe_wire(&mut self, topics: impl Into<WireTopics>)
    where
        A: Handler<WireMessage>,
    {
        match &mut self.backend {
            ContextBackend::Isolate(isolate) => isolate.unsubscribe_wire(&topics.into()),
            ContextBackend::Live(live) => live.unsubscribe_wire(&topics.into()),
            ContextBackend::Direct(_) => {}
        }
    }

    /// Tells the supervisor that this actor is ready, if it waits for that
    /// ([`Child::ready_when_told`](crate::tree::Child::ready_when_told)); otherwise it means nothing.
    pub fn ready(&self) {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().ready(),
            ContextBackend::Live(live) => live.readiness.iter().for_each(|readiness| readiness.tell()),
            ContextBackend::Direct(_) => {}
        }
    }

    /// Ends this actor with [`StopReason::Normal`](crate::StopReason::Normal) once this handler has returned.
    pub fn stop(&mut self) {
        self.stop_asked = true;
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.ask_stop(),
            ContextBackend::Live(live) => live.address.presence.nudge(),
            ContextBackend::Direct(_) => {}
        }
    }

    /// The actor has come to the end of what it was to handle before it stops.
    pub(crate) fn stop_at_marker(&mut self) {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().is_at_marker(),
            ContextBackend::Live(live) => live.address.is_at_marker(),
            ContextBackend::Direct(_) => {}
        }
        self.stop();
    }

    /// A new life of this live actor begins: it has not asked to stop, and it has the `sources` of the last
    /// life.
    pub(crate) fn begin_life(&mut self, sources: &mut Sources<Inlet<A>>) {
        self.stop_asked = false;
        if let ContextBackend::Live(live) = &mut self.backend {
            live.begin_life(sources);
        }
    }

    #[inline(always)]
    pub(crate) fn is_probed(&self) -> bool {
        self.is_probed
    }

    /// Who looks on when this actor's handlers are called.
    pub(crate) fn probe(&self) -> Option<Arc<dyn Probe>> {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().core()?.probe(),
            ContextBackend::Live(live) => live.core().probe.clone(),
            ContextBackend::Direct(_) => None,
        }
    }

    #[inline]
    pub(crate) fn wants_stop(&self) -> bool {
        self.stop_asked
    }

    /// This actor's own random generator. The same seed of the bus or isolate gives the same actor the same
    /// numbers, live and in an isolate, in every run and on every machine.
    ///
    /// The same actor is the one at the same path of a tree, or else registered under the same name. One that
    /// is neither goes by its [`Actor::name`] and by how many of its type were spawned before without a name:
    /// where several threads spawn actors of one type, give them names. The numbers go on where a life has
    /// ended. Two trees with one name draw the same.
    pub fn random(&mut self) -> &mut Pcg64Mcg {
        let Self { backend, chance, .. } = self;
        let seed = || match backend {
            ContextBackend::Isolate(isolate) => isolate.place().core().map_or(0, |core| core.seed),
            ContextBackend::Live(live) => live.core().seed,
            ContextBackend::Direct(_) => 0,
        };
        chance.generator(seed, A::name)
    }
}
