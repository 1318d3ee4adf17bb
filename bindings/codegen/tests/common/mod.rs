//! Files of the repository that tests read, hold against what is generated, and write anew.

use std::fs;
use std::path::{Path, PathBuf};

use mycelium_mailbox::rkyv::util::AlignedVec;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a committed file with what it should hold, or writes it when `MYCELIUM_BLESS` is set. `test` is
/// what writes it.
pub(crate) fn expect_file(path: &Path, wanted: &str, test: &str) {
    if std::env::var_os("MYCELIUM_BLESS").is_some() {
        fs::write(path, wanted).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    if found != wanted {
        let line = found.lines().zip(wanted.lines()).take_while(|(a, b)| a == b).count() + 1;
        panic!(
            "{} is out of date from line {line} on. Mend it with this, and run the tests again: {}",
            path.display(),
            mend(test)
        );
    }
}

/// The command that writes generated files anew.
pub(crate) fn mend(test: &str) -> String {
    format!("MYCELIUM_BLESS=1 cargo test -p mycelium-codegen --test {test}")
}

/// Bytes where they can be read in place.
pub(crate) fn aligned(bytes: &[u8]) -> AlignedVec {
    let mut buffer = AlignedVec::with_capacity(bytes.len());
    buffer.extend_from_slice(bytes);
    buffer
}
