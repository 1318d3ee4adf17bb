//! What can be wrong with a segment, with writing to it and with reading from it.

use std::fmt;
#[cfg(not(loom))]
use std::io;

/// A segment holds something that no writer or reader of this protocol leaves there: another process has
/// overwritten it, by mistake or on purpose. Nothing that was read is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShmFault {
    /// It does not begin like a segment.
    Magic,
    /// The layout has another version.
    Version {
        /// The version found.
        found: u64,
    },
    /// Its capacity is none, or does not fit its size.
    Capacity {
        /// The capacity found, in bytes.
        found: u64,
    },
    /// Its salt has more than 32 bits.
    Salt {
        /// The salt found.
        found: u64,
    },
    /// The writer is where it cannot be.
    Tail {
        /// The position found, in bytes.
        found: u64,
        /// The position of this side, in bytes.
        at: u64,
    },
    /// A writer has claimed what it cannot have.
    Claim {
        /// The position found, in bytes.
        found: u64,
        /// The position of this side, in bytes.
        at: u64,
    },
    /// No record begins where one should.
    Record {
        /// The position, in bytes.
        at: u64,
        /// The word found there.
        found: u64,
    },
    /// A record is not the one that was expected.
    Sequence {
        /// The sequence expected.
        expected: u64,
        /// The sequence found.
        found: u64,
    },
    /// A record of a stream has no bytes, which no writer of a stream leaves there.
    Empty {
        /// The position, in bytes.
        at: u64,
    },
}

impl fmt::Display for ShmFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("this is no segment of a ring: it does not begin with `MYCELSHM`"),
            Self::Version { found } => write!(
                f,
                "the segment has version {found} and this process reads version {}: run the same release on both sides",
                super::layout::VERSION
            ),
            Self::Capacity { found } => {
                write!(f, "the segment says that its ring has {found} bytes, which it has not")
            }
            Self::Salt { found } => {
                write!(f, "the segment has the salt {found:#x}, which is longer than 32 bits")
            }
            Self::Tail { found, at } => {
                write!(f, "the segment was overwritten: its end is said to be at {found}, from {at}")
            }
            Self::Claim { found, at } => {
                write!(f, "the segment was overwritten: up to {found} is said to be claimed, from {at}")
            }
            Self::Record { at, found } => {
                write!(f, "the segment was overwritten: no record begins at {at}, but {found:#018x}")
            }
            Self::Sequence { expected, found } => {
                write!(f, "the segment was overwritten: message {found} stands where {expected} should")
            }
            Self::Empty { at } => {
                write!(
                    f,
                    "the stream is broken: the record at {at} is empty, and no writer of a stream makes one"
                )
            }
        }
    }
}

impl std::error::Error for ShmFault {}

/// A segment cannot be made, mapped or taken part in.
#[cfg(not(loom))]
#[derive(Debug)]
#[non_exhaustive]
pub enum ShmError {
    /// The capacity is no power of two from 4 KiB to 1 GiB.
    Capacity {
        /// What was asked for, in bytes.
        bytes: u64,
    },
    /// The descriptor is not of memory that the kernel keeps from shrinking.
    NotSealed,
    /// The size of the memory is none that a segment has, or more than is taken.
    Size {
        /// The size found, in bytes.
        bytes: u64,
        /// The largest that is taken, in bytes.
        max: u64,
    },
    /// Its words are wrong.
    Damaged(ShmFault),
    /// As many readers as it takes.
    TooManyReaders,
    /// As many writers as it takes.
    TooManyWriters,
    /// Another writer has it for itself, and lives.
    Taken,
    /// It is closed: nothing is written any more.
    Closed,
    /// The system refuses.
    System {
        /// What was to be done.
        doing: &'static str,
        /// Why.
        cause: io::Error,
    },
}

#[cfg(not(loom))]
impl fmt::Display for ShmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity { bytes } => {
                write!(f, "a ring of {bytes} bytes cannot be made: take a power of two from 4 KiB to 1 GiB")
            }
            Self::NotSealed => f.write_str(
                "the descriptor is of no memory that is sealed against shrinking (`memfd_create`, `F_SEAL_SHRINK`): \
                 its other side could end this process by making it shorter, so it is not mapped",
            ),
            Self::Size { bytes, max } => {
                write!(f, "{bytes} bytes are no segment, or more than the {max} bytes that are taken here")
            }
            Self::Damaged(fault) => write!(f, "{fault}"),
            Self::TooManyReaders => {
                write!(f, "the segment has {} readers, which is as many as it takes", super::SHM_READERS_MAX)
            }
            Self::TooManyWriters => {
                write!(f, "the segment has {} writers, which is as many as it takes", super::SHM_WRITERS_MAX)
            }
            Self::Closed => f.write_str("the segment is closed, and nothing is written any more: make a new one"),
            Self::Taken => f.write_str(
                "another writer has the segment for itself: end it, or let all its writers be `ShmAccess::Shared`",
            ),
            Self::System { doing, cause } => write!(f, "cannot {doing}: {cause}"),
        }
    }
}

#[cfg(not(loom))]
impl std::error::Error for ShmError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Damaged(fault) => Some(fault),
            Self::System { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

#[cfg(not(loom))]
impl From<ShmFault> for ShmError {
    fn from(fault: ShmFault) -> Self {
        Self::Damaged(fault)
    }
}

/// A message was not written. The caller still has its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShmSendError {
    /// There is no room until a reader has read on.
    Full {
        /// The number of the reader that is farthest behind.
        reader: usize,
    },
    /// It is longer than this ring takes.
    TooLong {
        /// Its length, in bytes.
        len: usize,
        /// The longest, in bytes.
        max: usize,
    },
    /// Another writer lives and has not finished writing for a second: it is stopped.
    Busy,
    /// The segment is closed.
    Closed,
    /// The segment was overwritten.
    Damaged(ShmFault),
}

impl fmt::Display for ShmSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { reader } => write!(f, "the ring is full: reader {reader} has to read first"),
            Self::TooLong { len, max } => {
                write!(
                    f,
                    "{len} bytes are more than the {max} bytes that one message may have: make the ring larger"
                )
            }
            Self::Busy => {
                f.write_str("another writer of the segment lives and does not finish: it is stopped")
            }
            Self::Closed => f.write_str("the segment is closed"),
            Self::Damaged(fault) => write!(f, "{fault}"),
        }
    }
}

impl std::error::Error for ShmSendError {}

impl From<ShmFault> for ShmSendError {
    fn from(fault: ShmFault) -> Self {
        Self::Damaged(fault)
    }
}

/// Nothing can be read from this segment any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShmReadError {
    /// The segment was overwritten.
    Damaged(ShmFault),
    /// Writers have taken this reader for dead, or for damaged, and wait for it no more.
    Evicted,
}

impl fmt::Display for ShmReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(fault) => write!(f, "{fault}"),
            Self::Evicted => {
                f.write_str("the writers of the segment wait for this reader no more: become a new one")
            }
        }
    }
}

impl std::error::Error for ShmReadError {}

impl From<ShmFault> for ShmReadError {
    fn from(fault: ShmFault) -> Self {
        Self::Damaged(fault)
    }
}
