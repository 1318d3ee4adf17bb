//! A message that comes to its actor again and again.

use std::cell::Cell;

use mycelium_mailbox::Play;

use super::seat::Bundle;
use super::sub::Called;
use crate::life::{self, Witness};
use crate::{Every, Handler, TimerHandle, Timestamp};

/// One of them, on its way to its actor. The next one is set when this one is taken, so that never two of
/// them wait.
pub(crate) struct Beat<M> {
    message: M,
    every: Every,
    due: Timestamp,
    handle: TimerHandle,
    /// A life that handles it again sets no other one.
    taken: Cell<bool>,
}

impl<M> Beat<M> {
    pub(crate) fn new(message: M, every: Every, due: Timestamp, handle: TimerHandle) -> Self {
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
        M: Clone,
    {
        let due = self.due + self.every.next(now - self.due);
        Self::new(self.message.clone(), self.every, due, self.handle.clone())
    }
}

/// Plays a beat.
pub(crate) struct BeatAgain;

impl<A, M> Play<Bundle<A>, Beat<M>> for BeatAgain
where
    A: Handler<M>,
    M: Clone + Send + Sync + 'static,
{
    type Output = Result<(), A::Error>;

    async fn play(bundle: &mut Bundle<A>, beat: &Beat<M>) -> Self::Output {
        // It may have waited behind another handler meanwhile.
        if beat.handle.is_cancelled() {
            return Ok(());
        }
        let now = bundle.ctx.now();
        if let (false, Some(isolate)) = (beat.taken.replace(true), bundle.ctx.as_in_isolate()) {
            isolate.beat(beat.next(now));
        }
        let witness = Witness::of::<A, M>(&bundle.ctx);
        life::seen(witness, life::handle(&mut bundle.actor, &beat.message, &mut bundle.ctx)).await
    }
}

impl<A, M> Called<A, Beat<M>> for BeatAgain
where
    A: Handler<M>,
    M: Clone + Send + Sync + 'static,
{
    type Seen = Self;
}
