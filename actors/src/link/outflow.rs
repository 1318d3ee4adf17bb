//! Messages of this bus on their way to a peer: a queue in each topic that the peer wants.
//!
//! A message is taken from its queue when the link takes it, and not before. So a peer that is slow, or away,
//! fills the queues, which do what their policy says.

use std::sync::Arc;

use mycelium_mailbox::{Doorbell, Source, pick};
use mycelium_remote::link::{Link, SendError};

use super::{LinkOptions, TARGET};
use crate::live::{BusCore, WireQueue};

/// How many messages are taken from queues in one turn: others are to have theirs.
const TURN_MAX: usize = 1_024;
/// How many of one topic are taken before the others of its channel are looked at.
const RUN_MAX: usize = 256;

pub(super) struct Outflow {
    core: Arc<BusCore>,
    /// Whose queues they are.
    id: u64,
    bell: Arc<Doorbell>,
    options: Arc<LinkOptions>,
    channels: Vec<Channel>,
    pub(super) too_long: u64,
    pub(super) unsent: u64,
}

/// Topics that somebody receives together.
struct Channel {
    number: u16,
    queues: Vec<Box<dyn WireQueue>>,
    /// Its next message waits for the peer, not the other way round.
    waits: bool,
}

impl Outflow {
    pub(super) fn new(core: Arc<BusCore>, id: u64, bell: Arc<Doorbell>, options: Arc<LinkOptions>) -> Self {
        Self { core, id, bell, options, channels: Vec::new(), too_long: 0, unsent: 0 }
    }

    /// Has a queue for each type that the peer wants, in the channel in which it wants it.
    pub(super) fn follow(&mut self, interest: &[(u16, u16)]) {
        let wanted = |type_id: u16| {
            let at = interest.binary_search_by_key(&type_id, |(type_id, _)| *type_id).ok()?;
            Some(interest[at].1)
        };
        let mut moved = Vec::new();
        for channel in &mut self.channels {
            let mut at = 0;
            while let Some(queue) = channel.queues.get(at) {
                match wanted(queue.kind().type_id) {
                    Some(number) if number == channel.number => at += 1,
                    Some(number) => moved.push((number, channel.queues.swap_remove(at))),
                    None => self.unsent += channel.queues.swap_remove(at).leave(),
                }
            }
        }
        let known = |type_id| {
            let mut queues = self.channels.iter().flat_map(|channel| &channel.queues);
            queues.any(|queue| queue.kind().type_id == type_id)
                || moved.iter().any(|(_, queue)| queue.kind().type_id == type_id)
        };
        let new: Vec<(u16, u16)> = interest.iter().filter(|(type_id, _)| !known(*type_id)).copied().collect();
        for (type_id, number) in new {
            moved.extend(self.listen(type_id).map(|queue| (number, queue)));
        }
        for (number, queue) in moved {
            match self.channels.iter_mut().find(|channel| channel.number == number) {
                Some(channel) => channel.queues.push(queue),
                None => self.channels.push(Channel { number, queues: vec![queue], waits: false }),
            }
        }
        self.channels.retain(|channel| !channel.queues.is_empty());
    }

    fn listen(&self, type_id: u16) -> Option<Box<dyn WireQueue>> {
        let (wire, topics) = (&self.core.wire, &self.core.topics);
        let at = wire.table().find(type_id)?;
        let how = self.options.queue_of(topics.retains(type_id));
        match wire.listen_at(topics, at, &how, self.id, &self.bell) {
            Ok(queue) => Some(queue),
            Err(error) => {
                tracing::error!(target: TARGET, type_id, %error, "a topic cannot be sent");
                None
            }
        }
    }

    /// Leaves all topics: the peer is given up.
    pub(super) fn leave(&mut self) {
        let queues = self.channels.drain(..).flat_map(|channel| channel.queues);
        self.unsent += queues.map(WireQueue::leave).sum::<u64>();
    }

    /// The names of what the peer wants.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let queues = self.channels.iter().flat_map(|channel| &channel.queues);
        let mut names: Vec<_> = queues.map(|queue| queue.kind().name).collect();
        names.sort_unstable();
        names
    }

    /// Gives the link what it takes. Whether there is more to do at once.
    pub(super) fn send(&mut self, link: &mut Link) -> bool {
        let mut left = TURN_MAX;
        for channel in &mut self.channels {
            channel.waits = false;
            while let Some(pick) = pick(&mut channel.queues) {
                if left == 0 {
                    return true;
                }
                let queue = &mut channel.queues[pick.index];
                let credit = usize::try_from(link.credit(queue.kind().type_id)).unwrap_or(usize::MAX);
                let too_long = &mut self.too_long;
                let taken =
                    queue.take_while(pick.below, credit.min(RUN_MAX).min(left), &mut |delivery| match link
                        .send(delivery.header, delivery.bytes)
                    {
                        Ok(_) => true,
                        Err(error @ (SendError::TooLong { .. } | SendError::Encode(_))) => {
                            *too_long += 1;
                            let message = delivery.name();
                            tracing::error!(target: TARGET, message, %error, "a message cannot be sent");
                            true
                        }
                        Err(_) => false,
                    });
                if taken == 0 {
                    channel.waits = true;
                    break;
                }
                left -= taken;
            }
        }
        false
    }

    /// Asks to be rung when there is something to send; whether there is already. After
    /// [`Doorbell::prepare`].
    pub(super) fn arm(&mut self) -> bool {
        let mut any = false;
        for channel in self.channels.iter_mut().filter(|channel| !channel.waits) {
            for queue in &mut channel.queues {
                any |= queue.arm();
            }
        }
        any
    }

    /// Whether nothing waits in any queue.
    pub(super) fn is_empty(&mut self) -> bool {
        self.channels.iter_mut().all(|channel| pick(&mut channel.queues).is_none())
    }

    /// How many messages wait in queues.
    pub(super) fn waiting(&self) -> u64 {
        self.channels.iter().flat_map(|channel| &channel.queues).map(|queue| queue.unread()).sum()
    }
}
