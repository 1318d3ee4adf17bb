//! Links and what else is on their machine: other users, processes that are stopped, another bus at an
//! address.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod kit;

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mycelium::{LinkAddress, LinkError, LinkOptions};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use common::WATCHDOG;
use kit::{bus, find, link, socket, until};

/// A test of one thread, and of a bounded time.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    if runtime.block_on(async { tokio::time::timeout(WATCHDOG, test).await }).is_err() {
        // A process that it waits for on a thread may hang, too.
        runtime.shutdown_background();
        panic!("it hangs");
    }
}

/// As if a process that was stopped had the lock: it does not let go by itself.
#[test]
fn a_directory_whose_lock_somebody_keeps_is_an_error_and_no_hang() {
    let path = socket();
    let directory = path.parent().unwrap().to_owned();
    fs::create_dir_all(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    let lock = File::open(&directory).unwrap();
    lock.lock().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let at = path.to_path_buf();
    std::thread::spawn(move || {
        run(async {
            let market = bus("market");
            let refused = market.bind_unix(&at).map(drop).unwrap_err();
            tell.send(refused.to_string()).unwrap();
            // It lets go while another one waits.
            let go_on = tokio::time::sleep(Duration::from_millis(50));
            go_on.await;
            tell.send("next".to_owned()).unwrap();
            market.bind_unix(&at).unwrap();
            tell.send("bound".to_owned()).unwrap();
        });
    });
    let text = told.recv_timeout(WATCHDOG).expect("it hangs");
    assert!(text.contains("another process has had its lock for 5s") && text.contains("lsof"), "{text}");
    assert_eq!(told.recv_timeout(WATCHDOG).unwrap(), "next");
    drop(lock);
    assert_eq!(told.recv_timeout(WATCHDOG).unwrap(), "bound");
}

#[test]
fn a_bus_that_takes_over_an_address_is_dialed_though_the_former_one_is_linked_by_another_way() {
    run(async {
        let (old, own) = (socket(), socket());
        let (market, desk) = (bus("market"), bus("desk"));
        let listener = market.bind_unix(&old).unwrap();
        desk.bind_unix(&own).unwrap();
        let dialer = desk.connect(LinkAddress::unix(&*old)).unwrap();
        assert_eq!(&*dialer.linked().await, "market");
        // It moves, and links itself from where it is now.
        listener.close();
        market.connect(LinkAddress::unix(&*own)).unwrap();
        until(|| link(&desk, "market").connections == 2).await;
        let news = bus("news");
        news.bind_unix(&old).unwrap();
        until(|| find(&desk, "news").is_some()).await;
        assert_eq!(&*dialer.linked().await, "news");
        // The first one is linked as before.
        let link = link(&desk, "market");
        assert_eq!((link.connections, link.state), (2, mycelium::LinkState::Linked));
    });
}

/// Where the process that is stopped listens.
const LISTENER: &str = "MYCELIUM_STOPPED_LISTENER";

/// The part of the process that is stopped; nothing where nobody asks for it.
#[test]
fn what_a_listener_does_that_is_stopped() {
    let Ok(at) = std::env::var(LISTENER) else { return };
    run(async {
        let market = bus("market");
        market.bind_shm(at).unwrap();
        println!("bound");
        // Until the dialer has seen the link and ends, or has given up.
        let told = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
        until(|| find(&market, "desk").is_some_and(|link| link.connections > 0) || told.is_finished()).await;
        println!("linked {}", find(&market, "desk").is_some());
        _ = told.await;
    });
}

/// A socket takes connections while nobody accepts them: so the dialer is in the midst of the handshake, its
/// rings handed over, when the listener does nothing for as long as a dial may take.
#[test]
fn a_listener_of_shared_memory_that_is_stopped_in_the_handshake_is_waited_for() {
    let path = socket();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "what_a_listener_does_that_is_stopped", "--nocapture"]);
    let child = command.env(LISTENER, &*path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut listener = Listener(child.unwrap());
    let mut lines = BufReader::new(listener.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("bound")));
    run(async {
        listener.signal(Signal::STOP);
        let desk = bus("desk");
        let dialer = desk.connect(LinkAddress::shm(&*path)).unwrap();
        until(|| dialer.fault().is_some()).await;
        let fault = dialer.fault().unwrap();
        assert!(fault.contains("the handshake was not done after"), "it was the dial that ended: {fault}");
        listener.signal(Signal::CONT);
        assert_eq!(&*dialer.linked().await, "market");
        assert!(lines.any(|line| line.unwrap().contains("linked true")));
        drop(listener.0.stdin.take());
    });
}

