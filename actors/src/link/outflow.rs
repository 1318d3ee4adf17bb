//! Messages of this bus on their way to a peer: a queue in each topic that the peer wants, and one for each
//! actor of it that somebody here writes to.
//!
//! A message is taken from its queue when the link takes it, and not before. So a peer that is slow, or away,
//! fills the queues, which do what their policy says.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mycelium_mailbox::{Groups, Inbox, InboxOptions, Port, Source, caught};
use mycelium_remote::frame::Header;
use mycelium_remote::link::{Link, SendError};

use super::mailbox::{AnswerSender, Letter};
use super::{LinkOptions, TARGET};
use crate::live::{BusCore, QueueOwner, WireQueue};
use crate::rt::Instant;
use crate::{AskError, RemoteError, StopReason};

/// How many of one topic are taken before the others of its channel are looked at.
const RUN_MAX: usize = 256;
/// How many messages begin a frame of several (messages).
const BEGIN_ROW: usize = 2;
/// Channels of actors that receive no topic of this bus begin here: above those of topics.
const OWN_CHANNELS: u32 = 1 << 16;

pub(super) struct Outflow {
    core: Arc<BusCore>,
    /// Whose queues they are.
    owner: QueueOwner,
    options: Arc<LinkOptions>,
    /// In a group for each channel: topics that somebody receives together, and what is told and asked there.
    /// A channel is held while its next message waits for the peer, not the other way round.
    queues: Groups<Outgoing>,
    /// Where those of topics are, by their types.
    topics: BTreeMap<u16, usize>,
    /// Where those of mailboxes are, by the numbers of these, and the ways into them.
    ports: HashMap<u32, (usize, Arc<Port<Letter>>)>,
    /// Those who wait for the answers to their questions, by the numbers of these.
    pub(super) asks: HashMap<u64, AnswerSender>,
    /// Of queues that were left while the peer wanted nothing, or when it was given up: the stamp of the last
    /// message that the link has taken. Its subscribers get what is retained once, also when the link is
    /// back.
    passed: HashMap<u16, u64>,
    pub(super) too_long: u64,
    pub(super) unsent: u64,
    /// Messages for actors that the link did not take: of these, those of a power of two are told, so that no
    /// peer fills the log.
    not_told: u64,
}

/// A queue of messages for the peer.
enum Outgoing {
    Topic(Box<dyn WireQueue>),
    /// For the actor behind this mailbox.
    Letters(u32, Inbox<Letter>),
}

impl Outgoing {
    /// The type of a topic, and the stamp of the last message that the link has taken.
    fn passed(&self) -> Option<(u16, u64)> {
        match self {
            Self::Topic(queue) => queue.passed().map(|stamp| (queue.kind().type_id, stamp)),
            Self::Letters(..) => None,
        }
    }

    /// Nobody gets what waits there: how much that is.
    fn leave(self) -> u64 {
        match self {
            Self::Topic(queue) => queue.leave(),
            Self::Letters(_, inbox) => {
                // First closed: a tell that comes later is refused, and not lost between the two.
                inbox.close();
                inbox.len() as u64
            }
        }
    }

    fn unread(&self) -> u64 {
        match self {
            Self::Topic(queue) => queue.unread(),
            Self::Letters(_, inbox) => inbox.len() as u64,
        }
    }
}

impl Source for Outgoing {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        match self {
            Self::Topic(queue) => queue.head(),
            Self::Letters(_, inbox) => inbox.head(),
        }
    }

    fn commit(&mut self) {
        match self {
            Self::Topic(queue) => queue.commit(),
            Self::Letters(_, inbox) => inbox.commit(),
        }
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        match self {
            Self::Topic(queue) => queue.arm_as(tag),
            Self::Letters(_, inbox) => inbox.arm_as(tag),
        }
    }
}

