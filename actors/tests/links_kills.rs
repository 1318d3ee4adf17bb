//! Processes that are killed in the middle of a flood, over each transport and on either side of a
//! connection: the survivor goes on, a third process hears nothing of it, and all counts add up.
//!
//! `MYCELIUM_CASES=n` kills so many processes over each transport; `MYCELIUM_SEED=n` replays the instants.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod kit;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Exposed, LinkAddress, LinkOptions, LinkState, LinkStats, MessageBus, Publisher,
    Query, ReplyRecipient, Responder, Subscriber, Subscription,
};
use mycelium_random::{Random, cases, seed};

use kit::{Fill, Order, SocketPath, Text, Tick, bus, find, link, socket, until, until_wanted};

/// Processes that are killed over each transport.
const KILLS: u64 = 6;
/// How long a whole run may take before it hangs, for each process that is killed.
const WATCHDOG: Duration = Duration::from_secs(60);
/// Messages that a process has acknowledged at most when it is killed.
const ACKNOWLEDGED_MAX: u64 = 3_000;

/// What a child process is told: its name, its number, its transport, whether it listens, and where.
const ROLE: &str = "MYCELIUM_KILLS_ROLE";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Unix,
    Tcp,
    Shm,
}

impl Query for Order {
    type Reply = Text;
}

/// Says each question that it handles before it answers.
struct Gate;
impl Actor for Gate {
    type Error = BoxError;
}
impl Responder<Order> for Gate {
    type Reply = Text;
    async fn answer(&mut self, order: &Order, _: &mut Context<Self>) -> Text {
        let mut out = std::io::stdout().lock();
        writeln!(out, "handled {}", order.n).and_then(|()| out.flush()).expect("somebody reads it");
        Text { words: order.n.to_string() }
    }
}

fn connect(bus: &MessageBus, transport: Transport, at: &str, listens: bool) {
    // Rings of the smallest size are full again and again.
    let options = LinkOptions::default().ring(1);
    match (transport, listens) {
        (Transport::Unix, true) => drop(bus.bind_unix_with(at, options).unwrap()),
        (Transport::Shm, true) => drop(bus.bind_shm_with(at, options).unwrap()),
        (Transport::Unix, false) => drop(bus.connect_with(LinkAddress::unix(at), options).unwrap()),
        (Transport::Shm, false) => drop(bus.connect_with(LinkAddress::shm(at), options).unwrap()),
        (Transport::Tcp, _) => drop(bus.connect_with(LinkAddress::tcp(at), options).unwrap()),
    }
}

