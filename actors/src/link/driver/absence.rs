//! For how long a peer without a connection is waited for.
//!
//! Time counts in parts, of which each look adds one at most. A task that did not run for a while, because
//! its machine was busy or its process was stopped, has not waited for its peer meanwhile: the peer may have
//! come all the time, with nobody there to see it.

use std::time::Duration;

use crate::clock::later;
use crate::rt::Instant;

/// In how many parts the time is waited for, and how long one is at least: a timer rounds up.
const PARTS: u32 = 8;
const PART_MIN: Duration = Duration::from_millis(10);

/// A peer that has no connection.
pub(super) struct Absence {
    since: Instant,
    looked: Instant,
    part: Duration,
    left: Duration,
}

impl Absence {
    /// It begins now, and ends after so long a time.
    pub(super) fn begin(now: Instant, hold: Duration) -> Self {
        Self { since: now, looked: now, part: (hold / PARTS).max(PART_MIN).min(hold), left: hold }
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// When to look next.
    pub(super) fn due(&self) -> Instant {
        later(self.looked, self.part.min(self.left))
    }

    /// Looks, at the time that is due or later: whether the peer was waited for long enough.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.looked);
        self.left = self.left.saturating_sub(passed.min(self.part));
        self.looked = now;
        // The division may have left less than this over.
        self.left.as_nanos() < u128::from(PARTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_comes_late_counts_for_one_part() {
        let begin = Instant::now();
        let mut absence = Absence::begin(begin, Duration::from_secs(8));
        let mut now = begin;
        for seconds in [1, 1, 3_600, 1, 1, 1, 1] {
            assert_eq!(absence.due(), now + Duration::from_secs(1));
            now += Duration::from_secs(seconds);
            assert!(!absence.is_over(now));
        }
        assert!(absence.is_over(absence.due()) && absence.since() == begin);
        assert!(Absence::begin(begin, Duration::from_nanos(7)).is_over(begin));
        // One part, and two.
        let millis = Duration::from_millis;
        assert!(Absence::begin(begin, millis(1)).is_over(begin + millis(1)));
        let mut short = Absence::begin(begin, millis(20));
        assert_eq!(short.due(), begin + millis(10));
        assert!(!short.is_over(begin + millis(15)) && short.is_over(begin + millis(25)));
        let mut for_ever = Absence::begin(begin, Duration::MAX);
        assert!(!for_ever.is_over(for_ever.due()));
    }
}
