//! Pools: each message is handled by one worker and once, whatever fails, whoever comes and goes.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use mycelium::pool::{Dispatch, POOL_WORKERS_MAX, Pool, PoolError, PoolRef};
use mycelium::tree::{Child, Redelivery};
use mycelium::{
    Actor, ActorId, ActorRef, AskError, BoxError, Context, Handler, Message, Responder, StopReason,
    Subscription, Supervisor, TellError, Tree,
};
use mycelium_random::{Random, seeds};

use crate::common::{PERIOD, Tick};
use crate::host::Host;

const MILLISECOND: Duration = Duration::from_millis(1);

/// One of many messages of one key.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Job {
    key: u64,
    number: u64,
}
impl Message for Job {
    const NAME: &'static str = "Job";
    const TYPE_ID: u16 = 70;
    const TOPIC: &'static str = "jobs";
}

/// What was handled: who, and which job.
#[derive(Clone, Default)]
struct Done(Arc<Mutex<Vec<(ActorId, Job)>>>);

impl Done {
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
    fn all(&self) -> Vec<(ActorId, Job)> {
        self.0.lock().unwrap().clone()
    }
    /// How many each worker has handled.
    fn shares(&self) -> Vec<usize> {
        let mut shares = BTreeMap::new();
        self.all().iter().for_each(|(who, _)| *shares.entry(*who).or_insert(0) += 1);
        shares.into_values().collect()
    }
    /// That each key has `each` jobs, in order and once.
    fn holds(&self, keys: u64, each: u64) {
        let mut next = BTreeMap::new();
        for (_, job) in self.all() {
            let number = next.entry(job.key).or_insert(0);
            assert_eq!(job.number, *number, "key {}", job.key);
            *number += 1;
        }
        assert_eq!(next, (0..keys).map(|key| (key, each)).collect());
    }
}

/// Takes its time for every third job, and fails at first on each of those whose number is 13. A `Tick`
/// keeps it for as long as it is held.
struct Worker {
    held: Arc<AtomicBool>,
    done: Done,
    failed: Arc<Mutex<Vec<Job>>>,
    slow: bool,
}

impl Actor for Worker {
    type Error = BoxError;
}
impl Handler<Job> for Worker {
    async fn handle(&mut self, job: &Job, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.slow && (job.key + job.number).is_multiple_of(3) {
            ctx.sleep(MILLISECOND).await;
        }
        if job.number == 13 && !self.failed.lock().unwrap().contains(job) {
            self.failed.lock().unwrap().push(*job);
            return Err("13".into());
        }
        self.done.0.lock().unwrap().push((ctx.id(), *job));
        Ok(())
    }
}
impl Handler<Tick> for Worker {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        while self.held.load(Ordering::Relaxed) {
            ctx.sleep(MILLISECOND).await;
        }
        Ok(())
    }
}

/// Who answers.
struct Who;
impl Responder<Who> for Worker {
    type Reply = ActorId;
    async fn answer(&mut self, _: &Who, ctx: &mut Context<Self>) -> ActorId {
        ctx.id()
    }
}

/// A question that is one of the jobs; who answers has done it.
#[derive(Clone, Copy)]
struct Asked(Job);
impl Responder<Asked> for Worker {
    type Reply = ActorId;
    async fn answer(&mut self, Asked(job): &Asked, ctx: &mut Context<Self>) -> ActorId {
        self.done.0.lock().unwrap().push((ctx.id(), *job));
        ctx.id()
    }
}

fn pool(done: &Done, slow: bool) -> Pool<Worker> {
    held_pool(done, slow, &Arc::default())
}

fn held_pool(done: &Done, slow: bool, held: &Arc<AtomicBool>) -> Pool<Worker> {
    let (done, failed, held) = (done.clone(), Arc::<Mutex<Vec<Job>>>::default(), Arc::clone(held));
    let worker =
        move || Worker { done: done.clone(), failed: Arc::clone(&failed), slow, held: Arc::clone(&held) };
    Pool::new(worker).each(|child| child.redelivery(Redelivery::Retry { attempts: 3 }))
}

