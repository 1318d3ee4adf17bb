//! Links through shared memory: what is promised across links holds there too.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod kit;
#[path = "links_shm/whose.rs"]
mod whose;

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, IoSlice, Lines, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use mycelium::{LinkAddress, LinkOptions, LinkState, MessageBus, Subscription};
use mycelium_mailbox::shm::{ShmAccess, ShmMode, ShmSegment};
use mycelium_random::{Random, cases, seed};
use mycelium_remote::link::{Accept, Standing};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Handle;

use common::{WATCHDOG, on_every_runtime};
use kit::{Fill, SocketPath, Text, Tick, bus, link, socket, until, until_wanted};

/// Two buses with a ring of the smallest size between them, so that it is full again and again.
async fn linked(options: LinkOptions) -> (MessageBus, MessageBus, SocketPath) {
    let (market, desk, path) = (bus("market"), bus("desk"), socket());
    market.bind_shm_with(&path, options.clone()).unwrap();
    let dialer = desk.connect_with(LinkAddress::shm(&*path), options).unwrap();
    assert_eq!(&*dialer.linked().await, "market");
    (market, desk, path)
}

fn small() -> LinkOptions {
    LinkOptions::default().ring(1)
}

/// Ticks one way, fills and texts of all lengths the other, once and in order.
async fn both_ways(market: &MessageBus, desk: &MessageBus, count: u64) {
    let (mut ticks, mut fills) = (desk.subscriber::<Tick>().unwrap(), market.subscriber::<Fill>().unwrap());
    let mut texts = market.subscriber::<Text>().unwrap();
    until_wanted(market, "desk", &["Tick"]).await;
    until_wanted(desk, "market", &["Fill", "Text"]).await;
    let length = |n: u64| (n * n * 7 % 30_011) as usize;
    let send_ticks = async {
        let publisher = market.publisher::<Tick>().unwrap();
        for n in 0..count {
            publisher.publish(Tick { n }).await.unwrap();
        }
    };
    let send_back = async {
        let (fills, texts) = (desk.publisher::<Fill>().unwrap(), desk.publisher::<Text>().unwrap());
        for n in 0..count {
            fills.publish(Fill { n }).await.unwrap();
            if n % 50 == 0 {
                texts.publish(Text { words: "x".repeat(length(n / 50)) }).await.unwrap();
            }
        }
    };
    let hear_ticks = async {
        for n in 0..count {
            assert_eq!(ticks.recv().await.unwrap().n, n);
        }
    };
    let hear_back = async {
        for n in 0..count {
            assert_eq!(fills.recv().await.unwrap().n, n);
            if n % 50 == 0 {
                assert_eq!(texts.recv().await.unwrap().words.len(), length(n / 50));
            }
        }
    };
    tokio::join!(send_ticks, send_back, hear_ticks, hear_back);
}

#[test]
fn a_link_through_shared_memory_carries_both_ways_in_order_and_once() {
    on_every_runtime(async || {
        for options in [small(), small().spin(Duration::from_micros(50)), LinkOptions::default()] {
            let (market, desk, _path) = linked(options).await;
            both_ways(&market, &desk, 5_000).await;
            until(|| link(&market, "desk").waiting + link(&desk, "market").waiting == 0).await;
            let (out, home) = (link(&market, "desk"), link(&desk, "market"));
            assert_eq!((out.sent, out.received), (home.received, home.sent));
            assert_eq!((out.resent, home.resent, out.connections), (0, 0, 1), "{out}\n{home}");
        }
    });
}

#[test]
fn the_order_of_starting_is_irrelevant_and_a_shutdown_waits_until_its_peer_has_everything() {
    on_every_runtime(async || {
        let (market, desk, path) = (bus("market"), bus("desk"), socket());
        let dialer = desk.connect_with(LinkAddress::shm(&*path), small()).unwrap();
        until(|| dialer.fault().is_some()).await;
        let mut ticks = desk.subscriber::<Tick>().unwrap();
        market.bind_shm(&path).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let publisher = market.publisher::<Tick>().unwrap();
        let publishing = async {
            for n in 0..3_000 {
                publisher.publish(Tick { n }).await.unwrap();
            }
            market.shutdown().await.unwrap();
        };
        let hearing = async {
            for n in 0..3_000 {
                assert_eq!(ticks.recv().await.unwrap().n, n);
            }
        };
        tokio::join!(publishing, hearing);
        until(|| link(&desk, "market").state == LinkState::Gone).await;
        desk.shutdown().await.unwrap();
    });
}

