//! Those that wait for room in an isolate: a line for each lane.
//!
//! # Protocol
//! A line is first come, first served. A sender that is refused stands in the line of the lane that has
//! refused it, once, however often it is polled. A lane is looked at when nothing is queued, after somebody
//! has come to its line or one of its receivers has begun or ceased to refuse: as many are woken as it has
//! room for, the oldest first. As long as it has room and somebody waits, it is looked at again when
//! nothing is queued. So a turn that is not used, because its future was dropped, goes to the next one.
//!
//! One that waits behind its own full queue would wait for itself: it is woken when that queue becomes full,
//! and sees it. Futures that were dropped leave their wakers in the line: when very many wait, all are woken,
//! so that the others are gone; then not before there are twice as many. Both are woken out of turn, and come
//! back to their places if they still wait. One that was woken in its turn and waits again comes behind all
//! others, as it may have had what it waited for.
//!
//! No waker is cloned, called or dropped while anything is borrowed: it is foreign code.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;

use mycelium_mailbox::wake;

use super::core::QUEUE_CAPACITY;

/// When so many wait for the first time, all are woken (wakers).
const WAITERS_MIN: usize = 65_536;

/// So many lanes to look at may be there twice (lanes).
const LOOK_MIN: usize = 64;

/// Who waits in which line. Two futures with one waker wait once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiter {
    seat: u32,
    lane: u32,
    /// What tells its waker from others, for as long as that is kept.
    waker: (usize, usize),
}

impl Waiter {
    fn new(seat: u32, lane: u32, waker: &Waker) -> Self {
        let vtable = std::ptr::from_ref(waker.vtable()).addr();
        Self { seat, lane, waker: (waker.data().addr(), vtable) }
    }
}

/// All lines of an isolate. Nothing is allocated before the first waits.
#[derive(Default)]
pub(crate) struct RoomLines {
    /// Whether a lane is to be looked at, or somebody is to be woken.
    is_due: Cell<bool>,
    lines: RefCell<Option<Box<LaneLines>>>,
}

#[derive(Default)]
struct LaneLines {
    tickets: u64,
    /// By lanes and tickets.
    waiting: BTreeMap<(u32, u64), (Waiter, Rc<Waker>)>,
    /// The tickets of those.
    places: BTreeMap<Waiter, u64>,
    /// The lanes to look at.
    look: Vec<u32>,
    /// Those that are to be woken.
    ready: Vec<(u64, Rc<Waker>)>,
    /// The tickets of those that were called out of turn. With their wakers, so that no other is taken for
    /// one of them.
    out_of_turn: BTreeMap<Waiter, (u64, Rc<Waker>)>,
    /// Those of them that were woken last, and may come back.
    back: BTreeMap<Waiter, (u64, Rc<Waker>)>,
    /// When as many wait, all are woken.
    sweep_at: usize,
}

impl RoomLines {
    /// Whether [`wake`](Self::wake) has to look.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.is_due.get()
    }

    /// Whether anybody waits.
    pub(crate) fn any(&self) -> bool {
        self.lines.borrow().as_ref().is_some_and(|lines| !lines.waiting.is_empty() || !lines.ready.is_empty())
    }

    /// Wakes `waker`, with which this seat waits, when its turn comes in the line of `lane`.
    pub(crate) fn wait(&self, lane: u32, seat: u32, waker: &Waker) {
        // It is known by the waker that is kept: the address of another may be used again.
        let waker = Rc::new(waker.clone());
        let waiter = Waiter::new(seat, lane, &waker);
        let before = self.lines.borrow_mut().get_or_insert_default().join(waiter, &waker);
        self.is_due.set(true);
        // One that is polled again while it waits has its place, and this waker goes.
        drop((before, waker));
    }

    /// A receiver of `lane` begins or ceases to refuse what is published.
    pub(crate) fn changed(&self, lane: u32) {
        if let Some(lines) = &mut *self.lines.borrow_mut()
            && lines.first(lane).is_some()
        {
            lines.look_at(lane);
            self.is_due.set(true);
        }
    }

    /// The queue of this seat is full: if it waits for room behind it, it waits for itself.
    pub(crate) fn own_is_full(&self, seat: u32) {
        let Some(lines) = &mut *self.lines.borrow_mut() else { return };
        let waiter = |lane, waker| Waiter { seat, lane, waker: (waker, waker) };
        let own = lines.places.range(waiter(0, 0)..=waiter(u32::MAX, usize::MAX));
        let own: Vec<_> = own.map(|(waiter, ticket)| (waiter.lane, *ticket)).collect();
        for (lane, ticket) in own {
            lines.call_out_of_turn(lane, ticket);
            self.is_due.set(true);
        }
    }

    /// There is no such lane any more, until its number is given again.
    pub(crate) fn freed(&self, lane: u32) {
        let Some(lines) = &mut *self.lines.borrow_mut() else { return };
        while let Some(ticket) = lines.first(lane) {
            lines.call(lane, ticket);
            self.is_due.set(true);
        }
    }

    /// Wakes as many as there is room for, when nothing is queued; `room_in` says how much a lane has.
    /// Whether there was anybody.
    #[cold]
    pub(crate) fn wake(&self, room_in: impl Fn(u32) -> usize) -> bool {
        let (mut called, before) = {
            let mut lines = self.lines.borrow_mut();
            let lines = lines.get_or_insert_default();
            lines.look_at_lanes(room_in);
            self.is_due.set(!lines.look.is_empty());
            // By the next time they have come back, or do not wait any more.
            let before = std::mem::take(&mut lines.back);
            lines.back = std::mem::take(&mut lines.out_of_turn);
            (std::mem::take(&mut lines.ready), before)
        };
        drop(before);
        called.sort_unstable_by_key(|(ticket, _)| *ticket);
        called.iter().for_each(|(_, waker)| wake(Waker::clone(waker)));
        !called.is_empty()
    }

    /// Forgets all that wait.
    pub(crate) fn clear(&self) {
        drop(self.lines.take());
    }
}