fn start<H: Host>(host: &mut H, pool: Pool<Worker>) -> (Tree, PoolRef<Worker>) {
    let pool = pool.supervisor("pool").intensity(1_000, PERIOD);
    let tree = host.supervise(Supervisor::builder("root").supervisor(pool)).unwrap();
    let pool = tree.lookup_pool("root/pool").expect("it runs");
    (tree, pool)
}

conformance!(round_robin_gives_each_worker_its_share_and_each_job_to_one);
fn round_robin_gives_each_worker_its_share_and_each_job_to_one<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let (_tree, pool) = start(&mut host, pool(&done, false).workers(4));
    for number in 0..12 {
        host.wait(pool.tell(Job { key: number, number: 0 })).unwrap();
    }
    assert_eq!(host.wait(pool.flush()), Ok(()));
    assert_eq!(done.shares(), [3, 3, 3, 3]);
    done.holds(12, 1);
    let asked: Vec<_> = (0..4).map(|_| host.wait(pool.ask(Who)).unwrap()).collect();
    let workers: Vec<_> = pool.workers().iter().map(ActorRef::id).collect();
    assert_eq!(asked, workers);
    host.settle();
    assert_eq!((pool.size(), pool.inbox_len(), pool.path()), (4, 0, "root/pool"));
}

conformance!(the_least_busy_worker_gets_what_comes_and_a_slow_one_is_left_alone);
fn the_least_busy_worker_gets_what_comes_and_a_slow_one_is_left_alone<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let held = Arc::new(AtomicBool::new(true));
    let described = held_pool(&done, false, &held).workers(3).dispatch(Dispatch::LeastBusy);
    let (_tree, pool) = start(&mut host, described);
    let slow = pool.workers()[1].clone();
    for number in 0..40 {
        host.try_tell(&slow, Tick(number)).unwrap();
    }
    for number in 0..30 {
        host.wait(pool.tell(Job { key: number, number: 0 })).unwrap();
    }
    host.until(|| done.len() == 30);
    assert!(done.all().iter().all(|(who, _)| *who != slow.id()));
    held.store(false, Ordering::Relaxed);
    done.holds(30, 1);
}

conformance!(what_is_published_is_handled_once_by_the_worker_of_its_key);
fn what_is_published_is_handled_once_by_the_worker_of_its_key<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let described = pool(&done, true).workers(3).key(|job: &Job| job.key).on::<Job>();
    let (_tree, pool) = start(&mut host, described);
    for number in 0..20 {
        for key in 0..5 {
            host.publish(Job { key, number }).unwrap();
        }
    }
    assert_eq!(host.wait(pool.flush()), Ok(()));
    done.holds(5, 20);
    let mut owners = BTreeMap::new();
    for (who, job) in done.all() {
        assert_eq!(*owners.entry(job.key).or_insert(who), who, "one worker for each key");
    }
    let topic = host.topic::<Job>();
    assert_eq!((topic.published, topic.delivered), (100, 100), "one subscription for all workers");
    assert_eq!(host.letters().dead, 0);
}

conformance!(a_lossy_subscription_of_a_pool_drops_and_counts_and_the_rest_is_handled);
fn a_lossy_subscription_of_a_pool_drops_and_counts_and_the_rest_is_handled<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let how = Subscription::<Job>::drop_oldest().capacity(4);
    let held = Arc::new(AtomicBool::new(true));
    let (_tree, pool) = start(&mut host, held_pool(&done, false, &held).workers(2).on_with(how));
    for _ in 0..2 {
        pool.try_tell(Tick(0)).unwrap();
        host.advance(MILLISECOND);
    }
    let mut told = 0;
    let job = |number| Job { key: 1_000, number };
    while let Ok(()) = pool.try_tell(job(told)) {
        told += 1;
        host.settle();
    }
    let refused = pool.try_tell(job(told));
    assert!(matches!(refused, Err(TellError::Full(back, _)) if back == job(told)));
    assert!(told >= 2 * 1000, "{told}");
    for number in 0..50 {
        host.try_publish(Job { key: number, number: 0 }).unwrap();
        host.settle();
    }
    held.store(false, Ordering::Relaxed);
    host.until(|| pool.inbox_len() == 0);
    host.wait(pool.flush()).unwrap();
    let topic = host.topic::<Job>();
    assert!(topic.dropped_oldest > 0);
    assert_eq!(topic.delivered + topic.dropped_oldest, 50);
    assert_eq!(done.len() as u64, topic.delivered + told);
}

