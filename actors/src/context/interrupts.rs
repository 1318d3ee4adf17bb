//! How code that keeps its thread is ended from outside.

use super::{Context, ContextBackend};
use crate::Actor;

impl<A: Actor> Context<A> {
    /// Has `interrupt` called when the supervisor of this actor gives up what it handles because it is stuck
    /// ([`Health::restart`](crate::tree::Health::restart)), with the reason: for handlers that keep their
    /// thread in code that can be ended from outside, such as that of an interpreter, and return an error
    /// then. It is called on a thread of the supervisor, once for each message that is given up, also where
    /// the handler waits, and has to return at once. The last one counts, until the life ends.
    ///
    /// Whether a probe looks at this actor: else it is dropped, as in an isolate, where a handler that does
    /// not return holds everything up.
    pub fn interrupted_by(&mut self, interrupt: impl Fn(&str) + Send + Sync + 'static) -> bool {
        match &self.backend {
            ContextBackend::Live(live) => live.interrupted_by(Box::new(interrupt)),
            ContextBackend::Isolate(_) | ContextBackend::Direct(_) => false,
        }
    }
}
