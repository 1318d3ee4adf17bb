//! An exception ends a life, and nothing else.

use std::time::Duration;

use mycelium::tree::{Child, Health, Redelivery};
use mycelium_embedded::Told;
use mycelium_embedded::checks::{
    Events, numbers, publish, restarted, root, threads_called, told, turn, until,
};
use mycelium_ocaml::OCamlChild;

use crate::common::{ask, desk, end};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_exception_ends_a_life_with_its_text_and_the_next_message_is_handled() {
    let _turn = turn().await;
    let ((bus, ocaml), events) = (desk(), Events::default());
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let model = Child::ocaml("model", &ocaml.actor("model").unwrap());
    let tree = events.of(root(9)).child(model).start(&bus).await.unwrap();
    let thread = ask(&ocaml, "root/model", "thread").await.unwrap();
    publish(&bus, [1, -1, 2]).await;
    assert_eq!(told(&mut tolds, 2).await, [(1, "model".to_owned()), (2, "model".to_owned())]);
    // The first one counts in a life that is gone.
    assert_eq!(ask(&ocaml, "root/model", "hello").await.unwrap(), "1 by model: hello");
    assert_eq!(ask(&ocaml, "root/model", "thread").await.unwrap(), thread, "a restart stays on its thread");
    let failed = ask(&ocaml, "root/model", "fail").await.unwrap_err();
    assert!(failed.contains("no answer to that"), "{failed}");
    let [reason] = &events.all()[..] else { panic!("{:?}", events.all()) };
    // A backtrace stands behind it.
    for part in ["model exited: failed: Dune__exe__Desk.Not_a_number(-1)\n", "desk.ml"] {
        assert!(reason.contains(part), "{part:?} in {reason}");
    }
    restarted(&bus, 1).await;
    assert_eq!(bus.dead_letters().in_hand, 1);
    end(tree, ocaml, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_exit_of_ocaml_ends_a_life_and_not_the_process() {
    let _turn = turn().await;
    let ((bus, ocaml), events) = (desk(), Events::default());
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let model = Child::ocaml("model", &ocaml.actor("model").unwrap());
    let tree = events.of(root(9)).child(model).start(&bus).await.unwrap();
    publish(&bus, [-2, -2, 1]).await;
    assert_eq!(numbers(&told(&mut tolds, 1).await), [1]);
    let reasons = events.all();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons.iter().all(|reason| reason.contains("exit would end the Rust program")), "{reasons:?}");
    end(tree, ocaml, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ten_thousand_restarts_leave_no_thread_and_no_state() {
    const TIMES: u32 = 10_000;
    /// What OCaml may have more of at the end, of lives of which each has more than ten (words).
    const MORE: i64 = 10_000;
    let _turn = turn().await;
    let (bus, ocaml) = desk();
    until("those of other tests have gone", || threads_called("model") == 0).await;
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let child = Child::ocaml("model", &ocaml.actor("model").unwrap());
    let tree = root(2 * TIMES).child(child).start(&bus).await.unwrap();
    let words = async || ask(&ocaml, "root/model", "words").await.unwrap().parse::<i64>().unwrap();
    publish(&bus, [-1, 1]).await;
    told(&mut tolds, 1).await;
    assert_eq!(threads_called("model"), 1);
    let before = words().await;
    for _ in 0..TIMES / 100 {
        publish(&bus, (0..100).map(|_| -1).chain([2])).await;
        assert_eq!(numbers(&told(&mut tolds, 1).await), [2], "the next message is handled");
    }
    restarted(&bus, u64::from(TIMES) + 1).await;
    assert_eq!(threads_called("model"), 1);
    let more = words().await - before;
    assert!(more < MORE, "{more} words more");
    end(tree, ocaml, bus).await;
    until("its thread has gone", || threads_called("model") == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn redelivery_and_health_are_those_of_any_child() {
    let _turn = turn().await;
    let ((bus, ocaml), events) = (desk(), Events::default());
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let retries = Child::ocaml("retries", &ocaml.actor("retries").unwrap());
    let retries = retries.redelivery(Redelivery::Retry { attempts: 2 });
    let tree = events.of(root(9)).child(retries).start(&bus).await.unwrap();
    publish(&bus, [7]).await;
    assert_eq!(numbers(&told(&mut tolds, 1).await), [7], "its second life has handled it");
    restarted(&bus, 1).await;
    assert_eq!(bus.dead_letters().in_hand, 0);
    // A thread that OCaml keeps cannot be taken back: the probe tells of it.
    let stuck = Child::ocaml("stuck", &ocaml.actor("stuck").unwrap());
    let stuck = stuck.health(Health::within(Duration::from_millis(20)));
    tree.start_child("root", stuck).await.unwrap();
    publish(&bus, [13]).await;
    until("it is stuck", || events.all().iter().any(|event| event == "stuck is stuck")).await;
    tree.start_child("root", Child::ocaml("frees", &ocaml.actor("frees").unwrap())).await.unwrap();
    publish(&bus, [14]).await;
    until("all is handled", || {
        let mut next = || tolds.try_recv().map(|told| (told.number, told.by.to_string()));
        std::iter::from_fn(&mut next).any(|told| told == (14, "stuck".to_owned()))
    })
    .await;
    end(tree, ocaml, bus).await;
}
