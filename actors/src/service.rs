//! The context of a service's loop.

use std::any::Any;
use std::future::Future;
use std::time::Duration;

use mycelium_remote::frame::Header;
use rand_pcg::Pcg64Mcg;

use crate::context::Either;
use crate::isolate::{IsolateEars, IsolateSubscriber, Place};
use crate::life::Origin;
use crate::live::{BusCore, LiveService, cancellable, turn};
use crate::publish::Through;
use crate::rt;
use crate::sync::{AtomicU64, Ordering};
use crate::{
    Actor, ActorId, ActorRef, Clock, Every, Interval, Message, Publish, PublishError, SpawnError, Subscriber,
    Subscription, Timestamp, WireMessage, WirePublishError, WireSubscriber, WireTopics,
};

/// A service's view of its host; the same type live and in an isolate.
///
/// ```
/// use mycelium::{BoxError, Message, MessageBus, Service, ServiceContext, Subscription};
/// use std::time::Duration;
/// # #[derive(Clone, Debug)] struct Tick(u64);
/// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
///
/// struct Echo;
/// impl Service for Echo {
///     type Error = BoxError;
///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
///         let mut ticks = ctx.subscribe(Subscription::<Tick>::block())?;
///         ctx.ready(); // for a supervisor that waits for it
///         while let Some(tick) = ticks.recv().await {
///             println!("{} at {}", tick.0, ctx.now());
///             ctx.sleep(Duration::from_millis(1)).await; // ends here when the service is told to stop
///         }
///         Ok(())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let echo = bus.spawn_service(Echo)?;
/// bus.publisher()?.publish(Tick(7)).await?;
/// bus.shutdown().await?;
/// assert!(!echo.is_alive());
/// # Ok(())
/// # }
/// ```
pub struct ServiceContext {
    backend: ServiceBackend,
    origin: Origin,
    name: fn() -> &'static str,
    /// How many generators it has given out.
    generators: AtomicU64,
}

enum ServiceBackend {
    Isolate(Place),
    Live(LiveService),
}

impl ServiceContext {
    pub(crate) fn in_isolate(place: Place, origin: Origin, name: fn() -> &'static str) -> Self {
        Self { backend: ServiceBackend::Isolate(place), origin, name, generators: AtomicU64::new(0) }
    }

    pub(crate) fn live(service: LiveService, origin: Origin, name: fn() -> &'static str) -> Self {
        Self { backend: ServiceBackend::Live(service), origin, name, generators: AtomicU64::new(0) }
    }

    /// The bus it lives on, if that is a live one.
    pub(crate) fn live_core(&self) -> Option<&BusCore> {
        match &self.backend {
            ServiceBackend::Live(live) => Some(live.outlet.core()),
            ServiceBackend::Isolate(_) => None,
        }
    }

