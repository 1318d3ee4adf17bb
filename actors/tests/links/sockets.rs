//! Sockets in the file system: who may enter, and what is replaced.

use std::fs::{self, DirBuilder, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::time::Duration;

use mycelium::{LinkAddress, LinkError, LinkListener, LinkOptions, LinkState, LinkStats, Subscription};

use crate::common::{WATCHDOG, on_every_runtime};
use crate::kit::{Text, bus, find, socket, until, until_wanted};

#[test]
fn a_socket_is_for_this_user_alone() {
    on_every_runtime(async || {
        let path = socket();
        let market = bus("market");
        market.bind_unix(&path).unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));

        // A directory that others may enter is refused, also by way of a link to it.
        let (there, linked) = (socket(), socket());
        let (wide, by_link) = (there.parent().unwrap(), linked.parent().unwrap());
        DirBuilder::new().mode(0o700).create(wide).unwrap();
        symlink(wide, by_link).unwrap();
        for mode in [0o755, 0o710, 0o702] {
            fs::set_permissions(wide, Permissions::from_mode(mode)).unwrap();
            for directory in [wide, by_link] {
                let error = market.bind_unix(directory.join("bus")).unwrap_err();
                assert!(matches!(error, LinkError::Directory { own: true, .. }), "{error}");
                let remedy = format!("chmod 700 {}", wide.canonicalize().unwrap().display());
                assert!(error.to_string().contains(&remedy), "{error}");
            }
        }
        fs::set_permissions(wide, Permissions::from_mode(0o700)).unwrap();
        market.bind_unix(by_link.join("bus")).unwrap();
    });
}

