//! Who sees what happens in a tree, live or in an isolate: the log, and the observer that its builder was
//! given.

use std::sync::Arc;

use mycelium_supervisor::Notice;

use crate::StopReason;

/// What the lines of trees go by in the log.
const TARGET: &str = "mycelium::supervision";

/// Sees every event of a tree.
pub(crate) type Observer = Arc<dyn Fn(&str, &Notice) + Send + Sync>;

/// Tells what has happened under the supervisor at this path.
pub(crate) fn observe(supervisor: &str, notice: &Notice, observer: Option<&Observer>) {
    // Code of the program all three, which takes the lines too: nothing that panics in it is the tree's.
    let _unlogged = StopReason::catch(|| log(supervisor, notice));
    if let Some(observer) = observer
        && StopReason::catch(|| observer(supervisor, notice)).is_err()
    {
        let say = || tracing::error!(target: TARGET, supervisor, "the observer of the tree panicked");
        let _unlogged = StopReason::catch(say);
    }
}

/// The lines are listed in docs/operations.md: whoever filters logs by them relies on that.
fn log(supervisor: &str, notice: &Notice) {
    match notice {
        Notice::Started { id, again: true } => {
            tracing::info!(target: TARGET, supervisor, child = &**id, "child restarted");
        }
        Notice::Waiting { id, backoff, .. } => {
            tracing::info!(target: TARGET, supervisor, child = &**id, ?backoff, "child restarts after its backoff");
        }
        Notice::Recovered { id } => {
            tracing::info!(target: TARGET, supervisor, child = &**id, "child makes progress again");
        }
        Notice::Exited { id, reason } if reason.is_abnormal() => {
            tracing::warn!(target: TARGET, supervisor, child = &**id, %reason, "child failed");
        }
        Notice::StartFailed { id, reason } => {
            tracing::warn!(target: TARGET, supervisor, child = &**id, %reason, "child did not start");
        }
        Notice::Stuck { id, quiet, detail } => {
            tracing::warn!(target: TARGET, supervisor, child = &**id, ?quiet, %detail, "child is stuck");
        }
        Notice::GaveUp { id } => {
            tracing::error!(target: TARGET, supervisor, child = &**id, "too many restarts: the supervisor ends");
        }
        other => tracing::debug!(target: TARGET, supervisor, event = ?other, "supervision"),
    }
}
