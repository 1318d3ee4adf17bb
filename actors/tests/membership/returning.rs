//! Workers that end and come back, and pools whose supervisor does.

use std::collections::BTreeSet;

use mycelium::tree::{Builder, Child};
use mycelium::{Actor, BoxError, Context, TellError};

use crate::cast::{Bad, Hold, Job, MILLISECOND, Setup, Shared, describe, set_up, start};
use crate::common::{PERIOD, Tick, backoff};
use crate::host::Host;

/// Passes its intensity when its child `bad` fails once.
fn fragile(shared: &Shared, keyed: bool) -> Builder {
    let pool = describe(shared, 2, keyed).supervisor("pool");
    pool.intensity(0, PERIOD).child(Child::actor("bad", || Bad))
}

/// Has the pool's supervisor restarted.
fn restart<H: Host>(host: &mut H, setup: &Setup) {
    let bad = host.child::<Bad>(&setup.tree, "root/pool/bad").unwrap();
    host.try_tell(&bad, Tick(0)).unwrap();
    host.settle();
    let tree = &setup.tree;
    host.until(|| tree.lookup::<Bad>("root/pool/bad").is_some_and(|now| now.is_alive()));
    host.advance(MILLISECOND);
}

conformance!(a_pool_whose_supervisor_is_restarted_is_resized_from_its_first_size);
fn a_pool_whose_supervisor_is_restarted_is_resized_from_its_first_size<H: Host>() {
    for keyed in [false, true] {
        let (mut host, shared) = (H::new(), Shared::default());
        let described = fragile(&shared, keyed);
        let setup = start(&mut host, shared, described);
        let Setup { pool, tree, shared } = &setup;
        host.wait(pool.resize(4)).unwrap();
        restart(&mut host, &setup);
        assert_eq!((pool.size(), pool.workers().len()), (2, 2), "keyed: {keyed}");
        host.wait(pool.resize(4)).unwrap();
        assert_eq!(host.count_children(tree, "root/pool").unwrap().active, 5);
        restart(&mut host, &setup);
        host.wait(pool.resize(6)).unwrap();
        assert_eq!(host.count_children(tree, "root/pool").unwrap().active, 7);
        for key in 0..60 {
            host.wait(pool.tell(Job { key, number: 0 })).unwrap();
        }
        host.wait(pool.flush()).unwrap();
        assert_eq!(shared.len(), 60);
        setup.part();
    }
}

conformance!(what_waits_for_a_key_comes_first_when_a_smaller_pool_grows_again_with_its_supervisor);
fn what_waits_for_a_key_comes_first_when_a_smaller_pool_grows_again_with_its_supervisor<H: Host>() {
    let (mut host, shared) = (H::new(), Shared::default());
    let described = describe(&shared, 3, true).supervisor("pool");
    let described = described.intensity(0, PERIOD).child(Child::actor("bad", || Bad));
    let setup = start(&mut host, shared, described);
    let Setup { pool, tree, shared } = &setup;
    host.wait(pool.resize(1)).unwrap();
    let first = pool.workers()[0].clone();
    // It ends its life in the first of these, and begins the next one with the second.
    let [before, after] = [(); 2].map(|()| Hold::on(&mut host, &first));
    let send = |host: &mut H, number| {
        (0..40).for_each(|key| host.wait(pool.tell(Job { key, number })).unwrap());
    };
    send(&mut host, 0);
    let bad = host.child::<Bad>(tree, "root/pool/bad").unwrap();
    host.try_tell(&bad, Tick(0)).unwrap();
    host.settle();
    before.release();
    host.until(|| pool.workers().len() == 3 && pool.workers().iter().all(mycelium::ActorRef::is_alive));
    send(&mut host, 1);
    host.advance(5 * MILLISECOND);
    after.release();
    host.wait(pool.flush()).unwrap();
    assert_eq!(shared.len(), 80);
    assert!(shared.in_order().values().all(|jobs| *jobs == 2));
    setup.part();
}

