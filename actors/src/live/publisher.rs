//! Publishing and receiving for code that is no actor.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use mycelium_mailbox::{Doorbell, Publishing, Source, Subscription as Queue};

use super::cancel::CancelPoint;
use super::current::poll_turn;
use super::source::Tally;
use super::topics::{TopicEntry, Topics, poll_publishing};
use crate::blocking::block_on;
use crate::{ActorId, Delivery, Message, PublishError, SpawnError, Subscription};

/// Publishes one message type; see [`MessageBus::publisher`](crate::MessageBus::publisher). Cloning is cheap.
///
/// It goes straight to its topic: no lock on the bus and no look-up. It keeps neither the bus nor any actor
/// alive.
///
/// In the code of an actor or a service of its bus, what it publishes is that one's, as through its context.
/// In any other task, also one that an actor has spawned, it is that of somebody outside, who is refused in a
/// drain and a shutdown.
pub struct Publisher<M: Message> {
    entry: Arc<TopicEntry<M>>,
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
#[must_use = "nothing is published before this is awaited"]
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

/// The live half of a [`Subscriber`](crate::Subscriber).
pub(crate) struct LiveSubscriber<M: Message> {
    queue: Queue<M>,
    bell: Arc<Doorbell>,
    tally: Tally<M>,
    /// Where its service ends, if it waits for the next message there.
    at: Option<CancelPoint>,
}

impl<M: Message> LiveSubscriber<M> {
    /// `id` is that of the service it belongs to, or 0.
    pub(crate) fn new(topics: &Topics, subscription: Subscription<M>, id: u64) -> Result<Self, SpawnError> {
        let entry = topics.entry::<M>()?;
        let bell = Arc::new(Doorbell::new());
        let queue = entry.subscribe(subscription, id, Arc::clone(&bell))?;
        Ok(Self { queue, bell, tally: Tally::new(entry), at: None })
    }

    pub(crate) fn try_recv(&mut self) -> Option<M> {
        self.queue.head()?;
        let message = self.queue.peek()?.message.clone();
        self.queue.advance();
        // At once, both: it may be long until the next one is asked for.
        self.queue.tell();
        self.tally.uncounted += 1;
        self.tally.settle();
        Some(message)
    }

    pub(crate) fn poll_recv(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<M>> {
        let more = ready!(self.poll_ready(cx));
        Poll::Ready(if more { self.try_recv() } else { None })
    }

    pub(crate) fn drain(&mut self, most: usize, mut each: impl FnMut(Delivery<'_, M>)) -> usize {
        // Of what waits now, so that it ends however fast others publish.
        let most = u64::try_from(most).unwrap_or(u64::MAX).min(self.queue.unread());
        // A panic of `each` leaves here what was passed before.
        let begun = self.tally.uncounted;
        loop {
            let left = most - (self.tally.uncounted - begun);
            if left == 0 || self.queue.head().is_none() {
                break;
            }
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            self.queue.for_each(left, &mut self.tally.uncounted, |shown| {
                let sender = (shown.sender != 0).then_some(ActorId(shown.sender));
                each(Delivery::new(shown.message, shown.stamp, sender));
            });
        }
        let passed = self.tally.uncounted - begun;
        self.queue.tell();
        self.tally.settle();
        // No more than `most`.
        usize::try_from(passed).unwrap_or(usize::MAX)
    }

    /// Nobody waits for the next message any more.
    pub(crate) fn forget_wait(&mut self) {
        self.at = None;
    }

    /// Whether a message waits; `false` once there will be none any more.
    pub(crate) fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        ready!(poll_turn(cx, &mut self.at));
        if self.queue.head().is_some() {
            return Poll::Ready(true);
        }
        if self.queue.is_finished() {
            return Poll::Ready(false);
        }
        if !self.bell.prepare(cx.waker()) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !self.queue.arm() && !self.queue.is_finished() {
            return Poll::Pending;
        }
        self.bell.cancel();
        match self.queue.head() {
            Some(_) => Poll::Ready(true),
            None if self.queue.is_finished() => Poll::Ready(false),
            None => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
