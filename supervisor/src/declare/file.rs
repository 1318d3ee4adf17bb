//! The one place here that reads a file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The largest file that declares a tree, in bytes.
pub const TREE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads a file that declares a tree, and no more of it than such a file may have.
///
/// # Errors
/// What the system says; a file larger than [`TREE_BYTES_MAX`]; a named pipe, whose writer might never come.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    if is_named_pipe(path) {
        let cause = "it is a named pipe and no file: write the text to a file first";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(TREE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TREE_BYTES_MAX {
        let cause = format!("it has more than {TREE_BYTES_MAX} bytes, the most that a declared tree has");
        return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
    }
    Ok(bytes)
}

/// What a shell puts in the place of a file, as in `<(command)`, is a link to a pipe that has its writer.
fn is_named_pipe(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
