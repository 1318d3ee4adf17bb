//! What the end of a child leads to: a restart now or later, nothing, or the end of the supervisor.

use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::children::{Slot, State};
use crate::intensity::add_restart;
use crate::message::{ChildRef, Notice};
use crate::reason::ExitReason;
use crate::spec::{AutoShutdown, ChildSpec, Restart, Strategy};

use super::start::StartPurpose;
use super::{Mail, Phase, Step, Supervisor};

impl<F: Clone> Supervisor<F> {
    /// Deals with a life that ended by itself.
    pub(super) fn handle_exit(&mut self, step: &mut Step<'_, F>, child: ChildRef) {
        let key = child.slot;
        let Some(slot) = self.children.get_mut(key) else { return };
        let State::Ended { life, reason, ran } = slot.state().clone() else { return };
        // A group that was stopped meanwhile has settled it already, and the child may have ended again
        // since.
        if life != child.life {
            return;
        }
        let spec = slot.spec.clone();
        if self.policy(&spec).is_some_and(|policy| ran >= policy.reset_after)
            && let Some(slot) = self.children.get_mut(key)
        {
            slot.backoff.reset();
        }
        let restarts = match spec.restart {
            Restart::Permanent => true,
            Restart::Transient => reason.is_abnormal(),
            Restart::Temporary => false,
        };
        if restarts {
            self.restart(step, key);
        } else {
            self.forget(key);
            self.shut_down_if_significant(step, &spec);
        }
    }

    /// Counts a restart of `key`, and begins it or gives up.
    fn restart(&mut self, step: &mut Step<'_, F>, key: u64) {
        let Some(spec) = self.children.get(key).map(|slot| slot.spec.clone()) else { return };
        let recent = add_restart(&mut self.restarts, step.now, self.flags.period);
        if recent > self.flags.intensity as usize {
            step.tell(Notice::GaveUp { id: spec.id.clone() });
            self.forget(key);
            self.begin_exit(step, ExitReason::Shutdown);
            return;
        }
        let delay = match (self.policy(&spec), self.children.get_mut(key)) {
            (Some(policy), Some(slot)) => slot.backoff.next_delay(&policy, &mut self.jitter),
            _ => Duration::ZERO,
        };
        self.begin_restart(step, key, delay);
    }

    /// A start that was part of a restart failed: another restart waits its turn behind what came before.
    pub(super) fn retry_later(&mut self, step: &mut Step<'_, F>, key: u64, id: Arc<str>) {
        self.phase = Phase::Idle;
        self.children.set_state(key, State::Retrying { since: step.now });
        self.post(Mail::TryAgain(id));
    }

    /// Another restart of a child whose restart failed, unless a call or the restart of its group was first.
    pub(super) fn try_again(&mut self, step: &mut Step<'_, F>, id: &str) {
        let Some(key) = self.children.key(id) else { return };
        if let Some(State::Retrying { .. }) = self.children.get(key).map(Slot::state) {
            self.restart(step, key);
        }
    }

    /// Restarts the child whose backoff is over, if there is one.
    pub(super) fn restart_due(&mut self, step: &mut Step<'_, F>) {
        if let Some((until, key)) = self.children.next_wait()
            && until <= step.now
        {
            self.begin_restart(step, key, Duration::ZERO);
        }
    }

    pub(super) fn wait(&mut self, step: &mut Step<'_, F>, key: u64, delay: Duration) {
        let Some(slot) = self.children.get(key) else { return };
        let (id, until) = (slot.spec.id.clone(), step.now.saturating_add(delay));
        self.children.set_state(key, State::Waiting { until });
        step.tell(Notice::Waiting { id, backoff: delay, until });
    }

    fn begin_restart(&mut self, step: &mut Step<'_, F>, key: u64, delay: Duration) {
        match self.flags.strategy {
            Strategy::OneForOne | Strategy::SimpleOneForOne => {
                if delay.is_zero() {
                    self.start(step, key, StartPurpose::One);
                } else {
                    self.wait(step, key, delay);
                }
            }
            Strategy::OneForAll | Strategy::RestForOne => {
                self.children.set_state(key, State::Down);
                self.stop_group(step, key, delay);
            }
        }
    }

    fn shut_down_if_significant(&mut self, step: &mut Step<'_, F>, spec: &ChildSpec<F>) {
        let ends = spec.significant
            && match self.flags.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => self.children.significant_active() == 0,
            };
        if ends {
            step.tell(Notice::AutoShutdown { id: spec.id.clone() });
            self.begin_exit(step, ExitReason::Shutdown);
        }
    }

    /// The backoff that applies to a child; one that starts from zero never waits.
    fn policy(&self, spec: &ChildSpec<F>) -> Option<Backoff> {
        spec.backoff.or(self.flags.backoff).filter(|policy| !policy.initial.is_zero())
    }
}
