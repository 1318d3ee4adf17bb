//! A crate without a build script has no generated types.

mycelium::contracts!();

fn main() {}
