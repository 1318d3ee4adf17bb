//! `mycelium topology run`: the nodes of this machine as processes under one supervisor.

mod prefix;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mycelium::topology::{
    self, LocalNode, MONOLITH, Mode, NODE_VARIABLE, NodePlan, PARENT_NAMESPACE_VARIABLE, PARENT_VARIABLE,
    TOPOLOGY_VARIABLE, Topology, TopologyNode,
};
use mycelium::tree::{
    AutoShutdown, Backoff, Builder, Child, EXIT_UNDRAINED, Notice, ProcessSpec, Restart, Shutdown,
};
use mycelium::{MessageBus, Supervisor};
use mycelium_supervisor::{BackoffState, Jitter};

use super::here::{self, Whereabouts};
use crate::attach::seconds;
use crate::outcome::{self, Outcome, complain};

/// Most restarts that may be asked for.
const RESTARTS_MAX: i64 = 1_000;

/// Run the nodes of this machine as processes: restart those that fail, and drain all of them on Ctrl-C.
///
/// Each line that a node prints has its name in front. A process finds its file and its node in the variables
/// MYCELIUM_TOPOLOGY and MYCELIUM_NODE. On Ctrl-C, SIGTERM, SIGHUP and SIGQUIT nodes end in the order of the
/// file; a second one kills them.
///
/// Exit code 0 when all nodes ended by themselves or drained, 3 when one did not drain or end in time, 4 when
/// one failed too often, 129, 130, 131 or 143 after a second signal, 2 when nothing was started.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// The topology.
    #[arg(default_value = "topology.toml", value_name = "FILE")]
    file: PathBuf,
    /// Only this node, or the one that runs this service; may be given several times.
    #[arg(long = "node", value_name = "NAME")]
    nodes: Vec<String>,
    /// After so many restarts of all nodes, within about as many minutes, the next failure ends the run: so a
    /// node that fails for ever is given up, and one that fails now and then is not.
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(i64).range(0..=RESTARTS_MAX))]
    restarts: i64,
    /// How long each node may take to end, in seconds; then it is killed. A program of Mycelium needs the
    /// limit of its drain and 40 seconds at most.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    within: Duration,
    /// The program that runs each node, and its arguments, for those of which the file does not say it.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// A process to be.
struct Start {
    name: Arc<str>,
    command: Vec<String>,
    /// Where it runs, if not here.
    directory: Option<PathBuf>,
    env: Vec<(String, String)>,
}

pub(super) fn run(args: &RunArgs) -> outcome::Result {
    let topology = topology::read(&args.file)?;
    let file = std::path::absolute(&args.file)?;
    let Some(file) = file.to_str() else {
        let cause = format!(
            "{}: its path is not UTF-8, and nodes are told of it in a variable: give the file and its directories \
             names in UTF-8",
            file.display()
        );
        return Err(cause.into());
    };
    let starts = starts(args, &topology, Path::new(file))?;
    let width = starts.iter().map(|start| start.name.len()).max().unwrap_or_default();
    prefix::install(width)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let limit = args.within.saturating_mul(u32::try_from(starts.len()).unwrap_or(u32::MAX));
    let undrained = Arc::new(Mutex::default());
    let tree = tree(args, file, starts, width, &undrained);
    // Signals are listened to before a process runs: whoever started this must not leave it behind.
    let end = runtime.block_on(async { tree.run_until_signal(&MessageBus::new(), limit).await })?;
    if end.code() != 0 {
        complain(&end);
    }
    let drained = undrained.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
    Ok(Outcome::Ended(if end.code() == 0 && !drained { EXIT_UNDRAINED } else { end.code() }))
}

