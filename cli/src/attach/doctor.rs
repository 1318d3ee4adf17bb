//! `mycelium doctor`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mycelium::LinkAddress;
use mycelium::topology::{self, Endpoint};
use mycelium_contract::Contract;
use serde_json::json;

use super::{Ends, Goal, NodeArgs, machine, may_be_here, nowhere, of_endpoint, read, run as run_tool};
use crate::outcome::{self, Outcome, say};

/// How many round trips are looked at.
const TRIPS: usize = 5;

/// How long a full queue of connections is looked at, and how long it is between two looks (time).
#[cfg(unix)]
const LOOK_LIMIT: Duration = Duration::from_secs(1);
#[cfg(unix)]
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Look whether nodes are well, and whether this machine is fit for them.
///
/// It looks at each node of a topology, or at the one that is named: at its directory and socket
/// (permissions, what a dead process has left behind), whether it answers, by which name, and how fast;
/// with --contract also whether it means the same by each message. And at this machine: its clock, its
/// limits, and its shared memory. Nothing is changed.
///
/// Exit code 0 when nothing is wrong (warnings are not), 1 when something is, 2 when nothing can be said. A
/// health check of one node is `mycelium doctor --node NAME --quiet`.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Contracts that the nodes are to agree with; may be given several times.
    #[arg(long = "contract", value_name = "CONTRACTS.yaml")]
    contracts: Vec<PathBuf>,
    /// Print what is wrong, and nothing that is well.
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object for each finding and line.
    #[arg(long)]
    json: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Fine,
    Warn,
    Fail,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warn => "warning",
            Self::Fail => "wrong",
        }
    }
}

/// What was found of one thing.
#[derive(Debug)]
pub(crate) struct Finding {
    level: Level,
    what: String,
    text: String,
}

impl Finding {
    pub(crate) fn new(level: Level, what: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level, what: what.into(), text: text.into() }
    }
}

pub(crate) fn run(args: &DoctorArgs) -> outcome::Result {
    let contracts = read(&args.contracts)?;
    run_tool(async |mut ends| {
        let mut worst = Level::Fine;
        // Nodes of one directory have findings in common.
        let mut told = BTreeSet::new();
        let mut tell = |finding: &Finding| {
            worst = worst.max(finding.level);
            if !told.insert((finding.what.clone(), finding.text.clone())) {
                return Ok(());
            }
            match finding {
                Finding { level: Level::Fine, .. } if args.quiet => Ok(()),
                Finding { level, what, text } if args.json => {
                    say(json!({ "level": level.name(), "what": what, "text": text }))
                }
                Finding { level, what, text } => say(format_args!("{:<7} {what}: {text}", level.name())),
            }
        };
        // Before anything is told: a mistake in what was asked has no findings in front.
        let nodes = match args.node.is_address() {
            true => vec![(String::new(), vec![args.node.goal()?], String::new())],
            false => goals(args)?,
        };
        let mut goals = nodes.iter().flat_map(|(_, goals, _)| goals);
        for finding in machine::findings(goals.any(|goal| is_shm(&goal.address))) {
            tell(&finding)?;
        }
        for (name, goals, nowhere) in nodes {
            if goals.is_empty() {
                let text = nowhere;
                tell(&Finding::new(Level::Warn, &name, text))?;
            }
            for goal in goals {
                for finding in of_node(&goal, &contracts, args.node.within(), &mut ends).await {
                    tell(&finding)?;
                }
            }
        }
        if ends.is_asked() {
            return Err("interrupted before all was looked at".into());
        }
        Ok(if worst == Level::Fail { Outcome::No } else { Outcome::Fine })
    })
}

/// The name of a node, where it can be reached, and what to say if that is nowhere.
type NodeGoals = (String, Vec<Goal>, String);

/// The nodes of the topology, or the one that was named, with all places at which each can be reached.
fn goals(args: &DoctorArgs) -> Result<Vec<NodeGoals>, Box<dyn std::error::Error>> {
    let file = &args.node.topology;
    let found = topology::read(file).map_err(|error| {
        format!("{error}; name a node by its address (--connect), or its file by --topology")
    })?;
    let named = args.node.name()?;
    let plans = match &named {
        None => found.plans(),
        Some(name) => vec![found.plan(name).map_err(|error| format!("{}: {error}", file.display()))?],
    };
    let mut all = Vec::new();
    for plan in plans {
        let name = if plan.node.as_ref() == topology::MONOLITH && named.is_none() {
            topology::MONOLITH
        } else {
            &plan.node
        };
        let reach = found.reach(name).map_err(|error| format!("{}: {error}", file.display()))?;
        // A socket of another machine is not here; where nothing else leads to the node, it should be.
        let tcp = reach.iter().any(|endpoint| matches!(endpoint, Endpoint::Tcp(_)));
        let may_be_here = may_be_here(&found, &plan.node);
        let here = |endpoint: &&Endpoint| match endpoint {
            Endpoint::Unix(path) | Endpoint::Shm(path) => may_be_here && (!tcp || path.exists()),
            _ => true,
        };
        let goal = |endpoint: &Endpoint| args.node.goal_at(of_endpoint(endpoint)?, &plan.node, &found);
        let goals: Result<Vec<Goal>, _> = reach.iter().filter(here).map(goal).collect();
        all.push((plan.node.to_string(), goals?, nowhere(&found, &plan.node)));
    }
    Ok(all)
}

