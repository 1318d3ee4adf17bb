//! Timers that can be called off, and what comes again and again.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use crate::clock;
use crate::isolate::{Place, Sleep};
use crate::live::{CancelPoint, poll_cancellable};
use crate::rt;
use crate::sync::{AtomicBool, Ordering};

/// Calls a scheduled message off. Dropping it does not.
#[derive(Clone, Debug, Default)]
pub struct TimerHandle {
    cancelled: Arc<AtomicBool>,
}

impl TimerHandle {
    /// The message will not be delivered, unless it already has been or is being handled; that of
    /// [`schedule_every`](crate::Context::schedule_every) not once more.
    pub fn cancel(&self) {
        // Relaxed: the flag guards no other data.
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// The fate of ticks that nobody took in their time, because a handler or a loop was busy: the terms of
/// tokio's `MissedTickBehavior`. The table is that of a period of 10 ms, when the first tick keeps its taker
/// busy until 45 ms.
///
/// | | ticks are taken at (ms) |
/// |---|---|
/// | `Burst` | 10, 45, 45, 45, 50, 60 |
/// | `Delay` | 10, 45, 55, 65 |
/// | `Skip` | 10, 45, 50, 60 |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissedTicks {
    /// They are made up for, one right after the other; then the ticks are in their times again. The default.
    #[default]
    Burst,
    /// The next tick comes a whole period after one that was late by more than 5 ms.
    Delay,
    /// They are left out; the next tick comes at the next of their times.
    Skip,
}

/// How often something comes, for [`Context::schedule_every`](crate::Context::schedule_every) and
/// [`ServiceContext::interval`](crate::ServiceContext::interval): a period, if no more is said.
///
/// ```
/// use std::time::Duration;
/// use mycelium::{Every, MissedTicks};
///
/// let beat = Every::new(Duration::from_millis(10)).first_after(Duration::ZERO).missed(MissedTicks::Skip);
/// assert_ne!(beat, Every::from(Duration::from_millis(10)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
    period: Duration,
    first: Duration,
    missed: MissedTicks,
}

/// A tick that is later than this was missed, for [`MissedTicks::Delay`]: the timer itself may be late by 1
/// ms each time.
const LATE: Duration = Duration::from_millis(5);

impl Every {
    /// Once in each `period`, at least a nanosecond; for the first time when one has passed. Each tick is due
    /// a whole number of periods after the first one, however late those before were taken: nothing adds up.
    #[must_use]
    pub fn new(period: Duration) -> Self {
        let period = period.max(Duration::from_nanos(1));
        Self { period, first: period, missed: MissedTicks::Burst }
    }

    /// For the first time after `delay`.
    #[must_use]
    pub fn first_after(mut self, delay: Duration) -> Self {
        self.first = delay;
        self
    }

    /// The fate of ticks that nobody took in their time.
    #[must_use]
    pub fn missed(mut self, missed: MissedTicks) -> Self {
        self.missed = missed;
        self
    }

    /// When the first tick is due, counted from now.
    pub(crate) fn first(&self) -> Duration {
        self.first
    }

    /// How long after a tick, which was taken this `late`, the next one is due.
    pub(crate) fn next(&self, late: Duration) -> Duration {
        match self.missed {
            MissedTicks::Delay if late > LATE => late.saturating_add(self.period),
            MissedTicks::Burst | MissedTicks::Delay => self.period,
            MissedTicks::Skip => {
                let periods = late.as_nanos() / self.period.as_nanos() + 1;
                let nanos = self.period.as_nanos().saturating_mul(periods);
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
        }
    }
}

impl From<Duration> for Every {
    fn from(period: Duration) -> Self {
        Self::new(period)
    }
}

/// Ticks for the loop of a service; see [`ServiceContext::interval`](crate::ServiceContext::interval).
pub struct Interval {
    every: Every,
    next: Next,
    /// Where its service ends, if it waits for the next tick there.
    at: Option<CancelPoint>,
}

/// What waits for the next tick.
enum Next {
    Isolate(Place, Sleep),
    Live(Pin<Box<rt::Sleep>>),
}

impl Interval {
    pub(crate) fn live(every: Every) -> Self {
        let first = rt::sleep_until(clock::after(every.first()));
        Self { every, next: Next::Live(Box::pin(first)), at: None }
    }

    pub(crate) fn in_isolate(every: Every, place: Place) -> Self {
        let first = place.sleep(every.first());
        Self { every, next: Next::Isolate(place, first), at: None }
    }

    /// Waits for the next tick.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, no tick is lost.
    pub async fn tick(&mut self) {
        let ticking = Ticking(self);
        poll_fn(|cx| ticking.0.poll_tick(cx)).await;
    }

    /// Polls for the next tick; see [`tick`](Self::tick).
    pub fn poll_tick(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        match &mut self.next {
            Next::Isolate(place, sleep) => {
                ready!(Pin::new(&mut *sleep).poll(cx));
                let due = sleep.due();
                *sleep = place.sleep_until(due + self.every.next(place.now() - due));
            }
            Next::Live(sleep) => {
                ready!(poll_cancellable(&mut self.at, |cx| sleep.as_mut().poll(cx), cx));
                let due = sleep.deadline();
                sleep.as_mut().reset(clock::later(due, self.every.next(due.elapsed())));
            }
        }
        Poll::Ready(())
    }
}

/// A wait for the next tick.
struct Ticking<'a>(&'a mut Interval);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.at = None;
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval").field("every", &self.every).finish_non_exhaustive()
    }
}
