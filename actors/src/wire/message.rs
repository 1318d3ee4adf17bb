//! Messages as bytes.

use std::fmt;

use mycelium_mailbox::SharedBytes;
use mycelium_remote::frame::{self, EncodeError, Header};

use super::Kind;
use crate::{ActorId, Timestamp};

/// A message as bytes, as it leaves a topic. Cloning is cheap: the bytes are shared.
///
/// Those of messages of up to 256 bytes that were published to one topic one after the other may lie in one
/// piece of memory, 8 KiB at most, which stays as long as one of them is kept; so do those that were
/// published together, in pieces of 64 KiB at most. Copy the bytes of the few that you keep for long.
///
/// An actor that implements `Handler<WireMessage>` receives them from topics that are named at run time:
/// [`Subscriptions::on_wire`](crate::Subscriptions::on_wire); other code from a
/// [`WireSubscriber`](crate::WireSubscriber).
///
/// ```
/// # use mycelium::{Actor, BoxError, Context, Handler, Subscriptions, WireMessage};
/// struct Journal(Vec<u8>);
/// impl Actor for Journal {
///     type Error = BoxError;
///     fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
///         topics.on_wire("orders.*");
///     }
/// }
/// impl Handler<WireMessage> for Journal {
///     async fn handle(&mut self, message: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
///         message.frame(message.header(), &mut self.0)?;
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone)]
pub struct WireMessage {
    value: WireValue,
    kind: Kind,
    stamp: u64,
    sender: u64,
}

/// A header and the value that it speaks of: a part of values that were published together and have one
/// header.
#[derive(Clone)]
pub(crate) struct WireValue(pub(crate) SharedBytes<Header>);

impl WireValue {
    /// A copy of `bytes`, aligned.
    pub(crate) fn new(header: Header, bytes: &[u8]) -> Self {
        Self(SharedBytes::new(header, bytes))
    }

    /// What makes such a copy of a value that is published now, unless its header says when it was.
    pub(crate) fn made(now: impl FnOnce() -> i64) -> impl FnOnce(Header, &[u8]) -> Self {
        |header, bytes| {
            let publish_ns = if header.publish_ns == 0 { now() } else { header.publish_ns };
            Self::new(Header { publish_ns, ..header }, bytes)
        }
    }

    #[inline]
    pub(crate) fn header(&self) -> &Header {
        self.0.head()
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl WireMessage {
    pub(crate) fn new(value: WireValue, kind: Kind, stamp: u64, sender: u64) -> Self {
        Self { value, kind, stamp, sender }
    }

    /// The facts that a frame gives of the value: type id, version, root length, publish time. On a topic
    /// whose type the process has, the frame is made here: it has no sequence, destination or trace. On
    /// others it is that of the publisher.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.value.header()
    }

    /// The value: an archive as `docs/wire.md` describes it. It starts at a multiple of 8 in memory.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.value.bytes()
    }

    /// The message's name in the contract.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind.name
    }

    /// The topic that carried it.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        self.kind.topic
    }

    /// When it took its place in the topic, on the bus's clock.
    #[must_use]
    pub fn published(&self) -> Timestamp {
        Timestamp::from_nanos(self.value.header().publish_ns)
    }

    /// Its place in the order of the bus: of two messages on one bus or isolate, the one with the lower
    /// stamp came first.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// The actor or service that published it; `None` for somebody outside.
    #[must_use]
    pub fn sender(&self) -> Option<ActorId> {
        (self.sender != 0).then_some(ActorId(self.sender))
    }

    /// The same to be looked at, as [`WireSubscriber::drain`](crate::WireSubscriber::drain) shows it.
    #[must_use]
    pub fn delivery(&self) -> WireDelivery<'_> {
        WireDelivery::shared(&self.value, self.kind, self.stamp, self.sender)
    }

    /// Appends it to `out` as a frame, with this header but for its lengths; how many bytes that took.
    ///
    /// # Errors
    /// As [`frame::encode`]: the header's root length is longer than the value.
    pub fn frame(&self, header: &Header, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        frame::encode(header, self.bytes(), out)
    }
}

impl fmt::Debug for WireMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes have no place in a log line.
        f.debug_struct("WireMessage")
            .field("name", &self.name())
            .field("version", &self.header().version)
            .field("len", &self.bytes().len())
            .field("stamp", &self.stamp)
            .finish_non_exhaustive()
    }
}

/// A message as bytes that lie where they were written, to be looked at: see
/// [`WireSubscriber::drain`](crate::WireSubscriber::drain).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WireDelivery<'a> {
    /// As [`WireMessage::header`].
    pub header: &'a Header,
    /// As [`WireMessage::bytes`].
    pub bytes: &'a [u8],
    /// As [`WireMessage::stamp`].
    pub stamp: u64,
    /// As [`WireMessage::sender`].
    pub sender: Option<ActorId>,
    kind: Kind,
    shared: Option<&'a WireValue>,
}

impl<'a> WireDelivery<'a> {
    pub(crate) fn new(header: &'a Header, bytes: &'a [u8], kind: Kind, stamp: u64, sender: u64) -> Self {
        let sender = (sender != 0).then_some(ActorId(sender));
        Self { header, bytes, stamp, sender, kind, shared: None }
    }

    pub(crate) fn shared(value: &'a WireValue, kind: Kind, stamp: u64, sender: u64) -> Self {
        Self { shared: Some(value), ..Self::new(value.header(), value.bytes(), kind, stamp, sender) }
    }

    /// The message's name in the contract.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind.name
    }

    /// The topic that carried it.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        self.kind.topic
    }

    /// A message to keep: copies the bytes, unless others share them already.
    #[must_use]
    pub fn to_message(&self) -> WireMessage {
        let value = self.shared.cloned().unwrap_or_else(|| WireValue::new(*self.header, self.bytes));
        WireMessage::new(value, self.kind, self.stamp, self.sender.map_or(0, ActorId::get))
    }
}

impl fmt::Debug for WireValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireValue({} bytes)", self.0.len())
    }
}
