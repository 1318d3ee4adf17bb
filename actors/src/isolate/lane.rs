//! Typed queues of one isolate: a topic's, with many receivers, or a direct one to a single actor.
//!
//! The order between lanes is kept by the core, which holds one entry per waiting event; a lane keeps the
//! messages. They are written once; receivers read them in place, while more are written behind. One with a
//! destructor is dropped right after its last reader.

mod receive;
mod receivers;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use mycelium_mailbox::{Fifo, Lent, Present, Shared};

pub(crate) use self::receive::{HandsOn, LaneReceiving, Receive};
use self::receivers::{PolicyKind, Receiver, Receivers};
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
    /// Whether nobody sends what goes by it: see [`Label::own`](super::gauge::Label).
    fn is_own(&self) -> bool;
    /// How many messages wait, here and behind those who receive.
    fn waiting(&self) -> usize;
    /// Whether no message of its is queued.
    fn is_empty(&self) -> bool;
    /// How many messages may come before one has to wait, while none is queued.
    fn room(&self) -> usize;
    /// Hands its last message to those who have not got it because one before them has panicked.
    fn deliver_rest(&self);
    /// Removes the receivers of a seat, which have these tickets, and counts what they had not handled.
    /// `core` knows who sent what is in the queue.
    fn remove(&self, seat: u32, tickets: &[u64], core: &IsolateCore);
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
    /// one has ended. Its fate where the panic was is counted there, as it is for a message that was
    /// delivered.
    #[cold]
    fn drop(&mut self) {
        let Self { lane, sender, behind } = *self;
        let number = lane.messages.taken() - 1;
        if let Some(message) = lane.messages.lent() {
            let from = lane.receivers.lend().len() - behind;
            *lane.rest.borrow_mut() = Some(Unread { message, from, number, sender });
            lane.receivers.hold(true);
            lane.changes.leave_unfinished(lane.index);
        }
    }
}

/// A message that is to go to the receivers behind one that has panicked over it. As long as there is one,
/// the list of receivers is held.
struct Unread<M> {
    message: Shared<M>,
    /// The place of the first of them.
    from: usize,
    number: u64,
    sender: u32,
}

