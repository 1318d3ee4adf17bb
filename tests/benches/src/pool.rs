//! Pools of four workers, and actors on threads of their own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mycelium::pool::{Dispatch, Pool, PoolRef};
use mycelium::{Actor, ActorRef, BoxError, Context, Handler, MessageBus, OwnThread, Supervisor, Tree};
use tokio::sync::Notify;

use crate::ask::{Asked, asking};
use crate::harness::{OURS, Report, Round};
use crate::load::{FLAVOURS, Flavour, Load, Small};
use crate::ours::{self, Echo};
use crate::peers::{kameo, ractor};

/// Messages per round.
const MESSAGES: u64 = 100_000;
/// Workers of each pool.
pub(crate) const WORKERS: usize = 4;

/// What the workers of one pool have handled together.
#[derive(Debug)]
pub(crate) struct Tally {
    left: AtomicU64,
    done: Notify,
}

impl Tally {
    /// One worker has handled a message.
    pub(crate) fn see(&self, message: &Small) {
        std::hint::black_box(message.number());
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.done.notify_one();
        }
    }
}

/// How a pool hands out messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    RoundRobin,
    LeastBusy,
    ByKey,
}

/// A pool that is told messages.
pub(crate) trait Pooled: Sized + Send + 'static {
    /// Starts its workers.
    fn start(way: Way, tally: Arc<Tally>) -> impl Future<Output = Self> + Send;
    /// Tells one of them.
    fn send(&mut self, message: Small) -> impl Future<Output = ()> + Send;
    /// Ends it.
    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// From one task to four workers.
pub(crate) fn pools(report: &mut Report) {
    for flavour in FLAVOURS {
        for (way, name) in
            [(Way::RoundRobin, "round robin"), (Way::LeastBusy, "least busy"), (Way::ByKey, "by key")]
        {
            // For the least busy worker ractor has a queue in the factory, of which each worker takes one
            // message at a time.
            let mut contenders: Vec<(&str, Round)> = vec![
                (OURS, flow::<Ours>(flavour, way)),
                ("ractor factory", flow::<ractor::Workers>(flavour, way)),
            ];
            if way == Way::RoundRobin {
                contenders.push(("kameo tell(1024), by hand", flow::<kameo::Workers>(flavour, way)));
            }
            let case = format!("1 to {WORKERS}, {name}, 64 B, {}", flavour.name());
            report.contest("pool", &case, "ns per message", contenders);
        }
    }
}

fn flow<P: Pooled>(flavour: Flavour, way: Way) -> Round {
    Box::new(move || flavour.run(flow_once::<P>(way, MESSAGES)))
}

/// Nanoseconds per message, of ours by key.
pub(crate) async fn pooled_by_key(messages: u64) -> f64 {
    flow_once::<Ours>(Way::ByKey, messages).await
}

async fn flow_once<P: Pooled>(way: Way, messages: u64) -> f64 {
    let tally = Arc::new(Tally { left: AtomicU64::new(messages), done: Notify::new() });
    let mut pool = P::start(way, Arc::clone(&tally)).await;
    let begin = Instant::now();
    for number in 0..messages {
        pool.send(Small::new(number)).await;
    }
    tally.done.notified().await;
    let spent = begin.elapsed().as_nanos() as f64 / messages as f64;
    pool.stop().await;
    spent
}

struct Worker(Arc<Tally>);

impl Actor for Worker {
    type Error = BoxError;
}

impl Handler<Small> for Worker {
    async fn handle(&mut self, message: &Small, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.see(message);
        Ok(())
    }
}

struct Ours {
    pool: PoolRef<Worker>,
    tree: Tree,
    bus: MessageBus,
}

impl Pooled for Ours {
    async fn start(way: Way, tally: Arc<Tally>) -> Self {
        let bus = MessageBus::new();
        let pool = Pool::new(move || Worker(Arc::clone(&tally))).workers(WORKERS);
        let pool = match way {
            Way::RoundRobin => pool,
            Way::LeastBusy => pool.dispatch(Dispatch::LeastBusy),
            Way::ByKey => pool.key(Small::number),
        };
        let root = Supervisor::builder("root").supervisor(pool.supervisor("pool"));
        let tree = root.start(&bus).await.expect("the tree starts");
        let pool = tree.lookup_pool("root/pool").expect("the pool runs");
        Self { pool, tree, bus }
    }

    async fn send(&mut self, message: Small) {
        self.pool.tell(message).await.expect("the pool is alive");
    }

    async fn stop(self) {
        self.tree.shutdown().await.expect("the tree ends in time");
        self.bus.shutdown().await.expect("the bus ends in time");
    }
}

/// The round trip to an actor on a thread of its own, beside that to one which is a task. ractor's
/// own threads are for actors that are not `Send`, and are not compared.
pub(crate) fn own_threads(report: &mut Report) {
    for flavour in FLAVOURS {
        let mut contenders: Vec<(&str, Round)> = vec![
            (OURS, asking::<ours::Ask>(flavour)),
            ("mycelium own thread", asking::<Threaded<SLEEPS>>(flavour)),
            ("mycelium own thread, pinned", asking::<Threaded<PINNED>>(flavour)),
            ("mycelium own thread, busy", asking::<Threaded<BUSY>>(flavour)),
        ];
        // kameo refuses to start one from a runtime of one thread.
        if flavour == Flavour::Multi {
            contenders.push(("kameo own thread", asking::<kameo::AskThread>(flavour)));
        }
        report.contest("thread", flavour.name(), "ns per round trip, p50", contenders);
    }
}

const SLEEPS: u8 = 0;
const PINNED: u8 = 1;
const BUSY: u8 = 2;

struct Threaded<const KIND: u8>(ActorRef<Echo>, MessageBus);

impl<const KIND: u8> Asked for Threaded<KIND> {
    async fn start() -> Self {
        let bus = MessageBus::new();
        let thread = OwnThread::new("echo");
        let thread = match KIND {
            PINNED => thread.pin_to(1),
            BUSY => thread.busy_polling(),
            _ => thread,
        };
        Self(bus.spawn_on_thread(thread, Echo).expect("the actor starts"), bus)
    }

    async fn ask(&mut self, number: u64) -> u64 {
        self.0.ask(number).await.expect("the actor answers")
    }

    async fn stop(self) {
        self.1.shutdown().await.expect("the bus ends in time");
    }
}
