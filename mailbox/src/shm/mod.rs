//! Shared memory: messages between processes of one user, without a system call as long as nobody sleeps.
//!
//! A [`ShmSegment`] is a ring in memory that has no name: a descriptor that one process hands to another,
//! over a Unix socket for example. Nothing of it is in a file system, so nothing is left behind when
//! processes are killed, and nobody can open or plant it there.
//!
//! ```
//! use mycelium_mailbox::shm::{ShmAccess, ShmMode, ShmSegment};
//! use std::os::fd::AsFd;
//!
//! let segment = ShmSegment::create(64 << 10)?;
//! let sent = segment.as_fd().try_clone_to_owned()?; // to another process,
//! let there = ShmSegment::from_fd(sent, 1 << 20)?; // which maps it
//! let mut reader = there.reader(ShmMode::Block)?;
//!
//! let mut writer = segment.writer(ShmAccess::Sole)?;
//! writer.send(b"bid 42")?;
//! assert_eq!(reader.read()?, Some(&b"bid 42"[..]));
//! assert_eq!(reader.read()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Protocol
//! All words are atomics of 64 bits, the bytes of messages among them: whatever another process writes, and
//! whenever, reading is defined. Positions count the bytes that were ever written, and only grow.
//!
//! | word | written by | |
//! |---|---|---|
//! | `TAIL` | the owner | up to here records can be read |
//! | `LAST` | the owner | where the last record begins, or one shortly before |
//! | `OWNER` | writers | zero, or which writer may write |
//! | `NEXT` | the owner | the sequence of the next record |
//! | `CLAIM` | the owner | up to here the owner may be writing |
//! | `SLEEPERS` | readers, the owner | a bit for each reader that sleeps |
//! | `GATES` | readers | a bit for each reader that holds writers back |
//! | `ROOM_WAITS`, `ROOM_BELL` | writers, readers | how writers wait for room |
//! | `CLOSED` | writers | nothing is written any more |
//! | of each reader: state, cursor, bell, kind | the reader; writers evict | |
//!
//! A record is a word with its length, mixed with its position and the segment's salt; a word with its
//! sequence; and its bytes, filled up to whole words.
//!
//! - **Own.** A writer becomes the owner by a compare-exchange of `OWNER` (`Acquire`) and gives it back by a
//!   store (`Release`): after each publish if it shares the ring, at its end if it has it for itself.
//! - **Claim.** Before the owner overwrites anything it stores in `CLAIM` how far it may go, a quarter of the
//!   ring at a time and never beyond the smallest cursor of the readers in `GATES` plus the capacity; then a
//!   release fence. A lossy reader looks at `CLAIM` behind an acquire fence after it has copied a record: if
//!   the copy holds a word that was written under a claim, it sees that claim (**sync point "lapped"**).
//! - **Publish.** Records are written, then `TAIL` is stored (`Release`, **sync point "record visible"**).
//!   Many records may be staged for one store. Readers load `TAIL` once for all that is there.
//! - **Enter.** A reader stores its cursor and its state and sets its bit in `GATES`, then, behind a
//!   sequentially consistent fence, loads `TAIL`: there it begins. An owner has such a fence between its last
//!   publish and its look at `GATES`. So either the owner sees the reader, or the reader begins at the
//!   owner's end or later, and a claim is at most one capacity beyond that (**sync point "entering"**). A
//!   cursor that is farther behind than a capacity is one of a reader that enters; it stops the owner, and
//!   nothing worse.
//! - **Sleep.** A reader sets its bit in `SLEEPERS`, and looks at `TAIL` again behind a fence; an owner
//!   looks at `SLEEPERS` behind a fence after each publish (**sync point "nobody sleeps"**). Likewise with
//!   `ROOM_WAITS` and cursors (**sync point "room"**). Nobody makes a system call for those who are awake.
//!
//! # Death
//! Each participant holds a lock of the kernel's on its own byte of the memory (an *open file description
//! lock*, `F_OFD_SETLK`). It gives it back when it leaves; the kernel does so when the last descriptor is
//! closed, which is after the last thread of a process has run its last instruction. So a free lock says
//! that its holder writes no more; no number of a process is compared for that, none can be taken for
//! another's, and it holds across containers. A process that forks without executing another program leaves
//! its child a descriptor: until the child ends or closes it, its parent's death is not seen. The child has
//! no part in the place, and gives nothing back when it drops its copy. The same locks decide who gets which
//! place. A place is used again under a new generation, so that an eviction that was meant for its last
//! holder fails.
//!
//! - A **writer** that dies before its store of `TAIL` has written nothing that anybody reads: its successor
//!   writes over it. One that dies after it has published. Its successor takes `OWNER` over by a
//!   compare-exchange from the dead owner's value, which bears a generation, and counts on from the records
//!   themselves, because `NEXT` may say too much.
//! - A **reader** that dies holds writers back until one of them finds the ring full: it asks the kernel
//!   whether the one in its way lives, and goes on without the dead. One that tries again and again asks at
//!   its first try and then seldom.
//! - A process that dies between its store and its system call would leave others asleep: they sleep at most
//!   20 ms.
//!
//! A process that was *stopped* is not dead. Stopped as owner of a shared ring it makes other writers wait,
//! who say so ([`ShmSendError::Busy`]); as a reader under `Block` it makes the ring full.
//!
//! # Trust
//! Nobody trusts what is in the segment. Its size is fixed by seals of the kernel, so that no peer can end a
//! process with SIGBUS by making it shorter. The kernel itself does where it has no page left for one that
//! is touched first (`vm.overcommit_memory=2`, a limit of the container). Its geometry is read once; every
//! position, length and sequence is checked before it is used, and a record after it was copied. A value
//! that cannot be is a named [`ShmFault`]. A process that may write to a segment can still write messages of
//! its own, or close it: all of them are the same user's.
//!
//! `tests.rs` compares random use with a plain model, `tests/damage.rs` overwrites every word, `kills.rs`
//! kills processes at every `Point`, and `models.rs` has the models for loom. In a model the kernel's locks
//! are flags.

mod error;
// A model uses the protocol alone.
#[cfg_attr(loom, allow(dead_code))]
mod layout;
mod memory;
#[cfg_attr(loom, allow(dead_code))]
mod read;
#[cfg_attr(loom, allow(dead_code))]
mod write;

#[cfg(all(test, not(loom)))]
mod kills;
#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
mod mapping;
#[cfg(not(loom))]
mod segment;

pub use self::error::{ShmFault, ShmReadError, ShmSendError};
pub use self::read::ShmWaited;

#[cfg(not(loom))]
pub use self::{
    error::ShmError,
    layout::{SHM_READERS_MAX, SHM_WRITERS_MAX},
    segment::{ShmAccess, ShmMode, ShmReader, ShmSegment, ShmWriter},
};
