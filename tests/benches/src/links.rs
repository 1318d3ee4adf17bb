//! Links between two buses, beside bare sockets of the same kind: what goes one way, and there and back.
//!
//! Each side has a thread and a runtime of its own.

mod asked;
mod bare;

use std::future::Future;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use self::asked::asked;
#[cfg(target_os = "linux")]
use self::bare::bare_ring_one_way;
use self::bare::{bare_one_way, bare_there_and_back};
use crate::harness::{OURS, Report, Round, median};
use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, BoxError, Context, Handler, LinkAddress, LinkOptions, Message, MessageBus, Publisher,
    Subscriptions,
};

/// Messages per round, one way.
const MESSAGES: u64 = 1_000_000;
/// Round trips per round.
const TRIPS: u64 = 10_000;
/// Bursts to a local actor per round, and the messages of one.
const BURSTS: u64 = 200;
const BURST: u64 = 128;
/// How long a link has nothing to do before a burst.
const SETTLED: Duration = Duration::from_millis(5);
/// The length of a message without a frame, in bytes.
const MESSAGE_LEN: usize = 64;

/// A message of 64 bytes.
macro_rules! words {
    ($name:ident, $id:literal, $topic:literal) => {
        #[derive(Clone, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
        struct $name {
            words: [u64; 8],
        }
        impl Message for $name {
            const NAME: &'static str = stringify!($name);
            const TYPE_ID: u16 = $id;
            const TOPIC: &'static str = $topic;
        }
        impl Wire for $name {
            const FIXED: bool = true;
            const LAYOUTS: &'static [Layout] =
                &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: $id }];
        }
    };
}
words!(There, 21, "there");
words!(Back, 22, "back");

struct Bench;
impl Messages for Bench {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<There>();
        visitor.typed::<Back>();
    }
}

/// A kind of connection.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Unix,
    Tcp,
    #[cfg(target_os = "linux")]
    Shm,
}

/// Each kind of connection, one way and there and back, and what a link costs those who are not behind it.
pub(crate) fn against_bare_sockets(report: &mut Report) {
    #[cfg(target_os = "linux")]
    through_shared_memory(report);
    let contenders: Vec<(&str, Round)> =
        vec![(OURS, Box::new(|| local(true, BURSTS))), ("without a link", Box::new(|| local(false, BURSTS)))];
    report.contest("links", "to a local actor, beside a link", "ns per message, p50", contenders);
    for (kind, name) in [(Kind::Unix, "Unix"), (Kind::Tcp, "TCP loopback")] {
        let contenders: Vec<(&str, Round)> = vec![
            (OURS, Box::new(move || one_way(kind, MESSAGES, true))),
            ("mycelium, a subscriber", Box::new(move || one_way(kind, MESSAGES, false))),
            ("bare socket, 64 KiB a write", Box::new(move || bare_one_way(kind, MESSAGES))),
        ];
        report.contest("links", &format!("one way, 64 B, {name}"), "ns per message", contenders);
        let contenders: Vec<(&str, Round)> = vec![
            (OURS, Box::new(move || there_and_back(kind, TRIPS, &LinkOptions::default()))),
            ("mycelium, an ask", Box::new(move || asked(kind, TRIPS, &LinkOptions::default()))),
            ("bare socket of tokio", Box::new(move || bare_there_and_back(kind, TRIPS))),
        ];
        report.contest(
            "links",
            &format!("there and back, 64 B, {name}"),
            "ns per round trip, p50",
            contenders,
        );
    }
}

/// Both sides look at their rings for as long as a message may take.
#[cfg(target_os = "linux")]
fn spinning() -> LinkOptions {
    LinkOptions::default().spin(Duration::from_micros(50))
}

/// The same, and the writer need not wait for the reader to have handled what it has.
#[cfg(target_os = "linux")]
fn at_once() -> LinkOptions {
    spinning().credit(8_192)
}

