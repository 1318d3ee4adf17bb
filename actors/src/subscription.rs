//! The messages that an actor receives, and the policy that holds when it is slower than its publishers.

use std::marker::PhantomData;
use std::sync::Arc;

use mycelium_mailbox::wire::{DeclaredRetention, Wire};
use mycelium_mailbox::{RETAINED_MAX, WhenFull};

use crate::wire::Kind;
use crate::{Actor, Handler, Message, SpawnError, WireMessage, WireTopics};

/// How many messages wait for one subscriber unless it or
/// [`BusBuilder::topic_capacity`](crate::BusBuilder::topic_capacity) says otherwise.
pub const DEFAULT_CAPACITY: usize = 1024;

/// The effect of a publish on a subscriber's full queue. Every drop is counted, by topic and cause.
///
/// ```
/// # use mycelium::{Message, MessageBus, Policy, Result, Subscription};
/// # #[derive(Clone, Debug)] struct Tick(u64);
/// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result {
/// let bus = MessageBus::new();
/// let latest = Subscription::new(Policy::DropOldest).capacity(2);
/// let mut ticks = bus.subscriber_with::<Tick>(latest)?;
/// let publisher = bus.publisher()?;
/// for n in 1..=5 {
///     publisher.publish(Tick(n)).await?; // never waits
/// }
/// assert_eq!(ticks.try_recv().unwrap().0, 4);
/// assert_eq!(ticks.try_recv().unwrap().0, 5);
/// assert_eq!(bus.topics()[0].dropped_oldest, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Policy<M> {
    /// The publisher waits: nothing is lost. The default.
    Block,
    /// The oldest message that waits is dropped.
    DropOldest,
    /// The new message is dropped.
    DropNewest,
    /// The publish fails for all subscribers and gives the message back.
    Fail,
    /// Only the latest message per key waits; the key is a number that this function takes from a message.
    /// When more keys than the capacity wait, the oldest is dropped.
    Conflate(fn(&M) -> u64),
}

impl<M> Policy<M> {
    fn name(&self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Fail => "fail",
            Self::Conflate(_) => "conflate",
        }
    }
}

// Written by hand: a derive would ask for `M: Copy`, and no message is held here.
impl<M> Clone for Policy<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Policy<M> {}

/// How one subscriber receives one message type.
///
/// ```
/// # use mycelium::{Message, Subscription};
/// # #[derive(Clone, Debug)] struct Quote { instrument: u32 }
/// # impl Message for Quote { const NAME: &'static str = "Quote"; const TYPE_ID: u16 = 9; const TOPIC: &'static str = "quotes"; }
/// let latest = Subscription::conflate(|quote: &Quote| u64::from(quote.instrument)).capacity(64);
/// let lossless = Subscription::<Quote>::block();
/// # let _ = (latest, lossless);
/// ```
#[derive(Debug)]
pub struct Subscription<M> {
    pub(crate) policy: Policy<M>,
    /// What it asks for.
    pub(crate) capacity: Option<usize>,
    pub(crate) echo: bool,
    pub(crate) retained: bool,
    /// It has a queue of its own, also under `Block`.
    pub(crate) apart: bool,
}

impl<M> Clone for Subscription<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Subscription<M> {}

impl<M> Default for Subscription<M> {
    fn default() -> Self {
        Self::block()
    }
}

impl<M> Subscription<M> {
    /// A subscription with this policy and the bus's capacity for topics, [`DEFAULT_CAPACITY`] unless the bus
    /// was built with another.
    pub fn new(policy: Policy<M>) -> Self {
        Self { policy, capacity: None, echo: false, retained: false, apart: false }
    }

    /// Publishers wait while this subscriber is full.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result, Subscription};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// let mut ticks = bus.subscriber_with(Subscription::<Tick>::block().capacity(1))?;
    /// # let publisher = bus.publisher::<Tick>()?;
    /// publisher.publish(Tick(1)).await?;
    /// assert!(publisher.try_publish(Tick(2)).is_err()); // `publish` would wait here
    /// assert_eq!(ticks.try_recv().unwrap().0, 1);
    /// publisher.try_publish(Tick(2))?; // there is room again
    /// # Ok(())
    /// # }
    /// ```
    pub fn block() -> Self {
        Self::new(Policy::Block)
    }

