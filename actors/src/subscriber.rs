//! The messages of one topic, for code that is no actor.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crate::isolate::{IsolateReceived, IsolateSubscriber, step};
use crate::live::{LiveReceived, LiveSubscriber, turn};
use crate::{ActorId, Message};

/// A wait for the next message, which an isolate takes for rest: whether there is one, which there is unless
/// the bus has closed.
#[must_use = "it does nothing unless it is polled"]
struct Receiving<'a, M: Message>(&'a mut Subscriber<M>);

impl<M: Message> Future for Receiving<'_, M> {
    type Output = bool;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<bool> {
        self.0.poll_ready(cx)
    }
}

impl<M: Message> Drop for Receiving<'_, M> {
    #[inline]
    fn drop(&mut self) {
        match &mut self.0.backend {
            SubscriberBackend::Isolate(subscriber) => subscriber.forget_wait(),
            SubscriberBackend::Live(subscriber) => subscriber.forget_wait(),
        }
    }
}

/// A message as [`Subscriber::drain`] shows it, where it lies.
#[derive(Debug)]
#[non_exhaustive]
pub struct Delivery<'a, M> {
    /// The message.
    pub message: &'a M,
    /// Its place in the order of the bus, across all topics: of two messages of different topics the later
    /// one has the higher. Along one topic it never falls, and neighbours may share it.
    pub stamp: u64,
    /// Its publisher; `None` for code that is neither an actor nor a service of the bus.
    pub sender: Option<ActorId>,
}

impl<'a, M> Delivery<'a, M> {
    pub(crate) fn new(message: &'a M, stamp: u64, sender: Option<ActorId>) -> Self {
        Self { message, stamp, sender }
    }
}

// Written by hand: a derive would ask for messages that can be copied.
impl<M> Clone for Delivery<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Delivery<'_, M> {}

/// A message that a [`Subscriber`] has received, where it lies: nothing is cloned. Dropping this passes the
/// message, and the next one can be received.
///
/// Live, the message keeps its place in the queue until then: it counts in the capacity, and a publisher
/// under [`Policy::Block`](crate::Policy::Block) that finds the queue full waits. So drop it, or take the
/// message with [`into_owned`](Self::into_owned), before a wait for somebody who may wait for room in this
/// topic. In an isolate a message has left its queue when it is received.
///
/// A panic that drops this leaves the message in front, as one in [`Subscriber::recv_many`] does: received
/// again, it is the next one.
///
/// ```
/// # use mycelium::{BoxError, Message, MessageBus};
/// # #[derive(Clone, Debug)] struct Quote { symbol: String }
/// # impl Message for Quote { const NAME: &'static str = "Quote"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "quotes"; }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let mut quotes = bus.subscriber::<Quote>()?;
/// bus.publisher()?.publish(Quote { symbol: "ABC".into() }).await?;
/// let quote = quotes.recv().await.ok_or("the bus has closed")?;
/// assert_eq!(quote.symbol, "ABC");
/// let kept: Quote = quote.into_owned(); // The very message: nobody else has subscribed.
/// # let _ = kept;
/// # Ok(())
/// # }
/// ```
pub struct Received<'a, M: Message> {
    backend: ReceivedBackend<'a, M>,
    /// Whether the thread unwound already when this was made: then a drop is no sign of a panic here.
    unwinding: bool,
}

enum ReceivedBackend<'a, M: Message> {
    Isolate(IsolateReceived<'a, M>),
    Live(LiveReceived<'a, M>),
}

impl<M: Message> Received<'_, M> {
    /// Passes the message and returns it: live, the very message if nobody else has it any more, and else a
    /// clone, as in an isolate always.
    ///
    /// # Panics
    /// When the clone does: the message stays in front then.
    #[must_use = "a drop passes it without a clone"]
    pub fn into_owned(mut self) -> M {
        match &mut self.backend {
            ReceivedBackend::Isolate(received) => received.to_owned(),
            ReceivedBackend::Live(received) => received.take(),
        }
    }

    /// The message with its place in the order of the bus and its sender.
    #[must_use]
    pub fn delivery(&self) -> Delivery<'_, M> {
        match &self.backend {
            ReceivedBackend::Isolate(received) => received.delivery(),
            ReceivedBackend::Live(received) => received.delivery(),
        }
    }
}

impl<M: Message> Deref for Received<'_, M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        self.delivery().message
    }
}

impl<M: Message> Drop for Received<'_, M> {
    #[inline]
    fn drop(&mut self) {
        let stays = std::thread::panicking() && !self.unwinding;
        match &mut self.backend {
            ReceivedBackend::Isolate(received) if stays => received.put_back(),
            ReceivedBackend::Live(received) if !stays => received.pass(),
            _ => {}
        }
    }
}

impl<M: Message + fmt::Debug> fmt::Debug for Received<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The messages of one topic, for code that is no actor. Dropping it unsubscribes.
///
/// ```
/// # use mycelium::{BoxError, Message, MessageBus, Subscription};
/// # #[derive(Clone, Debug)] struct Tick(u64);
/// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let mut ticks = bus.subscriber_with(Subscription::<Tick>::drop_oldest().capacity(2))?;
/// let publisher = bus.publisher()?;
/// for number in 1..=3 {
///     publisher.publish(Tick(number)).await?;
/// }
/// assert_eq!(ticks.recv().await.map(|tick| tick.0), Some(2));
/// assert_eq!(ticks.drain(100, |delivery| assert_eq!(delivery.message.0, 3)), 1);
/// # Ok(())
/// # }
/// ```
pub struct Subscriber<M: Message> {
    backend: SubscriberBackend<M>,
}