struct Listener(Child);

impl Listener {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// What another user of the machine is told to do: `connect`, `plant`, `look` or `listen`, and where.
const ROLE: &str = "MYCELIUM_OTHER_USER";
/// Nobody's.
const OTHER_USER: u32 = 65_534;

/// What the process that has little of something is to be short of, and where its socket is.
const POOR: &str = "MYCELIUM_POOR_PROCESS";

fn poor(role: &str, at: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "what_a_process_does_that_has_little", "--nocapture"]);
    command.env(POOR, format!("{role} {}", at.display())).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

/// Has the limit of a resource while it is kept.
struct Limited(Resource, Rlimit);

impl Limited {
    fn to(resource: Resource, most: u64) -> Self {
        let before = getrlimit(resource);
        setrlimit(resource, Rlimit { current: Some(most), maximum: before.maximum }).unwrap();
        Self(resource, before)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        setrlimit(self.0, self.1).unwrap();
    }
}

/// The part of the process that has little; nothing where nobody asks for it.
#[test]
fn what_a_process_does_that_has_little() {
    let Ok(asked) = std::env::var(POOR) else { return };
    let (role, at) = asked.split_once(' ').unwrap();
    run(async {
        let (market, desk) = (bus("market"), bus("desk"));
        market.bind_shm(at).unwrap();
        if role == "files" {
            let limited = Limited::to(Resource::Fsize, 100_000);
            let dialer = desk.connect(LinkAddress::shm(at)).unwrap();
            until(|| dialer.fault().is_some()).await;
            println!("fault {}", dialer.fault().unwrap());
            dialer.close();
            let small = LinkOptions::default().ring(4_096);
            desk.connect_with(LinkAddress::shm(at), small).unwrap().linked().await;
            drop(limited);
            println!("linked");
            return;
        }
        // So that the next descriptor is the highest one: for a connection, and one of its two segments.
        let mut filled = vec![File::open("/dev/null").unwrap()];
        let open = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
        let highest = open.map(|name| name.to_str().unwrap().parse::<i32>().unwrap()).max().unwrap();
        while filled.last().unwrap().as_raw_fd() <= highest {
            filled.push(File::open("/dev/null").unwrap());
        }
        let next = u64::try_from(filled.last().unwrap().as_raw_fd()).unwrap() + 1;
        let limited = Limited::to(Resource::Nofile, next + 2);
        println!("bound");
        tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await.unwrap().unwrap();
        drop(limited);
        until(|| find(&market, "far").is_some_and(|link| link.connections > 0)).await;
        println!("linked");
        _ = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await;
    });
}

/// The kernel ends a process that makes a longer file than it may, unless it looks before.
#[test]
fn a_process_whose_files_may_not_be_as_long_as_a_ring_lives_and_says_so() {
    let path = socket();
    let output = poor("files", &path).wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("linked"), "{}: {said}", output.status);
    assert!(said.contains("(RLIMIT_FSIZE): raise it (`ulimit -f`"), "{said}");
}

#[test]
fn a_listener_that_lacks_descriptors_for_rings_says_so_and_is_reached_when_it_has_some() {
    let path = socket();
    let mut listener = Listener(poor("descriptors", &path));
    let mut lines = BufReader::new(listener.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("bound")));
    let mut tell = listener.0.stdin.take().unwrap();
    run(async {
        let far = bus("far");
        let dialer = far.connect(LinkAddress::shm(&*path)).unwrap();
        until(|| dialer.fault().is_some()).await;
        let fault = dialer.fault().unwrap();
        assert!(fault.contains("may be out of descriptors"), "{fault}");
        tell.write_all(b"x").unwrap();
        assert_eq!(&*dialer.linked().await, "market");
        assert!(lines.any(|line| line.unwrap().contains("linked")));
        drop(tell);
    });
}

/// This very program as another user; it is in a directory that everybody may read.
fn other_user(program: &Path, role: &str, at: &Path) -> Child {
    let mut command = Command::new(program);
    command.args(["--exact", "what_another_user_does", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, format!("{role} {}", at.display())).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).uid(OTHER_USER).gid(OTHER_USER);
    command.spawn().unwrap()
}

