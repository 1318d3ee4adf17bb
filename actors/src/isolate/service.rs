//! Services in an isolate: one future each, and the queues that feed them.

mod supervised;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use mycelium_mailbox::{Confined, Lent, Shared};

use self::supervised::ServiceWard;
pub(crate) use self::supervised::seat_service;
use super::Waiting;
use super::core::IsolateCore;
use super::gauge::Gauge;
use super::handle::{IsolateContext, Place, id_of, seat_of};
use super::lane::{LaneReceiving, Receive};
use super::queue::{Kept, PolicyQueue};
use super::seat::AnySeat;
use super::tree::SeatedChild;
use super::waits::{Rest, SeatWait};
use super::{OUTSIDE, let_go, remember};
use crate::life::Origin;
use crate::{Actor, Delivery, Message, Service, SpawnError, StopReason, Subscription};

type Run<S> = Pin<Box<dyn Future<Output = (S, Result<(), <S as Service>::Error>)>>>;

/// One service of an isolate.
pub(crate) struct ServiceSeat<S: Service> {
    core: Rc<IsolateCore>,
    index: u32,
    waker: Waker,
    run: RefCell<Option<Run<S>>>,
    /// What its loop waits for, besides what may still come.
    wait: Cell<SeatWait>,
    retired: RefCell<Option<S>>,
    ended: RefCell<Option<StopReason>>,
    watchers: RefCell<Vec<Waker>>,
    /// What its supervisor needs; `None`: nobody looks after it.
    ward: Option<Box<ServiceWard<S>>>,
}

/// The loop of a service in a seat.
fn run_in<S: Service>(core: &Rc<IsolateCore>, index: u32, mut service: S, origin: Origin) -> Run<S> {
    let place = Place::new(core, index);
    Box::pin(async move {
        let ctx = crate::ServiceContext::in_isolate(place, origin, S::name);
        let result = service.run(&ctx).await;
        (service, result)
    })
}

impl<S: Service> ServiceSeat<S> {
    pub(crate) fn new(core: &Rc<IsolateCore>, index: u32, waker: Waker, service: S) -> Self {
        let origin = core.names.origin::<S>(None);
        Self {
            core: Rc::clone(core),
            index,
            waker,
            ward: None,
            run: RefCell::new(Some(run_in(core, index, service, origin))),
            wait: Cell::new(SeatWait::Outside),
            retired: RefCell::default(),
            ended: RefCell::default(),
            watchers: RefCell::default(),
        }
    }

    /// The service, once its loop has returned.
    pub(crate) fn take(&self) -> Option<S> {
        self.retired.borrow_mut().take()
    }

    fn record_end(&self, reason: StopReason) {
        if let Some(ward) = &self.ward {
            ward.over(&reason);
        } else if !self.has_ended() {
            *self.ended.borrow_mut() = Some(reason.clone());
            self.core.left_alone(S::name(), self.index, reason);
            self.watchers.take().into_iter().for_each(Waker::wake);
        }
    }
}

impl<A: Actor> IsolateContext<A> {
    /// Adds a service beside this actor.
    pub(crate) fn seat_service<S: Service>(&self, service: S) -> Result<Place, SpawnError> {
        let seat = self.place().core().and_then(|core| seat_of::<A>(core, self.place().seat()));
        let core = Rc::clone(&seat.ok_or(SpawnError::WrongThread)?.core);
        let (index, waker) = core.next_seat();
        core.add_seat(Rc::new(ServiceSeat::new(&core, index, waker, service)));
        Ok(Place::new(&core, index))
    }
}

impl<S: Service> AnySeat for ServiceSeat<S> {
    fn resume(&self) {
        // Only the run loop resumes, and it does one thing at a time.
        let Ok(mut slot) = self.run.try_borrow_mut() else { return };
        let Some(run) = slot.as_mut() else { return };
        self.core.running.set(self.index);
        self.core.went_on.set(self.index);
        let polled = run.as_mut().poll(&mut TaskContext::from_waker(&self.waker));
        self.wait.set(self.core.take_wait(self.index));
        let Poll::Ready((service, result)) = polled else {
            drop(slot);
            if self.ward.as_ref().is_some_and(|ward| ward.ends_here()) {
                self.end(StopReason::Shutdown);
            }
            return;
        };
        let over = slot.take();
        drop(slot);
        drop(over);
        if self.ward.is_none() {
            *self.retired.borrow_mut() = Some(service);
        }
        self.record_end(match result {
            Ok(()) => StopReason::Normal,
            Err(error) => StopReason::Failed(error.to_string().into()),
        });
    }

