//! The `mycelium` command: thin over the libraries, one module per subcommand.
//!
//! Exit codes, for all subcommands: 0 when all is well; 1 when the answer is no (mistakes found by `check`, a
//! breaking change, generated files out of date); 2 when the question could not be answered (wrong arguments,
//! unreadable or incorrect input to `breaking` and `gen`). `topology run` ends with the code of the
//! tree that it runs.
#![forbid(unsafe_code)]

mod attach;
mod breaking;
mod certs;
mod check;
mod generate;
mod new;
mod outcome;
mod topology;
mod tree;

use clap::{Parser, Subcommand};

use outcome::Outcome;

/// Make projects, check, compare and generate from message contracts, dry-run supervision trees, run
/// topologies, and look at running nodes.
#[derive(Debug, Parser)]
#[command(name = "mycelium", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::NewArgs),
    Check(check::CheckArgs),
    Breaking(breaking::BreakingArgs),
    Gen(generate::GenerateArgs),
    Tree(tree::TreeArgs),
    Topology(topology::TopologyArgs),
    Certs(certs::CertsArgs),
    Tap(attach::tap::TapArgs),
    Pub(attach::publish::PublishArgs),
    Ask(attach::ask::AskArgs),
    Latency(attach::latency::LatencyArgs),
    Bench(attach::bench::BenchArgs),
    Doctor(attach::doctor::DoctorArgs),
}

const EXIT_CODES: &str = "Exit codes: 0 all is well, 1 the answer is no (mistakes, breaking changes, stale files), \
                          2 the question could not be answered (arguments, unreadable or incorrect input).";

fn main() -> std::process::ExitCode {
    let outcome = match Cli::parse().command {
        Command::New(args) => new::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Breaking(args) => breaking::run(&args),
        Command::Gen(args) => generate::run(&args),
        Command::Tree(args) => tree::run(&args),
        Command::Topology(args) => topology::run(&args),
        Command::Certs(args) => certs::run(&args),
        Command::Tap(args) => attach::tap::run(&args),
        Command::Pub(args) => attach::publish::run(&args),
        Command::Ask(args) => attach::ask::run(&args),
        Command::Latency(args) => attach::latency::run(&args),
        Command::Bench(args) => attach::bench::run(&args),
        Command::Doctor(args) => attach::doctor::run(&args),
    };
    outcome.unwrap_or_else(|error| Outcome::from_error(&*error)).into()
}
