//! `MessageBus::run_until_signal`: the end of a program without a tree of its own, and of one with some. Each
//! test runs this very program again and sends it signals.
#![cfg(unix)]

#[path = "common/player.rs"]
mod player;

use std::process::Termination;
use std::time::Duration;

use mycelium::tree::{EXIT_UNDRAINED, ProcessSpec, RunEnd};
use mycelium::{
    Context, Message, MessageBus, Result, ServiceContext, StopReason, Supervisor, Tree, actor, service,
};
use player::{End, PART, Player};
use tokio::sync::Notify;

/// A limit that no test waits for: the test hangs if an end needs it.
const HOUR: Duration = Duration::from_secs(3600);
/// How many messages the source has sent when the signal comes.
const SENT_MIN: u64 = 100;

#[derive(Clone, Copy, Debug)]
struct Beat;
impl Message for Beat {
    const NAME: &'static str = "Beat";
    const TYPE_ID: u16 = 8;
    const TOPIC: &'static str = "beats";
}

/// Publishes for ever, and without a pause.
struct Source;

#[service]
impl Source {
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        for sent in 1_u64.. {
            ctx.publish(Beat).await?;
            if sent == SENT_MIN {
                println!("\nready");
            }
        }
        Ok(())
    }
}

/// The counter has a wait in hand.
static WAITS: Notify = Notify::const_new();

/// Says how many it has handled, and who was before it.
#[derive(Default)]
struct Counter(u64);

#[actor]
impl Counter {
    #[on]
    async fn beat(&mut self, _: &Beat, ctx: &mut Context<Self>) {
        ctx.sleep(Duration::from_micros(10)).await;
        self.0 += 1;
    }
    #[on(direct)]
    async fn wait(&mut self, long: &Duration, _: &mut Context<Self>) {
        println!("\nready");
        WAITS.notify_one();
        tokio::time::sleep(*long).await;
    }
    #[stopping]
    fn end(&mut self, _: &StopReason) {
        println!("\ncounter handled {}", self.0);
    }
}

/// A tree with a source and a process.
async fn tree(bus: &MessageBus) -> Result<Tree> {
    let tree = Supervisor::builder("root")
        .actor("counter", Counter::default)
        .service("source", || Source)
        .process("sleeper", ProcessSpec::new("sleep").args(["1000"]));
    Ok(tree.start(bus).await?)
}

/// Not a test of its own: what the processes that are sent the signals do, as their `main` would.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (end, dead) = runtime.block_on(play(&part)).unwrap();
    drop(runtime);
    println!("\nend: {end}\n{dead} dead letters");
    let code = end.code();
    end.report();
    std::process::exit(code.into());
}

async fn play(part: &str) -> Result<(RunEnd, u64)> {
    let bus = MessageBus::new();
    let limit = if ["stuck", "told"].contains(&part) { Duration::from_millis(20) } else { HOUR };
    // It listens to signals before the other begins.
    let (end, begun) = tokio::join!(biased; bus.run_until_signal(limit), begin(part, &bus));
    let _trees = begun?;
    if part == "told" {
        // Work that nobody knows of, which the runtime waits for.
        tokio::task::spawn_blocking(std::thread::park);
        println!("\nended");
    }
    Ok((end?, bus.dead_letters().waiting + bus.dead_letters().in_hand))
}

/// Starts what plays this part.
async fn begin(part: &str, bus: &MessageBus) -> Result<Option<Tree>> {
    if part == "trees" {
        return Ok(Some(tree(bus).await?));
    }
    let counter = bus.spawn(Counter::default())?;
    match part {
        "source" => _ = bus.spawn_service(Source)?,
        "closed" => bus.shutdown().await?,
        "told" => {
            counter.tell(HOUR).await?;
            WAITS.notified().await;
            let said = async {
                // The run has seen by then that somebody ends its bus.
                tokio::task::yield_now().await;
                println!("\nclosing");
            };
            let (closed, ()) = tokio::join!(biased; bus.shutdown_within(2 * HOUR), said);
            closed.unwrap_err();
        }
        _ => {
            counter.tell(HOUR).await?;
            counter.tell(Duration::ZERO).await?;
        }
    }
    Ok(None)
}

