//! How far a run may go: the bound on its steps, and the flag or the function that stops it.
//!
//! A step is a message that is handled, or anything else after which code of an actor or service goes on: a
//! wake-up, a timer, a wait that was over before it began. Each takes one from `left`; at zero the run loop
//! [looks](Bounds::look) at everything else, which costs nothing in between.
//!
//! Where a flag or a function may stop the run there are looks in between, which look at nothing else: the
//! more often, the longer steps take by the wall clock. All that a run comes to but for its stop depends on
//! the other looks, which come after so many steps.
//!
//! A run that goes on after its end comes to what it would have come to without one. So it ends between the
//! steps of the run loop: code that has not returned by then takes what further steps it needs
//! ([`overdraw`](Bounds::overdraw)), up to a bound.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::stop::Leash;

/// How many steps one run of an isolate may take since its input last came, or in one virtual second of a run
/// with an end, unless [`limit_events`](crate::Isolate::limit_events) says otherwise: see there (steps).
pub const DEFAULT_EVENTS_MAX: u64 = 100_000_000;

/// How many of them may be resumptions: a service that beats for ever comes to this within seconds (steps).
pub const DEFAULT_RESUMPTIONS_MAX: u64 = 10_000_000;

/// So many steps at one moment without a message, and an actor goes round for nothing (steps).
const SPINS_MAX: u64 = 1_000_000;

/// Nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// Steps between two looks.
const STEPS_PER_LOOK: u64 = 1_024;

/// The same at most, where the run may be stopped: so many long steps are taken before it shows that they are
/// long (steps).
const STEPS_PER_WATCH: u64 = 256;

/// How many steps code may take that has not returned when the run is over, and for how long by the wall
/// clock. Code that goes round for ever would keep the run for ever (steps).
const OVERDRAFT_MAX: u32 = 65_536;
const OVERDRAFT_TIME: Duration = Duration::from_secs(1);

/// How often by the wall clock the flag and the function are asked, if steps are not longer than that.
const WATCH_EVERY: Duration = Duration::from_millis(10);

/// The steps of one isolate.
#[derive(Default)]
pub(crate) struct Bounds {
    /// Steps that may be taken before the next look.
    left: Cell<u64>,
    /// Steps behind those, before which only the flag and the function are asked.
    granted: Cell<u64>,
    pace: Pace,
    /// Steps that were allowed so far: those taken, and those left.
    allowed: Cell<u64>,
    /// Steps that were taken though the run is over, and since when.
    overdrawn: Cell<u32>,
    overdrawn_at: Cell<Option<Box<Instant>>>,
    /// Steps that handled no message.
    resumptions: Cell<u64>,
    /// What the user says; `None`: the defaults.
    limit: Cell<Option<u64>>,
    stop: RefCell<Option<Arc<Leash>>>,
    /// Asked whether to stop.
    asked: Cell<Option<Box<dyn FnMut() -> bool>>>,
    /// In a box of its own: an isolate takes few bytes.
    panicked: Cell<Option<Box<Box<dyn Any + Send>>>>,
    /// Whether it has said so in this run. A look may leave the end of the run to the next one, to which the
    /// function need not say so again.
    said_stop: Cell<bool>,
    /// How many steps had been taken when input last came, and what was seen of it then.
    input_at: Cell<u64>,
    input_seen: Cell<u64>,
    /// How many of them were resumptions.
    resumptions_at: Cell<u64>,
    /// Whether the run has an end of its own, and the second of virtual time in which it was last seen.
    has_end: Cell<bool>,
    second: Cell<i64>,
    /// How many steps had been taken when anything but resumptions at one moment was last seen, and what that
    /// was.
    moved_at: Cell<u64>,
    moved_seen: Cell<(i64, u64)>,
}

/// What a look finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The stop flag is set, or the function that is asked says so.
    Stopped,
    /// So many steps were the bound.
    TooMany(u64),
    /// So many resumptions were.
    TooManyResumptions(u64),
    /// Nothing but resumptions at one moment.
    Spinning,
}

/// What a look must know besides.
pub(crate) struct Seen {
    /// The clock.
    pub(crate) now: i64,
    /// How many messages were published to nobody.
    pub(crate) unheard: u64,
    /// How many messages came from replays that know their end.
    pub(crate) replayed: u64,
}

impl Bounds {
    /// Whether a step may be taken without a look.
    #[inline(always)]
    pub(crate) fn has_step(&self) -> bool {
        self.left.get() > 0
    }

