//! Draining a tree: what is queued is handled, or named.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mycelium::tree::{Backoff, Builder, Child, ExitReason, Shutdown};
use mycelium::{
    Actor, BoxError, Context, DeadLetterCause, Handler, Service, ServiceContext, StopReason, Subscriptions,
    Supervisor, Tree,
};

use crate::common::{Heard, PERIOD, Tick, Tock, at_once};
use crate::host::Host;

const LONG: Duration = Duration::from_secs(50);

/// Publishes five ticks, then waits to be told to stop.
struct Feed(&'static str, Heard);
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for number in 1..=5 {
            ctx.publish(Tick(number)).await?;
        }
        ctx.stopped().await;
        self.1.add(format!("-{}", self.0));
        Ok(())
    }
}

/// Makes a tock of each tick, each in 10 ms.
struct Relay(Heard);
impl Actor for Relay {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        self.0.add("-relay");
    }
}
impl Handler<Tick> for Relay {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_millis(10)).await;
        Ok(ctx.publish(Tock(tick.0)).await?)
    }
}

/// Adds up what it hears, and hangs at zero.
struct Sum(Arc<AtomicU32>, Heard);
impl Actor for Sum {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        self.1.add("-sum");
    }
}
impl Handler<Tock> for Sum {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        if tock.0 == 0 {
            std::future::pending::<()>().await;
        }
        self.0.fetch_add(tock.0 as u32, Ordering::Relaxed);
        Ok(())
    }
}
impl Handler<u32> for Sum {
    async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn root(log: &Heard, total: &Arc<AtomicU32>) -> Builder {
    let (sum_log, relay_log, total) = (log.clone(), log.clone(), Arc::clone(total));
    let feed = |name: &'static str| {
        let log = log.clone();
        Child::service(name, move || Feed(name, log.clone()))
    };
    Supervisor::builder("root")
        .actor("sum", move || Sum(Arc::clone(&total), sum_log.clone()))
        .actor("relay", move || Relay(relay_log.clone()))
        .child(feed("one"))
        .child(feed("two"))
}

conformance!(sources_stop_in_order_then_all_is_handled_then_actors_stop_in_reverse);
fn sources_stop_in_order_then_all_is_handled_then_actors_stop_in_reverse<H: Host>() {
    let (mut host, log, total) = (H::new(), Heard::default(), Arc::default());
    let tree = host.supervise(root(&log, &total)).unwrap();
    host.settle();
    let drained = host.wait(tree.drain(LONG)).unwrap();
    assert_eq!(drained.sources, 2);
    assert_eq!(total.load(Ordering::Relaxed), 30, "all that was queued was handled");
    assert_eq!(log.take(), ["-one", "-two", "-relay", "-sum"]);
    assert_eq!(tree.end_reason(), Some(ExitReason::Shutdown));
    assert_eq!(host.letters().dead, 0);
}

conformance!(a_drain_past_its_limit_names_what_is_left);
fn a_drain_past_its_limit_names_what_is_left<H: Host>() {
    let (mut host, log, total) = (H::new(), Heard::default(), Arc::default());
    let child = Child::actor("sum", {
        let (total, log) = (Arc::clone(&total), log.clone());
        move || Sum(Arc::clone(&total), log.clone())
    });
    let root = Supervisor::builder("root").child(child.shutdown(Shutdown::BrutalKill));
    let tree = host.supervise(root).unwrap();
    let sum = host.child::<Sum>(&tree, "root/sum").unwrap();
    for number in [0, 1, 2] {
        host.publish(Tock(number)).unwrap();
    }
    host.settle();
    host.tell(&sum, 7_u32).unwrap();
    let error = host.wait(tree.drain(Duration::from_millis(100))).unwrap_err();
    assert_eq!(error.busy.iter().map(|path| &**path).collect::<Vec<_>>(), ["root/sum"]);
    assert_eq!(error.messages, 4);
    let mut left: Vec<_> = error.left.iter().map(ToString::to_string).collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            "root/sum: 1 Tock in hand from topic tocks",
            "root/sum: 1 u32 waiting",
            "root/sum: 2 Tock waiting from topic tocks"
        ]
    );
    assert_eq!(host.letters().dead, 4);
    let mut recent: Vec<_> = host.dead_letters().recent;
    recent.sort_by_key(|letter| (letter.message, letter.cause == DeadLetterCause::Waiting));
    let named: Vec<_> = recent
        .iter()
        .map(|letter| (letter.actor.path.as_deref(), letter.message, letter.topic, letter.messages))
        .collect();
    assert_eq!(
        named,
        [
            (Some("root/sum"), "Tock", Some("tocks"), 1),
            (Some("root/sum"), "Tock", Some("tocks"), 2),
            (Some("root/sum"), "u32", None, 1)
        ]
    );
    assert_eq!(recent[0].cause, DeadLetterCause::InHand { attempts: 1 });
    assert!(recent.iter().all(|letter| letter.reason == StopReason::Killed && letter.actor.id == sum.id()));
}

