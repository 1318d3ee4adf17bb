//! What one actor hears of the end of another.

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
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Down {
    /// What `watch` returned.
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
