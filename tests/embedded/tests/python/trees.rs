//! Trees in TOML, and drains.

use std::time::Duration;

use mycelium::tree::{Child, Factories};
use mycelium::{BoxError, Service, ServiceContext, Supervisor};
use mycelium_embedded::{Tick, Told};
use mycelium_python::{PythonChild, PythonFactories};

use crate::common::{WATCHDOG, desk, end, publish, restarted, root, told, turn};

const FILE: &str = r#"
[tree]
intensity = 9

[[tree.children]]
id = "plain"
actor = "python:models:Retries"
redelivery_attempts = 2
backoff = { initial_ms = 0, cap_ms = 0 }
thread = {}

[[tree.children]]
id = "named"
actor = "tester"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tree_in_toml_names_classes_of_python() {
    let _turn = turn().await;
    let (bus, python) = desk("toml");
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let tester = python.actor_with("models:Model", [("by", "tester".into())]).unwrap();
    let factories = Factories::new().python(&python).python_actor("tester", &tester);
    let tree = Supervisor::from_toml(FILE, &factories).unwrap().start(&bus).await.unwrap();
    publish(&bus, [11]).await;
    let mut both = told(&mut tolds, 2).await;
    both.sort();
    assert_eq!(both, [(11, "model".to_owned()), (11, "tester".to_owned())]);
    restarted(&bus, 1).await;
    assert_eq!(bus.dead_letters().in_hand, 0, "the file's redelivery counts");
    let typo = FILE.replace("models:Retries", "models:Retires");
    let error = Supervisor::from_toml(&typo, &factories).unwrap_err().to_string();
    assert!(error.starts_with("line 7, column 9: "), "{error}");
    assert!(error.contains("the module models has no Retires: its actors are Model, Retries"), "{error}");
    end(tree, python, bus).await;
}

/// Publishes as fast as its readers take it.
pub(crate) struct Feed;
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for number in 0.. {
            ctx.publish(Tick { number }).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_drain_waits_for_the_handlers_of_python_and_loses_nothing() {
    let _turn = turn().await;
    let (bus, python) = desk("drained");
    let mut tolds = bus.subscriber_with::<Told>(mycelium::Subscription::block().capacity(1 << 16)).unwrap();
    let slow = Child::python("slow", &python.actor("models:Slow").unwrap());
    let tree = root(0).child(slow).service("feed", || Feed).start(&bus).await.unwrap();
    told(&mut tolds, 5).await;
    let drained = tree.drain(WATCHDOG).await.unwrap();
    assert!(drained.to_string().contains("every mailbox empty"), "{drained}");
    let rest = std::iter::from_fn(|| tolds.try_recv().map(|told| told.number)).collect::<Vec<_>>();
    assert!(!rest.is_empty(), "handlers were in flight");
    let stats = bus.stats();
    let ticks = stats.topics.iter().find(|topic| topic.topic == "ticks").unwrap();
    assert_eq!(rest.last().copied(), i64::try_from(ticks.published).ok().map(|published| published - 1));
    assert_eq!(rest, (5..=*rest.last().unwrap()).collect::<Vec<_>>());
    python.close(Duration::from_secs(5)).await.unwrap();
    bus.shutdown().await.unwrap();
}
