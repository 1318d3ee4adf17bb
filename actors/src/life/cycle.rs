//! The life of an actor: start, handle, fail, part, begin anew, end. `step(happening) -> act`, and nothing
//! else.
//!
//! # Protocol
//! ```text
//!                 Restart                      Started
//!        ┌──────────────────────> Starting ───────────────> Running
//!        │                            │ Failed, Broke, Stop   │
//!        │                            ├───────────────────────┘
//!        │    Said          supervised│                │ nobody decides, or a stop for good
//!      Down <────────── Parting <─────┘                └────────> Ending ──────> Over
//!        │                                                          ^     Said
//!        └──────────────────────────────────────────────────────────┘
//!                 Verdict: the end                        Killed, from everywhere
//! ```
//! The host reports what happens and carries out the one act that it gets back. An act with last words
//! (`polite`) is done when `stopping` has returned, one without them at once: the host then reports
//! [`Happening::Said`]. A panic in last words, in the factory of the next life or in what an actor leaves
//! behind is a [`Happening::Broke`] like any other. It never begins last words again.

use mycelium_mailbox::Stop;

use crate::StopReason;

/// How far an actor is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifeState {
    /// `started` has not returned.
    Starting,
    /// It handles messages.
    Running,
    /// A life under a supervisor is over, but for its last words. Its mailbox waits for the next life.
    Parting,
    /// There is no value: its supervisor decides whether there will be one.
    Down,
    /// It ends for good, but for its last words. It has left its topics.
    Ending,
    /// Nothing of it runs any more.
    Over,
}

/// What a host reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// `started` has returned `Ok`.
    Started,
    /// `started` or a handler has returned an error, or one that it depends on has ended.
    Failed(StopReason),
    /// Code of the actor has panicked, or was given up where it waited: no more of this life may run.
    Broke(StopReason),
    /// Somebody wants it to stop, and none of its code runs.
    Stop(Stop),
    /// Its code was dropped where it was.
    Killed,
    /// Its last words are over, or were not to be.
    Said,
    /// Its supervisor gives it another life.
    Restart,
    /// Its supervisor gives it none. `shut_down`: because that one stops itself.
    NoMore { shut_down: bool },
}

impl Happening {
    /// Code of the actor has ended its life for this reason.
    pub(crate) fn by(reason: StopReason) -> Self {
        match reason {
            StopReason::Panicked(_) => Self::Broke(reason),
            _ => Self::Failed(reason),
        }
    }
}

/// What a host does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing new: what was going on goes on.
    Nothing,
    /// Run `started`, with a new value if the life is not the first.
    Begin,
    /// Handle messages.
    Work,
    /// Put by what is in hand. If `polite`, run `stopping`.
    Part { polite: bool },
    /// Drop the value, and ask the supervisor.
    Ask,
    /// Leave all topics: what waits is dead letters. If `polite`, run `stopping`.
    Leave { polite: bool },
    /// Tell everybody who waits for the end.
    Finish,
}

/// Why an actor ends that was asked to stop.
pub(crate) fn reason_of(stop: Stop) -> StopReason {
    match stop {
        Stop::Life => StopReason::Normal,
        Stop::Pause | Stop::ForGood => StopReason::Shutdown,
    }
}

/// The life of one actor.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    state: LifeState,
    /// Whether somebody decides after each life. Nobody: the first one is the last.
    supervised: bool,
    /// Why the last life, or the actor, has ended or is about to.
    reason: StopReason,
}

impl Lifecycle {
    pub(crate) fn new(supervised: bool) -> Self {
        Self { state: LifeState::Starting, supervised, reason: StopReason::Normal }
    }

    #[inline]
    pub(crate) fn state(&self) -> LifeState {
        self.state
    }

    /// Why the last life, or the actor, has ended or is about to. Before that it says nothing.
    pub(crate) fn reason(&self) -> &StopReason {
        &self.reason
    }

