//! What a supervisor watches besides ends: that a start does not take for ever, and that its children make progress.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::Stop;
use mycelium_supervisor::{ChildRef, Notice};

use super::{KILL_GRACE, Running, Shell};
use crate::rt::{self, Instant, JoinHandle};
use crate::tree::health::{Probe, Verdict};
use crate::tree::launch::{Launcher, Life};

/// After so many turns of one task every other that can go on has had some. Queues are nearly fair; this leaves room for the rest.
const TURNS: u32 = 4;

/// How many tasks that take turns for one child there are at most.
const TURN_TAKERS_MAX: usize = 16;

/// Goes to the end of the runtime's queue, again and again.
async fn take_turns() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

/// The next look at each life that is to be looked at, earliest first. A life has one at most.
pub(super) type Looks = BTreeSet<(Instant, ChildRef)>;

/// What a supervisor keeps of the care for one life.
#[derive(Default)]
pub(super) struct Care {
    /// When to look next.
    next: Option<Instant>,
    /// How long it may be starting, while it is.
    starts_within: Option<Duration>,
    probe: Option<Probe>,
    /// One of them is done when the runtime has given its tasks several turns since it was spawned. More than one, because a handler
    /// that keeps its thread may keep the one that is queued there.
    turns: Vec<JoinHandle<()>>,
    /// Why its supervisor has ended it.
    pub(super) verdict: Option<Arc<str>>,
}

impl Shell {
    /// A life begins: its time to start runs.
    pub(super) fn care_for(&mut self, child: ChildRef, launcher: &Launcher) {
        let Some(running) = self.lives.get_mut(&child) else { return };
        let probe = launcher.health.filter(|_| matches!(running.life, Life::Member(_)));
        running.care.probe = probe.map(|health| Probe::new(health, Duration::ZERO));
        running.care.starts_within = launcher.start_timeout;
        let now = Instant::now();
        if let Some(at) = launcher.start_timeout.and_then(|limit| now.checked_add(limit)) {
            plan(&mut self.looks, child, running, at);
        }
    }

    /// A life is ready: its health is probed from now on.
    pub(super) fn care_for_started(&mut self, child: ChildRef) {
        let epoch = self.epoch;
        let Some(running) = self.lives.get_mut(&child) else { return };
        forget(&mut self.looks, child, &mut running.care);
        running.care.starts_within = None;
        let (Some(probe), Life::Member(member)) = (&mut running.care.probe, &running.life) else { return };
        member.probe();
        *probe = Probe::new(probe.health(), epoch.elapsed());
        running.care.turns = vec![rt::spawn(take_turns())];
        let at = Instant::now() + probe.health().interval();
        plan(&mut self.looks, child, running, at);
    }

    /// A life is over.
    pub(super) fn forget_care(&mut self, child: ChildRef, running: &mut Running) {
        forget(&mut self.looks, child, &mut running.care);
    }

    /// Looks at those whose time has come.
    pub(super) fn look_around(&mut self, now: Instant) {
        while let Some(&(at, child)) = self.looks.first()
            && at <= now
        {
            self.looks.pop_first();
            let Some(running) = self.lives.get_mut(&child) else { continue };
            running.care.next = None;
            if running.asked {
                // Its shutdown time runs, which ends it whatever it does.
            } else if let Some(limit) = running.care.starts_within.take() {
                self.end_late_start(child, limit, now);
            } else {
                self.look_at(child, now);
            }
        }
    }

    fn end_late_start(&mut self, child: ChildRef, limit: Duration, now: Instant) {
        let Some(running) = self.lives.get_mut(&child) else { return };
        let verdict = format!("not ready after {limit:?}");
        running.life.abort(&verdict);
        if let Life::Member(member) = &running.life {
            // An actor that rests and has not said that it is ready: its mailbox goes to the next life.
            member.stop(Stop::Pause);
        }
        running.care.verdict = Some(verdict.into());
        self.kills.push_back((now + KILL_GRACE, child));
    }

    fn look_at(&mut self, child: ChildRef, now: Instant) {
        let at = self.epoch.elapsed();
        let Some(running) = self.lives.get_mut(&child) else { return };
        let Running { life: Life::Member(member), care, id, .. } = running else { return };
        let Some(probe) = &mut care.probe else { return };
        let pulse = member.pulse();
        let id = Arc::clone(id);
        // Those that are not over yet go on: where turns are rare, they take longer than a look.
        let had_turns = care.turns.iter().any(JoinHandle::is_finished);
        if had_turns {
            care.turns.clear();
        }
        if !pulse.rests && care.turns.len() < TURN_TAKERS_MAX {
            care.turns.push(rt::spawn(take_turns()));
        }
        // A handler that keeps its thread waits for no turn.
        let runs = pulse.hand.is_some_and(|hand| !hand.waits);
        let notice = match probe.step(at, pulse, had_turns || runs) {
            Verdict::Same => None,
            Verdict::Recovered => {
                care.verdict = None;
                Some(Notice::Recovered { id })
            }
            Verdict::Stuck(quiet) => {
                let detail: Arc<str> = match pulse.hand {
                    Some(hand) => hand.to_string().into(),
                    None => "it gives no sign of life".into(),
                };
                if probe.health().restarts {
                    let verdict = format!("stuck for {quiet:.0?}: {detail}");
                    member.abort(&verdict, Some(pulse.beats));
                    care.verdict = Some(verdict.into());
                }
                Some(Notice::Stuck { id, quiet, detail })
            }
        };
        let next = now + probe.health().interval();
        plan(&mut self.looks, child, running, next);
        if let Some(notice) = notice {
            self.tell(&notice);
        }
    }
}

fn plan(looks: &mut Looks, child: ChildRef, running: &mut Running, at: Instant) {
    forget(looks, child, &mut running.care);
    running.care.next = Some(at);
    looks.insert((at, child));
}

fn forget(looks: &mut Looks, child: ChildRef, care: &mut Care) {
    if let Some(at) = care.next.take() {
        looks.remove(&(at, child));
    }
}
