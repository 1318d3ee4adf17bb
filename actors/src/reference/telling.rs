//! A tell as a future: over at its first poll, unless it has to wait.
//!
//! It is written by hand: an `async fn` moves the message twice more, and keeps its outcome, which has room
//! for the message, where an unwinding would find it.

use std::future::Future;
use std::mem::needs_drop;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use mycelium_mailbox::discard;

use super::{ActorRef, ReferenceBackend};
use crate::isolate::stepped;
use crate::live::{CancelPoint, poll_turn};
use crate::recipient::BoxFuture;
use crate::{Takes, TellError};

/// Somebody who is told messages of this type.
pub(crate) trait Tellable<M>: Sync {
    /// Whether a task that tells gives way to others now and then.
    fn takes_turns(&self) -> bool;
    /// Queues the message, or hands out what waits until that can be done, or fails.
    fn tell_now(&self, message: M) -> Result<(), TellingLater<'_, M>>;
}

/// The future of a tell. Polled after it was ready, it panics, as that of an `async fn` does.
#[must_use = "nothing is sent before this is awaited"]
pub(crate) struct Telling<'a, M, T> {
    to: &'a T,
    /// Until it is queued or waits.
    message: Option<M>,
    at: Option<CancelPoint>,
    waits: TellWait<'a, M>,
}

/// What is rare, and lies elsewhere.
struct TellWait<'a, M>(Option<TellingLater<'a, M>>);

/// What waits until a message can be queued, or fails.
pub(crate) type TellingLater<'a, M> = BoxFuture<'a, Result<(), TellError<M>>>;

impl<'a, M, T: Tellable<M>> Telling<'a, M, T> {
    #[inline]
    pub(crate) fn new(to: &'a T, message: M) -> Self {
        Self { to, message: Some(message), at: None, waits: TellWait(None) }
    }
}

// Nothing in it is pinned.
impl<M, T> Unpin for Telling<'_, M, T> {}

impl<M, T: Tellable<M>> Future for Telling<'_, M, T> {
    type Output = Result<(), TellError<M>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.message.is_some() {
            if this.to.takes_turns() {
                ready!(poll_turn(cx, &mut this.at));
            }
            if let Some(message) = this.message.take() {
                match this.to.tell_now(message) {
                    Ok(()) => return Poll::Ready(Ok(())),
                    Err(waits) => this.waits.0 = Some(waits),
                }
            }
        }
        this.waits.poll(cx)
    }
}

impl<M> TellWait<'_, M> {
    #[cold]
    #[inline(never)]
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), TellError<M>>> {
        // Pending would keep a `select!` without a guard for ever.
        let Some(waits) = &mut self.0 else { panic!("a tell was polled after it was ready") };
        let waits = waits.as_mut().poll(cx);
        if waits.is_ready() {
            self.0 = None;
        }
        waits
    }
}

impl<M> Drop for TellWait<'_, M> {
    #[inline(always)]
    fn drop(&mut self) {
        // A destructor of the message may panic, whose code this is.
        if const { !needs_drop::<M>() } && self.0.is_some() {
            give_up(&mut self.0);
        }
    }
}

/// Drops a tell of plain data that waits. In the ABI of C nothing unwinds: see the drop of a `Ticket` in
/// `mailbox` for what that saves.
#[cold]
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "no other language calls it")]
extern "C" fn give_up<M>(waits: &mut Option<TellingLater<'_, M>>) {
    discard(waits.take());
}

impl<A, M> Tellable<M> for ActorRef<A>
where
    A: Takes<M>,
    M: Send + 'static,
{
    #[inline]
    fn takes_turns(&self) -> bool {
        matches!(self.backend, ReferenceBackend::Live(_))
    }

    #[inline]
    fn tell_now(&self, message: M) -> Result<(), TellingLater<'_, M>> {
        match &self.backend {
            // First without waiting, so that the message is moved once from here into its queue.
            ReferenceBackend::Live(live) => match live.offer(message) {
                Ok(()) => Ok(()),
                Err(refused) => Err(rare(move || live.wait_to_tell(refused.into_inner()))),
            },
            ReferenceBackend::Isolate(isolate) => match isolate.offer(message) {
                Ok(()) => Ok(()),
                Err(refused) => Err(rare(move || isolate.wait_to_tell(refused))),
            },
            ReferenceBackend::Nowhere(_) => Err(rare(move || stepped(Err(self.ended_before(message))))),
        }
    }
}

/// Boxes what is rare, out of the way of what is not.
#[cold]
pub(crate) fn rare<'a, F>(wait: impl FnOnce() -> F) -> BoxFuture<'a, F::Output>
where
    F: Future + Send + 'a,
{
    Box::pin(wait())
}
