//! Pools live, where it gets rough: waits that are dropped, workers that are killed or taken away,
//! handles that go.
#![forbid(unsafe_code)]

#[path = "common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{PERIOD, WATCHDOG, at_once, on_every_runtime};
use mycelium::pool::{Pool, PoolRef};
use mycelium::tree::{Factories, Restart, Shutdown};
use mycelium::{
    Actor, AskError, BoxError, Context, Handler, Isolate, MessageBus, Responder, Supervisor, TellError, Tree,
};

/// A message of a key, with its number in it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Job(u64, u64);
struct Ping;

type Done = Arc<Mutex<Vec<Job>>>;

/// Handles nothing while it is held.
struct Worker {
    done: Done,
    held: Arc<AtomicBool>,
    begun: Arc<AtomicUsize>,
}

impl Actor for Worker {
    type Error = BoxError;
}
impl Handler<Job> for Worker {
    async fn handle(&mut self, job: &Job, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        while self.held.load(Ordering::Relaxed) {
            ctx.sleep(Duration::from_millis(1)).await;
        }
        self.done.lock().unwrap().push(*job);
        Ok(())
    }
}
impl Responder<Ping> for Worker {
    type Reply = ();
    async fn answer(&mut self, _: &Ping, _: &mut Context<Self>) {}
}

struct Setup {
    done: Done,
    held: Arc<AtomicBool>,
    /// How many jobs somebody has begun with.
    begun: Arc<AtomicUsize>,
    bus: MessageBus,
    tree: Tree,
    pool: PoolRef<Worker>,
}

/// By key, with room for eight messages in each inbox.
async fn set_up(workers: usize) -> Setup {
    let (done, held, begun) = (Done::default(), Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let (log, gate, count) = (Arc::clone(&done), Arc::clone(&held), Arc::clone(&begun));
    let make = move || Worker { done: Arc::clone(&log), held: Arc::clone(&gate), begun: Arc::clone(&count) };
    let pool = Pool::new(make).workers(workers).key(|job: &Job| job.0).supervisor("pool");
    let bus = MessageBus::builder().inbox_capacity(8).build();
    let root = Supervisor::builder("root").supervisor(pool.intensity(1_000, PERIOD));
    let tree = root.start(&bus).await.unwrap();
    let pool = tree.lookup_pool("root/pool").unwrap();
    Setup { done, held, begun, bus, tree, pool }
}

fn in_order(done: &Done) -> BTreeMap<u64, u64> {
    let mut next = BTreeMap::new();
    for Job(key, number) in done.lock().unwrap().iter() {
        let expected = next.entry(*key).or_insert(0);
        assert_eq!(number, expected, "key {key}");
        *expected += 1;
    }
    next
}

#[test]
fn a_tell_that_waits_for_room_moves_with_its_key_and_one_that_is_dropped_has_sent_nothing() {
    on_every_runtime(async || {
        let Setup { done, held, begun, bus, pool, tree: _tree } = set_up(3).await;
        held.store(true, Ordering::Relaxed);
        // More senders than there is room, each of which waits.
        let senders: Vec<_> = (0..20)
            .map(|key| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    for number in 0..10 {
                        pool.tell(Job(key, number)).await.unwrap();
                    }
                })
            })
            .collect();
        // Each worker has a job in hand, so that nobody makes room any more.
        while begun.load(Ordering::SeqCst) < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        while pool.try_tell(Job(0, 0)).is_ok() {}
        let mut dropped = Box::pin(pool.tell(Job(99, 0)));
        while pool.try_tell(Job(99, 0)).is_ok() {}
        let polled = at_once(&mut dropped);
        assert!(polled.is_none(), "{polled:?}");
        let resize = pool.resize(1);
        let release = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            held.store(false, Ordering::Relaxed);
        };
        let (resized, ()) = tokio::join!(resize, release);
        resized.unwrap();
        drop(dropped);
        for sender in senders {
            sender.await.unwrap();
        }
        pool.flush().await.unwrap();
        let done = done.lock().unwrap().clone();
        let told: Vec<_> = (0..20).filter(|key| *key != 0).collect();
        for key in told {
            let numbers: Vec<_> = done.iter().filter(|job| job.0 == key).map(|job| job.1).collect();
            assert_eq!(numbers, (0..10).collect::<Vec<_>>(), "key {key}");
        }
        assert_eq!(bus.dead_letters().waiting, 0);
    });
}

