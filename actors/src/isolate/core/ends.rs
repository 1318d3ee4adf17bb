//! The end of seats, of trees, of a run and of the isolate.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::IsolateCore;
use crate::StopReason;
use crate::isolate::{OnFailure, RunError};

/// Parts of an end that are all done, however many of them panic.
pub(crate) struct Parts(std::thread::Result<()>);

impl Parts {
    pub(crate) fn new() -> Self {
        Self(Ok(()))
    }

    pub(crate) fn run(&mut self, part: impl FnOnce()) {
        let done = catch_unwind(AssertUnwindSafe(part));
        if self.0.is_ok() {
            self.0 = done;
        }
    }

    /// # Panics
    /// With the first of their panics, unless the thread unwinds already.
    pub(crate) fn finish(self) {
        if let Err(panic) = self.0
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

impl IsolateCore {
    /// Notes that `seat` has ended.
    pub(crate) fn seat_ended(&self, seat: u32) {
        self.leave_topics(seat);
    }

    pub(super) fn leave_topics(&self, seat: u32) {
        for (lane, tickets) in self.changes.take_lanes_of(seat) {
            self.lane(lane).into_iter().for_each(|lane| lane.remove(seat, &tickets, self));
        }
    }

    /// Notes that an actor or service which no tree looks after has ended.
    pub(crate) fn left_alone(&self, actor: &'static str, seat: u32, reason: StopReason) {
        self.seat_ended(seat);
        // A kill is no failure: somebody has asked for it.
        let stops = self.on_failure.get() == OnFailure::StopRun;
        if stops && reason.is_abnormal() && reason != StopReason::Killed {
            let (actor, at) = (self.identity(seat, actor), self.moment());
            self.fail(RunError::ActorFailed { actor, reason, at });
        }
    }

    /// Hands the last message to those who have not got it yet because an actor has panicked over it.
    pub(crate) fn finish_delivery(&self) {
        let lane = self.changes.take_unfinished().and_then(|lane| self.lane(lane));
        lane.iter().for_each(|lane| lane.deliver_rest());
    }

    /// Ends the run, unless something else has before.
    pub(crate) fn fail(&self, failure: RunError) {
        if self.failure.borrow().is_none() {
            *self.failure.borrow_mut() = Some(Box::new(failure));
            self.signals.halt();
        }
    }

    /// What ended the run.
    pub(crate) fn first_failure(&self) -> Option<RunError> {
        self.failure.borrow().as_deref().cloned()
    }

    /// Drops everything that may refer to an actor, at the isolate's end.
    ///
    /// # Panics
    /// When code of an actor or message does, once all the rest is dropped, unless the thread unwinds
    /// already.
    pub(crate) fn dismantle(&self) {
        self.closed.set(true);
        let mut parts = Parts::new();
        // One by one: a destructor that panics while another unwinds would abort the process.
        let mut timers = self.timers.take();
        while let Some(timer) = timers.pop() {
            parts.run(|| drop(timer));
        }
        for feed in self.feeds.take() {
            parts.run(|| drop(feed));
        }
        parts.run(|| self.changes.room.clear());
        parts.run(|| drop((self.direct.take(), self.inboxes.take())));
        for tree in self.trees.get().into_iter().flat_map(|trees| trees.take()) {
            parts.run(|| tree.clear());
        }
        let (lanes, seats) = (self.lanes.take(), self.seats.take());
        for lane in lanes.into_iter().flatten() {
            parts.run(|| lane.clear());
        }
        for seat in seats {
            parts.run(|| seat.clear());
        }
        // Actors are looked on, and runs ask, up to here: both may hold a clock, and so the isolate.
        parts.run(|| drop(self.bounds.let_go()));
        parts.run(|| drop(self.probe.take()));
        parts.finish();
    }
}
