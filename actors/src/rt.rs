//! The one seam to the runtime: tasks and the time they wait by.
//!
//! Production code and model code are the same text: with `--cfg shuttle` a task is one of shuttle's, and
//! time is virtual (`rt/model.rs`). Processes and signals are not modelled and use tokio directly.

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

#[cfg(not(shuttle))]
pub(crate) use tokio::{
    spawn,
    task::{AbortHandle, JoinHandle},
    time::{Instant, Sleep, sleep, sleep_until, timeout, timeout_at},
};
