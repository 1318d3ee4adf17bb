//! Processes that a topology describes, as buses of one process: over Unix sockets, over TCP, and as one bus.
#![cfg(unix)]

#[path = "common/mod.rs"]
mod common;
#[allow(dead_code, reason = "the tests of links use all of it")]
#[path = "links/kit.rs"]
mod kit;
#[path = "topology/trees.rs"]
mod trees;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::topology::{self, LocalNode, Mode};
use mycelium::tree::{Builder, Tree};
use mycelium::{
    Actor, BoxError, BusBuilder, Context, Handler, LinkAddress, LinkError, LinkOptions, MessageBus,
    PublishError, Retention, Service, ServiceContext, Subscription, Subscriptions, Supervisor,
};

use common::{WATCHDOG, on_every_runtime};
use kit::{Contract, Fill, Order, Tick, bus, find, socket, until, until_wanted};

/// Ticks of a run.
const TICKS: u64 = 2_000;

/// Publishes ticks, whoever is there.
struct Market;
impl Service for Market {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for n in 0..TICKS {
            ctx.publish(Tick { n }).await?;
        }
        ctx.stopped().await;
        Ok(())
    }
}

/// Orders at each third tick.
struct Strategy;
impl Actor for Strategy {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().with_retained());
    }
}
impl Handler<Tick> for Strategy {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.n.is_multiple_of(3) {
            ctx.publish(Order { n: tick.n * 10 }).await?;
        }
        Ok(())
    }
}

/// The numbers of the orders that came, in order.
type Orders = Arc<Mutex<Vec<u64>>>;

struct Execution(Orders);
impl Actor for Execution {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Order>::block().with_retained());
    }
}
impl Handler<Order> for Execution {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(order.n);
        Ok(())
    }
}

fn services(orders: &Orders) -> Builder {
    let orders = Arc::clone(orders);
    Supervisor::builder("desk")
        .actor("execution", move || Execution(Arc::clone(&orders)))
        .actor("strategy", || Strategy)
        .service("market", || Market)
}

/// A bus that keeps what was published for nodes that come late.
fn retaining() -> BusBuilder {
    let all = TICKS as usize;
    let bus = MessageBus::builder().contract(Contract);
    bus.retain(Retention::<Tick>::last_n(all)).retain(Retention::<Order>::last_n(all))
}

/// A file in a directory of its own, that is removed at the end.
struct TopologyFile(PathBuf);