#[test]
fn a_resize_that_is_dropped_is_finished_by_the_next_one() {
    on_every_runtime(async || {
        let Setup { done, held, tree, pool, .. } = set_up(4).await;
        held.store(true, Ordering::Relaxed);
        for key in 0..20 {
            pool.try_tell(Job(key, 0)).unwrap();
        }
        {
            let mut resize = Box::pin(pool.resize(2));
            assert!(at_once(&mut resize).is_none());
        }
        for key in 0..8 {
            // Behind the gates: it is not known who has room.
            let _ = pool.try_tell(Job(100 + key, 0));
        }
        assert_eq!(pool.size(), 2, "who leaves gets nothing more");
        held.store(false, Ordering::Relaxed);
        pool.resize(5).await.unwrap();
        pool.flush().await.unwrap();
        assert_eq!(pool.size(), 5);
        pool.resize(1).await.unwrap();
        assert_eq!(tree.count_children("root/pool").await.unwrap().workers, 1);
        let counts = in_order(&done);
        assert!((0..20).all(|key| counts[&key] == 1));
    });
}

#[test]
fn a_worker_that_is_killed_loses_what_it_had_and_is_replaced() {
    on_every_runtime(async || {
        let Setup { done, held, bus, pool, tree: _tree, .. } = set_up(3).await;
        held.store(true, Ordering::Relaxed);
        let mut told = 0;
        for key in 0..12 {
            told += u64::from(pool.try_tell(Job(key, 0)).is_ok());
        }
        pool.workers()[1].kill();
        pool.workers()[1].ended().await;
        held.store(false, Ordering::Relaxed);
        while pool.workers().iter().any(|worker| !worker.is_alive()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for key in 0..12 {
            pool.tell(Job(100 + key, 0)).await.unwrap();
        }
        pool.resize(2).await.unwrap();
        pool.flush().await.unwrap();
        let letters = bus.dead_letters();
        let handled = done.lock().unwrap().len() as u64;
        assert_eq!(handled + letters.waiting + letters.in_hand, told + 12, "each is counted once");
    });
}

#[test]
fn a_key_whose_worker_is_taken_away_is_refused_and_what_has_no_key_goes_to_the_others() {
    on_every_runtime(async || {
        let Setup { done, tree, pool, .. } = set_up(2).await;
        tree.terminate_child("root/pool/worker-2").await.unwrap();
        let (mut refused, mut sent) = (0, 0);
        for key in 0..40 {
            match pool.tell(Job(key, 0)).await {
                Ok(()) => sent += 1,
                Err(TellError::Stopped(Job(back, 0), Some(_))) if back == key => refused += 1,
                other => panic!("{other:?}"),
            }
            pool.ask(Ping).await.unwrap();
        }
        assert!(refused > 5 && sent > 5, "{refused} {sent}");
        tree.restart_child("root/pool/worker-2").await.unwrap();
        for key in 0..40 {
            pool.tell(Job(100 + key, 0)).await.unwrap();
        }
        pool.flush().await.unwrap();
        assert_eq!(done.lock().unwrap().len(), sent + 40);
    });
}

#[test]
fn a_reference_to_a_pool_keeps_no_tree_and_says_that_it_has_ended() {
    on_every_runtime(async || {
        let Setup { bus, tree, pool, .. } = set_up(2).await;
        let (recipient, asked) = (pool.recipient::<Job>(), pool.reply_recipient::<Ping>());
        recipient.tell(Job(1, 0)).await.unwrap();
        asked.ask(Ping).await.unwrap();
        drop(tree);
        recipient.ended().await;
        assert!(matches!(pool.tell(Job(1, 1)).await, Err(TellError::Stopped(back, _)) if back == Job(1, 1)));
        assert!(matches!(asked.ask(Ping).await, Err(AskError::Stopped(_))));
        assert!(pool.resize(3).await.is_err());
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_tree_ends_in_time_while_new_workers_wait_at_their_gate() {
    on_every_runtime(async || {
        let Setup { held, bus, tree, pool, .. } = set_up(2).await;
        held.store(true, Ordering::Relaxed);
        for key in 0..8 {
            let _ = pool.try_tell(Job(key, 0));
        }
        pool.resize(4).await.unwrap();
        // The first ones handle what they have in hand, and the others go.
        let (ended, ()) = tokio::join!(tree.shutdown(), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            held.store(false, Ordering::Relaxed);
        });
        ended.unwrap();
        bus.shutdown().await.unwrap();
    });
}

/// Keeps its thread at the first job of key 0 until the lock is free.
struct Stuck {
    done: Done,
    lock: Arc<Mutex<()>>,
}
impl Actor for Stuck {
    type Error = BoxError;
}
impl Handler<Job> for Stuck {
    async fn handle(&mut self, job: &Job, _: &mut Context<Self>) -> Result<(), BoxError> {
        if *job == Job(0, 0) {
            drop(self.lock.lock().unwrap());
        }
        self.done.lock().unwrap().push(*job);
        Ok(())
    }
}

#[test]
fn nobody_waits_for_a_worker_that_keeps_its_thread_and_could_not_be_killed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (done, lock) = (Done::default(), Arc::<Mutex<()>>::default());
    let (log, held) = (Arc::clone(&done), Arc::clone(&lock));
    let make = move || Stuck { done: Arc::clone(&log), lock: Arc::clone(&held) };
    let pool = Pool::new(make).key(|job: &Job| job.0).each(|child| child.shutdown(Shutdown::BrutalKill));
    let root = Supervisor::builder("root").supervisor(pool.supervisor("pool").intensity(1_000, PERIOD));
    let stuck = lock.lock().unwrap();
    let within_time = async {
        let tree = root.start(&MessageBus::new()).await.unwrap();
        let pool = tree.lookup_pool::<Stuck>("root/pool").unwrap();
        pool.tell(Job(0, 0)).await.unwrap();
        pool.resize(8).await.unwrap();
        // Most of these keys have moved, to workers that wait until the first one has come so far.
        for key in 1..=100 {
            pool.tell(Job(key, 0)).await.unwrap();
        }
        tree.terminate_child("root/pool/worker-1").await.unwrap();
        pool.flush().await.unwrap();
        tree
    };
    let tree = runtime.block_on(async { tokio::time::timeout(WATCHDOG, within_time).await });
    let handled = done.lock().unwrap().len();
    assert!(handled > 50, "{handled}");
    drop(stuck);
    runtime.block_on(tree.expect("it waits for a worker that is stuck").shutdown()).unwrap();
}

#[test]
fn workers_have_the_options_of_their_pool() {
    on_every_runtime(async || {
        let make = || Worker { done: Done::default(), held: Arc::default(), begun: Arc::default() };
        let pool = Pool::new(make).workers(2).each(|child| child.restart(Restart::Temporary));
        let bus = MessageBus::new();
        let tree = pool.supervisor("pool").start(&bus).await.unwrap();
        let pool = tree.lookup_pool::<Worker>("pool").unwrap();
        pool.workers()[1].kill();
        pool.workers()[1].ended().await;
        while tree.count_children("pool").await.unwrap().workers != 1 {
            tokio::task::yield_now().await;
        }
        for number in 0..4 {
            pool.tell(Job(0, number)).await.unwrap();
        }
        assert!(tree.lookup_pool::<Worker>("elsewhere").is_none());
        tree.shutdown().await.unwrap();
    });
}

const DECLARED: &str = r#"
    [tree]
    [[tree.children]]
    id = "desk"
    type = "supervisor"
    [[tree.children.children]]
    id = "pool"
    pool = "worker"
    workers = 3
    intensity = 100
"#;

/// By key; `done` tells what was handled.
fn factories(done: &Done) -> Factories {
    let done = Arc::clone(done);
    Factories::new().pool("worker", move || {
        let done = Arc::clone(&done);
        let make = move || Worker { done: Arc::clone(&done), held: Arc::default(), begun: Arc::default() };
        Pool::new(make).key(|job: &Job| job.0)
    })
}

#[test]
fn a_declared_pool_is_that_of_the_program_live_and_in_an_isolate() {
    let hand_out = async |pool: &PoolRef<Worker>| {
        for number in 0..10 {
            for key in 0..7 {
                pool.tell(Job(key, number)).await.unwrap();
            }
        }
        pool.resize(5).await.unwrap();
        pool.flush().await.unwrap();
        pool.workers().len()
    };
    let done = Done::default();
    let root = Supervisor::from_toml(DECLARED, &factories(&done)).unwrap();
    let mut isolate = Isolate::new(1);
    let pool = isolate.supervise(&root).unwrap().lookup_pool::<Worker>("root/desk/pool").unwrap();
    assert_eq!(pool.workers().len(), 3);
    assert_eq!(isolate.block_on(hand_out(&pool)).unwrap(), 5);
    assert_eq!(in_order(&done), (0..7).map(|key| (key, 10)).collect());
    on_every_runtime(move || async move {
        let done = Done::default();
        let root = Supervisor::from_toml(DECLARED, &factories(&done)).unwrap();
        let tree = root.start(&MessageBus::new()).await.unwrap();
        let pool = tree.lookup_pool::<Worker>("root/desk/pool").unwrap();
        assert_eq!((pool.workers().len(), hand_out(&pool).await), (3, 5));
        assert_eq!(in_order(&done), (0..7).map(|key| (key, 10)).collect());
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_pool_that_is_not_registered_is_told_with_its_remedy() {
    let factories = factories(&Done::default()).future("feed", || async { Ok(()) });
    for (old, new, cause) in [
        (
            "pool = \"worker\"",
            "pool = \"wroker\"",
            "line 8, column 12: no pool `wroker` is registered; did you mean `worker`?",
        ),
        (
            "pool = \"worker\"",
            "pool = \"feed\"",
            "`feed` is registered, but not as a pool: write service = \"feed\"",
        ),
        (
            "pool = \"worker\"\n    workers = 3",
            "actor = \"worker\"",
            "registered, but not as an actor: write pool = \"worker\"",
        ),
    ] {
        let text = DECLARED.replace(old, new).replace("    intensity = 100\n", "");
        let error = Supervisor::from_toml(&text, &factories).unwrap_err().to_string();
        assert!(error.contains(cause), "{error} lacks {cause}");
    }
    let nothing = Supervisor::from_toml(DECLARED, &Factories::new()).unwrap_err().to_string();
    assert!(nothing.contains("register one with `Factories::pool`"), "{nothing}");
}

#[test]
fn stats_show_each_pool_with_its_workers_and_what_waits() {
    on_every_runtime(|| async {
        let Setup { held, bus, tree, pool, .. } = set_up(3).await;
        let of_pool = || bus.stats().pools.into_iter().next().unwrap();
        held.store(true, Ordering::Relaxed);
        for number in 0..5 {
            pool.tell(Job(1, number)).await.unwrap();
        }
        while of_pool().waiting != 5 && of_pool().waiting != 4 {
            tokio::task::yield_now().await;
        }
        let stats = of_pool();
        assert_eq!((&*stats.path, stats.workers, stats.alive), ("root/pool", 3, 3));
        let text = bus.stats().to_string();
        assert!(text.contains("pool root/pool: 3 of 3 workers, "), "{text}");
        held.store(false, Ordering::Relaxed);
        pool.resize(5).await.unwrap();
        pool.flush().await.unwrap();
        while of_pool().waiting > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((of_pool().workers, of_pool().alive), (5, 5));
        tree.shutdown().await.unwrap();
        assert_eq!(bus.stats().pools, []);
    });
}
