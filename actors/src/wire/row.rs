//! Values that are copied and published together, and those that are read together.

use std::cell::Cell;
use std::fmt;

use mycelium_mailbox::Row;
use mycelium_mailbox::wire::{VALUE_ALIGN, ValueError};
use mycelium_remote::frame::{Flags, Header};

use super::WireValue;

/// How many bytes of values that are published together lie in one piece of memory, which stays as long as
/// one of them is kept (bytes).
const PIECE_MAX: usize = 64 * 1_024;

/// Where values enter a topic.
pub(crate) trait Entrance<T> {
    type Error: From<ValueError>;

    /// Publishes one.
    fn publish(&mut self, value: T) -> Result<(), Self::Error>;

    /// Publishes values from the front as long as that goes together: how many.
    fn publish_front(&mut self, values: &mut impl ExactSizeIterator<Item = T>) -> usize;

    /// Publishes one, and gives it back if it is refused.
    fn publish_or_return(&mut self, value: T) -> Result<(), (Option<T>, Self::Error)>;

    /// How many were published.
    fn published(&self) -> usize;
}

/// Values of one message that lie one behind the other: a copy, to be published together by
/// [`MessageBus::try_publish_wire_row`](crate::MessageBus::try_publish_wire_row). Published values have left
/// it.
///
/// ```
/// use mycelium::WireRow;
/// use mycelium::frame::Header;
///
/// let header = Header { type_id: 7, version: 1, root_len: 8, ..Header::default() };
/// let row = WireRow::new(&header, &[0; 24], 8).unwrap();
/// assert_eq!(row.rest().len(), 24);
/// assert!(WireRow::new(&header, &[0; 24], 12).is_none(), "the second one would not be aligned");
/// ```
pub struct WireRow {
    row: Row<Header>,
    each: usize,
}

impl WireRow {
    /// Copies values of `each` bytes; the last one is shorter where the bytes end before. `None` where they
    /// cannot lie so: `each` is no multiple of 8, or they are 2^32 bytes or more.
    #[must_use]
    pub fn new(header: &Header, bytes: &[u8], each: usize) -> Option<Self> {
        Self::fits(bytes.len(), each).then(|| Self { row: Row::new(plain(header), bytes, each), each })
    }

    /// The same of memory that others may write to meanwhile: what is checked and published is the copy.
    #[must_use]
    pub fn of_cells(header: &Header, bytes: &[Cell<u8>], each: usize) -> Option<Self> {
        Self::fits(bytes.len(), each).then(|| Self { row: Row::of_cells(plain(header), bytes, each), each })
    }

    fn fits(len: usize, each: usize) -> bool {
        each > 0 && (len <= each || each.is_multiple_of(VALUE_ALIGN)) && u32::try_from(len).is_ok()
    }

    /// Copies of all values, piece by piece.
    pub(super) fn pieces(header: &Header, bytes: &[u8], each: usize) -> impl Iterator<Item = Self> {
        let (header, each) = (plain(header), each.max(1));
        // Each begins at a multiple of what a value may ask for, or has a piece of its own.
        let in_piece = if each.is_multiple_of(VALUE_ALIGN) { (PIECE_MAX / each).max(1) } else { 1 };
        let piece = each.saturating_mul(in_piece);
        bytes.chunks(piece).map(move |piece| Self { row: Row::new(header, piece, each), each })
    }

    /// The bytes of all values, to be changed before the first of them is published.
    pub fn edit(&mut self) -> Option<&mut [u8]> {
        self.row.edit().map(|(_, bytes)| bytes)
    }

    /// The bytes of the values that were not published.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        self.row.rest()
    }

    pub(crate) fn header(&self) -> &Header {
        self.row.head()
    }

    pub(crate) fn each(&self) -> usize {
        self.each
    }

    /// They are published now, unless their header says when they were, or some of them are.
    pub(super) fn begin(&mut self, now: impl FnOnce() -> i64) {
        if self.header().publish_ns == 0
            && let Some((header, _)) = self.row.edit()
        {
            header.publish_ns = now();
        }
    }

    /// The next so many were published in another way.
    pub(super) fn pass(&mut self, values: usize) {
        self.row.by_ref().take(values).for_each(drop);
    }

    /// Publishes at most `most` values.
    pub(super) fn publish<G: Entrance<WireValue>>(
        &mut self,
        most: usize,
        entrance: &mut G,
    ) -> Result<(), G::Error> {
        let mut left = most.min(self.row.len());
        while left > 0 {
            left -= entrance.publish_front(&mut self.row.by_ref().take(left).map(WireValue));
            // What does not go together, or has no room, as far as that was looked at.
            let Some(value) = (left > 0).then(|| self.row.next()).flatten() else { break };
            left -= 1;
            if let Err((refused, error)) = entrance.publish_or_return(WireValue(value)) {
                refused.into_iter().for_each(|value| self.row.take_back(value.0));
                return Err(error);
            }
        }
        Ok(())
    }
}

fn plain(header: &Header) -> Header {
    Header { flags: Flags::NONE, ..*header }
}

impl fmt::Debug for WireRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireRow").field("each", &self.each).field("left", &self.row.len()).finish()
    }
}

/// Which messages [`WireSubscriber::read_array`](crate::WireSubscriber::read_array) takes: those of one type
/// and fixed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireArray {
    /// The message's type id.
    pub type_id: u16,
    /// The version of the root that is copied.
    pub version: u16,
    /// How long that root is, in bytes.
    pub stride: usize,
    /// Whether values of newer versions are taken too, whose root begins as this one.
    pub newer: bool,
}

impl WireArray {
    /// The root of this message as a reader of this version sees it, if it is one of these.
    #[must_use]
    #[inline]
    pub fn root<'a>(&self, header: &Header, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if header.type_id != self.type_id {
            return None;
        }
        if header.version == self.version {
            return (bytes.len() == self.stride).then_some(bytes);
        }
        if !self.newer || header.version < self.version {
            return None;
        }
        let start = bytes.len().checked_sub(header.root_len as usize)?;
        bytes.get(start..start + self.stride)
    }

    /// Copies roots from the front to `out`, those that lie one behind the other in one go: how many.
    #[inline]
    pub(crate) fn copy<'a>(&self, mut values: impl Iterator<Item = &'a WireValue>, out: &mut [u8]) -> usize {
        let (mut taken, mut at, mut next) = (0, 0, values.next());
        while let Some(first) = next {
            let Some(root) = self.root(first.header(), first.bytes()) else { break };
            let whole = root.len() == first.0.len();
            let (mut last, mut count) = (first, 1);
            next = values.next();
            while let Some(value) = next
                && whole
                && last.0.is_followed_by(&value.0)
                && value.0.len() == self.stride
            {
                (last, count) = (value, count + 1);
                next = values.next();
            }
            let bytes = if count == 1 { root } else { first.0.through(&last.0).unwrap_or(root) };
            let Some(slot) = out.get_mut(at..at + bytes.len()) else { break };
            slot.copy_from_slice(bytes);
            (at, taken) = (at + bytes.len(), taken + count);
        }
        taken
    }
}
