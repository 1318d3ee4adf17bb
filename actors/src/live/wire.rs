//! Frames into and out of the topics of a live bus.
//!
//! A listener in bytes has a queue of its own in the topic, as all others have, with its order, its policy
//! and its place in the counters. It encodes what it reads where that lies. If several listen, the first
//! who comes to a message keeps its bytes for the others ([`Tap`]).

mod door;
mod ear;
mod ears;
mod enter;
mod publisher;
mod source;
mod table;
mod tap;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use mycelium_mailbox::wire::WireError;
use mycelium_mailbox::{AsOf, Source, caught};
use mycelium_remote::frame::{Header, Run, RunEntry};
use mycelium_remote::link::Row;

use super::blocking::block_on;
use super::bus::BusCore;
use super::cancel::CancelPoint;
use super::current::poll_turn;
use super::topics::{QueueOwner, TopicEntry, poll_publishing_of};
use crate::wire::{Carried, Kind, WireDelivery, WireMessage, WireValue, into_slots};
use crate::{
    MessageBus, PublishError, SpawnError, Subscription, WireArray, WirePublishError, WireRow, WireSubscriber,
    WireTopics,
};

pub(super) use self::door::ByteDoor;
use self::ear::{Ear, TapPlace};
pub(crate) use self::ears::LiveEars;
use self::enter::Entering;
pub use self::publisher::WirePublisher;
pub(super) use self::source::WireSource;
pub(crate) use self::table::WireTable;
pub(crate) use self::tap::{Tap, published_before};

/// A publish that waits for room. Whether the message is not outdated.
pub(crate) type QueuedPublish<'a> = Pin<Box<dyn Future<Output = Result<bool, WirePublishError>> + Send + 'a>>;

/// A publish that has begun.
pub(crate) enum Begun<F> {
    /// It is over: whether the message is not outdated.
    Over(bool),
    /// It waits for room.
    Waits(F),
}

/// A topic, seen by those who bring and take bytes. `origin`: whose message it is, and for whom; `None` for
/// one of whoever's code runs, and for everybody.
pub(crate) trait LiveWire: Send + Sync {
    /// Publishes without waiting, as whoever's code runs, for everybody.
    fn try_publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError>;

    /// The same for `origin`. Whether the message is not outdated.
    fn try_publish_wire_as_of(
        &self,
        header: &Header,
        bytes: &[u8],
        origin: AsOf,
    ) -> Result<bool, WirePublishError>;

    /// Publishes the values of `each` bytes that lie one behind the other in `bytes`, without waiting. An
    /// error says how many were published before.
    fn try_publish_wire_many(
        &self,
        header: &Header,
        bytes: &[u8],
        each: usize,
        sender: Option<u64>,
    ) -> Result<(), (usize, WirePublishError)>;

    /// The same for copies: those that were published have left the row.
    fn try_publish_wire_row(&self, row: &mut WireRow, sender: Option<u64>) -> Result<(), WirePublishError>;

    /// Publishes the messages of this topic that are in front of a run, without waiting, until one is not
    /// taken: that one stays in front, also if its code panics. Counts in `published` those that were.
    /// Whether the others are not outdated.
    fn try_publish_row(
        &self,
        run: &mut Run<'_>,
        len_max: usize,
        origin: AsOf,
        published: &mut u64,
    ) -> Result<bool, WirePublishError>;

    /// Publishes; a future that is returned waits for room, with the message as it was decoded.
    fn begin_publish<'a>(
        &'a self,
        header: &Header,
        bytes: &[u8],
        origin: Option<AsOf>,
        cx: &mut TaskContext<'_>,
    ) -> Result<Begun<QueuedPublish<'a>>, WirePublishError>;

    /// A queue for this receiver.
    fn listen(
        self: Arc<Self>,
        how: &Subscription<WireMessage>,
        owner: &QueueOwner,
    ) -> Result<Box<dyn WireQueue>, SpawnError>;
}

/// Sees a message, and says whether it takes it.
pub(crate) type WireLook<'a> = dyn FnMut(WireDelivery<'_>) -> bool + 'a;