/// What it says.
async fn said(program: &Path, role: &str, at: &Path) -> String {
    let child = other_user(program, role, at);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The other user's part; nothing where nobody asks for it.
#[test]
fn what_another_user_does() {
    let Ok(asked) = std::env::var(ROLE) else { return };
    let (role, at) = asked.split_once(' ').unwrap();
    let at = PathBuf::from(at);
    match role {
        "connect" => match UnixStream::connect(&at) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(WATCHDOG)).unwrap();
                println!("read {:?}", stream.read(&mut [0; 64]));
            }
            Err(error) => println!("refused {:?}", error.kind()),
        },
        "plant" => println!("planted {:?}", symlink("/tmp", &at).map_err(|error| error.kind())),
        "look" => println!("looked {:?}", fs::read_dir(&at).map(drop).map_err(|error| error.kind())),
        "own" => {
            fs::create_dir(&at).unwrap();
            fs::set_permissions(&at, Permissions::from_mode(0o700)).unwrap();
            println!("made");
        }
        "listen" => {
            let _listener = UnixListener::bind(&at).unwrap();
            fs::set_permissions(&at, Permissions::from_mode(0o666)).unwrap();
            println!("listens");
            let _until_told = std::io::stdin().read(&mut [0]);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn another_user_cannot_connect_plant_or_look() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("left out: root alone can be another user");
        return;
    }
    let place = std::env::temp_dir().join(format!("mycelium-users-{}", std::process::id()));
    fs::create_dir_all(&place).unwrap();
    let opened = |mode| fs::set_permissions(&place, Permissions::from_mode(mode));
    opened(0o755).unwrap();
    let program = place.join("program");
    // By another process: were it written by this one, a process that a test beside this starts could keep it
    // open for a moment, and what is written to is not executed.
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    run(async {
        let market = bus("market");
        let run = place.join("run");
        for (name, is_shm) in [("unix", false), ("shm", true)] {
            let at = run.join(name);
            let bound = if is_shm { market.bind_shm(&at) } else { market.bind_unix(&at) };
            bound.unwrap();
            let said = said(&program, "connect", &at).await;
            assert!(said.contains("refused PermissionDenied"), "{said}");
        }
        let planted = said(&program, "plant", &run.join("desk.sock")).await;
        assert!(planted.contains("planted Err(PermissionDenied)"), "{planted}");
        // Segments have no name: they are to be found by the descriptors of their processes alone.
        let fds = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
        for at in [&run, &fds] {
            let looked = said(&program, "look", at).await;
            assert!(looked.contains("looked Err(PermissionDenied)"), "{}: {looked}", at.display());
        }

        // Even where somebody has opened the directory and the sockets for all.
        fs::set_permissions(&run, Permissions::from_mode(0o755)).unwrap();
        for name in ["unix", "shm"] {
            fs::set_permissions(run.join(name), Permissions::from_mode(0o666)).unwrap();
            let said = said(&program, "connect", &run.join(name)).await;
            assert!(said.contains("read Ok(0)"), "it is cut off without a word: {said}");
        }
        assert!(market.stats().links.is_empty());
        let desk = bus("desk");
        desk.connect(LinkAddress::unix(run.join("unix"))).unwrap().linked().await;

        // A directory of another user, under its own name or another, and a socket.
        opened(0o777).unwrap();
        let (theirs, alias) = (place.join("theirs"), place.join("alias"));
        assert!(said(&program, "own", &theirs).await.contains("made"));
        symlink(&theirs, &alias).unwrap();
        for directory in [&theirs, &alias] {
            let refused = market.bind_unix(directory.join("bus")).map(drop).unwrap_err();
            assert!(matches!(refused, LinkError::Directory { own: false, .. }), "{refused}");
        }
        let at = place.join("socket");
        let mut listening = other_user(&program, "listen", &at);
        let mut lines = BufReader::new(listening.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("listens")));
        let dialer = desk.connect(LinkAddress::unix(&at)).unwrap();
        until(|| dialer.fault().is_some()).await;
        assert_eq!(dialer.fault().as_deref(), Some("another user listens there"));
        drop(listening.stdin.take());
        listening.wait().unwrap();
    });
    fs::remove_dir_all(&place).unwrap();
}
