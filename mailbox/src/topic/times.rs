//! When the messages of a topic took their places.
//!
//! A topic keeps this log beside the producers' side: its lock guards both, so that a publish which is logged
//! pays for no lock more. Each message of such a topic has a stamp of its own, by which it is found here.

use std::collections::VecDeque;
use std::fmt;

/// A stamp, and when its message took its place.
pub type StampTime = (u64, i64);

/// Tells the time.
type Now = Box<dyn FnMut() -> i64 + Send>;

/// When the last messages of one topic took their places, for those who may ask.
///
/// ```
/// use std::collections::VecDeque;
/// use std::sync::Arc;
/// use mycelium_mailbox::{Doorbell, Stamps, StampTimes, SubscribeOptions, Topic};
///
/// let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 8);
/// let mut time = 10;
/// topic.keep_times(Some(StampTimes::new(100, move || {
///     time += 1;
///     time
/// })));
/// let _queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
/// topic.try_publish(5, 0).unwrap();
/// topic.try_publish(6, 0).unwrap();
/// let mut all = VecDeque::new();
/// topic.with_times(|times| times.take_all(&mut all));
/// assert_eq!(all, [(0, 11), (1, 12)]);
/// ```
pub struct StampTimes {
    /// By rising stamp.
    log: VecDeque<StampTime>,
    /// How many are kept while nobody asks, and now.
    least: usize,
    most: usize,
    now: Now,
    readers: usize,
}

impl StampTimes {
    /// A log of the last `most` messages, or more while somebody asks who wants more. `now` is asked for
    /// each, inside the topic's lock: it must be short, must not panic, and must not use the topic.
    pub fn new(most: usize, now: impl FnMut() -> i64 + Send + 'static) -> Self {
        let most = most.max(1);
        Self { log: VecDeque::new(), least: most, most, now: Box::new(now), readers: 0 }
    }

    /// One more asks, who wants to know of so many messages.
    pub fn join(&mut self, most: usize) {
        self.most = self.most.max(most);
        self.readers += 1;
    }

    /// One asks no more. How many still do. The last of them takes along what nobody else wanted.
    pub fn leave(&mut self) -> usize {
        self.readers = self.readers.saturating_sub(1);
        if self.readers == 0 && self.most > self.least {
            self.most = self.least;
            self.log.drain(..self.log.len().saturating_sub(self.most));
            self.log.shrink_to(self.most);
        }
        self.readers
    }

    /// How many ask.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.readers
    }

    /// A message takes its place now, with this stamp.
    #[inline]
    pub(crate) fn put(&mut self, stamp: u64) {
        let at = (self.now)();
        if self.log.len() >= self.most {
            self.log.pop_front();
        }
        self.log.push_back((stamp, at));
    }

    /// Moves all of it to `into`, which is empty: its memory is used for the next ones.
    pub fn take_all(&mut self, into: &mut VecDeque<StampTime>) {
        debug_assert!(into.is_empty(), "what was taken before is used up");
        std::mem::swap(into, &mut self.log);
    }

    /// Forgets what is older than this stamp.
    pub fn forget_below(&mut self, stamp: u64) {
        let gone = self.log.partition_point(|(other, _)| *other < stamp);
        self.log.drain(..gone);
    }

    /// When the message with this stamp took its place. If that has fallen out, the time of the oldest one
    /// that is known; 0: none is.
    #[must_use]
    pub fn find(&self, stamp: u64) -> i64 {
        let at = match self.log.front() {
            Some((first, _)) if *first >= stamp => 0,
            _ => self.log.partition_point(|(other, _)| *other < stamp),
        };
        self.log.get(at).map_or(0, |(_, time)| *time)
    }
}

impl fmt::Debug for StampTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StampTimes")
            .field("messages", &self.log.len())
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_a_bound_and_the_oldest_known_time_stands_for_what_fell_out() {
        let mut time = 0;
        let now = move || {
            time += 10;
            time
        };
        let mut times = StampTimes::new(4, now);
        assert_eq!(times.find(1), 0, "nothing is known");
        // Stamps have gaps: other queues take some.
        (1..=6).for_each(|number| times.put(2 * number));
        assert_eq!([1, 2, 6, 7, 8, 12, 13].map(|stamp| times.find(stamp)), [30, 30, 30, 40, 40, 60, 0]);
        times.join(6);
        (7..=9).for_each(|number| times.put(2 * number));
        assert_eq!(times.find(0), 40, "six are known since somebody wants so many");
        times.forget_below(9);
        assert_eq!((times.find(0), times.readers(), times.leave()), (50, 1, 0));
        assert_eq!(times.find(0), 60, "four are known since nobody wants six");
        times.forget_below(15);
        assert_eq!(times.find(0), 80);

        let mut own = VecDeque::from([]);
        times.take_all(&mut own);
        assert_eq!((own, times.find(0)), (VecDeque::from([(16, 80), (18, 90)]), 0));
    }
}
