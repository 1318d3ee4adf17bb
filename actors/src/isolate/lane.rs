//! Typed queues of one isolate: a topic's, with many receivers, or a direct one to a single actor.
//!
//! The order between lanes is kept by the core, which holds one entry per waiting event; a lane keeps the messages. They
//! are written once; receivers read them in place, while more are written behind. One with a destructor is dropped right after
//! its last reader.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use mycelium_mailbox::{Fifo, Held, Lent, Shared};

use super::core::{QUEUE_CAPACITY, Refusal};
use super::let_go;
use super::signals::Signals;
use crate::subscription::Terms;
use crate::{Message, Policy, Subscription, TopicStats};

/// What the core knows of a lane.
pub(crate) trait AnyLane: 'static {
    /// The way of its messages to those who receive now; until they change, it is not among the [`Changes`] any more.
    fn way(self: Rc<Self>) -> Box<dyn Way>;
    fn stats(&self) -> Option<TopicStats>;
    /// The name of its messages.
    fn name(&self) -> &'static str;
    /// Removes the receivers of a seat, and counts what they had not handled.
    fn remove(&self, seat: u32);
    /// Drops receivers and what waits.
    fn clear(&self);
}

/// How the run loop hands out the messages of one lane, until its receivers change.
pub(crate) trait Way {
    /// Delivers the oldest message.
    fn dispatch(&self, sender: u32);
}

/// Hands each message to all receivers in turn.
struct ToAll<M>(Rc<Lane<M>>);

impl<M: 'static> Way for ToAll<M> {
    fn dispatch(&self, sender: u32) {
        self.0.hand_out_next(sender);
    }
}

