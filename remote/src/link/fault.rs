//! What can go wrong on a link: [`LinkFault`] is the peer's fault, or that of what lies between;
//! [`SendError`] says that a message cannot be sent now; [`AttachError`] that a connection does not become
//! that of a link.

use std::fmt;

use crate::frame::{DecodeError, EncodeError};

use super::{MAILBOX_LEN_MAX, MAILBOXES_MAX, Reason, Reject};

/// A connection is of no use any more. Close it; the link stays and waits for another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkFault {
    /// Bytes that came are no frame.
    Frame(DecodeError),
    /// A control frame is not as it should be.
    Malformed {
        /// Which.
        control: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A control frame of a kind that this version does not know.
    UnknownControl {
        /// Its type id.
        type_id: u16,
    },
    /// A frame came at a time when it may not.
    Unexpected {
        /// What should have come.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
    /// The peer speaks another version of links.
    Version {
        /// The version spoken here.
        ours: u16,
        /// The peer's.
        got: u16,
    },
    /// An Accept answers another Hello than ours: it was recorded, or the peer mixes connections up.
    Nonce,
    /// The peer refuses the connection.
    Rejected(Reject),
    /// The handshake takes too long.
    HandshakeLate {
        /// How long it may take, in nanoseconds.
        limit_ns: u64,
    },
    /// Nothing has come for too long, not even a heartbeat.
    Silent {
        /// How long is too long, in nanoseconds.
        limit_ns: u64,
    },
    /// A frame is not whole, and has hardly grown for long.
    Slow {
        /// How long is too long, in nanoseconds.
        limit_ns: u64,
    },
    /// A message is missing before this one.
    Gap {
        /// The sequence that comes next.
        expected: u64,
        /// The sequence of the message that came.
        got: u64,
    },
    /// The peer acknowledges what was never sent.
    Acknowledged {
        /// The sequence of the last message that was sent.
        sent: u64,
        /// The sequence that the peer has acknowledged.
        got: u64,
    },
    /// The peer sends, or asks for, a message that both do not mean alike or do not both know.
    NotAgreed {
        /// Its type id.
        type_id: u16,
    },
    /// The peer sends more messages of a type than it was granted.
    Credit {
        /// Their type id.
        type_id: u16,
        /// How many it may send in all.
        limit: u64,
    },
    /// The peer sends more messages to a mailbox than it was granted.
    MailboxCredit {
        /// How many it may send in all.
        limit: u64,
    },
}

impl LinkFault {
    /// What to tell the peer before its connection is closed; nothing if it has refused itself, or its bytes
    /// are no frames.
    #[must_use]
    pub fn reject(&self) -> Option<Reject> {
        let reason = match self {
            Self::Frame(_)
            | Self::Rejected(_)
            | Self::Silent { .. }
            | Self::Slow { .. }
            | Self::HandshakeLate { .. } => {
                return None;
            }
            Self::Version { .. } => Reason::Version,
            _ => Reason::Malformed,
        };
        Some(Reject { reason, text: self.to_string() })
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => write!(f, "{error}"),
            Self::Malformed { control, what } => {
                write!(f, "the peer's {control} is malformed: {what}; its client is broken")
            }
            Self::UnknownControl { type_id } => write!(
                f,
                "a control frame of kind {type_id} is not known here: update the older of the two nodes"
            ),
            Self::Unexpected { expected, got } => {
                write!(f, "{got} came where {expected} should: the peer's client is broken")
            }
            Self::Version { ours, got } => {
                write!(f, "the peer speaks version {got} of links, this node {ours}: update the older of the two")
            }
            Self::Nonce => f.write_str(
                "the peer accepts another connection than this one: it mixes connections up, or replays a recorded one",
            ),
            Self::Rejected(Reject { reason, text }) => write!(f, "the peer refuses ({reason:?}): {text}"),
            Self::HandshakeLate { limit_ns } => write!(
                f,
                "the handshake was not done after {} ms: is a Mycelium node listening there?",
                limit_ns / 1_000_000
            ),
            Self::Silent { limit_ns } => write!(
                f,
                "nothing has come from the peer for {} ms, not even a heartbeat: it hangs, or the network between is cut",
                limit_ns / 1_000_000
            ),
            Self::Slow { limit_ns } => write!(
                f,
                "a frame is not whole and has grown by less than 64 KiB in {} ms: its length was damaged on the way, or the network is \
                 too slow for such long messages",
                limit_ns / 1_000_000
            ),
            Self::Gap { expected, got } => write!(
                f,
                "message {got} came where {expected} comes next: the peer has left messages out; its client is broken"
            ),
            Self::Acknowledged { sent, got } => write!(
                f,
                "the peer acknowledges message {got}, and {sent} was the last one sent: its client is broken"
            ),
            Self::NotAgreed { type_id } => write!(
                f,
                "the peer sends or asks for type id {type_id}, of which both nodes have not the same layout: generate both from \
                 one contract"
            ),
            Self::Credit { type_id, limit } => write!(
                f,
                "the peer sends more than the {limit} messages of type id {type_id} that it was granted: its client is broken"
            ),
            Self::MailboxCredit { limit } => write!(
                f,
                "the peer sends more than the {limit} messages to a mailbox that it was granted: its client is broken"
            ),
        }
    }
}