    fn name(&self) -> &'static str {
        S::name()
    }

    fn is_service(&self) -> bool {
        true
    }

    fn waiting(&self) -> Option<Waiting> {
        let wait = self.wait.get();
        let is_at_rest = self.core.waits.rests(self.index)
            || matches!(wait, SeatWait::End(_) | SeatWait::TreeEnd | SeatWait::EndOfTime);
        (self.run.borrow().is_some() && !is_at_rest).then(|| Waiting {
            actor: self.core.identity(self.index, S::name()),
            waits_for: wait.told(&self.core),
        })
    }

    fn end(&self, reason: StopReason) {
        self.core.judge(S::name(), self.index, &reason);
        let run = self.run.borrow_mut().take();
        drop(run);
        self.record_end(reason);
    }

    fn ask_stop(&self) {
        self.end(StopReason::Normal);
    }

    fn kill(&self) {
        self.end(StopReason::Killed);
    }

    fn watch(&self, waker: &Waker) {
        remember(&self.watchers, waker);
    }

    fn end_reason(&self) -> Option<StopReason> {
        self.ended.borrow().clone()
    }

    fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    fn as_child(&self) -> Option<&dyn SeatedChild> {
        self.ward.as_ref().map(|_| self as &dyn SeatedChild)
    }

    fn clear(&self) {
        drop(self.run.take());
        drop(self.retired.take());
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

/// A message that waits for a subscriber.
struct Queued<M> {
    message: Shared<M>,
    /// The number of its event.
    stamp: u64,
    sender: u32,
}

impl<M> Clone for Queued<M> {
    fn clone(&self) -> Self {
        Self { message: self.message.clone(), ..*self }
    }
}

/// The queue of one [`Subscriber`](crate::Subscriber) in an isolate.
pub(super) struct SubscriberQueue<M> {
    place: Place,
    echo: bool,
    open: Cell<bool>,
    queue: PolicyQueue<M, Queued<M>>,
    /// What it was given when it came, and read first. It counts for no capacity, and no policy drops it.
    given: RefCell<VecDeque<Queued<M>>>,
    waker: RefCell<Option<Waker>>,
    rest: Cell<Option<Rest>>,
}

impl<M: 'static> Receive<M> for Rc<SubscriberQueue<M>> {
    fn again(&self) -> Box<dyn Receive<M>> {
        Box::new(Self::clone(self))
    }

    fn deliver(&self, sender: u32, message: Lent<'_, M>) -> bool {
        if !self.hears(sender) {
            return false;
        }
        if !self.open.get() {
            // It was closed while others were handling the message.
            self.queue.gauge.left(1);
            return false;
        }
        let stamp = self.place.core().map_or(0, |core| core.bounds.events());
        let entry = || Queued { message: message.share(), stamp, sender };
        let Kept::InPlaceOf(old) = self.queue.offer(&message, entry) else { return false };
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            drop(self.rest.take());
            waker.wake();
        }
        let_go(old);
        true
    }

    fn give(&self, sender: u32, _: i64, message: Lent<'_, M>) {
        let stamp = self.place.core().map_or(0, |core| core.bounds.events());
        self.given.borrow_mut().push_back(Queued { message: message.share(), stamp, sender });
    }
}

impl<M: 'static> LaneReceiving for Rc<SubscriberQueue<M>> {
    fn is_actor(&self) -> bool {
        false
    }

    fn seat(&self) -> u32 {
        self.place.seat()
    }

    fn hears(&self, sender: u32) -> bool {
        sender != self.place.seat() || self.echo
    }

    fn waiting(&self) -> usize {
        SubscriberQueue::waiting(self)
    }

    fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    fn is_closed(&self) -> bool {
        !self.open.get()
    }

    fn close(&self) {
        SubscriberQueue::close(self);
    }
}

