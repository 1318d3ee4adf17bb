//! One topic: a ring that is written once per message for all subscribers that lose nothing, and private
//! lanes for those with another policy.
//!
//! `Block` subscribers read from the ring in place, each with a cursor; a slot is overwritten only when all
//! cursors are past it. A subscriber with another policy has a lane of its own, into which each publish
//! clones the message. Messages up to 64 bytes lie in the slots themselves, larger ones in one
//! allocation that ring and lanes share.
//!
//! A message with a destructor is dropped by the last `Block` subscriber that is done with it, as soon as it
//! is. The protocol between producers and subscribers is described in `core.rs`, that of the slots in
//! `ring.rs`, that of lanes in `lane.rs`, coming and leaving in `membership.rs`.

mod core;
mod counters;
mod cursor;
mod drain;
mod error;
mod few;
mod front;
mod lane;
mod lean_arc;
mod membership;
mod origin;
mod payload;
mod post;
mod provision;
mod publish;
mod retain;
mod ring;
mod seat;
mod sleepers;
mod sole;
mod subscription;
#[cfg(test)]
mod tests;
mod times;
mod visible;

use std::any::Any;
use std::fmt;
use std::mem::ManuallyDrop;

pub use counters::TopicStats;
pub use drain::{Consume, Drained, Span};
pub use error::{Blocker, Obstacle, PublishError, SubscribeError, TryPublishError};
pub use front::Front;
pub use origin::{AsOf, Origin};
pub use payload::INLINE_BYTES_MAX;
pub use publish::Publishing;
pub use retain::{RETAINED_MAX, Retain};
pub use subscription::{Delivery, Subscription};
pub use times::{StampTime, StampTimes};
pub use visible::Visible;

use self::core::{Core, Refusal};
use crate::policy::Overflow;
use crate::sync::Arc;
use crate::{Doorbell, QUEUE_CAPACITY_MAX, Stamps};
use payload::{Boxed, Inline, Owned, Payload};
use seat::SubscriberState;

/// Is called when a subscriber has come or left: see [`Topic::note_changes`].
pub type Changed = std::sync::Arc<dyn Fn() + Send + Sync>;

/// Capacity of a topic's ring unless declared otherwise, in messages.
pub const TOPIC_CAPACITY_DEFAULT: u32 = 1024;
/// How many subscribers one topic takes.
pub const SUBSCRIBERS_MAX: usize = 65_536;

/// By what a subscriber wants to be known: whatever its owner has put into [`SubscribeOptions`].
pub type Badge = std::sync::Arc<dyn Any + Send + Sync>;

/// How a subscription is made.
#[derive(Clone, Debug)]
pub struct SubscribeOptions<M> {
    /// What happens when this subscriber has no room.
    pub overflow: Overflow<M>,
    /// Unread messages this subscriber may have, clamped to 1..=[`QUEUE_CAPACITY_MAX`]. `None`: the topic's
    /// capacity. For a `Block` subscriber that asks for more than the ring holds, a larger ring takes over
    /// from there on.
    pub capacity: Option<u32>,
    /// The subscriber's id, or 0. It is named when the subscriber has no room, and messages published with
    /// the same non-zero id are not delivered to it.
    pub id: u64,
    /// Deliver the subscriber's own messages too.
    pub echo: bool,
    /// Deliver what the topic [retains](Topic::retaining) first: each retained message once, in order, before
    /// all that is published after this subscription. They take none of the subscriber's room, and its policy
    /// drops none of them.
    pub retained: bool,
    /// Of a `Block` subscriber: it has a queue of its own rather than a place in the topic's ring, so that
    /// messages which it skips, those with its own id, take none of its room, and whoever publishes them
    /// never waits for it. Each message costs a clone more. Others have such a queue anyway.
    /// It is woken behind all who are not apart, whatever its policy.
    pub apart: bool,
    /// By what it is known to publishers that it has no room for: see [`Topic::badge_of`].
    pub badge: Option<Badge>,
}

