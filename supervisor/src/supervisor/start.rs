//! Everything that begins a life: the first start in order, the start of a group, of one child, of a new child.

use crate::children::State;
use crate::message::{Action, CallError, CallId, ChildRef, Notice, Reply};
use crate::reason::ExitReason;
use crate::spec::Restart;

use super::stop::AfterStop;
use super::{Phase, Step, Supervisor};

/// Why a child is being started, which decides what follows.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartPurpose {
    /// The supervisor itself starts: the next child follows; a failure rolls back.
    Init,
    /// A group restarts: the next child follows; a failure is tried again.
    Group,
    /// One child restarts; a failure is tried again.
    One,
    /// A call asked for it. `added`: its specification is new, and stays only if the start succeeds.
    Call { call: CallId, added: bool },
}

impl<F: Clone> Supervisor<F> {
    /// Starts the first child at or after `from`, or ends the phase when there is none.
    pub(super) fn start_next(&mut self, step: &mut Step<'_, F>, from: u64, purpose: StartPurpose) {
        if let Some(key) = self.children.first_in(from..) {
            self.start(step, key, purpose);
            return;
        }
        self.phase = Phase::Idle;
        if matches!(purpose, StartPurpose::Init) {
            step.act(Action::Ready);
        }
    }

    pub(super) fn start(&mut self, step: &mut Step<'_, F>, key: u64, purpose: StartPurpose) {
        let Some(spec) = self.children.get(key).map(|slot| slot.spec.clone()) else { return };
        let child = self.children.begin_life(key);
        self.phase = Phase::Starting { key, purpose };
        step.act(Action::Start { child, spec });
    }

    pub(super) fn on_started(&mut self, step: &mut Step<'_, F>, child: ChildRef) {
        let Some((id, purpose)) = self.awaited(child) else { return };
        self.children.set_state(child.slot, State::Running { life: child.life, since: step.now });
        step.tell(Notice::Started { id });
        self.after_start(step, child, purpose, Reply::Started(child));
    }

    pub(super) fn on_ignored(&mut self, step: &mut Step<'_, F>, child: ChildRef) {
        let Some((_, purpose)) = self.awaited(child) else {
            // It was told to stop while it was starting, and is gone.
            self.on_exited(step, child, ExitReason::Normal);
            return;
        };
        let temporary =
            self.children.get(child.slot).is_some_and(|slot| slot.spec.restart == Restart::Temporary);
        if temporary || self.is_simple() {
            self.children.remove(child.slot);
        } else {
            self.children.set_state(child.slot, State::Down);
        }
        self.after_start(step, child, purpose, Reply::Ignored);
    }

    pub(super) fn on_start_failed(&mut self, step: &mut Step<'_, F>, child: ChildRef, reason: ExitReason) {
        let Some((id, purpose)) = self.awaited(child) else {
            // It was told to stop while it was starting, and is gone. A life that runs cannot fail to start.
            if self.is_stopping(child) {
                self.on_exited(step, child, reason);
            }
            return;
        };
        let key = child.slot;
        step.tell(Notice::StartFailed { id: id.clone(), reason: reason.clone() });
        self.children.set_state(key, State::Down);
        match purpose {
            StartPurpose::Init => {
                let why = ExitReason::ShutdownWith(format!("failed_to_start_child {id}: {reason}").into());
                self.stop_from(step, 0, key, AfterStop::Exit(why));
            }
            StartPurpose::Group | StartPurpose::One => self.try_again(step, key),
            StartPurpose::Call { call, added } => {
                if added {
                    self.children.remove(key);
                }
                self.phase = Phase::Idle;
                step.act(Action::Reply(call, Err(CallError::StartFailed(reason))));
            }
        }
    }

    fn after_start(
        &mut self,
        step: &mut Step<'_, F>,
        child: ChildRef,
        purpose: StartPurpose,
        reply: Reply<F>,
    ) {
        match purpose {
            StartPurpose::Init | StartPurpose::Group => self.start_next(step, child.slot + 1, purpose),
            StartPurpose::One => self.phase = Phase::Idle,
            StartPurpose::Call { call, .. } => {
                self.phase = Phase::Idle;
                step.act(Action::Reply(call, Ok(reply)));
            }
        }
    }

    /// The id and purpose of the start that `child` reports on, if it is the one being waited for.
    fn awaited(&self, child: ChildRef) -> Option<(std::sync::Arc<str>, StartPurpose)> {
        let slot = self.children.alive(child)?;
        match (&self.phase, slot.state()) {
            (Phase::Starting { key, purpose }, State::Starting { .. }) if *key == child.slot => {
                Some((slot.spec.id.clone(), *purpose))
            }
            _ => None,
        }
    }

    fn is_stopping(&self, child: ChildRef) -> bool {
        self.children.alive(child).is_some_and(|slot| matches!(slot.state(), State::Stopping { .. }))
    }
}
