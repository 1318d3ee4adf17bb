//! Everything that ends a life: one child, a group, or all of them, in reverse start order.

use std::time::Duration;

use crate::children::{Slot, State};
use crate::message::{Action, CallError, CallId, ChildRef, Notice, Reply, StopHow};
use crate::reason::ExitReason;
use crate::spec::{Restart, Shutdown};

use super::start::StartPurpose;
use super::{Mail, Phase, Step, Supervisor};

/// Higher than the key of any child.
const END: u64 = u64::MAX;

/// What follows when the children are stopped.
#[derive(Clone, Debug)]
pub(super) enum AfterStop {
    /// The group of `culprit` starts again, after `delay`.
    Group { culprit: u64, delay: Duration },
    /// A `terminate_child` is answered.
    Reply(CallId),
    /// The start of that child was abandoned.
    FailStart(StartPurpose),
    /// The supervisor ends.
    Exit(ExitReason),
}

impl<F: Clone> Supervisor<F> {
    /// Stops the children with keys in `first..cursor`, highest first, one after another.
    pub(super) fn stop_from(&mut self, step: &mut Step<'_, F>, first: u64, mut cursor: u64, then: AfterStop) {
        while first < cursor {
            let Some((key, slot)) = self.children.last_in(first..cursor) else { break };
            cursor = key;
            if let Some(life) = slot.state().life() {
                let shutdown = slot.spec.shutdown();
                let deadline = self.send_stop(step, ChildRef { slot: key, life }, shutdown);
                self.phase = Phase::Stopping { key, first, cursor, deadline, then };
                return;
            }
            self.settle(key, &then);
        }
        self.after_stop(step, then);
    }

    /// A child that was told to stop is gone.
    pub(super) fn on_stopped(&mut self, step: &mut Step<'_, F>, key: u64, killed: bool, reason: ExitReason) {
        if let Phase::Stopping { then: AfterStop::FailStart(purpose), .. } = self.phase {
            // It may have failed by itself before it was told.
            let failed = matches!(reason, ExitReason::Abnormal(_));
            let abandoned = ExitReason::ShutdownWith("its supervisor was told to end".into());
            return self.start_failed(step, key, purpose, if failed { reason } else { abandoned });
        }
        if let Some(slot) = self.children.get(key) {
            step.tell(Notice::Stopped { id: slot.spec.id.clone(), killed, reason });
        }
        match &mut self.phase {
            Phase::Stopping { first, cursor, then, .. } => {
                let (first, cursor, then) = (*first, *cursor, then.clone());
                self.settle(key, &then);
                self.stop_from(step, first, cursor, then);
            }
            Phase::StoppingAll { left, reason, .. } => {
                *left = left.saturating_sub(1);
                let done = (*left == 0).then(|| reason.clone());
                self.children.remove(key);
                if let Some(reason) = done {
                    self.end(step, reason);
                }
            }
            // Nobody is told to stop in these.
            Phase::New | Phase::Idle | Phase::Starting { .. } | Phase::Ended => {}
        }
    }

    /// The shutdown time of the child being waited for, or of all instances, is over.
    pub(super) fn kill_late(&mut self, step: &mut Step<'_, F>) {
        let late = match &mut self.phase {
            Phase::Stopping { key, deadline, .. } => {
                *deadline = None;
                vec![*key]
            }
            Phase::StoppingAll { deadline, .. } => {
                *deadline = None;
                self.children.reversed().map(|(key, _)| key).collect()
            }
            _ => return,
        };
        for key in late {
            let state = self.children.get(key).map(Slot::state);
            if let Some(&State::Stopping { life, killed: false }) = state {
                self.send_stop(step, ChildRef { slot: key, life }, Shutdown::BrutalKill);
            }
        }
    }

    /// Ends the supervisor with this reason. It rests, or its own start has failed.
    pub(super) fn begin_exit(&mut self, step: &mut Step<'_, F>, reason: ExitReason) {
        // Calls that wait have no turn any more; their callers are told.
        for mail in std::mem::take(&mut self.mailbox) {
            if let Mail::Call(call, _) = mail {
                step.act(Action::Reply(call, Err(CallError::Stopping)));
            }
        }
        self.calls = 0;
        if self.is_simple() {
            self.stop_instances(step, reason);
        } else {
            self.stop_from(step, 0, END, AfterStop::Exit(reason));
        }
    }

    /// Stops the group that restarts with `culprit`.
    pub(super) fn stop_group(&mut self, step: &mut Step<'_, F>, culprit: u64, delay: Duration) {
        let first = self.group_start(culprit);
        self.stop_from(step, first, END, AfterStop::Group { culprit, delay });
    }

    /// OTP's `del_child`: a temporary child or an instance is forgotten, another one stays without a life.
    pub(super) fn forget(&mut self, key: u64) {
        let temporary = self.children.get(key).is_some_and(|slot| slot.spec.restart == Restart::Temporary);
        if temporary || self.is_simple() {
            self.children.remove(key);
        } else {
            self.children.set_state(key, State::Down);
        }
    }

    /// Instances all stop at once, under one deadline, because there may be very many of them.
    fn stop_instances(&mut self, step: &mut Step<'_, F>, reason: ExitReason) {
        let shutdown = self.template.as_ref().map_or(Shutdown::BrutalKill, |spec| spec.shutdown());
        let lives: Vec<ChildRef> = self.lives().collect();
        let mut deadline = None;
        for child in &lives {
            deadline = self.send_stop(step, *child, shutdown);
        }
        if lives.is_empty() {
            self.end(step, reason);
        } else {
            self.phase = Phase::StoppingAll { left: lives.len(), deadline, reason };
        }
    }

    /// Tells a child to stop; when its time is over, if ever.
    pub(super) fn send_stop(
        &mut self,
        step: &mut Step<'_, F>,
        child: ChildRef,
        shutdown: Shutdown,
    ) -> Option<Duration> {
        let killed = shutdown == Shutdown::BrutalKill;
        self.children.set_state(child.slot, State::Stopping { life: child.life, killed });
        step.act(Action::Stop { child, how: if killed { StopHow::Kill } else { StopHow::Shutdown } });
        match shutdown {
            Shutdown::Timeout(time) => step.now.checked_add(time),
            Shutdown::BrutalKill | Shutdown::Infinity => None,
        }
    }

    /// What becomes of a child that has no life any more.
    fn settle(&mut self, key: u64, then: &AfterStop) {
        match then {
            AfterStop::Group { .. } | AfterStop::Reply(_) => self.forget(key),
            AfterStop::FailStart(_) | AfterStop::Exit(_) => self.children.set_state(key, State::Down),
        }
    }

    fn after_stop(&mut self, step: &mut Step<'_, F>, then: AfterStop) {
        match then {
            AfterStop::Group { culprit, delay } if delay.is_zero() => {
                let first = self.group_start(culprit);
                self.start_next(step, first, StartPurpose::Group);
            }
            AfterStop::Group { culprit, delay } => {
                self.phase = Phase::Idle;
                self.wait(step, culprit, delay);
            }
            AfterStop::Reply(call) => {
                self.phase = Phase::Idle;
                step.act(Action::Reply(call, Ok(Reply::Ok)));
            }
            // Dealt with when the child was gone.
            AfterStop::FailStart(_) => {}
            AfterStop::Exit(reason) => self.end(step, reason),
        }
    }

    fn end(&mut self, step: &mut Step<'_, F>, reason: ExitReason) {
        self.phase = Phase::Ended;
        step.act(Action::Exit(reason));
    }
}
