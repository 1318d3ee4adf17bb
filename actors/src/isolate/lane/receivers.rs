//! Where the messages of a lane go, in the order in which those came who receive them.
//!
//! # Protocol
//! Each receiver has a ticket, and tickets rise, so one is found by halves. The list is *lent* while a
//! message is handed out, or while some are still to get one because a receiver before them has panicked.
//! Until then its places stay as they are: one that comes waits in `new`, and one that leaves is marked and
//! stays, as it has to count the message that it does not get. [`Receivers::settle`] follows.
//!
//! At all other times one that comes is put at the end. One that leaves is taken out of its place, which
//! stays empty: a message passes it by, as it does a receiver that has come later. Empty places are swept out
//! at once in a short list, and else when they are an eighth of all. So coming and leaving cost the same
//! however many there are, and one receiver that is left is the only one of its list.
//!
//! The drop of a receiver may be foreign code: it is dropped while nothing is borrowed.

use std::cell::{Cell, Ref, RefCell};

use mycelium_mailbox::Lent;

use super::receive::{LaneReceiving, Receive};
use crate::isolate::retained::PublishedAt;
use crate::isolate::{OUTSIDE, let_go};
use crate::subscription::Terms;

/// A list this short has no empty places (receivers).
const SHORT: usize = 16;

/// In a longer one, one place of so many may be empty.
const EMPTY_SHARE: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PolicyKind {
    Block,
    Fail,
    Lossy,
}

pub(super) struct Receiver<M> {
    /// Messages with a lower number were published before the subscription. No message has the highest: the
    /// place is empty.
    pub(super) since: u64,
    ticket: u64,
    /// Of a topic's.
    pub(super) terms: Option<Terms>,
    pub(super) policy: PolicyKind,
    /// Whether it receives bytes.
    pub(super) by_wire: bool,
    /// It has left while the list was lent.
    has_left: Cell<bool>,
    /// Not behind a count: from a `Box` it is found without a look at its alignment.
    pub(super) to: Box<dyn Receive<M>>,
}

impl<M: 'static> Receiver<M> {
    pub(super) fn new(
        since: u64,
        policy: PolicyKind,
        terms: Option<Terms>,
        by_wire: bool,
        to: Box<dyn Receive<M>>,
    ) -> Self {
        Self { since, ticket: 0, terms, policy, by_wire, has_left: Cell::new(false), to }
    }

    /// Takes it out; its place stays, empty.
    fn take(&mut self) -> Self {
        let empty = Self::new(u64::MAX, PolicyKind::Lossy, None, false, Box::new(Nobody));
        std::mem::replace(self, Self { ticket: self.ticket, ..empty })
    }

    fn is_empty(&self) -> bool {
        self.since == u64::MAX
    }

    /// Hands it the message with this number: whether it was delivered.
    #[inline(always)]
    pub(super) fn deliver(&self, number: u64, sender: u32, message: Lent<'_, M>) -> bool {
        self.since <= number
            && !(self.has_left.get() && self.to.misses(sender))
            && self.to.deliver(sender, message)
    }

    fn is_there(&self) -> bool {
        !self.is_empty() && !self.has_left.get()
    }
}

/// One that has left.
pub(super) enum LeftReceiver<M> {
    /// It is to be dropped where nothing is borrowed.
    Out(Receiver<M>),
    /// It is at this place until the list is lent no more.
    Marked(usize),
}

/// The receivers of one lane.
pub(super) struct Receivers<M> {
    /// By rising tickets.
    list: RefCell<Vec<Receiver<M>>>,
    /// Those that came while the list was lent, by rising tickets.
    new: RefCell<Vec<Receiver<M>>>,
    tickets: Cell<u64>,
    there: Cell<usize>,
    /// Empty places in the list.
    empty: Cell<usize>,
    /// Whether some are still to get a message.
    held: Cell<bool>,
    /// Whether any have come or left while the list was lent.
    has_changed: Cell<bool>,
    /// Whether any have left so.
    has_marks: Cell<bool>,
}

impl<M> Default for Receivers<M> {
    fn default() -> Self {
        let (list, new, tickets, there, empty, held, has_changed, has_marks) = Default::default();
        Self { list, new, tickets, there, empty, held, has_changed, has_marks }
    }
}

