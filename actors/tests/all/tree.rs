//! Supervision trees live: real panics, restarts and stops. Processes are in `processes.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::common::{Heard, PERIOD};
use mycelium::tree::{
    AutoShutdown, Backoff, CallError, Child, ChildStatus, ExitReason, Notice, Restart, Shutdown, StartError,
    Strategy, Tree,
};
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
async fn a_supervised_actor_keeps_its_reference_and_its_queued_messages() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let tree = three(Strategy::OneForOne, &log, &bus).await;
    assert_eq!(log.take(), ["+a", "+b", "+c"]);
    let b = tree.actor_ref::<Adder>("root/b").unwrap();
    for number in [1, 13, 2, 3] {
        b.tell(number).await.unwrap();
    }
    assert_eq!(b.ask(Sum).await.unwrap(), 5, "what was queued behind the panic reached the next life");
    assert_eq!(bus.dead_letters().in_hand, 1);
    assert_eq!(log.take(), ["+b"]);
    tree.shutdown().await.unwrap();
    assert_eq!(log.take(), ["-c", "-b", "-a"]);
    assert_eq!(tree.ended().await, ExitReason::Shutdown);
    assert_eq!(b.ended().await, StopReason::Shutdown);
}

#[tokio::test]
async fn a_group_restarts_in_order_and_its_references_survive() {
    for (strategy, stopped, started) in [
        (Strategy::OneForAll, vec!["-c", "-a"], vec!["+a", "+b", "+c"]),
        (Strategy::RestForOne, vec!["-c"], vec!["+b", "+c"]),
    ] {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let tree = three(strategy, &log, &bus).await;
        log.take();
        let (a, b, c) = ("root/a", "root/b", "root/c");
        let [a, b, c] = [a, b, c].map(|path| tree.actor_ref::<Adder>(path).unwrap());
        a.tell(7).await.unwrap();
        assert_eq!(a.ask(Sum).await.unwrap(), 7);
        b.tell(13).await.unwrap();
        log.wait_for("+c").await;
        assert_eq!(log.take(), [stopped, started].concat(), "{strategy:?}");
        c.tell(5).await.unwrap();
        assert_eq!(c.ask(Sum).await.unwrap(), 5);
        assert_eq!(b.ask(Sum).await.unwrap(), 0);
        assert_eq!(a.ask(Sum).await.unwrap(), if strategy == Strategy::OneForAll { 0 } else { 7 });
        tree.shutdown().await.unwrap();
        assert_eq!(c.ended().await, StopReason::Shutdown);
    }
}

#[tokio::test]
async fn past_its_intensity_a_tree_ends_with_all_its_children() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let tree = three(Strategy::OneForOne, &log, &bus).await;
    let a = tree.actor_ref::<Adder>("root/a").unwrap();
    for _ in 0..4 {
        a.tell(13).await.unwrap();
    }
    assert_eq!(tree.ended().await, ExitReason::Shutdown);
    assert!(matches!(a.ended().await, StopReason::Panicked(_)));
    assert_eq!(bus.dead_letters().in_hand, 4);
    let late = tree.which_children("root").await;
    assert!(matches!(late, Err(CallError::NoSupervisor(_))), "{late:?}");
}

#[tokio::test]
async fn a_supervisor_past_its_intensity_is_restarted_by_its_parent() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let desk =
        Supervisor::builder("desk").intensity(0, PERIOD).child(adder("a", &log)).child(adder("b", &log));
    let root = Supervisor::builder("root").intensity(1, PERIOD).supervisor(desk).child(adder("z", &log));
    let tree = root.start(&bus).await.unwrap();
    assert_eq!(log.take(), ["+a", "+b", "+z"]);
    tree.actor_ref::<Adder>("root/desk/a").unwrap().tell(13).await.unwrap();
    log.wait_for("+b").await;
    assert_eq!(log.take(), ["-b", "+a", "+b"]);
    assert_eq!(tree.count_children("root").await.unwrap().active, 2);
    tree.actor_ref::<Adder>("root/desk/a").unwrap().tell(13).await.unwrap();
    assert_eq!(tree.ended().await, ExitReason::Shutdown);
    assert_eq!(log.take(), ["-b", "-z"]);
}

#[tokio::test]
async fn a_start_that_fails_rolls_back() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let broken = Child::actor("broken", || -> Adder { panic!("no configuration") });
    let root = Supervisor::builder("root").child(adder("a", &log)).child(broken).child(adder("c", &log));
    let Err(StartError::Failed(reason)) = root.start(&bus).await else { panic!("it cannot start") };
    assert!(
        reason.to_string().contains("broken") && reason.to_string().contains("no configuration"),
        "{reason}"
    );
    assert_eq!(log.take(), ["+a", "-a"]);
    let twice = Supervisor::builder("root").child(adder("a", &log)).child(adder("a", &log));
    assert!(matches!(twice.start(&bus).await, Err(StartError::Spec(_))));
}

