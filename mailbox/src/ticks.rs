//! A clock that costs little where it is asked often: it counts on from the last look at the system's clock,
//! by the processor's counter of time.
//!
//! A look at the system's clock takes 20 to 45 ns on virtual machines, one at the counter 8.
//!
//! # Protocol
//! The processor must say that its counter never stops and goes at one speed. It is believed for
//! [`WINDOW_NS`], as it counts them, after a look: whatever it does, the next look mends it. How fast it goes
//! is measured between two looks that lie [`BASE_MIN_NS`] to [`BASE_MAX_NS`] apart. A look that took long, as
//! one does in which the thread was put to sleep, says nothing of the counter. One that finds another time
//! than the counter would have given (the clock was set, the machine slept, the process was moved) begins the
//! measure anew, and until there is one, each time is a look.

/// For how long after a look the counter is believed (nanoseconds).
const WINDOW_NS: i64 = 250_000;
/// How long a measure of the counter's speed takes at least and at most (nanoseconds).
const BASE_MIN_NS: i64 = 1_000_000;
const BASE_MAX_NS: i64 = 1_000_000_000;
/// A look says something of the counter if it goes on by at most so much meanwhile (counts): about 1 us.
const LOOK_COUNTS_MAX: u64 = 4_096;
/// How much time passes at least between two times that [`Ticks::later`] gives (nanoseconds).
const GRAIN_NS: u64 = 1_000;
/// By how much the counter may differ from the clock: this, and a thousandth of the time (nanoseconds).
const ERROR_NS: i64 = 2_000;

/// The system's clock, asked seldom. Its times may go back by less than a microsecond between two looks.
///
/// ```
/// use mycelium_mailbox::Ticks;
/// use std::time::Instant;
///
/// let begin = Instant::now();
/// let system = || begin.elapsed().as_nanos() as i64;
/// let mut ticks = Ticks::new();
/// assert!(ticks.now(system) <= system());
/// ```
#[derive(Debug, Default)]
pub struct Ticks {
    /// Whether there is a counter that may be believed; `None`: nobody has looked.
    counts: Option<bool>,
    /// The last look: counter and clock.
    last: (u64, i64),
    /// The look from which the speed is measured.
    base: (u64, i64),
    /// Nanoseconds of a count, in parts of 2^32.
    speed: u64,
    /// How many counts after the last look are believed; 0: none.
    window: u64,
    /// The count at which a time was given last by [`later`](Self::later), and how many counts have to pass
    /// until the next one is.
    given: u64,
    grain: u64,
}

impl Ticks {
    /// A clock that has not been asked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The time, as `system` gives it, in nanoseconds. It is asked where the counter is not believed.
    #[inline]
    pub fn now(&mut self, system: impl FnOnce() -> i64) -> i64 {
        match self.counts {
            Some(true) => self.at(counter(), || (system(), counter())),
            Some(false) => system(),
            None => {
                self.counts = Some(is_steady());
                system()
            }
        }
    }

    /// The same for one who asks again and again, unless less than a microsecond has passed since this
    /// gave a time: `None`, which costs less.
    ///
    /// ```
    /// use mycelium_mailbox::Ticks;
    ///
    /// let mut ticks = Ticks::new();
    /// assert_eq!(ticks.later(|| 42), Some(42), "the first one is given always");
    /// ```
    #[inline]
    pub fn later(&mut self, system: impl FnOnce() -> i64) -> Option<i64> {
        if self.counts != Some(true) {
            return Some(self.now(system));
        }
        self.later_at(counter(), || (system(), counter()))
    }

    /// The same at this count, with `look` as [`at`](Self::at) has it.
    #[inline]
    fn later_at(&mut self, count: u64, look: impl FnOnce() -> (i64, u64)) -> Option<i64> {
        if count.wrapping_sub(self.given) < self.grain {
            return None;
        }
        Some(self.give(count, look))
    }

    #[cold]
    fn give(&mut self, count: u64, look: impl FnOnce() -> (i64, u64)) -> i64 {
        let time = self.at(count, look);
        // As long as the speed is not known, each time is given.
        (self.given, self.grain) = (count, (GRAIN_NS << 32).checked_div(self.speed).unwrap_or(0));
        time
    }

    /// The time at this count. `look` gives the time by the system's clock, and the count behind that.
    #[inline]
    fn at(&mut self, count: u64, look: impl FnOnce() -> (i64, u64)) -> i64 {
        let since = count.wrapping_sub(self.last.0);
        if since < self.window {
            return self.last.1 + self.counted(since);
        }
        let (time, behind) = look();
        self.has_looked(count, time, behind.wrapping_sub(count));
        time
    }

