//! Where a bus listens.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where another bus listens: see [`MessageBus::connect`](crate::MessageBus::connect).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkAddress {
    /// A Unix socket at this path.
    #[cfg(unix)]
    Unix(Arc<Path>),
    /// Shared memory, which is handed over by a Unix socket at this path.
    #[cfg(target_os = "linux")]
    Shm(Arc<Path>),
    /// TCP at this host and port. A name is looked up anew for each connection.
    Tcp(Arc<str>),
}

impl LinkAddress {
    /// A Unix socket at this path.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self::Unix(path.as_ref().into())
    }

    /// Shared memory, which is handed over by a Unix socket at this path.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn shm(path: impl AsRef<Path>) -> Self {
        Self::Shm(path.as_ref().into())
    }

    /// TCP at this host and port, such as `127.0.0.1:7000`.
    #[must_use]
    pub fn tcp(host_and_port: impl Into<Arc<str>>) -> Self {
        Self::Tcp(host_and_port.into())
    }
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix {}", path.display()),
            #[cfg(target_os = "linux")]
            Self::Shm(path) => write!(f, "shm {}", path.display()),
            Self::Tcp(address) => write!(f, "tcp {address}"),
        }
    }
}
