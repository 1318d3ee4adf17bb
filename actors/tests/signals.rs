//! SIGINT, SIGTERM, SIGHUP and SIGQUIT as a process gets them: each test runs this very program again, sends
//! it signals, and looks at its exit code, its output and what it handled.
#![cfg(unix)]

#[path = "common/player.rs"]
mod player;

use std::process::{Command, Termination};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mycelium::topology;
use mycelium::tree::{self, EXIT_GAVE_UP, EXIT_UNDRAINED, ProcessSpec, RunEnd, Shutdown};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Message, MessageBus, Result, Service, ServiceContext,
    StopReason, Supervisor,
};
use player::{End, PART, Player};

/// Long enough for everything that ends.
const LONG: Duration = Duration::from_secs(50);

/// A limit that no test waits for: the test hangs if an end needs it.
const HOUR: Duration = Duration::from_secs(3600);

/// How many messages the counter has begun with.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// Counts what it handles; each message takes as long as it says.
struct Counter(Arc<AtomicU64>);

impl Actor for Counter {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        println!("\nhandled {}", self.0.load(Ordering::SeqCst));
    }
}

impl Handler<Duration> for Counter {
    async fn handle(&mut self, pause: &Duration, _: &mut Context<Self>) -> Result {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(*pause).await;
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

struct Panic;
impl Handler<Panic> for Counter {
    async fn handle(&mut self, _: &Panic, _: &mut Context<Self>) -> Result {
        panic!("told to");
    }
}

/// Never comes back to its task.
struct Spin;
impl Handler<Spin> for Counter {
    async fn handle(&mut self, _: &Spin, _: &mut Context<Self>) -> Result {
        println!("\nready");
        loop {
            std::thread::park();
        }
    }
}

struct Idle;
impl Service for Idle {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        ctx.stopped().await;
        println!("\nidle stopped");
        Ok(())
    }
}

/// Gives code that blocks for an hour to the framework, which knows of it.
struct Block;
impl Handler<Block> for Counter {
    async fn handle(&mut self, _: &Block, ctx: &mut Context<Self>) -> Result {
        Ok(ctx.spawn_blocking(block).await?)
    }
}

fn block() {
    println!("\nready");
    std::thread::sleep(HOUR);
}

/// Says that it runs.
struct Up;
impl Service for Up {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        println!("\nup");
        ctx.stopped().await;
        Ok(())
    }
}

