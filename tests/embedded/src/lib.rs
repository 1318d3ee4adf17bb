//! The messages of the tests of this crate, and what all of them need. `tests/tests/embedded.rs` runs them.
#![forbid(unsafe_code)]

// Each test of this crate is linked with the OCaml, and so with what that calls.
#[cfg(feature = "ocaml")]
use mycelium_ocaml as _;

pub mod checks;

mycelium::contracts!(); // Tick, Told, Words, and CONTRACT
