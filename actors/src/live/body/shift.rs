//! What an actor does from one wait of its code to the next: it handles what is there, and sleeps.
//!
//! It is one future, written by hand, for as long as no handler waits. An `async fn` for each part of it
//! would be made, moved and asked how far it is for each message, and would read what it was given in larger
//! pieces than that was written in, which has to wait for the cache.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use mycelium_mailbox::{Merge as _, Parked, Pick, Span, StartAttempt, Started, attempt};

use super::super::source::{Inlet, SourceDrained};
use super::hand::Hand;
use super::{Body, DIRECT, STREAM_MESSAGES, SliceWork, Turn};
use crate::Actor;
use crate::actor::has_batches;

/// Handles messages, and sleeps where there are none, until something of it has to be waited for.
pub(super) struct Shift<'a, A: Actor> {
    /// There until a handler waits, which borrows it, or the end.
    body: Option<&'a mut Body<A>>,
    turn: &'a mut Turn,
    parked: Option<(usize, Parked<'a, SourceDrained>)>,
    sleeps: bool,
}

/// Why a shift is over.
pub(super) enum ShiftEnd {
    /// The message of a timer, which is in hand, is to be handled.
    Timer,
    /// The supervisor probes the actor: this source is read so, as far as that stamp.
    Probed(Pick),
    /// The handler of the message in front of this source has waited, and ended so.
    Waited(usize, SourceDrained),
    /// The actor does something else, others are to run, or it waits in another way than by sleeping.
    Over(SliceWork),
}

/// How far a shift has come without a wait.
enum Came<'a, A: Actor> {
    Sleeps(&'a mut Body<A>),
    Parked(usize, Parked<'a, SourceDrained>),
    End(ShiftEnd),
}

impl<'a, A: Actor> Shift<'a, A> {
    pub(super) fn new(body: &'a mut Body<A>, turn: &'a mut Turn) -> Self {
        Self { body: Some(body), turn, parked: None, sleeps: false }
    }
}

impl<A: Actor> Future for Shift<'_, A> {
    type Output = ShiftEnd;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<ShiftEnd> {
        let this = &mut *self;
        let Some(body) = this.body.take() else {
            let Some((source, parked)) = &mut this.parked else { return Poll::Pending };
            return Poll::Ready(ShiftEnd::Waited(*source, ready!(Pin::new(parked).poll(cx))));
        };
        if this.sleeps && body.sleeps_on(this.turn, cx) {
            this.body = Some(body);
            return Poll::Pending;
        }
        if std::mem::take(&mut this.sleeps) {
            body.wakes_up();
            *this.turn = Turn::new();
            if !body.is_at_work() {
                return Poll::Ready(ShiftEnd::Over(SliceWork::Done(0)));
            }
        }
        match body.go_on(this.turn, cx) {
            Came::Sleeps(body) => {
                this.body = Some(body);
                this.sleeps = true;
                Poll::Pending
            }
            Came::Parked(source, parked) => {
                this.parked = Some((source, parked));
                Poll::Pending
            }
            Came::End(end) => Poll::Ready(end),
        }
    }
}

impl<A: Actor> Body<A> {
    /// Handles what is there as long as nothing has to be waited for, and then sleeps.
    #[inline]
    fn go_on<'a>(mut self: &'a mut Self, turn: &mut Turn, cx: &mut TaskContext<'_>) -> Came<'a, A> {
        loop {
            // After each timer, also where the next one is due: one that is always late keeps no message
            // waiting.
            let timed = std::mem::take(&mut turn.timed);
            if !timed && self.take_due() {
                return Came::End(ShiftEnd::Timer);
            }
            if let Some(pick) = self.sources.pick(self.address.inbox.doorbell()) {
                self = match self.drain(pick, turn, cx) {
                    Ok(body) => body,
                    Err(came) => return came,
                };
            } else if !timed {
                let handled = turn.handled();
                if handled >= STREAM_MESSAGES || (has_batches::<A>() && handled > 0) {
                    return Came::End(ShiftEnd::Over(SliceWork::Done(handled)));
                }
                if self.falls_asleep(turn, cx) {
                    return Came::Sleeps(self);
                }
                self.wakes_up();
                turn.looks_again();
                if !self.is_at_work() {
                    return Came::End(ShiftEnd::Over(SliceWork::Done(0)));
                }
                continue;
            }
            if !self.goes_on_in(turn) {
                return Came::End(ShiftEnd::Over(SliceWork::More));
            }
        }
    }