/// Waits to be told to stop, and publishes its last words after a while.
struct LastWords(u64, Duration);
impl Service for LastWords {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        ctx.sleep(self.1).await;
        Ok(ctx.publish(Tock(self.0)).await?)
    }
}

fn last_words(name: &str, words: u64, after: Duration) -> Child {
    Child::service(name, move || LastWords(words, after))
}

/// Takes its time with what it hears, and has its tree start a further source at 2.
struct Listens(Arc<OnceLock<Tree>>, Heard);
impl Actor for Listens {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
}
impl Handler<Tock> for Listens {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_millis(5)).await;
        self.1.add(tock.0.to_string());
        match self.0.get() {
            Some(tree) if tock.0 == 2 => {
                Ok(tree.start_child("root", last_words("late", 3, Duration::from_millis(10))).await?)
            }
            _ => Ok(()),
        }
    }
}

/// A listener and two sources, of which the first takes its time to stop.
fn with_last_words<H: Host>(host: &mut H, words: [u64; 2]) -> (Tree, Heard) {
    let (tree, heard) = (Arc::new(OnceLock::new()), Heard::default());
    let (its, all) = (Arc::clone(&tree), heard.clone());
    let root = Supervisor::builder("root")
        .actor("listens", move || Listens(Arc::clone(&its), all.clone()))
        .child(last_words("one", words[0], Duration::from_millis(20)))
        .child(last_words("two", words[1], Duration::ZERO));
    let started = host.supervise(root).unwrap();
    assert!(tree.set(started.clone()).is_ok());
    host.settle();
    (started, heard)
}

conformance!(a_drain_that_is_dropped_leaves_the_sources_that_it_has_not_stopped_to_the_next_one);
fn a_drain_that_is_dropped_leaves_the_sources_that_it_has_not_stopped_to_the_next_one<H: Host>() {
    let mut host = H::new();
    let (tree, heard) = with_last_words(&mut host, [11, 12]);
    host.wait(async { assert!(at_once(tree.drain(LONG)).is_none()) });
    let drained = host.wait(tree.drain(LONG)).unwrap();
    assert_eq!((drained.sources, heard.take()), (2, vec!["11".to_owned(), "12".to_owned()]));
}

conformance!(a_source_that_is_started_during_a_drain_is_stopped_and_its_last_words_are_handled);
fn a_source_that_is_started_during_a_drain_is_stopped_and_its_last_words_are_handled<H: Host>() {
    let mut host = H::new();
    let (tree, heard) = with_last_words(&mut host, [1, 2]);
    let drained = host.wait(tree.drain(LONG)).unwrap();
    assert_eq!((drained.sources, heard.take()), (3, ["1", "2", "3"].map(str::to_owned).to_vec()));
}

/// Never ends by itself.
struct Deaf;
impl Service for Deaf {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        std::future::pending().await
    }
}

conformance!(a_source_that_does_not_stop_is_named);
fn a_source_that_does_not_stop_is_named<H: Host>() {
    let deaf = |ms| Child::service("deaf", || Deaf).shutdown(Shutdown::Timeout(Duration::from_millis(ms)));
    let mut host = H::new();
    // Much longer than the drain has, for where time is not virtual.
    let tree = host.supervise(Supervisor::builder("root").child(deaf(2_000))).unwrap();
    host.settle();
    let error = host.wait(tree.drain(Duration::from_millis(10))).unwrap_err();
    assert_eq!(error.sources, ["root/deaf".into()]);
    // Within the limit of the drain it is killed in its own time, and named for that.
    let tree = host.supervise(Supervisor::builder("root").child(deaf(60))).unwrap();
    host.settle();
    let error = host.wait(tree.drain(LONG)).unwrap_err();
    assert_eq!((error.sources.len(), &*error.killed), (0, &["root/deaf".into()][..]));
}

/// Adds up, and fails at 13.
struct Unlucky(Arc<AtomicU32>, Heard);
impl Actor for Unlucky {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        self.1.add("fell");
    }
}
impl Handler<u32> for Unlucky {
    async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        if *number == 13 {
            return Err("an unlucky number".into());
        }
        self.0.fetch_add(*number, Ordering::Relaxed);
        Ok(())
    }
}

