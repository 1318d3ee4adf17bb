//! The topics of a bus.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::{
    AsOf, Badge, Blocker, Changed, Doorbell, INLINE_BYTES_MAX, Origin, Overflow, Publishing,
    QUEUE_CAPACITY_MAX, Retain, Stamps, SubscribeError, SubscribeOptions, SubscriberInfo,
    Subscription as Queue, Topic, TryPublishError,
};
use mycelium_remote::frame::Run;

use super::current::{self, address_of};
use super::lookout::Wait;
use super::wire::{ByteDoor, Tap, published_before};
use crate::clock::LiveClock;
use crate::subscription::Keep;
use crate::sync::{AtomicBool, AtomicU64, Map, Ordering};
use crate::wire::{Kind, Table, Visitor, Wire};
use crate::{
    ActorId, Identity, Message, Policy, PublishError, Retention, SpawnError, Subscription, TopicStats,
};

/// Whose a queue is.
#[derive(Clone)]
pub(crate) struct QueueOwner {
    /// What publishers are told of it; `None`: it is neither an actor nor a service nor a link.
    pub(super) who: Option<Arc<Identity>>,
    /// What it sleeps on.
    pub(crate) bell: Arc<Doorbell>,
}

impl QueueOwner {
    pub(crate) fn new(who: Arc<Identity>, bell: Arc<Doorbell>) -> Self {
        Self { who: Some(who), bell }
    }

    /// A link to this peer. All links of a bus have one id.
    pub(crate) fn link(id: ActorId, peer: &str, bell: Arc<Doorbell>) -> Self {
        let path = Some(format!("link to {peer}").into());
        Self::new(Arc::new(Identity { id, name: "link", path }), bell)
    }

    /// The receiver that must not hear itself; 0 if there is none.
    fn id(&self) -> u64 {
        self.who.as_ref().map_or(0, |who| who.id.get())
    }
}

/// One topic, with what the bus counts beside the queue's own counters.
pub(crate) struct TopicEntry<M: Clone + Send + Sync + 'static> {
    topic: Topic<M>,
    /// The mark of its bus: see [`Topics::mark`].
    bus: usize,
    delivered: AtomicU64,
    dead_letters: AtomicU64,
    kind: Kind,
    clock: LiveClock,
    /// Those who listen in bytes.
    pub(super) tap: Tap,
    /// For bytes that come in.
    pub(super) door: ByteDoor,
}