impl<M> Default for SubscribeOptions<M> {
    fn default() -> Self {
        let (overflow, capacity, badge) = (Overflow::Block, None, None);
        Self { overflow, capacity, id: 0, echo: false, retained: false, apart: false, badge }
    }
}

/// One subscriber, for a live view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriberInfo {
    /// The id it gave, or 0.
    pub id: u64,
    /// Name of its policy.
    pub policy: &'static str,
    /// Its declared capacity, in messages.
    pub capacity: u64,
    /// Messages that wait for it, as far as it told: of those it has taken in a batch, a `Block` subscriber
    /// tells after the batch, and one with another policy when it takes them.
    pub waiting: u64,
    /// The same number for all subscriptions that ring one doorbell, and so belong to one receiver: the
    /// address of the bell.
    pub receiver: usize,
}

/// One topic of a bus: publishes reach every subscriber. Cloning is cheap.
///
/// ```
/// use std::sync::Arc;
/// use mycelium_mailbox::{Doorbell, Source, Stamps, SubscribeOptions, Topic};
///
/// let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 1024);
/// topic.try_publish(1, 0).unwrap(); // nobody is subscribed: stored nowhere
///
/// let mut subscription = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
/// topic.try_publish(2, 0).unwrap();
/// assert!(subscription.head().is_some());
/// assert_eq!(*subscription.peek().unwrap().message, 2);
/// subscription.advance();
/// assert!(subscription.head().is_none());
/// ```
pub struct Topic<M: Clone + Send + Sync + 'static> {
    form: Form<M>,
}

/// The ways of storing messages; which one is a constant of the message type.
///
/// It drops what it has by itself: what the compiler adds would drop each of the three, and so compile all of
/// a topic three times for each message type.
enum Form<M: Clone + Send + Sync + 'static> {
    Inline(ManuallyDrop<Arc<Core<Inline<M>>>>),
    Owned(ManuallyDrop<Arc<Core<Owned<M>>>>),
    Boxed(ManuallyDrop<Arc<Core<Boxed<M>>>>),
}

impl<M: Clone + Send + Sync + 'static> Form<M> {
    const IS_BOXED: bool = size_of::<M>() > INLINE_BYTES_MAX;
    const IS_OWNED: bool = !Self::IS_BOXED && std::mem::needs_drop::<M>();
    const IS_INLINE: bool = !Self::IS_BOXED && !Self::IS_OWNED;
}

/// Runs the same expression on each form, of which only one is ever compiled in: the message would be taken
/// apart for the sake of the others.
macro_rules! each {
    ($form:expr, $core:ident => $body:expr) => {
        match $form {
            Form::Inline($core) if const { Form::<M>::IS_INLINE } => $body,
            Form::Owned($core) if const { Form::<M>::IS_OWNED } => $body,
            Form::Boxed($core) if const { Form::<M>::IS_BOXED } => $body,
            _ => unreachable!("the form is a constant of the message type"),
        }
    };
}
use each;

impl<M: Clone + Send + Sync + 'static> Drop for Form<M> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the drop of its owner, after which nothing reaches it.
        each!(self, core => unsafe { ManuallyDrop::drop(core) });
    }
}

