//! Mycelium for C, and for every language that calls C. `docs/c.md` walks through it; the header is
//! `include/mycelium.h`, made of this crate by cbindgen.
//!
//! # Conventions
//! - A function returns 0 or a count, or an error below zero ([`MyceliumError`]). [`mycelium_error`] has its
//!   text, for the thread that it happened on.
//! - Things are handles: numbers with a generation. One that was freed, or was never made, is an error and no
//!   crash.
//! - No panic crosses: each export catches it ([`MyceliumError::Panic`]).
//! - Pointers are read during the call alone, unless a function says otherwise.
//!
//! The rest is `mycelium-hosted`: here are pointers, and nothing else is.

#![allow(clippy::missing_safety_doc, reason = "one rule for all: see the conventions of the header")]

mod actor;
mod address;
mod current;
mod handles;
mod last;
mod pointers;
mod publisher;
mod reader;
mod runtime;
mod subscribe;
mod tree;

pub use actor::*;
pub use address::*;
pub use current::*;
pub use handles::{MyceliumHandle, mycelium_free, share};
pub use last::{MyceliumError, failure_of, mycelium_error, mycelium_fail};
pub use pointers::{MyceliumMessage, MyceliumPolicy};
pub use publisher::*;
pub use reader::*;
pub use runtime::*;
pub use subscribe::*;
pub use tree::*;
