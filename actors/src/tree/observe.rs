//! Who sees what happens in a tree, live or in an isolate: the log, and the observer that its builder was given.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mycelium_supervisor::Notice;

/// Sees every event of a tree.
pub(crate) type Observer = Arc<dyn Fn(&str, &Notice) + Send + Sync>;

/// Tells what has happened under the supervisor at this path.
pub(crate) fn observe(supervisor: &str, notice: &Notice, observer: Option<&Observer>) {
    match notice {
        Notice::Exited { id, reason } if reason.is_abnormal() => {
            tracing::warn!(supervisor, child = &**id, %reason, "child failed");
        }
        Notice::StartFailed { id, reason } => {
            tracing::warn!(supervisor, child = &**id, %reason, "child did not start");
        }
        Notice::Stuck { id, quiet, detail } => {
            tracing::warn!(supervisor, child = &**id, ?quiet, %detail, "child is stuck");
        }
        Notice::GaveUp { id } => {
            tracing::error!(supervisor, child = &**id, "too many restarts: the supervisor ends");
        }
        other => tracing::debug!(supervisor, event = ?other, "supervision"),
    }
    if let Some(observer) = observer
        && catch_unwind(AssertUnwindSafe(|| observer(supervisor, notice))).is_err()
    {
        tracing::error!(supervisor, "the observer of the tree panicked");
    }
}
