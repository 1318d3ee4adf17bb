//! The one place here that reads a file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::place::{Mistake, Source};

/// Reads a file of at most so many bytes, and no more of it. `what` is what a file of that kind describes.
///
/// # Errors
/// What the system says; a file that is larger; a named pipe, whose writer might never come.
pub fn read(path: &Path, bytes_max: u64, what: &str) -> io::Result<Vec<u8>> {
    if is_named_pipe(path) {
        let cause = "it is a named pipe and no file: write the text to a file first";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let cause = format!(
            "it has more than {bytes_max} bytes, the most that {what} has: see that it is the right file"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
    }
    Ok(bytes)
}

/// The text of a file.
///
/// ```
/// let mistake = mycelium_toml::text(b"[tree]\nid = \"\xff\"").unwrap_err();
/// assert_eq!(mistake.to_string(), "line 2, column 7: the byte 0xff is no UTF-8: save the file as UTF-8");
/// ```
///
/// # Errors
/// The first byte that is no UTF-8, with its place.
pub fn text(bytes: &[u8]) -> Result<&str, Mistake> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let good = std::str::from_utf8(good).unwrap_or_default();
        let cause = format!("the byte 0x{:02x} is no UTF-8: save the file as UTF-8", bad[0]);
        Source::new(good).mistake(&(good.len()..good.len()), cause)
    })
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
