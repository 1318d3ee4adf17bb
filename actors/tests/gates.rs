//! Workers of a pool that wait at the gate of a resize, and whose life ends there, in an isolate. On every
//! host: `membership/gates.rs`.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Heard, PERIOD};
use mycelium::pool::{Pool, PoolRef};
use mycelium::tree::{Builder, Health, Notice};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, Subscription, Subscriptions, Supervisor,
};

const LIMIT: Duration = Duration::from_millis(40);

/// A message of a key, with its number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Job(u64, u64);

/// Breaks the life of whoever it comes to while that one waits: its key panics.
#[derive(Clone, Copy, Debug)]
struct Broken;
impl Message for Broken {
    const NAME: &'static str = "Broken";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "broken";
}

type Done = Arc<Mutex<Vec<Job>>>;

/// Takes a while for each job, and less than its supervisor allows.
struct Worker {
    done: Done,
    listens: bool,
}
impl Actor for Worker {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        if self.listens {
            topics.on_with::<Broken>(Subscription::conflate(|_| panic!("a key that panics")));
        }
    }
}
impl Handler<Job> for Worker {
    async fn handle(&mut self, job: &Job, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(LIMIT / 4).await;
        self.done.lock().unwrap().push(*job);
        Ok(())
    }
}
impl Handler<Broken> for Worker {
    async fn handle(&mut self, _: &Broken, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn tree(done: &Done, notices: &Heard, listens: bool) -> Builder {
    let (done, heard) = (Arc::clone(done), notices.clone());
    let pool = Pool::new(move || Worker { done: Arc::clone(&done), listens }).key(|job: &Job| job.0);
    let pool = pool.workers(1).each(|child| child.health(Health::within(LIMIT).restart()));
    let pool = pool.supervisor("pool").intensity(1_000, PERIOD);
    let root = Supervisor::builder("root").supervisor(pool);
    root.on_event(move |path, notice| {
        if matches!(notice, Notice::Stuck { .. } | Notice::Exited { .. }) {
            heard.add(format!("{path}: {notice:?}"));
        }
    })
}

const KEYS: u64 = 6;
const BEFORE: u64 = 8;
const AFTER: u64 = 4;

/// Some jobs of each key, a resize while they wait, and some more.
async fn jobs_and_a_resize(pool: &PoolRef<Worker>) {
    for number in 0..BEFORE + AFTER {
        if number == BEFORE {
            pool.resize(3).await.unwrap();
        }
        for key in 0..KEYS {
            pool.tell(Job(key, number)).await.unwrap();
        }
    }
}

fn assert_in_order(done: &Done) {
    let mut next = BTreeMap::new();
    for Job(key, number) in done.lock().unwrap().iter() {
        let expected = next.entry(*key).or_insert(0);
        assert_eq!(number, expected, "key {key}");
        *expected += 1;
    }
    assert_eq!(next, (0..KEYS).map(|key| (key, BEFORE + AFTER)).collect());
}

#[test]
fn a_worker_at_its_gate_is_not_stuck_and_goes_through_it_in_an_isolate() {
    for breaks in [false, true] {
        let (done, notices) = (Done::default(), Heard::default());
        let mut isolate = Isolate::new(1);
        let tree = isolate.supervise(&tree(&done, &notices, breaks)).unwrap();
        let pool = tree.lookup_pool::<Worker>("root/pool").unwrap();
        isolate.block_on(jobs_and_a_resize(&pool)).unwrap();
        if breaks {
            isolate.publish(Broken).unwrap();
        }
        isolate.run().unwrap();
        if breaks {
            // A worker with a job in hand has lost it.
            assert!(notices.take().len() >= 2, "the new workers have failed at their gates");
        } else {
            assert_eq!(notices.take(), [""; 0]);
            assert_in_order(&done);
        }
        let handled = done.lock().unwrap();
        let first_new = handled.iter().position(|job| job.1 >= BEFORE).unwrap();
        assert!(handled[first_new..].iter().all(|job| job.1 >= BEFORE), "breaks: {breaks}");
    }
}
