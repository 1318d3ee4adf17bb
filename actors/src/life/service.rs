//! How a service ends, as a pure machine.
//!
//! One that is told to stop goes where it waits next, unless it has asked when it should: then it ends by
//! its own hand, and returns. Its reason is the first failure of its code; else the first panic of what it
//! leaves behind, whoever had it dropped; else that it was killed, or told to stop, or that it returned.
//!
//! The host reports what happens and carries out what it gets back: [`ServiceAct::Drop`] is done when code
//! and value of the service are gone, as [`ServiceEvent::Dropped`].

use mycelium_mailbox::Stop;

use super::reason_of;
use crate::StopReason;

/// What a host reports of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServiceEvent {
    /// Somebody wants it to stop. The first one says how.
    Told(Stop),
    /// It asks when it should: it ends by its own hand from now on.
    ByHand,
    /// Its code is to be dropped where it waits next.
    Killed,
    /// It waits where it may be ended.
    Waits,
    /// Its loop has returned `Ok`.
    Returned,
    /// Its loop has returned an error or panicked, was given up, or has panicked when it was dropped.
    Failed(StopReason),
    /// Nothing of it is left. The drop may have panicked.
    Dropped(Option<StopReason>),
}

/// What a host does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServiceAct {
    /// Nothing changes.
    GoOn,
    /// Drop its code and its value.
    Drop,
    /// It has ended, for this reason.
    Over(StopReason),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ServiceState {
    #[default]
    Running,
    /// None of its code is to run any more.
    Leaving,
    Over,
}

/// The life of one service.
#[derive(Debug, Default)]
pub(crate) struct ServiceLife {
    state: ServiceState,
    told: Option<Stop>,
    by_hand: bool,
    killed: bool,
    /// It was dropped because of that.
    cut_off: bool,
    failure: Option<StopReason>,
}

/// Whether a service ends at its next wait.
#[inline]
pub(crate) fn ends_at_a_wait(told: bool, by_hand: bool, killed: bool) -> bool {
    killed || (told && !by_hand)
}

impl ServiceLife {
    /// Whether somebody wants it to stop.
    pub(crate) fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Takes in what has happened.
    pub(crate) fn step(&mut self, event: ServiceEvent) -> ServiceAct {
        match (self.state, event) {
            (ServiceState::Over, _) => return ServiceAct::GoOn,
            (_, ServiceEvent::Told(stop)) => _ = self.told.get_or_insert(stop),
            (_, ServiceEvent::ByHand) => self.by_hand = true,
            (_, ServiceEvent::Killed) => self.killed = true,
            (ServiceState::Running, ServiceEvent::Waits) => {
                if ends_at_a_wait(self.is_told(), self.by_hand, self.killed) {
                    self.cut_off = self.killed;
                    return self.leave();
                }
            }
            (_, ServiceEvent::Waits | ServiceEvent::Returned) => return self.leave(),
            (_, ServiceEvent::Failed(reason)) => {
                self.failure.get_or_insert(reason);
                return self.leave();
            }
            (_, ServiceEvent::Dropped(panicked)) => {
                self.state = ServiceState::Over;
                return ServiceAct::Over(self.reason(panicked));
            }
        }
        ServiceAct::GoOn
    }

    fn leave(&mut self) -> ServiceAct {
        self.state = ServiceState::Leaving;
        ServiceAct::Drop
    }

    fn reason(&mut self, panicked: Option<StopReason>) -> StopReason {
        let killed = self.cut_off.then_some(StopReason::Killed);
        let first = self.failure.take().or(panicked).or(killed);
        first.unwrap_or_else(|| self.told.map_or(StopReason::Normal, reason_of))
    }
}

#[cfg(test)]
mod tests {
    use mycelium_random::{Random, seeds};

    use super::*;

    fn failed() -> StopReason {
        StopReason::Failed("error".into())
    }

    fn panicked() -> StopReason {
        StopReason::Panicked("panic".into())
    }