impl<M: Clone + Send + Sync + 'static> TopicEntry<M> {
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn clock(&self) -> LiveClock {
        self.clock
    }

    /// How many messages wait at most for a subscriber that does not say it.
    pub(super) fn capacity(&self) -> usize {
        usize::try_from(self.topic.capacity()).unwrap_or(usize::MAX)
    }

    /// How many messages the topic's ring holds, if that is the only place where they wait.
    #[inline]
    pub(super) fn ring_alone(&self) -> Option<usize> {
        (!self.topic.has_lanes()).then(|| self.capacity())
    }

    /// Publishes messages from the front of an iterator, under one lock, as far as there is room for them
    /// and nothing more is to be done for each: how many. See [`Topic::try_publish_front`].
    #[inline]
    pub(super) fn try_publish_front(
        &self,
        messages: &mut impl ExactSizeIterator<Item = M>,
        sender: u64,
    ) -> usize {
        self.topic.try_publish_front(messages, sender)
    }

    pub(super) fn topic(&self) -> &Topic<M> {
        &self.topic
    }

    pub(crate) fn count_delivered(&self, messages: u64) {
        self.delivered.fetch_add(messages, Ordering::Relaxed);
    }

    pub(crate) fn count_dead_letter(&self) {
        self.dead_letters.fetch_add(1, Ordering::Relaxed);
    }

    /// Whose code publishes, if that is a member of this bus: else 0.
    #[inline]
    pub(crate) fn sender(&self) -> u64 {
        current::sender_on(self.bus)
    }

    /// Publishes without waiting.
    #[inline(always)]
    pub(crate) fn try_publish(&self, message: M, sender: u64) -> Result<(), PublishError<M>> {
        self.topic.try_publish(message, sender).map_err(|error| self.refused_at_once(error))
    }

    #[inline(always)]
    fn refused_at_once(&self, error: TryPublishError<M>) -> PublishError<M> {
        match error {
            TryPublishError::Full { message, by } => {
                PublishError::Full(message, self.topic.badge_of(by).and_then(who))
            }
            other => PublishError::Closed(other.into_inner()),
        }
    }

    /// The same for those of one round: whether the message is not outdated. See
    /// [`Topic::try_publish_as_of`].
    pub(super) fn try_publish_as_of(&self, message: M, origin: AsOf) -> Result<bool, PublishError<M>> {
        self.topic.try_publish_as_of(message, origin).map_err(|error| self.refused_at_once(error))
    }

    /// Publishes these, which are the first of `run` that says when each took its place elsewhere, without
    /// waiting, up to the first that is not taken, and empties them. Counts in `published` those that were,
    /// also if the code of a subscriber panics. Whether the others are not outdated.
    pub(super) fn try_publish_all(
        &self,
        messages: &mut Vec<M>,
        run: &Run<'_>,
        origin: AsOf,
        published: &mut usize,
    ) -> Result<bool, PublishError<M>> {
        *published = self.topic.try_publish_row_as_of(messages, origin);
        for (message, entry) in messages.drain(..).zip(run.clone().skip(*published)) {
            if !published_before(entry.publish_ns, || self.try_publish_as_of(message, origin))? {
                return Ok(false);
            }
            *published += 1;
        }
        Ok(true)
    }

    /// The same for those of one round, whether or not it has to wait: see [`Topic::publish_as_of`].
    pub(super) fn publish_as_of(&self, message: M, origin: AsOf) -> Publishing<'_, M, AsOf> {
        self.topic.publish_as_of(message, origin)
    }

    /// Publishes, waiting for `Block` subscribers.
    #[inline]
    pub(crate) fn publish(&self, message: M, sender: u64) -> Publishing<'_, M> {
        self.topic.publish(message, sender)
    }

    /// A queue of its own for this receiver.
    pub(crate) fn subscribe(
        &self,
        subscription: Subscription<M>,
        owner: &QueueOwner,
    ) -> Result<Queue<M>, SpawnError> {
        let overflow = match subscription.policy {
            Policy::Block => Overflow::Block,
            Policy::DropOldest => Overflow::DropOldest,
            Policy::DropNewest => Overflow::DropNewest,
            Policy::Fail => Overflow::Fail,
            Policy::Conflate(key) => Overflow::conflate(key),
        };
        let capacity = subscription.capacity.map(capacity_of);
        let options = SubscribeOptions {
            overflow,
            capacity,
            id: owner.id(),
            echo: subscription.echo,
            retained: subscription.retained,
            apart: subscription.apart,
            badge: owner.who.clone().map(|who| who as Badge),
        };
        self.topic.subscribe(Arc::clone(&owner.bell), options).map_err(|error| match error {
            SubscribeError::TooMany => SpawnError::TooManySubscribers { message: self.kind.name },
            SubscribeError::NoMemory => {
                let capacity = ring_room(subscription.capacity, self.topic.capacity());
                SpawnError::CapacityTooLarge { message: self.kind.name, capacity }
            }
            _ => SpawnError::Closed,
        })
    }
}

/// Polls a publish, and has the note of whoever publishes say what it waits for.
#[inline(always)]
pub(crate) fn poll_publishing<M: Message>(
    publishing: &mut Publishing<'_, M>,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<(), PublishError<M>>> {
    poll_publishing_of(publishing, M::TYPE_ID, cx)
}

/// The same for the topic with this `TYPE_ID`.
#[inline(always)]
pub(super) fn poll_publishing_of<M: Clone + Send + Sync + 'static, O: Origin>(
    publishing: &mut Publishing<'_, M, O>,
    type_id: u16,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<O::Published, PublishError<M>>> {
    match Pin::new(&mut *publishing).poll(cx) {
        Poll::Ready(Ok(published)) => Poll::Ready(Ok(published)),
        Poll::Ready(Err(error)) => Poll::Ready(Err(publish_error(publishing, error))),
        Poll::Pending => {
            current::note(Wait::Topic(type_id), publishing.ticket());
            Poll::Pending
        }
    }
}