#[tokio::test]
async fn a_child_in_backoff_is_seen_waiting_and_a_shutdown_does_not_wait_for_it() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let hour = Duration::from_secs(3600);
    let backoff = Backoff { initial: hour, cap: hour, ..Backoff::default() };
    let root = Supervisor::builder("root").backoff(backoff).child(adder("a", &log));
    let seen = log.clone();
    let root = root.on_event(move |path, notice| {
        if let Notice::Waiting { id, .. } = notice {
            seen.add(format!("{path}/{id} waits"));
        }
    });
    let tree = root.start(&bus).await.unwrap();
    let a = tree.actor_ref::<Adder>("root/a").unwrap();
    a.tell(13).await.unwrap();
    log.wait_for("root/a waits").await;
    let children = tree.which_children("root").await.unwrap();
    assert!(matches!(children[0].status, ChildStatus::Waiting { .. }), "{children:?}");
    a.tell(1).await.unwrap();
    tree.shutdown().await.unwrap();
    a.ended().await;
    assert_eq!(bus.dead_letters().waiting, 1);
}

#[tokio::test]
async fn children_are_added_terminated_restarted_and_deleted() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let tree = three(Strategy::OneForOne, &log, &bus).await;
    tree.start_child("root", adder("d", &log)).await.unwrap();
    let d = tree.actor_ref::<Adder>("root/d").unwrap();
    tree.terminate_child("root/d").await.unwrap();
    assert_eq!(d.ended().await, StopReason::Shutdown);
    assert_eq!(tree.count_children("root").await.unwrap().active, 3);
    tree.restart_child("root/d").await.unwrap();
    assert!(tree.actor_ref::<Adder>("root/d").unwrap().is_alive());
    assert!(matches!(tree.delete_child("root/d").await, Err(CallError::Refused(_))));
    tree.terminate_child("root/d").await.unwrap();
    tree.delete_child("root/d").await.unwrap();
    assert_eq!(tree.which_children("root").await.unwrap().len(), 3);
    tree.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_pool_grows_and_heals() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let pool = Supervisor::builder("pool").strategy(Strategy::SimpleOneForOne).intensity(10, PERIOD);
    let tree = pool.child(adder("worker", &log)).start(&bus).await.unwrap();
    for name in ["w1", "w2", "w3"] {
        tree.start_child("pool", adder(name, &log)).await.unwrap();
    }
    let w2 = tree.actor_ref::<Adder>("pool/w2").unwrap();
    w2.tell(13).await.unwrap();
    w2.tell(4).await.unwrap();
    assert_eq!(w2.ask(Sum).await.unwrap(), 4);
    assert_eq!(tree.count_children("pool").await.unwrap().active, 3);
    tree.terminate_child("pool/w2").await.unwrap();
    assert_eq!(tree.count_children("pool").await.unwrap().active, 2);
    tree.shutdown().await.unwrap();
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
async fn a_shutdown_names_the_child_that_missed_its_time() {
    struct Deaf;
    impl Actor for Deaf {
        type Error = BoxError;
    }
    impl Handler<()> for Deaf {
        async fn handle(&mut self, _: &(), _: &mut Context<Self>) -> Result<(), BoxError> {
            std::future::pending().await
        }
    }
    let bus = MessageBus::new();
    let deaf = Child::actor("deaf", || Deaf).shutdown(Shutdown::Timeout(Duration::from_millis(20)));
    let tree = Supervisor::builder("root").child(deaf).start(&bus).await.unwrap();
    let deaf = tree.actor_ref::<Deaf>("root/deaf").unwrap();
    deaf.tell(()).await.unwrap();
    tokio::task::yield_now().await;
    let error = tree.shutdown().await.unwrap_err();
    assert_eq!(error.missed, ["root/deaf".into()]);
    assert_eq!(deaf.ended().await, StopReason::Killed);
}

#[tokio::test]
async fn the_end_of_the_bus_and_of_the_last_handle_end_a_tree() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let tree = three(Strategy::OneForOne, &log, &bus).await;
    bus.shutdown().await.unwrap();
    assert_eq!(tree.ended().await, ExitReason::Shutdown);
    let bus = MessageBus::new();
    let a = three(Strategy::OneForOne, &log, &bus).await.actor_ref::<Adder>("root/a").unwrap();
    assert_eq!(a.ended().await, StopReason::Shutdown);
}

