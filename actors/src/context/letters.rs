//! A handler that cannot do anything with a message, and goes on.

use super::{Context, ContextBackend};
use crate::{Actor, Message, StopReason};

impl<A: Actor> Context<A> {
    /// Counts the message that is being handled as a dead letter, for this reason. It would have been handled
    /// had nothing been stopped.
    pub(crate) fn bury<M: Message>(&self, reason: StopReason) {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().bury::<M>(reason),
            ContextBackend::Live(live) => live.bury::<M>(reason),
            ContextBackend::Direct(_) => {}
        }
    }
}
