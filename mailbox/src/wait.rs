//! The producers that wait for room in a full queue.
//!
//! # Protocol
//! `list` holds (ticket, waker) in ticket order behind a mutex; `count` mirrors its length for the receiver,
//! who asks with one load whether anybody waits. A producer registers, then tries once more, then sleeps; the
//! receiver makes room, then reads `count`. **Sync point "room or waiter"**: both write before they read with
//! `SeqCst`, so either the producer's last try finds the room or the receiver finds the waiter.
//!
//! A wake-up for n free places wakes n waiters, the oldest first. A waiter that was woken and is then dropped
//! hands its wake-up to the next one. A receiver that finds nothing more wakes everybody, and so does one
//! that is about to sleep: a woken waiter that is never polled again cannot keep the others asleep beside an
//! empty queue.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::task::Waker;

use crate::discard::{caught, wake};
use crate::sync::{AtomicUsize, Mutex, Ordering, lock, model_fence};

/// How many producers may wait in one list; further ones poll again instead of sleeping.
pub(crate) const WAITERS_MAX: usize = 65_536;
/// How many wakers are taken out of the list under one lock.
const WAKE_CHUNK: usize = 16;

#[derive(Debug)]
pub(crate) struct WaitList {
    count: AtomicUsize,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    tickets: u64,
    entries: VecDeque<(NonZeroU64, Waker)>,
}

impl WaitList {
    pub(crate) fn new() -> Self {
        Self { count: AtomicUsize::new(0), list: Mutex::new(List::default()) }
    }

    /// Whether somebody waits; the caller has just made room by a `SeqCst` read-modify-write.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        model_fence();
        self.count.load(Ordering::SeqCst) != 0
    }

    /// Puts the waker in the list, at the place its ticket gives. `false`: the list is full, poll again.
    pub(crate) fn register(&self, ticket: &mut Option<NonZeroU64>, waker: &Waker) -> bool {
        let fresh = waker.clone();
        let mut list = lock(&self.list);
        let number = *ticket.get_or_insert_with(|| {
            list.tickets += 1;
            NonZeroU64::new(list.tickets).unwrap_or(NonZeroU64::MAX)
        });
        let replaced = match list.entries.binary_search_by_key(&number, |entry| entry.0) {
            Ok(at) => Some(std::mem::replace(&mut list.entries[at].1, fresh)),
            Err(_) if list.entries.len() >= WAITERS_MAX => return false,
            Err(at) => {
                list.entries.insert(at, (number, fresh));
                None
            }
        };
        self.count.swap(list.entries.len(), Ordering::SeqCst);
        drop(list);
        model_fence();
        drop(replaced);
        true
    }

    /// Takes the ticket out of the list. `false`: it was woken already.
    pub(crate) fn remove(&self, ticket: NonZeroU64) -> bool {
        let mut list = lock(&self.list);
        let Ok(at) = list.entries.binary_search_by_key(&ticket, |entry| entry.0) else { return false };
        let removed = list.entries.remove(at);
        self.settle(&mut list);
        drop(list);
        drop(removed);
        true
    }

    /// A waiter that is served leaves, woken or not.
    #[cold]
    fn forget(&self, ticket: NonZeroU64) {
        self.remove(ticket);
    }

    /// A waiter that is not served leaves, and hands on its wake-up if it had one.
    fn give_up(&self, ticket: NonZeroU64) {
        if !self.remove(ticket) {
            self.wake(1);
        }
    }

    /// Wakes the `most` oldest waiters, of those that wait now: who registers again meanwhile is left in
    /// peace.
    pub(crate) fn wake(&self, most: usize) {
        let mut left = most.min(self.count.load(Ordering::SeqCst));
        while left > 0 {
            let mut wakers: [Option<Waker>; WAKE_CHUNK] = [const { None }; WAKE_CHUNK];
            let mut list = lock(&self.list);
            let take = left.min(WAKE_CHUNK).min(list.entries.len());
            for (slot, (_, waker)) in wakers.iter_mut().zip(list.entries.drain(..take)) {
                *slot = Some(waker);
            }
            self.settle(&mut list);
            drop(list);
            if take == 0 {
                return;
            }
            left -= take;
            wakers.into_iter().flatten().for_each(wake);
        }
    }

    pub(crate) fn wake_all(&self) {
        self.wake(usize::MAX);
    }

    fn settle(&self, list: &mut List) {
        self.count.store(list.entries.len(), Ordering::SeqCst);
        if list.entries.is_empty() {
            list.entries.shrink_to(WAKE_CHUNK);
        }
    }
}

/// A waiting producer's place in a [`WaitList`]; leaving the list is its drop.
///
/// It has no field smaller than a word: it lies beside the message in a union of futures, and the compiler
/// would cut the message into bytes where such a field of another variant begins.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    list: &'a WaitList,
    number: Option<NonZeroU64>,
}

impl<'a> Ticket<'a> {
    pub(crate) fn new(list: &'a WaitList) -> Self {
        Self { list, number: None }
    }

    /// Sleeps in the list, or asks to be polled again where the list is full.
    pub(crate) fn register(&mut self, waker: &Waker) {
        if !self.list.register(&mut self.number, waker) {
            waker.wake_by_ref();
        }
    }

    /// Which of those that wait it is; 0: none.
    pub(crate) fn number(&self) -> u64 {
        self.number.map_or(0, NonZeroU64::get)
    }

    /// The producer got what it waited for (or an error): its wake-up is used up.
    #[inline(always)]
    pub(crate) fn served(&mut self) {
        if let Some(number) = self.number.take() {
            self.list.forget(number);
        }
    }
}

impl Drop for Ticket<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(number) = self.number {
            give_up(self.list, number);
        }
    }
}

/// What the drop of a waiter that was not served does.
///
/// It is in the drop of every publish, which is small without it. The compiler takes the ABI of C as a
/// promise that nothing unwinds out of here. Without that promise each publish copies its outcome, with room
/// for the whole message, to where an unwinding would find it.
#[cold]
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "no other language calls it")]
extern "C" fn give_up(list: &WaitList, ticket: NonZeroU64) {
    caught(|| list.give_up(ticket));
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Two that wait, the first of which is woken: how often the second is after the first has done `what`.
    fn second_wakes(what: impl FnOnce(Ticket<'_>)) -> u32 {
        let (list, counts) = (WaitList::new(), [Arc::<Count>::default(), Arc::default()]);
        let mut first = Ticket::new(&list);
        first.register(&Waker::from(Arc::clone(&counts[0])));
        let mut second = Ticket::new(&list);
        second.register(&Waker::from(Arc::clone(&counts[1])));
        list.wake(1);
        assert_eq!(counts[0].0.load(Ordering::Relaxed), 1);
        what(first);
        let wakes = counts[1].0.load(Ordering::Relaxed);
        assert_eq!(list.any(), wakes == 0, "who was woken is in the list no more");
        wakes
    }

    #[test]
    fn a_wake_up_that_was_used_goes_to_nobody_else_and_one_that_was_not_to_the_next() {
        assert_eq!(second_wakes(|mut served| served.served()), 0);
        assert_eq!(second_wakes(|dropped| drop(dropped)), 1);
    }
}