    /// A random generator for this service to keep: each call gives another one. The same seed of the bus or
    /// isolate gives the same service the same generators in the same order, live and in an isolate, in every
    /// run and on every machine.
    ///
    /// The same service is the one at the same path of a tree; each of its lives draws the same numbers. One
    /// that is in no tree goes by its [`Service::name`](crate::Service::name) and by how many of its type
    /// were spawned before.
    ///
    /// ```
    /// use mycelium::rand_core::Rng;
    /// use mycelium::{BoxError, Isolate, Service, ServiceContext};
    /// use std::time::Duration;
    ///
    /// struct Reconnects;
    /// impl Service for Reconnects {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         let mut random = ctx.random();
    ///         for _ in 0..3 {
    ///             ctx.sleep(Duration::from_millis(100 + random.next_u64() % 100)).await;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// let mut isolate = Isolate::new(42);
    /// isolate.spawn_service(Reconnects)?;
    /// isolate.run()?;
    /// assert!(isolate.now().as_nanos() >= 300_000_000);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn random(&self) -> Pcg64Mcg {
        let seed = match &self.backend {
            ServiceBackend::Isolate(place) => place.core().map_or(0, |core| core.seed),
            ServiceBackend::Live(live) => live.outlet.core().seed,
        };
        let nth = self.generators.fetch_add(1, Ordering::Relaxed);
        self.origin.generator(seed, (self.name)(), nth)
    }

    /// This service's identity.
    pub fn id(&self) -> ActorId {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.id(),
            ServiceBackend::Live(live) => live.id(),
        }
    }

    /// The time on the bus's clock: the wall clock live, virtual time in an isolate.
    pub fn now(&self) -> Timestamp {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.now(),
            ServiceBackend::Live(live) => live.outlet.core().clock.now(),
        }
    }

    /// The bus's clock, to keep or to hand to helpers such as [`Retry`](crate::resilience::Retry).
    pub fn clock(&self) -> Clock {
        match &self.backend {
            ServiceBackend::Isolate(place) => Clock::in_isolate(place.clone()),
            ServiceBackend::Live(live) => Clock::live(live.outlet.core().clock),
        }
    }

    /// The actor of this name or path on the same bus or isolate: see
    /// [`Context::lookup`](crate::Context::lookup).
    #[must_use]
    pub fn lookup<A: Actor>(&self, name: &str) -> Option<ActorRef<A>> {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.lookup(name),
            ServiceBackend::Live(live) => live.outlet.core().lookup(name),
        }
    }

    pub(crate) fn find_pool<R>(&self, path: &str, take: fn(Box<dyn Any>) -> Option<R>) -> Option<R> {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.find_pool(path, take),
            ServiceBackend::Live(live) => live.outlet.core().forest.find_pool(path, take),
        }
    }

    /// Publishes to the topic of `M`; waits while a `Block` subscriber is full.
    ///
    /// `Ok` says that every subscriber's queue has taken it or its policy has counted it as dropped, not that
    /// anybody has handled it.
    ///
    /// ```
    /// # use mycelium::{Isolate, Message, Result, ServiceContext, service};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// struct Feed;
    /// #[service]
    /// impl Feed {
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result {
    ///         for number in 1..=3 {
    ///             ctx.publish(Tick(number)).await?; // waits for subscribers under `Block`
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// # let mut isolate = Isolate::new(42);
    /// # let ticks = isolate.record::<Tick>()?;
    /// # isolate.spawn_service(Feed)?;
    /// # isolate.run()?;
    /// # assert_eq!(ticks.len(), 3);
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
    pub fn publish<M: Message>(&self, message: M) -> Publish<'_, M> {
        let through = match &self.backend {
            ServiceBackend::Isolate(place) => Through::Isolate(place),
            ServiceBackend::Live(live) => Through::Live(&live.outlet),
        };
        Publish::new(message, through)
    }

    /// Publishes without waiting.
    ///
    /// # Errors
    /// [`PublishError::Full`] where [`publish`](Self::publish) would wait; see there for the others.
    pub fn try_publish<M: Message>(&self, message: M) -> Result<(), PublishError<M>> {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.try_publish(message),
            ServiceBackend::Live(live) => live.outlet.try_publish(message),
        }
    }

    /// Receives every `M` published from now on. Each call makes a queue of its own, which gets every
    /// message.
    ///
    /// # Errors
    /// [`SpawnError::DuplicateTypeId`] when another message type has this `TYPE_ID` on this bus.
    pub fn subscribe<M: Message>(&self, subscription: Subscription<M>) -> Result<Subscriber<M>, SpawnError> {
        match &self.backend {
            ServiceBackend::Isolate(place) => {
                IsolateSubscriber::new(place.clone(), subscription).map(Subscriber::in_isolate)
            }
            ServiceBackend::Live(live) => live.subscribe(subscription).map(Subscriber::live),
        }
    }

    /// Publishes a value that is bytes already: see
    /// [`MessageBus::publish_wire`](crate::MessageBus::publish_wire).
    ///
    /// # Errors
    /// See [`WirePublishError`]; nobody has received anything.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was published.
    pub async fn publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.publish_wire(header, bytes).await,
            ServiceBackend::Live(live) => live.outlet.publish_wire(header, bytes).await,
        }
    }

    /// Publishes bytes without waiting.
    ///
    /// # Errors
    /// [`WirePublishError::Full`] where [`publish_wire`](Self::publish_wire) would wait; see there for the
    /// others.
    pub fn try_publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.try_publish_wire(header, bytes),
            ServiceBackend::Live(live) => live.outlet.try_publish_wire(header, bytes),
        }
    }

    /// Receives the messages of these topics from now on, as bytes: see
    /// [`MessageBus::subscribe_wire`](crate::MessageBus::subscribe_wire). Messages that this service
    /// publishes itself are not among them, unless `subscription` says `echo`.
    ///
    /// # Errors
    /// Those of [`MessageBus::subscribe_wire_with`](crate::MessageBus::subscribe_wire_with).
    pub fn subscribe_wire(
        &self,
        topics: impl Into<WireTopics>,
        subscription: Subscription<WireMessage>,
    ) -> Result<WireSubscriber, SpawnError> {
        match &self.backend {
            ServiceBackend::Isolate(place) => {
                IsolateEars::new(place.clone(), &topics.into(), subscription).map(WireSubscriber::in_isolate)
            }
            ServiceBackend::Live(live) => {
                live.subscribe_wire(&topics.into(), &subscription).map(WireSubscriber::live)
            }
        }
    }

    /// Waits on the bus's clock.
    ///
    /// ```
    /// # use mycelium::{Isolate, Result, ServiceContext, service};
    /// # use std::time::Duration;
    /// struct Nap;
    /// #[service]
    /// impl Nap {
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result {
    ///         ctx.sleep(Duration::from_secs(3600)).await; // virtual in an isolate
    ///         Ok(())
    ///     }
    /// }
    /// # let mut isolate = Isolate::new(42);
    /// # isolate.spawn_service(Nap)?;
    /// # isolate.run()?;
    /// # assert_eq!(isolate.now().as_nanos(), 3_600_000_000_000);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Cancel safety
    /// Dropped, it has waited for nothing.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        match &self.backend {
            ServiceBackend::Isolate(place) => Either::Isolate(place.sleep(duration)),
            ServiceBackend::Live(_) => Either::Live(Box::pin(cancellable(rt::sleep(duration)))),
        }
    }

    /// Waits until the bus's clock shows `at`; ready at once if it does already.
    ///
    /// ```
    /// # use mycelium::{BoxError, Isolate, Service, ServiceContext, Timestamp};
    /// # use std::time::Duration;
    /// struct Opening(Timestamp);
    /// impl Service for Opening {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         ctx.sleep_until(self.0).await;
    ///         assert_eq!(ctx.now(), self.0);
    ///         Ok(())
    ///     }
    /// }
    /// let mut isolate = Isolate::new(1);
    /// let opening = isolate.now() + Duration::from_secs(3_600);
    /// isolate.spawn_service(Opening(opening))?;
    /// isolate.run()?;
    /// assert_eq!(isolate.now(), opening);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Cancel safety
    /// Dropped, it has waited for nothing.
    pub fn sleep_until(&self, at: Timestamp) -> impl Future<Output = ()> + Send + use<> {
        match &self.backend {
            ServiceBackend::Isolate(place) => Either::Isolate(place.sleep_until(at)),
            ServiceBackend::Live(live) => Either::Live(Box::pin(cancellable(live.sleep_until(at)))),
        }
    }

    /// Ticks `every` so often, for a loop: a [`Duration`], or an [`Every`] that says more. Each tick is due a
    /// whole number of periods after the first, however late those before were taken: nothing adds up, as it
    /// does in a loop that sleeps.
    ///
    /// ```
    /// # use mycelium::{BoxError, Isolate, Service, ServiceContext};
    /// # use std::time::Duration;
    /// struct Heartbeat;
    /// impl Service for Heartbeat {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         let mut interval = ctx.interval(Duration::from_millis(10));
    ///         for beat in 1..=100 {
    ///             interval.tick().await;
    ///             ctx.sleep(Duration::from_millis(beat % 7)).await; // some work
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// # let mut isolate = Isolate::new(1);
    /// # isolate.spawn_service(Heartbeat).unwrap();
    /// # assert_eq!(isolate.run().unwrap().now.as_nanos(), 1_002_000_000);
    /// ```
    pub fn interval(&self, every: impl Into<Every>) -> Interval {
        match &self.backend {
            ServiceBackend::Isolate(place) => Interval::in_isolate(every.into(), place.clone()),
            ServiceBackend::Live(_) => Interval::live(every.into()),
        }
    }

    /// Publishes messages that carry their times, each when the bus's clock shows it (at once if it does
    /// already); how many were published.
    ///
    /// In an isolate, each is published when everything that the one before has caused by then is done, and
    /// the clock jumps from one to the next. It does the same as a loop of `sleep_until` and `publish`,
    /// without a timer and a wake-up for each.
    ///
    /// # Errors
    /// See [`PublishError`]: the message that was refused comes back, and those after it are dropped.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, some of the messages were published; which, is not known.
    ///
    /// ```
    /// # use mycelium::{BoxError, Isolate, Message, Service, ServiceContext, Timestamp};
    /// # #[derive(Clone, Debug)] struct Bar(f64);
    /// # impl Message for Bar { const NAME: &'static str = "Bar"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "bars"; }
    /// struct Feed(std::sync::Arc<[(i64, f64)]>);
    ///
    /// impl Service for Feed {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         let bars = self.0.clone();
    ///         let timed = (0..bars.len()).map(move |n| (Timestamp::from_nanos(bars[n].0), Bar(bars[n].1)));
    ///         ctx.replay(timed).await?;
    ///         Ok(())
    ///     }
    /// }
    /// # let mut isolate = Isolate::new(1);
    /// # isolate.spawn_service(Feed([(10, 1.5), (20, 1.6)].into())).unwrap();
    /// # assert_eq!(isolate.run().unwrap().now.as_nanos(), 20);
    /// ```
    pub async fn replay<M, I>(&self, messages: I) -> Result<u64, PublishError<M>>
    where
        M: Message,
        I: IntoIterator<Item = (Timestamp, M)>,
        I::IntoIter: Send + 'static,
    {
        let messages = messages.into_iter();
        if let ServiceBackend::Isolate(place) = &self.backend {
            return place.replay(messages).await;
        }
        // Of nothing it is over at once.
        turn().await;
        let mut published = 0;
        for (at, message) in messages {
            if self.now() < at {
                self.sleep_until(at).await;
            }
            self.publish(message).await?;
            published += 1;
        }
        Ok(published)
    }

    /// Tells the supervisor that this service is ready, if it waits for that
    /// ([`Child::ready_when_told`](crate::tree::Child::ready_when_told)); otherwise it means nothing.
    pub fn ready(&self) {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.ready(),
            ServiceBackend::Live(live) => live.ready(),
        }
    }

    /// Tells the supervisor that this service makes progress. One whose health is probed
    /// ([`Child::health`](crate::tree::Child::health)) has to say so in time, again and again.
    pub fn alive(&self) {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.alive(),
            ServiceBackend::Live(live) => live.alive(),
        }
    }

    /// Ready when the service should return: its bus shuts down or somebody stopped it.
    ///
    /// From the first call on, the service ends by its own hand: being told to stop ends none of its waits
    /// any more, and it has its shutdown time to return. Without it, the next wait of a service that was told
    /// to stop ends it; see [`Service`](crate::Service#how-it-ends).
    ///
    /// ```
    /// use mycelium::{BoxError, Service, ServiceContext};
    /// use std::time::Duration;
    ///
    /// struct Writer;
    /// impl Service for Writer {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         loop {
    ///             tokio::select! {
    ///                 () = ctx.sleep(Duration::from_secs(1)) => println!("writes"),
    ///                 () = ctx.stopped() => break,
    ///             }
    ///         }
    ///         println!("writes what is left");
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// Dropped, nothing is lost: the service still ends by its own hand, and the next call is ready as soon
    /// as this one would have been.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        match &self.backend {
            ServiceBackend::Isolate(place) => Either::Isolate(place.stopped()),
            ServiceBackend::Live(live) => Either::Live(Box::pin(live.stopped())),
        }
    }

    /// Whether it was told to stop, for code that blocks its thread and does not await. A service that has
    /// asked ends by its own hand from then on, as with [`stopped`](Self::stopped).
    ///
    /// ```
    /// use mycelium::{BoxError, Message, Service, ServiceContext};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick {
    /// #     const NAME: &'static str = "Tick";
    /// #     const TYPE_ID: u16 = 1;
    /// #     const TOPIC: &'static str = "ticks";
    /// # }
    /// # fn read_device() -> u64 { 7 }
    ///
    /// struct Feed(mycelium::Publisher<Tick>); // best on a thread of its own: `spawn_service_on_thread`
    /// impl Service for Feed {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         while !ctx.is_stopping() {
    ///             self.0.publish_blocking(Tick(read_device()))?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        match &self.backend {
            ServiceBackend::Isolate(place) => place.is_stopping(),
            ServiceBackend::Live(live) => live.is_stopping(),
        }
    }
}