    /// A message is handled. There was a step.
    #[inline(always)]
    pub(crate) fn count_event(&self) {
        self.left.set(self.left.get() - 1);
    }

    /// Code goes on without a message. There was a step.
    #[inline]
    pub(crate) fn count_resumption(&self) {
        self.left.set(self.left.get() - 1);
        self.resumptions.set(self.resumptions.get() + 1);
    }

    /// A run is over, and code in the midst of it goes on without a message. Whether it may.
    #[cold]
    pub(crate) fn overdraw(&self) -> bool {
        let before = self.overdrawn.replace(self.overdrawn.get() + 1);
        let began = self.overdrawn_at.take().filter(|_| before > 0);
        let began = began.unwrap_or_else(|| Box::new(Instant::now()));
        let may = before < OVERDRAFT_MAX && began.elapsed() < OVERDRAFT_TIME;
        self.overdrawn_at.set(Some(began));
        if may {
            self.allowed.set(self.allowed.get() + 1);
            self.resumptions.set(self.resumptions.get() + 1);
            // They are none of those that were granted any more.
            self.granted.set(self.granted.get().saturating_sub(1));
        } else {
            self.overdrawn.set(OVERDRAFT_MAX);
        }
        may
    }

    /// Whether code has done so since there was a step last.
    pub(crate) fn is_overdrawn(&self) -> bool {
        self.overdrawn.get() > 0
    }

    fn steps(&self) -> u64 {
        self.allowed.get() - self.left.get()
    }

    /// How many messages were handled.
    #[inline]
    pub(crate) fn events(&self) -> u64 {
        self.steps() - self.resumptions.get()
    }

    pub(crate) fn resumptions(&self) -> u64 {
        self.resumptions.get()
    }

    /// Bounds all steps, in place of the defaults.
    pub(crate) fn limit(&self, steps_max: u64) {
        self.limit.set(Some(steps_max));
        self.look_next();
    }

    /// Stops runs when the flag says so.
    pub(crate) fn stop_on(&self, leash: Arc<Leash>) {
        *self.stop.borrow_mut() = Some(leash);
        self.look_next();
    }

    /// Stops runs when this returns true.
    pub(crate) fn stop_when(&self, asked: Box<dyn FnMut() -> bool>) {
        self.asked.set(Some(asked));
        self.said_stop.set(false);
        self.look_next();
    }

    /// There is a look at everything before the next step.
    fn look_next(&self) {
        self.allowed.set(self.steps());
        self.left.set(0);
        self.granted.set(0);
    }

    /// Gives back what stops runs, at the isolate's end: code of the user, which may hold the isolate.
    pub(crate) fn let_go(&self) -> impl Sized + use<> {
        (self.stop.take(), self.asked.take())
    }

    /// Whether the flag says so, or the function has in this run, or does, if that `is_asked`.
    fn is_stopped(&self, is_asked: bool) -> bool {
        if self.stop.borrow().as_ref().is_some_and(|leash| leash.is_stopped()) || self.said_stop.get() {
            return true;
        }
        let says_stop = is_asked && self.ask();
        self.said_stop.set(says_stop);
        says_stop
    }

    /// Asks the function. One that panics says so: see [`take_panic`](Self::take_panic).
    fn ask(&self) -> bool {
        // Taken out meanwhile: it may come to a look itself.
        let Some(mut asked) = self.asked.take() else { return false };
        let said = catch_unwind(AssertUnwindSafe(&mut asked));
        let given = self.asked.take();
        self.asked.set(Some(given.unwrap_or(asked)));
        said.unwrap_or_else(|payload| {
            self.panicked.set(Some(Box::new(payload)));
            true
        })
    }

