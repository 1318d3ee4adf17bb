//! What can be wrong with a frame: [`EncodeError`] is our fault, [`DecodeError`] the sender's.

use std::fmt;

/// A frame cannot be written as asked: the fault is on our side, and nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value is longer than any frame may carry.
    TooLong {
        /// The longest value, in bytes.
        max: usize,
        /// The length of the value, in bytes.
        got: usize,
    },
    /// The root is said to be longer than the whole value.
    RootLength {
        /// The length of the value, in bytes.
        value_len: usize,
        /// The root length that the header claims, in bytes.
        got: usize,
    },
    /// The buffer to seal is not as long as the frame.
    FrameLength {
        /// The length of the frame, in bytes.
        expected: usize,
        /// The length of the buffer, in bytes.
        got: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { max, got } => write!(
                f,
                "a value of {got} bytes is longer than the {max} bytes that a frame can carry: split the message"
            ),
            Self::RootLength { value_len, got } => write!(
                f,
                "the header claims a root of {got} bytes in a value of {value_len}: take both from one encoding"
            ),
            Self::FrameLength { expected, got } => write!(
                f,
                "the buffer to seal has {got} bytes, the frame needs exactly {expected}: see frame_len"
            ),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Bytes that arrived are no frame: the fault is the sender's, or of whatever lies between.
///
/// Any of these is fatal for a stream, because the place where the next frame starts is unknown: close the
/// connection and connect anew. [`DecodeError::Truncated`] alone is no fault while the stream is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the frame does.
    Truncated {
        /// Bytes that are needed to go on: a header, or the whole frame once its header is known.
        needed: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// The frame does not start with the magic bytes: the peer speaks something else, or the stream lost its
    /// place.
    Magic {
        /// The bytes that open a frame.
        expected: [u8; 2],
        /// The bytes found.
        got: [u8; 2],
    },
    /// The peer speaks another version of the frame format.
    Protocol {
        /// The version spoken here.
        expected: u8,
        /// The version of the frame.
        got: u8,
    },
    /// Flags are set that this version does not know.
    Flags {
        /// All bits that have a meaning.
        known: u8,
        /// The bits of the frame.
        got: u8,
    },
    /// The frame carries no checksum, and this reader demands one.
    Unchecked,
    /// The value is longer than this reader accepts.
    TooLong {
        /// The longest value accepted, in bytes.
        max: usize,
        /// The length that the header claims, in bytes.
        got: usize,
    },
    /// The root is said to be longer than the whole value.
    RootLength {
        /// The length of the value, in bytes.
        value_len: usize,
        /// The root length that the header claims, in bytes.
        got: usize,
    },
    /// Bytes between the value and the next frame are not zero.
    Padding {
        /// The length of the value, in bytes.
        value_len: usize,
    },
    /// The frame is said to be a run of messages, and its value is none.
    Run {
        /// Where in the value a message should begin that does not fit, in bytes.
        at: usize,
    },
    /// Header or value were damaged.
    Checksum {
        /// The checksum of the bytes that arrived.
        expected: u32,
        /// The checksum that the frame carries.
        got: u32,
        /// The type id that the damaged header names.
        type_id: u16,
        /// The sequence that the damaged header names.
        sequence: u64,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, got } => write!(
                f,
                "the stream ended inside a frame, after {got} of {needed} bytes: the peer was cut off while sending"
            ),
            Self::Magic { expected, got } => write!(
                f,
                "a frame starts with {got:02x?} instead of {expected:02x?}: the peer is no Mycelium node, or wrote a broken frame before",
            ),
            Self::Protocol { expected, got } => write!(
                f,
                "the peer speaks frame protocol {got}, this node {expected}: update the older of the two"
            ),
            Self::Flags { known, got } => write!(
                f,
                "the frame has flags {got:#04x}, of which only {known:#04x} are known here: update this node"
            ),
            Self::Unchecked => f.write_str(
                "the frame carries no checksum, which is accepted in shared memory only: have the peer write one",
            ),
            Self::TooLong { max, got } => write!(
                f,
                "the frame claims a value of {got} bytes, at most {max} are accepted: raise the limit on this node, or split the message"
            ),
            Self::RootLength { value_len, got } => write!(
                f,
                "the frame claims a root of {got} bytes in a value of {value_len}: the peer's encoder is broken"
            ),
            Self::Padding { value_len } => write!(
                f,
                "the bytes behind a value of {value_len} bytes are not zero: the peer's encoder is broken"
            ),
            Self::Run { at } => write!(
                f,
                "no message of the run fits at byte {at} of the frame's value: the peer's encoder is broken"
            ),
            Self::Checksum { expected, got, type_id, sequence } => write!(
                f,
                "the frame (type {type_id}, sequence {sequence}) carries checksum {got:#010x} but its bytes give {expected:#010x}: \
                 it was damaged on the way, or the peer computes another checksum than CRC-32C"
            ),
        }
    }
}

impl std::error::Error for DecodeError {}