    fn any_event(random: &mut Random) -> ServiceEvent {
        match random.below(12) {
            0 => ServiceEvent::Told(random.pick(&[Stop::Life, Stop::Pause, Stop::ForGood])),
            1 => ServiceEvent::ByHand,
            2 => ServiceEvent::Killed,
            3 => ServiceEvent::Returned,
            4 => ServiceEvent::Failed(failed()),
            5 => ServiceEvent::Dropped(random.chance(50).then(panicked)),
            _ => ServiceEvent::Waits,
        }
    }

    #[test]
    fn whatever_happens_a_service_is_dropped_and_over_once_and_by_nobodys_wish_but_somebodys() {
        for seed in seeds(5_000) {
            let (mut random, mut life) = (Random::new(seed), ServiceLife::default());
            let (mut told, mut by_hand, mut killed, mut left) = (None, false, false, false);
            for _ in 0..random.below(20) {
                let event = any_event(&mut random);
                // A host drops what it was told to drop, and nothing else.
                if matches!(event, ServiceEvent::Dropped(_)) != left {
                    continue;
                }
                match &event {
                    ServiceEvent::Told(stop) => _ = told.get_or_insert(*stop),
                    ServiceEvent::ByHand => by_hand = true,
                    ServiceEvent::Killed => killed = true,
                    _ => {}
                }
                match (life.step(event.clone()), event) {
                    (ServiceAct::Over(reason), ServiceEvent::Dropped(panic)) => {
                        assert!(panic.is_none() || reason == failed() || reason == panicked());
                        assert!(reason != StopReason::Killed || killed);
                        assert!(
                            reason != StopReason::Shutdown || told.is_some_and(|stop| stop != Stop::Life)
                        );
                        for event in [ServiceEvent::Waits, ServiceEvent::Killed, ServiceEvent::Dropped(None)]
                        {
                            assert_eq!(life.step(event), ServiceAct::GoOn, "it is over");
                        }
                        break;
                    }
                    (ServiceAct::Drop, ServiceEvent::Waits) => {
                        assert!(killed || (told.is_some() && !by_hand), "nobody has asked for it");
                        left = true;
                    }
                    (ServiceAct::Drop, ServiceEvent::Returned | ServiceEvent::Failed(_)) => left = true,
                    (act, event) => assert_eq!(act, ServiceAct::GoOn, "{event:?}"),
                }
            }
        }
    }

    /// What it ends for, after these events.
    fn ends(events: &[ServiceEvent], panicked: Option<StopReason>) -> StopReason {
        let mut life = ServiceLife::default();
        let last = events.iter().map(|event| life.step(event.clone())).last();
        assert_eq!(last, Some(ServiceAct::Drop));
        match life.step(ServiceEvent::Dropped(panicked)) {
            ServiceAct::Over(reason) => reason,
            act => unreachable!("{act:?}"),
        }
    }

    #[test]
    fn a_service_ends_for_its_failure_first_and_for_what_others_want_last() {
        use ServiceEvent::{ByHand, Failed, Killed, Returned, Told, Waits};
        let shut_down = Told(Stop::ForGood);
        assert_eq!(ends(&[Returned], None), StopReason::Normal);
        assert_eq!(ends(&[Returned], Some(panicked())), panicked());
        assert_eq!(ends(&[shut_down.clone(), Waits], None), StopReason::Shutdown);
        assert_eq!(ends(&[Told(Stop::Life), shut_down.clone(), Waits], None), StopReason::Normal);
        assert_eq!(ends(&[ByHand, shut_down.clone(), Waits, Returned], None), StopReason::Shutdown);
        assert_eq!(ends(&[shut_down.clone(), ByHand, Waits, Failed(failed())], Some(panicked())), failed());
        assert_eq!(ends(&[ByHand, Killed, Waits], None), StopReason::Killed);
        assert_eq!(ends(&[Killed, Waits], Some(panicked())), panicked());
        assert_eq!(ends(&[Killed, Returned], None), StopReason::Normal, "it was sooner");
        assert_eq!(ends(&[shut_down, Waits, Failed(panicked())], None), panicked());
    }
}
