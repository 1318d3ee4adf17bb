//! Segments, and those who write and read there.

use std::fmt;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, ftruncate, memfd_create};
use rustix::process::{Resource, getrlimit};

use super::error::{ShmError, ShmReadError, ShmSendError};
use super::layout::{CALL, Geometry, SHM_READERS_MAX, SHM_WRITERS_MAX};
use super::mapping::{Mapping, Participant, system};
use super::memory::SharedWords;
use super::read::{ReaderCore, ShmWaited};
use super::write::{WriterCore, writer_lock};

/// Whether a writer has a ring for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShmAccess {
    /// No other writer writes as long as this one lives.
    Sole,
    /// Writers take turns, each for what it stages before a publish. It costs two more atomic instructions.
    Shared,
}

/// What happens to a reader that is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShmMode {
    /// Writers wait for it: it gets everything that is published after it has entered.
    Block,
    /// Writers do not know of it: it goes on with the last message, and counts what it has missed.
    Lossy,
}

/// A ring of messages in memory that processes share: see the [module](super).
pub struct ShmSegment {
    file: OwnedFd,
    mapping: Arc<Mapping>,
    geometry: Geometry,
}

/// An error if a file of this process may not have so many bytes: the kernel would end it by SIGXFSZ.
fn check_file_size(bytes: u64) -> Result<(), ShmError> {
    let most = getrlimit(Resource::Fsize).current;
    let Some(most) = most.filter(|most| *most < bytes) else { return Ok(()) };
    let cause = format!(
        "it takes {bytes} bytes, and a file of this process may have {most} (RLIMIT_FSIZE): raise it (`ulimit -f`, \
         LimitFSIZE=), or take a smaller ring"
    );
    let cause = io::Error::new(io::ErrorKind::FileTooLarge, cause);
    Err(ShmError::System { doing: "make memory to share", cause })
}

impl ShmSegment {
    /// Makes one, with a ring of `capacity` bytes, a power of two. A message takes 16 bytes more than it has,
    /// rounded up to 8, and at most a quarter of the ring. Memory is taken as it is first written.
    ///
    /// # Errors
    /// The capacity is none, or the system refuses, also where files may not be so long (RLIMIT_FSIZE).
    pub fn create(capacity: u64) -> Result<Self, ShmError> {
        if !Geometry::is_capacity(capacity) {
            return Err(ShmError::Capacity { bytes: capacity });
        }
        let bytes = Geometry::words(capacity) as u64 * 8;
        check_file_size(bytes)?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("mycelium", flags).map_err(system("make memory to share"))?;
        ftruncate(&file, bytes).map_err(system("make memory to share"))?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals).map_err(system("seal memory to share"))?;
        // The number of the file is another one for each segment that exists.
        let salt = fstat(&file).map_err(system("look at memory to share"))?.st_ino as u32;
        let mapping = Arc::new(Mapping::of(file.as_fd(), bytes)?);
        let geometry = Geometry { capacity, salt };
        geometry.write(mapping.words());
        Ok(Self { file, mapping, geometry })
    }

    /// Maps one that another process has made, if it has at most `bytes_max` bytes and is sealed against
    /// shrinking.
    ///
    /// # Errors
    /// It is no segment, or one that could end this process, or the system refuses.
    pub fn from_fd(file: OwnedFd, bytes_max: u64) -> Result<Self, ShmError> {
        let mapping = Arc::new(Mapping::of(file.as_fd(), bytes_max)?);
        let geometry = Geometry::read(mapping.words())?;
        Ok(Self { file, mapping, geometry })
    }

    /// Bytes of the ring.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.geometry.capacity
    }

    /// Becomes a writer.
    ///
    /// # Errors
    /// [`ShmError::Taken`], at once, where this one wants to be [`ShmAccess::Sole`] and another one writes.
    /// Where the other one is `Sole`, a `Shared` one is made, and its sends say [`ShmSendError::Busy`].
    /// [`ShmError::Closed`], [`ShmError::TooManyWriters`], [`ShmError::Damaged`], or the system refuses.
    pub fn writer(&self, access: ShmAccess) -> Result<ShmWriter, ShmError> {
        let locks = (0..SHM_WRITERS_MAX).map(writer_lock);
        let (participant, lock) =
            Participant::new(&self.mapping, self.file.as_fd(), locks)?.ok_or(ShmError::TooManyWriters)?;
        let sole = access == ShmAccess::Sole;
        let mut core = WriterCore::new(participant, self.geometry, lock - writer_lock(0), sole);
        if sole {
            core.own().map_err(|error| match error {
                ShmSendError::Damaged(fault) => ShmError::Damaged(fault),
                ShmSendError::Closed => ShmError::Closed,
                _ => ShmError::Taken,
            })?;
        }
        Ok(ShmWriter { core })
    }

    /// Becomes a reader, of what is published from now on.
    ///
    /// # Errors
    /// [`ShmError::TooManyReaders`], [`ShmError::Damaged`], or the system refuses.
    pub fn reader(&self, mode: ShmMode) -> Result<ShmReader, ShmError> {
        let (participant, lock) = Participant::new(&self.mapping, self.file.as_fd(), 0..SHM_READERS_MAX)?
            .ok_or(ShmError::TooManyReaders)?;
        let core = ReaderCore::new(participant, self.geometry, lock, mode == ShmMode::Lossy)?;
        Ok(ShmReader { core, rest: 0..0 })
    }

    /// All of it, as a test overwrites it.
    #[cfg(test)]
    pub(super) fn parts(&self) -> (&Arc<Mapping>, Geometry) {
        (&self.mapping, self.geometry)
    }
}

