//! Python actors in the trees of a Rust program.
#![forbid(unsafe_code)]

mod common;
mod hangs;
mod limits;
mod mistakes;
mod page;
mod pools;
mod restarts;
mod rust_actors;
mod together;
mod trees;
