//! Python actors in the trees of a Rust program.
#![forbid(unsafe_code)]

mod common;
mod mistakes;
mod restarts;
mod together;
mod trees;
