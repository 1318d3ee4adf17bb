//! `contracts.yaml`: parsing, checking, layout and digests.
//!
//! Text goes in, a checked [`Contract`] comes out, or [`Errors`] that say what is wrong, where, and how to
//! mend it. Everything here is pure, apart from [`Contract::read`], and takes bounded time and memory
//! whatever the input: see [`limits`].
//!
//! ```
//! use mycelium_contract::{Contract, Layouts};
//!
//! let contract = Contract::parse(
//!     "schema: {id: acme.trading, version: 1}
//! domains: [market_data]
//! tag_ranges: {market_data: [100, 199]}
//! messages:
//!   Trade:
//!     tlv_type: 100
//!     topic: market.trades
//!     domain: market_data
//!     fields: {at: Timestamp, price: f64, quantity: u32}
//! ",
//!     "contracts.yaml",
//! )?;
//! let trade = contract.message("Trade").unwrap();
//! let record = Layouts::of(&contract).record(&trade.fields);
//! assert_eq!((record.layout.size, record.offsets), (24, vec![0, 8, 16]));
//! # Ok::<(), mycelium_contract::Errors>(())
//! ```
#![forbid(unsafe_code)]
// A type in a public signature can be named, and so matched and kept.
#![warn(unnameable_types)]

mod breaking;
mod check;
mod code;
mod diagnostic;
mod digest;
mod grown;
mod layout;
pub mod limits;
mod model;
mod table;
mod yaml;

use std::io::Read;
use std::path::Path;

pub use breaking::{Change, Severity, breaking};
pub use check::graph::Def;
pub use code::Code;
pub use diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Errors};
pub use digest::Digests;
pub use grown::GrownEnums;
pub use layout::{Layout, Layouts, Record};
pub use model::{
    Contract, DecimalValue, Domain, EnumDef, Field, Message, Pos, Retain, Rule, Schema, StructDef, TagRange,
    Type, Value, Variant,
};

impl Contract {
    /// Reads and checks the text of a contract file. `file` is what errors call it; nothing is opened.
    ///
    /// # Errors
    /// All mistakes found, at most [`DIAGNOSTICS_MAX`] of them in full. A mistake of YAML itself hides the
    /// others.
    pub fn parse(text: &str, file: &str) -> Result<Contract, Errors> {
        // A byte order mark is no part of the first line, whose columns are counted behind it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let root = yaml::parse(text, file)?;
        check::check(&root, text, file)
    }

    /// As [`Contract::parse`], of bytes that may not be UTF-8.
    ///
    /// # Errors
    /// As [`Contract::parse`], and [`Code::NOT_UTF8`].
    pub fn parse_bytes(bytes: &[u8], file: &str) -> Result<Contract, Errors> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Contract::parse(text, file),
            Err(error) => {
                let (good, bad) = bytes.split_at(error.valid_up_to());
                let good = std::str::from_utf8(good).unwrap_or_default();
                let last = good.rsplit('\n').next().unwrap_or_default();
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let at = Pos {
                    line: count(good.matches('\n').count() + 1),
                    column: count(last.chars().count() + 1),
                };
                let cause = format!("the file is not UTF-8: the byte {:#04x}", bad[0]);
                Err(Errors::at(Code::NOT_UTF8, good, file, at, cause, "save it as UTF-8"))
            }
        }
    }

    /// Reads and checks a file, at most [`limits::FILE_BYTES_MAX`] of it. A named pipe is refused.
    ///
    /// # Errors
    /// As [`Contract::parse_bytes`], and [`Code::UNREADABLE`] with the operating system's cause.
    pub fn read(path: &Path) -> Result<Contract, Errors> {
        let name = path.display().to_string();
        let read = || {
            if is_named_pipe(path) {
                // Its writer might never come.
                return Err(std::io::Error::other("it is a named pipe and no file"));
            }
            let mut bytes = Vec::new();
            // One byte above the limit tells a file that is too large from one that fits exactly.
            let most = u64::try_from(limits::FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
            std::fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) if bytes.len() > limits::FILE_BYTES_MAX => {
                let cause = format!("the file is larger than {} bytes", limits::FILE_BYTES_MAX);
                Err(Errors::of_file(Code::LIMIT, &name, cause, "split the contract into several files"))
            }
            Ok(bytes) => Contract::parse_bytes(&bytes, &name),
            Err(error) => {
                let remedy = match error.kind() {
                    std::io::ErrorKind::NotFound => "check the path: it begins at the current directory",
                    std::io::ErrorKind::IsADirectory => "name a file in it, such as contracts.yaml",
                    _ => "check the path and its permissions",
                };
                let cause = format!("cannot read the file: {error}");
                Err(Errors::of_file(Code::UNREADABLE, &name, cause, remedy))
            }
        }
    }
}

/// What a shell puts in the place of a file, as in `<(command)`, is a link to a pipe that has its writer.
fn is_named_pipe(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        std::fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
