//! The counters of a bus.

mod links;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::links::{LinkDisabled, LinkLoss, LinkState, LinkStats};

use crate::{DeadLetters, Identity, Timestamp};

/// A live bus at one moment: see [`MessageBus::stats`](crate::MessageBus::stats).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusStats {
    /// When, on the bus's clock.
    pub at: Timestamp,
    /// Members that have not ended: those with a path or a registered name one by one, the others counted
    /// by their type.
    pub alive: Vec<Alive>,
    /// How often supervisors have started a child anew: of any kind, the siblings of a group among them. For
    /// a supervisor that is started anew it counts that one, not what is below.
    pub restarts: u64,
    /// The children of trees that wait for their restart, by path; of each supervisor
    /// [`PENDING_RESTARTS_MAX`] at most.
    pub pending_restarts: Vec<PendingRestart>,
    /// The [pools](crate::pool::Pool) for which somebody works, by path.
    pub pools: Vec<PoolStats>,
    /// The counters of every topic that was ever used, by message name.
    pub topics: Vec<TopicStats>,
    /// Every queue of the bus, the one nearest to its bound first.
    pub queues: Vec<QueueStats>,
    /// The links to other buses, by the names of these.
    pub links: Vec<LinkStats>,
    /// The messages that reached an actor and were never handled.
    pub dead_letters: DeadLetters,
}

/// A child of a tree that has failed and waits for its restart: see
/// [`Child::backoff`](crate::tree::Child::backoff).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PendingRestart {
    /// Its path.
    pub path: Arc<str>,
    /// How long it still waits.
    pub remaining: Duration,
}

/// How many children of one supervisor that wait for their restarts are shown: those that come first
/// (entries).
pub const PENDING_RESTARTS_MAX: usize = 64;

/// A pool of a tree. Its workers and its feed are among [`BusStats::alive`], and their queues among
/// [`BusStats::queues`], each with its path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// The path of its supervisor.
    pub path: Arc<str>,
    /// How many workers get messages.
    pub workers: usize,
    /// How many of these have not ended. One that waits for its restart has not.
    pub alive: usize,
    /// Messages and queries that wait in the inboxes of these, as far as they told. Messages that its
    /// feed has not handed out yet wait in the feed's queues.
    pub waiting: u64,
}

/// An actor or service that has not ended, or how many of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alive {
    /// Its [`Actor::name`](crate::Actor::name) or [`Service::name`](crate::Service::name).
    pub name: &'static str,
    /// Its path in a tree, or the name under which it was registered; `None` for those that have neither.
    pub path: Option<Arc<str>>,
    /// Whether they are services; futures and processes of supervision trees are services too.
    pub service: bool,
    /// How many.
    pub count: usize,
}

/// One queue of a bus: what waits for one receiver, on one topic or directly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Whose queue it is; `None` for a subscriber of code that is neither an actor nor a service, and for a
    /// receiver that ends at this moment.
    pub receiver: Option<Identity>,
    /// The name of the messages; `None` for an actor's inbox, which takes what is told and asked.
    pub message: Option<&'static str>,
    /// The policy that holds when it is full.
    pub policy: &'static str,
    /// Messages that wait, as far as the receiver told: it tells after each batch and before it sleeps.
    pub waiting: u64,
    /// Its bound, in messages.
    pub capacity: u64,
}

/// How many actors and services with a path or name the text of a [`BusStats`] shows (entries).
const ALIVE_SHOWN_MAX: usize = 64;

/// How many queues the text of a [`BusStats`] shows, the fullest (entries).
const QUEUES_SHOWN_MAX: usize = 32;

impl BusStats {
    /// How many actors have not ended.
    #[must_use]
    pub fn actors(&self) -> usize {
        self.count(false)
    }

    /// How many services have not ended.
    #[must_use]
    pub fn services(&self) -> usize {
        self.count(true)
    }

    fn count(&self, service: bool) -> usize {
        self.alive.iter().filter(|alive| alive.service == service).map(|alive| alive.count).sum()
    }
}

impl QueueStats {
    /// The share of the capacity that is taken: 1 is full.
    #[must_use]
    pub fn fill(&self) -> f64 {
        self.waiting as f64 / self.capacity.max(1) as f64
    }
}