/// The same through shared memory, beside a ring of it that both sides watch.
#[cfg(target_os = "linux")]
fn through_shared_memory(report: &mut Report) {
    let contenders: Vec<(&str, Round)> = vec![
        (OURS, Box::new(|| one_way(Kind::Shm, MESSAGES, true))),
        ("mycelium, a subscriber", Box::new(|| one_way(Kind::Shm, MESSAGES, false))),
        ("mycelium, both sides spin", Box::new(|| one_way_with(Kind::Shm, MESSAGES, true, &spinning()))),
        (
            "mycelium, both spin, more credit",
            Box::new(|| one_way_with(Kind::Shm, MESSAGES, true, &at_once())),
        ),
        ("bare ring, both sides spin", Box::new(|| bare_ring_one_way(MESSAGES))),
    ];
    report.contest("links", "one way, 64 B, shared memory", "ns per message", contenders);
    let contenders: Vec<(&str, Round)> = vec![
        ("mycelium, 4 readers", Box::new(|| written_to(4, MESSAGES))),
        ("mycelium, 1 reader", Box::new(|| written_to(1, MESSAGES))),
    ];
    report.contest("links", "the writer of a ring, by its readers, 64 B", "ns per message", contenders);
    let contenders: Vec<(&str, Round)> = vec![
        (OURS, Box::new(|| there_and_back(Kind::Shm, TRIPS, &LinkOptions::default()))),
        ("mycelium, an ask", Box::new(|| asked(Kind::Shm, TRIPS, &LinkOptions::default()))),
        ("mycelium, both sides spin", Box::new(|| there_and_back(Kind::Shm, TRIPS, &spinning()))),
        ("mycelium, an ask, both sides spin", Box::new(|| asked(Kind::Shm, TRIPS, &spinning()))),
    ];
    report.contest("links", "there and back, 64 B, shared memory", "ns per round trip, p50", contenders);
}

/// What the writer of a ring spends on a message that so many readers get, each of them under `Block`: they
/// read between its bursts, on its thread.
#[cfg(target_os = "linux")]
pub(crate) fn written_to(readers: usize, number: u64) -> f64 {
    use mycelium_mailbox::shm::{ShmAccess, ShmMode, ShmSegment};

    let segment = ShmSegment::create(256 << 10).expect("memory");
    let mut all: Vec<_> = (0..readers).map(|_| segment.reader(ShmMode::Block).expect("a place")).collect();
    let mut writer = segment.writer(ShmAccess::Sole).expect("the only one");
    let (bursts, mut spent) = (number / BURST, Duration::ZERO);
    for burst in 0..bursts {
        let begin = Instant::now();
        write_burst(&mut writer, burst);
        spent += begin.elapsed();
        for reader in &mut all {
            for _ in 0..BURST {
                let read = reader.read().expect("the writer is sound").expect("it is there");
                assert_eq!(read[..8], burst.to_le_bytes(), "each once, in order");
            }
            assert_eq!(reader.read(), Ok(None));
        }
    }
    spent.as_nanos() as f64 / (bursts * BURST) as f64
}

/// Apart, for counts of its instructions.
#[cfg(target_os = "linux")]
#[inline(never)]
fn write_burst(writer: &mut mycelium_mailbox::shm::ShmWriter, burst: u64) {
    let mut message = [0; MESSAGE_LEN];
    for _ in 0..BURST {
        message[..8].copy_from_slice(&burst.to_le_bytes());
        writer.send(std::hint::black_box(&message)).expect("there is room");
    }
}

/// Both buses on one thread, for a count of instructions; nanoseconds per message.
pub(crate) async fn on_one_thread(kind: Kind, number: u64) -> f64 {
    let (market, desk) = (bus("market"), bus("desk"));
    let socket = SocketPath::new();
    let mut subscriber = desk.subscriber::<There>().expect("a subscription");
    market.connect(listen(&desk, kind, &socket)).expect("an address");
    wanted(&market, There::NAME).await;
    let begin = Instant::now();
    let publisher = market.publisher::<There>().expect("a topic");
    let publish = tokio::spawn(async move {
        for word in 0..number {
            publisher.publish(There { words: [word; 8] }).await.expect("the bus is open");
        }
    });
    for word in 0..number {
        assert_eq!(subscriber.recv().await.expect("the bus is open").words[7], word);
    }
    let spent = begin.elapsed();
    publish.await.expect("the publisher does not panic");
    spent.as_nanos() as f64 / number as f64
}

