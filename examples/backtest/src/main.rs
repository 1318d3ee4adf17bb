//! Ten thousand isolated buses backtest real prices in parallel.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use backtest::commands::CommandError;
use clap::Parser;

fn main() -> ExitCode {
    match backtest::commands::execute(&backtest::args::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Help, and mistakes of a command line, as clap prints them.
        Err(CommandError::Usage(error)) => error.exit(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