enum SubscriberBackend<M: Message> {
    Isolate(IsolateSubscriber<M>),
    Live(LiveSubscriber<M>),
}

impl<M: Message> Subscriber<M> {
    pub(crate) fn live(subscriber: LiveSubscriber<M>) -> Self {
        Self { backend: SubscriberBackend::Live(subscriber) }
    }

    pub(crate) fn in_isolate(subscriber: IsolateSubscriber<M>) -> Self {
        Self { backend: SubscriberBackend::Isolate(subscriber) }
    }

    /// The next message, in the order in which the topic's publishers published; `None` when the bus has
    /// closed and nothing waits any more.
    ///
    /// The message is shown where it lies, and passed when the guard is dropped: see [`Received`].
    /// [`recv_many`](Self::recv_many) shows many at once for less.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, no message is lost.
    ///
    /// ```
    /// # use mycelium::{BoxError, Message, MessageBus};
    /// # #[derive(Clone, Debug)] struct Quote { bid: f64 }
    /// # impl Message for Quote { const NAME: &'static str = "Quote"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "quotes"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let mut quotes = bus.subscriber::<Quote>()?;
    /// bus.publisher()?.publish(Quote { bid: 1.5 }).await?;
    /// bus.shutdown().await?;
    /// while let Some(quote) = quotes.recv().await {
    ///     println!("{}", quote.bid);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv(&mut self) -> Option<Received<'_, M>> {
        if Receiving(self).await { self.try_recv() } else { None }
    }

    /// What a wait for nothing is: others run now and then, and it is a part of the bounds of a run.
    async fn turn(&self) {
        match &self.backend {
            SubscriberBackend::Isolate(_) => step().await,
            SubscriberBackend::Live(_) => turn().await,
        }
    }

    #[inline]
    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        match &mut self.backend {
            SubscriberBackend::Isolate(subscriber) => subscriber.poll_ready(cx),
            SubscriberBackend::Live(subscriber) => subscriber.poll_ready(cx),
        }
    }

    /// Polls for the next message; see [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Received<'_, M>>> {
        self.poll_ready(cx).map(|more| if more { self.try_recv() } else { None })
    }

    /// The next message if one waits.
    ///
    /// ```
    /// # use mycelium::{BoxError, Message, MessageBus};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let bus = MessageBus::new();
    /// # let mut ticks = bus.subscriber::<Tick>()?;
    /// # bus.publisher()?.publish(Tick(1)).await?;
    /// while let Some(tick) = ticks.try_recv() {
    ///     println!("{}", tick.0);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn try_recv(&mut self) -> Option<Received<'_, M>> {
        let backend = match &mut self.backend {
            SubscriberBackend::Isolate(subscriber) => ReceivedBackend::Isolate(subscriber.try_recv()?),
            SubscriberBackend::Live(subscriber) => ReceivedBackend::Live(subscriber.try_recv()?),
        };
        Some(Received { backend, unwinding: std::thread::panicking() })
    }

    /// Waits for messages, then shows those that wait to `each`, at most `most` of them, in order and where
    /// they lie: nothing is cloned. How many that were: at least one, unless `most` is 0, or the bus has
    /// closed and nothing waits any more.
    ///
    /// A message is passed once `each` has returned from it.
    ///
    /// # Panics
    /// When `each` does: the message that it had is the next one again.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, `each` was not called and no message is lost.
    ///
    /// ```
    /// # use mycelium::{BoxError, Message, MessageBus};
    /// # #[derive(Clone, Debug)] struct Quote { bid: f64 }
    /// # impl Message for Quote { const NAME: &'static str = "Quote"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "quotes"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let mut quotes = bus.subscriber::<Quote>()?;
    /// let publisher = bus.publisher()?;
    /// for bid in [1.0, 1.5, 1.25] {
    ///     publisher.publish(Quote { bid }).await?;
    /// }
    /// let mut highest = f64::NEG_INFINITY;
    /// let seen = quotes.recv_many(256, |delivery| highest = highest.max(delivery.message.bid)).await;
    /// assert_eq!((seen, highest), (3, 1.5));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_many(&mut self, most: usize, each: impl FnMut(Delivery<'_, M>)) -> usize {
        if most == 0 {
            self.turn().await;
            return 0;
        }
        if Receiving(self).await { self.drain(most, each) } else { 0 }
    }

    /// Shows what waits now to `each`, at most `most` messages, as [`recv_many`](Self::recv_many) does; how
    /// many that were, 0 if none.
    ///
    /// # Panics
    /// When `each` does: the message that it had is the next one again.
    pub fn drain(&mut self, most: usize, each: impl FnMut(Delivery<'_, M>)) -> usize {
        match &mut self.backend {
            SubscriberBackend::Isolate(subscriber) => subscriber.drain(most, each),
            SubscriberBackend::Live(subscriber) => subscriber.drain(most, each),
        }
    }
}
