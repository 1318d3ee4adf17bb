//! What goes into a supervisor and what comes out of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::reason::ExitReason;
use crate::spec::{ChildKind, ChildSpec, SpecError};

/// One life of one child, as a pid is in OTP: a restarted child is another one. Never used twice by a
/// supervisor.
///
/// ```
/// use mycelium_supervisor::{Action, ChildSpec, Event, Flags, Supervisor};
/// use std::time::Duration;
///
/// let mut tree = Supervisor::new(Flags::default(), vec![ChildSpec::worker("feed", ())], 0)?;
/// let mut actions = Vec::new();
/// tree.step(Duration::ZERO, Event::Init, &mut actions);
/// let Action::Start { child, .. } = &actions[0] else { panic!("it starts its child") };
/// assert_eq!(child.life(), 1);
/// # Ok::<(), mycelium_supervisor::SpecError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildRef {
    pub(crate) slot: u64,
    pub(crate) life: u64,
}

impl ChildRef {
    /// A number that grows with every start of any child of this supervisor.
    #[must_use]
    pub fn life(self) -> u64 {
        self.life
    }
}

/// The shell's name for a call, given back with the reply.
///
/// ```
/// use mycelium_supervisor::CallId;
/// assert_eq!(CallId(7), CallId(7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What happened. Events about a life that is over are ignored, as OTP ignores an exit of an unknown pid.
///
/// See [`Supervisor`](crate::Supervisor) for an example.
#[derive(Clone, Debug)]
pub enum Event<F> {
    /// Start the children. Comes once, first.
    Init,
    /// The child asked for by [`Action::Start`] runs and is ready.
    Started(ChildRef),
    /// It chose not to run (`ignore`). Its specification stays, unless it is temporary.
    Ignored(ChildRef),
    /// It could not be started.
    StartFailed(ChildRef, ExitReason),
    /// A child ended, by itself or because of [`Action::Stop`].
    Exited(ChildRef, ExitReason),
    /// The time of [`Supervisor::next_wake`](crate::Supervisor::next_wake) has come. Too early does no harm.
    Wake,
    /// A request; its [`Action::Reply`] follows now or later.
    Call(CallId, Call<F>),
    /// Stop all children in reverse order and end with this reason, when what came before has been dealt
    /// with, as OTP does with an exit signal of its parent. A second one is ignored.
    Shutdown(ExitReason),
    /// Wait no longer for the start that is under way, if there is one: the child is stopped, and its start
    /// has failed. For a shell whose starts may take long, after [`Event::Shutdown`]; OTP has nothing of the
    /// kind.
    AbandonStart,
}

/// A request to a supervisor, by the names of OTP's functions.
///
/// See [`Supervisor`](crate::Supervisor) for an example.
#[derive(Clone, Debug)]
pub enum Call<F> {
    /// Adds a child after the others and starts it (`start_child/2`).
    StartChild(ChildSpec<F>),
    /// Adds an instance to a simple-one-for-one supervisor. Without an id it is called after the template and
    /// a number.
    StartInstance {
        /// The name of the instance, unique among those alive.
        id: Option<Arc<str>>,
        /// What it is started with, in place of the template's value.
        start: F,
    },
    /// Stops a child. Its specification stays, unless it is temporary (`terminate_child/2`).
    TerminateChild(Arc<str>),
    /// Starts a child that is not running (`restart_child/2`).
    RestartChild(Arc<str>),
    /// Forgets the specification of a child that is not running (`delete_child/2`).
    DeleteChild(Arc<str>),
    /// Lists the children, last started first (`which_children/1`).
    WhichChildren,
    /// Counts the children (`count_children/1`).
    CountChildren,
    /// Gives a child's specification (`get_childspec/2`).
    ChildSpec(Arc<str>),
}

/// What a call came to.
///
/// See [`Supervisor`](crate::Supervisor) for an example.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply<F> {
    /// Done.
    Ok,
    /// The child was started; this is its life.
    Started(ChildRef),
    /// The child chose not to run.
    Ignored,
    /// The children, last started first.
    Children(Vec<ChildInfo>),
    /// How many there are.
    Counts(Counts),
    /// The specification asked for.
    Spec(Arc<ChildSpec<F>>),
}

/// One line of `which_children`.
///
/// ```
/// use mycelium_supervisor::{ChildSpec, ChildStatus, Flags, Supervisor};
///
/// let tree = Supervisor::new(Flags::default(), vec![ChildSpec::worker("feed", ())], 0)?;
/// let info = tree.children().next().expect("one child");
/// assert_eq!((&*info.id, info.status), ("feed", ChildStatus::Down));
/// # Ok::<(), mycelium_supervisor::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildInfo {
    /// The child's id.
    pub id: Arc<str>,
    /// What it is doing.
    pub status: ChildStatus,
    /// Worker or supervisor.
    pub kind: ChildKind,
}

/// What a child is doing.
///
/// See [`ChildInfo`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildStatus {
    /// Started, not yet ready.
    Starting,
    /// Running (a pid in OTP).
    Running(ChildRef),
    /// About to be restarted (`restarting` in OTP), at this time.
    Waiting {
        /// When it will be tried again.
        until: Duration,
    },
    /// Told to stop, not gone yet.
    Stopping,
    /// Not running, and nothing will start it but a call or the restart of its group (`undefined` in OTP).
    Down,
}

