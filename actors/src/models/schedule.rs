//! Which task runs next: drawn from a seed, in one of three ways.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mycelium_random::Random;
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

use crate::rt::model::next_timer;

/// The task that moves the time: the second of each model.
const KEEPER: usize = 1;

/// Of a hundred schedules, so many move the time only when nobody else can run.
const PATIENT_PERCENT: u64 = 70;

/// Of a hundred turns of an impatient schedule, so many go to the time.
const TIME_PERCENT: u64 = 2;

/// Waits up to this may be over at any moment in an impatient schedule: backoffs and pauses. Limits are
/// longer, and pass early only in models for which [`Pace::Any`] was asked.
const SHORT: Duration = Duration::from_millis(100);

/// How fast the clock of a model may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Short waits may be over at any moment, long ones when nobody else can run.
    Short,
    /// Any wait may be over at any moment, as on a machine that was held up.
    Any,
}

/// The most changes of priority in a schedule.
const CHANGES_MAX: u64 = 4;

/// How many steps in a row a task may have by its priority: one that polls until another has done something
/// has to let it.
const RUN_MAX: u64 = 1_000;

/// Changes of priority come within so many steps, at least and at most.
const CHANGE_STEPS: (u64, u64) = (64, 4096);

/// What others may know of an explorer.
#[derive(Default)]
pub(super) struct Seen {
    /// Of the schedule that runs.
    pub(super) seed: AtomicU64,
    /// A hash of all choices so far.
    pub(super) trace: AtomicU64,
}

/// Draws one schedule for each of some seeds in a row.
pub(super) struct Explorer {
    next: u64,
    left: u64,
    seen: Arc<Seen>,
    random: Random,
    walk: Walk,
    patient: bool,
    pace: Pace,
    step: u64,
    /// Who ran last, and for how many steps in a row.
    run: (Option<TaskId>, u64),
}

enum Walk {
    /// Any task is as likely as any other, except that the one that runs goes on in so many of a hundred
    /// cases.
    Random { sticky: u64 },
    /// The task of the highest priority runs; at these steps the one that runs becomes the lowest. This is
    /// the PCT algorithm, which finds a fault that needs `d` such changes with a known probability, whatever
    /// else goes on.
    Priorities { of: HashMap<TaskId, u64>, changes: Vec<u64>, lowest: u64 },
}

impl Explorer {
    pub(super) fn new(first: u64, schedules: u64, seen: Arc<Seen>, pace: Pace) -> Self {
        let (random, walk) = (Random::new(first), Walk::Random { sticky: 0 });
        Self {
            next: first,
            left: schedules,
            seen,
            random,
            walk,
            patient: true,
            pace,
            step: 0,
            run: (None, 0),
        }
    }

    /// Whether the earliest wait may be over now.
    fn may_pass(&self) -> bool {
        self.pace == Pace::Any || next_timer().is_some_and(|away| away <= SHORT)
    }

    fn draw_walk(random: &mut Random) -> Walk {
        match random.below(3) {
            0 => Walk::Random { sticky: 0 },
            1 => Walk::Random { sticky: 50 + random.below(48) },
            _ => {
                let within = CHANGE_STEPS.0 << random.below((CHANGE_STEPS.1 / CHANGE_STEPS.0).ilog2().into());
                let changes = (0..=random.below(CHANGES_MAX)).map(|_| random.below(within)).collect();
                Walk::Priorities { of: HashMap::new(), changes, lowest: u64::MAX / 2 }
            }
        }
    }
}

impl Scheduler for Explorer {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.left = self.left.checked_sub(1)?;
        let seed = self.next;
        self.next = seed.wrapping_add(1);
        self.seen.seed.store(seed, Ordering::SeqCst);
        // Seeds in a row must not give schedules that are alike.
        self.random = Random::new(Random::new(seed).next_u64());
        self.walk = Self::draw_walk(&mut self.random);
        self.patient = self.random.chance(PATIENT_PERCENT);
        self.step = 0;
        self.run = (None, 0);
        Some(Schedule::new(seed))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, yields: bool) -> Option<TaskId> {
        let task = self.choose(runnable, current, yields);
        self.run = (Some(task), if self.run.0 == Some(task) { self.run.1 + 1 } else { 0 });
        let trace = self.seen.trace.load(Ordering::SeqCst) ^ usize::from(task) as u64;
        self.seen.trace.store(Random::new(trace).next_u64(), Ordering::SeqCst);
        Some(task)
    }

    fn next_u64(&mut self) -> u64 {
        self.random.next_u64()
    }
}

impl Explorer {
    fn choose(&mut self, runnable: &[&Task], current: Option<TaskId>, yields: bool) -> TaskId {
        self.step += 1;
        let keeper = TaskId::from(KEEPER);
        let others: Vec<TaskId> = runnable.iter().map(|task| task.id()).filter(|id| *id != keeper).collect();
        let time = others.len() < runnable.len();
        if others.is_empty() || (time && !self.patient && self.random.chance(TIME_PERCENT) && self.may_pass())
        {
            return keeper;
        }
        let current = current.filter(|id| others.contains(id));
        let random = &mut self.random;
        match &mut self.walk {
            Walk::Random { sticky } => match current {
                Some(current) if !yields && random.chance(*sticky) => current,
                _ => random.pick(&others),
            },
            Walk::Priorities { of, changes, lowest } => {
                if let Some(current) = current
                    && (yields || self.run.1 > RUN_MAX || changes.contains(&self.step))
                {
                    *lowest -= 1;
                    of.insert(current, *lowest);
                }
                // A new task is above all that have been lowered.
                let mut priority = |id| *of.entry(id).or_insert_with(|| u64::MAX / 2 + random.next_u64() / 2);
                others.iter().copied().max_by_key(|id| priority(*id)).unwrap_or(keeper)
            }
        }
    }
}
