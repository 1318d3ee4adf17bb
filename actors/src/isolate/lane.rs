//! Typed queues of one isolate: a topic's, with many receivers, or a direct one to a single actor.
//!
//! The order between lanes is kept by the core, which holds one entry per waiting event; a lane keeps the values.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::core::Refused;
use crate::{Message, Policy, Subscription, TopicStats};

/// Messages up to this size that need no drop are copied to each subscriber; others are shared (bytes).
const INLINE_BYTES_MAX: usize = 64;

/// Whether `M` is copied to its subscribers rather than shared.
pub(crate) const fn is_inline<M>() -> bool {
    size_of::<M>() <= INLINE_BYTES_MAX && !std::mem::needs_drop::<M>()
}

/// How a topic holds its messages: by value or behind one shared pointer.
pub(crate) trait Payload<M>: Clone + 'static {
    fn wrap(message: M) -> Self;
    fn get(&self) -> &M;
}

/// A small message, held by value.
#[derive(Clone)]
pub(crate) struct Inline<M>(M);

impl<M: Message> Payload<M> for Inline<M> {
    #[inline]
    fn wrap(message: M) -> Self {
        Self(message)
    }
    #[inline]
    fn get(&self) -> &M {
        &self.0
    }
}

impl<M: Message> Payload<M> for Rc<M> {
    #[inline]
    fn wrap(message: M) -> Self {
        Self::new(message)
    }
    #[inline]
    fn get(&self) -> &M {
        self
    }
}

/// What the core knows of a lane.
pub(crate) trait AnyLane: 'static {
    /// Delivers the oldest event.
    fn dispatch(&self);
    /// The message's name.
    fn name(&self) -> &'static str;
    fn stats(&self) -> Option<TopicStats>;
    /// Removes the receivers of a seat, and counts what they had not handled.
    fn remove(&self, seat: u32);
    /// Drops receivers and what waits.
    fn clear(&self);
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}

/// Where a lane's events end: an actor's subscription or a service's subscriber.
pub(crate) trait Receive<P> {
    /// Handles the payload, or keeps it while the actor waits. `false`: it was dropped or skipped.
    fn deliver(&self, sender: u32, payload: P) -> bool;
    /// The seat this belongs to.
    fn seat(&self) -> u32;
    /// Whether its own queue has reached its capacity.
    fn is_full(&self) -> bool;
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
pub(crate) struct TopicLane<M, P> {
    queue: RefCell<VecDeque<(u32, P)>>,
    /// Copied on change, so that a handler may subscribe while its topic is being dispatched.
    receivers: RefCell<Rc<[Receiver<P>]>>,
    heard: Cell<bool>,
    /// Whether any receiver may refuse a publish, so that the common case checks one flag.
    may_refuse: Cell<bool>,
    published: Cell<u64>,
    dispatched: Cell<u64>,
    delivered: Cell<u64>,
    dropped_unsubscribed: Cell<u64>,
    pub(crate) drops: Rc<Drops>,
    message: std::marker::PhantomData<M>,
}

/// Messages dropped by overflow policies.
#[derive(Default)]
pub(crate) struct Drops {
    pub(crate) oldest: Cell<u64>,
    pub(crate) newest: Cell<u64>,
    pub(crate) conflated: Cell<u64>,
    pub(crate) dead: Cell<u64>,
}

/// Adds one to a counter.
#[inline]
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl<M: Message, P: Payload<M>> TopicLane<M, P> {
    pub(crate) fn new() -> Self {
        Self {
            queue: RefCell::default(),
            receivers: RefCell::new(Rc::from([])),
            heard: Cell::new(false),
            may_refuse: Cell::new(false),
            published: Cell::new(0),
            dispatched: Cell::new(0),
            delivered: Cell::new(0),
            dropped_unsubscribed: Cell::new(0),
            drops: Rc::default(),
            message: std::marker::PhantomData,
        }
    }

    /// Queues a message; `false` if nobody subscribes.
    #[inline]
    pub(crate) fn push(&self, sender: u32, message: M) -> Result<bool, Refused<M>> {
        if !self.heard.get() {
            return Ok(false);
        }
        if self.may_refuse.get() {
            for receiver in self.receivers.borrow().iter() {
                match receiver.policy {
                    PolicyKind::Block if receiver.to.is_full() => {
                        let own = receiver.to.seat() == sender;
                        return Err(if own { Refused::OwnFull(message) } else { Refused::Full(message) });
                    }
                    PolicyKind::Fail if receiver.to.is_full() => return Err(Refused::Fail(message)),
                    _ => {}
                }
            }
        }
        count(&self.published);
        self.queue.borrow_mut().push_back((sender, P::wrap(message)));
        Ok(true)
    }

    /// Adds a receiver of everything published from now on.
    pub(crate) fn add(&self, to: Rc<dyn Receive<P>>, subscription: &Subscription<M>) {
        let policy = match subscription.policy {
            Policy::Block => PolicyKind::Block,
            Policy::Fail => PolicyKind::Fail,
            _ => PolicyKind::Lossy,
        };
        let since = self.published.get();
        self.change(|receivers| receivers.push(Receiver { since, policy, to }));
    }

    fn change(&self, f: impl FnOnce(&mut Vec<Receiver<P>>)) {
        let mut receivers = self.receivers.borrow().to_vec();
        f(&mut receivers);
        self.heard.set(!receivers.is_empty());
        self.may_refuse.set(receivers.iter().any(|receiver| receiver.policy != PolicyKind::Lossy));
        *self.receivers.borrow_mut() = receivers.into();
    }
}

impl<M: Message, P: Payload<M>> AnyLane for TopicLane<M, P> {
    #[inline]
    fn dispatch(&self) {
        let Some((sender, payload)) = self.queue.borrow_mut().pop_front() else { return };
        let number = self.dispatched.get();
        self.dispatched.set(number + 1);
        let receivers = Rc::clone(&self.receivers.borrow());
        let Some((last, others)) = receivers.split_last() else { return };
        let mut delivered = 0;
        for receiver in others {
            if receiver.since <= number {
                delivered += u64::from(receiver.to.deliver(sender, payload.clone()));
            }
        }
        if last.since <= number {
            delivered += u64::from(last.to.deliver(sender, payload));
        }
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
            dropped_oldest: self.drops.oldest.get(),
            dropped_newest: self.drops.newest.get(),
            conflated: self.drops.conflated.get(),
            dropped_unsubscribed: self.dropped_unsubscribed.get(),
            dead_letters: self.drops.dead.get(),
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
        // Moved out before it is dropped: a message's drop is user code.
        drop(self.queue.take());
        drop(self.receivers.replace(Rc::from([])));
        self.heard.set(false);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
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
    fn dispatch(&self) {
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

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
