//! The orders of a supervisor: its flags and the specification of each child, with their checks.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mycelium_toml::{shown, steers};

use crate::backoff::Backoff;

/// Most children of one supervisor.
pub const CHILDREN_MAX: usize = 1_000_000;
/// Highest restart intensity. A supervisor remembers as many restarts, at 16 bytes each.
pub const INTENSITY_MAX: u32 = 1_000_000;
/// Longest child id, in bytes.
pub const ID_BYTES_MAX: usize = 256;
/// OTP's default shutdown time of a worker.
pub const WORKER_SHUTDOWN: Duration = Duration::from_millis(5_000);
/// OTP's default intensity.
pub const INTENSITY_DEFAULT: u32 = 1;
/// OTP's default period.
pub const PERIOD_DEFAULT: Duration = Duration::from_secs(5);

/// Which children are restarted when one of them ends.
///
/// ```
/// use mycelium_supervisor::{Flags, Strategy};
/// assert_eq!(Flags::default().strategy, Strategy::OneForOne);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// That child alone.
    #[default]
    OneForOne,
    /// All children: the others are stopped first.
    OneForAll,
    /// That child and those started after it.
    RestForOne,
    /// That child alone; every child is an instance of the one specification, added at run time.
    SimpleOneForOne,
}

/// Whether the end of significant children ends their supervisor.
///
/// ```
/// use mycelium_supervisor::{AutoShutdown, Flags};
/// assert_eq!(Flags::default().auto_shutdown, AutoShutdown::Never);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AutoShutdown {
    /// No.
    #[default]
    Never,
    /// When any significant child ends by itself.
    AnySignificant,
    /// When the last active significant child ends by itself.
    AllSignificant,
}

/// When a child that ended is restarted.
///
/// ```
/// use mycelium_supervisor::{ChildSpec, Restart};
/// assert_eq!(ChildSpec::worker("feed", ()).restart, Restart::Permanent);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// After an abnormal reason only.
    Transient,
    /// Never, not even when a sibling's end stops it; its specification goes with it.
    Temporary,
}

/// How a child is stopped.
///
/// ```
/// use mycelium_supervisor::{ChildSpec, Shutdown, WORKER_SHUTDOWN};
/// assert_eq!(ChildSpec::worker("feed", ()).shutdown(), Shutdown::Timeout(WORKER_SHUTDOWN));
/// assert_eq!(ChildSpec::supervisor("desk", ()).shutdown(), Shutdown::Infinity);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// At once, without being asked.
    BrutalKill,
    /// Asked, then killed after this time.
    Timeout(Duration),
    /// Asked, and waited for without limit.
    Infinity,
}

/// The kind of child that a specification describes. It changes the default shutdown and the counts, nothing
/// else.
///
/// ```
/// use mycelium_supervisor::{ChildKind, ChildSpec};
/// assert_eq!(ChildSpec::supervisor("desk", ()).kind, ChildKind::Supervisor);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChildKind {
    /// A child without children.
    #[default]
    Worker,
    /// A supervisor.
    Supervisor,
}

/// The strategy and limits of a supervisor. The defaults are OTP's: one-for-one, 1 restart in 5 s, no
/// auto-shutdown, no backoff. See "Supervisor flags" in the [supervisor
/// manual](https://www.erlang.org/doc/apps/stdlib/supervisor.html).
///
/// ```
/// use mycelium_supervisor::{Flags, SpecError, Strategy};
/// use std::time::Duration;
///
/// let flags = Flags { strategy: Strategy::RestForOne, intensity: 3, ..Flags::default() };
/// assert!(flags.check().is_ok());
/// let flags = Flags { period: Duration::ZERO, ..Flags::default() };
/// assert_eq!(flags.check(), Err(SpecError::InvalidPeriod { period: Duration::ZERO }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flags {
    /// Which children are restarted.
    pub strategy: Strategy,
    /// How many restarts the supervisor allows within `period`; one more and it ends with `shutdown`.
    pub intensity: u32,
    /// The window in which restarts are counted, inclusive.
    pub period: Duration,
    /// Whether significant children end the supervisor.
    pub auto_shutdown: AutoShutdown,
    /// How long to wait before a restart; `None` restarts at once, as OTP does.
    pub backoff: Option<Backoff>,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            intensity: INTENSITY_DEFAULT,
            period: PERIOD_DEFAULT,
            auto_shutdown: AutoShutdown::default(),
            backoff: None,
        }
    }
}

