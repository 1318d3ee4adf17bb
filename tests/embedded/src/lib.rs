//! The messages of the tests of this crate. `tests/tests/embedded.rs` runs them.
#![forbid(unsafe_code)]

mycelium::contracts!(); // Tick, Told, Words, and CONTRACT