impl AsFd for ShmSegment {
    /// What another process needs to take part: see [`ShmSegment::from_fd`].
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Writes messages into a segment.
///
/// Dropped, it leaves what it has staged and not published.
pub struct ShmWriter {
    core: WriterCore<Participant>,
}

impl ShmWriter {
    /// Writes a message and publishes it. `Ok` says that readers can read it, and not that one has.
    ///
    /// # Errors
    /// Nothing was written: see [`ShmSendError`]. This waits for another writer at most; wait for room with
    /// [`ShmWriter::wait_room`].
    #[inline]
    pub fn send(&mut self, message: &[u8]) -> Result<(), ShmSendError> {
        self.core.stage(message)?;
        self.core.publish();
        Ok(())
    }

    /// Writes a message that [`ShmWriter::publish`] will show to readers, together with others. A ring that
    /// is shared is this writer's until then.
    ///
    /// # Errors
    /// As [`ShmWriter::send`]. When the ring is full, what was staged is published.
    #[inline]
    pub fn stage(&mut self, message: &[u8]) -> Result<(), ShmSendError> {
        self.core.stage(message)
    }

    /// Shows readers what is staged, and wakes those that sleep.
    #[inline]
    pub fn publish(&mut self) {
        self.core.publish();
    }

    /// Waits until a message of so many bytes has room, or the segment is closed: spinning for `spin`, then
    /// asleep, for `limit` in all. Whether that is so; others may be quicker to use it. Readers that have
    /// died are let go. Staged records are published before, if the ring is shared.
    pub fn wait_room(&mut self, len: usize, spin: Duration, limit: Duration) -> bool {
        self.core.wait_room(len as u64, spin, limit)
    }

    /// For a writer that waits in a way of its own, such as for a socket: says that it waits for room for so
    /// many bytes. If there is some already, this returns `true`, and it need not wait. Otherwise the reader
    /// that makes room finds [`ShmReader::take_calls`] true. A reader that dies calls nobody.
    pub fn arm(&mut self, len: usize) -> bool {
        self.core.arm(CALL, len as u64)
    }

    /// Whether a reader that waits in a way of its own ([`ShmReader::arm`]) has something to read now, and is
    /// to be told; `true` once.
    pub fn take_calls(&mut self) -> bool {
        self.core.take_calls()
    }

    /// Lets go of readers that have died; how many. A writer that waits for room does so itself.
    pub fn release_dead(&mut self) -> usize {
        self.core.release_dead()
    }

    /// Publishes what is staged and closes the segment for good: readers get what is in it, and then
    /// [`ShmWaited::Closed`].
    pub fn close(&mut self) {
        self.core.close();
    }

    /// Whether the segment is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// The longest message that the ring takes, in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.core.longest()
    }

    /// Goes as one whose process is killed: nothing is said, and the kernel frees its lock.
    #[cfg(test)]
    pub(super) fn die(self) {
        self.core.memory.unlock();
        std::mem::forget(self);
    }
}

impl Drop for ShmWriter {
    fn drop(&mut self) {
        if self.core.memory.is_own() {
            self.core.leave();
        }
    }
}

/// Reads messages from a segment.
pub struct ShmReader {
    core: ReaderCore<Participant>,
    /// What [`ShmReader::read_bytes`] has left of the last message.
    rest: Range<usize>,
}