impl Outflow {
    pub(super) fn new(core: Arc<BusCore>, owner: QueueOwner, options: Arc<LinkOptions>) -> Self {
        let (queues, topics, ports) = (Groups::new(), BTreeMap::new(), HashMap::new());
        let (asks, passed) = (HashMap::new(), HashMap::new());
        let (too_long, unsent, not_told) = (0, 0, 0);
        Self { core, owner, options, queues, topics, ports, asks, passed, too_long, unsent, not_told }
    }

    /// Nobody at the peer has had what was sent of these types: whoever had it has left.
    pub(super) fn begin_anew(&mut self, types: &[u16]) {
        for type_id in types {
            self.passed.remove(type_id);
            self.unsent += self.take_topic(*type_id).map_or(0, Outgoing::leave);
        }
    }

    /// The peer is another process than before.
    pub(super) fn begin_all_anew(&mut self) {
        self.passed.clear();
    }

    /// Has a queue for each type that the peer wants, in the channel in which it wants it.
    pub(super) fn follow(&mut self, interest: &[(u16, u16)]) {
        let wanted = |type_id: &u16| interest.binary_search_by_key(type_id, |(type_id, _)| *type_id).is_ok();
        let left: Vec<u16> = self.topics.keys().copied().filter(|type_id| !wanted(type_id)).collect();
        for queue in left.into_iter().filter_map(|type_id| self.take_topic(type_id)).collect::<Vec<_>>() {
            self.passed.extend(queue.passed());
            self.unsent += queue.leave();
        }
        for &(type_id, channel) in interest {
            let number = u32::from(channel);
            match self.topics.get(&type_id) {
                Some(&at) => self.queues.regroup(at, number),
                None => {
                    if let Some(queue) = self.listen(type_id) {
                        self.topics.insert(type_id, self.queues.push(number, Outgoing::Topic(queue)));
                    }
                }
            }
        }
    }

    fn take_topic(&mut self, type_id: u16) -> Option<Outgoing> {
        self.topics.remove(&type_id).and_then(|at| self.queues.remove(at))
    }

    /// Has a queue for what is written to a mailbox, in this channel of topics or one of its own: the way
    /// into it.
    pub(super) fn open(&mut self, mailbox: u32, channel: Option<u16>) -> Arc<Port<Letter>> {
        let number = channel.map_or(OWN_CHANNELS + mailbox, u32::from);
        if let Some((at, port)) = self.ports.get(&mailbox) {
            self.queues.regroup(*at, number);
            return Arc::clone(port);
        }
        let (stamps, bell) = (Arc::clone(&self.core.stamps), Arc::clone(&self.owner.bell));
        let port = Arc::new(Port::new(stamps, bell, InboxOptions::default()));
        let queue = Outgoing::Letters(mailbox, Inbox::of(Arc::clone(&port)));
        self.ports.insert(mailbox, (self.queues.push(number, queue), Arc::clone(&port)));
        port
    }

    /// Whether something waits in the queue of this mailbox.
    pub(super) fn has_letters(&self, mailbox: u32) -> bool {
        let queue = self.ports.get(&mailbox).and_then(|(at, _)| self.queues.get(*at));
        queue.is_some_and(|queue| queue.unread() > 0)
    }

    /// Nobody is behind this mailbox any more. Questions that wait for it were put to nobody.
    pub(super) fn close(&mut self, mailbox: u32) {
        let Some((at, _)) = self.ports.remove(&mailbox) else { return };
        let Some(Outgoing::Letters(_, mut inbox)) = self.queues.remove(at) else { return };
        // First closed: a tell that comes later is refused, and not lost between the two.
        inbox.close();
        self.unsent += inbox.len() as u64;
        while inbox.head().is_some() {
            if let Some(asking) = inbox.take().and_then(|letter| letter.asks) {
                // An asker that has gone hears nothing.
                _ = asking.reply.give(Err(AskError::remote(None, RemoteError::NoActor)));
            }
        }
    }

