//! The node that this process is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mycelium_remote::topology::{MONOLITH, Mode, NodePlan, Topology};

use super::TopologyError;
use super::services::NodeServices;
use super::wiring;
#[cfg(doc)]
use crate::tree::Builder;
use crate::tree::{RunEnd, Tree};
use crate::{BusBuilder, MessageBus};

/// The variable that names the topology of a process.
pub const TOPOLOGY_VARIABLE: &str = "MYCELIUM_TOPOLOGY";
/// The variable that names the node of a process, or a service that runs in it.
pub const NODE_VARIABLE: &str = "MYCELIUM_NODE";
/// The variable that names the process with whose end that of a node begins, by its number.
/// `mycelium topology run` sets it to itself.
pub const PARENT_VARIABLE: &str = "MYCELIUM_PARENT";
/// The variable that names the namespace in which the number of [`PARENT_VARIABLE`] is one, as Linux shows it
/// (`/proc/self/ns/pid`). In another one that number means nothing, and is ignored.
pub const PARENT_NAMESPACE_VARIABLE: &str = "MYCELIUM_PARENT_NAMESPACE";
/// How long [`LocalNode::run`] drains after a signal.
pub const NODE_DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// The namespace of process numbers that this process is in, as [`PARENT_NAMESPACE_VARIABLE`] has it; `None`
/// where the system does not tell.
#[must_use]
pub fn pid_namespace() -> Option<String> {
    std::fs::read_link("/proc/self/ns/pid").ok()?.into_os_string().into_string().ok()
}

/// The node of a topology that this process is: its bus, and the services that run in it. The
/// [module](crate::topology) shows one.
#[derive(Clone, Debug)]
pub struct LocalNode {
    path: PathBuf,
    topology: Topology,
    plan: NodePlan,
}

impl LocalNode {
    /// Reads a topology, and the plan of the node of this name, or that runs the service of this name. In a
    /// monolith all names of the file mean the one process.
    ///
    /// # Errors
    /// The file cannot be read, has a mistake, or has no such name.
    pub fn open(path: impl AsRef<Path>, name: &str) -> Result<Self, TopologyError> {
        let path = path.as_ref();
        let topology = wiring::read(path)?;
        let plan = topology.plan(name);
        let plan = plan.map_err(|unknown| TopologyError::Name { path: path.to_owned(), unknown })?;
        Ok(Self { path: path.to_owned(), topology, plan })
    }

    /// The same with the file that the variable [`TOPOLOGY_VARIABLE`] names and the node of
    /// [`NODE_VARIABLE`], as `mycelium topology run` sets them. A topology of one process needs no name.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); a variable is not set.
    pub fn from_env() -> Result<Self, TopologyError> {
        let unset = |name, remedy: String| TopologyError::Variable { name, remedy };
        let path = std::env::var_os(TOPOLOGY_VARIABLE).filter(|path| !path.is_empty()).ok_or_else(|| {
            let remedy =
                "set it to the path of topology.toml, or start the program with `mycelium topology run`";
            unset(TOPOLOGY_VARIABLE, remedy.to_owned())
        })?;
        if let Some(name) = std::env::var_os(NODE_VARIABLE).filter(|name| !name.is_empty()) {
            // One that is not UTF-8 is a name that no file has.
            return Self::open(path, &name.to_string_lossy());
        }
        let topology = wiring::read(path.as_ref())?;
        let name = match topology.nodes() {
            _ if topology.mode() == Mode::Monolith => MONOLITH.into(),
            [node] => Arc::clone(&node.name),
            nodes => {
                let names: Vec<&str> = nodes.iter().map(|node| &*node.name).collect();
                return Err(unset(NODE_VARIABLE, format!("set it to one of {}", names.join(", "))));
            }
        };
        Self::open(path, &name)
    }

    /// Its name: what other nodes call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.node
    }

    /// Its plan: what it listens at, and whom it dials.
    #[must_use]
    pub fn plan(&self) -> &NodePlan {
        &self.plan
    }

    /// The file of the topology.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole topology.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The bus of this node: it listens when this returns, and dials from then on. See
    /// [`MessageBus::from_topology`].
    ///
    /// # Errors
    /// [`TopologyError::Link`]: it cannot listen, or cannot dial. That nobody answers is no error.
    pub fn bus(&self, builder: BusBuilder) -> Result<MessageBus, TopologyError> {
        wiring::bus(&self.path, &self.topology, &self.plan, builder)
    }

    /// Starts the services of this node on its bus: of all services of the program, which are the children of
    /// `services` by their ids, those that the file gives to this node, in the order of the program. A
    /// service that is a tree of its own is a child that is a supervisor. Where the file names the `tree` of
    /// the node, `services` are [`Factories`](crate::tree::Factories): see [`NodeServices`].
    ///
    /// # Errors
    /// Those of [`bus`](Self::bus); the program has not the services that the file gives to this node, or has
    /// one that the file gives to none; the tree has a mistake; a service does not start. Nothing runs then.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the tree and the bus are shut down.
    pub async fn start(
        &self,
        builder: BusBuilder,
        services: impl NodeServices,
    ) -> Result<(MessageBus, Tree), TopologyError> {
        let services = services.of_node(self)?;
        let bus = self.bus(builder)?;
        let tree = services.start(&bus).await.map_err(TopologyError::Start)?;
        Ok((bus, tree))
    }

    /// [Starts](Self::start) the services of this node and runs until they have ended or a signal asks the
    /// process to end: see [`Builder::run_until_signal`]. Draining takes at most [`NODE_DRAIN_LIMIT`].
    ///
    /// On Linux, the end of the process that [`PARENT_VARIABLE`] names counts as SIGTERM, however it has
    /// ended, if both are in one namespace ([`PARENT_NAMESPACE_VARIABLE`]).
    ///
    /// # Errors
    /// Those of [`start`](Self::start); signals cannot be listened to.
    ///
    /// # Cancel safety
    /// See [`Builder::run_until_signal`].
    ///
    /// ```no_run
    /// use mycelium::topology::LocalNode;
    /// use mycelium::tree::RunEnd;
    /// use mycelium::{MainResult, MessageBus, Supervisor};
    ///
    /// #[tokio::main]
    /// async fn main() -> MainResult<RunEnd> {
    ///     let services = Supervisor::builder("desk"); // and its children
    ///     Ok(LocalNode::from_env()?.run(MessageBus::builder(), services).await?)
    /// }
    /// ```
    pub async fn run(
        &self,
        builder: BusBuilder,
        services: impl NodeServices,
    ) -> Result<RunEnd, TopologyError> {
        let services = services.of_node(self)?;
        let bus = self.bus(builder)?;
        let parent = std::env::var(PARENT_VARIABLE).ok().and_then(|number| number.parse().ok());
        let theirs = std::env::var(PARENT_NAMESPACE_VARIABLE).ok();
        let is_here = theirs.is_none_or(|theirs| pid_namespace().is_none_or(|ours| ours == theirs));
        let parent = parent.filter(|_| is_here);
        services.run_until_told(&bus, NODE_DRAIN_LIMIT, parent).await.map_err(TopologyError::Start)
    }
}
