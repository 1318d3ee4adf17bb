//! Messages one behind the other in one frame, whose header and checksum they share.

use super::{ALIGN, DecodeError, u32_at};

/// The length of what stands in front of each value of a run, in bytes.
pub const RUN_ENTRY_LEN: usize = 16;

/// The messages of a frame with the flag [`RUN`](super::Flags::RUN), in order: their sequences rise by one
/// from that of the frame.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// Entries that were found whole.
    rest: &'a [u8],
    publish_ns: i64,
}

/// One message of a [`Run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEntry<'a> {
    /// As in a frame of its own.
    pub type_id: u16,
    /// As in a frame of its own.
    pub version: u16,
    /// As in a frame of its own.
    pub root_len: u32,
    /// As in a frame of its own.
    pub publish_ns: i64,
    /// The value, at a multiple of [`ALIGN`] behind the first one's place.
    pub value: &'a [u8],
}

impl<'a> Run<'a> {
    /// `value` was [checked](check).
    pub(super) fn new(value: &'a [u8], publish_ns: i64) -> Self {
        Self { rest: value, publish_ns }
    }

    /// The type of the next message.
    #[inline]
    #[must_use]
    pub fn next_type(&self) -> Option<u16> {
        let head = self.rest.first_chunk::<RUN_ENTRY_LEN>()?;
        Some(u16::from_le_bytes([head[8], head[9]]))
    }

    /// The next message, which stays in front.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<RunEntry<'a>> {
        let (head, rest) = self.rest.split_first_chunk::<RUN_ENTRY_LEN>()?;
        Some(RunEntry {
            type_id: u16::from_le_bytes([head[8], head[9]]),
            version: u16::from_le_bytes([head[10], head[11]]),
            root_len: u32_at(head, 12),
            publish_ns: self.publish_ns.wrapping_add(i64::from(u32_at(head, 4))),
            value: &rest[..u32_at(head, 0) as usize],
        })
    }
}

impl<'a> Iterator for Run<'a> {
    type Item = RunEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<RunEntry<'a>> {
        let entry = self.peek()?;
        self.rest = &self.rest[RUN_ENTRY_LEN + entry.value.len().next_multiple_of(ALIGN)..];
        Some(entry)
    }
}

/// What stands in front of a value: its length, and by how much it was published later than the first.
#[inline]
pub(crate) fn entry_head(
    (type_id, version, root_len): (u16, u16, u32),
    value_len: u32,
    later_ns: u32,
) -> [u8; RUN_ENTRY_LEN] {
    let head = [value_len, later_ns, u32::from(type_id) | u32::from(version) << 16, root_len];
    let mut bytes = [0; RUN_ENTRY_LEN];
    for (to, word) in bytes.chunks_exact_mut(4).zip(head) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// Whether these bytes are the entries of a run, of which there is at least one.
pub(super) fn check(value: &[u8]) -> Result<(), DecodeError> {
    let mut rest = value;
    loop {
        let at = value.len() - rest.len();
        let Some((head, behind)) = rest.split_first_chunk::<RUN_ENTRY_LEN>() else {
            return Err(DecodeError::Run { at });
        };
        let (len, root_len) = (u32_at(head, 0) as usize, u32_at(head, 12) as usize);
        // In this order: the padded length does not overflow.
        if root_len > len || len > behind.len() || len.next_multiple_of(ALIGN) > behind.len() {
            return Err(DecodeError::Run { at });
        }
        rest = &behind[len.next_multiple_of(ALIGN)..];
        if rest.is_empty() {
            return Ok(());
        }
    }
}
