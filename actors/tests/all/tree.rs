//! What only live trees have: futures, the end of a bus and of a handle, service runtimes. The rest is in the
//! suite of hosts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::{Heard, PERIOD, backoff};
use mycelium::tree::{AutoShutdown, CallError, Child, ExitReason, Notice, Restart, Strategy, Tree};
use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Responder, StopReason, Supervisor};

/// Logs its starts and stops, sums what it is told, and panics at 13.
struct Adder {
    name: &'static str,
    log: Heard,
    sum: u32,
}

impl Actor for Adder {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.log.add(format!("+{}", self.name));
        Ok(())
    }
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        self.log.add(format!("-{}", self.name));
    }
}

impl Handler<u32> for Adder {
    async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_ne!(*number, 13, "an unlucky number");
        self.sum += number;
        Ok(())
    }
}

struct Sum;
impl Responder<Sum> for Adder {
    type Reply = u32;
    async fn answer(&mut self, _: &Sum, _: &mut Context<Self>) -> u32 {
        self.sum
    }
}

fn adder(name: &'static str, log: &Heard) -> Child {
    let log = log.clone();
    Child::actor(name, move || Adder { name, log: log.clone(), sum: 0 })
}

async fn three(strategy: Strategy, log: &Heard, bus: &MessageBus) -> Tree {
    let root = Supervisor::builder("root").strategy(strategy).intensity(3, PERIOD);
    let root = root.child(adder("a", log)).child(adder("b", log)).child(adder("c", log));
    root.start(bus).await.unwrap()
}

#[tokio::test]
async fn futures_restart_by_their_type_and_a_significant_one_ends_the_tree() {
    let bus = MessageBus::new();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let job = Child::future("job", move || {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move { if run < 2 { Err("not yet".into()) } else { Ok(()) } }
    });
    let root = Supervisor::builder("root").intensity(5, PERIOD).auto_shutdown(AutoShutdown::AnySignificant);
    let tree = root.child(job.restart(Restart::Transient).significant(true)).start(&bus).await.unwrap();
    assert_eq!(tree.ended().await, ExitReason::Shutdown);
    assert_eq!(runs.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn the_end_of_the_bus_and_of_the_last_handle_end_a_tree() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let tree = three(Strategy::OneForOne, &log, &bus).await;
    bus.shutdown().await.unwrap();
    assert_eq!(tree.ended().await, ExitReason::Shutdown);
    let bus = MessageBus::new();
    let a = three(Strategy::OneForOne, &log, &bus).await.lookup::<Adder>("root/a").unwrap();
    assert_eq!(a.ended().await, StopReason::Shutdown);
}

#[tokio::test]
async fn a_supervised_service_restarts_until_the_shutdown_of_its_bus() {
    struct Feed(u32, Heard);
    impl mycelium::Service for Feed {
        type Error = BoxError;
        async fn run(&mut self, ctx: &mycelium::ServiceContext) -> Result<(), BoxError> {
            self.1.add(format!("life {}", self.0));
            if self.0 == 0 {
                return Err("the line is dead".into());
            }
            ctx.stopped().await;
            Ok(())
        }
    }
    let (log, lives) = (Heard::default(), AtomicU32::new(0));
    let (bus, seen) = (MessageBus::new(), log.clone());
    let make = move || Feed(lives.fetch_add(1, Ordering::SeqCst), seen.clone());
    let root = Supervisor::builder("services").backoff(backoff(1)).service("feed", make);
    let tree = root.start(&bus).await.unwrap();
    log.wait_for("life 1").await;
    let again = Child::service("feed", || Feed(9, Heard::default()));
    let again = tree.start_child("services", again).await;
    assert!(matches!(again, Err(CallError::Refused(_))), "{again:?}");
    bus.shutdown().await.unwrap();
    assert_eq!((log.take().len(), bus.alive()), (2, 0));
}

#[tokio::test]
async fn supervisors_of_one_tree_wait_differently_and_as_in_its_dry_run() {
    use mycelium_supervisor::sim::{Happening, Scenario, simulate};
    const TREE: &str = r#"
        [tree]
        intensity = 3
        [[tree.children]]
        id = "a"
        type = "supervisor"
        backoff = { initial_ms = 20, jitter = 1.0 }
        children = [{ id = "x", actor = "x" }]
        [[tree.children]]
        id = "b"
        type = "supervisor"
        backoff = { initial_ms = 20, jitter = 1.0 }
        children = [{ id = "x", actor = "x" }]
    "#;
    const SCRIPT: &str = r#"
        [[events]]
        at_ms = 0
        child = "root/a/x"
        exit = "crash"
        [[events]]
        at_ms = 1000
        child = "root/b/x"
        exit = "crash"
    "#;
    let mut foretold = Vec::new();
    let scenario = Scenario::parse(&format!("{TREE}{SCRIPT}")).unwrap();
    simulate(&scenario, 7, &mut |entry| {
        if let Happening::Waiting { backoff } = entry.what {
            foretold.push(format!("{backoff:?}"));
        }
    })
    .unwrap();
    assert_ne!(foretold[0], foretold[1]);

    let (bus, log, seen) = (MessageBus::new(), Heard::default(), Heard::default());
    let notes = seen.clone();
    let factories =
        mycelium::tree::Factories::new().actor("x", move || Adder { name: "x", log: log.clone(), sum: 0 });
    let root = Supervisor::from_toml(TREE, &factories).unwrap().seed(7).on_event(move |_, notice| {
        if let Notice::Waiting { backoff, .. } = notice {
            notes.add(format!("{backoff:?}"));
        }
    });
    let tree = root.start(&bus).await.unwrap();
    for path in ["root/a/x", "root/b/x"] {
        let actor = tree.lookup::<Adder>(path).unwrap();
        actor.tell(13).await.unwrap();
        assert_eq!(actor.ask(Sum).await.unwrap(), 0);
    }
    assert_eq!(seen.take(), foretold);
    tree.shutdown().await.unwrap();
}
