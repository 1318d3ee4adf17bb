//! One command with a name: how it is shown, run, timed and reported.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::silence::{End, run_logged, run_shown};

/// A command that must succeed.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// What `cargo xtask test NAME` calls it.
    pub(crate) name: &'static str,
    /// Whether a plain `cargo xtask test` runs it.
    pub(crate) default: bool,
    /// Whether the steps behind it begin while it runs.
    beside: bool,
    program: String,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
}

impl Step {
    /// A step that runs cargo with `args`, which are split at spaces.
    pub(crate) fn cargo(name: &'static str, args: &str) -> Self {
        Self::program(name, "cargo", args)
    }

    /// A step that runs `program` with `args`, which are split at spaces.
    pub(crate) fn program(name: &'static str, program: &str, args: &str) -> Self {
        let args = args.split_whitespace().map(str::to_owned).collect();
        Self { name, default: true, beside: false, program: program.to_owned(), args, env: Vec::new() }
    }

    /// Sets an environment variable for this step alone.
    pub(crate) fn env(mut self, key: &'static str, value: &str) -> Self {
        self.env.push((key, value.to_owned()));
        self
    }

    /// Appends arguments as they are.
    pub(crate) fn args(mut self, more: &[String]) -> Self {
        self.args.extend_from_slice(more);
        self
    }

    /// The same command under another name.
    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Leaves the step out unless it is asked for by name.
    pub(crate) fn on_demand(mut self) -> Self {
        self.default = false;
        self
    }

    /// Has the steps behind it begin while it runs. Those that run beside others do so one after the other.
    pub(crate) fn beside(mut self) -> Self {
        self.beside = true;
        self
    }

    /// The step as a line for a shell: what to type to run it again.
    pub(crate) fn command_line(&self) -> String {
        let env = self.env.iter().map(|(key, value)| format!("{key}={}", quoted(value)));
        let args = self.args.iter().map(|arg| quoted(arg));
        let words: Vec<String> = env.chain([self.program.clone()]).chain(args).collect();
        words.join(" ")
    }

    /// Runs the command in `root`, its output going straight through.
    pub(crate) fn run(&self, root: &Path) -> Result<(), Failure> {
        self.ended(self.command(root).status())
    }

    /// The same; it is ended and fails when it writes nothing for as long as `limit`.
    pub(crate) fn run_within(&self, root: &Path, limit: Duration) -> Result<(), Failure> {
        self.ended_within(run_shown(self.command(root), limit), limit)
    }

    /// The same at the lowest priority, its output going to a file.
    pub(crate) fn run_niced(&self, root: &Path, log: &Path, limit: Duration) -> Result<(), Failure> {
        let mut niced = self.clone();
        niced.args = ["-n", "19", &self.program].map(str::to_owned).into_iter().chain(niced.args).collect();
        niced.program = "nice".to_owned();
        let end = |step: &Self| {
            let out = File::create(log)?;
            let mut command = step.command(root);
            command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
            run_logged(command, log, limit)
        };
        let end = match end(&niced) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => end(self),
            end => end,
        };
        self.ended_within(end, limit)
    }

    /// Whether the steps behind it begin while it runs.
    pub(crate) fn is_beside(&self) -> bool {
        self.beside
    }

    /// Runs the command in `root` and gives what it writes; its errors go straight through.
    pub(crate) fn output(&self, root: &Path) -> Result<String, Failure> {
        let output = self.command(root).stderr(Stdio::inherit()).output();
        self.ended(output.as_ref().map(|output| output.status).map_err(|error| error.kind().into()))?;
        Ok(output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default())
    }

    fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(root);
        // `cargo run` describes xtask in these; a build script that watches one would run again each time.
        for (key, _) in std::env::vars_os() {
            if key
                .to_str()
                .is_some_and(|key| key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_"))
            {
                command.env_remove(key);
            }
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }

    fn ended_within(&self, end: io::Result<End>, limit: Duration) -> Result<(), Failure> {
        match end {
            Ok(End::Own(status)) => self.ended(Ok(status)),
            Ok(End::Silent(told)) => Err(Failure::new(format!(
                "FAILED: {}: it wrote nothing for {} minutes and was ended\n{told}Run it again with:\n    {}",
                self.name,
                limit.as_secs() / 60,
                self.command_line()
            ))),
            Err(error) => self.ended(Err(error)),
        }
    }

    fn ended(&self, status: io::Result<ExitStatus>) -> Result<(), Failure> {
        let again = self.command_line();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::new(format!(
                "FAILED: {} ({status})\nRun it again with:\n    {again}",
                self.name
            ))),
            Err(error) => Err(Failure::new(format!(
                "FAILED: {}: `{}` cannot be run: {error}\nRun it again with:\n    {again}",
                self.name, self.program
            ))),
        }
    }
}

/// Why a command of xtask ended badly, and how to see it again.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure that says `message`.
    pub(crate) fn new(message: String) -> Self {
        Self(message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Quotes a word for a shell when it needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_a_failure_with_its_name() {
        let failure =
            Step::program("x", "no-such-program-here", "").run(Path::new(".")).unwrap_err().to_string();
        assert!(failure.contains("`no-such-program-here` cannot be run"), "{failure}");
    }

    #[test]
    fn words_are_quoted_only_when_a_shell_would_split_them() {
        assert_eq!(quoted("--cfg"), "--cfg");
        assert_eq!(quoted("--cfg loom"), "'--cfg loom'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
