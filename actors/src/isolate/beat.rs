//! Messages that an actor has set timers for: one that comes once, and one that comes again and again.

use std::cell::Cell;
use std::marker::PhantomData;

use mycelium_mailbox::Play;

use super::handle::IsolateContext;
use super::seat::Bundle;
use super::sub::{Called, Repeats};
use crate::{Actor, Every, TimerHandle, Timestamp};

/// One of them, on its way to its actor.
pub(crate) struct Timed<T> {
    message: T,
    handle: TimerHandle,
    /// The life of the actor that has set the timer.
    life: u32,
    /// Whether its handler was begun.
    taken: Cell<bool>,
}

impl<T> Timed<T> {
    pub(crate) fn new(message: T, life: u32, handle: TimerHandle) -> Self {
        Self { message, handle, life, taken: Cell::new(false) }
    }

    /// Whether its handler runs in this life, and for the first time. It may have waited behind another
    /// handler, which has called it off, or was the last of the life that has set the timer. One whose
    /// handler has failed is tried again in whatever life.
    fn begin(&self, life: u32) -> Option<bool> {
        let first = !self.taken.replace(true);
        (!first || (self.life == life && !self.handle.is_cancelled())).then_some(first)
    }
}

/// One of those that come again and again. The next one is set when this one is taken, so that never two of
/// them wait.
pub(crate) struct Beat<T> {
    timed: Timed<T>,
    every: Every,
    due: Timestamp,
}

impl<T> Beat<T> {
    pub(crate) fn new(timed: Timed<T>, every: Every, due: Timestamp) -> Self {
        Self { timed, every, due }
    }

    pub(crate) fn due(&self) -> Timestamp {
        self.due
    }

    pub(crate) fn handle(&self) -> &TimerHandle {
        &self.timed.handle
    }

    pub(crate) fn life(&self) -> u32 {
        self.timed.life
    }

    fn next(&self, now: Timestamp) -> Self
    where
        T: Clone,
    {
        let Timed { message, handle, life, .. } = &self.timed;
        let due = self.due + self.every.next(now - self.due);
        Self::new(Timed::new(message.clone(), *life, handle.clone()), self.every, due)
    }
}

/// Plays a message that comes once as `P` does.
pub(crate) struct PlayTimed<P>(PhantomData<P>);

impl<A, T, P> Play<Bundle<A>, Timed<T>> for PlayTimed<P>
where
    A: Actor,
    T: 'static,
    P: Called<A, T>,
{
    type Output = Result<(), A::Error>;

    async fn play(bundle: &mut Bundle<A>, timed: &Timed<T>) -> Self::Output {
        let life = bundle.ctx.as_in_isolate().map_or(timed.life, IsolateContext::life);
        match timed.begin(life) {
            Some(_) => P::Seen::play(bundle, &timed.message).await,
            None => Ok(()),
        }
    }
}

impl<A, T, P> Called<A, Timed<T>> for PlayTimed<P>
where
    A: Actor,
    T: 'static,
    P: Called<A, T>,
{
    type Seen = Self;
    const BY_VALUE: bool = P::BY_VALUE;
    const OWN: bool = true;
    const REPEATS: Repeats = P::REPEATS;

    fn name() -> &'static str {
        P::name()
    }
}

/// Plays a beat as `P` does its message.
pub(crate) struct BeatAgain<P>(PhantomData<P>);

impl<A, T, P> Play<Bundle<A>, Beat<T>> for BeatAgain<P>
where
    A: Actor,
    T: Clone + 'static,
    P: Called<A, T>,
{
    type Output = Result<(), A::Error>;

    async fn play(bundle: &mut Bundle<A>, beat: &Beat<T>) -> Self::Output {
        let now = bundle.ctx.now();
        if let Some(isolate) = bundle.ctx.as_in_isolate() {
            match beat.timed.begin(isolate.life()) {
                Some(true) => isolate.beat::<T, P>(beat.next(now)),
                Some(false) => {}
                None => return Ok(()),
            }
        }
        P::Seen::play(bundle, &beat.timed.message).await
    }
}

impl<A, T, P> Called<A, Beat<T>> for BeatAgain<P>
where
    A: Actor,
    T: Clone + 'static,
    P: Called<A, T>,
{
    type Seen = Self;
    const BY_VALUE: bool = P::BY_VALUE;
    const OWN: bool = true;
    const REPEATS: Repeats = P::REPEATS;

    fn name() -> &'static str {
        P::name()
    }
}
