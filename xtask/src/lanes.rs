//! How the steps of a task are run: one after the other, and beside these a lane of steps that only compute.
//!
//! The programs of the step `test` wait more than they compute, so they leave half of the processors to
//! others. Steps of the lane are niced, so that they take no more than is left over. They write to files,
//! which are shown at the end, so that no two steps write at once.
//!
//! A step that writes nothing for long is ended, except where somebody sits at a terminal: they see it
//! themselves, and may have stopped a test on purpose.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::silence;
use crate::step::{Failure, Step};

/// A step that has run.
struct Done {
    name: &'static str,
    time: Duration,
    result: Result<(), Failure>,
    /// Where its output is, if it was not shown.
    log: Option<PathBuf>,
}

/// Runs `steps` in order up to the first failure, then prints how long each took. A step that may run beside
/// others does so if there are others behind it.
pub(crate) fn run_all(root: &Path, steps: &[Step]) -> Result<(), Failure> {
    let (begin, failed, total) = (Instant::now(), AtomicBool::new(false), steps.len());
    let last = steps.iter().rposition(|step| !step.is_beside()).unwrap_or(0);
    let (mut done, lane) = thread::scope(|scope| {
        let (to_lane, of_lane) = channel();
        let failed = &failed;
        let lane = scope.spawn(move || run_lane(root, &of_lane, failed));
        let mut done = Vec::with_capacity(total);
        for (index, step) in steps.iter().enumerate() {
            if failed.load(Ordering::SeqCst) {
                break;
            }
            let beside = step.is_beside() && index < last;
            let how = if beside { ", beside those behind it" } else { "" };
            println!("\n==> [{}/{total}] {}{how}: {}", index + 1, step.name, step.command_line());
            if beside {
                // The lane takes all until this end is dropped.
                let _ = to_lane.send((index, step));
                continue;
            }
            let start = Instant::now();
            let result = match io::stdout().is_terminal() && io::stderr().is_terminal() {
                true => step.run(root),
                false => step.run_within(root, silence::LIMIT),
            };
            println!("==> {} {} after {}", step.name, verdict(&result), seconds(start.elapsed()));
            failed.fetch_or(result.is_err(), Ordering::SeqCst);
            done.push(Done { name: step.name, time: start.elapsed(), result, log: None });
        }
        drop(to_lane);
        (done, lane.join().unwrap_or_default())
    });
    for step in &lane {
        let text = step.log.as_ref().map(fs::read).and_then(Result::ok).unwrap_or_default();
        println!("\n==> {}, which ran beside others:\n{}", step.name, String::from_utf8_lossy(&text));
    }
    done.extend(lane);
    if total > 1 {
        print_summary(&done, steps, begin.elapsed());
    }
    let failures: Vec<String> =
        done.iter().filter_map(|done| done.result.as_ref().err()).map(ToString::to_string).collect();
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n\n"))) }
}

/// Runs what comes, one after the other, until one has failed.
fn run_lane(root: &Path, steps: &Receiver<(usize, &Step)>, failed: &AtomicBool) -> Vec<Done> {
    let mut done = Vec::new();
    for (index, step) in steps {
        if failed.load(Ordering::SeqCst) {
            break;
        }
        let (log, start) =
            (root.join(format!("target/beside/{}-{}.log", index + 1, step.name)), Instant::now());
        let result = run_to(root, step, &log);
        println!("==> {} {} after {}, beside others", step.name, verdict(&result), seconds(start.elapsed()));
        failed.fetch_or(result.is_err(), Ordering::SeqCst);
        done.push(Done { name: step.name, time: start.elapsed(), result, log: Some(log) });
    }
    done
}

fn run_to(root: &Path, step: &Step, log: &Path) -> Result<(), Failure> {
    let made = log.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(log, ""));
    made.map_err(|error| {
        Failure::new(format!("FAILED: {}: {} cannot be written: {error}", step.name, log.display()))
    })?;
    step.run_niced(root, log, silence::LIMIT_BESIDE)
}

fn print_summary(done: &[Done], steps: &[Step], total: Duration) {
    println!("\n{:<12} {:>9}  result", "step", "time");
    for step in done {
        let beside = if step.log.is_some() { ", beside others" } else { "" };
        println!("{:<12} {:>9}  {}{beside}", step.name, seconds(step.time), verdict(&step.result));
    }
    for step in steps.iter().filter(|step| !done.iter().any(|done| done.name == step.name)) {
        println!("{:<12} {:>9}  not reached", step.name, "");
    }
    println!("{:<12} {:>9}", "total", seconds(total));
}

fn verdict(result: &Result<(), Failure>) -> &'static str {
    if result.is_ok() { "ok" } else { "FAILED" }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &'static str, script: &str) -> Step {
        Step::program(name, "sh", "-c").args(&[script.to_owned()])
    }

    /// An empty folder for the logs of one test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_failing_step_stops_the_run_and_says_how_to_repeat_it() {
        let steps = vec![
            Step::program("first", "true", ""),
            Step::program("second", "false", "--flag").env("A", "b c"),
            Step::program("third", "true", ""),
        ];
        let failure = run_all(Path::new("."), &steps).unwrap_err().to_string();
        assert!(failure.contains("FAILED: second"), "{failure}");
        assert!(failure.ends_with("A='b c' false --flag"), "{failure}");
    }

    #[test]
    fn steps_run_beside_those_behind_them() {
        let root = folder("beside");
        // Each needs what the other one does.
        let waits_for = |file: &str, made: &str| {
            format!("touch {made}; for i in $(seq 600); do [ -e {file} ] && exit 0; sleep 0.1; done; exit 1")
        };
        let steps = vec![
            shell("beside", &waits_for("main", "lane")).beside(),
            shell("main", &waits_for("lane", "main")),
        ];
        assert!(run_all(&root, &steps).is_ok());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_failure_beside_others_fails_the_run_and_its_output_is_kept() {
        let root = folder("failure");
        let steps = vec![
            shell("beside", "echo what; echo went wrong >&2; exit 3").beside(),
            shell(
                "main",
                "for i in $(seq 600); do [ -s target/beside/1-beside.log ] && exit 0; sleep 0.1; done",
            ),
        ];
        let failure = run_all(&root, &steps).unwrap_err().to_string();
        assert!(failure.contains("FAILED: beside"), "{failure}");
        let log = fs::read_to_string(root.join("target/beside/1-beside.log")).unwrap();
        assert_eq!(log, "what\nwent wrong\n");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn nothing_is_beside_others_where_nothing_follows() {
        let root = folder("alone");
        let steps = vec![shell("main", "true"), shell("alone", "true").beside()];
        assert!(run_all(&root, &steps).is_ok());
        assert!(!root.join("target").exists(), "its output went straight through");
        fs::remove_dir_all(root).unwrap();
    }
}