fn told(part: &str, signal: &str) -> End {
    let mut player = Player::new(part);
    player.wait_for("ready");
    player.signal(signal);
    player.end()
}

#[test]
fn a_bus_without_a_tree_drains_at_a_signal() {
    for signal in ["-INT", "-TERM"] {
        let End { code, out, err } = told("source", signal);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        assert!(out.contains(&format!("end: SIG{}: drained in", &signal[1..])), "{out}");
        assert!(out.contains("1 source stopped") && out.contains("\n0 dead letters"), "{out}");
    }
}

#[test]
fn the_trees_of_a_bus_drain_with_it() {
    let End { code, out, err } = told("trees", "-TERM");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    // The service and the process.
    assert!(out.contains("2 sources stopped") && out.contains("\n0 dead letters"), "{out}");
    let handled = out.split("counter handled ").nth(1).and_then(|rest| rest.lines().next());
    assert!(handled.is_some_and(|handled| handled.parse::<u64>().unwrap() >= SENT_MIN), "{out}");
}

#[test]
fn what_a_bus_had_no_time_for_is_named() {
    let End { code, out, err } = told("stuck", "-TERM");
    assert_eq!(code, Some(EXIT_UNDRAINED.into()), "{out}{err}");
    assert!(err.contains("not drained within 20ms"), "{err}");
    assert!(err.contains("Counter#1 was still at work"), "{err}");
    assert!(out.contains("\n2 dead letters"), "{out}");
}

#[test]
fn a_second_signal_ends_a_bus_at_once() {
    let mut player = Player::new("hurried");
    player.wait_for("ready");
    player.signal("-INT");
    player.signal("-TERM");
    let End { code, out, err } = player.end();
    // Which of the two comes first is the system's to say.
    assert!([Some(143), Some(130)].contains(&code), "{out}{err}");
    // The second: on a busy machine its end may take too long for the thread that watches.
    let told = out.contains("end: a second signal") || err.contains("does not obey");
    assert!(told, "{out}{err}");
}

#[test]
fn a_bus_that_somebody_shuts_down_ends_the_program() {
    let End { code, out, err } = Player::new("closed").end();
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("end: ended by itself"), "{out}");
}

#[test]
fn a_signal_that_comes_while_somebody_shuts_the_bus_down_leaves_the_process_to_the_next_one() {
    let mut ends = Vec::new();
    // What is killed and not seen to be gone in time ends the process, as the code 3 says. On a busy machine
    // that may be so now and then.
    while ends.iter().all(|code| *code == Some(3)) && ends.len() < 5 {
        let mut player = Player::new("told");
        player.wait_for("closing");
        player.signal("-INT");
        player.wait_for("ended");
        player.signal("-TERM");
        let End { code, out, err } = player.end();
        assert!([Some(143), Some(3)].contains(&code), "{code:?}: {out}{err}");
        ends.push(code);
    }
    assert_eq!(ends.last(), Some(&Some(143)), "{ends:?}");
}

