//! `mycelium topology`: checks, explains and runs what `topology.toml` describes.

pub(crate) mod here;
mod plan;
#[cfg(unix)]
mod run;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use mycelium::topology::{self, Topology, TopologyError};
use mycelium::tree::{DeclareError, Mistake};
use mycelium_contract::Contract;
use serde_json::json;

use crate::outcome::{self, Outcome, complain, say};

/// Check, explain and run which services run in which process.
///
/// docs/topology.md describes the file.
#[derive(Debug, clap::Args)]
pub(crate) struct TopologyArgs {
    #[command(subcommand)]
    command: TopologyCommand,
}

#[derive(Debug, Subcommand)]
enum TopologyCommand {
    Check(TopologyCheckArgs),
    Plan(plan::PlanArgs),
    #[cfg(unix)]
    Run(run::RunArgs),
}

/// Check topologies and show the first mistake of each, with its place, cause and remedy.
///
/// Exit code 1 when a file has a mistake, 2 when one cannot be read.
#[derive(Debug, clap::Args)]
struct TopologyCheckArgs {
    /// Topologies.
    #[arg(default_value = "topology.toml", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also check that the topics of the files are those of these contracts.
    #[arg(long = "contract", value_name = "CONTRACTS.yaml")]
    contracts: Vec<PathBuf>,
    /// Print one JSON object for each file, and nothing else.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &TopologyArgs) -> outcome::Result {
    match &args.command {
        TopologyCommand::Check(args) => check(args),
        TopologyCommand::Plan(args) => plan::run(args),
        #[cfg(unix)]
        TopologyCommand::Run(args) => run::run(args),
    }
}

fn check(args: &TopologyCheckArgs) -> outcome::Result {
    let mut topics = Vec::new();
    for path in &args.contracts {
        let contract = Contract::read(path).map_err(|errors| errors.to_string())?;
        topics.extend(contract.messages.into_iter().map(|message| message.topic));
    }
    let known = (!args.contracts.is_empty()).then_some(&*topics);
    let mut outcome = Outcome::Fine;
    for path in &args.files {
        let shown = path.display().to_string();
        let read = topology::read(path).and_then(|found| {
            topology::check_trees(path, &found)?;
            Ok(found)
        });
        let found = match read {
            Ok(found) => found,
            Err(error) => {
                let Some((tree, mistake)) = mistake_of(&error) else {
                    outcome = Outcome::Unusable;
                    match args.json {
                        true => say(json!({ "file": shown, "ok": false, "cause": error.to_string() }))?,
                        false => complain(format_args!("error: {error}")),
                    }
                    continue;
                };
                outcome = wrong(outcome);
                if args.json {
                    let (line, column, cause) = (mistake.line, mistake.column, &mistake.cause);
                    let mut said =
                        json!({ "file": shown, "ok": false, "line": line, "column": column, "cause": cause });
                    if let Some(tree) = tree {
                        said["tree"] = json!(tree.display().to_string());
                    }
                    say(said)?;
                } else {
                    complain(format_args!("error: {error}"));
                }
                continue;
            }
        };
        if let Some(mistake) = known.and_then(|known| unknown_topic(&found, known)) {
            outcome = wrong(outcome);
            if args.json {
                let Mistake { line, column, cause, .. } = &mistake;
                say(json!({ "file": shown, "ok": false, "line": line, "column": column, "cause": cause }))?;
            } else {
                complain(format_args!("error: {shown}: {mistake}"));
            }
            continue;
        }
        let (mode, nodes, services) = (found.mode(), found.nodes().len(), found.services().count());
        if args.json {
            let mode = mode.name();
            say(json!({ "file": shown, "ok": true, "mode": mode, "nodes": nodes, "services": services }))?;
        } else {
            let counted = |count, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
            say(format_args!(
                "{shown}: correct, mode {mode}, {}, {}",
                counted(nodes, "node"),
                counted(services, "service")
            ))?;
        }
    }
    Ok(outcome)
}

/// A file has a mistake: another one may not have been readable.
fn wrong(before: Outcome) -> Outcome {
    if before == Outcome::Fine { Outcome::No } else { before }
}

/// The mistake that an error tells of, and the file of the tree that has it if it is not the topology.
fn mistake_of(error: &TopologyError) -> Option<(Option<&Path>, &Mistake)> {
    match error {
        TopologyError::Mistake { mistake, .. } => Some((None, mistake)),
        TopologyError::Tree { error: DeclareError::Mistake { path, mistake }, .. } => {
            Some((path.as_deref(), mistake))
        }
        _ => None,
    }
}

/// The first topic of a file that is in no contract.
fn unknown_topic(topology: &Topology, known: &[String]) -> Option<Mistake> {
    let topic = topology.topics().keys().find(|topic| !known.iter().any(|known| *known == ***topic))?;
    let names = known.iter().map(String::as_str);
    let hint = mycelium_toml::suggestion(topic, names).unwrap_or_default();
    let cause = format!("[topics.{topic}]: no message of the contracts has this topic{hint}");
    topology.topic_place(topic).map(|place| place.mistake(cause))
}