    /// Full: the oldest waiting message is dropped.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result, Subscription};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// let mut ticks = bus.subscriber_with(Subscription::<Tick>::drop_oldest().capacity(1))?;
    /// # let publisher = bus.publisher::<Tick>()?;
    /// publisher.publish(Tick(1)).await?;
    /// publisher.publish(Tick(2)).await?;
    /// assert_eq!(ticks.try_recv().unwrap().0, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drop_oldest() -> Self {
        Self::new(Policy::DropOldest)
    }

    /// Full: the new message is dropped.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result, Subscription};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// let mut ticks = bus.subscriber_with(Subscription::<Tick>::drop_newest().capacity(1))?;
    /// # let publisher = bus.publisher::<Tick>()?;
    /// publisher.publish(Tick(1)).await?;
    /// publisher.publish(Tick(2)).await?;
    /// assert_eq!(ticks.try_recv().unwrap().0, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drop_newest() -> Self {
        Self::new(Policy::DropNewest)
    }

    /// Full: the publish fails.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result, Subscription};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// let mut ticks = bus.subscriber_with(Subscription::<Tick>::fail().capacity(1))?;
    /// # let publisher = bus.publisher::<Tick>()?;
    /// publisher.publish(Tick(1)).await?;
    /// assert!(publisher.publish(Tick(2)).await.is_err()); // nobody has received it
    /// assert_eq!(ticks.try_recv().unwrap().0, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fail() -> Self {
        Self::new(Policy::Fail)
    }

    /// Only the latest message for each key waits.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result, Subscription};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// # let bus = MessageBus::new();
    /// let mut ticks = bus.subscriber_with(Subscription::conflate(|tick: &Tick| tick.0 % 10).capacity(1))?;
    /// # let publisher = bus.publisher::<Tick>()?;
    /// publisher.publish(Tick(11)).await?;
    /// publisher.publish(Tick(21)).await?; // the same key
    /// assert_eq!(ticks.try_recv().unwrap().0, 21);
    /// # Ok(())
    /// # }
    /// ```
    pub fn conflate(key: fn(&M) -> u64) -> Self {
        Self::new(Policy::Conflate(key))
    }

    /// Sets how many messages may wait, at least 1.
    ///
    /// It holds whoever came first. `Block` subscribers share the topic's ring. For one that asks for more
    /// than the ring has, a larger ring takes over: no message is copied, and the smaller ring goes when its
    /// last message has been read. [`BusBuilder::topic_capacity`](crate::BusBuilder::topic_capacity) makes
    /// all rings larger from the beginning.
    #[must_use]
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = Some(messages.max(1));
        self
    }

    /// What its queue does when it is full.
    pub(crate) fn when_full(&self) -> WhenFull {
        match self.policy {
            Policy::Block | Policy::Fail => WhenFull::Refuse,
            Policy::DropOldest => WhenFull::DropOldest,
            Policy::DropNewest => WhenFull::DropNewest,
            Policy::Conflate(_) => WhenFull::Conflate,
        }
    }

    /// What it conflates by.
    pub(crate) fn key(&self) -> Option<fn(&M) -> u64> {
        match self.policy {
            Policy::Conflate(key) => Some(key),
            _ => None,
        }
    }

    /// What it asks for, or the default.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.capacity.unwrap_or(DEFAULT_CAPACITY)
    }

    /// The same for other messages; `None` if it takes keys from them.
    pub(crate) fn of_another<N>(&self) -> Option<Subscription<N>> {
        let policy = match self.policy {
            Policy::Block => Policy::Block,
            Policy::DropOldest => Policy::DropOldest,
            Policy::DropNewest => Policy::DropNewest,
            Policy::Fail => Policy::Fail,
            Policy::Conflate(_) => return None,
        };
        let Self { capacity, echo, retained, apart, .. } = *self;
        Some(Subscription { policy, capacity, echo, retained, apart })
    }

    pub(crate) fn terms(&self) -> Terms {
        Terms {
            policy: self.policy.name(),
            capacity: self.capacity,
            echo: self.echo,
            retained: self.retained,
        }
    }

    /// Delivers to an actor what it publishes itself; by default it does not hear its own messages.
    #[must_use]
    pub fn echo(mut self) -> Self {
        self.echo = true;
        self
    }

    /// Delivers what the topic [retains](Retention) first: each retained message once and in order, before
    /// all that is published after this subscription. Without it a subscriber receives only what is published
    /// from now on. Of a topic that retains nothing it gets nothing more.
    ///
    /// The retained messages wait beside the queue: they take none of its capacity, and its policy drops
    /// none of them. Messages that this actor has published itself are among them only with
    /// [`echo`](Self::echo). An actor that is restarted keeps its subscription, and gets nothing twice.
    ///
    /// ```
    /// # use mycelium::{Message, Subscription};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// let late = Subscription::<Tick>::drop_oldest().capacity(256).with_retained();
    /// # let _ = late;
    /// ```
    #[must_use]
    pub fn with_retained(mut self) -> Self {
        self.retained = true;
        self
    }
}

