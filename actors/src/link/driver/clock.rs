//! What the time asks of a link: one alarm for all that it waits for.

use std::future::Future;
use std::task::Context as TaskContext;
use std::time::Duration;

use mycelium_remote::link::Input;

use super::absence::Absence;
use super::cut::Cut;
use super::{Driver, Phase};
use crate::rt::Instant;

/// The least time between two times at which the clock is looked at (time).
const TICK: Duration = Duration::from_millis(1);
/// How often a link that drains looks whether it is done (time).
const DRAIN_BEAT: Duration = Duration::from_millis(10);

impl Driver {
    /// Does what the time asks for, and sets the alarm for the next time. Whether there is more to do at
    /// once.
    pub(super) fn look_at_clock(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut busy = false;
        // After it has gone off: what is due may have to wait until the socket takes more.
        let mut earliest = None;
        loop {
            let full = self.line.as_ref().is_some_and(|line| line.full);
            let link = if full { self.link.silent_at() } else { self.link.deadline() };
            let link = link.map(|at| self.hub.moment(at));
            let broken = self.broken.as_ref().map(Absence::due);
            let drain = (self.phase == Phase::Draining).then(|| Instant::now() + DRAIN_BEAT);
            let lingers = self.line.as_ref().and_then(|line| line.lingers);
            let answers = self.peer.answers_until();
            let all = link.into_iter().chain(broken).chain(drain).chain(lingers).chain(answers);
            let Some(next) = all.min() else { return busy };
            let next = earliest.map_or(next, |earliest| next.max(earliest));
            if self.set_for.is_none_or(|at| at > next) {
                self.alarm.as_mut().reset(next);
                self.set_for = Some(next);
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                return busy;
            }
            self.set_for = None;
            let now = Instant::now();
            earliest = Some(now + TICK);
            if broken.is_some_and(|at| at <= now)
                && self.broken.as_mut().is_some_and(|absence| absence.is_over(now))
            {
                self.give_up();
            }
            if answers.is_some_and(|at| at <= now) {
                if self.peer.give_up_late(now) {
                    self.inflow.forget_late();
                }
                busy = true;
            }
            if lingers.is_some_and(|at| at <= now) {
                self.lose(&Cut::Done);
            }
            if link.is_some_and(|at| at <= now) {
                let time = self.hub.now();
                match self.link.step(time, Input::Tick) {
                    Ok(_) => busy |= self.write_or_lose(cx),
                    Err(fault) => self.lose(&Cut::Fault(fault)),
                }
            }
        }
    }
}
