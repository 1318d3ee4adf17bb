//! The mycelium command.
#![forbid(unsafe_code)]

fn main() {}
