//! A circuit breaker as a pure decision: `step(now, event) -> action`.
//!
//! ```text
//!                 too many failures                open_for has passed, a call comes
//!      closed ───────────────────────> open ───────────────────────────────> half-open
//!        ^                              ^                                      │   │
//!        │                              └──────────── a probe fails ───────────┘   │
//!        └────────────────────── all probes succeed ───────────────────────────────┘
//! ```

use std::time::Duration;

use super::PolicyError;
use crate::Timestamp;

/// Into how many parts the window is cut: a call is forgotten after nine to ten tenths of it (buckets).
pub const WINDOW_BUCKETS: usize = 10;
/// Shortest window.
pub const WINDOW_MIN: Duration = Duration::from_millis(1);
/// Longest window.
pub const WINDOW_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Highest `calls_min` (calls).
pub const CALLS_MIN_MAX: u32 = 1_000_000;
/// Longest time that a circuit stays open before a probe.
pub const OPEN_FOR_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Most probes of a half-open circuit (calls).
pub const PROBES_MAX: u32 = 1_000;

/// When a circuit opens, and when it closes again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerPolicy {
    /// How far back calls count, from [`WINDOW_MIN`] to [`WINDOW_MAX`]; it moves on in tenths.
    pub window: Duration,
    /// How many calls must have ended within the window before the circuit can open; 1 to [`CALLS_MIN_MAX`].
    pub calls_min: u32,
    /// The share of failures among them that opens it; above 0, at most 1.
    pub failure_share: f64,
    /// How long it refuses calls before it admits probes; above zero, at most [`OPEN_FOR_MAX`].
    pub open_for: Duration,
    /// How many probes it admits, all of which must succeed to close it; 1 to [`PROBES_MAX`].
    pub probes: u32,
}

impl Default for BreakerPolicy {
    /// Half of at least 5 calls in 10 s open it for 5 s; then one probe decides.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            calls_min: 5,
            failure_share: 0.5,
            open_for: Duration::from_secs(5),
            probes: 1,
        }
    }
}

impl BreakerPolicy {
    /// Checks the values.
    ///
    /// # Errors
    /// [`PolicyError`] names the first value that is out of range, and what to write instead.
    pub fn check(&self) -> Result<(), PolicyError> {
        let Self { window, calls_min, failure_share, open_for, probes } = *self;
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&window) {
            let remedy = format!("use {WINDOW_MIN:?} to {WINDOW_MAX:?}: how far back calls count");
            return Err(PolicyError::new("window", window, remedy));
        }
        if !(1..=CALLS_MIN_MAX).contains(&calls_min) {
            let remedy =
                format!("use 1 to {CALLS_MIN_MAX}: fewer calls in the window never open the circuit");
            return Err(PolicyError::new("calls_min", calls_min, remedy));
        }
        if !(failure_share > 0.0 && failure_share <= 1.0) {
            let remedy =
                "use a share above 0 and at most 1: 0.5 opens the circuit when half of the calls fail";
            return Err(PolicyError::new("failure_share", failure_share, remedy));
        }
        if open_for.is_zero() || open_for > OPEN_FOR_MAX {
            let remedy =
                format!("use a time above zero and at most {OPEN_FOR_MAX:?}: how long calls are refused");
            return Err(PolicyError::new("open_for", open_for, remedy));
        }
        if !(1..=PROBES_MAX).contains(&probes) {
            let remedy = format!("use 1 to {PROBES_MAX}: how many calls must succeed to close the circuit");
            return Err(PolicyError::new("probes", probes, remedy));
        }
        Ok(())
    }
}

/// Where a circuit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls are made.
    Closed,
    /// Calls are refused until then.
    Open {
        /// When the first probe is admitted. Of a [`CircuitBreaker`](super::CircuitBreaker) on a live bus, by
        /// the wall clock as it was when the bus was made.
        until: Timestamp,
    },
    /// A few calls are made to see whether it may close.
    HalfOpen,
}

/// An admitted call: hand it back with its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Which stretch between two changes of state admitted it: what ends later decides nothing any more.
    era: u64,
}

/// How an admitted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other side works.
    Succeeded,
    /// It does not.
    Failed,
    /// Nothing is known: the caller left.
    Cancelled,
}

/// An event of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerEvent {
    /// Somebody wants to call.
    Call,
    /// An admitted call has ended. Each ticket comes back once.
    Ended(Ticket, Outcome),
}

/// A decision of the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerAction {
    /// The call may be made.
    Admit(Ticket),
    /// It may not; asking again makes sense after this time.
    Refuse {
        /// From now.
        retry_after: Duration,
    },
    /// The circuit has opened.
    Opened,
    /// The circuit has closed.
    Closed,
    /// Nothing has changed.
    Nothing,
}