/// The loop of the README: it has no thought of its end.
struct Metronome;
impl Service for Metronome {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        for value in 1.. {
            ctx.publish(Beat(value)).await?;
            ctx.sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

/// Has a long rest.
struct Sleeper;
impl Service for Sleeper {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        ctx.sleep(HOUR).await;
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct Beat(#[allow(dead_code)] u64);
impl Message for Beat {
    const NAME: &'static str = "Beat";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "beats";
}

/// Not a test of its own: what the processes that are sent the signals do, as their `main` would.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let runtime = if part == "stuck-single" {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    } else {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
    };
    let runtime = runtime.unwrap();
    let end = runtime.block_on(play_part(&part)).unwrap();
    println!("\nend of the tree");
    drop(runtime);
    println!("\nend: {end}");
    let code = end.code();
    assert_eq!(format!("{:?}", end.report()), format!("{:?}", std::process::ExitCode::from(code)));
    std::process::exit(code.into());
}

async fn play_part(part: &str) -> Result<RunEnd> {
    let bus = MessageBus::new();
    if part == "runtime" {
        bus.spawn_service(Idle)?;
        let tree = Supervisor::builder("services").service("idle", || Idle).start(&bus).await?;
        return until_signal(tree.run_until_signal(LONG)).await;
    }
    if part == "metronome" {
        bus.spawn_service(Metronome)?;
        let tree = Supervisor::builder("services").service("metronome", || Metronome).start(&bus).await?;
        return until_signal(tree.run_until_signal(LONG)).await;
    }
    if ["starts", "node", "factory", "blocks-unseen"].contains(&part) {
        return play_start(part, &bus).await;
    }
    if part == "sleeper" {
        bus.spawn_service(Sleeper)?;
        let patient = |child: tree::Child| child.shutdown(Shutdown::Timeout(HOUR));
        let root = Supervisor::builder("services")
            .child(patient(tree::Child::service("sleeper", || Sleeper)))
            .child(patient(tree::Child::service("metronome", || Metronome)));
        return until_signal(root.start(&bus).await?.run_until_signal(HOUR)).await;
    }
    let handled = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&handled);
    let counter = tree::Child::actor("counter", move || Counter(Arc::clone(&counted)));
    let mut root = Supervisor::builder("root");
    if part == "finishes" {
        return after_a_desk_gave_up(root, counter).await;
    }
    if part == "process" || part == "stuck-single" {
        root = root.process("sleeper", ProcessSpec::new("sleep").args(["1000"]));
    }
    // Those that are to end in order have the time that a busy machine takes for it.
    let short = ["late", "blocks"].contains(&part) || part.starts_with("stuck");
    let time = if short { Duration::from_millis(50) } else { LONG };
    let counter = counter.shutdown(Shutdown::Timeout(time));
    let tree = root.child(counter).service("idle", || Idle).start(&bus).await?;
    let counter = tree.lookup::<Counter>("root/counter").ok_or("it runs")?;
    let limit = give_work(part, &counter).await?;
    if part == "blocks" {
        let (end, told) = tokio::join!(biased; tree.run_until_signal(limit), counter.tell(Block));
        return Ok((end?, told?).0);
    }
    if part.starts_with("stuck") {
        #[cfg(target_os = "linux")]
        while part == "stuck-single" && children(std::process::id()).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (end, told) = tokio::join!(biased; tree.run_until_signal(limit), counter.tell(Spin));
        return Ok((end?, told?).0);
    }
    until_signal(tree.run_until_signal(limit)).await
}

/// Tells the counter what it is to do in this part: how long a drain may take.
async fn give_work(part: &str, counter: &ActorRef<Counter>) -> Result<Duration> {
    Ok(match part {
        "drains" | "process" => {
            for _ in 0..200 {
                counter.tell(Duration::from_millis(1)).await?;
            }
            LONG
        }
        "late" | "forced" => {
            for seconds in [0, 1000, 1000] {
                counter.tell(Duration::from_secs(seconds)).await?;
            }
            // The second is in hand, and the third waits.
            while BEGUN.load(Ordering::SeqCst) < 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if part == "late" { Duration::from_millis(50) } else { LONG }
        }
        "gives-up" => {
            for _ in 0..2 {
                counter.tell(Panic).await?;
            }
            LONG
        }
        _ => Duration::from_millis(50),
    })
}

/// Parts that listen to signals before they start.
async fn play_start(part: &str, bus: &MessageBus) -> Result<RunEnd> {
    if part == "blocks-unseen" {
        // As a read of `tokio::io::stdin` does.
        drop(tokio::task::spawn_blocking(block));
        return Ok(Supervisor::builder("root").service("up", || Up).run_until_signal(bus, LONG).await?);
    }
    if part == "starts" {
        let never = ProcessSpec::new("sh").args(["-c", "exec sleep 1000"]).ready_line("never");
        let root = Supervisor::builder("services").service("idle", || Idle).service("up", || Up);
        return Ok(root.process("never", never).run_until_signal(bus, LONG).await?);
    }
    if part == "factory" {
        let never = || -> Idle {
            println!("\nready");
            loop {
                std::thread::park();
            }
        };
        let root = Supervisor::builder("services").service("never", never);
        return Ok(root.run_until_signal(bus, Duration::from_millis(50)).await?);
    }
    let file = std::env::temp_dir().join(format!("mycelium-signals-{}.toml", std::process::id()));
    std::fs::write(&file, "[deployment]\nmode = \"monolith\"\n[[nodes]]\nname = \"a\"\nservices = [\"up\"]")?;
    let node = topology::LocalNode::open(&file, "a")?;
    std::fs::remove_file(file)?;
    let services = Supervisor::builder("services").service("up", || Up);
    Ok(node.run(MessageBus::builder(), services).await?)
}

/// A supervisor below the root gives up and is restarted; then the tree has done its work.
async fn after_a_desk_gave_up(root: tree::Builder, counter: tree::Child) -> Result<RunEnd> {
    let (bus, done) = (MessageBus::new(), Arc::new(tokio::sync::Notify::new()));
    let desk = Supervisor::builder("desk").intensity(0, LONG).child(counter);
    let work = Arc::clone(&done);
    let work = tree::Child::future("work", move || {
        let work = Arc::clone(&work);
        async move {
            work.notified().await;
            Ok(())
        }
    });
    let work = work.restart(tree::Restart::Transient).significant(true);
    let root = root.auto_shutdown(tree::AutoShutdown::AnySignificant).supervisor(desk).child(work);
    let tree = root.start(&bus).await?;
    let counter = tree.lookup::<Counter>("root/desk/counter").ok_or("it runs")?;
    counter.tell(Panic).await?;
    while bus.stats().restarts == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    done.notify_one();
    Ok(tree.run_until_signal(LONG).await?)
}

/// Says that it is ready once signals are listened to, which happens in the first poll.
async fn until_signal(run: impl Future<Output = std::io::Result<RunEnd>>) -> Result<RunEnd> {
    let ready = async { println!("\nready") };
    Ok(tokio::join!(biased; run, ready).0?)
}

#[test]
fn either_signal_drains_and_ends_with_code_0() {
    for (name, called) in [("-TERM", "SIGTERM"), ("-INT", "SIGINT"), ("-HUP", "SIGHUP"), ("-QUIT", "SIGQUIT")]
    {
        let mut player = Player::new("drains");
        player.wait_for("ready");
        player.signal(name);
        let End { code, out, err } = player.end();
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(out.contains("\nhandled 200\n"), "nothing that was queued is lost: {out}");
        assert!(out.contains(&format!("end: {called}: drained in")), "{out}");
        let (idle, counter) = (out.find("idle stopped").unwrap(), out.find("handled 200").unwrap());
        assert!(idle < counter, "the source stopped first: {out}");
    }
}

#[test]
fn a_deadline_that_is_missed_has_its_code_and_names_what_is_left() {
    let mut player = Player::new("late");
    player.wait_for("ready");
    player.signal("-TERM");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(EXIT_UNDRAINED.into()), "{out}{err}");
    for line in [
        "SIGTERM: not drained within 50ms",
        "root/counter was still at work",
        "root/counter: 1 Duration in hand",
        "root/counter: 1 Duration waiting",
        "2 messages were not handled; they are dead letters",
    ] {
        assert!(err.contains(line), "{line:?} is not in\n{err}");
    }
}

