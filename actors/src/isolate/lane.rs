//! Typed queues of one isolate: a topic's, with many receivers, or a direct one to a single actor.
//!
//! The order between lanes is kept by the core, which holds one entry per waiting event; a lane keeps the messages. They
//! are written once, into a batch; receivers read them in place, while more are written behind. A batch that was read to
//! its end is used again, so messages that need a drop are dropped then or when the isolate is, not right after they
//! were handled.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use mycelium_mailbox::{Batch, Shared};

use super::core::{QUEUE_CAPACITY, Refusal};
use crate::{Message, Policy, Subscription, TopicStats};

/// What the core knows of a lane.
pub(crate) trait AnyLane: 'static {
    /// Delivers the oldest message.
    fn dispatch(&self, sender: u32);
    fn stats(&self) -> Option<TopicStats>;
    /// Removes the receivers of a seat, and counts what they had not handled.
    fn remove(&self, seat: u32);
    /// Drops receivers and what waits.
    fn clear(&self);
}

/// Where a lane's messages end: an actor's subscription or a service's subscriber.
pub(crate) trait Receive<M> {
    /// Handles the message, or keeps it while the actor waits. `false`: it was dropped or skipped.
    fn deliver(&self, sender: u32, message: &Shared<M>) -> bool;
    /// The seat this belongs to.
    fn seat(&self) -> u32;
    /// Whether its own queue has reached its capacity.
    fn is_full(&self) -> bool;
    /// Whether it takes no more.
    fn is_closed(&self) -> bool {
        false
    }
    /// Drops what waits; how many.
    fn close(&self) -> u64;
}

struct Receiver<M> {
    /// Messages with a lower number were published before the subscription.
    since: u64,
    policy: PolicyKind,
    to: Rc<dyn Receive<M>>,
}