/// The descriptors of this process that are segments of links which exist.
fn segments() -> Vec<PathBuf> {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = open.map(|found| found.unwrap().path());
    open.filter(|found| {
        std::fs::read_link(found).is_ok_and(|to| to.to_string_lossy().contains("memfd:mycelium"))
    })
    .collect()
}

/// Whatever is overwritten, by whatever process of this user: it costs the connection at most, and no
/// message. And connections leave nothing behind. One test, because others have segments meanwhile: it runs
/// in a process of its own.
#[test]
fn a_segment_that_is_overwritten_costs_its_connection_and_no_message() {
    let Ok(seed) = std::env::var(SEED) else {
        let mut child = own_process("a_segment_that_is_overwritten_costs_its_connection_and_no_message");
        assert!(child.env(SEED, seed().to_string()).status().unwrap().success());
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut random = Random::new(seed.parse().unwrap());
        let (market, desk, path) = linked(small()).await;
        let mut ticks = desk.subscriber::<Tick>().unwrap();
        let publisher = market.publisher::<Tick>().unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let tasks = || Handle::current().metrics().num_alive_tasks();
        let before = (segments().len(), tasks());
        assert_eq!(before.0, 4, "a reader and a writer on either side");
        let sending = tokio::spawn(async move {
            for n in 0.. {
                if publisher.publish(Tick { n }).await.is_err() {
                    return n;
                }
            }
            unreachable!("the bus is shut down")
        });
        let mut next = 0;
        // The words that are used, in both segments; the bytes of frames have a checksum.
        for overwritten in 0..cases(60) {
            let end = next + 200;
            while next < end {
                assert_eq!(ticks.recv().await.unwrap().n, next);
                next += 1;
            }
            let Some(segment) = segments().get(random.index(4)).cloned() else { continue };
            let Ok(file) = OpenOptions::new().write(true).open(segment) else { continue };
            let words = [128, 136, 384, 768, 1_024, 1_032, 512, 640, 12_288 + 8 * random.below(512)];
            let value = random.pick(&[u64::MAX, 1, 1 << 40, 8, 12_345, random.clone().next_u64()]);
            let at = if overwritten % 3 == 0 { 128 } else { random.pick(&words) };
            file.write_all_at(&value.to_le_bytes(), at).unwrap();
        }
        let connections = link(&desk, "market").connections;
        println!("{connections} connections, {next} messages");
        assert!(connections > 5, "something was found to be wrong");
        let stats = link(&market, "desk");
        assert_eq!((stats.lost, stats.peer_restarts), (0, 0), "{stats}");
        until(|| segments().len() == before.0).await;

        // Buses that come, are linked, and are shut down.
        for _ in 0..30 {
            let other = bus("other");
            other.connect(LinkAddress::shm(&*path)).unwrap().linked().await;
            other.shutdown().await.unwrap();
        }
        until(|| segments().len() == before.0).await;
        let mut sending = sending;
        let hearing = async {
            let mut sent = None;
            while sent.is_none_or(|sent| next < sent) {
                tokio::select! {
                    count = &mut sending, if sent.is_none() => sent = Some(count.unwrap()),
                    tick = ticks.recv() => {
                        assert_eq!(tick.unwrap().n, next);
                        next += 1;
                    }
                }
            }
        };
        let (told, ()) = tokio::join!(market.shutdown(), hearing);
        told.unwrap();
        desk.shutdown().await.unwrap();
        drop((market, desk, ticks));
        until(|| segments().is_empty() && tasks() == 0).await;
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(!maps.contains("memfd:mycelium"));
    });
}

/// Sends these descriptors with these bytes.
fn say(stream: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    assert!(descriptors.is_empty() || beside.push(SendAncillaryMessage::ScmRights(descriptors)));
    sendmsg(stream, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL).unwrap();
}

