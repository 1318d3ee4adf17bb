//! The other process: this program, started again.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::contest::Race;

/// The first argument of the other process.
pub(crate) const CHILD: &str = "--child";

/// After how many looks, 10 ms apart, a process that was let go and goes on is killed.
const LOOKS: u32 = 200;

/// The other process as the first one sees it. It ends with this.
pub(crate) struct Reader {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Where it is to be reached, if there is more to say than the place.
    pub(crate) address: String,
}

impl Reader {
    /// Starts it, and waits until it can be written to.
    pub(crate) fn start(name: &str, race: Race, place: &Path, number: u64) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([CHILD, name, race.name()])
            .arg(place)
            .arg(number.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no pipe to the other process")?);
        let mut reader = Self { child, lines, address: String::new() };
        reader.address = reader.line("ready")?;
        Ok(reader)
    }

    /// Waits until it has read everything; when that was.
    pub(crate) fn done(&mut self) -> Outcome<Instant> {
        self.line("done")?;
        Ok(Instant::now())
    }

    fn line(&mut self, word: &str) -> Outcome<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        let rest =
            line.strip_prefix(word).ok_or_else(|| format!("the reader has ended before it was {word}"))?;
        Ok(rest.trim().to_owned())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // What lets it go.
        drop(self.child.stdin.take());
        for _ in 0..LOOKS {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the other process says, over its standard output.
pub(crate) struct Says(());

impl Says {
    pub(crate) fn new() -> Self {
        Self(())
    }

    pub(crate) fn ready(&mut self, address: &str) -> Outcome<()> {
        say(&format!("ready {address}"))
    }

    pub(crate) fn done(&mut self) -> Outcome<()> {
        say("done")
    }

    /// Keeps what others still need until the first process has done with it.
    pub(crate) fn until_let_go(&mut self) -> Outcome<()> {
        std::io::stdin().read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

fn say(line: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