impl ShmReader {
    /// The next message, if there is one: a copy, which no other process can change. Writers learn from time
    /// to time, and when there is none left, how far this reader is.
    ///
    /// # Errors
    /// The segment was overwritten, or this reader evicted. The same error comes again at each later call.
    #[inline]
    pub fn read(&mut self) -> Result<Option<&[u8]>, ShmReadError> {
        self.rest = 0..0;
        self.core.skip_part();
        self.core.read()
    }

    /// Reads messages as a stream of bytes, as many as `to` takes of the one that is next: zero if there is
    /// none.
    ///
    /// # Errors
    /// As [`ShmReader::read`], and where a message is empty ([`ShmFault::Empty`](super::ShmFault::Empty)),
    /// which none of a stream is.
    pub fn read_bytes(&mut self, to: &mut [u8]) -> Result<usize, ShmReadError> {
        if self.rest.is_empty() && !self.core.is_lossy() {
            let count = self.core.read_part(to)?;
            if count > 0 || to.is_empty() {
                return Ok(count);
            }
            // There is nothing, or a rest for which `to` is too short.
            self.rest = 0..self.core.read_rest();
        } else if self.rest.is_empty() {
            let Some(len) = self.core.read()?.map(<[u8]>::len) else { return Ok(0) };
            if len == 0 {
                return Err(self.core.refuse_empty());
            }
            self.rest = 0..len;
        }
        let bytes = &self.core.last()[self.rest.clone()];
        let count = bytes.len().min(to.len());
        to[..count].copy_from_slice(&bytes[..count]);
        self.rest.start += count;
        Ok(count)
    }

    /// Whether the segment is closed, and all of it is read.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.rest.is_empty() && self.core.is_finished()
    }

    /// Whether there is something to read, or nothing will ever be again: a look that reads a word or two,
    /// for who looks again and again.
    #[inline]
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.rest.is_empty() || self.core.has_news()
    }

    /// Whether there is something to read. For who looks without a pause: the word that says whether anything
    /// will ever come lies beside one that the writer writes for each message.
    #[inline]
    #[must_use]
    pub fn has_bytes(&self) -> bool {
        !self.rest.is_empty() || self.core.has_record()
    }

    /// Waits until there is something to read: spinning for `spin`, then asleep, for `limit` in all.
    pub fn wait(&mut self, spin: Duration, limit: Duration) -> ShmWaited {
        self.core.wait(spin, limit)
    }

    /// For a reader that waits in a way of its own, such as for a socket: says that it sleeps. If there is
    /// something to read already, or the segment is closed, this returns `true`, and it need not sleep.
    /// Otherwise the writer that publishes next finds [`ShmWriter::take_calls`] true. A writer that dies
    /// calls nobody.
    pub fn arm(&mut self) -> bool {
        self.core.arm(CALL)
    }

    /// Takes back what [`ShmReader::arm`] has said.
    pub fn disarm(&mut self) {
        self.core.disarm();
    }

    /// Tells writers how far this reader is.
    pub fn commit(&mut self) {
        self.core.commit();
    }

    /// Whether a writer that waits in a way of its own ([`ShmWriter::arm`]) has room now, and is to be told;
    /// `true` once.
    pub fn take_calls(&mut self) -> bool {
        self.core.take_calls()
    }

    /// How many messages this reader has missed, as far as those that it has read tell. Zero unless it is
    /// [`ShmMode::Lossy`].
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.core.missed()
    }

    /// Whether nothing is written any more. There may still be something to read.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Whether a writer of the segment lives. Another one may come.
    #[must_use]
    pub fn has_writer(&self) -> bool {
        (0..SHM_WRITERS_MAX).any(|index| self.core.memory.lives(writer_lock(index)))
    }

    /// Goes as one whose process is killed: nothing is said, and the kernel frees its lock.
    #[cfg(test)]
    pub(super) fn die(self) {
        self.core.memory.unlock();
        std::mem::forget(self);
    }
}

impl Drop for ShmReader {
    fn drop(&mut self) {
        if self.core.memory.is_own() {
            self.core.leave();
        }
    }
}

impl fmt::Debug for ShmSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShmSegment").field("capacity", &self.geometry.capacity).finish_non_exhaustive()
    }
}

impl fmt::Debug for ShmWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShmWriter").field("longest", &self.longest()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ShmReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShmReader").field("missed", &self.missed()).finish_non_exhaustive()
    }
}
