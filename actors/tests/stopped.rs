//! A process that is stopped (SIGSTOP) while those who were killed are on their way out.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Result};

/// Longer than a killed actor may take.
const STOPPED: Duration = Duration::from_millis(1_500);

/// How often it is continued before it is taken to hang.
const ROUNDS_MAX: u32 = 40;

/// What the process is told by that is stopped.
const INNER: &str = "MYCELIUM_STOPPED";

static ENDS: AtomicBool = AtomicBool::new(false);

struct Busy;
impl Actor for Busy {
    type Error = BoxError;
}

/// Keeps its thread for a quarter of a second of the shutdown, in which it stops the process.
struct Work;
impl Handler<Work> for Busy {
    async fn handle(&mut self, _: &Work, _: &mut Context<Self>) -> Result<(), BoxError> {
        while !ENDS.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(100));
        println!("\nstops");
        Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status()?;
        std::thread::sleep(Duration::from_millis(100));
        Ok(())
    }
}

#[tokio::main(worker_threads = 2)]
async fn is_stopped() {
    let bus = MessageBus::new();
    let busy = bus.spawn(Busy).unwrap();
    busy.tell(Work).await.unwrap();
    // It is in its handler, or is killed before.
    tokio::time::sleep(Duration::from_millis(50)).await;
    ENDS.store(true, Ordering::SeqCst);
    let error = bus.shutdown_within(Duration::ZERO).await.unwrap_err();
    println!("\ngone: {}", error.missed.iter().all(|missed| missed.killed));
}

#[test]
fn a_stopped_process_gives_up_nobody_who_is_on_its_way_out() {
    if std::env::var_os(INNER).is_some() {
        return is_stopped();
    }
    let name = "a_stopped_process_gives_up_nobody_who_is_on_its_way_out";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture"]).env(INNER, "1").stdout(Stdio::piped());
    let mut inner = command.spawn().unwrap();
    let mut lines = BufReader::new(inner.stdout.take().unwrap()).lines().map_while(std::io::Result::ok);
    let stops = lines.by_ref().any(|line| line == "stops");
    let rest = std::thread::spawn(move || lines.collect::<Vec<_>>());
    // It may be stopped late.
    let ended = (0..ROUNDS_MAX).find(|_| {
        std::thread::sleep(STOPPED);
        let _ = Command::new("kill").args(["-CONT", &inner.id().to_string()]).status();
        inner.try_wait().unwrap().is_some()
    });
    if ended.is_none() {
        let _ = (inner.kill(), inner.wait());
    }
    assert!(ended.is_some(), "it hangs");
    let rest = rest.join().unwrap();
    assert!(stops && rest.contains(&"gone: true".to_owned()), "{rest:?}");
}
