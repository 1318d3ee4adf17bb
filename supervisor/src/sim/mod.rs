//! A dry run: whole trees of [`Supervisor`](crate::Supervisor)s in virtual time, against a script.
//!
//! Workers start at once, end when the script says so, and stop at once unless their [`Behaviour`] says
//! otherwise. The same scenario and seed give the same trace, on any machine. Events of one time happen in
//! the order in which they were begun, ends of starts and stops before the timers of supervisors.
//!
//! ```
//! use mycelium_supervisor::sim::{Act, Behaviour, Exit, Happening, Scenario, Scripted, Tree, simulate};
//! use mycelium_supervisor::{ChildSpec, Flags};
//! use std::time::Duration;
//!
//! let feed = ChildSpec::worker("feed", Behaviour::worker());
//! let scenario = Scenario {
//!     root: "root".into(),
//!     tree: Tree { flags: Flags::default(), children: vec![feed] },
//!     script: vec![Scripted {
//!         at: Duration::from_secs(1),
//!         act: Act::Exit { path: "root/feed".into(), exit: Exit::Crash },
//!     }],
//! };
//! let mut seen = Vec::new();
//! simulate(&scenario, 0, &mut |entry| seen.push((entry.at.as_secs(), entry.what.clone())))?;
//! assert!(matches!(
//!     seen[..],
//!     [(0, Happening::Started), (1, Happening::Exited { .. }), (1, Happening::Started)]
//! ));
//! # Ok::<(), mycelium_supervisor::sim::SimError>(())
//! ```

mod run;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{Call, CallError, Reply};
use crate::reason::ExitReason;
use crate::spec::{ChildSpec, Flags, SpecError};

pub use run::{simulate, simulate_while};

/// Most steps of all supervisors in one simulation.
pub const STEPS_MAX: u64 = 100_000_000;
/// Deepest nesting of supervisors.
pub const DEPTH_MAX: usize = 64;

/// What a simulated child is started with.
pub type Plan = Arc<Behaviour>;

/// How a simulated child behaves.
///
/// ```
/// use mycelium_supervisor::sim::Behaviour;
/// assert!(Behaviour::worker().start_fails.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// Which starts fail, counted from 1 over the whole run, restarts of its supervisors included.
    pub start_fails: Vec<u32>,
    /// Which starts end with `ignore`, counted likewise.
    pub start_ignores: Vec<u32>,
    /// How long a start takes until it has succeeded, failed or been ignored. For a worker: a supervisor
    /// starts as its children do.
    pub start_takes: Duration,
    /// How long it takes to stop once it is asked. For a worker.
    pub stop_takes: Duration,
    /// For a supervisor: what it supervises.
    pub tree: Option<Tree>,
}

impl Behaviour {
    /// A worker that starts and stops at once.
    #[must_use]
    pub fn worker() -> Plan {
        Plan::default()
    }

    /// A supervisor of this tree.
    ///
    /// ```
    /// use mycelium_supervisor::sim::{Behaviour, Tree};
    /// assert!(Behaviour::supervisor(Tree::default()).tree.is_some());
    /// ```
    #[must_use]
    pub fn supervisor(tree: Tree) -> Plan {
        Plan::new(Self { tree: Some(tree), ..Self::default() })
    }
}

/// A supervisor with its children.
///
/// See the [module](self) for an example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// Its flags.
    pub flags: Flags,
    /// Its children in start order.
    pub children: Vec<ChildSpec<Plan>>,
}

/// A tree and what befalls it.
///
/// See the [module](self) for an example.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The id of the root supervisor: the first part of every path.
    pub root: Arc<str>,
    /// The tree.
    pub tree: Tree,
    /// What happens, by time; entries of the same time happen in the order of the list.
    pub script: Vec<Scripted>,
}

/// One entry of the script.
///
/// See the [module](self) for an example.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// When, from the start of the tree. Events that are due at this time in the tree itself come first.
    pub at: Duration,
    /// What.
    pub act: Act,
}

