//! What the framework itself puts into an actor's inbox, between the messages: it takes its turn as they do.
//!
//! A marker takes no room of the inbox, is seen by no probe and is no dead letter. Those who put markers in
//! bound how many there are: an actor has one stop at a time.

use crate::{Actor, Context};

/// The name of a marker, where a message would have its own.
pub(crate) const MARKER: &str = "a marker";

/// One of them.
pub(crate) enum Marker {
    /// The actor ends here: [`ActorRef::stop_gracefully`](crate::ActorRef::stop_gracefully).
    Stop,
}

impl Marker {
    /// Its turn has come.
    pub(crate) async fn take_effect<A: Actor>(&self, ctx: &mut Context<A>) {
        match self {
            Self::Stop => ctx.stop_at_marker(),
        }
    }
}
