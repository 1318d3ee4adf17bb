//! The frame: what every message looks like on a socket, in shared memory and in a journal.
//!
//! A frame is a header of [`HEADER_LEN`] bytes, the value (an rkyv archive, see `docs/wire.md`), and zero to
//! seven zero bytes, so that the next frame starts at a multiple of [`ALIGN`] again. All integers are
//! little-endian.
//!
//! | offset | size | field |
//! |---:|---:|---|
//! | 0 | 2 | magic, the bytes `MY` |
//! | 2 | 1 | protocol version, [`PROTOCOL`] |
//! | 3 | 1 | [`Flags`] |
//! | 4 | 4 | checksum: CRC-32C of bytes 8 to the value's end, continued from the header's first word |
//! | 8 | 2 | type id (`tlv_type` of the contract) |
//! | 10 | 2 | version of the message |
//! | 12 | 4 | length of the value, without the padding behind it |
//! | 16 | 4 | root length: the last bytes of the value that are its root |
//! | 20 | 4 | destination hint, see [`destination`] |
//! | 24 | 8 | sequence |
//! | 32 | 8 | publish time, nanoseconds since 1970, signed |
//! | 40 | 16 | trace id, in the byte order of W3C `traceparent` |
//! | 56 | 8 | span id, in the byte order of W3C `traceparent` |
//!
//! Nothing here reads a socket: [`encode`] appends to a buffer of the caller, [`Decoder`] is fed by the
//! caller.
//!
//! ```
//! use mycelium_remote::frame::{self, Decoder, Header};
//!
//! let header = Header { type_id: 7, version: 1, root_len: 8, sequence: 42, ..Header::default() };
//! let mut wire = Vec::new();
//! frame::encode(&header, &1.5f64.to_le_bytes(), &mut wire)?;
//!
//! let mut decoder = Decoder::new();
//! assert_eq!(decoder.feed(&wire), wire.len());
//! let got = decoder.next_frame()?.expect("the whole frame was fed");
//! assert_eq!((got.header, got.value), (header, &1.5f64.to_le_bytes()[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decoder;
mod error;
mod run;

use std::ops::BitOr;

use mycelium_mailbox::crc32c_short;

pub use decoder::Decoder;
pub use error::{DecodeError, EncodeError};
pub(crate) use run::entry_head;
pub use run::{RUN_ENTRY_LEN, Run, RunEntry};

/// The first two bytes of every frame.
pub const MAGIC: [u8; 2] = *b"MY";
/// The version of this frame format. A change of the header's layout raises it.
pub const PROTOCOL: u8 = 1;
/// Length of the header in bytes: one cache line.
pub const HEADER_LEN: usize = 64;
/// Frames, and so their values, start at multiples of this many bytes.
pub const ALIGN: usize = 8;
/// The longest value that a frame can carry at all, in bytes: relative pointers inside a value are signed 32
/// bits.
pub const VALUE_LEN_MAX: usize = 1 << 30;
/// The longest value that a [`Decoder`] accepts unless it is told otherwise, in bytes.
pub const VALUE_LEN_DEFAULT_MAX: usize = 16 << 20;

/// The first byte that the checksum covers directly; the word before the checksum seeds it.
const CHECKED_FROM: usize = 8;

/// Properties of a frame, one bit each. Unknown bits are an error of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// An ordinary message with a checksum.
    pub const NONE: Self = Self(0);
    /// The checksum field is zero and says nothing. For memory that both sides share, where nothing can be
    /// damaged on the way; a [`Decoder`] refuses it unless [`Decoder::allow_unchecked`] was called.
    pub const UNCHECKED: Self = Self(1);
    /// The frame belongs to the link itself (handshake, heartbeat, acknowledgement): its type id is the
    /// link's own and names no message of a contract.
    pub const CONTROL: Self = Self(2);
    /// The message is for one actor, or the answer to a question: its value ends with an envelope. On links
    /// alone.
    pub const DIRECT: Self = Self(4);
    /// The value is several messages one behind the other: see [`Frame::run`]. On links alone.
    pub const RUN: Self = Self(8);

    const KNOWN: u8 = Self::UNCHECKED.0 | Self::CONTROL.0 | Self::DIRECT.0 | Self::RUN.0;

    /// The bits as they travel.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The facts that a frame gives of its value. The value's length is not here: it is the length of the