/// What one receiver gets of one topic, as bytes.
pub(crate) trait WireQueue: Source + Send {
    fn kind(&self) -> Kind;
    /// The message in front, encoded where it lies, if its stamp is below `below`. An error says that it
    /// cannot be: it is to be discarded.
    fn peek(&mut self, below: u64) -> Option<Result<WireDelivery<'_>, WireError>>;
    /// Passes the message in front, which was handled.
    fn advance(&mut self);
    /// Passes the message in front, which nobody will handle.
    fn discard(&mut self);
    /// Tells how far it is.
    fn tell(&mut self);
    /// Has what was handled counted.
    fn settle(&mut self);
    /// Shows at most `most` messages whose stamps are below `below`, and passes each that `look` takes, up to
    /// the first that it does not, which stays in front; how many, and whether it has taken all of them. A
    /// message that cannot be encoded is a dead letter.
    fn drain(&mut self, below: u64, most: usize, look: &mut WireLook<'_>) -> (usize, bool) {
        let (mut seen, mut goes_on) = (0, true);
        while seen < most && goes_on {
            match self.peek(below) {
                Some(Ok(delivery)) => goes_on = look(delivery),
                None => break,
                Some(Err(error)) => {
                    self.discard_unwritten(&error);
                    continue;
                }
            }
            if goes_on {
                self.advance();
                seen += 1;
            }
        }
        self.tell();
        (seen, goes_on)
    }
    /// The same for a header and bytes alone, up to the first that `take` does not take: it stays in front.
    fn take_while(&mut self, below: u64, most: usize, take: &mut dyn FnMut(&Header, &[u8]) -> bool) -> usize;
    /// What `take_while` does, for less: gives a link messages of a fixed length while nobody else listens in
    /// bytes, up to the first that it leaves to `take_while`. How many; `None`: there are no such ones here.
    fn send_row(&mut self, below: u64, most: usize, row: &mut Row<'_>) -> Option<usize>;
    /// Copies roots to `out`, one behind the other, as many as fit, up to the first message that is none of
    /// these: how many.
    fn read_array(&mut self, below: u64, of: &WireArray, out: &mut [u8]) -> usize {
        let most = out.len() / of.stride;
        self.take_while(below, most, &mut into_slots(of, out))
    }
    /// Passes the message in front, which cannot be encoded.
    fn discard_unwritten(&mut self, error: &dyn std::fmt::Display) {
        caught(|| tracing::error!(target: "mycelium::wire", %error, "a message cannot be written as bytes"));
        self.discard();
    }
    fn is_finished(&self) -> bool;
    /// The stamp of the last message that was passed.
    fn passed(&self) -> Option<u64>;
    /// Passes messages up to this stamp, which the receiver has had before.
    fn pass_up_to(&mut self, stamp: u64);
    /// How many messages wait.
    fn unread(&self) -> u64;
    /// Leaves the topic: how many messages waited.
    fn leave(self: Box<Self>) -> u64;
}

/// How many messages are decoded before they are published together (messages).
const ROW_MAX: usize = 32;

impl<T: Carried> TopicEntry<T> {
    /// Decodes the messages of this topic in front of a run, up to the first that is none. Whether there may
    /// be more.
    fn decode_row(
        &self,
        run: &mut Run<'_>,
        len_max: usize,
        messages: &mut Vec<T>,
    ) -> Result<bool, WirePublishError> {
        let kind = self.kind();
        while messages.len() < ROW_MAX {
            let Some(entry) = run.next().filter(|entry| entry.type_id == kind.type_id) else {
                return Ok(false);
            };
            let got = entry.value.len();
            if got > len_max {
                return Err(WirePublishError::TooLong { message: kind.name, max: len_max, got });
            }
            let made = WireValue::made(|| self.door.now(self.clock()));
            match T::from_wire(kind, &header_of(&entry), entry.value, made) {
                Ok(message) => messages.push(message),
                Err(error) => return Err(WirePublishError::Value(error)),
            }
        }
        Ok(true)
    }
}

impl<T: Carried> TopicEntry<T> {
    /// A copy of a value that is published now.
    #[inline]
    fn place(&self, header: Header, bytes: &[u8]) -> WireValue {
        self.door.place(self.clock(), self.ring_alone(), header, bytes)
    }

    /// Whose message it is, if that is not said.
    #[inline]
    fn origin(&self, said: Option<AsOf>) -> AsOf {
        said.unwrap_or_else(|| self.sender().into())
    }

