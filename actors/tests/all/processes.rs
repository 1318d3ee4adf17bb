//! Operating-system processes under a live supervisor.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::{Heard, PERIOD};
use mycelium::tree::{Child, ExitReason, Notice, ProcessSpec, Restart, Shutdown};
use mycelium::{MessageBus, Supervisor};

fn shell(script: &str) -> ProcessSpec {
    ProcessSpec::new("/bin/sh").args(["-c", script])
}

fn scratch(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("mycelium-tree-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// The number that the script wrote into this file.
async fn pid_in(file: &Path) -> u32 {
    loop {
        if let Ok(text) = std::fs::read_to_string(file)
            && text.ends_with('\n')
        {
            return text.trim().parse().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until no process of this number exists, not even as a zombie that we should have reaped.
async fn gone(pid: u32) {
    while let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        let ours = format!(" {} ", std::process::id());
        let zombie_of_another = stat.contains(") Z ") && !stat.contains(&ours);
        if zombie_of_another {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_killed_with_what_it_forked() {
    let (bus, directory) = (MessageBus::new(), scratch("stubborn"));
    let script = "trap '' TERM; sleep 1000 & echo $! > forked; echo $$ > leader; while :; do wait; done";
    let stubborn = Child::process("stubborn", shell(script).cwd(&directory));
    let stubborn = stubborn.shutdown(Shutdown::Timeout(Duration::from_millis(50)));
    let tree = Supervisor::builder("root").child(stubborn).start(&bus).await.unwrap();
    let (leader, forked) = (pid_in(&directory.join("leader")).await, pid_in(&directory.join("forked")).await);
    let error = tree.shutdown().await.unwrap_err();
    assert_eq!(error.missed, ["root/stubborn".into()]);
    gone(leader).await;
    gone(forked).await;
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn a_polite_process_ends_by_sigterm() {
    let (bus, directory) = (MessageBus::new(), scratch("polite"));
    let script = "trap 'echo bye > last; exit 0' TERM; echo $$ > leader; while :; do sleep 0.01; done";
    let polite = Child::process("polite", shell(script).cwd(&directory));
    let tree = Supervisor::builder("root").child(polite).start(&bus).await.unwrap();
    let leader = pid_in(&directory.join("leader")).await;
    tree.shutdown().await.unwrap();
    assert_eq!(std::fs::read_to_string(directory.join("last")).unwrap(), "bye\n");
    gone(leader).await;
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn the_observer_hears_how_a_process_ends_that_was_told_to() {
    for (end, expected) in
        [("exit 0", ""), ("exit 143", ""), ("trap - TERM; kill -TERM $$", ""), ("exit 3", "exit status: 3")]
    {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let seen = log.clone();
        let script = format!("trap '{end}' TERM; echo up; while :; do sleep 0.01; done");
        let root = Supervisor::builder("root").process("told", shell(&script).ready_line("up"));
        let root = root.on_event(move |_, notice| {
            if let Notice::Stopped { reason, killed: false, .. } = notice
                && reason.is_abnormal()
            {
                seen.add(reason.to_string());
            }
        });
        let tree = root.start(&bus).await.unwrap();
        tree.shutdown().await.unwrap();
        let words = log.words();
        assert_eq!(words.is_empty(), expected.is_empty(), "{end}: {words:?}");
        assert!(words.iter().all(|word| word.ends_with(expected)), "{end}: {words:?}");
    }
}

#[tokio::test]
async fn a_process_that_exits_at_once_is_restarted_until_the_intensity_is_reached() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let seen = log.clone();
    let root = Supervisor::builder("root").intensity(3, PERIOD).process("failing", shell("exit 7"));
    let root = root.on_event(move |_, notice| {
        if let Notice::Exited { reason, .. } = notice {
            seen.add(reason.to_string());
        }
    });
    let tree = root.start(&bus).await.unwrap();
    assert_eq!(tree.ended().await, ExitReason::Shutdown);
    let exits = log.words();
    assert!(exits.len() == 4 && exits.iter().all(|reason| reason.contains('7')), "{exits:?}");
}

#[tokio::test]
async fn a_flood_of_output_blocks_nobody() {
    let (bus, directory) = (MessageBus::new(), scratch("flood"));
    let script = "head -c 3000000 /dev/zero; yes | head -n 100000; echo done > \"$END\"";
    let end = directory.join("end");
    let flood = shell(script).env("END", end.to_str().unwrap());
    let flood = Child::process("flood", flood).restart(Restart::Temporary);
    let tree = Supervisor::builder("root").child(flood).start(&bus).await.unwrap();
    while !end.exists() && tree.count_children("root").await.unwrap().active > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tree.shutdown().await.unwrap();
    assert!(end.exists(), "it could write all its output");
    std::fs::remove_dir_all(directory).unwrap();
}

/// Whatever a child writes, it takes a bounded piece of memory, and the other tasks of the thread go on.
#[tokio::test]
async fn a_gigabyte_of_output_takes_no_memory_and_keeps_nobody_waiting() {
    let (bus, directory) = (MessageBus::new(), scratch("gigabyte"));
    let end = directory.join("end");
    // A line without an end, and short ones.
    let script = "head -c 1000000000 /dev/zero; yes 'a line of a few words, as a log has them' | head -c 24000000; echo done > \"$END\"";
    let flood =
        Child::process("flood", shell(script).env("END", end.to_str().unwrap())).restart(Restart::Temporary);
    let before = resident_kib();
    let tree = Supervisor::builder("root").child(flood).start(&bus).await.unwrap();
    let (mut looks, mut most) = (0_u32, before);
    while tree.count_children("root").await.unwrap().active > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        looks += 1;
        most = most.max(resident_kib());
    }
    assert!(end.exists(), "it could write all its output");
    assert!(looks > 100, "others ran {looks} times meanwhile");
    // Other tests of this process take memory meanwhile, but no gigabyte: the first backtrace reads what the
    // compiler knows of this program, a third of one.
    assert!(most < before + 640 * 1024, "{before} KiB before, {most} KiB at most");
    tree.shutdown().await.unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}

/// What of this process is in memory; 0 where the system does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
