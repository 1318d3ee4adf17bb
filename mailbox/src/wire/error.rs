//! What can be wrong with a value on the wire.

use std::fmt;

/// Bytes are no value of the message, or a value cannot become bytes.
///
/// Every variant names the message. All but [`WireError::TooLarge`] and [`WireError::Misaligned`] are the
/// peer's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes end before the value does.
    Truncated {
        /// The message's name.
        message: &'static str,
        /// The length of the root, in bytes.
        needed: usize,
        /// The bytes that are there.
        got: usize,
    },
    /// The bytes do not start at a multiple of the alignment: our own buffer is at fault.
    Misaligned {
        /// The message's name.
        message: &'static str,
        /// The alignment needed, in bytes.
        align: usize,
        /// How far behind the last aligned address the bytes start.
        off_by: usize,
    },
    /// The bytes have the right length and place, and are still no value of this message.
    Invalid {
        /// The message's name.
        message: &'static str,
        /// What is wrong with them.
        cause: String,
    },
    /// The version is unknown, or its root has another length than ours of that version.
    Version {
        /// The message's name.
        message: &'static str,
        /// Our version.
        ours: u16,
        /// The version that the peer claims.
        got: u16,
        /// The root length of that version, where we know it, in bytes.
        root_len_expected: Option<u32>,
        /// The root length that the peer claims, in bytes.
        root_len_got: u32,
    },
    /// The peer gave this message's type id to another message.
    Name {
        /// The message's name.
        message: &'static str,
        /// What the peer calls it.
        got: String,
    },
    /// Both sides know this tag of an enum in the message and disagree on its meaning.
    Variant {
        /// The message's name.
        message: &'static str,
        /// The enum's name.
        of: &'static str,
        /// The tag.
        tag: usize,
        /// The variant that has this tag here.
        expected: &'static str,
        /// The variant that has it at the peer.
        got: String,
    },
    /// Both sides know this version of the message and disagree on its layout.
    Digest {
        /// The message's name.
        message: &'static str,
        /// The version they disagree on.
        version: u16,
        /// Our digest.
        expected: u64,
        /// The peer's digest.
        got: u64,
    },
    /// The two sides share no version of the message.
    NoCommonVersion {
        /// The message's name.
        message: &'static str,
        /// Our version.
        ours: u16,
        /// The peer's newest version; 0 when it knows none.
        got: u16,
    },
    /// The value is longer than the wire allows.
    TooLarge {
        /// The message's name.
        message: &'static str,
        /// The longest value, in bytes.
        max: usize,
        /// The value takes more bytes than this: the limit, or what was written before that was noticed.
        got: usize,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { message, needed, got } => write!(
                f,
                "{message}: {got} bytes are too few, its root alone takes {needed}: pass the whole value of the frame"
            ),
            Self::Misaligned { message, align, off_by } => write!(
                f,
                "{message}: the bytes start {off_by} bytes behind a multiple of {align}: keep them in an aligned buffer, \
                 such as rkyv's AlignedVec or the frame decoder's own"
            ),
            Self::Invalid { message, cause } => write!(
                f,
                "{message}: the bytes are no such value ({cause}): the peer's encoder is broken, or the bytes were damaged"
            ),
            Self::Version { message, ours, got, root_len_expected: Some(expected), root_len_got } => write!(
                f,
                "{message}: version {got} has a root of {expected} bytes, not {root_len_got} (ours is version {ours}): \
                 generate both sides from one contract"
            ),
            Self::Version { message, ours, got, root_len_expected: None, root_len_got } => write!(
                f,
                "{message}: version {got} with a root of {root_len_got} bytes cannot be read by version {ours}: \
                 generate both sides from one contract, in which fields are only appended"
            ),
            Self::Name { message, got } => write!(
                f,
                "{message}: the peer calls the message with this type id {got:?}: give one of the two another tlv_type; \
                 `mycelium breaking --against` names them"
            ),
            Self::Variant { message, of, tag, expected, got } => write!(
                f,
                "{message}: tag {tag} of the enum {of} is {expected} here and {got:?} at the peer: two branches gained \
                 different variants; put one behind the other in both, and `mycelium breaking --against` tells whether they agree"
            ),
            Self::Digest { message, version, expected, got } => write!(
                f,
                "{message}: the peer's version {version} has layout {got:#018x}, ours {expected:#018x}: a field was changed \
                 without raising the version, or two branches appended different ones; `mycelium breaking --against` names it"
            ),
            Self::NoCommonVersion { message, ours, got: 0 } => write!(
                f,
                "{message}: the peer does not know this message (ours is version {ours}): update the peer's contract"
            ),
            Self::NoCommonVersion { message, ours, got } => write!(
                f,
                "{message}: the peer's newest version is {got}, ours is {ours}, and none is known to both: update the older side"
            ),
            Self::TooLarge { message, max, got } => write!(
                f,
                "{message}: the value takes more than {got} bytes, of which {max} are the limit: split the message"
            ),
        }
    }
}

impl std::error::Error for WireError {}
