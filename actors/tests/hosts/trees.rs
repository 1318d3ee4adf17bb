//! Supervision trees: starts, restarts, escalations, calls and shutdowns.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mycelium::tree::{
    Backoff, CallError, Child, ChildInfo, ChildStatus, ExitReason, Notice, Restart, Shutdown, StartError,
    Strategy,
};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Responder, Service, ServiceContext, StopReason,
    Subscriptions, Supervisor, Tree,
};

use crate::common::{Heard, PERIOD, backoff};
use crate::host::{Diary, Host};

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
    async fn stopping(&mut self, reason: &StopReason, _: &mut Context<Self>) {
        self.log.add(format!("-{} {reason}", self.name));
    }
}

impl Handler<u32> for Adder {
    async fn handle(&mut self, number: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match number {
            13 => panic!("an unlucky number"),
            14 => return Err("told to fail".into()),
            15 => ctx.stop(),
            // It misses any shutdown time.
            30 => ctx.sleep(Duration::from_secs(3600)).await,
            _ => self.sum += number,
        }
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

fn three<H: Host>(strategy: Strategy, log: &Heard) -> (H, Tree, [ActorRef<Adder>; 3]) {
    let mut host = H::new();
    let root = Supervisor::builder("root").strategy(strategy).intensity(3, PERIOD);
    let root = root.child(adder("a", log)).child(adder("b", log)).child(adder("c", log));
    let tree = host.supervise(root).unwrap();
    let references = ["root/a", "root/b", "root/c"].map(|path| host.child(&tree, path).unwrap());
    assert_eq!(log.take(), ["+a", "+b", "+c"], "in order");
    (host, tree, references)
}

const DOWN: [&str; 3] = ["-c was shut down", "-b was shut down", "-a was shut down"];

conformance!(a_supervised_actor_keeps_its_reference_and_its_queued_messages);
fn a_supervised_actor_keeps_its_reference_and_its_queued_messages<H: Host>() {
    let log = Heard::default();
    let (mut host, tree, [_, b, _]) = three::<H>(Strategy::OneForOne, &log);
    for number in [1, 13, 2, 3] {
        host.tell(&b, number).unwrap();
    }
    assert_eq!(host.ask(&b, Sum).unwrap(), 5, "what was queued behind the panic reached the next life");
    assert_eq!(host.letters().dead, 1);
    assert_eq!(log.take(), ["+b"]);
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
    assert_eq!(log.take(), DOWN);
    assert_eq!(host.tree_ended(&tree), ExitReason::Shutdown);
    assert_eq!(host.ended(&b), StopReason::Shutdown);
}

conformance!(a_group_restarts_in_order_and_its_references_survive);
fn a_group_restarts_in_order_and_its_references_survive<H: Host>() {
    for (strategy, expected) in [
        (Strategy::OneForAll, vec!["-c was shut down", "-a was shut down", "+a", "+b", "+c"]),
        (Strategy::RestForOne, vec!["-c was shut down", "+b", "+c"]),
    ] {
        let log = Heard::default();
        let (mut host, tree, [a, b, c]) = three::<H>(strategy, &log);
        host.tell(&a, 7).unwrap();
        assert_eq!(host.ask(&a, Sum).unwrap(), 7);
        host.tell(&b, 13).unwrap();
        host.settle();
        assert_eq!(log.take(), expected, "{strategy:?}");
        host.tell(&c, 5).unwrap();
        assert_eq!(host.ask(&c, Sum).unwrap(), 5);
        assert_eq!(host.ask(&b, Sum).unwrap(), 0);
        assert_eq!(host.ask(&a, Sum).unwrap(), if strategy == Strategy::OneForAll { 0 } else { 7 });
        host.shut_tree(&tree);
        assert_eq!(host.ended(&c), StopReason::Shutdown);
    }
}

conformance!(who_stops_with_its_group_was_shut_down_and_who_fails_is_told_so);
fn who_stops_with_its_group_was_shut_down_and_who_fails_is_told_so<H: Host>() {
    for (order, own_words) in
        [(13, None), (14, Some("-b failed: told to fail")), (15, Some("-b ended normally"))]
    {
        let log = Heard::default();
        let (mut host, _tree, [_, b, _]) = three::<H>(Strategy::OneForAll, &log);
        host.tell(&b, order).unwrap();
        host.settle();
        let mut expected: Vec<_> = own_words.into_iter().collect();
        expected.extend(["-c was shut down", "-a was shut down", "+a", "+b", "+c"]);
        assert_eq!(log.take(), expected);
        host.shutdown();
        assert_eq!(log.take(), DOWN);
    }
}

conformance!(past_its_intensity_a_tree_ends_with_all_its_children);
fn past_its_intensity_a_tree_ends_with_all_its_children<H: Host>() {
    let log = Heard::default();
    let (mut host, tree, [a, ..]) = three::<H>(Strategy::OneForOne, &log);
    for _ in 0..4 {
        host.tell(&a, 13).unwrap();
    }
    assert_eq!(host.tree_ended(&tree), ExitReason::Shutdown);
    assert_eq!(log.take(), ["+a", "+a", "+a", "-c was shut down", "-b was shut down"]);
    assert!(matches!(host.ended(&a), StopReason::Panicked(_)));
    assert_eq!(host.letters().dead, 4);
    assert!(matches!(host.count_children(&tree, "root"), Err(CallError::NoSupervisor(_))));
}

conformance!(a_supervisor_past_its_intensity_is_restarted_by_its_parent);
fn a_supervisor_past_its_intensity_is_restarted_by_its_parent<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let desk =
        Supervisor::builder("desk").intensity(0, PERIOD).child(adder("a", &log)).child(adder("b", &log));
    let root = Supervisor::builder("root").intensity(1, PERIOD).supervisor(desk).child(adder("z", &log));
    let tree = host.supervise(root).unwrap();
    assert_eq!(log.take(), ["+a", "+b", "+z"]);
    let a = host.child::<Adder>(&tree, "root/desk/a").unwrap();
    host.tell(&a, 13).unwrap();
    host.settle();
    assert_eq!(log.take(), ["-b was shut down", "+a", "+b"]);
    assert_eq!(host.count_children(&tree, "root").unwrap().active, 2);
    let a = host.child::<Adder>(&tree, "root/desk/a").unwrap();
    host.tell(&a, 13).unwrap();
    assert_eq!(host.tree_ended(&tree), ExitReason::Shutdown);
    assert_eq!(log.take(), ["-b was shut down", "-z was shut down"]);
}

conformance!(references_and_mailboxes_outlive_the_supervisor_above);
fn references_and_mailboxes_outlive_the_supervisor_above<H: Host>() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let (mut host, log) = (H::new(), Heard::default());
        let desk = Supervisor::builder("desk").strategy(strategy).intensity(0, PERIOD);
        let desk = desk.child(adder("a", &log)).child(adder("b", &log));
        let floor = Supervisor::builder("floor").intensity(0, PERIOD).supervisor(desk);
        let root = Supervisor::builder("root").intensity(20, PERIOD).supervisor(floor);
        let tree = host.supervise(root).unwrap();
        let [a, b] =
            ["a", "b"].map(|id| host.child::<Adder>(&tree, &format!("root/floor/desk/{id}")).unwrap());
        for _ in 0..5 {
            for number in [13, 4, 3] {
                host.tell(&a, number).unwrap();
            }
            assert_eq!(host.ask(&a, Sum).unwrap(), 7, "a new life that has what was sent to it");
            assert_eq!(host.ask(&b, Sum).unwrap(), 0);
        }
        assert_eq!(host.child::<Adder>(&tree, "root/floor/desk/a").unwrap().id(), a.id());
        assert_eq!(host.letters().dead, 5);
        host.shut_tree(&tree);
        assert_eq!([host.ended(&a), host.ended(&b)], [StopReason::Shutdown, StopReason::Shutdown]);
    }
}