/// What a child does: it hears ticks in order, answers questions, and floods its peer with fills, each with
/// the number of the process.
#[test]
fn child_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let [name, number, transport, listens, at] = role.splitn(5, ' ').collect::<Vec<_>>()[..] else {
        panic!("{role}")
    };
    let transport = match transport {
        "Unix" => Transport::Unix,
        "Tcp" => Transport::Tcp,
        _ => Transport::Shm,
    };
    let number: u64 = number.parse().unwrap();
    // Nobody else would end it, should its parent be killed: it lives as long as somebody could write to it.
    std::thread::spawn(|| {
        let _end = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = bus(name);
        let mut ticks = bus.subscriber::<Tick>().unwrap();
        let gate = bus.spawn(Gate).unwrap();
        bus.expose("gate", Exposed::new().answers::<Order>(gate)).unwrap();
        connect(&bus, transport, at, listens == "true");
        let fills = bus.publisher::<Fill>().unwrap();
        let flood = async {
            // A process that is never killed only listens.
            for n in (number << 32..).take_while(|_| number > 0) {
                fills.publish(Fill { n }).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let hear = async {
            let mut last: Option<u64> = None;
            while let Some(tick) = ticks.recv().await {
                // The queue to those that are killed drops; the other one gets everything.
                let is_due =
                    last.is_none_or(|last| if number > 0 { last < tick.n } else { last + 1 == tick.n });
                assert!(is_due, "{} behind {last:?}", tick.n);
                last = Some(tick.n);
            }
        };
        tokio::join!(flood, hear);
    });
}

/// A child, and what it says.
struct Peer {
    child: Child,
    handled: Option<JoinHandle<BTreeSet<u64>>>,
}

impl Peer {
    fn start(name: &str, number: u64, transport: Transport, listens: bool, at: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--nocapture"])
            .env(ROLE, format!("{name} {number} {transport:?} {listens} {at}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let read = move || {
            let handled =
                lines.map_while(Result::ok).filter_map(|line| line.split_once("handled ")?.1.parse().ok());
            handled.collect()
        };
        Self { child, handled: Some(std::thread::spawn(read)) }
    }

    /// Kills it; the questions that it has handled.
    fn kill(mut self) -> BTreeSet<u64> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.handled.take().expect("it was not killed before").join().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// Asks one question after the other until it is told to stop, whatever becomes of them: those that were
/// answered.
async fn ask_on(gate: ReplyRecipient<Order, Text>, stops: Arc<AtomicBool>) -> BTreeSet<u64> {
    let mut answered = BTreeSet::new();
    for n in 0.. {
        if stops.load(Ordering::SeqCst) {
            break;
        }
        match gate.ask(Order { n }).await {
            Ok(answer) => {
                assert_eq!(answer.words, n.to_string());
                answered.insert(n);
            }
            // It is not there, or has died.
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    answered
}

/// Hears fills: of each process one after the other, without a gap from the first one on.
async fn hear(mut fills: Subscriber<Fill>, heard: Arc<AtomicU64>) {
    let mut last: Option<u64> = None;
    while let Some(fill) = fills.recv().await {
        let (process, before) = (fill.n >> 32, last.map(|last| last >> 32));
        assert!(before.is_none_or(|before| before <= process), "an earlier process is heard");
        assert!(before != Some(process) || last == Some(fill.n - 1), "{:#x} behind {last:x?}", fill.n);
        last = Some(fill.n);
        heard.store(fill.n, Ordering::SeqCst);
    }
}

/// The bus that lives, where it is linked with those that are killed, and what it has published.
struct Market {
    bus: MessageBus,
    transport: Transport,
    listens: bool,
    at: String,
    ticks: Publisher<Tick>,
    published: u64,
    /// The last fill that was heard.
    heard: Arc<AtomicU64>,
    /// Kept as long as it is used.
    _path: SocketPath,
}

impl Market {
    fn new(transport: Transport, listens: bool) -> Self {
        let (bus, path) = (bus("market"), socket());
        // Those that are killed slow nobody; the other one gets everything.
        let lossy = LinkOptions::default().queue(Subscription::drop_oldest().capacity(64)).ring(1);
        let options = LinkOptions::default().peer("desk", lossy.clone());
        let at = match (transport, listens) {
            (_, true) => path.display().to_string(),
            (Transport::Unix, _) => bus.bind_unix_with(&path, options).unwrap().address().to_string(),
            (Transport::Shm, _) => bus.bind_shm_with(&path, options).unwrap().address().to_string(),
            (Transport::Tcp, _) => bus.bind_tcp_with("127.0.0.1:0", options).unwrap().address().to_string(),
        };
        if listens {
            let is_shm = transport == Transport::Shm;
            let address = if is_shm { LinkAddress::shm(&at) } else { LinkAddress::unix(&at) };
            bus.connect_with(address, lossy).unwrap();
        }
        let ticks = bus.publisher().unwrap();
        Self { bus, transport, listens, at, ticks, published: 0, heard: Arc::default(), _path: path }
    }

    async fn publish(&mut self) {
        self.ticks.publish(Tick { n: self.published }).await.unwrap();
        self.published += 1;
        if self.published.is_multiple_of(16) {
            tokio::task::yield_now().await;
        }
    }

    /// Starts the next process, and waits until it is linked.
    async fn start(&self, number: u64) -> Peer {
        let peer = Peer::start("desk", number, self.transport, self.listens, &self.at);
        let is_next = |link: LinkStats| link.peer_restarts == number - 1 && link.state == LinkState::Linked;
        until(|| find(&self.bus, "desk").is_some_and(is_next)).await;
        until_wanted(&self.bus, "desk", &["Tick"]).await;
        peer
    }

    /// Floods a process, which floods this one, until it has acknowledged so many; kills it, and goes on for
    /// a while: the questions that it has handled.
    async fn flood_and_kill(&mut self, number: u64, random: &mut Random) -> BTreeSet<u64> {
        let peer = self.start(number).await;
        let due = link(&self.bus, "desk").acknowledged + 1 + random.below(ACKNOWLEDGED_MAX);
        while link(&self.bus, "desk").acknowledged < due {
            self.publish().await;
        }
        until(|| self.heard.load(Ordering::SeqCst) >> 32 == number).await;
        let handled = tokio::task::spawn_blocking(|| peer.kill()).await.unwrap();
        for _ in 0..random.below(200) {
            self.publish().await;
        }
        handled
    }

    /// Messages that the queue to those that are killed has dropped: no other queue drops.
    fn dropped(&self) -> u64 {
        let topic = self.bus.topics().into_iter().find(|topic| topic.message == "Tick");
        topic.map_or(0, |topic| topic.dropped_oldest)
    }

    /// The one that lives has had a single connection and everything. Each tick to the killed ones was
    /// acknowledged, is lost with one of them, has never left, or was dropped.
    fn check_counts(&self, asks: bool) {
        let (desk, other) = (link(&self.bus, "desk"), link(&self.bus, "other"));
        let published = self.published;
        println!("{:?}, listens {}: {published} published, {desk}", self.transport, self.listens);
        assert_eq!((other.sent, other.acknowledged, other.connections), (published, published, 1), "{other}");
        assert_eq!((other.lost, other.unsent, other.resent), (0, 0, 0), "{other}");
        assert_eq!(desk.sent, desk.acknowledged + desk.lost, "{desk}");
        // Questions are counted with ticks, so these are counted where nobody asks.
        let ended = desk.sent + desk.unsent + self.dropped();
        assert!(ended == published || asks && ended > published, "{ended} of {published}: {desk}");
    }
}

async fn run(transport: Transport, listens: bool, asks: bool, kills: u64, mut random: Random) {
    let (mut market, others_path) = (Market::new(transport, listens), socket());
    market.bus.bind_unix(&others_path).unwrap();
    let other = Peer::start("other", 0, Transport::Unix, false, &others_path.display().to_string());
    let stops = Arc::<AtomicBool>::default();
    let hearing = tokio::spawn(hear(market.bus.subscriber().unwrap(), Arc::clone(&market.heard)));
    let questions = market.bus.reply_recipient("desk/gate").unwrap();
    let asking = asks.then(|| tokio::spawn(ask_on(questions, Arc::clone(&stops))));
    until_wanted(&market.bus, "other", &["Tick"]).await;
    let mut handled = BTreeSet::new();
    for number in 1..=kills {
        handled.extend(market.flood_and_kill(number, &mut random).await);
    }
    let last = market.start(kills + 1).await;
    market.publish().await;
    stops.store(true, Ordering::SeqCst);
    let answered = match asking {
        Some(asking) => asking.await.unwrap(),
        None => BTreeSet::new(),
    };
    // Whatever is wrong is told by its counts, and not by a test that hangs: these come to an end.
    let queued = || market.bus.topics().iter().map(|topic| topic.waiting).sum::<u64>();
    until(|| queued() == 0 && ["desk", "other"].iter().all(|peer| link(&market.bus, peer).waiting == 0))
        .await;
    market.check_counts(asks);
    handled.extend(tokio::task::spawn_blocking(|| last.kill()).await.unwrap());
    let unhandled = &answered - &handled;
    assert!(unhandled.is_empty() && answered.is_empty() != asks, "answered and not handled: {unhandled:?}");
    market.bus.shutdown_within(Duration::ZERO).await.ok();
    hearing.await.unwrap();
    drop(other);
}

/// Half of them beside questions.
fn kill_many(transport: Transport, listens: bool) {
    let (kills, seed) = (cases(KILLS), seed());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for (asks, kills) in [(false, kills.div_ceil(2)), (true, kills / 2)] {
            let running = run(transport, listens, asks, kills, Random::new(seed));
            let limit = WATCHDOG * u32::try_from(kills + 1).unwrap();
            tokio::time::timeout(limit, running).await.expect("it hangs");
        }
    });
}

#[test]
fn processes_that_dial_a_unix_socket_are_killed() {
    kill_many(Transport::Unix, false);
}

#[test]
fn processes_that_listen_at_a_unix_socket_are_killed() {
    kill_many(Transport::Unix, true);
}

#[test]
fn processes_that_dial_over_tcp_are_killed() {
    kill_many(Transport::Tcp, false);
}

#[test]
fn processes_that_dial_through_shared_memory_are_killed() {
    kill_many(Transport::Shm, false);
}

#[test]
fn processes_that_listen_for_shared_memory_are_killed() {
    kill_many(Transport::Shm, true);
}
