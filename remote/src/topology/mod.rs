//! Which services run in which process, where processes listen, and how they are linked: `topology.toml`.
//!
//! A [`Topology`] is a text that was checked as a whole; [`Topology::plan`] says of one node what it listens
//! at and whom it dials. Neither reads a file, an environment or a clock: the text, the directory of the file
//! and the variables are given.
//!
//! ```
//! use mycelium_remote::topology::{Given, Topology};
//!
//! let given = Given { directory: "/srv/desk".as_ref(), variable: &|_| None };
//! let desk = Topology::parse(
//!     r#"
//!     socket_dir = "run"
//!     [deployment]
//!     mode = "bundled"
//!     [[nodes]]
//!     name = "market"
//!     services = ["feed"]
//!     [[nodes]]
//!     name = "trader"
//!     services = ["strategy", "execution"]
//!     "#,
//!     &given,
//! )?;
//! let plan = desk.plan("strategy")?;
//! assert_eq!(plan.node.as_ref(), "trader");
//! assert_eq!(plan.links[0].to_string(), "dials market at unix /srv/desk/run/market.sock");
//!
//! let mistake = Topology::parse("[deploymnt]\nmode = \"monolith\"", &given).unwrap_err();
//! assert_eq!(
//!     mistake.to_string(),
//!     "line 1, column 2: unknown key `deploymnt` in the file; did you mean `deployment`?"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `docs/topology.md` lists the keys, and each mistake.

mod check;
mod host;
mod keys;
mod pairs;
mod plan;
mod variables;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use mycelium_toml::{Mistake, Place};

pub use self::check::{CERTIFICATE_NAMES, is_certificate_name};
pub use self::pairs::{Endpoint, NodePair, PairLink};
pub use self::plan::{NodePlan, PlannedLink, PlannedTree, UnknownName};

use self::host::Host;

/// The largest file that describes a topology, in bytes.
pub const TOPOLOGY_BYTES_MAX: u64 = 1 << 20;
/// Most nodes of a topology. Each has a link with each other one.
pub const NODES_MAX: usize = 256;
/// Most services of one node.
pub const SERVICES_MAX: usize = 256;
/// Most topics that have a policy of their own.
pub const TOPICS_MAX: usize = 4_096;
/// Most variables that a file defines.
pub const VARIABLES_MAX: usize = 256;
/// The longest text with its variables put in, in bytes.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// The longest path of a socket that every system takes, in bytes. Linux takes 107, others 103.
pub const SOCKET_PATH_MAX: usize = 103;
/// The largest queue of a link (messages).
pub const QUEUE_MAX: u32 = 1 << 24;
/// For how long one side of a link through shared memory looks for more at most before it sleeps.
pub const SPIN_MAX: Duration = Duration::from_secs(1);
/// The smallest ring of a link through shared memory, in KiB.
pub const RING_KIB_MIN: u32 = 4;
/// The largest ring of a link through shared memory, in KiB.
pub const RING_KIB_MAX: u32 = 64 << 10;
/// The name of the one process of a monolith. No node may have it.
pub const MONOLITH: &str = "monolith";

/// What a topology depends on beside its text.
#[derive(Clone, Copy)]
pub struct Given<'g> {
    /// The directory that relative paths begin at: that of the file.
    pub directory: &'g Path,
    /// The environment: the value of the variable of this name, if it is set.
    pub variable: &'g dyn Fn(&str) -> Option<String>,
}

/// How the nodes of a topology become processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All services in one process and on one bus. Nodes, hosts and endpoints mean nothing.
    Monolith,
    /// Each node is a process, and all of them are on one machine. Hosts mean nothing.
    Bundled,
    /// Each node is a process on the machine that its host names.
    Distributed,
}

/// A topology without mistakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    mode: Mode,
    plaintext: bool,
    tls: Option<PathBuf>,
    command: Vec<String>,
    nodes: Vec<TopologyNode>,
    topics: BTreeMap<Arc<str>, QueueRule>,
    topic_places: BTreeMap<Arc<str>, Place>,
    pairs: Vec<NodePair>,
}