#[test]
fn a_socket_that_nobody_listens_at_is_replaced_and_nothing_else() {
    on_every_runtime(async || {
        let (path, market) = (socket(), bus("market"));
        DirBuilder::new().mode(0o700).create(path.parent().unwrap()).unwrap();
        // A file that is no socket stays.
        fs::write(&path, "mine").unwrap();
        assert!(matches!(market.bind_unix(&path), Err(LinkError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        fs::remove_file(&path).unwrap();
        // A dead process has left one behind.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = market.bind_unix(&path).unwrap();
        // Somebody listens there.
        let error = bus("other").bind_unix(&path).unwrap_err();
        assert!(matches!(error, LinkError::InUse { .. }), "{error}");
        // Closed, it may be bound again.
        listener.close();
        assert!(!path.exists());
        let again = bus("again");
        again.bind_unix(&path).unwrap();
        let desk = bus("desk");
        let dialer = desk.connect(LinkAddress::unix(&path)).unwrap();
        assert_eq!(&*dialer.linked().await, "again");
        assert!(find(&market, "desk").is_none());
    });
}

/// A process that is stopped takes connections until its queue is full. Nobody waits for it, and no thread is
/// started to ask.
#[test]
fn a_socket_of_somebody_who_takes_no_connection_is_in_use() {
    on_every_runtime(async || {
        let (path, market) = (socket(), bus("market"));
        DirBuilder::new().mode(0o700).create(path.parent().unwrap()).unwrap();
        let _waiting = with_full_queue(&path);
        let error = market.bind_unix(&path).unwrap_err();
        assert!(matches!(error, LinkError::InUse { .. }), "{error}");
        assert!(path.exists());
        // So is one of another kind.
        let other = path.with_extension("datagrams");
        let _there = UnixDatagram::bind(&other).unwrap();
        let error = market.bind_unix(&other).unwrap_err();
        assert!(matches!(error, LinkError::InUse { .. }), "{error}");
    });
}

/// A socket that is listened at, and so many connections that it takes no more.
fn with_full_queue(path: &Path) -> (OwnedFd, Vec<OwnedFd>) {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket};
    let new = || {
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::io::ioctl_fionbio(&socket, true).unwrap();
        socket
    };
    let (listener, address) = (new(), SocketAddrUnix::new(path).unwrap());
    bind(&listener, &address).unwrap();
    listen(&listener, 1).unwrap();
    let connected = std::iter::from_fn(|| {
        let socket = new();
        connect(&socket, &address).is_ok().then_some(socket)
    });
    let connected: Vec<_> = connected.take(100).collect();
    assert!(connected.len() < 100, "the queue is not full");
    (listener, connected)
}

#[test]
fn a_port_that_is_taken_is_an_error_that_says_so() {
    on_every_runtime(async || {
        let (market, other) = (bus("market"), bus("other"));
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let error = other.bind_tcp(listener.address()).unwrap_err();
        assert!(matches!(error, LinkError::InUse { .. }), "{error}");
    });
}

/// What a bus has listened at is free when it says that it is down, and what a listener has, when it is
/// closed: the next one binds it at once.
#[test]
fn an_address_is_free_at_once_when_its_bus_is_down_or_its_listener_closed() {
    on_every_runtime(async || {
        let (path, ring) = (socket(), socket());
        let first = bus("market");
        let [port] = mycelium_random::ports();
        let address = format!("127.0.0.1:{port}");
        first.bind_tcp(&*address).unwrap().close();
        let desk = bus("desk");
        let dialers = [LinkAddress::unix(&path), LinkAddress::tcp(&*address)];
        let _dialers = dialers.map(|address| desk.connect(address).unwrap());
        for round in 0..100 {
            let market = bus("market");
            let listeners = [market.bind_unix(&path), market.bind_shm(&ring), market.bind_tcp(&*address)];
            let listeners =
                listeners.map(|bound| bound.unwrap_or_else(|error| panic!("round {round}: {error}")));
            match round % 10 {
                // With a connection that was accepted there.
                0 => until(|| find(&market, "desk").is_some()).await,
                1 => tokio::task::yield_now().await,
                _ => {}
            }
            match round % 3 {
                0 => listeners.iter().for_each(LinkListener::close),
                _ => market.shutdown().await.unwrap(),
            }
        }
        assert!(!path.exists() && !ring.exists());
    });
}

/// A cleaner of temporary files takes what is old, and does not ask who listens there.
#[tokio::test]
async fn a_listener_whose_file_was_removed_makes_it_again_and_takes_nobodys_place() {
    let (path, ring, market) = (socket(), socket(), bus("market"));
    let listeners = [market.bind_unix(&path).unwrap(), market.bind_shm(&ring).unwrap()];
    let mut others = Vec::new();
    for remove in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
    ] {
        [&path, &ring].into_iter().for_each(|path| remove(path));
        let ways = [LinkAddress::unix(&*path), LinkAddress::shm(&*ring)].map(|address| {
            let other = bus(&format!("other-{}", others.len()));
            others.push(other.clone());
            other.connect(address).unwrap()
        });
        for dialer in &ways {
            tokio::time::timeout(WATCHDOG, dialer.linked()).await.expect("it is found again");
        }
    }
    // What was linked before stays so.
    let linked = |link: LinkStats| link.state == LinkState::Linked;
    until(|| (0..others.len()).all(|number| find(&market, &format!("other-{number}")).is_some_and(linked)))
        .await;
    // One that listens there by now stays, and so does its file.
    fs::remove_file(&path).unwrap();
    let successor = UnixListener::bind(&path).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    listeners[0].close();
    successor.set_nonblocking(true).unwrap();
    assert_eq!(successor.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert!(path.exists());
    // What was made again goes with its listener, as does a directory that whoever made it has removed.
    listeners[1].close();
    assert!(!ring.parent().unwrap().exists());
}

#[test]
fn a_link_whose_socket_is_full_sleeps_until_there_is_room() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let path = socket();
    let (at, (stop, stops), (go, goes)) =
        (path.to_owned(), tokio::sync::oneshot::channel(), std::sync::mpsc::channel());
    // Its runtime does nothing for a while.
    let desk = std::thread::spawn(move || {
        runtime().block_on(async {
            let desk = bus("desk");
            let _texts = desk.subscriber::<Text>().unwrap();
            let _dialer = desk.connect(LinkAddress::unix(&at)).unwrap();
            stops.await.unwrap();
            goes.recv().unwrap();
        });
    });
    runtime().block_on(async {
        let market = bus("market");
        let options = LinkOptions::default().queue(Subscription::drop_oldest().capacity(32));
        market.bind_unix_with(&path, options).unwrap();
        until_wanted(&market, "desk", &["Text"]).await;
        stop.send(()).unwrap();
        let texts = market.publisher::<Text>().unwrap();
        for _ in 0..1_000 {
            texts.try_publish(Text { words: "x".repeat(4_096) }).unwrap();
            tokio::task::yield_now().await;
        }
        let metrics = tokio::runtime::Handle::current().metrics();
        let before = metrics.worker_park_count(0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let woken = metrics.worker_park_count(0) - before;
        go.send(()).unwrap();
        assert!(woken < 200, "woken {woken} times");
    });
    desk.join().unwrap();
}
