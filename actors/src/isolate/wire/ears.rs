//! Subscribers of bytes in an isolate: one queue for each message, and one order over all of them.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use mycelium_mailbox::{Confined, wake};
use mycelium_remote::frame::Header;

use crate::isolate::gauge::Gauge;
use crate::isolate::handle::Place;
use crate::isolate::lane::Receive;
use crate::isolate::steps::goes_on;
use crate::isolate::subscriber::SubscriberQueue;
use crate::isolate::waits::Rest;
use crate::wire::{Table, WireDelivery, WireMessage};
use crate::{SpawnError, Subscription, WireTopics};

/// The stamp of a queue's oldest message, and its number.
type Front = Reverse<(u64, usize)>;

/// What the queues of one subscriber have in common: a message costs a few steps, however many of them there
/// are.
#[derive(Default)]
pub(in crate::isolate) struct EarFronts {
    /// Of each queue that is not empty, its number and a stamp: that of its oldest message, or of one before
    /// that, which its policy has dropped.
    fronts: RefCell<BinaryHeap<Front>>,
    waker: RefCell<Option<Waker>>,
    /// How many of them are open.
    open: Cell<usize>,
}

impl EarFronts {
    pub(in crate::isolate) fn has_opened(&self) {
        self.open.set(self.open.get() + 1);
    }

    pub(in crate::isolate) fn has_closed(&self) {
        self.open.set(self.open.get() - 1);
        self.wake();
    }

    /// The queue of this number has one message more.
    pub(in crate::isolate) fn has_come(&self, number: usize, stamp: u64, was_empty: bool) {
        if was_empty {
            self.fronts.borrow_mut().push(Reverse((stamp, number)));
        }
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        waker.into_iter().for_each(wake);
    }

    /// The number of the queue whose oldest message is next; of two with one stamp, the lower one.
    fn first(&self, front_stamp: impl Fn(usize) -> Option<u64>) -> Option<usize> {
        let mut fronts = self.fronts.borrow_mut();
        loop {
            let top = fronts.peek_mut()?;
            let Reverse((stamp, number)) = *top;
            let now = front_stamp(number);
            if now == Some(stamp) {
                return Some(number);
            }
            lower(top, now);
        }
    }

    /// The oldest message of the queue that [`first`](Self::first) has said was taken; what is behind it
    /// has this stamp.
    fn has_left(&self, number: usize, next: Option<u64>) {
        let mut fronts = self.fronts.borrow_mut();
        // Code that has looked at the message may have brought another one before it, which stays: this queue
        // is asked anew when its turn comes.
        if let Some(top) = fronts.peek_mut().filter(|top| top.0.1 == number) {
            lower(top, next);
        }
    }
}

/// The queue at the top has this oldest message now, or none.
fn lower(mut top: PeekMut<'_, Front>, stamp: Option<u64>) {
    match stamp {
        Some(stamp) => top.0.0 = stamp,
        None => _ = PeekMut::pop(top),
    }
}

/// The queue of one message of a [`WireSubscriber`](crate::WireSubscriber).
struct WireInlet {
    /// The message, in the table.
    at: usize,
    /// The place among the receivers of its topic.
    ticket: u64,
    queue: Confined<SubscriberQueue<WireMessage>>,
}

/// The isolate's half of a [`WireSubscriber`](crate::WireSubscriber).
pub(crate) struct IsolateEars {
    place: Place,
    table: Table,
    inlets: Vec<WireInlet>,
    fronts: Confined<EarFronts>,
    /// While its service waits for the next message.
    rest: Option<Rest>,
}

impl IsolateEars {
    pub(crate) fn new(
        place: Place,
        topics: &WireTopics,
        how: Subscription<WireMessage>,
    ) -> Result<Self, SpawnError> {
        let table = place.core().ok_or(SpawnError::WrongThread)?.table.borrow().clone();
        let wanted = topics.among(&table)?;
        let shared = Rc::new(EarFronts::default());
        let fronts = Confined::new(Rc::clone(&shared));
        let mut ears = Self { place, table, inlets: Vec::new(), fronts, rest: None };
        for (number, at) in wanted.into_iter().enumerate() {
            let known = ears.table.known()[at].enabled()?;
            let made = RefCell::new(None);
            let make = |gauge: &Rc<Gauge>| {
                let queue = SubscriberQueue::new(ears.place.clone(), &how, Rc::clone(gauge));
                let inlet = Rc::new(queue.among(&shared, number));
                *made.borrow_mut() = Some(Rc::clone(&inlet));
                Box::new(inlet) as Box<dyn Receive<WireMessage>>
            };
            let ticket = known.port().isolate().listen(known.kind, &ears.place, &how, &make)?;
            let queue = made.take().map(Confined::new);
            ears.inlets.extend(queue.map(|queue| WireInlet { at, ticket, queue }));
        }
        Ok(ears)
    }

