//! What the task of a link says of itself: what it wants, pings, and messages that the peer means
//! differently.

use std::sync::Arc;

use mycelium_mailbox::caught;
use mycelium_remote::link::{Agreement, Input, PINGS_MAX};
use tokio::sync::oneshot;

use super::Driver;
use crate::LinkDisabled;
use crate::link::TARGET;
use crate::link::interest::{Interest, find};

impl Driver {
    /// Tells the peer what is wanted of it.
    pub(super) fn want(&mut self, wanted: &Arc<Interest>) {
        let before = std::mem::replace(&mut self.wanted, Arc::clone(wanted));
        let (now, mut gone) = (self.hub.now(), Vec::new());
        let mut want = |type_id, channel| {
            // A wish of this end breaks no rule.
            let _nothing = self.link.step(now, Input::Want { type_id, channel });
        };
        for was in before.iter() {
            // Those who want it now may be others, though nobody has looked between.
            if find(wanted, was.type_id).is_none_or(|is| is.round != was.round) {
                want(was.type_id, None);
                gone.push(was.type_id);
            }
        }
        wanted.iter().for_each(|wanted| want(wanted.type_id, Some(wanted.channel)));
        for type_id in gone {
            // It waits for nobody.
            let count = self.inflow.forget(type_id);
            self.outdated += count;
            let _nothing = self.link.step(now, Input::Consumed { type_id, count });
        }
    }

    /// Has the peer answer. Without a connection `reply` is dropped, which is an answer.
    pub(super) fn ping(&mut self, reply: oneshot::Sender<u64>) {
        if self.line.is_some() && self.pings.len() < PINGS_MAX {
            // A wish of this end breaks no rule.
            let _nothing = self.link.step(self.hub.now(), Input::Ping);
            self.pings.push_back(reply);
        }
    }

    /// Tells which messages the two buses mean differently.
    pub(super) fn tell_disabled(&self, agreement: Agreement) {
        let disabled = agreement.disabled.into_iter();
        let disabled = disabled.map(|of| LinkDisabled { message: of.message, cause: of.cause.into() });
        let disabled: Vec<LinkDisabled> = disabled.collect();
        // A tool tells its user.
        for of in disabled.iter().filter(|_| !self.peer.is_tool()) {
            let (peer, message, cause) = (&*self.peer.name(), of.message, &*of.cause);
            caught(
                || tracing::error!(target: TARGET, peer, message, cause, "a message is disabled on a link"),
            );
        }
        self.peer.tell(|stats| stats.disabled = disabled);
    }
}
