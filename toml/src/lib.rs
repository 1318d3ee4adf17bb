//! TOML files, read so that each mistake has a line, a cause and a remedy.
//!
//! [`Document`] is a text whose syntax is right, and [`Fields`] one of its tables, read key by key. A file
//! has bounds in bytes, values and depth, whatever stands in it.
//!
//! ```
//! use mycelium_toml::{Document, Fields, Mistake};
//!
//! fn port(text: &str) -> Result<Option<u32>, Mistake> {
//!     let document = Document::parse(text)?;
//!     Fields::document(&document, "the file", &["port"])?.count("port", 1..=65_535, "")
//! }
//! assert_eq!(port("port = 7000"), Ok(Some(7_000)));
//! assert_eq!(
//!     port("\nprt = 7000").unwrap_err().to_string(),
//!     "line 2, column 1: unknown key `prt` in the file; did you mean `port`?"
//! );
//! ```
#![forbid(unsafe_code)]
// A type in a public signature can be named, and so matched and kept.
#![warn(unnameable_types)]

mod fields;
mod file;
mod place;
mod shown;
mod syntax;

pub use fields::{Fields, duration, suggestion, whole};
pub use file::{read, text};
pub use place::{Mistake, Place};
pub use shown::{shown, steers};
pub use syntax::{
    Content, Document, NESTING_MAX, NODES_MAX, Number, TEXT_BYTES_MAX, TOKENS_MAX, Value, Values,
};
