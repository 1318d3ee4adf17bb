//! Logs of one test, and one that panics.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, span};

/// Has this thread log to `log` as long as the guard is kept.
///
/// While a process has only one log, `tracing` asks the thread that comes first to a line of code whether its
/// own log wants it, and keeps the answer for all: where that is a test beside this one, which has none, the
/// line is heard by nobody. Two that stay, and want nothing, make it ask all there are.
pub fn hear(log: impl tracing::Subscriber + Send + Sync) -> DefaultGuard {
    static STAY: OnceLock<[Dispatch; 2]> = OnceLock::new();
    STAY.get_or_init(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::default())));
    tracing::subscriber::set_default(log)
}

/// Panics over each line of the framework, and keeps the texts of those lines.
#[derive(Clone, Default)]
pub struct PanickingLog(Arc<Mutex<BTreeSet<String>>>);

impl PanickingLog {
    pub fn has(&self, text: &str) -> bool {
        self.0.lock().unwrap().contains(text)
    }

    pub fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().cloned().collect()
    }
}

impl Visit for PanickingLog {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().insert(format!("{value:?}"));
        }
    }
}

impl tracing::Subscriber for PanickingLog {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("mycelium::")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
        panic!("the log is full");
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
