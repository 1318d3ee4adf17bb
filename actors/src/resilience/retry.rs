//! Repeating what failed, with backoff, up to a number of attempts and a deadline.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use mycelium_supervisor::{Backoff, BackoffState, Flags, Jitter};

use super::{PolicyError, timeout};
use crate::{Clock, Timestamp};

/// Most attempts that a policy may ask for.
pub const RETRY_ATTEMPTS_MAX: u32 = 1_000_000;

/// When and how often a failed call is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// How many attempts there are in all, the first included; 1 to [`RETRY_ATTEMPTS_MAX`].
    pub attempts_max: u32,
    /// How long to wait between attempts; `reset_after` has no meaning here.
    pub backoff: Backoff,
    /// How long one attempt may take; it is dropped after that and counts as failed. `None`: as long as it
    /// takes.
    pub attempt_timeout: Option<Duration>,
    /// How long everything may take, waits included. An attempt that is under way then is dropped, and a wait
    /// that would not end before is not begun. `None`: no limit.
    pub deadline: Option<Duration>,
    /// From which the jitter of the backoff is drawn. Give each caller its own, or all come back at the same
    /// moment: an actor's `ctx.random()` is one source.
    pub seed: u64,
}

impl Default for RetryPolicy {
    /// 4 attempts; 100 ms between the first two, doubled up to 10 s, moved at random by up to a quarter; no
    /// deadline.
    fn default() -> Self {
        let backoff = Backoff { cap: Duration::from_secs(10), jitter: 0.25, ..Backoff::default() };
        Self { attempts_max: 4, backoff, attempt_timeout: None, deadline: None, seed: 0 }
    }
}

impl RetryPolicy {
    /// Checks the values.
    ///
    /// # Errors
    /// [`PolicyError`] names the first value that is out of range.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.attempts_max == 0 || self.attempts_max > RETRY_ATTEMPTS_MAX {
            let remedy = format!("use 1 to {RETRY_ATTEMPTS_MAX}; 1 tries once and retries nothing");
            return Err(PolicyError::new("attempts_max", self.attempts_max, remedy));
        }
        let zero = |limit: Option<Duration>| limit.is_some_and(|limit| limit.is_zero());
        for (parameter, limit) in [("attempt_timeout", self.attempt_timeout), ("deadline", self.deadline)] {
            if zero(limit) {
                return Err(PolicyError::new(parameter, Duration::ZERO, "use a time above zero, or None"));
            }
        }
        let flags = Flags { backoff: Some(self.backoff), ..Flags::default() };
        flags.check().map_err(|error| PolicyError::new("backoff", self.backoff, error.to_string()))
    }
}

/// Repeats a call that fails. It holds the generator of its jitter, so each task has one of its own.
///
/// ```
/// # use mycelium::resilience::{Retry, RetryPolicy};
/// # use mycelium::{MessageBus, Result};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result {
/// let clock = MessageBus::new().clock(); // in a handler: `ctx.clock()`
/// let mut retry = Retry::new(RetryPolicy::default())?;
/// let mut attempts = 0;
/// let price = retry.run(&clock, || {
///     attempts += 1;
///     let answer = if attempts < 2 { Err("busy") } else { Ok(42) };
///     async move { answer }
/// });
/// assert_eq!(price.await?, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Retry {
    policy: RetryPolicy,
    jitter: Jitter,
}

/// Why a [`Retry`] stopped trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GaveUp {
    /// All attempts are used.
    Attempts,
    /// The error is not one that is retried.
    NotRetried,
    /// The deadline passed, or would have before the next attempt.
    Deadline,
}

/// How one attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptError<E> {
    /// With this error.
    Failed(E),
    /// It took longer than the policy's `attempt_timeout`, which is given.
    TimedOut(Duration),
}

/// A call did not succeed, however often it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryError<E> {
    /// How many attempts were begun.
    pub attempts: u32,
    /// How long all of it took on the clock.
    pub elapsed: Duration,
    /// Why there was no further attempt.
    pub cause: GaveUp,
    /// How the last attempt that ended failed; `None` when the deadline cut the first one off.
    pub last: Option<AttemptError<E>>,
}

