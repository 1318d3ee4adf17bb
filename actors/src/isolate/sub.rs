//! The ways into an actor of an isolate, and the futures that run its code.
//!
//! Each subscription has one loop, pinned for its whole life, that takes a payload, borrows the actor and runs
//! the handler. So a handler that is not ready at once simply stays where it is; nothing is
//! allocated or moved per message, and no borrow has to outlive a call.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};

use super::core::{Core, with_core};
use super::lane::{Gauge, Receive, count};
use super::seat::{Phase, Seat};
use crate::Actor;

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
    pub(crate) gauge: Rc<Gauge>,
}

/// One way into an actor: a subscription, or direct messages of one type.
pub(crate) struct Sub<A: Actor, P, F> {
    seat: Rc<Seat<A>>,
    me: Weak<Self>,
    rule: Rule<P>,
    hand: Rc<Hand<P>>,
    /// The loop that handles what it finds in `hand`. It lives as long as the subscription: its memory is written
    /// in place for each message, never moved and never allocated again.
    run: RefCell<Pin<Box<Option<F>>>>,
    /// Payloads behind a parked handler; `None` where the policy dropped one. The seat's backlog has an entry for
    /// each, so that the order between subscriptions is kept.
    waiting: RefCell<VecDeque<Option<P>>>,
    waiting_live: Cell<usize>,
}

/// Passes one payload at a time to the loop of a subscription.
pub(crate) struct Hand<P>(Cell<Option<P>>);

impl<P> Hand<P> {
    /// Waits for the next payload.
    #[inline]
    pub(crate) fn next(&self) -> Next<'_, P> {
        Next(self)
    }
}

/// The future of [`Hand::next`].
pub(crate) struct Next<'a, P>(&'a Hand<P>);

impl<P> Future for Next<'_, P> {
    type Output = P;

    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<P> {
        // Nobody is woken: whoever hands something over polls.
        self.0.0.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<A, P, F> Sub<A, P, F>
where
    A: Actor,
    P: 'static,
    F: Future<Output = ()> + 'static,
{
    /// A way into `seat` whose payloads are handled by the loop that `run` makes.
    pub(crate) fn new(
        seat: &Rc<Seat<A>>,
        rule: Rule<P>,
        run: impl FnOnce(Rc<Seat<A>>, Rc<Hand<P>>) -> F,
    ) -> Rc<Self> {
        let hand = Rc::new(Hand(Cell::new(None)));
        let run = run(Rc::clone(seat), Rc::clone(&hand));
        Rc::new_cyclic(|me| Self {
            seat: Rc::clone(seat),
            me: Weak::clone(me),
            rule,
            hand,
            run: RefCell::new(Box::pin(Some(run))),
            waiting: RefCell::default(),
            waiting_live: Cell::new(0),
        })
    }

    #[inline]
    fn begin(&self, payload: P) {
        self.hand.0.set(Some(payload));
        self.step();
    }

    #[inline]
    fn step(&self) {
        let mut run = self.run.borrow_mut();
        let Some(future) = run.as_mut().as_pin_mut() else { return };
        self.seat.phase.set(Phase::Running);
        // The loop never ends; when a handler has, the loop has set the phase.
        let _ = future.poll(&mut TaskContext::from_waker(&self.seat.waker));
        if self.seat.phase.get() == Phase::Running {
            self.park();
        }
    }

    #[cold]
    fn park(&self) {
        self.seat.phase.set(Phase::Parked);
        if let Some(me) = self.me.upgrade() {
            self.seat.park(me);
        }
    }

    /// Keeps a payload for later, by the rule.
    #[cold]
    fn keep(&self, payload: P) -> bool {
        if self.seat.has_ended() {
            count(&self.rule.gauge.dead);
            return false;
        }
        let full = self.waiting_live.get() >= self.rule.capacity;
        match &self.rule.overflow {
            Overflow::Refuse => {}
            Overflow::DropNewest if full => {
                count(&self.rule.gauge.newest);
                return false;
            }
            Overflow::Conflate(key) if self.drop_where(|old| key(old) == key(&payload)) => {
                count(&self.rule.gauge.conflated);
            }
            Overflow::DropOldest | Overflow::Conflate(_) if full => {
                self.drop_where(|_| true);
                count(&self.rule.gauge.oldest);
            }
            _ => {}
        }
        self.waiting.borrow_mut().push_back(Some(payload));
        self.set_waiting(self.waiting_live.get() + 1);
        if let Some(me) = self.me.upgrade() {
            self.seat.wait(me);
        }
        true
    }

    /// Notes how many wait, and whether that makes this subscription refuse.
    fn set_waiting(&self, waiting: usize) {
        let before = self.waiting_live.replace(waiting) >= self.rule.capacity;
        let after = waiting >= self.rule.capacity;
        if before != after && matches!(self.rule.overflow, Overflow::Refuse) {
            self.rule.gauge.refuses(after);
        }
    }

    /// Empties the oldest entry that `matches`.
    fn drop_where(&self, matches: impl Fn(&P) -> bool) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let found = waiting.iter_mut().find(|entry| entry.as_ref().is_some_and(&matches));
        let dropped = found.and_then(Option::take);
        drop(waiting);
        if dropped.is_some() {
            self.set_waiting(self.waiting_live.get() - 1);
        }
        dropped.is_some()
    }
}