    /// What the function has panicked with, in whosever code it was asked: it is nobody's there.
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panicked.take().map(|payload| *payload)
    }

    fn may_be_stopped(&self) -> bool {
        let asked = self.asked.take();
        let is_asked = asked.is_some();
        self.asked.set(asked);
        is_asked || self.stop.borrow().is_some()
    }

    /// A run begins, with an end of its own (in virtual time) or without: the defaults count from here.
    pub(crate) fn begin(&self, has_end: bool) {
        self.has_end.set(has_end);
        self.said_stop.set(false);
        self.overdrawn.set(0);
        self.count_from_here();
        self.moved_at.set(self.steps());
    }

    fn count_from_here(&self) {
        self.input_at.set(self.steps());
        self.resumptions_at.set(self.resumptions());
    }

    /// Allows further steps, unless the run is over. Whether it has looked at everything.
    #[cold]
    pub(crate) fn look(&self, seen: &Seen) -> Result<bool, Over> {
        let is_whole = self.granted.get() == 0;
        let mut most = STEPS_PER_LOOK;
        if self.may_be_stopped() {
            let (steps, is_due) = self.pace.next(Instant::now(), is_whole);
            most = steps;
            if self.is_stopped(is_due) {
                // The next run asks first.
                self.pace.asked_at.set(None);
                return Err(Over::Stopped);
            }
        }
        if is_whole {
            self.granted.set(self.room(seen)?.min(STEPS_PER_LOOK));
        }
        let more = self.granted.get().min(most);
        self.granted.set(self.granted.get() - more);
        self.overdrawn.set(0);
        self.allowed.set(self.steps() + more);
        self.left.set(more);
        Ok(is_whole)
    }

    /// How many further steps the bounds allow.
    fn room(&self, seen: &Seen) -> Result<u64, Over> {
        match self.limit.get() {
            Some(limit) => {
                limit.checked_sub(self.steps()).filter(|room| *room > 0).ok_or(Over::TooMany(limit))
            }
            None => self.look_at_defaults(seen),
        }
    }

    fn look_at_defaults(&self, seen: &Seen) -> Result<u64, Over> {
        let steps = self.steps();
        // A run with an end may be as long as its user says: what it does in one second is bounded.
        let second = seen.now.div_euclid(SECOND);
        let later = self.second.replace(second) != second && self.has_end.get();
        if self.input_seen.replace(seen.replayed) != seen.replayed || later {
            self.count_from_here();
        }
        let moved = (seen.now, self.events() + seen.unheard);
        if self.moved_seen.replace(moved) != moved {
            self.moved_at.set(steps);
        }
        if steps - self.moved_at.get() >= SPINS_MAX {
            return Err(Over::Spinning);
        }
        if self.resumptions() - self.resumptions_at.get() >= DEFAULT_RESUMPTIONS_MAX {
            return Err(Over::TooManyResumptions(DEFAULT_RESUMPTIONS_MAX));
        }
        let room = DEFAULT_EVENTS_MAX.saturating_sub(steps - self.input_at.get());
        if room == 0 { Err(Over::TooMany(DEFAULT_EVENTS_MAX)) } else { Ok(room) }
    }
}

/// How many steps lie between two looks, by what they take.
#[derive(Default)]
struct Pace {
    steps: Cell<u64>,
    looked_at: Cell<Option<Instant>>,
    asked_at: Cell<Option<Instant>>,
}