/// Where a lane's messages end: an actor's subscription or a service's subscriber.
pub(crate) trait Receive<M> {
    /// A way that knows this as the one receiver of `lane`: one call through a pointer less for each message, and fewer
    /// pointers that one event must follow before the next can begin.
    fn alone(self: Rc<Self>, lane: Rc<Lane<M>>) -> Box<dyn Way>
    where
        M: 'static,
    {
        Box::new(ToAll(lane))
    }
    /// Handles the message, or keeps it while the actor waits. `false`: it was dropped or skipped.
    fn deliver(&self, sender: u32, message: Lent<'_, M>) -> bool;
    /// Notes that it is about to be delivered, where it may have to be tried again.
    fn hold(&self, message: Lent<'_, M>) {
        let _ = message;
    }
    /// The seat this belongs to.
    fn seat(&self) -> u32;
    /// Whether its own queue has reached its capacity.
    fn is_full(&self) -> bool;
    /// How many messages an actor that is busy has not taken yet.
    fn waiting(&self) -> usize {
        0
    }
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
    /// Of a topic's.
    terms: Option<Terms>,
    to: Rc<dyn Receive<M>>,
}

impl<M> Clone for Receiver<M> {
    fn clone(&self) -> Self {
        Self { to: Rc::clone(&self.to), ..*self }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PolicyKind {
    Block,
    Fail,
    Lossy,
}

/// What a new lane is told of its isolate.
pub(crate) struct LanePlace {
    pub(crate) index: u32,
    pub(crate) changes: Rc<Changes>,
}

/// The lanes whose ways the run loop has to look for anew, each once.
pub(crate) struct Changes {
    /// Raised for each, so that the run loop looks at one mark for this and all else.
    signals: Arc<Signals>,
    lanes: RefCell<Vec<u32>>,
}

impl Changes {
    pub(crate) fn new(signals: Arc<Signals>) -> Self {
        Self { signals, lanes: RefCell::default() }
    }

    pub(crate) fn take(&self) -> Vec<u32> {
        self.lanes.take()
    }
}

/// The queue and the receivers of one topic, or of the direct messages to one actor.
pub(crate) struct Lane<M> {
    index: u32,
    name: &'static str,
    /// `None` for direct messages.
    topic: Option<&'static str>,
    messages: Fifo<M>,
    receivers: RefCell<Rc<[Receiver<M>]>>,
    /// Copied on change, so that a handler may subscribe while its topic is being dispatched.
    changed: RefCell<Option<Rc<[Receiver<M>]>>>,
    has_changed: Cell<bool>,
    changes: Rc<Changes>,
    /// Whether it is among the changes.
    is_listed: Cell<bool>,
    /// How many more were delivered than handed out: messages may go to several receivers, or to none.
    surplus: Cell<i64>,
    dropped_unsubscribed: Cell<u64>,
    pub(crate) gauge: Rc<Gauge>,
}

/// What a lane shares with its subscriptions: how many of them refuse, and what their policies dropped.
#[derive(Default)]
pub(crate) struct Gauge {
    /// Whether somebody receives and nobody refuses: all that the usual publish looks at.
    open: Cell<bool>,
    heard: Cell<bool>,
    /// Subscriptions that are full and refuse publishes.
    full: Cell<u32>,
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
        self.look();
    }

    fn is_heard(&self, heard: bool) {
        self.heard.set(heard);
        self.look();
    }

    fn look(&self) {
        self.open.set(self.heard.get() && self.full.get() == 0);
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

    pub(crate) fn of_topic(place: LanePlace, name: &'static str, topic: &'static str) -> Self {
        Self::new(place, name, Some(topic), Rc::from([]))
    }

    /// A lane whose messages all go to one receiver, that waits when that is full.
    pub(crate) fn to_one(
        place: LanePlace,
        name: &'static str,
        to: Rc<dyn Receive<M>>,
        gauge: Rc<Gauge>,
    ) -> Self {
        let receivers = Rc::from([Receiver { since: 0, policy: PolicyKind::Block, terms: None, to }]);
        gauge.is_heard(true);
        Self { gauge, ..Self::new(place, name, None, receivers) }
    }

    fn new(
        LanePlace { index, changes }: LanePlace,
        name: &'static str,
        topic: Option<&'static str>,
        receivers: Rc<[Receiver<M>]>,
    ) -> Self {
        Self {
            index,
            name,
            topic,
            messages: Fifo::new(Self::BATCH_FIRST, QUEUE_CAPACITY),
            receivers: RefCell::new(receivers),
            changed: RefCell::default(),
            has_changed: Cell::new(false),
            changes,
            is_listed: Cell::new(false),
            surplus: Cell::new(0),
            dropped_unsubscribed: Cell::new(0),
            gauge: Rc::default(),
        }
    }

    #[inline]
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Whether anybody receives.
    pub(crate) fn heard(&self) -> bool {
        self.gauge.heard.get()
    }

    /// Whether somebody receives and nobody refuses.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.gauge.open.get()
    }

    /// Takes the message out of `message`, where there is one, whoever is full.
    #[inline(always)]
    pub(crate) fn write_from(&self, message: &mut Held<M, impl Sized>) {
        self.messages.push_from(message);
    }

    /// Takes the message whoever is full.
    #[inline(always)]
    pub(crate) fn write(&self, message: M) {
        self.messages.push(message);
    }

    /// Why it is not open although somebody receives.
    #[cold]
    pub(crate) fn refusal(&self, sender: u32) -> Refusal {
        let receivers = self.current();
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

    /// How many messages wait, here and behind those who receive.
    pub(crate) fn waiting(&self) -> usize {
        self.messages.len() + self.current().iter().map(|receiver| receiver.to.waiting()).sum::<usize>()
    }

    /// How many messages were published so far.
    fn published(&self) -> u64 {
        self.messages.taken() + self.messages.len() as u64
    }

    /// Hands the oldest message to everybody who was there when it was published.
    #[inline(always)]
    pub(crate) fn hand_out_next(&self, sender: u32) {
        let number = self.messages.taken();
        let unread = self.messages.next(|message| {
            // Borrowed meanwhile; who changes it leaves the new list in `changed`.
            let receivers = self.receivers.borrow();
            let mut surplus = -1;
            for receiver in receivers.iter() {
                if receiver.since <= number {
                    surplus += i64::from(receiver.to.deliver(sender, message));
                }
            }
            self.surplus.set(self.surplus.get() + surplus);
            Self::unread(surplus >= 0, message)
        });
        if std::mem::needs_drop::<M>() {
            let_go(unread);
        }
        if self.has_changed.get() {
            self.take_over();
        }
    }

    /// Hands the oldest message to its one receiver.
    #[inline(always)]
    pub(crate) fn hand_out_to(&self, deliver: impl FnOnce(Lent<'_, M>) -> bool) {
        let unread = self.messages.next(|message| {
            let delivered = deliver(message);
            if !delivered {
                self.surplus.set(self.surplus.get() - 1);
            }
            Self::unread(delivered, message)
        });
        if std::mem::needs_drop::<M>() {
            let_go(unread);
        }
    }

    /// Keeps a message with a destructor that nobody has read: its drop is no handler's.
    #[inline(always)]
    fn unread(delivered: bool, message: Lent<'_, M>) -> Option<Shared<M>> {
        (std::mem::needs_drop::<M>() && !delivered).then(|| message.share())
    }

    /// The receivers of what is published from now on.
    fn current(&self) -> Rc<[Receiver<M>]> {
        let changed = self.changed.borrow().clone();
        changed.unwrap_or_else(|| Rc::clone(&self.receivers.borrow()))
    }

    fn change(&self, f: impl FnOnce(&mut Vec<Receiver<M>>)) {
        let mut receivers = self.current().to_vec();
        f(&mut receivers);
        self.gauge.is_heard(!receivers.is_empty());
        let before = self.changed.replace(Some(receivers.into()));
        self.has_changed.set(true);
        self.list_change();
        drop(before);
        self.take_over();
    }

    /// Lets the run loop look for the way anew.
    pub(crate) fn list_change(&self) {
        if !self.is_listed.replace(true) {
            self.changes.lanes.borrow_mut().push(self.index);
            self.changes.signals.raise();
        }
    }

    /// Goes on with the changed list, unless a message is being handed out with the one before.
    #[cold]
    fn take_over(&self) {
        let Ok(mut receivers) = self.receivers.try_borrow_mut() else { return };
        let Some(changed) = self.changed.take() else { return };
        self.has_changed.set(false);
        let before = std::mem::replace(&mut *receivers, changed);
        drop(receivers);
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
        let (since, terms) = (self.published(), Some(subscription.terms()));
        self.change(|receivers| receivers.push(Receiver { since, policy, terms, to }));
    }

    /// How the actor in this seat receives, if it does.
    pub(crate) fn terms_of(&self, seat: u32) -> Option<Terms> {
        self.current().iter().find(|receiver| receiver.to.seat() == seat)?.terms
    }
}

impl<M: 'static> AnyLane for Lane<M> {
    fn way(self: Rc<Self>) -> Box<dyn Way> {
        self.is_listed.set(false);
        match &*self.current() {
            // All that waits was published after this one subscribed.
            [only] if only.since <= self.messages.taken() => Rc::clone(&only.to).alone(self),
            _ => Box::new(ToAll(self)),
        }
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn stats(&self) -> Option<TopicStats> {
        Some(TopicStats {
            message: self.name,
            topic: self.topic?,
            published: self.published(),
            delivered: self.messages.taken().saturating_add_signed(self.surplus.get()),
            waiting: 0,
            dropped_oldest: self.gauge.oldest.get(),
            dropped_newest: self.gauge.newest.get(),
            conflated: self.gauge.conflated.get(),
            dropped_unsubscribed: self.dropped_unsubscribed.get(),
            dead_letters: self.gauge.dead.get(),
        })
    }

    fn remove(&self, seat: u32) {
        // A direct lane keeps its receiver, which knows that its actor has ended and counts what still comes.
        if self.topic.is_none() {
            return;
        }
        let gone: Vec<_> = self.current().iter().filter(|r| r.to.seat() == seat).cloned().collect();
        if gone.is_empty() {
            return;
        }
        self.change(|receivers| receivers.retain(|receiver| receiver.to.seat() != seat));
        for receiver in gone {
            let queued = self.published() - self.messages.taken().max(receiver.since);
            let dropped = receiver.to.close() + queued;
            self.dropped_unsubscribed.set(self.dropped_unsubscribed.get() + dropped);
        }
    }

    fn clear(&self) {
        self.gauge.is_heard(false);
        self.messages.clear();
        self.change(Vec::clear);
    }
}
