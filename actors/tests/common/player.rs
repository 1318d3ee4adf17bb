//! This very program as a process of its own that plays a part, is sent signals, and is looked at.
#![allow(unreachable_pub, dead_code)] // Each test binary uses a part.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

/// Tells the program which part to play.
pub const PART: &str = "MYCELIUM_SIGNALS_PART";

/// A process that is ended with the test, however that ends.
pub struct Player {
    pub process: Child,
    pub out: BufReader<ChildStdout>,
    pub err: ChildStderr,
}

impl Drop for Player {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How a process ended: its exit code, and the rest of its output and errors.
pub struct End {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Player {
    /// On the process the signals have their default effect: a shell's `&` starts the tests with SIGINT
    /// ignored, which children inherit.
    pub fn new(part: &str) -> Self {
        Self::with(part, "--default-signal=HUP", &[])
    }

    /// With SIGHUP as the option of `env` says, and variables of its environment.
    pub fn with(part: &str, hangup: &str, variables: &[(&str, &str)]) -> Self {
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new("env");
        if cfg!(target_os = "linux") {
            command.args([hangup, "--default-signal=INT,QUIT,TERM"]);
        }
        command.envs(variables.iter().copied());
        command.arg(this).args(["--exact", "part", "--nocapture"]).env(PART, part);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (process.stdout.take().unwrap(), process.stderr.take().unwrap());
        Self { process, out: BufReader::new(out), err }
    }

    /// Reads until a line that begins with `word`.
    pub fn wait_for(&mut self, word: &str) {
        let found = self.out.by_ref().lines().map(|line| line.unwrap()).find(|line| line.starts_with(word));
        found.unwrap_or_else(|| panic!("the process ended before it said {word}"));
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub fn end(mut self) -> End {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.err.read_to_string(&mut err).unwrap();
        End { code: self.process.wait().unwrap().code(), out, err }
    }
}