conformance!(a_kill_and_a_termination_end_the_reference);
fn a_kill_and_a_termination_end_the_reference<H: Host>() {
    let log = Heard::default();
    let (mut host, tree, [a, b, c]) = three::<H>(Strategy::OneForOne, &log);
    a.kill();
    assert_eq!(host.ended(&a), StopReason::Killed);
    host.settle();
    assert_eq!(log.take(), ["+a"]);
    let again = host.child::<Adder>(&tree, "root/a").unwrap();
    assert!(again.is_alive() && again.id() != a.id());
    host.terminate_child(&tree, "root/b").unwrap();
    assert_eq!(host.ended(&b), StopReason::Shutdown);
    host.restart_child(&tree, "root/b").unwrap();
    assert!(host.child::<Adder>(&tree, "root/b").unwrap().is_alive() && !b.is_alive());
    assert!(c.is_alive());
    assert_eq!(log.take(), ["-b was shut down", "+b"]);
    host.shutdown();
}

conformance!(a_start_that_fails_rolls_back);
fn a_start_that_fails_rolls_back<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let broken = Child::actor("broken", || -> Adder { panic!("no configuration") });
    let root = Supervisor::builder("root").child(adder("a", &log)).child(broken).child(adder("c", &log));
    let Err(StartError::Failed(reason)) = host.supervise(root) else { panic!("it cannot start") };
    let reason = reason.to_string();
    assert!(reason.contains("broken") && reason.contains("no configuration"), "{reason}");
    host.settle();
    assert_eq!(log.take(), ["+a", "-a was shut down"]);
    let twice = Supervisor::builder("root").child(adder("a", &log)).child(adder("a", &log));
    assert!(matches!(host.supervise(twice), Err(StartError::Spec(_))));
    assert!(log.take().is_empty());
}