impl TopologyFile {
    fn new(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let directory = std::env::temp_dir().join(format!("mycelium-t-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("topology.toml");
        std::fs::write(&file, text).unwrap();
        Self(file)
    }
}

impl Deref for TopologyFile {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for TopologyFile {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TopologyFile {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(self.0.parent().unwrap());
    }
}

const NAMES: [&str; 3] = ["market", "strategy", "execution"];

fn file(mode: &str, tcp: bool) -> TopologyFile {
    let ports: [u16; 3] = mycelium_random::ports();
    let mut text = format!("socket_dir = \"run\"\n[deployment]\nmode = \"{mode}\"\n");
    for (name, port) in NAMES.into_iter().zip(ports) {
        text += &format!("[[nodes]]\nname = \"{name}-node\"\nservices = [\"{name}\"]\n");
        if tcp {
            text += &format!("endpoint.kind = \"tcp\"\nport = {port}\n");
        }
    }
    TopologyFile::new(&text)
}

/// Runs what a file describes, its nodes started in this order; the orders that came.
async fn run(path: &Path, order: [usize; 3]) -> Vec<u64> {
    let orders = Orders::default();
    let mut running: Vec<(MessageBus, Tree)> = Vec::new();
    let names = match topology::read(path).unwrap().mode() {
        Mode::Monolith => vec!["strategy"],
        _ => order.iter().map(|at| NAMES[*at]).collect(),
    };
    for name in names {
        let node = LocalNode::open(path, name).unwrap();
        running.push(node.start(retaining(), services(&orders)).await.unwrap());
    }
    let expected = TICKS.div_ceil(3) as usize;
    until(|| orders.lock().unwrap().len() >= expected).await;
    for (bus, tree) in running {
        tree.shutdown().await.unwrap();
        // A node that ends before others have their copies of what it retains names those: none of them is
        // what the test is about.
        let _ended = bus.shutdown().await;
    }
    orders.lock().unwrap().clone()
}

#[test]
fn the_same_services_do_the_same_in_one_process_and_over_unix_and_tcp() {
    let expected: Vec<u64> = (0..TICKS).filter(|n| n.is_multiple_of(3)).map(|n| n * 10).collect();
    on_every_runtime(move || {
        let expected = expected.clone();
        async move {
            for (mode, tcp) in
                [("monolith", false), ("bundled", false), ("distributed", false), ("bundled", true)]
            {
                assert_eq!(run(&file(mode, tcp), [0, 1, 2]).await, expected, "{mode}, tcp {tcp}");
            }
        }
    });
}

#[test]
fn the_order_in_which_processes_start_is_irrelevant() {
    on_every_runtime(|| async {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(
                run(&file("bundled", false), order).await.len() as u64,
                TICKS.div_ceil(3),
                "{order:?}"
            );
        }
    });
}

#[test]
fn nodes_whose_file_allows_plaintext_listen_and_are_linked() {
    on_every_runtime(|| async {
        for (kind, bind) in [("tcp", "bind = \"0.0.0.0\"\n"), ("tcp", ""), ("unix", "")] {
            let mut text =
                "socket_dir = \"run\"\n[deployment]\nmode = \"distributed\"\nplaintext = true\n".to_owned();
            for (name, port) in ["a", "b"].into_iter().zip(mycelium_random::ports::<2>()) {
                text += &format!("[[nodes]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\n{bind}port = {port}\n");
                text += &format!("endpoint.kind = \"{kind}\"\n");
            }
            let file = TopologyFile::new(&text);
            let [a, b] = ["a", "b"].map(|name| MessageBus::from_topology(&file, name, Contract).unwrap());
            let mut ticks = b.subscriber::<Tick>().unwrap();
            until_wanted(&a, "b", &["Tick"]).await;
            a.publisher::<Tick>().unwrap().publish(Tick { n: 7 }).await.unwrap();
            assert_eq!(ticks.recv().await.map(|tick| tick.n), Some(7));
            b.shutdown().await.unwrap();
            a.shutdown().await.unwrap();
        }
    });
}

/// A rule for a link holds for the end that listens as for the one that dials; one for a topic comes first.
#[test]
fn queues_have_the_policy_that_the_file_says() {
    on_every_runtime(|| async {
        let file = TopologyFile::new(
            "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"a\"\n[[nodes]]\nname = \"b\"\n\
             [[links]]\nbetween = [\"a\", \"b\"]\noverflow = \"fail\"\ncapacity = 4\n[topics.fills]\noverflow = \
             \"drop_newest\"\n",
        );
        let [a, b] = ["a", "b"].map(|name| MessageBus::from_topology(&file, name, Contract).unwrap());
        for (from, to, name) in [(&a, &b, "b"), (&b, &a, "a")] {
            // They read nothing, so what is published fills all that is between.
            let _ticks = to.subscriber::<Tick>().unwrap();
            let _fills = to.subscriber::<Fill>().unwrap();
            until_wanted(from, name, &["Fill", "Tick"]).await;
            let (ticks, fills) = (from.publisher::<Tick>().unwrap(), from.publisher::<Fill>().unwrap());
            let mut n = 0;
            let refused = loop {
                if let Err(refused) = ticks.try_publish(Tick { n }) {
                    break refused;
                }
                n += 1;
                assert!(n < 1_000_000, "the queue has no bound");
            };
            assert!(
                refused.to_string().contains(&format!("the queue of link to {name} is full")),
                "{refused}"
            );
            assert!(matches!(refused, PublishError::Full(..)));
            for n in 0..100_000 {
                fills.try_publish(Fill { n }).unwrap();
            }
            let dropped =
                from.stats().topics.iter().find(|topic| topic.topic == "fills").unwrap().dropped_newest;
            assert!(dropped > 0, "nothing was dropped to {name}");
        }
    });
}

/// The sizes of the rings that this process has mapped, without what stands before the ring.
#[cfg(target_os = "linux")]
fn rings() -> Vec<u64> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let size = |line: &str| {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(number(to)? - number(from)? - 12_288)
    };
    maps.lines().filter(|line| line.contains("memfd:")).filter_map(size).collect()
}

/// One test at a time has links through shared memory: another one counts the rings of the whole process.
#[cfg(target_os = "linux")]
fn alone_in_shared_memory() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(target_os = "linux")]
#[test]
fn rings_have_the_size_that_the_file_says() {
    let _alone = alone_in_shared_memory();
    on_every_runtime(|| async {
        for (rule, kib) in [
            ("", 256),
            ("[defaults]\nring_kib = 64\nspin_us = 20", 64),
            (
                "[defaults]\nring_kib = 64\n[[links]]\nbetween = [\"a\", \"b\"]\nspin_us = 20\nring_kib = 1000",
                1_024,
            ),
        ] {
            let file = TopologyFile::new(&format!(
                "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"a\"\nendpoint.kind = \"shm\"\n\
                 [[nodes]]\nname = \"b\"\n{rule}\n"
            ));
            let [a, b] = ["a", "b"].map(|name| MessageBus::from_topology(&file, name, Contract).unwrap());
            let mut ticks = b.subscriber::<Tick>().unwrap();
            until_wanted(&a, "b", &["Tick"]).await;
            a.publisher::<Tick>().unwrap().publish(Tick { n: 7 }).await.unwrap();
            assert_eq!(ticks.recv().await.unwrap().n, 7);
            let rings = rings();
            assert!(!rings.is_empty() && rings.iter().all(|ring| *ring == kib << 10), "{rule}: {rings:?}");
            b.shutdown().await.unwrap();
            a.shutdown().await.unwrap();
            drop((a, b, ticks));
            until(|| self::rings().is_empty()).await;
        }
    });
}