#[test]
fn strangers_who_hand_over_anything_else_are_refused_and_hold_nobody_up() {
    on_every_runtime(async || {
        let (market, desk, path) = (bus("market"), bus("desk"), socket());
        market.bind_shm(&path).unwrap();
        let (null, good) = (File::open("/dev/null").unwrap(), ShmSegment::create(4_096).unwrap());
        let (null, good) = (null.as_fd(), good.as_fd());
        let greeting = &mut [0; 64];
        greeting[..7].copy_from_slice(b"MYCSHM\x01");
        let (greeting, other_version) = (&*greeting, &mut greeting.clone());
        other_version[6] = 2;
        let large = ShmSegment::create(128 << 20).unwrap();
        let rows: &[(&[u8], &[BorrowedFd<'_>])] = &[
            (greeting, &[]),
            (greeting, &[good]),
            (greeting, &[good, null]),
            (greeting, &[null, good]),
            // The same one twice: what a side says it hears itself, and that is no handshake.
            (greeting, &[good, good]),
            (greeting, &[good, good, good]),
            (greeting, &[null; 8]),
            (greeting, &[large.as_fd(), large.as_fd()]),
            (other_version, &[good, good]),
            (b"M", &[]),
            (&[0x4d; 4_096], &[good, good]),
        ];
        let mut strangers = Vec::new();
        for (bytes, descriptors) in rows {
            let stream = UnixStream::connect(&*path).unwrap();
            say(&stream, bytes, descriptors);
            strangers.push(stream);
        }
        // Some say nothing at all.
        strangers.extend((0..20).map(|_| UnixStream::connect(&*path).unwrap()));
        let dialer = desk.connect_with(LinkAddress::shm(&*path), small()).unwrap();
        dialer.linked().await;
        both_ways(&market, &desk, 200).await;
        // A peer that asks for a Unix socket is told what to do, and the other way round.
        let other = bus("other");
        let dialer = other.connect(LinkAddress::unix(&*path)).unwrap();
        until(|| dialer.fault().is_some()).await;
        let plain = socket();
        market.bind_unix(&plain).unwrap();
        let dialer = other.connect(LinkAddress::shm(&*plain)).unwrap();
        until(|| dialer.fault().is_some_and(|fault| fault.contains("bind_shm"))).await;
        let refused = tokio::task::spawn_blocking(move || {
            for stream in &mut strangers[..4] {
                let mut heard = Vec::new();
                stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                // Closed, or reset because there was more to read.
                let _ = stream.read_to_end(&mut heard);
                assert!(heard.is_empty(), "{heard:?}");
                let _ = stream.write(b"more");
            }
        });
        refused.await.unwrap();
    });
}

/// One who says nothing but empty records, without end, costs its own connection: it is not read on and on.
#[test]
fn a_stranger_who_writes_empty_records_without_end_is_refused_and_holds_nobody_up() {
    on_every_runtime(async || {
        let (market, desk, path) = (bus("market"), bus("desk"), socket());
        market.bind_shm(&path).unwrap();
        let [there, back] = [(); 2].map(|()| ShmSegment::create(4_096).unwrap());
        let mut answers = back.reader(ShmMode::Block).unwrap();
        let mut writer = there.writer(ShmAccess::Sole).unwrap();
        let mut stream = UnixStream::connect(&*path).unwrap();
        let mut greeting = [0; 64];
        greeting[..7].copy_from_slice(b"MYCSHM\x01");
        say(&stream, &greeting, &[there.as_fd(), back.as_fd()]);
        let talking = std::thread::spawn(move || {
            let mut heard = [0; 64];
            // It is mapped, and read from now on.
            assert_eq!(stream.read(&mut heard[..1]).unwrap(), 1);
            stream.set_nonblocking(true).unwrap();
            (0..100).for_each(|_| writer.send(b"").unwrap());
            // A reader that gets as far as this answers that it expects a Hello.
            let mut accept = Vec::new();
            let standing = Standing { end: 1, peer_end: 0, received: 0 };
            Accept { nonce: 1, standing }.encode(&mut accept);
            writer.send(&accept).unwrap();
            // Until the market has closed the connection.
            while !matches!(stream.read(&mut heard), Ok(0)) {
                let _full = writer.send(b"");
            }
        });
        desk.connect_with(LinkAddress::shm(&*path), small()).unwrap().linked().await;
        both_ways(&market, &desk, 200).await;
        until(|| talking.is_finished()).await;
        talking.join().unwrap();
        assert_eq!(answers.read(), Ok(None), "the empty records were read on");
    });
}

/// How often this thread has slept.
fn sleeps() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

/// Whoever hands over a ring that it owns itself is refused, and not waited for.
#[test]
fn strangers_who_own_the_ring_that_they_hand_over_hold_nobody_up() {
    const STRANGERS: u64 = 100;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (market, desk, path) = linked(small()).await;
        let [there, back] = [(); 2].map(|()| ShmSegment::create(4_096).unwrap());
        let _owner = back.writer(ShmAccess::Sole).unwrap();
        let mut greeting = [0; 64];
        greeting[..7].copy_from_slice(b"MYCSHM\x01");
        let greet = |_| {
            let stream = UnixStream::connect(&*path).unwrap();
            stream.set_nonblocking(true).unwrap();
            say(&stream, &greeting, &[there.as_fd(), back.as_fd()]);
            stream
        };
        let before = sleeps();
        for mut stranger in (0..STRANGERS).map(greet) {
            // Not accepted, but closed.
            let closed = |read: std::io::Result<usize>| match read {
                Ok(count) => count == 0,
                Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
            };
            until(|| closed(stranger.read(&mut [0]))).await;
        }
        let slept = sleeps() - before;
        assert!(slept < 50 * STRANGERS, "{slept} times for {STRANGERS} strangers");
        both_ways(&market, &desk, 200).await;
    });
}