/// The error of a publish. The outcome of each publish has room for it, with the message. Where it is filled
/// by a call, that room is copied after each publish, also if there is no error; where it is not, and the
/// message is long, all the words of the message are copied one by one.
#[inline(always)]
fn publish_error<M: Clone + Send + Sync + 'static>(
    publishing: &Publishing<'_, M, impl Origin>,
    error: mycelium_mailbox::PublishError<M>,
) -> PublishError<M> {
    if const { size_of::<M>() <= INLINE_BYTES_MAX } {
        into_error(error, |by| who_is_full(publishing, by))
    } else {
        long_error(publishing, error)
    }
}

#[cold]
#[inline(never)]
fn long_error<M: Clone + Send + Sync + 'static>(
    publishing: &Publishing<'_, M, impl Origin>,
    error: mycelium_mailbox::PublishError<M>,
) -> PublishError<M> {
    into_error(error, |by| who_is_full(publishing, by))
}

#[inline(always)]
fn into_error<M>(
    error: mycelium_mailbox::PublishError<M>,
    who: impl FnOnce(Blocker) -> Option<Arc<Identity>>,
) -> PublishError<M> {
    match error {
        mycelium_mailbox::PublishError::WouldDeadlock(message) => PublishError::SelfBlocked(message),
        mycelium_mailbox::PublishError::Full { message, by } => PublishError::Full(message, who(by)),
        other => PublishError::Closed(other.into_inner()),
    }
}

#[cold]
#[inline(never)]
fn who_is_full<M: Clone + Send + Sync + 'static>(
    publishing: &Publishing<'_, M, impl Origin>,
    by: Blocker,
) -> Option<Arc<Identity>> {
    publishing.badge_of(by).and_then(who)
}

/// What publishers are told of the owner of a full queue.
fn who(badge: Badge) -> Option<Arc<Identity>> {
    badge.downcast().ok()
}

fn capacity_of(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(QUEUE_CAPACITY_MAX)
}

/// How many messages a ring is to have room for, in a topic of this capacity: no fewer than that, however
/// little is asked for.
fn ring_room(asked: Option<usize>, topic: u64) -> usize {
    asked.unwrap_or(0).max(usize::try_from(topic).unwrap_or(usize::MAX))
}

/// Of what topics are told of publishers outside: that they refuse them.
const PAUSED: u64 = 1;

/// A topic whose message type is not known here.
trait AnyTopic: Send + Sync {
    fn name(&self) -> &'static str;
    fn topic(&self) -> &'static str;
    fn stats(&self) -> TopicStats;
    fn queues(&self) -> Vec<SubscriberInfo>;
    fn times_emptied(&self) -> u64;
    fn close(&self);
    fn pause_ingress(&self);
    fn resume_ingress(&self);
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<M: Clone + Send + Sync + 'static> AnyTopic for TopicEntry<M> {
    fn name(&self) -> &'static str {
        self.kind.name
    }

    fn topic(&self) -> &'static str {
        self.kind.topic
    }

    fn stats(&self) -> TopicStats {
        let queue = self.topic.stats();
        // Before what was delivered: a message on its way between the two is seen in both rather than in
        // neither.
        let waiting = self.topic.subscribers().iter().map(|subscriber| subscriber.waiting).sum();
        TopicStats {
            message: self.kind.name,
            topic: self.kind.topic,
            published: queue.published,
            unheard: queue.unheard,
            delivered: self.delivered.load(Ordering::Relaxed),
            waiting,
            dropped_oldest: queue.dropped_oldest,
            dropped_newest: queue.dropped_newest,
            conflated: queue.conflated,
            dropped_unsubscribed: queue.unread,
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
            retained: queue.retained,
            retained_given: queue.retained_given,
            retained_evicted: queue.retained_evicted,
        }
    }

    fn queues(&self) -> Vec<SubscriberInfo> {
        self.topic.subscribers()
    }

    fn times_emptied(&self) -> u64 {
        self.topic.times_emptied()
    }

    fn close(&self) {
        self.topic.close();
    }

    fn pause_ingress(&self) {
        self.topic.pause_ingress();
    }

    fn resume_ingress(&self) {
        self.topic.resume_ingress();
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// What topics retain: a [`Retention`] of the message with this `TYPE_ID`.
pub(crate) type Retentions = HashMap<u16, Arc<dyn Any + Send + Sync>>;

/// Adds what a contract says that topics retain, where nothing else was said.
pub(crate) struct Retaining<'a>(pub(crate) &'a mut Retentions);

