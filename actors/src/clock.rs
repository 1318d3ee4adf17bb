//! The clocks of buses: the one place that reads the wall clock.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};
#[cfg(not(shuttle))]
use std::time::{SystemTime, UNIX_EPOCH};

use mycelium_mailbox::Ticks;

use crate::Timestamp;
use crate::context::Either;
use crate::isolate::{Place, step};
use crate::live::{cancellable, turn};
use crate::rt;

/// The clock of a bus, to keep and to hand to helpers such as [`Retry`](crate::resilience::Retry): the wall
/// clock live, virtual time in an isolate. [`Context::clock`](crate::Context::clock),
/// [`ServiceContext::clock`](crate::ServiceContext::clock) and
/// [`MessageBus::clock`](crate::MessageBus::clock) give it.
///
/// In an isolate a clock belongs to the actor or service that took it: only that one can wait on it.
#[derive(Clone)]
pub struct Clock(ClockKind);

#[derive(Clone)]
enum ClockKind {
    Live(LiveClock),
    Isolate(Place),
    /// Direct routes never wait.
    Nowhere,
}

impl Clock {
    pub(crate) fn live(clock: LiveClock) -> Self {
        Self(ClockKind::Live(clock))
    }

    pub(crate) fn in_isolate(place: Place) -> Self {
        Self(ClockKind::Isolate(place))
    }

    pub(crate) fn nowhere() -> Self {
        Self(ClockKind::Nowhere)
    }

    /// The time. Live it is not monotonic, because the system may set its clock; on a tokio runtime whose
    /// clock is stopped or was moved, as in a test with `start_paused`, it is the time of that one.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            ClockKind::Isolate(place) => place.now(),
            ClockKind::Live(clock) => clock.now(),
            ClockKind::Nowhere => now(),
        }
    }

    /// The same for spans of time: nobody sets it. Live it is that of the wall clock when the bus was made,
    /// and goes on from there.
    pub(crate) fn steady(&self) -> Timestamp {
        match &self.0 {
            ClockKind::Live(clock) => clock.steady(),
            ClockKind::Isolate(_) | ClockKind::Nowhere => self.now(),
        }
    }

    /// Waits. Live the granularity is that of tokio's timer, 1 ms.
    ///
    /// # Panics
    /// Live, when it is polled outside a tokio runtime.
    ///
    /// # Cancel safety
    /// Dropped, it has waited for nothing.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        match &self.0 {
            ClockKind::Isolate(place) => Either::Isolate(place.sleep(duration)),
            ClockKind::Live(_) => Either::Live(Box::pin(cancellable(rt::sleep(duration)))),
            ClockKind::Nowhere => Either::Never,
        }
    }
}

impl Clock {
    /// What each wait on it begins with that may be over at once: a loop of them lets others run, and is a
    /// part of the bounds of a run.
    pub(crate) async fn step(&self) {
        match &self.0 {
            ClockKind::Live(_) => turn().await,
            ClockKind::Isolate(_) => step().await,
            ClockKind::Nowhere => {}
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            ClockKind::Live(_) => "Clock(live)",
            ClockKind::Isolate(_) => "Clock(isolate)",
            ClockKind::Nowhere => "Clock(direct)",
        })
    }
}

/// The clock of a live bus: the wall clock, or that of a tokio runtime whose clock does not go with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiveClock {
    /// What both showed when the bus was made.
    wall: Timestamp,
    tokio: tokio::time::Instant,
}

