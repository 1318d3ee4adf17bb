//! The processes of a tree whose program is killed (SIGKILL): nobody is left to end them.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

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

/// The number that a process has written into this file.
fn number_in(file: &Path) -> u32 {
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.ends_with('\n') {
            return text.trim().parse().unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
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
    let mut program = program.spawn().unwrap();
    let (quiet, talks) = (number_in(&directory.join("quiet")), number_in(&directory.join("talks")));
    assert!(runs(quiet) && runs(talks));
    program.kill().unwrap();
    program.wait().unwrap();
    while runs(talks) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(runs(quiet), "it leads a group of its own, and nobody ends it");
    let group = format!("-{quiet}");
    assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
    while runs(quiet) {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::fs::remove_dir_all(directory).unwrap();
}
