//! Messages as bytes.

use std::fmt;

use mycelium_mailbox::wire::VALUE_ALIGN;
use mycelium_remote::frame::{self, EncodeError, Header};
use triomphe::ThinArc;

use super::Kind;
use crate::{ActorId, Timestamp};

/// A message as bytes, as it leaves a topic. Cloning is cheap: the bytes are shared.
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
pub(crate) struct WireValue {
    /// One piece of memory: a count, the header, a length and the bytes. Each of these has a length that is
    /// a multiple of [`VALUE_ALIGN`], so the bytes are aligned, which a test holds.
    of: ThinArc<Header, u8>,
    start: u32,
    len: u32,
}

const _: () = assert!(size_of::<Header>().is_multiple_of(VALUE_ALIGN) && align_of::<Header>() == VALUE_ALIGN);

/// How many bytes of values that are published together lie in one piece of memory, which stays as long as
/// one of them is kept (bytes).
const PIECE_MAX: usize = 64 * 1_024;

impl WireValue {
    /// A copy of `bytes`, aligned.
    pub(crate) fn new(header: Header, bytes: &[u8]) -> Self {
        // A value has less than 2^30 bytes.
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { of: ThinArc::from_header_and_slice(header, bytes), start: 0, len }
    }

    /// Copies of the values of `each` bytes that lie one behind the other in `bytes`, aligned; the last
    /// one is shorter where the bytes end before.
    pub(crate) fn many(header: Header, bytes: &[u8], each: usize) -> impl Iterator<Item = Self> {
        let each = each.max(1);
        // Each begins at a multiple of what a value may ask for, or has a piece of its own.
        let in_piece = if each.is_multiple_of(VALUE_ALIGN) { (PIECE_MAX / each).max(1) } else { 1 };
        bytes.chunks(each * in_piece).flat_map(move |piece| {
            let of = Self::new(header, piece).of;
            // A piece is shorter than 2^32 bytes: it is one value, or at most `PIECE_MAX`.
            let place = move |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            let (starts, end) = ((0..piece.len()).step_by(each), piece.len());
            starts.map(move |at| Self {
                of: ThinArc::clone(&of),
                start: place(at),
                len: place(each.min(end - at)),
            })
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.of.header.header
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let start = self.start as usize;
        &self.of.slice[start..start + self.len as usize]
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
        write!(f, "WireValue({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_aligned(value: &WireValue) -> bool {
        value.bytes().as_ptr().addr().is_multiple_of(VALUE_ALIGN)
    }

    #[test]
    fn values_are_aligned_wherever_the_bytes_came_from() {
        let bytes: Vec<u8> = (0..=255).collect();
        for len in 0..64 {
            for at in 0..8 {
                let value = WireValue::new(Header::default(), &bytes[at..at + len]);
                assert!(is_aligned(&value) && value.bytes() == &bytes[at..at + len]);
                let kept = value.clone();
                drop(value);
                assert_eq!(kept.bytes(), &bytes[at..at + len]);
            }
        }
    }

    #[test]
    fn values_published_together_are_aligned_and_the_last_may_be_shorter() {
        let bytes: Vec<u8> = (0..=250).collect();
        for each in [1, 7, 8, 24, 250, 251, 300] {
            let values: Vec<_> = WireValue::many(Header::default(), &bytes, each).collect();
            assert!(values.iter().all(is_aligned));
            assert_eq!(values.iter().map(|value| value.bytes().to_vec()).collect::<Vec<_>>().concat(), bytes);
            assert_eq!(values.len(), bytes.len().div_ceil(each));
        }
    }
}
