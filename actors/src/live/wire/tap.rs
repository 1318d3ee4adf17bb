//! What those who listen to one topic in bytes share: what one has encoded and others will want, and when
//! messages were published.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::PoisonError;

use mycelium_mailbox::wire::WireError;
use mycelium_mailbox::{QUEUE_CAPACITY_MAX, StampTime, StampTimes, Ticks, Topic};

use crate::clock::LiveClock;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use crate::wire::WireValue;

/// Of how many messages, at least, a topic remembers when they were published while somebody listens in bytes
/// (messages, 16 bytes each). One that waits under a lossy policy, and was overtaken by more than these, has
/// the time of the oldest that is remembered.
const TIMES_MAX: usize = 65_536;

/// Those who listen to one topic in bytes.
pub(crate) struct Tap {
    count: AtomicU64,
    ears: Mutex<Ears>,
    /// Held by the one that encodes, so that each message is encoded once. That is foreign code, which may
    /// take long and subscribe: `ears` is free meanwhile. It may read other topics in bytes, and this one: a
    /// thread that encodes takes no second one of these locks (see [`Encoding`]).
    encodes: Mutex<()>,
    /// Somebody may come later and ask when messages were published that the topic retains: that is kept
    /// while nobody listens.
    retains: bool,
}

#[derive(Default)]
struct Ears {
    /// The stamp that each has come to; `None`: a free place.
    positions: Vec<Option<u64>>,
    /// The free places.
    free: Vec<usize>,
    /// The same as `positions`, the ear that is least far first: however many listen, nobody looks at each.
    order: BTreeSet<(u64, usize)>,
    /// What one has encoded and others will want, by rising stamp.
    encoded: VecDeque<(u64, WireValue)>,
    /// How much of that there is at most: as many as the one with the largest queue has there.
    encoded_max: usize,
}

/// When messages were published, as far as an ear knows it that listens alone.
#[derive(Default)]
pub(super) struct TimeLog {
    /// By rising stamp.
    entries: VecDeque<StampTime>,
    /// The last stamp of which they tell.
    until: u64,
}

impl TimeLog {
    /// The time of the message with this stamp, of which nobody asks for those before any more.
    #[inline]
    fn pass_to(&mut self, stamp: u64) -> Option<i64> {
        if stamp > self.until {
            return None;
        }
        while self.entries.get(1).is_some_and(|(other, _)| *other <= stamp) {
            self.entries.pop_front();
        }
        self.entries.front().map(|(_, at)| *at)
    }

    /// Takes all that the topic knows.
    fn fill(&mut self, times: &mut StampTimes) {
        self.entries.clear();
        self.until = times.take_all(&mut self.entries);
    }
}

thread_local! {
    /// When the message that this thread publishes took its place at the bus that it comes from; 0: it takes
    /// its place here and now.
    static PUBLISHED_BEFORE: Cell<i64> = const { Cell::new(0) };
}

thread_local! {
    /// Whether this thread encodes for those who listen in bytes, to whichever topic.
    static ENCODES: Cell<bool> = const { Cell::new(false) };
}

/// This thread encodes, until this is dropped.
struct Encoding;

impl Encoding {
    /// `None`: it does so already, further out.
    fn begin() -> Option<Self> {
        // Made only where it is the outermost: one that is made ends the encoding when it is dropped.
        (!ENCODES.replace(true)).then(|| Self)
    }
}

impl Drop for Encoding {
    fn drop(&mut self) {
        ENCODES.set(false);
    }
}

/// Publishes messages that took their place elsewhere, at this time; 0: that is not known.
pub(crate) fn published_before<T>(at: i64, publish: impl FnOnce() -> T) -> T {
    /// The tap from before is there again, however the code ends.
    struct Restore(i64);
    impl Drop for Restore {
        fn drop(&mut self) {
            PUBLISHED_BEFORE.set(self.0);
        }
    }
    let _restored = Restore(PUBLISHED_BEFORE.replace(at));
    publish()
}