/// A node on a thread of its own, until it is dropped.
struct NodeThread {
    bus: MessageBus,
    /// Whether its thread sleeps.
    sleeps: Arc<AtomicBool>,
    _stays: tokio::sync::oneshot::Sender<()>,
}

impl NodeThread {
    fn new(file: &TopologyFile, name: &'static str) -> Self {
        let ((to, from), (stays, ends)) = (std::sync::mpsc::channel(), tokio::sync::oneshot::channel());
        let (sleeps, path) = (Arc::new(AtomicBool::new(false)), file.to_path_buf());
        let [on_park, on_unpark] = [Arc::clone(&sleeps), Arc::clone(&sleeps)];
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().on_thread_park(move || on_park.store(true, Ordering::SeqCst));
            let runtime = runtime.on_thread_unpark(move || on_unpark.store(false, Ordering::SeqCst));
            runtime.build().unwrap().block_on(async {
                to.send(MessageBus::from_topology(&path, name, Contract).unwrap()).unwrap();
                _ = ends.await;
            });
        });
        Self { bus: from.recv().unwrap(), sleeps, _stays: stays }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn links_spin_as_long_as_the_file_says_at_both_ends_before_they_sleep() {
    let _alone = alone_in_shared_memory();
    let spin = "spin_us = 1_000_000";
    let rules = [
        (String::new(), false),
        (format!("[defaults]\n{spin}"), true),
        (format!("[[links]]\nbetween = [\"a\", \"b\"]\n{spin}"), true),
    ];
    for (rule, spins) in rules {
        let file = TopologyFile::new(&format!(
            "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"a\"\nendpoint.kind = \"shm\"\n\
             [[nodes]]\nname = \"b\"\n{rule}\n"
        ));
        let [a, b] = ["a", "b"].map(|name| NodeThread::new(&file, name));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut ticks = b.bus.subscriber::<Tick>().unwrap();
            until_wanted(&a.bus, "b", &["Tick"]).await;
            let publisher = a.bus.publisher::<Tick>().unwrap();
            let mut both_were_awake = false;
            // Each time anew, as this thread may be the one that sleeps for longer than they spin.
            for n in 0..10 {
                publisher.publish(Tick { n }).await.unwrap();
                assert_eq!(ticks.recv().await.unwrap().n, n);
                if spins {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    both_were_awake |=
                        ![&a, &b].map(|node| node.sleeps.load(Ordering::SeqCst)).contains(&true);
                } else {
                    until(|| a.sleeps.load(Ordering::SeqCst) && b.sleeps.load(Ordering::SeqCst)).await;
                }
            }
            assert_eq!(both_were_awake, spins, "{rule}");
            b.bus.shutdown().await.unwrap();
            a.bus.shutdown().await.unwrap();
        });
        drop((a, b));
        // Their threads let go of their rings a moment later.
        runtime
            .block_on(async { tokio::time::timeout(WATCHDOG, until(|| rings().is_empty())).await.unwrap() });
    }
}

#[test]
fn a_node_that_answers_at_the_address_of_another_is_not_linked() {
    on_every_runtime(|| async {
        let path = socket();
        let (market, desk) = (bus("market"), bus("desk"));
        market.bind_unix(&path).unwrap();
        let wrong =
            desk.connect_with(LinkAddress::unix(&path), LinkOptions::default().expect("risk")).unwrap();
        until(|| wrong.fault().is_some()).await;
        assert_eq!(
            wrong.fault().as_deref(),
            Some("`market` answers there, where `risk` was expected: one of both has a wrong address")
        );
        assert!(find(&desk, "market").is_none());
        wrong.close();
        let right =
            desk.connect_with(LinkAddress::unix(&path), LinkOptions::default().expect("market")).unwrap();
        assert_eq!(&*right.linked().await, "market");
    });
}

