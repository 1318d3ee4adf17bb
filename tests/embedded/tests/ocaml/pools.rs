//! Pools whose workers are actors of OCaml.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mycelium::tree::{Backoff, Factories};
use mycelium::{Subscription, Supervisor};
use mycelium_embedded::checks::{Events, WATCHDOG, numbers, publish, restarted, root, told, turn};
use mycelium_embedded::{Tick, Told};
use mycelium_ocaml::{OCamlFactories, OCamlRuntime};

use crate::common::{ask, desk, end};

/// The threads that so many answers in turn come from.
async fn threads(ocaml: &OCamlRuntime, answers: usize) -> BTreeSet<String> {
    let mut threads = BTreeSet::new();
    for _ in 0..answers {
        threads.insert(ask(ocaml, "root/pool", "thread").await.unwrap());
    }
    threads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pool_of_ocaml_actors_shares_messages_keeps_keys_in_order_heals_and_is_resized() {
    const KEYS: i64 = 5;
    const EACH: i64 = 60;
    let _turn = turn().await;
    let ((bus, ocaml), events) = (desk(), Events::default());
    let mut tolds = bus.subscriber_with::<Told>(Subscription::block().capacity(1 << 12)).unwrap();
    let pool = ocaml.actor("model").unwrap().pool().workers(3);
    let pool = pool.key(|tick: &Tick| tick.number.rem_euclid(KEYS).unsigned_abs());
    let backoff = Backoff { initial: Duration::ZERO, cap: Duration::ZERO, ..Backoff::default() };
    let pool = pool.supervisor("pool").intensity(99, WATCHDOG).backoff(backoff);
    let tree = events.of(root(99)).supervisor(pool).start(&bus).await.unwrap();
    let pool = ocaml.pool("root/pool").unwrap();
    assert_eq!(threads(&ocaml, 6).await.len(), 3, "each worker has a thread, and answers in its turn");
    for round in 0..EACH {
        publish(&bus, (0..KEYS).map(|key| round * KEYS + key)).await;
        match round {
            10 => publish(&bus, [-1]).await,
            20 => pool.resize(5).await.unwrap(),
            40 => pool.resize(2).await.unwrap(),
            _ => {}
        }
    }
    let mut seen = BTreeMap::<i64, Vec<i64>>::new();
    for number in numbers(&told(&mut tolds, usize::try_from(KEYS * EACH).unwrap()).await) {
        seen.entry(number % KEYS).or_default().push(number);
    }
    for (key, numbers) in seen {
        assert_eq!(numbers, (0..EACH).map(|round| round * KEYS + key).collect::<Vec<_>>(), "key {key}");
    }
    restarted(&bus, 1).await;
    assert_eq!(bus.dead_letters().in_hand, 1);
    let [reason] = &events.all()[..] else { panic!("{:?}", events.all()) };
    assert!(reason.starts_with("worker-") && reason.contains("Not_a_number(-1)"), "{reason}");
    assert_eq!(threads(&ocaml, 4).await.len(), 2);
    end(tree, ocaml, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tree_in_toml_has_pools_of_ocaml_actors() {
    let file = |name: &str| {
        format!("[tree]\n[[tree.children]]\nid = \"pool\"\nworkers = 2\npool = \"ocaml:{name}\"")
    };
    let _turn = turn().await;
    let (bus, ocaml) = desk();
    let factories = Factories::new().ocaml(&ocaml);
    let tree = Supervisor::from_toml(&file("model"), &factories).unwrap().start(&bus).await.unwrap();
    assert_eq!(threads(&ocaml, 4).await.len(), 2);
    let error = Supervisor::from_toml(&file("modl"), &factories).unwrap_err().to_string();
    assert!(error.starts_with("line 5, column 8: ") && error.contains("modl"), "{error}");
    end(tree, ocaml, bus).await;
}