impl LiveClock {
    pub(crate) fn new() -> Self {
        Self { wall: now(), tokio: tokio::time::Instant::now() }
    }

    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        if TOKIO_CAN_PAUSE { self.now_if_it_goes() } else { now() }
    }

    /// See [`Clock::steady`].
    fn steady(&self) -> Timestamp {
        // In a model there is one time, which nobody sets.
        if cfg!(shuttle) { self.now() } else { self.by_tokio(tokio::time::Instant::now()) }
    }

    /// The same, in nanoseconds, for one who asks often: [`Ticks`] say how right it is. A clock that can be
    /// stopped is asked each time.
    #[inline]
    pub(crate) fn now_by(&self, ticks: &mut Ticks) -> i64 {
        if TOKIO_CAN_PAUSE { self.now().as_nanos() } else { ticks.now(|| now().as_nanos()) }
    }

    /// The same, unless it was given a moment ago: see [`Ticks::later`].
    #[inline]
    pub(crate) fn later_by(&self, ticks: &mut Ticks) -> Option<i64> {
        if TOKIO_CAN_PAUSE { Some(self.now().as_nanos()) } else { ticks.later(|| now().as_nanos()) }
    }

    /// How long until it shows `at`; zero if it does already.
    pub(crate) fn until(&self, at: Timestamp) -> Duration {
        at.saturating_since(self.now())
    }

    /// The system's clock shows a time between two looks at a clock of tokio's that goes with it. One that is
    /// stopped, or was moved, can have another by chance, and a long one where the thread is held up
    /// between its looks: the first shows no time between them, the second is looked at again.
    fn now_if_it_goes(&self) -> Timestamp {
        for _ in 0..LOOKS {
            let before = tokio::time::Instant::now();
            let system = monotonic();
            let tokio = tokio::time::Instant::now();
            if system < before.into_std() || tokio.into_std() < system {
                return self.by_tokio(tokio);
            }
            if before < tokio && tokio - before < A_MOMENT {
                break;
            }
        }
        now()
    }

    /// The time of a clock of tokio's that does not go with the system's.
    fn by_tokio(&self, tokio: tokio::time::Instant) -> Timestamp {
        match tokio.checked_duration_since(self.tokio) {
            Some(since) => self.wall + since,
            // The runtime is older than the bus, which was made outside of it.
            None => {
                let before = i64::try_from((self.tokio - tokio).as_nanos()).unwrap_or(i64::MAX);
                Timestamp::from_nanos(self.wall.as_nanos().saturating_sub(before))
            }
        }
    }
}

/// How often two clocks are compared at most, on a machine that is held up each time or whose clock stands
/// still for as long.
const LOOKS: u32 = 100;

/// Two looks at a clock are not further apart if nothing comes between them. A clock that was moved by less
/// than this is not told from the system's.
const A_MOMENT: Duration = Duration::from_micros(2);

/// Whether this build of tokio has the feature `test-util`, without which its clock is that of the system.
///
/// tokio has a function `pause` then, and the glob puts it before the one below.
const TOKIO_CAN_PAUSE: bool = {
    #[allow(unused_imports, reason = "of use with the feature only")]
    use tokio::time::*;
    returns_nothing(pause)
};

#[allow(dead_code, reason = "of use without the feature only")]
const fn pause() -> bool {
    false
}

const fn returns_nothing<R>(_: fn() -> R) -> bool {
    size_of::<R>() == 0
}

/// The wall clock, in nanoseconds since the Unix epoch: one read of the system's clock, without a system call
/// on the usual platforms. It is not monotonic, because the system may set it.
#[inline]
pub(crate) fn now() -> Timestamp {
    #[cfg(not(shuttle))]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    #[cfg(shuttle)]
    let since = rt::wall_clock();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The moment `delay` from now. One past the end of time is never reached: far enough away is the same.
pub(crate) fn after(delay: Duration) -> rt::Instant {
    later(rt::Instant::now(), delay)
}

/// The moment `delay` after `from`; see [`after`].
pub(crate) fn later(from: rt::Instant, delay: Duration) -> rt::Instant {
    from.checked_add(delay).unwrap_or_else(|| from + FAR_AWAY)
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

#[cfg(all(test, not(loom), not(shuttle)))]
mod tests {
    use super::*;

    /// The system's clock comes by each time at which tokio's is stopped, while the clock of the bus is read.
    #[test]
    fn a_stopped_clock_stands_still_while_the_time_of_the_system_passes_it() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let clock = LiveClock::new();
            for _ in 0..200 {
                let ahead = monotonic() + Duration::from_micros(30);
                tokio::time::advance(ahead - tokio::time::Instant::now().into_std()).await;
                let (shown, mut looks) = (clock.now(), 0_u32);
                while looks < 100 || monotonic() < ahead + Duration::from_micros(30) {
                    assert_eq!(clock.now(), shown);
                    looks += 1;
                }
            }
        });
    }

    #[test]
    fn a_steady_clock_shows_what_has_passed() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let clock = Clock::live(LiveClock::new());
            let before = clock.steady();
            tokio::time::advance(Duration::from_secs(5)).await;
            assert_eq!(clock.steady(), before + Duration::from_secs(5));
        });
        let clock = LiveClock::new();
        let times = [clock.wall, clock.steady(), clock.steady()];
        assert!(times.is_sorted(), "{times:?}");
    }
}