/// Counts what it handles, and says when the last one has come.
struct Desk {
    left: u64,
    done: Option<tokio::sync::oneshot::Sender<Instant>>,
}

impl Actor for Desk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<There>();
    }
}

impl Handler<There> for Desk {
    async fn handle(&mut self, message: &There, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_eq!(message.words[7] + self.left, message.words[6], "each once, in order");
        self.left -= 1;
        if self.left == 0
            && let Some(done) = self.done.take()
        {
            done.send(Instant::now()).map_err(|_| "nobody waits for the last message")?;
        }
        Ok(())
    }
}

/// The message with this number, of so many.
fn there(word: u64, number: u64) -> There {
    There { words: [word, word, word, word, word, word, number, word] }
}

fn one_way(kind: Kind, number: u64, actor: bool) -> f64 {
    one_way_with(kind, number, actor, &LinkOptions::default())
}

fn one_way_with(kind: Kind, number: u64, actor: bool, options: &LinkOptions) -> f64 {
    let socket = SocketPath::new();
    let (tell, told) = mpsc::channel();
    let reader = thread::spawn({
        let (socket, options) = (socket.clone(), options.clone());
        move || {
            run(async move {
                let desk = bus("desk");
                let end = if actor {
                    let (done, end) = tokio::sync::oneshot::channel();
                    desk.spawn(Desk { left: number, done: Some(done) }).expect("the actor starts");
                    tell.send(listen_with(&desk, kind, &socket, options)).expect("somebody waits");
                    end.await.expect("the actor lives")
                } else {
                    let mut subscriber = desk.subscriber::<There>().expect("a subscription");
                    tell.send(listen_with(&desk, kind, &socket, options)).expect("somebody waits");
                    for word in 0..number {
                        assert_eq!(subscriber.recv().await.expect("the bus is open").words[7], word);
                    }
                    Instant::now()
                };
                desk.shutdown().await.expect("nothing is left");
                end
            })
        }
    });
    let options = options.clone();
    let begin = run(async move {
        let market = bus("market");
        market.connect_with(told.recv().expect("the reader lives"), options).expect("an address");
        wanted(&market, There::NAME).await;
        let publisher = market.publisher::<There>().expect("a topic");
        let begin = Instant::now();
        for word in 0..number {
            publisher.publish(there(word, number)).await.expect("the bus is open");
        }
        market.shutdown().await.expect("nothing is left");
        begin
    });
    let end = reader.join().expect("the reader does not panic");
    (end - begin).as_nanos() as f64 / number as f64
}

fn there_and_back(kind: Kind, number: u64, options: &LinkOptions) -> f64 {
    let socket = SocketPath::new();
    let (tell, told) = mpsc::channel();
    let echo = thread::spawn({
        let (socket, options) = (socket.clone(), options.clone());
        move || {
            run(async move {
                let desk = bus("desk");
                let mut subscriber = desk.subscriber::<There>().expect("a subscription");
                let publisher = desk.publisher::<Back>().expect("a topic");
                tell.send(listen_with(&desk, kind, &socket, options)).expect("somebody waits");
                for _ in 0..number {
                    let words = subscriber.recv().await.expect("the bus is open").words;
                    publisher.publish(Back { words }).await.expect("the bus is open");
                }
                desk.shutdown().await.expect("nothing is left");
            });
        }
    });
    let options = options.clone();
    let p50 = run(async move {
        let market = bus("market");
        let mut subscriber = market.subscriber::<Back>().expect("a subscription");
        let publisher = market.publisher::<There>().expect("a topic");
        market.connect_with(told.recv().expect("the other side lives"), options).expect("an address");
        wanted(&market, There::NAME).await;
        let mut samples = Vec::with_capacity(usize::try_from(number).unwrap_or_default());
        for word in 0..number {
            let begin = Instant::now();
            publisher.publish(There { words: [word; 8] }).await.expect("the bus is open");
            assert_eq!(subscriber.recv().await.expect("the bus is open").words[7], word);
            samples.push(begin.elapsed().as_nanos() as f64);
        }
        market.shutdown().await.expect("nothing is left");
        median(&samples)
    });
    echo.join().expect("the other side does not panic");
    p50
}

