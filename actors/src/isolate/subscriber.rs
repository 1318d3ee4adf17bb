//! The queues that feed the services of an isolate.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use mycelium_mailbox::{Confined, Lent, Loan, Shared, wake};

use super::gauge::Gauge;
use super::handle::{Place, id_of};
use super::lane::{LaneReceiving, Receive};
use super::queue::{Kept, PolicyQueue};
use super::retained::PublishedAt;
use super::steps::goes_on;
use super::waits::Rest;
use super::wire::EarFronts;
use super::{OUTSIDE, let_go};
use crate::{Delivery, Message, SpawnError, Subscription};

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

/// Which message is the oldest of a queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FrontPlace {
    is_given: bool,
    stamp: u64,
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
    /// What it has in common with the other queues of a subscriber of bytes, and its number among them.
    fronts: Option<(Rc<EarFronts>, usize)>,
}

impl<M: 'static> Receive<M> for Rc<SubscriberQueue<M>> {
    fn deliver(&self, sender: u32, message: Lent<'_, M>) -> bool {
        if !self.hears(sender) {
            return false;
        }
        if !self.open.get() {
            // It was closed while others were handling the message.
            self.queue.gauge.left(1);
            return false;
        }
        let core = self.place.core();
        let stamp = core.map_or(0, |core| core.bounds.events());
        // A key that panics is code of whoever subscribed.
        if let Some(core) = core.filter(|_| self.place.seat() != OUTSIDE) {
            core.running.set(self.place.seat());
        }
        let entry = || Queued { message: message.share(), stamp, sender };
        let was_empty = self.fronts.is_some() && self.waiting() == 0;
        let Kept::InPlaceOf(old) = self.queue.offer(&message, entry) else { return false };
        if let Some((fronts, number)) = &self.fronts {
            fronts.has_come(*number, stamp, was_empty);
        }
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            drop(self.rest.take());
            wake(waker);
        }
        let_go(old);
        true
    }

    fn give(&self, PublishedAt { sender, .. }: PublishedAt, message: Lent<'_, M>) {
        let stamp = self.place.core().map_or(0, |core| core.bounds.events());
        let was_empty = self.fronts.is_some() && self.waiting() == 0;
        self.given.borrow_mut().push_back(Queued { message: message.share(), stamp, sender });
        if let Some((fronts, number)) = &self.fronts {
            fronts.has_come(*number, stamp, was_empty);
        }
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
        // All that is outside of actors is not one and the same.
        sender != self.place.seat() || self.echo || sender == OUTSIDE
    }

    fn waiting(&self) -> usize {
        SubscriberQueue::waiting(self)
    }

    fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    fn room(&self) -> usize {
        self.queue.room()
    }

    fn close(&self) {
        SubscriberQueue::close(self);
    }
}

impl<M: 'static> SubscriberQueue<M> {
    pub(super) fn new(place: Place, how: &Subscription<M>, gauge: Rc<Gauge>) -> Self {
        let (given, waker, rest) = Default::default();
        let (open, queue) = (Cell::new(true), PolicyQueue::new(how, gauge, place.seat()));
        Self { place, echo: how.echo, open, queue, given, waker, rest, fronts: None }
    }

    /// One of several queues, and its number among them.
    pub(super) fn among(self, fronts: &Rc<EarFronts>, number: usize) -> Self {
        fronts.has_opened();
        Self { fronts: Some((Rc::clone(fronts), number)), ..self }
    }

    /// What `look` sees of the oldest message.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&M) -> R) -> Option<R> {
        self.front(|front| look(&front.message))
    }

    /// The stamp of the oldest message.
    pub(super) fn front_stamp(&self) -> Option<u64> {
        self.front(|front| front.stamp)
    }

    /// Where the oldest message is, for [`take_seen`](Self::take_seen).
    pub(super) fn front_place(&self) -> Option<FrontPlace> {
        let is_given = !self.given.borrow().is_empty();
        Some(FrontPlace { is_given, stamp: self.front_stamp()? })
    }

    /// Takes the message that was in front there. Code that has run since may have had its policy drop it, or
    /// have closed the queue: then nothing is taken.
    pub(super) fn take_seen(&self, seen: FrontPlace) -> Option<Shared<M>> {
        if self.front_place()? == seen { self.take() } else { None }
    }

    fn front<R>(&self, look: impl FnOnce(&Queued<M>) -> R) -> Option<R> {
        let given = self.given.borrow();
        match given.front() {
            Some(first) => Some(look(first)),
            None => self.queue.peek(look),
        }
    }

    /// Wakes `waker` when the next message is there.
    fn wake(&self, waker: &Waker) {
        // A former one is dropped where nothing is borrowed: it is a stranger's.
        drop(self.waker.replace(Some(waker.clone())));
    }

    pub(super) fn take(&self) -> Option<Shared<M>> {
        Some(self.pop()?.message)
    }

    fn pop(&self) -> Option<Queued<M>> {
        let given = self.given.borrow_mut().pop_front();
        given.or_else(|| self.queue.pop())
    }

    pub(super) fn waiting(&self) -> usize {
        self.given.borrow().len() + self.queue.len()
    }

    pub(super) fn close(&self) {
        if self.open.replace(false)
            && let Some((fronts, _)) = &self.fronts
        {
            fronts.has_closed();
        }
        // A waiting reader learns that nothing more comes.
        let waker = self.waker.borrow_mut().take();
        drop(self.rest.take());
        waker.into_iter().for_each(wake);
        let left = (self.given.take(), self.queue.close());
        self.queue.gauge.left_with((left.0.len() + left.1.len()) as u64);
        let_go(left);
    }
}

