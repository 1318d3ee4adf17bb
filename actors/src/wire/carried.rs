//! What lies in a topic that bytes enter and leave.

use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mycelium_mailbox::Releases;
use mycelium_mailbox::wire::{Encoder, VALUE_ALIGN, ValueError, Wire, WireError, valid};
use mycelium_remote::frame::{Flags, Header};
use mycelium_remote::link::RowKind;
use rkyv::util::AlignedVec;

use crate::Message;

use super::{Entrance, Untyped, WirePublishError, WireRow, WireValue};

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
    /// The value that these bytes are, if the topic takes them. `place`: makes a copy of bytes that are one.
    fn from_wire(
        kind: Kind,
        header: &Header,
        bytes: &[u8],
        place: impl FnOnce(Header, &[u8]) -> WireValue,
    ) -> Result<Self, ValueError>;

    /// The same for `publish`, into which the value goes from where it is made.
    #[inline(always)]
    fn enter<R>(
        kind: Kind,
        header: &Header,
        bytes: &[u8],
        place: impl FnOnce(Header, &[u8]) -> WireValue,
        publish: impl FnOnce(Self) -> Result<R, WirePublishError>,
    ) -> Result<R, WirePublishError> {
        match Self::from_wire(kind, header, bytes, place) {
            Ok(value) => publish(value),
            Err(error) => Err(WirePublishError::Value(error)),
        }
    }

    /// Publishes the values of `each` bytes that lie one behind the other in `bytes`, up to the first that
    /// the topic does not take, or the entrance refuses. `now`: the time on the bus's clock.
    fn each_from_wire<G: Entrance<Self>>(
        kind: Kind,
        header: &Header,
        bytes: &[u8],
        each: usize,
        _now: impl FnOnce() -> i64,
        entrance: &mut G,
    ) -> Result<(), G::Error> {
        let mut values = bytes.chunks(each.max(1));
        values.try_for_each(|value| entrance.publish(Self::from_wire(kind, header, value, WireValue::new)?))
    }

    /// The same for a row of copies: those that were published are given out.
    fn row_from_wire<G: Entrance<Self>>(
        kind: Kind,
        row: &mut WireRow,
        now: impl FnOnce() -> i64,
        entrance: &mut G,
    ) -> Result<(), G::Error> {
        let (header, before) = (*row.header(), entrance.published());
        // Code of others may panic half-way, such as a key: those before it are not to come again.
        let publish = || Self::each_from_wire(kind, &header, row.rest(), row.each(), now, entrance);
        let done = catch_unwind(AssertUnwindSafe(publish));
        row.pass(entrance.published() - before);
        done.unwrap_or_else(|panicked| resume_unwind(panicked))
    }

    /// Whether its bytes are made of it, and not itself.
    const ENCODED: bool;

    /// What all its messages say of themselves, and their length in bytes, where that is the same for all
    /// and they are plain data.
    const FIXED_ROW: Option<(RowKind, usize)> = None;

    /// Itself, where it is bytes already.
    fn as_value(&self) -> Option<&WireValue> {
        None
    }

    /// Gives it up, with others where it is bytes.
    fn release(self, _: &mut Releases<Header>) {}

    /// Its bytes alone, where [`FIXED_ROW`](Self::FIXED_ROW) says the rest.
    fn to_row<'a>(&'a self, _: &'a mut Encoder) -> Option<&'a [u8]> {
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
    const FIXED_ROW: Option<(RowKind, usize)> = if M::FIXED && !needs_drop::<M>() {
        Some((RowKind { version: M::VERSION, root_len: M::ROOT_LEN }, M::ROOT_LEN as usize))
    } else {
        None
    };

    #[inline(always)]
    fn from_wire(
        _: Kind,
        header: &Header,
        bytes: &[u8],
        _: impl FnOnce(Header, &[u8]) -> WireValue,
    ) -> Result<Self, ValueError> {
        if bytes.as_ptr().addr().is_multiple_of(VALUE_ALIGN) {
            return valid::<M>(bytes, header.version, header.root_len);
        }
        valid::<M>(&aligned(bytes), header.version, header.root_len)
    }

    #[inline(always)]
    fn enter<R>(
        _: Kind,
        header: &Header,
        bytes: &[u8],
        _: impl FnOnce(Header, &[u8]) -> WireValue,
        publish: impl FnOnce(Self) -> Result<R, WirePublishError>,
    ) -> Result<R, WirePublishError> {
        let Header { version, root_len, .. } = *header;
        let is_aligned = bytes.as_ptr().addr().is_multiple_of(VALUE_ALIGN);
        // Apart from all others: where several ways come together, each value is moved once more.
        if is_aligned && version == Self::VERSION && root_len == Self::ROOT_LEN {
            return match valid::<M>(bytes, Self::VERSION, Self::ROOT_LEN) {
                Ok(value) => publish(value),
                Err(error) => Err(WirePublishError::Value(error)),
            };
        }
        match other::<M>(header, bytes) {
            Ok(value) => publish(value),
            Err(error) => Err(WirePublishError::Value(error)),
        }
    }

    #[inline(always)]
    fn to_row<'a>(&'a self, encoder: &'a mut Encoder) -> Option<&'a [u8]> {
        encoder.encode(self).ok()
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

    #[inline]
    fn from_wire(
        kind: Kind,
        header: &Header,
        bytes: &[u8],
        place: impl FnOnce(Header, &[u8]) -> WireValue,
    ) -> Result<Self, ValueError> {
        if let Some(untyped) = kind.untyped {
            untyped.check(bytes, header.version, header.root_len).map_err(ValueError::Wire)?;
        }
        Ok(place(Header { flags: Flags::NONE, ..*header }, bytes))
    }

    fn each_from_wire<G: Entrance<Self>>(
        kind: Kind,
        header: &Header,
        bytes: &[u8],
        each: usize,
        now: impl FnOnce() -> i64,
        entrance: &mut G,
    ) -> Result<(), G::Error> {
        // One look at the clock for all.
        let publish_ns = if header.publish_ns == 0 { now() } else { header.publish_ns };
        let header = Header { publish_ns, ..*header };
        WireRow::pieces(&header, bytes, each)
            .try_for_each(|mut row| Self::row_from_wire(kind, &mut row, || publish_ns, entrance))
    }

    fn row_from_wire<G: Entrance<Self>>(
        kind: Kind,
        row: &mut WireRow,
        now: impl FnOnce() -> i64,
        entrance: &mut G,
    ) -> Result<(), G::Error> {
        row.begin(now);
        let Header { version, root_len, .. } = *row.header();
        let check = |known: Untyped| known.check_many(row.rest(), row.each(), version, root_len);
        let checked = kind.untyped.map_or(Ok(()), check);
        let good = checked.as_ref().map_or_else(|(good, _)| *good, |()| usize::MAX);
        row.publish(good, entrance)?;
        checked.map_err(|(_, error)| ValueError::Wire(error).into())
    }

    fn as_value(&self) -> Option<&WireValue> {
        Some(self)
    }

    #[inline]
    fn release(self, releases: &mut Releases<Header>) {
        releases.add(self.0);
    }

    fn to_wire<'a>(&'a self, _: Kind, _: i64, _: &'a mut Encoder) -> Result<(Header, &'a [u8]), WireError> {
        Ok((*self.header(), self.bytes()))
    }
}

/// A value of another version than ours, or at an address where none can be read.
#[cold]
#[inline(never)]
fn other<M: Wire>(header: &Header, bytes: &[u8]) -> Result<M, ValueError> {
    if bytes.as_ptr().addr().is_multiple_of(VALUE_ALIGN) {
        return valid::<M>(bytes, header.version, header.root_len);
    }
    valid::<M>(&aligned(bytes), header.version, header.root_len)
}

/// A copy at an address that every value may have.
#[cold]
pub(super) fn aligned(bytes: &[u8]) -> AlignedVec {
    let mut aligned = AlignedVec::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    aligned
}
