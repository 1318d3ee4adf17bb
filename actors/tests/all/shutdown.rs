//! The end of a bus: its trees first, the youngest first, each in its order; then everybody else; and nobody
//! waits for ever.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::common::{Heard, WATCHDOG, at_once, ever_longer, on_both_runtimes, with_ever_longer_limits};
use mycelium::tree::{Backoff, Child, ExitReason, Shutdown, StartError, Strategy};
use mycelium::{
    Actor, BoxError, Context, Handler, MessageBus, Service, ServiceContext, StopReason, Supervisor,
};
use tokio::sync::Notify;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);

/// Writes down that it stops, and how often it was made.
struct Named {
    name: String,
    heard: Heard,
}
impl Actor for Named {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("+{}", self.name));
        Ok(())
    }
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        self.heard.add(format!("-{}", self.name));
    }
}
impl Handler<&'static str> for Named {
    async fn handle(&mut self, word: &&'static str, _: &mut Context<Self>) -> Result<(), BoxError> {
        if *word == "sleep" {
            self.heard.add("asleep");
            std::future::pending::<()>().await;
        }
        Err((*word).into())
    }
}

/// Does not end when it is asked to.
struct Deaf;
impl Service for Deaf {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        std::future::pending().await
    }
}

/// Takes a moment for its last words.
struct Thoughtful(Heard);
impl Actor for Thoughtful {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        tokio::time::sleep(SHORT / 2).await;
        self.0.add("-thoughtful");
    }
}

fn named(name: &str, heard: &Heard) -> Child {
    let (id, name, heard) = (name.rsplit('/').next().unwrap().to_owned(), name.to_owned(), heard.clone());
    Child::actor(id, move || Named { name: name.clone(), heard: heard.clone() })
}

fn stops(heard: &Heard) -> Vec<String> {
    heard.words().into_iter().filter(|word| word.starts_with('-')).collect()
}

