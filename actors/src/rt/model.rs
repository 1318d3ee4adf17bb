//! Tasks and time in a model: shuttle's tasks, and a clock that moves when the scheduler lets it.
//!
//! [`keep_time`] is a task of its own: each of its turns moves the time to the earliest timer and wakes who
//! waits for that. The scheduler of the models (`models/schedule.rs`) gives it turns: only when nobody else
//! can run, or, in an impatient schedule, at any moment, as on a machine whose other threads were held up.
//! When no timer is set and all wait, shuttle reports a deadlock; so a lost wake-up is seen, however long the
//! timeouts.
//!
//! All of it is kept by the thread, because shuttle runs one model's tasks on one thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) use shuttle::future::{AbortHandle, JoinHandle};

thread_local!(static TIMELINE: RefCell<Timeline> = RefCell::default());

#[derive(Default)]
struct Timeline {
    now: Duration,
    /// Who waits until when; the number tells timers of one moment apart.
    timers: BTreeMap<(Duration, u64), Waker>,
    next: u64,
    keeper: Option<Waker>,
    tasks: usize,
    /// Who waits until there is none.
    last: Option<Waker>,
}

fn timeline<R>(use_it: impl FnOnce(&mut Timeline) -> R) -> R {
    TIMELINE.with_borrow_mut(use_it)
}

/// Forgets the schedule before this one.
pub(crate) fn begin() {
    drop(TIMELINE.take());
}

/// Waits until no task of the model is left.
pub(crate) fn all_ended() -> impl Future<Output = ()> {
    poll_fn(|cx| {
        timeline(|line| {
            if line.tasks == 0 {
                return Poll::Ready(());
            }
            line.last = Some(cx.waker().clone());
            Poll::Pending
        })
    })
}

/// How far away the earliest timer is.
pub(crate) fn next_timer() -> Option<Duration> {
    timeline(|line| line.timers.first_key_value().map(|((at, _), _)| at.saturating_sub(line.now)))
}

/// Moves the time, one timer in each turn, until it is dropped.
pub(crate) fn keep_time() -> impl Future<Output = ()> + Send {
    poll_fn(|cx| {
        let due = timeline(|line| {
            let due = line.timers.pop_first();
            match &due {
                Some(((at, _), _)) => line.now = line.now.max(*at),
                None => line.keeper = Some(cx.waker().clone()),
            }
            due
        });
        if let Some((_, waker)) = due {
            waker.wake();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
}

/// The wall clock of a model: it began at the epoch.
pub(crate) fn wall_clock() -> Duration {
    timeline(|line| line.now)
}

/// A moment of the model's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(wall_clock())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        wall_clock().saturating_sub(self.0)
    }

    pub(crate) fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    pub(crate) fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// See [`tokio::time::Sleep`].
pub(crate) struct Sleep {
    at: Duration,
    /// Its timer, while it waits.
    number: Option<u64>,
}

pub(crate) fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant(wall_clock().saturating_add(duration)))
}

pub(crate) fn sleep_until(at: Instant) -> Sleep {
    Sleep { at: at.0, number: None }
}

impl Sleep {
    pub(crate) fn deadline(&self) -> Instant {
        Instant(self.at)
    }

    pub(crate) fn is_elapsed(&self) -> bool {
        wall_clock() >= self.at
    }

    pub(crate) fn reset(self: Pin<&mut Self>, at: Instant) {
        let this = self.get_mut();
        this.forget();
        this.at = at.0;
    }

    fn forget(&mut self) {
        if let Some(number) = self.number.take() {
            let waker = timeline(|line| line.timers.remove(&(self.at, number)));
            drop(waker);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.is_elapsed() {
            this.forget();
            return Poll::Ready(());
        }
        let keeper = timeline(|line| {
            let number = *this.number.get_or_insert_with(|| {
                line.next += 1;
                line.next
            });
            line.timers.insert((this.at, number), cx.waker().clone());
            line.keeper.take()
        });
        keeper.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The time is over.
#[derive(Debug)]
pub(crate) struct Elapsed;

pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    timeout_at(Instant(wall_clock().saturating_add(limit)), future).await
}

pub(crate) async fn timeout_at<F: Future>(at: Instant, future: F) -> Result<F::Output, Elapsed> {
    let mut future = std::pin::pin!(future);
    let mut sleep = std::pin::pin!(sleep_until(at));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| Err(Elapsed)),
    })
    .await
}

/// Counts a task that has not ended.
struct Counted;

impl Counted {
    fn new() -> Self {
        timeline(|line| line.tasks += 1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let last = timeline(|line| {
            line.tasks = line.tasks.saturating_sub(1);
            if line.tasks == 0 { line.last.take() } else { None }
        });
        last.into_iter().for_each(Waker::wake);
    }
}

/// Nothing to enter.
pub(crate) fn enter(_: &tokio::runtime::Handle) {}

/// See [`tokio::spawn`].
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let counted = Counted::new();
    shuttle::future::spawn(async move {
        let _counted = counted;
        // Dropped before it is counted out.
        let future = future;
        future.await
    })
}
