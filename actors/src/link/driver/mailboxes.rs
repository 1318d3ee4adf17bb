//! What the task of a link does for actors of the peer that somebody here has asked for.
//!
//! Each is open at the link, under a number, while somebody uses it. One that nobody uses any more, which the
//! hub has forgotten then, is closed once all that was told there has gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use mycelium_remote::link::{ENVELOPE_LEN, MailboxState, Served};

use super::{Driver, Phase};
use crate::ActorId;
use crate::link::mailbox::{Gate, Reach, RemoteMailbox, absent};

/// How many numbers are taken before it is looked whether somebody uses them.
const SWEEP_AT: usize = 64;

/// Actors of the peer that somebody here has asked for.
pub(super) struct OpenMailboxes {
    /// By their numbers at the link.
    open: BTreeMap<u32, Weak<RemoteMailbox>>,
    /// Those that have no number yet, in the order in which they were asked for.
    waiting: Vec<Weak<RemoteMailbox>>,
    /// The last one that was asked for.
    last: ActorId,
    /// So many numbers make a look at who uses them worth its while.
    sweep_at: usize,
}

impl Default for OpenMailboxes {
    fn default() -> Self {
        Self { open: BTreeMap::new(), waiting: Vec::new(), last: ActorId(0), sweep_at: SWEEP_AT }
    }
}

impl OpenMailboxes {
    /// Whether some have no number yet.
    pub(super) fn any_wait(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn numbers(&self) -> Vec<u32> {
        self.open.keys().copied().collect()
    }
}

impl Driver {
    /// Asks the peer for the actors that somebody here has asked for.
    pub(super) fn open_mailboxes(&mut self) {
        if self.phase > Phase::Closing {
            return;
        }
        let new = self.hub.mailboxes(&self.peer.name(), self.mailboxes.last);
        if let Some(last) = new.last() {
            self.mailboxes.last = last.id();
            self.mailboxes.waiting.extend(new.iter().map(Arc::downgrade));
            self.give_numbers();
        }
    }

    /// Opens those that have no number yet, as many as the link has numbers for.
    fn give_numbers(&mut self) {
        if self.mailboxes.open.len() + self.mailboxes.waiting.len() > self.mailboxes.sweep_at {
            self.close_unused();
            self.mailboxes.sweep_at = SWEEP_AT.max(2 * self.mailboxes.open.len());
        }
        let mut opened = Vec::new();
        let Self { mailboxes, link, .. } = self;
        let OpenMailboxes { open, waiting, .. } = mailboxes;
        waiting.retain(|weak| {
            let Some(mailbox) = weak.upgrade() else { return false };
            // The hub has checked the name. Another one may have to be closed first.
            let Ok(number) = link.open(mailbox.name()) else { return true };
            open.insert(number, Weak::clone(weak));
            opened.push(number);
            false
        });
        self.opening |= !opened.is_empty();
        if self.peer.is_waited_for() {
            opened.into_iter().for_each(|number| self.describe(number));
        }
    }

    /// Closes those of which nobody here knows any more.
    fn close_unused(&mut self) {
        for number in self.mailboxes.numbers() {
            let unused = self.mailboxes.open.get(&number).is_some_and(|weak| weak.strong_count() == 0);
            if unused && !self.outflow.has_letters(number) && self.link.close(number) {
                self.outflow.close(number);
                self.mailboxes.open.remove(&number);
            }
        }
    }

    /// What the peer has said, once frames were read.
    pub(super) fn hear_news(&mut self) {
        if std::mem::take(&mut self.news.opened) {
            let opened = self.link.opened().map(|(place, name)| (place, name.to_owned())).collect();
            self.expose_at(opened);
        }
        if !self.mailboxes.waiting.is_empty() {
            // What was told to others may have gone by now, or they are closed.
            self.close_unused();
            self.give_numbers();
        }
        if std::mem::take(&mut self.news.described) {
            self.link.take_news().into_iter().for_each(|number| self.describe(number));
            self.opening = self.opening && self.is_opening();
        }
    }

    /// Has queues for all actors of the peer that are there.
    pub(super) fn describe_all(&mut self) {
        // All that there is to know is looked at.
        self.link.take_news();
        self.mailboxes.numbers().into_iter().for_each(|number| self.describe(number));
        self.opening = self.is_opening();
    }

    /// Whether the peer has not said yet who is behind some mailbox.
    fn is_opening(&self) -> bool {
        let is_used = |weak: &Weak<_>| weak.strong_count() > 0;
        let unknown = |number: &u32| *self.link.mailbox(*number) == MailboxState::Unknown;
        self.mailboxes.waiting.iter().any(is_used)
            || self.mailboxes.open.iter().any(|(number, weak)| is_used(weak) && unknown(number))
    }

    /// Has a queue for this actor of the peer, if it is there.
    fn describe(&mut self, number: u32) {
        let Some(weak) = self.mailboxes.open.get(&number) else { return };
        let mailbox = weak.upgrade();
        let reach = match self.link.mailbox(number) {
            MailboxState::Open(Served { channel, takes }) => {
                if mailbox.is_none() && !self.outflow.has_letters(number) {
                    return;
                }
                let longest = self.link.value_len_max().saturating_sub(ENVELOPE_LEN);
                // A message that is disabled on this link is not sent, and its sender is told so.
                let takes = takes.iter().filter(|taken| self.link.is_agreed(taken.type_id)).copied();
                let takes = takes.collect();
                Reach::Open(Gate { port: self.outflow.open(number, *channel), takes, longest })
            }
            other => {
                self.outflow.close(number);
                if *other == MailboxState::Absent { absent(None) } else { Reach::Opening }
            }
        };
        if let Some(mailbox) = mailbox {
            mailbox.set(reach);
        }
    }

    /// The actors of the peer have died with its process, and another one runs.
    pub(super) fn begin_mailboxes_anew(&self) {
        let used = self.mailboxes.open.values().filter_map(Weak::upgrade);
        used.for_each(|mailbox| mailbox.begin_anew());
    }

    /// The peer is given up, or the link ends.
    pub(super) fn lose_mailboxes(&self) {
        // Also those that it has not seen yet.
        let all = self.hub.mailboxes(&self.peer.name(), ActorId(0));
        all.iter().for_each(|mailbox| mailbox.set(Reach::NotLinked));
    }
}
