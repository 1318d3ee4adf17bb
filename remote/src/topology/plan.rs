//! What one process listens at, and whom it dials.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mycelium_toml::suggestion;

use super::check::listed;
use super::{Endpoint, LinkRule, MONOLITH, Mode, Topology, TopologyNode, TreeFile};

/// The plan of one process.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodePlan {
    /// What other nodes call it; [`MONOLITH`] where there is one process.
    pub node: Arc<str>,
    /// The services that run in it.
    pub services: Vec<Arc<str>>,
    /// The trees of these that the file says are declared elsewhere: in a monolith those of all nodes, in the
    /// order of the file.
    pub trees: Vec<PlannedTree>,
    /// What it listens at. A Unix socket also if no node dials it, and so a port where TCP is asked for and
    /// may be used: tools do.
    pub listens: Vec<Endpoint>,
    /// Its links, in the order of the file.
    pub links: Vec<PlannedLink>,
    /// What runs it (`mycelium topology run`): a command with its arguments; empty if the file does not say.
    /// In a monolith that of its nodes if they agree, else that of `[deployment]`.
    pub command: Vec<String>,
    /// Variables of its environment, beside the inherited ones: in a monolith those of all nodes.
    pub env: Vec<(String, String)>,
}

/// A tree of a process that is declared in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedTree {
    /// The node whose tree it is.
    pub node: Arc<str>,
    /// The services of the node: children of the root of the tree.
    pub services: Vec<Arc<str>>,
    /// The file that declares it.
    pub file: TreeFile,
}

/// The link of a process with one other.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlannedLink {
    /// The other node.
    pub peer: Arc<str>,
    /// Whether this node dials; else the other one does.
    pub dials: bool,
    /// Where it is dialed.
    pub endpoint: Endpoint,
    /// Why it is so, as half a sentence.
    pub why: Arc<str>,
    /// What the file says of the link.
    pub rule: LinkRule,
}

impl fmt::Display for PlannedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dials {
            write!(f, "dials {} at {}", self.peer, self.endpoint)
        } else {
            write!(f, "dialed by {} at {}", self.peer, self.endpoint)
        }
    }
}

/// No node and no service has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// The name.
    pub name: String,
    /// What to do.
    remedy: String,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the topology has no node and no service `{}`{}", self.name.escape_debug(), self.remedy)
    }
}

impl std::error::Error for UnknownName {}

impl Topology {
    /// The plan of the process that has this name or runs the service of this name. In a monolith every name
    /// of the file, and [`MONOLITH`], is that of the one process.
    ///
    /// # Errors
    /// The file has no such name.
    pub fn plan(&self, name: &str) -> Result<NodePlan, UnknownName> {
        let home = self
            .nodes
            .iter()
            .position(|node| *node.name == *name || node.services.iter().any(|service| **service == *name));
        if self.mode == Mode::Monolith && (home.is_some() || name == MONOLITH) {
            return Ok(self.monolith());
        }
        let home = home.ok_or_else(|| self.unknown(name))?;
        Ok(self.plan_of(home))
    }

    /// The plans of all processes, in the order of the file.
    #[must_use]
    pub fn plans(&self) -> Vec<NodePlan> {
        match self.mode {
            Mode::Monolith => vec![self.monolith()],
            _ => (0..self.nodes.len()).map(|number| self.plan_of(number)).collect(),
        }
    }

    /// Where a tool finds the process that has this name or runs the service of this name, best first: its
    /// socket if it has one, which is of use on its machine alone, then TCP.
    ///
    /// # Errors
    /// The file has no such name.
    pub fn reach(&self, name: &str) -> Result<Vec<Endpoint>, UnknownName> {
        let plan = self.plan(name)?;
        let node = self.nodes.iter().find(|node| node.name == plan.node);
        let dialed = node.and_then(|node| node.dialed(self.mode));
        let tcp = plan.listens.iter().any(|endpoint| matches!(endpoint, Endpoint::Tcp(_)));
        let tcp = dialed.filter(|_| tcp).map(Endpoint::Tcp);
        let local = plan.listens.into_iter().filter(|endpoint| !matches!(endpoint, Endpoint::Tcp(_)));
        Ok(local.chain(tcp).collect())
    }

