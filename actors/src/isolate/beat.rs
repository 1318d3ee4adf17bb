//! A message that comes to its actor again and again.

use std::cell::Cell;
use std::marker::PhantomData;

use mycelium_mailbox::Play;

use super::seat::Bundle;
use super::sub::{Called, Repeats};
use crate::{Actor, Every, TimerHandle, Timestamp};

/// One of them, on its way to its actor. The next one is set when this one is taken, so that never two of
/// them wait.
pub(crate) struct Beat<T> {
    message: T,
    every: Every,
    due: Timestamp,
    handle: TimerHandle,
    /// A life that handles it again sets no other one.
    taken: Cell<bool>,
}

impl<T> Beat<T> {
    pub(crate) fn new(message: T, every: Every, due: Timestamp, handle: TimerHandle) -> Self {
        Self { message, every, due, handle, taken: Cell::new(false) }
    }

    pub(crate) fn due(&self) -> Timestamp {
        self.due
    }

    pub(crate) fn handle(&self) -> &TimerHandle {
        &self.handle
    }

    fn next(&self, now: Timestamp) -> Self
    where
        T: Clone,
    {
        let due = self.due + self.every.next(now - self.due);
        Self::new(self.message.clone(), self.every, due, self.handle.clone())
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
        // It may have waited behind another handler meanwhile.
        if beat.handle.is_cancelled() {
            return Ok(());
        }
        let now = bundle.ctx.now();
        if let (false, Some(isolate)) = (beat.taken.replace(true), bundle.ctx.as_in_isolate()) {
            isolate.beat::<T, P>(beat.next(now));
        }
        P::Seen::play(bundle, &beat.message).await
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
    const REPEATS: Repeats = P::REPEATS;

    fn name() -> &'static str {
        P::name()
    }
}
