//! Waiting for room in a topic.
//!
//! # Protocol
//! A [`Publishing`] holds the [`Attempt`] that the form of its message type says, which is a constant, from
//! when it is made. It alone drops it, once.

use std::fmt;
use std::future::Future;
use std::mem::{ManuallyDrop, needs_drop};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::core::{Core, Refusal};
use super::error::{Blocker, Obstacle, PublishError};
use super::origin::Origin;
use super::payload::{Boxed, Inline, Owned, Payload};
use super::{Badge, Form, kept};
use crate::discard::discard;
use crate::wait::Ticket;

/// The future of [`Topic::publish`](super::Topic::publish), and of
/// [`Topic::publish_as_of`](super::Topic::publish_as_of) with an [`AsOf`](super::AsOf), which says whether
/// it was published. Dropped before it is ready, nothing was published.
#[must_use = "nothing is published unless it is awaited"]
pub struct Publishing<'a, M: Clone + Send + Sync + 'static, O: Origin = u64> {
    attempt: Attempt<'a, M, O>,
}

/// One of these, as the form of the message type says.
///
/// No enum: what is there for other types would be part of each drop, and unwind out of it. See the drop of a
/// [`Ticket`] for what that costs.
union Attempt<'a, M: Clone + Send + Sync + 'static, O: Origin> {
    inline: ManuallyDrop<Waiting<'a, Inline<M>, O>>,
    owned: ManuallyDrop<Waiting<'a, Owned<M>, O>>,
    boxed: ManuallyDrop<Waiting<'a, Boxed<M>, O>>,
}

/// What `$body` makes of the attempt that is there.
macro_rules! attempt {
    (&mut $attempt:expr, $waiting:ident => $body:expr) => { attempt!([&mut] $attempt, $waiting => $body) };
    (& $attempt:expr, $waiting:ident => $body:expr) => { attempt!([&] $attempt, $waiting => $body) };
    ([$($by:tt)+] $attempt:expr, $waiting:ident => $body:expr) => {
        if const { Form::<M>::IS_INLINE } {
            // SAFETY: `new` has put it there, by the same constant, and nothing else does.
            let $waiting = unsafe { $($by)+ $attempt.inline };
            $body
        } else if const { Form::<M>::IS_OWNED } {
            // SAFETY: as above.
            let $waiting = unsafe { $($by)+ $attempt.owned };
            $body
        } else {
            // SAFETY: as above.
            let $waiting = unsafe { $($by)+ $attempt.boxed };
            $body
        }
    };
}

struct Waiting<'a, V: Payload, O: Origin> {
    core: &'a Core<V>,
    ticket: Ticket<'a>,
    /// Wrapped once, so that waiting allocates nothing more.
    payload: Option<V>,
    origin: O,
}

/// What becomes of a publish.
type Outcome<M, O> = Result<<O as Origin>::Published, PublishError<M>>;

impl<'a, M: Clone + Send + Sync + 'static, O: Origin> Publishing<'a, M, O> {
    #[inline]
    pub(super) fn new(form: &'a Form<M>, message: M, origin: O) -> Self {
        let attempt = match form {
            Form::Inline(core) if const { Form::<M>::IS_INLINE } => {
                Attempt { inline: ManuallyDrop::new(Waiting::new(core, Inline::wrap(message), origin)) }
            }
            Form::Owned(core) if const { Form::<M>::IS_OWNED } => {
                Attempt { owned: ManuallyDrop::new(Waiting::new(core, Owned::wrap(message), origin)) }
            }
            Form::Boxed(core) if const { Form::<M>::IS_BOXED } => {
                Attempt { boxed: ManuallyDrop::new(Waiting::new(core, Boxed::wrap(message), origin)) }
            }
            _ => unreachable!("the form is a constant of the message type"),
        };
        Self { attempt }
    }

    /// Which of those that wait, or have waited, for room in this topic it is; 0: it has not begun to.
    #[must_use]
    pub fn ticket(&self) -> u64 {
        attempt!(&self.attempt, waiting => waiting.ticket.number())
    }

    /// See [`Topic::badge_of`](super::Topic::badge_of).
    #[must_use]
    pub fn badge_of(&self, by: Blocker) -> Option<Badge> {
        attempt!(&self.attempt, waiting => waiting.core.badge_of(by))
    }
}

