//! `mycelium tree`: looks at supervision trees.

mod render;

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Subcommand;
use mycelium_supervisor::declare;
use mycelium_supervisor::sim::{Scenario, SimError, simulate_while};

use crate::outcome::{self, Outcome, unless_unread};

/// Look at supervision trees.
#[derive(Debug, clap::Args)]
pub(crate) struct TreeArgs {
    #[command(subcommand)]
    command: TreeCommand,
}

#[derive(Debug, Subcommand)]
enum TreeCommand {
    Simulate(SimulateArgs),
}

/// Run a tree against scripted failures in virtual time.
///
/// Prints what the tree does as a time line, before it is live. The format of scenarios and of the JSON lines
/// is described in docs/supervision.md. A scenario with a mistake ends with exit code 2 and the line of the
/// mistake.
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
    /// End with an error when more than this has been printed, in MiB: a restart of a large group prints a
    /// line per child.
    #[arg(long, value_name = "N", default_value_t = 128)]
    max_mib: u64,
}

pub(crate) fn run(args: &TreeArgs) -> outcome::Result {
    match &args.command {
        TreeCommand::Simulate(args) => simulate_file(args),
    }
}

fn simulate_file(args: &SimulateArgs) -> outcome::Result {
    let path = args.scenario.display();
    let bytes = declare::read(&args.scenario).map_err(|error| format!("cannot read {path}: {error}"))?;
    let text = declare::text(&bytes).map_err(|mistake| format!("{path}: {mistake}"))?;
    let (scenario, places) = Scenario::parse_placed(text).map_err(|mistake| format!("{path}: {mistake}"))?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let mut left = args.max_mib.saturating_mul(1 << 20);
    let ended = simulate_while(&scenario, args.seed, &mut |entry| {
        let line = if args.json { render::json(entry) } else { Some(render::text(entry)) };
        let Some(line) = line else { return ControlFlow::Continue(()) };
        let Some(rest) = left.checked_sub(line.len() as u64 + 1) else { return ControlFlow::Break(()) };
        left = rest;
        written = writeln!(output, "{line}");
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let flushed = written.and_then(|()| output.flush());
    // Nobody reads on, so nothing goes on: what was read of the run is right.
    if unless_unread(flushed)?.is_none() {
        return Ok(Outcome::Fine);
    }
    match ended {
        Ok(()) => Ok(Outcome::Fine),
        Err(SimError::Stopped { at, entry }) => {
            let cause = format!(
                "the run has printed {} MiB at {} ms and goes on: shorten what happens, or allow more with --max-mib",
                args.max_mib,
                at.as_millis()
            );
            let place = entry.and_then(|entry| places.get(entry));
            Err(match place {
                Some(place) => {
                    format!("{path}: {}", place.mistake(format!("in what follows from this event, {cause}")))
                }
                None => format!("{path}: while the tree starts, {cause}"),
            }
            .into())
        }
        Err(error) => Err(format!("{path}: {error}").into()),
    }
}
