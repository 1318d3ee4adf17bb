//! Who did not end in the time of a shutdown.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Identity, LinkLoss};

/// How long the shutdown of a bus ([`MessageBus::shutdown`](crate::MessageBus::shutdown)) or of an isolate
/// ([`Isolate::shutdown`](crate::Isolate::shutdown), in virtual time) waits before it kills what is still
/// alive.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);

/// How long a killed actor, service or child may take to be gone. Only code that never awaits takes longer,
/// and no one can end that: its supervisor goes on without it, and the shutdown names it.
pub const KILL_GRACE: Duration = Duration::from_millis(500);

/// Actors and services did not end in time and were killed, or links were not drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownError {
    /// Who missed the deadline.
    pub missed: Vec<Missed>,
    /// The paths of children of trees that missed their shutdown time, or the deadline, and were killed. One
    /// that could not be killed is among `missed` too.
    pub children: Vec<Arc<str>>,
    /// The paths of trees that have not ended and go on: code that never awaits, such as a factory, keeps
    /// their supervisors. Each says in the log when it ends.
    pub stuck: Vec<Arc<str>>,
    /// What linked buses had not acknowledged by the deadline, by link.
    pub links: Vec<LinkLoss>,
}

/// One actor or service that missed the deadline of a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// Who it is.
    pub actor: Identity,
    /// Whether it is gone now; if not, it is stuck in code that never awaits, and its task goes on.
    pub killed: bool,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("did not end in time:")?;
        let mut between = "";
        for path in &self.children {
            write!(f, "{between} {path} (killed)")?;
            between = ",";
        }
        for path in &self.stuck {
            write!(f, "{between} {path} (goes on: code that never awaits keeps its supervisor)")?;
            between = ",";
        }
        for Missed { actor, killed } in &self.missed {
            let fate = if *killed { "killed" } else { "stuck in code that never awaits" };
            write!(f, "{between} {actor} ({fate})")?;
            between = ",";
        }
        for loss in &self.links {
            write!(f, "{between} {loss}")?;
            between = ",";
        }
        Ok(())
    }
}

impl std::error::Error for ShutdownError {}
