//! Trees declared in TOML: the same file is simulated before it is live, and run.
//!
//! ```
//! use mycelium_supervisor::declare::{Declaration, Program};
//! use mycelium_supervisor::Strategy;
//!
//! let declared = Declaration::parse(
//!     r#"
//!     [tree]
//!     id = "desk"
//!     strategy = "rest_for_one"
//!
//!     [[tree.children]]
//!     id = "feed"
//!     service = "feed"
//!
//!     [[tree.children]]
//!     id = "pricer"
//!     command = ["python3", "-u", "pricer.py"]
//!     "#,
//! )?;
//! assert_eq!(declared.tree.flags.strategy, Strategy::RestForOne);
//! assert_eq!(declared.tree.children[0].start.program, Some(Program::Service("feed".into())));
//!
//! let mistake = Declaration::parse("[tree]\nstratgy = \"one_for_all\"").unwrap_err();
//! assert_eq!(
//!     mistake.to_string(),
//!     "line 2, column 1: unknown key `stratgy` in [tree]; did you mean `strategy`?"
//! );
//! # Ok::<(), mycelium_supervisor::declare::Mistake>(())
//! ```
//!
//! `docs/supervision.md` lists the keys.

mod arguments;
mod keys;
mod paths;
mod pools;
mod scenario;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mycelium_toml::{Document, Fields};

use crate::sim::{self, Behaviour, Plan};
use crate::spec::{ChildSpec, Flags};

pub use arguments::{DeclaredArgument, DeclaredArguments, DeclaredValue};
pub use keys::SCRIPTED_STARTS_MAX;
pub use mycelium_toml::{Mistake, Place, suggestion, text};

use keys::{ChildEntry, Start};

/// What a file says of a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// The id of the root supervisor.
    pub root: Arc<str>,
    /// The root supervisor and all below it.
    pub tree: DeclaredTree,
}

/// A declared supervisor.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredTree {
    /// Its flags.
    pub flags: Flags,
    /// Its children in start order.
    pub children: Vec<ChildSpec<Declared>>,
}

/// What a child is, and how it behaves in a dry run.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// Where the file says so: its program, or the child as a whole.
    pub place: Place,
    /// What it runs; `None` for a supervisor that is no pool, and for a worker that the file does not say it
    /// of.
    pub program: Option<Program>,
    /// Its arguments, if it is an actor or a service that is given some; a dry run does not look at them.
    pub arguments: Option<DeclaredArguments>,
    /// Whether a drain stops it first; `None`: what its kind says.
    pub source: Option<bool>,
    /// How it is looked after while it starts and runs; a dry run does not look at it.
    pub care: Care,
    /// For a supervisor: what it supervises; for a pool its workers, not its feed.
    pub tree: Option<DeclaredTree>,
    /// Its behaviour in a dry run, without the tree.
    pub behaviour: Behaviour,
}

/// Most attempts to handle one message.
pub const REDELIVERY_ATTEMPTS_MAX: u32 = 1_000;

/// How a child is looked after while it starts and runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Care {
    /// How long it may take until it is ready; `None`: what its kind says.
    pub start_timeout: Option<Duration>,
    /// Whether it says by itself when it is ready.
    pub ready_when_told: bool,
    /// Of a process: it is ready when it has written a line with this text.
    pub ready_line: Option<String>,
    /// After how long without progress it counts as stuck; `None`: never.
    pub stuck_after: Option<Duration>,
    /// Whether it is restarted then.
    pub restart_when_stuck: bool,
    /// Of an actor: how often the handler of one message is tried, 1..=[`REDELIVERY_ATTEMPTS_MAX`];
    /// `None`: once.
    pub redelivery_attempts: Option<u32>,
    /// The thread of its own that it has live; `None`: none.
    pub thread: Option<DeclaredThread>,
}

/// A thread of the operating system for one child alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeclaredThread {
    /// The core that it stays on, counted from 0.
    pub pin_to: Option<u32>,
    /// Whether it never sleeps.
    pub busy_polling: bool,
}

/// Most workers of a pool.
pub const POOL_WORKERS_MAX: u32 = 256;

/// Which worker of a pool gets a message that has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeclaredDispatch {
    /// Each in turn.
    RoundRobin,
    /// The one with the fewest messages that wait.
    LeastBusy,
}

/// What a child runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// The pool that the program registered under this name.
    Pool {
        /// The name.
        name: String,
        /// With how many workers it starts: 1..=[`POOL_WORKERS_MAX`].
        workers: u32,
        /// Who gets messages without a key; `None`: what the program says.
        dispatch: Option<DeclaredDispatch>,
    },
    /// The actor that the program registered under this name.
    Actor(String),
    /// The service that the program registered under this name.
    Service(String),
    /// An operating-system process.
    Process {
        /// The command and its arguments; at least one.
        command: Vec<String>,
        /// Variables that are set beside the inherited ones.
        env: Vec<(String, String)>,
        /// Its working directory.
        cwd: Option<String>,
    },
}

impl Declaration {
    /// Reads a file that declares a tree. Scripted `[[events]]` are for dry runs and not looked at.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let document = Document::parse(text)?;
        let document = Fields::document(&document, "the file", &["tree", "events"])?;
        let (root, flags, children) = keys::declaration(&document)?;
        Ok(Self { root, tree: DeclaredTree { flags, children } })
    }
}

/// The largest file that declares a tree, in bytes.
pub const TREE_BYTES_MAX: u64 = mycelium_toml::TEXT_BYTES_MAX;

/// Reads a file that declares a tree, and no more of it than such a file may have.
///
/// # Errors
/// What the system says; a file larger than [`TREE_BYTES_MAX`]; a named pipe, whose writer might never come.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    mycelium_toml::read(path, TREE_BYTES_MAX, "a declared tree")
}

impl Start for Declared {
    fn new(entry: ChildEntry<'_, Self>, _: Option<&Self>) -> Self {
        let ChildEntry { said, program, arguments, source, care, tree, behaviour } = entry;
        let tree = tree.map(|(flags, children)| DeclaredTree { flags, children });
        Self { place: said.place(), program, arguments, source, care, tree, behaviour }
    }
}

impl Start for Plan {
    /// Siblings without a behaviour of their own share one plan: its starts are counted together, and nobody
    /// asks for the count.
    fn new(entry: ChildEntry<'_, Self>, before: Option<&Self>) -> Self {
        let tree = entry.tree.map(|(flags, children)| sim::Tree { flags, children });
        let behaviour = Behaviour { tree, ..entry.behaviour };
        let plain = behaviour == Behaviour::default();
        match before {
            Some(before) if plain && **before == behaviour => Arc::clone(before),
            _ => Plan::new(behaviour),
        }
    }
}

impl DeclaredTree {
    /// The tree as a dry run takes it.
    #[must_use]
    pub fn simulated(&self) -> sim::Tree {
        let children = self.children.iter().map(simulated).collect();
        sim::Tree { flags: self.flags, children }
    }
}

/// A declared child as a dry run takes it.
fn simulated(child: &ChildSpec<Declared>) -> ChildSpec<Plan> {
    let Declared { tree, behaviour, .. } = &child.start;
    let tree = tree.as_ref().map(DeclaredTree::simulated);
    let start = Plan::new(Behaviour { tree, ..behaviour.clone() });
    let ChildSpec { restart, shutdown, kind, significant, backoff, .. } = *child;
    ChildSpec { id: Arc::clone(&child.id), start, restart, shutdown, kind, significant, backoff }
}
