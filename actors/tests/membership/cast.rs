//! The workers of these tests, and what they are told to do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::pool::{Pool, PoolRef};
use mycelium::tree::Builder;
use mycelium::{Actor, ActorRef, BoxError, Context, Handler, Message, Responder, Supervisor, Tree};

use crate::common::{PERIOD, Tick};
use crate::host::Host;

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

/// One of many messages of one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Job {
    pub(crate) key: u64,
    pub(crate) number: u64,
}
impl Message for Job {
    const NAME: &'static str = "Job";
    const TYPE_ID: u16 = 70;
    const TOPIC: &'static str = "jobs";
}

/// Keeps a worker for as long as it is set.
#[derive(Clone, Default)]
pub(crate) struct Hold(Arc<AtomicBool>);
impl Hold {
    /// Holds this worker until it is released.
    pub(crate) fn on<H: Host>(host: &mut H, worker: &ActorRef<Worker>) -> Self {
        let hold = Self::default();
        hold.0.store(true, Ordering::Relaxed);
        worker.try_tell(hold.clone()).unwrap();
        host.settle();
        hold
    }
    pub(crate) fn release(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Shared by all lives of all workers of a pool.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    pub(crate) done: Arc<Mutex<Vec<Job>>>,
    pool: Arc<Mutex<Option<PoolRef<Worker>>>>,
}

impl Shared {
    pub(crate) fn len(&self) -> usize {
        self.done.lock().unwrap().len()
    }
    /// That no key was handled out of order; how many of each.
    pub(crate) fn in_order(&self) -> BTreeMap<u64, usize> {
        let (mut last, mut counts) = (BTreeMap::new(), BTreeMap::new());
        for job in self.done.lock().unwrap().iter() {
            let before = last.insert(job.key, job.number);
            assert!(before.is_none_or(|before| before < job.number), "{job:?} after {before:?}");
            *counts.entry(job.key).or_default() += 1;
        }
        counts
    }
}

/// Handles jobs, and does with its own pool what it is told.
pub(crate) struct Worker(Shared);
impl Actor for Worker {
    type Error = BoxError;
}
impl Handler<Job> for Worker {
    async fn handle(&mut self, job: &Job, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.done.lock().unwrap().push(*job);
        Ok(())
    }
}
impl Handler<Hold> for Worker {
    async fn handle(&mut self, hold: &Hold, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        while hold.0.load(Ordering::Relaxed) {
            ctx.sleep(MILLISECOND).await;
        }
        Ok(())
    }
}

/// What a worker does with its own pool.
#[derive(Clone, Copy)]
pub(crate) enum Do {
    Resize(usize),
    ResizeTwice(usize, usize),
    Flush,
    Stop,
    /// So many jobs.
    Tell(u64),
}

/// The same, after a while.
pub(crate) struct Later(pub(crate) Do);

impl Responder<Do> for Worker {
    type Reply = String;
    async fn answer(&mut self, what: &Do, _: &mut Context<Self>) -> String {
        self.act(*what).await
    }
}
impl Responder<Later> for Worker {
    type Reply = String;
    async fn answer(&mut self, later: &Later, ctx: &mut Context<Self>) -> String {
        ctx.sleep(5 * MILLISECOND).await;
        self.act(later.0).await
    }
}
impl Worker {
    async fn act(&self, what: Do) -> String {
        let pool = self.0.pool.lock().unwrap().clone().unwrap();
        match what {
            Do::Resize(size) => format!("{:?}", pool.resize(size).await),
            Do::ResizeTwice(one, two) => {
                format!("{:?} {:?}", pool.resize(one).await, pool.resize(two).await)
            }
            Do::Flush => format!("{:?}", pool.flush().await),
            Do::Stop => format!("{:?}", pool.stop_gracefully().await),
            Do::Tell(jobs) => {
                for number in 0..jobs {
                    if let Err(error) = pool.tell(Job { key: 1_000, number }).await {
                        return format!("job {number}: {error:?}");
                    }
                }
                "Ok(())".into()
            }
        }
    }
}

/// Fails.
pub(crate) struct Bad;
impl Actor for Bad {
    type Error = BoxError;
}
impl Handler<Tick> for Bad {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("bad".into())
    }
}

/// A pool with its tree and what its workers share.
pub(crate) struct Setup {
    pub(crate) shared: Shared,
    pub(crate) tree: Tree,
    pub(crate) pool: PoolRef<Worker>,
}

impl Setup {
    /// No worker keeps its own pool any more: else the two would keep each other.
    pub(crate) fn part(&self) {
        drop(self.shared.pool.lock().unwrap().take());
    }
}

pub(crate) fn describe(shared: &Shared, workers: usize, keyed: bool) -> Pool<Worker> {
    let shared = shared.clone();
    let pool = Pool::new(move || Worker(shared.clone())).workers(workers);
    if keyed { pool.key(|job: &Job| job.key) } else { pool }
}

/// Starts it under `root/pool`.
pub(crate) fn start<H: Host>(host: &mut H, shared: Shared, pool: Builder) -> Setup {
    let root = Supervisor::builder("root").intensity(1_000, PERIOD).supervisor(pool);
    let tree = host.supervise(root).unwrap();
    let pool = tree.lookup_pool::<Worker>("root/pool").expect("it runs");
    *shared.pool.lock().unwrap() = Some(pool.clone());
    Setup { shared, tree, pool }
}

/// A pool that is restarted as often as need be.
pub(crate) fn set_up<H: Host>(host: &mut H, workers: usize, keyed: bool) -> Setup {
    let shared = Shared::default();
    let pool = describe(&shared, workers, keyed).supervisor("pool").intensity(1_000, PERIOD);
    start(host, shared, pool)
}