conformance!(each_key_keeps_its_order_over_resizes_and_restarts_and_nothing_is_lost_or_doubled);
fn each_key_keeps_its_order_over_resizes_and_restarts_and_nothing_is_lost_or_doubled<H: Host>() {
    for seed in seeds(6) {
        let mut random = Random::new(seed);
        let (mut host, done) = (H::new(), Done::default());
        let size = 1 + random.index(4);
        let topics = random.chance(50);
        let mut described = pool(&done, true).workers(size).key(|job: &Job| job.key);
        if topics {
            described = described.on::<Job>();
        }
        let (tree, pool) = start(&mut host, described);
        for number in 0..30 {
            for key in 0..9 {
                let job = Job { key, number };
                match topics {
                    true => host.publish(job).unwrap(),
                    false => host.wait(pool.tell(job)).unwrap(),
                }
            }
            if random.chance(40) {
                let size = 1 + random.index(6);
                assert_eq!(host.wait(pool.resize(size)), Ok(()), "seed {seed}");
                assert_eq!((pool.size(), pool.workers().len()), (size, size));
                let children = host.count_children(&tree, "root/pool").unwrap();
                assert_eq!(children.workers, size + usize::from(topics));
            }
        }
        host.wait(pool.flush()).unwrap();
        done.holds(9, 30);
        assert_eq!(host.letters().dead, 0, "seed {seed}");
        assert!(host.letters().retried >= 1);
    }
}

/// Tells a pool by key while it is resized, and goes on where it was refused.
struct Sender {
    pool: PoolRef<Worker>,
    key: u64,
    jobs: u64,
}
impl Actor for Sender {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for number in 0..self.jobs {
            let job = Job { key: self.key, number };
            match number % 4 {
                0 => self.pool.recipient().tell(job).await?,
                _ => self.pool.tell(job).await?,
            }
            if number % 8 == self.key % 8 {
                ctx.sleep(MILLISECOND / 2).await;
            }
        }
        Ok(())
    }
}

conformance!(while_many_send_a_pool_grows_and_shrinks_and_each_key_keeps_its_order);
fn while_many_send_a_pool_grows_and_shrinks_and_each_key_keeps_its_order<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let (_tree, pool) = start(&mut host, pool(&done, true).workers(2).key(|job: &Job| job.key));
    for key in 0..12 {
        host.spawn(Sender { pool: pool.clone(), key, jobs: 200 }).unwrap();
    }
    let mut random = Random::new(mycelium_random::seed());
    while done.len() < 12 * 200 {
        host.wait(pool.resize(1 + random.index(7))).unwrap();
        host.advance(MILLISECOND);
    }
    host.wait(pool.flush()).unwrap();
    done.holds(12, 200);
    assert_eq!(host.letters().dead, 0);
}

