//! How far a run may go: the bound on its steps, and the flag or the function that stops it.
//!
//! A step is a message that is handled, or anything else after which code of an actor or service goes on: a
//! wake-up, a timer, a wait that was over before it began. Each takes one from `left`; at zero the run loop
//! [looks](Bounds::look) at everything else, which costs nothing in between.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

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

/// The steps of one isolate.
#[derive(Default)]
pub(crate) struct Bounds {
    /// Steps that may be taken before the next look.
    left: Cell<u64>,
    /// Steps that were allowed so far: those taken, and those left.
    allowed: Cell<u64>,
    /// Steps that handled no message.
    resumptions: Cell<u64>,
    /// What the user says; `None`: the defaults.
    limit: Cell<Option<u64>>,
    stop: RefCell<Option<Arc<Leash>>>,
    /// Asked whether to stop.
    asked: RefCell<Option<Box<dyn FnMut() -> bool>>>,
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
        self.allowed.set(self.steps());
        self.left.set(0);
    }

    /// Stops runs when the flag says so.
    pub(crate) fn stop_on(&self, leash: Arc<Leash>) {
        *self.stop.borrow_mut() = Some(leash);
        self.allowed.set(self.steps());
        self.left.set(0);
    }

    /// Stops runs when this returns true.
    pub(crate) fn stop_when(&self, asked: Box<dyn FnMut() -> bool>) {
        *self.asked.borrow_mut() = Some(asked);
        self.said_stop.set(false);
        self.allowed.set(self.steps());
        self.left.set(0);
    }

    /// Gives back what stops runs, at the isolate's end: code of the user, which may hold the isolate.
    pub(crate) fn let_go(&self) -> impl Sized + use<> {
        (self.stop.take(), self.asked.take())
    }

    /// Whether the flag says so, or the function does or has in this run.
    fn is_stopped(&self) -> bool {
        if self.stop.borrow().as_ref().is_some_and(|leash| leash.is_stopped()) || self.said_stop.get() {
            return true;
        }
        let says_stop = self.asked.borrow_mut().as_mut().is_some_and(|asked| asked());
        self.said_stop.set(says_stop);
        says_stop
    }

    /// A run begins, with an end of its own (in virtual time) or without: the defaults count from here.
    pub(crate) fn begin(&self, has_end: bool) {
        self.has_end.set(has_end);
        self.said_stop.set(false);
        self.count_from_here();
        self.moved_at.set(self.steps());
    }

    fn count_from_here(&self) {
        self.input_at.set(self.steps());
        self.resumptions_at.set(self.resumptions());
    }

    /// Allows further steps, unless the run is over.
    #[cold]
    pub(crate) fn look(&self, seen: &Seen) -> Result<(), Over> {
        if self.is_stopped() {
            return Err(Over::Stopped);
        }
        let room = match self.limit.get() {
            Some(limit) => {
                limit.checked_sub(self.steps()).filter(|room| *room > 0).ok_or(Over::TooMany(limit))?
            }
            None => self.look_at_defaults(seen)?,
        };
        let more = room.min(STEPS_PER_LOOK);
        self.allowed.set(self.steps() + more);
        self.left.set(more);
        Ok(())
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
