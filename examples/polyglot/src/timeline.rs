//! What happens to the tree: printed as it happens, and waited for by the script.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mycelium::Result;
use mycelium::tree::Notice;
use tokio::sync::watch;
use tokio::time::timeout;

/// The script goes wrong if what it waits for has not happened by then.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Timeline {
    began: Instant,
    /// Everything that has happened, as `event path`.
    seen: Arc<watch::Sender<Vec<String>>>,
}

impl Timeline {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), seen: Arc::default() }
    }

    /// Prints each event of the tree, with the whole traceback of a life that has failed.
    pub(crate) fn observer(&self) -> impl Fn(&str, &Notice) + Send + Sync + use<> {
        let line = self.clone();
        move |supervisor, notice| {
            let (event, id, note) = match notice {
                Notice::Started { id, .. } => ("started", id, String::new()),
                Notice::StartFailed { id, reason } => ("start_failed", id, reason.to_string()),
                Notice::Exited { id, reason } => ("exited", id, reason.to_string()),
                Notice::Stopped { id, reason, .. } => ("stopped", id, reason.to_string()),
                Notice::Waiting { id, backoff, .. } => ("waiting", id, format!("for {backoff:?}")),
                _ => return,
            };
            let path = format!("{supervisor}/{id}");
            line.print(&format!("{event:<9} {path:<12} {}", note.replace('\n', "\n            | ")));
            line.seen.send_modify(|seen| seen.push(format!("{event} {path}")));
        }
    }

    /// Prints what somebody else did.
    pub(crate) fn say(&self, text: &str) {
        self.print(&format!("-- {text}"));
    }

    /// Waits until this has happened so many times since the beginning.
    pub(crate) async fn wait_for(&self, event: &str, times: usize) -> Result {
        let mut seen = self.seen.subscribe();
        let happened = seen.wait_for(|seen| seen.iter().filter(|one| *one == event).count() >= times);
        match timeout(PATIENCE, happened).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(format!("`{event}` has not happened {times} times in {PATIENCE:?}").into()),
        }
    }

    fn print(&self, text: &str) {
        println!("{:>6.2} s  {}", self.began.elapsed().as_secs_f64(), text.trim_end());
    }
}
