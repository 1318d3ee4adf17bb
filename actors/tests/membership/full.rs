//! Workers whose inboxes are full.

use crate::cast::{Do, Hold, Job, Setup, set_up};
use crate::host::{Host, Limits};

fn host<H: Host>() -> H {
    H::with(Limits { inbox_capacity: Some(8), ..Limits::default() })
}

/// Fills the inboxes of all; how many jobs that took.
fn fill(setup: &Setup) -> u64 {
    (0..).find(|number| setup.pool.try_tell(Job { key: 0, number: *number }).is_err()).unwrap()
}

conformance!(without_keys_a_tell_waits_for_whoever_has_room_first);
fn without_keys_a_tell_waits_for_whoever_has_room_first<H: Host>() {
    let mut host = host::<H>();
    let setup = set_up(&mut host, 3, false);
    let Setup { pool, shared, .. } = &setup;
    let workers = pool.workers();
    let holds: Vec<_> = workers.iter().map(|worker| Hold::on(&mut host, worker)).collect();
    let told = fill(&setup);
    holds[1].release();
    // Two of three would wait for a worker that is stuck.
    for number in 0..30 {
        host.wait(pool.tell(Job { key: 1, number })).unwrap();
    }
    host.until(|| shared.len() as u64 > 30);
    holds.iter().for_each(Hold::release);
    host.wait(pool.flush()).unwrap();
    assert_eq!(shared.len() as u64, told + 30);
    setup.part();
}

conformance!(a_worker_waits_for_another_one_and_not_for_itself);
fn a_worker_waits_for_another_one_and_not_for_itself<H: Host>() {
    let mut host = host::<H>();
    let setup = set_up(&mut host, 2, false);
    let Setup { pool, shared, .. } = &setup;
    let [first, second] = [0, 1].map(|number| pool.workers()[number].clone());
    let hold = Hold::on(&mut host, &second);
    let many = 2_000;
    let both = async {
        let release = async {
            tokio::task::yield_now().await;
            hold.release();
        };
        tokio::join!(biased; first.ask(Do::Tell(many)), release).0
    };
    assert_eq!(host.wait(both).unwrap(), "Ok(())");
    host.wait(pool.flush()).unwrap();
    assert_eq!(shared.len() as u64, many);
    // Nobody but itself.
    host.wait(pool.resize(1)).unwrap();
    let full = host.ask(&first, Do::Tell(many)).unwrap();
    assert!(full.contains("Itself"), "{full}");
    setup.part();
}

conformance!(a_tell_that_waits_goes_to_a_worker_that_comes);
fn a_tell_that_waits_goes_to_a_worker_that_comes<H: Host>() {
    let mut host = host::<H>();
    let setup = set_up(&mut host, 1, false);
    let Setup { pool, shared, .. } = &setup;
    let hold = Hold::on(&mut host, &pool.workers()[0].clone());
    let told = fill(&setup);
    let both = async {
        let tell = pool.tell(Job { key: 1, number: 0 });
        let (told, grown) = tokio::join!(biased; tell, pool.resize(2));
        told.unwrap();
        grown.unwrap();
    };
    host.wait(both);
    host.until(|| shared.len() == 1);
    hold.release();
    host.wait(pool.flush()).unwrap();
    assert_eq!(shared.len() as u64, told + 1);
    setup.part();
}
