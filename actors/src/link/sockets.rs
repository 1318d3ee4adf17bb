//! Sockets of this user and this machine: where they may be, and who may be at the other side.

#[cfg(unix)]
mod unix;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpStream};

use super::lookup::HostLookup;
use super::security::Security;
#[cfg(target_os = "linux")]
use super::shm::ShmSocket;
use super::{LinkAddress, LinkError, LinkOptions};
use crate::rt::{self, Instant};

/// A connection, of whatever kind.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {
    /// Whether the other side may have this name; else why not. Asked when it has said its name.
    fn admits(&self, _name: &str) -> Result<(), String> {
        Ok(())
    }

    /// Where a reader that has found nothing looks again before it sleeps: whether there is something by now,
    /// but for the end. `None`: it does not, or sleeps already. The look costs next to nothing.
    fn look(&self) -> Option<bool> {
        None
    }

    /// Whether it looks for a while, as its options say: messages may go to and fro in a microsecond.
    fn spins(&self) -> bool {
        false
    }

    /// Whether a write takes no system call but to wake the other side, so that the thread that publishes may
    /// do it itself, and blocks it never.
    fn is_direct(&self) -> bool {
        false
    }
}
#[cfg(unix)]
impl Socket for tokio::net::UnixStream {}
#[cfg(target_os = "linux")]
impl Socket for ShmSocket {
    fn look(&self) -> Option<bool> {
        Self::look(self)
    }

    fn spins(&self) -> bool {
        Self::spins(self)
    }

    fn is_direct(&self) -> bool {
        true
    }
}
impl Socket for TcpStream {}
impl Socket for tokio::io::Empty {}

/// A connection that has come, and from where if that has an address. `Err` with `None`: its other side may
/// not connect.
pub(super) type AcceptedSocket = Result<(Box<dyn Socket>, Option<SocketAddr>), Option<io::Error>>;

/// What a look after the file of a socket has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileLook {
    There,
    /// It was gone, and is there again.
    Renewed,
    /// Another socket, or whatever else, lies in its place.
    Anothers,
}

/// A socket that is listened at.
pub(super) enum OpenSocket {
    #[cfg(unix)]
    // The file goes first, while nobody else can listen there.
    Unix(unix::SocketFile, UnixListener),
    #[cfg(target_os = "linux")]
    Shm(unix::SocketFile, UnixListener, Duration),
    Tcp(TcpListener, Security),
}

impl OpenSocket {
    /// Inside a runtime with IO.
    pub(super) fn bind(address: &LinkAddress, options: &LinkOptions) -> Result<(Self, Arc<str>), LinkError> {
        match address {
            #[cfg(unix)]
            LinkAddress::Unix(path) => {
                let (listener, file) = unix::bind(path)?;
                let listener = registered(|| UnixListener::from_std(listener), "listen at", address)?;
                Ok((Self::Unix(file, listener), path.display().to_string().into()))
            }
            #[cfg(target_os = "linux")]
            LinkAddress::Shm(path) => {
                let (listener, file) = unix::bind(path)?;
                let listener = registered(|| UnixListener::from_std(listener), "listen at", address)?;
                Ok((Self::Shm(file, listener, options.spin), path.display().to_string().into()))
            }
            LinkAddress::Tcp(text) => {
                let listener = bind_tcp(text, options.may_leave())?;
                let local = listener.local_addr().map_err(|cause| system("listen at", address, cause))?;
                let listener = registered(|| TcpListener::from_std(listener), "listen at", address)?;
                Ok((Self::Tcp(listener, options.security.clone()), local.to_string().into()))
            }
        }
    }

    /// The file at which others find it, and what listens there; `None`: it has none.
    #[cfg(unix)]
    fn file(&mut self) -> Option<(&mut unix::SocketFile, &mut UnixListener)> {
        match self {
            Self::Unix(file, listener) => Some((file, listener)),
            #[cfg(target_os = "linux")]
            Self::Shm(file, listener, _) => Some((file, listener)),
            Self::Tcp(..) => None,
        }
    }

    /// Whether others find it by a file, which may be removed below it.
    pub(super) fn has_file(&self) -> bool {
        !matches!(self, Self::Tcp(..))
    }

    /// Looks after its file, inside a runtime with IO. Where there is none any more it listens anew: a
    /// cleaner of temporary files removes those of sockets that are in use. One of another listener stays.
    pub(super) fn look_after_file(&mut self) -> Result<FileLook, LinkError> {
        #[cfg(unix)]
        if let Some((file, listener)) = self.file() {
            match file.found() {
                unix::AtPath::Ours => {}
                unix::AtPath::Anothers => return Ok(FileLook::Anothers),
                unix::AtPath::Nothing => {
                    let (bound, successor) = file.bind_anew()?;
                    let address = file.address();
                    *listener = registered(|| UnixListener::from_std(bound), "listen at", &address)?;
                    file.leave_to(successor);
                    return Ok(FileLook::Renewed);
                }
            }
        }
        Ok(FileLook::There)
    }