    fn listen(&mut self, type_id: u16) -> Option<Box<dyn WireQueue>> {
        let (wire, topics) = (&self.core.wire, &self.core.topics);
        let at = wire.table().find(type_id)?;
        let topic = wire.table().known()[at].kind.topic;
        let how = self.options.queue_of(topic, topics.retains(type_id));
        match wire.listen_at(topics, at, &how, &self.owner) {
            Ok(mut queue) => {
                self.passed.remove(&type_id).into_iter().for_each(|stamp| queue.pass_up_to(stamp));
                Some(queue)
            }
            Err(error) => {
                caught(|| tracing::error!(target: TARGET, type_id, %error, "a topic cannot be sent"));
                None
            }
        }
    }

    /// Leaves all topics and closes all mailboxes: the peer is given up. Nobody waits for its answers any
    /// more.
    pub(super) fn leave(&mut self, link: &mut Link) {
        self.ports.clear();
        self.topics.clear();
        self.passed.extend(self.queues.iter().filter_map(Outgoing::passed));
        let queues = std::mem::take(&mut self.queues).into_sources();
        self.unsent += queues.map(Outgoing::leave).sum::<u64>();
        self.forget(link);
    }

    /// Nobody waits for answers any more.
    pub(super) fn forget(&mut self, link: &mut Link) {
        for (ask, asker) in self.asks.drain() {
            link.forget(ask);
            // Its receiver is told that there will be none.
            drop(asker);
        }
    }

    /// The names of what the peer wants.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let topics = self.queues.iter().filter_map(|queue| match queue {
            Outgoing::Topic(queue) => Some(queue.kind().name),
            Outgoing::Letters(..) => None,
        });
        let mut names: Vec<_> = topics.collect();
        names.sort_unstable();
        names
    }

    /// Whether something here goes on only when the peer has been heard: an answer that somebody waits for,
    /// an acknowledgement or credit.
    pub(super) fn needs_peer(&self) -> bool {
        self.is_held() || self.asks.values().any(|asker| !asker.is_in_vain())
    }

    /// Whether some message waits for an acknowledgement or credit.
    pub(super) fn is_held(&self) -> bool {
        self.queues.holds_any()
    }

    /// Gives the link what it takes, at most so many messages. Whether anything was taken, and whether there
    /// is more to do at once.
    pub(super) fn send(&mut self, link: &mut Link, at_most: usize) -> (bool, bool) {
        let (mut left, mut at, mut more) = (at_most, 0, false);
        while !more && let Some(channel) = self.queues.turn(at, &self.owner.bell) {
            more = self.send_channel(channel, link, &mut left);
            at += 1;
        }
        // Another one is first in each turn: the first may take all the room that there is in the window.
        self.queues.end_turn(&self.owner.bell);
        (left < at_most, more)
    }

    /// The same for one channel, of which `left` messages may be taken. Whether there are more.
    #[inline]
    fn send_channel(&mut self, channel: usize, link: &mut Link, left: &mut usize) -> bool {
        self.queues.hold(channel, false);
        while let Some(pick) = self.queues.pick(channel, &self.owner.bell)
            && let Some(queue) = self.queues.get_mut(pick.index)
        {
            if *left == 0 {
                return true;
            }
            let most = (*left).min(RUN_MAX);
            let (taken, waits) = match queue {
                Outgoing::Topic(queue) => {
                    send_messages(&mut **queue, pick.below, most, link, &mut self.too_long)
                }
                Outgoing::Letters(mailbox, inbox) => {
                    let told = (&mut self.asks, &mut self.unsent, &mut self.not_told);
                    let taken = send_letters(*mailbox, inbox, pick.below, most, link, told);
                    (taken, taken == 0)
                }
            };
            if waits {
                self.queues.hold(channel, true);
                break;
            }
            // None, where nothing was there but what cannot be encoded, and is gone.
            *left -= taken.max(1);
        }
        false
    }

    /// Asks to be rung when there is something to send; whether there is already. After
    /// [`Doorbell::prepare`].
    pub(super) fn arm(&mut self) -> bool {
        self.queues.arm(&self.owner.bell)
    }

    /// Whether nothing waits in any queue.
    pub(super) fn is_empty(&mut self) -> bool {
        self.queues.are_empty(&self.owner.bell)
    }

    /// How many messages wait in queues.
    pub(super) fn waiting(&self) -> u64 {
        self.queues.iter().map(Outgoing::unread).sum()
    }
}

