//! What waits for one receiver of an isolate: the bounded store that live queues have, and its counters.

use std::cell::RefCell;
use std::rc::Rc;

use mycelium_mailbox::{Backlog, Offered, WhenFull};

use super::gauge::{Gauge, OnUnwind, count};
use crate::{Policy, Subscription};

/// Messages of type `M` that wait, each as a `T`, under the policy of their subscription.
pub(super) struct PolicyQueue<M, T> {
    backlog: RefCell<Backlog<T>>,
    key: Option<fn(&M) -> u64>,
    pub(super) gauge: Rc<Gauge>,
    capacity: u32,
    seat: u32,
    /// Whether it fails publishes when it is full.
    fails: bool,
}

/// What became of a message that a [`PolicyQueue`] was offered.
pub(super) enum Kept<T> {
    /// It waits. This older one is gone for it, and counted.
    InPlaceOf(Option<T>),
    /// It was dropped, and counted.
    Dropped,
}

impl<M, T> PolicyQueue<M, T> {
    /// That of a subscription of this seat.
    pub(super) fn new(how: &Subscription<M>, gauge: Rc<Gauge>, seat: u32) -> Self {
        let capacity = u32::try_from(how.room()).unwrap_or(u32::MAX);
        let (backlog, fails) = (Backlog::new(how.when_full(), capacity), matches!(how.policy, Policy::Fail));
        Self { backlog: backlog.into(), key: how.key(), gauge, capacity, seat, fails }
    }

    /// Keeps a message, by the policy. Publishers are refused while a queue is full that drops nothing; what
    /// they had sent before is taken beyond its capacity.
    pub(super) fn offer(&self, message: &M, entry: impl FnOnce() -> T) -> Kept<T> {
        // A key is foreign code.
        let told = OnUnwind(|| self.gauge.died());
        let key = self.key.map_or(0, |key| key(message));
        std::mem::forget(told);
        let mut backlog = self.backlog.borrow_mut();
        if backlog.drops_next() {
            count(&self.gauge.newest);
            return Kept::Dropped;
        }
        let was_full = self.refuses(&backlog);
        let (counter, old) = match backlog.offer(entry(), key) {
            Offered::Stored => (None, None),
            Offered::DroppedOldest(old) => (Some(&self.gauge.oldest), Some(old)),
            Offered::Conflated(old) => (Some(&self.gauge.conflated), Some(old)),
            Offered::Refused(entry) | Offered::DroppedNewest(entry) => {
                backlog.push(entry);
                (None, None)
            }
        };
        counter.inspect(|counter| count(counter));
        self.told(was_full, &backlog);
        Kept::InPlaceOf(old)
    }

    /// Takes the oldest.
    pub(super) fn pop(&self) -> Option<T> {
        let mut backlog = self.backlog.borrow_mut();
        let was_full = self.refuses(&backlog);
        let oldest = backlog.pop();
        self.told(was_full, &backlog);
        oldest
    }

    /// Takes everything out, the oldest first.
    pub(super) fn close(&self) -> Vec<T> {
        let mut backlog = self.backlog.borrow_mut();
        let was_full = self.refuses(&backlog);
        let all = backlog.drain();
        self.told(was_full, &backlog);
        all
    }

    /// What `look` sees of the oldest.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.backlog.borrow().front().map(look)
    }

    pub(super) fn len(&self) -> usize {
        self.backlog.borrow().len()
    }

    /// Whether it has reached its capacity.
    pub(super) fn is_full(&self) -> bool {
        self.backlog.borrow().is_full()
    }

    /// How many more it takes before it has reached its capacity.
    pub(super) fn room(&self) -> usize {
        (self.capacity as usize).saturating_sub(self.len())
    }

    fn refuses(&self, backlog: &Backlog<T>) -> bool {
        backlog.when_full() == WhenFull::Refuse && backlog.is_full()
    }

    /// Tells the publishers if they are refused from now on, or no more.
    fn told(&self, before: bool, backlog: &Backlog<T>) {
        let after = self.refuses(backlog);
        if before != after {
            self.gauge.refuses(after, self.seat, self.fails);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local!(static ASKED: Cell<u32> = const { Cell::new(0) });

    fn key(number: &u32) -> u64 {
        ASKED.set(ASKED.get() + 1);
        u64::from(number % 100)
    }

    #[test]
    fn a_key_is_asked_for_once_for_each_message_however_many_wait() {
        let gauge = Gauge::direct("a number", false);
        let queue = PolicyQueue::new(&Subscription::conflate(key), Rc::clone(&gauge), 0);
        for number in 0..1_000_u32 {
            assert!(matches!(queue.offer(&number, || number), Kept::InPlaceOf(_)));
        }
        assert_eq!((ASKED.get(), queue.len(), gauge.conflated.get()), (1_000, 100, 900));
        assert_eq!(queue.close(), (900..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_sent_before_a_queue_was_full_is_taken_and_publishers_hear_of_it_once() {
        let gauge = Gauge::direct("a number", false);
        gauge.is_heard(true);
        let queue = PolicyQueue::new(&Subscription::block().capacity(2), Rc::clone(&gauge), 0);
        for number in 0..5_u32 {
            assert_eq!(gauge.is_refused(), number >= 2, "{number}");
            assert!(matches!(queue.offer(&number, || number), Kept::InPlaceOf(None)));
        }
        for number in 0..5_u32 {
            assert!(queue.is_full() == (number < 4) && gauge.is_refused() == (number < 4), "{number}");
            assert_eq!(queue.pop(), Some(number));
        }
        assert_eq!(queue.pop(), None);
    }
}
