//! The circuit breaker as callers use it: a thin shell around [`Breaker`].

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mycelium_mailbox::caught;

use super::{
    Breaker, BreakerAction, BreakerCounters, BreakerEvent, BreakerPolicy, BreakerState, Outcome, PolicyError,
    Ticket,
};
use crate::Clock;

/// Refuses calls to something that keeps failing, for a while, so that neither side wastes time on them.
///
/// Clones share one circuit. It never waits: a lock is held for the length of one decision.
///
/// ```
/// use mycelium::resilience::{BreakerPolicy, BreakerState, CircuitBreaker};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mycelium::Result {
/// let clock = mycelium::MessageBus::new().clock();
/// let policy = BreakerPolicy { calls_min: 2, ..BreakerPolicy::default() };
/// let venue = CircuitBreaker::new("venue", policy)?;
/// for _ in 0..2 {
///     assert!(venue.call(&clock, async { Err::<(), _>("connection refused") }).await.is_err());
/// }
/// assert!(matches!(venue.state(), BreakerState::Open { .. }));
/// let error = venue.call(&clock, async { Ok::<(), &str>(()) }).await.unwrap_err();
/// assert!(error.is_refused(), "the call was not made");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CircuitBreaker {
    shared: Arc<Shared>,
}

struct Shared {
    name: Box<str>,
    breaker: Mutex<Breaker>,
}

impl Shared {
    /// A decision never leaves the breaker half-changed.
    fn lock(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call was not made, because the circuit is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The circuit's name.
    pub circuit: Box<str>,
    /// When a call is admitted again, at the earliest; from the refusal.
    pub retry_after: Duration,
    /// How many calls had ended within the window when it opened.
    pub calls: u64,
    /// How many of them had failed.
    pub failures: u64,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { circuit, retry_after, calls, failures } = self;
        write!(
            f,
            "`{circuit}` was not called: its circuit opened when {failures} of {calls} calls had failed; a call is \
             let through again in {retry_after:?}"
        )
    }
}

impl std::error::Error for Refused {}

/// A call through a circuit breaker did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CircuitError<E> {
    /// It was not made.
    Refused(Refused),
    /// It was made and failed.
    Failed(E),
}

impl<E> CircuitError<E> {
    /// Whether the call was not made.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl<E: fmt::Display> fmt::Display for CircuitError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> std::error::Error for CircuitError<E> {}

impl CircuitBreaker {
    /// A closed circuit. The name is for errors and logs.
    ///
    /// # Errors
    /// [`PolicyError`] names the value that is out of range.
    pub fn new(name: &str, policy: BreakerPolicy) -> Result<Self, PolicyError> {
        let breaker = Mutex::new(Breaker::new(policy)?);
        Ok(Self { shared: Arc::new(Shared { name: name.into(), breaker }) })
    }

    /// Makes the call if the circuit lets it through; every error counts as a failure.
    ///
    /// A future that is refused is dropped without being polled. A panic counts as a failure.
    ///
    /// ```
    /// use mycelium::resilience::{BreakerPolicy, CircuitBreaker};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> mycelium::Result {
    /// let clock = mycelium::MessageBus::new().clock();
    /// let venue = CircuitBreaker::new("venue", BreakerPolicy::default())?;
    /// let price = venue.call(&clock, async { Ok::<_, std::io::Error>(101) }).await?;
    /// assert_eq!(price, 101);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CircuitError::Refused`] says when to come back; [`CircuitError::Failed`] is the call's own error.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the call is dropped and counts neither way.
    pub async fn call<T, E>(
        &self,
        clock: &Clock,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CircuitError<E>> {
        self.call_if(clock, call, |_| true).await
    }

    /// Makes the call if the circuit lets it through; errors that are no `failure` count as successes: an
    /// order that was refused came from a venue that works.
    ///
    /// # Errors
    /// See [`call`](Self::call).
    ///
    /// # Cancel safety
    /// See there.
    pub async fn call_if<T, E>(
        &self,
        clock: &Clock,
        call: impl Future<Output = Result<T, E>>,
        failure: impl FnOnce(&E) -> bool,
    ) -> Result<T, CircuitError<E>> {
        clock.step().await;
        let permit = self.permit(clock).map_err(CircuitError::Refused)?;
        let result = call.await;
        match &result {
            Err(error) if failure(error) => permit.failed(),
            _ => permit.succeeded(),
        }
        result.map_err(CircuitError::Failed)
    }

    /// Asks for one call, for code that is no single future.
    ///
    /// # Errors
    /// [`Refused`] says when to come back.
    pub fn permit(&self, clock: &Clock) -> Result<Permit, Refused> {
        let mut breaker = self.shared.lock();
        match breaker.admit(clock.steady()) {
            Ok(ticket) => {
                Ok(Permit { shared: Arc::clone(&self.shared), clock: clock.clone(), ticket: Some(ticket) })
            }
            Err(retry_after) => {
                let (calls, failures) = breaker.opened_by();
                Err(Refused { circuit: self.shared.name.clone(), retry_after, calls, failures })
            }
        }
    }

    /// Where the circuit stands.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.shared.lock().state()
    }

    /// Its counters.
    #[must_use]
    pub fn counters(&self) -> BreakerCounters {
        self.shared.lock().counters()
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CircuitBreaker({}, {:?})", self.shared.name, self.state())
    }
}

/// One call that a circuit let through. Dropped without a word it counts neither way, or as a failure in a
/// panic.
#[must_use = "tell the circuit how the call ended"]
pub struct Permit {
    shared: Arc<Shared>,
    clock: Clock,
    ticket: Option<Ticket>,
}

impl Permit {
    /// The call succeeded.
    pub fn succeeded(mut self) {
        self.end(Outcome::Succeeded);
    }

    /// The call failed.
    pub fn failed(mut self) {
        self.end(Outcome::Failed);
    }

    fn end(&mut self, outcome: Outcome) {
        let Some(ticket) = self.ticket.take() else { return };
        let action = self.shared.lock().step(self.clock.steady(), BreakerEvent::Ended(ticket, outcome));
        let circuit = &*self.shared.name;
        match action {
            BreakerAction::Opened => {
                caught(|| tracing::warn!(target: "mycelium::resilience", circuit, "the circuit opened"));
            }
            BreakerAction::Closed => {
                caught(|| tracing::info!(target: "mycelium::resilience", circuit, "the circuit closed"));
            }
            _ => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() { Outcome::Failed } else { Outcome::Cancelled };
        self.end(outcome);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({})", self.shared.name)
    }
}