conformance!(a_worker_that_a_resize_has_added_keeps_its_keys_when_it_is_killed);
fn a_worker_that_a_resize_has_added_keeps_its_keys_when_it_is_killed<H: Host>() {
    let (mut host, shared) = (H::new(), Shared::default());
    let described = describe(&shared, 1, true).supervisor("pool").intensity(1_000, PERIOD);
    let setup = start(&mut host, shared, described.backoff(backoff(30)));
    let Setup { pool, shared, .. } = &setup;
    host.wait(pool.resize(3)).unwrap();
    host.wait(pool.flush()).unwrap();
    let third = pool.workers()[2].clone();
    third.kill();
    host.ended(&third);
    host.settle();
    let jobs = (0..40).map(|key| Job { key, number: 0 });
    let refused = jobs.filter(|job| match pool.try_tell(*job) {
        Ok(()) => false,
        Err(error @ TellError::Away(..)) => {
            assert_eq!(
                error.to_string(),
                "Job was not sent: root/pool/worker-3 is being restarted; tell it again"
            );
            error.into_message() == *job
        }
        other => panic!("{other:?}"),
    });
    let refused: BTreeSet<u64> = refused.map(|job| job.key).collect();
    assert!(!refused.is_empty() && refused.len() < 30, "{refused:?}");
    assert_eq!(pool.size(), 3);
    host.until(|| pool.workers()[2].is_alive());
    for key in &refused {
        host.wait(pool.tell(Job { key: *key, number: 1 })).unwrap();
    }
    host.wait(pool.flush()).unwrap();
    assert_eq!(shared.len(), 40);
    setup.part();
}

conformance!(a_worker_that_is_killed_at_its_gate_is_replaced_by_one_that_waits_there);
fn a_worker_that_is_killed_at_its_gate_is_replaced_by_one_that_waits_there<H: Host>() {
    let mut host = H::new();
    let setup = set_up(&mut host, 1, true);
    let Setup { pool, shared, .. } = &setup;
    let first = pool.workers()[0].clone();
    let hold = Hold::on(&mut host, &first);
    let send = |host: &mut H, number| {
        (0..20).for_each(|key| host.wait(pool.tell(Job { key, number })).unwrap());
    };
    send(&mut host, 0);
    host.wait(pool.resize(3)).unwrap();
    send(&mut host, 1);
    host.advance(5 * MILLISECOND);
    for number in [1, 2] {
        let gone = pool.workers()[number].clone();
        gone.kill();
        host.ended(&gone);
        host.until(|| pool.workers()[number].is_alive());
    }
    send(&mut host, 2);
    host.advance(5 * MILLISECOND);
    assert_eq!(shared.len(), 0, "all waits for the first worker");
    hold.release();
    host.wait(pool.flush()).unwrap();
    assert_eq!(shared.len() as u64 + host.letters().dead, 60);
    assert!(shared.in_order().values().all(|jobs| *jobs >= 2));
    setup.part();
}

conformance!(a_reference_to_a_pool_is_that_of_its_first_worker_now);
fn a_reference_to_a_pool_is_that_of_its_first_worker_now<H: Host>() {
    let mut host = H::new();
    let setup = set_up(&mut host, 2, false);
    let Setup { pool, .. } = &setup;
    let recipient = pool.recipient::<Job>();
    let first = pool.workers()[0].clone();
    assert_eq!(recipient.id(), first.id());
    first.kill();
    host.ended(&first);
    host.until(|| pool.workers()[0].is_alive());
    assert!(recipient.is_alive());
    assert_eq!(recipient.id(), pool.workers()[0].id());
    assert_ne!(recipient.id(), first.id());
    setup.part();
}

