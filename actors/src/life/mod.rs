//! What a live actor and an actor of an isolate have in common, written once and without a host.
//!
//! `cycle` is the life of an actor as a pure machine. The hosts carry its actions out: `live/body.rs` on tokio,
//! `isolate/seat.rs` in virtual time. Nothing in here knows either of them.

mod cycle;

pub(crate) use cycle::{Act, Attempts, Happening, Lifecycle, reason_of};
