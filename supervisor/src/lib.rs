//! Erlang/OTP supervision as pure decisions: `step(now, event) -> actions`.
//!
//! [`Supervisor`] is one node of a supervision tree: child specifications, strategies, restart intensity,
//! exponential backoff, auto-shutdown, ordered start and stop, and the calls of OTP's `supervisor` module. It
//! reads no clock, starts no task and writes no log. [`engine`] carries out what the supervisors of a tree
//! decide, through a host: [`sim`] is a host in virtual time that runs whole trees against a script.
//!
//! `docs/supervision.md` explains the terms, `docs/otp-differences.md` lists where this differs from OTP and
//! why.
#![forbid(unsafe_code)]
// A type in a public signature can be named, and so matched and kept.
#![warn(unnameable_types)]

mod backoff;
mod children;
pub mod declare;
pub mod engine;
mod intensity;
mod message;
mod reason;
pub mod sim;
mod spec;
mod supervisor;

pub use crate::backoff::{BACKOFF_CAP_MAX, Backoff, BackoffState, Jitter, MIX_STEP, mix};
pub use crate::intensity::add_restart;
pub use crate::message::{
    Action, Call, CallError, CallId, ChildInfo, ChildRef, ChildStatus, Counts, Event, Notice, Reply, StopHow,
};
pub use crate::reason::ExitReason;
pub use crate::spec::{
    AutoShutdown, CHILDREN_MAX, ChildKind, ChildSpec, Flags, ID_BYTES_MAX, INTENSITY_DEFAULT, INTENSITY_MAX,
    PERIOD_DEFAULT, Restart, Shutdown, SpecError, Strategy, WORKER_SHUTDOWN, check,
};
pub use crate::supervisor::{CALLS_MAX, Supervisor};
