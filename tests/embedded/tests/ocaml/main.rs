//! OCaml actors in the trees of a Rust program.
#![forbid(unsafe_code)]

mod closing;
mod common;
mod mistakes;
mod page;
mod pools;
mod restarts;
mod together;