    /// Handles what a source holds, as far as the turn goes and while stamps are below that of the pick.
    #[inline]
    fn drain<'a>(
        mut self: &'a mut Self,
        pick: Pick,
        turn: &mut Turn,
        cx: &mut TaskContext<'_>,
    ) -> Result<&'a mut Self, Came<'a, A>> {
        let Pick { index, below } = pick;
        if index != DIRECT {
            self.commit_direct();
        }
        loop {
            self.hand = Hand::Source(index);
            if self.address.probed().is_some() {
                return Err(Came::End(ShiftEnd::Probed(pick)));
            }
            let most = turn.left.max(1);
            let drained = match attempt(self, |body| body.begin(pick, most, cx)) {
                StartAttempt::Parked(parked) => return Err(Came::Parked(index, parked)),
                StartAttempt::Ready(drained, body) => {
                    self = body;
                    drained
                }
            };
            let called = self.address.presence.is_called();
            turn.count(self.settle(index, drained));
            // Direct messages are handled one by one, each in a future of a type of its own. An actor that
            // has subscribed to a topic may have older messages there: what it retains.
            if called || turn.left == 0 || !self.has_more_direct(index, below) {
                return Ok(self);
            }
        }
    }

    /// Begins to handle what a source holds, `most` messages and while stamps are below that of the pick. If
    /// a handler waits, the others tell how far they are.
    // As calls of their own, this, `settle` and `StopReason::catch` made 584 instructions of a `tell` of 548.
    #[inline(always)]
    pub(super) fn begin(
        &mut self,
        Pick { index, below }: Pick,
        most: u32,
        cx: &mut TaskContext<'_>,
    ) -> Started<'_, SourceDrained> {
        let Self { actor: Some(actor), ctx, sources, slot, address, .. } = self else {
            return Started::Ready(Ok(()));
        };
        let Some((from, others)) = sources.split(index) else { return Started::Ready(Ok(())) };
        let span = Span { below, most, presence: &address.presence };
        let started = from.drain(actor, ctx, slot, &span, cx);
        if matches!(started, Started::Parked(_)) {
            others.commit();
        }
        started
    }

    /// Whether it is the direct inbox, which has more messages that were seen.
    #[inline]
    fn has_more_direct(&self, source: usize, below: u64) -> bool {
        let Some(Inlet::Direct(direct)) = self.sources.get(source) else { return false };
        self.is_at_work() && direct.stamp_seen().is_some_and(|stamp| stamp < below)
    }

    /// Whether others need not run yet.
    #[inline]
    pub(super) fn goes_on_in(&self, turn: &mut Turn) -> bool {
        self.is_at_work() && (turn.left > 0 || turn.goes_on())
    }

    /// Sets its bell, or finds that there is something to do: whether it sleeps.
    #[inline]
    fn falls_asleep(&mut self, turn: &mut Turn, cx: &mut TaskContext<'_>) -> bool {
        let address = &self.address;
        if address.presence.poll_work(&mut self.sources, address.inbox.doorbell(), cx).is_ready() {
            return false;
        }
        let due = self.timers().map_or(Poll::Pending, |timers| timers.poll_due(cx));
        if due.is_ready() || self.looks_at_links(turn, cx) {
            return false;
        }
        self.address.presence.fall_asleep();
        true
    }

    /// Looks at links that spin, if there are any: whether its bell was rung meanwhile.
    #[inline]
    fn looks_at_links(&mut self, turn: &mut Turn, cx: &mut TaskContext<'_>) -> bool {
        let Self { ctx, address, .. } = self;
        let Some(live) = ctx.as_live() else { return false };
        live.core().links.spinning.look(cx, address.inbox.doorbell(), &mut turn.looks)
    }

    /// Polled while it sleeps, perhaps to look at links again: whether that was all. Nobody is to think that
    /// it has been awake for it.
    #[inline]
    fn sleeps_on(&mut self, turn: &mut Turn, cx: &mut TaskContext<'_>) -> bool {
        let Self { ctx, address, .. } = self;
        let spins = ctx.as_live().is_some_and(|live| live.core().links.spinning.any());
        spins
            && address.inbox.doorbell().is_asleep()
            && self.timers().is_none_or(|timers| timers.poll_due(cx).is_pending())
            && !self.looks_at_links(turn, cx)
    }

    /// There may be something to do again.
    #[inline]
    fn wakes_up(&mut self) {
        self.address.presence.wake_up();
        self.look_after(Ok(()));
    }
}