/// The messages that a topic keeps for subscribers that come late and ask for them
/// ([`Subscription::with_retained`]): the state of a market, a configuration, a status.
/// [`BusBuilder::retain`](crate::BusBuilder::retain), [`Isolate::retain`](crate::Isolate::retain).
///
/// ```
/// use mycelium::{BoxError, Message, MessageBus, Retention, Subscription};
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct Price { instrument: u32, cents: i64 }
/// impl Message for Price {
///     const NAME: &'static str = "Price";
///     const TYPE_ID: u16 = 1;
///     const TOPIC: &'static str = "prices";
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let latest = Retention::last_per_key(|price: &Price| u64::from(price.instrument), 10_000);
/// let bus = MessageBus::builder().retain(latest).build();
/// let prices = bus.publisher::<Price>()?;
/// for (instrument, cents) in [(1, 100), (2, 200), (1, 101)] {
///     prices.publish(Price { instrument, cents }).await?;
/// }
///
/// let mut late = bus.subscriber_with(Subscription::<Price>::block().with_retained())?;
/// prices.publish(Price { instrument: 3, cents: 300 }).await?;
/// for (instrument, cents) in [(2, 200), (1, 101), (3, 300)] {
///     assert_eq!(late.recv().await.as_deref(), Some(&Price { instrument, cents }));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Retention<M> {
    pub(crate) keep: Keep<M>,
}

/// What is kept, and how much of it (messages, or keys).
#[derive(Debug)]
pub(crate) enum Keep<M> {
    Last(u32),
    LastPerKey(fn(&M) -> u64, u32),
}

impl<M> Clone for Retention<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Retention<M> {}

// Written by hand: a derive would ask for `M: Copy`, and no message is held here.
impl<M> Clone for Keep<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Keep<M> {}

impl<M> Retention<M> {
    /// The last message.
    #[must_use]
    pub fn last() -> Self {
        Self::last_n(1)
    }

    /// The last so many messages: at least 1, at most [`RETAINED_MAX`].
    #[must_use]
    pub fn last_n(messages: usize) -> Self {
        Self { keep: Keep::Last(bounded(messages)) }
    }