impl std::error::Error for LinkFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Frame(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DecodeError> for LinkFault {
    fn from(error: DecodeError) -> Self {
        Self::Frame(error)
    }
}

/// A message was not taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The peer does not want it, or does not mean the same by it.
    NotWanted {
        /// Its type id.
        type_id: u16,
    },
    /// The peer takes no more of this type until it has consumed some. Wait for [`Output::Credit`].
    ///
    /// [`Output::Credit`]: super::Output::Credit
    NoCredit {
        /// Its type id.
        type_id: u16,
    },
    /// As much waits for its acknowledgement as the window holds. Wait for [`Output::Acknowledged`].
    ///
    /// [`Output::Acknowledged`]: super::Output::Acknowledged
    Full {
        /// The size of the window, in bytes.
        window_bytes: usize,
    },
    /// The value is longer than the peer reads.
    TooLong {
        /// The longest value that the peer reads, in bytes.
        max: usize,
        /// The value's length, in bytes.
        got: usize,
    },
    /// The message cannot be put into a frame.
    Encode(EncodeError),
    /// A mailbox cannot be opened.
    Mailbox,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWanted { type_id } => {
                write!(f, "type id {type_id} was not sent: the peer has no subscriber for it")
            }
            Self::NoCredit { type_id } => write!(
                f,
                "type id {type_id} was not sent: the peer's subscriber is behind; wait until it grants more"
            ),
            Self::Full { window_bytes } => write!(
                f,
                "not sent: {window_bytes} bytes wait for their acknowledgement; wait until the peer acknowledges some"
            ),
            Self::TooLong { max, got } => write!(
                f,
                "not sent: the value has {got} bytes, of which the peer reads {max}; raise its limit, or split the message"
            ),
            Self::Encode(error) => write!(f, "not sent: {error}"),
            Self::Mailbox => write!(
                f,
                "the mailbox is not opened: its name is empty or longer than {MAILBOX_LEN_MAX} bytes, or {MAILBOXES_MAX} others are \
                 open on this link; name fewer actors"
            ),
        }
    }
}

impl std::error::Error for SendError {}

/// A connection does not become that of the link. Send the [`reject`](Self::reject) and close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// The link is attached, and the peer is another process than the one at its other end.
    NameTaken,
    /// The position that one side has told is no longer so. Connect anew at once.
    Stale,
    /// The peer is another process than before, or has forgotten this node. All that it had not
    /// acknowledged is lost, interest and credit are gone. Connect anew at once.
    PeerRestarted {
        /// How many messages are lost.
        lost: u64,
    },
    /// The peer has received more than was sent.
    Beyond {
        /// The sequence of the last message that was sent.
        sent: u64,
        /// What the peer says that it has received.
        got: u64,
    },
}

impl AttachError {
    /// What to tell the peer.
    #[must_use]
    pub fn reject(&self) -> Reject {
        let reason = match self {
            Self::NameTaken => Reason::NameTaken,
            Self::Stale | Self::PeerRestarted { .. } => Reason::Stale,
            Self::Beyond { .. } => Reason::Malformed,
        };
        Reject { reason, text: self.to_string() }
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken => f.write_str(
                "another process with this name is linked and lives: give each node a name of its own, or wait until the dead one \
                 is found to be silent",
            ),
            Self::Stale => f.write_str(
                "the link has changed since the handshake began: connect anew",
            ),
            Self::PeerRestarted { lost } => write!(
                f,
                "the peer was started anew, and {lost} messages that the former process had not acknowledged are lost: connect anew"
            ),
            Self::Beyond { sent, got } => write!(
                f,
                "the peer has received message {got}, and {sent} was the last one sent: its client is broken"
            ),
        }
    }
}

impl std::error::Error for AttachError {}