impl LaneLines {
    /// Adds one to its line. Its earlier waker is to be dropped where nothing is borrowed.
    fn join(&mut self, waiter: Waiter, waker: &Rc<Waker>) -> Option<(u64, Rc<Waker>)> {
        let before = self.back.remove(&waiter);
        self.look_at(waiter.lane);
        if !self.places.contains_key(&waiter) {
            let ticket = before.as_ref().map_or(self.tickets, |(ticket, _)| *ticket);
            self.tickets = self.tickets.max(ticket + 1);
            self.places.insert(waiter, ticket);
            self.waiting.insert((waiter.lane, ticket), (waiter, Rc::clone(waker)));
        }
        if self.waiting.len() >= self.sweep_at.max(WAITERS_MIN) {
            self.sweep_at = self.waiting.len() * 2;
            let all: Vec<_> = self.waiting.keys().copied().collect();
            all.into_iter().for_each(|(lane, ticket)| self.call_out_of_turn(lane, ticket));
        }
        before
    }

    /// Has this lane looked at.
    fn look_at(&mut self, lane: u32) {
        if self.look.last() != Some(&lane) {
            self.look.push(lane);
        }
        // However much changes before somebody looks, it has each lane twice at most.
        if self.look.len() > LOOK_MIN.max(2 * self.waiting.len()) {
            self.sort_look();
        }
    }

    /// Leaves each lane once, and only those with somebody in their lines.
    fn sort_look(&mut self) {
        let mut look = std::mem::take(&mut self.look);
        look.sort_unstable();
        look.dedup();
        look.retain(|lane| self.first(*lane).is_some());
        self.look = look;
    }

    /// The tickets in the line of this lane.
    fn line(&self, lane: u32) -> impl Iterator<Item = u64> {
        self.waiting.range((lane, 0)..=(lane, u64::MAX)).map(|((_, ticket), _)| *ticket)
    }

    fn first(&self, lane: u32) -> Option<u64> {
        self.line(lane).next()
    }

    /// Takes one out of its line, to be woken.
    fn call(&mut self, lane: u32, ticket: u64) -> Option<(Waiter, Rc<Waker>)> {
        let (waiter, waker) = self.waiting.remove(&(lane, ticket))?;
        self.places.remove(&waiter);
        self.ready.push((ticket, Rc::clone(&waker)));
        Some((waiter, waker))
    }

    /// The same for one that has its place for as long as it waits.
    fn call_out_of_turn(&mut self, lane: u32, ticket: u64) {
        if let Some((waiter, waker)) = self.call(lane, ticket) {
            self.out_of_turn.insert(waiter, (ticket, waker));
        }
    }

