//! What those who listen to one topic in bytes share: what one has encoded and others will want, and when
//! messages were published.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError};

use mycelium_mailbox::wire::WireError;
use mycelium_mailbox::{Note, Spin, Ticks};

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
    /// Told inside the topic's lock: for that reason no mutex, which is two locked instructions.
    times: Arc<Spin<Times>>,
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

/// When messages were published, by rising stamp.
pub(super) type TimeLog = VecDeque<(u64, i64)>;

/// When they were published, for those who listen in bytes.
#[derive(Default)]
struct Times {
    log: TimeLog,
    max: usize,
    /// How many listen. One who comes needs the times of what is published from then on.
    ears: usize,
    /// The clock, as far as it was asked.
    ticks: Ticks,
    /// Somebody may come later and ask for those that the topic retains: they are remembered while nobody
    /// listens.
    retains: bool,
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

/// Notes when the message that is published now took its place.
fn put(times: &Spin<Times>, stamp: u64, clock: LiveClock) {
    let mut times = times.lock();
    let at = match PUBLISHED_BEFORE.get() {
        0 => clock.now_by(&mut times.ticks),
        before => before,
    };
    times.put(stamp, at);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Times {
    fn put(&mut self, stamp: u64, at: i64) {
        if self.log.len() >= self.max {
            self.log.pop_front();
        }
        self.log.push_back((stamp, at));
    }

    /// When the message with this stamp was published; nobody asks for those below `keep_from` any more.
    fn take(&mut self, stamp: u64, keep_from: u64) -> i64 {
        while !self.retains && self.log.front().is_some_and(|(other, _)| *other < keep_from) {
            self.log.pop_front();
        }
        match self.log.front() {
            Some((first, at)) if *first >= stamp => *at,
            _ => {
                let at = self.log.partition_point(|(other, _)| *other < stamp);
                self.log.get(at).map_or(0, |(_, time)| *time)
            }
        }
    }
}

/// The time of the message with this stamp, in a log of which nobody else wants anything.
fn pass_to(log: &mut TimeLog, stamp: u64) -> Option<i64> {
    while log.front().is_some_and(|(other, _)| *other < stamp) {
        log.pop_front();
    }
    log.front().map(|(_, at)| *at)
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

impl Default for Tap {
    fn default() -> Self {
        let (count, ears, times) =
            (AtomicU64::new(0), Mutex::default(), Arc::new(Spin::new(Times::default())));
        Self { count, ears, encodes: Mutex::default(), times }
    }
}

impl Tap {
    /// Remembers from now on when messages were published, whether or not anybody listens: the topic retains
    /// them.
    pub(in crate::live) fn remember(&self, clock: LiveClock, note_each: impl FnOnce(Note)) {
        *self.times.lock() = Times { max: TIMES_MAX, retains: true, ..Times::default() };
        let times = Arc::clone(&self.times);
        note_each(Arc::new(move |stamp| put(&times, stamp, clock)));
    }

    /// One more listens, with a queue for so many messages. The first one needs `note`, which is told the
    /// stamps of messages.
    pub(super) fn join(&self, capacity: usize, clock: LiveClock, note_each: impl FnOnce(Note)) -> usize {
        let mut ears = lock(&self.ears);
        ears.encoded_max = ears.encoded_max.max(capacity);
        let at = ears.join();
        let mut times = self.times.lock();
        times.max = times.max.max(capacity.max(TIMES_MAX));
        times.ears += 1;
        let noted = times.retains;
        drop(times);
        if self.count.fetch_add(1, Ordering::SeqCst) == 0 && !noted {
            let times = Arc::clone(&self.times);
            note_each(Arc::new(move |stamp| put(&times, stamp, clock)));
        }
        at
    }

    pub(super) fn leave(&self, at: usize, note_no_more: impl FnOnce()) {
        let mut ears = lock(&self.ears);
        ears.go_to(at, None);
        ears.free.push(at);
        let left = self.count.fetch_sub(1, Ordering::SeqCst) - 1;
        if left <= 1 {
            ears.encoded.clear();
        }
        let mut times = self.times.lock();
        times.ears -= 1;
        let retains = times.retains;
        drop(times);
        if left == 0 {
            *ears = Ears::default();
            if !retains {
                note_no_more();
                *self.times.lock() = Times::default();
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

    /// When the message with this stamp was published; nobody asks for those below `keep_from` any more. An
    /// ear that listens alone takes all that is known into `own`, and asks there from then on, which takes
    /// no lock.
    #[inline]
    pub(super) fn published(&self, own: &mut TimeLog, stamp: u64, keep_from: u64) -> i64 {
        pass_to(own, stamp).unwrap_or_else(|| self.fetch_times(own, stamp, keep_from))
    }

    #[cold]
    fn fetch_times(&self, own: &mut TimeLog, stamp: u64, keep_from: u64) -> i64 {
        let mut times = self.times.lock();
        if times.ears > 1 || times.retains {
            return times.take(stamp, keep_from);
        }
        // It is empty: its memory is used for the next ones.
        std::mem::swap(own, &mut times.log);
        drop(times);
        pass_to(own, stamp).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mycelium_random::{Random, cases, seed};

    #[test]
    fn who_listens_alone_takes_the_times_and_who_comes_later_finds_those_from_then_on() {
        let tap = Tap::default();
        let clock = crate::clock::LiveClock::new();
        let publish = |stamp: u64| tap.times.lock().put(stamp, 10 * i64::try_from(stamp).unwrap());
        let (mut own, mut other) = (TimeLog::new(), TimeLog::new());
        let first = tap.join(4, clock, |_| ());
        (1..=2).for_each(publish);
        assert_eq!(tap.published(&mut own, 1, 1), 10);
        assert!(tap.times.lock().log.is_empty(), "it has taken them all");

        let second = tap.join(4, clock, |_| ());
        (3..=4).for_each(publish);
        // Twice: a message that is tried again is asked for again.
        assert_eq!([2, 2, 3].map(|stamp| tap.published(&mut own, stamp, 0)), [20, 20, 30]);
        assert_eq!([3, 4].map(|stamp| tap.published(&mut other, stamp, 0)), [30, 40]);
        assert_eq!(tap.published(&mut own, 4, 0), 40);

        tap.leave(second, || unreachable!("one still listens"));
        (5..=6).for_each(publish);
        assert_eq!([5, 6].map(|stamp| tap.published(&mut own, stamp, stamp)), [50, 60]);
        assert!(own.len() <= 1 && tap.times.lock().log.is_empty());
        tap.leave(first, || ());
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
        let (tap, clock) = (Tap::default(), crate::clock::LiveClock::new());
        let (first, _second) = (tap.join(4, clock, |_| ()), tap.join(4, clock, |_| ()));
        let encoded = tap.value(first, 1, |_| {
            let third = tap.join(4, clock, |_| ());
            tap.leave(third, || ());
            Err(WireError::Invalid { message: "Tick", cause: "on purpose".into() })
        });
        assert!(encoded.is_err());
    }

    #[test]
    fn a_log_of_times_has_a_bound_and_the_oldest_known_time_stands_for_what_fell_out() {
        let tap = Tap::default();
        tap.join(4, crate::clock::LiveClock::new(), |_| ());
        let all = TIMES_MAX as u64 + 5;
        (1..=all).for_each(|stamp| tap.times.lock().put(stamp, 1 + i64::try_from(stamp).unwrap()));
        let mut own = TimeLog::new();
        assert_eq!(
            [1, 6, all].map(|stamp| tap.published(&mut own, stamp, stamp)),
            [7, 7, 2 + TIMES_MAX as i64 + 4]
        );
        assert_eq!(own.len(), 1);
    }
}