    /// The names by which processes may be called in paths of actors, such as `risk/limits`: those of
    /// services and nodes, each with the name of its process.
    #[must_use]
    pub fn homes(&self) -> BTreeMap<Arc<str>, Arc<str>> {
        let mut homes = BTreeMap::new();
        // Nodes last: a name that a node and a service have is the node's.
        for node in &self.nodes {
            homes.extend(node.services.iter().map(|service| (Arc::clone(service), Arc::clone(&node.name))));
        }
        homes.extend(self.nodes.iter().map(|node| (Arc::clone(&node.name), Arc::clone(&node.name))));
        if self.mode == Mode::Monolith {
            homes.values_mut().for_each(|home| *home = MONOLITH.into());
        }
        homes
    }

    fn monolith(&self) -> NodePlan {
        let services = self.services().cloned().collect();
        let mut env: Vec<(String, String)> = Vec::new();
        for variable in self.nodes.iter().flat_map(|node| &node.env) {
            // A setting of two nodes has one value: that was checked.
            if !env.contains(variable) {
                env.push(variable.clone());
            }
        }
        let mut commands = self.nodes.iter().map(|node| self.command_of(node));
        let agreed = commands.next().filter(|first| commands.all(|other| other == *first));
        let command = agreed.unwrap_or(&self.command).to_vec();
        let (node, listens, links) = (MONOLITH.into(), Vec::new(), Vec::new());
        let trees = self.nodes.iter().filter_map(planned_tree).collect();
        NodePlan { node, services, trees, listens, links, command, env }
    }

    fn command_of<'t>(&'t self, node: &'t TopologyNode) -> &'t [String] {
        if node.command.is_empty() { &self.command } else { &node.command }
    }

    fn plan_of(&self, number: usize) -> NodePlan {
        let node = &self.nodes[number];
        let mut links = Vec::new();
        for pair in &self.pairs {
            let peer = match pair.nodes {
                (first, second) if first == number => second,
                (first, second) if second == number => first,
                _ => continue,
            };
            let Some(link) = &pair.link else { continue };
            links.push(PlannedLink {
                peer: Arc::clone(&self.nodes[peer].name),
                dials: link.dialer == number,
                endpoint: link.endpoint.clone(),
                why: Arc::clone(&pair.why),
                rule: pair.rule,
            });
        }
        let is_tcp = |endpoint: &Endpoint| matches!(endpoint, Endpoint::Tcp(_));
        let is_dialed = links.iter().any(|link| !link.dials && is_tcp(&link.endpoint));
        let for_tools = node.is_for_tools(self.mode, self.plaintext || self.tls.is_some());
        let tcp = node.listens(self.mode).filter(|_| is_dialed || for_tools).map(Endpoint::Tcp);
        NodePlan {
            node: Arc::clone(&node.name),
            services: node.services.clone(),
            trees: planned_tree(node).into_iter().collect(),
            listens: node.at_socket().into_iter().chain(tcp).collect(),
            links,
            command: self.command_of(node).to_vec(),
            env: node.env.clone(),
        }
    }

    fn unknown(&self, name: &str) -> UnknownName {
        let names = || {
            let nodes = self.nodes.iter().map(|node| &*node.name);
            nodes.chain(self.services().map(|service| &**service))
        };
        let remedy = suggestion(name, names()).unwrap_or_else(|| {
            format!(
                "; its nodes are {}, its services {}",
                listed(self.nodes.iter().map(|node| &*node.name)),
                listed(self.services().map(|service| &**service))
            )
        });
        UnknownName { name: name.to_owned(), remedy }
    }
}

fn planned_tree(node: &TopologyNode) -> Option<PlannedTree> {
    let (node, services, file) = (&node.name, &node.services, node.tree.as_ref()?);
    Some(PlannedTree { node: Arc::clone(node), services: services.clone(), file: file.clone() })
}
