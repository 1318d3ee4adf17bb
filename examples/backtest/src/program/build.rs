//! Which build of a program this is: a row that another version of the code has made is none of the same
//! search.

use std::fs::File;
use std::hash::Hasher as _;
use std::io::Read as _;
use std::sync::OnceLock;

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// A digest of the file that this process runs: 16 hexadecimal digits, or `unknown` where it cannot be read.
pub(super) fn digest() -> &'static str {
    static DIGEST: OnceLock<String> = OnceLock::new();
    DIGEST.get_or_init(|| of_this().map_or_else(|_| "unknown".to_owned(), |digest| format!("{digest:016x}")))
}

fn of_this() -> std::io::Result<u64> {
    let mut file = File::open(std::env::current_exe()?)?;
    // The same file has the same standard library, so its hash is the same on each machine.
    let mut hasher = std::hash::DefaultHasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.write(&chunk[..count]);
    }
}