#[test]
fn trees_end_first_each_in_its_order() {
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let loner = |name: &str| bus.spawn(Named { name: name.into(), heard: heard.clone() }).unwrap();
        let first = loner("first");
        let desk = Supervisor::builder("desk").child(named("b", &heard)).child(named("c", &heard));
        let old = Supervisor::builder("old").strategy(Strategy::RestForOne);
        let old = old.child(named("a", &heard)).supervisor(desk).child(named("d", &heard));
        let old = old.start(&bus).await.unwrap();
        let young = Supervisor::builder("young").child(named("e", &heard)).child(named("f", &heard));
        let young = young.start(&bus).await.unwrap();
        let gone = Supervisor::builder("gone").child(named("g", &heard)).start(&bus).await.unwrap();
        gone.shutdown().await.unwrap();
        assert_eq!(stops(&heard), ["-g"]);
        let last = loner("last");
        heard.wait_for("+first").await;
        heard.wait_for("+last").await;

        bus.shutdown().await.unwrap();
        let stops = stops(&heard);
        assert_eq!(stops[1..7], ["-f", "-e", "-d", "-c", "-b", "-a"]);
        assert_eq!(stops.len(), 9, "{stops:?}");
        for tree in [old, young] {
            assert_eq!(tree.ended().await, ExitReason::Shutdown);
        }
        assert_eq!([first.ended().await, last.ended().await], [StopReason::Shutdown, StopReason::Shutdown]);
        assert_eq!(bus.alive(), 0);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn what_misses_the_deadline_is_named_and_the_others_have_their_last_words() {
    with_ever_longer_limits(async |limit| {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let loner = bus.spawn(Named { name: "loner".into(), heard: heard.clone() }).unwrap();
        bus.spawn(Thoughtful(heard.clone())).unwrap();
        let old = Supervisor::builder("old").child(named("a", &heard));
        let old = old.start(&bus).await.unwrap();
        let deaf = Child::service("deaf", || Deaf).shutdown(Shutdown::Timeout(LONG));
        let desk = Supervisor::builder("desk").child(deaf);
        let young = Supervisor::builder("young").child(named("b", &heard)).supervisor(desk);
        let young = young.start(&bus).await.unwrap();
        let stuck = bus.spawn(Named { name: "stuck".into(), heard: heard.clone() }).unwrap();
        stuck.tell("sleep").await.unwrap();
        heard.wait_for("asleep").await;
        heard.wait_for("+loner").await;

        let error = bus.shutdown_within(limit * 4).await.unwrap_err();
        assert!(error.children.contains(&"young/desk/deaf".into()), "{error:?}");
        let missed: Vec<_> = error.missed.iter().map(|missed| (missed.actor.id, missed.killed)).collect();
        assert_eq!(missed, [(stuck.id(), true)]);
        let text = error.to_string();
        assert!(text.contains("young/desk/deaf (killed)") && text.contains("Named#"), "{text}");
        let mut stops = stops(&heard);
        stops.sort_unstable();
        assert_eq!(stops, ["-a", "-b", "-loner", "-thoughtful"]);
        assert_eq!(loner.ended().await, StopReason::Shutdown);
        assert_eq!((old.ended().await, young.ended().await), (ExitReason::Shutdown, ExitReason::Killed));
        assert_eq!(bus.alive(), 0);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_child_that_misses_its_own_time_is_named_and_the_rest_goes_in_order() {
    with_ever_longer_limits(async |limit| {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let deaf = Child::service("deaf", || Deaf).shutdown(Shutdown::Timeout(limit));
        let tree =
            Supervisor::builder("root").child(named("a", &heard)).child(deaf).child(named("b", &heard));
        let _tree = tree.start(&bus).await.unwrap();
        let error = bus.shutdown_within(LONG).await.unwrap_err();
        assert_eq!((error.children, error.missed), (vec!["root/deaf".into()], vec![]));
        assert_eq!(stops(&heard), ["-b", "-a"]);
    });
}

#[test]
fn nothing_is_started_again_while_the_bus_ends() {
    on_both_runtimes(|| async {
        let (bus, heard, tree, error) = loop {
            let (bus, heard) = (MessageBus::new(), Heard::default());
            let slow = Child::service("slow", || Deaf).shutdown(Shutdown::Timeout(SHORT * 4));
            let backoff = Backoff { initial: SHORT, ..Backoff::default() };
            let desk =
                Supervisor::builder("desk").intensity(100, LONG).child(named("a", &heard).backoff(backoff));
            let tree = Supervisor::builder("root").supervisor(desk).child(slow);
            let tree = tree.start(&bus).await.unwrap();
            let (a, failed) = (tree.lookup::<Named>("root/desk/a").unwrap(), Instant::now());
            // Its backoff passes while the tree waits for `slow`.
            a.tell("fail").await.unwrap();
            heard.wait_for("-a").await;
            let mut ending = Box::pin(bus.shutdown_within(LONG));
            assert!(at_once(ending.as_mut()).is_none());
            let is_in_time = failed.elapsed() < SHORT;
            let error = ending.await.unwrap_err();
            // Else the machine was held up, and it was started before the bus began to end.
            if is_in_time {
                break (bus, heard, tree, error);
            }
        };
        assert_eq!(error.children, ["root/slow".into()]);
        assert_eq!(bus.alive(), 0);
        assert_eq!(tree.ended().await, ExitReason::Shutdown);
        let late = Supervisor::builder("late").child(named("z", &heard)).start(&bus).await.unwrap_err();
        assert!(
            matches!(&late, StartError::Failed(reason) if reason.to_string().contains("closed")),
            "{late}"
        );
        let empty = Supervisor::builder("empty").strategy(Strategy::SimpleOneForOne);
        let empty = empty.child(named("z", &heard)).start(&bus).await.unwrap();
        assert_eq!(empty.ended().await, ExitReason::Shutdown);
        assert_eq!(heard.words(), ["+a", "-a"]);
    });
}

#[test]
fn a_shutdown_that_is_dropped_has_asked_everybody() {
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let loner = bus.spawn(Named { name: "loner".into(), heard: heard.clone() }).unwrap();
        let old = Supervisor::builder("old").child(named("a", &heard)).start(&bus).await.unwrap();
        let deaf = Child::service("deaf", || Deaf).shutdown(Shutdown::Timeout(LONG));
        let young = Supervisor::builder("young").child(deaf).start(&bus).await.unwrap();
        assert!(tokio::time::timeout(SHORT, bus.shutdown_within(LONG)).await.is_err());
        assert_eq!(old.ended().await, ExitReason::Shutdown);
        assert_eq!(loner.ended().await, StopReason::Shutdown);
        assert!(young.shutdown_within(Duration::ZERO).await.is_err());
    });
}

#[test]
fn a_tree_without_handles_and_one_without_runtime_hold_nobody_up() {
    ever_longer(|limit| {
        let runtime =
            || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (first, second) = (runtime(), runtime());
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let tree = first.block_on(Supervisor::builder("root").child(named("a", &heard)).start(&bus)).unwrap();
        drop(first);
        second.block_on(async {
            let end = async {
                assert_eq!(tree.ended().await, ExitReason::Killed);
                let deaf = Child::service("deaf", || Deaf).shutdown(Shutdown::Timeout(LONG));
                drop(Supervisor::builder("loose").child(deaf).start(&bus).await.unwrap());
                let error = bus.shutdown_within(limit).await.unwrap_err();
                assert_eq!(error.children, ["loose/deaf".into()]);
            };
            tokio::time::timeout(WATCHDOG, end).await.expect("the test hangs");
        });
    });
}

#[test]
fn a_limit_past_the_end_of_time_is_none() {
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let start = || Supervisor::builder("root").child(named("a", &heard)).start(&bus);
        start().await.unwrap().drain(Duration::MAX).await.unwrap();
        start().await.unwrap().shutdown_within(Duration::MAX).await.unwrap();
        let _tree = start().await.unwrap();
        bus.shutdown_within(Duration::MAX).await.unwrap();
        assert_eq!(stops(&heard).len(), 3);
    });
}