/// A line on the whole, one for each pool, topic and link, and one for each queue in which something waits,
/// the fullest first.
impl fmt::Display for BusStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, restarts, dead_letters: DeadLetters { in_hand, waiting, .. }, .. } = self;
        let (actors, services) = (self.actors(), self.services());
        write!(f, "{at}: {actors} actors, {services} services, {restarts} restarts, ")?;
        write!(f, "{} dead letters ({in_hand} in hand, {waiting} waiting)", in_hand + waiting)?;
        let (mut named, mut more) = (0, 0);
        for Alive { name, path, service, count } in &self.alive {
            let kind = if *service { "service" } else { "actor" };
            match path {
                None => write!(f, "\n  {kind} {name}: {count}")?,
                Some(_) if named == ALIVE_SHOWN_MAX => more += 1,
                Some(path) => {
                    named += 1;
                    write!(f, "\n  {kind} {path} ({name})")?;
                }
            }
        }
        if more > 0 {
            write!(f, "\n  and {more} more actors and services with a path or name")?;
        }
        self.pending_restarts.iter().try_for_each(|pending| write!(f, "\n  {pending}"))?;
        self.pools.iter().try_for_each(|pool| write!(f, "\n  pool {pool}"))?;
        self.topics.iter().try_for_each(|topic| write!(f, "\n  topic {topic}"))?;
        self.links.iter().try_for_each(|link| write!(f, "\n  link {link}"))?;
        let mut queues = self.queues.iter().filter(|queue| queue.waiting > 0);
        queues.by_ref().take(QUEUES_SHOWN_MAX).try_for_each(|queue| write!(f, "\n  queue {queue}"))?;
        match queues.count() {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more queues in which something waits"),
        }
    }
}

impl fmt::Display for PendingRestart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} restarts in {:?}", self.path, self.remaining)
    }
}

impl fmt::Display for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, workers, alive, waiting } = self;
        write!(f, "{path}: {alive} of {workers} workers, {waiting} waiting")
    }
}

impl fmt::Display for TopicStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, published, delivered, .. } = self;
        write!(f, "{message}: {published} published, {delivered} delivered")?;
        let causes = [
            (self.unheard, "unheard"),
            (self.dropped_oldest, "dropped as the oldest"),
            (self.dropped_newest, "dropped as the newest"),
            (self.conflated, "conflated"),
            (self.dropped_unsubscribed, "left behind"),
            (self.dead_letters, "dead letters"),
            (self.waiting, "waiting"),
            (self.retained, "retained"),
            (self.retained_evicted, "retained and evicted"),
        ];
        causes
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, cause)| write!(f, ", {count} {cause}"))
    }
}

impl fmt::Display for QueueStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, waiting, capacity, .. } = self;
        match &self.receiver {
            Some(receiver) => receiver.fmt(f)?,
            None => f.write_str("subscriber")?,
        }
        let message = self.message.unwrap_or("inbox");
        write!(f, " {message}: {waiting} of {capacity} waiting ({policy})")
    }
}

/// The counters of one topic.
///
/// Live, they add up at rest (an isolate shows what waits as delivered): each message that was published is,
/// for each subscriber that was there and did not publish it itself, among the delivered, the waiting, the
/// dropped (by a policy or unsubscribed) or the dead letters, and among one of them only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// The message's name.
    pub message: &'static str,
    /// The topic's name.
    pub topic: &'static str,
    /// Messages that at least one subscriber was there for.
    pub published: u64,
    /// Messages that were published while nobody was subscribed; live. An isolate counts those of all topics
    /// together: [`IsolateStats::unheard`](crate::IsolateStats::unheard).
    pub unheard: u64,
    /// Messages handled by an actor, or read from a subscriber's queue, summed over subscribers.
    pub delivered: u64,
    /// Messages that wait in a subscriber's queue, the one whose handler waits among them, summed over
    /// subscribers.
    pub waiting: u64,
    /// Dropped by `DropOldest`, or by `Conflate` when more keys waited than its capacity.
    pub dropped_oldest: u64,
    /// Dropped by `DropNewest`.
    pub dropped_newest: u64,
    /// Replaced by a later message with the same key.
    pub conflated: u64,
    /// Waited for a subscriber that unsubscribed or ended.
    pub dropped_unsubscribed: u64,
    /// Was in the hand of an actor that failed or was killed, and is not tried again.
    pub dead_letters: u64,
    /// Messages that the topic [retains](crate::Retention) now.
    pub retained: u64,
    /// Retained messages that subscribers were given when they came, summed over subscribers. These were
    /// published before: they are among the delivered, the unsubscribed and the dead letters besides.
    pub retained_given: u64,
    /// Keys whose retained message was forgotten because there were more keys than the topic retains.
    pub retained_evicted: u64,
}
