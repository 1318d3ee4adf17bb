//! The dead letters of an isolate, by the names of those who did not handle them.

use super::core::IsolateCore;
use super::gauge::Label;
use super::handle::Place;
use super::seat::AnySeat;
use super::{Isolate, OUTSIDE};
use crate::StopReason;
use crate::dead_letters::{Account, DeadLetter, DeadLetterCause, DeadLetters};

impl IsolateCore {
    /// Notes what the actor in this seat does not handle, because it has ended or failed for this reason.
    /// `cut_off`: it would have been handled, had its actor not ended.
    #[cold]
    pub(crate) fn bury(
        &self,
        seat: (&dyn AnySeat, u32),
        label: Label,
        (messages, cause): (u64, DeadLetterCause),
        reason: StopReason,
        cut_off: bool,
    ) {
        let (seat, index) = seat;
        if label.is_marker() || (label.own && cause == DeadLetterCause::Waiting) {
            return;
        }
        self.dead_letters.set(self.dead_letters.get() + messages);
        let (at, Label { message, topic, .. }) = (self.moment(), label);
        let letter = DeadLetter {
            actor: self.identity(index, seat.name()),
            message,
            topic,
            messages,
            cause,
            reason,
            at,
        };
        let tree = seat.as_child().map(super::tree::SeatedChild::tree);
        self.letters.borrow_mut().get_or_insert_default().put(letter, tree, cut_off);
    }

    /// Messages that were in a queue for the actor or service in this seat, which has ended.
    pub(crate) fn bury_queued(&self, index: u32, label: Label, messages: u64) {
        if messages == 0 || index == OUTSIDE {
            return;
        }
        let Some(seat) = self.seat(index) else { return };
        let reason = seat.end_reason().unwrap_or(StopReason::Shutdown);
        self.bury((&*seat, index), label, (messages, DeadLetterCause::Waiting), reason, true);
    }

    /// Sums up from now on what is left behind by stops, in one tree and in none; the number of the account.
    pub(crate) fn open_account(&self, tree: u64) -> u64 {
        self.letters.borrow_mut().get_or_insert_default().open_account(Some(tree))
    }

    pub(crate) fn close_account(&self, number: u64) -> Account {
        let closed = self.letters.borrow_mut().as_mut().and_then(|letters| letters.close_account(number));
        closed.unwrap_or_default()
    }
}

impl Place {
    /// Counts a message that whoever sits here is handling as a dead letter.
    pub(crate) fn bury(&self, message: &'static str, topic: &'static str, reason: StopReason) {
        let Some(core) = self.core() else { return };
        let Some(seat) = core.seat(self.seat()) else { return };
        let label = Label { message, topic: Some(topic), by_value: false, own: false };
        core.bury((&*seat, self.seat()), label, (1, label.lost_in_hand(1)), reason, true);
    }
}

impl Isolate {
    /// What reached actors and was never handled, with the latest one by one; [`stats`](Self::stats) has
    /// their number.
    pub fn dead_letters(&self) -> DeadLetters {
        let letters = self.core.letters.borrow();
        let letters = letters.as_ref().map(|letters| letters.snapshot()).unwrap_or_default();
        DeadLetters { retried: self.core.retried.get(), ..letters }
    }
}