impl Pace {
    /// How many steps may be taken before the next look, and whether the function is to be asked now.
    fn next(&self, now: Instant, is_whole: bool) -> (u64, bool) {
        let since = |then: Instant| now.saturating_duration_since(then);
        let (before, looked_at) = (self.steps.get().max(1), self.looked_at.replace(Some(now)));
        // The first step of all may be a long one.
        let steps = looked_at.map_or(1, |then| {
            let fitting = u128::from(before) * WATCH_EVERY.as_nanos() / since(then).as_nanos().max(1);
            u64::try_from(fitting).unwrap_or(u64::MAX).min(2 * before)
        });
        self.steps.set(steps.clamp(1, STEPS_PER_WATCH));
        let is_due = is_whole || self.asked_at.get().is_none_or(|then| since(then) >= WATCH_EVERY);
        if is_due {
            self.asked_at.set(Some(now));
        }
        (self.steps.get(), is_due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks and takes steps until it may not.
    fn run(
        bounds: &Bounds,
        steps_max: u64,
        mut seen: impl FnMut(u64) -> Seen,
        step: impl Fn(&Bounds),
    ) -> (u64, Option<Over>) {
        let before = bounds.steps();
        while bounds.steps() - before < steps_max {
            if !bounds.has_step()
                && let Err(over) = bounds.look(&seen(bounds.steps()))
            {
                return (bounds.steps() - before, Some(over));
            }
            step(bounds);
        }
        (steps_max, None)
    }

    #[test]
    fn looks_come_as_often_as_steps_are_long() {
        let (pace, begin) = (Pace::default(), Instant::now());
        let mut now = begin;
        let mut next = |took| {
            now += took;
            pace.next(now, false)
        };
        let (short, long) = (Duration::from_micros(10), Duration::from_millis(1));
        assert_eq!(next(Duration::ZERO), (1, true), "the first may be long");
        for steps in [2, 4, 8, 16, 32, 64, 128, 256, 256, 256] {
            assert_eq!(next(short), (steps, false));
        }
        assert_eq!(next(long * 256), (10, true));
        for _ in 0..5 {
            assert_eq!(next(long * 10), (10, true));
        }
        assert_eq!(next(WATCH_EVERY * 100), (1, true));
        assert_eq!(next(WATCH_EVERY / 2), (2, false));
        assert_eq!(next(WATCH_EVERY / 2), (4, true), "it is as long ago as that");
        assert_eq!(pace.next(begin, true), (8, true), "a look at everything, and a clock that goes back");
    }

    #[test]
    fn a_run_that_may_be_stopped_comes_to_its_bounds_at_the_same_step() {
        let all = SPINS_MAX * 2;
        let spins = |bounds: &Bounds| run(bounds, all, nothing, Bounds::count_resumption);
        let (alone, watched) = (Bounds::default(), Bounds::default());
        watched.stop_when(Box::new(|| false));
        assert_eq!(spins(&watched), spins(&alone));
        watched.limit(watched.steps() + 1_500);
        let steps = std::cell::Cell::new(0);
        let sleepy = |bounds: &Bounds| {
            steps.set(steps.get() + 1);
            if steps.get() % 100 == 0 {
                std::thread::sleep(WATCH_EVERY);
            }
            bounds.count_event();
        };
        assert!(matches!(run(&watched, all, nothing, sleepy), (1_500, Some(Over::TooMany(_)))));
    }

    #[test]
    fn long_steps_are_few_between_two_calls_of_the_function() {
        let bounds = Bounds::default();
        let count = std::rc::Rc::new(Cell::new(0));
        let asked = std::rc::Rc::clone(&count);
        bounds.stop_when(Box::new(move || asked.replace(asked.get() + 1) == 3));
        let sleepy = |bounds: &Bounds| {
            std::thread::sleep(2 * WATCH_EVERY);
            bounds.count_event();
        };
        assert_eq!(run(&bounds, 1_000, nothing, sleepy), (3, Some(Over::Stopped)));
    }

    fn nothing(_: u64) -> Seen {
        Seen { now: 0, unheard: 0, replayed: 0 }
    }

    #[test]
    fn a_limit_is_exact_and_can_be_raised_and_lowered() {
        let bounds = Bounds::default();
        assert_eq!(run(&bounds, 10, nothing, Bounds::count_event), (10, None));
        bounds.limit(15);
        assert_eq!(run(&bounds, 10, nothing, Bounds::count_resumption), (5, Some(Over::TooMany(15))));
        bounds.limit(2_000);
        assert_eq!(run(&bounds, u64::MAX, nothing, Bounds::count_event), (1_985, Some(Over::TooMany(2_000))));
        bounds.limit(1);
        assert_eq!(run(&bounds, 1, nothing, Bounds::count_event), (0, Some(Over::TooMany(1))));
        assert_eq!((bounds.events(), bounds.resumptions()), (1_995, 5));
    }

    #[test]
    fn steps_behind_the_end_of_a_run_count_for_its_limit() {
        let bounds = Bounds::default();
        bounds.limit(1_000);
        let stops = std::rc::Rc::new(Cell::new(false));
        let asked = std::rc::Rc::clone(&stops);
        bounds.stop_when(Box::new(move || asked.get()));
        assert_eq!(run(&bounds, 500, nothing, Bounds::count_event), (500, None));
        stops.set(true);
        bounds.pace.asked_at.set(None);
        let (more, over) = run(&bounds, 500, nothing, Bounds::count_event);
        assert_eq!((over, bounds.steps()), (Some(Over::Stopped), 500 + more));
        assert!((0..10).all(|_| bounds.overdraw()) && bounds.is_overdrawn());
        stops.set(false);
        bounds.begin(false);
        assert_eq!(run(&bounds, 500, nothing, Bounds::count_event).1, Some(Over::TooMany(1_000)));
        assert_eq!((bounds.steps(), bounds.is_overdrawn()), (1_000, false));
        assert_eq!((0..=OVERDRAFT_MAX).filter(|_| bounds.overdraw()).count(), OVERDRAFT_MAX as usize);
    }

    #[test]
    fn a_function_that_panics_stops_the_run_and_is_asked_again() {
        let bounds = std::rc::Rc::new(Bounds::default());
        let (asked, looks) = (std::rc::Rc::downgrade(&bounds), Cell::new(0));
        bounds.stop_when(Box::new(move || {
            // One that comes to a look itself is not asked for that.
            let _ = asked.upgrade().unwrap().look(&nothing(0));
            looks.set(looks.get() + 1);
            assert_ne!(looks.get(), 1, "a rule of the test");
            false
        }));
        let ask = || bounds.is_stopped(true);
        assert!(ask() && bounds.take_panic().is_some());
        bounds.begin(false);
        assert!(!ask() && bounds.take_panic().is_none());
    }

    #[test]
    fn resumptions_at_one_moment_are_spins_unless_anything_else_happens() {
        let all = SPINS_MAX * 2;
        let (steps, over) = run(&Bounds::default(), all, nothing, Bounds::count_resumption);
        assert!(over == Some(Over::Spinning) && steps < SPINS_MAX + 2 * STEPS_PER_LOOK, "{steps}");
        let moves = [
            |steps| Seen { now: steps as i64 / (SPINS_MAX as i64 / 2), ..nothing(steps) },
            |steps| Seen { unheard: steps / (SPINS_MAX / 2), ..nothing(steps) },
        ];
        for seen in moves {
            assert_eq!(run(&Bounds::default(), all, seen, Bounds::count_resumption), (all, None));
        }
        assert_eq!(run(&Bounds::default(), all, nothing, Bounds::count_event), (all, None));
        let bounds = Bounds::default();
        bounds.limit(all);
        assert_eq!(
            run(&bounds, all, nothing, Bounds::count_resumption),
            (all, None),
            "a limit replaces the defaults"
        );
    }

    #[test]
    fn the_default_counts_from_the_last_input() {
        let bounds = Bounds::default();
        // As after all the steps but one.
        let nearly = |bounds: &Bounds| {
            bounds.begin(false);
            bounds.allowed.set(bounds.steps() + DEFAULT_EVENTS_MAX - 1);
            bounds.left.set(0);
        };
        let too_many = Some(Over::TooMany(DEFAULT_EVENTS_MAX));
        nearly(&bounds);
        assert_eq!(run(&bounds, 10, nothing, Bounds::count_event), (1, too_many));
        bounds.begin(false);
        assert_eq!(run(&bounds, 10, nothing, Bounds::count_event), (10, None));
        nearly(&bounds);
        let replayed = |steps| Seen { replayed: steps, ..nothing(steps) };
        assert_eq!(run(&bounds, 10, replayed, Bounds::count_event), (10, None));
    }

    #[test]
    fn resumptions_have_a_bound_of_their_own() {
        let bounds = Bounds::default();
        bounds.begin(false);
        let beats = |steps| Seen { now: steps as i64, ..nothing(steps) };
        let nearly = DEFAULT_RESUMPTIONS_MAX - 1;
        bounds.allowed.set(nearly);
        bounds.resumptions.set(nearly);
        let (steps, over) = run(&bounds, u64::MAX, beats, Bounds::count_resumption);
        assert!(over == Some(Over::TooManyResumptions(DEFAULT_RESUMPTIONS_MAX)) && steps <= STEPS_PER_LOOK);
        let replayed = |steps| Seen { replayed: steps, ..beats(steps) };
        assert_eq!(run(&bounds, 10_000, replayed, Bounds::count_resumption), (10_000, None));
    }

    #[test]
    fn a_run_with_an_end_counts_anew_with_each_second() {
        // A beat every microsecond, for longer than the bound; then one every nanosecond, which comes to it.
        let micros = |steps: u64| Seen { now: steps as i64 * 1_000, ..nothing(steps) };
        let all = DEFAULT_RESUMPTIONS_MAX + 10 * STEPS_PER_LOOK;
        let bounds = Bounds::default();
        bounds.begin(true);
        assert_eq!(run(&bounds, all, micros, Bounds::count_resumption), (all, None));
        let nanos = |steps: u64| Seen { now: steps as i64, ..nothing(steps) };
        let too_many = Some(Over::TooManyResumptions(DEFAULT_RESUMPTIONS_MAX));
        for (has_end, seen) in [(true, &nanos as &dyn Fn(u64) -> Seen), (false, &micros)] {
            let bounds = Bounds::default();
            bounds.begin(has_end);
            let (steps, over) = run(&bounds, all, seen, Bounds::count_resumption);
            assert!(over == too_many && steps < all, "{steps}");
        }
    }
}
