//! Where a bus keeps its dead letters.

use std::sync::PoisonError;

use mycelium_mailbox::caught;

use crate::dead_letters::{Account, DeadLetter, DeadLetters, Letters};
use crate::sync::{Mutex, MutexGuard};

/// The dead letters of a bus.
#[derive(Default)]
pub(crate) struct DeadLetterBox {
    letters: Mutex<Letters>,
}

/// An account that something is entered into until it is closed or dropped.
pub(crate) struct OpenAccount<'a> {
    letters: &'a DeadLetterBox,
    number: u64,
}

impl OpenAccount<'_> {
    /// What was left behind since it was opened.
    pub(crate) fn close(self) -> Account {
        self.letters.lock().close_account(self.number).unwrap_or_default()
    }
}

impl Drop for OpenAccount<'_> {
    fn drop(&mut self) {
        self.letters.lock().close_account(self.number);
    }
}

impl DeadLetterBox {
    /// Sums up from now on what is left behind; without a tree, by the actors of all.
    pub(crate) fn open_account(&self, tree: Option<u64>) -> OpenAccount<'_> {
        let number = self.lock().open_account(tree);
        OpenAccount { letters: self, number }
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`Letters::put`].
    pub(crate) fn put(&self, letter: DeadLetter, tree: Option<u64>, cut_off: bool) {
        caught(
            || tracing::debug!(target: "mycelium::dead_letters", actor = %letter.actor, id = letter.actor.id.get(), message = letter.message, "{letter}"),
        );
        self.lock().put(letter, tree, cut_off);
    }

    /// A message is about to be handled once more.
    pub(crate) fn count_retry(&self) {
        self.lock().count_retry();
    }

    pub(crate) fn snapshot(&self) -> DeadLetters {
        self.lock().snapshot()
    }
}