impl<E> RetryError<E> {
    /// The error of the last attempt that ended with one of its own.
    #[must_use]
    pub fn into_last(self) -> Option<E> {
        match self.last? {
            AttemptError::Failed(error) => Some(error),
            AttemptError::TimedOut(_) => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for AttemptError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut(limit) => write!(f, "not done within {limit:?}"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, elapsed, cause, last } = self;
        let plural = if *attempts == 1 { "attempt" } else { "attempts" };
        let cause = match cause {
            GaveUp::Attempts => "no attempt is left",
            GaveUp::NotRetried => "this error is not retried",
            GaveUp::Deadline => "the deadline",
        };
        write!(f, "gave up after {attempts} {plural} in {elapsed:?} ({cause})")?;
        match last {
            Some(error) => write!(f, "; the last error: {error}"),
            None => f.write_str("; the first attempt was still under way"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> std::error::Error for RetryError<E> {}

impl Retry {
    /// Retries by this policy.
    ///
    /// # Errors
    /// [`PolicyError`] names the value that is out of range.
    pub fn new(policy: RetryPolicy) -> Result<Self, PolicyError> {
        policy.check()?;
        Ok(Self { policy, jitter: Jitter::new(policy.seed) })
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Calls `attempt` until it succeeds; every error is retried.
    ///
    /// ```
    /// use mycelium::resilience::{Backoff, Retry, RetryPolicy};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> mycelium::Result {
    /// let clock = mycelium::MessageBus::new().clock();
    /// let backoff = Backoff { initial: Duration::from_millis(1), ..Backoff::default() };
    /// let mut retry = Retry::new(RetryPolicy { backoff, ..RetryPolicy::default() })?;
    /// let mut attempts = 0;
    /// let connect = || {
    ///     attempts += 1;
    ///     let connected = attempts == 3;
    ///     async move { if connected { Ok("connected") } else { Err("refused") } }
    /// };
    /// assert_eq!(retry.run(&clock, connect).await?, "connected");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`run_if`](Self::run_if).
    ///
    /// # Cancel safety
    /// See there.
    pub async fn run<T, E, F>(
        &mut self,
        clock: &Clock,
        attempt: impl FnMut() -> F,
    ) -> Result<T, RetryError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.run_if(clock, attempt, |_| true).await
    }

    /// Calls `attempt` until it succeeds or fails with an error that is not `retried`.
    ///
    /// `Ok` comes from the last attempt. Those before it may have had effects too: what is retried should be
    /// harmless when it is done twice.
    ///
    /// # Errors
    /// [`RetryError`] says how many attempts there were, why there is no further one, and the last error.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the attempt under way is dropped where it waits, and there is no other.
    ///
    /// ```
    /// use mycelium::resilience::{GaveUp, Retry, RetryPolicy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> mycelium::Result {
    /// let clock = mycelium::MessageBus::new().clock();
    /// let mut retry = Retry::new(RetryPolicy::default())?;
    /// let refused = retry.run_if(&clock, || async { Err::<(), _>("no such symbol") }, |_| false).await;
    /// let error = refused.unwrap_err();
    /// assert_eq!((error.attempts, error.cause), (1, GaveUp::NotRetried));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_if<T, E, F>(
        &mut self,
        clock: &Clock,
        mut attempt: impl FnMut() -> F,
        mut retried: impl FnMut(&E) -> bool,
    ) -> Result<T, RetryError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut progress = RetryProgress::new(self.policy, clock.steady());
        let mut last = None;
        loop {
            clock.step().await;
            let (limit, is_deadline) = progress.begin(clock.steady());
            if limit == Some(Duration::ZERO) && is_deadline && last.is_some() {
                progress.attempts -= 1;
                return Err(progress.error(clock.steady(), GaveUp::Deadline, last));
            }
            let result = match limit {
                Some(limit) => timeout(clock, limit, attempt()).await,
                None => Ok(attempt().await),
            };
            let again = match result {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => {
                    let again = retried(&error);
                    last = Some(AttemptError::Failed(error));
                    again
                }
                Err(_) if is_deadline => return Err(progress.error(clock.steady(), GaveUp::Deadline, last)),
                Err(timed_out) => {
                    last = Some(AttemptError::TimedOut(timed_out.limit));
                    true
                }
            };
            match progress.failed(clock.steady(), again, &mut self.jitter) {
                NextAttempt::Wait(delay) => clock.sleep(delay).await,
                NextAttempt::GiveUp(cause) => return Err(progress.error(clock.steady(), cause, last)),
            }
        }
    }
}

/// What follows a failed attempt.
#[derive(Debug, PartialEq)]
enum NextAttempt {
    Wait(Duration),
    GiveUp(GaveUp),
}

/// How far one call has come: the decisions, without clock or waiting.
struct RetryProgress {
    policy: RetryPolicy,
    began: Timestamp,
    attempts: u32,
    backoff: BackoffState,
}

impl RetryProgress {
    fn new(policy: RetryPolicy, now: Timestamp) -> Self {
        Self { policy, began: now, attempts: 0, backoff: BackoffState::default() }
    }

    /// Counts an attempt that begins now: how long it may take, and whether that is until the deadline.
    fn begin(&mut self, now: Timestamp) -> (Option<Duration>, bool) {
        self.attempts += 1;
        let left = self.policy.deadline.map(|deadline| deadline.saturating_sub(now - self.began));
        match (self.policy.attempt_timeout, left) {
            (Some(limit), Some(left)) if limit < left => (Some(limit), false),
            (_, Some(left)) => (Some(left), true),
            (limit, None) => (limit, false),
        }
    }

    fn failed(&mut self, now: Timestamp, again: bool, jitter: &mut Jitter) -> NextAttempt {
        if !again {
            return NextAttempt::GiveUp(GaveUp::NotRetried);
        }
        if self.attempts >= self.policy.attempts_max {
            return NextAttempt::GiveUp(GaveUp::Attempts);
        }
        let delay = self.backoff.next_delay(&self.policy.backoff, jitter);
        let elapsed = now - self.began;
        match self.policy.deadline {
            Some(deadline) if elapsed.saturating_add(delay) >= deadline => {
                NextAttempt::GiveUp(GaveUp::Deadline)
            }
            _ => NextAttempt::Wait(delay),
        }
    }

    fn error<E>(&self, now: Timestamp, cause: GaveUp, last: Option<AttemptError<E>>) -> RetryError<E> {
        RetryError { attempts: self.attempts, elapsed: now - self.began, cause, last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: i64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_wait_that_would_outlast_the_deadline_is_not_begun() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let deadline = Some(Duration::from_millis(300));
        let policy = RetryPolicy { attempts_max: 10, backoff, deadline, ..RetryPolicy::default() };
        let (mut progress, mut jitter) = (RetryProgress::new(policy, ms(1_000)), Jitter::new(1));
        assert_eq!(progress.begin(ms(1_000)), (deadline, true));
        assert_eq!(
            progress.failed(ms(1_010), true, &mut jitter),
            NextAttempt::Wait(Duration::from_millis(100))
        );
        assert_eq!(progress.begin(ms(1_110)), (Some(Duration::from_millis(190)), true));
        // 110 ms have passed: a wait of 200 ms would end after 300.
        assert_eq!(progress.failed(ms(1_110), true, &mut jitter), NextAttempt::GiveUp(GaveUp::Deadline));
    }

    #[test]
    fn a_clock_that_is_set_back_does_no_harm() {
        let policy = RetryPolicy { deadline: Some(Duration::from_secs(1)), ..RetryPolicy::default() };
        let (mut progress, mut jitter) = (RetryProgress::new(policy, ms(5_000)), Jitter::new(1));
        assert_eq!(progress.begin(ms(10)).0, policy.deadline);
        assert!(matches!(progress.failed(ms(20), true, &mut jitter), NextAttempt::Wait(_)));
    }

    #[test]
    fn every_value_out_of_range_is_named() {
        let zero = Some(Duration::ZERO);
        let flat = Backoff { multiplier: 0.5, ..Backoff::default() };
        for (policy, parameter) in [
            (RetryPolicy { attempts_max: RETRY_ATTEMPTS_MAX + 1, ..RetryPolicy::default() }, "attempts_max"),
            (RetryPolicy { attempt_timeout: zero, ..RetryPolicy::default() }, "attempt_timeout"),
            (RetryPolicy { deadline: zero, ..RetryPolicy::default() }, "deadline"),
            (RetryPolicy { backoff: flat, ..RetryPolicy::default() }, "backoff"),
        ] {
            assert_eq!(policy.check().unwrap_err().parameter, parameter);
        }
        assert_eq!(RetryPolicy::default().check(), Ok(()));
    }
}