/// What `count_children` counts.
///
/// ```
/// use mycelium_supervisor::Counts;
/// assert_eq!(Counts::default().specs, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Specifications, running or not; 1 for simple-one-for-one.
    pub specs: usize,
    /// Children that run.
    pub active: usize,
    /// Children of kind supervisor, running or not.
    pub supervisors: usize,
    /// Children of kind worker, running or not.
    pub workers: usize,
}

/// Why a call was refused.
///
/// ```
/// assert_eq!(mycelium_supervisor::CallError::NotFound.to_string(), "no child has this id");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CallError {
    /// No child has this id.
    NotFound,
    /// The child runs; terminate it first.
    Running,
    /// The child is about to be restarted; terminate it first.
    Restarting,
    /// A child of this id exists and does not run; restart or delete it.
    AlreadyPresent,
    /// A child of this id runs.
    AlreadyStarted(ChildRef),
    /// Not possible under `simple_one_for_one`.
    SimpleOneForOne,
    /// Possible under `simple_one_for_one` only.
    NotSimpleOneForOne,
    /// The specification is not valid.
    Spec(SpecError),
    /// The child could not be started.
    StartFailed(ExitReason),
    /// Too many calls wait already, see [`CALLS_MAX`](crate::CALLS_MAX).
    Busy,
    /// The supervisor is ending, or has ended.
    Stopping,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no child has this id"),
            Self::Running => f.write_str("the child is running; terminate it first"),
            Self::Restarting => f.write_str("the child is about to be restarted; terminate it first"),
            Self::AlreadyPresent => f.write_str("the child exists and does not run; restart or delete it"),
            Self::AlreadyStarted(_) => f.write_str("a child of this id is running"),
            Self::SimpleOneForOne => {
                f.write_str("a simple_one_for_one supervisor has no such operation on an id")
            }
            Self::NotSimpleOneForOne => f.write_str("only a simple_one_for_one supervisor starts instances"),
            Self::Spec(error) => error.fmt(f),
            Self::StartFailed(reason) => write!(f, "the child could not be started: {reason}"),
            Self::Busy => f.write_str("too many calls wait for this supervisor; try again later"),
            Self::Stopping => f.write_str("the supervisor is ending"),
        }
    }
}

impl std::error::Error for CallError {}

/// What the shell is to do, in this order.
///
/// See [`Supervisor`](crate::Supervisor) for an example.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<F> {
    /// Start the child and report [`Event::Started`], [`Event::Ignored`] or [`Event::StartFailed`]. A limit
    /// on the time a start may take is the shell's to keep.
    Start {
        /// The life that begins.
        child: ChildRef,
        /// What to start.
        spec: Arc<ChildSpec<F>>,
    },
    /// Stop the child and report [`Event::Exited`] when it is gone. It may still be starting.
    Stop {
        /// Who.
        child: ChildRef,
        /// How. A kill may follow a shutdown; it must not be refused.
        how: StopHow,
    },
    /// Answer a call.
    Reply(CallId, Result<Reply<F>, CallError>),
    /// For observers: it needs no action.
    Notice(Notice),
    /// Every child has started: this supervisor counts as started.
    Ready,
    /// The supervisor has ended; no child is left. Before [`Action::Ready`] it means that the start failed.
    Exit(ExitReason),
}

/// How to stop a child.
///
/// See [`Action::Stop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopHow {
    /// Ask it. The supervisor sends a kill itself when the child's time is over.
    Shutdown,
    /// End it now, with all below it.
    Kill,
}

/// What observers are told, in the order in which it happens.
///
/// See [`Supervisor`](crate::Supervisor) for an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// A child runs.
    Started {
        /// Its id.
        id: Arc<str>,
        /// Whether this is a restart: by itself or with its group, and not by a call.
        again: bool,
    },
    /// A child could not be started.
    StartFailed {
        /// Its id.
        id: Arc<str>,
        /// Why.
        reason: ExitReason,
    },
    /// A child ended by itself.
    Exited {
        /// Its id.
        id: Arc<str>,
        /// Why.
        reason: ExitReason,
    },
    /// A child was ended by its supervisor.
    Stopped {
        /// Its id.
        id: Arc<str>,
        /// Whether it had to be killed, or is specified to be.
        killed: bool,
        /// The reason it ended with.
        reason: ExitReason,
    },
    /// A child waits for its backoff to pass.
    Waiting {
        /// Its id.
        id: Arc<str>,
        /// For how long.
        backoff: Duration,
        /// Until when.
        until: Duration,
    },
    /// A child has something to do and makes no progress. Told by the shell that probes it, never by the
    /// core.
    Stuck {
        /// Its id.
        id: Arc<str>,
        /// For how long.
        quiet: Duration,
        /// What it is doing, as far as it can be seen.
        detail: Arc<str>,
    },
    /// A child that was stuck makes progress again. Told by the shell, never by the core.
    Recovered {
        /// Its id.
        id: Arc<str>,
    },
    /// The supervisor is past its intensity and ends.
    GaveUp {
        /// The child that was to be restarted.
        id: Arc<str>,
    },
    /// The supervisor ends because its significant children ended.
    AutoShutdown {
        /// The child whose end decided it.
        id: Arc<str>,
    },
}
