//! Notices of the end of another actor.

use crate::{ActorId, Identity, StopReason};

/// One watch or dependency, from [`Context::watch`](crate::Context::watch) or
/// [`Context::depend_on`](crate::Context::depend_on).
///
/// Dropping it changes nothing: [`Context::unwatch`](crate::Context::unwatch) ends the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monitor {
    /// Who watches.
    pub(crate) watcher: ActorId,
    pub(crate) number: u64,
}

/// The actor that was watched has ended; see [`Context::watch`](crate::Context::watch).
///
/// ```
/// # use mycelium::{ActorRef, Context, Down, Isolate, OnFailure, Result, actor};
/// # struct Gateway;
/// # #[actor] impl Gateway { #[on(direct)] fn fail(&mut self, why: &&'static str) -> Result { Err((*why).into()) } }
/// # struct Desk { gateway: ActorRef<Gateway>, heard: String }
/// # #[actor]
/// # impl Desk {
/// # #[started] fn begin(&mut self, ctx: &mut Context<Self>) { ctx.watch(&self.gateway); }
/// #[on(direct)] // after `ctx.watch(&gateway)`
/// fn gateway_ended(&mut self, down: &Down) {
///     self.heard = format!("{}: {}", down.actor, down.reason);
/// }
/// # }
/// # let mut isolate = Isolate::new(1);
/// # isolate.on_failure(OnFailure::GoOn);
/// # let gateway = isolate.spawn(Gateway)?;
/// # let desk = isolate.spawn(Desk { gateway: gateway.clone(), heard: String::new() })?;
/// # isolate.tell(&gateway, "no route")?;
/// # isolate.run()?;
/// # assert!(isolate.take(&desk).unwrap().heard.contains("no route"));
/// # Ok::<(), mycelium::BoxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Down {
    /// The value that `watch` returned.
    pub monitor: Monitor,
    /// The actor that has ended.
    pub actor: Identity,
    /// Why it ended.
    pub reason: StopReason,
}

impl Down {
    /// What this end means for an actor that depends on the one that has ended.
    pub(crate) fn to_dependent(&self) -> Option<StopReason> {
        let Self { actor, reason, .. } = self;
        reason.is_abnormal().then(|| StopReason::DependencyEnded(format!("{actor} {reason}").into()))
    }
}
