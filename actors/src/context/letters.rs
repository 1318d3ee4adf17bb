//! A handler that cannot do anything with a message, and goes on.

use super::{Context, ContextBackend};
use crate::{Actor, StopReason};

impl<A: Actor> Context<A> {
    /// Counts the message that is being handled as a dead letter, for this reason. It would have been handled
    /// had nothing been stopped.
    pub(crate) fn bury(&self, message: &'static str, topic: &'static str, reason: StopReason) {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().bury(message, topic, reason),
            ContextBackend::Live(live) => live.bury(message, topic, reason),
            ContextBackend::Direct(_) => {}
        }
    }
}
