//! One bus for both languages, trees in TOML, and several buses with one OCaml.

use std::time::Duration;

use mycelium::tree::{Child, Factories};
use mycelium::{Actor, BoxError, Context, Responder, Supervisor};
use mycelium_embedded::checks::{WATCHDOG, publish, restarted, root, told, turn};
use mycelium_embedded::{Told, Words};
use mycelium_ocaml::{Exposed, OCamlChild, OCamlFactories};

use crate::common::{desk, end};

/// A Rust actor, that OCaml asks.
struct Clerk;
impl Actor for Clerk {
    type Error = BoxError;
}
impl Responder<Words> for Clerk {
    type Reply = Words;
    async fn answer(&mut self, query: &Words, _: &mut Context<Self>) -> Words {
        Words { text: format!("Rust has heard {}", query.text) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ocaml_asks_rust_and_hears_the_bus_of_the_program() {
    let _turn = turn().await;
    let (bus, ocaml) = desk();
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let asks = Child::ocaml("asks", &ocaml.actor("asks").unwrap());
    let tree = root(0).child(Child::actor("clerk", || Clerk)).child(asks).start(&bus).await.unwrap();
    let clerk = tree.lookup::<Clerk>("root/clerk").unwrap();
    ocaml.expose("rust", Exposed::new().answers::<Words, Words>(clerk.reply_recipient()));
    publish(&bus, [3, 4]).await;
    let both = told(&mut tolds, 2).await;
    assert_eq!(both, [(3, "Rust has heard 3".to_owned()), (4, "Rust has heard 4".to_owned())]);
    // Its `configure` subscribes by itself.
    let hears = ocaml.actor("hears").unwrap();
    let words = bus.publisher::<Words>().unwrap();
    words.publish(Words { text: "it".into() }).await.unwrap();
    assert_eq!(told(&mut tolds, 1).await, [(0, "heard it".to_owned())]);
    tree.shutdown().await.unwrap();
    ocaml.close(WATCHDOG).await.unwrap();
    words.publish(Words { text: "nobody hears it".into() }).await.unwrap();
    assert!(tolds.try_recv().is_none(), "a close ends what OCaml has begun");
    drop(hears);
    bus.shutdown().await.unwrap();
}

const FILE: &str = r#"
[tree]
intensity = 9

[[tree.children]]
id = "plain"
actor = "ocaml:retries"
redelivery_attempts = 2
backoff = { initial_ms = 0, cap_ms = 0 }
thread = {}

[[tree.children]]
id = "model"
actor = "ocaml:model"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tree_in_toml_names_actors_of_ocaml() {
    let _turn = turn().await;
    let (bus, ocaml) = desk();
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let factories = Factories::new().ocaml(&ocaml);
    let tree = Supervisor::from_toml(FILE, &factories).unwrap().start(&bus).await.unwrap();
    publish(&bus, [11]).await;
    let mut both = told(&mut tolds, 2).await;
    both.sort();
    assert_eq!(both, [(11, "model".to_owned()), (11, "retries".to_owned())]);
    restarted(&bus, 1).await;
    assert_eq!(bus.dead_letters().in_hand, 0, "the file's redelivery counts");
    let typo = FILE.replace("ocaml:retries", "ocaml:retires");
    let error = Supervisor::from_toml(&typo, &factories).unwrap_err().to_string();
    assert!(error.starts_with("line 7, column 9: "), "{error}");
    assert!(error.contains("no actor of OCaml is registered as \"retires\""), "{error}");
    end(tree, ocaml, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn buses_of_one_process_do_not_know_of_each_other() {
    let _turn = turn().await;
    let ((left, of_left), (right, of_right)) = (desk(), desk());
    let start = async |bus: &mycelium::MessageBus, ocaml: &mycelium_ocaml::OCamlRuntime| {
        root(0).child(Child::ocaml("model", &ocaml.actor("model").unwrap())).start(bus).await.unwrap()
    };
    let (tree_left, tree_right) = (start(&left, &of_left).await, start(&right, &of_right).await);
    let (mut on_left, mut on_right) =
        (left.subscriber::<Told>().unwrap(), right.subscriber::<Told>().unwrap());
    publish(&left, [1]).await;
    publish(&right, [2]).await;
    assert_eq!(told(&mut on_left, 1).await, [(1, "model".to_owned())]);
    assert_eq!(told(&mut on_right, 1).await, [(2, "model".to_owned())]);
    assert!(on_left.try_recv().is_none() && on_right.try_recv().is_none());
    end(tree_left, of_left, left).await;
    publish(&right, [3]).await;
    assert_eq!(told(&mut on_right, 1).await, [(3, "model".to_owned())], "the other one goes on");
    end(tree_right, of_right, right).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_drain_waits_for_the_handlers_of_ocaml_and_loses_nothing() {
    let _turn = turn().await;
    let (bus, ocaml) = desk();
    let mut tolds = bus.subscriber_with::<Told>(mycelium::Subscription::block().capacity(1 << 16)).unwrap();
    let slow = Child::ocaml("slow", &ocaml.actor("slow").unwrap());
    let tree = root(0).child(slow).start(&bus).await.unwrap();
    publish(&bus, 0..50).await;
    let drained = tree.drain(WATCHDOG).await.unwrap();
    assert!(drained.to_string().contains("every mailbox empty"), "{drained}");
    let all: Vec<i64> = std::iter::from_fn(|| tolds.try_recv().map(|told| told.number)).collect();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
    ocaml.close(Duration::from_secs(5)).await.unwrap();
    bus.shutdown().await.unwrap();
}
