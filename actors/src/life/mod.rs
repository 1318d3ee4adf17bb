//! What a live actor and an actor of an isolate have in common, written once and without a host.
//!
//! `cycle` is the life of an actor as a pure machine, `service` how a service ends, `chance` where random
//! numbers come from, `timers` what is due when, `watches` who is told of whose end, `missed` who had to be
//! killed, `call` the one place that calls a handler. The hosts carry its actions out: `live/body.rs` and
//! `live/service.rs` on tokio, `isolate/seat.rs` and `isolate/service.rs` in virtual time. Nothing in here
//! knows either of them.

mod call;
mod chance;
mod cycle;
mod marker;
mod missed;
mod service;
mod timers;
mod watches;

pub use call::{Call, CallOutcome, Probe};
pub(crate) use call::{Witness, answer, handle, reply, seen, take};
pub(crate) use chance::{Census, Chance, Origin};
pub(crate) use cycle::{Act, Attempts, Happening, LifeState, Lifecycle, reason_of};
pub(crate) use marker::{Fence, MARKER, Marker, Passed, PutFences};
pub(crate) use missed::{MissedLog, MissedMark};
pub(crate) use service::{ServiceAct, ServiceEvent, ServiceLife, ends_at_a_wait};
pub(crate) use timers::{Timer, TimerQueue};
pub(crate) use watches::{EndNotice, NoticeMeaning, WatchKind, WatchList, WatcherList};
