//! Values that many read and nobody changes: in memory while they are few, and in a file when they are many.
//!
//! A [`SpillWriter`] collects values. Those beyond its bound move into a file that has no name, which the
//! process alone has and the kernel deletes with it. The file is mapped, so the values stay one slice:
//! the kernel keeps in memory the pages that are used, and takes them back when memory is short.
//! [`SpillWriter::finish`] makes a [`SharedSlice`] of them, which costs no more to read than an `Arc<[T]>`,
//! and of which all clones are the same memory.
//!
//! ```
//! use mycelium_mailbox::spill::SpillWriter;
//!
//! // At most 1 KiB in memory.
//! let mut writer = SpillWriter::new(1024);
//! for number in 0..10_000_u64 {
//!     writer.push(number)?;
//! }
//! let numbers = writer.finish()?;
//! assert_eq!(numbers[9_999], 9_999);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Files are spilled on Linux. Elsewhere all values stay in memory, whatever the bound.
//!
//! # What it costs
//! Room for values is allocated on the disk before they are written, so a full disk is an error of
//! [`SpillWriter::push`]. A disk that fails to read a page later ends the process with SIGBUS, as it does
//! with each mapped file.
//!
//! The room is only as good as the file system's word. One that copies what it writes anew (Btrfs, ZFS), is
//! compressed or thinly provisioned, may promise room and lack it later: a full disk ends the process with
//! SIGBUS there. One that cannot reserve at all (NFS before 4.2) refuses, which is an error of `push`.
//!
//! A limit on the size of files (`ulimit -f`, RLIMIT_FSIZE) counts for this one. Beyond it the kernel sends
//! SIGXFSZ, which ends a process that does not ignore it; one that does has an error of `push`.
//!
//! The file is in the folder of the environment variable `TMPDIR`, or else in
//! `/var/tmp`, which is on a disk where `/tmp` may be memory.

#[cfg(target_os = "linux")]
mod mapped;
mod shared;
mod writer;

pub use shared::SharedSlice;
pub use writer::SpillWriter;
