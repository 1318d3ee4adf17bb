//! The report of a sweep.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::stop::Leash;
use crate::{BoxError, Isolate, StopReason, Timestamp};

/// How many failures a report keeps in full: those with the lowest indices. All are counted.
pub const FAILURES_KEPT_MAX: usize = 100;

/// Everything that a sweep leaves.
#[derive(Debug)]
#[non_exhaustive]
pub struct SweepReport<P, R> {
    /// The instances that came to their end, in the order of the space, whatever thread ran them and when.
    pub results: Vec<SweepResult<P, R>>,
    /// The first [`FAILURES_KEPT_MAX`] failures, in the order of the space.
    pub failures: Vec<SweepFailure<P>>,
    /// How many instances failed in all.
    pub failed: usize,
    /// How many points the space has.
    pub total: usize,
    /// Whether the stop flag ended the sweep before all points were tried to their end. Each result that is
    /// there is complete in itself; which points are missing depends on the moment.
    pub cancelled: bool,
    /// How long it took.
    pub elapsed: Duration,
    /// CPU time of the sweep's threads, to about a scheduler tick per thread; `None` where the system does
    /// not tell (it does on Linux).
    pub cpu: Option<Duration>,
    /// Threads that ran instances.
    pub threads: usize,
}

impl<P, R> SweepReport<P, R> {
    /// Whether every point was tried and none failed.
    pub fn is_complete(&self) -> bool {
        self.results.len() == self.total
    }

    /// The result with the highest score, the first of those that are equal. One whose score is NaN is below
    /// all others.
    ///
    /// ```
    /// use mycelium::sweep::Sweep;
    /// let report = Sweep::new(vec![0.0, 4.0, 2.0]).run(|n: &f64, _| Ok(n / n))?;
    /// assert!(report.values().next().is_some_and(|share| share.is_nan()));
    /// assert_eq!(report.best_by(|share| *share).map(|best| best.params), Some(4.0));
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn best_by(&self, score: impl Fn(&R) -> f64) -> Option<&SweepResult<P, R>> {
        // With its score, so that each is asked once. `max_by` takes the last of those that are equal.
        let scored = self.results.iter().rev().map(|result| (score(&result.result), result));
        scored.max_by(|(a, _), (b, _)| by_score(*a, *b)).map(|(_, best)| best)
    }

    /// All results, the one with the highest score first: in the order of [`best_by`](Self::best_by).
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let report = Sweep::new(1..=4_u32).run(|n, _| Ok(f64::from(*n % 3)))?;
    /// let best: Vec<u32> = report.ranked_by(|score| *score).iter().take(2).map(|result| result.params).collect();
    /// assert_eq!(best, [2, 1]);
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn ranked_by(&self, score: impl Fn(&R) -> f64) -> Vec<&SweepResult<P, R>> {
        let mut scored: Vec<_> = self.results.iter().map(|result| (score(&result.result), result)).collect();
        scored.sort_by(|(a, _), (b, _)| by_score(*b, *a));
        scored.into_iter().map(|(_, result)| result).collect()
    }

    /// The results alone, in order.
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let report = Sweep::new(1..=4_u32).run(|n, _| Ok(n * n))?;
    /// assert_eq!(report.values().max(), Some(&16));
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn values(&self) -> impl Iterator<Item = &R> {
        self.results.iter().map(|result| &result.result)
    }
}

/// NaN below all others; both zeros are equal.
fn by_score(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// One instance that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepResult<P, R> {
    /// Its index in the space.
    pub index: usize,
    /// Its parameters.
    pub params: P,
    /// The value that it returned.
    pub result: R,
}

/// One instance that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct SweepFailure<P> {
    /// Its index in the space.
    pub index: usize,
    /// Its parameters.
    pub params: P,
    /// Its seed: with [`Trial::new`] the instance can be run again, alone.
    pub seed: u64,
    /// Why.
    pub cause: FailureCause,
}

impl<P: fmt::Debug> fmt::Display for SweepFailure<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, params, seed, cause } = self;
        write!(f, "instance {index} with {params:?} (seed {seed:#018x}) {cause}")
    }
}

/// Why an instance failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureCause {
    /// It returned this error; `downcast_ref` tells its type.
    Failed(BoxError),
    /// It panicked with this message.
    Panicked(String),
}

impl FailureCause {
    pub(super) fn from_panic(payload: Box<dyn Any + Send>) -> Self {
        Self::Panicked(match StopReason::of_panic(payload) {
            StopReason::Panicked(message) => message.as_ref().to_owned(),
            other => other.to_string(),
        })
    }
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
        }
    }
}

/// The facts that one instance of a sweep is told besides its parameters.
#[derive(Clone, Debug)]
pub struct Trial {
    index: usize,
    seed: u64,
    leash: Option<Arc<Leash>>,
}

/// Two trials are equal if they give the same results: by index and seed.
impl PartialEq for Trial {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.seed) == (other.index, other.seed)
    }
}

impl Eq for Trial {}

impl Trial {
    /// The trial with this index and seed: to run an instance of a sweep again, alone.
    ///
    /// ```
    /// use mycelium::sweep::{Sweep, Trial};
    /// use mycelium::sweep::FailureCause;
    ///
    /// let instance = |n: &u64, trial: &Trial| -> mycelium::Result<u64> {
    ///     if *n == 3 { Err(format!("{n} with seed {}", trial.seed()).into()) } else { Ok(*n) }
    /// };
    /// let report = Sweep::new(0..5u64).seed(7).run(instance)?;
    /// let failure = &report.failures[0];
    /// let again = instance(&failure.params, &Trial::new(failure.index, failure.seed)).unwrap_err();
    /// let FailureCause::Failed(first) = &failure.cause else { panic!("it returned an error") };
    /// assert_eq!(again.to_string(), first.to_string());
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn new(index: usize, seed: u64) -> Self {
        Self { index, seed, leash: None }
    }

    /// One whose isolates can be stopped.
    pub(super) fn held(index: usize, seed: u64, leash: &Arc<Leash>) -> Self {
        Self { leash: Some(Arc::clone(leash)), ..Self::new(index, seed) }
    }

    /// The index of the parameters in the space.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The seed of this instance. It follows from the sweep's seed and the index alone.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// An empty isolate with this instance's seed, whose clock starts at zero. It stops with its sweep: see
    /// [`StopFlag`](super::StopFlag).
    pub fn isolate(&self) -> Isolate {
        self.isolate_at(Timestamp::ZERO)
    }

    /// The same, with a clock that starts at `now`.
    ///
    /// ```
    /// use mycelium::{Timestamp, sweep::Trial};
    /// let opening = Timestamp::from_nanos(1_700_000_000_000_000_000);
    /// assert_eq!(Trial::new(0, 42).isolate_at(opening).now(), opening);
    /// ```
    pub fn isolate_at(&self, now: Timestamp) -> Isolate {
        let mut isolate = Isolate::starting_at(self.seed, now);
        if let Some(leash) = &self.leash {
            isolate.hold(Arc::clone(leash));
        }
        isolate
    }
}
