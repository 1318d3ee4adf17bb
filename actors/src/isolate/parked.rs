//! The order of what waits behind a parked handler, over all ways into its actor.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

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
    entries: RefCell<VecDeque<(u64, Rc<dyn ParkedSource>)>>,
    next: Cell<u64>,
    /// The entries whose messages were dropped.
    stale: RefCell<BTreeSet<u64>>,
}

impl ParkedOrder {
    /// The number of the next message; they rise.
    pub(crate) fn next(&self) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }

    /// The message of this number waits at `from`, after all others.
    pub(crate) fn push(&self, number: u64, from: Rc<dyn ParkedSource>) {
        self.entries.borrow_mut().push_back((number, from));
    }

    /// Where the oldest message waits. It is the first of those there.
    pub(crate) fn pop(&self) -> Option<Rc<dyn ParkedSource>> {
        loop {
            let (number, from) = self.entries.borrow_mut().pop_front()?;
            if !self.stale.borrow_mut().remove(&number) {
                return Some(from);
            }
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

    /// Empties it: where each message waits, the oldest first.
    pub(crate) fn take(&self) -> VecDeque<Rc<dyn ParkedSource>> {
        self.sweep();
        self.entries.take().into_iter().map(|(_, from)| from).collect()
    }

    fn sweep(&self) {
        let stale = self.stale.take();
        self.entries.borrow_mut().retain(|(number, _)| !stale.contains(number));
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
            Label { message: "a message", topic: None, by_value: false }
        }
    }

    #[test]
    fn what_was_dropped_takes_no_room_and_the_order_stands() {
        let (parked, delivered) = (ParkedOrder::default(), Rc::<RefCell<Vec<u64>>>::default());
        let way = || Rc::new(LaneWay { held: RefCell::default(), delivered: Rc::clone(&delivered) });
        let (strict, lossy) = (way(), way());
        let push = |way: &Rc<LaneWay>| {
            let number = parked.next();
            parked.push(number, Rc::clone(way) as _);
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
        while let Some(way) = parked.pop() {
            way.deliver_waiting();
        }
        let delivered = delivered.borrow();
        assert_eq!(delivered.len(), 12, "ten that nothing drops, and the last two of the others");
        assert!(delivered.is_sorted(), "{delivered:?}");
        assert_eq!(parked.entries.borrow().len(), 0);
    }
}
