//! Nodes whose trees are declared in files of their own.

use std::path::Path;
use std::sync::Arc;

use mycelium::topology::{self, LocalNode, NodeServices};
use mycelium::tree::{Child, Factories, Tree};
use mycelium::{Actor, BoxError, Context, Exposed, Handler, MessageBus, PublisherTo, Supervisor};

use crate::common::on_every_runtime;
use crate::kit::{Contract, Order, until_wanted};
use crate::{Execution, Market, Orders, Strategy, TICKS, TopologyFile, retaining, until};

/// It is exposed under the id of its child, and counts what it is told.
struct Limits(Orders);
impl Actor for Limits {
    type Error = BoxError;
}
impl Handler<Order> for Limits {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(order.n);
        Ok(())
    }
}

/// All kinds of children of the program.
fn kinds(orders: &Orders, told: &Orders) -> Factories {
    let (orders, told) = (Arc::clone(orders), Arc::clone(told));
    Factories::new()
        .service("market", || Market)
        .actor("strategy", || Strategy)
        .actor("execution", move || Execution(Arc::clone(&orders)))
        .child("limits", move |id| {
            let told = Arc::clone(&told);
            Child::exposed(id, move || Limits(Arc::clone(&told)), |it| Exposed::new().takes::<Order>(it))
        })
}

const TREE: &str = "\
[tree]
id = \"floor\"
strategy = \"rest_for_one\"

[[tree.children]]
id = \"risk-limits\"
actor = \"limits\"

[[tree.children]]
id = \"orders\"
type = \"supervisor\"
[[tree.children.children]]
id = \"journal\"
actor = \"execution\"

[[tree.children]]
id = \"strategy\"
actor = \"strategy\"
";

/// A node with a tree of its own, and one without.
fn file(mode: &str, tree: &str) -> TopologyFile {
    let file = TopologyFile::new(&format!(
        "socket_dir = \"run\"\n[deployment]\nmode = \"{mode}\"\n\
         [[nodes]]\nname = \"desk\"\nservices = [\"risk-limits\", \"strategy\"]\ntree = \"trees/desk.toml\"\n\
         [[nodes]]\nname = \"exchange\"\nservices = [\"market\"]\n"
    ));
    let trees = file.parent().unwrap().join("trees");
    std::fs::create_dir_all(&trees).unwrap();
    std::fs::write(trees.join("desk.toml"), tree).unwrap();
    file
}

async fn start(file: &Path, name: &str, services: impl NodeServices) -> (MessageBus, Tree) {
    LocalNode::open(file, name).unwrap().start(retaining(), services).await.unwrap()
}

