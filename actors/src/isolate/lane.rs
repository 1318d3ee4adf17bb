//! Typed queues of one isolate: a topic's, with many receivers, or a direct one to a single actor.
//!
//! The order between lanes is kept by the core, which holds one entry per waiting event; a lane keeps the
//! messages. They are written once; receivers read them in place, while more are written behind. One with a
//! destructor is dropped right after its last reader.

mod receive;

use std::cell::{Cell, OnceCell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use mycelium_mailbox::{Fifo, Held, Lent, Shared};

pub(crate) use self::receive::{HandsOn, LaneReceiving, Receive};
use super::changes::LaneChanges;
use super::core::{IsolateCore, Parts, QUEUE_CAPACITY, Refusal};
use super::gauge::{Gauge, Label};
use super::retained::Retained;
use super::{OUTSIDE, let_go};
use crate::subscription::Terms;
use crate::{Policy, Subscription, TopicStats};

/// What the core knows of a lane.
pub(crate) trait AnyLane: 'static {
    /// The way of its messages to those who receive now; until they change, it is not among the
    /// [`LaneChanges`] any more.
    fn way(self: Rc<Self>) -> Box<dyn LaneWay>;
    /// Its counters, if it is a topic's. `senders`: of the messages in its queue, the oldest first.
    fn stats(&self, senders: &[u32]) -> Option<TopicStats>;
    fn index(&self) -> u32;
    /// The name of its messages.
    fn name(&self) -> &'static str;
    /// How many messages wait, here and behind those who receive.
    fn waiting(&self) -> usize;
    /// Whether no message of its is queued.
    fn is_empty(&self) -> bool;
    /// Hands its last message to those who have not got it because one before them has panicked.
    fn deliver_rest(&self);
    /// Removes the receivers of a seat, and counts what they had not handled. `core` knows who sent what is
    /// in the queue.
    fn remove(&self, seat: u32, core: &IsolateCore);
    /// Drops receivers and what waits.
    fn clear(&self);
}

/// How the run loop hands out the messages of one lane, until its receivers change.
pub(crate) trait LaneWay {
    /// Delivers the oldest message.
    fn dispatch(&self, sender: u32);
}

/// That of a lane that was freed.
pub(crate) struct NoWay;

impl LaneWay for NoWay {
    fn dispatch(&self, _: u32) {}
}

/// Hands each message to all receivers in turn.
struct ToAll<M>(Rc<Lane<M>>);

impl<M: 'static> LaneWay for ToAll<M> {
    fn dispatch(&self, sender: u32) {
        self.0.hand_out_next(sender);
    }
}

struct Receiver<M> {
    /// Messages with a lower number were published before the subscription.
    since: u64,
    policy: PolicyKind,
    /// Of a topic's.
    terms: Option<Terms>,
    /// Whether it receives bytes.
    by_wire: bool,
    /// Not behind a count: from a `Box` it is found without a look at its alignment.
    to: Box<dyn Receive<M>>,
}

impl<M> Clone for Receiver<M> {
    fn clone(&self) -> Self {
        Self { to: self.to.again(), ..*self }
    }
}

/// The receivers of a lane, shared by whoever hands a message to them; nothing is allocated while there are
/// none.
struct Receivers<M>(Option<Rc<[Receiver<M>]>>);

impl<M> Clone for Receivers<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> Deref for Receivers<M> {
    type Target = [Receiver<M>];