    /// A message was refused.
    #[cold]
    fn refused(&self, error: PublishError<T>) -> WirePublishError {
        self.door.has_refused();
        WirePublishError::refused(self.kind(), error)
    }
}

impl<T: Carried> LiveWire for TopicEntry<T> {
    fn try_publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        // Published where it is decoded, so that the message is not moved from one result into the next.
        let place = |header, bytes: &[u8]| self.place(header, bytes);
        T::enter(self.kind(), header, bytes, place, |message| {
            self.try_publish(message, self.sender()).map_err(|error| self.refused(error))
        })
    }

    fn try_publish_wire_as_of(
        &self,
        header: &Header,
        bytes: &[u8],
        origin: AsOf,
    ) -> Result<bool, WirePublishError> {
        let place = |header, bytes: &[u8]| self.place(header, bytes);
        T::enter(self.kind(), header, bytes, place, |message| {
            self.try_publish_as_of(message, origin).map_err(|error| self.refused(error))
        })
    }

    fn try_publish_wire_many(
        &self,
        header: &Header,
        bytes: &[u8],
        each: usize,
        sender: Option<u64>,
    ) -> Result<(), (usize, WirePublishError)> {
        let mut entering = Entering::new(self, sender);
        let now = || self.door.now(self.clock());
        T::each_from_wire(self.kind(), header, bytes, each, now, &mut entering)
            .map_err(|error| (entering.published, error))
    }

    fn try_publish_wire_row(&self, row: &mut WireRow, sender: Option<u64>) -> Result<(), WirePublishError> {
        let mut entering = Entering::new(self, sender);
        T::row_from_wire(self.kind(), row, || self.door.now(self.clock()), &mut entering)
    }

    fn try_publish_row(
        &self,
        run: &mut Run<'_>,
        len_max: usize,
        origin: AsOf,
        published: &mut u64,
    ) -> Result<bool, WirePublishError> {
        let mut row = Vec::with_capacity(ROW_MAX);
        loop {
            // Without the first that cannot be decoded, which is in front then. Foreign code: it may panic.
            let mut ahead = run.clone();
            let decode = || self.decode_row(&mut ahead, len_max, &mut row);
            let decoded = catch_unwind(AssertUnwindSafe(decode));
            // Foreign code too: what was published before it panicked is not to come again.
            let mut gone = 0;
            let publish = || self.try_publish_all(&mut row, run, origin, &mut gone);
            let tried = catch_unwind(AssertUnwindSafe(publish));
            run.by_ref().take(gone).for_each(drop);
            *published += gone as u64;
            match tried {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Ok(false),
                Ok(Err(error)) => return Err(WirePublishError::refused(self.kind(), error)),
                Err(panicked) => resume_unwind(panicked),
            }
            match decoded {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Ok(true),
                Ok(Err(error)) => return Err(error),
                Err(panicked) => resume_unwind(panicked),
            }
        }
    }

    fn begin_publish<'a>(
        &'a self,
        header: &Header,
        bytes: &[u8],
        origin: Option<AsOf>,
        cx: &mut TaskContext<'_>,
    ) -> Result<Begun<QueuedPublish<'a>>, WirePublishError> {
        let kind = self.kind();
        let message = T::from_wire(kind, header, bytes, |header, bytes| self.place(header, bytes))
            .map_err(WirePublishError::Value)?;
        let mut publishing = self.publish_as_of(message, self.origin(origin));
        match poll_publishing_of(&mut publishing, kind.type_id, cx) {
            Poll::Ready(Ok(published)) => Ok(Begun::Over(published)),
            Poll::Ready(Err(error)) => Err(WirePublishError::refused(kind, error)),
            Poll::Pending => {
                self.door.has_refused();
                Ok(Begun::Waits(Box::pin(async move {
                    let mut at = None;
                    let poll = |cx: &mut TaskContext<'_>| {
                        let polled = poll_publishing_of(&mut publishing, kind.type_id, cx);
                        CancelPoint::note(polled, &mut at, cx)
                    };
                    let published = poll_fn(poll).await;
                    published.map_err(|error| WirePublishError::refused(kind, error))
                })))
            }
        }
    }

    fn listen(
        self: Arc<Self>,
        how: &Subscription<WireMessage>,
        owner: &QueueOwner,
    ) -> Result<Box<dyn WireQueue>, SpawnError> {
        let Some(typed) = how.of_another() else {
            return Err(SpawnError::ConflatesBytes { message: self.kind().name });
        };
        let capacity = how.capacity.unwrap_or_else(|| self.capacity());
        let at = T::ENCODED.then(|| self.tap.join(self.topic(), capacity, self.clock()));
        let place = TapPlace::new(Arc::clone(&self), at);
        let queue = self.subscribe(typed, owner)?;
        Ok(Box::new(Ear::new(queue, self, place)))
    }
}

