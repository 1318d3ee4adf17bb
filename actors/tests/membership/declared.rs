//! Pools that a file declares.

use mycelium::Supervisor;
use mycelium::tree::Factories;

use crate::cast::{Job, Shared, Worker, describe};
use crate::host::Host;

const TREE: &str = r#"
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

conformance!(a_declared_pool_is_that_of_the_program_with_the_size_of_the_file);
fn a_declared_pool_is_that_of_the_program_with_the_size_of_the_file<H: Host>() {
    let (mut host, shared) = (H::new(), Shared::default());
    let of = shared.clone();
    let factories = Factories::new().pool("worker", move || describe(&of, 1, true));
    let tree = host.supervise(Supervisor::from_toml(TREE, &factories).unwrap()).unwrap();
    let pool = tree.lookup_pool::<Worker>("root/desk/pool").unwrap();
    assert_eq!((pool.size(), pool.workers().len()), (3, 3));
    for number in 0..10 {
        (0..7).for_each(|key| host.wait(pool.tell(Job { key, number })).unwrap());
    }
    host.wait(pool.resize(5)).unwrap();
    host.wait(pool.flush()).unwrap();
    assert_eq!(shared.in_order(), (0..7).map(|key| (key, 10)).collect());
    assert_eq!(pool.workers().len(), 5);
    host.shut_tree(&tree);
}