/// What a script can do.
///
/// See the [module](self) for an example.
#[derive(Clone, Debug)]
pub enum Act {
    /// A child ends by itself: whatever it is doing, also while it starts, stops, or its supervisor is being
    /// stopped. Nothing happens if there is none at that time.
    Exit {
        /// Its path, such as `root/desk/feed`; the root's own id ends the tree.
        path: String,
        /// How it ends.
        exit: Exit,
    },
    /// A supervisor is called.
    Call {
        /// Its path.
        supervisor: String,
        /// What the reply is filed under: the path that the user named.
        target: String,
        /// The request.
        call: Call<Plan>,
    },
    /// A child is asked for where supervisors of several kinds may run: as the tree of the moment has it.
    Start {
        /// The path of the supervisor.
        supervisor: String,
        /// What the reply is filed under: the path that the user named.
        target: String,
        /// The request, by what the supervisor's template is started with; `None` for one that is not
        /// simple-one-for-one. The first one is for all others.
        calls: Vec<(Option<Plan>, Call<Plan>)>,
    },
    /// All of these reach the tree before it deals with the first.
    Burst(Vec<Act>),
}

/// How a child ends by itself.
///
/// A worker ends at once. A supervisor stops its children first, except for a kill: that ends all below it at
/// once.
///
/// ```
/// use mycelium_supervisor::sim::Exit;
/// assert!(Exit::Kill.reason().is_abnormal());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A fault: abnormal.
    Crash,
    /// Its work is done.
    Normal,
    /// As if it had been asked to stop.
    Shutdown,
    /// As if something outside had killed it: abnormal.
    Kill,
}

impl Exit {
    /// The reason it gives.
    #[must_use]
    pub fn reason(self) -> ExitReason {
        match self {
            Self::Crash => ExitReason::Abnormal("crash".into()),
            Self::Normal => ExitReason::Normal,
            Self::Shutdown => ExitReason::Shutdown,
            Self::Kill => ExitReason::Killed,
        }
    }
}

/// One line of the trace.
///
/// See the [module](self) for an example.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Duration,
    /// The child or supervisor concerned.
    pub path: Arc<str>,
    /// What happened to it.
    pub what: Happening,
}

/// What a trace tells. `Started` of a supervisor comes after that of its children, as its start ends with
/// theirs.
///
/// See the [module](self) for an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Happening {
    /// It runs.
    Started,
    /// It could not be started.
    StartFailed {
        /// Why.
        reason: ExitReason,
    },
    /// It ended by itself.
    Exited {
        /// Why.
        reason: ExitReason,
    },
    /// Its supervisor ended it.
    Stopped {
        /// Whether by a kill.
        killed: bool,
        /// The reason it ended with.
        reason: ExitReason,
    },
    /// It waits to be restarted.
    Waiting {
        /// For how long.
        backoff: Duration,
    },
    /// This supervisor is past its intensity and ends.
    GaveUp,
    /// This supervisor ends because its significant children ended.
    AutoShutdown,
    /// A call was answered.
    Reply {
        /// The function, by OTP's name.
        call: &'static str,
        /// What came of it; `None` when no such supervisor runs (`noproc`).
        result: Option<Result<Reply<Plan>, CallError>>,
        /// The path of the child that the call started, if it did.
        child: Option<Arc<str>>,
    },
    /// The root has ended; nothing follows but replies to calls that came too late.
    RootExited {
        /// Why.
        reason: ExitReason,
    },
    /// The script ended a child that was not there. No child noticed.
    Skipped,
}

/// Why a simulation could not be run to its end.
///
/// ```
/// use mycelium_supervisor::sim::SimError;
/// assert!(SimError::TooManySteps.to_string().contains("steps"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SimError {
    /// The supervisor at this path has an invalid specification.
    Spec {
        /// Its path.
        path: String,
        /// What is wrong.
        error: SpecError,
    },
    /// More than [`STEPS_MAX`] steps.
    TooManySteps,
    /// The observer wanted no more.
    Stopped {
        /// When it said so.
        at: Duration,
        /// The last entry of the script that had been carried out, counted from 0; `None` before the first.
        entry: Option<usize>,
    },
    /// Supervisors are nested deeper than [`DEPTH_MAX`].
    TooDeep {
        /// Where the limit is crossed.
        path: String,
    },
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec { path, error } => write!(f, "supervisor {path}: {error}"),
            Self::TooManySteps => {
                write!(f, "the simulation took more than {STEPS_MAX} steps; shorten the script")
            }
            Self::Stopped { at, .. } => write!(f, "the simulation was stopped at {} ms", at.as_millis()),
            Self::TooDeep { path } => write!(f, "{path}: supervisors are nested deeper than {DEPTH_MAX}"),
        }
    }
}

impl std::error::Error for SimError {}