    /// So many counts in nanoseconds.
    #[inline]
    fn counted(&self, counts: u64) -> i64 {
        // The window is much less than 2^32 counts, and a count much less than a second.
        ((u128::from(counts) * u128::from(self.speed)) >> 32) as i64
    }

    #[cold]
    fn has_looked(&mut self, count: u64, time: i64, took: u64) {
        let (last, known) = (self.last, self.speed > 0);
        self.window = 0;
        if took > LOOK_COUNTS_MAX {
            return;
        }
        self.last = (count, time);
        let elapsed = time.saturating_sub(last.1);
        let wrong = || {
            let error = self.counted(count.wrapping_sub(last.0)).saturating_sub(elapsed);
            error.saturating_abs() > ERROR_NS + elapsed / 1_000
        };
        if known && (!(0..=BASE_MAX_NS).contains(&elapsed) || wrong()) {
            (self.base, self.speed) = (self.last, 0);
            return;
        }
        let (counts, measured) = (count.wrapping_sub(self.base.0), time.saturating_sub(self.base.1));
        if !(0..=BASE_MAX_NS).contains(&measured) {
            // It goes on from here, with the speed that it had.
            self.base = self.last;
        } else if measured >= BASE_MIN_NS {
            let speed = ((measured as u128) << 32) / u128::from(counts.max(1));
            // From a count of 100 ns to ten counts in a nanosecond.
            self.speed = u64::try_from(speed).unwrap_or(0);
            if !((1 << 28)..=(100 << 32)).contains(&self.speed) {
                self.speed = 0;
            }
        }
        self.window = ((WINDOW_NS as u64) << 32).checked_div(self.speed).unwrap_or(0);
    }
}

/// Whether the processor's counter goes at one speed, whatever the processor does, in all cores.
#[cfg(all(target_arch = "x86_64", not(any(loom, shuttle, miri))))]
fn is_steady() -> bool {
    use std::arch::x86_64::__cpuid;
    // SAFETY: each processor of this architecture has the instruction.
    #[allow(unused_unsafe, reason = "it is safe in later editions of the library")]
    let of = |leaf| unsafe { __cpuid(leaf) };
    of(0x8000_0000).eax >= 0x8000_0007 && of(0x8000_0007).edx & 1 << 8 != 0
}

