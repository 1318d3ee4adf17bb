//! Messages that reached an actor and were never handled, live and in an isolate.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::{Identity, StopReason, Timestamp};

/// How many of the latest dead letters a bus or isolate remembers one by one (entries).
pub const DEAD_LETTERS_RECENT_MAX: usize = 64;

/// Messages that one actor left behind at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The actor.
    pub actor: Identity,
    /// The name of the message.
    pub message: &'static str,
    /// The topic it came from; `None` if it was sent to this actor alone.
    pub topic: Option<&'static str>,
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
    InHand {
        /// How often its handler was tried: more than once only if it was
        /// [retried](crate::tree::Redelivery::Retry).
        attempts: u32,
    },
    /// As [`InHand`](Self::InHand), of a message that its handler [takes](crate::Takes) by value: it cannot
    /// be retried.
    Taken,
    /// It waited in the actor's mailbox.
    Waiting,
}

impl DeadLetterCause {
    /// Whether a handler had the message, rather than the mailbox.
    #[must_use]
    pub fn is_in_hand(self) -> bool {
        match self {
            Self::InHand { .. } | Self::Taken => true,
            Self::Waiting => false,
        }
    }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.cause {
            DeadLetterCause::InHand { .. } => "was being handled",
            DeadLetterCause::Taken => "was taken by its handler",
            DeadLetterCause::Waiting => "waited",
        };
        let Self { actor, message, messages, reason, .. } = self;
        write!(f, "{messages} {message} {verb} when {actor} {reason}")?;
        match self.cause {
            DeadLetterCause::InHand { attempts } if attempts > 1 => write!(f, " (attempt {attempts})"),
            _ => Ok(()),
        }
    }
}

/// The dead letters of a bus or isolate up to now.
///
/// ```
/// # use mycelium::{MessageBus, Result, actor};
/// # struct Parser;
/// # #[actor] impl Parser { #[on(direct)] fn text(&mut self, text: &&'static str) -> Result { text.parse::<u64>()?; Ok(()) } }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result {
/// # let bus = MessageBus::new();
/// let parser = bus.spawn(Parser)?;
/// parser.tell("one").await?; // an error of its handler ends the actor
/// parser.ended().await;
/// let letters = bus.dead_letters();
/// assert_eq!((letters.in_hand, letters.waiting), (1, 0));
/// println!("{}", letters.recent[0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetters {
    /// Messages whose handler failed, panicked, or was killed.
    pub in_hand: u64,
    /// Messages that waited for an actor when it ended.
    pub waiting: u64,
    /// Messages that were given to their actor once more after its handler had failed, counted each time.
    /// They are no dead letters, but they might have become some.
    pub retried: u64,
    /// The latest, oldest first, at most [`DEAD_LETTERS_RECENT_MAX`].
    pub recent: Vec<DeadLetter>,
}

/// The dead letters of one bus or isolate.
#[derive(Default)]
pub(crate) struct Letters {
    in_hand: u64,
    waiting: u64,
    retried: u64,
    recent: VecDeque<DeadLetter>,
    accounts: Vec<Account>,
    next_account: u64,
}

/// What was left behind since a drain began, summed up: of a tree by its actors and by those of none, of a
/// bus by all.
#[derive(Default)]
pub(crate) struct Account {
    number: u64,
    /// `None`: of all trees.
    tree: Option<u64>,
    /// By actor, message, topic and cause; at most [`ACCOUNT_MAX`].
    pub(crate) rows: BTreeMap<Row, u64>,
    /// All messages, also those for which there is no row.
    pub(crate) messages: u64,
}

/// Which actor, the message, its topic, and whether it was being handled.
pub(crate) type Row = (Identity, &'static str, Option<&'static str>, bool);

/// Most rows of an account (actors times messages).
const ACCOUNT_MAX: usize = 10_000;

impl Account {
    fn enter(&mut self, letter: &DeadLetter) {
        let in_hand = letter.cause.is_in_hand();
        self.messages += letter.messages;
        let row = (letter.actor.clone(), letter.message, letter.topic, in_hand);
        if self.rows.len() < ACCOUNT_MAX || self.rows.contains_key(&row) {
            *self.rows.entry(row).or_default() += letter.messages;
        }
    }
}

impl Letters {
    /// Sums up from now on what is left behind, under the number that is returned.
    pub(crate) fn open_account(&mut self, tree: Option<u64>) -> u64 {
        let number = self.next_account;
        self.next_account += 1;
        self.accounts.push(Account { number, tree, ..Account::default() });
        number
    }

    /// What was left behind since it was opened.
    pub(crate) fn close_account(&mut self, number: u64) -> Option<Account> {
        let at = self.accounts.iter().position(|account| account.number == number)?;
        Some(self.accounts.swap_remove(at))
    }

    /// `tree` is that of the actor. `cut_off` says that a stop is to blame for it; a handler's own failure is
    /// no matter of an account.
    pub(crate) fn put(&mut self, letter: DeadLetter, tree: Option<u64>, cut_off: bool) {
        if cut_off {
            let concerned =
                |account: &&mut Account| tree.is_none() || account.tree.is_none() || tree == account.tree;
            self.accounts.iter_mut().filter(concerned).for_each(|account| account.enter(&letter));
        }
        match letter.cause {
            DeadLetterCause::InHand { .. } | DeadLetterCause::Taken => self.in_hand += letter.messages,
            DeadLetterCause::Waiting => self.waiting += letter.messages,
        }
        if self.recent.len() == DEAD_LETTERS_RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(letter);
    }

    /// A message is about to be handled once more.
    pub(crate) fn count_retry(&mut self) {
        self.retried += 1;
    }

    pub(crate) fn snapshot(&self) -> DeadLetters {
        DeadLetters {
            in_hand: self.in_hand,
            waiting: self.waiting,
            retried: self.retried,
            recent: self.recent.iter().cloned().collect(),
        }
    }
}
