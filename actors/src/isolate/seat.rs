//! Where an actor sits in an isolate: its state between messages, and what waits while it is parked.

use std::any::Any;
use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::Waker;

use super::core::{Core, Ended, with_core};
use super::sub::{Once, Overflow, Parked, Rule, Sub, Waiting};
use crate::{Actor, Context, Handler, Message, Policy, SpawnError, StopReason, Subscription};

/// An actor and its context: they travel together, behind one pointer.
pub(crate) struct Bundle<A: Actor> {
    pub(crate) actor: A,
    pub(crate) ctx: Context<A>,
}

/// What the run loop knows of a seat.
pub(crate) trait AnySeat: 'static {
    /// Polls whatever this seat has parked, then delivers what waited behind it.
    fn resume(&self);
    fn name(&self) -> &'static str;
    /// Whether its code is running; after a run that unwound, whether it was this one that panicked.
    fn is_running(&self) -> bool;
    /// Whether a future of its waits for something.
    fn is_parked(&self) -> bool;
    /// Records the end of an actor, so that no more is delivered to it.
    fn record_end(&self, reason: StopReason);
    /// Ends an idle actor: `stopping` runs next.
    fn stop(&self, reason: StopReason);
    fn end_reason(&self) -> Option<StopReason>;
    /// Drops the actor and all that waits for it.
    fn clear(&self);
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}

/// One actor of an isolate.
pub(crate) struct Seat<A: Actor> {
    pub(crate) isolate: u64,
    pub(crate) index: u32,
    me: Weak<Self>,
    pub(crate) waker: Waker,
    /// Whether a message can be handled at once.
    pub(crate) phase: Cell<Phase>,
    /// Borrowed while a handler runs or is parked; empty once the actor was taken.
    state: RefCell<Option<Box<Bundle<A>>>>,
    parked: RefCell<Option<Rc<dyn Parked>>>,
    backlog: RefCell<VecDeque<Rc<dyn Waiting>>>,
    ended: RefCell<Option<StopReason>>,
}

/// What an actor is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing: it can handle a message.
    Idle,
    /// Its code is being polled, or panicked in it.
    Running,
    /// One of its futures waits.
    Parked,
    /// It has ended or was taken.
    Gone,
}

/// An actor on loan to a handler.
pub(crate) type Lent<'a, A> = RefMut<'a, Option<Box<Bundle<A>>>>;

impl<A: Actor> Seat<A> {
    /// Seats an actor; its `started` runs at the first [`AnySeat::resume`].
    pub(crate) fn new(isolate: u64, index: u32, waker: Waker, actor: A, ctx: Context<A>) -> Rc<Self> {
        let seat = Rc::new_cyclic(|me| Self {
            isolate,
            index,
            me: Weak::clone(me),
            waker,
            phase: Cell::new(Phase::Parked),
            state: RefCell::new(Some(Box::new(Bundle { actor, ctx }))),
            parked: RefCell::new(None),
            backlog: RefCell::default(),
            ended: RefCell::new(None),
        });
        let starting = Rc::clone(&seat);
        seat.park(Once::new(&seat, async move {
            let mut lent = starting.lend();
            let Some(state) = lent.as_mut() else { return };
            let result = state.actor.started(&mut state.ctx).await;
            starting.settle(lent, result);
        }));
        seat
    }

    /// Takes the actor out, if it is idle or has ended.
    pub(crate) fn take(&self) -> Option<A> {
        let bundle = self.state.try_borrow_mut().ok()?.take()?;
        self.phase.set(Phase::Gone);
        Some(bundle.actor)
    }