impl MessageBus {
    /// Publishes a value that is bytes already: the one that such a frame carries. It is decoded and checked
    /// once, the rules of the contract among it, and then is a message like any other; waits while a `Block`
    /// subscriber is full.
    ///
    /// `bytes` is the value alone, as `docs/wire.md` describes it, and `header` says which message it is, of
    /// which version, and how long its root is; its publish time, trace and sequence are not looked at.
    /// Values that start at a multiple of 8 in memory are read where they lie, others are copied first. `Ok`
    /// says what it says for [`Publisher::publish`](crate::Publisher::publish).
    ///
    /// ```
    /// use mycelium::frame::Header;
    /// use mycelium::wire::{Encoder, Layout, Messages, Visitor, Wire};
    /// use mycelium::{BoxError, Message, MessageBus};
    ///
    /// #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    /// struct Tick { price: i64 }
    /// impl Message for Tick {
    ///     const NAME: &'static str = "Tick";
    ///     const TYPE_ID: u16 = 7;
    ///     const TOPIC: &'static str = "ticks";
    /// }
    /// impl Wire for Tick {
    ///     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Tick::ROOT_LEN, digest: 0 }];
    /// }
    /// // Generated code has this, as `CONTRACT`.
    /// struct Mine;
    /// impl Messages for Mine {
    ///     fn each<V: Visitor>(&self, visitor: &mut V) {
    ///         visitor.typed::<Tick>();
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::builder().contract(Mine).build();
    /// let mut ticks = bus.subscriber::<Tick>()?;
    /// let mut bytes = bus.subscribe_wire("ticks")?;
    ///
    /// let mut encoder = Encoder::new();
    /// let header = Header { type_id: 7, version: 1, root_len: Tick::ROOT_LEN, ..Header::default() };
    /// bus.publish_wire(&header, encoder.encode(&Tick { price: 42 })?).await?;
    ///
    /// assert_eq!(ticks.recv().await.as_deref(), Some(&Tick { price: 42 }));
    /// let message = bytes.recv().await.unwrap();
    /// assert_eq!((message.name(), Tick::decode(message.bytes())?), ("Tick", Tick { price: 42 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`WirePublishError`]; nobody has received anything.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was published.
    pub async fn publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        self.core.publish_wire(header, bytes, None).await.map(|_| ())
    }

    /// Publishes bytes from code that is not async, and keeps the thread while a `Block` subscriber is full:
    /// see [`publish_wire`](Self::publish_wire), which async code uses.
    ///
    /// # Errors
    /// Those of [`publish_wire`](Self::publish_wire).
    pub fn publish_wire_blocking(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        block_on(self.core.publish_wire(header, bytes, None)).map(|_| ())
    }

    /// Publishes bytes without waiting: see [`publish_wire`](Self::publish_wire).
    ///
    /// # Errors
    /// [`WirePublishError::Full`] where `publish_wire` would wait; see there for the others.
    pub fn try_publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        match self.core.wire.used_topic(header, bytes.len()) {
            Some(topic) => topic.try_publish_wire(header, bytes),
            None => self.core.try_publish_wire_first(header, bytes),
        }
    }

    /// Publishes values of one message without waiting: those of `each` bytes that lie one behind the
    /// other in `bytes`, in this order. Of a message whose type this process does not have, they are copied
    /// together and take their time from one look at the clock: each costs a fraction of what it costs alone.
    ///
    /// # Errors
    /// The first value that was not published, with how many were published before it: see
    /// [`try_publish_wire`](Self::try_publish_wire). `bytes` that end within a value end with one that is too
    /// short.
    pub fn try_publish_wire_many(
        &self,
        header: &Header,
        bytes: &[u8],
        each: usize,
    ) -> Result<(), (usize, WirePublishError)> {
        let topic = self.core.wire.topic(&self.core.topics, header, each).map_err(|error| (0, error))?;
        topic.try_publish_wire_many(header, bytes, each, None)
    }

    /// Publishes a copy of values, from the front, without waiting; those that were published have left it.
    /// All take their time from one look at the clock, at the first try.
    ///
    /// # Errors
    /// The first value that was not published, which is the first of the [rest](WireRow::rest): see
    /// [`try_publish_wire_many`](Self::try_publish_wire_many).
    pub fn try_publish_wire_row(&self, row: &mut WireRow) -> Result<(), WirePublishError> {
        let (header, len) = (*row.header(), row.each());
        self.core.wire.topic(&self.core.topics, &header, len)?.try_publish_wire_row(row, None)
    }

    /// Receives every message that is published to these topics from now on, as bytes, in the order of the
    /// bus: see [`WireTopics`] for a list or all topics whose names begin alike.
    ///
    /// Each message is encoded once, whatever the number of those who listen in bytes; nothing is encoded
    /// where nobody does.
    ///
    /// # Errors
    /// Those of [`subscribe_wire_with`](Self::subscribe_wire_with).
    pub fn subscribe_wire(&self, topics: impl Into<WireTopics>) -> Result<WireSubscriber, SpawnError> {
        self.subscribe_wire_with(topics, Subscription::block())
    }

    /// The same with a policy and capacity, which hold for each topic by itself.
    ///
    /// # Errors
    /// [`SpawnError::UnknownTopic`] when no contract of the bus has a message on one of these topics,
    /// [`SpawnError::ConflatesBytes`] for `Conflate`, whose key is taken from a message and not from bytes,
    /// [`SpawnError::Contradiction`] when two contracts of the bus disagree on one of the messages; see
    /// [`subscriber_with`](Self::subscriber_with) for the others.
    pub fn subscribe_wire_with(
        &self,
        topics: impl Into<WireTopics>,
        subscription: Subscription<WireMessage>,
    ) -> Result<WireSubscriber, SpawnError> {
        LiveEars::new(&self.core, &topics.into(), &subscription, None).map(WireSubscriber::live)
    }
}

