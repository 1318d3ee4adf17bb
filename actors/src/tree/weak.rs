//! A handle of a tree that keeps nothing alive.

use std::sync::{Arc, Weak};

use mycelium_supervisor as pure;

use super::child::Child;
use super::handle::{CallError, Tree, TreeBackend};
use super::launch::Launcher;
use super::pools::{AnyPool, Pools};
use super::shell::TreeShared;
use crate::isolate::IsolateTree;
use crate::live::cancellable;

/// Calls the supervisors of a tree for as long as it is there.
#[derive(Clone)]
pub(crate) enum WeakTree {
    /// The handle of such a tree keeps nothing alive anyway.
    Isolate(IsolateTree),
    Live(Weak<TreeShared>),
}

/// A pool that was found by its path, and its tree.
pub(crate) type FoundPool = (Arc<dyn AnyPool>, WeakTree);

impl Tree {
    pub(crate) fn downgrade(&self) -> WeakTree {
        match self.backend() {
            TreeBackend::Isolate(isolate) => WeakTree::Isolate(isolate.clone()),
            TreeBackend::Live(live) => WeakTree::Live(Arc::downgrade(live.shared())),
        }
    }

    /// Its pools; `None` on a thread that does not run its isolate.
    pub(crate) fn pools(&self) -> Option<&Pools> {
        match self.backend() {
            TreeBackend::Isolate(isolate) => isolate.pools(),
            TreeBackend::Live(live) => Some(&live.shared().pools),
        }
    }
}

impl WeakTree {
    /// Adds a child to the supervisor at `path` and starts it; one that is there and does not run is started.
    /// One that runs, or is about to, is left alone: a call whose caller has left may have started it.
    pub(crate) async fn start_child(&self, path: &str, child: Child) -> Result<(), CallError> {
        let id: Arc<str> = child.id().into();
        let started = match self.call(path, pure::Call::StartChild(child.0)).await {
            Err(CallError::Refused(pure::CallError::AlreadyPresent)) => {
                self.call(path, pure::Call::RestartChild(id)).await
            }
            other => other,
        };
        match started {
            Err(CallError::Refused(
                pure::CallError::AlreadyStarted(_) | pure::CallError::Running | pure::CallError::Restarting,
            ))
            | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a call from here can reach it.
    pub(crate) fn is_here(&self) -> Result<(), CallError> {
        match self {
            Self::Isolate(isolate) if !isolate.is_here() => Err(CallError::WrongThread),
            _ => Ok(()),
        }
    }

    /// Stops a child of the supervisor at `path`, and leaves its specification. One that is not known does
    /// not run.
    pub(crate) async fn terminate_child(&self, path: &str, id: &str) -> Result<(), CallError> {
        match self.call(path, pure::Call::TerminateChild(id.into())).await {
            Ok(_) | Err(CallError::Refused(pure::CallError::NotFound)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Stops a child of the supervisor at `path`, and forgets it.
    pub(crate) async fn remove_child(&self, path: &str, id: &str) -> Result<(), CallError> {
        self.terminate_child(path, id).await?;
        match self.call(path, pure::Call::DeleteChild(id.into())).await {
            Ok(_) | Err(CallError::Refused(pure::CallError::NotFound)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn call(&self, path: &str, call: pure::Call<Launcher>) -> Result<pure::Reply<Launcher>, CallError> {
        let asked = match self {
            Self::Isolate(isolate) => return isolate.call(path, call).await,
            Self::Live(shared) => {
                let shared = shared.upgrade().ok_or(CallError::Ended)?;
                shared.supervisor_to_call(path)?.call(call)?
            }
        };
        cancellable(asked).await.map_err(|_| CallError::Ended)?.map_err(CallError::Refused)
    }
}
