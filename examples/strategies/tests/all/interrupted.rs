//! Sweeps that Ctrl-C ends or that are killed, and that go on.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use backtest::program::Sheet;

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
fn interrupted(cut: &Path, flags: &[&str]) -> (serde_json::Value, String) {
    let _ = std::fs::remove_file(cut.join("results.partial.csv"));
    let mut running = sweep(cut);
    let running = running.args(flags).args(["--threads", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
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
    let begun = || {
        let _ = std::fs::remove_dir_all(&cut);
        interrupted(&cut, &[])
    };
    let (stopped, words) = std::iter::repeat_with(begun)
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

/// A sweep of another search, or one that begins anew, may have been started by mistake.
#[test]
fn ctrl_c_replaces_no_results_by_less() {
    let folder = std::env::temp_dir().join(format!("mistaken-{}", std::process::id()));
    let files = ["results.csv", "report.html"].map(|name| folder.join(name));
    let read = || files.each_ref().map(|file| std::fs::read(file).expect("it was written"));
    for flags in [&["--cash", "5000"][..], &["--fresh"]] {
        // On a busy machine a sweep may be over before the signal comes, and has replaced what was there.
        let begun = || {
            let whole = digest(&sweep(&folder).arg("--fresh").output().expect("it runs"));
            assert_eq!(whole["rows"], 400);
            (read(), interrupted(&folder, flags).0)
        };
        let (before, stopped) = std::iter::repeat_with(begun)
            .take(20)
            .find(|(_, stopped)| stopped["rows"] != 400)
            .expect("one of them is interrupted in its middle");
        assert!(read() == before, "{flags:?}: {} rows", stopped["rows"]);
        assert_eq!(rows(&folder.join("results.partial.csv")) as u64, stopped["rows"]);
        std::fs::remove_file(folder.join("results.partial.csv")).expect("it was there");
    }
    std::fs::remove_dir_all(folder).expect("what the test has made");
}

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum Instant {
    /// So many microseconds after its start.
    After(u64),
    /// When so many rows are there that were not there before.
    Rows(usize),
    /// When its results are written, and it has not ended.
    Written,
}

/// Rows of a sweep. Whenever it is looked at, what is there can be read but for a last line that is
/// being written.
fn rows(partial: &Path) -> usize {
    let text = std::fs::read_to_string(partial).unwrap_or_default();
    // An empty file is that of a process which was killed before its first byte.
    if text.is_empty() { 0 } else { Sheet::parse(&text, true).expect("no torn file").rows.len() }
}

/// Starts a sweep and kills it. Returns whether it was over before.
fn killed(command: &mut Command, at: Instant, (partial, results): (&Path, &Path)) -> bool {
    let before = rows(partial);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut is_over = false;
    if let Instant::After(us) = at {
        std::thread::sleep(Duration::from_micros(us));
    }
    let waits = |at| match at {
        Instant::After(_) => false,
        Instant::Rows(more) => rows(partial) < before + more,
        Instant::Written => !results.exists(),
    };
    while !is_over && waits(at) {
        std::thread::sleep(Duration::from_micros(200));
        is_over = running.try_wait().expect("its end is known").is_some();
    }
    // Nothing is left of it that could tidy up.
    running.kill().expect("SIGKILL");
    let ended = running.wait().expect("its end is known");
    ended.success()
}

#[test]
fn a_sweep_that_is_killed_at_any_instant_goes_on_to_the_same_digest() {
    let folder = std::env::temp_dir().join(format!("killed-{}", std::process::id()));
    let (whole, cut, merged) = (folder.join("whole"), folder.join("cut"), folder.join("merged"));
    let expected = digest(&sweep(&whole).output().expect("it runs"));
    let instants = [
        [Instant::After(0), Instant::Rows(1), Instant::After(3_000), Instant::Rows(40), Instant::Written],
        [Instant::Rows(0), Instant::After(20_000), Instant::Rows(17), Instant::Rows(5), Instant::Written],
        [
            Instant::After(700),
            Instant::Rows(60),
            Instant::After(9_000),
            Instant::Rows(60),
            Instant::After(90),
        ],
        [Instant::After(50_000), Instant::Rows(3), Instant::Rows(2), Instant::Rows(90), Instant::Written],
    ];
    let (mut parts, mut kills) = (Vec::new(), 0);
    for (part, instants) in instants.iter().enumerate() {
        let name = if part == 0 { "results".to_owned() } else { format!("results-{part}-of-3") };
        let of = |ending: &str| cut.join(format!("{name}{ending}"));
        let (partial, results) = (of(".partial.csv"), of(".csv"));
        let shard = format!("{part}/3");
        let flags = if part == 0 { Vec::new() } else { vec!["--shard", &shard] };
        for (number, at) in instants.iter().enumerate() {
            let before = rows(&partial);
            let mut command = sweep(&cut);
            let is_over = killed(command.args(&flags), *at, (&partial, &results));
            kills += usize::from(!is_over);
            if is_over {
                break;
            }
            // Once the results are whole, the rows have gone.
            let kept = if partial.exists() { rows(&partial) } else { rows(&results) };
            assert!(kept >= before, "{name}, kill {number} at {at:?}: {kept} of {before} rows");
        }
        let finished = digest(&sweep(&cut).args(&flags).output().expect("it runs"));
        assert_eq!(finished["missing"], 0, "{finished}");
        assert!(!partial.exists());
        if part == 0 {
            assert_eq!(finished["digest"], expected["digest"]);
        } else {
            parts.push(results);
        }
    }
    assert!(kills > 4, "{kills} of 20 sweeps were killed before their end");
    let mut merge = program();
    merge.arg("merge").args(&parts).arg("--out").arg(&merged).arg("--json");
    assert_eq!(digest(&merge.output().expect("it runs"))["digest"], expected["digest"]);
    let bytes = |folder: &Path| std::fs::read(folder.join("results.csv")).expect("it was written");
    assert!(bytes(&merged) == bytes(&whole) && bytes(&cut) == bytes(&whole));
    std::fs::remove_dir_all(folder).expect("what the test has made");
}