impl<A, P, F> Receive<P> for Sub<A, P, F>
where
    A: Actor,
    P: 'static,
    F: Future<Output = ()> + 'static,
{
    #[inline]
    fn deliver(&self, sender: u32, payload: P) -> bool {
        if sender == self.seat.index && !self.rule.echo {
            return false;
        }
        if self.seat.phase.get() == Phase::Idle {
            self.begin(payload);
            true
        } else {
            self.keep(payload)
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
        self.set_waiting(0);
        waiting.len() as u64
    }
}

impl<A, P, F> Waiting for Sub<A, P, F>
where
    A: Actor,
    P: 'static,
    F: Future<Output = ()> + 'static,
{
    fn deliver_waiting(&self) {
        let Some(Some(payload)) = self.waiting.borrow_mut().pop_front() else { return };
        self.set_waiting(self.waiting_live.get() - 1);
        let _ = with_core(self.seat.isolate, Core::made_room);
        if self.seat.phase.get() == Phase::Idle {
            self.begin(payload);
        } else {
            self.keep(payload);
        }
    }
}

impl<A, P, F> Parked for Sub<A, P, F>
where
    A: Actor,
    P: 'static,
    F: Future<Output = ()> + 'static,
{
    fn poll(&self) {
        self.step();
    }

    fn abandon(&self) {
        self.run.borrow_mut().as_mut().set(None);
    }
}

/// A future that runs once: `started` or `stopping`.
pub(crate) struct Once<A: Actor, F> {
    seat: Weak<Seat<A>>,
    me: Weak<Self>,
    future: RefCell<Pin<Box<Option<F>>>>,
}

impl<A: Actor, F: Future<Output = ()> + 'static> Once<A, F> {
    pub(crate) fn new(seat: &Rc<Seat<A>>, future: F) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            seat: Rc::downgrade(seat),
            me: Weak::clone(me),
            future: RefCell::new(Box::pin(Some(future))),
        })
    }
}

impl<A: Actor, F: Future<Output = ()> + 'static> Parked for Once<A, F> {
    fn poll(&self) {
        let Some(seat) = self.seat.upgrade() else { return };
        let mut slot = self.future.borrow_mut();
        let Some(future) = slot.as_mut().as_pin_mut() else { return };
        seat.phase.set(Phase::Running);
        let polled = future.poll(&mut TaskContext::from_waker(&seat.waker));
        let unsettled = seat.phase.get() == Phase::Running;
        if polled.is_ready() {
            slot.as_mut().set(None);
            if unsettled {
                seat.phase.set(Phase::Gone);
            }
            return;
        }
        seat.phase.set(Phase::Parked);
        if let Some(me) = self.me.upgrade() {
            seat.park(me);
        }
    }

    fn abandon(&self) {
        self.future.borrow_mut().as_mut().set(None);
    }
}
