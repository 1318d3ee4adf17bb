//! The lines of the log that `docs/operations.md` lists: each comes with its target and level, and each that
//! comes is listed.

#[path = "common/parser.rs"]
mod parser;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use mycelium::resilience::{BreakerPolicy, CircuitBreaker};
use mycelium::tree::{Backoff, Child};
use mycelium::{MessageBus, Result, ServiceContext, Supervisor, service};
use tracing::field::{Field, Visit};
use tracing::span;

use self::parser::Parser;

/// Level, target and message of each line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<BTreeSet<(String, String, String)>>>, Names, Names);

/// What the lines say in their field `actor`, or `member`.
type Names = Arc<Mutex<BTreeSet<String>>>;

#[derive(Default)]
struct Message {
    text: String,
    actor: Option<String>,
    member: Option<String>,
}
impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => write!(self.text, "{value:?}").unwrap(),
            "actor" => self.actor = Some(format!("{value:?}")),
            "member" => self.member = Some(format!("{value:?}")),
            _ => {}
        }
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("mycelium")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        self.1.lock().unwrap().extend(message.actor);
        self.2.lock().unwrap().extend(message.member);
        let metadata = event.metadata();
        let line = (metadata.level().to_string(), metadata.target().to_owned(), message.text);
        self.0.lock().unwrap().insert(line);
    }
}

struct Refused;

#[service]
impl Refused {
    async fn run(&mut self, _: &ServiceContext) -> Result {
        Err("refused".into())
    }
}

/// The rows of the page's table: level, target, message.
fn listed() -> Vec<(String, String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let cells = |row: &str| row.split('|').map(|cell| cell.trim().replace('`', "")).collect::<Vec<_>>();
    let rows = page.lines().filter(|line| line.starts_with("| `mycelium::")).map(cells);
    rows.map(|cells| (cells[2].clone(), cells[1].clone(), cells[3].clone())).collect()
}

/// A tree whose supervisor is kept by a factory for longer than anybody waits.
async fn a_tree_that_goes_on() {
    let (bus, lives) = (MessageBus::new(), Arc::new(AtomicU32::new(0)));
    // Open once the other half is dropped, also where an assertion fails.
    let (shut, gate) = mpsc::channel::<()>();
    let (gate, count) = (Mutex::new(gate), Arc::clone(&lives));
    let child = Child::future("again", move || {
        if count.fetch_add(1, Ordering::SeqCst) == 1 {
            let _ = gate.lock().unwrap().recv();
        }
        async { Err("over".into()) }
    });
    let root = Supervisor::builder("root").intensity(9, Duration::from_secs(60)).child(child);
    let tree = root.start(&bus).await.unwrap();
    while lives.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(tree.shutdown_within(Duration::ZERO).await.unwrap_err().stuck);
    drop(shut);
    tree.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_logged_is_listed_with_its_level() {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.clone()).unwrap();
    let bus = MessageBus::new();
    let backoff = Backoff { initial: Duration::from_millis(1), jitter: 0.0, ..Backoff::default() };
    let desk = Supervisor::builder("desk")
        .intensity(1, Duration::from_secs(60))
        .child(Child::actor("parser", || Parser).backoff(backoff));
    let tree = Supervisor::builder("root")
        .intensity(0, Duration::from_secs(1))
        .supervisor(desk)
        .start(&bus)
        .await
        .unwrap();
    let parser = tree.lookup::<Parser>("root/desk/parser").unwrap();
    for _ in 0..2 {
        parser.tell("none").await.unwrap();
    }
    tree.ended().await;
    let policy = BreakerPolicy { calls_min: 1, ..BreakerPolicy::default() };
    let circuit = CircuitBreaker::new("venue", policy).unwrap();
    circuit.call(&bus.clock(), async { Err::<(), _>("refused") }).await.unwrap_err();
    let alone = bus.spawn(Parser).unwrap();
    alone.tell("none").await.unwrap();
    alone.ended().await;
    bus.spawn_service(Refused).unwrap().ended().await;
    let killed = bus.spawn(Parser).unwrap();
    killed.kill();
    killed.ended().await;
    bus.shutdown().await.unwrap();
    a_tree_that_goes_on().await;

    let (logged, listed) = (lines.0.lock().unwrap().clone(), listed());
    for (level, target, message) in [
        ("WARN", "mycelium::supervision", "child failed"),
        ("INFO", "mycelium::supervision", "child restarts after its backoff"),
        ("INFO", "mycelium::supervision", "child restarted"),
        ("ERROR", "mycelium::supervision", "too many restarts: the supervisor ends"),
        ("WARN", "mycelium::resilience", "the circuit opened"),
        ("INFO", "mycelium::shutdown", "the tree that went on has ended"),
        ("WARN", "mycelium::supervision", "a member of no tree failed"),
    ] {
        let line = (level.to_owned(), target.to_owned(), message.to_owned());
        assert!(logged.contains(&line), "{line:?} is not in {logged:#?}");
    }
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(*lines.1.lock().unwrap(), names(&["Parser#2", "root/desk/parser"]), "their dead letters");
    assert_eq!(*lines.2.lock().unwrap(), names(&["Parser#2", "Refused#3"]), "nobody restarts them");
    // The text of a dead letter is its own.
    for line in logged.iter().filter(|(_, target, _)| target != "mycelium::dead_letters") {
        assert!(listed.contains(line), "{line:?} is not in the table of docs/operations.md");
    }
}
