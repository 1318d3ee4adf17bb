//! A limit of time on one piece of work.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::task::coop::unconstrained;

use crate::Clock;

/// The limit passed before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedOut {
    /// The limit.
    pub limit: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not done within {:?}", self.limit)
    }
}

impl std::error::Error for TimedOut {}

/// Drives `work` for at most `limit` on this clock, then drops it where it waits.
///
/// Work that is ready when the limit passes counts as done. Code that never awaits cannot be interrupted.
///
/// # Errors
/// [`TimedOut`]. Effects of the work so far stay: a request may have been sent, and its answer is
/// not heard.
///
/// # Cancel safety
/// That of `work`.
///
/// ```
/// use mycelium::{Isolate, ServiceContext, Service, BoxError, resilience::timeout};
/// use std::time::Duration;
///
/// struct Patient;
/// impl Service for Patient {
///     type Error = BoxError;
///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
///         let (clock, minute) = (ctx.clock(), Duration::from_secs(60));
///         let error = timeout(&clock, minute, std::future::pending::<()>()).await.unwrap_err();
///         assert_eq!(error.to_string(), "not done within 60s");
///         Ok(())
///     }
/// }
/// let mut isolate = Isolate::new(1);
/// isolate.spawn_service(Patient)?;
/// isolate.run()?; // the minute passes in virtual time
/// assert_eq!(isolate.now().as_nanos(), 60_000_000_000);
/// # Ok::<(), BoxError>(())
/// ```
pub async fn timeout<F: Future>(clock: &Clock, limit: Duration, work: F) -> Result<F::Output, TimedOut> {
    clock.step().await;
    // Not by the budget of this task, which work that never has to wait uses up.
    let mut timer = pin!(unconstrained(clock.sleep(limit)));
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| Err(TimedOut { limit })),
    })
    .await
}