conformance!(the_feed_waits_for_a_worker_that_comes_back);
fn the_feed_waits_for_a_worker_that_comes_back<H: Host>() {
    let (mut host, shared) = (H::new(), Shared::default());
    let described = describe(&shared, 2, true).on::<Job>().supervisor("pool").intensity(1, PERIOD);
    let setup = start(&mut host, shared, described.backoff(backoff(30)));
    let Setup { pool, shared, tree } = &setup;
    let second = pool.workers()[1].clone();
    second.kill();
    host.ended(&second);
    for key in 0..40 {
        host.publish(Job { key, number: 0 }).unwrap();
    }
    host.until(|| shared.len() == 40);
    host.wait(pool.flush()).unwrap();
    assert_eq!(host.letters().dead, 0);
    assert!(tree.lookup::<crate::cast::Worker>("root/pool/worker-1").unwrap().is_alive());
    setup.part();
}

/// Takes its time to start.
struct Slow;
impl Actor for Slow {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(20 * MILLISECOND).await;
        Ok(())
    }
}

conformance!(the_feed_waits_for_a_worker_whose_end_waits_for_a_busy_supervisor);
fn the_feed_waits_for_a_worker_whose_end_waits_for_a_busy_supervisor<H: Host>() {
    let (mut host, shared) = (H::new(), Shared::default());
    let described = describe(&shared, 2, true).on::<Job>().supervisor("pool").intensity(9, PERIOD);
    let setup = start(&mut host, shared, described.child(Child::actor("slow", || Slow)));
    let Setup { pool, shared, tree } = &setup;
    let slow = host.child::<Slow>(tree, "root/pool/slow").unwrap();
    slow.kill();
    host.ended(&slow);
    // It starts the other one meanwhile.
    host.settle();
    let second = pool.workers()[1].clone();
    second.kill();
    host.ended(&second);
    host.settle();
    for key in 0..40 {
        host.publish(Job { key, number: 0 }).unwrap();
    }
    host.until(|| shared.len() as u64 == 40);
    host.wait(pool.flush()).unwrap();
    assert_eq!(host.letters().dead, 0);
    setup.part();
}

conformance!(the_feed_buries_what_can_have_no_worker_and_goes_on);
fn the_feed_buries_what_can_have_no_worker_and_goes_on<H: Host>() {
    let (mut host, shared) = (H::new(), Shared::default());
    let described = describe(&shared, 2, true).on::<Job>().supervisor("pool").intensity(0, PERIOD);
    let setup = start(&mut host, shared, described);
    let Setup { pool, shared, tree } = &setup;
    host.terminate_child(tree, "root/pool/worker-2").unwrap();
    for key in 0..40 {
        host.publish(Job { key, number: 0 }).unwrap();
    }
    host.wait(pool.flush()).unwrap();
    host.settle();
    let dead = host.letters().dead;
    assert!(dead > 5 && shared.len() > 5, "{dead}");
    assert_eq!(dead as usize + shared.len(), 40);
    let letters = host.dead_letters().recent;
    assert!(letters.iter().all(|letter| letter.message == "Job" && letter.topic == Some("jobs")));
    assert!(letters[0].to_string().contains("no worker"), "{}", letters[0]);
    host.restart_child(tree, "root/pool/worker-2").unwrap();
    for key in 0..40 {
        host.publish(Job { key, number: 1 }).unwrap();
    }
    host.wait(pool.flush()).unwrap();
    assert_eq!((host.letters().dead, shared.len() as u64), (dead, 80 - dead));
    setup.part();
}

conformance!(a_feed_that_waits_for_a_worker_holds_up_no_shutdown);
fn a_feed_that_waits_for_a_worker_holds_up_no_shutdown<H: Host>() {
    let (mut host, shared) = (H::new(), Shared::default());
    let described = describe(&shared, 1, true).on::<Job>().supervisor("pool").intensity(9, PERIOD);
    let setup = start(&mut host, shared, described.backoff(backoff(20_000)));
    let Setup { pool, tree, .. } = &setup;
    let only = pool.workers()[0].clone();
    only.kill();
    host.ended(&only);
    for number in 0..3 {
        host.publish(Job { key: 0, number }).unwrap();
    }
    host.advance(MILLISECOND);
    assert_eq!(host.shut_tree(tree), [""; 0], "nobody had to be killed");
    assert_eq!(host.letters().dead, 3);
    setup.part();
}
