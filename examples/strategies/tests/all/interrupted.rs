//! A sweep that Ctrl-C ends, and that goes on.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The program, on which SIGINT has its default effect: a shell's `&` starts the tests with it ignored, which
/// children inherit. The `env` of coreutils 8.31 can set it; with another one (busybox, macOS), have the
/// tests in the foreground.
fn program() -> Command {
    let program = env!("CARGO_BIN_EXE_sma-cross");
    let resets = ["--default-signal=INT", "true"];
    if !Command::new("env").args(resets).output().is_ok_and(|told| told.status.success()) {
        return Command::new(program);
    }
    let mut command = Command::new("env");
    command.args([resets[0], program]);
    command
}

/// A sweep over the GOOG bars.
fn sweep(out: &Path) -> Command {
    let stocks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backtest/data/stocks.csv");
    let mut command = program();
    command.args(["sweep", "--symbol", "GOOG", "--fast", "5..=24", "--slow", "30..=49", "--json"]);
    command.arg("--data").arg(stocks).arg("--out").arg(out);
    command
}

fn digest(output: &std::process::Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON and nothing else")
}

/// What a sweep says that has had Ctrl-C after some rows.
fn interrupted(cut: &Path) -> (serde_json::Value, String) {
    let _ = std::fs::remove_dir_all(cut);
    let mut running = sweep(cut);
    let running = running.args(["--threads", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = running.spawn().expect("it runs");
    let partial = cut.join("results.partial.csv");
    // The lines above them say what is searched.
    let is_row = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let rows = || std::fs::read_to_string(&partial).map_or(0, |text| text.lines().filter(is_row).count());
    let mut is_over = false;
    while rows() < 10 && !is_over {
        std::thread::sleep(Duration::from_millis(1));
        is_over = running.try_wait().expect("its end is known").is_some();
    }
    if !is_over {
        let kill = Command::new("kill").args(["-INT", &running.id().to_string()]).status();
        assert!(kill.expect("kill").success());
    }
    let ended = running.wait_with_output().expect("it ends");
    (digest(&ended), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn ctrl_c_keeps_what_is_done_and_the_same_command_goes_on() {
    let folder = std::env::temp_dir().join(format!("interrupted-{}", std::process::id()));
    let (whole, cut) = (folder.join("whole"), folder.join("cut"));
    let expected = digest(&sweep(&whole).output().expect("it runs"));
    assert_eq!(expected["rows"], 400);

    // On a busy machine a sweep may be over before the signal comes: that one showed nothing.
    let (stopped, words) = std::iter::repeat_with(|| interrupted(&cut))
        .take(20)
        .find(|(stopped, _)| stopped["rows"] != 400)
        .expect("one of them is interrupted in its middle");
    let partial = cut.join("results.partial.csv");
    let done = stopped["rows"].as_u64().expect("a number");
    assert!((10..400).contains(&done), "{done} rows: {words}");
    assert!(words.contains("Interrupted: ") && words.contains(" of 400 points were run"), "{words}");
    assert!(cut.join("report.html").exists() && partial.exists());

    let resumed = sweep(&cut).output().expect("it runs");
    let words = String::from_utf8_lossy(&resumed.stderr).into_owned();
    assert!(words.contains(&format!("goes on after {done} of 400 points")), "{words}");
    let resumed = digest(&resumed);
    assert_eq!((&resumed["digest"], &resumed["rows"]), (&expected["digest"], &expected["rows"]));
    assert!(!partial.exists());
    std::fs::remove_dir_all(folder).expect("what the test has made");
}
