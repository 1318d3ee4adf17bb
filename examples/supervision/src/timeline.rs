//! What happens to the tree: printed as it happens, and waited for by the script.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mycelium::Result;
use mycelium::tree::Notice;
use tokio::sync::watch;
use tokio::time::timeout;

/// The script goes wrong if what it waits for has not happened by then.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that has happened, as `event path`.
type Seen = Vec<(&'static str, String)>;

#[derive(Clone)]
pub(crate) struct Timeline {
    began: Instant,
    seen: Arc<watch::Sender<Seen>>,
}

impl Timeline {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), seen: Arc::new(watch::Sender::default()) }
    }

    /// Prints each event of the tree.
    pub(crate) fn observer(&self) -> impl Fn(&str, &Notice) + Send + Sync + use<> {
        let line = self.clone();
        move |supervisor, notice| {
            let child = |id: &str| format!("{supervisor}/{id}");
            let (event, path, note) = match notice {
                Notice::Started { id, .. } => ("started", child(id), String::new()),
                Notice::StartFailed { id, reason } => ("start_failed", child(id), reason.to_string()),
                Notice::Exited { id, reason } => ("exited", child(id), reason.to_string()),
                Notice::Stopped { id, reason, .. } => ("stopped", child(id), reason.to_string()),
                Notice::Waiting { id, backoff, .. } => ("waiting", child(id), format!("for {backoff:?}")),
                Notice::GaveUp { id } => ("gave_up", supervisor.to_owned(), format!("{id} failed too often")),
                Notice::Stuck { id, detail, .. } => ("stuck", child(id), detail.to_string()),
                Notice::Recovered { id } => ("recovered", child(id), String::new()),
                _ => return,
            };
            line.print(&format!("{event:<13} {path:<20}  {note}"));
            line.seen.send_modify(|seen| seen.push((event, path)));
        }
    }

    /// Prints what somebody else did.
    pub(crate) fn say(&self, text: &str) {
        self.print(&format!("-- {text}"));
    }

    fn print(&self, text: &str) {
        println!("{:>6.2} s  {}", self.began.elapsed().as_secs_f64(), text.trim_end());
    }

    /// How often this has happened.
    fn count(seen: &Seen, event: &str, path: &str) -> usize {
        seen.iter().filter(|(kind, at)| *kind == event && at == path).count()
    }

    /// Waits until this has happened so many times since the beginning.
    pub(crate) async fn wait_for(&self, event: &str, path: &str, times: usize) -> Result {
        let mut seen = self.seen.subscribe();
        let happened = seen.wait_for(|seen| Self::count(seen, event, path) >= times);
        match timeout(PATIENCE, happened).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(format!("`{event} {path}` has not happened {times} times in {PATIENCE:?}").into()),
        }
    }
}