impl BusCore {
    /// `origin`: see [`LiveWire`]. Whether the message is not outdated.
    pub(crate) async fn publish_wire(
        &self,
        header: &Header,
        bytes: &[u8],
        origin: Option<AsOf>,
    ) -> Result<bool, WirePublishError> {
        let topic = self.wire.topic(&self.topics, header, bytes.len())?;
        let mut at = None;
        let begun = poll_fn(|cx| {
            ready!(poll_turn(cx, &mut at));
            Poll::Ready(topic.begin_publish(header, bytes, origin, cx))
        });
        match begun.await? {
            Begun::Over(published) => Ok(published),
            Begun::Waits(waiting) => waiting.await,
        }
    }

    /// The same without waiting, where no bytes went into the topic before, or it does not take these. Apart,
    /// so that a caller whose topic was found goes straight on into it.
    #[cold]
    #[inline(never)]
    fn try_publish_wire_first(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        self.wire.topic(&self.topics, header, bytes.len())?.try_publish_wire(header, bytes)
    }

    /// The same for `origin`.
    pub(crate) fn try_publish_wire_as_of(
        &self,
        header: &Header,
        bytes: &[u8],
        origin: AsOf,
    ) -> Result<bool, WirePublishError> {
        self.wire.topic(&self.topics, header, bytes.len())?.try_publish_wire_as_of(header, bytes, origin)
    }

    /// Publishes the messages of one type that are in front of a run: see [`LiveWire::try_publish_row`].
    pub(crate) fn try_publish_row(
        &self,
        run: &mut Run<'_>,
        origin: AsOf,
        published: &mut u64,
    ) -> Result<bool, WirePublishError> {
        let Some(entry) = run.peek() else { return Ok(true) };
        let topic = self.wire.topic(&self.topics, &header_of(&entry), entry.value.len())?;
        topic.try_publish_row(run, self.wire.table().longest(), origin, published)
    }
}

/// What a frame of its own would say of a message of a run.
pub(crate) fn header_of(entry: &RunEntry<'_>) -> Header {
    let RunEntry { type_id, version, root_len, publish_ns, .. } = *entry;
    Header { type_id, version, root_len, publish_ns, ..Header::default() }
}
