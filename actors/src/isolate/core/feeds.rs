//! The feeds of an isolate: replays and trees, which are due at times of their own. See
//! [`feed`](crate::isolate::feed).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Idle, IsolateCore};
use crate::isolate::feed::AnyFeed;

/// The feeds of one isolate by when they are due: an event of one costs a few steps, however many there are.
#[derive(Default)]
pub(super) struct FeedTable {
    /// By their numbers, in the order in which they were added.
    feeds: RefCell<BTreeMap<u64, ListedFeed>>,
    /// When all those are due that come after the first; of two with one time, the one that was added first
    /// comes first.
    later: RefCell<BTreeSet<(i64, u64)>>,
    /// When the next one is due, and which. It is in no list, so that the usual feed, which is the only one,
    /// moves nothing there.
    first: Cell<Option<(i64, u64)>>,
    /// How many were added.
    added: Cell<u64>,
}

struct ListedFeed {
    feed: Rc<dyn AnyFeed>,
    /// Its time among those that come later.
    later_at: Option<i64>,
}

impl FeedTable {
    /// When the next one is due, and which.
    #[inline(always)]
    pub(super) fn first(&self) -> Option<(i64, u64)> {
        self.first.get()
    }

    /// Whether nothing else is due at any time than the first.
    fn is_alone(&self) -> bool {
        self.later.borrow().is_empty()
    }

    fn add(&self, feed: Rc<dyn AnyFeed>) {
        let number = self.added.get() + 1;
        self.added.set(number);
        feed.number().set(number);
        let at = feed.at();
        self.feeds.borrow_mut().insert(number, ListedFeed { feed, later_at: None });
        self.list(number, at);
    }

    fn remove(&self, number: u64) -> Option<ListedFeed> {
        self.list(number, None);
        self.feeds.borrow_mut().remove(&number)
    }

    /// The feed of this number is due then from now on.
    fn list(&self, number: u64, at: Option<i64>) {
        let (mut feeds, mut later) = (self.feeds.borrow_mut(), self.later.borrow_mut());
        let Some(listed) = feeds.get_mut(&number) else { return };
        if self.first.get().is_some_and(|(_, first)| first == number) {
            self.first.set(None);
        }
        if let Some(before) = std::mem::replace(&mut listed.later_at, at) {
            later.remove(&(before, number));
        }
        later.extend(at.map(|at| (at, number)));
        let (first, next) = (self.first.get(), later.first().copied());
        if next.is_some_and(|next| first.is_none_or(|first| next < first)) {
            self.first.set(later.pop_first());
            let moved = [(next, None), (first, first.map(|(at, _)| at))];
            for (place, later_at) in moved {
                let listed = place.and_then(|(_, number)| feeds.get_mut(&number));
                listed.into_iter().for_each(|listed| listed.later_at = later_at);
            }
            later.extend(first);
        }
    }

    /// Empties it for good; what was there, in the order in which it was added.
    pub(super) fn take(&self) -> impl Iterator<Item = impl Sized + use<>> + use<> {
        self.first.set(None);
        self.later.take();
        self.feeds.take().into_values()
    }
}

impl IsolateCore {
    /// Whether nothing is to do before an event at `at`.
    #[inline(always)]
    pub(crate) fn is_quiet_until(&self, at: i64) -> bool {
        self.may_hand_out() && !self.signals.any() && at < self.other_work.get()
    }

    /// Lets the feed that is due first, at `at`, publish what is due.
    pub(super) fn fire_feed(&self, (at, number): (i64, u64), until: i64) -> Idle {
        let feed = self.feeds.feeds.borrow().get(&number).map(|listed| Rc::clone(&listed.feed));
        let Some(feed) = feed else { return Idle::Event };
        // Before the clock moves, and before its iterator is asked: wherever there is a step or none, each
        // message is handled before the next one comes.
        if feed.takes_steps()
            && !self.bounds.has_step()
            && let Err(over) = self.look()
        {
            return Idle::Over(over);
        }
        self.now.set(self.now.get().max(at));
        // The others' turn comes with their time at the latest.
        let other = self.feeds.later.borrow().first().map(|(at, _)| *at);
        let limit = other.map_or(until, |at| until.min(at.saturating_sub(1)));
        self.other_work.set(if self.is_waited_for() { i64::MIN } else { self.timers.borrow().first() });
        self.fed_at.set(self.order.taken());
        let next = feed.fire(self, limit);
        match next {
            // The code that its messages ran has not looked at the feeds.
            Some(at) if self.other_work.get() != i64::MIN && self.feeds.is_alone() => {
                self.feeds.first.set(Some((at, number)));
            }
            _ => self.list_feed(&*feed),
        }
        if next.is_none() {
            // It is over, or waits for room: its service decides.
            return feed.take_waker().map_or(Idle::Resume(feed.seat()), Idle::Wake);
        }
        Idle::Event
    }