impl Visitor for Retaining<'_> {
    fn typed<M: Wire>(&mut self) {
        if let Some(retention) = Retention::<M>::declared() {
            self.0.entry(M::TYPE_ID).or_insert_with(|| Arc::new(retention));
        }
    }
}

/// All topics of one bus, by `TYPE_ID`.
pub(crate) struct Topics {
    map: Map<u16, Arc<dyn AnyTopic>>,
    stamps: Arc<Stamps>,
    /// Of each topic's ring, in messages.
    capacity: usize,
    clock: LiveClock,
    /// The messages that go through as bytes alone.
    untyped: HashSet<u16>,
    /// The messages that may go through as bytes.
    carried: HashSet<u16>,
    retentions: Retentions,
    /// Whether topics take messages of actors and services only, in the lowest bit, and how often that was
    /// said.
    ingress: AtomicU64,
    /// No topic takes anything any more, nor does one that is first used from now on.
    closed: AtomicBool,
    /// Called when a subscriber of a message that may go through as bytes has come or left.
    changed: Arc<OnceLock<Changed>>,
}

impl Topics {
    pub(crate) fn new(
        stamps: Arc<Stamps>,
        capacity: usize,
        clock: LiveClock,
        table: &Table,
        retentions: Retentions,
    ) -> Self {
        Self {
            map: Map::new(),
            stamps,
            capacity,
            clock,
            untyped: table.untyped().collect(),
            carried: table.known().iter().map(|known| known.kind.type_id).collect(),
            retentions,
            ingress: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            changed: Arc::default(),
        }
    }

    /// Tells this bus from every other that exists at the same time; never 0.
    pub(crate) fn mark(&self) -> usize {
        address_of(&*self.stamps)
    }

    /// The topic of `M`, made on first use.
    pub(crate) fn entry<M: Message>(&self) -> Result<Arc<TopicEntry<M>>, SpawnError> {
        self.entry_of(Kind::of::<M>())
    }

