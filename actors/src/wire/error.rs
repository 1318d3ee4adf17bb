//! Errors of a publish of bytes.

use std::fmt;
use std::sync::Arc;

use mycelium_mailbox::wire::ValueError;

use crate::error::FullQueue;
use crate::{Identity, PublishError};

/// Bytes were not published. Nobody received them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WirePublishError {
    /// The bus knows no message with this type id.
    UnknownType {
        /// The header's type id.
        type_id: u16,
    },
    /// Two contracts of this bus contradict each other about the message.
    Disabled {
        /// The header's type id.
        type_id: u16,
        /// The message.
        message: &'static str,
        /// The point of the contradiction.
        cause: Arc<str>,
    },
    /// The header is that of a control frame, which belongs to its link.
    Control {
        /// The header's type id.
        type_id: u16,
    },
    /// The value is longer than the bus takes.
    TooLong {
        /// The message.
        message: &'static str,
        /// The longest value that the bus takes, in bytes.
        max: usize,
        /// The value's length, in bytes.
        got: usize,
    },
    /// The bytes are no value that the topic takes: wrong length, version or layout, or a rule of the
    /// contract is broken.
    Value(ValueError),
    /// The bus, or the isolate's run, has ended; or it refuses what comes from outside, because it drains.
    Closed {
        /// The message.
        message: &'static str,
    },
    /// A queue is full and its subscription asked for an error (or `try_publish_wire` does not wait).
    Full {
        /// The message.
        message: &'static str,
        /// Whose queue it is: see [`PublishError::Full`].
        whose: Option<Arc<Identity>>,
    },
    /// The publishing actor itself is the one whose queue is full: waiting would never end.
    SelfBlocked {
        /// The message.
        message: &'static str,
    },
    /// The call came from a thread that does not run the isolate.
    WrongThread {
        /// The message.
        message: &'static str,
    },
    /// Another type on this bus claims the type id of this message.
    DuplicateTypeId {
        /// The message of the bus's contract.
        message: &'static str,
        /// The type id.
        type_id: u16,
    },
    /// The context is that of a `routing_config!`, which has no topics.
    NotOnABus,
}

impl WirePublishError {
    /// A message that was decoded was refused.
    #[cold]
    pub(crate) fn refused<M>(kind: super::Kind, error: PublishError<M>) -> Self {
        let (message, type_id) = (kind.name, kind.type_id);
        match error {
            PublishError::Closed(_) => Self::Closed { message },
            PublishError::Full(_, whose) => Self::Full { message, whose },
            PublishError::SelfBlocked(_) => Self::SelfBlocked { message },
            PublishError::WrongThread(_) => Self::WrongThread { message },
            PublishError::DuplicateTypeId(_) => Self::DuplicateTypeId { message, type_id },
        }
    }
}

impl fmt::Display for WirePublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType { type_id } => write!(
                f,
                "the bytes were not published: this bus knows no message with type id {type_id}; give it the contract that has \
                 it, with `MessageBus::builder().contract(..)` or `Isolate::contract(..)`"
            ),
            Self::Disabled { type_id, message, cause } => write!(
                f,
                "{message} was not published: two contracts of this bus contradict each other about type id {type_id}: {cause}"
            ),
            Self::Control { type_id } => write!(
                f,
                "the bytes were not published: the header is that of a control frame (type id {type_id}), which its link handles \
                 itself; pass on frames without the flag `CONTROL` alone"
            ),
            Self::TooLong { message, max, got } => write!(
                f,
                "{message} was not published: its value has {got} bytes, of which this bus takes {max}; raise \
                 `BusBuilder::wire_value_max`, or split the message"
            ),
            Self::Value(error) => write!(f, "not published: {error}"),
            Self::Closed { message } => write!(
                f,
                "{message} was not published: its bus is closed, or drains and takes nothing from outside any more"
            ),
            Self::Full { message, whose } => write!(
                f,
                "{message} was not published: {}; use `publish_wire(..).await` to wait, raise its capacity or choose another \
                 overflow policy",
                FullQueue(whose)
            ),
            Self::SelfBlocked { message } => write!(
                f,
                "{message} was not published: the publishing actor's own subscription to this topic is full, so it would wait \
                 for itself; raise its capacity or choose another overflow policy"
            ),
            Self::WrongThread { message } => write!(
                f,
                "{message} was not published: this context belongs to an isolate, which runs on one thread; do not move it to \
                 another"
            ),
            Self::DuplicateTypeId { message, type_id } => write!(
                f,
                "{message} was not published: another type on this bus has its type id {type_id}; give each message of \
                 contracts.yaml a `tlv_type` of its own, and use the types that were generated with the contract"
            ),
            Self::NotOnABus => f.write_str(
                "the bytes were not published: a `routing_config!` has no topics; use a bus or an isolate",
            ),
        }
    }
}

impl From<ValueError> for WirePublishError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl std::error::Error for WirePublishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Value(error) => Some(error),
            _ => None,
        }
    }
}
