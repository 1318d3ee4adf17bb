//! What one actor hears of the end of another.

use crate::{ActorId, Identity, StopReason};

/// One watch or link, from [`Context::watch`](crate::Context::watch) or
/// [`Context::link`](crate::Context::link).
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
    /// What this end means for an actor that is linked to the one that has ended.
    pub(crate) fn to_linked(&self) -> Option<StopReason> {
        let Self { actor, reason, .. } = self;
        reason.is_abnormal().then(|| StopReason::Linked(format!("{actor} {reason}").into()))
    }
}
