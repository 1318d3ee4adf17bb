//! Where what lies in a segment: words of 64 bits, little-endian, named by their index.

use super::error::ShmFault;
use crate::sync::{Ordering, Word};

/// What a segment begins with.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"MYCELSHM");
/// The version of this layout.
pub(super) const VERSION: u64 = 1;

/// Readers that a segment has at the same time at most (readers).
#[cfg(not(loom))]
pub const SHM_READERS_MAX: usize = 64;
/// Writers that a segment has at the same time at most (writers).
#[cfg(not(loom))]
pub const SHM_WRITERS_MAX: usize = 64;
/// What two writers may have in common without slowing each other: two cache lines (words).
#[cfg(not(loom))]
const LINE: usize = 16;

// A model has to be small.
#[cfg(loom)]
pub(super) const SHM_READERS_MAX: usize = 2;
#[cfg(loom)]
pub(super) const SHM_WRITERS_MAX: usize = 2;
#[cfg(loom)]
const LINE: usize = 4;

const MAGIC_AT: usize = 0;
const VERSION_AT: usize = 1;
const CAPACITY_AT: usize = 2;
const SALT_AT: usize = 3;
/// The position up to which records can be read.
pub(super) const TAIL: usize = LINE;
/// The position of the last record, or of one a little before.
pub(super) const LAST: usize = LINE + 1;
/// Who writes: zero, or the lock and generation of a writer.
pub(super) const OWNER: usize = 2 * LINE;
/// The sequence of the record that comes next.
pub(super) const NEXT: usize = 2 * LINE + 1;
/// One: nothing is written any more.
pub(super) const CLOSED: usize = 2 * LINE + 2;
/// The position up to which a writer may be writing.
pub(super) const CLAIM: usize = 3 * LINE;
/// A bit for each reader that sleeps.
pub(super) const SLEEPERS: usize = 4 * LINE;
/// How writers wait for room.
pub(super) const ROOM_WAITS: usize = 5 * LINE;
/// What writers that wait for room sleep on.
pub(super) const ROOM_BELL: usize = 5 * LINE + 1;
/// A bit for each reader that may hold writers back.
pub(super) const GATES: usize = 6 * LINE;
const READERS: usize = 8 * LINE;
const WRITERS: usize = READERS + SHM_READERS_MAX * LINE;
/// The first word of the ring.
#[cfg(not(loom))]
pub(super) const DATA: usize = (WRITERS + SHM_WRITERS_MAX).next_multiple_of(512);
#[cfg(loom)]
pub(super) const DATA: usize = WRITERS + SHM_WRITERS_MAX;

/// Bytes in a word.
pub(super) const WORD: u64 = 8;
/// What stands before the bytes of a record (bytes).
pub(super) const RECORD_HEADER: u64 = 16;

/// The smallest and the largest ring (bytes).
#[cfg(not(loom))]
pub(super) const CAPACITY: std::ops::RangeInclusive<u64> = 4_096..=1 << 30;
#[cfg(loom)]
pub(super) const CAPACITY: std::ops::RangeInclusive<u64> = 128..=1 << 30;

/// The words of one reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReaderWords {
    /// Generation, and how it reads: see [`ReaderState`].
    pub(super) state: usize,
    /// The position up to which it has read.
    pub(super) cursor: usize,
    /// What it sleeps on.
    pub(super) bell: usize,
    /// How it is to be woken: [`FUTEX`] or [`CALL`].
    pub(super) kind: usize,
}

pub(super) fn reader_words(index: usize) -> ReaderWords {
    let at = READERS + index * LINE;
    ReaderWords { state: at, cursor: at + 1, bell: at + 2, kind: at + 3 }
}

/// The word with the generation of a writer.
pub(super) fn writer_word(index: usize) -> usize {
    WRITERS + index
}

/// Sleeps in the kernel.
pub(super) const FUTEX: u64 = 1;
/// Is woken by whoever calls `publish` or `commit`, in a way of their own.
pub(super) const CALL: u64 = 2;

