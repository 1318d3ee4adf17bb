//! Services in an isolate: one future each, and the queues that feed them.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll, Waker};

use super::core::{Core, Ended, NotHere, with_core};
use super::handle::Place;
use super::lane::{Gauge, Receive, TopicLane, count};
use super::seat::AnySeat;
use crate::{Message, Policy, Service, SpawnError, StopReason, Subscription};

type Run<S> = Pin<Box<dyn Future<Output = (S, Result<(), <S as Service>::Error>)>>>;

/// One service of an isolate.
pub(crate) struct ServiceSeat<S: Service> {
    place: Place,
    waker: Waker,
    run: RefCell<Option<Run<S>>>,
    running: Cell<bool>,
    retired: RefCell<Option<S>>,
    ended: RefCell<Option<StopReason>>,
}

impl<S: Service> ServiceSeat<S> {
    pub(crate) fn new(place: Place, waker: Waker, mut service: S) -> Self {
        let run: Run<S> = Box::pin(async move {
            let ctx = crate::ServiceContext::in_isolate(place);
            let result = service.run(&ctx).await;
            (service, result)
        });
        Self {
            place,
            waker,
            run: RefCell::new(Some(run)),
            running: Cell::new(false),
            retired: RefCell::default(),
            ended: RefCell::default(),
        }
    }

    /// The service, once its loop has returned.
    pub(crate) fn take(&self) -> Option<S> {
        self.retired.borrow_mut().take()
    }
}

impl<S: Service> AnySeat for ServiceSeat<S> {
    fn resume(&self) {
        // Only the run loop resumes, and it does one thing at a time.
        let Ok(mut slot) = self.run.try_borrow_mut() else { return };
        let Some(run) = slot.as_mut() else { return };
        self.running.set(true);
        let polled = run.as_mut().poll(&mut TaskContext::from_waker(&self.waker));
        self.running.set(false);
        if let Poll::Ready((service, result)) = polled {
            *slot = None;
            drop(slot);
            *self.retired.borrow_mut() = Some(service);
            self.record_end(match result {
                Ok(()) => StopReason::Normal,
                Err(error) => StopReason::Failed(error.to_string().into()),
            });
        }
    }