conformance!(a_child_in_backoff_is_waited_for_only_if_messages_wait_for_it);
fn a_child_in_backoff_is_waited_for_only_if_messages_wait_for_it<H: Host>() {
    for waits in [false, true] {
        let (mut host, log, total) = (H::new(), Heard::default(), Arc::<AtomicU32>::default());
        let (words, sum) = (log.clone(), Arc::clone(&total));
        let initial = if waits { Duration::from_millis(50) } else { Duration::from_secs(3600) };
        let root = Supervisor::builder("root")
            .intensity(5, PERIOD)
            .backoff(Backoff { initial, cap: initial, ..Backoff::default() })
            .actor("unlucky", move || Unlucky(Arc::clone(&sum), words.clone()));
        let tree = host.supervise(root).unwrap();
        let unlucky = host.child::<Unlucky>(&tree, "root/unlucky").unwrap();
        let numbers: &[u32] = if waits { &[13, 4, 3] } else { &[13] };
        numbers.iter().for_each(|number| host.try_tell(&unlucky, *number).unwrap());
        host.until(|| !log.words().is_empty());
        host.wait(tree.drain(LONG)).unwrap();
        assert_eq!(total.load(Ordering::Relaxed), if waits { 7 } else { 0 });
    }
}

/// Handles what it is told once the gate is open.
struct Gated(Arc<AtomicBool>, Arc<AtomicU32>);
impl Actor for Gated {
    type Error = BoxError;
}
impl Handler<u32> for Gated {
    async fn handle(&mut self, number: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        while !self.0.load(Ordering::SeqCst) {
            ctx.sleep(Duration::from_millis(1)).await;
        }
        self.1.fetch_add(*number, Ordering::SeqCst);
        Ok(())
    }
}

fn gated(gate: &Arc<AtomicBool>, total: &Arc<AtomicU32>) -> Child {
    let (gate, total) = (Arc::clone(gate), Arc::clone(total));
    Child::actor("gated", move || Gated(Arc::clone(&gate), Arc::clone(&total)))
}

conformance!(what_is_told_through_a_reference_during_a_drain_is_handled);
fn what_is_told_through_a_reference_during_a_drain_is_handled<H: Host>() {
    let (mut host, gate, total) = (H::new(), Arc::default(), Arc::default());
    let tree = host.supervise(Supervisor::builder("root").child(gated(&gate, &total))).unwrap();
    let told = host.child::<Gated>(&tree, "root/gated").unwrap();
    host.tell(&told, 1).unwrap();
    host.wait(async {
        let mut drain = std::pin::pin!(tree.drain(LONG));
        assert!(at_once(drain.as_mut()).is_none());
        told.tell(2).await.unwrap();
        gate.store(true, Ordering::SeqCst);
        drain.await.unwrap();
    });
    assert_eq!(total.load(Ordering::SeqCst), 3);
    assert!(host.tell(&told, 4).is_err(), "it has ended");
}

conformance!(of_two_drains_at_once_each_names_what_its_own_tree_has_left);
fn of_two_drains_at_once_each_names_what_its_own_tree_has_left<H: Host>() {
    let mut host = H::new();
    let mut start = |id: &'static str, tells: u32| {
        let child = gated(&Arc::default(), &Arc::default());
        let child = child.shutdown(Shutdown::Timeout(Duration::from_millis(20)));
        let tree = host.supervise(Supervisor::builder(id).child(child)).unwrap();
        let told = host.child::<Gated>(&tree, &format!("{id}/gated")).unwrap();
        (0..tells).for_each(|number| host.tell(&told, number).unwrap());
        tree
    };
    let (three, seven) = (start("three", 3), start("seven", 7));
    // One that is given up is no longer entered into.
    host.wait(async { assert!(at_once(three.drain(LONG)).is_none()) });
    let short = Duration::from_millis(20);
    let (left, right) = host.wait(async { tokio::join!(three.drain(short), seven.drain(short)) });
    for (error, actor, waiting) in [(left, "three/gated", 2), (right, "seven/gated", 6)] {
        let error = error.unwrap_err();
        let mut left: Vec<_> =
            error.left.iter().map(|left| (&*left.actor, left.messages, left.in_hand)).collect();
        left.sort_unstable();
        assert_eq!(left, [(actor, 1, true), (actor, waiting, false)]);
        assert_eq!(error.messages, waiting + 1);
        assert_eq!(error.killed, [actor.into()]);
    }
}