#[cfg(target_os = "linux")]
fn is_shm(address: &LinkAddress) -> bool {
    matches!(address, LinkAddress::Shm(_))
}

#[cfg(not(target_os = "linux"))]
fn is_shm(_: &LinkAddress) -> bool {
    false
}

/// What is to be said of one node at one address.
async fn of_node(goal: &Goal, contracts: &[Contract], within: Duration, ends: &mut Ends) -> Vec<Finding> {
    let what = match &goal.expected {
        Some(name) => format!("{name} at {}", goal.address),
        None => goal.address.to_string(),
    };
    let mut all = Vec::new();
    #[cfg(unix)]
    if let Some(path) = path_of(&goal.address) {
        all.extend(of_directory(path).await);
        match of_socket(path).await {
            Ok(()) => {}
            Err(text) => {
                all.push(Finding::new(Level::Fail, what, text));
                return all;
            }
        }
    }
    let attached = match goal.attach(contracts, within, ends).await {
        Ok(attached) => attached,
        Err(error) => {
            all.push(Finding::new(Level::Fail, what, error.to_string()));
            return all;
        }
    };
    let mut best = None::<Duration>;
    for _ in 0..TRIPS {
        best =
            attached.dialer.round_trip().await.map(|trip| best.map_or(trip, |best| best.min(trip))).or(best);
    }
    match best {
        Some(best) => {
            let text = format!("`{}` answers, round trip {} us", attached.node, best.as_micros());
            all.push(Finding::new(Level::Fine, &*what, text));
        }
        None => {
            let text = format!("the link to `{}` was lost before it answered", attached.node);
            all.push(Finding::new(Level::Fail, &*what, text));
        }
    }
    let disabled = attached.link().map(|link| link.disabled).unwrap_or_default();
    for of in &disabled {
        let text = format!("means something else: {}; build both from one contract", of.cause);
        all.push(Finding::new(Level::Fail, format!("{what}, message `{}`", of.message), text));
    }
    if !contracts.is_empty() && disabled.is_empty() {
        all.push(Finding::new(Level::Fine, what, "means the same by each message that both know"));
    }
    // It was only looked at.
    let _unsaid = attached.end().await;
    all
}

#[cfg(unix)]
fn path_of(address: &LinkAddress) -> Option<&Path> {
    match address {
        LinkAddress::Unix(path) => Some(path),
        #[cfg(target_os = "linux")]
        LinkAddress::Shm(path) => Some(path),
        _ => None,
    }
}

/// Whether others may enter the directory of a socket, and which sockets in it nobody listens at.
#[cfg(unix)]
async fn of_directory(socket: &Path) -> Vec<Finding> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let directory = socket.parent().unwrap_or(Path::new("."));
    let shown = directory.display().to_string();
    let Ok(found) = std::fs::metadata(directory) else { return Vec::new() };
    let mut all = Vec::new();
    let own = std::fs::metadata("/proc/self").map(|of| of.uid()).unwrap_or(found.uid());
    if found.uid() != own {
        let text =
            format!("belongs to the user {}, and this one is {own}: run this as that user", found.uid());
        all.push(Finding::new(Level::Fail, &*shown, text));
    } else if found.mode() & 0o077 != 0 {
        let text =
            format!("others may enter it ({:04o}): nodes refuse it; run chmod 700", found.mode() & 0o7777);
        all.push(Finding::new(Level::Fail, &*shown, text));
    } else {
        all.push(Finding::new(Level::Fine, &*shown, "nobody else may enter"));
    }
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut sockets: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|of| of.is_socket()) && entry.path() != socket)
        .map(|entry| entry.path())
        .collect();
    sockets.sort();
    for path in sockets {
        if of_socket(&path).await.is_err_and(|text| text.starts_with("nobody listens")) {
            let text = "nobody listens there: a dead process has left it; its node replaces it, or remove it";
            all.push(Finding::new(Level::Warn, path.display().to_string(), text));
        }
    }
    all
}

/// Whether somebody listens at a socket.
#[cfg(unix)]
async fn of_socket(path: &Path) -> Result<(), String> {
    use std::io::ErrorKind;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use tokio::net::UnixStream;
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err("there is no socket: the node does not run".to_owned());
        }
        Err(error) => return Err(format!("its socket cannot be looked at: {error}")),
    };
    if !found.file_type().is_socket() {
        return Err("it is no socket: remove it, or choose another path".to_owned());
    }
    let mode = found.mode() & 0o7777;
    // A listener whose process is stopped takes connections until its queue is full, and a busy one may have
    // a full one for a moment.
    let until = Instant::now() + LOOK_LIMIT;
    loop {
        return match UnixStream::connect(path).await {
            Ok(_) if mode & 0o077 != 0 => Err(format!("others may connect ({mode:04o}): run chmod 600")),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Err(
                "nobody listens: the process that made the socket is dead; start the node, which replaces the file".to_owned(),
            ),
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < until => {
                tokio::time::sleep(LOOK_PAUSE).await;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err("its queue of connections is full: its process is stopped, or does not look".to_owned())
            }
            Err(error) => Err(format!("it cannot be connected to: {error}")),
        };
    }
}
