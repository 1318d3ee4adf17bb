//! `mycelium tree`: looks at supervision trees.

mod render;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Subcommand;
use mycelium_supervisor::declare;
use mycelium_supervisor::sim::{Scenario, simulate};

use crate::outcome::{self, Outcome};

/// Look at supervision trees.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Simulate(SimulateArgs),
}

/// Run a tree against scripted failures in virtual time.
///
/// Prints what the tree does as a time line, before it is live. The format of scenarios and of the JSON lines is
/// described in docs/supervision.md. A scenario with a mistake ends with exit code 2 and the line of the mistake.
#[derive(Debug, clap::Args)]
struct SimulateArgs {
    /// The scenario: a tree and the events that befall it.
    #[arg(value_name = "SCENARIO.toml")]
    scenario: PathBuf,
    /// Print one JSON object per line instead of the time line.
    #[arg(long)]
    json: bool,
    /// Seed of the jitter of backoffs: the same seed, the same run.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

pub(crate) fn run(args: &Args) -> outcome::Result {
    match &args.command {
        Command::Simulate(args) => simulate_file(args),
    }
}

fn simulate_file(args: &SimulateArgs) -> outcome::Result {
    let path = args.scenario.display();
    let bytes = declare::read(&args.scenario).map_err(|error| format!("cannot read {path}: {error}"))?;
    let text = declare::text(&bytes).map_err(|mistake| format!("{path}: {mistake}"))?;
    let scenario = Scenario::parse(text).map_err(|mistake| format!("{path}: {mistake}"))?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let simulated = simulate(&scenario, args.seed, &mut |entry| {
        if written.is_ok() {
            written = match args.json {
                true => render::json(entry).map_or(Ok(()), |line| writeln!(output, "{line}")),
                false => writeln!(output, "{}", render::text(entry)),
            };
        }
    });
    written?;
    output.flush()?;
    simulated.map_err(|error| format!("{path}: {error}"))?;
    Ok(Outcome::Fine)
}
