//! Ctrl-C as a process gets it: each test runs this very program again and sends it SIGINT.
#![cfg(all(unix, feature = "ctrl-c"))]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium::sweep::{CtrlCError, StopFlag, Sweep, Trial};
use mycelium::{BoxError, Service, ServiceContext};

/// Tells the program which part to play.
const PART: &str = "MYCELIUM_CTRL_C_PART";

/// Not a test of its own: what the processes that are sent the signal do.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let stop = StopFlag::new();
    stop.stop_on_ctrl_c().unwrap();
    if part == "ignored" {
        println!("\nready");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return println!("\nstopped {}", stop.is_stopped());
    }
    assert_eq!(StopFlag::new().stop_on_ctrl_c(), Err(CtrlCError::HandlerExists));
    if part == "idle" {
        wait_for_ever("ready");
    }
    if part == "load" {
        return under_load(&stop);
    }
    let report = Sweep::new(0..100u32).threads(1).chunk(1).stop(&stop).run(|n, _| {
        if *n == 3 {
            println!("\nready");
            while !stop.is_stopped() {
                std::thread::yield_now();
            }
            if part == "stubborn" {
                wait_for_ever("stopping");
            }
        }
        Ok(*n)
    });
    let report = report.unwrap();
    println!("\ncancelled {} with {} results", report.cancelled, report.results.len());
}

/// Beats for ever, without a pause in real time.
struct Heart;

impl Service for Heart {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loop {
            ctx.sleep(Duration::from_millis(1)).await;
        }
    }
}

/// More threads than cores; on each an isolate that would never end, once ten instances have their results.
fn under_load(stop: &StopFlag) {
    let busy = AtomicU32::new(0);
    let report = Sweep::new(0..100u32).threads(8).chunk(1).stop(stop).run(|n, trial: &Trial| {
        let mut isolate = trial.isolate();
        isolate.limit_events(u64::MAX);
        if *n >= 10 {
            isolate.spawn_service(Heart)?;
            if busy.fetch_add(1, Ordering::Relaxed) == 7 {
                println!("\nready");
            }
        }
        isolate.run()?;
        Ok(*n)
    });
    let report = report.unwrap();
    println!(
        "\ncancelled {} with {} results, {} failed",
        report.cancelled,
        report.results.len(),
        report.failed
    );
}

fn wait_for_ever(word: &str) -> ! {
    println!("\n{word}");
    loop {
        std::thread::park();
    }
}

/// Ends the process with the test, however that ends.
struct Player(Child);

impl Drop for Player {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// This program, on which SIGINT has its default effect: a shell's `&` starts the tests with it ignored,
/// which children inherit.
fn program() -> Command {
    let this = std::env::current_exe().unwrap();
    if !cfg!(target_os = "linux") {
        return Command::new(this);
    }
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(this);
    command
}

fn play(part: &str) -> (Player, BufReader<ChildStdout>) {
    let mut child = program()
        .args(["--exact", "part", "--nocapture"])
        .env(PART, part)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (Player(child), out)
}

/// Reads until a line that begins with `word`.
fn read_to(out: &mut impl BufRead, word: &str) -> String {
    out.lines().map(Result::unwrap).find(|line| line.starts_with(word)).unwrap()
}

fn interrupt(child: &Player) {
    let sent = Command::new("kill").args(["-INT", &child.0.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn the_first_one_finishes_the_instance_in_hand_and_keeps_the_results() {
    let (mut child, mut out) = play("sweep");
    read_to(&mut out, "ready");
    interrupt(&child);
    assert_eq!(read_to(&mut out, "cancelled"), "cancelled true with 4 results");
    assert!(child.0.wait().unwrap().success());
}

#[test]
fn under_load_it_ends_isolates_that_would_never_end_and_keeps_the_results() {
    let (mut child, mut out) = play("load");
    read_to(&mut out, "ready");
    interrupt(&child);
    assert_eq!(read_to(&mut out, "cancelled"), "cancelled true with 10 results, 0 failed");
    assert!(child.0.wait().unwrap().success());
}

#[test]
fn the_second_one_ends_the_process() {
    let (mut child, mut out) = play("stubborn");
    read_to(&mut out, "ready");
    interrupt(&child);
    read_to(&mut out, "stopping");
    interrupt(&child);
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
}

#[test]
fn one_while_no_sweep_runs_ends_the_process() {
    let (mut child, mut out) = play("idle");
    read_to(&mut out, "ready");
    interrupt(&child);
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
}

/// As the `&` of a script starts it.
#[cfg(target_os = "linux")]
#[test]
fn a_process_that_was_started_with_the_signal_ignored_goes_on_ignoring_it() {
    let mut child = Command::new("env")
        .arg("--ignore-signal=INT")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "part", "--nocapture"])
        .env(PART, "ignored")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Player)
        .unwrap();
    let mut out = BufReader::new(child.0.stdout.take().unwrap());
    read_to(&mut out, "ready");
    interrupt(&child);
    // It reads on once its input has ended.
    drop(child.0.stdin.take());
    assert_eq!(read_to(&mut out, "stopped"), "stopped false");
    assert!(child.0.wait().unwrap().success());
}
