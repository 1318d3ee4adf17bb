//! The messages that one actor has scheduled for itself.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::envelope::Envelope;
use crate::{Actor, TimerHandle};

/// With fewer timers than this, cancelled ones are left where they are until their time (timers).
const SWEEP_TIMERS_MIN: usize = 64;

/// A heap of messages by time, and one timer of the runtime for the earliest.
pub(crate) struct Timers<A: Actor> {
    heap: BinaryHeap<Timer<A>>,
    next: u64,
    alarm: Option<Pin<Box<Sleep>>>,
    /// At this many timers the cancelled ones are swept out, so that they never outnumber the others for long.
    sweep_at: usize,
}

struct Timer<A: Actor> {
    at: Instant,
    /// The order in which the timers were set.
    number: u64,
    handle: TimerHandle,
    message: Envelope<A>,
}

impl<A: Actor> Timers<A> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), next: 0, alarm: None, sweep_at: SWEEP_TIMERS_MIN }
    }

    pub(crate) fn set(&mut self, at: Instant, message: Envelope<A>) -> TimerHandle {
        if self.heap.len() >= self.sweep_at {
            self.heap.retain(|timer| !timer.handle.is_cancelled());
            self.sweep_at = (self.heap.len() * 2).max(SWEEP_TIMERS_MIN);
        }
        let handle = TimerHandle::default();
        let number = self.next;
        self.next += 1;
        self.heap.push(Timer { at, number, handle: handle.clone(), message });
        handle
    }

    /// The earliest message that is due.
    pub(crate) fn take_due(&mut self) -> Option<Envelope<A>> {
        loop {
            let cancelled = self.heap.peek()?.handle.is_cancelled();
            if !cancelled && self.heap.peek()?.at > Instant::now() {
                return None;
            }
            let timer = self.heap.pop()?;
            if !cancelled {
                return Some(timer.message);
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
    /// Reversed, so that the heap's greatest is the earliest; timers of one moment keep the order they were set in.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}