#[cfg(all(target_arch = "x86_64", not(any(loom, shuttle, miri))))]
#[inline]
fn counter() -> u64 {
    // SAFETY: each processor of this architecture has the instruction. Where the system forbids it to
    // programs, it forbids its own clock's code too, which uses it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(all(target_arch = "x86_64", not(any(loom, shuttle, miri)))))]
fn is_steady() -> bool {
    false
}

#[cfg(not(all(target_arch = "x86_64", not(any(loom, shuttle, miri)))))]
fn counter() -> u64 {
    0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A machine of three counts in a nanosecond.
    struct Machine {
        ticks: Ticks,
        count: u64,
        time: i64,
        looks: u64,
    }

    impl Machine {
        fn new() -> Self {
            Self { ticks: Ticks::new(), count: u64::MAX - 1_000, time: 1_700_000_000_000_000_000, looks: 0 }
        }

        /// Time passes.
        fn pass(&mut self, ns: i64) -> &mut Self {
            self.count = self.count.wrapping_add(3 * ns as u64);
            self.time += ns;
            self
        }

        /// By how much the clock is wrong, in nanoseconds.
        fn error(&mut self) -> i64 {
            let Self { ticks, count, time, looks } = self;
            let at = ticks.at(*count, || {
                *looks += 1;
                (*time, count.wrapping_add(100))
            });
            at - *time
        }

        /// Whether a time is given now.
        fn gives(&mut self) -> bool {
            let Self { ticks, count, time, .. } = self;
            ticks.later_at(*count, || (*time, count.wrapping_add(100))).is_some()
        }

        /// After a second of use, in steps of 100 ns: how often it has looked, and the largest error.
        fn second(&mut self) -> (u64, i64) {
            let before = self.looks;
            let error = (0..10_000_000).map(|_| self.pass(100).error().abs()).max();
            (self.looks - before, error.unwrap())
        }
    }

    #[test]
    fn the_system_is_asked_once_in_a_window_and_the_time_is_right() {
        let mut machine = Machine::new();
        let (looks, error) = machine.second();
        // Each step of the first millisecond, and then four in each.
        assert!((10_000..15_000).contains(&looks) && error <= 1, "{looks} looks, wrong by {error} ns");
        let (looks, error) = machine.second();
        assert!((3_900..4_100).contains(&looks) && error <= 1, "{looks} looks, wrong by {error} ns");
        // One who asks seldom always asks the system.
        let looks = machine.looks;
        for _ in 0..1_000 {
            assert_eq!(machine.pass(300_000).error(), 0);
        }
        assert_eq!(machine.looks - looks, 1_000);
    }

    #[test]
    fn a_time_that_is_given_is_later_by_a_microsecond_or_is_not_given() {
        let mut machine = Machine::new();
        for _ in 0..2 {
            machine.pass(2 * WINDOW_NS).gives();
            // The speed is not known, at first and once the clock was set.
            assert!((0..1_000).all(|_| machine.pass(100).gives()));
            assert!(machine.pass(BASE_MIN_NS).gives());
            for (ns, gives) in [(999, false), (1, true), (1_000, true), (500, false), (499, false), (7, true)]
            {
                assert_eq!(machine.pass(ns).gives(), gives, "{ns} ns later");
            }
            machine.time += 3_600_000_000_000;
        }
    }

    #[test]
    fn the_times_that_are_given_of_this_machine_are_those_of_its_clock() {
        let begin = Instant::now();
        let system = || begin.elapsed().as_nanos() as i64;
        let (mut ticks, mut last, mut given) = (Ticks::new(), None, 0);
        while system() < 20_000_000 {
            let before = system();
            let Some(time) = ticks.later(system) else {
                // The counter is believed, and what was given before is not old.
                assert!(before - last.unwrap() < 2 * WINDOW_NS);
                continue;
            };
            assert!(time - before > -2 * WINDOW_NS && time <= system() + 2 * WINDOW_NS);
            (last, given) = (Some(time), given + 1);
        }
        println!("{given} times in 20 ms, counter believed: {:?}", ticks.counts);
        assert!(given > 0);
    }

    #[test]
    fn what_clock_and_counter_do_is_mended_by_the_next_look() {
        let wrongs: [fn(&mut Machine); 6] = [
            |machine| machine.time += 3_600_000_000_000,
            |machine| machine.time -= 3_600_000_000_000,
            |machine| machine.time += 30_000,
            |machine| machine.count = 0,
            |machine| machine.count = machine.count.wrapping_add(1 << 50),
            |machine| machine.count = machine.count.wrapping_sub(3_000),
        ];
        for (at, wrong) in wrongs.into_iter().enumerate() {
            let mut machine = Machine::new();
            machine.second();
            wrong(&mut machine);
            // One look later it is right.
            machine.pass(WINDOW_NS).error();
            let error = machine.pass(100).error();
            assert!(error.abs() <= 1, "case {at}: wrong by {error} ns");
            let (_, error) = machine.second();
            assert!(error <= 1, "case {at}: wrong by {error} ns");
        }
        // The counter goes at another speed: the time is wrong by no more than a few windows.
        for speed in [1, 2, 30] {
            let mut machine = Machine::new();
            machine.second();
            for _ in 0..100_000 {
                machine.time += 100;
                machine.count = machine.count.wrapping_add(speed * 100);
                let error = machine.error();
                assert!(error.abs() <= 10 * WINDOW_NS, "wrong by {error} ns at speed {speed}");
            }
        }
    }

    #[test]
    fn a_look_that_took_long_says_nothing_of_the_counter() {
        let mut machine = Machine::new();
        machine.second();
        machine.pass(WINDOW_NS);
        // It slept between the count and the clock.
        let (before, time) = (machine.count, machine.time + 5_000_000);
        let at = machine.ticks.at(before, || (time, before.wrapping_add(15_000_000)));
        assert_eq!(at, time);
        machine.pass(5_000_000);
        let (_, error) = machine.second();
        assert!(error <= 1, "wrong by {error} ns");
    }

    #[test]
    fn the_time_of_this_machine_is_that_of_its_clock() {
        let begin = Instant::now();
        let system = || begin.elapsed().as_nanos() as i64;
        let (mut ticks, mut looks) = (Ticks::new(), 0_u64);
        for _ in 0..300_000 {
            let before = system();
            let time = ticks.now(|| {
                looks += 1;
                system()
            });
            let after = system();
            let right = before - 2 * WINDOW_NS..=after + 2 * WINDOW_NS;
            assert!(right.contains(&time), "{time} is not in {right:?}");
        }
        println!("{looks} looks in 300,000, counter believed: {:?}", ticks.counts);
    }
}
