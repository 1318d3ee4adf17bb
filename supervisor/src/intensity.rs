//! Restart intensity: how many restarts a supervisor allows itself within a period.

use std::collections::VecDeque;
use std::time::Duration;

/// Records one restart at `now` and tells how many restarts, this one included, lie within `period`.
///
/// `restarts` holds earlier restarts, oldest first. Those older than the period are dropped. The window is
/// inclusive, as in OTP's `supervisor.erl`: a restart exactly one period old still counts. A supervisor gives
/// up when the result exceeds its intensity.
///
/// OTP reads its clock in whole seconds; this one is as fine as the caller's. See `docs/otp-differences.md`.
///
/// ```
/// use mycelium_supervisor::add_restart;
/// use std::{collections::VecDeque, time::Duration};
///
/// let (mut restarts, period) = (VecDeque::new(), Duration::from_secs(5));
/// assert_eq!(add_restart(&mut restarts, Duration::from_secs(1), period), 1);
/// assert_eq!(add_restart(&mut restarts, Duration::from_secs(6), period), 2); // exactly one period later: counts
/// assert_eq!(add_restart(&mut restarts, Duration::from_millis(11_001), period), 1);
/// ```
pub fn add_restart(restarts: &mut VecDeque<Duration>, now: Duration, period: Duration) -> usize {
    while restarts.front().is_some_and(|&at| now.saturating_sub(at) > period) {
        restarts.pop_front();
    }
    restarts.push_back(now);
    restarts.len()
}