impl<M: 'static> Receivers<M> {
    /// How many there are.
    pub(super) fn there(&self) -> usize {
        self.there.get()
    }

    /// Lends the list: its places stay as they are until all that is lent was given back.
    #[inline(always)]
    pub(super) fn lend(&self) -> Ref<'_, Vec<Receiver<M>>> {
        self.list.borrow()
    }

    /// Keeps its places as they are until this is called with `false`.
    pub(super) fn hold(&self, hold: bool) {
        self.held.set(hold);
    }

    /// Whether it is to be settled when it is lent no more.
    #[inline(always)]
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed.get()
    }

    fn is_lent(&self) -> bool {
        self.held.get() || self.list.try_borrow_mut().is_err()
    }

    /// Adds one behind all others; says its ticket.
    pub(super) fn join(&self, receiver: Receiver<M>) -> u64 {
        let ticket = self.tickets.get();
        self.tickets.set(ticket + 1);
        self.there.set(self.there.get() + 1);
        let is_lent = self.is_lent();
        if is_lent {
            self.has_changed.set(true);
        }
        let mut list = if is_lent { self.new.borrow_mut() } else { self.list.borrow_mut() };
        if list.len() == list.capacity() {
            // Most lists have one.
            let more = list.len().max(1);
            list.reserve_exact(more);
        }
        list.push(Receiver { ticket, ..receiver });
        ticket
    }

    /// The one with this ticket leaves, if it is there.
    pub(super) fn leave(&self, ticket: u64) -> Option<LeftReceiver<M>> {
        let left = if self.is_lent() { self.leave_lent(ticket) } else { self.leave_list(ticket) }?;
        self.there.set(self.there.get() - 1);
        Some(left)
    }

    fn leave_lent(&self, ticket: u64) -> Option<LeftReceiver<M>> {
        let list = self.list.borrow();
        if let Some(at) = place_of(&list, ticket) {
            list[at].has_left.set(true);
            self.has_marks.set(true);
            self.has_changed.set(true);
            return Some(LeftReceiver::Marked(at));
        }
        let mut new = self.new.borrow_mut();
        let at = place_of(&new, ticket)?;
        Some(LeftReceiver::Out(new[at].take()))
    }

    fn leave_list(&self, ticket: u64) -> Option<LeftReceiver<M>> {
        let mut list = self.list.borrow_mut();
        let at = place_of(&list, ticket)?;
        let left = list[at].take();
        self.empty.set(self.empty.get() + 1);
        self.sweep(&mut list);
        Some(LeftReceiver::Out(left))
    }

    /// What `look` sees of one that has just left. Foreign code may run in it.
    pub(super) fn look<R>(&self, left: &LeftReceiver<M>, look: impl FnOnce(&Receiver<M>) -> R) -> R {
        match left {
            LeftReceiver::Out(receiver) => look(receiver),
            LeftReceiver::Marked(at) => look(&self.list.borrow()[*at]),
        }
    }

    /// What `look` sees of the one with this ticket, if it is there.
    pub(super) fn find<R>(&self, ticket: u64, look: impl FnOnce(&Receiver<M>) -> R) -> Option<R> {
        let (list, new) = (self.list.borrow(), self.new.borrow());
        let found = place_of(&list, ticket).map(|at| &list[at]);
        found.or_else(|| place_of(&new, ticket).map(|at| &new[at])).map(look)
    }

    /// What `look` sees of all that are there, in order.
    pub(super) fn with<R>(&self, look: impl FnOnce(&mut dyn Iterator<Item = &Receiver<M>>) -> R) -> R {
        let (list, new) = (self.list.borrow(), self.new.borrow());
        look(&mut list.iter().chain(new.iter()).filter(|receiver| receiver.is_there()))
    }

    /// What `look` sees of the only one that is there.
    pub(super) fn only<R>(&self, look: impl FnOnce(&Receiver<M>) -> R) -> Option<R> {
        match &**self.list.borrow() {
            [only] if self.there() == 1 && only.is_there() => Some(look(only)),
            _ => None,
        }
    }

    /// Brings the list up to date, unless it is lent.
    #[cold]
    pub(super) fn settle(&self) {
        if !self.has_changed.get() || self.is_lent() {
            return;
        }
        self.has_changed.set(false);
        let new = self.new.take();
        let mut list = self.list.borrow_mut();
        let mut gone = Vec::new();
        if self.has_marks.replace(false) {
            list.iter().for_each(|_| count_step());
            gone.extend(list.extract_if(.., |receiver| !receiver.is_there()));
            self.empty.set(0);
        }
        list.extend(new.into_iter().filter(Receiver::is_there));
        give_back(&mut list);
        drop(list);
        let_go(gone);
    }

    fn sweep(&self, list: &mut Vec<Receiver<M>>) {
        let places = list.len();
        if places > SHORT && self.empty.get() * EMPTY_SHARE < places {
            return;
        }
        list.iter().for_each(|_| count_step());
        list.retain(|receiver| !receiver.is_empty());
        self.empty.set(0);
        give_back(list);
    }

    /// Takes all of them out, and out of lists that are lent those that have come since.
    pub(super) fn clear(&self) {
        self.held.set(false);
        self.there.set(0);
        let new = self.new.take();
        let list = self.list.try_borrow_mut().map(|mut list| std::mem::take(&mut *list)).unwrap_or_default();
        self.empty.set(0);
        drop((list, new));
    }
}

/// Where the one with this ticket is, if it is there.
fn place_of<M: 'static>(list: &[Receiver<M>], ticket: u64) -> Option<usize> {
    let found = list.binary_search_by(|receiver| {
        count_step();
        receiver.ticket.cmp(&ticket)
    });
    found.ok().filter(|at| list[*at].is_there())
}