impl<M> Clone for Unread<M> {
    fn clone(&self) -> Self {
        Self { message: self.message.clone(), ..*self }
    }
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
    receivers: Receivers<M>,
    changes: Rc<LaneChanges>,
    rest: RefCell<Option<Unread<M>>>,
    /// Whether it is among the changes.
    is_listed: Cell<bool>,
    /// How many more were delivered than handed out: messages may go to several receivers, or to none.
    /// Messages that a receiver keeps, or fails on, are among the delivered here.
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
        let gauge = Gauge::new(Label { message: name, topic: Some(topic), by_value: false, own: false });
        Self::new(place, Rc::new(gauge))
    }

    /// A lane whose messages all go to one receiver, that waits when that is full.
    pub(crate) fn to_one(place: LanePlace, to: Box<dyn Receive<M>>, gauge: Rc<Gauge>) -> Self {
        gauge.is_heard(true);
        let lane = Self::new(place, gauge);
        lane.receivers.join(Receiver::new(0, PolicyKind::Block, None, false, to));
        lane
    }

    fn new(LanePlace { index, changes }: LanePlace, gauge: Rc<Gauge>) -> Self {
        gauge.is_of(&changes, index);
        Self {
            index,
            messages: Fifo::new(Self::BATCH_FIRST, QUEUE_CAPACITY),
            receivers: Receivers::default(),
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

    /// Takes the message out of where it is held, whoever is full.
    #[inline(always)]
    pub(crate) fn write_from(&self, message: Present<'_, M, impl Sized>) {
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
        let (mut fails, mut blocks, mut is_own) = (None, None, false);
        self.receivers.with(|receivers| {
            for Receiver { policy, to, .. } in receivers.filter(|receiver| receiver.to.is_full()) {
                match policy {
                    PolicyKind::Fail => _ = fails.get_or_insert(to.seat()),
                    PolicyKind::Block => {
                        is_own |= sender != OUTSIDE && to.seat() == sender;
                        blocks.get_or_insert(to.seat());
                    }
                    PolicyKind::Lossy => {}
                }
            }
        });
        let in_seat = |seat: u32| Some(seat).filter(|seat| *seat != OUTSIDE);
        match fails {
            Some(by) => Refusal::Fail(in_seat(by)),
            None if is_own => Refusal::OwnFull,
            None => Refusal::Full(blocks.and_then(in_seat)),
        }
    }

    /// How many messages wait, here and behind those who receive.
    pub(crate) fn waiting(&self) -> usize {
        let behind = |receivers: &mut dyn Iterator<Item = &Receiver<M>>| {
            receivers.map(|receiver| receiver.to.waiting()).sum::<usize>()
        };
        self.messages.len() + self.receivers.with(behind)
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
            let receivers: &[_] = &self.receivers.lend();
            let mut round = Round { lane: self, sender, behind: receivers.len() };
            // All of them get it, but for those whom it turns out to miss.
            self.add_surplus(receivers.len() as i64 - 1);
            let mut delivered = false;
            for receiver in receivers.iter() {
                round.behind -= 1;
                if receiver.deliver(number, sender, message) {
                    delivered = true;
                } else {
                    self.add_surplus(-1);
                }
            }
            std::mem::forget(round);
            delivered
        });
        if self.receivers.has_changed() {
            self.receivers.settle();
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

    #[inline(always)]
    fn add_surplus(&self, messages: i64) {
        self.surplus.set(self.surplus.get() + messages);
    }

    /// Lets the run loop look for the way anew.
    pub(crate) fn list_change(&self) {
        if !self.is_listed.replace(true) {
            self.changes.list(self.index);
        }
    }

    /// The receivers with these tickets leave, with what waits for them. How much of the queue was for actors
    /// among them.
    pub(crate) fn leave(&self, core: &IsolateCore, tickets: &[u64]) -> u64 {
        let left = |ticket: &u64| Some((*ticket, self.receivers.leave(*ticket)?));
        let gone: Vec<_> = tickets.iter().filter_map(left).collect();
        let mut for_actors = 0;
        if gone.is_empty() {
            return for_actors;
        }
        self.have_changed();
        let senders = if self.messages.is_empty() { Vec::new() } else { core.senders_to(self.index) };
        for (ticket, left) in &gone {
            self.receivers.look(left, |receiver| {
                self.changes.leave(receiver.to.seat(), self.index, *ticket);
                let queued = self.queued_for(receiver, &senders);
                self.gauge.left(queued);
                for_actors += if receiver.to.is_actor() { queued } else { 0 };
                receiver.to.close();
            });
        }
        for_actors
    }

    /// Others receive what is published from now on.
    fn have_changed(&self) {
        self.gauge.is_heard(self.receivers.there() > 0);
        self.list_change();
    }

    /// How many messages of the queue are for this receiver.
    fn queued_for(&self, receiver: &Receiver<M>, senders: &[u32]) -> u64 {
        let queued = (self.messages.taken()..).zip(senders);
        queued.filter(|(number, sender)| receiver.since <= *number && receiver.to.hears(**sender)).count()
            as u64
    }
}

impl<M: 'static> Lane<M> {
    /// Adds a receiver of everything published from now on; says its ticket.
    pub(crate) fn add(&self, to: Box<dyn Receive<M>>, subscription: &Subscription<M>) -> u64 {
        self.add_as(to, subscription, false)
    }

    /// The same for one who receives bytes.
    pub(crate) fn add_wire(&self, to: Box<dyn Receive<M>>, subscription: &Subscription<M>) -> u64 {
        self.add_as(to, subscription, true)
    }

    fn add_as(&self, to: Box<dyn Receive<M>>, subscription: &Subscription<M>, by_wire: bool) -> u64 {
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
        given.iter().for_each(|one| to.give(one.published, one.lend()));
        let seat = to.seat();
        let ticket = self.receivers.join(Receiver::new(since, policy, terms, by_wire, to));
        self.changes.join(seat, self.index, ticket);
        self.have_changed();
        ticket
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
        let ticket = self.ticket_of(seat, by_wire)?;
        self.receivers.find(ticket, |receiver| receiver.terms)?
    }

    /// The ticket of the actor in this seat.
    fn ticket_of(&self, seat: u32, by_wire: bool) -> Option<u64> {
        let receives = |ticket| self.receivers.find(ticket, |receiver| receiver.by_wire == by_wire);
        let mut tickets = self.changes.tickets_of(seat, self.index).into_iter();
        tickets.find(|ticket| receives(*ticket) == Some(true))
    }

    /// Removes the actor in this seat, which receives messages, and not bytes.
    pub(crate) fn remove_typed(&self, core: &IsolateCore, seat: u32) {
        self.leave(core, self.ticket_of(seat, false).as_slice());
    }

    /// Removes the actor in this seat, which receives bytes.
    pub(crate) fn remove_wire(&self, core: &IsolateCore, seat: u32) {
        self.leave(core, self.ticket_of(seat, true).as_slice());
    }
}

