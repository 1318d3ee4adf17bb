//! Calls to the outside that fail, hang or had better not be made: [`timeout`], [`Retry`] and
//! [`CircuitBreaker`].
//!
//! They wait on the [`Clock`](crate::Clock) that they are given, so an actor that uses them behaves in an
//! isolate, in virtual time, as it does live. They keep no global state, and chance comes from a seed.
//!
//! ```
//! use mycelium::resilience::{BreakerPolicy, CircuitBreaker, Retry, RetryPolicy};
//! use mycelium::{MessageBus, Result};
//! use std::time::Duration;
//!
//! async fn fetch() -> Result<u64> {
//!     Ok(42) // a request to some venue
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result {
//! let clock = MessageBus::new().clock(); // in a handler: `ctx.clock()`
//! let venue = CircuitBreaker::new("venue", BreakerPolicy::default())?;
//! let policy = RetryPolicy { deadline: Some(Duration::from_secs(3)), ..RetryPolicy::default() };
//! let mut retry = Retry::new(policy)?;
//! // Each attempt asks the breaker. While the circuit is open there is nothing to retry.
//! let price = retry.run_if(&clock, || venue.call(&clock, fetch()), |error| !error.is_refused()).await?;
//! assert_eq!(price, 42);
//! # Ok(())
//! # }
//! ```

mod breaker;
mod circuit;
mod retry;
mod timeout;

use std::fmt;

pub use breaker::{
    Breaker, BreakerAction, BreakerCounters, BreakerEvent, BreakerPolicy, BreakerState, CALLS_MIN_MAX,
    OPEN_FOR_MAX, Outcome, PROBES_MAX, Ticket, WINDOW_BUCKETS, WINDOW_MAX, WINDOW_MIN,
};
pub use circuit::{CircuitBreaker, CircuitError, Permit, Refused};
pub use mycelium_supervisor::Backoff;
pub use retry::{AttemptError, GaveUp, RETRY_ATTEMPTS_MAX, Retry, RetryError, RetryPolicy};
pub use timeout::{TimedOut, timeout};

/// A policy with a value that is out of range.
///
/// ```
/// use mycelium::resilience::{Retry, RetryPolicy};
/// let error = Retry::new(RetryPolicy { attempts_max: 0, ..RetryPolicy::default() }).unwrap_err();
/// assert_eq!(error.parameter, "attempts_max");
/// assert_eq!(error.to_string(), "attempts_max is 0: use 1 to 1000000; 1 tries once and retries nothing");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyError {
    /// The name of the value.
    pub parameter: &'static str,
    /// The value.
    pub value: String,
    /// The remedy: a value that is in range.
    pub remedy: String,
}

impl PolicyError {
    fn new(parameter: &'static str, value: impl fmt::Debug, remedy: impl Into<String>) -> Self {
        Self { parameter, value: format!("{value:?}"), remedy: remedy.into() }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: {}", self.parameter, self.value, self.remedy)
    }
}

impl std::error::Error for PolicyError {}