    /// The last message of each key, in the order in which they were published; the key is a number that this
    /// function takes from a message. With more than `keys_max` keys, at least 1 and at most
    /// [`RETAINED_MAX`], the key that was published longest ago is forgotten and counted
    /// ([`TopicStats::retained_evicted`](crate::TopicStats::retained_evicted)).
    ///
    /// ```
    /// # use mycelium::{BoxError, Message, MessageBus, Retention, Subscription};
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct Price { of: u64, is: u64 }
    /// # impl Message for Price {
    /// #     const TYPE_ID: u16 = 1;
    /// #     const NAME: &'static str = "Price";
    /// #     const TOPIC: &'static str = "prices";
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::builder().retain(Retention::<Price>::last_per_key(|price| price.of, 1_000)).build();
    /// let prices = bus.publisher()?;
    /// for (of, is) in [(1, 10), (2, 20), (1, 11)] {
    ///     prices.publish(Price { of, is }).await?;
    /// }
    /// let mut late = bus.subscriber_with(Subscription::<Price>::block().with_retained())?;
    /// assert_eq!(late.recv().await.as_deref(), Some(&Price { of: 2, is: 20 }));
    /// assert_eq!(late.recv().await.as_deref(), Some(&Price { of: 1, is: 11 }));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn last_per_key(key: fn(&M) -> u64, keys_max: usize) -> Self {
        Self { keep: Keep::LastPerKey(key, bounded(keys_max)) }
    }
}

impl<M: Wire> Retention<M> {
    /// What the contract of `M` declares.
    pub(crate) fn declared() -> Option<Self> {
        Some(match M::RETAIN? {
            DeclaredRetention::LastPerKey { key, keys_max } => Self::last_per_key(key, keys_max as usize),
            DeclaredRetention::Last(messages) => Self::last_n(messages as usize),
            _ => return None,
        })
    }
}

fn bounded(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(RETAINED_MAX).clamp(1, RETAINED_MAX)
}

/// What tells two subscriptions to one message apart. The key of `Conflate` does not: whether two functions
/// are the same is not to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    policy: &'static str,
    capacity: Option<usize>,
    echo: bool,
    retained: bool,
}

/// The topics that an actor asks for in [`Actor::subscriptions`]: one subscription for each message type. The
/// same one asked for twice is one; two with different options are
/// [`SpawnError::AlreadySubscribed`](crate::SpawnError::AlreadySubscribed).
///
/// ```
/// # use mycelium::{Actor, BoxError, Context, Handler, Message, Subscription, Subscriptions};
/// # #[derive(Clone, Debug)] struct Tick(u64);
/// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
/// struct Screen;
/// impl Actor for Screen {
///     type Error = BoxError;
///     fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
///         topics.on_with(Subscription::<Tick>::drop_oldest().capacity(16));
///     }
/// }
/// # impl Handler<Tick> for Screen {
/// #     async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// ```
pub struct Subscriptions<A: Actor> {
    pub(crate) wanted: Vec<Box<dyn Wanted<A>>>,
}

impl<A: Actor> Subscriptions<A> {
    /// Collects what `actor` asks for.
    pub(crate) fn of(actor: &A) -> Self {
        let mut topics = Self { wanted: Vec::new() };
        actor.subscriptions(&mut topics);
        topics
    }

    /// Receives every `M` published on the bus; publishers wait when as many are unread as the bus's topics
    /// hold, [`DEFAULT_CAPACITY`] unless the bus was built with another number.
    ///
    /// ```
    /// # use mycelium::{Actor, BoxError, Context, Handler, Isolate, Message, Subscription, Subscriptions};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// struct Last(u64);
    /// impl Actor for Last {
    ///     type Error = BoxError;
    ///     fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
    ///         topics.on::<Tick>(); // `#[on]` writes this
    ///     }
    /// }
    /// # impl Handler<Tick> for Last {
    /// #     async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> { self.0 = tick.0; Ok(()) }
    /// # }
    /// # let mut isolate = Isolate::new(42);
    /// # let last = isolate.spawn(Last(0))?;
    /// # isolate.publish(Tick(7))?;
    /// # isolate.run()?;
    /// # assert_eq!(isolate.take(&last).unwrap().0, 7);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    pub fn on<M: Message>(&mut self) -> &mut Self
    where
        A: Handler<M>,
    {
        self.on_with(Subscription::<M>::block())
    }