/// Gives the link messages of a topic whose stamps are below `below`, at most `most`: how many, and whether
/// the next one waits for the peer.
fn send_messages(
    queue: &mut dyn WireQueue,
    below: u64,
    most: usize,
    link: &mut Link,
    too_long: &mut u64,
) -> (usize, bool) {
    let mut row = link.row(queue.kind().type_id);
    let credit = usize::try_from(row.credit()).unwrap_or(usize::MAX);
    let (message, mut waits) = (queue.kind().name, credit == 0);
    let (most, mut taken) = (credit.min(most), 0);
    let mut send_all = || {
        while taken < most {
            let in_row = queue.send_row(below, most - taken, &mut row);
            taken += in_row.unwrap_or(0);
            let mut send = |header: &Header, bytes: &[u8]| match row.send(header, bytes) {
                Ok(_) => true,
                Err(error @ (SendError::TooLong { .. } | SendError::Encode(_))) => {
                    *too_long += 1;
                    if too_long.is_power_of_two() {
                        caught(
                            || tracing::error!(target: TARGET, message, %error, so_far = *too_long, "a message cannot be sent"),
                        );
                    }
                    true
                }
                Err(_) => {
                    waits = true;
                    false
                }
            };
            // The next ones begin the next frame of a row.
            let apart = in_row.map_or(usize::MAX, |_| BEGIN_ROW).min(most - taken);
            let sent = queue.take_while(below, apart, &mut send);
            taken += sent;
            if sent < apart {
                break;
            }
        }
    };
    // Foreign code: the message is encoded.
    if let Err(panicked) = StopReason::catch(&mut send_all) {
        *too_long += 1;
        if too_long.is_power_of_two() {
            caught(
                || tracing::error!(target: TARGET, message, %panicked, "a message cannot be written as bytes"),
            );
        }
        queue.discard();
        return (1, waits);
    }
    (taken, waits)
}

/// The same for what is written to an actor.
fn send_letters(
    mailbox: u32,
    inbox: &mut Inbox<Letter>,
    below: u64,
    most: usize,
    link: &mut Link,
    (asks, unsent, not_told): (&mut HashMap<u64, AnswerSender>, &mut u64, &mut u64),
) -> usize {
    let mut taken = 0;
    while taken < most {
        let Some((Letter { value, asks: asking }, stamp)) = inbox.peek() else { break };
        if stamp >= below {
            break;
        }
        let sent = match asking {
            None => link.tell(mailbox, value.header(), value.bytes()).map(|()| None),
            // Nobody would hear the answer.
            Some(asking) if asking.reply.is_in_vain() => Ok(None),
            Some(asking) => {
                let left = asking.until.map(|until| until.saturating_duration_since(Instant::now()));
                let limit = left.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX - 1));
                link.ask(mailbox, limit, value.header(), value.bytes()).map(Some)
            }
        };
        if let Err(SendError::Full { .. } | SendError::NoCredit { .. }) = &sent {
            break;
        }
        taken += 1;
        let asker = inbox.take().and_then(|letter| letter.asks);
        match (sent, asker) {
            (Ok(Some(ask)), Some(asker)) => _ = asks.insert(ask, asker.reply),
            (Ok(_), _) => {}
            (Err(error), asker) => {
                *not_told += 1;
                if not_told.is_power_of_two() {
                    caught(
                        || tracing::error!(target: TARGET, %error, so_far = *not_told, "a message for an actor cannot be sent"),
                    );
                }
                match asker {
                    // An asker that has gone hears nothing.
                    Some(asker) => _ = asker.reply.give(Err(AskError::remote(None, RemoteError::NotTaken))),
                    None => *unsent += 1,
                }
            }
        }
    }
    inbox.commit();
    taken
}