conformance!(without_keys_a_pool_under_load_is_resized_without_loss);
fn without_keys_a_pool_under_load_is_resized_without_loss<H: Host>() {
    for dispatch in [Dispatch::RoundRobin, Dispatch::LeastBusy] {
        let (mut host, done) = (H::new(), Done::default());
        let (_tree, pool) = start(&mut host, pool(&done, true).workers(3).dispatch(dispatch));
        for key in 0..6 {
            host.spawn(Sender { pool: pool.clone(), key, jobs: 100 }).unwrap();
        }
        for size in [5, 1, 4, 2, 6, 1].into_iter().cycle() {
            host.wait(pool.resize(size)).unwrap();
            host.advance(MILLISECOND);
            if done.len() == 600 {
                break;
            }
        }
        let mut jobs: Vec<_> = done.all().iter().map(|(_, job)| (job.key, job.number)).collect();
        jobs.sort_unstable();
        let all: Vec<_> = (0..6).flat_map(|key| (0..100).map(move |number| (key, number))).collect();
        assert_eq!(jobs, all);
        assert_eq!(host.letters().dead, 0);
    }
}

conformance!(sizes_out_of_bounds_are_refused_and_the_first_worker_stays);
fn sizes_out_of_bounds_are_refused_and_the_first_worker_stays<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let (_tree, pool) = start(&mut host, pool(&done, false).workers(0));
    let first = pool.workers()[0].id();
    for size in [0, POOL_WORKERS_MAX + 1, usize::MAX] {
        assert_eq!(host.wait(pool.resize(size)), Err(PoolError::Size(size)));
    }
    for size in [3, 1] {
        host.wait(pool.resize(size)).unwrap();
        assert_eq!((pool.size(), pool.workers()[0].id()), (size, first));
        assert_eq!(pool.recipient::<Job>().id(), first);
    }
}

/// Keeps a worker at work, and fills its inbox with the next jobs of a key, as questions that nobody waits
/// for: the number of the first that had no room.
fn crowd<H: Host>(host: &mut H, worker: &ActorRef<Worker>, key: u64) -> u64 {
    host.try_tell(worker, Tick(0)).unwrap();
    host.advance(MILLISECOND);
    for number in 1.. {
        let before = worker.inbox_len();
        host.wait(async {
            let mut ask = pin!(worker.ask(Asked(Job { key, number })));
            poll_fn(|cx| Poll::Ready(ask.as_mut().poll(cx).is_ready())).await;
        });
        if worker.inbox_len() == before {
            return number;
        }
    }
    unreachable!("an inbox has a bound")
}

conformance!(a_question_to_a_pool_goes_to_the_worker_that_has_room);
fn a_question_to_a_pool_goes_to_the_worker_that_has_room<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let held = Arc::new(AtomicBool::new(true));
    let (_tree, pool) = start(&mut host, held_pool(&done, false, &held).workers(2));
    let workers = pool.workers();
    crowd(&mut host, &workers[0], 0);
    for number in 0..2 {
        let asked = Asked(Job { key: 1, number });
        assert_eq!(host.wait(pool.ask_within(asked, PERIOD)), Ok(workers[1].id()));
        assert_eq!(host.wait(pool.reply_recipient().ask(asked)), Ok(workers[1].id()));
    }
    held.store(false, Ordering::Relaxed);
}

/// Asks a pool, or gives it another size, and says what came of it.
struct Errand {
    pool: PoolRef<Worker>,
    what: Result<Asked, usize>,
    came: Arc<Mutex<Vec<Result<ActorId, AskError>>>>,
}
impl Actor for Errand {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        match self.what {
            Ok(asked) => {
                let answer = self.pool.ask_within(asked, PERIOD).await;
                self.came.lock().unwrap().push(answer);
            }
            Err(size) => self.pool.resize(size).await?,
        }
        Ok(())
    }
}