impl<M: Clone + Send + Sync + 'static, O: Origin> Drop for Publishing<'_, M, O> {
    #[inline(always)]
    fn drop(&mut self) {
        attempt!(&mut self.attempt, waiting => {
            // Without a destructor of its own no drop of a message unwinds, and it is seldom still here.
            if const { !needs_drop::<M>() } && waiting.has_memory() {
                give_back(&mut waiting.payload);
            }
            // SAFETY: this is the drop of its owner, after which nothing reaches it.
            unsafe { Waiting::drop_rest(waiting) };
        });
    }
}

/// Drops a payload without foreign code, in the ABI of C, out of which nothing unwinds: see the drop of a
/// [`Ticket`].
#[cold]
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "no other language calls it")]
extern "C" fn give_back<V: Payload>(payload: &mut Option<V>) {
    discard(payload.take());
}

impl<'a, V: Payload, O: Origin> Waiting<'a, V, O> {
    #[inline]
    fn new(core: &'a Core<V>, payload: V, origin: O) -> Self {
        Self { core, ticket: Ticket::new(&core.waiters), payload: Some(payload), origin }
    }

    /// Whether it has a message that lies in memory of its own.
    #[inline(always)]
    fn has_memory(&self) -> bool {
        needs_drop::<V>() && self.payload.is_some()
    }

    /// Drops the ticket, and the message if that has a destructor.
    ///
    /// # Safety
    /// Nothing reaches it afterwards.
    #[inline(always)]
    unsafe fn drop_rest(waiting: &mut ManuallyDrop<Self>) {
        if const { needs_drop::<V::Message>() } {
            // SAFETY: the caller says so.
            unsafe { ManuallyDrop::drop(waiting) };
        } else {
            // SAFETY: as above; a payload that was not given back has nothing to drop.
            unsafe { (&raw mut waiting.ticket).drop_in_place() };
        }
    }

    #[inline(always)]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<V::Message, O>> {
        assert!(self.payload.is_some(), "`Publishing` polled after it was ready");
        match self.core.try_publish(&mut self.payload, self.origin) {
            Ok(()) => {
                self.ticket.served();
                Poll::Ready(Ok(O::PUBLISHED))
            }
            Err(refusal) => self.wait(refusal, cx),
        }
    }

    #[cold]
    fn wait(&mut self, refusal: Refusal<O::Outdated>, cx: &mut Context<'_>) -> Poll<Outcome<V::Message, O>> {
        if let Some(end) = self.hopeless(refusal) {
            return Poll::Ready(end);
        }
        // The second attempt comes after the waker is in the list: room made before that is seen here, room
        // made later finds the waker.
        self.ticket.register(cx.waker());
        match self.core.try_publish(&mut self.payload, self.origin) {
            Ok(()) => {
                self.ticket.served();
                Poll::Ready(Ok(O::PUBLISHED))
            }
            Err(refusal) => self.hopeless(refusal).map_or(Poll::Pending, Poll::Ready),
        }
    }

    /// What is said of the message, if waiting cannot help.
    fn hopeless(&mut self, refusal: Refusal<O::Outdated>) -> Option<Outcome<V::Message, O>> {
        let by = match refusal {
            Refusal::Closed => return Some(Err(PublishError::Closed(kept(&mut self.payload).unwrap()))),
            Refusal::Outdated(outdated) => {
                discard(self.payload.take());
                return Some(Ok(O::passed_over(outdated)));
            }
            Refusal::Full(by) => by,
        };
        if by.obstacle == Obstacle::FailLane {
            self.core.counters.add_rejected();
            return Some(Err(PublishError::Full { message: kept(&mut self.payload).unwrap(), by }));
        }
        let sender = self.origin.sender();
        if sender != 0 && by.subscriber == sender {
            self.core.counters.add_rejected();
            return Some(Err(PublishError::WouldDeadlock(kept(&mut self.payload).unwrap())));
        }
        None
    }
}

impl<M: Clone + Send + Sync + 'static, O: Origin> Unpin for Publishing<'_, M, O> {}

impl<M: Clone + Send + Sync + 'static, O: Origin> Future for Publishing<'_, M, O> {
    type Output = Outcome<M, O>;

    /// # Panics
    /// When polled after it was ready.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        attempt!(&mut self.get_mut().attempt, waiting => waiting.poll(cx))
    }
}

impl<M: Clone + Send + Sync + 'static, O: Origin> fmt::Debug for Publishing<'_, M, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publishing").finish_non_exhaustive()
    }
}