/// Cannot say what it subscribes to.
struct Unsubscribable;
impl Actor for Unsubscribable {
    type Error = BoxError;
    fn subscriptions(&self, _: &mut Subscriptions<Self>) {
        panic!("no topics today");
    }
}

conformance!(subscriptions_that_panic_are_a_start_that_fails_and_the_supervisor_lives);
fn subscriptions_that_panic_are_a_start_that_fails_and_the_supervisor_lives<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let tree = host.supervise(Supervisor::builder("root").child(adder("a", &log))).unwrap();
    let bad = Child::actor("bad", || Unsubscribable);
    let refused = host.start_child(&tree, "root", bad.clone()).unwrap_err();
    let expected = CallError::Refused(mycelium_supervisor::CallError::StartFailed(ExitReason::Abnormal(
        "panicked: no topics today".into(),
    )));
    assert_eq!(refused, expected);
    assert_eq!(host.count_children(&tree, "root").unwrap().active, 1);
    host.shut_tree(&tree);
    assert_eq!(log.take(), ["+a", "-a was shut down"]);

    let nested = Supervisor::builder("root").supervisor(Supervisor::builder("desk").child(bad));
    let Err(StartError::Failed(reason)) = host.supervise(nested) else { panic!("it cannot start") };
    assert!(reason.to_string().contains("no topics today"), "{reason}");
}

conformance!(a_child_in_backoff_is_seen_waiting_and_a_shutdown_does_not_wait_for_it);
fn a_child_in_backoff_is_seen_waiting_and_a_shutdown_does_not_wait_for_it<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let hour = Duration::from_secs(3600);
    let backoff = Backoff { initial: hour, cap: hour, ..Backoff::default() };
    let seen = log.clone();
    let root = Supervisor::builder("root").backoff(backoff).child(adder("a", &log));
    let root = root.on_event(move |path, notice| {
        if let Notice::Waiting { id, .. } = notice {
            seen.add(format!("{path}/{id} waits"));
        }
    });
    let tree = host.supervise(root).unwrap();
    let a = host.child::<Adder>(&tree, "root/a").unwrap();
    host.tell(&a, 13).unwrap();
    host.settle();
    assert_eq!(log.take(), ["+a", "root/a waits"]);
    assert!(matches!(host.status(&tree, "root/a"), Some(ChildStatus::Waiting { .. })));
    assert!(a.is_alive());
    host.tell(&a, 1).unwrap();
    let before = host.now();
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
    assert!(host.now().saturating_since(before) < hour);
    assert!(!a.is_alive());
    assert_eq!(host.letters().dead, 2, "what was in hand and what waited");
}

