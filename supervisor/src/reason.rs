//! Why a child or a supervisor ended.

use std::fmt;
use std::sync::Arc;

/// Why a child or a supervisor ended, told apart as OTP tells them apart.
///
/// A transient child is restarted after an abnormal reason only, and `normal`, `shutdown` and `{shutdown,
/// Term}` are not abnormal. See "Restart type" in the [supervisor
/// manual](https://www.erlang.org/doc/apps/stdlib/supervisor.html).
///
/// ```
/// use mycelium_supervisor::ExitReason;
///
/// assert!(!ExitReason::ShutdownWith("drained".into()).is_abnormal());
/// assert!(ExitReason::Abnormal("index out of bounds".into()).is_abnormal());
/// assert_eq!(ExitReason::Killed.to_string(), "killed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExitReason {
    /// The child had nothing left to do (`normal`).
    Normal,
    /// The child was told to stop, or stopped its whole tree (`shutdown`).
    Shutdown,
    /// As `Shutdown`, with a word on why (`{shutdown, Term}`).
    ShutdownWith(Arc<str>),
    /// The child was ended without being asked (`killed`).
    Killed,
    /// Anything else: a panic, an error, a failed start. The text is the cause.
    Abnormal(Arc<str>),
}

impl ExitReason {
    /// Whether a transient child is restarted after this reason.
    #[must_use]
    pub fn is_abnormal(&self) -> bool {
        matches!(self, Self::Killed | Self::Abnormal(_))
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::ShutdownWith(detail) => write!(f, "shutdown: {detail}"),
            Self::Killed => f.write_str("killed"),
            Self::Abnormal(cause) => f.write_str(cause),
        }
    }
}