impl<M: 'static> SubscriberQueue<M> {
    pub(super) fn new(place: Place, how: &Subscription<M>, gauge: Rc<Gauge>) -> Self {
        let (given, waker, rest) = Default::default();
        let (open, queue) = (Cell::new(true), PolicyQueue::new(how, gauge));
        Self { place, echo: how.echo, open, queue, given, waker, rest }
    }

    pub(super) fn has_closed(&self) -> bool {
        !self.open.get()
    }

    /// What `look` sees of the oldest message.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&M) -> R) -> Option<R> {
        self.front(|front| look(&front.message))
    }

    fn front<R>(&self, look: impl FnOnce(&Queued<M>) -> R) -> Option<R> {
        let given = self.given.borrow();
        match given.front() {
            Some(first) => Some(look(first)),
            None => self.queue.peek(look),
        }
    }

    /// Wakes `waker` when the next message is there.
    pub(super) fn wake(&self, waker: &Waker) {
        *self.waker.borrow_mut() = Some(waker.clone());
    }

    pub(super) fn take(&self) -> Option<Shared<M>> {
        let given = self.given.borrow_mut().pop_front();
        Some(given.or_else(|| self.queue.pop())?.message)
    }

    fn waiting(&self) -> usize {
        self.given.borrow().len() + self.queue.len()
    }

    pub(super) fn close(&self) {
        self.open.set(false);
        let left = (self.given.take(), self.queue.close());
        self.queue.gauge.left_with((left.0.len() + left.1.len()) as u64);
        let_go(left);
    }
}

/// The isolate's half of a [`Subscriber`](crate::Subscriber).
pub(crate) struct IsolateSubscriber<M: Message> {
    place: Place,
    inlet: Confined<SubscriberQueue<M>>,
}

impl<M: Message> IsolateSubscriber<M> {
    pub(crate) fn new(place: Place, subscription: Subscription<M>) -> Result<Self, SpawnError> {
        let lane = place.core().ok_or(SpawnError::WrongThread)?.topic::<M>()?;
        let inlet = Rc::new(SubscriberQueue::new(place.clone(), &subscription, Rc::clone(&lane.gauge)));
        lane.add(Box::new(Rc::clone(&inlet)), &subscription);
        Ok(Self { place, inlet: Confined::new(inlet) })
    }

    pub(crate) fn poll_recv(&self, cx: &mut TaskContext<'_>) -> Poll<Option<M>> {
        self.poll_ready(cx).map(|more| if more { self.try_recv() } else { None })
    }

    /// Whether a message waits; `false` once there will be none any more.
    pub(crate) fn poll_ready(&self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        let Some(inlet) = self.inlet.get() else { return Poll::Ready(false) };
        if inlet.waiting() > 0 {
            return Poll::Ready(true);
        }
        if !inlet.open.get() {
            return Poll::Ready(false);
        }
        inlet.wake(cx.waker());
        inlet.rest.set(inlet.rest.take().or_else(|| Rest::begin(&self.place)));
        Poll::Pending
    }

    pub(crate) fn drain(&self, most: usize, mut each: impl FnMut(Delivery<'_, M>)) -> usize {
        let Some(inlet) = self.inlet.get() else { return 0 };
        let most = most.min(inlet.waiting());
        for _ in 0..most {
            // Passed afterwards: should `each` panic, it is still in front.
            let Some(front) = inlet.front(Queued::clone) else { break };
            let sender = (front.sender != OUTSIDE).then(|| id_of(front.sender));
            each(Delivery::new(&front.message, front.stamp, sender));
            drop(inlet.take());
            if let Some(core) = self.place.core() {
                core.made_room();
            }
        }
        most
    }

    /// Nobody waits for the next message any more.
    pub(crate) fn forget_wait(&self) {
        if let Some(inlet) = self.inlet.get() {
            drop(inlet.rest.take());
        }
    }

    pub(crate) fn try_recv(&self) -> Option<M> {
        let inlet = self.inlet.get()?;
        let message = inlet.take()?;
        if let Some(core) = self.place.core() {
            core.made_room();
        }
        Some(M::clone(&message))
    }
}

impl<M: Message> Drop for IsolateSubscriber<M> {
    fn drop(&mut self) {
        let Some(inlet) = self.inlet.get() else { return };
        drop(inlet.rest.take());
        inlet.close();
        let Some(core) = self.place.core() else { return };
        if let Some(lane) = core.find_topic::<M>() {
            lane.forget_closed(core);
        }
        core.made_room();
    }
}