conformance!(a_question_that_waits_at_a_worker_that_leaves_is_answered_by_another_in_its_turn);
fn a_question_that_waits_at_a_worker_that_leaves_is_answered_by_another_in_its_turn<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let held = Arc::new(AtomicBool::new(true));
    let described = held_pool(&done, false, &held).workers(2).key(|Asked(job): &Asked| job.key);
    let (_tree, pool) = start(&mut host, described);
    let workers = pool.workers();
    let mut asked_first = |key: &u64| host.wait(pool.ask(Asked(Job { key: *key, number: 0 }))).unwrap();
    let key = (0..).find(|key| asked_first(key) == workers[1].id()).unwrap();
    let number = crowd(&mut host, &workers[1], key);
    let came = Arc::<Mutex<Vec<_>>>::default();
    for what in [Ok(Asked(Job { key, number })), Err(1)] {
        host.spawn(Errand { pool: pool.clone(), what, came: Arc::clone(&came) }).unwrap();
        host.settle();
    }
    host.until(|| pool.size() == 1);
    held.store(false, Ordering::Relaxed);
    host.until(|| !came.lock().unwrap().is_empty());
    assert_eq!(*came.lock().unwrap(), [Ok(workers[0].id())]);
    let numbers = done.all().into_iter().filter(|(_, job)| job.key == key).map(|(_, job)| job.number);
    assert!(numbers.eq(0..=number), "in order, and once");
}

/// Resizes its own pool, and asks it.
struct Selfish(Arc<Mutex<Option<PoolRef<Selfish>>>>);
impl Actor for Selfish {
    type Error = BoxError;
}
/// What to do.
enum Do {
    Shrink,
    Grow,
    Flush,
    AskAny,
}
impl Responder<Do> for Selfish {
    type Reply = String;
    async fn answer(&mut self, what: &Do, _: &mut Context<Self>) -> String {
        let pool = self.0.lock().unwrap().clone().unwrap();
        match what {
            Do::Shrink => format!("{:?}", pool.resize(1).await),
            Do::Grow => format!("{:?}", pool.resize(3).await),
            Do::Flush => format!("{:?}", pool.flush().await),
            Do::AskAny => format!("{:?}", pool.ask(Who).await.map(|_| "another")),
        }
    }
}
impl Responder<Who> for Selfish {
    type Reply = ActorId;
    async fn answer(&mut self, _: &Who, ctx: &mut Context<Self>) -> ActorId {
        ctx.id()
    }
}

conformance!(a_worker_never_waits_for_itself);
fn a_worker_never_waits_for_itself<H: Host>() {
    for keyed in [false, true] {
        let (mut host, own) = (H::new(), Arc::<Mutex<Option<PoolRef<Selfish>>>>::default());
        let seen = Arc::clone(&own);
        let described = Pool::new(move || Selfish(Arc::clone(&seen))).workers(2);
        let described = if keyed { described.key(|job: &Job| job.key) } else { described };
        let root = Supervisor::builder("root").supervisor(described.supervisor("pool"));
        let tree = host.supervise(root).unwrap();
        let pool = tree.lookup_pool::<Selfish>("root/pool").unwrap();
        *own.lock().unwrap() = Some(pool.clone());
        let second = pool.workers()[1].clone();
        assert_eq!(host.ask(&second, Do::Shrink).unwrap(), "Err(Itself)");
        assert_eq!(host.ask(&second, Do::Flush).unwrap(), "Err(Itself)");
        assert_eq!(host.ask(&second, Do::AskAny).unwrap(), "Ok(\"another\")");
        assert_eq!(host.ask(&second, Do::Grow).unwrap(), "Ok(())");
        assert_eq!(pool.size(), 3);
        let first = pool.workers()[0].clone();
        // With keys, those that leave may wait for any other.
        let shrunk = if keyed { "Err(Itself)" } else { "Ok(())" };
        assert_eq!(host.ask(&first, Do::Shrink).unwrap(), shrunk);
        assert_eq!(host.wait(pool.resize(1)), Ok(()));
        assert!(host.ask(&first, Do::AskAny).unwrap().starts_with("Err(Itself(Asked"));
        *own.lock().unwrap() = None;
    }
}