    /// Receives every `M` with a policy and capacity of its own.
    pub fn on_with<M: Message>(&mut self, subscription: Subscription<M>) -> &mut Self
    where
        A: Handler<M>,
    {
        self.wanted.push(Box::new(Want { subscription, actor: PhantomData }));
        self
    }
}

impl<A: Handler<WireMessage>> Subscriptions<A> {
    /// Receives every message of these topics as bytes: by name, by list, or all whose names begin alike.
    /// Publishers wait when as many are unread as the bus's topics hold. The bus needs the contract that has
    /// the messages ([`BusBuilder::contract`](crate::BusBuilder::contract)); else the actor is not spawned.
    ///
    /// For each message it is a subscription of its own, which keeps the order with all others of this actor.
    pub fn on_wire(&mut self, topics: impl Into<WireTopics>) -> &mut Self {
        self.on_wire_with(topics, Subscription::block())
    }

    /// The same with a policy and capacity, which hold for each message by itself.
    pub fn on_wire_with(
        &mut self,
        topics: impl Into<WireTopics>,
        subscription: Subscription<WireMessage>,
    ) -> &mut Self {
        self.wanted.push(Box::new(WantWire { topics: topics.into(), subscription }));
        self
    }
}

/// What the one subscription of a pool receives, each for one of its workers: none of them subscribes to it
/// by itself.
#[derive(Debug, Default)]
pub(crate) struct OnceEach {
    pub(crate) typed: Vec<u16>,
    pub(crate) wire: Vec<WireTopics>,
}

impl OnceEach {
    /// Whether the worker at this path may subscribe to a message, in whatever form. `hears`: whether these
    /// topics have it on the bus of the pool.
    pub(crate) fn allows<A: Actor>(
        &self,
        kind: Kind,
        path: Option<&Arc<str>>,
        hears: impl Fn(&WireTopics) -> bool,
    ) -> Result<(), SpawnError> {
        if !self.typed.contains(&kind.type_id) && !self.wire.iter().any(hears) {
            return Ok(());
        }
        let path = path.map_or_else(|| A::name().into(), Arc::clone);
        Err(SpawnError::OfThePool { message: kind.name, worker: A::name(), path })
    }
}

/// One entry of [`Subscriptions`]: knows its message type, and hands it to whoever hosts the actor.
pub(crate) trait Wanted<A: Actor>: Send {
    /// Subscribes the actor in the isolate that is being built.
    fn in_isolate(&self, seat: &std::rc::Rc<crate::isolate::ActorCell<A>>) -> Result<(), crate::SpawnError>;
    /// Subscribes the actor that is being spawned on a live bus.
    fn live(&self, actor: &mut crate::live::LiveContext<A>) -> Result<(), crate::SpawnError>;
}

struct Want<A, M> {
    subscription: Subscription<M>,
    actor: PhantomData<fn(A)>,
}

impl<A: Handler<M>, M: Message> Wanted<A> for Want<A, M> {
    fn in_isolate(&self, seat: &std::rc::Rc<crate::isolate::ActorCell<A>>) -> Result<(), crate::SpawnError> {
        seat.subscribe(self.subscription)
    }

    fn live(&self, actor: &mut crate::live::LiveContext<A>) -> Result<(), crate::SpawnError> {
        actor.subscribe(self.subscription)
    }
}

struct WantWire {
    topics: WireTopics,
    subscription: Subscription<WireMessage>,
}

impl<A: Handler<WireMessage>> Wanted<A> for WantWire {
    fn in_isolate(&self, seat: &std::rc::Rc<crate::isolate::ActorCell<A>>) -> Result<(), crate::SpawnError> {
        seat.subscribe_wire(&self.topics, self.subscription)
    }

    fn live(&self, actor: &mut crate::live::LiveContext<A>) -> Result<(), crate::SpawnError> {
        actor.subscribe_wire(&self.topics, &self.subscription)
    }
}
