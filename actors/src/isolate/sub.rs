//! The ways into an actor of an isolate, and the futures that run its code.
//!
//! A handler's future owns the actor while it runs (one pointer moves in and out), so a future that is not ready
//! at once simply stays where it was polled: in the reusable, pinned slot of its subscription. Nothing is
//! allocated per message, and no borrow has to outlive the call.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};

use super::core::{Core, with_core};
use super::lane::{Drops, Receive, count};
use super::seat::{Bundle, Seat};
use crate::Actor;

/// What a handler's future hands back.
pub(crate) type Outcome<A> = (Box<Bundle<A>>, Result<(), <A as Actor>::Error>);

/// Something parked that can be polled again.
pub(crate) trait Parked {
    fn poll(&self);
    /// Drops the parked future, and the actor with it.
    fn abandon(&self);
}

/// A subscription that keeps payloads behind a parked handler.
pub(crate) trait Waiting {
    /// Delivers its oldest payload, unless its policy has dropped that one meanwhile.
    fn deliver_waiting(&self);
}

/// What happens to a payload when `capacity` of them wait.
pub(crate) enum Overflow<P> {
    /// Publishers are refused while this is full, so nothing is dropped.
    Refuse,
    DropOldest,
    DropNewest,
    Conflate(Box<dyn Fn(&P) -> u64>),
}

/// How one subscription treats what waits behind a parked handler.
pub(crate) struct Rule<P> {
    pub(crate) overflow: Overflow<P>,
    pub(crate) capacity: usize,
    pub(crate) echo: bool,
    pub(crate) drops: Rc<Drops>,
}

/// One way into an actor: a subscription, or direct messages of one type.
pub(crate) struct Sub<A: Actor, P, F, Make> {
    seat: Rc<Seat<A>>,
    me: Weak<Self>,
    rule: Rule<P>,
    make: Make,
    /// The handler's future, written in place for each message; its memory is reused.
    slot: RefCell<Pin<Box<Option<F>>>>,
    /// Payloads behind a parked handler; `None` where the policy dropped one. The seat's backlog has an entry for
    /// each, so that the order between subscriptions is kept.
    waiting: RefCell<VecDeque<Option<P>>>,
    waiting_live: Cell<usize>,
}

impl<A, P, F, Make> Sub<A, P, F, Make>
where
    A: Actor,
    P: 'static,
    F: Future<Output = Outcome<A>> + 'static,
    Make: Fn(Box<Bundle<A>>, P) -> F + 'static,
{
    /// A way into `seat` whose payloads are handled by the futures of `make`.
    pub(crate) fn new(seat: &Rc<Seat<A>>, rule: Rule<P>, make: Make) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            seat: Rc::clone(seat),
            me: Weak::clone(me),
            rule,
            make,
            slot: RefCell::new(Box::pin(None)),
            waiting: RefCell::default(),
            waiting_live: Cell::new(0),
        })
    }

    #[inline]
    fn begin(&self, bundle: Box<Bundle<A>>, payload: P) {
        let mut slot = self.slot.borrow_mut();
        slot.as_mut().set(Some((self.make)(bundle, payload)));
        self.step(slot);
    }

    #[inline]
    fn step(&self, mut slot: std::cell::RefMut<'_, Pin<Box<Option<F>>>>) {
        let Some(future) = slot.as_mut().as_pin_mut() else { return };
        match future.poll(&mut TaskContext::from_waker(&self.seat.waker)) {
            Poll::Ready(outcome) => {
                slot.as_mut().set(None);
                drop(slot);
                self.seat.put_back(outcome);
            }
            Poll::Pending => {
                drop(slot);
                if let Some(me) = self.me.upgrade() {
                    self.seat.park(me);
                }
            }
        }
    }

    /// Keeps a payload for later, by the rule.
    #[cold]
    fn keep(&self, payload: P) -> bool {
        if self.seat.has_ended() {
            count(&self.rule.drops.dead);
            return false;
        }
        let full = self.waiting_live.get() >= self.rule.capacity;
        match &self.rule.overflow {
            Overflow::Refuse => {}
            Overflow::DropNewest if full => {
                count(&self.rule.drops.newest);
                return false;
            }
            Overflow::Conflate(key) if self.drop_where(|old| key(old) == key(&payload)) => {
                count(&self.rule.drops.conflated);
            }
            Overflow::DropOldest | Overflow::Conflate(_) if full => {
                self.drop_where(|_| true);
                count(&self.rule.drops.oldest);
            }
            _ => {}
        }
        self.waiting.borrow_mut().push_back(Some(payload));
        self.waiting_live.set(self.waiting_live.get() + 1);
        if let Some(me) = self.me.upgrade() {
            self.seat.wait(me);
        }
        true
    }

    /// Empties the oldest entry that `matches`.
    fn drop_where(&self, matches: impl Fn(&P) -> bool) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let found = waiting.iter_mut().find(|entry| entry.as_ref().is_some_and(&matches));
        let dropped = found.and_then(Option::take);
        drop(waiting);
        if dropped.is_some() {
            self.waiting_live.set(self.waiting_live.get() - 1);
        }
        dropped.is_some()
    }
}

