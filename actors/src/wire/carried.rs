//! What lies in a topic that bytes enter and leave.

use mycelium_mailbox::wire::{Encoder, VALUE_ALIGN, ValueError, Wire, WireError, valid};
use mycelium_remote::frame::{Flags, Header};
use rkyv::util::AlignedVec;

use crate::Message;

use super::{Untyped, WireValue};

/// Which message a topic carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) type_id: u16,
    pub(crate) name: &'static str,
    pub(crate) topic: &'static str,
    /// Its layouts, where the process does not have its type.
    pub(crate) untyped: Option<Untyped>,
}

impl Kind {
    /// A message whose type the process has.
    pub(crate) const fn of<M: Message>() -> Self {
        Self { type_id: M::TYPE_ID, name: M::NAME, topic: M::TOPIC, untyped: None }
    }
}

/// A value of a topic, from bytes and to bytes.
pub(crate) trait Carried: Clone + Send + Sync + 'static {
    /// The value that these bytes are, if the topic takes them. `now`: the time on the bus's clock.
    fn from_wire(
        kind: Kind,
        header: &Header,
        bytes: &[u8],
        now: impl FnOnce() -> i64,
    ) -> Result<Self, ValueError>;

    /// The values of `each` bytes that lie one behind the other in `bytes`, up to the first that the topic
    /// does not take: `put` is given each in turn, until it refuses one.
    fn each_from_wire<E: From<ValueError>>(
        kind: Kind,
        header: &Header,
        bytes: &[u8],
        each: usize,
        now: impl Fn() -> i64,
        mut put: impl FnMut(Self) -> Result<(), E>,
    ) -> Result<(), E> {
        bytes.chunks(each.max(1)).try_for_each(|value| put(Self::from_wire(kind, header, value, &now)?))
    }

    /// Whether its bytes are made of it, and not itself.
    const ENCODED: bool;

    /// Itself, where it is bytes already.
    fn as_value(&self) -> Option<&WireValue> {
        None
    }

    /// Its bytes, and what a frame says of them. `published`: when it took its place.
    fn to_wire<'a>(
        &'a self,
        kind: Kind,
        published: i64,
        encoder: &'a mut Encoder,
    ) -> Result<(Header, &'a [u8]), WireError>;
}

impl<M: Wire> Carried for M {
    const ENCODED: bool = true;

    #[inline(always)]
    fn from_wire(
        _: Kind,
        header: &Header,
        bytes: &[u8],
        _: impl FnOnce() -> i64,
    ) -> Result<Self, ValueError> {
        if bytes.as_ptr().addr().is_multiple_of(VALUE_ALIGN) {
            return valid::<M>(bytes, header.version, header.root_len);
        }
        valid::<M>(&aligned(bytes), header.version, header.root_len)
    }

    #[inline]
    fn to_wire<'a>(
        &'a self,
        kind: Kind,
        published: i64,
        encoder: &'a mut Encoder,
    ) -> Result<(Header, &'a [u8]), WireError> {
        let bytes = encoder.encode(self)?;
        let header = Header {
            type_id: kind.type_id,
            version: M::VERSION,
            root_len: M::ROOT_LEN,
            publish_ns: published,
            ..Header::default()
        };
        Ok((header, bytes))
    }
}

/// Values of messages whose types the process does not have are checked against their layouts, and go
/// through as they are.
impl Carried for WireValue {
    const ENCODED: bool = false;

    fn from_wire(
        kind: Kind,
        header: &Header,
        bytes: &[u8],
        now: impl FnOnce() -> i64,
    ) -> Result<Self, ValueError> {
        if let Some(untyped) = kind.untyped {
            untyped.check(bytes, header.version, header.root_len).map_err(ValueError::Wire)?;
        }
        let published = if header.publish_ns == 0 { now() } else { header.publish_ns };
        Ok(Self::new(Header { flags: Flags::NONE, publish_ns: published, ..*header }, bytes))
    }

    fn each_from_wire<E: From<ValueError>>(
        kind: Kind,
        header: &Header,
        bytes: &[u8],
        each: usize,
        now: impl Fn() -> i64,
        mut put: impl FnMut(Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let publish_ns = if header.publish_ns == 0 { now() } else { header.publish_ns };
        let header = Header { flags: Flags::NONE, publish_ns, ..*header };
        Self::many(header, bytes, each).try_for_each(|value| {
            if let Some(untyped) = kind.untyped {
                let checked = untyped.check(value.bytes(), header.version, header.root_len);
                checked.map_err(ValueError::Wire)?;
            }
            put(value)
        })
    }

    fn as_value(&self) -> Option<&WireValue> {
        Some(self)
    }

    fn to_wire<'a>(&'a self, _: Kind, _: i64, _: &'a mut Encoder) -> Result<(Header, &'a [u8]), WireError> {
        Ok((*self.header(), self.bytes()))
    }
}

/// A copy at an address that every value may have.
#[cold]
pub(super) fn aligned(bytes: &[u8]) -> AlignedVec {
    let mut aligned = AlignedVec::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    aligned
}
