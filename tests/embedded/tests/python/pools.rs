//! Pools whose workers are actors of Python.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mycelium::pool::Dispatch;
use mycelium::tree::{Backoff, Builder, Factories};
use mycelium::{MessageBus, Subscription, Supervisor, Tree};
use mycelium_embedded::{Tick, Told, Words};
use mycelium_python::pyo3::prelude::*;
use mycelium_python::{Encoded, HostedActor, HostedPool, PythonFactories, PythonRuntime};

use crate::common::{
    Events, WATCHDOG, count, desk, end, numbers, publish, restarted, root, threads_called, told, turn, until,
};

/// The only actor of these trees, three of it.
fn pooled(python: &PythonRuntime) -> HostedPool {
    python.actor("models:Pooled").unwrap().pool().workers(3)
}

/// With a supervisor that restarts workers at once.
fn under(pool: HostedPool) -> Builder {
    let backoff = Backoff { initial: Duration::ZERO, cap: Duration::ZERO, ..Backoff::default() };
    root(99).supervisor(pool.supervisor("pool").intensity(99, WATCHDOG).backoff(backoff))
}

async fn asked(python: &PythonRuntime, text: &str) -> String {
    let query = Encoded::of(&Words { text: text.into() }).unwrap();
    let answer = python.address("root/pool").unwrap().asked(query).await.unwrap();
    answer.decode::<Words>().unwrap().text.to_string()
}

async fn start(name: &str, describe: impl FnOnce(HostedPool) -> HostedPool) -> Desk {
    let (bus, python) = desk(name);
    let events = Events::default();
    let tree = events.of(under(describe(pooled(&python)))).start(&bus).await.unwrap();
    Desk { bus, python, tree, events }
}

