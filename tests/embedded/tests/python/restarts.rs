//! An exception ends a life, and nothing else.

use std::fs;
use std::time::Duration;

use mycelium::tree::{Child, Health, Redelivery};
use mycelium_embedded::{Told, Words};
use mycelium_python::pyo3::prelude::*;
use mycelium_python::{Encoded, PythonChild};

use crate::common::{
    Events, WATCHDOG, count, desk, end, numbers, publish, restarted, root, threads_called, told, turn, until,
};

/// The answer of the actor at this path.
async fn ask(python: &mycelium_python::PythonRuntime, path: &str, text: &str) -> String {
    let query = Encoded::of(&Words { text: text.into() }).unwrap();
    let asked = python.address(path).unwrap();
    let answer = tokio::time::timeout(WATCHDOG, asked.asked(query)).await.expect("it answers").unwrap();
    answer.decode::<Words>().unwrap().text.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_exception_ends_a_life_with_its_traceback_and_the_next_message_is_handled() {
    let _turn = turn().await;
    let ((bus, python), events) = (desk("fails"), Events::default());
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let model = python.actor_with("models:Model", [("by", "tester".into())]).unwrap();
    let tree = events.of(root(9)).child(Child::python("model", &model)).start(&bus).await.unwrap();
    let thread = ask(&python, "root/model", "thread").await;
    publish(&bus, [1, -1, 2]).await;
    assert_eq!(told(&mut tolds, 2).await, [(1, "tester".to_owned()), (2, "tester".to_owned())]);
    // The first one counts in a life that is gone.
    assert_eq!(ask(&python, "root/model", "hello").await, "1 by tester: hello");
    assert_eq!(ask(&python, "root/model", "thread").await, thread, "a restart stays on its thread");
    assert_eq!(
        ask(&python, "root/model", "runtime").await,
        "True",
        "`mycelium.host()` is `self.ctx.runtime`"
    );
    let [reason] = &events.all()[..] else { panic!("{:?}", events.all()) };
    for part in
        ["model exited: failed: Traceback", "models.py", "in fails", "ValueError: -1 is no number to work on"]
    {
        assert!(reason.contains(part), "{part} in {reason}");
    }
    restarted(&bus, 1).await;
    assert_eq!(bus.dead_letters().in_hand, 1);
    end(tree, python, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_would_end_a_python_program_is_a_reason_too() {
    let _turn = turn().await;
    let ((bus, python), events) = (desk("exits"), Events::default());
    assert_eq!(caught_signals() & (1 << 1), 0, "SIGINT, the signal 2, has no handler");
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let child = Child::python("model", &python.actor("models:Model").unwrap());
    let tree = events.of(root(9)).child(child).start(&bus).await.unwrap();
    publish(&bus, [-2, -3, 1]).await;
    assert_eq!(numbers(&told(&mut tolds, 1).await), [1]);
    let reasons = events.all();
    assert!(reasons[0].contains("SystemExit: it wants to end the process"), "{reasons:?}");
    assert!(reasons[1].contains("KeyboardInterrupt"), "{reasons:?}");
    end(tree, python, bus).await;
}

/// The signals that this process has handlers for: the lowest bit is that of signal 1.
fn caught_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("Linux tells of them");
    u64::from_str_radix(caught.trim(), 16).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_thousand_restarts_leave_no_thread_and_no_reference() {
    const TIMES: u32 = 1_000;
    let _turn = turn().await;
    let (bus, python) = desk("often");
    // Nobody waits for the thread of a start that has failed, in a test before.
    let none = || threads_called("model") == 0 && count("attached") == 0 && count("living") == 0;
    until("those of other tests have gone", none).await;
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let child = Child::python("model", &python.actor("models:Model").unwrap());
    let tree = root(2 * TIMES).child(child).start(&bus).await.unwrap();
    publish(&bus, [-1, 1]).await;
    told(&mut tolds, 1).await;
    assert_eq!((count("living"), count("attached"), threads_called("model")), (1, 1, 1));
    for _ in 0..TIMES / 100 {
        publish(&bus, (0..100).map(|_| -1).chain([2])).await;
        assert_eq!(numbers(&told(&mut tolds, 1).await), [2], "the next message is handled");
    }
    restarted(&bus, u64::from(TIMES) + 1).await;
    assert_eq!((count("living"), count("attached"), threads_called("model")), (1, 1, 1));
    end(tree, python, bus).await;
    until("its thread has gone", || count("attached") == 0 && count("living") == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn redelivery_and_health_are_those_of_any_child() {
    let _turn = turn().await;
    let ((bus, python), events) = (desk("cared"), Events::default());
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let retries = Child::python("retries", &python.actor("models:Retries").unwrap());
    let tree = events
        .of(root(9))
        .child(retries.redelivery(Redelivery::Retry { attempts: 2 }))
        .start(&bus)
        .await
        .unwrap();
    publish(&bus, [7]).await;
    assert_eq!(numbers(&told(&mut tolds, 1).await), [7], "its second life has handled it");
    restarted(&bus, 1).await;
    assert_eq!(bus.dead_letters().in_hand, 0);
    // A thread that Python keeps cannot be taken back: the probe tells of it, and names the message.
    let set_free = |free: bool| {
        Python::attach(|py| {
            py.import("models").unwrap().getattr("Stuck").unwrap().setattr("free", free).unwrap();
        });
    };
    set_free(false);
    let stuck = Child::python("stuck", &python.actor("models:Stuck").unwrap());
    tree.start_child("root", stuck.health(Health::within(Duration::from_millis(50)))).await.unwrap();
    publish(&bus, [13]).await;
    until("the probe tells of it", || events.all().iter().any(|line| line.starts_with("stuck is stuck")))
        .await;
    set_free(true);
    while told(&mut tolds, 1).await != [(13, "stuck".to_owned())] {}
    end(tree, python, bus).await;
}
