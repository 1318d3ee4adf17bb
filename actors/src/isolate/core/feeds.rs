//! The feeds of an isolate: replays and trees, which are due at times of their own. See
//! [`feed`](crate::isolate::feed).

use std::rc::Rc;

use super::{Idle, IsolateCore};
use crate::isolate::feed::AnyFeed;

impl IsolateCore {
    /// How many messages came from replays that come to an end.
    pub(crate) fn replayed(&self) -> u64 {
        self.feeds.borrow().iter().map(|feed| feed.input()).sum()
    }

    /// Whether nothing is to do before an event at `at`.
    #[inline(always)]
    pub(crate) fn is_quiet_until(&self, at: i64) -> bool {
        self.may_hand_out() && !self.signals.any() && at < self.other_work.get()
    }

    /// Lets a feed publish what is due.
    pub(super) fn fire_feed(&self, index: u32, until: i64) -> Idle {
        let feeds = self.feeds.borrow();
        let Some(feed) = feeds.get(index as usize).cloned() else { return Idle::Event };
        // The others' turn comes with their time at the latest.
        let others = feeds.iter().enumerate().filter(|(other, _)| *other != index as usize);
        let first = others.filter_map(|(_, other)| other.at()).min();
        let limit = first.map_or(until, |at| until.min(at.saturating_sub(1)));
        drop(feeds);
        self.other_work.set(if self.is_waited_for() { i64::MIN } else { self.timers.borrow().first() });
        self.fed_at.set(self.order.taken());
        match feed.fire(self, limit) {
            // What its messages caused has not looked at the feeds.
            Some(at) if first.is_none() && self.other_work.get() != i64::MIN => {
                self.next_feed.set(Some((at, index)));
            }
            Some(_) => self.look_at_feeds(),
            // It is over, or waits for room: its service decides.
            None => {
                self.look_at_feeds();
                return feed.take_waker().map_or(Idle::Resume(feed.seat()), Idle::Wake);
            }
        }
        Idle::Event
    }

    /// Adds a feed; see [`super::feed`].
    pub(crate) fn add_feed(&self, feed: Rc<dyn AnyFeed>) {
        self.feeds.borrow_mut().push(feed);
        self.look_at_feeds();
    }

    /// Removes a feed.
    pub(crate) fn remove_feed(&self, feed: &impl AnyFeed) {
        let gone =
            self.feeds.borrow_mut().extract_if(.., |other| std::ptr::addr_eq(Rc::as_ptr(other), feed)).next();
        self.look_at_feeds();
        drop(gone);
    }

    /// Finds the feed that is due first; of two with one time, the one that was added first. A feed that
    /// fires now goes on no further.
    #[inline]
    pub(crate) fn look_at_feeds(&self) {
        self.other_work.set(i64::MIN);
        let feeds = self.feeds.borrow();
        let due = (0u32..).zip(feeds.iter()).filter_map(|(index, feed)| Some((feed.at()?, index)));
        self.next_feed.set(due.min());
    }
}