    /// Calls as many as there is room for: in their lanes, and in the queue of events, which is empty.
    fn look_at_lanes(&mut self, room_in: impl Fn(u32) -> usize) {
        let mut left = QUEUE_CAPACITY.saturating_sub(self.ready.len());
        self.sort_look();
        // The lane with the oldest of all comes first.
        let look = std::mem::take(&mut self.look);
        let mut lanes: Vec<_> = look.into_iter().filter_map(|lane| Some((self.first(lane)?, lane))).collect();
        lanes.sort_unstable();
        for (_, lane) in lanes {
            let room = if left > 0 { room_in(lane).min(left) } else { 0 };
            let mut called = 0;
            while called < room
                && let Some(ticket) = self.first(lane)
            {
                self.call(lane, ticket);
                called += 1;
            }
            left -= called;
            // Where nobody was called for lack of room in the lane, it says when there is some.
            if (room > 0 || left == 0) && self.first(lane).is_some() {
                self.look.push(lane);
            }
        }
        if self.waiting.is_empty() {
            self.sweep_at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::Wake;

    use mycelium_random::{Random, seeds};

    use super::*;

    type Woken = Arc<Mutex<Vec<u64>>>;

    struct Says(u64, Woken);
    impl Wake for Says {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn wakers(woken: &Woken) -> impl FnMut() -> Waker {
        let numbers = AtomicU64::new(0);
        let woken = Arc::clone(woken);
        move || Waker::from(Arc::new(Says(numbers.fetch_add(1, Ordering::Relaxed), Arc::clone(&woken))))
    }

    #[test]
    fn one_that_is_polled_again_while_it_waits_has_its_place() {
        let (lines, woken) = (RoomLines::default(), Woken::default());
        let mut new = wakers(&woken);
        let (one, other) = (new(), new());
        for _ in 0..10 {
            lines.wait(1, 1, &one);
            lines.wait(1, 2, &other);
            lines.wait(1, 1, &one);
        }
        assert!(lines.wake(|_| 1) && lines.is_due());
        // It has had its turn, and waits for another one.
        lines.wait(1, 1, &one);
        assert!(lines.wake(|_| 1) && lines.wake(|_| 1) && !lines.any());
        assert!(!lines.wake(|_| 1) && !lines.is_due());
        assert_eq!(*woken.lock().unwrap(), [0, 1, 0]);
    }

    #[test]
    fn a_lane_without_room_is_looked_at_when_it_says_so_and_one_that_was_freed_wakes_all() {
        let (lines, woken) = (RoomLines::default(), Woken::default());
        let mut new = wakers(&woken);
        (0..3).for_each(|_| lines.wait(7, 1, &new()));
        assert!(!lines.wake(|_| 0) && !lines.is_due() && lines.any());
        lines.changed(8);
        assert!(!lines.is_due());
        lines.changed(7);
        assert!(lines.is_due() && lines.wake(|lane| usize::from(lane == 7)));
        lines.freed(7);
        assert!(lines.wake(|_| 0) && !lines.any());
        assert_eq!(*woken.lock().unwrap(), [0, 1, 2]);
    }

    #[test]
    fn one_that_waits_behind_its_own_queue_is_woken_and_keeps_its_place() {
        let (lines, woken) = (RoomLines::default(), Woken::default());
        let mut new = wakers(&woken);
        let all = [new(), new(), new()];
        all.iter().zip(1..).for_each(|(waker, seat)| lines.wait(7, seat, waker));
        assert!(!lines.wake(|_| 0));
        lines.own_is_full(1);
        lines.own_is_full(9);
        assert!(lines.wake(|_| 0));
        assert_eq!(*woken.lock().unwrap(), [0]);
        lines.wait(7, 1, &all[0]);
        assert!(lines.wake(|_| 2) && lines.wake(|_| 2));
        assert_eq!(*woken.lock().unwrap(), [0, 0, 1, 2]);
    }

    #[test]
    fn futures_that_were_dropped_do_not_fill_a_line_that_never_moves() {
        let (lines, woken) = (RoomLines::default(), Woken::default());
        let mut new = wakers(&woken);
        let stays = new();
        for _ in 0..3 * WAITERS_MIN {
            lines.wait(7, 1, &stays);
            lines.wait(7, 1, &new());
            if lines.is_due() && lines.wake(|_| 0) {
                lines.wait(7, 1, &stays);
            }
            assert!(lines.lines.borrow().as_ref().unwrap().waiting.len() <= WAITERS_MIN);
        }
        woken.lock().unwrap().clear();
        lines.changed(7);
        assert!(lines.wake(|_| 1));
        assert_eq!(*woken.lock().unwrap(), [0], "it was the first, and is so again");
    }

    #[test]
    fn each_line_is_first_come_first_served_and_no_more_are_woken_than_there_is_room() {
        for seed in seeds(100) {
            let (mut random, lines, woken) = (Random::new(seed), RoomLines::default(), Woken::default());
            let (mut new, mut model) = (wakers(&woken), vec![Vec::new(); 5]);
            let mut next = 0;
            for _ in 0..200 {
                for _ in 0..random.below(8) {
                    let lane = random.index(5);
                    lines.wait(lane as u32, random.below(3) as u32, &new());
                    model[lane].push(next);
                    next += 1;
                }
                let room: Vec<_> = (0..5).map(|_| random.index(4)).collect();
                (0..5).for_each(|lane| lines.changed(lane));
                lines.wake(|lane| room[lane as usize]);
                let served =
                    model.iter_mut().zip(room).flat_map(|(line, room)| line.drain(..room.min(line.len())));
                let mut served: Vec<u64> = served.collect();
                served.sort_unstable();
                assert_eq!(std::mem::take(&mut *woken.lock().unwrap()), served, "seed {seed}");
            }
        }
    }
}
