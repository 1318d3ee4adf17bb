//! What a direct message says of itself: whom it is for, and which question it asks or answers.

use super::LinkFault;

/// The length of an envelope, in bytes. It stands at the end of the value of a frame with the flag *direct*.
pub const ENVELOPE_LEN: usize = 24;

/// A question of a peer, to be answered once. It is of use to the link that has given it, and says nothing
/// to a peer that was started anew meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The peer's number of it.
    pub(super) ask: u64,
    /// The place of the mailbox, whose credit it uses up until it is answered.
    pub(super) place: usize,
    /// The incarnation of this end that it was put to.
    pub(super) end: u64,
}

/// A direct message, as a link gives it to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direct {
    /// For the mailbox at this place of [`Link::served`](super::Link::served).
    Tell {
        /// The place.
        place: usize,
    },
    /// A question for the mailbox at this place. It uses up credit until it is answered, or has failed.
    Ask {
        /// The place.
        place: usize,
        /// To answer it with.
        question: Question,
        /// How long the asker waits from when it was sent, in nanoseconds; `None`: for ever.
        limit_ns: Option<u64>,
    },
    /// The answer to a question of this end.
    Answer {
        /// Its number, as [`Link::ask`](super::Link::ask) has returned it.
        ask: u64,
    },
    /// There will be no answer to a question of this end.
    Failed {
        /// Its number.
        ask: u64,
        /// Why.
        failure: Failure,
    },
}

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The actor has ended, or ended before it answered.
    Stopped,
    /// Nobody takes such questions under this name.
    NotTaken,
    /// The question's value is none of its type, or breaks a rule of its contract.
    Invalid,
    /// The time that the asker waits was over.
    Late,
    /// The answer cannot be sent: it is longer than the asker reads, or both do not mean the same by it.
    Unanswerable,
    /// Code of the actor's side has panicked.
    Panicked,
    /// A reason that this version does not know.
    Other(u8),
}

impl Failure {
    const KNOWN: [(u8, Self); 6] = [
        (1, Self::Stopped),
        (2, Self::NotTaken),
        (3, Self::Invalid),
        (4, Self::Late),
        (5, Self::Unanswerable),
        (6, Self::Panicked),
    ];

    /// The number as it travels.
    #[must_use]
    pub fn code(self) -> u8 {
        if let Self::Other(code) = self {
            return code;
        }
        Self::KNOWN.iter().find(|(_, failure)| *failure == self).map_or(0, |(code, _)| *code)
    }

    fn of(code: u8) -> Self {
        Self::KNOWN
            .iter()
            .find(|(known, _)| *known == code)
            .map_or(Self::Other(code), |(_, failure)| *failure)
    }
}

const TELL: u8 = 1;
const ASK: u8 = 2;
const ANSWER: u8 = 3;
const FAILED: u8 = 4;

/// An envelope as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    Tell { mailbox: u32 },
    Ask { mailbox: u32, ask: u64, limit_ns: Option<u64> },
    Answer { ask: u64 },
    Failed { ask: u64, failure: Failure },
}

impl Envelope {
    pub(super) fn bytes(self) -> [u8; ENVELOPE_LEN] {
        let (ask, limit_ns, mailbox, kind, code) = match self {
            Self::Tell { mailbox } => (0, 0, mailbox, TELL, 0),
            // No limit is the longest one.
            Self::Ask { mailbox, ask, limit_ns } => (ask, limit_ns.unwrap_or(u64::MAX), mailbox, ASK, 0),
            Self::Answer { ask } => (ask, 0, 0, ANSWER, 0),
            Self::Failed { ask, failure } => (ask, 0, 0, FAILED, failure.code()),
        };
        let mut bytes = [0; ENVELOPE_LEN];
        bytes[..8].copy_from_slice(&ask.to_le_bytes());
        bytes[8..16].copy_from_slice(&limit_ns.to_le_bytes());
        bytes[16..20].copy_from_slice(&mailbox.to_le_bytes());
        bytes[20] = kind;
        bytes[21] = code;
        bytes
    }

    /// The envelope of a value.
    pub(super) fn parse(value: &[u8]) -> Result<Self, LinkFault> {
        let malformed = |what| LinkFault::Malformed { control: "direct message", what };
        let Some(envelope) = value.last_chunk::<ENVELOPE_LEN>() else {
            return Err(malformed("it is shorter than an envelope"));
        };
        let long = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&envelope[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (ask, limit_ns, rest) = (long(0), long(8), long(16));
        let (mailbox, kind, code) = (rest as u32, envelope[20], envelope[21]);
        let envelope = match kind {
            TELL => Self::Tell { mailbox },
            ASK => Self::Ask { mailbox, ask, limit_ns: Some(limit_ns).filter(|limit| *limit != u64::MAX) },
            ANSWER => Self::Answer { ask },
            FAILED if value.len() == ENVELOPE_LEN => Self::Failed { ask, failure: Failure::of(code) },
            FAILED => return Err(malformed("it says that a question has failed, and has a value")),
            _ => return Err(malformed("its kind is none of tell, ask, answer and failed")),
        };
        if envelope.bytes()[..] == value[value.len() - ENVELOPE_LEN..] {
            Ok(envelope)
        } else {
            Err(malformed("fields are not zero that its kind does not have"))
        }
    }
}

/// The message of a frame with the flag *direct*: its value without the envelope.
///
/// ```
/// use mycelium_remote::link::{ENVELOPE_LEN, message_of};
/// assert_eq!(message_of(&[7; 32]), &[7; 8]);
/// assert_eq!(message_of(&[7; ENVELOPE_LEN - 1]), &[] as &[u8]);
/// ```
#[must_use]
pub fn message_of(value: &[u8]) -> &[u8] {
    &value[..value.len().saturating_sub(ENVELOPE_LEN)]
}
