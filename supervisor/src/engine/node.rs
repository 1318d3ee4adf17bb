//! One supervisor of a tree, the lives of its children, and what waits for their next ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::message::{CallId, ChildRef};
use crate::reason::ExitReason;
use crate::spec::{ChildSpec, Strategy};
use crate::supervisor::Supervisor;

use super::{At, Estate, Host, LifeId, NodeId, Parked, TreePlace};

/// What runs in a life.
pub enum Body<H: Host> {
    /// What the host started.
    Worker(H::Body),
    /// A supervisor of this engine.
    Node(NodeId),
}

/// What is due for one life.
#[derive(Clone, Copy)]
pub(super) enum Due {
    /// It is ready, or its start has failed after this time.
    Ready(Duration),
    /// It is looked at.
    Look,
    /// It is gone, or is given up.
    Gone,
}

/// A child that starts, runs or stops.
pub(super) struct Life<H: Host> {
    pub(super) spec: Arc<ChildSpec<H::Start>>,
    pub(super) body: Body<H>,
    /// Told to stop.
    pub(super) asked: bool,
    due: Option<(Duration, Due)>,
    /// Why it was ended, other than at its supervisor's wish.
    pub(super) verdict: Option<Arc<str>>,
}

impl<H: Host> Life<H> {
    pub(super) fn new(spec: Arc<ChildSpec<H::Start>>, body: Body<H>) -> Self {
        Self { spec, body, asked: false, due: None, verdict: None }
    }

    /// Why it ended: whoever ended it knows better.
    pub(super) fn reason(&self, host: &H, reason: ExitReason) -> ExitReason {
        match &self.verdict {
            Some(verdict) if !self.asked && (reason == ExitReason::Killed || !reason.is_abnormal()) => {
                ExitReason::Abnormal(Arc::clone(verdict))
            }
            _ => host.reason(reason, self.asked),
        }
    }
}

/// A supervisor that runs.
pub struct Node<H: Host> {
    pub(super) path: Arc<str>,
    pub(super) core: Supervisor<H::Start>,
    pub(super) parent: Option<LifeId>,
    pub(super) ready: bool,
    /// Nothing that stops from now on is started again by this supervisor.
    pub(super) ending: bool,
    /// It will not be restarted: what stops when it ends, ends with it.
    pub(super) for_good: bool,
    /// What [`Engine::due`](super::Engine) says of it.
    pub(super) due: Option<(Duration, u64)>,
    pub(super) lives: BTreeMap<ChildRef, Life<H>>,
    /// What is due for each life, soonest first.
    dues: BTreeSet<(Duration, ChildRef)>,
    /// What waits for the next lives of its children.
    pub(super) parked: Estate<H>,
    /// Of whom something may have come there, or nothing may come any more, since it was looked at last.
    changed: Changed,
    /// The children that calls without an answer yet are to end: as many as calls may wait.
    pub(super) ends: BTreeMap<CallId, EndCall>,
}

/// What a call without an answer yet does to a child.
pub(super) struct EndCall {
    pub(super) child: Arc<str>,
    /// It is forgotten, too.
    pub(super) deletes: bool,
}

/// Which of the values that wait for another life may have to wait no longer.
enum Changed {
    All,
    /// Those that have come since.
    Some(Vec<Arc<str>>),
}

impl<H: Host> Node<H> {
    pub(super) fn new(core: Supervisor<H::Start>, place: TreePlace, parked: Estate<H>) -> Self {
        let TreePlace { path, parent, for_good } = place;
        let (lives, dues, ends) = Default::default();
        Self {
            path,
            core,
            parent,
            ready: false,
            ending: false,
            for_good,
            due: None,
            lives,
            dues,
            parked,
            changed: Changed::All,
            ends,
        }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Its decisions.
    #[must_use]
    pub fn core(&self) -> &Supervisor<H::Start> {
        &self.core
    }

    /// Whether nothing that stops from now on is started again by this supervisor.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.ending
    }

    /// What runs in this life.
    #[must_use]
    pub fn body(&self, child: ChildRef) -> Option<&Body<H>> {
        self.lives.get(&child).map(|life| &life.body)
    }