/// The one that dials may have read another file.
#[test]
fn a_node_that_the_file_does_not_link_with_another_is_not_linked_whoever_dials() {
    on_every_runtime(|| async {
        let file = TopologyFile::new(
            "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"audit\"\n[[nodes]]\nname = \"desk\"\n\
             [[links]]\nbetween = [\"audit\", \"desk\"]\nlinked = false\n",
        );
        let audit = MessageBus::from_topology(&file, "audit", Contract).unwrap();
        let address = LinkAddress::unix(file.parent().unwrap().join("run/audit.sock"));
        let desk = bus("desk");
        let dialer = desk.connect_with(address.clone(), LinkOptions::default()).unwrap();
        until(|| dialer.fault().is_some()).await;
        let fault = dialer.fault().unwrap();
        let cause = "`audit` is told not to be linked with `desk`: give both the same topology or options";
        assert!(fault.contains(cause), "{fault}");
        assert!(audit.stats().links.is_empty());
        // Others are.
        let other = bus("other");
        let dialer = other.connect_with(address, LinkOptions::default()).unwrap();
        assert_eq!(&*dialer.linked().await, "audit");
    });
}

async fn error(file: &Path, name: &str, services: Builder) -> String {
    let started = async { LocalNode::open(file, name)?.start(MessageBus::builder(), services).await };
    started.await.map(drop).unwrap_err().to_string().replace(&file.display().to_string(), "FILE")
}

#[tokio::test]
async fn errors_name_the_file_and_say_what_to_do() {
    let text = |services: &str| {
        format!(
            "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"a\"\nservices = [{services}]\n\
             [[nodes]]\nname = \"b\"\n"
        )
    };
    let all = || services(&Orders::default());
    let empty = || Supervisor::builder("none");
    let wrong = TopologyFile::new(&text("\"markt\""));
    let few = TopologyFile::new(&text("\"market\", \"strategy\""));
    let sound = TopologyFile::new(&text("\"market\", \"strategy\", \"execution\""));
    let broken = TopologyFile::new("[deployment]\nmode = 1");
    let rows = [
        (
            &wrong,
            "a",
            all(),
            "FILE: the node `a` runs the service `markt`, which the program does not have; did you mean `market`?",
        ),
        (
            &sound,
            "a",
            empty(),
            "FILE: the node `a` runs the service `market`, which the program does not have; it has none",
        ),
        (
            &few,
            "a",
            all(),
            "FILE: the program has a service `execution`, which no node runs: add it to the `services` of one",
        ),
        (
            &sound,
            "marktet",
            all(),
            "FILE: the topology has no node and no service `marktet`; did you mean `market`?",
        ),
        (&broken, "a", all(), "FILE: line 2, column 8: `mode` must be a string, not integer"),
        (
            &sound,
            "a",
            all(),
            "FILE: `a` cannot listen at unix RUN/a.sock: a bus needs contracts to be linked: give it those of the messages that are to travel, with `MessageBus::builder().contract(CONTRACT)`",
        ),
    ];
    for (file, name, services, expected) in rows {
        let run = file.parent().unwrap().join("run");
        let got = error(file, name, services).await.replace(&run.display().to_string(), "RUN");
        assert_eq!(got, expected);
    }
    assert!(
        error(Path::new("/nowhere/t.toml"), "a", all()).await.starts_with("cannot read FILE: No such file")
    );
    let first = MessageBus::from_topology(&sound, "a", Contract).unwrap();
    let second = MessageBus::from_topology(&sound, "market", Contract).map(drop).unwrap_err();
    assert!(
        matches!(&second, topology::TopologyError::Link { cause: LinkError::InUse { .. }, .. })
            && second.to_string().ends_with("end that process, or choose another address"),
        "{second}"
    );
    first.shutdown().await.unwrap();
}

#[test]
fn a_monolith_needs_no_runtime_no_contract_and_no_directory() {
    let file = file("monolith", false);
    let bus = MessageBus::builder().build_from(&file, "market").unwrap();
    drop(bus);
    assert!(!file.parent().unwrap().join("run").exists());
}

#[test]
fn outside_of_a_runtime_a_linked_node_is_an_error() {
    let error = MessageBus::from_topology(file("bundled", false), "market", Contract).map(drop).unwrap_err();
    assert!(error.to_string().contains("there is no tokio runtime here"), "{error}");
}
