//! A file without a name, mapped. All `unsafe` of files that hold values is here and in `shared.rs`.
//!
//! The file is made without a name, or loses it at once, so nobody else opens it, and nothing of this process
//! but a mapping has its descriptor once it is [`Sealed`]. So the memory behaves as an allocation does: only
//! who has the value writes or reads it.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::ptr::NonNull;

use rustix::fs::{FallocateFlags, fallocate, ftruncate};
use rustix::io::retry_on_intr;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Least room that a file grows by.
const GROWTH_BYTES_MIN: usize = 1 << 24;

/// Bytes of a page, at the start of which a mapping begins: the smallest of any machine.
const PAGE_BYTES_MIN: usize = 4096;

/// Some bytes of a file in memory.
struct MappedPages {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it is memory that lives as long as this value; who may touch it is decided by those that hold it.
unsafe impl Send for MappedPages {}
// SAFETY: as above: it gives no access to the memory by itself.
unsafe impl Sync for MappedPages {}

impl MappedPages {
    /// The first bytes of a file, more than none, which it has.
    fn of(file: &File, bytes: usize, access: ProtFlags) -> io::Result<Self> {
        // SAFETY: a new mapping at a place that the kernel chooses; nothing of this process lies there.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, access, MapFlags::SHARED, file, 0) };
        let start = NonNull::new(start.map_err(io::Error::from)?.cast());
        // The kernel never maps at zero unless it is asked to.
        Ok(Self { start: start.ok_or(io::ErrorKind::OutOfMemory)?, bytes })
    }
}

impl Drop for MappedPages {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and every reference into it borrows what holds it.
        let _unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// Values in a file that can still grow.
pub(super) struct Growing<T> {
    file: File,
    mapping: MappedPages,
    /// Values for which the file has room, all of which is mapped.
    capacity: usize,
    len: usize,
    values: PhantomData<T>,
}

impl<T: Copy> Growing<T> {
    /// A file with these values, and room for more.
    pub(super) fn with(values: &[T]) -> io::Result<Self> {
        const { assert!(align_of::<T>() <= PAGE_BYTES_MIN) };
        let folder = folder();
        let at = |error: io::Error| beside(&folder, &error);
        let file = tempfile::tempfile_in(&folder).map_err(at)?;
        let bytes = grown::<T>(size_of_val(values)).map_err(at)?;
        let mapping = with_room(&file, bytes).map_err(at)?;
        let capacity = room::<T>(bytes);
        let mut growing = Self { file, mapping, capacity, len: 0, values: PhantomData };
        for value in values {
            growing.push(*value)?;
        }
        Ok(growing)
    }

    #[inline]
    pub(super) fn push(&mut self, value: T) -> io::Result<()> {
        if self.len == self.capacity {
            self.grow()?;
        }
        // SAFETY: `len` is below `capacity`, as `grow` asserts, and the mapping has room for so many values.
        let place = unsafe { self.start().add(self.len) };
        // SAFETY: the place is within the mapping, which is aligned to pages; `&mut self` has it alone,
        // because the file is that of this value alone.
        unsafe { place.write(value) };
        self.len += 1;
        Ok(())
    }

    /// Apart, because it is rare.
    #[cold]
    fn grow(&mut self) -> io::Result<()> {
        let at = |error: io::Error| beside(&folder(), &error);
        let bytes = grown::<T>(self.capacity * size_of::<T>()).map_err(at)?;
        // The old mapping goes with the assignment. The written values are in the file, which both show.
        self.mapping = with_room(&self.file, bytes).map_err(at)?;
        self.capacity = room::<T>(bytes);
        assert!(self.len < self.capacity, "the file has no room for one more value");
        Ok(())
    }

    fn start(&self) -> *mut T {
        self.mapping.start.as_ptr().cast()
    }

    pub(super) fn as_slice(&self) -> &[T] {
        // SAFETY: so many values were written by `push`, and nobody writes while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as in `as_slice`, and `&mut self` has them alone.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.len) }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The same values, more than none, for reading alone. The file gives back the room that it has not used.
    pub(super) fn seal(self) -> io::Result<Sealed> {
        let bytes = self.len * size_of::<T>();
        // The mapping that is written through goes first: nothing of it is beyond the end of the file.
        drop(self.mapping);
        retry_on_intr(|| ftruncate(&self.file, bytes as u64)).map_err(io::Error::from)?;
        Ok(Sealed(MappedPages::of(&self.file, bytes, ProtFlags::READ)?))
    }
}

/// Values in a file that does not change any more.
pub(super) struct Sealed(MappedPages);

impl Sealed {
    /// Where they begin.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.0.start
    }
}

/// Gives a file this size and the room for it on the disk, and maps it for writing.
fn with_room(file: &File, bytes: usize) -> io::Result<MappedPages> {
    // Without the room, a store into the mapping would end the process when the disk is full.
    retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, bytes as u64)).map_err(io::Error::from)?;
    MappedPages::of(file, bytes, ProtFlags::READ | ProtFlags::WRITE)
}

/// How many values have room in so many bytes. Those without a size never come here.
fn room<T>(bytes: usize) -> usize {
    bytes.checked_div(size_of::<T>()).unwrap_or(usize::MAX)
}

/// The size of a file that has so many bytes of values and is to take one more at least.
fn grown<T>(bytes: usize) -> io::Result<usize> {
    let more = (bytes / 4).max(GROWTH_BYTES_MIN).max(size_of::<T>());
    bytes
        .checked_add(more)
        .filter(|bytes| isize::try_from(*bytes).is_ok())
        .ok_or(io::ErrorKind::FileTooLarge.into())
}

/// Where files are made.
fn folder() -> PathBuf {
    match std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => folder.into(),
        None => "/var/tmp".into(),
    }
}

fn beside(folder: &std::path::Path, error: &io::Error) -> io::Error {
    let folder = folder.display();
    io::Error::new(
        error.kind(),
        format!("no file for what memory does not keep, in {folder}: {error}; name another folder by TMPDIR"),
    )
}