    #[inline]
    fn deref(&self) -> &[Receiver<M>] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<M> FromIterator<Receiver<M>> for Receivers<M> {
    fn from_iter<I: IntoIterator<Item = Receiver<M>>>(receivers: I) -> Self {
        Self(Some(receivers.into_iter().collect::<Rc<[_]>>()).filter(|receivers| !receivers.is_empty()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PolicyKind {
    Block,
    Fail,
    Lossy,
}

/// The oldest message of a lane on its way to all receivers. It is forgotten at the end of that way: its drop
/// is an unwinding.
struct Round<'a, M: 'static> {
    lane: &'a Lane<M>,
    sender: u32,
    /// How many receivers are behind the one whose turn it is. All that is written for each.
    behind: usize,
}

impl<M: 'static> Drop for Round<'_, M> {
    /// A receiver has panicked, and no supervisor looks after it: those behind it get the message when that
    /// one has ended. What became of it where the panic was is counted there, as it is for a message that was
    /// delivered.
    #[cold]
    fn drop(&mut self) {
        let Self { lane, sender, behind } = *self;
        let number = lane.messages.taken() - 1;
        let receivers = lane.receivers.borrow().clone();
        if let Some(message) = lane.messages.lent() {
            let from = receivers.len() - behind;
            lane.leave_rest(Unread { message, receivers, from, number, sender });
        }
    }
}

/// A message that is to go to the receivers behind one that has panicked over it.
struct Unread<M> {
    message: Shared<M>,
    receivers: Receivers<M>,
    from: usize,
    number: u64,
    sender: u32,
}

/// What a new lane is told of its isolate.
pub(crate) struct LanePlace {
    pub(crate) index: u32,
    pub(crate) changes: Rc<LaneChanges>,
}

/// The queue and the receivers of one topic, or of the direct messages to one actor.
pub(crate) struct Lane<M> {
    index: u32,
    messages: Fifo<M>,
    receivers: RefCell<Receivers<M>>,
    /// Copied on change, so that a handler may subscribe while its topic is being dispatched.
    changed: RefCell<Option<Receivers<M>>>,
    has_changed: Cell<bool>,
    changes: Rc<LaneChanges>,
    rest: RefCell<Option<Unread<M>>>,
    /// Whether it is among the changes.
    is_listed: Cell<bool>,
    /// How many more were delivered than handed out: messages may go to several receivers, or to none. What a
    /// receiver keeps, or fails on, is among the delivered here.
    surplus: Cell<i64>,
    pub(crate) gauge: Rc<Gauge>,
    pub(super) retained: OnceCell<Box<Retained<M>>>,
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
        let gauge = Gauge::new(Label { message: name, topic: Some(topic), by_value: false });
        Self::new(place, Rc::new(gauge), Receivers(None))
    }

    /// A lane whose messages all go to one receiver, that waits when that is full.
    pub(crate) fn to_one(place: LanePlace, to: Box<dyn Receive<M>>, gauge: Rc<Gauge>) -> Self {
        let only = Receiver { since: 0, policy: PolicyKind::Block, terms: None, by_wire: false, to };
        let receivers = Receivers(Some(Rc::from([only])));
        gauge.is_heard(true);
        Self::new(place, gauge, receivers)
    }

    fn new(LanePlace { index, changes }: LanePlace, gauge: Rc<Gauge>, receivers: Receivers<M>) -> Self {
        Self {
            index,
            messages: Fifo::new(Self::BATCH_FIRST, QUEUE_CAPACITY),
            receivers: RefCell::new(receivers),
            changed: RefCell::default(),
            has_changed: Cell::new(false),
            changes,
            rest: RefCell::default(),
            is_listed: Cell::new(false),
            surplus: Cell::new(0),
            gauge,
            retained: OnceCell::new(),
        }
    }

    #[inline]
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Whether anybody receives.
    pub(crate) fn heard(&self) -> bool {
        self.gauge.heard()
    }

    /// Whether somebody receives and nobody refuses.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.gauge.is_open()
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
        let full = |policy| {
            let mut of_policy = receivers.iter().filter(move |receiver| receiver.policy == policy);
            of_policy.find(|receiver| receiver.to.is_full()).map(|receiver| receiver.to.seat())
        };
        let is_own = |receiver: &Receiver<M>| {
            let is_own = sender != OUTSIDE && receiver.to.seat() == sender;
            is_own && receiver.policy == PolicyKind::Block && receiver.to.is_full()
        };
        let in_seat = |seat: u32| Some(seat).filter(|seat| *seat != OUTSIDE);
        match full(PolicyKind::Fail) {
            Some(by) => Refusal::Fail(in_seat(by)),
            None if receivers.iter().any(is_own) => Refusal::OwnFull,
            None => Refusal::Full(full(PolicyKind::Block).and_then(in_seat)),
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
        self.hand_out(|message| {
            // Borrowed meanwhile; who changes it leaves the new list in `changed`.
            let receivers: &[_] = &self.receivers.borrow();
            let mut round = Round { lane: self, sender, behind: receivers.len() };
            // All of them get it, but for those whom it turns out to miss.
            self.add_surplus(receivers.len() as i64 - 1);
            let mut delivered = false;
            for receiver in receivers.iter() {
                round.behind -= 1;
                if receiver.since <= number && receiver.to.deliver(sender, message) {
                    delivered = true;
                } else {
                    self.add_surplus(-1);
                }
            }
            std::mem::forget(round);
            delivered
        });
        if self.has_changed.get() {
            self.take_over();
        }
    }

    /// Hands the oldest message to its one receiver.
    #[inline(always)]
    pub(crate) fn hand_out_to(&self, deliver: impl FnOnce(Lent<'_, M>) -> bool) {
        self.hand_out(|message| {
            let delivered = deliver(message);
            if !delivered {
                self.add_surplus(-1);
            }
            delivered
        });
    }

    /// Lets `deliver` have the oldest message. One with a destructor that nobody has read is dropped here:
    /// its drop is no handler's.
    #[inline(always)]
    fn hand_out(&self, deliver: impl FnOnce(Lent<'_, M>) -> bool) {
        if std::mem::needs_drop::<M>() {
            let_go(self.messages.next(|message| (!deliver(message)).then(|| message.share())));
        } else {
            self.messages.next(deliver);
        }
    }

    fn leave_rest(&self, rest: Unread<M>) {
        *self.rest.borrow_mut() = Some(rest);
        self.changes.leave_unfinished(self.index);
    }

    #[inline(always)]
    fn add_surplus(&self, messages: i64) {
        self.surplus.set(self.surplus.get() + messages);
    }

    /// The receivers of what is published from now on.
    fn current(&self) -> Receivers<M> {
        let changed = self.changed.borrow().clone();
        changed.unwrap_or_else(|| self.receivers.borrow().clone())
    }

    /// Has these receive what is published from now on.
    fn change(&self, receivers: Receivers<M>) {
        self.gauge.is_heard(!receivers.is_empty());
        let before = self.changed.replace(Some(receivers));
        self.has_changed.set(true);
        self.list_change();
        drop(before);
        self.take_over();
    }

    /// Lets the run loop look for the way anew.
    pub(crate) fn list_change(&self) {
        if !self.is_listed.replace(true) {
            self.changes.list(self.index);
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

    /// Removes receivers that take no more.
    pub(crate) fn forget_closed(&self, core: &IsolateCore) {
        self.leave(core, |receiver| receiver.to.is_closed());
    }

    /// Removes the receivers that `leave`, with what waits for them. How much of the queue was for actors
    /// among them.
    fn leave(&self, core: &IsolateCore, leave: impl Fn(&Receiver<M>) -> bool) -> u64 {
        let current = self.current();
        let gone: Vec<_> = current.iter().filter(|receiver| leave(receiver)).cloned().collect();
        let mut for_actors = 0;
        if gone.is_empty() {
            return for_actors;
        }
        let senders = if self.messages.is_empty() { Vec::new() } else { core.senders_to(self.index) };
        self.change(current.iter().filter(|receiver| !leave(receiver)).cloned().collect());
        for receiver in gone {
            let queued = self.queued_for(&receiver, &senders);
            self.gauge.left(queued);
            for_actors += if receiver.to.is_actor() { queued } else { 0 };
            receiver.to.close();
        }
        for_actors
    }

    /// How many messages of the queue are for this receiver.
    fn queued_for(&self, receiver: &Receiver<M>, senders: &[u32]) -> u64 {
        let queued = (self.messages.taken()..).zip(senders);
        queued.filter(|(number, sender)| receiver.since <= *number && receiver.to.hears(**sender)).count()
            as u64
    }
}

impl<M: 'static> Lane<M> {
    /// Adds a receiver of everything published from now on.
    pub(crate) fn add(&self, to: Box<dyn Receive<M>>, subscription: &Subscription<M>) {
        self.add_as(to, subscription, false);
    }

    /// The same for one who receives bytes.
    pub(crate) fn add_wire(&self, to: Box<dyn Receive<M>>, subscription: &Subscription<M>) {
        self.add_as(to, subscription, true);
    }

    fn add_as(&self, to: Box<dyn Receive<M>>, subscription: &Subscription<M>, by_wire: bool) {
        let policy = match subscription.policy {
            Policy::Block => PolicyKind::Block,
            Policy::Fail => PolicyKind::Fail,
            _ => PolicyKind::Lossy,
        };
        let (since, terms) = (self.published(), Some(subscription.terms()));
        let given = match self.retained() {
            Some(retained) if subscription.retained => retained.give(|sender| to.hears(sender)),
            _ => Vec::new(),
        };
        self.add_surplus(given.len() as i64);
        given.iter().for_each(|one| to.give(one.sender, one.at, one.lend()));
        self.changes.join(to.seat(), self.index);
        let new = Receiver { since, policy, terms, by_wire, to };
        self.change(self.current().iter().cloned().chain([new]).collect());
    }

    /// How the actor in this seat receives, if it does.
    pub(crate) fn terms_of(&self, seat: u32) -> Option<Terms> {
        self.terms_as(seat, false)
    }

    /// How the actor in this seat receives bytes, if it does.
    pub(crate) fn wire_terms_of(&self, seat: u32) -> Option<Terms> {
        self.terms_as(seat, true)
    }

    fn terms_as(&self, seat: u32, by_wire: bool) -> Option<Terms> {
        let receivers = self.current();
        receivers.iter().find(|other| other.by_wire == by_wire && other.to.seat() == seat)?.terms
    }

    /// Removes who receives messages, and not bytes, in this seat.
    pub(crate) fn remove_typed(&self, core: &IsolateCore, seat: u32) {
        self.leave(core, |receiver| !receiver.by_wire && receiver.to.seat() == seat);
    }

    /// Removes who receives bytes: in this seat, or if none is given, those that take no more.
    pub(crate) fn remove_wire(&self, core: &IsolateCore, seat: Option<u32>) {
        self.leave(core, |receiver| {
            let to = &receiver.to;
            receiver.by_wire && seat.map_or_else(|| to.is_closed(), |seat| to.seat() == seat)
        });
    }
}

impl<M: 'static> AnyLane for Lane<M> {
    fn way(self: Rc<Self>) -> Box<dyn LaneWay> {
        self.is_listed.set(false);
        match &*self.current() {
            // All that waits was published after this one subscribed.
            [only] if only.since <= self.messages.taken() => only.to.alone(self),
            _ => Box::new(ToAll(self)),
        }
    }

    fn index(&self) -> u32 {
        self.index
    }

    fn name(&self) -> &'static str {
        self.gauge.label.message
    }

    fn waiting(&self) -> usize {
        Self::waiting(self)
    }

    fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn stats(&self, senders: &[u32]) -> Option<TopicStats> {
        let (gauge, receivers) = (&self.gauge, self.current());
        let Label { message, topic, .. } = gauge.label;
        let topic = topic?;
        let kept =
            receivers.iter().map(|receiver| receiver.to.waiting() as u64).sum::<u64>() + gauge.in_hand();
        let queued: u64 = receivers.iter().map(|receiver| self.queued_for(receiver, senders)).sum();
        let taken = self.messages.taken().saturating_add_signed(self.surplus.get());
        let [retained, retained_given, retained_evicted] =
            self.retained().map(Retained::counts).unwrap_or_default();
        Some(TopicStats {
            message,
            topic,
            published: self.published(),
            delivered: taken.saturating_sub(kept + gauge.undone()),
            waiting: kept + queued,
            dropped_oldest: gauge.oldest.get(),
            dropped_newest: gauge.newest.get(),
            conflated: gauge.conflated.get(),
            dropped_unsubscribed: gauge.left_behind(),
            dead_letters: gauge.dead.get(),
            retained,
            retained_given,
            retained_evicted,
        })
    }

    fn deliver_rest(&self) {
        let Some(Unread { message, receivers, from, number, sender }) = self.rest.take() else { return };
        for (at, receiver) in receivers.iter().enumerate().skip(from) {
            // Should this one panic too.
            let (message, receivers) = (message.lend(), receivers.clone());
            self.leave_rest(Unread { message: message.share(), receivers, from: at + 1, number, sender });
            if receiver.since > number || !receiver.to.deliver(sender, message) {
                self.add_surplus(-1);
            }
        }
        self.changes.take_unfinished();
        let_go((self.rest.take(), message));
        if self.has_changed.get() {
            self.take_over();
        }
    }

    fn remove(&self, seat: u32, core: &IsolateCore) {
        // A direct lane keeps its receiver, which knows that its actor has ended and counts what still comes.
        if self.gauge.label.topic.is_none() {
            return;
        }
        let dead = self.leave(core, |receiver| receiver.to.seat() == seat);
        core.bury_queued(seat, self.gauge.label, dead);
    }

    fn clear(&self) {
        self.gauge.is_heard(false);
        let mut parts = Parts::new();
        parts.run(|| self.messages.clear());
        parts.run(|| drop(self.rest.take()));
        parts.run(|| self.retained().into_iter().for_each(Retained::clear));
        parts.run(|| self.change(Receivers(None)));
        parts.finish();
    }
}
