//! How subcommands end, and how they print.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 0.
    Fine,
    /// 1: the answer is no.
    No,
    /// 2: there is no answer.
    Unusable,
    /// That of what has run.
    #[cfg(unix)]
    Ended(u8),
}

impl Outcome {
    /// Prints what made the question unanswerable.
    pub(crate) fn from_error(error: &(dyn std::error::Error + 'static)) -> Outcome {
        let text = error.to_string();
        // Mistakes in a contract say `error[code]` themselves.
        let prefix = if text.starts_with("error") { "" } else { "error: " };
        complain(format_args!("{prefix}{text}"));
        Outcome::Unusable
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Fine => 0,
            Outcome::No => 1,
            Outcome::Unusable => 2,
            #[cfg(unix)]
            Outcome::Ended(code) => code,
        })
    }
}

/// What subcommands return: an outcome, or why there is none.
pub(crate) type Result = std::result::Result<Outcome, Box<dyn std::error::Error>>;

/// What a step of one returns.
pub(crate) type Empty = std::result::Result<(), Box<dyn std::error::Error>>;

/// One line or block to standard output. A reader that closed the pipe wants no more of it: the answer stays
/// what it is, and is in the exit code.
pub(crate) fn say(text: impl Display) -> io::Result<()> {
    unless_unread(say_to_reader(text)).map(drop)
}

/// The same for output without end: a closed pipe is an error, because nothing else ends it.
pub(crate) fn say_to_reader(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// `None` in place of the error that nobody reads standard output any more.
pub(crate) fn unless_unread<T>(written: io::Result<T>) -> io::Result<Option<T>> {
    match written {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
        Err(error) => Err(error),
    }
}

/// One line or block to standard error. Nothing can be done if that fails.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