/// The counters of a breaker since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerCounters {
    /// Calls that were let through, probes included.
    pub admitted: u64,
    /// Calls that were not.
    pub refused: u64,
    /// Admitted calls that succeeded.
    pub succeeded: u64,
    /// Admitted calls that failed.
    pub failed: u64,
    /// Admitted calls whose caller left.
    pub cancelled: u64,
    /// How often the circuit opened.
    pub opened: u64,
    /// How often it closed again.
    pub closed: u64,
}

/// The state machine behind [`CircuitBreaker`](super::CircuitBreaker). A time that lies before an earlier one
/// counts as that one, so a clock that is set back delays it and breaks nothing.
///
/// ```
/// use mycelium::resilience::{Breaker, BreakerAction, BreakerEvent, BreakerPolicy, Outcome};
/// use mycelium::Timestamp;
///
/// let policy = BreakerPolicy { calls_min: 1, ..BreakerPolicy::default() };
/// let mut breaker = Breaker::new(policy)?;
/// let now = Timestamp::ZERO;
/// let BreakerAction::Admit(ticket) = breaker.step(now, BreakerEvent::Call) else { panic!("it is closed") };
/// assert_eq!(breaker.step(now, BreakerEvent::Ended(ticket, Outcome::Failed)), BreakerAction::Opened);
/// let refused = BreakerAction::Refuse { retry_after: policy.open_for };
/// assert_eq!(breaker.step(now, BreakerEvent::Call), refused);
/// assert!(matches!(breaker.step(now + policy.open_for, BreakerEvent::Call), BreakerAction::Admit(_)));
/// # Ok::<(), mycelium::resilience::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: State,
    window: Window,
    latest: Timestamp,
    era: u64,
    counters: BreakerCounters,
    /// Calls and failures in the window when it opened last.
    opened_by: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open {
        until: Timestamp,
    },
    HalfOpen {
        /// When the latest probe was admitted.
        probed: Timestamp,
        admitted: u32,
        succeeded: u32,
    },
}

impl Breaker {
    /// A closed circuit.
    ///
    /// # Errors
    /// [`PolicyError`] names the value that is out of range.
    pub fn new(policy: BreakerPolicy) -> Result<Self, PolicyError> {
        policy.check()?;
        let bucket = policy.window / u32::try_from(WINDOW_BUCKETS).unwrap_or(1);
        let window = Window { bucket_ns: nanos(bucket).max(1), ..Window::default() };
        let counters = BreakerCounters::default();
        let (latest, state) = (Timestamp::ZERO, State::Closed);
        Ok(Self { policy, state, window, latest, era: 0, counters, opened_by: (0, 0) })
    }

    /// Decides.
    pub fn step(&mut self, now: Timestamp, event: BreakerEvent) -> BreakerAction {
        self.latest = self.latest.max(now);
        match event {
            BreakerEvent::Call => match self.call() {
                Ok(ticket) => BreakerAction::Admit(ticket),
                Err(retry_after) => BreakerAction::Refuse { retry_after },
            },
            BreakerEvent::Ended(ticket, outcome) => self.ended(ticket, outcome),
        }
    }

    /// The same as a [`step`](Self::step) with [`BreakerEvent::Call`]: a ticket, or how long to stay away.
    ///
    /// # Errors
    /// The time after which asking again makes sense.
    pub fn admit(&mut self, now: Timestamp) -> Result<Ticket, Duration> {
        self.latest = self.latest.max(now);
        self.call()
    }

    /// Where it stands. An open circuit becomes half-open with the first call after its time.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { until } => BreakerState::Open { until },
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Its counters.
    #[must_use]
    pub fn counters(&self) -> BreakerCounters {
        self.counters
    }

    /// Its policy.
    #[must_use]
    pub fn policy(&self) -> &BreakerPolicy {
        &self.policy
    }

    /// How many calls had ended within the window, and how many of them had failed, when it opened last from
    /// closed.
    #[must_use]
    pub fn opened_by(&self) -> (u64, u64) {
        self.opened_by
    }