/// Bursts to an actor of the same bus, while a peer wants the same messages or not.
fn local(linked: bool, bursts: u64) -> f64 {
    let socket = SocketPath::new();
    let (tell, told) = mpsc::channel();
    let reader = thread::spawn({
        let socket = socket.clone();
        move || {
            run(async move {
                let desk = bus("desk");
                let mut subscriber = desk.subscriber::<There>().expect("a subscription");
                tell.send(listen(&desk, Kind::Unix, &socket)).expect("somebody waits");
                for _ in 0..if linked { bursts * BURST } else { 0 } {
                    subscriber.recv().await.expect("the bus is open");
                }
                desk.shutdown().await.expect("nothing is left");
            });
        }
    });
    let p50 = run(async move {
        let market = bus("market");
        let address = told.recv().expect("the reader lives");
        if linked {
            market.connect(address).expect("an address");
            wanted(&market, There::NAME).await;
        }
        let publisher = market.publisher::<There>().expect("a topic");
        let mut samples = Vec::new();
        for burst in 1..=bursts {
            let (done, end) = tokio::sync::oneshot::channel();
            let actor = market.spawn(Desk { left: BURST, done: Some(done) }).expect("the actor starts");
            tokio::task::yield_now().await;
            let begin = Instant::now();
            publish_burst(&publisher);
            let end = end.await.expect("the actor lives");
            samples.push((end - begin).as_nanos() as f64 / BURST as f64);
            actor.kill();
            actor.ended().await;
            while market.stats().links.iter().any(|link| link.acknowledged < burst * BURST) {
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            // What the peer says of this burst would have the link awake before the next one.
            tokio::time::sleep(SETTLED).await;
        }
        market.shutdown().await.expect("nothing is left");
        median(&samples)
    });
    reader.join().expect("the reader does not panic");
    p50
}

/// Apart, for counts of its instructions.
#[inline(never)]
fn publish_burst(publisher: &Publisher<There>) {
    for word in 0..BURST {
        publisher.try_publish(there(word, BURST)).expect("there is room");
    }
}

/// So many messages, in bursts: what one costs until the local actor has handled it, in nanoseconds.
pub(crate) fn beside(linked: bool, number: u64) -> f64 {
    let bursts = (number / BURST).max(1);
    // A thread that runs no runtime yet.
    thread::spawn(move || local(linked, bursts)).join().expect("the contender does not panic")
}

fn bus(name: &str) -> MessageBus {
    MessageBus::builder().node(name).contract(Bench).build()
}

fn listen(bus: &MessageBus, kind: Kind, socket: &SocketPath) -> LinkAddress {
    listen_with(bus, kind, socket, LinkOptions::default())
}

fn listen_with(bus: &MessageBus, kind: Kind, socket: &SocketPath, options: LinkOptions) -> LinkAddress {
    match kind {
        Kind::Unix => {
            bus.bind_unix_with(&socket.0, options).expect("a socket of our own");
            LinkAddress::unix(&socket.0)
        }
        Kind::Tcp => LinkAddress::tcp(bus.bind_tcp_with("127.0.0.1:0", options).expect("a port").address()),
        #[cfg(target_os = "linux")]
        Kind::Shm => {
            bus.bind_shm_with(&socket.0, options).expect("a socket of our own");
            LinkAddress::shm(&socket.0)
        }
    }
}

/// Waits until a peer wants this message.
async fn wanted(bus: &MessageBus, message: &'static str) {
    while !bus.stats().links.iter().any(|link| link.wants.contains(&message)) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Runs `work` as a task on a runtime of this thread.
fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    runtime.block_on(async { tokio::spawn(work).await.expect("the contender does not panic") })
}

/// A path for a socket, in a directory of its own.
#[derive(Clone)]
struct SocketPath(PathBuf);

impl SocketPath {
    fn new() -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let directory = std::env::temp_dir().join(format!("mycelium-bench-{}-{number}", std::process::id()));
        Self(directory.join("bus"))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        if let Some(directory) = self.0.parent() {
            std::fs::remove_file(&self.0).ok();
            std::fs::remove_dir(directory).ok();
        }
    }
}
