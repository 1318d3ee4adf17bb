//! The messages that one actor has scheduled for itself.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use mycelium_mailbox::discard;

use super::envelope::Envelope;
use crate::rt::{Instant, Sleep, sleep_until};
use crate::{Actor, Every, TimerHandle, clock};

/// With fewer timers than this, cancelled ones are left where they are until their time (timers).
const SWEEP_TIMERS_MIN: usize = 64;

/// A heap of messages by time, and one timer of the runtime for the earliest.
pub(crate) struct Timers<A: Actor> {
    heap: BinaryHeap<Timer<A>>,
    next: u64,
    alarm: Option<Pin<Box<Sleep>>>,
    /// At this many timers the cancelled ones are swept out, so that they never outnumber the others for
    /// long.
    sweep_at: usize,
}

struct Timer<A: Actor> {
    at: Instant,
    /// The order in which the timers were set.
    number: u64,
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
        Self { heap: BinaryHeap::new(), next: 0, alarm: None, sweep_at: SWEEP_TIMERS_MIN }
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
        if self.heap.len() >= self.sweep_at {
            self.heap.retain(|timer| !timer.handle.is_cancelled());
            self.sweep_at = (self.heap.len() * 2).max(SWEEP_TIMERS_MIN);
        }
        let handle = TimerHandle::default();
        self.push(at, handle.clone(), what);
        handle
    }

    fn push(&mut self, at: Instant, handle: TimerHandle, what: What<A>) {
        let number = self.next;
        self.next += 1;
        self.heap.push(Timer { at, number, handle, what });
    }

    /// The earliest message that is due.
    pub(crate) fn take_due(&mut self) -> Option<Envelope<A>> {
        loop {
            let first = self.heap.peek()?;
            let (cancelled, now) = (first.handle.is_cancelled(), Instant::now());
            if !cancelled && first.at > now {
                return None;
            }
            let Timer { at, handle, what, .. } = self.heap.pop()?;
            match what {
                _ if cancelled => discard(what),
                What::Once(message) => return Some(message),
                What::Every(again) => {
                    // One at a time: the next is due by when this one was taken.
                    let message = (again.message)();
                    self.push(clock::later(at, again.every.next(now - at)), handle, What::Every(again));
                    return Some(message);
                }
            }
        }
    }

    /// Ready when the earliest message is due; pending for ever without one.
    pub(crate) fn poll_due(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(first) = self.heap.peek() else {
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
    /// What was not due is nobody's: a destructor that panics keeps none of the others, nor the actor's end.
    fn drop(&mut self) {
        self.heap.drain().for_each(discard);
    }
}

impl<A: Actor> PartialEq for Timer<A> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<A: Actor> Eq for Timer<A> {}

impl<A: Actor> PartialOrd for Timer<A> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<A: Actor> Ord for Timer<A> {
    /// Reversed, so that the heap's greatest is the earliest; timers of one moment keep the order they were
    /// set in.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}
