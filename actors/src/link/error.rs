//! What can be wrong with a listener or a dialer.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use mycelium_remote::link::{HelloError, MAILBOX_LEN_MAX, MAILBOXES_MAX, NAME_LEN_MAX};

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
    /// The options for one peer say how its connections are secured.
    SecuredPeer {
        /// Its name.
        peer: Arc<str>,
    },
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
    /// The certificate is not that of a bus of this name.
    Certificate {
        /// The file, and which names it has.
        cause: Arc<str>,
    },
    /// The text is no address with a port.
    Address {
        /// The text.
        address: Arc<str>,
        /// Why.
        cause: io::Error,
    },
    /// The text names no actor of a bus.
    Path {
        /// The text.
        path: Arc<str>,
    },
    /// The name of an actor is empty or too long, or there are as many names as there may be.
    Mailbox {
        /// The name.
        name: Arc<str>,
    },
    /// Another actor, which lives, is exposed under the name of a child of a tree.
    Exposed {
        /// The name.
        name: Arc<str>,
    },
    /// The topology has no service of this name.
    Service {
        /// The name.
        service: Arc<str>,
        /// What is wrong with it, and what may be meant.
        cause: Arc<str>,
    },
    /// An actor is exposed for more kinds of messages than a peer reads.
    TooManyKinds {
        /// The name of the actor.
        name: Arc<str>,
        /// How many kinds there may be; what is told and what is asked counts apart.
        max: usize,
    },
    /// The message is in no contract of the bus, so it cannot travel.
    NotInContract {
        /// The message.
        message: &'static str,
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
            Self::SecuredPeer { peer } => write!(
                f,
                "the options for the peer `{peer}` say how its connections are secured, which comes before its \
                 name: say `LinkOptions::tls` or `plaintext` for all peers, beside `LinkOptions::peer`"
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
                 `LinkOptions::tls` for TLS, or `LinkOptions::plaintext` if nobody else reaches that network"
            ),
            Self::Certificate { cause } => write!(f, "{cause}; make one for this name with `mycelium certs`"),
            Self::Address { address, cause } => {
                write!(f, "{address:?} is no address: write host and port, such as 127.0.0.1:7000 ({cause})")
            }
            Self::Path { .. }
            | Self::Mailbox { .. }
            | Self::Exposed { .. }
            | Self::Service { .. }
            | Self::TooManyKinds { .. }
            | Self::NotInContract { .. } => self.of_an_actor(f),
            Self::System { doing, address, cause } => write!(f, "cannot {doing} {address}: {cause}"),
        }
    }
}

impl LinkError {
    /// What is wrong with the actor that was to be exposed or reached.
    fn of_an_actor(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { path } => write!(
                f,
                "{path:?} is no path of an actor: write the name of its bus, a slash, and the name under which it is exposed there, \
                 such as \"desk/risk\""
            ),
            Self::Mailbox { name } => write!(
                f,
                "{name:?} is no name for an actor that peers write to: take 1 to {MAILBOX_LEN_MAX} bytes, and at most {MAILBOXES_MAX} \
                 names at the same time"
            ),
            Self::Exposed { name } => write!(
                f,
                "another actor is exposed as {name:?}, and it lives: give one of both another name, or end the other one first"
            ),
            Self::Service { service, cause } => write!(f, "{service:?} is no service: {cause}"),
            Self::TooManyKinds { name, max } => write!(
                f,
                "{name:?} is exposed for more than {max} kinds of messages, and peers read no more: expose it under two names"
            ),
            Self::NotInContract { message } => write!(
                f,
                "{message} is in no contract of this bus, so it cannot travel: add it with `MessageBus::builder().contract(..)`"
            ),
            _ => Ok(()),
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
