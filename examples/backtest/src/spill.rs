//! Rows and curves that memory does not keep. See [`mycelium::sweep::SpillWriter`].

use std::io;

use mycelium::sweep::{SharedSlice, SpillWriter};

use crate::limits::MEMORY_BYTES_MAX;

/// A writer with the bound of this crate.
pub(crate) fn writer<T: Copy>() -> SpillWriter<T> {
    SpillWriter::new(MEMORY_BYTES_MAX)
}

/// All of these values, in a file if there are many.
pub(crate) fn collect<T: Copy>(values: impl IntoIterator<Item = T>) -> io::Result<SharedSlice<T>> {
    let mut writer = writer();
    for value in values {
        writer.push(value)?;
    }
    writer.finish()
}
