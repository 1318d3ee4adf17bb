//! Ends while OCaml runs, and what is used after its end.

use std::time::Duration;

use mycelium::tree::{Child, Health};
use mycelium_embedded::Told;
use mycelium_embedded::checks::{Events, WATCHDOG, numbers, publish, root, told, turn, until};
use mycelium_ocaml::OCamlChild;

use crate::common::{ask, desk, end};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_shutdown_waits_for_the_handler_that_runs() {
    let _turn = turn().await;
    let (bus, ocaml) = desk();
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let slow = Child::ocaml("slow", &ocaml.actor("slow").unwrap());
    let tree = root(0).child(slow).start(&bus).await.unwrap();
    publish(&bus, 1..=40).await;
    told(&mut tolds, 1).await;
    end(tree, ocaml, bus).await;
    let rest: Vec<i64> = std::iter::from_fn(|| tolds.try_recv().map(|told| told.number)).collect();
    assert_eq!(rest, (2..).take(rest.len()).collect::<Vec<_>>(), "in order, and whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_handler_that_does_not_return_is_named_and_holds_up_nothing() {
    let _turn = turn().await;
    let ((bus, ocaml), events) = (desk(), Events::default());
    let stuck = Child::ocaml("stuck", &ocaml.actor("stuck").unwrap());
    let stuck = stuck.health(Health::within(Duration::from_millis(20)));
    let tree = events.of(root(0)).child(stuck).start(&bus).await.unwrap();
    publish(&bus, [13]).await;
    until("its handler runs", || events.all().iter().any(|event| event == "stuck is stuck")).await;
    let error = tree.shutdown_within(Duration::from_millis(50)).await.unwrap_err().to_string();
    assert!(error.contains("root/stuck"), "{error}");
    let error = ocaml.close(Duration::from_millis(50)).await.unwrap_err().to_string();
    assert!(error.contains("actor"), "{error}");
    // Another bus sets it free.
    let (other, of_other) = desk();
    let tree = root(0).child(Child::ocaml("frees", &of_other.actor("frees").unwrap()));
    let tree = tree.start(&other).await.unwrap();
    let mut others = other.subscriber::<Told>().unwrap();
    publish(&other, [1]).await;
    told(&mut others, 1).await;
    end(tree, of_other, other).await;
    ocaml.close(WATCHDOG).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_closed_says_so_to_rust_and_to_ocaml() {
    let _turn = turn().await;
    let ((bus, ocaml), events) = (desk(), Events::default());
    let model = ocaml.actor("model").unwrap();
    let tree = events.of(root(9)).child(model.child("model")).start(&bus).await.unwrap();
    assert_eq!(ask(&ocaml, "root/model", "hello").await.unwrap(), "0 by model: hello");
    let early = ocaml.close(Duration::from_millis(50)).await.unwrap_err().to_string();
    assert!(early.contains("actor"), "{early}");
    for closed in [ocaml.actor("model").unwrap_err(), ocaml.address("root/model").unwrap_err()] {
        assert!(closed.to_string().contains("closed"), "{closed}");
    }
    // The actor lives, and has no bus to publish to any more.
    publish(&bus, [1]).await;
    until("it fails", || events.all().iter().any(|event| event.contains("Mycelium.Error: "))).await;
    assert!(events.all()[0].contains("closed"), "{:?}", events.all());
    tree.shutdown().await.unwrap();
    ocaml.close(WATCHDOG).await.unwrap();
    bus.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_actor_outlives_what_the_program_drops() {
    let _turn = turn().await;
    let (bus, ocaml) = desk();
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let tree = root(9).child(ocaml.actor("model").unwrap().child("model")).start(&bus).await.unwrap();
    drop(ocaml);
    publish(&bus, [1, -1, 2]).await;
    assert_eq!(numbers(&told(&mut tolds, 2).await), [1, 2]);
    tree.shutdown().await.unwrap();
    bus.shutdown().await.unwrap();
}
