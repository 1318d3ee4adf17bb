//! Sockets of this user and this machine: where they may be, and who may be at the other side.

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

    /// Where a reader that has found nothing looks again before it sleeps: whether there is something by now.
    /// `None`: it does not, or sleeps already. The look costs next to nothing.
    fn look(&self) -> Option<bool> {
        None
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

    fn is_direct(&self) -> bool {
        true
    }
}
impl Socket for TcpStream {}
impl Socket for tokio::io::Empty {}

/// A connection that has come. `Err` with `None`: its other side may not connect.
pub(super) type AcceptedSocket = Result<Box<dyn Socket>, Option<io::Error>>;

/// A socket that is listened at.
pub(super) enum OpenSocket {
    #[cfg(unix)]
    // The file goes first, while nobody else can listen there.
    Unix(#[allow(dead_code, reason = "its drop removes the file")] unix::SocketFile, UnixListener),
    #[cfg(target_os = "linux")]
    Shm(#[allow(dead_code, reason = "its drop removes the file")] unix::SocketFile, UnixListener, Duration),
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

    /// The next connection.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<AcceptedSocket> {
        Poll::Ready(match self {
            #[cfg(unix)]
            Self::Unix(_, listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx)).map_err(Some)?;
                if unix::is_own(&stream).map_err(Some)? { Ok(Box::new(stream)) } else { Err(None) }
            }
            #[cfg(target_os = "linux")]
            Self::Shm(_, listener, spin) => {
                let (stream, _) = ready!(listener.poll_accept(cx)).map_err(Some)?;
                let own = unix::is_own(&stream).map_err(Some)?;
                if own { Ok(Box::new(ShmSocket::accepted(stream, *spin))) } else { Err(None) }
            }
            Self::Tcp(listener, security) => {
                let (stream, _) = ready!(listener.poll_accept(cx)).map_err(Some)?;
                stream.set_nodelay(true).map_err(Some)?;
                Ok(security.accepts(stream))
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

#[cfg(unix)]
mod unix {
    use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
    use std::os::unix::net::UnixListener;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use super::LinkError;

    /// The longest path of a socket that every system takes, in bytes, without the zero behind it.
    const PATH_MAX: usize = 103;

    /// How long another one who binds in the directory is waited for, and how long it is between two looks
    /// (time).
    const LOCK_LIMIT: Duration = Duration::from_secs(5);
    const LOCK_PAUSE: Duration = Duration::from_millis(2);

    /// The file of a socket, removed when nobody listens at it any more.
    pub(in crate::link) struct SocketFile {
        path: PathBuf,
        device: u64,
        inode: u64,
    }

    impl Drop for SocketFile {
        fn drop(&mut self) {
            // Unless it is another's by now.
            let ours = |found: &fs::Metadata| (found.dev(), found.ino()) == (self.device, self.inode);
            if fs::symlink_metadata(&self.path).as_ref().is_ok_and(ours) {
                let _gone = fs::remove_file(&self.path);
            }
        }
    }

    /// Connects, if whoever listens there is this user.
    pub(super) async fn dial(path: &Path) -> io::Result<tokio::net::UnixStream> {
        let stream = tokio::net::UnixStream::connect(path).await?;
        if is_own(&stream)? {
            return Ok(stream);
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "another user listens there"))
    }

    pub(super) fn is_own(stream: &tokio::net::UnixStream) -> io::Result<bool> {
        Ok(stream.peer_cred()?.uid() == rustix::process::geteuid().as_raw())
    }

    pub(super) fn check_path(path: &Path) -> Result<(), LinkError> {
        if path.as_os_str().len() > PATH_MAX {
            return Err(LinkError::PathTooLong { path: path.to_owned(), max: PATH_MAX });
        }
        Ok(())
    }

    pub(super) fn bind(path: &Path) -> Result<(UnixListener, SocketFile), LinkError> {
        let failed = |doing| move |cause| LinkError::System { doing, address: text(path), cause };
        check_path(path)?;
        let directory = own_directory(path)?;
        let name = path.file_name().ok_or_else(|| LinkError::NotASocket { path: path.to_owned() })?;
        // The path as it was checked, whatever becomes of links on the way to it.
        let path = directory.join(name);
        check_path(&path)?;
        // One at a time replaces what is there. The lock goes with the file.
        let lock = File::open(&directory).map_err(failed("open the directory of"))?;
        hold(&lock).map_err(failed("lock the directory of"))?;
        let listener = match UnixListener::bind(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                replace(&path)?;
                UnixListener::bind(&path)
            }
            bound => bound,
        };
        let listener = listener.map_err(failed("listen at"))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .map_err(failed("set the permissions of"))?;
        listener.set_nonblocking(true).map_err(failed("listen at"))?;
        let found = fs::symlink_metadata(&path).map_err(failed("look at"))?;
        Ok((listener, SocketFile { path, device: found.dev(), inode: found.ino() }))
    }

    /// Locks a directory, for a limited time: a process that is stopped may hold it.
    fn hold(directory: &File) -> io::Result<()> {
        let until = Instant::now() + LOCK_LIMIT;
        loop {
            match directory.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        format!(
                            "another process has had its lock for {LOCK_LIMIT:?}, which is stopped or hangs: let it go \
                             on or end it (`lsof` names it), or put the socket into another directory"
                        ),
                    ));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            }
        }
    }

    /// Removes the socket file at `path`, if nobody listens there.
    fn replace(path: &Path) -> Result<(), LinkError> {
        let failed = |doing| move |cause| LinkError::System { doing, address: text(path), cause };
        let found = match fs::symlink_metadata(path) {
            // Its bus has closed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.map_err(failed("look at"))?,
        };
        if !found.file_type().is_socket() {
            return Err(LinkError::NotASocket { path: path.to_owned() });
        }
        match connect(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(failed("remove what nobody listens at,")(error))
                }
                _ => Ok(()),
            },
            Err(error) if !is_in_use(&error) => Err(failed("see whether somebody listens at")(error)),
            _ => Err(LinkError::InUse { address: text(path) }),
        }
    }

    /// Whether somebody is there although one cannot connect: the queue is full, or the socket is of another
    /// kind.
    fn is_in_use(error: &io::Error) -> bool {
        let errno = rustix::io::Errno::from_io_error(error);
        matches!(errno, Some(rustix::io::Errno::AGAIN | rustix::io::Errno::PROTOTYPE))
    }

    /// Connects, and waits for nothing: whoever listens there may be stopped, and its queue full.
    fn connect(path: &Path) -> io::Result<()> {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(connect(&socket, &SocketAddrUnix::new(path)?)?)
    }

    /// The directory of a socket, made if it is missing; nobody else may enter it.
    fn own_directory(path: &Path) -> Result<PathBuf, LinkError> {
        let failed = |doing| move |cause| LinkError::System { doing, address: text(path), cause };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(failed("make the directory of"))?;
        let directory = directory.canonicalize().map_err(failed("find the directory of"))?;
        let found = fs::metadata(&directory).map_err(failed("look at the directory of"))?;
        let (mode, own) = (found.mode() & 0o7777, found.uid() == rustix::process::geteuid().as_raw());
        if !own || mode & 0o077 != 0 {
            return Err(LinkError::Directory { directory, mode, own });
        }
        Ok(directory)
    }

    fn text(path: &Path) -> std::sync::Arc<str> {
        path.display().to_string().into()
    }
}