    fn call(&mut self) -> Result<Ticket, Duration> {
        let now = self.latest;
        if let State::Open { until } = self.state {
            if now < until {
                return Err(self.refuse(until - now));
            }
            self.era += 1;
            self.state = State::HalfOpen { probed: now, admitted: 0, succeeded: 0 };
        }
        if let State::HalfOpen { probed, admitted, .. } = &mut self.state {
            let give_up = *probed + self.policy.open_for;
            if *admitted < self.policy.probes {
                (*probed, *admitted) = (now, *admitted + 1);
            } else if now >= give_up {
                // The probes hang. Were they waited for, nobody could ever call again.
                self.era += 1;
                self.state = State::HalfOpen { probed: now, admitted: 1, succeeded: 0 };
            } else {
                return Err(self.refuse(give_up - now));
            }
        }
        self.counters.admitted += 1;
        Ok(Ticket { era: self.era })
    }

    fn refuse(&mut self, retry_after: Duration) -> Duration {
        self.counters.refused += 1;
        retry_after
    }

    fn ended(&mut self, ticket: Ticket, outcome: Outcome) -> BreakerAction {
        match outcome {
            Outcome::Succeeded => self.counters.succeeded += 1,
            Outcome::Failed => self.counters.failed += 1,
            Outcome::Cancelled => self.counters.cancelled += 1,
        }
        if ticket.era != self.era {
            return BreakerAction::Nothing;
        }
        match (&mut self.state, outcome) {
            (State::Closed, Outcome::Cancelled) | (State::Open { .. }, _) => BreakerAction::Nothing,
            (State::Closed, _) => {
                let (calls, failures) = self.window.add(self.latest, outcome == Outcome::Failed);
                let enough = calls >= u64::from(self.policy.calls_min);
                if !enough || (failures as f64) < self.policy.failure_share * calls as f64 {
                    return BreakerAction::Nothing;
                }
                self.opened_by = (calls, failures);
                self.open()
            }
            (State::HalfOpen { .. }, Outcome::Failed) => self.open(),
            (State::HalfOpen { admitted, .. }, Outcome::Cancelled) => {
                *admitted -= 1;
                BreakerAction::Nothing
            }
            (State::HalfOpen { succeeded, .. }, Outcome::Succeeded) => {
                *succeeded += 1;
                if *succeeded < self.policy.probes {
                    return BreakerAction::Nothing;
                }
                self.era += 1;
                self.state = State::Closed;
                self.counters.closed += 1;
                BreakerAction::Closed
            }
        }
    }

    fn open(&mut self) -> BreakerAction {
        self.era += 1;
        self.window.forget();
        self.state = State::Open { until: self.latest + self.policy.open_for };
        self.counters.opened += 1;
        BreakerAction::Opened
    }
}

/// The calls of the last stretch of time, in buckets.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// Calls and failures of each bucket; that of `latest` is at `latest % WINDOW_BUCKETS`.
    buckets: [(u64, u64); WINDOW_BUCKETS],
    latest: i64,
    bucket_ns: i64,
}

impl Window {
    /// Adds a call; how many calls and failures the window holds now.
    fn add(&mut self, now: Timestamp, failed: bool) -> (u64, u64) {
        let bucket = now.as_nanos().div_euclid(self.bucket_ns);
        let passed = bucket.saturating_sub(self.latest).min(WINDOW_BUCKETS as i64);
        for stale in 0..passed {
            self.buckets[Self::at(bucket - stale)] = (0, 0);
        }
        self.latest = self.latest.max(bucket);
        let (calls, failures) = &mut self.buckets[Self::at(bucket)];
        *calls += 1;
        *failures += u64::from(failed);
        self.buckets.iter().fold((0, 0), |(calls, failures), (c, f)| (calls + c, failures + f))
    }

    fn forget(&mut self) {
        self.buckets = Default::default();
    }

    fn at(bucket: i64) -> usize {
        bucket.rem_euclid(WINDOW_BUCKETS as i64) as usize
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_out_of_range_is_named_with_its_remedy() {
        let ok = BreakerPolicy::default();
        for (policy, parameter) in [
            (BreakerPolicy { window: Duration::ZERO, ..ok }, "window"),
            (BreakerPolicy { calls_min: 0, ..ok }, "calls_min"),
            (BreakerPolicy { failure_share: 0.0, ..ok }, "failure_share"),
            (BreakerPolicy { failure_share: f64::NAN, ..ok }, "failure_share"),
            (BreakerPolicy { failure_share: 1.5, ..ok }, "failure_share"),
            (BreakerPolicy { open_for: Duration::ZERO, ..ok }, "open_for"),
            (BreakerPolicy { probes: PROBES_MAX + 1, ..ok }, "probes"),
        ] {
            let error = Breaker::new(policy).unwrap_err();
            assert_eq!(error.parameter, parameter);
            assert!(error.to_string().contains(": use "), "{error}");
        }
        assert_eq!(ok.check(), Ok(()));
    }
}