impl<M: 'static> AnyLane for Lane<M> {
    fn way(self: Rc<Self>) -> Box<dyn LaneWay> {
        self.is_listed.set(false);
        // A message whose destructor has panicked may have left it to this.
        self.receivers.settle();
        // Where all that waits was published after the only one subscribed.
        let alone = |only: &Receiver<M>| {
            (only.since <= self.messages.taken()).then(|| only.to.alone(Rc::clone(&self)))
        };
        let way = self.receivers.only(alone).flatten();
        way.unwrap_or_else(|| Box::new(ToAll(self)))
    }

    fn index(&self) -> u32 {
        self.index
    }

    fn name(&self) -> &'static str {
        self.gauge.label.message
    }

    fn is_own(&self) -> bool {
        self.gauge.label.own
    }

    fn waiting(&self) -> usize {
        Self::waiting(self)
    }

    fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn room(&self) -> usize {
        if self.gauge.is_waited_for() {
            return 0;
        }
        // Where a publish fails, or nobody receives, all those that wait are told.
        if !self.gauge.heard() || self.gauge.is_refused() {
            return usize::MAX;
        }
        let least = self.receivers.with(|receivers| {
            let strict = receivers.filter(|receiver| receiver.policy == PolicyKind::Block);
            strict.map(|receiver| receiver.to.room()).min()
        });
        least.map_or(usize::MAX, |least| least.max(1))
    }

    fn stats(&self, senders: &[u32]) -> Option<TopicStats> {
        let gauge = &self.gauge;
        let Label { message, topic, .. } = gauge.label;
        let topic = topic?;
        let (mut kept, mut queued) = (gauge.in_hand(), 0);
        self.receivers.with(|receivers| {
            for receiver in receivers {
                kept += receiver.to.waiting() as u64;
                queued += self.queued_for(receiver, senders);
            }
        });
        let taken = self.messages.taken().saturating_add_signed(self.surplus.get());
        let [retained, retained_given, retained_evicted] =
            self.retained().map(Retained::counts).unwrap_or_default();
        Some(TopicStats {
            message,
            topic,
            published: self.published(),
            unheard: 0,
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
        let rest = self.rest.borrow().clone();
        let Some(Unread { message, from, number, sender }) = rest else { return };
        // Should one of these panic too.
        self.changes.leave_unfinished(self.index);
        let receivers = self.receivers.lend();
        for (at, receiver) in receivers.iter().enumerate().skip(from) {
            self.rest.borrow_mut().iter_mut().for_each(|rest| rest.from = at + 1);
            if !receiver.deliver(number, sender, message.lend()) {
                self.add_surplus(-1);
            }
        }
        drop(receivers);
        self.changes.take_unfinished();
        let rest = self.rest.take();
        self.receivers.hold(false);
        let_go((rest, message));
        self.receivers.settle();
    }

    fn remove(&self, seat: u32, tickets: &[u64], core: &IsolateCore) {
        let dead = self.leave(core, tickets);
        core.bury_queued(seat, self.gauge.label, dead);
    }

    fn clear(&self) {
        self.gauge.is_heard(false);
        let mut parts = Parts::new();
        parts.run(|| self.messages.clear());
        parts.run(|| drop(self.rest.take()));
        parts.run(|| self.retained().into_iter().for_each(Retained::clear));
        self.list_change();
        parts.run(|| self.receivers.clear());
        parts.finish();
    }
}