fn tree(
    args: &RunArgs,
    file: &str,
    starts: Vec<Start>,
    width: usize,
    undrained: &Arc<Mutex<Undrained>>,
) -> Builder {
    let (backoff, undrained) = (Backoff::default(), Arc::clone(undrained));
    let restarts = u32::try_from(args.restarts).unwrap_or_default();
    let builder = Supervisor::builder("topology")
        .intensity(restarts, period(&backoff, restarts))
        .backoff(backoff)
        .auto_shutdown(AutoShutdown::AllSignificant)
        .on_event(move |_, notice| tell(notice, width, &undrained));
    starts.into_iter().fold(builder, |builder, start| {
        let Start { name, command, directory, env } = start;
        let mut spec = ProcessSpec::new(command[0].clone())
            .args(command[1..].to_vec())
            .env(TOPOLOGY_VARIABLE, file)
            .env(NODE_VARIABLE, &*name)
            .env(PARENT_VARIABLE, std::process::id().to_string())
            .of_mycelium();
        if let Some(namespace) = topology::pid_namespace() {
            spec = spec.env(PARENT_NAMESPACE_VARIABLE, namespace);
        }
        for (name, value) in env {
            spec = spec.env(name, value);
        }
        if let Some(directory) = directory {
            spec = spec.cwd(directory);
        }
        let child = Child::process(name, spec).restart(Restart::Transient).significant(true);
        builder.child(child.shutdown(Shutdown::Timeout(args.within)))
    })
}

/// A time in which so many restarts of one node lie if each of its lives was shorter than one that makes it
/// well: so a node that fails for ever is given up, however long it waits between its lives.
fn period(backoff: &Backoff, restarts: u32) -> Duration {
    let (mut state, mut jitter) = (BackoffState::default(), Jitter::new(0));
    let waits: Duration = (0..restarts).map(|_| state.next_delay(backoff, &mut jitter)).sum();
    waits + backoff.reset_after * restarts.max(1)
}

/// Nodes whose last life did not end in order, and that no other has followed.
type Undrained = HashSet<Arc<str>>;

fn note(notice: &Notice, undrained: &mut Undrained) {
    match notice {
        // Before a drain it is started again. Once that has begun, it only waits for that.
        Notice::Exited { id, reason } | Notice::Stopped { id, reason, killed: false }
            if reason.is_abnormal() =>
        {
            undrained.insert(id.clone());
        }
        Notice::Started { id, .. } => {
            undrained.remove(id);
        }
        _ => {}
    }
}

/// What a supervisor does, among the lines of its nodes.
fn tell(notice: &Notice, width: usize, undrained: &Mutex<Undrained>) {
    note(notice, &mut undrained.lock().unwrap_or_else(PoisonError::into_inner));
    match notice {
        Notice::StartFailed { id, reason } => {
            prefix::complain(id, width, &format!("-- cannot start: {reason}"));
        }
        Notice::Exited { id, reason } => {
            prefix::complain(id, width, &format!("-- has ended: {reason}"));
        }
        Notice::Waiting { id, backoff, .. } => {
            prefix::complain(id, width, &format!("-- starts again in {backoff:?}"));
        }
        Notice::Stopped { id, killed: true, .. } => prefix::complain(id, width, "-- was killed"),
        Notice::Stopped { id, reason, .. } if reason.is_abnormal() => {
            prefix::complain(id, width, &format!("-- was told to end and did not in order: {reason}"));
        }
        _ => {}
    }
}

