//! What reached an actor and was never handled.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::{ActorId, StopReason, Timestamp};

/// How many of the latest dead letters a bus remembers one by one (entries).
pub const DEAD_LETTERS_RECENT_MAX: usize = 64;

/// Messages that one actor left behind at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The actor's name.
    pub actor: &'static str,
    /// The actor.
    pub id: ActorId,
    /// The name of the message.
    pub message: &'static str,
    /// How many messages of this name.
    pub messages: u64,
    /// Whether it was being handled, or waited.
    pub cause: DeadLetterCause,
    /// Why the actor ended.
    pub reason: StopReason,
    /// When, on the bus's clock.
    pub at: Timestamp,
}

/// What was to become of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadLetterCause {
    /// Its handler failed, panicked, or was killed.
    InHand,
    /// It waited in the actor's mailbox.
    Waiting,
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.cause {
            DeadLetterCause::InHand => "was being handled",
            DeadLetterCause::Waiting => "waited",
        };
        let Self { actor, id, message, messages, reason, .. } = self;
        write!(f, "{messages} {message} {verb} when {actor}{id} {reason}")
    }
}

/// The dead letters of a bus up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetters {
    /// Messages whose handler failed, panicked, or was killed.
    pub in_hand: u64,
    /// Messages that waited for an actor when it ended.
    pub waiting: u64,
    /// The latest, oldest first, at most [`DEAD_LETTERS_RECENT_MAX`].
    pub recent: Vec<DeadLetter>,
}

/// Where a bus keeps them.
#[derive(Default)]
pub(crate) struct DeadLetterBox {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    in_hand: u64,
    waiting: u64,
    recent: VecDeque<DeadLetter>,
}

impl DeadLetterBox {
    pub(crate) fn put(&self, letter: DeadLetter) {
        tracing::debug!(actor = letter.actor, id = letter.id.get(), message = letter.message, "{letter}");
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match letter.cause {
            DeadLetterCause::InHand => state.in_hand += letter.messages,
            DeadLetterCause::Waiting => state.waiting += letter.messages,
        }
        if state.recent.len() == DEAD_LETTERS_RECENT_MAX {
            state.recent.pop_front();
        }
        state.recent.push_back(letter);
    }

    pub(crate) fn snapshot(&self) -> DeadLetters {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        DeadLetters {
            in_hand: state.in_hand,
            waiting: state.waiting,
            recent: state.recent.iter().cloned().collect(),
        }
    }
}