/// A log of the times at which messages took their places.
fn times_by(clock: LiveClock, most: usize) -> StampTimes {
    // The clock, as far as it was asked, and whether the last message took its place elsewhere.
    let (mut ticks, mut elsewhere) = (Ticks::new(), false);
    StampTimes::new(most.max(TIMES_MAX), move || match PUBLISHED_BEFORE.get() {
        0 if !elsewhere => clock.later_by(&mut ticks),
        0 => {
            elsewhere = false;
            Some(clock.now_by(&mut ticks))
        }
        before => {
            elsewhere = true;
            Some(before)
        }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ears {
    /// One more, at the beginning: its place.
    fn join(&mut self) -> usize {
        let at = self.free.pop().unwrap_or_else(|| {
            self.positions.push(None);
            self.positions.len() - 1
        });
        self.go_to(at, Some(0));
        at
    }

    /// The ear `at` has come to this stamp; `None`: it has left.
    fn go_to(&mut self, at: usize, stamp: Option<u64>) {
        let before = std::mem::replace(&mut self.positions[at], stamp);
        if before != stamp {
            before.into_iter().for_each(|before| _ = self.order.remove(&(before, at)));
            stamp.into_iter().for_each(|stamp| _ = self.order.insert((stamp, at)));
        }
    }

    /// The stamp that all have come to, at least.
    fn first(&self) -> Option<u64> {
        self.order.first().map(|(stamp, _)| *stamp)
    }

    /// Where the bytes of the message with this stamp are, or would be.
    fn place_of(&self, stamp: u64) -> Result<&WireValue, usize> {
        let place = self.encoded.partition_point(|(other, _)| *other < stamp);
        let there = self.encoded.get(place).filter(|(other, _)| *other == stamp);
        there.map(|(_, value)| value).ok_or(place)
    }

    /// The ear `at` has come to this stamp: the bytes of its message, if another has encoded them, or else
    /// the stamp of the first message that anybody still wants.
    fn find(&mut self, at: usize, stamp: u64) -> Result<WireValue, u64> {
        self.go_to(at, Some(stamp));
        let first = self.first().unwrap_or(stamp);
        while self.encoded.front().is_some_and(|(other, _)| *other < first) {
            self.encoded.pop_front();
        }
        self.place_of(stamp).cloned().map_err(|_| first)
    }

    /// Keeps what was encoded, for others.
    fn keep(&mut self, stamp: u64, value: &WireValue) {
        let Err(place) = self.place_of(stamp) else { return };
        if self.encoded.len() < self.encoded_max {
            self.encoded.insert(place, (stamp, value.clone()));
        } else if place > 0 {
            // The oldest goes: whoever still wants it is far behind and encodes it again.
            self.encoded.pop_front();
            self.encoded.insert(place - 1, (stamp, value.clone()));
        }
    }
}

impl Tap {
    /// One in which messages of this topic are remembered for good, if it `retains` them, whether or not
    /// anybody listens.
    pub(in crate::live) fn new<T>(topic: &Topic<T>, clock: LiveClock, retains: bool) -> Self
    where
        T: Clone + Send + Sync + 'static,
    {
        if retains {
            topic.keep_times(Some(times_by(clock, 0)));
        }
        let (count, ears) = (AtomicU64::new(0), Mutex::default());
        Self { count, ears, encodes: Mutex::default(), retains }
    }

    /// One more listens to this topic, with a queue for so many messages. One who comes needs the times of
    /// what is published from then on.
    pub(super) fn join<T>(&self, topic: &Topic<T>, capacity: usize, clock: LiveClock) -> usize
    where
        T: Clone + Send + Sync + 'static,
    {
        let mut ears = lock(&self.ears);
        // No queue has more.
        let capacity = capacity.min(QUEUE_CAPACITY_MAX as usize);
        ears.encoded_max = ears.encoded_max.max(capacity);
        let at = ears.join();
        if topic.with_times(|times| times.join(capacity)).is_none() {
            let mut times = times_by(clock, capacity);
            times.join(capacity);
            topic.keep_times(Some(times));
        }
        self.count.fetch_add(1, Ordering::SeqCst);
        at
    }

    pub(super) fn leave<T: Clone + Send + Sync + 'static>(&self, topic: &Topic<T>, at: usize) {
        let mut ears = lock(&self.ears);
        ears.go_to(at, None);
        ears.free.push(at);
        let left = self.count.fetch_sub(1, Ordering::SeqCst) - 1;
        if left <= 1 {
            ears.encoded.clear();
        }
        if topic.with_times(StampTimes::leave) == Some(0) {
            *ears = Ears::default();
            if !self.retains {
                topic.keep_times(None);
            }
        }
    }

    /// Whether only one listens.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 1
    }

    /// The bytes of the message with this stamp, for the ear `at`: those that another has encoded, or else
    /// what `encode` makes, which is told the stamp of the first message that anybody still wants.
    pub(super) fn value(
        &self,
        at: usize,
        stamp: u64,
        encode: impl FnOnce(u64) -> Result<WireValue, WireError>,
    ) -> Result<WireValue, WireError> {
        if let Ok(value) = lock(&self.ears).find(at, stamp) {
            return Ok(value);
        }
        // Code of an author that reads in turn encodes once more than needed, rather than wait for a lock
        // that its own thread has, or for one whose holder waits for it.
        let encoding = Encoding::begin();
        let _one_at_a_time = encoding.is_some().then(|| lock(&self.encodes));
        // Another may have encoded it meanwhile.
        let found = lock(&self.ears).find(at, stamp);
        let keep_from = match found {
            Ok(value) => return Ok(value),
            Err(first) => first,
        };
        let value = encode(keep_from)?;
        lock(&self.ears).keep(stamp, &value);
        Ok(value)
    }

    /// When the message of this topic with this stamp was published; nobody asks for those below `keep_from`
    /// any more. An ear that listens alone takes all that is known into `own`, and asks there from then on,
    /// which takes no lock.
    #[inline]
    pub(super) fn published<T: Clone + Send + Sync + 'static>(
        &self,
        topic: &Topic<T>,
        own: &mut TimeLog,
        stamp: u64,
        keep_from: u64,
    ) -> i64 {
        own.pass_to(stamp).unwrap_or_else(|| self.fetch_times(topic, own, stamp, keep_from))
    }

    #[cold]
    fn fetch_times<T: Clone + Send + Sync + 'static>(
        &self,
        topic: &Topic<T>,
        own: &mut TimeLog,
        stamp: u64,
        keep_from: u64,
    ) -> i64 {
        let fetch = |times: &mut StampTimes| {
            if !self.retains && times.readers() <= 1 {
                own.fill(times);
                return None;
            }
            if !self.retains {
                times.forget_below(keep_from);
            }
            Some(times.find(stamp))
        };
        topic.with_times(fetch).flatten().or_else(|| own.pass_to(stamp)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use mycelium_mailbox::{Doorbell, Source, Stamps, SubscribeOptions};
    use mycelium_random::{Random, cases, seed};

    /// A topic with somebody who reads it, and what publishes the next number there, at this time: its
    /// stamp.
    fn topic() -> (Topic<u64>, impl FnMut(i64) -> u64) {
        let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 8);
        let mut queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
        let publishes = topic.clone();
        let publish = move |at| {
            published_before(at, || publishes.try_publish(0, 0).unwrap());
            let stamp = queue.head().expect("it is there");
            queue.advance();
            stamp
        };
        (topic, publish)
    }

    #[test]
    fn who_listens_alone_takes_the_times_and_who_comes_later_finds_those_from_then_on() {
        let (topic, mut publish) = topic();
        let clock = crate::clock::LiveClock::new();
        let tap = Tap::new(&topic, clock, false);
        assert!(topic.with_times(|_| ()).is_none(), "nobody pays for what nobody wants to know");
        let published = |own: &mut TimeLog, stamp, keep_from| tap.published(&topic, own, stamp, keep_from);
        let kept = || topic.with_times(|times| times.find(0)).expect("somebody listens");
        let (mut own, mut other) = (TimeLog::default(), TimeLog::default());
        let first = tap.join(&topic, 4, clock);
        let [one, two] = [10, 20].map(&mut publish);
        assert_eq!(published(&mut own, one, one), 10);
        assert_eq!(kept(), 0, "it has taken them all");

        let second = tap.join(&topic, 4, clock);
        let [three, four] = [30, 40].map(&mut publish);
        // Twice: a message that is tried again is asked for again.
        assert_eq!([two, two, three].map(|stamp| published(&mut own, stamp, 0)), [20, 20, 30]);
        assert_eq!([three, four].map(|stamp| published(&mut other, stamp, 0)), [30, 40]);
        assert_eq!(published(&mut own, four, 0), 40);

        tap.leave(&topic, second);
        let [five, six] = [50, 60].map(&mut publish);
        assert_eq!([five, six].map(|stamp| published(&mut own, stamp, stamp)), [50, 60]);
        assert!(own.entries.len() <= 1 && kept() == 0);
        tap.leave(&topic, first);
        assert!(topic.with_times(|_| ()).is_none());
    }

    #[test]
    fn the_times_of_what_is_retained_stay_whoever_listens_and_leaves() {
        let (topic, mut publish) = topic();
        let clock = crate::clock::LiveClock::new();
        let tap = Tap::new(&topic, clock, true);
        let one = publish(10);
        for _ in 0..2 {
            let ear = tap.join(&topic, 4, clock);
            assert_eq!(tap.published(&topic, &mut TimeLog::default(), one, u64::MAX), 10);
            tap.leave(&topic, ear);
        }
    }

    #[test]
    fn the_first_of_all_positions_is_that_of_a_naive_search_and_places_are_used_again() {
        let mut random = Random::new(seed());
        let (mut ears, mut there) = (Ears::default(), Vec::new());
        for _ in 0..cases(2_000) {
            match random.below(4) {
                0 if there.len() < 50 => there.push(ears.join()),
                1 if !there.is_empty() => {
                    let at = there.swap_remove(random.below(there.len() as u64) as usize);
                    ears.go_to(at, None);
                    ears.free.push(at);
                }
                _ if !there.is_empty() => {
                    let at = there[random.below(there.len() as u64) as usize];
                    let stamp = ears.positions[at].unwrap() + random.below(3);
                    ears.go_to(at, Some(stamp));
                }
                _ => {}
            }
            assert_eq!(ears.first(), ears.positions.iter().flatten().min().copied());
            assert_eq!(ears.order.len(), there.len());
            assert!(ears.positions.len() <= 50, "a free place is taken before a new one");
        }
    }

    #[test]
    fn while_one_encodes_others_come_and_leave() {
        let ((topic, _publish), clock) = (topic(), crate::clock::LiveClock::new());
        let tap = Tap::new(&topic, clock, false);
        let (first, _second) = (tap.join(&topic, 4, clock), tap.join(&topic, 4, clock));
        let encoded = tap.value(first, 1, |_| {
            let third = tap.join(&topic, 4, clock);
            tap.leave(&topic, third);
            Err(WireError::Invalid { message: "Tick", cause: "on purpose".into() })
        });
        assert!(encoded.is_err());
    }
}
