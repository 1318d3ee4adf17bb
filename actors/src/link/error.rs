//! What can be wrong with a listener or a dialer.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use mycelium_remote::link::{HelloError, NAME_LEN_MAX};

/// Nothing was bound, and nobody is dialed.
#[derive(Debug)]
#[non_exhaustive]
pub enum LinkError {
    /// The bus has no name.
    NoName,
    /// The bus has a name, or contracts, that no peer would read.
    Hello(HelloError),
    /// The bus has no contracts, so it has no messages that could travel.
    NoContract,
    /// Queues of links cannot conflate.
    Conflates,
    /// The call came from outside of a tokio runtime, and the bus was built without one.
    NoRuntime,
    /// The bus was shut down.
    Closed,
    /// The path of a Unix socket is longer than the system takes.
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// The longest that is taken, in bytes.
        max: usize,
    },
    /// Others than this user may enter the directory of a socket.
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Its permissions.
        mode: u32,
        /// Whether it belongs to this user.
        own: bool,
    },
    /// Something that is no socket is where a socket should be.
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Somebody listens there.
    InUse {
        /// Where.
        address: Arc<str>,
    },
    /// The address is that of a network, which plaintext was not allowed for.
    NotLoopback {
        /// The address.
        address: Arc<str>,
    },
    /// The text is no address with a port.
    Address {
        /// The text.
        address: Arc<str>,
        /// Why.
        cause: io::Error,
    },
    /// The system refuses.
    System {
        /// What was to be done.
        doing: &'static str,
        /// Where.
        address: Arc<str>,
        /// Why.
        cause: io::Error,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str(
                "a bus needs a name to be linked: give it one that no other bus has, with \
                 `MessageBus::builder().node(\"desk\")`",
            ),
            Self::Hello(error @ HelloError::Name { .. }) => {
                write!(f, "{error} (at most {NAME_LEN_MAX} of them), with `MessageBus::builder().node(..)`")
            }
            Self::Hello(error) => write!(f, "{error}"),
            Self::NoContract => f.write_str(
                "a bus needs contracts to be linked: give it those of the messages that are to travel, with \
                 `MessageBus::builder().contract(CONTRACT)`",
            ),
            Self::Conflates => f.write_str(
                "the queue of a link cannot conflate: keys are taken from messages, and it holds bytes; take \
                 `Subscription::drop_oldest()`, and conflate at the subscriber",
            ),
            Self::NoRuntime => f.write_str(
                "there is no tokio runtime here with IO and time: call this inside one, or give the bus one with \
                 `MessageBus::builder().runtime(handle)`; build it with `enable_all()`",
            ),
            Self::Closed => f.write_str("the bus was shut down"),
            Self::PathTooLong { path, max } => write!(
                f,
                "{} is too long for the path of a socket: the system takes {max} bytes; choose a shorter directory",
                path.display()
            ),
            Self::Directory { directory, mode, own: true } => write!(
                f,
                "others may enter {0} (its permissions are {mode:04o}): put the socket into a directory of its own, or \
                 run `chmod 700 {0}`",
                directory.display()
            ),
            Self::Directory { directory, own: false, .. } => write!(
                f,
                "{} belongs to another user: put the socket into a directory of your own",
                directory.display()
            ),
            Self::NotASocket { path } => write!(
                f,
                "{} is there and is no socket: choose another path, or remove it",
                path.display()
            ),
            Self::InUse { address } => write!(
                f,
                "somebody listens at {address}: end that process, or choose another address"
            ),
            Self::NotLoopback { address } => write!(
                f,
                "{address} is no address of this machine alone, and TCP is not encrypted: take 127.0.0.1, or say \
                 `LinkOptions::default().plaintext()` if nobody else reaches that network"
            ),
            Self::Address { address, cause } => {
                write!(f, "{address:?} is no address: write host and port, such as 127.0.0.1:7000 ({cause})")
            }
            Self::System { doing, address, cause } => write!(f, "cannot {doing} {address}: {cause}"),
        }
    }
}

impl std::error::Error for LinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Hello(error) => Some(error),
            Self::Address { cause, .. } | Self::System { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