impl<M: Clone + Send + Sync + 'static> Topic<M> {
    /// A topic without subscribers. `capacity` is rounded up to a power of two and clamped to
    /// 1..=[`QUEUE_CAPACITY_MAX`]; the ring is allocated at the first `Block` subscription, and larger if one
    /// asks for more.
    #[must_use]
    pub fn new(stamps: Arc<Stamps>, capacity: u32) -> Self {
        Self::with(stamps, capacity, None)
    }

    /// The same, for a topic that retains messages for subscribers that come late and [ask for
    /// them](SubscribeOptions::retained). It retains from its first message on, whether or not anybody is
    /// subscribed.
    ///
    /// A publish costs a copy of the message more, and so it does that of topics with lanes. The messages are
    /// cloned, and keys are taken, where no lock is held.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mycelium_mailbox::{Doorbell, Retain, Source, Stamps, SubscribeOptions, Topic};
    ///
    /// let topic = Topic::<u64>::retaining(Arc::new(Stamps::new()), 8, Retain::Last(2));
    /// (1..=3).for_each(|number| topic.try_publish(number, 0).unwrap());
    ///
    /// let late = SubscribeOptions { retained: true, ..SubscribeOptions::default() };
    /// let mut late = topic.subscribe(Arc::new(Doorbell::new()), late).unwrap();
    /// topic.try_publish(4, 0).unwrap();
    /// let mut received = Vec::new();
    /// while late.head().is_some() {
    ///     received.push(*late.peek().unwrap().message);
    ///     late.advance();
    /// }
    /// assert_eq!(received, [2, 3, 4]);
    /// ```
    #[must_use]
    pub fn retaining(stamps: Arc<Stamps>, capacity: u32, retain: Retain<M>) -> Self {
        Self::with(stamps, capacity, Some(retain))
    }

    fn with(stamps: Arc<Stamps>, capacity: u32, retain: Option<Retain<M>>) -> Self {
        let capacity = u64::from(capacity.clamp(1, QUEUE_CAPACITY_MAX)).next_power_of_two();
        let form = if const { Form::<M>::IS_INLINE } {
            Form::Inline(ManuallyDrop::new(Arc::new(Core::new(stamps, capacity, retain))))
        } else if const { Form::<M>::IS_OWNED } {
            Form::Owned(ManuallyDrop::new(Arc::new(Core::new(stamps, capacity, retain))))
        } else {
            Form::Boxed(ManuallyDrop::new(Arc::new(Core::new(stamps, capacity, retain))))
        };
        Self { form }
    }

    /// Publishes now or gives the message back. `sender` is the publishing actor's id, or 0.
    ///
    /// All or nothing: after an error nobody got the message. `Ok` says that every subscriber has it queued
    /// (or, by its own policy, dropped and counted); it does not say that anybody has handled it. Without
    /// subscribers it is `Ok` and the message is dropped.
    ///
    /// # Errors
    /// [`TryPublishError::Full`] names the subscriber without room; [`TryPublishError::Closed`].
    #[inline]
    pub fn try_publish(&self, message: M, sender: u64) -> Result<(), TryPublishError<M>> {
        each!(&self.form, core => {
            let mut payload = Some(Payload::wrap(message));
            match core.try_publish(&mut payload, sender) {
                Ok(()) => Ok(()),
                Err(refusal) => Err(refused(kept(&mut payload).unwrap(), refusal, core)),
            }
        })
    }

    /// Publishes messages from the front, under one lock, as far as every subscriber has room: how many,
    /// which are taken out of `messages`. None are where a message does more than to take its place in the
    /// ring: it is longer than [`INLINE_BYTES_MAX`], somebody has a queue of its own, messages are retained
    /// or [timed](Self::keep_times), or nobody listens. [`try_publish`](Self::try_publish) says what is to be
    /// said of the first one that is left.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mycelium_mailbox::{Doorbell, Source, Stamps, SubscribeOptions, Topic};
    ///
    /// let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 2);
    /// let mut queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    /// let mut messages = vec![1, 2, 3];
    /// assert_eq!((topic.try_publish_row(&mut messages, 0), messages), (2, vec![3]));
    /// assert!(queue.head().is_some() && *queue.peek().unwrap().message == 1);
    /// ```
    pub fn try_publish_row(&self, messages: &mut Vec<M>, sender: u64) -> usize {
        each!(&self.form, core => {
            core.try_publish_row(messages.len(), sender, |count| messages.drain(..count))
        })
    }

    /// The same for the messages of an iterator: those that were published are taken from its front.
    /// It is asked for them inside the topic's lock: it must be short, and must not use this topic.
    ///
    /// # Panics
    /// When the iterator does: then nothing was published, and what it had given is not dropped.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mycelium_mailbox::{Doorbell, Stamps, SubscribeOptions, Topic};
    ///
    /// let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 2);
    /// let _queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    /// let mut numbers = vec![1, 2, 3].into_iter();
    /// assert_eq!((topic.try_publish_front(&mut numbers, 0), numbers.next()), (2, Some(3)));
    /// ```
    #[inline]
    pub fn try_publish_front(&self, messages: &mut impl ExactSizeIterator<Item = M>, sender: u64) -> usize {
        each!(&self.form, core => core.try_publish_row(messages.len(), sender, |_| messages.by_ref()))
    }

    /// Whether anybody has a queue of its own, or messages are retained: then what is published stays
    /// for longer than it lies in the ring.
    #[must_use]
    #[inline]
    pub fn has_lanes(&self) -> bool {
        each!(&self.form, core => core.listeners.crowd().has_lanes())
    }

    /// Publishes, waiting until every `Block` subscriber has room.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was published.
    ///
    /// # Errors
    /// [`PublishError::Full`] when a `Fail` subscriber has no room; [`PublishError::WouldDeadlock`] when the
    /// subscriber without room is `sender` itself; [`PublishError::Closed`].
    #[inline]
    pub fn publish(&self, message: M, sender: u64) -> Publishing<'_, M> {
        Publishing::new(&self.form, message, sender)
    }

    /// Subscribes: every message published after this returned is delivered, as the policy says.
    ///
    /// All subscriptions of one receiver share its `doorbell`.
    ///
    /// # Errors
    /// [`SubscribeError::Closed`], [`SubscribeError::TooMany`] and [`SubscribeError::NoMemory`].
    pub fn subscribe(
        &self,
        doorbell: Arc<Doorbell>,
        options: SubscribeOptions<M>,
    ) -> Result<Subscription<M>, SubscribeError> {
        Subscription::new(&self.form, doorbell, options)
    }

    /// The [badge](SubscribeOptions::badge) of the subscriber that an error names; `None` if it has none, or
    /// has left since. It looks at the subscribers of the topic, as the refused publish has done.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mycelium_mailbox::{Doorbell, Stamps, SubscribeOptions, Topic, TryPublishError};
    ///
    /// let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 8);
    /// let badge = Some(Arc::new("the slow one") as _);
    /// let options = SubscribeOptions { capacity: Some(1), badge, ..SubscribeOptions::default() };
    /// let _slow = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    /// topic.try_publish(1, 0).unwrap();
    /// let Err(TryPublishError::Full { by, .. }) = topic.try_publish(2, 0) else { panic!("it is full") };
    /// let badge = topic.badge_of(by).and_then(|badge| badge.downcast::<&str>().ok());
    /// assert_eq!(badge.as_deref(), Some(&"the slow one"));
    /// ```
    #[must_use]
    pub fn badge_of(&self, by: Blocker) -> Option<Badge> {
        each!(&self.form, core => core.badge_of(by))
    }

    /// Refuses further messages and subscriptions and wakes everybody. Queued messages can still be read.
    pub fn close(&self) {
        each!(&self.form, core => core.close());
    }

    /// Refuses messages whose sender is 0, until [`resume_ingress`](Self::resume_ingress); those of other
    /// senders still come.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mycelium_mailbox::{Stamps, Topic};
    ///
    /// let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 8);
    /// topic.pause_ingress();
    /// assert!(topic.try_publish(1, 0).is_err());
    /// assert!(topic.try_publish(1, 7).is_ok());
    /// topic.resume_ingress();
    /// assert!(topic.try_publish(1, 0).is_ok());
    /// ```
    pub fn pause_ingress(&self) {
        each!(&self.form, core => core.pause_ingress());
    }

    /// Takes messages whose sender is 0 again, unless the topic is closed.
    pub fn resume_ingress(&self) {
        each!(&self.form, core => core.resume_ingress());
    }

    /// From the next message on each has a stamp of its own, and the time at which it took its place is kept
    /// in `times`; `None` ends that. Otherwise messages in a row share a stamp, and nothing is paid for it.
    /// [`StampTimes`] has an example.
    pub fn keep_times(&self, times: Option<StampTimes>) {
        each!(&self.form, core => core.keep_times(times));
    }

    /// Looks at these times, inside the topic's lock: `with` must be short, must not panic, and must not use
    /// this topic. `None`: they are not kept.
    pub fn with_times<R>(&self, with: impl FnOnce(&mut StampTimes) -> R) -> Option<R> {
        each!(&self.form, core => core.with_times(with))
    }

    /// Has `changed` called each time after a subscriber has come or left that is not
    /// [`apart`](SubscribeOptions::apart); `None` ends that. No lock is held then, so it may look who is
    /// there, publish and subscribe. It must not panic.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use mycelium_mailbox::{Doorbell, Stamps, SubscribeOptions, Topic};
    ///
    /// let (topic, changes) = (Topic::<u64>::new(Arc::new(Stamps::new()), 8), Arc::new(AtomicU32::new(0)));
    /// let count = Arc::clone(&changes);
    /// topic.note_changes(Some(Arc::new(move || _ = count.fetch_add(1, Ordering::SeqCst))));
    /// drop(topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap());
    /// assert_eq!(changes.load(Ordering::SeqCst), 2);
    /// ```
    pub fn note_changes(&self, changed: Option<Changed>) {
        each!(&self.form, core => core.note_changes(changed));
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        each!(&self.form, core => core.is_closed())
    }

    /// The counters up to now.
    #[must_use]
    pub fn stats(&self) -> TopicStats {
        each!(&self.form, core => core.stats())
    }

    /// Who is subscribed now.
    #[must_use]
    pub fn subscribers(&self) -> Vec<SubscriberInfo> {
        let subscribers: Vec<(Arc<SubscriberState>, u64)> = each!(&self.form, core => core.subscribers());
        let info = |(seat, waiting): (Arc<SubscriberState>, u64)| {
            let (id, policy, capacity) = (seat.id, seat.policy, seat.capacity);
            let receiver = std::ptr::from_ref(&*seat.doorbell).addr();
            SubscriberInfo { id, policy, capacity, waiting, receiver }
        };
        subscribers.into_iter().map(info).collect()
    }

    /// How often the last subscriber that is not [`apart`](SubscribeOptions::apart) has left, the number of
    /// the topic's round: a look at it now and then tells that [nobody](Self::subscribers) was there
    /// meanwhile. See [`AsOf`].
    #[must_use]
    pub fn times_emptied(&self) -> u64 {
        each!(&self.form, core => core.times_emptied())
    }

    /// The ring's capacity, in messages, unless a subscriber has asked for more; that of subscribers who ask
    /// for none.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        each!(&self.form, core => core.ring_capacity())
    }
}

/// What a refused publish has left where it was.
#[cold]
fn kept<V>(payload: &mut Option<V>) -> V {
    match payload.take() {
        Some(payload) => payload,
        None => unreachable!("a refused message stays where it was"),
    }
}

#[cold]
fn refused<M, V: Payload>(message: M, refusal: Refusal, core: &Core<V>) -> TryPublishError<M> {
    match refusal {
        Refusal::Closed => TryPublishError::Closed(message),
        Refusal::Full(by) => {
            core.counters.add_rejected();
            TryPublishError::Full { message, by }
        }
        Refusal::Outdated(never) => match never {},
    }
}

impl<M: Clone + Send + Sync + 'static> Clone for Topic<M> {
    fn clone(&self) -> Self {
        let form = match &self.form {
            Form::Inline(core) => Form::Inline(core.clone()),
            Form::Owned(core) => Form::Owned(core.clone()),
            Form::Boxed(core) => Form::Boxed(core.clone()),
        };
        Self { form }
    }
}

impl<M: Clone + Send + Sync + 'static> fmt::Debug for Topic<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("stats", &self.stats())
            .field("subscribers", &self.subscribers())
            .finish()
    }
}