impl<A, P, F, Make> Receive<P> for Sub<A, P, F, Make>
where
    A: Actor,
    P: 'static,
    F: Future<Output = Outcome<A>> + 'static,
    Make: Fn(Box<Bundle<A>>, P) -> F + 'static,
{
    #[inline]
    fn deliver(&self, sender: u32, payload: P) -> bool {
        if sender == self.seat.index && !self.rule.echo {
            return false;
        }
        match self.seat.lend() {
            Some(bundle) => {
                self.begin(bundle, payload);
                true
            }
            None => self.keep(payload),
        }
    }

    fn seat(&self) -> u32 {
        self.seat.index
    }

    fn is_full(&self) -> bool {
        self.waiting_live.get() >= self.rule.capacity
    }

    fn close(&self) -> u64 {
        let waiting = self.waiting.borrow_mut().iter_mut().filter_map(Option::take).collect::<Vec<_>>();
        self.waiting_live.set(0);
        waiting.len() as u64
    }
}

impl<A, P, F, Make> Waiting for Sub<A, P, F, Make>
where
    A: Actor,
    P: 'static,
    F: Future<Output = Outcome<A>> + 'static,
    Make: Fn(Box<Bundle<A>>, P) -> F + 'static,
{
    fn deliver_waiting(&self) {
        let Some(Some(payload)) = self.waiting.borrow_mut().pop_front() else { return };
        self.waiting_live.set(self.waiting_live.get() - 1);
        let _ = with_core(self.seat.isolate, Core::made_room);
        if let Some(bundle) = self.seat.lend() {
            self.begin(bundle, payload);
        }
    }
}

impl<A, P, F, Make> Parked for Sub<A, P, F, Make>
where
    A: Actor,
    P: 'static,
    F: Future<Output = Outcome<A>> + 'static,
    Make: Fn(Box<Bundle<A>>, P) -> F + 'static,
{
    fn poll(&self) {
        self.step(self.slot.borrow_mut());
    }

    fn abandon(&self) {
        self.slot.borrow_mut().as_mut().set(None);
    }
}

/// A future that runs once: `started` or `stopping`.
pub(crate) struct Once<A: Actor, F> {
    seat: Weak<Seat<A>>,
    me: Weak<Self>,
    future: RefCell<Pin<Box<Option<F>>>>,
}

impl<A: Actor, F: Future<Output = Outcome<A>> + 'static> Once<A, F> {
    pub(crate) fn new(seat: &Rc<Seat<A>>, future: F) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            seat: Rc::downgrade(seat),
            me: Weak::clone(me),
            future: RefCell::new(Box::pin(Some(future))),
        })
    }
}

impl<A: Actor, F: Future<Output = Outcome<A>> + 'static> Parked for Once<A, F> {
    fn poll(&self) {
        let Some(seat) = self.seat.upgrade() else { return };
        let mut slot = self.future.borrow_mut();
        let Some(future) = slot.as_mut().as_pin_mut() else { return };
        match future.poll(&mut TaskContext::from_waker(&seat.waker)) {
            Poll::Ready(outcome) => {
                slot.as_mut().set(None);
                drop(slot);
                seat.put_back(outcome);
            }
            Poll::Pending => {
                drop(slot);
                if let Some(me) = self.me.upgrade() {
                    seat.park(me);
                }
            }
        }
    }

    fn abandon(&self) {
        self.future.borrow_mut().as_mut().set(None);
    }
}
