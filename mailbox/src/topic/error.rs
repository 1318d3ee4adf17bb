//! What can go wrong with a topic.

use std::fmt;

/// Who keeps a publish from going through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The id the subscriber gave when it subscribed, or 0.
    pub subscriber: u64,
    /// What of it is full.
    pub obstacle: Obstacle,
}

/// What is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// A `Block` subscriber has as many unread messages as its capacity. Waiting helps.
    Ring,
    /// The lane of a `Fail` subscriber. The policy asks for an error instead of waiting.
    FailLane,
    /// A `Block` subscriber with a queue of its own has as many unread messages as its capacity. Waiting
    /// helps.
    Lane,
}

/// A message was not published by [`try_publish`](super::Topic::try_publish); nobody got it.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryPublishError<M> {
    /// A subscriber has no room.
    Full {
        /// The message, unsent.
        message: M,
        /// The subscriber that has no room.
        by: Blocker,
    },
    /// The topic is closed.
    Closed(M),
}

/// A message was not published by [`publish`](super::Topic::publish); nobody got it.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError<M> {
    /// The lane of a `Fail` subscriber is full.
    Full {
        /// The message, unsent.
        message: M,
        /// The subscriber that has no room.
        by: Blocker,
    },
    /// The publisher is itself the `Block` subscriber that has no room: waiting would never end.
    WouldDeadlock(M),
    /// The topic is closed.
    Closed(M),
}

/// A subscription was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The topic is closed.
    Closed,
    /// The topic has [`SUBSCRIBERS_MAX`](super::SUBSCRIBERS_MAX) subscribers already.
    TooMany,
    /// There is no memory for a ring of the capacity that was asked for.
    NoMemory,
}

impl<M> TryPublishError<M> {
    /// The message that was not published.
    pub fn into_inner(self) -> M {
        match self {
            Self::Full { message, .. } | Self::Closed(message) => message,
        }
    }
}

impl<M> PublishError<M> {
    /// The message that was not published.
    pub fn into_inner(self) -> M {
        match self {
            Self::Full { message, .. } | Self::WouldDeadlock(message) | Self::Closed(message) => message,
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.obstacle {
            Obstacle::Ring | Obstacle::Lane => {
                write!(f, "subscriber {} has as many unread messages as it declared", self.subscriber)
            }
            Obstacle::FailLane => {
                write!(f, "the queue of subscriber {}, whose policy is Fail, is full", self.subscriber)
            }
        }
    }
}

const CLOSED: &str = "the topic is closed";

impl<M> fmt::Display for TryPublishError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { by, .. } => {
                write!(f, "not published: {by}; wait with `publish`, or declare more room")
            }
            Self::Closed(_) => f.write_str(CLOSED),
        }
    }
}

impl<M> fmt::Display for PublishError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { by, .. } => write!(f, "not published: {by}"),
            Self::WouldDeadlock(_) => f.write_str(
                "not published: the publisher is itself the subscriber that has no room and would wait for itself; \
                 declare more room or another policy",
            ),
            Self::Closed(_) => f.write_str(CLOSED),
        }
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(CLOSED),
            Self::TooMany => write!(f, "the topic has {} subscribers already", super::SUBSCRIBERS_MAX),
            Self::NoMemory => f.write_str("there is no memory for a ring of this capacity: ask for less"),
        }
    }
}

impl<M: fmt::Debug> std::error::Error for TryPublishError<M> {}
impl<M: fmt::Debug> std::error::Error for PublishError<M> {}
impl std::error::Error for SubscribeError {}
