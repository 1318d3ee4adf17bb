//! Frames and links between Mycelium nodes.
//!
//! [`frame`] turns messages into bytes and bytes into messages; [`link`] decides what two nodes say to each
//! other so that nothing is lost when their connection is; [`topology`] says which nodes there are and who
//! dials whom. None of them has input or output of its own.
#![forbid(unsafe_code)]
// A type in a public signature can be named, and so matched and kept.
#![warn(unnameable_types)]

pub mod frame;
pub mod link;
pub mod topology;
