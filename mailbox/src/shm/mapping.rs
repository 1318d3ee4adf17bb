//! Memory that processes share, and the locks on it. All `unsafe` of shared memory is here.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags, SealFlags, fcntl_get_seals, fstat, fstatfs, open};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::thread::futex;

use super::error::ShmError;
use super::memory::SharedWords;
use crate::sync::{FutexWord, Word};

/// What `fstatfs` calls the file system of `memfd_create`. Not that of huge pages, which can run out while
/// they are touched.
const TMPFS: u64 = 0x0102_1994;

pub(super) fn system(doing: &'static str) -> impl FnOnce(rustix::io::Errno) -> ShmError {
    move |cause| ShmError::System { doing, cause: cause.into() }
}

/// A mapped segment.
pub(super) struct Mapping {
    start: NonNull<Word>,
    words: usize,
}

// SAFETY: it is memory that lives as long as this value, and everything in it is an atomic.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps sealed memory of at most so many bytes.
    pub(super) fn of(fd: BorrowedFd<'_>, max: u64) -> Result<Self, ShmError> {
        // The seals cannot be taken back, so that what is found here stays.
        let seals = fcntl_get_seals(fd).map_err(|_| ShmError::NotSealed)?;
        let kind = fstatfs(fd).map_err(system("look at the descriptor of a segment"))?.f_type;
        if !seals.contains(SealFlags::SHRINK) || u64::try_from(kind) != Ok(TMPFS) {
            return Err(ShmError::NotSealed);
        }
        let found = fstat(fd).map_err(system("look at the descriptor of a segment"))?;
        let bytes = u64::try_from(found.st_size).unwrap_or(0);
        let len = usize::try_from(bytes).unwrap_or(usize::MAX);
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile
            || bytes == 0
            || bytes > max
            || !bytes.is_multiple_of(8)
        {
            return Err(ShmError::Size { bytes, max });
        }
        // SAFETY: a new mapping at a place that the kernel chooses; nothing of this process lies there.
        let start = unsafe {
            mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0)
        };
        let start = start.map_err(system("map a segment"))?;
        // The kernel never maps at zero unless it is asked to.
        let start = NonNull::new(start.cast()).ok_or(ShmError::Size { bytes, max })?;
        Ok(Self { start, words: len / 8 })
    }

    pub(super) fn words(&self) -> &[Word] {
        // SAFETY: the mapping has so many words, is aligned to pages, lives as long as `self`, and cannot
        // shrink, by its seal; any bytes are a valid atomic, and what other processes do to them are stores
        // of the machine, as those of a thread are.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and every reference into it borrows `self`.
        let _mapped = unsafe { munmap(self.start.as_ptr().cast(), self.words * 8) };
    }
}

/// One participant: the segment, and a description of its file of its own, on which its lock is.
pub(super) struct Participant {
    mapping: Arc<Mapping>,
    file: OwnedFd,
    lock: usize,
    /// The process that has made it.
    process: u32,
}

impl Participant {
    /// `None`: all these locks are held.
    pub(super) fn new(
        mapping: &Arc<Mapping>,
        segment: BorrowedFd<'_>,
        locks: impl IntoIterator<Item = usize>,
    ) -> Result<Option<(Self, usize)>, ShmError> {
        let path = format!("/proc/self/fd/{}", segment.as_raw_fd());
        let file = open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(system("open a segment a second time, by /proc/self/fd"))?;
        for lock in locks {
            if try_lock(file.as_fd(), lock)
                .map_err(|cause| ShmError::System { doing: "lock a place in a segment", cause })?
            {
                let (mapping, process) = (Arc::clone(mapping), std::process::id());
                return Ok(Some((Self { mapping, file, lock, process }, lock)));
            }
        }
        Ok(None)
    }

    /// Gives its place back. A child that was forked meanwhile has a descriptor of the same description until
    /// it executes its program, and the kernel would keep the lock for as long.
    pub(super) fn unlock(&self) {
        let mut region = region(self.lock);
        region.l_type = libc::F_UNLCK as libc::c_short;
        // SAFETY: the descriptor is open, and the kernel reads the structure that this command takes.
        let _given_back = unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_OFD_SETLK, &raw const region) };
    }

    /// Whether this process has made it: a child that was forked has a copy, and no part in it.
    pub(super) fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    /// What a child that is forked has of it.
    #[cfg(test)]
    pub(super) fn inherited(&self) -> OwnedFd {
        self.file.try_clone().unwrap()
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        if self.is_own() {
            self.unlock();
        }
    }
}

impl SharedWords for Participant {
    #[inline(always)]
    fn words(&self) -> &[Word] {
        self.mapping.words()
    }

    fn lives(&self, lock: usize) -> bool {
        // Without an answer, nobody is taken for dead.
        is_held(self.file.as_fd(), lock).unwrap_or(true)
    }

    fn sleep(&self, word: usize, seen: u64, at_most: Duration) {
        let at_most = futex::Timespec::try_from(at_most).ok();
        // The caller looks again, whatever it returns.
        let _woken = futex::wait(self.futex(word), futex::Flags::empty(), seen as u32, at_most.as_ref());
    }

    fn wake(&self, word: usize) {
        // i32::MAX: all of them. It fails for no address that is mapped.
        let _woken = futex::wake(self.futex(word), futex::Flags::empty(), i32::MAX as u32);
    }
}

impl Participant {
    /// The lower half of a word.
    fn futex(&self, word: usize) -> &FutexWord {
        let word = &self.words()[word];
        // SAFETY: the word lives as long as `self`, and its lower half, which comes first on a little-endian
        // machine, is as aligned as it is. Only the kernel reads it by this reference.
        unsafe { FutexWord::from_ptr(word.as_ptr().cast()) }
    }
}

const _: () = assert!(cfg!(target_endian = "little") && size_of::<Word>() == 8);

fn region(lock: usize) -> libc::flock {
    // SAFETY: the structure is numbers, for which zero is a value.
    let mut region: libc::flock = unsafe { std::mem::zeroed() };
    region.l_type = libc::F_WRLCK as libc::c_short;
    region.l_whence = libc::SEEK_SET as libc::c_short;
    region.l_start = lock as libc::off_t;
    region.l_len = 1;
    region
}

/// Takes a lock for this description of the file. Whether it was free.
fn try_lock(file: BorrowedFd<'_>, lock: usize) -> io::Result<bool> {
    let region = region(lock);
    // SAFETY: the descriptor is open, and the kernel reads the structure that this command takes.
    let taken = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const region) };
    if taken == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

/// Whether another description of the file holds it.
fn is_held(file: BorrowedFd<'_>, lock: usize) -> io::Result<bool> {
    let mut region = region(lock);
    // SAFETY: the descriptor is open, and the kernel reads and writes the structure that this command takes.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut region) };
    if asked == 0 {
        Ok(region.l_type != libc::F_UNLCK as libc::c_short)
    } else {
        Err(io::Error::last_os_error())
    }
}