/// The word `state` of a reader: `generation << 2 | kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReaderState(pub(super) u64);

impl ReaderState {
    pub(super) const FREE: u64 = 0;
    /// Writers wait for it.
    pub(super) const GATE: u64 = 1;
    /// Writers do not.
    pub(super) const LOSSY: u64 = 2;
    /// It was found dead, or to be where no reader can be.
    pub(super) const EVICTED: u64 = 3;

    pub(super) fn kind(self) -> u64 {
        self.0 & 3
    }

    pub(super) fn with(self, kind: u64) -> Self {
        Self(self.0 & !3 | kind)
    }

    /// The next holder's.
    pub(super) fn next(self, kind: u64) -> Self {
        Self((self.0 & !3).wrapping_add(4) | kind)
    }
}

/// What stays the same in the life of a segment. It is read once: what a hostile process writes there later
/// changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Bytes of the ring, a power of two.
    pub(super) capacity: u64,
    pub(super) salt: u32,
}

impl Geometry {
    /// As many words as a segment of this capacity has.
    pub(super) fn words(capacity: u64) -> usize {
        // At most 2^27.
        DATA + usize::try_from(capacity / WORD).unwrap_or(usize::MAX - DATA)
    }

    pub(super) fn is_capacity(capacity: u64) -> bool {
        capacity.is_power_of_two() && CAPACITY.contains(&capacity)
    }

    /// Makes fresh words a segment.
    pub(super) fn write(self, words: &[Word]) {
        for (at, value) in [
            (MAGIC_AT, MAGIC),
            (VERSION_AT, VERSION),
            (CAPACITY_AT, self.capacity),
            (SALT_AT, self.salt.into()),
        ] {
            words[at].store(value, Ordering::Relaxed);
        }
    }

    /// Reads what another process has made, which may be anything.
    pub(super) fn read(words: &[Word]) -> Result<Self, ShmFault> {
        if words.len() < DATA {
            return Err(ShmFault::Magic);
        }
        let [magic, version, capacity, salt] =
            [MAGIC_AT, VERSION_AT, CAPACITY_AT, SALT_AT].map(|at| words[at].load(Ordering::Relaxed));
        if magic != MAGIC {
            return Err(ShmFault::Magic);
        }
        if version != VERSION {
            return Err(ShmFault::Version { found: version });
        }
        if !Self::is_capacity(capacity) || Self::words(capacity) != words.len() {
            return Err(ShmFault::Capacity { found: capacity });
        }
        let salt = u32::try_from(salt).map_err(|_| ShmFault::Salt { found: salt })?;
        Ok(Self { capacity, salt })
    }

    /// The longest record (bytes).
    pub(super) fn longest(self) -> u64 {
        self.capacity / 4 - RECORD_HEADER
    }

    /// What a record of so many bytes takes in the ring (bytes).
    pub(super) fn room(len: u64) -> u64 {
        RECORD_HEADER + len.next_multiple_of(WORD)
    }

    /// The first word of a record: its length, and what tells that a record begins at this position.
    pub(super) fn head(self, at: u64, len: u32) -> u64 {
        let low = (at / WORD) as u32;
        u64::from(len) | u64::from(low ^ self.salt ^ len.rotate_left(16)) << 32
    }

    /// The length of the record of which this is the first word, if it is one.
    pub(super) fn len_of(self, at: u64, head: u64) -> Option<u64> {
        let len = head as u32;
        (self.head(at, len) == head && u64::from(len) <= self.longest()).then_some(u64::from(len))
    }

    /// The word of the ring at this position.
    pub(super) fn index(self, at: u64) -> usize {
        // Below 2^27.
        ((at & (self.capacity - 1)) / WORD) as usize
    }

    /// Whether a position can be one: no ring is ever written half of all the bytes that 64 bits count.
    pub(super) fn is_position(at: u64) -> bool {
        at.is_multiple_of(WORD) && at <= u64::MAX / 2
    }
}
