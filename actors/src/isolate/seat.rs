//! Where an actor sits in an isolate: its state between messages, and what waits while it is parked.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::Waker;

use super::core::{Core, Ended, with_core};
use super::lane::{Inline, Payload, is_inline};
use super::sub::{Once, Outcome, Overflow, Parked, Rule, Sub, Waiting};
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
    /// The idle actor; empty while one of its futures owns it.
    bundle: Cell<Option<Box<Bundle<A>>>>,
    /// The actor after its end.
    retired: Cell<Option<Box<Bundle<A>>>>,
    parked: RefCell<Option<Rc<dyn Parked>>>,
    backlog: RefCell<VecDeque<Rc<dyn Waiting>>>,
    ended: RefCell<Option<StopReason>>,
}

impl<A: Actor> Seat<A> {
    /// Seats an actor; its `started` runs at the first [`AnySeat::resume`].
    pub(crate) fn new(isolate: u64, index: u32, waker: Waker, actor: A, ctx: Context<A>) -> Rc<Self> {
        let seat = Rc::new_cyclic(|me| Self {
            isolate,
            index,
            me: Weak::clone(me),
            waker,
            bundle: Cell::new(None),
            retired: Cell::new(None),
            parked: RefCell::new(None),
            backlog: RefCell::default(),
            ended: RefCell::new(None),
        });
        let mut bundle = Box::new(Bundle { actor, ctx });
        seat.park(Once::new(&seat, async move {
            let result = bundle.actor.started(&mut bundle.ctx).await;
            (bundle, result)
        }));
        seat
    }

    /// Takes the actor out, if it is idle or has ended.
    pub(crate) fn take(&self) -> Option<A> {
        self.bundle.take().or_else(|| self.retired.take()).map(|bundle| bundle.actor)
    }

    /// Calls `f` with the actor, if it is idle or has ended.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut A) -> R) -> Option<R> {
        let cell = if self.has_ended() { &self.retired } else { &self.bundle };
        let mut bundle = cell.take()?;
        let result = f(&mut bundle.actor);
        cell.set(Some(bundle));
        Some(result)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Takes the idle actor for a handler's future.
    #[inline]
    pub(crate) fn lend(&self) -> Option<Box<Bundle<A>>> {
        self.bundle.take()
    }

    /// Takes the actor back after a handler; ends it if the handler failed or asked for it.
    #[inline]
    pub(crate) fn put_back(&self, (bundle, result): Outcome<A>) {
        if result.is_ok() && !bundle.ctx.wants_stop() {
            self.bundle.set(Some(bundle));
        } else {
            self.put_back_last(bundle, result);
        }
    }

    #[cold]
    fn put_back_last(&self, bundle: Box<Bundle<A>>, result: Result<(), A::Error>) {
        if self.has_ended() {
            self.retired.set(Some(bundle));
            return;
        }
        self.bundle.set(Some(bundle));
        self.stop(match result {
            Ok(()) => StopReason::Normal,
            Err(error) => StopReason::Failed(error.to_string().into()),
        });
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
        if is_inline::<M>() {
            self.subscribe_as::<M, Inline<M>>(how)
        } else {
            self.subscribe_as::<M, Rc<M>>(how)
        }
    }

    fn subscribe_as<M: Message, P: Payload<M>>(
        self: &Rc<Self>,
        how: Subscription<M>,
    ) -> Result<(), SpawnError>
    where
        A: Handler<M>,
    {
        let lane = with_core(self.isolate, Core::topic::<M, P>).map_err(|_| SpawnError::WrongThread)??;
        let overflow = match how.policy {
            Policy::Block | Policy::Fail => Overflow::Refuse,
            Policy::DropOldest => Overflow::DropOldest,
            Policy::DropNewest => Overflow::DropNewest,
            Policy::Conflate(key) => Overflow::Conflate(Box::new(move |payload: &P| key(payload.get()))),
        };
        let rule = Rule { overflow, capacity: how.capacity, echo: how.echo, drops: Rc::clone(&lane.drops) };
        let sub = Sub::new(self, rule, |mut bundle: Box<Bundle<A>>, payload: P| async move {
            let result = A::handle(&mut bundle.actor, payload.get(), &mut bundle.ctx).await;
            (bundle, result)
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
        let bundle = self.bundle.take();
        let idle = bundle.is_some();
        self.bundle.set(bundle);
        !idle && !self.is_parked() && !self.has_ended()
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
            if reason.is_abnormal() && core.ended.is_none() {
                core.ended = Some(Ended { actor: A::name(), seat: self.index, reason: reason.clone() });
            }
            core.lanes().to_vec()
        });
        *self.ended.borrow_mut() = Some(reason);
        for lane in lanes.unwrap_or_default() {
            lane.remove(self.index);
        }
    }

    fn stop(&self, reason: StopReason) {
        let Some(mut bundle) = self.bundle.take() else { return };
        self.record_end(reason.clone());
        let Some(me) = self.me.upgrade() else { return };
        self.park(Once::new(&me, async move {
            bundle.actor.stopping(&reason, &mut bundle.ctx).await;
            bundle.ctx.stop();
            (bundle, Ok(()))
        }));
        // The run loop polls it, as it does everything parked, so that ends keep the order of events.
        let _ = with_core(self.isolate, |core| core.enqueue_resume(self.index));
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
        drop(self.bundle.take());
        drop(self.retired.take());
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
