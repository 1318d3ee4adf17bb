//! Cancellation points: the waits at which a service ends that was told to stop.
//!
//! A service that was told to stop, and does not end by its own hand, is polled once more, and from then on
//! as others wake it. If it is told while it is polled, it need not be polled again. Each wait of this
//! crate that its code comes to is a cancellation point: it is never ready, and holds a [`CancelPoint`]
//! until it is dropped. If there is one at the end of a poll, the service waits there, and its code is
//! dropped. A wait that the code has left in the same poll (a branch of a `select!` that lost) holds none
//! any more: the service is not ended in the middle of what it does instead.
//!
//! The code may keep such a wait, though, as `select!` does with `&mut wait`, and go on to something else. So
//! if there is one at the end of a poll, whoever has polled it is woken, and the code is polled once more:
//! where it waits, it comes to the wait again, and one that was left is not polled.
//!
//! The points are counted by thread, in [`current`], for each poll anew: a point counts in the polls in which
//! its wait was polled.

use std::future::{Future, poll_fn};
use std::num::NonZeroU64;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::Stop;

use super::current;
use crate::life::{ServiceEvent, ServiceLife, ends_at_a_wait};
use crate::sync::{AtomicBool, Ordering, SetOnce};

/// What a service, its handles and the thread that polls it know of its end.
#[derive(Default)]
pub(crate) struct ServiceEnding {
    /// Set when it should end.
    pub(super) stop: SetOnce<Stop>,
    /// Whether it has ever asked when it should: then it ends by its own hand, and else at its next wait.
    by_hand: AtomicBool,
    killed: AtomicBool,
}

impl ServiceEnding {
    /// Whether the service ends at its next wait.
    pub(super) fn is_due(&self) -> bool {
        ends_at_a_wait(self.stop.initialized(), self.by_hand.load(Ordering::Relaxed), self.is_killed())
    }

    /// Tells a service's life what others want of it, and whether it has asked for that.
    pub(super) fn tell(&self, life: &mut ServiceLife) {
        if let Some(stop) = self.stop.get() {
            life.step(ServiceEvent::Told(*stop));
        }
        if self.by_hand.load(Ordering::Relaxed) {
            life.step(ServiceEvent::ByHand);
        }
        if self.is_killed() {
            life.step(ServiceEvent::Killed);
        }
    }

    pub(super) fn by_hand(&self) {
        self.by_hand.store(true, Ordering::Relaxed);
    }

    pub(super) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }
}

/// A wait at which a service ends.
#[derive(Debug)]
pub(crate) struct CancelPoint {
    /// The poll in which it was counted last. Not zero, so that a wait which is no such point has one word
    /// for it.
    poll: NonZeroU64,
}

impl CancelPoint {
    /// Keeps the point in `at`, or puts one there, if the code that runs is that of a service that ends at
    /// its next wait: whether it is.
    #[inline]
    pub(crate) fn holds(at: &mut Option<Self>, cx: &TaskContext<'_>) -> bool {
        if current::ends() {
            return Self::hold(at, cx);
        }
        *at = None;
        false
    }

    #[cold]
    #[inline(never)]
    fn hold(at: &mut Option<Self>, cx: &TaskContext<'_>) -> bool {
        let before = at.as_ref().map(|point| point.poll);
        let poll = current::count_point(before, cx.waker());
        match at {
            Some(point) => point.poll = poll,
            None => *at = Some(Self { poll }),
        }
        true
    }

    /// Notes in `at` whether a wait with this outcome is one.
    #[inline]
    pub(crate) fn note<T>(polled: Poll<T>, at: &mut Option<Self>, cx: &TaskContext<'_>) -> Poll<T> {
        if polled.is_pending() {
            Self::holds(at, cx);
        }
        polled
    }
}

impl Drop for CancelPoint {
    #[inline]
    fn drop(&mut self) {
        // It may have been moved to another thread, or out of the service: what is counted there has no need
        // of it.
        current::uncount_point(self.poll);
    }
}

/// Polls code that ends at its next wait: what it says, and whether it waits at such a point.
pub(super) fn poll_to_point<R>(poll: impl FnOnce() -> R) -> (R, bool) {
    current::begin_points();
    let polled = poll();
    (polled, current::has_points())
}

/// Waits for `work`, which is a cancellation point: whether it is ready or not.
pub(crate) async fn cancellable<T>(work: impl Future<Output = T>) -> T {
    let (mut work, mut at) = (pin!(work), None);
    poll_fn(|cx| poll_cancellable(&mut at, |cx| work.as_mut().poll(cx), cx)).await
}

/// The same for one poll, with the point held by whoever waits.
pub(crate) fn poll_cancellable<T>(
    at: &mut Option<CancelPoint>,
    poll: impl FnOnce(&mut TaskContext<'_>) -> Poll<T>,
    cx: &mut TaskContext<'_>,
) -> Poll<T> {
    if CancelPoint::holds(at, cx) {
        return Poll::Pending;
    }
    poll(cx)
}
