//! Everything that reads bytes from outside, as functions that take any bytes and panic where a promise is
//! broken.
//!
//! `tests/smoke.rs` runs each of them for a moment in every test run; `cargo xtask fuzz NAME` runs one for as
//! long as you like, guided by coverage, which is how new inputs are found.
#![forbid(unsafe_code)]

mod damage;
mod targets;

pub use damage::damage;
pub use targets::TARGETS;

/// Something that reads bytes from outside.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it reads.
    pub reads: &'static str,
    /// Reads any bytes; panics where a promise is broken, and returns whether they were what they should be.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to start from, most of them sound.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Pieces that mean something in such an input.
    pub words: &'static [&'static [u8]],
}

/// The target of this name.
///
/// # Errors
/// No target has this name; the message lists those that there are.
pub fn target(name: &str) -> Result<Target, String> {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .copied()
        .ok_or_else(|| format!("`{name}` is no fuzz target; choose one of {}", names.join(", ")))
}

/// A file of this repository.
///
/// # Panics
/// It cannot be read.
fn file(path: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}
