//! What tests of single steps share: a supervisor that is driven by hand.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::time::Duration;

use mycelium_supervisor::{
    Action, CallError, ChildRef, ChildSpec, ChildStatus, Event, ExitReason, Flags, Reply, StopHow, Supervisor,
};

pub(crate) const ZERO: Duration = Duration::ZERO;

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn crash() -> ExitReason {
    ExitReason::Abnormal("crash".into())
}

/// A supervisor and what it asked for last.
pub(crate) struct Driver {
    pub(crate) supervisor: Supervisor<()>,
    pub(crate) actions: Vec<Action<()>>,
}

impl Driver {
    pub(crate) fn new(flags: Flags, children: Vec<ChildSpec<()>>) -> Self {
        let supervisor = Supervisor::new(flags, children, 0).expect("the specifications are valid");
        Self { supervisor, actions: Vec::new() }
    }

    /// Starts every child, as a shell would that is always successful.
    pub(crate) fn up(flags: Flags, children: Vec<ChildSpec<()>>) -> Self {
        let mut driver = Self::new(flags, children);
        driver.step(ZERO, Event::Init);
        while let Some(child) = driver.starts() {
            driver.step(ZERO, Event::Started(child));
        }
        driver
    }

    pub(crate) fn step(&mut self, now: Duration, event: Event<()>) {
        self.actions.clear();
        self.supervisor.step(now, event, &mut self.actions);
    }

    pub(crate) fn starts(&self) -> Option<ChildRef> {
        self.actions.iter().find_map(|action| match action {
            Action::Start { child, .. } => Some(*child),
            _ => None,
        })
    }

    pub(crate) fn stops(&self) -> Vec<(ChildRef, StopHow)> {
        let stops = self.actions.iter().filter_map(|action| match action {
            Action::Stop { child, how } => Some((*child, *how)),
            _ => None,
        });
        stops.collect()
    }

    pub(crate) fn replies(&self) -> Vec<(u64, Result<Reply<()>, CallError>)> {
        let replies = self.actions.iter().filter_map(|action| match action {
            Action::Reply(call, result) => Some((call.0, result.clone())),
            _ => None,
        });
        replies.collect()
    }

    pub(crate) fn running(&self, id: &str) -> ChildRef {
        match self.supervisor.child(id).map(|child| child.status) {
            Some(ChildStatus::Running(child)) => child,
            other => panic!("{id} does not run: {other:?}"),
        }
    }
}

pub(crate) fn workers(ids: &[&str]) -> Vec<ChildSpec<()>> {
    ids.iter().map(|id| ChildSpec::worker(*id, ())).collect()
}
