//! What a run of an isolate reports.

use std::fmt;
use std::sync::Arc;

use crate::{ActorId, StopReason, Timestamp};

/// Counters of one isolate since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IsolateStats {
    /// The isolate's clock.
    pub now: Timestamp,
    /// Messages taken from the queue and handed to their receivers.
    pub events: u64,
    /// Messages published to a topic that nobody subscribed to.
    pub unheard: u64,
    /// Messages that waited for an actor when it ended, and those in the hand of a supervised one that failed.
    pub dead_letters: u64,
    /// How often a message on which a supervised actor had failed was handled once more.
    pub retried: u64,
}

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// An actor or service failed or panicked. The isolate stays as it was at that event.
    ActorFailed {
        /// Its name.
        actor: &'static str,
        /// Its identity within the isolate.
        id: ActorId,
        /// What it failed with.
        reason: StopReason,
        /// The virtual time of the event.
        at: Timestamp,
    },
    /// Nothing is left to do, but handlers of these actors still wait.
    Stuck {
        /// Their names.
        actors: Vec<&'static str>,
    },
    /// More events were handled than [`Isolate::limit_events`](crate::Isolate::limit_events) allows.
    TooManyEvents {
        /// The limit.
        events_max: u64,
    },
    /// The root supervisor of a tree passed its intensity: its children are stopped, and it has ended.
    TreeGaveUp {
        /// The child that was to be restarted.
        child: Arc<str>,
        /// The virtual time of the tree's end.
        at: Timestamp,
    },
    /// The isolate is being driven already, from inside one of its own handlers.
    Closed,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ActorFailed { actor, id, reason, at } => write!(f, "{actor}{id} {reason} (at {at})"),
            Self::Stuck { actors } => write!(
                f,
                "nothing is left to do, but a handler of {} still waits: for an actor that waits for it, or for \
                 something outside the isolate, which never comes",
                actors.join(", ")
            ),
            Self::TooManyEvents { events_max } => write!(
                f,
                "more than {events_max} events: do actors feed each other for ever? Otherwise raise `limit_events`"
            ),
            Self::TreeGaveUp { child, at } => write!(
                f,
                "the tree gave up: {child} was to be restarted more often than the root's intensity allows (at {at})"
            ),
            Self::Closed => f.write_str("the isolate is already running"),
        }
    }
}

impl std::error::Error for RunError {}