    /// Takes in what has happened.
    pub(crate) fn step(&mut self, happening: Happening) -> Act {
        use LifeState::{Down, Ending, Over, Parting, Running, Starting};
        match (self.state, happening) {
            (Over, _) => Act::Nothing,
            (_, Happening::Killed) => self.leave(StopReason::Killed, false),
            (Starting, Happening::Started) => {
                self.state = Running;
                Act::Work
            }
            (Starting | Running, Happening::Failed(reason)) => self.end_life(reason, true),
            (Starting | Running, Happening::Broke(reason)) => self.end_life(reason, false),
            (Starting | Running | Down, Happening::Stop(Stop::ForGood)) => {
                // An actor between two lives says no more, and keeps the reason of its last one.
                let polite = self.state != Down;
                let reason = if polite { StopReason::Shutdown } else { self.reason.clone() };
                self.leave(reason, polite)
            }
            (Starting | Running, Happening::Stop(stop)) => self.end_life(reason_of(stop), true),
            (Parting | Down, Happening::Broke(reason)) => {
                self.reason = reason;
                self.ask()
            }
            (Parting, Happening::Said) => self.ask(),
            (Down, Happening::Restart) => {
                self.state = Starting;
                Act::Begin
            }
            (Down, Happening::NoMore { shut_down }) => {
                let shut_down = shut_down && self.reason == StopReason::Normal;
                let reason = if shut_down { StopReason::Shutdown } else { self.reason.clone() };
                self.leave(reason, false)
            }
            // It ends all the same, and less politely. Values that it left behind may have panicked: the rest
            // is left too.
            (Ending, Happening::Broke(reason)) => self.leave(reason, false),
            (Ending, Happening::Said) => {
                self.state = Over;
                Act::Finish
            }
            _ => Act::Nothing,
        }
    }

    fn end_life(&mut self, reason: StopReason, polite: bool) -> Act {
        if !self.supervised {
            return self.leave(reason, polite);
        }
        (self.state, self.reason) = (LifeState::Parting, reason);
        Act::Part { polite }
    }

    fn ask(&mut self) -> Act {
        self.state = LifeState::Down;
        Act::Ask
    }

    fn leave(&mut self, reason: StopReason, polite: bool) -> Act {
        (self.state, self.reason) = (LifeState::Ending, reason);
        Act::Leave { polite }
    }
}

/// How often the handler of one message has failed, in how many lives, and how often it may.
#[derive(Debug)]
pub(crate) struct Attempts {
    /// At least 1.
    max: u32,
    /// With the message in hand, or the one that was kept for the next life.
    failed: u32,
}

impl Attempts {
    pub(crate) fn new(max: u32) -> Self {
        Self { max: max.max(1), failed: 0 }
    }

    /// Whether any message is tried twice.
    pub(crate) fn retry(&self) -> bool {
        self.max > 1
    }

    /// The handler of what is in hand has failed. Whether the next life may try again; a message that it does
    /// not try is a dead letter: see [`settle`](Self::settle).
    pub(crate) fn fail(&mut self) -> bool {
        self.failed = self.failed.saturating_add(1);
        self.failed < self.max
    }

    /// The message in hand, or kept, was handled or is nobody's any more; how often its handler had failed.
    pub(crate) fn settle(&mut self) -> u32 {
        std::mem::take(&mut self.failed)
    }
}

#[cfg(test)]
mod tests {
    use mycelium_random::{Random, seeds};

    use super::*;

    /// What a host did, as far as order matters.
    #[derive(Default)]
    struct Log {
        started: u32,
        words: u32,
        asked: u32,
        left: bool,
    }

    fn any_happening(random: &mut Random) -> Happening {
        match random.below(11) {
            0 | 1 => Happening::Started,
            2 => Happening::Failed(StopReason::Failed("error".into())),
            3 => Happening::Broke(StopReason::Panicked("panic".into())),
            4 => Happening::Stop(random.pick(&[Stop::Life, Stop::Pause])),
            5 => Happening::Stop(Stop::ForGood),
            6 => Happening::Killed,
            7 | 8 => Happening::Said,
            9 => Happening::Restart,
            _ => Happening::NoMore { shut_down: random.chance(50) },
        }
    }

    /// Carries one act out, and checks that it may be carried out now.
    fn carry_out(act: Act, before: LifeState, life: &Lifecycle, log: &mut Log) {
        match act {
            Act::Nothing => {}
            Act::Work => assert_eq!((before, life.state()), (LifeState::Starting, LifeState::Running)),
            Act::Begin => {
                assert_eq!((before, life.state()), (LifeState::Down, LifeState::Starting));
                assert_eq!(log.asked, log.started, "each life after the first follows a question");
                *log = Log { started: log.started + 1, words: 0, ..*log };
            }
            Act::Part { polite } => {
                assert!(matches!(before, LifeState::Starting | LifeState::Running), "{before:?}");
                log.words += u32::from(polite);
            }
            Act::Ask => {
                assert!(matches!(before, LifeState::Parting | LifeState::Down), "{before:?}");
                log.asked = log.started;
            }
            Act::Leave { polite } => {
                assert!(!polite || !log.left, "last words after it has left");
                log.left = true;
                log.words += u32::from(polite);
            }
            Act::Finish => assert_eq!((before, life.state()), (LifeState::Ending, LifeState::Over)),
        }
        assert!(log.words <= 1, "a life has its last words once");
    }

