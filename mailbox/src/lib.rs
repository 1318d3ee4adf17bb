//! Bounded queues, gated broadcast rings and in-place futures for Mycelium.
//!
//! This is the only crate of the workspace that contains `unsafe` code (FFI glue apart). Each lock-free structure
//! opens with its protocol: who may touch which field when, and which ordering pairs with which.

mod message;
pub mod scalar;
pub mod wire;

pub use message::{Message, ValidationError};
/// The serialization library of the wire, as generated code refers to it.
pub use rkyv;
