//! The messages that one actor has scheduled for itself.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use mycelium_mailbox::discard;

use super::envelope::Envelope;
use crate::life::{Timer, TimerQueue};
use crate::rt::{Instant, Sleep, sleep_until};
use crate::{Actor, Every, TimerHandle, clock};

/// Messages by time, and one timer of the runtime for the earliest.
pub(crate) struct Timers<A: Actor> {
    queue: TimerQueue<Instant, Scheduled<A>>,
    alarm: Option<Pin<Box<Sleep>>>,
}

struct Scheduled<A: Actor> {
    handle: TimerHandle,
    what: What<A>,
}

/// What comes when a timer is due.
enum What<A: Actor> {
    Once(Envelope<A>),
    Every(Box<Again<A>>),
}

/// A message that comes again and again.
struct Again<A: Actor> {
    every: Every,
    message: Box<dyn Fn() -> Envelope<A> + Send>,
}

impl<A: Actor> Timers<A> {
    pub(crate) fn new() -> Self {
        Self { queue: TimerQueue::new(), alarm: None }
    }

    /// One message after `delay`.
    pub(crate) fn set_once(&mut self, delay: Duration, message: Envelope<A>) -> TimerHandle {
        self.set(clock::after(delay), What::Once(message))
    }

    /// What `message` makes, `every` so often.
    pub(crate) fn set_every(
        &mut self,
        every: Every,
        message: Box<dyn Fn() -> Envelope<A> + Send>,
    ) -> TimerHandle {
        self.set(clock::after(every.first()), What::Every(Box::new(Again { every, message })))
    }

    fn set(&mut self, at: Instant, what: What<A>) -> TimerHandle {
        let handle = TimerHandle::default();
        self.push(at, Scheduled { handle: handle.clone(), what });
        handle
    }

    fn push(&mut self, at: Instant, scheduled: Scheduled<A>) {
        let (_, swept) = self.queue.set(at, scheduled, |timer| timer.what.handle.is_cancelled());
        swept.into_iter().for_each(discard);
    }

    /// The earliest message that is due.
    pub(crate) fn take_due(&mut self) -> Option<Envelope<A>> {
        loop {
            let first = self.queue.first()?;
            let (cancelled, now) = (first.what.handle.is_cancelled(), Instant::now());
            if !cancelled && first.at > now {
                return None;
            }
            let Timer { at, what: Scheduled { handle, what }, .. } = self.queue.pop()?;
            match what {
                _ if cancelled => discard(what),
                What::Once(message) => return Some(message),
                What::Every(again) => {
                    // One at a time: the next is due by when this one was taken.
                    let message = (again.message)();
                    let next = clock::later(at, again.every.next(now - at));
                    self.push(next, Scheduled { handle, what: What::Every(again) });
                    return Some(message);
                }
            }
        }
    }

    /// Ready when the earliest message is due; pending for ever without one.
    pub(crate) fn poll_due(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(first) = self.queue.first() else {
            self.alarm = None;
            return Poll::Pending;
        };
        let at = first.at;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if alarm.deadline() != at {
            alarm.as_mut().reset(at);
        }
        alarm.as_mut().poll(cx)
    }
}

impl<A: Actor> Drop for Timers<A> {
    /// A timer that was not due is nobody's: a destructor that panics keeps none of the others, nor the
    /// actor's end.
    fn drop(&mut self) {
        while let Some(timer) = self.queue.pop() {
            discard(timer);
        }
    }
}
