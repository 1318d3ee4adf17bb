//! The clock of live buses: the one place that reads the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// The wall clock, in nanoseconds since the Unix epoch: one read of the system's clock, without a system call on
/// the usual platforms. It is not monotonic, because the system may set it.
#[inline]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// How long from now until the clock shows `at`; zero if it does already.
pub(crate) fn until(at: Timestamp) -> Duration {
    at.saturating_since(now())
}
