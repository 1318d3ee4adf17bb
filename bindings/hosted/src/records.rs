//! Messages of any length, one behind the other in a buffer.

use mycelium::WireDelivery;
use mycelium::frame::Header;

/// How long the header of a record is, in bytes.
pub const RECORD_HEADER_LEN: usize = 40;

/// A message in a buffer that [`Reader::read_records`](crate::Reader::read_records) has filled.
///
/// In memory it is, in little-endian: type id (`u16`), version (`u16`), length of the value (`u32`), root
/// length (`u32`), four bytes of zero, stamp (`u64`), publish time (`i64`, ns since 1970), id of the
/// publisher (`u64`, 0 for somebody outside); then the value, and zero bytes up to a multiple of 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// The message's type id.
    pub type_id: u16,
    /// The version of its value.
    pub version: u16,
    /// How many of its last bytes are its root.
    pub root_len: u32,
    /// Its place in the order of the bus: it never falls, and is the same for messages in a row of one topic.
    pub stamp: u64,
    /// When it was published, in nanoseconds since 1970.
    pub published_ns: i64,
    /// Who published it; 0 for somebody outside.
    pub sender: u64,
    /// The value.
    pub bytes: &'a [u8],
}

/// The records at the front of this buffer, `count` at most.
pub fn records(buffer: &[u8], count: usize) -> impl Iterator<Item = Record<'_>> {
    let mut rest = buffer;
    (0..count).map_while(move |_| {
        let (record, behind) = first(rest)?;
        rest = behind;
        Some(record)
    })
}

fn first(buffer: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (head, rest) = buffer.split_at_checked(RECORD_HEADER_LEN)?;
    let half = |at: usize| Some(u16::from_le_bytes(head[at..at + 2].try_into().ok()?));
    let word = |at: usize| Some(u32::from_le_bytes(head[at..at + 4].try_into().ok()?));
    let long = |at: usize| Some(u64::from_le_bytes(head[at..at + 8].try_into().ok()?));
    let len = usize::try_from(word(4)?).ok()?;
    let bytes = rest.get(..len)?;
    let record = Record {
        type_id: half(0)?,
        version: half(2)?,
        root_len: word(8)?,
        stamp: long(16)?,
        published_ns: long(24)?.cast_signed(),
        sender: long(32)?,
        bytes,
    };
    Some((record, rest.get(len.next_multiple_of(8)..)?))
}

/// How much room this message takes, in bytes.
pub(crate) fn room(value_len: usize) -> usize {
    RECORD_HEADER_LEN + value_len.next_multiple_of(8)
}

/// Writes a message to the front of `out`, which has the room.
pub(crate) fn write(delivery: &WireDelivery<'_>, out: &mut [u8]) {
    let Header { type_id, version, root_len, publish_ns, .. } = *delivery.header;
    let (head, rest) = out.split_at_mut(RECORD_HEADER_LEN);
    let len = delivery.bytes.len();
    head[0..2].copy_from_slice(&type_id.to_le_bytes());
    head[2..4].copy_from_slice(&version.to_le_bytes());
    // A value has less than 2^30 bytes.
    head[4..8].copy_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    head[8..12].copy_from_slice(&root_len.to_le_bytes());
    head[12..16].fill(0);
    head[16..24].copy_from_slice(&delivery.stamp.to_le_bytes());
    head[24..32].copy_from_slice(&publish_ns.to_le_bytes());
    head[32..40].copy_from_slice(&delivery.sender.map_or(0, mycelium::ActorId::get).to_le_bytes());
    rest[..len].copy_from_slice(delivery.bytes);
    rest[len..len.next_multiple_of(8)].fill(0);
}