conformance!(children_are_added_terminated_restarted_and_deleted);
fn children_are_added_terminated_restarted_and_deleted<H: Host>() {
    let log = Heard::default();
    let (mut host, tree, _) = three::<H>(Strategy::OneForOne, &log);
    host.start_child(&tree, "root", adder("d", &log)).unwrap();
    assert!(matches!(host.start_child(&tree, "root", adder("d", &log)), Err(CallError::Refused(_))));
    host.terminate_child(&tree, "root/d").unwrap();
    assert_eq!(host.count_children(&tree, "root").unwrap().active, 3);
    assert_eq!(host.status(&tree, "root/d"), Some(ChildStatus::Down));
    host.restart_child(&tree, "root/d").unwrap();
    assert!(host.child::<Adder>(&tree, "root/d").unwrap().is_alive());
    assert!(matches!(host.delete_child(&tree, "root/d"), Err(CallError::Refused(_))), "it runs");
    host.terminate_child(&tree, "root/d").unwrap();
    host.delete_child(&tree, "root/d").unwrap();
    let not_found = Err(CallError::Refused(mycelium_supervisor::CallError::NotFound));
    assert_eq!(host.delete_child(&tree, "root/d"), not_found);
    assert_eq!(host.count_children(&tree, "root").unwrap().specs, 3);
    assert_eq!(host.status(&tree, "root/d"), None);
    // A temporary one takes its specification with it.
    host.start_child(&tree, "root", adder("e", &log).restart(Restart::Temporary)).unwrap();
    host.terminate_child(&tree, "root/e").unwrap();
    assert_eq!(host.count_children(&tree, "root").unwrap().specs, 3);
    assert!(matches!(host.count_children(&tree, "root/desk"), Err(CallError::NoSupervisor(_))));
    let expected = ["+d", "-d was shut down", "+d", "-d was shut down", "+e", "-e was shut down"];
    assert_eq!(log.take(), expected);
    host.shut_tree(&tree);
}

conformance!(a_pool_grows_and_heals);
fn a_pool_grows_and_heals<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let pool = Supervisor::builder("pool").strategy(Strategy::SimpleOneForOne).intensity(10, PERIOD);
    let tree = host.supervise(pool.child(adder("worker", &log))).unwrap();
    for name in ["w1", "w2", "w3"] {
        host.start_child(&tree, "pool", adder(name, &log)).unwrap();
    }
    let w2 = host.child::<Adder>(&tree, "pool/w2").unwrap();
    host.tell(&w2, 13).unwrap();
    host.tell(&w2, 4).unwrap();
    assert_eq!(host.ask(&w2, Sum).unwrap(), 4);
    assert_eq!(host.count_children(&tree, "pool").unwrap().active, 3);
    host.terminate_child(&tree, "pool/w2").unwrap();
    assert_eq!(host.count_children(&tree, "pool").unwrap().active, 2);
    host.shut_tree(&tree);
}

conformance!(a_shutdown_goes_in_reverse_order_and_names_the_child_that_missed_its_time);
fn a_shutdown_goes_in_reverse_order_and_names_the_child_that_missed_its_time<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let late = adder("late", &log).shutdown(Shutdown::Timeout(Duration::from_millis(20)));
    let root = Supervisor::builder("root").child(adder("a", &log)).child(late).child(adder("c", &log));
    let tree = host.supervise(root).unwrap();
    let late = host.child::<Adder>(&tree, "root/late").unwrap();
    host.tell(&late, 30).unwrap();
    host.settle();
    log.take();
    assert_eq!(host.shut_tree(&tree), ["root/late"]);
    assert_eq!(host.ended(&late), StopReason::Killed);
    assert_eq!(log.take(), ["-c was shut down", "-a was shut down"]);
}