#[tokio::test]
async fn a_runtime_restarts_its_services_until_its_shutdown() {
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
    let runtime = mycelium::ServiceRuntime::new(MessageBus::new());
    let seen = log.clone();
    let make = move || Feed(lives.fetch_add(1, Ordering::SeqCst), seen.clone());
    runtime.supervise("feed", make).await.unwrap();
    log.wait_for("life 1").await;
    let again = runtime.supervise("feed", || Feed(9, Heard::default())).await;
    assert!(matches!(again, Err(StartError::Refused(_))), "{again:?}");
    let bus = runtime.bus().clone();
    runtime.shutdown().await.unwrap();
    assert_eq!((log.take().len(), bus.alive()), (2, 0));
}

/// Cannot say what it subscribes to.
struct Unsubscribable;
impl Actor for Unsubscribable {
    type Error = BoxError;
    fn subscriptions(_: &mut mycelium::Subscriptions<Self>) {
        panic!("no topics today");
    }
}

#[tokio::test]
async fn subscriptions_that_panic_are_a_start_that_fails_and_the_supervisor_lives() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let tree = Supervisor::builder("root").child(adder("a", &log)).start(&bus).await.unwrap();
    let bad = Child::actor("bad", || Unsubscribable);
    let refused = tree.start_child("root", bad.clone()).await.unwrap_err();
    let expected = CallError::Refused(mycelium_supervisor::CallError::StartFailed(ExitReason::Abnormal(
        "panicked: no topics today".into(),
    )));
    assert_eq!(refused, expected);
    assert_eq!(tree.count_children("root").await.unwrap().active, 1);
    tree.shutdown().await.unwrap();

    let nested = Supervisor::builder("root").supervisor(Supervisor::builder("desk").child(bad));
    let StartError::Failed(reason) = nested.start(&bus).await.unwrap_err() else { panic!("it cannot start") };
    assert!(reason.to_string().contains("no topics today"), "{reason}");
    assert_eq!(bus.alive(), 0);
}

/// Writes down why it stops.
struct Leaves(Heard);
impl Actor for Leaves {
    type Error = BoxError;
    async fn stopping(&mut self, reason: &StopReason, _: &mut Context<Self>) {
        self.0.add(reason.to_string());
    }
}
impl Handler<u32> for Leaves {
    async fn handle(&mut self, _: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.stop();
        Ok(())
    }
}

struct Patient;
impl mycelium::Service for Patient {
    type Error = BoxError;
    async fn run(&mut self, ctx: &mycelium::ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        Ok(())
    }
}

#[tokio::test]
async fn who_stops_with_its_group_was_shut_down() {
    let (bus, heard, seen) = (MessageBus::new(), Heard::default(), Heard::default());
    let (words, notes) = (heard.clone(), seen.clone());
    let leaves = move || Leaves(words.clone());
    let root = Supervisor::builder("root").strategy(Strategy::OneForAll).intensity(3, PERIOD);
    let root = root.actor("a", leaves.clone()).actor("b", leaves).service("c", || Patient);
    let root = root.on_event(move |_, notice| match notice {
        Notice::Exited { id, reason } | Notice::Stopped { id, reason, .. } => {
            notes.add(format!("{id} {reason}"));
        }
        _ => {}
    });
    let tree = root.start(&bus).await.unwrap();
    tree.actor_ref::<Leaves>("root/a").unwrap().tell(1).await.unwrap();
    while tree.count_children("root").await.unwrap().active < 3 || seen.words().len() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(heard.take(), ["ended normally", "was shut down"]);
    assert_eq!(seen.take(), ["a normal", "c shutdown", "b shutdown"]);
    tree.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_is_killed_with_its_supervisor_is_seen_as_in_a_dry_run() {
    let (bus, log, seen) = (MessageBus::new(), Heard::default(), Heard::default());
    let notes = seen.clone();
    let inner = Supervisor::builder("inner").child(adder("c", &log));
    let desk = Supervisor::builder("desk").child(adder("a", &log)).child(adder("b", &log)).supervisor(inner);
    let desk = Child::supervisor(desk).shutdown(Shutdown::BrutalKill);
    let root = Supervisor::builder("root").child(desk).on_event(move |above, notice| match notice {
        Notice::Stopped { id, reason, .. } => notes.add(format!("stopped {above}/{id} {reason}")),
        Notice::Exited { id, reason } => notes.add(format!("exited {above}/{id} {reason}")),
        _ => {}
    });
    let tree = root.start(&bus).await.unwrap();
    tree.terminate_child("root/desk").await.unwrap();
    let killed = ["root/desk/inner/c", "root/desk/inner", "root/desk/b", "root/desk/a", "root/desk"];
    assert_eq!(seen.take(), killed.map(|path| format!("stopped {path} killed")));
    tree.shutdown().await.unwrap();
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
        let actor = tree.actor_ref::<Adder>(path).unwrap();
        actor.tell(13).await.unwrap();
        assert_eq!(actor.ask(Sum).await.unwrap(), 0);
    }
    assert_eq!(seen.take(), foretold);
    tree.shutdown().await.unwrap();
}
