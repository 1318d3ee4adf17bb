//! The one seam to the runtime: tasks and the time they wait by.
//!
//! Production code and model code are the same text: with `--cfg shuttle` a task is one of shuttle's, and
//! time is virtual (`rt/model.rs`). Processes and signals are not modelled and use tokio directly.

use std::future::Future;
use std::pin::pin;
use std::task::Context;

#[cfg(shuttle)]
pub(crate) mod model;
#[cfg(shuttle)]
pub(crate) use self::model::{
    AbortHandle, Instant, JoinHandle, Sleep, enter, sleep, sleep_until, spawn, timeout, timeout_at,
    wall_clock,
};

/// Makes `runtime` the current one. In a model there is one for all, and guards of several tasks would
/// overlap.
#[cfg(not(shuttle))]
pub(crate) fn enter(runtime: &tokio::runtime::Handle) -> tokio::runtime::EnterGuard<'_> {
    runtime.enter()
}

/// Has this task polled again when all others have had their turn, the one that the runtime blocks on among
/// them, and the runtime has looked for events. A task that wakes itself goes on in place of that one, up
/// to 61 times.
pub(crate) fn poll_later(cx: &mut Context<'_>) {
    // Never ready at the first poll.
    let _pending = pin!(tokio::task::yield_now()).poll(cx);
}

#[cfg(not(shuttle))]
pub(crate) use tokio::{
    spawn,
    task::{AbortHandle, JoinHandle},
    time::{Instant, Sleep, sleep, sleep_until, timeout, timeout_at},
};
