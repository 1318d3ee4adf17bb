//! Why a connection is of no use any more.

use std::io;

use mycelium_remote::link::{Ended, LinkFault, Reason};

/// Why a connection is of no use any more.
pub(super) enum Cut {
    Closed,
    Io(io::Error),
    Fault(LinkFault),
    /// The peer has said that it ends.
    Bye(Ended),
    /// This end has said so, and all of it is written.
    Done,
    /// The peer has another connection.
    Replaced,
}

impl Cut {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Closed => "the peer, or what lies between, has closed the connection".to_owned(),
            Self::Io(error) => error.to_string(),
            Self::Fault(fault) => fault.to_string(),
            Self::Bye(Ended::Shutdown) => "the peer shuts down".to_owned(),
            Self::Bye(_) => "the peer needs the link no more".to_owned(),
            Self::Done => "this bus shuts down".to_owned(),
            Self::Replaced => "the peer has another connection".to_owned(),
        }
    }

    /// Whether the next connection is expected to be of use.
    pub(super) fn is_over_at_once(&self) -> bool {
        matches!(self, Self::Fault(LinkFault::Rejected(reject)) if reject.reason == Reason::Stale)
    }
}