    /// The next connection.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<AcceptedSocket> {
        Poll::Ready(match self {
            #[cfg(unix)]
            Self::Unix(_, listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx)).map_err(Some)?;
                if unix::is_own(&stream).map_err(Some)? { Ok((Box::new(stream), None)) } else { Err(None) }
            }
            #[cfg(target_os = "linux")]
            Self::Shm(_, listener, spin) => {
                let (stream, _) = ready!(listener.poll_accept(cx)).map_err(Some)?;
                let own = unix::is_own(&stream).map_err(Some)?;
                if own { Ok((Box::new(ShmSocket::accepted(stream, *spin)), None)) } else { Err(None) }
            }
            Self::Tcp(listener, security) => {
                let (stream, from) = ready!(listener.poll_accept(cx)).map_err(Some)?;
                stream.set_nodelay(true).map_err(Some)?;
                Ok((security.accepts(stream), Some(from)))
            }
        })
    }
}

/// Dials once, within this limit if it is a host of several addresses.
pub(super) async fn dial(
    address: &LinkAddress,
    options: &LinkOptions,
    lookup: &mut HostLookup,
    limit: Duration,
) -> io::Result<Box<dyn Socket>> {
    match address {
        #[cfg(unix)]
        LinkAddress::Unix(path) => Ok(Box::new(unix::dial(path).await?)),
        #[cfg(target_os = "linux")]
        LinkAddress::Shm(path) => {
            let stream = unix::dial(path).await?;
            Ok(Box::new(super::shm::dial(stream, options.ring, options.spin).await?))
        }
        LinkAddress::Tcp(text) => {
            let began = Instant::now();
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            let found = lookup.find(text).await?;
            for (at, address) in found.iter().enumerate() {
                if !options.may_leave() && !address.ip().is_loopback() {
                    let text = LinkError::NotLoopback { address: address.to_string().into() }.to_string();
                    last = io::Error::new(io::ErrorKind::PermissionDenied, text);
                    continue;
                }
                // One that answers nothing leaves their time to the others.
                let share = limit.saturating_sub(began.elapsed()) / (found.len() - at) as u32;
                match rt::timeout(share, TcpStream::connect(address)).await {
                    Ok(Ok(stream)) => {
                        stream.set_nodelay(true)?;
                        return Ok(options.security.dials(stream));
                    }
                    Ok(Err(error)) => last = error,
                    Err(_) => last = io::ErrorKind::TimedOut.into(),
                }
            }
            Err(last)
        }
    }
}

/// Whether this address can be dialed at all, as far as that is known before.
pub(super) fn check_dial(address: &LinkAddress, may_leave: bool) -> Result<(), LinkError> {
    match address {
        #[cfg(unix)]
        LinkAddress::Unix(path) => unix::check_path(path),
        #[cfg(target_os = "linux")]
        LinkAddress::Shm(path) => unix::check_path(path),
        LinkAddress::Tcp(text) => match text.parse::<SocketAddr>() {
            Ok(address) if !may_leave && !address.ip().is_loopback() => {
                Err(LinkError::NotLoopback { address: Arc::clone(text) })
            }
            Ok(_) => Ok(()),
            Err(_) => {
                let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
                match port.map(|(_, port)| port.parse::<u16>()) {
                    Some(Ok(_)) => Ok(()),
                    _ => Err(no_address(text, io::Error::new(io::ErrorKind::InvalidInput, "no port"))),
                }
            }
        },
    }
}

fn bind_tcp(text: &Arc<str>, may_leave: bool) -> Result<std::net::TcpListener, LinkError> {
    let found = text.to_socket_addrs().map_err(|cause| no_address(text, cause))?;
    let addresses: Vec<SocketAddr> = found.collect();
    if !may_leave && addresses.iter().any(|address| !address.ip().is_loopback()) {
        return Err(LinkError::NotLoopback { address: Arc::clone(text) });
    }
    let listener = std::net::TcpListener::bind(&*addresses).map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => LinkError::InUse { address: Arc::clone(text) },
        _ => LinkError::System { doing: "listen at", address: Arc::clone(text), cause },
    })?;
    let nonblocking = listener.set_nonblocking(true);
    nonblocking.map_err(|cause| LinkError::System {
        doing: "listen at",
        address: Arc::clone(text),
        cause,
    })?;
    Ok(listener)
}

fn no_address(text: &Arc<str>, cause: io::Error) -> LinkError {
    LinkError::Address { address: Arc::clone(text), cause }
}

fn system(doing: &'static str, address: &LinkAddress, cause: io::Error) -> LinkError {
    LinkError::System { doing, address: address.to_string().into(), cause }
}

/// Whether this runtime has IO and time, as sockets need.
pub(super) fn check_runtime() -> Result<(), LinkError> {
    let address = LinkAddress::tcp("");
    #[cfg(unix)]
    registered(|| tokio::net::UnixDatagram::unbound().map(drop), "make", &address)?;
    let sleeps = || Ok(Box::pin(crate::rt::sleep(std::time::Duration::ZERO)));
    registered(sleeps, "wait for", &address).map(drop)
}

/// tokio panics on a runtime without IO.
fn registered<T>(
    register: impl FnOnce() -> io::Result<T>,
    doing: &'static str,
    address: &LinkAddress,
) -> Result<T, LinkError> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(register)) {
        Ok(registered) => registered.map_err(|cause| system(doing, address, cause)),
        Err(_) => Err(LinkError::NoRuntime),
    }
}
