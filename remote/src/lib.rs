//! Frames and links between Mycelium nodes.
//!
//! [`frame`] turns messages into bytes and bytes into messages, without any input or output of its own.
#![forbid(unsafe_code)]

pub mod frame;
