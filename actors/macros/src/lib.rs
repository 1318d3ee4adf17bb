//! Procedural macros of Mycelium.
#![forbid(unsafe_code)]