    /// Whether this life was told to stop; `None` if it is over.
    #[must_use]
    pub fn is_asked(&self, child: ChildRef) -> Option<bool> {
        self.lives.get(&child).map(|life| life.asked)
    }

    pub(super) fn at(&self, node: NodeId) -> At<'_, H> {
        At { node, path: &self.path, core: &self.core, ending: self.ending }
    }

    /// A life is over.
    pub(super) fn take(&mut self, child: ChildRef) -> Option<Life<H>> {
        self.set_due(child, None);
        self.lives.remove(&child)
    }

    /// What is due for a life from now on.
    pub(super) fn set_due(&mut self, child: ChildRef, due: Option<(Duration, Due)>) {
        let Some(life) = self.lives.get_mut(&child) else { return };
        if let Some((at, _)) = std::mem::replace(&mut life.due, due) {
            self.dues.remove(&(at, child));
        }
        self.dues.extend(due.map(|(at, _)| (at, child)));
    }

    /// A life is to stop: only that it is gone may still be due.
    pub(super) fn stop_caring(&mut self, child: ChildRef) {
        if let Some(Life { due: Some((_, Due::Ready(_) | Due::Look)), .. }) = self.lives.get(&child) {
            self.set_due(child, None);
        }
    }

    /// When to look at a life that runs and was not told to stop.
    pub(super) fn look_at(&mut self, child: ChildRef, at: Option<Duration>) {
        let Some(life) = self.lives.get(&child) else { return };
        if !life.asked && matches!(life.due, None | Some((_, Due::Look))) {
            self.set_due(child, at.map(|at| (at, Due::Look)));
        }
    }

    /// Takes out what is due now for a life.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<(ChildRef, Due)> {
        let &(at, child) = self.dues.first()?;
        if at > now {
            return None;
        }
        let due = self.lives.get(&child)?.due;
        self.set_due(child, None);
        due.map(|(_, due)| (child, due))
    }

    /// When it has something to do by itself.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let life = self.dues.first().map(|(at, _)| *at);
        self.core.next_wake().into_iter().chain(life).min()
    }

    /// Whether nothing that stops now is started again by this very supervisor: it ends, or its own start has
    /// failed.
    fn is_leaving(&self) -> bool {
        self.ending || !self.ready
    }

    /// Whether a child that is stopped now lives again neither under this supervisor nor under its successor.
    pub(super) fn stops_for_good(&self) -> bool {
        // A group comes back, unless all of it ends.
        if self.is_leaving() { self.for_good } else { !self.is_group() }
    }

    fn is_group(&self) -> bool {
        matches!(self.core.flags().strategy, Strategy::OneForAll | Strategy::RestForOne)
    }

    /// Something waits for another life of this child.
    pub(super) fn park(&mut self, id: &Arc<str>, parked: Parked<H>) {
        self.parked.insert(Arc::clone(id), parked);
        if let Changed::Some(ids) = &mut self.changed {
            ids.push(Arc::clone(id));
        }
    }

    /// What may become of its children is another thing from now on.
    pub(super) fn look_at_all(&mut self) {
        self.changed = Changed::All;
    }

    /// Takes out what waits for a life that will not come.
    pub(super) fn take_released(&mut self) -> Vec<(Arc<str>, Parked<H>)> {
        if !self.core.rests() || (self.is_leaving() && !self.for_good) {
            return Vec::new();
        }
        // A crowd may fail together: each of its ends looks at its own value alone.
        let changed = match self.is_group() {
            true => Changed::All,
            false => std::mem::replace(&mut self.changed, Changed::Some(Vec::new())),
        };
        let ids = match changed {
            Changed::All => self.parked.keys().cloned().collect(),
            Changed::Some(ids) => ids,
        };
        let group = if ids.is_empty() { None } else { self.core.group_that_comes() };
        let released = ids.into_iter().filter(|id| self.core.is_down_of(id, group));
        let released: Vec<_> = released.collect();
        released.into_iter().filter_map(|id| self.parked.remove_entry(&id)).collect()
    }
}
