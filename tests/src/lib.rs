//! Tests that cross crates, and what they share.
#![forbid(unsafe_code)]

pub mod layout;
pub mod linked;