    /// The topic of this message, in which a `T` lies for each.
    pub(crate) fn entry_of<T: Clone + Send + Sync + 'static>(
        &self,
        kind: Kind,
    ) -> Result<Arc<TopicEntry<T>>, SpawnError> {
        if kind.untyped.is_none() && self.untyped.contains(&kind.type_id) {
            return Err(SpawnError::Untyped { message: kind.name });
        }
        let found = self.map.get_or_insert_with(kind.type_id, || {
            let (topic, retains) = self.make::<T>(kind.type_id);
            // Read under the guard of the map: a change that comes later finds this topic in it.
            if self.is_paused() {
                topic.pause_ingress();
            }
            if self.closed.load(Ordering::SeqCst) {
                topic.close();
            }
            let (delivered, dead_letters) = (AtomicU64::new(0), AtomicU64::new(0));
            let (bus, clock, carried) = (self.mark(), self.clock, self.carried.contains(&kind.type_id));
            // A later subscriber in bytes wants to know when messages that are retained were published.
            let tap = Tap::new(&topic, clock, retains && carried);
            if carried {
                let changed = Arc::clone(&self.changed);
                topic.note_changes(Some(Arc::new(move || changed.get().into_iter().for_each(|tell| tell()))));
            }
            let door = ByteDoor::default();
            Arc::new(TopicEntry::<T> { topic, bus, delivered, dead_letters, kind, clock, tap, door })
        });
        let held_by = found.name();
        found.into_any().downcast().map_err(|_| SpawnError::DuplicateTypeId {
            type_id: kind.type_id,
            held_by,
            refused: kind.name,
        })
    }

    /// A topic for these messages, and whether it retains any.
    fn make<T: Clone + Send + Sync + 'static>(&self, type_id: u16) -> (Topic<T>, bool) {
        let (stamps, capacity) = (Arc::clone(&self.stamps), capacity_of(self.capacity));
        let retention = self.retentions.get(&type_id);
        let Some(retention) = retention.and_then(|retention| retention.downcast_ref::<Retention<T>>()) else {
            return (Topic::new(stamps, capacity), false);
        };
        let retain = match retention.keep {
            Keep::Last(messages) => Retain::Last(messages),
            Keep::LastPerKey(key, keys_max) => Retain::LastPerKey { key: Arc::new(key), keys_max },
        };
        (Topic::retaining(stamps, capacity, retain), true)
    }

    /// Has `changed` called when a subscriber of a message that may go through as bytes has come or left.
    pub(crate) fn note_changes(&self, changed: Changed) {
        let _first = self.changed.set(changed);
    }

    /// Whether this topic retains messages.
    pub(crate) fn retains(&self, type_id: u16) -> bool {
        self.retentions.contains_key(&type_id)
    }

    /// Who receives this topic, but for the receivers with this id: numbers that are the same for one
    /// receiver of many topics.
    pub(crate) fn receivers(&self, type_id: u16, but: u64) -> Vec<usize> {
        let Some(topic) = self.map.get(&type_id) else { return Vec::new() };
        let queues = topic.queues().into_iter();
        queues.filter(|queue| queue.id != but).map(|queue| queue.receiver).collect()
    }

    /// How often all receivers of this topic but links have left it.
    pub(crate) fn times_emptied(&self, type_id: u16) -> u64 {
        self.map.get(&type_id).map_or(0, |topic| topic.times_emptied())
    }

    /// Whether somebody with this id receives this topic.
    pub(crate) fn receives(&self, type_id: u16, id: u64) -> bool {
        let topic = self.map.get(&type_id);
        topic.is_some_and(|topic| topic.queues().iter().any(|queue| queue.id == id))
    }

    /// Whether topics take messages of actors and services only.
    pub(crate) fn is_paused(&self) -> bool {
        self.ingress.load(Ordering::SeqCst) & PAUSED != 0
    }

    /// The name of the topic with this `TYPE_ID`, and whose full queues hold its publishers up.
    pub(crate) fn full(&self, type_id: u16) -> (&'static str, Vec<u64>) {
        let Some(topic) = self.map.get(&type_id) else {
            return ("", Vec::new());
        };
        let queues = topic.queues().into_iter();
        let full = queues
            .filter(|queue| queue.policy == Overflow::<()>::Block.name() && queue.waiting >= queue.capacity);
        (topic.topic(), full.map(|queue| queue.id).collect())
    }

    /// Everybody's queue, with the name of its messages.
    pub(crate) fn queues(&self) -> Vec<(&'static str, SubscriberInfo)> {
        let mut queues = Vec::new();
        for topic in self.all() {
            queues.extend(topic.queues().into_iter().map(|queue| (topic.name(), queue)));
        }
        queues
    }

    pub(crate) fn stats(&self) -> Vec<TopicStats> {
        let mut all: Vec<_> = self.all().iter().map(|topic| topic.stats()).collect();
        all.sort_by_key(|stats| stats.message);
        all
    }

    pub(crate) fn close(&self) {
        // Before they are looked through: one that is made meanwhile is seen here, or sees this.
        self.closed.store(true, Ordering::SeqCst);
        self.all().iter().for_each(|topic| topic.close());
    }

    pub(crate) fn pause_ingress(&self) {
        self.admit_outsiders(false);
    }

    pub(crate) fn resume_ingress(&self) {
        self.admit_outsiders(true);
    }

    fn admit_outsiders(&self, admit: bool) {
        let said = |before: u64| Some((before | PAUSED).wrapping_add(if admit { 1 } else { 2 }));
        let _before = self.ingress.fetch_update(Ordering::SeqCst, Ordering::SeqCst, said);
        // No lock is held: a pause wakes publishers, whose code may come here. A caller that finds that
        // something else was said meanwhile does that too, so all topics end up alike.
        loop {
            let now = self.ingress.load(Ordering::SeqCst);
            for topic in self.all() {
                if now & PAUSED == 0 { topic.resume_ingress() } else { topic.pause_ingress() }
            }
            if self.ingress.load(Ordering::SeqCst) == now {
                return;
            }
        }
    }

    /// A copy: no guard is held while a topic's lock is taken, under which keys are asked for, or publishers
    /// are woken.
    fn all(&self) -> Vec<Arc<dyn AnyTopic>> {
        self.map.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_that_cannot_be_had_is_named_with_the_room_that_it_would_have() {
        assert_eq!([None, Some(5), Some(9)].map(|asked| ring_room(asked, 8)), [8, 8, 9]);
        let error = SpawnError::CapacityTooLarge { message: "Tick", capacity: ring_room(None, 1 << 40) };
        let text = error.to_string();
        assert!(
            text.contains("1099511627776 Tick") && text.contains("`BusBuilder::topic_capacity`"),
            "{text}"
        );
    }
}
