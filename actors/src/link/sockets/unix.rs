//! Files of Unix sockets: bound in a directory of this user alone, and taken away by whoever has bound them.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::{LinkAddress, LinkError};

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
    /// Whether its directory had been removed, too, and was made again: it goes with the file.
    made_directory: bool,
}

/// What lies where a socket was bound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::link) enum AtPath {
    /// The socket, as far as can be seen.
    Ours,
    Anothers,
    Nothing,
}

impl SocketFile {
    /// Binds at the same path, where nothing lies any more. Nobody else who binds there is waited for.
    pub(super) fn bind_anew(&mut self) -> Result<(UnixListener, Self), LinkError> {
        self.made_directory |= self.path.parent().is_some_and(|directory| !directory.exists());
        let (listener, mut successor) = bind_within(&self.path, Duration::ZERO)?;
        successor.made_directory = self.made_directory;
        Ok((listener, successor))
    }

    pub(super) fn address(&self) -> LinkAddress {
        LinkAddress::unix(&self.path)
    }

    pub(super) fn found(&self) -> AtPath {
        match fs::symlink_metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) != (self.device, self.inode) => AtPath::Anothers,
            Err(error) if error.kind() == io::ErrorKind::NotFound => AtPath::Nothing,
            _ => AtPath::Ours,
        }
    }

    /// The same for one that was bound at this path since: its file is not this one's to remove.
    pub(super) fn leave_to(&mut self, successor: Self) {
        let mut before = std::mem::replace(self, successor);
        // A file that is gone has given its number away, perhaps to the successor. None has this one.
        (before.device, before.inode, before.made_directory) = (u64::MAX, u64::MAX, false);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Unless it is another's by now.
        if self.found() == AtPath::Ours {
            let _gone = fs::remove_file(&self.path);
        }
        if let (true, Some(directory)) = (self.made_directory, self.path.parent()) {
            // It stays if anything else lies there.
            let _gone = fs::remove_dir(directory);
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
    bind_within(path, LOCK_LIMIT)
}

/// The same, with this time for others who bind in the directory.
fn bind_within(path: &Path, limit: Duration) -> Result<(UnixListener, SocketFile), LinkError> {
    let failed = |doing| move |cause| LinkError::System { doing, address: text(path), cause };
    check_path(path)?;
    let directory = own_directory(path)?;
    let name = path.file_name().ok_or_else(|| LinkError::NotASocket { path: path.to_owned() })?;
    // The path as it was checked, whatever becomes of links on the way to it.
    let path = directory.join(name);
    check_path(&path)?;
    // One at a time replaces what is there. The lock goes with the file.
    let lock = File::open(&directory).map_err(failed("open the directory of"))?;
    hold(&lock, limit).map_err(failed("lock the directory of"))?;
    let listener = match UnixListener::bind(&path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            replace(&path)?;
            UnixListener::bind(&path)
        }
        bound => bound,
    };
    let listener = listener.map_err(failed("listen at"))?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed("set the permissions of"))?;
    listener.set_nonblocking(true).map_err(failed("listen at"))?;
    let found = fs::symlink_metadata(&path).map_err(failed("look at"))?;
    Ok((listener, SocketFile { path, device: found.dev(), inode: found.ino(), made_directory: false }))
}

/// Locks a directory, for a limited time: a process that is stopped may hold it.
fn hold(directory: &File, limit: Duration) -> io::Result<()> {
    let until = Instant::now() + limit;
    loop {
        match directory.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                let text = match limit {
                    Duration::ZERO => "another process has its lock just now: it is tried again".to_owned(),
                    _ => format!(
                        "another process has had its lock for {limit:?}, which is stopped or hangs: let it go \
                         on or end it (`lsof` names it), or put the socket into another directory"
                    ),
                };
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
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
    let socket = probe()?;
    Ok(rustix::net::connect(&socket, &rustix::net::SocketAddrUnix::new(path)?)?)
}

/// A socket that waits for nothing, and that no process has which is started meanwhile.
fn probe() -> io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketType};
    #[cfg(target_os = "linux")]
    let socket = {
        use rustix::net::{SocketFlags, socket_with};
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?
    };
    #[cfg(not(target_os = "linux"))]
    let socket = {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        socket
    };
    Ok(socket)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_left_to_no_process_that_is_started_meanwhile() {
        let flags = rustix::io::fcntl_getfd(probe().unwrap()).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}
