//! Two processes that flood each other, each of which is stopped (SIGSTOP) and goes on (SIGCONT) at random
//! instants, now and then for longer than a peer may be silent: nothing is lost, doubled or out of order,
//! while subscribers come and go on both sides.
//!
//! `MYCELIUM_CASES=n` runs so many pairs over each transport; `MYCELIUM_SEED=n` replays the instants.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod kit;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Exposed, Handler, LinkAddress, LinkOptions, MessageBus, Query, Responder,
    Subscription, Subscriptions,
};
use mycelium_random::{Random, cases, seed};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use kit::{Fill, Order, Text, Tick, bus, link, socket, until, until_wanted};

/// Pairs of processes over each transport.
const PAIRS: u64 = 1;
/// How many messages each sends.
const MESSAGES: u64 = 15_000;
/// How long a pair may take before it hangs.
const WATCHDOG: Duration = Duration::from_secs(600);

/// What a child process is told: its name, that of its peer, its transport, where, and a seed.
const ROLE: &str = "MYCELIUM_STOPS_ROLE";

#[derive(Clone, Copy, Debug)]
enum Transport {
    Unix,
    Tcp,
    Shm,
}

impl Query for Text {
    type Reply = Text;
}

/// A number of a process, which is 0 or 1, and of a message of it.
fn message(process: u64, count: u64) -> u64 {
    process << 32 | count
}

/// Hears one sender over two topics and what it tells, in one order.
struct Gate {
    /// The number of the sender.
    of: u64,
    heard: Arc<AtomicU64>,
}

impl Gate {
    fn hear(&self, n: u64) {
        // This process publishes too.
        if n >> 32 == self.of {
            let due = message(self.of, self.heard.fetch_add(1, Ordering::SeqCst));
            assert_eq!(n, due, "something was lost, doubled or passed");
        }
    }
}
impl Actor for Gate {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics
            .on_with(Subscription::<Tick>::block().capacity(64))
            .on_with(Subscription::<Fill>::block().capacity(64));
    }
}
impl Handler<Tick> for Gate {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(tick.n);
        Ok(())
    }
}
impl Handler<Fill> for Gate {
    async fn handle(&mut self, fill: &Fill, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(fill.n);
        Ok(())
    }
}
impl Handler<Order> for Gate {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(order.n);
        Ok(())
    }
}
impl Responder<Text> for Gate {
    type Reply = Text;
    async fn answer(&mut self, text: &Text, _: &mut Context<Self>) -> Text {
        text.clone()
    }
}

fn meet(bus: &MessageBus, listens: bool, transport: &str, at: &str, random: &mut Random) {
    // Rings of the smallest size are full again and again.
    let options = LinkOptions::default().ring(1).spin(Duration::from_micros(random.pick(&[0, 50])));
    let options = options.credit(random.pick(&[4, 1_024])).held_bytes(random.pick(&[64, 1 << 20]));
    let met = match (transport, listens) {
        ("Unix", true) => bus.bind_unix_with(at, options).map(drop),
        ("Unix", false) => bus.connect_with(LinkAddress::unix(at), options).map(drop),
        ("Shm", true) => bus.bind_shm_with(at, options).map(drop),
        ("Shm", false) => bus.connect_with(LinkAddress::shm(at), options).map(drop),
        (_, true) => bus.bind_tcp_with(at, options).map(drop),
        (_, false) => bus.connect_with(LinkAddress::tcp(at), options).map(drop),
    };
    met.unwrap();
}

/// Subscribes again and again, reads for a while, and leaves: each hears texts without a gap. How many.
async fn come_and_go(bus: MessageBus, mut random: Random, ends: Arc<AtomicBool>) -> u64 {
    let mut heard = 0;
    while !ends.load(Ordering::SeqCst) {
        let how = Subscription::block().capacity(random.pick(&[1, 4, 64]));
        let mut texts = bus.subscriber_with::<Text>(how).unwrap();
        let mut last = [None::<u64>; 2];
        for _ in 0..random.below(200) {
            let Ok(text) = tokio::time::timeout(Duration::from_millis(200), texts.recv()).await else {
                break;
            };
            let n: u64 = text.unwrap().words.parse().unwrap();
            let last = &mut last[(n >> 32) as usize];
            assert!(last.is_none_or(|last| n == last + 1), "{n} is heard next to {last:?}");
            *last = Some(n);
            heard += 1;
        }
        drop(texts);
        tokio::time::sleep(Duration::from_millis(random.below(20))).await;
    }
    heard
}