impl Flags {
    /// Checks the flags on their own.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.intensity > INTENSITY_MAX {
            return Err(SpecError::InvalidIntensity { intensity: self.intensity });
        }
        if self.period.is_zero() {
            return Err(SpecError::InvalidPeriod { period: self.period });
        }
        self.backoff.map_or(Ok(()), |backoff| check_backoff(&backoff))
    }
}

/// The specification of one child. `F` is what the shell starts it with (a factory, a command line): the
/// supervisor hands it back in [`Action::Start`](crate::Action::Start) and never looks inside.
///
/// ```
/// use mycelium_supervisor::{ChildSpec, Restart, Shutdown};
///
/// let spec = ChildSpec::worker("feed", "feed --symbol GOOG")
///     .restart(Restart::Transient)
///     .stop_by(Shutdown::BrutalKill)
///     .significant(true);
/// assert_eq!(&*spec.id, "feed");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ChildSpec<F> {
    /// Unique among the supervisor's children, without `/` and without control characters.
    pub id: Arc<str>,
    /// The value that the shell starts the child with.
    pub start: F,
    /// When the child is restarted.
    pub restart: Restart,
    /// How the child is stopped; `None` is OTP's default for its kind, see [`ChildSpec::shutdown`].
    pub shutdown: Option<Shutdown>,
    /// Worker or supervisor.
    pub kind: ChildKind,
    /// Whether its end counts for the supervisor's auto-shutdown.
    pub significant: bool,
    /// A backoff of its own, in place of the supervisor's.
    pub backoff: Option<Backoff>,
}

impl<F> ChildSpec<F> {
    /// A permanent worker that has 5 s to stop.
    pub fn worker(id: impl Into<Arc<str>>, start: F) -> Self {
        Self {
            id: id.into(),
            start,
            restart: Restart::default(),
            shutdown: None,
            kind: ChildKind::Worker,
            significant: false,
            backoff: None,
        }
    }

    /// A permanent supervisor that may take as long as it needs to stop.
    pub fn supervisor(id: impl Into<Arc<str>>, start: F) -> Self {
        Self { kind: ChildKind::Supervisor, ..Self::worker(id, start) }
    }

    /// Sets when the child is restarted.
    #[must_use]
    pub fn restart(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    /// Sets how the child is stopped.
    #[must_use]
    pub fn stop_by(self, shutdown: Shutdown) -> Self {
        Self { shutdown: Some(shutdown), ..self }
    }

    /// Sets whether the child counts for auto-shutdown.
    #[must_use]
    pub fn significant(self, significant: bool) -> Self {
        Self { significant, ..self }
    }

    /// Gives the child a backoff of its own.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff: Some(backoff), ..self }
    }

    /// How the child is stopped: what was set, else 5 s for a worker and no limit for a supervisor.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.unwrap_or(match self.kind {
            ChildKind::Worker => Shutdown::Timeout(WORKER_SHUTDOWN),
            ChildKind::Supervisor => Shutdown::Infinity,
        })
    }

    /// Checks this specification against the flags of its supervisor.
    ///
    /// ```
    /// use mycelium_supervisor::{AutoShutdown, ChildSpec, Flags, SpecError};
    ///
    /// let flags = Flags { auto_shutdown: AutoShutdown::AnySignificant, ..Flags::default() };
    /// let spec = ChildSpec::worker("feed", ()).significant(true); // permanent: it never ends by itself
    /// assert_eq!(spec.check(&flags), Err(SpecError::SignificantPermanent { id: "feed".into() }));
    /// ```
    ///
    /// # Errors
    /// The first value that OTP's `check_childspecs/2` would refuse, or that is out of our bounds.
    pub fn check(&self, flags: &Flags) -> Result<(), SpecError> {
        check_id(&self.id)?;
        if self.significant && flags.auto_shutdown == AutoShutdown::Never {
            return Err(SpecError::SignificantNever { id: self.id.clone() });
        }
        if self.significant && self.restart == Restart::Permanent {
            return Err(SpecError::SignificantPermanent { id: self.id.clone() });
        }
        self.backoff.map_or(Ok(()), |backoff| check_backoff(&backoff))
    }
}

