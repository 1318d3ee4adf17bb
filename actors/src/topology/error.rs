//! Why a process of a topology does not run.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use mycelium_remote::topology::{Mistake, UnknownName};

use crate::LinkError;
use crate::tree::{DeclareError, StartError};

/// A process of a topology does not run.
#[derive(Debug)]
#[non_exhaustive]
pub enum TopologyError {
    /// No topology or no node was named in the environment.
    Variable {
        /// The name of the variable.
        name: &'static str,
        /// What could be its value.
        remedy: String,
    },
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file has a mistake.
    Mistake {
        /// The file.
        path: PathBuf,
        /// The mistake.
        mistake: Mistake,
    },
    /// The file has no node and no service of this name.
    Name {
        /// The file.
        path: PathBuf,
        /// The name.
        unknown: UnknownName,
    },
    /// The file gives the node a service that the program does not have.
    NoService {
        /// The file.
        path: PathBuf,
        /// The node, and where the file describes it.
        node: Arc<str>,
        /// The service, with what may be meant.
        cause: String,
    },
    /// The program has a service that the file gives to no node.
    Homeless {
        /// The file.
        path: PathBuf,
        /// The service.
        service: Arc<str>,
    },
    /// The node cannot listen, or cannot dial.
    Link {
        /// The file.
        path: PathBuf,
        /// The node, with what it was about to do.
        doing: String,
        /// Why.
        cause: LinkError,
    },
    /// The file wants TLS, and the node cannot have it.
    Tls {
        /// The file.
        path: PathBuf,
        /// The node.
        node: Arc<str>,
        /// Why, and what to do.
        cause: String,
    },
    /// The tree of a node has a mistake.
    Tree {
        /// The node.
        node: Arc<str>,
        /// The mistake, with the file of the tree.
        error: DeclareError,
    },
    /// The services do not start.
    Start(StartError),
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { name, remedy } => write!(f, "the variable {name} is not set: {remedy}"),
            Self::Read { path, cause } => {
                // A cause of our own says what to do.
                let remedy = cause.raw_os_error().map_or("", |_| ": check the path and its permissions");
                write!(f, "cannot read {}: {cause}{remedy}", path.display())
            }
            Self::Mistake { path, mistake } => write!(f, "{}: {mistake}", path.display()),
            Self::Name { path, unknown } => write!(f, "{}: {unknown}", path.display()),
            Self::NoService { path, node, cause } => {
                write!(f, "{}: the node `{node}` runs {cause}", path.display())
            }
            Self::Homeless { path, service } => write!(
                f,
                "{}: the program has a service `{service}`, which no node runs: add it to the `services` of one",
                path.display()
            ),
            Self::Link { path, doing, cause } => write!(f, "{}: {doing}: {cause}", path.display()),
            Self::Tls { path, node, cause } => {
                write!(f, "{}: `{node}` cannot use TLS: {cause}", path.display())
            }
            Self::Tree { node, error } => write!(f, "{error} (the tree of `{node}`)"),
            Self::Start(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TopologyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { cause, .. } => Some(cause),
            Self::Mistake { mistake, .. } => Some(mistake),
            Self::Link { cause, .. } => Some(cause),
            Self::Tree { error, .. } => Some(error),
            Self::Start(error) => Some(error),
            _ => None,
        }
    }
}