/// The isolate's half of a [`Subscriber`](crate::Subscriber).
pub(crate) struct IsolateSubscriber<M: Message> {
    place: Place,
    inlet: Confined<SubscriberQueue<M>>,
    /// Its place among the receivers of its topic.
    ticket: u64,
}

impl<M: Message> IsolateSubscriber<M> {
    pub(crate) fn new(place: Place, subscription: Subscription<M>) -> Result<Self, SpawnError> {
        let lane = place.core().ok_or(SpawnError::WrongThread)?.topic::<M>()?;
        let inlet = Rc::new(SubscriberQueue::new(place.clone(), &subscription, Rc::clone(&lane.gauge)));
        let ticket = lane.add(Box::new(Rc::clone(&inlet)), &subscription);
        Ok(Self { place, inlet: Confined::new(inlet), ticket })
    }

    /// Whether a message waits; `false` once there will be none any more.
    pub(crate) fn poll_ready(&self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        let inlet = self.inlet.get();
        if inlet.is_some_and(|inlet| inlet.waiting() > 0) {
            return Poll::Ready(true);
        }
        let Some(inlet) = inlet.filter(|inlet| inlet.open.get()) else {
            return if goes_on(cx) { Poll::Ready(false) } else { Poll::Pending };
        };
        inlet.wake(cx.waker());
        inlet.rest.set(inlet.rest.take().or_else(|| Rest::begin(&self.place)));
        Poll::Pending
    }

    pub(crate) fn drain(&self, most: usize, mut each: impl FnMut(Delivery<'_, M>)) -> usize {
        let Some(inlet) = self.inlet.get() else { return 0 };
        let (most, mut seen) = (most.min(inlet.waiting()), 0);
        while seen < most
            && let Some(place) = inlet.front_place()
            && let Some(front) = inlet.front(Queued::clone)
        {
            // Passed afterwards: should `each` panic, it is still in front.
            let sender = (front.sender != OUTSIDE).then(|| id_of(front.sender));
            each(Delivery::new(&front.message, front.stamp, sender));
            drop(inlet.take_seen(place));
            seen += 1;
        }
        seen
    }

    /// Nobody waits for the next message any more.
    pub(crate) fn forget_wait(&self) {
        if let Some(inlet) = self.inlet.get() {
            drop(inlet.rest.take());
        }
    }

    pub(crate) fn try_recv(&self) -> Option<IsolateReceived<'_, M>> {
        let inlet = self.inlet.get()?;
        let Queued { message, stamp, sender } = inlet.pop()?;
        Some(IsolateReceived { message: Loan::new(message), stamp, sender, inlet: &self.inlet })
    }
}

impl<M: Message> Drop for IsolateSubscriber<M> {
    fn drop(&mut self) {
        let Some(inlet) = self.inlet.get() else { return };
        drop(inlet.rest.take());
        inlet.close();
        let Some(core) = self.place.core() else { return };
        if let Some(lane) = core.find_topic::<M>() {
            lane.leave(core, &[self.ticket]);
        }
    }
}

/// The isolate's half of a [`Received`](crate::Received): a message that has left its queue.
pub(crate) struct IsolateReceived<'a, M: Message> {
    message: Loan<M>,
    stamp: u64,
    sender: u32,
    inlet: &'a Confined<SubscriberQueue<M>>,
}

impl<M: Message> IsolateReceived<'_, M> {
    pub(crate) fn delivery(&self) -> Delivery<'_, M> {
        let sender = (self.sender != OUTSIDE).then(|| id_of(self.sender));
        Delivery::new(&self.message, self.stamp, sender)
    }

    pub(crate) fn to_owned(&self) -> M {
        M::clone(&self.message)
    }

    /// Makes the message the next one again. It counts for no capacity.
    pub(crate) fn put_back(&self) {
        let (Some(inlet), Some(message)) = (self.inlet.get(), self.message.share()) else { return };
        let front = Queued { message, stamp: self.stamp, sender: self.sender };
        inlet.given.borrow_mut().push_front(front);
    }
}
