//! Panics of an actor's code, caught near to it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::StopReason;

/// Drives code that may panic. After that it is not polled again, and what it had is dropped.
///
/// kameo catches what panics as well. An unwinding looks up each call on its way twice, though, and reads the
/// table of its function from the beginning: that of the actor's loop is the longest by far.
pub(super) fn caught<F: Future>(
    mut code: Pin<&mut F>,
) -> impl Future<Output = Result<F::Output, StopReason>> {
    poll_fn(move |cx| match StopReason::catch(|| code.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
}