/// A process, if the mode is not [`Mode::Monolith`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TopologyNode {
    /// Its name, of which no other node has the same.
    pub name: Arc<str>,
    /// The services that run in it.
    pub services: Vec<Arc<str>>,
    /// The file that declares the tree of its services, if the file says it.
    pub tree: Option<TreeFile>,
    /// What runs it (`mycelium topology run`): a command with its arguments; empty if the file does not say.
    pub command: Vec<String>,
    /// Variables of its environment, beside the inherited ones.
    pub env: Vec<(String, String)>,
    /// Where the file describes it.
    pub place: Place,
    host: Host,
    bind: Option<Host>,
    port: Option<u16>,
    kind: EndpointKind,
    socket: Option<PathBuf>,
    /// It stands there, and is not made of the directory.
    names_socket: bool,
}

/// The file that declares the tree of a node. It is read later than the topology.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeFile {
    /// Its path.
    pub path: PathBuf,
    /// Where the topology names it.
    pub place: Place,
}

/// What a node listens at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointKind {
    /// A Unix socket for nodes of its machine, and TCP for others.
    Unix,
    /// Shared memory for nodes of its machine, handed over by its Unix socket, and TCP for others.
    Shm,
    /// TCP for all.
    Tcp,
}

/// What a queue of a link does when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueuePolicy {
    /// Publishers wait.
    Block,
    /// The oldest message that waits is dropped, and counted.
    DropOldest,
    /// The new message is dropped, and counted.
    DropNewest,
    /// Publishers get an error.
    Fail,
}

/// What a file says of queues of links; `None` where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueRule {
    /// What happens when one is full.
    pub overflow: Option<QueuePolicy>,
    /// How many messages wait in each.
    pub capacity: Option<u32>,
}

/// What a file says of a link; `None` where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkRule {
    /// The queue of each topic that has no rule of its own.
    pub queue: QueueRule,
    /// For how long messages wait for a peer without a connection.
    pub hold: Option<Duration>,
    /// Through shared memory: for how long a side looks for more before it sleeps.
    pub spin: Option<Duration>,
    /// Through shared memory: the size of the ring each way, in KiB.
    pub ring_kib: Option<u32>,
}

impl Topology {
    /// Reads and checks a text.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str, given: &Given<'_>) -> Result<Self, Mistake> {
        keys::topology(text, given)
    }

    /// How its nodes become processes.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Its nodes, in the order of the file.
    #[must_use]
    pub fn nodes(&self) -> &[TopologyNode] {
        &self.nodes
    }

    /// The command that runs each process that has none of its own; empty if the file does not say.
    #[must_use]
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// Whether TCP may leave the machine though nothing is encrypted.
    #[must_use]
    pub fn plaintext(&self) -> bool {
        self.plaintext
    }

    /// The directory of the certificates that nodes show each other over TCP; `None`: TCP is not encrypted.
    #[must_use]
    pub fn tls(&self) -> Option<&Path> {
        self.tls.as_deref()
    }

    /// Topics whose queues in links have a rule of their own, which comes before that of the link.
    #[must_use]
    pub fn topics(&self) -> &BTreeMap<Arc<str>, QueueRule> {
        &self.topics
    }

    /// Where the file has the rule of this topic.
    #[must_use]
    pub fn topic_place(&self, topic: &str) -> Option<Place> {
        self.topic_places.get(topic).copied()
    }

    /// How each two nodes are linked, in the order of the file. None in a monolith.
    #[must_use]
    pub fn pairs(&self) -> &[NodePair] {
        &self.pairs
    }

    /// The services of all nodes, in the order of the file.
    pub fn services(&self) -> impl Iterator<Item = &Arc<str>> + Clone {
        self.nodes.iter().flat_map(|node| &node.services)
    }
}

impl TopologyNode {
    /// The address of its machine; `localhost` if the file does not say.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host.text
    }

    /// Whether its host is the machine that looks, whichever that is.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.loopback
    }

    /// What it is asked to listen at.
    #[must_use]
    pub fn kind(&self) -> EndpointKind {
        self.kind
    }
}

impl Mode {
    /// As the file calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Monolith => "monolith",
            Self::Bundled => "bundled",
            Self::Distributed => "distributed",
        }
    }
}

impl QueuePolicy {
    /// As the file calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for QueuePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl QueueRule {
    /// This one, and the other where this one says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { overflow: self.overflow.or(other.overflow), capacity: self.capacity.or(other.capacity) }
    }
}

impl LinkRule {
    /// This one, and the other where this one says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            queue: self.queue.or(other.queue),
            hold: self.hold.or(other.hold),
            spin: self.spin.or(other.spin),
            ring_kib: self.ring_kib.or(other.ring_kib),
        }
    }
}
