//! A hundred thousand idle actors: how long they take to start and stop, and how much memory they hold.

use std::fs;
use std::future::Future;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::harness::{OURS, Report, Round};
use crate::load::{FLAVOURS, Flavour};
use crate::ours;
use crate::peers::{kameo, ractor};

/// How many actors live at once.
const ACTORS: usize = 100_000;

/// Makes this program print the bytes per actor of one contender and end, so that each is measured in a fresh
/// heap.
pub(crate) const MEMORY_FLAG: &str = "--memory-of";

/// The page size of `/proc/self/statm`, in bytes.
const PAGE: f64 = 4096.0;

/// An actor that waits for messages which never come.
pub(crate) trait Crowd: Sized + Send + Sync + 'static {
    /// What they live in.
    type Home: Send + Sync + 'static;
    /// Makes the place they live in.
    fn home() -> Self::Home;
    /// Starts one.
    fn spawn(home: &Self::Home) -> impl Future<Output = Self> + Send;
    /// Waits until all of them run.
    fn started(home: &Self::Home, actors: &[Self]) -> impl Future<Output = ()> + Send;
    /// Asks it to stop.
    fn stop(&self) -> impl Future<Output = ()> + Send;
    /// Waits until it has stopped.
    fn stopped(self) -> impl Future<Output = ()> + Send;
}

/// kameo's.
pub(crate) type Kameo = ::kameo::actor::ActorRef<kameo::Echo>;

/// Start of the first to the last one running, then stop of the first to the last one gone.
pub(crate) fn spawn_and_stop(report: &mut Report) {
    for flavour in FLAVOURS {
        let contenders: Vec<(&str, Round)> = vec![
            (OURS, coming_and_going::<ours::Idle>(flavour)),
            ("tokio task + mpsc", coming_and_going::<Task>(flavour)),
            ("kameo", coming_and_going::<Kameo>(flavour)),
            ("ractor", coming_and_going::<ractor::Idle>(flavour)),
        ];
        let case = format!("spawn + stop, {}", flavour.name());
        report.contest("crowd", &case, "us per actor", contenders);
    }
}

/// Resident bytes per idle actor.
pub(crate) fn memory(report: &mut Report) {
    let contenders: Vec<(&str, Round)> = [OURS, "tokio task + mpsc", "kameo", "ractor"]
        .map(|name| (name, Box::new(move || memory_in_fresh_process(name)) as Round))
        .into();
    report.contest("memory", "100,000 idle actors, multi_thread(2)", "bytes per actor", contenders);
}

/// Prints the bytes per actor of `contender`: what the child process of [`memory`] does.
pub(crate) fn print_memory(contender: &str) -> ExitCode {
    let bytes = match contender {
        "tokio task + mpsc" => Flavour::Multi.run(growth::<Task>()),
        OURS => Flavour::Multi.run(growth::<ours::Idle>()),
        "kameo" => Flavour::Multi.run(growth::<Kameo>()),
        "ractor" => Flavour::Multi.run(growth::<ractor::Idle>()),
        other => {
            eprintln!("error: `{other}` is no contender");
            return ExitCode::from(2);
        }
    };
    println!("{bytes}");
    ExitCode::SUCCESS
}

fn memory_in_fresh_process(contender: &str) -> f64 {
    figure_of_child(&[MEMORY_FLAG, contender])
}

/// Runs this program again with `args` and reads the one number that it prints.
pub(crate) fn figure_of_child(args: &[&str]) -> f64 {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program).args(args).output().expect("this program can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("the child prints a number")
}

fn coming_and_going<C: Crowd>(flavour: Flavour) -> Round {
    Box::new(move || flavour.run(come_and_go::<C>(ACTORS)))
}

/// Microseconds per actor, to start so many and to stop them all.
pub(crate) async fn come_and_go<C: Crowd>(number: usize) -> f64 {
    let begin = Instant::now();
    let home = C::home();
    let actors = gather::<C>(&home, number).await;
    for actor in &actors {
        actor.stop().await;
    }
    for actor in actors {
        actor.stopped().await;
    }
    begin.elapsed().as_secs_f64() * 1e6 / number as f64
}

async fn growth<C: Crowd>() -> f64 {
    let before = resident_bytes();
    let home = C::home();
    let actors = gather::<C>(&home, ACTORS).await;
    let after = resident_bytes();
    let bytes = (after - before) / ACTORS as f64;
    drop((actors, home));
    bytes
}

async fn gather<C: Crowd>(home: &C::Home, number: usize) -> Vec<C> {
    let mut actors = Vec::with_capacity(number);
    for _ in 0..number {
        actors.push(C::spawn(home).await);
    }
    C::started(home, &actors).await;
    actors
}

/// How many of a crowd run: for those whose library does not tell.
#[derive(Debug, Default)]
pub(crate) struct Awake(AtomicUsize);

impl Awake {
    /// One more runs.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets the others run until `actors` of them do.
    pub(crate) async fn wait_for(&self, actors: usize) {
        while self.0.load(Ordering::Relaxed) < actors {
            tokio::task::yield_now().await;
        }
    }
}

/// The resident set of this process.
pub(crate) fn resident_bytes() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux tells the memory in use");
    let pages: f64 =
        statm.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("statm has two fields");
    pages * PAGE
}

/// By hand: a task that reads a channel.
#[derive(Debug)]
struct Task {
    sender: mpsc::Sender<Option<u64>>,
    task: JoinHandle<u64>,
}

impl Crowd for Task {
    type Home = Arc<Awake>;

    fn home() -> Arc<Awake> {
        Arc::default()
    }

    async fn spawn(awake: &Arc<Awake>) -> Self {
        let (sender, mut receiver) = mpsc::channel(64);
        let awake = Arc::clone(awake);
        let task = tokio::spawn(async move {
            awake.count();
            let mut sum = 0;
            while let Some(Some(number)) = receiver.recv().await {
                sum += number;
            }
            sum
        });
        Self { sender, task }
    }

    async fn started(awake: &Arc<Awake>, tasks: &[Self]) {
        awake.wait_for(tasks.len()).await;
    }

    async fn stop(&self) {
        self.sender.send(None).await.ok();
    }

    async fn stopped(self) {
        self.task.await.ok();
    }
}
