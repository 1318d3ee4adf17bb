//! Workers that leave, and pools that are stopped.

use mycelium::TellError;
use mycelium::pool::PoolError;

use crate::cast::{Hold, Job, MILLISECOND, Setup, describe, set_up, start};
use crate::common::{PERIOD, at_once};
use crate::host::Host;

/// Three workers of whom the last is held, with three jobs behind it, while a resize to one is dropped.
fn with_one_that_leaves<H: Host>(host: &mut H) -> (Setup, Hold) {
    let setup = set_up(host, 3, false);
    let pool = &setup.pool;
    let third = pool.workers()[2].clone();
    let hold = Hold::on(host, &third);
    for number in 0..3 {
        third.try_tell(Job { key: 0, number }).unwrap();
    }
    host.wait(async { assert!(at_once(pool.resize(1)).is_none()) });
    assert_eq!(pool.size(), 1);
    (setup, hold)
}

conformance!(a_flush_waits_for_those_that_leave);
fn a_flush_waits_for_those_that_leave<H: Host>() {
    let mut host = H::new();
    let (setup, hold) = with_one_that_leaves(&mut host);
    let Setup { pool, shared, .. } = &setup;
    assert!(pool.inbox_len() >= 3, "{}", pool.inbox_len());
    hold.release();
    assert_eq!(host.wait(pool.flush()), Ok(()));
    assert_eq!(shared.len(), 3);
    setup.part();
}

conformance!(a_stop_waits_for_those_that_leave);
fn a_stop_waits_for_those_that_leave<H: Host>() {
    let mut host = H::new();
    let (setup, hold) = with_one_that_leaves(&mut host);
    let Setup { pool, shared, .. } = &setup;
    hold.release();
    assert_eq!(host.wait(pool.stop_gracefully()), Ok(()));
    assert_eq!((shared.len(), host.letters().dead), (3, 0));
    setup.part();
}

conformance!(a_pool_is_stopped_whatever_its_supervisor_has_forgotten);
fn a_pool_is_stopped_whatever_its_supervisor_has_forgotten<H: Host>() {
    let mut host = H::new();
    let setup = set_up(&mut host, 3, false);
    let Setup { pool, tree, .. } = &setup;
    host.terminate_child(tree, "root/pool/worker-2").unwrap();
    host.delete_child(tree, "root/pool/worker-2").unwrap();
    assert_eq!(host.wait(pool.stop_gracefully()), Ok(()));
    assert!(pool.workers().iter().all(|worker| !worker.is_alive()));
    assert_eq!(host.count_children(tree, "root/pool").unwrap().active, 0);
    setup.part();
}

conformance!(a_pool_that_was_stopped_is_not_resized);
fn a_pool_that_was_stopped_is_not_resized<H: Host>() {
    let mut host = H::new();
    let setup = set_up(&mut host, 2, false);
    let Setup { pool, tree, .. } = &setup;
    assert_eq!(host.wait(pool.stop_gracefully()), Ok(()));
    for size in [1, 2, 3] {
        assert_eq!(host.wait(pool.resize(size)), Err(PoolError::Stopped));
    }
    let job = Job { key: 0, number: 0 };
    assert!(matches!(host.wait(pool.tell(job)), Err(TellError::Stopped(back, _)) if back == job));
    assert_eq!(host.count_children(tree, "root/pool").unwrap().active, 0);
    assert_eq!(host.wait(pool.stop_gracefully()), Ok(()), "again");
    assert_eq!(host.wait(pool.flush()), Ok(()));
    host.restart_child(tree, "root/pool/worker-1").unwrap();
    host.restart_child(tree, "root/pool/worker-2").unwrap();
    host.wait(pool.tell(job)).unwrap();
    assert_eq!(host.wait(pool.resize(3)), Ok(()));
    assert_eq!(host.count_children(tree, "root/pool").unwrap().active, 3);
    setup.part();
}

conformance!(a_worker_that_is_killed_while_its_pool_stops_does_not_open_it_again);
fn a_worker_that_is_killed_while_its_pool_stops_does_not_open_it_again<H: Host>() {
    let mut host = H::new();
    let setup = set_up(&mut host, 2, false);
    let Setup { pool, tree, .. } = &setup;
    let [first, second] = [0, 1].map(|number| pool.workers()[number].clone());
    let hold = Hold::on(&mut host, &first);
    host.wait(async { assert!(at_once(pool.stop_gracefully()).is_none()) });
    second.kill();
    let is_back = || !pool.workers()[1].is_alive() || pool.workers()[1].id() == second.id();
    host.until(|| !is_back());
    let job = Job { key: 0, number: 0 };
    assert!(matches!(host.wait(pool.tell(job)), Err(TellError::Stopped(back, _)) if back == job));
    hold.release();
    assert_eq!(host.wait(pool.stop_gracefully()), Ok(()));
    assert!(matches!(host.wait(pool.tell(job)), Err(TellError::Stopped(back, _)) if back == job));
    assert_eq!(host.count_children(tree, "root/pool").unwrap().active, 0);
    setup.part();
}

conformance!(flushes_and_resizes_that_are_dropped_leave_few_markers);
fn flushes_and_resizes_that_are_dropped_leave_few_markers<H: Host>() {
    for keyed in [false, true] {
        let mut host = H::new();
        let shared = crate::cast::Shared::default();
        let pool = describe(&shared, 3, keyed).supervisor("pool").intensity(1_000, PERIOD);
        let setup = start(&mut host, shared, pool);
        let Setup { pool, .. } = &setup;
        let workers = pool.workers();
        let holds: Vec<_> = workers.iter().map(|worker| Hold::on(&mut host, worker)).collect();
        for round in 0..200 {
            host.wait(async {
                assert!(at_once(pool.flush()).is_none());
                assert!(at_once(pool.resize(2)).is_none());
                // Back again, which need not wait at first.
                let _ = at_once(pool.resize(3));
            });
            host.advance(MILLISECOND);
            let most = workers.iter().map(mycelium::ActorRef::inbox_len).max().unwrap();
            assert!(most <= 40, "{most} wait after {round} rounds");
        }
        holds.iter().for_each(Hold::release);
        assert_eq!(host.wait(pool.resize(3)), Ok(()));
        assert_eq!(host.wait(pool.flush()), Ok(()));
        assert_eq!((host.letters().dead, pool.inbox_len()), (0, 0));
        setup.part();
    }
}