    #[test]
    fn whatever_happens_a_life_has_one_start_and_at_most_one_farewell() {
        for seed in seeds(5_000) {
            let mut random = Random::new(seed);
            let supervised = random.chance(70);
            let mut life = Lifecycle::new(supervised);
            let mut log = Log { started: 1, ..Log::default() };
            for _ in 0..random.below(30) {
                let (before, happening) = (life.state(), any_happening(&mut random));
                let impolite = matches!(happening, Happening::Broke(_) | Happening::Killed);
                let act = life.step(happening.clone());
                assert!(
                    !impolite || !matches!(act, Act::Part { polite: true } | Act::Leave { polite: true }),
                    "code that has panicked, or was killed, says no more"
                );
                carry_out(act, before, &life, &mut log);
                assert!(supervised || !matches!(life.state(), LifeState::Parting | LifeState::Down));
                if let Happening::Failed(reason) | Happening::Broke(reason) = happening
                    && act != Act::Nothing
                {
                    assert_eq!(*life.reason(), reason);
                }
                if before == LifeState::Over {
                    assert_eq!((life.state(), act), (LifeState::Over, Act::Nothing));
                }
            }
            life.step(Happening::Killed);
            life.step(Happening::Said);
            assert_eq!(life.state(), LifeState::Over, "a kill ends it from everywhere");
        }
    }

    /// Each row: what happens, and what the host is told to do.
    fn check(supervised: bool, rows: &[(Happening, Act)]) -> Lifecycle {
        let mut life = Lifecycle::new(supervised);
        for (row, (happening, act)) in rows.iter().enumerate() {
            assert_eq!(life.step(happening.clone()), *act, "row {row}: {happening:?}");
        }
        life
    }

    fn failed() -> StopReason {
        StopReason::Failed("error".into())
    }

    fn panicked() -> StopReason {
        StopReason::Panicked("panic".into())
    }

    #[test]
    fn a_failure_that_nobody_decides_about_ends_the_actor() {
        let life = check(
            false,
            &[
                (Happening::Started, Act::Work),
                (Happening::Failed(failed()), Act::Leave { polite: true }),
                (Happening::Said, Act::Finish),
            ],
        );
        assert_eq!(*life.reason(), failed());
    }

    #[test]
    fn a_supervised_failure_says_its_last_words_before_anybody_decides() {
        check(
            true,
            &[
                (Happening::Failed(failed()), Act::Part { polite: true }),
                (Happening::Said, Act::Ask),
                (Happening::Restart, Act::Begin),
                (Happening::Started, Act::Work),
                (Happening::Broke(panicked()), Act::Part { polite: false }),
                (Happening::Said, Act::Ask),
                (Happening::NoMore { shut_down: false }, Act::Leave { polite: false }),
                (Happening::Said, Act::Finish),
            ],
        );
    }

    #[test]
    fn last_words_that_panic_are_the_reason_and_are_not_begun_again() {
        let rows = [
            (Happening::Started, Act::Work),
            (Happening::Failed(failed()), Act::Part { polite: true }),
            (Happening::Broke(panicked()), Act::Ask),
        ];
        assert_eq!(*check(true, &rows).reason(), panicked());
        let rows = [
            (Happening::Failed(failed()), Act::Leave { polite: true }),
            (Happening::Broke(panicked()), Act::Leave { polite: false }),
            (Happening::Said, Act::Finish),
        ];
        assert_eq!(*check(false, &rows).reason(), panicked());
    }

    #[test]
    fn a_factory_that_panics_is_asked_about_again() {
        let rows = [
            (Happening::Broke(panicked()), Act::Part { polite: false }),
            (Happening::Said, Act::Ask),
            (Happening::Broke(failed()), Act::Ask),
        ];
        assert_eq!(*check(true, &rows).reason(), failed());
    }

    #[test]
    fn who_stops_with_its_supervisor_was_shut_down_and_who_failed_has_failed() {
        for (first, last) in
            [(Happening::Stop(Stop::Life), StopReason::Shutdown), (Happening::Failed(failed()), failed())]
        {
            let rows = [
                (Happening::Started, Act::Work),
                (first, Act::Part { polite: true }),
                (Happening::Said, Act::Ask),
                (Happening::NoMore { shut_down: true }, Act::Leave { polite: false }),
            ];
            assert_eq!(*check(true, &rows).reason(), last);
        }
    }

    #[test]
    fn a_message_has_its_attempts_and_the_next_one_its_own() {
        let mut attempts = Attempts::new(3);
        assert!(attempts.retry());
        assert_eq!([attempts.fail(), attempts.fail(), attempts.fail()], [true, true, false]);
        assert_eq!((attempts.settle(), attempts.settle()), (3, 0));
        assert!(attempts.fail());
        let mut none = Attempts::new(0);
        assert!(!none.retry() && !none.fail());
        assert_eq!(none.settle(), 1);
    }
}
