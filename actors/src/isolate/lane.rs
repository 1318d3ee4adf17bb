//! Typed queues of one isolate: a topic's, with many receivers, or a direct one to a single actor.
//!
//! The order between lanes is kept by the core, which holds one entry per waiting event; a lane keeps the values.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::core::{QUEUE_CAPACITY, Refusal};
use crate::{Message, Policy, Subscription, TopicStats};

/// How many spent messages one topic keeps for reuse: as many as may wait (messages).
const SPARE_MAX: usize = QUEUE_CAPACITY;

/// What the core knows of a lane.
pub(crate) trait AnyLane: 'static {
    /// Delivers one event; a direct lane keeps its payloads itself.
    fn dispatch(&self, sender: u32, payload: Option<Rc<dyn Any>>);
    /// The message's name.
    fn name(&self) -> &'static str;
    fn stats(&self) -> Option<TopicStats>;
    /// Removes the receivers of a seat, and counts what they had not handled.
    fn remove(&self, seat: u32);
    /// Drops receivers and what waits.
    fn clear(&self);
}

/// Where a lane's events end: an actor's subscription or a service's subscriber.
pub(crate) trait Receive<P> {
    /// Handles the payload, or keeps it while the actor waits. `false`: it was dropped or skipped.
    fn deliver(&self, sender: u32, payload: P) -> bool;
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

struct Receiver<P> {
    /// Events with a lower number were published before the subscription.
    since: u64,
    policy: PolicyKind,
    to: Rc<dyn Receive<P>>,
}

impl<P> Clone for Receiver<P> {
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

/// The queue and the receivers of one topic.
pub(crate) struct TopicLane<M> {
    /// Spent messages without a destructor: their memory serves the next publishes, so those allocate nothing.
    spare: RefCell<Vec<Rc<M>>>,
    /// Copied on change, so that a handler may subscribe while its topic is being dispatched.
    receivers: RefCell<Rc<[Receiver<Rc<M>>]>>,
    heard: Cell<bool>,
    published: Cell<u64>,
    dispatched: Cell<u64>,
    delivered: Cell<u64>,
    dropped_unsubscribed: Cell<u64>,
    pub(crate) gauge: Rc<Gauge>,
}

/// What a topic shares with its subscriptions: how many of them refuse, and what their policies dropped.
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

impl<M: Message> TopicLane<M> {
    pub(crate) fn new() -> Self {
        Self {
            spare: RefCell::default(),
            receivers: RefCell::new(Rc::from([])),
            heard: Cell::new(false),
            published: Cell::new(0),
            dispatched: Cell::new(0),
            delivered: Cell::new(0),
            dropped_unsubscribed: Cell::new(0),
            gauge: Rc::default(),
        }
    }

    /// Takes the message for the queue unless a subscriber refuses it; `None` if nobody listens.
    #[inline]
    pub(crate) fn take(&self, sender: u32, message: &mut Option<M>) -> Result<Option<Rc<dyn Any>>, Refusal> {
        if !self.heard.get() {
            message.take();
            return Ok(None);
        }
        if self.gauge.full.get() > 0 {
            return Err(self.refusal(sender));
        }
        let Some(value) = message.take() else { return Ok(None) };
        count(&self.published);
        if let Some(mut spent) = self.spare.borrow_mut().pop()
            && let Some(memory) = Rc::get_mut(&mut spent)
        {
            *memory = value;
            return Ok(Some(spent));
        }
        Ok(Some(Rc::new(value)))
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

    /// Keeps the memory of a message that nobody reads any more.
    #[inline]
    fn recycle(&self, message: Rc<M>) {
        if !std::mem::needs_drop::<M>() && Rc::strong_count(&message) == 1 {
            let mut spare = self.spare.borrow_mut();
            if spare.len() < SPARE_MAX {
                spare.push(message);
            }
        }
    }

    /// Adds a receiver of everything published from now on.
    pub(crate) fn add(&self, to: Rc<dyn Receive<Rc<M>>>, subscription: &Subscription<M>) {
        let policy = match subscription.policy {
            Policy::Block => PolicyKind::Block,
            Policy::Fail => PolicyKind::Fail,
            _ => PolicyKind::Lossy,
        };
        let since = self.published.get();
        self.change(|receivers| receivers.push(Receiver { since, policy, to }));
    }

    /// Removes receivers that take no more; `dropped` of their messages were waiting.
    pub(crate) fn forget_closed(&self, dropped: u64) {
        self.change(|receivers| receivers.retain(|receiver| !receiver.to.is_closed()));
        self.dropped_unsubscribed.set(self.dropped_unsubscribed.get() + dropped);
    }

    fn change(&self, f: impl FnOnce(&mut Vec<Receiver<Rc<M>>>)) {
        let mut receivers = self.receivers.borrow().to_vec();
        f(&mut receivers);
        self.heard.set(!receivers.is_empty());
        *self.receivers.borrow_mut() = receivers.into();
    }
}

impl<M: Message> AnyLane for TopicLane<M> {
    #[inline]
    fn dispatch(&self, sender: u32, payload: Option<Rc<dyn Any>>) {
        let Some(Ok(message)) = payload.map(Rc::downcast::<M>) else { return };
        let number = self.dispatched.get();
        self.dispatched.set(number + 1);
        let receivers = Rc::clone(&self.receivers.borrow());
        let mut delivered = 0;
        for receiver in receivers.iter() {
            if receiver.since <= number {
                delivered += u64::from(receiver.to.deliver(sender, Rc::clone(&message)));
            }
        }
        self.recycle(message);
        self.delivered.set(self.delivered.get() + delivered);
    }

    fn name(&self) -> &'static str {
        M::NAME
    }

    fn stats(&self) -> Option<TopicStats> {
        Some(TopicStats {
            message: M::NAME,
            topic: M::TOPIC,
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
        if self.receivers.borrow().iter().all(|receiver| receiver.to.seat() != seat) {
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
        // Moved out before they are dropped: a message's drop is user code.
        drop(self.spare.take());
        drop(self.receivers.replace(Rc::from([])));
        self.heard.set(false);
    }
}

/// The queue of payloads sent straight to one actor.
pub(crate) struct DirectLane<P> {
    index: u32,
    name: &'static str,
    queue: RefCell<VecDeque<P>>,
    to: Rc<dyn Receive<P>>,
}

impl<P: 'static> DirectLane<P> {
    pub(crate) fn new(index: u32, name: &'static str, to: Rc<dyn Receive<P>>) -> Self {
        Self { index, name, queue: RefCell::default(), to }
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    pub(crate) fn is_full(&self) -> bool {
        self.to.is_full()
    }

    pub(crate) fn push(&self, payload: P) {
        self.queue.borrow_mut().push_back(payload);
    }
}

impl<P: 'static> AnyLane for DirectLane<P> {
    fn dispatch(&self, _: u32, _: Option<Rc<dyn Any>>) {
        let payload = self.queue.borrow_mut().pop_front();
        if let Some(payload) = payload {
            self.to.deliver(super::OUTSIDE, payload);
        }
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn stats(&self) -> Option<TopicStats> {
        None
    }

    fn remove(&self, _seat: u32) {}

    fn clear(&self) {
        drop(self.queue.take());
    }
}