conformance!(a_host_ends_its_trees_the_youngest_first);
fn a_host_ends_its_trees_the_youngest_first<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let mut trees = Vec::new();
    for [a, b] in [["a", "b"], ["c", "d"], ["e", "f"]] {
        let root = Supervisor::builder(a).child(adder(a, &log)).child(adder(b, &log));
        trees.push(host.supervise(root).unwrap());
    }
    log.take();
    host.shutdown();
    assert_eq!(log.take(), ["f", "e", "d", "c", "b", "a"].map(|name| format!("-{name} was shut down")));
    for tree in &trees {
        assert_eq!(host.tree_ended(tree), ExitReason::Shutdown);
    }
}

conformance!(the_observer_sees_who_stops_and_why);
fn the_observer_sees_who_stops_and_why<H: Host>() {
    let (mut host, log, seen) = (H::new(), Heard::default(), Heard::default());
    let notes = seen.clone();
    let root = Supervisor::builder("root").strategy(Strategy::OneForAll).intensity(3, PERIOD);
    let root = root.child(adder("a", &log)).child(adder("b", &log)).service("c", || Patient);
    let root = root.on_event(move |_, notice| match notice {
        Notice::Exited { id, reason } | Notice::Stopped { id, reason, .. } => {
            notes.add(format!("{id} {reason}"));
        }
        _ => {}
    });
    let tree = host.supervise(root).unwrap();
    let a = host.child::<Adder>(&tree, "root/a").unwrap();
    host.tell(&a, 15).unwrap();
    host.settle();
    assert_eq!(host.count_children(&tree, "root").unwrap().active, 3);
    assert_eq!(seen.take(), ["a normal", "c shutdown", "b shutdown"]);
    host.shutdown();
}

struct Patient;
impl Service for Patient {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        Ok(())
    }
}

conformance!(who_is_killed_with_its_supervisor_is_seen_as_in_a_dry_run);
fn who_is_killed_with_its_supervisor_is_seen_as_in_a_dry_run<H: Host>() {
    let (mut host, log, seen) = (H::new(), Heard::default(), Heard::default());
    let notes = seen.clone();
    let inner = Supervisor::builder("inner").child(adder("c", &log));
    let desk = Supervisor::builder("desk").child(adder("a", &log)).child(adder("b", &log)).supervisor(inner);
    let desk = Child::supervisor(desk).shutdown(Shutdown::BrutalKill);
    let root = Supervisor::builder("root").child(desk).on_event(move |above, notice| match notice {
        Notice::Stopped { id, reason, .. } => notes.add(format!("stopped {above}/{id} {reason}")),
        Notice::Exited { id, reason } => notes.add(format!("exited {above}/{id} {reason}")),
        _ => {}
    });
    let tree = host.supervise(root).unwrap();
    host.terminate_child(&tree, "root/desk").unwrap();
    let killed = ["root/desk/inner/c", "root/desk/inner", "root/desk/b", "root/desk/a", "root/desk"];
    assert_eq!(seen.take(), killed.map(|path| format!("stopped {path} killed")));
    host.shut_tree(&tree);
}

/// Counts its lives; the first two end by themselves.
struct Loop(Arc<AtomicU32>, Diary);
impl Service for Loop {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let life = self.0.fetch_add(1, Ordering::Relaxed);
        self.1.note(ctx.now(), format_args!("loop {life}"));
        ctx.sleep(Duration::from_millis(10)).await;
        match life {
            0 => return Err("told to".into()),
            1 => panic!("told to"),
            _ => ctx.stopped().await,
        }
        self.1.note(ctx.now(), "loop leaves");
        Ok(())
    }
}

conformance!(a_service_is_restarted_and_asked_to_return);
fn a_service_is_restarted_and_asked_to_return<H: Host>() {
    let mut host = H::new();
    let diary = host.diary();
    let (lives, seen) = (Arc::<AtomicU32>::default(), diary.clone());
    let root = Supervisor::builder("root").intensity(5, PERIOD).backoff(backoff(100));
    let root = root.service("loop", move || Loop(Arc::clone(&lives), seen.clone()));
    let tree = host.supervise(root).unwrap();
    // 100 ms, then 200 ms of backoff.
    host.has_heard(&diary, &["0 loop 0", "110 loop 1", "320 loop 2"]);
    host.advance(Duration::from_millis(20));
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
    host.has_heard(&diary, &["0 loop 0", "110 loop 1", "320 loop 2", "340 loop leaves"]);
}

