//! Where the messages of one actor or service leave it, with the cache that keeps look-ups off the publish path.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use mycelium_mailbox::Publishing;
use mycelium_remote::frame::Header;

use super::bus::Core;
use super::current::is_hushed;
use super::topics::TopicEntry;
use crate::{ActorId, Message, PublishError, SpawnError, WirePublishError};

/// What one actor or service publishes through.
///
/// It knows the topics used so far: after the first use of a type, a publish finds its topic without a lock and without the
/// bus's map. The list only grows, by at most one node per message type.
pub(crate) struct Outlet {
    core: Arc<Core>,
    sender: ActorId,
    first: Link,
}

type Link = OnceLock<Box<Node>>;

struct Node {
    type_id: u16,
    topic: Box<dyn Any + Send + Sync>,
    next: Link,
}

impl Outlet {
    pub(crate) fn new(core: Arc<Core>, sender: ActorId) -> Self {
        Self { core, sender, first: Link::new() }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Whose messages these are: nobody's of the bus, once its shutdown has waited long enough for a service to end.
    #[inline]
    fn sender(&self) -> u64 {
        if is_hushed() { 0 } else { self.sender.get() }
    }

    /// Publishes without waiting.
    #[inline]
    pub(crate) fn try_publish<M: Message>(&self, message: M) -> Result<(), PublishError<M>> {
        match self.topic::<M>() {
            Ok(topic) => topic.try_publish(message, self.sender()),
            Err(_) => Err(PublishError::DuplicateTypeId(message)),
        }
    }

    /// Begins a publish, which may wait.
    #[inline(always)]
    pub(crate) fn publish<M: Message>(&self, message: M) -> Result<Publishing<'_, M>, PublishError<M>> {
        match self.topic::<M>() {
            Ok(topic) => Ok(topic.publish(message, self.sender())),
            Err(_) => Err(PublishError::DuplicateTypeId(message)),
        }
    }

    /// Publishes bytes, and waits for room.
    pub(crate) fn publish_wire<'a>(
        &'a self,
        header: &'a Header,
        bytes: &'a [u8],
    ) -> impl Future<Output = Result<(), WirePublishError>> + Send + 'a {
        self.core.publish_wire(header, bytes, Some(self.sender()))
    }

    /// Publishes bytes without waiting.
    pub(crate) fn try_publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        self.core.try_publish_wire(header, bytes, Some(self.sender()))
    }

    /// The topic of `M`.
    #[inline]
    fn topic<M: Message>(&self) -> Result<&TopicEntry<M>, SpawnError> {
        let mut link = &self.first;
        while let Some(node) = link.get() {
            if node.type_id == M::TYPE_ID
                && let Some(topic) = node.topic.downcast_ref::<Arc<TopicEntry<M>>>()
            {
                return Ok(topic);
            }
            link = &node.next;
        }
        self.insert(link)
    }

    #[cold]
    fn insert<'a, M: Message>(&'a self, mut end: &'a Link) -> Result<&'a TopicEntry<M>, SpawnError> {
        let topic = self.core.topics.entry::<M>()?;
        loop {
            let node = end.get_or_init(|| {
                Box::new(Node { type_id: M::TYPE_ID, topic: Box::new(Arc::clone(&topic)), next: Link::new() })
            });
            // Another task may have used this end of the list first.
            if let Some(topic) = node.topic.downcast_ref::<Arc<TopicEntry<M>>>() {
                return Ok(topic);
            }
            end = &node.next;
        }
    }
}
