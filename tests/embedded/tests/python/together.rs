//! One bus for both languages, and several buses in one interpreter.

use std::io::{Write as _, pipe};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mycelium::tree::Child;
use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Responder};
use mycelium_embedded::{CONTRACT, Told, Words};
use mycelium_python::pyo3::prelude::*;
use mycelium_python::pyo3::types::PyList;
use mycelium_python::{Exposed, PythonChild, PythonRuntime};

use crate::common::{WATCHDOG, desk, end, publish, root, told, turn, until};

/// A Rust actor, that Python asks and whose bus it shares.
struct Clerk(Arc<AtomicI64>);
impl Actor for Clerk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut mycelium::Subscriptions<Self>) {
        topics.on::<Told>();
    }
}
impl Handler<Told> for Clerk {
    async fn handle(&mut self, told: &Told, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.fetch_add(told.number, Ordering::SeqCst);
        Ok(())
    }
}
impl Responder<Words> for Clerk {
    type Reply = Words;
    async fn answer(&mut self, query: &Words, _: &mut Context<Self>) -> Words {
        Words { text: format!("Rust has heard {}", query.text) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn python_asks_rust_and_hears_the_bus_of_the_program() {
    let _turn = turn().await;
    let (bus, python) = desk("shared");
    let sum = Arc::new(AtomicI64::new(0));
    let heard = Arc::clone(&sum);
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let asks = Child::python("asks", &python.actor("models:Asks").unwrap());
    let clerk = Child::actor("clerk", move || Clerk(Arc::clone(&heard)));
    let tree = root(0).child(clerk).child(asks).start(&bus).await.unwrap();
    let clerk = tree.lookup::<Clerk>("root/clerk").unwrap();
    python.expose("rust", Exposed::new().answers::<Words, Words>(clerk.reply_recipient()));
    let into = Python::attach(|py| {
        let into = PyList::empty(py);
        py.import("models").unwrap().call_method1("hear", ("shared", &into)).unwrap();
        into.unbind()
    });
    let length = || Python::attach(|py| into.bind(py).len());
    publish(&bus, [3, 4]).await;
    let both = told(&mut tolds, 2).await;
    assert_eq!(both, [(3, "Rust has heard 3".to_owned()), (4, "Rust has heard 4".to_owned())]);
    until("both languages have heard it", || sum.load(Ordering::SeqCst) == 7 && length() == 2).await;
    tree.shutdown().await.unwrap();
    python.close(WATCHDOG).await.unwrap();
    let ended = Python::attach(|py| {
        py.import("models").unwrap().call_method1("hear", ("shared", &into)).unwrap_err().to_string()
    });
    assert!(ended.contains("ClosedError"), "{ended}");
    bus.shutdown().await.unwrap();
}

/// Whoever needed the interpreter here would wait until the handler has returned, which it does at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rust_actors_go_on_while_a_handler_of_python_keeps_the_interpreter() {
    let _turn = turn().await;
    let (bus, python) = desk("going");
    let sum = Arc::new(AtomicI64::new(0));
    let heard = Arc::clone(&sum);
    let clerk = Child::actor("clerk", move || Clerk(Arc::clone(&heard)));
    let keeps = Child::python("keeps", &python.actor("models:Keeps").unwrap());
    let tree = root(0).child(clerk).child(keeps).start(&bus).await.unwrap();
    let clerk = tree.lookup::<Clerk>("root/clerk").unwrap();
    let (reads, mut writes) = pipe().unwrap();
    let number = i64::from(reads.as_raw_fd());
    publish(&bus, [number]).await;
    // Kept, or so busy that this comes to the same.
    let free = || {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || Python::attach(|_| tell.send(())));
        told.recv_timeout(Duration::from_millis(300)).is_ok()
    };
    while tokio::task::spawn_blocking(free).await.unwrap() {}
    let tolds = bus.publisher::<Told>().unwrap();
    for _ in 0..1_000 {
        tolds.publish(Told { number: 1, by: "rust".into() }).await.unwrap();
    }
    for _ in 0..100 {
        assert_eq!(clerk.ask(Words { text: "it".into() }).await.unwrap().text, "Rust has heard it");
    }
    until("all of it is handled", || sum.load(Ordering::SeqCst) == 1_000).await;
    writes.write_all(b"!").unwrap();
    until("the handler has returned", || sum.load(Ordering::SeqCst) == 1_000 + number).await;
    end(tree, python, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn buses_of_one_process_do_not_know_of_each_other() {
    let _turn = turn().await;
    let ((left, of_left), (right, of_right)) = (desk("left"), desk("right"));
    let start = async |bus: &mycelium::MessageBus, python: &mycelium_python::PythonRuntime, by: &str| {
        let model = python.actor_with("models:Model", [("by", by.into())]).unwrap();
        root(0).child(Child::python("model", &model)).start(bus).await.unwrap()
    };
    let (tree_left, tree_right) =
        (start(&left, &of_left, "left").await, start(&right, &of_right, "right").await);
    let (mut on_left, mut on_right) =
        (left.subscriber::<Told>().unwrap(), right.subscriber::<Told>().unwrap());
    publish(&left, [1]).await;
    publish(&right, [2]).await;
    assert_eq!(told(&mut on_left, 1).await, [(1, "left".to_owned())]);
    assert_eq!(told(&mut on_right, 1).await, [(2, "right".to_owned())]);
    assert!(on_left.try_recv().is_none() && on_right.try_recv().is_none());
    let unnamed =
        Python::attach(|py| py.import("mycelium").unwrap().call_method0("host").unwrap_err().to_string());
    assert!(unnamed.contains("host('left')"), "{unnamed}");
    end(tree_left, of_left, left).await;
    end(tree_right, of_right, right).await;
}

/// Answers with a word of its own.
struct Says(&'static str);
impl Actor for Says {
    type Error = BoxError;
    fn subscriptions(&self, _: &mut mycelium::Subscriptions<Self>) {}
}
impl Responder<Words> for Says {
    type Reply = Words;
    async fn answer(&mut self, _: &Words, _: &mut Context<Self>) -> Words {
        Words { text: self.0.into() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_last_actor_that_is_exposed_under_a_name_counts() {
    let _turn = turn().await;
    let (bus, python) = desk("exposed");
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let asks = Child::python("asks", &python.actor("models:Asks").unwrap());
    let (first, last) = (Child::actor("first", || Says("first")), Child::actor("last", || Says("last")));
    let tree = root(0).child(first).child(last).child(asks).start(&bus).await.unwrap();
    for name in ["first", "last"] {
        let says = tree.lookup::<Says>(&format!("root/{name}")).unwrap();
        python.expose("rust", Exposed::new().answers::<Words, Words>(says.reply_recipient()));
        publish(&bus, [1]).await;
        assert_eq!(told(&mut tolds, 1).await, [(1, name.to_owned())]);
    }
    end(tree, python, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn python_starts_outside_of_tokio_and_may_leave_the_rules_to_the_bus() {
    let _turn = turn().await;
    let of_messages = desk("strict");
    let bus = MessageBus::builder().contract(CONTRACT).build();
    let (handle, of) = (tokio::runtime::Handle::current(), bus.clone());
    let start = move || {
        let builder = PythonRuntime::builder(&of).contract(CONTRACT).name("loose");
        builder.runtime(handle).validate(false).start().unwrap()
    };
    let python = std::thread::spawn(start).join().unwrap();
    let broken = |name: &str| {
        Python::attach(|py| {
            let models = py.import("models").unwrap();
            models.call_method1("publish", (name, -2000)).unwrap_err().to_string()
        })
    };
    let rule = broken("strict");
    assert!(rule.starts_with("ValidationError: Tick.number is -2000, must be above -1000"), "{rule}");
    // Rust has the type, so the bus asks it.
    let rule = broken("loose");
    assert!(rule.starts_with("PublishError: ") && rule.contains("Tick"), "{rule}");
    let mut ticks = bus.subscriber::<mycelium_embedded::Tick>().unwrap();
    Python::attach(|py| {
        py.import("models").unwrap().call_method1("publish", ("loose", 5)).unwrap();
    });
    assert_eq!(tokio::time::timeout(WATCHDOG, ticks.recv()).await.unwrap().unwrap().number, 5);
    python.close(WATCHDOG).await.unwrap();
    of_messages.1.close(WATCHDOG).await.unwrap();
}
