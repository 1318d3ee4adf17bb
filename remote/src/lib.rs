//! Frames and links between Mycelium nodes.
#![forbid(unsafe_code)]
