//! A running tree of a bus: the live half of a [`Tree`](super::Tree).

use std::sync::{Arc, Weak};
use std::time::Duration;

use mycelium_supervisor as pure;
use pure::{ChildInfo, ExitReason};

use super::builder::Builder;
use super::handle::{CallError, StartError, warn_where_a_panic_aborts};
use super::launch::Launcher;
use super::shell::{Estate, Mailbox, StopTether, TreeShared, spawn_supervisor};
use crate::error::KILL_GRACE;
use crate::live::{ForestPlace, Standing, cancellable, has_ended, within_anywhere, within_grace};
use crate::sync::{SetOnce, oneshot, quiet};
use crate::{Actor, ActorRef};

/// When its last clone is dropped, the tree is shut down.
#[derive(Clone)]
pub(crate) struct LiveTree {
    shared: Arc<TreeShared>,
    leash: StopTether,
    ended: Arc<SetOnce<ExitReason>>,
}

/// Says that the tree has ended when it is dropped: by its root, or with the runtime.
struct EndTold(Arc<TreeShared>);

impl Drop for EndTold {
    fn drop(&mut self) {
        self.0.has_ended();
    }
}

impl LiveTree {
    pub(crate) async fn start(root: &Builder, shared: Arc<TreeShared>) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        warn_where_a_panic_aborts(&root.id);
        let ended = Arc::new(SetOnce::new());
        let (ready, is_ready) = oneshot::channel();
        let core = Arc::clone(&shared.bus.core);
        let standing = Arc::downgrade(&shared) as Weak<dyn Standing>;
        let place = ForestPlace::new(&core, shared.number, &ended, standing);
        let told_of = EndTold(Arc::clone(&shared));
        let leash = spawn_supervisor(
            root,
            &root.id,
            &shared,
            Estate::new(),
            Box::new(move || {
                // The caller that started the tree may have left.
                let _ = ready.send(());
            }),
            Box::new(move |reason, _| {
                drop(told_of);
                place.end(reason);
            }),
        )
        .map_err(StartError::Spec)?;
        core.forest.plant(shared.number, Arc::new(leash.loose()), &ended);
        if core.is_closed() {
            // Its shutdown may have looked for trees before.
            leash.stop(true);
        }
        let tree = Self { shared, leash, ended };
        match quiet(is_ready).await {
            Ok(()) => Ok(tree),
            Err(_) if has_ended(&runtime) => Err(StartError::RuntimeEnded),
            Err(_) => Err(StartError::Failed(tree.ended().await)),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<TreeShared> {
        &self.shared
    }

    pub(crate) fn lookup<A: Actor>(&self, path: &str) -> Option<ActorRef<A>> {
        self.shared.actors().get(path)?.reference.downcast_ref::<ActorRef<A>>().cloned()
    }

    pub(crate) async fn child(&self, path: &str, id: &str) -> Result<Option<ChildInfo>, CallError> {
        cancellable(self.supervisor(path)?.look(id.into())?).await.map_err(|_| CallError::Ended)
    }

    pub(crate) async fn call(
        &self,
        path: &str,
        call: pure::Call<Launcher>,
    ) -> Result<pure::Reply<Launcher>, CallError> {
        self.shared.call(path, call).await
    }

    fn supervisor(&self, path: &str) -> Result<Mailbox, CallError> {
        self.shared.supervisor_at(path)
    }

    pub(crate) fn stop(&self) {
        self.shared.told();
        self.leash.stop(true);
    }

    /// Ends it; whether it goes on, though it was killed.
    pub(crate) async fn stop_within(&self, limit: Duration) -> bool {
        self.stop();
        if within_anywhere(limit, self.ended.wait()).await.is_some() {
            return false;
        }
        self.leash.kill();
        // The root gives up on what cannot be killed after its own grace.
        within_grace(KILL_GRACE * 2, self.ended.wait()).await.is_none() && self.shared.outlives()
    }

    pub(crate) fn end_reason(&self) -> Option<ExitReason> {
        self.ended.get().cloned()
    }

    pub(crate) async fn ended(&self) -> ExitReason {
        cancellable(self.ended.wait()).await.clone()
    }
}

impl TreeShared {
    pub(crate) async fn call(
        &self,
        path: &str,
        call: pure::Call<Launcher>,
    ) -> Result<pure::Reply<Launcher>, CallError> {
        cancellable(self.supervisor_to_call(path)?.call(call)?)
            .await
            .map_err(|_| CallError::Ended)?
            .map_err(CallError::Refused)
    }

    fn supervisor_at(&self, path: &str) -> Result<Mailbox, CallError> {
        self.supervisor(path).ok_or_else(|| CallError::NoSupervisor(path.into()))
    }
}
