//! Supervision trees: actors and services, and live also futures and operating-system processes, under one
//! supervisor.
//!
//! The decisions are those of the crate `mycelium-supervisor`, which keeps to Erlang/OTP; here they are
//! carried out. Live, each supervisor is one tokio task that carries no user traffic; in an isolate all of
//! them are one machine. `docs/supervision.md` explains the terms.

mod arguments;
mod below;
mod builder;
mod child;
mod declare;
mod drain;
#[cfg(not(shuttle))]
mod exposed;
mod factories;
mod handle;
mod health;
mod launch;
mod live;
mod observe;
mod pools;
#[cfg(unix)]
mod process;
mod quiet;
mod run;
mod shell;
mod signals;
mod sources;
mod start_waits;
mod weak;

pub use crate::error::KILL_GRACE;
pub use arguments::{Argument, ArgumentError, Arguments};
pub(crate) use below::take_below;
pub use builder::Builder;
pub use child::{Child, Redelivery, Supervisor};
pub use declare::DeclareError;
pub(crate) use declare::declared;
pub(crate) use drain::{AtRest, PAUSE_MAX, PAUSE_MIN, TreeEnd, is_to_be_asked_again, note_late};
pub use drain::{DrainError, Drained, Left};
pub(crate) use factories::MakePool;
pub use factories::{Factories, FactoryError};
pub use handle::{CallError, StartError, TREE_SHUTDOWN_DEADLINE, Tree, TreeShutdownError};
pub(crate) use handle::{split, warn_where_a_panic_aborts};
pub use health::{Health, STUCK_AFTER_MIN};
pub use launch::START_TIMEOUT;
pub(crate) use launch::{ActorLaunch, Launch, Launcher, Life, Site, StartLeft, fitting};
pub use mycelium_supervisor::declare::{Mistake, REDELIVERY_ATTEMPTS_MAX, TREE_BYTES_MAX};
pub use mycelium_supervisor::{
    AutoShutdown, Backoff, ChildInfo, ChildKind, ChildStatus, Counts, ExitReason, Notice, Restart, Shutdown,
    SpecError, Strategy,
};
pub(crate) use observe::{Observer, observe};
pub(crate) use pools::{AnyPool, Pools, SupervisorCore};
#[cfg(unix)]
pub use process::{LINE_BYTES_MAX, ProcessSpec};
pub use run::{EXIT_DRAINED, EXIT_GAVE_UP, EXIT_SIGNAL, EXIT_UNDRAINED, RunEnd};
pub(crate) use shell::Placed;
pub use signals::StopSignal;
pub(crate) use sources::{SourceSeen, Sources};
pub(crate) use start_waits::StartWaits;
pub(crate) use weak::{FoundPool, WeakTree};
