//! The order of what waits behind a parked handler, over all ways into its actor.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use super::core::EventPlace;
use super::sub::ParkedSource;

/// So many entries of dropped messages are left where they are, however few messages wait (entries).
const STALE_MIN: usize = 64;

/// An entry for each message that waits, the oldest first; the message itself is with the way by which it
/// came.
///
/// A policy may drop a message from the middle: its entry is passed over when its turn comes. Swept out as
/// soon as they are most of all, such entries take no more room than the messages that wait, and their share
/// in the work of one message is constant.
#[derive(Default)]
pub(crate) struct ParkedOrder {
    /// By their places.
    entries: RefCell<VecDeque<ParkedEntry>>,
    next: Cell<u64>,
    /// How many of them are for retained messages.
    given: Cell<usize>,
    /// The entries whose messages were dropped.
    stale: RefCell<BTreeSet<u64>>,
}

struct ParkedEntry {
    number: u64,
    place: EventPlace,
    from: Rc<dyn ParkedSource>,
    is_given: bool,
}

impl ParkedOrder {
    /// The number of the next message; they rise.
    pub(crate) fn next(&self) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }

    /// The message of this number waits at `from`. Nothing that waits was published after it, but for what
    /// was retained.
    pub(crate) fn push(&self, number: u64, place: EventPlace, from: Rc<dyn ParkedSource>) {
        self.put(ParkedEntry { number, place, from, is_given: false });
    }

    /// The same for a message that was retained, whenever that was.
    pub(crate) fn give(&self, number: u64, place: EventPlace, from: Rc<dyn ParkedSource>) {
        self.given.set(self.given.get() + 1);
        self.put(ParkedEntry { number, place, from, is_given: true });
    }

    fn put(&self, entry: ParkedEntry) {
        let mut entries = self.entries.borrow_mut();
        match entries.back() {
            Some(last) if last.place > entry.place => {
                let at = entries.partition_point(|other| other.place <= entry.place);
                entries.insert(at, entry);
            }
            _ => entries.push_back(entry),
        }
    }

    /// Whether messages wait that were retained.
    #[inline]
    pub(crate) fn has_given(&self) -> bool {
        self.given.get() > 0
    }

    /// Where the oldest message waits, which is the first of those there. One that was retained has its turn
    /// when `has_come` says so of its place.
    pub(crate) fn pop(&self, has_come: impl Fn(EventPlace) -> bool) -> Option<Rc<dyn ParkedSource>> {
        loop {
            let mut entries = self.entries.borrow_mut();
            let first = entries.front()?;
            if self.stale.borrow_mut().remove(&first.number) {
                // It may be the last thing that holds the way by which its message came.
                let stale = entries.pop_front();
                drop(entries);
                drop(stale);
                continue;
            }
            if first.is_given {
                if !has_come(first.place) {
                    return None;
                }
                self.given.set(self.given.get() - 1);
            }
            return entries.pop_front().map(|first| first.from);
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.borrow().len() <= self.stale.borrow().len()
    }

    /// The message of this number was dropped where it waited.
    pub(crate) fn dropped(&self, number: u64) {
        let mut stale = self.stale.borrow_mut();
        stale.insert(number);
        if stale.len() > STALE_MIN.max(self.entries.borrow().len() / 2) {
            drop(stale);
            self.sweep();
        }
    }

    /// The same of one that was retained. All may have been taken before.
    pub(crate) fn dropped_given(&self, number: u64) {
        self.given.set(self.given.get().saturating_sub(1));
        self.dropped(number);
    }

    /// Empties it: where each message waits, the oldest first.
    pub(crate) fn take(&self) -> VecDeque<Rc<dyn ParkedSource>> {
        self.sweep();
        self.given.set(0);
        self.entries.take().into_iter().map(|entry| entry.from).collect()
    }

    fn sweep(&self) {
        let stale = self.stale.take();
        self.entries.borrow_mut().retain(|entry| !stale.contains(&entry.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolate::gauge::Label;

    /// Holds the numbers that were not dropped; what it delivers, both ways write down.
    struct LaneWay {
        held: RefCell<VecDeque<u64>>,
        delivered: Rc<RefCell<Vec<u64>>>,
    }
    impl ParkedSource for LaneWay {
        fn deliver_waiting(&self) {
            self.delivered.borrow_mut().extend(self.held.borrow_mut().pop_front());
        }
        fn discard(&self) {
            self.held.borrow_mut().pop_front();
        }
        fn label(&self) -> Label {
            Label { message: "a message", topic: None, by_value: false, own: false }
        }
    }

    #[test]
    fn what_was_dropped_takes_no_room_and_the_order_stands() {
        let (parked, delivered) = (ParkedOrder::default(), Rc::<RefCell<Vec<u64>>>::default());
        let way = || Rc::new(LaneWay { held: RefCell::default(), delivered: Rc::clone(&delivered) });
        let (strict, lossy) = (way(), way());
        let push = |way: &Rc<LaneWay>| {
            let number = parked.next();
            parked.push(number, EventPlace::new(number as usize, u64::MAX), Rc::clone(way) as _);
            way.held.borrow_mut().push_back(number);
        };
        for round in 0..10_000 {
            if round % 1_000 == 0 {
                push(&strict);
            }
            push(&lossy);
            if lossy.held.borrow().len() > 2 {
                let oldest = lossy.held.borrow_mut().pop_front();
                parked.dropped(oldest.unwrap());
            }
            assert!(parked.entries.borrow().len() <= 2 * (2 + 10) + STALE_MIN);
        }
        while let Some(way) = parked.pop(|_| true) {
            way.deliver_waiting();
        }
        let delivered = delivered.borrow();
        assert_eq!(delivered.len(), 12, "ten that nothing drops, and the last two of the others");
        assert!(delivered.is_sorted(), "{delivered:?}");
        assert_eq!(parked.entries.borrow().len(), 0);
    }

    #[test]
    fn what_was_retained_comes_in_its_place_and_not_before_the_events_that_lie_before_it() {
        let (parked, delivered) = (ParkedOrder::default(), Rc::<RefCell<Vec<u64>>>::default());
        let from = |number| {
            let held = RefCell::new(VecDeque::from([number]));
            Rc::new(LaneWay { held, delivered: Rc::clone(&delivered) }) as Rc<dyn ParkedSource>
        };
        // Two events, one from a feed, and another event.
        for (number, events, between) in [(1, 0, u64::MAX), (4, 3, u64::MAX), (6, 4, 8), (8, 4, u64::MAX)] {
            parked.push(number, EventPlace::new(events, between), from(number));
        }
        for (number, events, between) in [(2, 1, 5), (3, 3, 6), (5, 4, 7), (7, 4, 8), (9, 9, 9), (10, 4, 10)]
        {
            parked.give(number, EventPlace::new(events, between), from(number));
        }
        parked.dropped_given(10);
        let taken = |taken: usize| move |place: EventPlace| place < EventPlace::new(taken + 1, 0);
        while let Some(way) = parked.pop(taken(5)) {
            way.deliver_waiting();
        }
        assert_eq!(delivered.take(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(parked.has_given());
        parked.pop(taken(9)).unwrap().deliver_waiting();
        assert_eq!(delivered.take(), [9]);
        assert!(!parked.has_given() && parked.is_empty() && parked.pop(|_| true).is_none());
    }
}