/// Checks flags and children together, as a supervisor does before it starts any child.
///
/// ```
/// use mycelium_supervisor::{check, ChildSpec, Flags, SpecError};
///
/// let twice = [ChildSpec::worker("feed", ()), ChildSpec::worker("feed", ())];
/// assert_eq!(check(&Flags::default(), &twice), Err(SpecError::DuplicateId { id: "feed".into() }));
/// ```
///
/// # Errors
/// The first offending value, in the order of the list.
pub fn check<F>(flags: &Flags, children: &[ChildSpec<F>]) -> Result<(), SpecError> {
    flags.check()?;
    if flags.strategy == Strategy::SimpleOneForOne && children.len() != 1 {
        return Err(SpecError::SimpleNeedsOneSpec { count: children.len() });
    }
    if children.len() > CHILDREN_MAX {
        return Err(SpecError::TooManyChildren { count: children.len() });
    }
    let mut ids = BTreeSet::new();
    for spec in children {
        spec.check(flags)?;
        if !ids.insert(&spec.id) {
            return Err(SpecError::DuplicateId { id: spec.id.clone() });
        }
    }
    Ok(())
}

/// A fault of flags or child specifications, with the value that is wrong.
///
/// ```
/// use mycelium_supervisor::SpecError;
/// let error = SpecError::DuplicateId { id: "feed".into() };
/// assert_eq!(error.to_string(), "two children have the id `feed`; give each child its own");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SpecError {
    /// Two children share an id.
    DuplicateId {
        /// The id.
        id: Arc<str>,
    },
    /// An id is empty, too long, or contains `/`, which separates the parts of a path, or a control
    /// character, which would steer the terminals and logs that show it.
    InvalidId {
        /// The id.
        id: Arc<str>,
    },
    /// The intensity exceeds [`INTENSITY_MAX`].
    InvalidIntensity {
        /// The intensity.
        intensity: u32,
    },
    /// The period is zero.
    InvalidPeriod {
        /// The period.
        period: Duration,
    },
    /// A significant child whose supervisor has `auto_shutdown = never`.
    SignificantNever {
        /// The child.
        id: Arc<str>,
    },
    /// A significant child that is permanent, so that it never ends for good.
    SignificantPermanent {
        /// The child.
        id: Arc<str>,
    },
    /// A simple-one-for-one supervisor takes exactly one specification.
    SimpleNeedsOneSpec {
        /// How many it was given.
        count: usize,
    },
    /// More children than [`CHILDREN_MAX`].
    TooManyChildren {
        /// How many.
        count: usize,
    },
    /// A backoff policy out of range.
    InvalidBackoff {
        /// Which value, and its bounds.
        fault: String,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateId { id } => write!(f, "two children have the id `{id}`; give each child its own"),
            Self::InvalidId { id } => {
                let id = shown(id);
                write!(
                    f,
                    "the id `{id}` of a child or a root is not valid: use 1 to {ID_BYTES_MAX} bytes without `/` and without control characters"
                )
            }
            Self::InvalidIntensity { intensity } => {
                write!(f, "intensity is {intensity}, it must not exceed {INTENSITY_MAX}")
            }
            Self::InvalidPeriod { period } => write!(f, "period is {period:?}, it must be greater than zero"),
            Self::SignificantNever { id } => write!(
                f,
                "child `{id}` is significant, but its supervisor has auto_shutdown = \"never\"; \
                 use any_significant or all_significant, or drop `significant`"
            ),
            Self::SignificantPermanent { id } => write!(
                f,
                "child `{id}` is significant and permanent, so it never ends for good; make it transient or temporary"
            ),
            Self::SimpleNeedsOneSpec { count } => {
                write!(
                    f,
                    "a simple_one_for_one supervisor takes exactly one child as its template, not {count}"
                )
            }
            Self::TooManyChildren { count } => {
                write!(f, "{count} children are too many, the limit is {CHILDREN_MAX} per supervisor")
            }
            Self::InvalidBackoff { fault } => write!(f, "backoff is not valid: {fault}"),
        }
    }
}

impl std::error::Error for SpecError {}

pub(crate) fn check_id(id: &Arc<str>) -> Result<(), SpecError> {
    if id.is_empty() || id.len() > ID_BYTES_MAX || id.contains('/') || id.contains(steers) {
        return Err(SpecError::InvalidId { id: id.clone() });
    }
    Ok(())
}

fn check_backoff(backoff: &Backoff) -> Result<(), SpecError> {
    backoff.fault().map_or(Ok(()), |fault| Err(SpecError::InvalidBackoff { fault }))
}
