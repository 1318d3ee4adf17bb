//! What a parked handler or service waits for, as far as it can be known: the isolate's own futures say it
//! when they are polled.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::task::Waker;

use super::core::IsolateCore;
use super::handle::Place;
use crate::Identity;

/// What a handler or service waits for that can never go on: see [`RunError::Stuck`](super::RunError::Stuck).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// The answer of this actor, which it has asked.
    Answer {
        /// Which one.
        of: Identity,
    },
    /// Room in the mailbox of this actor.
    Mailbox {
        /// Which one.
        of: Identity,
    },
    /// Room in the queue of a subscriber of this message.
    Topic {
        /// The message.
        message: &'static str,
    },
    /// The end of this actor. A service that waits for it is at rest.
    End {
        /// Which one.
        of: Identity,
    },
    /// The answer of a supervisor of a tree, which it has called.
    Supervisor,
    /// The end of a tree. A service that waits for it is at rest.
    TreeEnd,
    /// A moment past the end of time. A service that waits for it is at rest.
    EndOfTime,
    /// Nothing that the isolate knows: a thread, a socket, a future that is never ready, or a channel on
    /// which nobody sends.
    Outside,
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { of } => write!(f, "the answer of {of}"),
            Self::Mailbox { of } => write!(f, "room in the mailbox of {of}"),
            Self::Topic { message } => write!(f, "room in a queue for {message}"),
            Self::End { of } => write!(f, "the end of {of}"),
            Self::Supervisor => f.write_str("the answer of a supervisor"),
            Self::TreeEnd => f.write_str("the end of a tree"),
            Self::EndOfTime => f.write_str("a moment past the end of time"),
            Self::Outside => f.write_str("something outside the isolate"),
        }
    }
}

/// The same in eight bytes, for every seat has one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeatWait {
    Answer(u32),
    Mailbox(u32),
    /// By the lane of the topic.
    Topic(u32),
    End(u32),
    Supervisor,
    TreeEnd,
    EndOfTime,
    Outside,
}

impl SeatWait {
    pub(crate) fn told(self, core: &IsolateCore) -> WaitsFor {
        let of = |seat| core.identity_in(seat);
        match self {
            Self::Answer(seat) => WaitsFor::Answer { of: of(seat) },
            Self::Mailbox(seat) => WaitsFor::Mailbox { of: of(seat) },
            Self::End(seat) => WaitsFor::End { of: of(seat) },
            Self::Topic(lane) => WaitsFor::Topic { message: core.lane_name(lane) },
            Self::Supervisor => WaitsFor::Supervisor,
            Self::TreeEnd => WaitsFor::TreeEnd,
            Self::EndOfTime => WaitsFor::EndOfTime,
            Self::Outside => WaitsFor::Outside,
        }
    }
}

/// What the futures of the isolate say when they are polled and must wait.
#[derive(Default)]
pub(crate) struct WaitNotes {
    /// The last of them, whose code it was, and at which event: what is older belongs to a handler that has
    /// returned.
    last: Cell<Option<(SeatWait, u32, u64)>>,
}

impl WaitNotes {
    pub(crate) fn note(&self, wait: SeatWait, running: u32, event: u64) {
        self.last.set(Some((wait, running, event)));
    }

    /// What this seat has said since its handler was polled.
    pub(crate) fn take(&self, running: u32, event: u64) -> SeatWait {
        match self.last.take() {
            Some((wait, seat, at)) if (seat, at) == (running, event) => wait,
            _ => SeatWait::Outside,
        }
    }
}

/// A future of a service that waits for messages, or to be stopped: for as long as it does, the service is at
/// rest, whatever else it waits for.
pub(crate) struct Rest(Place);

impl Rest {
    /// `None` in code that the isolate does not run: that wait is none of its own.
    pub(crate) fn begin(place: &Place) -> Option<Self> {
        // Of whoever waits, which may have it from another one.
        let core = place.core()?;
        let seat = core.running.get();
        core.count_rest(seat, true);
        Some(Self(place.beside(seat)))
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(core) = self.0.core() {
            core.count_rest(self.0.seat(), false);
        }
    }
}

/// Adds a waker to those of a list, unless it is there: a loop that looks again and again is one that waits.
pub(super) fn remember(wakers: &RefCell<Vec<Waker>>, waker: &Waker) {
    if !wakers.borrow().iter().any(|other| other.will_wake(waker)) {
        let waker = waker.clone();
        wakers.borrow_mut().push(waker);
    }
}