struct Desk {
    bus: MessageBus,
    python: PythonRuntime,
    tree: Tree,
    events: Events,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_message_is_handled_by_one_worker_whether_published_told_or_asked() {
    let _turn = turn().await;
    until("those of other tests have gone", || count("attached") == 0).await;
    let Desk { bus, python, tree, .. } = start("pooled", |pool| pool).await;
    let mut tolds = bus.subscriber::<Told>().unwrap();
    assert_eq!([1, 2, 3].map(|worker| threads_called(&format!("worker-{worker}"))), [1; 3]);
    publish(&bus, 0..9).await;
    let mut shares = BTreeMap::<String, usize>::new();
    let mut all = told(&mut tolds, 9).await;
    all.sort();
    assert_eq!(numbers(&all), (0..9).collect::<Vec<_>>(), "each one once");
    all.into_iter().for_each(|(_, by)| *shares.entry(by).or_default() += 1);
    assert_eq!(shares.into_values().collect::<Vec<_>>(), [3; 3], "each worker its share");
    let address = python.address("root/pool").unwrap();
    address.told(Encoded::of(&Tick { number: 77 }).unwrap()).await.unwrap();
    assert_eq!(numbers(&told(&mut tolds, 1).await), [77]);
    let mut answers = BTreeSet::new();
    for _ in 0..3 {
        answers.insert(asked(&python, "it is").await);
    }
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), [1, 2, 3].map(|n| format!("it is worker-{n}")));
    // Code of Python finds the pool by its path, too.
    let asks = || {
        Python::attach(|py| {
            let models = py.import("models").unwrap();
            models.call_method1("asks_pool", ("pooled",)).unwrap().extract::<String>().unwrap()
        })
    };
    assert!(asks().starts_with("python asks worker-"));
    assert_eq!(numbers(&told(&mut tolds, 1).await), [1_000]);
    let stats = bus.stats();
    assert_eq!((stats.pools[0].path.as_ref(), stats.pools[0].workers), ("root/pool", 3));
    let missing = python.pool("root/pol").unwrap_err().to_string();
    assert!(missing.contains("root/pol"), "{missing}");
    end(tree, python, bus).await;
    until("its threads have gone", || count("attached") == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn keys_keep_their_order_over_resizes_and_restarts_and_other_workers_go_on() {
    const KEYS: i64 = 7;
    const EACH: i64 = 60;
    let _turn = turn().await;
    let Desk { bus, python, tree, events } =
        start("keyed", |pool| pool.key(|tick: &Tick| tick.number.rem_euclid(KEYS).unsigned_abs())).await;
    let mut tolds = bus.subscriber_with::<Told>(Subscription::block().capacity(1 << 12)).unwrap();
    let pool = python.pool("root/pool").unwrap();
    let mut failures = 0;
    for round in 0..EACH {
        publish(&bus, (0..KEYS).map(|key| round * KEYS + key)).await;
        match round {
            10 | 30 => {
                publish(&bus, [-1]).await;
                failures += 1;
            }
            20 => pool.resize(5).await.unwrap(),
            40 => pool.resize(2).await.unwrap(),
            _ => {}
        }
    }
    let all = told(&mut tolds, usize::try_from(KEYS * EACH).unwrap()).await;
    let mut seen = BTreeMap::<i64, Vec<i64>>::new();
    all.iter().for_each(|(number, _)| seen.entry(number % KEYS).or_default().push(*number));
    for (key, numbers) in seen {
        assert_eq!(numbers, (0..EACH).map(|round| round * KEYS + key).collect::<Vec<_>>(), "key {key}");
    }
    restarted(&bus, failures).await;
    assert_eq!(bus.dead_letters().in_hand, failures, "only what a worker failed over");
    let reasons = events.all();
    let failed = |line: &String| line.starts_with("worker-") && line.contains("ValueError: -1 is no number");
    assert!(reasons.len() == 2 && reasons.iter().all(failed), "{reasons:?}");
    // A message leaves the inbox with its batch, a little after it was handled.
    pool.flush().await.unwrap();
    until("nothing waits", || (pool.size(), pool.inbox_len()) == (2, 0)).await;
    end(tree, python, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_is_busy_or_fails_keeps_nobody_waiting() {
    let _turn = turn().await;
    let set_free = |free: bool| {
        Python::attach(|py| {
            py.import("models").unwrap().getattr("Stuck").unwrap().setattr("free", free).unwrap();
        });
    };
    let Desk { bus, python, tree, .. } = start("busy", |pool| pool.dispatch(Dispatch::LeastBusy)).await;
    // The interpreter is there, also where this is the first test of its process.
    set_free(false);
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let pool = python.pool("root/pool").unwrap();
    publish(&bus, [13]).await;
    let mut others = BTreeSet::new();
    for number in 20..30 {
        // A message leaves an inbox a little after it was handled: while the others have one each, the busy
        // worker is as little busy as they are.
        until("only the busy one has a message", || pool.inbox_len() == 1).await;
        publish(&bus, [number]).await;
        let [(told, by)] = &told(&mut tolds, 1).await[..] else { panic!("one was asked for") };
        assert_eq!(*told, number);
        others.insert(by.clone());
    }
    // A failure of another one meanwhile changes nothing.
    until("only the busy one has a message", || pool.inbox_len() == 1).await;
    publish(&bus, [-1]).await;
    restarted(&bus, 1).await;
    until("only the busy one has a message", || pool.inbox_len() == 1).await;
    publish(&bus, [40]).await;
    assert_eq!(numbers(&told(&mut tolds, 1).await), [40]);
    set_free(true);
    let [(13, busy)] = &told(&mut tolds, 1).await[..] else { panic!("it was set free") };
    assert!(!others.contains(busy), "{busy} was busy: {others:?}");
    end(tree, python, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tree_in_toml_has_pools_of_python_actors() {
    const FILE: &str = r#"
[tree]
[[tree.children]]
id = "pool"
pool = "python:models:Pooled"
workers = 2
dispatch = "least_busy"

[[tree.children]]
id = "keyed"
pool = "keyed"
workers = 4
"#;
    let _turn = turn().await;
    let (bus, python) = desk("pools");
    let named = python.actor_with("models:Pooled", [("by", "named".into())]).unwrap();
    let keyed = move || named.pool().key(|tick: &Tick| tick.number.unsigned_abs()).into();
    let factories = Factories::new().python(&python).pool("keyed", keyed);
    let tree = Supervisor::from_toml(FILE, &factories).unwrap().start(&bus).await.unwrap();
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let size = |path| tree.lookup_pool::<HostedActor>(path).unwrap().size();
    assert_eq!((size("root/pool"), size("root/keyed")), (2, 4));
    publish(&bus, [1, 2]).await;
    let mut both = numbers(&told(&mut tolds, 4).await);
    both.sort_unstable();
    assert_eq!(both, [1, 1, 2, 2], "each pool has each message once");
    let typo = FILE.replace("models:Pooled", "models:Poled");
    let error = Supervisor::from_toml(&typo, &factories).unwrap_err().to_string();
    assert!(error.starts_with("line 5, column 8: "), "{error}");
    assert!(error.contains("the module models has no Poled: its actors are Model, "), "{error}");
    end(tree, python, bus).await;
}
