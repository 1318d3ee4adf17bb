//! Workers that wait at the gate of a resize while others finish what they had: no fault of theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::pool::Pool;
use mycelium::tree::{Health, Notice};
use mycelium::{Actor, BoxError, Context, Handler, Supervisor};

use crate::cast::{Hold, Job, Shared, Worker, describe};
use crate::common::{Heard, PERIOD};
use crate::host::Host;

/// How long a handler may wait before its supervisor takes it for stuck. On the wall clock, one job takes
/// far less.
const LIMIT: Duration = Duration::from_millis(400);
const JOB: Duration = Duration::from_millis(20);
const KEYS: u64 = 6;
const BEFORE: u64 = 8;
const AFTER: u64 = 4;

/// Takes a while for each job.
struct Patient(Arc<Mutex<Vec<Job>>>);
impl Actor for Patient {
    type Error = BoxError;
}
impl Handler<Job> for Patient {
    async fn handle(&mut self, job: &Job, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(JOB).await;
        self.0.lock().unwrap().push(*job);
        Ok(())
    }
}

conformance!(a_worker_at_its_gate_is_not_stuck);
fn a_worker_at_its_gate_is_not_stuck<H: Host>() {
    let (mut host, done, notices) = (H::new(), Arc::<Mutex<Vec<Job>>>::default(), Heard::default());
    let (worker, heard) = (Arc::clone(&done), notices.clone());
    let pool = Pool::new(move || Patient(Arc::clone(&worker))).key(|job: &Job| job.key).workers(1);
    let pool = pool.each(|child| child.health(Health::within(LIMIT).restart()));
    let root = Supervisor::builder("root").supervisor(pool.supervisor("pool").intensity(1_000, PERIOD));
    let root = root.on_event(move |path, notice| {
        if matches!(notice, Notice::Stuck { .. } | Notice::Exited { .. }) {
            heard.add(format!("{path}: {notice:?}"));
        }
    });
    let tree = host.supervise(root).unwrap();
    let pool = tree.lookup_pool::<Patient>("root/pool").unwrap();
    // The messages at the gates wait for longer than the limit.
    for number in 0..BEFORE + AFTER {
        if number == BEFORE {
            host.wait(pool.resize(3)).unwrap();
        }
        (0..KEYS).for_each(|key| host.wait(pool.tell(Job { key, number })).unwrap());
    }
    host.wait(pool.flush()).unwrap();
    let mut next = BTreeMap::new();
    for job in done.lock().unwrap().iter() {
        let expected = next.entry(job.key).or_insert(0);
        assert_eq!(job.number, *expected, "key {}", job.key);
        *expected += 1;
    }
    assert_eq!(next, (0..KEYS).map(|key| (key, BEFORE + AFTER)).collect());
    assert_eq!(notices.take(), [""; 0]);
    host.shut_tree(&tree);
}

conformance!(a_worker_at_its_gate_obeys_a_stop_and_its_next_life_stands_there_again);
fn a_worker_at_its_gate_obeys_a_stop_and_its_next_life_stands_there_again<H: Host>() {
    let (mut host, shared, exits) = (H::new(), Shared::default(), Heard::default());
    let (heard, pool) = (exits.clone(), describe(&shared, 1, true).supervisor("pool"));
    let root = Supervisor::builder("root").supervisor(pool.intensity(1_000, PERIOD));
    let root = root.on_event(move |path, notice| {
        if matches!(notice, Notice::Exited { .. }) {
            heard.add(format!("{path}: {notice:?}"));
        }
    });
    let tree = host.supervise(root).unwrap();
    let pool = tree.lookup_pool::<Worker>("root/pool").unwrap();
    let hold = Hold::on(&mut host, &pool.workers()[0]);
    for number in 0..BEFORE + AFTER {
        if number == BEFORE {
            host.wait(pool.resize(3)).unwrap();
        }
        (0..KEYS).for_each(|key| host.wait(pool.tell(Job { key, number })).unwrap());
    }
    host.settle();
    // The worker that all wait for is held for as long as that takes.
    for stops in 1..=2 {
        pool.workers()[1].stop();
        host.until(|| exits.words().len() == stops);
        host.settle();
    }
    assert_eq!(shared.len(), 0, "nobody has passed");
    hold.release();
    host.wait(pool.flush()).unwrap();
    let each = usize::try_from(BEFORE + AFTER).unwrap();
    assert_eq!(shared.in_order(), (0..KEYS).map(|key| (key, each)).collect());
    host.shut_tree(&tree);
}
