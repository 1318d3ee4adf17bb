//! Cancellation points: the waits at which a service ends that was told to stop.
//!
//! A service that was told to stop, and does not end by its own hand, is polled once more, and from then on
//! as others wake it. Whatever wait of this crate its code comes to is a cancellation point: it is never
//! ready, and holds a [`CancelPoint`] until it is dropped. If there is one at the end of a poll, the service
//! waits there, and its code is dropped. A wait that the code has left in the same poll (a branch of a
//! `select!` that lost) holds none any more: the service is not ended in the middle of what it does instead.
//!
//! The points are counted by thread, in [`current`]. The count is of one poll: it begins at zero, and if it
//! does not end there, no other poll follows.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context as TaskContext, Poll};

use super::current;

/// A wait at which a service ends.
#[derive(Debug)]
pub(crate) struct CancelPoint(());

impl CancelPoint {
    /// Present if the code that runs is that of a service that ends at its next wait.
    pub(crate) fn here() -> Option<Self> {
        current::ends().then(|| {
            current::count_points(|points| points + 1);
            Self(())
        })
    }

    /// Notes in `at` whether a wait with this outcome is one.
    #[inline]
    pub(crate) fn note<T>(polled: Poll<T>, at: &mut Option<Self>) -> Poll<T> {
        if polled.is_pending() && at.is_none() {
            *at = Self::here();
        }
        polled
    }
}

impl Drop for CancelPoint {
    fn drop(&mut self) {
        // It may have been moved to another thread, or out of the service: what is counted there has no need
        // of it.
        current::count_points(|points| points.saturating_sub(1));
    }
}

/// Polls code that ends at its next wait: what it says, and whether it waits at such a point.
pub(super) fn poll_to_point<R>(poll: impl FnOnce() -> R) -> (R, bool) {
    current::count_points(|_| 0);
    let polled = poll();
    (polled, current::count_points(|_| 0) > 0)
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
    if at.is_none() {
        *at = CancelPoint::here();
    }
    if at.is_some() && current::ends() {
        return Poll::Pending;
    }
    *at = None;
    poll(cx)
}
