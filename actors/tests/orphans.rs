//! The processes of a tree whose program is killed (SIGKILL): nobody is left to end them.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mycelium::tree::ProcessSpec;
use mycelium::{MessageBus, Supervisor};

/// Tells the program to play the part of the one that is killed, and where its processes write their numbers.
const DIRECTORY: &str = "MYCELIUM_ORPHANS_DIRECTORY";

/// Not a test of its own: the program that is killed.
#[test]
fn part() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let shell = |script: &str| ProcessSpec::new("/bin/sh").args(["-c", script]).cwd(&directory);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let root = Supervisor::builder("root")
            .process("quiet", shell("echo $$ > quiet; while :; do sleep 0.01; done"))
            .process("talks", shell("echo $$ > talks; while :; do echo tick; sleep 0.01; done"));
        let _tree = root.start(&MessageBus::new()).await.unwrap();
        std::future::pending::<()>().await;
    });
}

/// Waits until this gives something: a machine has a minute, so that a fault is told.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("waited in vain for {what}");
}

/// The number that a process has written into this file.
fn number_in(file: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(file).ok()?;
    text.strip_suffix('\n')?.trim().parse().ok()
}

/// The program and its processes, which end with the test whatever comes of that.
struct Cleared {
    program: Child,
    directory: PathBuf,
}

impl Drop for Cleared {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        let numbers = ["quiet", "talks"].iter().filter_map(|name| number_in(&self.directory.join(name)));
        numbers.filter(|number| runs(*number)).for_each(kill_group);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn kill_group(number: u32) {
    let kill =
        Command::new("kill").args(["-KILL", "--", &format!("-{number}")]).stderr(Stdio::null()).status();
    // A group that has ended is not there any more.
    drop(kill);
}

/// Whether this process runs: it may be a zombie that nobody reaps in this container.
fn runs(number: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_quiet_process_outlives_a_program_that_is_killed_and_one_that_writes_does_not() {
    let directory = std::env::temp_dir().join(format!("mycelium-orphans-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "part", "--nocapture"]).env(DIRECTORY, &directory).stdout(Stdio::null());
    let mut cleared = Cleared { program: program.spawn().unwrap(), directory };
    let number = |name| {
        let file = cleared.directory.join(name);
        wait_for(name, || number_in(&file))
    };
    let (quiet, talks) = (number("quiet"), number("talks"));
    assert!(runs(quiet) && runs(talks));
    cleared.program.kill().unwrap();
    cleared.program.wait().unwrap();
    wait_for("the end of the process that writes", || (!runs(talks)).then_some(()));
    assert!(runs(quiet), "it leads a group of its own, and nobody ends it");
    kill_group(quiet);
    wait_for("the end of the quiet process", || (!runs(quiet)).then_some(()));
}