conformance!(a_pool_that_stops_in_order_handles_what_was_told_and_published_and_takes_no_more);
fn a_pool_that_stops_in_order_handles_what_was_told_and_published_and_takes_no_more<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let described = pool(&done, true).workers(3).key(|job: &Job| job.key).on::<Job>();
    let (tree, pool) = start(&mut host, described);
    for number in 0..20 {
        host.try_publish(Job { key: 1, number }).unwrap();
        pool.try_tell(Job { key: 0, number }).unwrap();
    }
    assert_eq!(host.wait(pool.stop_gracefully()), Ok(()));
    done.holds(2, 20);
    let job = Job { key: 0, number: 20 };
    assert!(matches!(host.wait(pool.tell(job)), Err(TellError::Stopped(back, _)) if back == job));
    assert!(matches!(pool.try_tell(job), Err(TellError::Stopped(back, _)) if back == job));
    assert!(matches!(host.wait(pool.ask(Who)), Err(AskError::Stopped(_))));
    assert_eq!(host.letters().dead, 0);
    assert!(!pool.recipient::<Job>().is_alive());
    assert_eq!(host.wait(pool.recipient::<Job>().ended()), StopReason::Shutdown);
    host.restart_child(&tree, "root/pool/worker-1").unwrap();
    host.restart_child(&tree, "root/pool/worker-2").unwrap();
    host.restart_child(&tree, "root/pool/worker-3").unwrap();
    host.wait(pool.tell(job)).unwrap();
    host.wait(pool.flush()).unwrap();
    assert_eq!(done.len(), 41);
}

conformance!(the_shutdown_of_a_tree_counts_what_a_pool_leaves_and_a_drain_leaves_nothing);
fn the_shutdown_of_a_tree_counts_what_a_pool_leaves_and_a_drain_leaves_nothing<H: Host>() {
    for drain in [false, true] {
        let (mut host, done) = (H::new(), Done::default());
        let (tree, pool) = start(&mut host, pool(&done, true).workers(2).on::<Job>());
        for number in 0..12 {
            host.try_publish(Job { key: 0, number: number + 100 }).unwrap();
            pool.try_tell(Job { key: 1, number: number + 100 }).unwrap();
        }
        match drain {
            true => _ = host.wait(tree.drain(PERIOD)).unwrap(),
            false => _ = host.shut_tree(&tree),
        }
        let dead = host.letters().dead;
        assert_eq!(done.len() as u64 + dead, 24, "drain: {drain}");
        assert!(!drain || dead == 0);
        assert_eq!(pool.try_tell(Job { key: 0, number: 0 }).map_err(|_| ()), Err(()));
    }
}

conformance!(a_pool_whose_supervisor_is_restarted_has_its_first_size_and_its_references_hold);
fn a_pool_whose_supervisor_is_restarted_has_its_first_size_and_its_references_hold<H: Host>() {
    let (mut host, done) = (H::new(), Done::default());
    let described = pool(&done, false).workers(2).key(|job: &Job| job.key);
    // No restart of a worker is allowed: the pool is restarted as a whole.
    let described = described.supervisor("pool").intensity(0, PERIOD).child(Child::actor("bad", || Bad));
    let tree =
        host.supervise(Supervisor::builder("root").intensity(9, PERIOD).supervisor(described)).unwrap();
    let pool = tree.lookup_pool::<Worker>("root/pool").unwrap();
    host.wait(pool.resize(4)).unwrap();
    let bad = host.child::<Bad>(&tree, "root/pool/bad").unwrap();
    host.try_tell(&bad, Tick(0)).unwrap();
    host.settle();
    host.advance(MILLISECOND);
    for key in 0..40 {
        host.wait(pool.tell(Job { key, number: 0 })).unwrap();
    }
    host.wait(pool.flush()).unwrap();
    done.holds(40, 1);
    assert_eq!(pool.size(), 2);
    host.wait(pool.resize(3)).unwrap();
    assert_eq!(host.count_children(&tree, "root/pool").unwrap().workers, 4);
}

/// Fails.
struct Bad;
impl Actor for Bad {
    type Error = BoxError;
}
impl Handler<Tick> for Bad {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("bad".into())
    }
}
