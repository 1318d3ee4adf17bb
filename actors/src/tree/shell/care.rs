//! Whether a child makes progress, and the runtime gives it its turns.

use std::time::Duration;

use mycelium_supervisor::engine::{Look, Seen};

use crate::live::{Member, Work};
use crate::rt::{self, JoinHandle};
use crate::tree::health::{Health, HealthProbe, Verdict};

/// After so many turns of one task every other that can go on has had some. Queues are nearly fair; this
/// leaves room for the rest.
const TURNS: u32 = 4;

/// How many tasks that take turns for one child there are at most.
const TURN_TAKERS_MAX: usize = 16;

/// Goes to the end of the runtime's queue, again and again.
async fn take_turns() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

/// Has it do so where the code of `member` runs, unless that alone decides who has a turn there.
fn turns_of(member: &dyn Member) -> JoinHandle<()> {
    let runtime = member.runtime().filter(|_| !member.keeps_itself());
    let _entered = runtime.as_ref().map(rt::enter);
    rt::spawn(take_turns())
}

/// What a supervisor keeps of the care for one life.
pub(super) struct Care {
    probe: Option<HealthProbe>,
    /// One of them is done when the runtime has given its tasks several turns since it was spawned. More than
    /// one, because a handler that keeps its thread may keep the one that is queued there.
    turns: Vec<JoinHandle<()>>,
}

impl Care {
    pub(super) fn new(health: Option<Health>) -> Self {
        Self { probe: health.map(|health| HealthProbe::new(health, Duration::ZERO)), turns: Vec::new() }
    }

    /// The life is ready: when to look at it first, if at all.
    pub(super) fn begin(&mut self, member: &dyn Member, now: Duration) -> Option<Duration> {
        let probe = self.probe.as_mut()?;
        *probe = HealthProbe::new(probe.health(), now);
        self.turns = vec![turns_of(member)];
        Some(now.saturating_add(probe.health().interval()))
    }

    pub(super) fn look(&mut self, member: &dyn Member, now: Duration) -> Look {
        let Some(probe) = &mut self.probe else { return Look { next: None, seen: None } };
        let pulse = member.pulse();
        // Those that are not over yet go on: where turns are rare, they take longer than a look.
        let had_turns = self.turns.iter().any(JoinHandle::is_finished);
        if had_turns {
            self.turns.clear();
        }
        if !pulse.rests && self.turns.len() < TURN_TAKERS_MAX {
            self.turns.push(turns_of(member));
        }
        // A handler that keeps its thread waits for no turn.
        let runs = pulse.hand.is_some_and(|hand| !hand.waits);
        let seen = match probe.step(now, pulse, had_turns || runs) {
            Verdict::Same => None,
            Verdict::Recovered => Some(Seen::Recovered),
            Verdict::Stuck(quiet) => {
                let detail = match pulse.hand {
                    Some(hand) => hand.to_string(),
                    None => "it gives no sign of life".to_owned(),
                };
                let verdict = probe.health().restarts.then(|| {
                    let verdict = format!("stuck for {quiet:.0?}: {detail}");
                    member.abort(&verdict, Some(pulse.beats));
                    verdict.into()
                });
                // An actor that is given up fails with these very words. One that cannot be, or has just gone
                // on, ends for reasons of its own.
                let verdict = verdict.filter(|_| matches!(member.work(), Work::Service { .. }));
                Some(Seen::Stuck { quiet, detail: detail.into(), verdict })
            }
        };
        Look { next: Some(now.saturating_add(probe.health().interval())), seen }
    }
}
