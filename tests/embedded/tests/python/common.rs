//! A bus with Python, and a tree over it whose events are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use mycelium::tree::{Backoff, Builder, Notice};
use mycelium::{MessageBus, Subscriber, Supervisor, Tree};
use mycelium_embedded::{CONTRACT, Tick, Told};
use mycelium_python::PythonRuntime;
use mycelium_python::pyo3::prelude::*;
use tokio::sync::MutexGuard;

/// A test that waits longer hangs.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(120);

/// The folder with the generated package `messages`, beside which the actors' own is looked for.
fn messages() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedded-messages");
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts.yaml");
        let contract = mycelium_contract::Contract::read(&contract).unwrap();
        fs::create_dir_all(folder.join("messages")).unwrap();
        for file in mycelium_codegen::python(&contract) {
            fs::write(folder.join("messages").join(file.name), file.text).unwrap();
        }
        folder
    })
}

/// One test at a time: threads, modules and lives are those of the process, and some tests count them.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

/// A bus, and the Python for it.
pub(crate) fn desk(name: &str) -> (MessageBus, PythonRuntime) {
    let bus = MessageBus::builder().contract(CONTRACT).build();
    let python = PythonRuntime::builder(&bus)
        .contract(CONTRACT)
        .path(messages())
        .path(Path::new(env!("CARGO_MANIFEST_DIR")).join("models"))
        .name(name)
        .start()
        .unwrap();
    (bus, python)
}

/// A root that restarts as often as it takes, at once.
pub(crate) fn root(restarts: u32) -> Builder {
    let backoff = Backoff { initial: Duration::ZERO, cap: Duration::ZERO, ..Backoff::default() };
    Supervisor::builder("root").intensity(restarts, Duration::from_secs(600)).backoff(backoff)
}

/// What supervisors have told of.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    pub(crate) fn of(&self, root: Builder) -> Builder {
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

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) async fn publish(bus: &MessageBus, numbers: impl IntoIterator<Item = i64>) {
    let ticks = bus.publisher::<Tick>().unwrap();
    for number in numbers {
        ticks.publish(Tick { number }).await.unwrap();
    }
}

/// The next so many, by number and by whom.
pub(crate) async fn told(tolds: &mut Subscriber<Told>, count: usize) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    while all.len() < count {
        let next =
            tokio::time::timeout(WATCHDOG, tolds.recv()).await.expect("it comes").expect("the bus is open");
        all.push((next.number, next.by.to_string()));
    }
    all
}

pub(crate) fn numbers(of: &[(i64, String)]) -> Vec<i64> {
    of.iter().map(|(number, _)| *number).collect()
}

/// Waits until this holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < WATCHDOG, "{what} has not come true");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until the supervisors of the bus have counted so many restarts, which they do a little after a life
/// has begun.
pub(crate) async fn restarted(bus: &MessageBus, times: u64) {
    until("its restarts are counted", || bus.stats().restarts >= times).await;
    assert_eq!(bus.stats().restarts, times);
}

/// The result of a function of the module `models`, without arguments.
pub(crate) fn count(function: &str) -> usize {
    Python::attach(|py| py.import("models").unwrap().call_method0(function).unwrap().extract().unwrap())
}

pub(crate) async fn end(tree: Tree, python: PythonRuntime, bus: MessageBus) {
    tree.shutdown().await.unwrap();
    python.close(WATCHDOG).await.unwrap();
    bus.shutdown().await.unwrap();
}