impl<M> Clone for Receiver<M> {
    fn clone(&self) -> Self {
        Self { since: self.since, policy: self.policy, to: Rc::clone(&self.to) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PolicyKind {
    Block,
    Fail,
    Lossy,
}

/// The queue and the receivers of one topic, or of the direct messages to one actor.
pub(crate) struct Lane<M> {
    index: u32,
    name: &'static str,
    /// `None` for direct messages.
    topic: Option<&'static str>,
    /// Where messages are read, and how far; mostly also where they are written.
    head: RefCell<Rc<Batch<M>>>,
    at: Cell<usize>,
    /// Batches behind the head; all but the last are full.
    behind: RefCell<VecDeque<Rc<Batch<M>>>>,
    has_behind: Cell<bool>,
    /// Copied on change, so that a handler may subscribe while its topic is being dispatched.
    receivers: RefCell<Rc<[Receiver<M>]>>,
    heard: Cell<bool>,
    published: Cell<u64>,
    dispatched: Cell<u64>,
    delivered: Cell<u64>,
    dropped_unsubscribed: Cell<u64>,
    pub(crate) gauge: Rc<Gauge>,
}

/// What a lane shares with its subscriptions: how many of them refuse, and what their policies dropped.
#[derive(Default)]
pub(crate) struct Gauge {
    /// Subscriptions that are full and refuse publishes.
    pub(crate) full: Cell<u32>,
    pub(crate) oldest: Cell<u64>,
    pub(crate) newest: Cell<u64>,
    pub(crate) conflated: Cell<u64>,
    pub(crate) dead: Cell<u64>,
}

impl Gauge {
    /// A subscription begins, or ceases, to refuse publishes.
    pub(crate) fn refuses(&self, begins: bool) {
        let full = self.full.get();
        self.full.set(if begins { full + 1 } else { full - 1 });
    }
}

/// Adds one to a counter.
#[inline]
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl<M: 'static> Lane<M> {
    /// How many messages the first batch holds: about half a KiB of them.
    const BATCH_FIRST: usize = {
        let fit = 512 / if size_of::<M>() == 0 { 1 } else { size_of::<M>() };
        if fit < 4 {
            4
        } else if fit > 64 {
            64
        } else {
            fit
        }
    };

    pub(crate) fn of_topic(index: u32, name: &'static str, topic: &'static str) -> Self {
        Self::new(index, name, Some(topic), Rc::from([]))
    }

    /// A lane whose messages all go to one receiver, that waits when that is full.
    pub(crate) fn to_one(index: u32, name: &'static str, to: Rc<dyn Receive<M>>, gauge: Rc<Gauge>) -> Self {
        let receivers = Rc::from([Receiver { since: 0, policy: PolicyKind::Block, to }]);
        Self { gauge, ..Self::new(index, name, None, receivers) }
    }

    fn new(
        index: u32,
        name: &'static str,
        topic: Option<&'static str>,
        receivers: Rc<[Receiver<M>]>,
    ) -> Self {
        // The first batch with room is made when somebody writes.
        Self {
            index,
            name,
            topic,
            head: RefCell::new(Rc::new(Batch::new(0))),
            at: Cell::new(0),
            behind: RefCell::default(),
            has_behind: Cell::new(false),
            heard: Cell::new(!receivers.is_empty()),
            receivers: RefCell::new(receivers),
            published: Cell::new(0),
            dispatched: Cell::new(0),
            delivered: Cell::new(0),
            dropped_unsubscribed: Cell::new(0),
            gauge: Rc::default(),
        }
    }

    #[inline]
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Whether anybody receives.
    #[inline]
    pub(crate) fn heard(&self) -> bool {
        self.heard.get()
    }

    /// Takes the message out of `message` unless a receiver refuses it.
    #[inline]
    pub(crate) fn publish(&self, sender: u32, message: &mut Option<M>) -> Result<(), Refusal> {
        if self.gauge.full.get() > 0 {
            return Err(self.refusal(sender));
        }
        self.write(message);
        Ok(())
    }

    /// Whether a receiver is full and refuses.
    pub(crate) fn is_refused(&self) -> bool {
        self.gauge.full.get() > 0
    }

    /// Takes the message whoever is full.
    #[inline]
    pub(crate) fn write(&self, message: &mut Option<M>) {
        count(&self.published);
        if self.has_behind.get() || !self.head.borrow().push(message) {
            self.write_behind(message);
        }
    }

    /// Writes into a batch with room: the head again if all of it was read, or a new one behind it.
    #[cold]
    fn write_behind(&self, message: &mut Option<M>) {
        if self.has_behind.get() {
            let mut behind = self.behind.borrow_mut();
            if behind.back().is_some_and(|last| last.push(message)) {
                return;
            }
            let room =
                behind.back().map_or(0, |last| last.capacity() * 2).clamp(Self::BATCH_FIRST, QUEUE_CAPACITY);
            let batch = Rc::new(Batch::new(room));
            batch.push(message);
            behind.push_back(batch);
            return;
        }
        if !self.reuse_head(message) {
            let room = (self.head.borrow().capacity() * 2).clamp(Self::BATCH_FIRST, QUEUE_CAPACITY);
            let batch = Rc::new(Batch::new(room));
            batch.push(message);
            self.behind.borrow_mut().push_back(batch);
            self.has_behind.set(true);
        }
    }

    /// Begins the head anew if all of it was read and nobody reads any more.
    fn reuse_head(&self, message: &mut Option<M>) -> bool {
        let mut head = self.head.borrow_mut();
        let full = head.capacity();
        if full == 0 || self.at.get() < full {
            return false;
        }
        let Some(batch) = Rc::get_mut(&mut head) else { return false };
        if std::mem::needs_drop::<M>() {
            // Dropping messages is user code, so nothing may be borrowed: the batch is taken out meanwhile.
            let mut spent = std::mem::replace(batch, Batch::new(0));
            drop(head);
            spent.reset();
            drop(self.head.replace(Rc::new(spent)));
            return self.at.replace(0) > 0 && self.head.borrow().push(message);
        }
        batch.reset();
        self.at.set(0);
        batch.push(message)
    }

    #[cold]
    fn refusal(&self, sender: u32) -> Refusal {
        let receivers = self.receivers.borrow();
        let full = || receivers.iter().filter(|receiver| receiver.to.is_full());
        if full().any(|receiver| receiver.policy == PolicyKind::Fail) {
            Refusal::Fail
        } else if full().any(|receiver| receiver.policy == PolicyKind::Block && receiver.to.seat() == sender)
        {
            Refusal::OwnFull
        } else {
            Refusal::Full
        }
    }

    /// The oldest message that waits.
    #[inline]
    fn take(&self) -> Option<Shared<M>> {
        let at = self.at.get();
        if let Some(message) = Shared::new(&self.head.borrow(), at) {
            self.at.set(at + 1);
            return Some(message);
        }
        self.take_behind()
    }

    /// Goes on to the next batch.
    #[cold]
    fn take_behind(&self) -> Option<Shared<M>> {
        let mut behind = self.behind.borrow_mut();
        let next = behind.pop_front()?;
        self.has_behind.set(!behind.is_empty());
        drop(behind);
        let message = Shared::new(&next, 0);
        self.at.set(1);
        // The old batch may be dropped here, and its messages with it, while nothing is borrowed.
        let before = self.head.replace(next);
        drop(before);
        message
    }

    fn change(&self, f: impl FnOnce(&mut Vec<Receiver<M>>)) {
        let mut receivers = self.receivers.borrow().to_vec();
        f(&mut receivers);
        self.heard.set(!receivers.is_empty());
        let before = self.receivers.replace(receivers.into());
        drop(before);
    }

    /// Removes receivers that take no more; `dropped` of their messages were waiting.
    pub(crate) fn forget_closed(&self, dropped: u64) {
        self.change(|receivers| receivers.retain(|receiver| !receiver.to.is_closed()));
        self.dropped_unsubscribed.set(self.dropped_unsubscribed.get() + dropped);
    }
}

impl<M: Message> Lane<M> {
    /// Adds a receiver of everything published from now on.
    pub(crate) fn add(&self, to: Rc<dyn Receive<M>>, subscription: &Subscription<M>) {
        let policy = match subscription.policy {
            Policy::Block => PolicyKind::Block,
            Policy::Fail => PolicyKind::Fail,
            _ => PolicyKind::Lossy,
        };
        let since = self.published.get();
        self.change(|receivers| receivers.push(Receiver { since, policy, to }));
    }
}

impl<M: 'static> AnyLane for Lane<M> {
    #[inline]
    fn dispatch(&self, sender: u32) {
        let Some(message) = self.take() else { return };
        let number = self.dispatched.get();
        self.dispatched.set(number + 1);
        let receivers = Rc::clone(&self.receivers.borrow());
        let mut delivered = 0;
        for receiver in receivers.iter() {
            if receiver.since <= number {
                delivered += u64::from(receiver.to.deliver(sender, &message));
            }
        }
        self.delivered.set(self.delivered.get() + delivered);
    }

    fn stats(&self) -> Option<TopicStats> {
        Some(TopicStats {
            message: self.name,
            topic: self.topic?,
            published: self.published.get(),
            delivered: self.delivered.get(),
            dropped_oldest: self.gauge.oldest.get(),
            dropped_newest: self.gauge.newest.get(),
            conflated: self.gauge.conflated.get(),
            dropped_unsubscribed: self.dropped_unsubscribed.get(),
            dead_letters: self.gauge.dead.get(),
        })
    }

    fn remove(&self, seat: u32) {
        // A direct lane keeps its receiver, which knows that its actor has ended and counts what still comes.
        if self.topic.is_none() || self.receivers.borrow().iter().all(|receiver| receiver.to.seat() != seat) {
            return;
        }
        let gone: Vec<_> = self.receivers.borrow().iter().filter(|r| r.to.seat() == seat).cloned().collect();
        self.change(|receivers| receivers.retain(|receiver| receiver.to.seat() != seat));
        for receiver in gone {
            let queued = self.published.get() - self.dispatched.get().max(receiver.since);
            let dropped = receiver.to.close() + queued;
            self.dropped_unsubscribed.set(self.dropped_unsubscribed.get() + dropped);
        }
    }

    fn clear(&self) {
        self.heard.set(false);
        // Moved out before they are dropped: a message's drop is user code.
        self.at.set(0);
        self.has_behind.set(false);
        drop(self.behind.take());
        drop(self.head.replace(Rc::new(Batch::new(0))));
        drop(self.receivers.replace(Rc::from([])));
    }
}