/// A child whose second start keeps its thread.
#[derive(Default)]
struct Gate {
    fail: Arc<Notify>,
    lives: Arc<AtomicU32>,
}
impl Gate {
    /// The child, and what lets its second start go on: it is dropped, also where an assertion fails.
    fn child(&self) -> (Child, mpsc::Sender<()>) {
        let (shut, gate) = mpsc::channel();
        let (gate, fail, lives) = (Mutex::new(gate), Arc::clone(&self.fail), Arc::clone(&self.lives));
        let child = Child::future("again", move || {
            if lives.fetch_add(1, Ordering::SeqCst) == 1 {
                let _ = gate.lock().unwrap().recv();
            }
            let fail = Arc::clone(&fail);
            async move {
                fail.notified().await;
                Err("over".into())
            }
        });
        (child, shut)
    }

    /// Ends the first life of a child whose tree has been started, and waits until its second start has
    /// begun.
    ///
    /// A child that ended by itself could keep the thread before its tree's start was answered: what a
    /// thread woke last waits for that thread.
    async fn reached(&self) {
        self.fail.notify_one();
        while self.lives.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(SHORT / 10).await;
        }
    }
}

#[test]
fn a_tree_that_a_factory_keeps_from_ending_is_named() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (bus, gate) = (MessageBus::new(), Gate::default());
        let (child, shut) = gate.child();
        let tree = Supervisor::builder("root").intensity(1_000, LONG).child(child).start(&bus).await.unwrap();
        gate.reached().await;
        let error = tree.shutdown_within(SHORT).await.unwrap_err();
        assert!(
            error.stuck && *error.tree == *"root" && error.missed.is_empty() && tree.missed().is_empty(),
            "{error}"
        );
        assert!(error.to_string().starts_with("the tree root goes on: code that never awaits"), "{error}");
        assert_eq!(tree.end_reason(), None);
        let error = tree.drain(SHORT).await.unwrap_err();
        assert!(error.stuck && error.killed.is_empty(), "{error}");
        assert!(error.to_string().contains("\n  the tree goes on: code"), "{error}");
        let error = bus.shutdown_within(SHORT).await.unwrap_err();
        assert_eq!(error.stuck, ["root".into()]);
        assert!(error.children.is_empty(), "{error}");
        assert!(error.to_string().contains(" root (goes on: code that never awaits"), "{error}");
        drop(shut);
        tree.ended().await;
        tree.shutdown().await.unwrap();
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_supervisor_below_that_a_factory_keeps_from_ending_was_not_killed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (bus, gate) = (MessageBus::new(), Gate::default());
        let (child, shut) = gate.child();
        let desk = Supervisor::builder("desk").intensity(1_000, LONG).child(child);
        let floor = Supervisor::builder("floor").supervisor(desk);
        let tree = Supervisor::builder("root").supervisor(floor).start(&bus).await.unwrap();
        gate.reached().await;
        let error = tree.shutdown_within(SHORT).await.unwrap_err();
        assert!(error.stuck && error.missed.is_empty() && tree.missed().is_empty(), "{error}");
        assert_eq!(tree.end_reason(), None);
        let error = bus.shutdown_within(SHORT).await.unwrap_err();
        assert_eq!((error.stuck, error.children), (vec!["root".into()], vec![]));
        drop(shut);
        assert_eq!(tree.ended().await, ExitReason::Killed);
        tree.shutdown().await.unwrap();
        bus.shutdown().await.unwrap();
    });
}