const SEED: &str = "MYCELIUM_SHM_SEED";
const ROLE: &str = "MYCELIUM_SHM_SOCKET";

fn own_process(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("RUST_BACKTRACE", "0");
    command
}

/// What the other process does: links itself with the bus at the socket and says what it receives.
#[test]
fn peer_process() {
    let Ok(path) = std::env::var(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let desk = bus("desk");
        let mut ticks = desk.subscriber::<Tick>().unwrap();
        desk.connect_with(LinkAddress::shm(path), small()).unwrap();
        while let Some(tick) = ticks.recv().await {
            println!("got {}", tick.n);
        }
    });
}

struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(path: &Path) -> Self {
        let child = own_process("peer_process")
            .env(ROLE, path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it has received, until it has ended or received `last`.
    async fn heard(mut self, last: Option<u64>) -> (Self, Vec<u64>) {
        let hearing = tokio::task::spawn_blocking(move || {
            let mut heard = Vec::new();
            while last.is_none() || heard.last() != last.as_ref() {
                let Some(Ok(line)) = self.lines.next() else { break };
                heard.extend(line.split_once("got ").map(|(_, n)| n.parse::<u64>().unwrap()));
            }
            (self, heard)
        });
        hearing.await.unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

#[test]
fn what_a_killed_process_has_lost_is_counted_and_the_next_one_goes_on() {
    on_every_runtime(async || {
        let (market, path) = (bus("market"), socket());
        market.bind_shm(&path).unwrap();
        let ticks = market.publisher::<Tick>().unwrap();
        let (mut published, mut peer) = (0, Peer::start(&path));
        until_wanted(&market, "desk", &["Tick"]).await;
        for life in 1..=4 {
            for n in 0..2_000 {
                ticks.publish(Tick { n }).await.unwrap();
                published += 1;
                if n == 500 * life - 300 {
                    kill_process(Pid::from_child(&peer.child), Signal::KILL).unwrap();
                }
            }
            let (_, heard) = peer.heard(None).await;
            assert!(heard.windows(2).all(|two| two[0] + 1 == two[1]), "in order and once");
            peer = Peer::start(&path);
            until(|| link(&market, "desk").peer_restarts == life).await;
            until(|| link(&market, "desk").state == LinkState::Linked).await;
            until_wanted(&market, "desk", &["Tick"]).await;
        }
        ticks.publish(Tick { n: 10_000 }).await.unwrap();
        let (_peer, heard) = peer.heard(Some(10_000)).await;
        assert_eq!(heard, [10_000]);
        until(|| link(&market, "desk").waiting == 0).await;
        let stats = link(&market, "desk");
        assert_eq!(stats.acknowledged + stats.lost + stats.unsent, published + 1, "{stats}");
    });
}

/// However long this side spins, and though its ring is full: the end of the other process is the end of the
/// connection. And a side that waits for room sleeps.
#[test]
fn a_peer_that_dies_while_the_ring_to_it_is_full_is_noticed_by_its_end() {
    on_every_runtime(async || {
        for spin in [Duration::ZERO, Duration::from_secs(3_600)] {
            let mut tries = 0;
            while !is_noticed_by_its_end(spin).await {
                tries += 1;
                assert!(tries < 5, "its end is not noticed, or the machine is held up each time");
            }
        }
    });
}

/// Whether that was seen: a machine that was held up for as long as a link waits for a word of its peer has
/// given up the peer that is stopped.
async fn is_noticed_by_its_end(spin: Duration) -> bool {
    let (market, path) = (bus("market"), socket());
    let queue = Subscription::drop_oldest().capacity(4);
    market.bind_shm_with(&path, small().spin(spin).queue(queue)).unwrap();
    let ticks = market.publisher::<Tick>().unwrap();
    let peer = Peer::start(&path);
    until_wanted(&market, "desk", &["Tick"]).await;
    let since = Instant::now();
    kill_process(Pid::from_child(&peer.child), Signal::STOP).unwrap();
    // More than the ring takes; the rest waits in the window.
    while link(&market, "desk").waiting < 300 && link(&market, "desk").state == LinkState::Linked {
        ticks.publish(Tick { n: 0 }).await.unwrap();
        tokio::task::yield_now().await;
    }
    if spin.is_zero() {
        let metrics = Handle::current().metrics();
        let wakes = || (0..metrics.num_workers()).map(|at| metrics.worker_park_count(at)).sum::<u64>();
        let before = wakes();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let woken = wakes() - before;
        assert!(woken < 100, "it does not wait, but looks again and again: {woken} times");
    }
    let before = link(&market, "desk").state;
    kill_process(Pid::from_child(&peer.child), Signal::KILL).unwrap();
    until(|| link(&market, "desk").state != LinkState::Linked).await;
    let fault = link(&market, "desk").fault.unwrap();
    let by_silence = fault.contains("heartbeat");
    if by_silence && (before != LinkState::Linked || since.elapsed() > Duration::from_secs(4)) {
        return false;
    }
    assert!(!by_silence, "noticed by its silence: {fault}");
    assert_eq!(before, LinkState::Linked, "{fault}");
    // Messages that are published meanwhile are dropped and counted, and hold nobody up.
    for n in 0..100 {
        ticks.publish(Tick { n }).await.unwrap();
    }
    true
}

fn on_one_thread(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(WATCHDOG, work).await }).expect("the test hangs");
}

/// The publisher's thread runs the task of the link too, and nothing else of it runs until the peer has
/// heard: so what is heard was written by the publish itself.
#[test]
fn a_message_is_in_the_ring_of_a_link_that_slept_before_its_publish_returns() {
    for spin in [Duration::ZERO, Duration::from_micros(50)] {
        let (path, (tell, heard)) = (socket(), std::sync::mpsc::channel());
        let (bound, is_bound) = std::sync::mpsc::channel();
        let reader = std::thread::spawn({
            let path = path.to_path_buf();
            move || {
                on_one_thread(async {
                    let desk = bus("desk");
                    let mut ticks = desk.subscriber::<Tick>().unwrap();
                    desk.bind_shm_with(&path, LinkOptions::default().spin(spin)).unwrap();
                    bound.send(()).unwrap();
                    while let Some(tick) = ticks.recv().await {
                        tell.send(tick.n).unwrap();
                        if tick.n == u64::MAX {
                            break;
                        }
                    }
                    desk.shutdown().await.unwrap();
                });
            }
        });
        is_bound.recv().unwrap();
        on_one_thread(async {
            let market = bus("market");
            let options = LinkOptions::default().spin(spin);
            market.connect_with(LinkAddress::shm(&*path), options).unwrap().linked().await;
            until_wanted(&market, "desk", &["Tick"]).await;
            let ticks = market.publisher::<Tick>().unwrap();
            for round in 0..20 {
                // The link has heard that all before is acknowledged, and sleeps.
                until(|| link(&market, "desk").waiting == 0).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                ticks.try_publish(Tick { n: 100 * round }).unwrap();
                assert_eq!(heard.recv_timeout(WATCHDOG), Ok(100 * round), "nobody has sent it");
                assert_eq!(link(&market, "desk").sent, 10 * round + 1, "it is counted before it is heard");
                // Those behind it come in order, whoever sends them.
                (1..10).for_each(|n| ticks.try_publish(Tick { n: 100 * round + n }).unwrap());
                tokio::task::yield_now().await;
                let behind: Vec<_> = (1..10).map(|_| heard.recv_timeout(WATCHDOG).unwrap()).collect();
                assert_eq!(behind, (1..10).map(|n| 100 * round + n).collect::<Vec<_>>());
            }
            ticks.publish(Tick { n: u64::MAX }).await.unwrap();
            market.shutdown().await.unwrap();
        });
        reader.join().unwrap();
    }
}
