//! `mycelium topology plan`: which process listens where, and whom it dials.

use std::io;
use std::path::PathBuf;

use mycelium::topology::{self, Endpoint, LinkRule, Mode, NodePlan, PlannedLink, PlannedTree, Topology};
use serde_json::{Value, json};

use crate::outcome::{self, Outcome, say};

/// Show which process runs what, where it listens, whom it dials, and why.
#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// The topology.
    #[arg(default_value = "topology.toml", value_name = "FILE")]
    file: PathBuf,
    /// Only the process of this node or service.
    #[arg(value_name = "NODE")]
    node: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &PlanArgs) -> outcome::Result {
    let found = topology::read(&args.file)?;
    let plans = match &args.node {
        None => found.plans(),
        Some(name) => vec![found.plan(name).map_err(|error| format!("{}: {error}", args.file.display()))?],
    };
    if args.json {
        say(as_json(&found, &plans))?;
    } else {
        as_text(&found, &plans)?;
    }
    Ok(Outcome::Fine)
}

fn as_text(topology: &Topology, plans: &[NodePlan]) -> io::Result<()> {
    let count = topology.plans().len();
    let plural = if count == 1 { "" } else { "es" };
    let tls = topology.tls().filter(|_| topology.mode() != Mode::Monolith);
    let tls = tls.map_or(String::new(), |tls| format!(", TCP with TLS by {}", tls.display()));
    say(format_args!("mode {}: {count} process{plural}{tls}", topology.mode()))?;
    for plan in plans {
        let services: Vec<&str> = plan.services.iter().map(|service| &**service).collect();
        let services = if services.is_empty() { "no services".to_owned() } else { services.join(", ") };
        say(format_args!("\n{}: {services}", plan.node))?;
        for tree in &plan.trees {
            // In a monolith, that of each node.
            let whose = if tree.node == plan.node { String::new() } else { format!(" of {}", tree.node) };
            say(format_args!("  tree{whose} in {}", tree.file.path.display()))?;
        }
        for endpoint in &plan.listens {
            say(format_args!("  listens at {endpoint}"))?;
        }
        for link in &plan.links {
            say(format_args!("  {link}\n    because {}{}", link.why, rule_text(rule_of(link))))?;
        }
    }
    let of_plan = |name: &str| plans.iter().any(|plan| *plan.node == *name);
    for pair in topology.pairs().iter().filter(|pair| pair.link.is_none()) {
        let (one, other) = (&topology.nodes()[pair.nodes.0].name, &topology.nodes()[pair.nodes.1].name);
        if of_plan(one) || of_plan(other) {
            say(format_args!("\n{one} and {other} are not linked: {}", pair.why))?;
        }
    }
    Ok(())
}

/// What the file says of a link, as far as it means something there.
fn rule_of(link: &PlannedLink) -> LinkRule {
    let mut rule = link.rule;
    if !matches!(link.endpoint, Endpoint::Shm(_)) {
        (rule.spin, rule.ring_kib) = (None, None);
    }
    rule
}

/// What the file says of a link, behind the rest of its line.
fn rule_text(rule: LinkRule) -> String {
    let overflow = rule.queue.overflow.map(|policy| format!("when full {policy}"));
    let capacity = rule.queue.capacity.map(|capacity| format!("{capacity} messages wait at most"));
    let hold = rule.hold.map(|hold| format!("held for {hold:?}"));
    let spin = rule.spin.map(|spin| format!("spins for {spin:?}"));
    let ring = rule.ring_kib.map(|kib| format!("rings of {kib} KiB"));
    let said: Vec<String> = [overflow, capacity, hold, spin, ring].into_iter().flatten().collect();
    if said.is_empty() { String::new() } else { format!("; {}", said.join(", ")) }
}

fn as_json(topology: &Topology, plans: &[NodePlan]) -> Value {
    let link = |link: &PlannedLink| {
        json!({
            "peer": *link.peer,
            "dials": link.dials,
            "endpoint": endpoint(&link.endpoint),
            "why": *link.why,
            "overflow": link.rule.queue.overflow.map(topology::QueuePolicy::name),
            "capacity": link.rule.queue.capacity,
            "hold_ms": link.rule.hold.map(|hold| hold.as_secs_f64() * 1e3),
            "spin_us": rule_of(link).spin.map(|spin| spin.as_secs_f64() * 1e6),
            "ring_kib": rule_of(link).ring_kib,
        })
    };
    let tree =
        |tree: &PlannedTree| json!({ "node": *tree.node, "file": tree.file.path.display().to_string() });
    let node = |plan: &NodePlan| {
        json!({
            "node": *plan.node,
            "services": plan.services.iter().map(|service| &**service).collect::<Vec<_>>(),
            "trees": plan.trees.iter().map(tree).collect::<Vec<_>>(),
            "listens": plan.listens.iter().map(endpoint).collect::<Vec<_>>(),
            "links": plan.links.iter().map(link).collect::<Vec<_>>(),
        })
    };
    json!({ "mode": topology.mode().name(), "tls": topology.tls().map(|tls| tls.display().to_string()), "nodes": plans.iter().map(node).collect::<Vec<_>>() })
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let whole = endpoint.to_string();
    let (kind, address) = whole.split_once(' ').unwrap_or((&whole, ""));
    json!({ "kind": kind, "address": address })
}
