//! One long-lived `erl` that runs `tests/otp/otp_driver.erl`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use mycelium_supervisor::sim::Scenario;

use crate::compare::Line;

/// Scenarios sent ahead of their answers.
const AHEAD: usize = 64;

pub(crate) struct Erlang {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    build: PathBuf,
}

impl Erlang {
    /// Compiles and starts the driver. Fails, with the command that mends it, when Erlang is missing.
    pub(crate) fn start() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("otp/otp_driver.erl");
        let build = private_folder();
        let compiled = Command::new("erlc").arg("-o").arg(&build).arg(&source).output();
        let compiled = compiled.unwrap_or_else(|error| {
            panic!(
                "cannot run erlc ({error}): this test compares with the real Erlang/OTP.\n\
                 Install it with: sh tests/otp/install.sh   (on Debian: apt-get update && \
                 apt-get install -y --no-install-recommends erlang-base)"
            )
        });
        assert!(compiled.status.success(), "erlc: {}", String::from_utf8_lossy(&compiled.stdout));
        let mut process = Command::new("erl")
            // One scheduler: the driver sees from the run queue that everybody waits.
            .args(["+S", "1:1", "-noshell", "-pa"])
            .arg(&build)
            .args(["-s", "otp_driver", "main"])
            // A dump of the whole virtual machine helps nobody here, and must not land in the working copy.
            .env("ERL_CRASH_DUMP", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot run erl ({error}); install it with: sh tests/otp/install.sh")
            });
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Self { process, input, output, build }
    }

    /// Sends the scenarios and yields each with its answer. The input of `erl` ends with them.
    pub(crate) fn answers(
        &mut self,
        scenarios: impl Iterator<Item = (u64, Scenario)> + Send + 'static,
        encode: fn(&Scenario) -> String,
    ) -> impl Iterator<Item = (u64, Scenario, Vec<Line>)> {
        let mut input = self.input.take().expect("scenarios are sent once");
        let (sent, sent_scenarios) = sync_channel(AHEAD);
        std::thread::spawn(move || {
            for (seed, scenario) in scenarios {
                let line = encode(&scenario);
                // Known to the reader first, so that it can name the scenario whose answer is missing.
                if sent.send((seed, scenario)).is_err() || writeln!(input, "{line}").is_err() {
                    return;
                }
            }
        });
        Answers { output: &mut self.output, sent: sent_scenarios }
    }
}

impl Drop for Erlang {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.build);
    }
}

struct Answers<'a> {
    output: &'a mut BufReader<ChildStdout>,
    sent: Receiver<(u64, Scenario)>,
}

impl Iterator for Answers<'_> {
    type Item = (u64, Scenario, Vec<Line>);

    fn next(&mut self) -> Option<Self::Item> {
        let (seed, scenario) = self.sent.recv().ok()?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("the output of erl is text");
            assert!(read > 0, "erl ended at seed {seed}; what it said is above");
            match line.trim_end() {
                "end" => return Some((seed, scenario, lines)),
                line => lines.push(Line::parse(line)),
            }
        }
    }
}

fn private_folder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("otp-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder)
        .unwrap_or_else(|error| panic!("cannot create {}: {error}", folder.display()));
    folder
}