/// The processes of this machine, or those that were asked for, in the order of the file.
fn starts(
    args: &RunArgs,
    topology: &Topology,
    file: &Path,
) -> Result<Vec<Start>, Box<dyn std::error::Error>> {
    let mut asked = Vec::new();
    for name in &args.nodes {
        asked.push(LocalNode::open(&args.file, name)?.name().to_owned());
    }
    let nodes = match &*asked {
        [] => of_this_machine(topology).map_err(|cause| format!("{}: {cause}", args.file.display()))?,
        asked => {
            let runs = |node: &&TopologyNode| asked.iter().any(|name| **name == *node.name);
            topology.nodes().iter().filter(runs).collect()
        }
    };
    let plans: Vec<NodePlan> = match topology.mode() {
        Mode::Monolith => topology.plans(),
        _ => nodes.into_iter().filter_map(|node| topology.plan(&node.name).ok()).collect(),
    };
    if plans.is_empty() {
        let all: Vec<String> =
            topology.nodes().iter().map(|node| format!("{} ({})", node.name, node.host())).collect();
        let cause = format!(
            "{}: no node is on this machine, they are {}: name those to run with --node",
            args.file.display(),
            all.join(", ")
        );
        return Err(cause.into());
    }
    if !args.command.is_empty() && plans.iter().all(|plan| !plan.command.is_empty()) {
        let cause = format!(
            "{}: the file says which program runs each of these nodes: leave out what stands behind `--`, or take \
             `command` out of the file",
            args.file.display()
        );
        return Err(cause.into());
    }
    let start = |plan: NodePlan| {
        let (command, directory) = match plan.command {
            command if !command.is_empty() => (command, file.parent().map(Path::to_owned)),
            _ if !args.command.is_empty() => (args.command.clone(), None),
            _ => return Err(no_command(args, topology, &plan.node).into()),
        };
        Ok(Start { name: plan.node, command, directory, env: plan.env })
    };
    plans.into_iter().map(start).collect()
}

/// That no program is known which runs a node.
fn no_command(args: &RunArgs, topology: &Topology, name: &str) -> String {
    let shown = args.file.display();
    let own = || topology.nodes().iter().filter(|node| !node.command.is_empty());
    if let (MONOLITH, Some(first)) = (name, own().next()) {
        let other = topology.nodes().iter().find(|node| node.command != first.command).unwrap_or(first);
        let of = if other.command.is_empty() { "has none" } else { "has another one" };
        return format!(
            "{shown}: line {}: `{}` has a `command` of its own, and `{}` (line {}) {of}, and in a monolith they are one \
             process: write its `command` in [deployment], or the same one in all nodes",
            first.place.line, first.name, other.name, other.place.line
        );
    }
    let node = topology.nodes().iter().find(|node| *node.name == *name);
    let line = node.map_or(String::new(), |node| format!("line {}: ", node.place.line));
    format!(
        "{shown}: {line}nothing says which program runs `{name}`: write `command` in [deployment], or run \
         `mycelium topology run {shown} -- PROGRAM`"
    )
}

/// The nodes of this machine. One on localhost, in a topology of several machines, is on one of them, and
/// nobody says on which: it is told, and not started.
fn of_this_machine(topology: &Topology) -> Result<Vec<&TopologyNode>, String> {
    let mut here = Vec::new();
    for node in topology.nodes() {
        match here::of(topology, node)? {
            Whereabouts::Here => here.push(node),
            Whereabouts::Elsewhere => {}
            Whereabouts::Anywhere => complain(format_args!(
                "`{}` is not started: its host is {}, which each machine is, and other nodes are on machines of \
                 their own; write its `host`, or name it with --node where it belongs",
                node.name,
                node.host()
            )),
        }
    }
    Ok(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_fails_for_ever_is_given_up_whatever_the_cap_of_the_backoff_is() {
        for cap in [Duration::from_millis(100), Duration::from_secs(30), Duration::from_secs(86_400)] {
            let backoff = Backoff { cap, ..Backoff::default() };
            for restarts in [0, 1, 10, 1_000] {
                // Each life is as long as it may be without making the node well.
                let life = backoff.reset_after - Duration::from_millis(1);
                let (mut state, mut jitter) = (BackoffState::default(), Jitter::new(0));
                let waits: Duration = (0..restarts).map(|_| state.next_delay(&backoff, &mut jitter)).sum();
                assert!(waits + life * restarts <= period(&backoff, restarts), "{cap:?} {restarts}");
            }
        }
    }
}