/// One of both.
#[test]
fn child_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let [name, peer, transport, at, seed] = role.splitn(5, ' ').collect::<Vec<_>>()[..] else {
        panic!("{role}")
    };
    // Nobody else would end it, should its parent be killed: it may be stopped then, and read nothing.
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let mut random = Random::new(seed.parse().unwrap());
    let mut builder = match random.chance(50) {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async {
        let (bus, heard) = (bus(name), Arc::<AtomicU64>::default());
        let (own, of) = (u64::from(name > peer), u64::from(peer > name));
        let gate = bus.spawn(Gate { of, heard: Arc::clone(&heard) }).unwrap();
        let doors = Exposed::new().takes::<Order>(gate.clone()).answers::<Text>(gate);
        bus.expose("gate", doors).unwrap();
        meet(&bus, name < peer, transport, at, &mut random);
        let path = format!("{peer}/gate");
        let (ticks, fills) = (bus.publisher::<Tick>().unwrap(), bus.publisher::<Fill>().unwrap());
        let (texts, gate) = (bus.publisher::<Text>().unwrap(), bus.recipient::<Order>(&path).unwrap());
        let asked = bus.reply_recipient::<Text>(&path).unwrap();
        until_wanted(&bus, peer, &["Tick", "Fill"]).await;
        until(|| gate.is_alive()).await;
        let ends = Arc::<AtomicBool>::default();
        let visits = (0..2).map(|n| {
            let random = Random::new(random.next_u64() + n);
            tokio::spawn(come_and_go(bus.clone(), random, Arc::clone(&ends)))
        });
        let visits: Vec<_> = visits.collect();
        for n in (0..MESSAGES).map(|count| message(own, count)) {
            match random.below(3) {
                0 => ticks.publish(Tick { n }).await.unwrap(),
                1 => fills.publish(Fill { n }).await.unwrap(),
                _ => gate.tell(Order { n }).await.unwrap(),
            };
            let words = n.to_string();
            texts.publish(Text { words: words.clone() }).await.unwrap();
            if random.below(500) == 0 {
                assert_eq!(asked.ask(Text { words: words.clone() }).await.unwrap().words, words);
            }
        }
        until(|| heard.load(Ordering::SeqCst) == MESSAGES).await;
        ends.store(true, Ordering::SeqCst);
        let mut visited = 0;
        for visit in visits {
            visited += visit.await.unwrap();
        }
        until(|| link(&bus, peer).waiting == 0).await;
        println!("done {visited} visited, {}", link(&bus, peer));
        std::future::pending::<()>().await;
    });
}

struct Peer(Child, Receiver<String>);

impl Peer {
    fn start(role: String) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, told) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.starts_with("done") && tell.send(line).is_err() {
                    break;
                }
            }
        });
        Self(child, told)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn run(transport: Transport, mut random: Random) {
    let path = socket();
    let at = match transport {
        Transport::Tcp => format!("127.0.0.1:{}", mycelium_random::ports::<1>()[0]),
        _ => path.display().to_string(),
    };
    let (one, other) = (random.next_u64(), random.next_u64());
    let peers = [
        Peer::start(format!("desk market {transport:?} {at} {one}")),
        Peer::start(format!("market desk {transport:?} {at} {other}")),
    ];
    let (mut done, mut stops, began) = ([false; 2], 0, std::time::Instant::now());
    while done != [true; 2] {
        assert!(began.elapsed() < WATCHDOG, "it hangs after {stops} stops: {done:?}");
        let at = random.index(2);
        let both = random.chance(10);
        peers[at].signal(Signal::STOP);
        if both {
            peers[1 - at].signal(Signal::STOP);
        }
        let time = match random.below(100) {
            0..2 => 5_000 + random.below(3_000),
            2..20 => random.below(300),
            _ => random.below(20),
        };
        std::thread::sleep(Duration::from_millis(time));
        peers[at].signal(Signal::CONT);
        if both {
            peers[1 - at].signal(Signal::CONT);
        }
        stops += 1;
        for (peer, done) in peers.iter().zip(&mut done) {
            match peer.1.recv_timeout(Duration::from_millis(random.below(40))) {
                Ok(line) => {
                    println!("{transport:?}, {stops} stops: {line}");
                    *done = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => assert!(*done, "a process has ended: it says why"),
            }
        }
    }
}

fn run_all(transport: Transport) {
    let mut random = Random::new(seed());
    for _ in 0..cases(PAIRS) {
        run(transport, Random::new(random.next_u64()));
    }
}

#[test]
fn processes_over_a_unix_socket_are_stopped_at_any_instant() {
    run_all(Transport::Unix);
}

#[test]
fn processes_over_tcp_are_stopped_at_any_instant() {
    run_all(Transport::Tcp);
}

#[test]
fn processes_through_shared_memory_are_stopped_at_any_instant() {
    run_all(Transport::Shm);
}
