//! When the messages of a topic took their places.
//!
//! A topic keeps this log beside the producers' side: its lock guards both, so that a publish which is logged
//! pays for no lock more. Each message of such a topic has a stamp of its own, by which it is found here. An
//! entry stands for the message with its stamp and for all behind it, up to the next entry: a burst of
//! messages has few.

use std::collections::VecDeque;
use std::fmt;

/// A stamp, and when its message took its place, as did those up to the next such entry.
pub type StampTime = (u64, i64);

/// Tells the time; `None`: that of the message before.
type Now = Box<dyn FnMut() -> Option<i64> + Send>;

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
///     Some(time)
/// })));
/// let _queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
/// topic.try_publish(5, 0).unwrap();
/// topic.try_publish(6, 0).unwrap();
/// let mut all = VecDeque::new();
/// let last = topic.with_times(|times| times.take_all(&mut all));
/// assert_eq!((all.make_contiguous(), last), (&mut [(0, 11), (1, 12)][..], Some(1)));
/// ```
pub struct StampTimes {
    /// By rising stamp.
    log: VecDeque<StampTime>,
    /// How many are kept while nobody asks, and now.
    least: usize,
    most: usize,
    now: Now,
    /// The last message: its stamp and time.
    last: StampTime,
    readers: usize,
}

impl StampTimes {
    /// A log of the last `most` messages at least, or more while somebody asks who wants more. `now` is asked
    /// for each, inside the topic's lock: it must be short, must not panic, and must not use the topic. It
    /// says `None` for a message that has the time of the one before, which costs no entry.
    pub fn new(most: usize, now: impl FnMut() -> Option<i64> + Send + 'static) -> Self {
        let most = most.max(1);
        Self { log: VecDeque::new(), least: most, most, now: Box::new(now), last: (0, 0), readers: 0 }
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
        self.last.0 = stamp;
        match (self.now)() {
            Some(at) => self.begin(stamp, at),
            None if self.log.is_empty() => self.begin(stamp, self.last.1),
            None => {}
        }
    }

    /// Messages from this one on have this time.
    fn begin(&mut self, stamp: u64, at: i64) {
        if self.log.len() >= self.most {
            self.log.pop_front();
        }
        self.last.1 = at;
        self.log.push_back((stamp, at));
    }

    /// Moves all of it to `into`, which is empty: its memory is used for the next ones. The stamp of the last
    /// message that it tells of.
    pub fn take_all(&mut self, into: &mut VecDeque<StampTime>) -> u64 {
        debug_assert!(into.is_empty(), "what was taken before is used up");
        std::mem::swap(into, &mut self.log);
        self.last.0
    }

    /// Forgets messages that are older than this stamp.
    pub fn forget_below(&mut self, stamp: u64) {
        self.log.drain(..self.place_of(stamp));
    }

    /// Where the entry of this stamp is; of one that is older than all, the first.
    fn place_of(&self, stamp: u64) -> usize {
        self.log.partition_point(|(other, _)| *other <= stamp).saturating_sub(1)
    }

    /// When the message with this stamp took its place. If that has fallen out, the time of the oldest one
    /// that is known; 0: none is.
    #[must_use]
    pub fn find(&self, stamp: u64) -> i64 {
        self.log.get(self.place_of(stamp)).map_or(0, |(_, time)| *time)
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

    /// A log of so many, in which each message has a time of its own.
    fn each_its_own(most: usize) -> StampTimes {
        let mut time = 0;
        StampTimes::new(most, move || {
            time += 10;
            Some(time)
        })
    }

    #[test]
    fn a_log_has_a_bound_and_the_oldest_known_time_stands_for_what_fell_out() {
        let mut times = each_its_own(4);
        assert_eq!(times.find(1), 0, "nothing is known");
        // Stamps have gaps: other queues take some.
        (1..=6).for_each(|number| times.put(2 * number));
        assert_eq!([1, 2, 6, 8, 12].map(|stamp| times.find(stamp)), [30, 30, 30, 40, 60]);
        times.join(6);
        (7..=9).for_each(|number| times.put(2 * number));
        assert_eq!(times.find(0), 40, "six are known since somebody wants so many");
        times.forget_below(10);
        assert_eq!((times.find(0), times.readers(), times.leave()), (50, 1, 0));
        assert_eq!(times.find(0), 60, "four are known since nobody wants six");
        times.forget_below(16);
        assert_eq!(times.find(0), 80);

        let mut own = VecDeque::from([]);
        assert_eq!(times.take_all(&mut own), 18);
        assert_eq!((own, times.find(0)), (VecDeque::from([(16, 80), (18, 90)]), 0));
    }

    #[test]
    fn messages_that_have_the_time_of_the_one_before_share_its_entry_wherever_that_is() {
        let mut given = [Some(10), None, None, Some(20), None, None].into_iter();
        let mut times = StampTimes::new(2, move || given.next().flatten());
        [2, 4, 6, 8, 9].into_iter().for_each(|stamp| times.put(stamp));
        assert_eq!([0, 2, 4, 5, 6, 8, 9].map(|stamp| times.find(stamp)), [10, 10, 10, 10, 10, 20, 20]);
        times.forget_below(6);
        assert_eq!([4, 6, 8].map(|stamp| times.find(stamp)), [10, 10, 20]);
        let mut own = VecDeque::new();
        assert_eq!((times.take_all(&mut own), own.len()), (9, 2));
        // The first one behind what was taken is known too.
        times.put(12);
        assert_eq!((times.find(12), times.take_all(&mut VecDeque::new())), (20, 12));
    }
}
