//! One process or many: the bus and the services of a process that `topology.toml` describes.
//!
//! A program has all of its services, under names, and the file says which of them run where. So the same
//! program is one process, several on a machine, or several machines; `docs/topology.md` has the keys.
//!
//! ```
//! use mycelium::topology::LocalNode;
//! use mycelium::tree::Builder;
//! use mycelium::{BoxError, MessageBus, Service, ServiceContext, Supervisor};
//!
//! struct Feed;
//! impl Service for Feed {
//!     type Error = BoxError;
//!     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
//!         ctx.stopped().await; // and meanwhile publish what comes
//!         Ok(())
//!     }
//! }
//!
//! /// All services of the program. Each process runs those that the file gives to its node.
//! fn services() -> Builder {
//!     Supervisor::builder("desk").service("feed", || Feed).service("audit", || Feed)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! # let directory = std::env::temp_dir().join(format!("mycelium-topology-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! # let file = directory.join("topology.toml");
//! # std::fs::write(&file, "[deployment]\nmode = \"monolith\"\n[[nodes]]\nname = \"a\"\nservices = [\"feed\", \"audit\"]")?;
//! let node = LocalNode::open(&file, "feed")?; // in `main`: `LocalNode::from_env()?`
//! let (bus, tree) = node.start(MessageBus::builder(), services()).await?; // in `main`: `run`
//! assert_eq!(tree.count_children("desk").await?.active, 2);
//! tree.shutdown().await?;
//! bus.shutdown().await?;
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok(())
//! # }
//! ```

mod error;
mod node;
mod services;
mod wiring;

use std::path::Path;

use mycelium_mailbox::wire::Messages;
pub use mycelium_remote::topology::{
    CERTIFICATE_NAMES, Endpoint, EndpointKind, LinkRule, MONOLITH, Mode, NODES_MAX, NodePair, NodePlan,
    PairLink, PlannedLink, PlannedTree, QUEUE_MAX, QueuePolicy, QueueRule, RING_KIB_MAX, RING_KIB_MIN,
    SERVICES_MAX, SOCKET_PATH_MAX, SPIN_MAX, TOPOLOGY_BYTES_MAX, Topology, TopologyNode, TreeFile,
    UnknownName, VARIABLES_MAX, is_certificate_name,
};

pub use self::error::TopologyError;
pub use self::node::{
    LocalNode, NODE_DRAIN_LIMIT, NODE_VARIABLE, PARENT_NAMESPACE_VARIABLE, PARENT_VARIABLE,
    TOPOLOGY_VARIABLE, pid_namespace,
};

pub use self::services::{NodeServices, check_trees};
use crate::{BusBuilder, MessageBus};

/// Reads and checks a file. Variables are those of this process, relative paths begin at the file's
/// directory.
///
/// # Errors
/// The file cannot be read, or has a mistake.
pub fn read(path: impl AsRef<Path>) -> Result<Topology, TopologyError> {
    wiring::read(path.as_ref())
}

impl MessageBus {
    /// The bus of the process that a topology describes under this name: that of its node, or of a service
    /// that runs in it. It listens when this returns, and dials from then on: the processes of a topology
    /// may start in any order. In a monolith it does neither, and the code that uses it is the same.
    ///
    /// `contract` has the messages that may travel; generated code has it as `CONTRACT`. For other options of
    /// the bus see [`BusBuilder::build_from`], and for services under supervision
    /// [`LocalNode`].
    ///
    /// ```no_run
    /// # use mycelium::wire::{Messages, Visitor};
    /// # struct CONTRACT;
    /// # impl Messages for CONTRACT { fn each<V: Visitor>(&self, _: &mut V) {} }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> mycelium::MainResult {
    /// let bus = mycelium::MessageBus::from_topology("topology.toml", "strategy", CONTRACT)?;
    /// # Ok(bus.shutdown().await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`TopologyError`]; that other processes do not run is none.
    pub fn from_topology(
        path: impl AsRef<Path>,
        name: &str,
        contract: impl Messages,
    ) -> Result<Self, TopologyError> {
        Self::builder().contract(contract).build_from(path, name)
    }
}

impl BusBuilder {
    /// The bus of the process that a topology describes under this name: see
    /// [`MessageBus::from_topology`]. Its name is the one of its node, whatever [`node`](Self::node) was
    /// called with.
    ///
    /// # Errors
    /// See [`TopologyError`]; that other processes do not run is none.
    pub fn build_from(self, path: impl AsRef<Path>, name: &str) -> Result<MessageBus, TopologyError> {
        LocalNode::open(path, name)?.bus(self)
    }
}