/// Gives back memory of a list that was much longer: as many as there are may come again.
fn give_back<M>(list: &mut Vec<Receiver<M>>) {
    if list.capacity() > SHORT && list.len() * 4 <= list.capacity() {
        list.shrink_to(list.len() * 2);
    }
}

/// What an empty place leads to: no message gets there.
struct Nobody;

impl LaneReceiving for Nobody {
    fn seat(&self) -> u32 {
        OUTSIDE
    }

    fn hears(&self, _: u32) -> bool {
        false
    }

    fn is_full(&self) -> bool {
        false
    }

    fn room(&self) -> usize {
        usize::MAX
    }

    fn waiting(&self) -> usize {
        0
    }

    fn is_actor(&self) -> bool {
        false
    }

    fn close(&self) {}
}

impl<M> Receive<M> for Nobody {
    fn deliver(&self, _: u32, _: Lent<'_, M>) -> bool {
        false
    }

    fn give(&self, _: PublishedAt, _: Lent<'_, M>) {}
}

/// A receiver is looked at, or moved.
#[inline(always)]
fn count_step() {
    #[cfg(test)]
    tests::STEPS.set(tests::STEPS.get() + 1);
}

#[cfg(test)]
mod tests {
    use mycelium_random::{Random, seeds};

    use super::*;

    thread_local!(pub(super) static STEPS: Cell<u64> = const { Cell::new(0) });

    fn receiver(since: u64) -> Receiver<u64> {
        Receiver::new(since, PolicyKind::Block, None, false, Box::new(Nobody))
    }

    /// The tickets of those there, in order.
    fn all(receivers: &Receivers<u64>) -> Vec<u64> {
        receivers.with(|receivers| receivers.map(|receiver| receiver.ticket).collect())
    }

    /// How many receivers are looked at or moved, at most, for one to come and leave, besides those that a
    /// search by halves looks at.
    const STEPS_MAX: u64 = 2 * EMPTY_SHARE as u64;

    #[test]
    fn coming_and_leaving_take_few_steps_however_many_there_are() {
        for crowd in [64_u64, 65_536] {
            let (receivers, before) = (Receivers::default(), STEPS.get());
            for number in 0..crowd {
                assert_eq!(receivers.join(receiver(number)), number);
            }
            // One in three, in any order; then the rest from both ends.
            (0..crowd).step_by(3).for_each(|ticket| drop(receivers.leave(ticket)));
            for ticket in (0..crowd / 2).filter(|ticket| ticket % 3 != 0) {
                assert!(receivers.leave(ticket).is_some());
                assert_eq!(receivers.leave(crowd - 1 - ticket).is_some(), (crowd - 1 - ticket) % 3 != 0);
            }
            (0..crowd).for_each(|ticket| assert!(receivers.leave(ticket).is_none(), "{ticket} is there"));
            let (steps, halves) = (STEPS.get() - before, u64::from(crowd.ilog2()) + 2);
            assert!(steps <= crowd * (STEPS_MAX + 3 * halves), "{crowd}: {steps} steps");
            assert!(receivers.there() == 0 && receivers.list.borrow().capacity() <= SHORT);
        }
    }

    #[test]
    fn whatever_comes_and_leaves_while_the_list_is_lent_or_not_it_keeps_its_order() {
        for seed in seeds(200) {
            let (mut random, receivers, mut model) = (Random::new(seed), Receivers::default(), Vec::new());
            for _ in 0..300 {
                let lent = random.chance(30).then(|| receivers.lend());
                if random.chance(10) {
                    receivers.hold(true);
                }
                let places = lent.as_ref().map(|lent| lent.len());
                for _ in 0..random.below(6) {
                    if model.is_empty() || random.chance(52) {
                        model.push(receivers.join(receiver(0)));
                    } else {
                        let ticket = model.remove(random.below(model.len() as u64) as usize);
                        let left = receivers.leave(ticket).unwrap();
                        assert_eq!(receivers.look(&left, |receiver| receiver.ticket), ticket);
                        assert!(
                            receivers.leave(ticket).is_none() && receivers.find(ticket, |_| ()).is_none()
                        );
                    }
                    assert_eq!(all(&receivers), model);
                }
                assert_eq!(lent.as_ref().map(|lent| lent.len()), places, "a lent list was changed");
                drop(lent);
                receivers.hold(false);
                receivers.settle();
                assert_eq!((all(&receivers), receivers.there()), (model.clone(), model.len()));
                let (list, places) = (receivers.lend(), receivers.lend().len());
                assert!(
                    list.is_sorted_by_key(|receiver| receiver.ticket) && receivers.new.borrow().is_empty()
                );
                assert!((places - model.len()) * EMPTY_SHARE <= places, "{places} for {}", model.len());
                assert_eq!(receivers.only(|only| only.ticket), (model.len() == 1).then(|| model[0]));
            }
        }
    }
}