/// value given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Properties of the frame.
    pub flags: Flags,
    /// The `tlv_type` of the message's contract.
    pub type_id: u16,
    /// The version of the message with which the value was written.
    pub version: u16,
    /// How many of the value's last bytes are its root. A reader of another version finds the root with it.
    pub root_len: u32,
    /// Whom the frame is meant for, see [`destination`]; 0 addresses every subscriber of the topic.
    pub destination: u32,
    /// Position in the sender's stream.
    pub sequence: u64,
    /// When the message was published, in nanoseconds since 1970-01-01T00:00:00Z by the publisher's clock.
    pub publish_ns: i64,
    /// W3C trace id; all zero when the message is not traced.
    pub trace_id: [u8; 16],
    /// W3C span id of the publisher; all zero when the message is not traced.
    pub span_id: [u8; 8],
}

/// A frame whose header, padding and checksum were found right.
///
/// This says nothing about the value: it is validated when it is accessed as a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The facts that the frame gives of the value.
    pub header: Header,
    /// The value, starting at a multiple of [`ALIGN`] within the buffer that was parsed.
    pub value: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The messages, if the frame is a run of them.
    #[must_use]
    pub fn run(&self) -> Option<Run<'a>> {
        let Self { header, value } = self;
        header.flags.contains(Flags::RUN).then(|| Run::new(value, header.publish_ns))
    }
}

/// The length in bytes of the frame that carries a value of `value_len` bytes: header, value and padding.
///
/// ```
/// assert_eq!(mycelium_remote::frame::frame_len(13), 64 + 16);
/// ```
#[must_use]
pub const fn frame_len(value_len: usize) -> usize {
    HEADER_LEN + value_len.next_multiple_of(ALIGN)
}

/// The destination hint of a service: CRC-32C of its name, or 1 where that would be 0.
///
/// It is a hint: two names may share one, so it must not be the only thing that keeps a message from the
/// wrong service.
///
/// ```
/// assert_ne!(mycelium_remote::frame::destination("portfolio"), 0);
/// ```
#[must_use]
pub fn destination(service: &str) -> u32 {
    crc32c::crc32c(service.as_bytes()).max(1)
}

/// Appends a frame to `out` and returns how many bytes that took.
///
/// `Ok` does not promise that `value` is a valid message of `header.type_id`: it is not looked at. Appending
/// to a buffer that is cleared and reused allocates nothing once the buffer has grown.
///
/// # Errors
/// The value or its root length cannot be expressed in a frame. `out` is unchanged then.
pub fn encode(header: &Header, value: &[u8], out: &mut Vec<u8>) -> Result<usize, EncodeError> {
    let head = header_bytes(header, check_lengths(header, value.len())?);
    let (start, len) = (out.len(), frame_len(value.len()));
    out.reserve(len);
    out.extend_from_slice(&head);
    out.extend_from_slice(value);
    out.extend_from_slice(&[0; ALIGN][..len - HEADER_LEN - value.len()]);
    write_checksum(header.flags, &mut out[start..], value.len());
    Ok(len)
}

/// Completes a frame whose value already stands at its place, [`HEADER_LEN`] bytes into `frame`.
///
/// For buffers into which the value was encoded directly: shared memory, or the buffer of an encoder. `frame`
/// must be exactly [`frame_len`]`(value_len)` bytes long; its padding is zeroed here.
///
/// # Errors
/// `frame` has another length, or the lengths cannot be expressed. `frame` is unchanged then.
pub fn seal(header: &Header, frame: &mut [u8], value_len: usize) -> Result<(), EncodeError> {
    let checked = check_lengths(header, value_len)?;
    if frame.len() != frame_len(value_len) {
        return Err(EncodeError::FrameLength { expected: frame_len(value_len), got: frame.len() });
    }
    frame[..HEADER_LEN].copy_from_slice(&header_bytes(header, checked));
    frame[HEADER_LEN + value_len..].fill(0);
    write_checksum(header.flags, frame, value_len);
    Ok(())
}

/// Reads the frame at the start of `bytes`, or says how many bytes the whole frame needs.
///
/// `value_len_max` caps the length that the header may claim. Frames without a checksum are refused unless
/// `unchecked` is set.
///
/// # Errors
/// [`DecodeError::Truncated`] when `bytes` ends before the frame does, which for a stream only means that
/// more has to arrive; any other error is a fault of the sender that no further byte can mend.
pub fn parse(bytes: &[u8], value_len_max: usize, unchecked: bool) -> Result<Frame<'_>, DecodeError> {
    let Some(head) = bytes.first_chunk::<HEADER_LEN>() else {
        return Err(DecodeError::Truncated { needed: HEADER_LEN, got: bytes.len() });
    };
    let (header, value_len) = parse_header(head, value_len_max, unchecked)?;
    let needed = frame_len(value_len);
    let Some(frame) = bytes.get(..needed) else {
        return Err(DecodeError::Truncated { needed, got: bytes.len() });
    };
    let value_end = HEADER_LEN + value_len;
    if frame[value_end..].iter().any(|&b| b != 0) {
        return Err(DecodeError::Padding { value_len });
    }
    let got = u32_at(head, 4);
    let expected = checksum(header.flags, frame, value_len);
    if expected != got {
        return Err(DecodeError::Checksum {
            expected,
            got,
            type_id: header.type_id,
            sequence: header.sequence,
        });
    }
    let value = &frame[HEADER_LEN..value_end];
    if header.flags.contains(Flags::RUN) {
        run::check(value)?;
    }
    Ok(Frame { header, value })
}

