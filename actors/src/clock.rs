//! The clocks of buses: the one place that reads the wall clock.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Timestamp;
use crate::context::Either;
use crate::isolate::Place;

/// The clock of a bus, to keep and to hand to helpers such as [`Retry`](crate::resilience::Retry): the wall clock live,
/// virtual time in an isolate. [`Context::clock`](crate::Context::clock),
/// [`ServiceContext::clock`](crate::ServiceContext::clock) and [`MessageBus::clock`](crate::MessageBus::clock) give it.
///
/// In an isolate a clock belongs to the actor or service that took it: only that one can wait on it.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    Live,
    Isolate(Place),
    /// Direct routes never wait.
    Nowhere,
}

impl Clock {
    pub(crate) fn live() -> Self {
        Self(Kind::Live)
    }

    pub(crate) fn in_isolate(place: Place) -> Self {
        Self(Kind::Isolate(place))
    }

    pub(crate) fn nowhere() -> Self {
        Self(Kind::Nowhere)
    }

    /// The time. Live it is not monotonic, because the system may set its clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::Isolate(place) => place.now(),
            Kind::Live | Kind::Nowhere => now(),
        }
    }

    /// Waits. Live the granularity is that of tokio's timer, 1 ms.
    ///
    /// # Panics
    /// Live, when it is polled outside a tokio runtime.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        match &self.0 {
            Kind::Isolate(place) => Either::Isolate(place.sleep(duration)),
            Kind::Live => Either::Live(Box::pin(tokio::time::sleep(duration))),
            Kind::Nowhere => Either::Never,
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Live => "Clock(live)",
            Kind::Isolate(_) => "Clock(isolate)",
            Kind::Nowhere => "Clock(direct)",
        })
    }
}

/// The wall clock, in nanoseconds since the Unix epoch: one read of the system's clock, without a system call on
/// the usual platforms. It is not monotonic, because the system may set it.
#[inline]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// How long from now until the clock shows `at`; zero if it does already.
pub(crate) fn until(at: Timestamp) -> Duration {
    at.saturating_since(now())
}

/// The moment `delay` from now. One past the end of time is never reached: far enough away is the same.
pub(crate) fn after(delay: Duration) -> tokio::time::Instant {
    let now = tokio::time::Instant::now();
    now.checked_add(delay).unwrap_or_else(|| now + FAR_AWAY)
}

/// Thirty years, which the timer of the runtime takes.
const FAR_AWAY: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The clock that only rises, for spans of time.
#[inline]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// Keeps this thread busy for `time`.
pub(crate) fn spin(time: Duration) {
    let begin = monotonic();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}
