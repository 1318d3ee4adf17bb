//! Methods that do not return, and the probe that finds them.

use std::io::{Write as _, pipe};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use mycelium::tree::{Child, Health};
use mycelium_embedded::{Told, Words};
use mycelium_python::{Encoded, PythonChild};

use crate::common::{
    Events, count, desk, end, numbers, publish, restarted, root, threads_called, told, turn, until,
};

/// Longer than a machine may hold up a thread that does nothing wrong: Python is interrupted there too.
const LIMIT: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_endless_loop_is_interrupted_and_the_actor_restarted_on_its_thread() {
    let _turn = turn().await;
    let ((bus, python), events) = (desk("hangs"), Events::default());
    until("those of other tests have gone", || count("attached") == 0).await;
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let child = |id| Child::python(id, &python.actor("models:Hangs").unwrap());
    let other = Child::python("other", &python.actor("models:Model").unwrap());
    let tree = events.of(root(9)).child(child("hangs").health(Health::within(LIMIT).restart())).child(other);
    let tree = tree.start(&bus).await.unwrap();
    publish(&bus, [13, 14]).await;
    let mut all = told(&mut tolds, 3).await;
    all.sort();
    let said = |number, by: &str| (number, by.to_owned());
    assert_eq!(all, [said(13, "model"), said(14, "hangs"), said(14, "model")], "others go on");
    restarted(&bus, 1).await;
    assert_eq!(bus.dead_letters().in_hand, 1);
    let found = events.all();
    let [stuck, reason] = &found[..] else { panic!("{found:?}") };
    assert_eq!(stuck, "hangs is stuck");
    for part in [
        "hangs exited: failed: stuck for",
        "from topic ticks, whose handler keeps its thread\nTraceback",
        "models.py",
        "in tick",
        "Stuck",
    ] {
        assert!(reason.contains(part), "{part:?} in {reason}");
    }
    // A question hangs: whoever asks has an error, and the actor is restarted all the same.
    let query = Encoded::of(&Words { text: "hang".into() }).unwrap();
    let asked = python.address("root/hangs").unwrap().asked(query).await;
    assert!(asked.unwrap_err().to_string().contains("stuck for"));
    restarted(&bus, 2).await;
    assert_eq!((threads_called("hangs"), count("attached")), (1, 2), "no thread is left behind");
    end(tree, python, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wait_outside_of_python_is_reported_and_the_restart_comes_when_it_is_over() {
    let _turn = turn().await;
    let ((bus, python), events) = (desk("waits"), Events::default());
    until("those of other tests have gone", || count("attached") == 0).await;
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let child = Child::python("hangs", &python.actor("models:Hangs").unwrap());
    let other = Child::python("other", &python.actor("models:Model").unwrap());
    let tree = events.of(root(9)).child(child.health(Health::within(LIMIT).restart())).child(other);
    let tree = tree.start(&bus).await.unwrap();
    let (reads, mut writes) = pipe().unwrap();
    let number = i64::from(reads.as_raw_fd()) + 100;
    let ended = count("ended");
    publish(&bus, [number]).await;
    until("the probe tells of it", || events.all() == ["hangs is stuck"]).await;
    publish(&bus, [1, 2]).await;
    // Its thread cannot be taken: it is the actor's still, and what comes waits. Others go on.
    assert_eq!(numbers(&told(&mut tolds, 3).await), [number, 1, 2]);
    until("the exception is set", || count("ended") > ended).await;
    assert_eq!((bus.stats().restarts, tolds.try_recv().is_none(), threads_called("hangs")), (0, true, 1));
    writes.write_all(b"!").unwrap();
    assert_eq!(numbers(&told(&mut tolds, 2).await), [1, 2], "the next life handles what has waited");
    restarted(&bus, 1).await;
    assert!(events.all()[1].starts_with("hangs exited: failed: stuck for"), "{:?}", events.all());
    assert_eq!(bus.dead_letters().in_hand, 1);
    end(tree, python, bus).await;
}