    pub(crate) fn poll_recv(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<WireMessage>> {
        let got = self.try_recv();
        let fronts = self.fronts.get();
        if got.is_some() || fronts.is_none_or(|fronts| fronts.open.get() == 0) {
            if got.is_none() && !goes_on(cx) {
                return Poll::Pending;
            }
            self.rest = None;
            return Poll::Ready(got);
        }
        if let Some(fronts) = fronts {
            fronts.waker.replace(Some(cx.waker().clone()));
        }
        if self.rest.is_none() {
            self.rest = Rest::begin(&self.place);
        }
        Poll::Pending
    }

    /// Nobody waits for the next message any more.
    pub(crate) fn forget_wait(&mut self) {
        self.rest = None;
    }

    pub(crate) fn try_recv(&mut self) -> Option<WireMessage> {
        let (number, inlet) = self.first()?;
        let message = inlet.take()?;
        self.has_left(number, inlet);
        Some(WireMessage::clone(&message))
    }

    pub(crate) fn drain(&mut self, most: usize, look: &mut dyn FnMut(WireDelivery<'_>) -> bool) -> usize {
        let mut seen = 0;
        while seen < most
            && let Some((number, inlet)) = self.first()
            && let Some(place) = inlet.front_place()
            && let Some(message) = inlet.peek(WireMessage::clone)
            && look(message.delivery())
        {
            // Passed afterwards: had `look` panicked, it would still be in front.
            let seen_message = inlet.take_seen(place);
            self.has_left(number, inlet);
            drop(seen_message);
            seen += 1;
        }
        seen
    }

    /// Passes messages as long as `take` takes them, at most `most`; how many.
    pub(crate) fn take_while(&mut self, most: usize, take: &mut dyn FnMut(&Header, &[u8]) -> bool) -> usize {
        let mut seen = 0;
        while seen < most
            && let Some((number, inlet)) = self.first()
            && let Some(place) = inlet.front_place()
            && let Some(message) = inlet.peek(WireMessage::clone)
            && take(message.header(), message.bytes())
        {
            let seen_message = inlet.take_seen(place);
            self.has_left(number, inlet);
            drop(seen_message);
            seen += 1;
        }
        seen
    }

    /// How many messages wait.
    pub(crate) fn unread(&self) -> usize {
        self.inlets.iter().filter_map(|inlet| inlet.queue.get()).map(SubscriberQueue::waiting).sum()
    }

    /// Where the message waits that is next.
    fn first(&self) -> Option<(usize, &SubscriberQueue<WireMessage>)> {
        let number = self.fronts.get()?.first(|number| self.inlet(number)?.front_stamp())?;
        Some((number, self.inlet(number)?))
    }

    fn has_left(&self, number: usize, inlet: &SubscriberQueue<WireMessage>) {
        if let Some(fronts) = self.fronts.get() {
            fronts.has_left(number, inlet.front_stamp());
        }
    }

    fn inlet(&self, number: usize) -> Option<&SubscriberQueue<WireMessage>> {
        self.inlets.get(number)?.queue.get()
    }
}

impl Drop for IsolateEars {
    fn drop(&mut self) {
        self.inlets.iter().filter_map(|inlet| inlet.queue.get()).for_each(SubscriberQueue::close);
        let Some(core) = self.place.core() else { return };
        for WireInlet { at, ticket, .. } in &self.inlets {
            let known = &self.table.known()[*at];
            known.port().isolate().remove(known.kind, core, *ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn a_message_costs_the_same_looks_however_many_queues_there_are() {
        let looks_for = |queues: u64| {
            let (fronts, looks) = (EarFronts::default(), Cell::new(0_u64));
            let mut waiting = vec![VecDeque::new(); queues as usize];
            for stamp in 0..4 * queues {
                let number = (stamp * 7 % queues) as usize;
                fronts.has_come(number, stamp, waiting[number].is_empty());
                waiting[number].push_back(stamp);
            }
            for stamp in 0..4 * queues {
                let first = fronts.first(|number| {
                    looks.set(looks.get() + 1);
                    waiting[number].front().copied()
                });
                let number = first.unwrap();
                assert_eq!(waiting[number].pop_front(), Some(stamp));
                fronts.has_left(number, waiting[number].front().copied());
            }
            assert!(fronts.fronts.borrow().is_empty());
            looks.get() / (4 * queues)
        };
        assert_eq!((looks_for(10), looks_for(1_000)), (1, 1));
    }

    #[test]
    fn a_queue_that_drops_and_is_never_read_takes_no_room_here() {
        let fronts = EarFronts::default();
        for stamp in 0..1_000 {
            fronts.has_come(0, stamp, stamp == 0);
        }
        assert_eq!(fronts.first(|_| Some(999)), Some(0));
        assert_eq!(fronts.fronts.borrow().len(), 1);
        assert_eq!(fronts.first(|_| None), None, "it was closed");
    }

    #[test]
    fn what_is_passed_is_the_queues_own_message_and_no_other() {
        let (fronts, front) = (EarFronts::default(), |number| [None, Some(5), Some(3)][number]);
        fronts.has_come(1, 4, true);
        assert_eq!(fronts.first(|_| Some(4)), Some(1));
        fronts.has_come(2, 3, true);
        fronts.has_left(1, Some(5));
        assert_eq!(fronts.first(front), Some(2), "it waits");
        fronts.has_left(2, None);
        assert_eq!(fronts.first(front), Some(1));
    }
}
