//! The seam at which supervision hangs: what becomes of an actor whose life ended abnormally.

use std::task::{Context as TaskContext, Poll};

use crate::{Actor, StopReason};

/// What happens after an abnormal end.
pub(crate) enum Verdict<A> {
    /// The actor ends for good.
    Stop,
    /// This new value takes its place, under the same reference, id, inbox and subscriptions.
    #[cfg_attr(not(test), expect(dead_code, reason = "no supervisor gives this verdict yet"))]
    Restart(A),
}

/// Decides after each abnormal end of one actor. It owns what a restart needs: the factory, the policy, its waiting.
///
/// The actor's old value is gone when it is asked, and its mailbox waits meanwhile. A stop or a kill ends the
/// waiting.
pub(crate) trait Fate<A: Actor>: Send {
    /// Polled from the end until ready; the waker is that of the actor's task.
    fn poll_verdict(&mut self, reason: &StopReason, cx: &mut TaskContext<'_>) -> Poll<Verdict<A>>;
}