    /// Adds a feed; see [`super::feed`].
    pub(crate) fn add_feed(&self, feed: Rc<dyn AnyFeed>) {
        self.other_work.set(i64::MIN);
        self.feeds.add(feed);
    }

    /// Removes a feed.
    pub(crate) fn remove_feed(&self, feed: &impl AnyFeed) {
        self.other_work.set(i64::MIN);
        let gone = self.feeds.remove(feed.number().get());
        drop(gone);
    }

    /// Takes in when this feed is due. A feed that fires now goes on no further.
    #[inline]
    pub(crate) fn list_feed(&self, feed: &dyn AnyFeed) {
        self.other_work.set(i64::MIN);
        self.feeds.list(feed.number().get(), feed.at());
    }
}

#[cfg(test)]
mod tests {
    use mycelium_random::{Random, seeds};

    use super::*;
    use crate::isolate::OUTSIDE;

    /// Is due at these times, and writes down that it was.
    struct Times {
        name: usize,
        number: Cell<u64>,
        times: RefCell<Vec<i64>>,
        looks: Rc<Cell<u64>>,
        fired: Rc<RefCell<Vec<(i64, usize)>>>,
    }

    impl AnyFeed for Times {
        fn number(&self) -> &Cell<u64> {
            &self.number
        }
        fn at(&self) -> Option<i64> {
            self.looks.set(self.looks.get() + 1);
            self.times.borrow().last().copied()
        }
        fn seat(&self) -> u32 {
            OUTSIDE
        }
        fn fire(&self, _: &IsolateCore, _: i64) -> Option<i64> {
            let at = self.times.borrow_mut().pop();
            self.fired.borrow_mut().extend(at.map(|at| (at, self.name)));
            self.times.borrow().last().copied()
        }
    }

    struct Feeds {
        core: IsolateCore,
        looks: Rc<Cell<u64>>,
        fired: Rc<RefCell<Vec<(i64, usize)>>>,
        all: Vec<Rc<Times>>,
    }

    impl Feeds {
        fn new() -> Self {
            let (looks, fired, all) = Default::default();
            Self { core: IsolateCore::new(0, 0), looks, fired, all }
        }

        /// The last time comes first.
        fn add(&mut self, times: Vec<i64>) {
            let (looks, fired) = (Rc::clone(&self.looks), Rc::clone(&self.fired));
            let (name, number) = (self.all.len(), Cell::new(0));
            let feed = Rc::new(Times { name, number, times: RefCell::new(times), looks, fired });
            self.core.add_feed(Rc::clone(&feed) as Rc<dyn AnyFeed>);
            self.all.push(feed);
        }

        /// Lets the next one fire, as the run loop does.
        fn fire(&self) -> bool {
            let Some((_, number)) = self.core.feeds.first() else { return false };
            self.core.fire_feed((i64::MIN, number), i64::MAX);
            true
        }
    }

    #[test]
    fn an_event_of_one_feed_costs_the_same_looks_however_many_there_are() {
        let looks_for = |feeds: usize| {
            let mut table = Feeds::new();
            for feed in 0..feeds as i64 {
                table.add((0..10).rev().map(|event| event * 10_000 + feed).collect());
            }
            table.looks.set(0);
            while table.fire() {}
            assert_eq!(table.fired.borrow().len(), feeds * 10);
            table.looks.get() / (feeds as u64 * 10)
        };
        assert_eq!(looks_for(1_000), looks_for(10));
    }

    #[test]
    fn feeds_fire_in_the_order_of_a_look_at_all_of_them() {
        for seed in seeds(100) {
            let (mut random, mut table) = (Random::new(seed), Feeds::new());
            let mut model: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
            let mut expected = Vec::new();
            for _ in 0..500 {
                match random.below(10) {
                    0 | 1 => {
                        let mut times: Vec<_> =
                            (0..random.below(6)).map(|_| random.below(100) as i64).collect();
                        times.sort_unstable_by(|a, b| b.cmp(a));
                        model.insert(table.all.len(), times.clone());
                        table.add(times);
                    }
                    2 if !table.all.is_empty() => {
                        let gone = random.below(table.all.len() as u64) as usize;
                        model.remove(&gone);
                        table.core.remove_feed(&*table.all[gone]);
                    }
                    3 if !table.all.is_empty() => {
                        // A tree has something else to do.
                        let at = random.below(table.all.len() as u64) as usize;
                        let time = random.below(100) as i64;
                        if let Some(times) = model.get_mut(&at) {
                            times.push(time);
                            table.all[at].times.borrow_mut().push(time);
                            table.core.list_feed(&*table.all[at]);
                        }
                    }
                    _ => {
                        let due =
                            model.iter().filter_map(|(name, times)| Some((*times.last()?, *name))).min();
                        expected.extend(due);
                        due.into_iter().for_each(|(_, name)| _ = model.get_mut(&name).and_then(Vec::pop));
                        assert_eq!(table.fire(), due.is_some());
                    }
                }
                assert_eq!(*table.fired.borrow(), expected);
            }
        }
    }
}
