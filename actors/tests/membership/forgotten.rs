//! Pools that are deleted, and threads that are not their isolate's.

use mycelium::pool::{Pool, PoolError};
use mycelium::tree::{CallError, Child};
use mycelium::{AskError, TellError};

use crate::cast::{Do, Job, Setup, Shared, Worker, describe, set_up};
use crate::common::at_once;
use crate::host::Host;

conformance!(a_pool_that_is_deleted_is_forgotten_and_its_references_change_no_other);
fn a_pool_that_is_deleted_is_forgotten_and_its_references_change_no_other<H: Host>() {
    let mut host = H::new();
    let setup = set_up(&mut host, 2, true);
    let Setup { pool, tree, .. } = &setup;
    host.terminate_child(tree, "root/pool").unwrap();
    host.delete_child(tree, "root/pool").unwrap();
    assert!(tree.lookup_pool::<Worker>("root/pool").is_none());
    let job = Job { key: 0, number: 0 };
    assert!(matches!(host.wait(pool.tell(job)), Err(TellError::Stopped(back, _)) if back == job));
    let shared = Shared::default();
    let heir = describe(&shared, 2, false).supervisor("pool");
    host.start_child(tree, "root", Child::supervisor(heir)).unwrap();
    let heir = tree.lookup_pool::<Worker>("root/pool").unwrap();
    assert!(host.wait(pool.resize(4)).is_err());
    assert!(host.wait(pool.resize(1)).is_err());
    assert!(matches!(host.wait(pool.tell(job)), Err(TellError::Stopped(back, _)) if back == job));
    assert_eq!(host.count_children(tree, "root/pool").unwrap().active, 2);
    host.wait(heir.resize(3)).unwrap();
    host.wait(heir.tell(job)).unwrap();
    host.wait(heir.flush()).unwrap();
    assert_eq!((heir.size(), shared.len()), (3, 1));
    setup.part();
}

conformance!(a_pool_goes_with_its_tree_and_its_branch);
fn a_pool_goes_with_its_tree_and_its_branch<H: Host>() {
    let mut host = H::new();
    let setup = set_up(&mut host, 2, true);
    let Setup { pool, tree, .. } = &setup;
    let desk = mycelium::Supervisor::builder("desk").supervisor(Pool::new(|| Plain).supervisor("pool"));
    host.start_child(tree, "root", Child::supervisor(desk)).unwrap();
    assert!(tree.lookup_pool::<Plain>("root/desk/pool").is_some());
    host.terminate_child(tree, "root/desk").unwrap();
    host.delete_child(tree, "root/desk").unwrap();
    assert!(tree.lookup_pool::<Plain>("root/desk/pool").is_none());
    assert!(tree.lookup_pool::<Worker>("root/pool").is_some());
    host.shut_tree(tree);
    assert!(tree.lookup_pool::<Worker>("root/pool").is_none());
    let job = Job { key: 0, number: 0 };
    assert!(matches!(host.wait(pool.tell(job)), Err(TellError::Stopped(back, _)) if back == job));
    assert!(host.wait(pool.resize(3)).is_err());
    assert!(!pool.recipient::<Job>().is_alive());
    setup.part();
}

struct Plain;
impl mycelium::Actor for Plain {
    type Error = mycelium::BoxError;
}

#[test]
fn another_thread_has_the_error_of_an_isolate_and_changes_nothing() {
    let mut host = crate::isolate::InIsolate::new();
    let setup = set_up(&mut host, 2, true);
    let pool = setup.pool.clone();
    std::thread::spawn(move || {
        let wrong = |told: Option<Result<(), PoolError>>| {
            assert_eq!(told, Some(Err(PoolError::Call(CallError::WrongThread))));
        };
        wrong(at_once(pool.resize(1)));
        wrong(at_once(pool.resize(3)));
        wrong(at_once(pool.flush()));
        wrong(at_once(pool.stop_gracefully()));
        assert_eq!(at_once(pool.ask(Do::Flush)), Some(Err(AskError::WrongThread)));
        let job = Job { key: 0, number: 0 };
        assert_eq!(pool.try_tell(job), Err(TellError::WrongThread(job)));
    })
    .join()
    .unwrap();
    assert_eq!(setup.pool.size(), 2);
    host.wait(setup.pool.tell(Job { key: 0, number: 0 })).unwrap();
    host.wait(setup.pool.resize(3)).unwrap();
    setup.part();
}