/// Is ready a while after it has started.
struct Slow(u64);
impl Actor for Slow {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_after(Duration::from_millis(self.0), ());
        Ok(())
    }
}
impl Handler<()> for Slow {
    async fn handle(&mut self, (): &(), ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.ready();
        Ok(())
    }
}

conformance!(a_child_that_says_when_it_is_ready_holds_up_those_after_it);
fn a_child_that_says_when_it_is_ready_holds_up_those_after_it<H: Host>() {
    struct After(Diary);
    impl Actor for After {
        type Error = BoxError;
        async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            self.0.note(ctx.now(), "after");
            Ok(())
        }
    }
    let mut host = H::new();
    let diary = host.diary();
    let root = |ready_after: u64, start_timeout_ms: u64, diary: &Diary| {
        let seen = diary.clone();
        let slow = Child::actor("slow", move || Slow(ready_after)).ready_when_told();
        let slow = slow.start_timeout(Duration::from_millis(start_timeout_ms));
        Supervisor::builder("root").child(slow).actor("after", move || After(seen.clone()))
    };
    let tree = host.supervise(root(30, 30_000, &diary)).unwrap();
    host.has_heard(&diary, &["30 after"]);
    host.shut_tree(&tree);
    let error = host.supervise(root(3_600_000, 200, &diary)).err().unwrap();
    assert!(matches!(error, StartError::Failed(_)), "{error}");
    assert!(error.to_string().contains("not ready after 200ms"), "{error}");
    assert_eq!(diary.heard.words().len(), 1);
}

/// Looks at the tree that it is in, changes it, and ends it.
struct Caretaker {
    tree: Arc<OnceLock<Tree>>,
    log: Heard,
}
impl Actor for Caretaker {
    type Error = BoxError;
}
impl Handler<()> for Caretaker {
    async fn handle(&mut self, (): &(), _: &mut Context<Self>) -> Result<(), BoxError> {
        let tree = self.tree.get().ok_or("not yet")?;
        let status = |child: Result<ChildInfo, CallError>| match child {
            Ok(child) => format!("{:?}", child.status).split('(').next().unwrap_or_default().to_owned(),
            Err(error) => error.to_string(),
        };
        self.log.add(format!("a is {}", status(tree.child("root/a").await)));
        tree.start_child("root", adder("b", &self.log)).await?;
        tree.terminate_child("root/a").await?;
        self.log.add(format!("a is {}", status(tree.child("root/a").await)));
        tree.delete_child("root/a").await?;
        self.log.add(format!("a is {}", status(tree.child("root/a").await)));
        self.log.add(format!("{} run", tree.count_children("root").await?.active));
        self.log.add(format!("{:?}", tree.child("root/desk/a").await));
        Ok(())
    }
}

conformance!(an_actor_looks_at_its_own_tree_and_changes_it);
fn an_actor_looks_at_its_own_tree_and_changes_it<H: Host>() {
    let (mut host, log, handle) = (H::new(), Heard::default(), Arc::<OnceLock<Tree>>::default());
    let (for_child, of_child) = (Arc::clone(&handle), log.clone());
    let root = Supervisor::builder("root")
        .child(adder("a", &log))
        .actor("caretaker", move || Caretaker { tree: Arc::clone(&for_child), log: of_child.clone() });
    let tree = host.supervise(root).unwrap();
    assert!(handle.set(tree.clone()).is_ok());
    let caretaker = host.child::<Caretaker>(&tree, "root/caretaker").unwrap();
    host.tell(&caretaker, ()).unwrap();
    host.settle();
    let expected = [
        "+a",
        "a is Running",
        "+b",
        "-a was shut down",
        "a is Down",
        "a is no child has this id",
        "2 run",
        "Err(NoSupervisor(\"root/desk\"))",
    ];
    assert_eq!(
        log.take(),
        expected.map(|line| line.replace("was shut down", &StopReason::Shutdown.to_string()))
    );
    assert_eq!(tree.end_reason(), None);
    tree.stop();
    assert_eq!(host.tree_ended(&tree), ExitReason::Shutdown);
    assert_eq!(tree.end_reason(), Some(ExitReason::Shutdown));
    assert!(matches!(host.wait(tree.child("root/b")), Err(CallError::NoSupervisor(_))));
}

