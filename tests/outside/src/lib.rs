//! A library whose documentation is complete: what the macros and the contract write asks for none.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, missing_debug_implementations)]

pub mod tally;

/// The messages of `contracts.yaml`.
pub mod messages {
    mycelium::contracts!();
}
