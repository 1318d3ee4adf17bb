//! What the tests of all languages share: a tree whose events are kept, and waits that have an end.
#![allow(clippy::missing_panics_doc, reason = "a test fails by a panic")]

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mycelium::tree::{Backoff, Builder, Notice};
use mycelium::{MessageBus, Subscriber, Supervisor};
use tokio::sync::MutexGuard;

use crate::{Tick, Told};

/// A test that waits longer hangs.
pub const WATCHDOG: Duration = Duration::from_secs(120);

/// One test at a time: threads, modules and lives are those of the process, and some tests count them.
pub async fn turn() -> MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

/// A root that restarts as often as it takes, at once.
pub fn root(restarts: u32) -> Builder {
    let backoff = Backoff { initial: Duration::ZERO, cap: Duration::ZERO, ..Backoff::default() };
    Supervisor::builder("root").intensity(restarts, Duration::from_secs(600)).backoff(backoff)
}

/// What supervisors have told of.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    /// Keeps those of this tree.
    pub fn of(&self, root: Builder) -> Builder {
        let events = self.clone();
        root.on_event(move |_, notice: &Notice| {
            let line = match notice {
                Notice::Exited { id, reason } => format!("{id} exited: {reason}"),
                Notice::StartFailed { id, reason } => format!("{id} did not start: {reason}"),
                Notice::Stuck { id, .. } => format!("{id} is stuck"),
                _ => return,
            };
            events.0.lock().unwrap().push(line);
        })
    }

    /// All so far, a line for each but for what a reason has more.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Publishes these ticks.
pub async fn publish(bus: &MessageBus, numbers: impl IntoIterator<Item = i64>) {
    let ticks = bus.publisher::<Tick>().unwrap();
    for number in numbers {
        ticks.publish(Tick { number }).await.unwrap();
    }
}

/// The next so many, by number and by whom.
pub async fn told(tolds: &mut Subscriber<Told>, count: usize) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    while all.len() < count {
        let next =
            tokio::time::timeout(WATCHDOG, tolds.recv()).await.expect("it comes").expect("the bus is open");
        all.push((next.number, next.by.to_string()));
    }
    all
}

/// Without whom.
pub fn numbers(of: &[(i64, String)]) -> Vec<i64> {
    of.iter().map(|(number, _)| *number).collect()
}

/// Waits until this holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < WATCHDOG, "{what} has not come true");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until the supervisors of the bus have counted so many restarts, which they do a little after a life
/// has begun.
pub async fn restarted(bus: &MessageBus, times: u64) {
    until("its restarts are counted", || bus.stats().restarts >= times).await;
    assert_eq!(bus.stats().restarts, times);
}

/// How many threads have this name. Those of other tests come and go meanwhile.
pub fn threads_called(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    // One that ends just now has no name any more.
    tasks
        .filter(|task| {
            fs::read_to_string(task.as_ref().unwrap().path().join("comm")).is_ok_and(|of| of.trim() == name)
        })
        .count()
}
