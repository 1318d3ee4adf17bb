//! Where the messages of one actor or service leave it, with the cache that keeps look-ups off the publish
//! path.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use mycelium_mailbox::Publishing;
use mycelium_remote::frame::Header;

use super::bus::BusCore;
use super::index::Index;
use super::topics::TopicEntry;
use crate::{ActorId, Message, PublishError, SpawnError, WirePublishError};

/// What one actor or service publishes through.
///
/// It knows the topics used so far: after the first use of a type, a publish finds its topic without a lock
/// and without the bus's map. Its list only grows, by one entry per message type: the first few in a list,
/// the others in an index.
pub(crate) struct Outlet {
    core: Arc<BusCore>,
    sender: ActorId,
    first: Link,
    others: OnceLock<Box<Index<AnyEntry>>>,
}

/// How many topics are in the list, which is looked through for each publish (topics).
const LISTED: usize = 4;

/// An `Arc` of the entry of a topic.
type AnyEntry = Box<dyn Any + Send + Sync>;

type Link = OnceLock<Box<Node>>;

struct Node {
    type_id: u16,
    topic: AnyEntry,
    next: Link,
}

impl Outlet {
    pub(crate) fn new(core: Arc<BusCore>, sender: ActorId) -> Self {
        Self { core, sender, first: Link::new(), others: OnceLock::new() }
    }

    pub(crate) fn core(&self) -> &Arc<BusCore> {
        &self.core
    }

    /// Publishes without waiting.
    #[inline]
    pub(crate) fn try_publish<M: Message>(&self, message: M) -> Result<(), PublishError<M>> {
        match self.topic::<M>() {
            Ok(topic) => topic.try_publish(message, self.sender.get()),
            Err(_) => Err(PublishError::DuplicateTypeId(message)),
        }
    }

    /// Begins a publish, which may wait.
    #[inline(always)]
    pub(crate) fn publish<M: Message>(&self, message: M) -> Result<Publishing<'_, M>, PublishError<M>> {
        match self.topic::<M>() {
            Ok(topic) => Ok(topic.publish(message, self.sender.get())),
            Err(_) => Err(PublishError::DuplicateTypeId(message)),
        }
    }

    /// Publishes bytes, and waits for room.
    pub(crate) async fn publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        self.core.publish_wire(header, bytes, Some(self.sender.get().into())).await.map(|_| ())
    }

    /// Publishes bytes without waiting.
    pub(crate) fn try_publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        self.core.try_publish_wire_as_of(header, bytes, self.sender.get().into()).map(|_| ())
    }

    /// The topic of `M`.
    #[inline]
    fn topic<M: Message>(&self) -> Result<&TopicEntry<M>, SpawnError> {
        let mut link = &self.first;
        for _ in 0..LISTED {
            let Some(node) = link.get() else { return self.insert() };
            if node.type_id == M::TYPE_ID
                && let Some(topic) = node.topic.downcast_ref::<Arc<TopicEntry<M>>>()
            {
                return Ok(topic);
            }
            link = &node.next;
        }
        self.other_topic()
    }

    /// The topic of `M`, which is not in the list.
    #[inline(never)]
    fn other_topic<M: Message>(&self) -> Result<&TopicEntry<M>, SpawnError> {
        let known = self.others.get().and_then(|others| others.get(M::TYPE_ID));
        match known.and_then(|topic| topic.downcast_ref::<Arc<TopicEntry<M>>>()) {
            Some(topic) => Ok(topic),
            None => self.insert(),
        }
    }

    #[cold]
    fn insert<M: Message>(&self) -> Result<&TopicEntry<M>, SpawnError> {
        let topic = self.core.topics.entry::<M>()?;
        let mut end = &self.first;
        for _ in 0..LISTED {
            let node = end.get_or_init(|| {
                Box::new(Node { type_id: M::TYPE_ID, topic: Box::new(Arc::clone(&topic)), next: Link::new() })
            });
            // Others are there before it, and another task may have used this end of the list first.
            if let Some(topic) = node.topic.downcast_ref::<Arc<TopicEntry<M>>>() {
                return Ok(topic);
            }
            end = &node.next;
        }
        let others = self.others.get_or_init(|| Box::new(Index::new()));
        let other = others.get_or_init(M::TYPE_ID, || Box::new(Arc::clone(&topic)));
        match other.downcast_ref::<Arc<TopicEntry<M>>>() {
            Some(topic) => Ok(topic),
            None => unreachable!("a bus has one type for each id, and it has this one"),
        }
    }
}
