//! Publishing for code that is no actor.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use mycelium_mailbox::Publishing;

use super::blocking::block_on;
use super::bus::MessageBus;
use super::cancel::CancelPoint;
use super::current::poll_turn;
use super::subscriber::LiveSubscriber;
use super::topics::{TopicEntry, poll_publishing};
use crate::{Message, PublishError, SpawnError, Subscriber, Subscription};

/// Publishes one message type; see [`MessageBus::publisher`](crate::MessageBus::publisher). Cloning is cheap.
///
/// It goes straight to its topic: no lock on the bus and no look-up. It keeps neither the bus nor any actor
/// alive.
///
/// In the code of an actor or a service of its bus, what it publishes is that one's, as through its context.
/// In any other task, also one that an actor has spawned, it is that of somebody outside, who is refused in a
/// drain and a shutdown.
///
/// ```
/// # use mycelium::{BoxError, Message, MessageBus, PublishError, Subscription};
/// # #[derive(Clone, Debug)] struct Tick(u64);
/// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let ticks = bus.publisher::<Tick>()?; // once, and kept
/// let _full = bus.subscriber_with(Subscription::<Tick>::block().capacity(1))?;
/// ticks.publish(Tick(1)).await?; // waits for room, of which there is enough
/// let Err(PublishError::Full(Tick(2), _)) = ticks.try_publish(Tick(2)) else { panic!("it is full") };
/// # Ok(())
/// # }
/// ```
pub struct Publisher<M: Message> {
    entry: Arc<TopicEntry<M>>,
}

impl MessageBus {
    /// Publishes `M` for code that is no actor. Make one and keep it: it holds its topic.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let ticks = bus.publisher::<Tick>()?;
    /// for n in 1..=3 {
    ///     ticks.publish(Tick(n)).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::DuplicateTypeId`] when another message type has this `TYPE_ID` on this bus.
    pub fn publisher<M: Message>(&self) -> Result<Publisher<M>, SpawnError> {
        Ok(Publisher::new(self.core.topics.entry()?))
    }

    /// Receives every `M` published from now on, for code that is no actor.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let mut ticks = bus.subscriber::<Tick>()?;
    /// bus.publisher()?.publish(Tick(7)).await?;
    /// let tick = ticks.recv().await.ok_or("the bus has ended")?;
    /// assert_eq!(tick.0, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`subscriber_with`](Self::subscriber_with).
    pub fn subscriber<M: Message>(&self) -> Result<Subscriber<M>, SpawnError> {
        self.subscriber_with(Subscription::default())
    }

    /// Receives every `M` published from now on, with a policy and capacity.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result, Subscription};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let mut latest = bus.subscriber_with::<Tick>(Subscription::drop_oldest().capacity(1))?;
    /// let ticks = bus.publisher()?;
    /// ticks.publish(Tick(1)).await?;
    /// ticks.publish(Tick(2)).await?; // waits for nobody
    /// assert_eq!(latest.recv().await.as_deref(), Some(&Tick(2)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::Closed`] after a shutdown, [`SpawnError::DuplicateTypeId`],
    /// [`SpawnError::TooManySubscribers`].
    pub fn subscriber_with<M: Message>(
        &self,
        subscription: Subscription<M>,
    ) -> Result<Subscriber<M>, SpawnError> {
        let live = LiveSubscriber::new(&self.core, subscription, None)?;
        Ok(Subscriber::live(live))
    }
}

impl<M: Message> Publisher<M> {
    pub(crate) fn new(entry: Arc<TopicEntry<M>>) -> Self {
        Self { entry }
    }

    /// Publishes; waits while a `Block` subscriber is full.
    ///
    /// `Ok` says that every subscriber's queue has taken it or its policy has counted it as dropped, not that
    /// anybody has handled it. With no subscriber it is `Ok` and the message is gone.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, PublishError, Result};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let ticks = bus.publisher::<Tick>()?;
    /// ticks.publish(Tick(1)).await?; // `Ok`, although nobody has subscribed
    /// bus.shutdown().await?;
    /// let refused = ticks.publish(Tick(2)).await;
    /// assert!(matches!(refused, Err(PublishError::Closed(Tick(2)))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`PublishError`]; the message comes back and nobody has received it.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was published. It takes part in tokio's budget for the task: also
    /// where it need not wait for room, its first poll may be pending, so that others run.
    #[inline]
    pub fn publish(&self, message: M) -> PublisherPublish<'_, M> {
        PublisherPublish { publishing: self.entry.publish(message, self.entry.sender()), at: None }
    }

    /// Publishes from code that is not async, and keeps the thread while a `Block` subscriber is full.
    ///
    /// In async code it would keep a whole thread of the runtime: use [`publish`](Self::publish) there.
    ///
    /// # Errors
    /// Those of [`publish`](Self::publish).
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus};
    /// # #[derive(Clone, Debug)] struct Quote(f64);
    /// # impl Message for Quote { const NAME: &'static str = "Quote"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "quotes"; }
    /// let bus = MessageBus::new();
    /// let quotes = bus.publisher::<Quote>()?;
    /// std::thread::spawn(move || quotes.publish_blocking(Quote(1.25))).join().unwrap()?;
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    pub fn publish_blocking(&self, message: M) -> Result<(), PublishError<M>> {
        block_on(self.publish(message))
    }

    /// Publishes without waiting.
    ///
    /// # Errors
    /// [`PublishError::Full`] where [`publish`](Self::publish) would wait; see there for the others.
    #[inline]
    pub fn try_publish(&self, message: M) -> Result<(), PublishError<M>> {
        self.entry.try_publish(message, self.entry.sender())
    }
}

/// The future of [`Publisher::publish`].
// In C's order: with the message behind the rest, compilers copy it once more.
#[must_use = "nothing is published before this is awaited"]
#[repr(C)]
pub struct PublisherPublish<'a, M: Message> {
    publishing: Publishing<'a, M>,
    at: Option<CancelPoint>,
}

impl<M: Message> Future for PublisherPublish<'_, M> {
    type Output = Result<(), PublishError<M>>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Self { publishing, at } = &mut *self;
        ready!(poll_turn(cx, at));
        poll_publishing(publishing, cx)
    }
}

impl<M: Message> Clone for Publisher<M> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry) }
    }
}

impl<M: Message> fmt::Debug for Publisher<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Publisher<{}>", M::NAME)
    }
}