#[test]
fn a_second_signal_ends_at_once_with_its_own_code() {
    for (second, expected) in [("-HUP", 129), ("-INT", 130), ("-QUIT", 131), ("-TERM", 143)] {
        let mut player = Player::new("forced");
        player.wait_for("ready");
        player.signal("-TERM");
        player.wait_for("idle stopped");
        player.signal(second);
        let End { code, out, err } = player.end();
        assert_eq!(code, Some(expected), "{out}{err}");
        // The second: on a busy machine its end may take too long for the thread that watches.
        assert!(err.contains("a second signal") || err.contains("does not obey"), "{err}");
    }
}

/// Only Linux tells that a signal is ignored.
#[cfg(target_os = "linux")]
#[test]
fn a_program_that_was_started_with_hangup_ignored_goes_on() {
    let mut player = Player::with("drains", "--ignore-signal=HUP", &[]);
    player.wait_for("ready");
    player.signal("-HUP");
    player.signal("-TERM");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("end: SIGTERM: drained in"), "{out}");
}

#[test]
fn a_signal_that_comes_before_all_have_started_stops_what_has() {
    let mut player = Player::new("starts");
    player.wait_for("up");
    player.signal("-TERM");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("idle stopped"), "{out}{err}");
    assert!(out.contains("end: SIGTERM: stopped before all had started"), "{out}{err}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_end_of_the_process_that_started_a_node_ends_the_node_however_that_came() {
    let mut parent = Command::new("sleep").arg("1000").spawn().unwrap();
    let number = parent.id().to_string();
    let mut player = Player::with("node", "--default-signal=HUP", &[(topology::PARENT_VARIABLE, &number)]);
    player.wait_for("up");
    parent.kill().unwrap();
    parent.wait().unwrap();
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(0), "{out}{err}");
    // Its actor says that it is up before the tree knows that all are.
    assert!(out.contains("end: SIGTERM: "), "{out}{err}");
    // It has gone already.
    let player = Player::with("node", "--default-signal=HUP", &[(topology::PARENT_VARIABLE, &number)]);
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("end: SIGTERM: "), "{out}{err}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_number_of_a_process_of_another_namespace_is_none_here() {
    // No process has this number, in whatever namespace: in this one that process would have gone.
    let number = i32::MAX.to_string();
    let here = topology::pid_namespace().unwrap();
    for (namespace, is_heeded) in [("pid:[1]", false), (&*here, true)] {
        let variables =
            [(topology::PARENT_VARIABLE, &*number), (topology::PARENT_NAMESPACE_VARIABLE, namespace)];
        let mut player = Player::with("node", "--default-signal=HUP", &variables);
        if !is_heeded {
            player.wait_for("up");
            player.signal("-QUIT");
        }
        let End { code, out, err } = player.end();
        assert_eq!(code, Some(0), "{out}{err}");
        let end = if is_heeded { "end: SIGTERM: " } else { "end: SIGQUIT: " };
        assert!(out.contains(end), "{out}{err}");
    }
}

