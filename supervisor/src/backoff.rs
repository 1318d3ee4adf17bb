//! Exponential backoff between restarts. OTP has none.
//!
//! The growth of the delay comes from the `backoff` crate, and no other module knows that crate. Its own
//! jitter and its elapsed-time limit stay unused, because both would make a decision depend on something
//! other than the inputs.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use backoff::backoff::Backoff as _;
use backoff::exponential::ExponentialBackoff;

/// The longest delay that a policy may ask for: one day.
pub const BACKOFF_CAP_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a supervisor waits before it restarts a child, per child.
///
/// The first restart waits `initial`, each further one `multiplier` times as long, never longer than `cap`. A
/// child that ran for `reset_after` before it ended starts again from `initial`.
///
/// ```
/// use mycelium_supervisor::{Backoff, BackoffState, Jitter};
/// use std::time::Duration;
///
/// let policy = Backoff { initial: Duration::from_millis(100), cap: Duration::from_millis(350), ..Backoff::default() };
/// let (mut child, mut jitter) = (BackoffState::default(), Jitter::new(7));
/// let delays: Vec<u128> = (0..4).map(|_| child.next_delay(&policy, &mut jitter).as_millis()).collect();
/// assert_eq!(delays, [100, 200, 350, 350]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Delay before the first restart.
    pub initial: Duration,
    /// Factor by which the delay grows, at least 1.
    pub multiplier: f64,
    /// No delay exceeds this one, jitter included.
    pub cap: Duration,
    /// Share of the delay that is random, from 0 (none) to 1: a delay `d` becomes one of `d * (1 - jitter)
    /// ..= d * (1 + jitter)`.
    pub jitter: f64,
    /// A child that ran this long is healthy: its delay starts again from `initial`.
    pub reset_after: Duration,
}

impl Default for Backoff {
    /// 100 ms, doubled up to 30 s, without jitter, reset after one minute.
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            multiplier: 2.0,
            cap: Duration::from_secs(30),
            jitter: 0.0,
            reset_after: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// Says what is wrong with the policy, naming the offending value.
    pub(crate) fn fault(&self) -> Option<String> {
        if !self.multiplier.is_finite() || self.multiplier < 1.0 {
            return Some(format!("multiplier is {}, it must be at least 1", told(self.multiplier)));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some(format!("jitter is {}, it must lie between 0 and 1", told(self.jitter)));
        }
        if self.cap > BACKOFF_CAP_MAX {
            return Some(format!("cap is {:?}, it must not exceed {BACKOFF_CAP_MAX:?}", self.cap));
        }
        if self.initial > self.cap {
            return Some(format!(
                "initial is {:?}, it must not exceed the cap of {:?}",
                self.initial, self.cap
            ));
        }
        None
    }
}

/// A number in few digits: the largest ones have three hundred.
fn told(number: f64) -> String {
    if number.abs() < 1e15 { number.to_string() } else { format!("{number:e}") }
}

/// How far one child's backoff has grown. [`Default`] is a child that never failed.
///
/// See [`Backoff`] for an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackoffState {
    /// The next delay before jitter; `None` means the policy's initial one.
    next: Option<Duration>,
}

impl BackoffState {
    /// Returns the delay to wait now and grows the one after it.
    pub fn next_delay(&mut self, policy: &Backoff, jitter: &mut Jitter) -> Duration {
        let delay = self.next.unwrap_or(policy.initial).min(policy.cap);
        self.next = Some(grow(policy, delay));
        jitter.apply(delay, policy.jitter).min(policy.cap)
    }

    /// Forgets earlier failures: the child has been healthy.
    pub fn reset(&mut self) {
        self.next = None;
    }
}

/// The seeded source of jitter (`SplitMix64`): the only randomness in this crate.
///
/// Actors and sweeps draw from `Pcg64Mcg`. Here eight bytes of state are enough for each supervisor, no
/// dependency is needed, and recorded dry runs stay as they are.
///
/// ```
/// use mycelium_supervisor::Jitter;
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let delay = Jitter::new(42).apply(second, 0.25);
/// assert!(delay >= Duration::from_millis(750) && delay <= Duration::from_millis(1250));
/// assert_eq!(delay, Jitter::new(42).apply(second, 0.25)); // the same seed, the same delay
/// ```
#[derive(Clone, Debug)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// A source that yields the same sequence for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Moves `delay` at random by at most `share` of itself, up or down.
    pub fn apply(&mut self, delay: Duration, share: f64) -> Duration {
        if share <= 0.0 {
            return delay;
        }
        // 53 random bits make a double in [0, 1).
        let unit = (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        delay.mul_f64((1.0 + share.min(1.0) * (2.0 * unit - 1.0)).max(0.0))
    }

    /// The next 64 random bits: a shell that runs a whole tree draws the seed of each supervisor here.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(MIX_STEP);
        mix(self.state)
    }
}

/// An odd number near 2^64 divided by the golden ratio: its multiples spread over all 64 bits.
pub const MIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The end of `SplitMix64`: a bijection in which each bit that is put in changes about half of those that
/// come out. The generator is [`Jitter`]: its state grows by [`MIX_STEP`].
///
/// It is here for all of the framework: seeds of sweeps and the keys of pools are spread by it.
///
/// ```
/// use mycelium_supervisor::{Jitter, MIX_STEP, mix};
///
/// assert_eq!(mix(MIX_STEP), Jitter::new(0).next_u64());
/// ```
#[inline]
#[must_use]
pub const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// One step of growth by the `backoff` crate, from `current`.
fn grow(policy: &Backoff, current: Duration) -> Duration {
    let mut growth = ExponentialBackoff {
        current_interval: current,
        initial_interval: policy.initial,
        randomization_factor: 0.0,
        multiplier: policy.multiplier,
        max_interval: policy.cap,
        start_time: frozen_instant(),
        max_elapsed_time: None,
        clock: FrozenClock,
    };
    // The interval it returns is the one before growth, passed through its own random number: only the growth
    // is ours.
    let _ = growth.next_backoff();
    growth.current_interval.min(policy.cap)
}

/// The crate insists on a clock. This one stands still, and no limit is measured against it.
struct FrozenClock;

impl backoff::Clock for FrozenClock {
    fn now(&self) -> Instant {
        frozen_instant()
    }
}

fn frozen_instant() -> Instant {
    static AT: OnceLock<Instant> = OnceLock::new();
    *AT.get_or_init(Instant::now)
}