    /// Calls `f` with the actor, if it is idle or has ended.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut A) -> R) -> Option<R> {
        Some(f(&mut self.state.try_borrow_mut().ok()?.as_mut()?.actor))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// The actor for one handler. Only an idle actor is handed messages, so nobody else holds it.
    #[inline]
    pub(crate) fn lend(&self) -> Lent<'_, A> {
        self.state.borrow_mut()
    }

    /// Takes the actor back after a handler, and ends it if the handler failed or asked for it.
    #[inline]
    pub(crate) fn settle(&self, lent: Lent<'_, A>, result: Result<(), A::Error>) {
        let stop = lent.as_ref().is_none_or(|bundle| bundle.ctx.wants_stop());
        drop(lent);
        match result {
            Ok(()) if !stop => self.phase.set(Phase::Idle),
            Ok(()) => self.end(StopReason::Normal),
            Err(error) => self.end(StopReason::Failed(error.to_string().into())),
        }
    }

    #[cold]
    fn end(&self, reason: StopReason) {
        self.phase.set(Phase::Gone);
        if self.has_ended() {
            return;
        }
        self.record_end(reason.clone());
        let Some(me) = self.me.upgrade() else { return };
        let seat = Rc::clone(&me);
        self.park(Once::new(&me, async move {
            if let Some(state) = seat.lend().as_mut() {
                state.actor.stopping(&reason, &mut state.ctx).await;
            }
        }));
        // The run loop polls it, as it does everything parked, so that ends keep the order of events.
        let _ = with_core(self.isolate, |core| core.enqueue_resume(self.index));
    }

    pub(crate) fn park(&self, what: Rc<dyn Parked>) {
        *self.parked.borrow_mut() = Some(what);
    }

    /// Remembers that `from` keeps one more payload for the time when this actor is idle again.
    pub(crate) fn wait(&self, from: Rc<dyn Waiting>) {
        self.backlog.borrow_mut().push_back(from);
    }

    /// Subscribes this actor to topic `M`.
    pub(crate) fn subscribe<M: Message>(self: &Rc<Self>, how: Subscription<M>) -> Result<(), SpawnError>
    where
        A: Handler<M>,
    {
        let lane = with_core(self.isolate, Core::topic::<M>).map_err(|_| SpawnError::WrongThread)??;
        let overflow = match how.policy {
            Policy::Block | Policy::Fail => Overflow::Refuse,
            Policy::DropOldest => Overflow::DropOldest,
            Policy::DropNewest => Overflow::DropNewest,
            Policy::Conflate(key) => Overflow::Conflate(Box::new(move |message: &Rc<M>| key(message))),
        };
        let rule = Rule { overflow, capacity: how.capacity, echo: how.echo, gauge: Rc::clone(&lane.gauge) };
        let sub = Sub::new(self, rule, |seat, hand| async move {
            loop {
                let message: Rc<M> = hand.next().await;
                let mut lent = seat.lend();
                let Some(state) = lent.as_mut() else { continue };
                let result = state.actor.handle(&message, &mut state.ctx).await;
                seat.settle(lent, result);
            }
        });
        lane.add(sub, &how);
        Ok(())
    }
}

impl<A: Actor> AnySeat for Seat<A> {
    fn resume(&self) {
        let parked = self.parked.borrow_mut().take();
        if let Some(parked) = parked {
            parked.poll();
        }
        // A waiting message may park the actor again, or end it: then the rest goes on waiting, or is gone.
        while self.parked.borrow().is_none() {
            let Some(next) = self.backlog.borrow_mut().pop_front() else { break };
            next.deliver_waiting();
        }
    }

    fn name(&self) -> &'static str {
        A::name()
    }

    fn is_running(&self) -> bool {
        self.phase.get() == Phase::Running
    }

    fn is_parked(&self) -> bool {
        self.parked.borrow().is_some()
    }

    fn record_end(&self, reason: StopReason) {
        if self.has_ended() {
            return;
        }
        let waiting = self.backlog.take().len() as u64;
        let lanes = with_core(self.isolate, |core| {
            core.dead_letters += waiting;
            core.made_room();
            if reason.is_abnormal() {
                core.halt(Ended { actor: A::name(), seat: self.index, reason: reason.clone() });
            }
            core.lanes().to_vec()
        });
        *self.ended.borrow_mut() = Some(reason);
        for lane in lanes.unwrap_or_default() {
            lane.remove(self.index);
        }
    }

    fn stop(&self, reason: StopReason) {
        if self.phase.get() == Phase::Idle {
            self.end(reason);
        }
    }

    fn end_reason(&self) -> Option<StopReason> {
        self.ended.borrow().clone()
    }

    fn clear(&self) {
        let parked = self.parked.borrow_mut().take();
        if let Some(parked) = parked {
            parked.abandon();
        }
        drop(self.backlog.take());
        let state = self.state.try_borrow_mut().ok().and_then(|mut state| state.take());
        drop(state);
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
