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
        // A reader that closed the pipe wants no more output: that is no failure.
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::BrokenPipe
        {
            return Outcome::Fine;
        }
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

/// One line or block to standard output, reporting a closed pipe instead of panicking on it.
pub(crate) fn say(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// One line or block to standard error. Nothing can be done if that fails.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
