//! For whose starts the supervisors of a tree wait, by path. A supervisor does one thing at a time: a child
//! that calls it, or one above, in its own start would wait for itself.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use mycelium_supervisor::ChildRef;
use mycelium_supervisor::engine::{At, Host, NodeId};

use super::handle::{CallError, split};
use super::launch::Launcher;
use crate::sync::{Mutex, MutexGuard};

/// The starts that go on, by the paths of the supervisors that wait for them.
#[derive(Default)]
pub(crate) struct StartWaits(Mutex<BTreeMap<Arc<str>, StartWait>>);

/// A start that goes on.
struct StartWait {
    node: NodeId,
    child: ChildRef,
    id: Arc<str>,
    /// The child has said that it has started, of which its supervisor hears next.
    over: bool,
}

impl StartWaits {
    /// A supervisor has decided something.
    pub(crate) fn decided<H: Host<Start = Launcher>>(&self, at: &At<'_, H>) {
        let mut waits = self.lock();
        let Some((child, id)) = at.core.starting_child() else {
            waits.remove(at.path);
            return;
        };
        if waits.get(at.path).is_none_or(|wait| (wait.node, wait.child) != (at.node, child)) {
            let wait = StartWait { node: at.node, child, id: Arc::clone(id), over: false };
            waits.insert(Arc::clone(at.path), wait);
        }
    }

    /// The child at this path is about to say that this life of it has started.
    pub(crate) fn started(&self, path: &str, child: ChildRef) {
        if let Some(wait) = self.lock().get_mut(split(path).0) {
            wait.over |= wait.child == child;
        }
    }

    /// The same of a child of this supervisor, where one engine has all of a tree.
    pub(crate) fn started_in(&self, node: NodeId, child: ChildRef) {
        let mut waits = self.lock();
        let started = waits.values_mut().find(|wait| (wait.node, wait.child) == (node, child));
        started.into_iter().for_each(|wait| wait.over = true);
    }

    /// The supervisor at this path is gone.
    pub(crate) fn supervisor_ended(&self, path: &str) {
        self.lock().remove(path);
    }

    /// Whether the supervisor at this path waits for a start.
    pub(crate) fn waits(&self, supervisor: &str) -> bool {
        self.lock().contains_key(supervisor)
    }

    /// The error of a call of `caller`, a child of this tree, if the supervisor waits for its start: itself,
    /// or by way of the supervisors between them.
    pub(crate) fn check(&self, supervisor: &str, caller: &str) -> Result<(), CallError> {
        let (waits, mut at) = (self.lock(), caller);
        loop {
            let (above, id) = split(at);
            if waits.get(above).is_none_or(|wait| wait.over || *wait.id != *id) {
                return Ok(());
            }
            if above == supervisor {
                return Err(CallError::Itself { supervisor: supervisor.into(), child: caller.into() });
            }
            at = above;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, StartWait>> {
        // Every change is one insertion, removal or flag: the map stays whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
