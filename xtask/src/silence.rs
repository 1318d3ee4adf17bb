//! What becomes of a step that hangs: one that writes nothing for longer than anything takes is ended with
//! all its processes, and it is said what these did. Else nobody would know before the machine's own limit
//! ends everything without a word.

use std::fmt::Write as _;
use std::io::{self, PipeReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// For how long a step may write nothing. The longest silence is that of the last crates of tests, which are
/// compiled side by side: ten minutes on two processors that other programs use, too.
pub(crate) const LIMIT: Duration = Duration::from_secs(30 * 60);
/// The same for one of the lowest priority: it may get nothing while those before it compute.
pub(crate) const LIMIT_BESIDE: Duration = Duration::from_secs(50 * 60);

/// How often the output is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// What counts of the time between two looks: a machine that stood still has kept its steps from writing.
const COUNTED_MAX: Duration = Duration::from_secs(1);
/// How long the rest of the output is waited for, which a process that was left behind may keep open.
const REST: Duration = Duration::from_secs(10);
/// How often new processes are looked for while those that are there are stopped.
const ROUNDS_MAX: usize = 100;
/// How much of a line is kept to be told.
const LINE_MAX: usize = 300;
/// How many processes and how many threads of each are told.
const TOLD_MAX: usize = 20;

/// How a step has ended.
pub(crate) enum End {
    /// By itself.
    Own(ExitStatus),
    /// It was silent and was ended; what is known of it.
    Silent(String),
}

/// Runs `command` with both its outputs going to this process's, in the order in which they are written.
pub(crate) fn run_shown(mut command: Command, limit: Duration) -> io::Result<End> {
    let (reader, writer) = io::pipe()?;
    let child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // It has the ends of the pipe that are written to; the output would never be at its end.
    drop(command);
    let shown = Arc::new(Shown::default());
    let (done, is_done) = channel::<()>();
    let shows = Arc::clone(&shown);
    thread::spawn(move || {
        shows.all_of(reader);
        drop(done);
    });
    let end = watch(child, limit, || shown.written(), || shown.said())?;
    let _ = is_done.recv_timeout(REST);
    Ok(end)
}

/// Runs `command`, which writes to the file at `log`.
pub(crate) fn run_logged(mut command: Command, log: &Path, limit: Duration) -> io::Result<End> {
    let child = command.spawn()?;
    let said = || {
        let mut said = Said::default();
        String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).lines().for_each(|line| said.line(line));
        said.to_string()
    };
    watch(child, limit, || fs::metadata(log).map(|file| file.len()).ok(), said)
}

/// Waits until the child has ended, or `written` has been the same for too long: `None` is not silent.
fn watch(
    mut child: Child,
    limit: Duration,
    written: impl Fn() -> Option<u64>,
    said: impl Fn() -> String,
) -> io::Result<End> {
    let (mut before, mut looked, mut silent) = (None, Instant::now(), Duration::ZERO);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(End::Own(status));
        }
        let now = written();
        silent = if now.is_none() || now != before { Duration::ZERO } else { silent };
        if silent >= limit {
            let running = end_all(child.id());
            // Where processes cannot be listed, it ends alone.
            let _ = child.kill();
            child.wait()?;
            return Ok(End::Silent(format!("{}{running}", said())));
        }
        before = now;
        thread::sleep(LOOK);
        silent += looked.elapsed().min(COUNTED_MAX);
        looked = Instant::now();
    }
}

/// What was shown of an output.
#[derive(Default)]
struct Shown {
    bytes: AtomicU64,
    /// Whether it is about to be shown: whoever reads it may take their time.
    shows: AtomicBool,
    said: Mutex<Said>,
}

impl Shown {
    fn all_of(&self, mut reader: PipeReader) {
        let (mut buffer, mut line) = ([0; 8192], Vec::new());
        while let Ok(read @ 1..) = reader.read(&mut buffer) {
            self.shows.store(true, Ordering::SeqCst);
            // Whoever does not listen any more keeps no step from going on.
            let mut out = io::stdout().lock();
            let _ = out.write_all(&buffer[..read]).and_then(|()| out.flush());
            drop(out);
            self.bytes.fetch_add(read as u64, Ordering::SeqCst);
            self.shows.store(false, Ordering::SeqCst);
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            for byte in &buffer[..read] {
                if *byte == b'\n' {
                    said.line(&String::from_utf8_lossy(&line));
                    line.clear();
                } else if line.len() < LINE_MAX {
                    line.push(*byte);
                }
            }
        }
    }

