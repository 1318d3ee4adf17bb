//! Collects values, first in memory and then in a file.

use std::fmt;
use std::io;

use super::SharedSlice;
#[cfg(target_os = "linux")]
use super::mapped::Growing;

enum SpillPlace<T> {
    Memory(Vec<T>),
    #[cfg(target_os = "linux")]
    File(Growing<T>),
}

/// Collects values that may be more than memory has.
///
/// ```
/// use mycelium_mailbox::spill::SpillWriter;
///
/// let mut writer = SpillWriter::new(1 << 20);
/// writer.push(2.5)?;
/// writer.push(1.5)?;
/// writer.as_mut_slice().sort_by(f64::total_cmp);
/// assert_eq!(*writer.finish()?, [1.5, 2.5]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SpillWriter<T> {
    place: SpillPlace<T>,
    /// Values that are kept in memory.
    memory_max: usize,
}

impl<T: Copy> SpillWriter<T> {
    /// Keeps at most so many bytes of values in memory. With none, all of them go to a file.
    #[must_use]
    pub fn new(memory_bytes_max: usize) -> Self {
        // Values without a size take no memory.
        let memory_max = memory_bytes_max.checked_div(size_of::<T>()).unwrap_or(usize::MAX);
        Self { place: SpillPlace::Memory(Vec::new()), memory_max }
    }

    /// Adds a value. `Ok` does not promise that it is on the disk: nobody could find it there.
    ///
    /// # Errors
    /// The file could not be made or does not get the room. All values before are still there, and this one
    /// is not. A limit on the size of files ends the process instead: see [the module](super).
    #[inline]
    pub fn push(&mut self, value: T) -> io::Result<()> {
        match &mut self.place {
            SpillPlace::Memory(values) if values.len() < self.memory_max => {
                values.push(value);
                Ok(())
            }
            #[cfg(target_os = "linux")]
            SpillPlace::File(growing) => growing.push(value),
            SpillPlace::Memory(_) => self.spill(value),
        }
    }

    #[cfg(target_os = "linux")]
    #[cold]
    fn spill(&mut self, value: T) -> io::Result<()> {
        if let SpillPlace::Memory(values) = &self.place {
            self.place = SpillPlace::File(Growing::with(values)?);
        }
        self.push(value)
    }

    #[cfg(not(target_os = "linux"))]
    fn spill(&mut self, value: T) -> io::Result<()> {
        let SpillPlace::Memory(values) = &mut self.place;
        values.push(value);
        Ok(())
    }

    /// The values so far.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match &self.place {
            SpillPlace::Memory(values) => values,
            #[cfg(target_os = "linux")]
            SpillPlace::File(growing) => growing.as_slice(),
        }
    }

    /// The values so far, to change or to sort in their place.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match &mut self.place {
            SpillPlace::Memory(values) => values,
            #[cfg(target_os = "linux")]
            SpillPlace::File(growing) => growing.as_mut_slice(),
        }
    }

    /// Forgets all but the first values.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.place {
            SpillPlace::Memory(values) => values.truncate(len),
            #[cfg(target_os = "linux")]
            SpillPlace::File(growing) => growing.truncate(len),
        }
    }

    /// The values, to share. Memory is copied once, a file is not.
    ///
    /// # Errors
    /// The system refuses to map the file.
    pub fn finish(self) -> io::Result<SharedSlice<T>> {
        Ok(match self.place {
            SpillPlace::Memory(values) => values.into(),
            #[cfg(target_os = "linux")]
            SpillPlace::File(growing) => match growing.as_slice().len() {
                0 => SharedSlice::default(),
                len => SharedSlice::sealed(growing.seal()?, len),
            },
        })
    }
}

/// Bytes are written to it as to a file: a write that finds room for some of them takes those, and only one
/// that takes none is an error, that of [`push`](SpillWriter::push).
impl io::Write for SpillWriter<u8> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (taken, byte) in bytes.iter().enumerate() {
            match self.push(*byte) {
                Ok(()) => {}
                Err(error) if taken == 0 => return Err(error),
                Err(_) => return Ok(taken),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<T: Copy + fmt::Debug> fmt::Debug for SpillWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}
