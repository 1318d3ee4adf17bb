//! How long a dialer waits between two attempts.

use std::time::Duration;

/// The first wait, and the longest.
const WAIT_MIN: Duration = Duration::from_millis(10);
const WAIT_MAX: Duration = Duration::from_secs(2);
/// How many attempts in a row may follow at once, because a peer says that they would succeed.
const AT_ONCE_MAX: u32 = 4;

#[derive(Default)]
pub(super) struct Backoff {
    failures: u32,
    at_once: u32,
}

impl Backoff {
    /// The last attempt was a link for a while.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// How long to wait now: `at_once` if the next attempt is expected to succeed. `chance`: any number.
    pub(super) fn next(&mut self, at_once: bool, chance: u64) -> Duration {
        if at_once && self.at_once < AT_ONCE_MAX {
            self.at_once += 1;
            return Duration::ZERO;
        }
        let wait = (WAIT_MIN * 2_u32.pow(self.failures.min(16))).min(WAIT_MAX);
        self.failures += 1;
        self.at_once = 0;
        // Half of it at least: two that dial each other do not meet for ever.
        wait / 2 + wait.mul_f64((chance % 1_024) as f64 / 2_048.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_few_follow_at_once() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..10).map(|_| backoff.next(false, 0).as_millis()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
        assert!(backoff.next(false, 1_023) <= WAIT_MAX);
        backoff.reset();
        assert!((0..4).all(|_| backoff.next(true, 0).is_zero()));
        assert_eq!(backoff.next(true, 0).as_millis(), 5);
    }
}