    fn written(&self) -> Option<u64> {
        (!self.shows.load(Ordering::SeqCst)).then(|| self.bytes.load(Ordering::SeqCst))
    }

    fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).to_string()
    }
}

/// What cargo and its tests have said of where they are.
#[derive(Default)]
struct Said {
    /// The line of cargo that names the tests which run.
    program: String,
    /// Tests that were said to run for long and of whose end nothing was said.
    slow: Vec<String>,
    last: String,
}

impl Said {
    fn line(&mut self, line: &str) {
        let text = line.trim();
        if text.is_empty() {
            return;
        }
        self.last = text.chars().take(LINE_MAX).collect();
        if text.starts_with("Running ") || text.starts_with("Doc-tests ") {
            text.clone_into(&mut self.program);
            self.slow.clear();
        } else if let Some(test) = text.strip_prefix("test ") {
            if let Some((name, _)) = test.split_once(" has been running for over ") {
                self.slow.push(name.to_owned());
            } else if let Some((name, _)) = test.split_once(" ... ") {
                self.slow.retain(|slow| slow != name);
            }
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.program.is_empty() {
            writeln!(f, "It was at: {}", self.program)?;
        }
        if !self.slow.is_empty() {
            writeln!(f, "Tests that had not ended: {}", self.slow.join(", "))?;
        }
        writeln!(f, "Its last line: {}", self.last)
    }
}

/// Ends a process and all below it, also those in groups of their own, and says what they were. They are
/// stopped before, from above, so that none starts another one that nobody finds.
fn end_all(root: u32) -> String {
    let mut found = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let new: Vec<u32> =
            below(root, &processes()).into_iter().filter(|pid| !found.contains(pid)).collect();
        if new.is_empty() {
            break;
        }
        signal("STOP", &new);
        found.extend(new);
    }
    let running: String = found.iter().take(TOLD_MAX).map(|pid| told(*pid)).collect();
    signal("KILL", &found);
    if running.is_empty() { running } else { format!("Its processes:\n{running}") }
}

/// `root` and the processes below it, each behind its parent.
fn below(root: u32, processes: &[(u32, u32)]) -> Vec<u32> {
    let mut all: Vec<u32> = processes.iter().map(|(pid, _)| *pid).filter(|pid| *pid == root).collect();
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        let children = processes.iter().filter(|(pid, of)| *of == parent && *pid != parent);
        all.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    all
}

/// Every process that has not ended, and its parent.
fn processes() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").map(|all| all.filter_map(Result::ok).collect::<Vec<_>>());
    let of_proc = entries.unwrap_or_default().into_iter().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name before may have spaces and parentheses.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let is_over = fields.next()?.starts_with(['Z', 'X']);
        Some((pid, fields.next()?.parse().ok()?)).filter(|_| !is_over)
    });
    let of_proc: Vec<(u32, u32)> = of_proc.collect();
    if of_proc.is_empty() { of_ps() } else { of_proc }
}

/// The same where there is no `/proc`.
fn of_ps() -> Vec<(u32, u32)> {
    let output = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid=", "-o", "stat="]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let both = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(both).filter(|_| fields.next().is_some_and(|state| !state.starts_with('Z')))
    };
    text.lines().filter_map(line).collect()
}

fn signal(name: &str, pids: &[u32]) {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("kill -{name} \"$@\""), "sh"]).args(pids.iter().map(ToString::to_string));
    // One that has ended meanwhile is no mistake.
    let _ = shell.stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// A process as a line, with the names of its threads: those of tests have the first letters of the tests'.
