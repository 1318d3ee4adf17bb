//! Everything that begins a life: the first start in order, the start of a group, of one child, of a new
//! child.

use std::sync::Arc;

use crate::children::State;
use crate::message::{Action, CallError, CallId, ChildRef, Notice, Reply};
use crate::reason::ExitReason;

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
        // One that was told to stop meanwhile still has to end, however well it started.
        let Some((id, purpose)) = self.starting(child) else { return };
        self.children.set_state(child.slot, State::Running { life: child.life, since: step.now });
        let again = matches!(purpose, StartPurpose::Group | StartPurpose::One);
        step.tell(Notice::Started { id, again });
        self.restarted += u64::from(again);
        self.after_start(step, child, purpose, Reply::Started(child));
    }

    pub(super) fn on_ignored(&mut self, step: &mut Step<'_, F>, child: ChildRef) {
        let Some((_, purpose)) = self.starting(child) else {
            return self.on_gone_while_stopping(step, child, ExitReason::Normal);
        };
        self.forget(child.slot);
        self.after_start(step, child, purpose, Reply::Ignored);
    }

    pub(super) fn on_start_failed(&mut self, step: &mut Step<'_, F>, child: ChildRef, reason: ExitReason) {
        match self.starting(child) {
            Some((_, purpose)) => self.start_failed(step, child.slot, purpose, reason),
            None => self.on_gone_while_stopping(step, child, reason),
        }
    }

    pub(super) fn start_failed(
        &mut self,
        step: &mut Step<'_, F>,
        key: u64,
        purpose: StartPurpose,
        reason: ExitReason,
    ) {
        let Some(id) = self.children.get(key).map(|slot| slot.spec.id.clone()) else { return };
        step.tell(Notice::StartFailed { id: id.clone(), reason: reason.clone() });
        self.children.set_state(key, State::Down);
        match purpose {
            StartPurpose::Init => {
                let why = ExitReason::ShutdownWith(format!("failed_to_start_child {id}: {reason}").into());
                self.begin_exit(step, why);
            }
            StartPurpose::Group | StartPurpose::One => self.retry_later(step, key, id),
            StartPurpose::Call { call, added } => {
                if added {
                    self.children.remove(key);
                }
                self.phase = Phase::Idle;
                step.act(Action::Reply(call, Err(CallError::StartFailed(reason))));
            }
        }
    }

    /// Waits no longer for the start that is under way: the child is stopped, which is a start that failed.
    pub(super) fn abandon_start(&mut self, step: &mut Step<'_, F>) {
        let Phase::Starting { key, purpose } = self.phase else { return };
        let Some(slot) = self.children.get(key) else { return };
        let (Some(life), shutdown) = (slot.state().life(), slot.spec.shutdown()) else { return };
        let deadline = self.send_stop(step, ChildRef { slot: key, life }, shutdown);
        let then = AfterStop::FailStart(purpose);
        self.phase = Phase::Stopping { key, first: key, cursor: key, deadline, then };
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

    /// The id of a child that is starting, and the purpose of its start.
    fn starting(&self, child: ChildRef) -> Option<(Arc<str>, StartPurpose)> {
        let slot = self.children.alive(child)?;
        match self.phase {
            Phase::Starting { key, purpose } if key == child.slot => Some((slot.spec.id.clone(), purpose)),
            _ => None,
        }
    }

    /// A child that was told to stop while it started is gone. A life that runs can neither fail to start nor
    /// ignore.
    fn on_gone_while_stopping(&mut self, step: &mut Step<'_, F>, child: ChildRef, reason: ExitReason) {
        if self.children.alive(child).is_some_and(|slot| matches!(slot.state(), State::Stopping { .. })) {
            self.on_exited(step, child, reason);
        }
    }
}