    fn name(&self) -> &'static str {
        S::name()
    }

    fn is_running(&self) -> bool {
        self.running.get()
    }

    fn is_parked(&self) -> bool {
        // A service that waits for more to do is at rest, not stuck.
        false
    }

    fn record_end(&self, reason: StopReason) {
        if self.ended.borrow().is_some() {
            return;
        }
        let lanes = with_core(self.place.isolate, |core| {
            core.made_room();
            if reason.is_abnormal() {
                core.halt(Ended { actor: S::name(), seat: self.place.seat, reason: reason.clone() });
            }
            core.lanes().to_vec()
        });
        *self.ended.borrow_mut() = Some(reason);
        for lane in lanes.unwrap_or_default() {
            lane.remove(self.place.seat);
        }
    }

    fn stop(&self, reason: StopReason) {
        let run = self.run.borrow_mut().take();
        drop(run);
        self.record_end(reason);
    }

    fn end_reason(&self) -> Option<StopReason> {
        self.ended.borrow().clone()
    }

    fn clear(&self) {
        drop(self.run.take());
        drop(self.retired.take());
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

/// The queue of one [`Subscriber`](crate::Subscriber) in an isolate.
struct Inlet<M> {
    seat: u32,
    subscription: Subscription<M>,
    gauge: Rc<Gauge>,
    lane: Weak<TopicLane<M>>,
    open: Cell<bool>,
    queue: RefCell<VecDeque<Rc<M>>>,
    waker: RefCell<Option<Waker>>,
}

impl<M: Message> Receive<Rc<M>> for Inlet<M> {
    fn deliver(&self, sender: u32, payload: Rc<M>) -> bool {
        if !self.open.get() || (sender == self.seat && !self.subscription.echo) {
            return false;
        }
        let mut queue = self.queue.borrow_mut();
        let full = queue.len() >= self.subscription.capacity;
        let mut dropped = None;
        match self.subscription.policy {
            Policy::DropNewest if full => {
                count(&self.gauge.newest);
                return false;
            }
            Policy::Conflate(key) => {
                let new = key(&payload);
                if let Some(old) = queue.iter().position(|old| key(old) == new) {
                    dropped = queue.remove(old);
                    count(&self.gauge.conflated);
                } else if full {
                    dropped = queue.pop_front();
                    count(&self.gauge.oldest);
                }
            }
            Policy::DropOldest if full => {
                dropped = queue.pop_front();
                count(&self.gauge.oldest);
            }
            _ => {}
        }
        queue.push_back(payload);
        let waiting = queue.len();
        drop(queue);
        drop(dropped);
        if self.refuses() && waiting == self.subscription.capacity {
            self.gauge.refuses(true);
        }
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    fn seat(&self) -> u32 {
        self.seat
    }

    fn is_full(&self) -> bool {
        self.queue.borrow().len() >= self.subscription.capacity
    }

    fn is_closed(&self) -> bool {
        !self.open.get()
    }

    fn close(&self) -> u64 {
        self.open.set(false);
        if self.refuses() && self.is_full() {
            self.gauge.refuses(false);
        }
        self.queue.take().len() as u64
    }
}

impl<M: Message> Inlet<M> {
    fn refuses(&self) -> bool {
        matches!(self.subscription.policy, Policy::Block | Policy::Fail)
    }
}

/// Takes messages out of an inlet, whatever holds them.
trait Outlet<M> {
    fn poll_take(&self, cx: &mut TaskContext<'_>) -> Poll<M>;
    fn try_take(&self) -> Option<M>;
    /// Lets the lane forget the inlet.
    fn shut(&self);
}

impl<M: Message> Outlet<M> for Inlet<M> {
    fn poll_take(&self, cx: &mut TaskContext<'_>) -> Poll<M> {
        match self.try_take() {
            Some(message) => Poll::Ready(message),
            None => {
                *self.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn try_take(&self) -> Option<M> {
        let mut queue = self.queue.borrow_mut();
        let payload = queue.pop_front()?;
        if self.refuses() && queue.len() + 1 == self.subscription.capacity {
            self.gauge.refuses(false);
        }
        drop(queue);
        Some(Rc::unwrap_or_clone(payload))
    }

    fn shut(&self) {
        let dropped = self.close();
        if let Some(lane) = self.lane.upgrade() {
            lane.forget_closed(dropped);
        }
    }
}

/// The isolate's half of a [`Subscriber`](crate::Subscriber).
pub(crate) struct IsolateSubscriber<M: Message> {
    place: Place,
    inlet: usize,
    message: PhantomData<fn() -> M>,
}

impl<M: Message> IsolateSubscriber<M> {
    pub(crate) fn new(place: Place, subscription: Subscription<M>) -> Result<Self, SpawnError> {
        let inlet = Self::open(place, subscription)?;
        Ok(Self { place, inlet, message: PhantomData })
    }

    fn open(place: Place, subscription: Subscription<M>) -> Result<usize, SpawnError> {
        let lane =
            with_core(place.isolate, Core::topic::<M>).map_err(|NotHere| SpawnError::WrongThread)??;
        let inlet = Rc::new(Inlet {
            seat: place.seat,
            subscription,
            gauge: Rc::clone(&lane.gauge),
            lane: Rc::downgrade(&lane),
            open: Cell::new(true),
            queue: RefCell::default(),
            waker: RefCell::default(),
        });
        lane.add(Rc::clone(&inlet) as Rc<dyn Receive<Rc<M>>>, &subscription);
        let outlet: Rc<dyn Outlet<M>> = inlet;
        with_core(place.isolate, |core| {
            core.inlets.push(Rc::new(outlet) as Rc<dyn Any>);
            core.inlets.len() - 1
        })
        .map_err(|NotHere| SpawnError::WrongThread)
    }

    fn outlet(&self) -> Option<Rc<Rc<dyn Outlet<M>>>> {
        let inlet = with_core(self.place.isolate, |core| core.inlets.get(self.inlet).cloned()).ok()??;
        inlet.downcast().ok()
    }

    pub(crate) fn poll_recv(&self, cx: &mut TaskContext<'_>) -> Poll<Option<M>> {
        let Some(outlet) = self.outlet() else { return Poll::Ready(None) };
        let taken = outlet.poll_take(cx);
        if taken.is_ready() {
            let _ = with_core(self.place.isolate, Core::made_room);
        }
        taken.map(Some)
    }

    pub(crate) fn try_recv(&self) -> Option<M> {
        let message = self.outlet()?.try_take()?;
        let _ = with_core(self.place.isolate, Core::made_room);
        Some(message)
    }
}

impl<M: Message> Drop for IsolateSubscriber<M> {
    fn drop(&mut self) {
        if let Some(outlet) = self.outlet() {
            outlet.shut();
        }
        let inlet = self.inlet;
        let _ = with_core(self.place.isolate, |core| {
            if let Some(slot) = core.inlets.get_mut(inlet) {
                *slot = Rc::new(());
            }
            core.made_room();
        });
    }
}
