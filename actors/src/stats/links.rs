//! What the links of a bus count.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A link to another bus: see [`MessageBus::connect`](crate::MessageBus::connect). Counts are of all its
/// connections, since this bus has known the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// What the other bus is called.
    pub peer: Arc<str>,
    /// Whether there is a connection.
    pub state: LinkState,
    /// Why the last connection ended, if one has.
    pub fault: Option<Arc<str>>,
    /// The names of the messages that somebody there wants.
    pub wants: Vec<&'static str>,
    /// Messages that both know and that mean two things: they are not exchanged.
    pub disabled: Vec<LinkDisabled>,
    /// Messages given to the link to send.
    pub sent: u64,
    /// Of these, how many the peer's process has acknowledged.
    pub acknowledged: u64,
    /// Of these, how many a process of the peer had not acknowledged when another one took its place. The
    /// dead one may have received some of them.
    pub lost: u64,
    /// Messages that wait for their acknowledgement: `sent - acknowledged - lost`.
    pub waiting: u64,
    /// Messages written again after a connection was cut.
    pub resent: u64,
    /// Messages received, each counted once.
    pub received: u64,
    /// Messages that came a second time after a connection was cut, and were left out.
    pub duplicates: u64,
    /// Messages received that wait for room in a queue of a subscriber here.
    pub held: u64,
    /// Messages received that this bus did not take: their values break a rule of the contract, a subscriber
    /// under `Fail` was full, or foreign code panicked.
    pub refused: u64,
    /// Messages received for subscribers who had all left meanwhile, whether or not others have come: they
    /// are published nowhere.
    pub outdated: u64,
    /// Messages that are longer than the peer reads, and were not sent.
    pub too_long: u64,
    /// Messages that waited in queues for a peer that was given up. They are among the
    /// [`dropped_unsubscribed`](crate::TopicStats::dropped_unsubscribed) of their topics.
    pub unsent: u64,
    /// How many connections the link has had.
    pub connections: u64,
    /// How often the peer turned out to be another process than before.
    pub peer_restarts: u64,
}

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// It has a connection.
    Linked,
    /// It has none, and what the peer wants waits for it.
    Broken {
        /// For how long.
        since: Duration,
    },
    /// It has none, and nothing waits for the peer any more but what it may have received: it has said that
    /// it ends, or was away for too long
    /// ([`LinkOptions::hold`](crate::LinkOptions::hold)).
    Gone,
}

/// A message that two buses do not exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkDisabled {
    /// The message here.
    pub message: &'static str,
    /// What the two contradict each other about, and what to do.
    pub cause: Arc<str>,
}

/// What a link has left behind at the end of its bus.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkLoss {
    /// What the other bus is called.
    pub peer: Arc<str>,
    /// Messages that the other bus has not acknowledged. It may have received some of them.
    pub unacknowledged: u64,
    /// Messages from the other bus that it knows to be here, and that no queue had room for.
    pub unpublished: u64,
    /// Messages from the other bus that were on their way when this one asked for no more, as a drain does
    /// ([`MessageBus::pause_ingress`](crate::MessageBus::pause_ingress)). They alone are no error.
    pub late: u64,
}

impl LinkStats {
    pub(crate) fn new(peer: Arc<str>) -> Self {
        Self {
            peer,
            state: LinkState::Gone,
            fault: None,
            wants: Vec::new(),
            disabled: Vec::new(),
            sent: 0,
            acknowledged: 0,
            lost: 0,
            waiting: 0,
            resent: 0,
            received: 0,
            duplicates: 0,
            held: 0,
            refused: 0,
            outdated: 0,
            too_long: 0,
            unsent: 0,
            connections: 0,
            peer_restarts: 0,
        }
    }
}

impl fmt::Display for LinkStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, state, sent, acknowledged, received, .. } = self;
        write!(f, "{peer} ({state}): {sent} sent, {acknowledged} acknowledged, {received} received")?;
        let counts = [
            (self.waiting, "waiting"),
            (self.held, "held"),
            (self.lost, "lost"),
            (self.unsent, "unsent"),
            (self.refused, "refused"),
            (self.outdated, "outdated"),
            (self.too_long, "too long"),
            (self.resent, "resent"),
        ];
        counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, what)| write!(f, ", {count} {what}"))?;
        self.disabled.iter().try_for_each(|of| write!(f, ", {} disabled: {}", of.message, of.cause))
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linked => f.write_str("linked"),
            Self::Broken { since } => write!(f, "broken for {since:.1?}"),
            Self::Gone => f.write_str("gone"),
        }
    }
}

impl fmt::Display for LinkLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, unacknowledged, unpublished, late } = self;
        write!(f, "link {peer}: {unacknowledged} messages were not acknowledged")?;
        let from_there =
            [(unpublished, "had no room here"), (late, "came when this bus had asked for no more")];
        let some = from_there.iter().filter(|(count, _)| **count > 0);
        some.into_iter().try_for_each(|(count, why)| write!(f, ", {count} from there {why}"))
    }
}