fn told(pid: u32) -> String {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&command).replace('\0', " ");
    let mut line = format!("    {pid}: {}", words.trim().chars().take(LINE_MAX).collect::<String>());
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map(|all| all.filter_map(Result::ok).collect());
    let tasks: Vec<fs::DirEntry> = tasks.unwrap_or_default();
    let name = |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let mut names: Vec<String> = tasks.iter().skip(1).filter_map(name).collect();
    names.sort_unstable();
    names.dedup();
    let names: Vec<&str> = names.iter().take(TOLD_MAX).map(|name| name.trim()).collect();
    if !names.is_empty() {
        let _ = write!(line, " [threads: {}]", names.join(", "));
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_were_slow_and_have_not_ended_are_told_with_their_program() {
        let mut said = Said::default();
        let lines = "     Running tests/old.rs (target/debug/deps/old-1)\n\
                     test hung_before has been running for over 60 seconds\n\
                     \x20    Running tests/all.rs (target/debug/deps/all-2)\n\
                     test quick ... ok\n\
                     test slow has been running for over 60 seconds\n\
                     test hangs::for_ever has been running for over 60 seconds\n\
                     test slow ... ok\n\
                     test last ... ok\n\n";
        lines.lines().for_each(|line| said.line(line));
        assert_eq!(
            said.to_string(),
            "It was at: Running tests/all.rs (target/debug/deps/all-2)\n\
             Tests that had not ended: hangs::for_ever\n\
             Its last line: test last ... ok\n"
        );
    }

    #[test]
    fn the_processes_below_one_are_found_from_above_and_nobody_elses() {
        let all = [(1, 0), (7, 5), (5, 1), (6, 5), (9, 7), (8, 1), (10, 8)];
        assert_eq!(below(5, &all), [5, 7, 6, 9]);
        assert_eq!(below(11, &all), []);
    }

    #[test]
    fn this_process_is_among_all_and_below_its_parent() {
        let (own, all) = (std::process::id(), processes());
        let parent = all.iter().find(|(pid, _)| *pid == own).expect("it runs").1;
        assert!(below(parent, &all).contains(&own));
    }

    #[test]
    fn a_silent_step_is_ended_with_all_below_it_and_one_that_writes_is_not() {
        let folder = std::env::temp_dir().join(format!("xtask-silence-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let run = |script: &str, is_shown: bool, limit: Duration| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).current_dir(&folder).stdin(Stdio::null());
            if is_shown {
                return run_shown(command, limit).unwrap();
            }
            let log = fs::File::create(folder.join("log")).unwrap();
            command.stdout(log.try_clone().unwrap()).stderr(log);
            run_logged(command, &folder.join("log"), limit).unwrap()
        };
        // The shell between is what `cargo` is between this and a test.
        let hangs = "echo 'test it has been running for over 60 seconds' >&2\n\
                     sh -c 'sleep 1000 & echo $! > below; wait'; echo and more";
        let writes = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done";
        for is_shown in [true, false] {
            // A machine may keep a shell from its work for longer than the first limit.
            let told = [1, 10, 100].into_iter().find_map(|limit| {
                let _ = fs::remove_file(folder.join("below"));
                let End::Silent(told) = run(hangs, is_shown, Duration::from_secs(limit)) else {
                    panic!("it hangs");
                };
                let below = fs::read_to_string(folder.join("below")).ok()?;
                Some((told, below.trim().parse::<u32>().ok()?))
            });
            let (told, below) = told.expect("a shell starts another one");
            assert!(told.starts_with("Tests that had not ended: it\nIts last line: "), "{told}");
            if cfg!(target_os = "linux") {
                assert!(told.contains(&format!("    {below}: sleep 1000\n")), "{told}");
            }
            // It was killed, and takes its time to be gone.
            let begun = Instant::now();
            while processes().iter().any(|(pid, _)| *pid == below) {
                assert!(begun.elapsed() < Duration::from_secs(60), "it runs on");
                thread::sleep(LOOK);
            }
            let held = [2, 20, 200]
                .map(Duration::from_secs)
                .into_iter()
                .any(|limit| matches!(run(writes, is_shown, limit), End::Own(status) if status.success()));
            assert!(held, "it wrote all the time");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_step_is_over_though_somebody_whom_it_left_keeps_its_output_open() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & exit 3"]).stdin(Stdio::null());
        let End::Own(status) = run_shown(command, LIMIT).unwrap() else { panic!("it ends") };
        assert_eq!(status.code(), Some(3));
    }
}
