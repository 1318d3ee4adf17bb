//! Whether TCP connections of a listener or dialer have TLS, in a program that may be built without it.

use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use super::TlsIdentity;
use super::sockets::Socket;
use super::{LinkAddress, LinkError};

/// That of one listener or dialer.
#[derive(Clone, Debug, Default)]
pub(super) enum Security {
    #[default]
    Plain,
    #[cfg(feature = "tls")]
    Tls(TlsIdentity),
}

impl Security {
    /// Whether nobody else reads and writes such a connection.
    pub(super) fn is_safe(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// An error if no peer at this address would believe that a bus has this name.
    pub(super) fn check(&self, address: &LinkAddress, name: &str) -> Result<(), LinkError> {
        match (self, address) {
            #[cfg(feature = "tls")]
            (Self::Tls(identity), LinkAddress::Tcp(_)) => identity.check_own(name),
            _ => Ok(()),
        }
        .map_err(|cause: String| LinkError::Certificate {
            cause: format!("the bus is called `{name}`: {cause}").into(),
        })
    }

    /// The side that was dialed.
    pub(super) fn accepts(&self, stream: TcpStream) -> Box<dyn Socket> {
        match self {
            Self::Plain => Box::new(stream),
            #[cfg(feature = "tls")]
            Self::Tls(identity) => Box::new(identity.accepts(stream)),
        }
    }

    /// The side that dials.
    pub(super) fn dials(&self, stream: TcpStream) -> Box<dyn Socket> {
        match self {
            Self::Plain => Box::new(stream),
            #[cfg(feature = "tls")]
            Self::Tls(identity) => Box::new(identity.dials(stream)),
        }
    }
}