/// Publishes once somebody is there: another node hears of it a moment later.
async fn tell(service: &PublisherTo<Order>, n: u64) {
    while service.publish(Order { n }).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_node_runs_the_tree_that_its_file_declares_and_others_reach_its_services() {
    on_every_runtime(|| async {
        let (orders, told) = (Orders::default(), Orders::default());
        let kinds = kinds(&orders, &told);
        let file = file("bundled", TREE);
        let (desk, desk_tree) = start(&file, "strategy", &kinds).await;
        let (exchange, exchange_tree) = start(&file, "exchange", &kinds).await;

        assert!(desk_tree.lookup::<Execution>("floor/orders/journal").is_some());
        assert_eq!(desk_tree.count_children("floor").await.unwrap().active, 3);
        assert_eq!(exchange_tree.count_children("exchange").await.unwrap().active, 1);
        tell(&exchange.publisher_to("risk-limits").unwrap(), 7).await;
        until(|| *told.lock().unwrap() == [7]).await;
        until(|| orders.lock().unwrap().len() as u64 == TICKS.div_ceil(3)).await;
        for (bus, tree) in [(exchange, exchange_tree), (desk, desk_tree)] {
            tree.shutdown().await.unwrap();
            let _ended = bus.shutdown().await;
        }
    });
}

#[test]
fn in_a_monolith_the_tree_of_each_node_is_a_supervisor_with_its_name() {
    on_every_runtime(|| async {
        let (orders, told) = (Orders::default(), Orders::default());
        let (bus, tree) = start(&file("monolith", TREE), "market", kinds(&orders, &told)).await;
        assert_eq!(tree.count_children("monolith").await.unwrap().active, 2);
        assert!(tree.lookup::<Execution>("monolith/desk/orders/journal").is_some());
        tell(&bus.publisher_to("risk-limits").unwrap(), 8).await;
        until(|| *told.lock().unwrap() == [8]).await;
        until(|| orders.lock().unwrap().len() as u64 == TICKS.div_ceil(3)).await;
        tree.shutdown().await.unwrap();
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn an_exposed_child_of_a_declared_tree_is_found_again_after_its_restart() {
    on_every_runtime(|| async {
        let (orders, told) = (Orders::default(), Orders::default());
        let kinds = kinds(&orders, &told);
        let file = file("bundled", TREE);
        let (desk, tree) = start(&file, "desk", &kinds).await;
        let exchange = MessageBus::from_topology(&file, "market", Contract).unwrap();
        until_wanted(&exchange, "desk", &["Tick", "Order"]).await;
        let limits = exchange.publisher_to::<Order>("risk-limits").unwrap();
        tell(&limits, 1).await;
        until(|| *told.lock().unwrap() == [1]).await;
        tree.terminate_child("floor/risk-limits").await.unwrap();
        tree.restart_child("floor/risk-limits").await.unwrap();
        tell(&limits, 2).await;
        until(|| *told.lock().unwrap() == [1, 2]).await;
        tree.shutdown().await.unwrap();
        let _ended = exchange.shutdown().await;
        let _ended = desk.shutdown().await;
    });
}

#[tokio::test]
async fn mistakes_of_a_tree_say_in_which_file_they_are_and_what_to_do() {
    let (orders, told) = (Orders::default(), Orders::default());
    let kinds = kinds(&orders, &told);
    let rows = [
        (
            TREE.replace("actor = \"strategy\"", "actor = \"stratgy\""),
            "TREE: line 18, column 9: no actor `stratgy` is registered; did you mean `strategy`? (the tree of `desk`)",
        ),
        (
            TREE.replace("strategy = \"rest_for_one\"", "stratgy = 1"),
            "TREE: line 3, column 1: unknown key `stratgy` in [tree]; did you mean `strategy`? (the tree of `desk`)",
        ),
        (
            TREE.replace("\"risk-limits\"", "\"risk-limit\""),
            "FILE: line 7, column 8: `desk` runs the service `risk-limits`, and the root of its tree, TREE, has no child \
             of this id; did you mean `risk-limit`?",
        ),
    ];
    let named = |file: &TopologyFile, text: String| {
        let tree = file.parent().unwrap().join("trees/desk.toml");
        text.replace(&tree.display().to_string(), "TREE").replace(&file.display().to_string(), "FILE")
    };
    for (number, (tree, expected)) in rows.iter().enumerate() {
        let file = file("bundled", tree);
        let node = LocalNode::open(&file, "desk").unwrap();
        let started = node.start(retaining(), &kinds).await.map(drop).unwrap_err();
        assert_eq!(named(&file, started.to_string()), *expected);
        let checked = topology::check_trees(&file, node.topology());
        // What a program registers, nobody else knows.
        match number {
            0 => checked.unwrap(),
            _ => assert_eq!(named(&file, checked.unwrap_err().to_string()), *expected),
        }
    }

    let file = file("bundled", TREE);
    let node = LocalNode::open(&file, "desk").unwrap();
    let built = node.start(retaining(), Supervisor::builder("desk")).await.map(drop).unwrap_err();
    assert_eq!(
        named(&file, built.to_string()),
        "FILE: line 7, column 8: the tree of `desk` is declared in a file, and the program has built one: give \
         `LocalNode::run` `Factories`, or take `tree` out"
    );
    let few = Factories::new().service("markt", || Market);
    let exchange = LocalNode::open(&file, "exchange").unwrap();
    let unknown = exchange.start(retaining(), few).await.map(drop).unwrap_err();
    assert_eq!(
        named(&file, unknown.to_string()),
        "FILE: the node `exchange` runs the service `market`, which the program does not have; did you mean `markt`?"
    );
    std::fs::remove_file(file.parent().unwrap().join("trees/desk.toml")).unwrap();
    for error in [
        node.start(retaining(), &kinds).await.map(drop).unwrap_err(),
        topology::check_trees(&file, node.topology()).unwrap_err(),
    ] {
        assert_eq!(
            named(&file, error.to_string()),
            "FILE: line 7, column 8: cannot read the tree of `desk`, TREE: No such file or directory (os error 2): \
             relative paths begin at the directory of this file"
        );
    }
}
