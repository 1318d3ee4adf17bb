//! Handlers that keep the interpreter or the stack, and programs that drop what they have.

use std::ffi::CStr;
use std::io::{Write as _, pipe};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use mycelium::tree::{Child, Factories};
use mycelium::{MessageBus, OwnThread, Subscription, Supervisor};
use mycelium_embedded::{CONTRACT, Tick, Told};
use mycelium_python::pyo3::prelude::*;
use mycelium_python::pyo3::types::{PyDict, PyList};
use mycelium_python::{PythonChild, PythonFactories, PythonRuntime};

use crate::common::{Events, WATCHDOG, count, desk, end, numbers, publish, root, told, turn, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_recursion_without_end_ends_a_life_and_not_the_process() {
    let _turn = turn().await;
    let ((bus, python), events) = (desk("deep"), Events::default());
    // Nobody waits for the thread of a start that has failed, in a test before.
    until("those of other tests have gone", || count("attached") == 0).await;
    let mut tolds = bus.subscriber::<Told>().unwrap();
    // A thread of the program's choice is one of Python's too.
    let child = Child::python("deep", &python.actor("models:Deep").unwrap()).on_thread(OwnThread::new("own"));
    let tree = events.of(root(9)).child(child).start(&bus).await.unwrap();
    publish(&bus, [-1, 1]).await;
    assert_eq!(numbers(&told(&mut tolds, 1).await), [1]);
    let reasons = events.all();
    assert!(reasons.len() == 1 && reasons[0].contains("RecursionError"), "{reasons:?}");
    assert_eq!(count("attached"), 1, "its thread is attached");
    end(tree, python, bus).await;
}

const BUSY: &str = r#"
[tree]

[[tree.children]]
id = "busy"
actor = "python:models:Model"
thread = { busy_polling = true }

[[tree.children]]
id = "idle"
actor = "python:models:Slow"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_actor_that_polls_busily_leaves_python_to_others() {
    let _turn = turn().await;
    let (bus, python) = desk("busy");
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let tree = Supervisor::from_toml(BUSY, &Factories::new().python(&python)).unwrap();
    let tree = tree.start(&bus).await.unwrap();
    publish(&bus, [1, 2]).await;
    let mut all = told(&mut tolds, 4).await;
    all.sort();
    let of = |number: i64, by: &str| (number, by.to_owned());
    assert_eq!(all, [of(1, "model"), of(1, "slow"), of(2, "model"), of(2, "slow")]);
    end(tree, python, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_handler_that_keeps_the_interpreter_keeps_neither_a_close_nor_a_drop() {
    let _turn = turn().await;
    let (bus, python) = desk("kept");
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let child = Child::python("keeps", &python.actor("models:Keeps").unwrap());
    let tree = root(0).child(child).start(&bus).await.unwrap();
    let (reads, mut writes) = pipe().unwrap();
    let (begins, mut begun) = (reads.as_raw_fd(), bus.subscriber::<mycelium_embedded::Tick>().unwrap());
    publish(&bus, [i64::from(begins)]).await;
    begun.recv().await.unwrap();
    // The message is on its way. Nothing says from inside that the lock is kept: only that nobody else gets
    // it.
    let watch = Instant::now();
    loop {
        let error = python.close(Duration::from_millis(10)).await.unwrap_err().to_string();
        if error.contains("keeps the interpreter") {
            break;
        }
        assert!(error.contains("shut their trees down before `close`"), "{error}");
        assert!(watch.elapsed() < WATCHDOG, "the handler has not begun");
    }
    drop(python);
    writes.write_all(b"!").unwrap();
    assert_eq!(numbers(&told(&mut tolds, 1).await), [i64::from(begins)]);
    tree.shutdown().await.unwrap();
    bus.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_actor_has_its_host_when_the_program_has_dropped_it() {
    let _turn = turn().await;
    let (bus, python) = desk("dropped");
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let child = Child::python("hosted", &python.actor("models:Hosted").unwrap());
    let tree = root(0).child(child).start(&bus).await.unwrap();
    drop(python);
    publish(&bus, [1]).await;
    assert_eq!(told(&mut tolds, 1).await, [(1, "dropped".to_owned())]);
    let other = MessageBus::builder().contract(CONTRACT).build();
    let start = || PythonRuntime::builder(&other).contract(CONTRACT).name("dropped").start();
    let taken = start().unwrap_err().to_string();
    assert!(taken.contains("another bus of this process has the name 'dropped'"), "{taken}");
    tree.shutdown().await.unwrap();
    drop(tree);
    // The name is free again with the last actor.
    let mut second = None;
    until("the name is free", || {
        second = start().ok();
        second.is_some()
    })
    .await;
    until("the actor has gone", || count("living") == 0).await;
    second.unwrap().close(WATCHDOG).await.unwrap();
    bus.shutdown().await.unwrap();
}

/// Of the subscriptions of a program's bus one is waited for in a loop, one by an event loop, and nobody
/// reads the others.
const READERS: &CStr = c"
import asyncio, mycelium, threading, messages
rt = mycelium.host('readers')
made = [rt.subscribe(messages.Tick, capacity=2) for _ in range(3)]
made.append(rt.subscribe_array(messages.Tick, capacity=2))
ended = []
def loop():
    ended.append([tick.number for tick in made[0]])
async def events():
    ended.append([tick.number async for tick in made[1]])
threads = [threading.Thread(target=loop), threading.Thread(target=lambda: asyncio.run(events()))]
for thread in threads:
    thread.start()
";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_subscription_keeps_no_publisher_of_the_program_waiting_once_its_runtime_is_closed() {
    let _turn = turn().await;
    let (bus, python) = desk("readers");
    let scope = Python::attach(|py| {
        let scope = PyDict::new(py);
        py.run(READERS, Some(&scope), None).unwrap();
        scope.unbind()
    });
    publish(&bus, [1, 2]).await;
    let ticks = bus.publisher::<Tick>().unwrap();
    assert!(ticks.try_publish(Tick { number: 3 }).is_err(), "two of them are full");
    python.close(WATCHDOG).await.unwrap();
    for number in 3..9 {
        ticks.try_publish(Tick { number }).unwrap();
    }
    let told = Python::attach(|py| {
        let check = c"
for thread in threads:
    thread.join()
assert ended == [[1, 2], [1, 2]], ended
assert [tick.number for tick in made[2]] == [1, 2]
assert [batch['number'].tolist() for batch in made[3]] == [[1, 2]]
try:
    rt.subscribe(messages.Tick)
    raise AssertionError('it is closed')
except mycelium.ClosedError:
    pass
";
        py.run(check, Some(scope.bind(py)), None).map_err(|error| error.to_string())
    });
    assert_eq!(told, Ok(()));
    bus.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_name_is_free_at_once_whatever_python_knows_yet() {
    let _turn = turn().await;
    let (bus, mut python) = desk("again");
    for _ in 0..200 {
        // The thread that cleans Python's own table does not get the interpreter meanwhile.
        python = Python::attach(|_| {
            drop(python);
            desk("again").1
        });
    }
    let found = Python::attach(|py| py.import("mycelium").unwrap().call_method1("host", ("again",)).is_ok());
    assert!(found, "no thread of those before has taken the name from the last one");
    python.close(WATCHDOG).await.unwrap();
    bus.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_close_that_kills_trees_of_python_names_them() {
    let _turn = turn().await;
    let (bus, python) = desk("killed");
    Python::attach(|py| py.import("models").unwrap().call_method1("start_stuck", ("killed", 2)).map(drop))
        .unwrap();
    publish(&bus, [13]).await;
    until("both handlers have begun", || count("stuck") == 2).await;
    // They give the interpreter's lock back, and end when they like: each tree takes what a kill may take.
    let error = python.close(Duration::from_millis(10)).await.unwrap_err().to_string();
    for part in ["stuck-0", "stuck-1", "have their callbacks return"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(!error.contains("keeps the interpreter"), "{error}");
    Python::attach(|py| {
        py.import("models").unwrap().getattr("Stuck").unwrap().setattr("free", true).unwrap();
    });
    until("their threads have gone", || count("attached") == 0).await;
    bus.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_actor_that_python_is_closed_before_publishes_on_and_waits_for_room() {
    let _turn = turn().await;
    let ((bus, python), events) = (desk("works on"), Events::default());
    let mut tolds = bus.subscriber_with::<Told>(Subscription::block().capacity(1)).unwrap();
    let child = Child::python("model", &python.actor("models:Model").unwrap());
    let tree = events.of(root(0)).child(child).start(&bus).await.unwrap();
    let error = python.close(Duration::from_millis(10)).await.unwrap_err().to_string();
    assert!(error.contains("shut their trees down before `close`"), "{error}");
    publish(&bus, [1, 2, 3]).await;
    // Longer than Python waits before it looks round.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(numbers(&told(&mut tolds, 3).await), [1, 2, 3]);
    assert!(events.all().is_empty(), "{:?}", events.all());
    tree.shutdown().await.unwrap();
    bus.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_close_before_the_tree_says_so_and_nothing_is_left_of_a_bus() {
    let _turn = turn().await;
    let (bus, python) = desk("early");
    let watched = Python::attach(|py| {
        let into = PyList::empty(py);
        let models = py.import("models").unwrap();
        models.call_method1("hear", ("early", &into)).unwrap();
        models.call_method1("watch", ("early",)).unwrap().unbind()
    });
    let model = python.actor("models:Model").unwrap();
    let tree = root(0).child(Child::python("model", &model)).start(&bus).await.unwrap();
    let error = python.close(Duration::from_millis(10)).await.unwrap_err().to_string();
    assert!(error.contains("shut their trees down before `close`"), "{error}");
    tree.shutdown().await.unwrap();
    python.close(WATCHDOG).await.unwrap();
    drop((python, model, tree));
    bus.shutdown().await.unwrap();
    let gone = || {
        Python::attach(|py| {
            py.import("gc").unwrap().call_method0("collect").unwrap();
            watched.call0(py).unwrap().is_none(py)
        })
    };
    until("Python has nothing of the bus any more", gone).await;
}
