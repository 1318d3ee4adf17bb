//! Whether a child makes progress: a pure decision over samples.

use std::time::Duration;

use crate::live::Pulse;

/// Shortest time after which a child counts as stuck.
pub const STUCK_AFTER_MIN: Duration = Duration::from_millis(10);

/// How often a child is looked at within the time after which it counts as stuck.
const LOOKS: u32 = 4;

/// When a child counts as stuck, and what happens then. See [`Child::health`](super::Child::health).
///
/// - An actor is stuck when it has something to do and has finished nothing for this time: a handler that never
///   returns, or waits for room in a queue that nobody empties.
/// - A service is stuck when it has not called [`ServiceContext::alive`](crate::ServiceContext::alive) for this time, a process
///   when it has written no line.
///
/// ```
/// use mycelium::tree::Health;
/// use std::time::Duration;
/// let report = Health::within(Duration::from_secs(2));
/// let heal = Health::within(Duration::from_secs(2)).restart();
/// assert_ne!(report, heal);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    stuck_after: Duration,
    pub(crate) restarts: bool,
}

impl Health {
    /// A child without progress for this time, at least [`STUCK_AFTER_MIN`], is reported: to the tree's observer as
    /// [`Notice::Stuck`](super::Notice::Stuck), and to `tracing`, with the message in hand. It is seen up to a quarter later.
    #[must_use]
    pub fn within(stuck_after: Duration) -> Self {
        Self { stuck_after: stuck_after.max(STUCK_AFTER_MIN), restarts: false }
    }

    /// It is restarted as well, as after a failure. A handler that keeps its thread without ever waiting cannot be ended;
    /// it stays reported.
    #[must_use]
    pub fn restart(self) -> Self {
        Self { restarts: true, ..self }
    }

    /// When to look next.
    pub(crate) fn interval(self) -> Duration {
        self.stuck_after / LOOKS
    }
}

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing new.
    Same,
    /// No progress for so long; said once.
    Stuck(Duration),
    /// It makes progress again, after it was said to be stuck.
    Recovered,
}

/// What is known of one life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    health: Health,
    beats: u64,
    /// When there was progress last.
    since: Duration,
    stuck: bool,
}

impl Probe {
    /// A life that begins.
    pub(crate) fn new(health: Health, now: Duration) -> Self {
        Self { health, beats: 0, since: now, stuck: false }
    }

    pub(crate) fn health(&self) -> Health {
        self.health
    }

    /// Looks at a life.
    pub(crate) fn step(&mut self, now: Duration, pulse: Pulse) -> Verdict {
        if pulse.rests || pulse.beats != self.beats {
            (self.beats, self.since) = (pulse.beats, now);
            return if std::mem::take(&mut self.stuck) { Verdict::Recovered } else { Verdict::Same };
        }
        let quiet = now.saturating_sub(self.since);
        if self.stuck || quiet < self.health.stuck_after {
            return Verdict::Same;
        }
        self.stuck = true;
        Verdict::Stuck(quiet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(beats: u64, rests: bool) -> Pulse {
        Pulse { beats, rests, hand: None }
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_life_is_stuck_once_it_has_work_and_finishes_nothing() {
        let mut probe = Probe::new(Health::within(ms(100)), ms(0));
        assert_eq!(probe.step(ms(90), pulse(0, false)), Verdict::Same);
        assert_eq!(probe.step(ms(100), pulse(0, false)), Verdict::Stuck(ms(100)));
        assert_eq!(probe.step(ms(500), pulse(0, false)), Verdict::Same, "it is said once");
        assert_eq!(probe.step(ms(510), pulse(1, false)), Verdict::Recovered);
        assert_eq!(probe.step(ms(600), pulse(2, false)), Verdict::Same);
        assert_eq!(probe.step(ms(700), pulse(2, false)), Verdict::Stuck(ms(100)));
    }

    #[test]
    fn one_that_rests_is_never_stuck() {
        let mut probe = Probe::new(Health::within(ms(100)), ms(0));
        for n in 0..100 {
            assert_eq!(probe.step(ms(n * 50), pulse(0, true)), Verdict::Same);
        }
        // The time counts from the last look at which it rested.
        assert_eq!(probe.step(ms(5_000), pulse(0, false)), Verdict::Same);
        assert_eq!(probe.step(ms(5_050), pulse(0, false)), Verdict::Stuck(ms(100)));
    }

    #[test]
    fn a_limit_has_a_floor() {
        assert_eq!(Health::within(Duration::ZERO), Health::within(STUCK_AFTER_MIN));
    }
}