#[test]
fn a_tree_that_gives_up_has_a_code_of_its_own() {
    let End { code, out, err } = Player::new("gives-up").end();
    assert_eq!(code, Some(EXIT_GAVE_UP.into()), "{out}{err}");
    assert!(err.contains("gave up: `root/counter`"), "{err}");
}

#[test]
fn a_tree_that_has_done_its_work_has_code_0_although_a_supervisor_in_it_gave_up_before() {
    let End { code, out, err } = Player::new("finishes").end();
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("end: ended by itself"), "{out}{err}");
}

#[test]
fn a_runtime_of_services_ends_by_a_signal_too() {
    let mut player = Player::new("runtime");
    player.wait_for("ready");
    player.signal("-TERM");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(out.matches("idle stopped").count(), 2, "the supervised one and the other: {out}");
}

/// Nothing passes a limit: each is an hour, so this hangs if a service waits for one, and the log names none.
#[test]
fn a_supervised_service_ends_at_ctrl_c_where_it_waits_and_no_limit_is_used() {
    let mut player = Player::new("sleeper");
    player.wait_for("ready");
    player.signal("-INT");
    let End { code, out, err } = player.end();
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("end: SIGINT: drained in"), "{out}");
}

/// Their shutdown time is five seconds each: one that was killed would have code 3.
#[test]
fn services_without_a_thought_of_their_end_end_in_order() {
    let mut player = Player::new("metronome");
    player.wait_for("ready");
    player.signal("-INT");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("end: SIGINT: drained in"), "{out}");
}

/// The processes that some thread of this one has started.
#[cfg(target_os = "linux")]
fn children(process: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let lists =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn processes_of_the_tree_are_gone_with_it() {
    let mut player = Player::new("process");
    player.wait_for("ready");
    let children = loop {
        let children = children(player.process.id());
        if !children.is_empty() {
            break children;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    player.signal("-TERM");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(0), "{out}{err}");
    for child in children {
        assert!(!std::path::Path::new(&format!("/proc/{child}")).exists(), "process {child} is left");
    }
}

#[test]
fn an_actor_that_never_awaits_is_named_and_does_not_keep_the_process() {
    let mut player = Player::new("stuck");
    player.wait_for("ready");
    player.signal("-TERM");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(EXIT_UNDRAINED.into()), "{out}{err}");
    assert!(err.contains("root/counter was still at work"), "{err}");
    assert!(err.contains("never awaits"), "{err}");
}

#[test]
fn a_factory_that_never_comes_back_is_no_end_of_its_tree_and_does_not_keep_the_process() {
    let mut player = Player::new("factory");
    player.wait_for("ready");
    player.signal("-TERM");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(EXIT_UNDRAINED.into()), "{out}{err}");
    assert!(err.contains("services"), "{err}");
}

#[test]
fn code_that_blocks_does_not_keep_the_process_after_its_tree() {
    let mut player = Player::new("blocks");
    player.wait_for("ready");
    player.signal("-TERM");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(EXIT_UNDRAINED.into()), "{out}{err}");
    assert!(err.contains("keeps the process from ending"), "{err}");
}

#[test]
fn a_process_that_does_not_end_after_its_tree_ends_by_one_more_signal() {
    let mut player = Player::new("blocks-unseen");
    player.wait_for("up");
    player.signal("-TERM");
    player.wait_for("end of the tree");
    player.signal("-INT");
    let End { code, out, err } = player.end();
    assert_eq!(code, Some(130), "{out}{err}");
    assert!(err.contains("SIGINT: ended at once"), "{err}");
}

#[test]
fn a_second_signal_is_obeyed_even_if_the_only_thread_is_stuck() {
    let mut player = Player::new("stuck-single");
    player.wait_for("ready");
    #[cfg(target_os = "linux")]
    let children = children(player.process.id());
    player.signal("-TERM");
    // Signals of one kind that come together count once: the second is another one.
    player.signal("-INT");
    let End { code, out, err } = player.end();
    let both = [Some(130), Some(143)];
    assert!(both.contains(&code), "{code:?} {out}{err}");
    assert!(err.contains("the runtime does not obey"), "{err}");
    #[cfg(target_os = "linux")]
    for child in children {
        let stat = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        // Nobody of ours is left to reap it: it is gone, or dead until somebody does. A kill takes a moment.
        let ended = || stat().is_empty() || stat().contains(") Z ");
        let began = std::time::Instant::now();
        while !ended() && began.elapsed() < LONG {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(ended(), "process {child} is left: {}", stat());
    }
}