#[tokio::test]
async fn signals_are_listened_to_for_one_bus_after_the_other() {
    for _ in 0..2 {
        let bus = MessageBus::new();
        let ending = bus.clone();
        let (end, closed) = tokio::join!(biased; bus.run_until_signal(HOUR), ending.shutdown());
        closed.unwrap();
        assert_eq!(end.unwrap(), RunEnd::Finished);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_somebody_else_has_begun_has_the_time_that_it_was_given() {
    let bus = MessageBus::new();
    let counter = bus.spawn(Counter::default()).unwrap();
    counter.tell(Duration::from_secs(20)).await.unwrap();
    // Virtual: it has the message in hand then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let shutdown = bus.shutdown_within(Duration::from_secs(60));
    let (end, closed) = tokio::join!(biased; bus.run_until_signal(HOUR), shutdown);
    closed.unwrap();
    assert_eq!((end.unwrap(), counter.ended().await), (RunEnd::Finished, StopReason::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_somebody_else_has_begun_and_that_kills_has_its_code() {
    let bus = MessageBus::new();
    let counter = bus.spawn(Counter::default()).unwrap();
    counter.tell(HOUR).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (end, closed) = tokio::join!(biased; bus.run_until_signal(HOUR), bus.shutdown());
    let (end, closed) = (end.unwrap(), closed.unwrap_err());
    assert_eq!((end.code(), end.clone()), (EXIT_UNDRAINED, RunEnd::Unfinished(closed)));
    assert!(end.to_string().contains("Counter#1"), "{end}");
}

/// One that has an hour's work in hand.
async fn busy(bus: &MessageBus) {
    let counter = bus.spawn(Counter::default()).unwrap();
    counter.tell(HOUR).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_kills_sooner_than_the_run_would_has_its_code() {
    for limit in [Duration::ZERO, Duration::from_secs(1)] {
        let bus = MessageBus::new();
        busy(&bus).await;
        let (end, closed) = tokio::join!(biased; bus.run_until_signal(HOUR), bus.shutdown_within(limit));
        assert_eq!(end.unwrap(), RunEnd::Unfinished(closed.unwrap_err()), "{limit:?}");
        // One that begins now has nothing to tell.
        bus.shutdown().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn each_of_two_shutdowns_names_whom_the_other_has_killed() {
    let bus = MessageBus::new();
    busy(&bus).await;
    let tree = Supervisor::builder("root").actor("counter", Counter::default).start(&bus).await.unwrap();
    let counter = tree.lookup::<Counter>("root/counter").unwrap();
    counter.tell(HOUR).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (patient, hurried) =
        tokio::join!(bus.shutdown_within(Duration::from_secs(60)), bus.shutdown_within(Duration::ZERO));
    let (patient, hurried) = (patient.unwrap_err(), hurried.unwrap_err());
    assert_eq!(patient, hurried);
    assert_eq!((patient.missed.len(), &*patient.children), (1, &["root/counter".into()][..]));
    assert!(patient.missed[0].killed, "{patient}");
}

/// A tree that is busy, on a bus where another is too.
async fn busy_tree(bus: &MessageBus) -> Tree {
    busy(bus).await;
    let tree = Supervisor::builder("root").actor("counter", Counter::default).start(bus).await.unwrap();
    tree.lookup::<Counter>("root/counter").unwrap().tell(HOUR).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    tree
}

#[tokio::test(start_paused = true)]
async fn a_tree_whose_bus_is_shut_down_and_kills_has_its_code() {
    for limit in [Duration::ZERO, Duration::from_secs(1)] {
        let bus = MessageBus::new();
        let tree = busy_tree(&bus).await;
        let (end, closed) = tokio::join!(biased; tree.run_until_signal(HOUR), bus.shutdown_within(limit));
        let closed = closed.unwrap_err();
        assert_eq!((closed.missed.len(), closed.children.len()), (1, 1), "{closed}");
        assert_eq!(end.unwrap(), RunEnd::Unfinished(closed), "{limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_somebody_shuts_down_and_that_kills_has_its_code() {
    let bus = MessageBus::new();
    let tree = busy_tree(&bus).await;
    let shutdown = tree.shutdown_within(Duration::from_secs(1));
    let (end, ended) = tokio::join!(biased; tree.run_until_signal(HOUR), shutdown);
    let (end, ended) = (end.unwrap(), ended.unwrap_err());
    let RunEnd::Unfinished(error) = &end else { panic!("{end}") };
    // Whoever is left on the bus is no part of what the tree had to do.
    assert_eq!((end.code(), &error.children), (EXIT_UNDRAINED, &ended.missed));
}
