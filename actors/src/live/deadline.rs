//! Waiting no longer than until a moment, also while code that never awaits keeps every worker of the
//! runtime.
//!
//! Then nobody runs the runtime's timers. A thread of its own, which lives as long as the wait, has the
//! waiting task polled now and then, and the task itself looks at the clock. That helps a task which no
//! worker has to poll: one inside `block_on`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use mycelium_mailbox::wake;

use super::runtime::sleep_anywhere;
use crate::rt::Instant;

/// How often a waiting task is polled although nothing has happened (time).
const BEAT: Duration = Duration::from_millis(20);

/// Drives `work` until it is ready, or until `deadline`: then `None`.
pub(super) async fn by<T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    let left = deadline.saturating_duration_since(Instant::now());
    let (mut work, mut timer) = (pin!(work), pin!(sleep_anywhere(left)));
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        if timer.as_mut().poll(cx).is_ready() || Instant::now() >= deadline {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

/// Into how many parts the time is cut that somebody has who was killed. In a model a wait of up to 100 ms
/// may be over at any moment, and these are longer.
const GRACE_PARTS: u32 = 4;
/// How many of those that do not count there are at most: a machine may be that slow for good (parts).
const STOPPED_PARTS_MAX: u32 = 16;

/// Drives `work` until it is ready, or for as long as `grace` in which this process has run: then `None`. A
/// part of it that took far longer than it should does not count: the process was stopped, by SIGSTOP or a
/// debugger, and `work` with it.
pub(crate) async fn within_grace<T>(grace: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, part) = (pin!(work), grace / GRACE_PARTS);
    let (mut counted, mut stopped) = (0, 0);
    while counted < GRACE_PARTS && stopped < STOPPED_PARTS_MAX {
        let begun = Instant::now();
        if let Some(done) = by(begun + part, work.as_mut()).await {
            return Some(done);
        }
        let which = if begun.elapsed() < part * 2 { &mut counted } else { &mut stopped };
        *which += 1;
    }
    None
}

/// Drives `work`, in which every [`by`] ends at its deadline.
pub(super) async fn with_deadlines<T>(work: impl Future<Output = T>) -> T {
    // In a model the time does not depend on workers, and there is one thread.
    if cfg!(shuttle) {
        return work.await;
    }
    let mut work = pin!(work);
    let mut beat = None;
    poll_fn(|cx| {
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            beat.get_or_insert_with(Metronome::start).aim(cx.waker());
        }
        polled
    })
    .await
}

/// Wakes a task now and then, until this is dropped.
struct Metronome {
    waker: Arc<Mutex<Option<Waker>>>,
    _until_dropped: Sender<()>,
}

impl Metronome {
    fn start() -> Self {
        let (until_dropped, dropped) = channel::<()>();
        let waker = Arc::<Mutex<Option<Waker>>>::default();
        let beats = Arc::clone(&waker);
        let beating = move || {
            while dropped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let waker = beats.lock().unwrap_or_else(PoisonError::into_inner).clone();
                waker.into_iter().for_each(wake);
            }
        };
        // Without a thread to be had, the runtime's timers are what there is.
        drop(thread::Builder::new().name("mycelium-deadline".to_owned()).spawn(beating));
        Self { waker, _until_dropped: until_dropped }
    }

    fn aim(&self, waker: &Waker) {
        let mut aimed = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !aimed.as_ref().is_some_and(|aimed| aimed.will_wake(waker)) {
            *aimed = Some(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(20);

    /// How often somebody is polled who takes so long for each poll, and never ends, until he is given up.
    async fn polls_until_given_up(takes: Duration) -> u32 {
        let mut polls = 0;
        let hangs = poll_fn(|_| {
            polls += 1;
            thread::sleep(takes);
            Poll::<()>::Pending
        });
        assert_eq!(within_grace(GRACE, hangs).await, None);
        polls
    }

    #[tokio::test]
    async fn parts_of_a_grace_that_took_far_too_long_do_not_count_up_to_a_bound() {
        let counted = polls_until_given_up(Duration::ZERO).await;
        assert!(counted >= GRACE_PARTS, "{counted}");
        let stopped = polls_until_given_up(GRACE).await;
        assert_eq!(stopped, STOPPED_PARTS_MAX);
    }

    #[tokio::test]
    async fn who_ends_within_a_grace_is_not_given_up() {
        assert_eq!(within_grace(GRACE, async { 7 }).await, Some(7));
        let late = async {
            // As one that was stopped for longer than the grace.
            thread::sleep(GRACE * 2);
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(within_grace(GRACE, late).await, Some(7));
    }
}