conformance!(a_shutdown_names_nobody_who_was_killed_before_it);
fn a_shutdown_names_nobody_who_was_killed_before_it<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let hasty = adder("a", &log).shutdown(Shutdown::Timeout(Duration::from_millis(20)));
    let tree = host.supervise(Supervisor::builder("root").child(hasty)).unwrap();
    host.tell(&host.child::<Adder>(&tree, "root/a").unwrap(), 30).unwrap();
    host.settle();
    assert_eq!(host.wait(tree.terminate_child("root/a")), Ok(()));
    assert_eq!((host.wait(tree.shutdown()), tree.missed()), (Ok(()), vec!["root/a".into()]));
}

conformance!(a_shutdown_past_its_limit_kills_and_names_those_who_are_late);
fn a_shutdown_past_its_limit_kills_and_names_those_who_are_late<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let patient = |name, log: &Heard| adder(name, log).shutdown(Shutdown::Infinity);
    let desk = Supervisor::builder("desk").child(patient("a", &log)).child(patient("b", &log));
    let root = Supervisor::builder("root").supervisor(desk).child(adder("c", &log));
    let tree = host.supervise(root).unwrap();
    let a = host.child::<Adder>(&tree, "root/desk/a").unwrap();
    host.tell(&a, 30).unwrap();
    host.settle();
    let late = host.wait(tree.shutdown_within(Duration::from_secs(2))).unwrap_err();
    assert_eq!(late.missed.iter().map(|path| &**path).collect::<Vec<_>>(), ["root/desk/a"]);
    assert_eq!(tree.missed(), late.missed);
    assert_eq!(tree.end_reason(), Some(ExitReason::Killed));
    host.settle();
    assert!(!a.is_alive());
    let shutdown = StopReason::Shutdown;
    assert_eq!(log.words()[3..], [format!("-c {shutdown}"), format!("-b {shutdown}")]);
}

conformance!(what_was_below_a_deleted_supervisor_is_forgotten_with_it);
fn what_was_below_a_deleted_supervisor_is_forgotten_with_it<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let tree = host.supervise(Supervisor::builder("root")).unwrap();
    let desk = Supervisor::builder("desk");
    let desk = desk.supervisor(Supervisor::builder("team").child(adder("a", &log)));
    host.start_child(&tree, "root", Child::supervisor(desk)).unwrap();
    let path = "root/desk/team/a";
    assert!(host.lookup::<Adder>(path).is_some());
    host.terminate_child(&tree, "root/desk").unwrap();
    host.delete_child(&tree, "root/desk").unwrap();
    assert!(host.child::<Adder>(&tree, path).is_none() && host.lookup::<Adder>(path).is_none());
    host.spawn_named(path, Adder { name: "b", log, sum: 0 }).unwrap();
    host.shutdown();
}

conformance!(a_child_that_was_added_goes_with_the_restart_of_its_supervisor);
fn a_child_that_was_added_goes_with_the_restart_of_its_supervisor<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let desk = Supervisor::builder("desk").intensity(0, PERIOD).child(adder("a", &log));
    let tree = host.supervise(Supervisor::builder("root").supervisor(desk)).unwrap();
    host.start_child(&tree, "root/desk", adder("b", &log).restart(Restart::Transient)).unwrap();
    let [a, b] = ["root/desk/a", "root/desk/b"].map(|path| host.child::<Adder>(&tree, path).unwrap());
    host.tell(&b, 15).unwrap();
    assert_eq!(host.ended(&b), StopReason::Normal);
    host.tell(&a, 13).unwrap();
    assert_eq!(host.ask(&a, Sum).unwrap(), 0);
    assert!(host.lookup::<Adder>("root/desk/b").is_none() && host.lookup::<Adder>("root/desk/a").is_some());
    host.shutdown();
}
