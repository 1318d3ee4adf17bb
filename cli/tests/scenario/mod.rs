//! Scenarios as files, and what `mycelium tree simulate` makes of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) fn event(at_ms: u32, rest: &str) -> String {
    format!("[[events]]\nat_ms = {at_ms}\n{rest}\n")
}

pub(crate) fn exit(at_ms: u32, child: &str, exit: &str) -> String {
    event(at_ms, &format!("child = \"{child}\"\nexit = \"{exit}\""))
}

pub(crate) fn call(at_ms: u32, call: &str, target: &str) -> String {
    event(at_ms, &format!("call = \"{call}\"\ntarget = \"{target}\""))
}

pub(crate) fn file(text: &(impl AsRef<[u8]> + ?Sized)) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("scenario-{}-{}.toml", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the scenario can be written");
    path
}

pub(crate) fn simulate(text: &(impl AsRef<[u8]> + ?Sized), options: &[&str]) -> Output {
    let path = file(text);
    let output = Command::new(env!("CARGO_BIN_EXE_mycelium"))
        .args(["tree", "simulate"])
        .arg(&path)
        .args(options)
        .output()
        .expect("mycelium runs");
    let _ = std::fs::remove_file(path);
    output
}

/// The JSON lines of a scenario, in short: `at event path rest`.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let output = simulate(text, &["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("JSON is text");
    text.lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
            let keys = ["at_ms", "event", "child", "call", "target", "reason", "backoff_ms", "result"];
            let present = keys.iter().filter_map(|key| value.get(key));
            let words = present.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            words.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

pub(crate) fn check(text: &str, expect: &[&str]) {
    assert_eq!(lines(text), expect);
}

/// The mistake in a scenario: line number and a part of the cause. Gives what was said.
pub(crate) fn refused(text: &(impl AsRef<[u8]> + ?Sized), line: usize, cause: &str) -> String {
    let output = simulate(text, &[]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(output.stdout.is_empty(), "nothing is simulated");
    assert!(message.contains(&format!("line {line}, ")) && message.contains(cause), "{message}");
    message
}
