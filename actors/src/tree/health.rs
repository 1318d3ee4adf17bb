//! Whether a child makes progress: a pure decision over samples.

use std::time::Duration;

use crate::live::Pulse;

/// Shortest time after which a child counts as stuck.
pub const STUCK_AFTER_MIN: Duration = Duration::from_millis(10);

/// How often a child is looked at within the time after which it counts as stuck.
const LOOKS: u32 = 4;

/// When a child counts as stuck, and what happens then. See [`Child::health`](super::Child::health).
///
/// - An actor is stuck when it has something to do and has finished nothing for this time: a handler that
///   never returns, or waits for room in a queue that nobody empties.
/// - A service is stuck when it has not called [`ServiceContext::alive`](crate::ServiceContext::alive) for
///   this time, a process when it has written no line.
///
/// In an isolate that is virtual time, and exact. Live, only time in which the runtime gives its tasks their
/// turns counts: where all its threads are busy, a child that waits for its turn is not stuck, and one that
/// is stuck is found later.
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
    /// A child without progress for this time, at least [`STUCK_AFTER_MIN`], is reported: to the tree's
    /// observer as [`Notice::Stuck`](super::Notice::Stuck), and to `tracing`, with the message in hand. It is
    /// seen up to a quarter later.
    #[must_use]
    pub fn within(stuck_after: Duration) -> Self {
        Self { stuck_after: stuck_after.max(STUCK_AFTER_MIN), restarts: false }
    }

    /// It is restarted as well, as after a failure. A handler that keeps its thread without ever waiting
    /// cannot be ended, unless it has said how ([`Context::interrupted_by`](crate::Context::interrupted_by)):
    /// it stays reported.
    #[must_use]
    pub fn restart(self) -> Self {
        Self { restarts: true, ..self }
    }

    pub(crate) fn stuck_after(self) -> Duration {
        self.stuck_after
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
pub(crate) struct HealthProbe {
    health: Health,
    beats: u64,
    /// When there was progress last.
    since: Duration,
    /// When it was looked at last.
    looked: Duration,
    /// How long since the last progress it could have made some.
    quiet: Duration,
    stuck: bool,
}

impl HealthProbe {
    /// A life that begins.
    pub(crate) fn new(health: Health, now: Duration) -> Self {
        Self { health, beats: 0, since: now, looked: now, quiet: Duration::ZERO, stuck: false }
    }

    pub(crate) fn health(&self) -> Health {
        self.health
    }

    /// Looks at a life. `had_turns`: since the last look, every task that could go on has had several turns.
    /// A look that comes late counts as one in time, because what held it up has held up others.
    pub(crate) fn step(&mut self, now: Duration, pulse: Pulse, had_turns: bool) -> Verdict {
        let passed = now.saturating_sub(std::mem::replace(&mut self.looked, now));
        if pulse.rests || pulse.beats != self.beats {
            (self.beats, self.since, self.quiet) = (pulse.beats, now, Duration::ZERO);
            return if std::mem::take(&mut self.stuck) { Verdict::Recovered } else { Verdict::Same };
        }
        if had_turns {
            self.quiet += passed.min(self.health.interval());
        }
        if self.stuck || self.quiet < self.health.stuck_after {
            return Verdict::Same;
        }
        self.stuck = true;
        Verdict::Stuck(now.saturating_sub(self.since))
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

    /// Looks every `step` milliseconds from `from` on, and finds the same each time; when it found that the
    /// life is stuck.
    fn looks(
        probe: &mut HealthProbe,
        from: u64,
        step: u64,
        looks: u64,
        pulse: Pulse,
        had_turns: bool,
    ) -> Option<u64> {
        let times = (1..=looks).map(|look| from + look * step);
        let verdicts: Vec<_> = times.map(|at| (at, probe.step(ms(at), pulse, had_turns))).collect();
        let stuck: Vec<_> =
            verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Stuck(_))).collect();
        assert!(stuck.len() <= 1, "it is said once: {verdicts:?}");
        stuck.first().map(|(at, _)| *at)
    }

    #[test]
    fn a_life_is_stuck_once_it_has_work_and_finishes_nothing() {
        let mut probe = HealthProbe::new(Health::within(ms(100)), ms(0));
        assert_eq!(looks(&mut probe, 0, 25, 20, pulse(0, false), true), Some(100));
        assert_eq!(probe.step(ms(510), pulse(1, false), true), Verdict::Recovered);
        assert_eq!(probe.step(ms(535), pulse(2, false), true), Verdict::Same);
        assert_eq!(looks(&mut probe, 535, 25, 20, pulse(2, false), true), Some(635));
    }

    #[test]
    fn one_that_has_no_turn_is_not_stuck_and_late_looks_count_as_one_in_time() {
        let mut probe = HealthProbe::new(Health::within(ms(100)), ms(0));
        assert_eq!(looks(&mut probe, 0, 25, 1_000, pulse(0, false), false), None);
        assert_eq!(looks(&mut probe, 25_000, 500, 10, pulse(0, false), true), Some(27_000), "four looks");
        let mut probe = HealthProbe::new(Health::within(ms(100)), ms(0));
        for look in 1..100 {
            let had_turns = look % 10 == 0;
            let verdict = probe.step(ms(look * 25), pulse(0, false), had_turns);
            assert_eq!(verdict, if look == 40 { Verdict::Stuck(ms(1_000)) } else { Verdict::Same });
        }
    }

    #[test]
    fn one_that_rests_is_never_stuck() {
        let mut probe = HealthProbe::new(Health::within(ms(100)), ms(0));
        assert_eq!(looks(&mut probe, 0, 50, 100, pulse(0, true), true), None);
        // The time counts from the last look at which it rested.
        assert_eq!(probe.step(ms(5_025), pulse(0, false), true), Verdict::Same);
        assert_eq!(probe.step(ms(5_050), pulse(0, false), true), Verdict::Same);
    }

    #[test]
    fn a_limit_has_a_floor() {
        assert_eq!(Health::within(Duration::ZERO), Health::within(STUCK_AFTER_MIN));
    }
}
