//! A worker that calls its own pool waits neither for itself nor for others that wait for it.

use mycelium::pool::PoolError;

use crate::cast::{Do, Hold, Later, Setup, set_up};
use crate::common::at_once;
use crate::host::Host;

conformance!(a_worker_of_a_pool_with_keys_does_not_shrink_it);
fn a_worker_of_a_pool_with_keys_does_not_shrink_it<H: Host>() {
    let mut host = H::new();
    let setup = set_up(&mut host, 2, true);
    let Setup { pool, .. } = &setup;
    let second = pool.workers()[1].clone();
    // Those that come wait for what this very handler has begun.
    assert_eq!(host.ask(&second, Do::ResizeTwice(3, 2)).unwrap(), "Ok(()) Err(Itself)");
    assert_eq!(host.wait(pool.resize(4)), Ok(()));
    assert_eq!(host.ask(&second, Do::Resize(3)).unwrap(), "Err(Itself)");
    assert_eq!(host.ask(&second, Do::Resize(5)).unwrap(), "Ok(())");
    assert_eq!(host.wait(pool.resize(1)), Ok(()), "nobody holds the turn");
    setup.part();
}

conformance!(a_worker_whose_pool_is_being_resized_does_not_wait_for_that);
fn a_worker_whose_pool_is_being_resized_does_not_wait_for_that<H: Host>() {
    for what in [Do::Resize(5), Do::Resize(1), Do::Stop, Do::Flush] {
        for by_a_worker in [false, true] {
            let mut host = H::new();
            let setup = set_up(&mut host, 2, false);
            let Setup { pool, .. } = &setup;
            let [first, second] = [0, 1].map(|number| pool.workers()[number].clone());
            let both = async {
                let shrink = async {
                    match by_a_worker {
                        true => first.ask(Do::Resize(1)).await.unwrap(),
                        false => format!("{:?}", pool.resize(1).await),
                    }
                };
                tokio::join!(biased; second.ask(Later(what)), shrink)
            };
            let (refused, shrunk) = host.wait(both);
            assert_eq!((refused.unwrap(), shrunk), ("Err(Itself)".into(), "Ok(())".into()));
            assert_eq!(pool.size(), 1);
            setup.part();
        }
    }
}

conformance!(a_worker_waits_for_no_one_that_leaves_since_a_resize_was_dropped);
fn a_worker_waits_for_no_one_that_leaves_since_a_resize_was_dropped<H: Host>() {
    for what in [Do::Resize(1), Do::Flush, Do::Stop] {
        let mut host = H::new();
        let setup = set_up(&mut host, 2, true);
        let Setup { pool, .. } = &setup;
        let [first, second] = [0, 1].map(|number| pool.workers()[number].clone());
        let hold = Hold::on(&mut host, &second);
        let both = async {
            let shrink = async { at_once(pool.resize(1)) };
            tokio::join!(biased; first.ask(Later(what)), shrink)
        };
        // A worker that leaves may wait at its gate for this one.
        let (refused, shrunk) = host.wait(both);
        assert_eq!((refused.unwrap(), shrunk), ("Err(Itself)".into(), None));
        hold.release();
        assert_eq!(host.wait(pool.resize(1)), Ok(()));
        assert_eq!(host.wait(pool.resize(0)), Err(PoolError::Size(0)));
        setup.part();
    }
}