fn parse_header(
    head: &[u8; HEADER_LEN],
    value_len_max: usize,
    unchecked: bool,
) -> Result<(Header, usize), DecodeError> {
    if head[..2] != MAGIC {
        return Err(DecodeError::Magic { expected: MAGIC, got: [head[0], head[1]] });
    }
    if head[2] != PROTOCOL {
        return Err(DecodeError::Protocol { expected: PROTOCOL, got: head[2] });
    }
    let flags = Flags(head[3]);
    if flags.0 & !Flags::KNOWN != 0 {
        return Err(DecodeError::Flags { known: Flags::KNOWN, got: flags.0 });
    }
    if flags.contains(Flags::UNCHECKED) && !unchecked {
        return Err(DecodeError::Unchecked);
    }
    let value_len = u32_at(head, 12) as usize;
    if value_len > value_len_max.min(VALUE_LEN_MAX) {
        return Err(DecodeError::TooLong { max: value_len_max.min(VALUE_LEN_MAX), got: value_len });
    }
    let root_len = u32_at(head, 16);
    if root_len as usize > value_len {
        return Err(DecodeError::RootLength { value_len, got: root_len as usize });
    }
    let header = Header {
        flags,
        type_id: u16::from_le_bytes(bytes_at(head, 8)),
        version: u16::from_le_bytes(bytes_at(head, 10)),
        root_len,
        destination: u32_at(head, 20),
        sequence: u64::from_le_bytes(bytes_at(head, 24)),
        publish_ns: i64::from_le_bytes(bytes_at(head, 32)),
        trace_id: bytes_at(head, 40),
        span_id: bytes_at(head, 56),
    };
    Ok((header, value_len))
}

#[inline]
pub(crate) fn check_lengths(header: &Header, value_len: usize) -> Result<u32, EncodeError> {
    match u32::try_from(value_len) {
        Ok(len) if value_len <= VALUE_LEN_MAX => {
            if header.root_len > len {
                return Err(EncodeError::RootLength { value_len, got: header.root_len as usize });
            }
            Ok(len)
        }
        _ => Err(EncodeError::TooLong { max: VALUE_LEN_MAX, got: value_len }),
    }
}

/// The header with a checksum of zero.
fn header_bytes(header: &Header, value_len: u32) -> [u8; HEADER_LEN] {
    let mut head = [0; HEADER_LEN];
    head[..2].copy_from_slice(&MAGIC);
    head[2] = PROTOCOL;
    head[3] = header.flags.0;
    head[8..10].copy_from_slice(&header.type_id.to_le_bytes());
    head[10..12].copy_from_slice(&header.version.to_le_bytes());
    head[12..16].copy_from_slice(&value_len.to_le_bytes());
    head[16..20].copy_from_slice(&header.root_len.to_le_bytes());
    head[20..24].copy_from_slice(&header.destination.to_le_bytes());
    head[24..32].copy_from_slice(&header.sequence.to_le_bytes());
    head[32..40].copy_from_slice(&header.publish_ns.to_le_bytes());
    head[40..56].copy_from_slice(&header.trace_id);
    head[56..64].copy_from_slice(&header.span_id);
    head
}

fn write_checksum(flags: Flags, frame: &mut [u8], value_len: usize) {
    let sum = checksum(flags, frame, value_len);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
}

/// CRC-32C over everything but the checksum itself, in one run: the first word seeds it, so a flipped flag
/// shows.
fn checksum(flags: Flags, frame: &[u8], value_len: usize) -> u32 {
    if flags.contains(Flags::UNCHECKED) {
        return 0;
    }
    let (seed, checked) = (u32_at(frame, 0), &frame[CHECKED_FROM..HEADER_LEN + value_len]);
    crc32c_short(seed, checked).unwrap_or_else(|| crc32c::crc32c_append(seed, checked))
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

/// Callers stay inside the header, whose length they have checked.
#[inline]
fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}
