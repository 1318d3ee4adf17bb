//! The way of a published message into the queue of its topic.

use mycelium_mailbox::Held;

use super::{Event, IsolateCore};
use crate::isolate::lane::Lane;
use crate::isolate::{OUTSIDE, let_go};
use crate::wire::Kind;
use crate::{Message, SpawnError};

/// Why a message was not queued.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The isolate's queue or a `Block` subscriber is full, who sits there: the publisher may wait.
    Full(Option<u32>),
    /// The `Fail` subscriber who sits there, or is outside, is full: the publish fails.
    Fail(Option<u32>),
    /// The run is over: it may go on in the next one.
    Over,
    /// The publisher's own subscription is the full one: it would wait for itself.
    OwnFull,
    /// Another message type has this `TYPE_ID`.
    Duplicate,
    /// The isolate has been dropped.
    Closed,
    /// The caller is on another thread than the isolate.
    WrongThread,
}

impl IsolateCore {
    /// Queues the message for the subscribers of its topic; it stays in `message` if it is refused.
    #[inline(always)]
    pub(crate) fn publish<M: Message>(
        &self,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        match self.topics.at_home::<Lane<M>>(M::TYPE_ID) {
            Some((topic, lane)) => self.publish_to(topic, lane, sender, message),
            None => self.publish_abroad(const { &Kind::of::<M>() }, sender, message),
        }
    }

    /// The same for the topic of this message, wherever it lies. It is made with its first message, as live.
    #[inline(never)]
    pub(crate) fn publish_abroad<M: 'static>(
        &self,
        kind: &Kind,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        let Some(topic) = self.topics.find(kind.type_id) else {
            return match self.topic_of::<M>(*kind) {
                Ok(topic) => self.publish_to(&topic, topic.index(), sender, message),
                Err(SpawnError::Untyped { .. }) => Err(Refusal::Duplicate),
                Err(_) => self.nobody_listens(sender, message),
            };
        };
        let Some(topic) = topic.get::<Lane<M>>() else { return Err(Refusal::Duplicate) };
        self.publish_to(topic, topic.index(), sender, message)
    }

    /// Queues the message for the subscribers of `topic`, the lane `index`; see [`IsolateCore::publish`].
    #[inline(always)]
    fn publish_to<M: 'static>(
        &self,
        topic: &Lane<M>,
        index: u32,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        if !topic.is_open() {
            return self.publish_refused(topic, sender, message);
        }
        if let Some(message) = message.present() {
            if !self.order.try_push(Event { lane: index, of: sender }) {
                return Err(Refusal::Full(None));
            }
            topic.write_from(message);
        }
        Ok(())
    }

    #[cold]
    pub(in crate::isolate) fn nobody_listens<M>(
        &self,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        if self.closed.get() {
            return Err(Refusal::Closed);
        }
        // Nothing else would bound a loop that does only this.
        if sender != OUTSIDE && !self.takes_step() {
            return Err(Refusal::Over);
        }
        self.unheard.set(self.unheard.get() + 1);
        let_go(message.take());
        Ok(())
    }
}
