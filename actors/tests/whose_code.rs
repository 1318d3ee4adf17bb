//! In an isolate, code of one runs inside of another's: what is asked and what panics is still one's own.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::{Heard, Tick};
use mycelium::tree::{Child, ChildStatus, Redelivery, Restart, Shutdown};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, OnFailure, Service, ServiceContext, ServiceRef, StopReason,
    Subscriber, Subscription, Subscriptions, Supervisor, Tree,
};

const MILLI: Duration = Duration::from_millis(1);

/// An isolate that goes on after failures, with a tree that has nobody yet.
fn isolate() -> (Isolate, Tree) {
    let mut isolate = Isolate::new(1);
    isolate.on_failure(OnFailure::GoOn);
    let tree = isolate.supervise(&Supervisor::builder("root").intensity(9, common::PERIOD)).unwrap();
    isolate.run().unwrap();
    (isolate, tree)
}

/// Says that it began, and how it ended.
struct Quiet(Heard);
impl Actor for Quiet {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add("began");
        Ok(())
    }
    async fn stopping(&mut self, reason: &StopReason, _: &mut Context<Self>) {
        self.0.add(format!("{reason}"));
    }
}

fn quiet(heard: &Heard) -> Child {
    let heard = heard.clone();
    Child::actor("quiet", move || Quiet(heard.clone()))
}

/// Starts a child of the tree, and panics.
struct StartsAndPanics(Tree, Heard);
impl Service for StartsAndPanics {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        self.0.start_child("root", quiet(&self.1)).await?;
        panic!("it is mine");
    }
}

#[test]
fn one_that_panics_after_it_has_started_a_child_ends_itself() {
    let ((mut isolate, tree), heard) = (isolate(), Heard::default());
    let starts = isolate.spawn_service(StartsAndPanics(tree.clone(), heard.clone())).unwrap();
    isolate.run().unwrap();
    assert_eq!(heard.words(), ["began"]);
    let status = isolate.block_on(tree.child("root/quiet")).unwrap().unwrap().status;
    assert!(matches!(status, ChildStatus::Running(_)), "{status:?}");
    assert!(matches!(isolate.block_on(starts.ended()).unwrap(), StopReason::Panicked(_)));
}

/// Stops itself, and has the tree end or start somebody in the same handler.
struct StopsAndCalls {
    tree: Tree,
    starts: bool,
    heard: Heard,
}
impl Actor for StopsAndCalls {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for StopsAndCalls {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.stop();
        match self.starts {
            true => self.tree.start_child("root", quiet(&self.heard)).await?,
            false => self.tree.terminate_child("root/quiet").await?,
        }
        Ok(())
    }
}

#[test]
fn one_that_has_asked_to_stop_does_although_a_child_runs_in_its_handler() {
    for starts in [true, false] {
        let ((mut isolate, tree), heard) = (isolate(), Heard::default());
        if !starts {
            isolate.block_on(tree.start_child("root", quiet(&heard))).unwrap().unwrap();
        }
        let actor = StopsAndCalls { tree: tree.clone(), starts, heard: heard.clone() };
        let stops = isolate.spawn(actor).unwrap();
        isolate.publish(Tick(1)).unwrap();
        isolate.run().unwrap();
        assert_eq!(isolate.block_on(stops.ended()).unwrap(), StopReason::Normal, "starts {starts}");
        // The child is as it was told to be.
        let expected: &[&str] = if starts { &["began"] } else { &["began", "was shut down"] };
        assert_eq!(heard.words(), expected);
    }
}

/// Asks to stop, and panics.
struct StopsAndPanics;
impl Actor for StopsAndPanics {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for StopsAndPanics {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.0 == 1 {
            ctx.stop();
            panic!("at once");
        }
        Ok(())
    }
}

/// Counts ticks.
struct Counts(Heard);
impl Actor for Counts {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Counts {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(tick.0.to_string());
        Ok(())
    }
}

#[test]
fn a_stop_that_was_asked_for_before_a_panic_is_no_other_actors() {
    for supervised in [true, false] {
        let ((mut isolate, tree), heard) = (isolate(), Heard::default());
        if supervised {
            let child = Child::actor("panics", || StopsAndPanics);
            isolate.block_on(tree.start_child("root", child)).unwrap().unwrap();
        } else {
            isolate.spawn(StopsAndPanics).unwrap();
        }
        let counts = isolate.spawn(Counts(heard.clone())).unwrap();
        for n in 1..=3 {
            isolate.publish(Tick(n)).unwrap();
        }
        isolate.run().unwrap();
        assert_eq!(heard.words(), ["1", "2", "3"], "supervised {supervised}");
        assert!(counts.is_alive());
    }
}

/// Drains its tree.
struct Drains(Tree, Heard);
impl Service for Drains {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        self.0.drain(Duration::from_secs(1)).await?;
        self.1.add("drained");
        Ok(())
    }
}

#[test]
fn a_service_that_drains_a_tree_with_a_source_is_no_source_itself() {
    let ((mut isolate, tree), heard) = (isolate(), Heard::default());
    isolate.block_on(tree.start_child("root", quiet(&heard).source(true))).unwrap().unwrap();
    let drains = isolate.spawn_service(Drains(tree, heard.clone())).unwrap();
    isolate.run().unwrap();
    assert_eq!(heard.words(), ["began", "was shut down", "drained"]);
    assert_eq!(isolate.block_on(drains.ended()).unwrap(), StopReason::Normal);
}

type Own = Arc<OnceLock<ServiceRef<EndsItself>>>;

/// Ends itself through its own reference, and waits.
struct EndsItself {
    own: Own,
    kills: bool,
}
impl Service for EndsItself {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let own = self.own.get().ok_or("no reference")?;
        if self.kills {
            own.kill();
        } else {
            own.stop();
        }
        ctx.sleep(MILLI).await;
        Err("it went on".into())
    }
}

#[test]
fn a_service_may_stop_or_kill_itself() {
    for kills in [false, true] {
        let (mut isolate, _) = isolate();
        let own = Own::default();
        let service = isolate.spawn_service(EndsItself { own: Arc::clone(&own), kills }).unwrap();
        own.set(service.clone()).unwrap_or_else(|_| panic!("set twice"));
        isolate.run().unwrap();
        let expected = if kills { StopReason::Killed } else { StopReason::Normal };
        assert_eq!(isolate.block_on(service.ended()).unwrap(), expected);
        assert_eq!(isolate.now().as_nanos(), 0);
    }
}

/// Has its tree end it.
struct EndsByItsTree(Arc<OnceLock<Tree>>, Heard);
impl Service for EndsByItsTree {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        self.1.add("began");
        let answer = self.0.get().ok_or("no tree")?.terminate_child("root/ends").await;
        self.1.add(format!("went on: {answer:?}"));
        Ok(())
    }
}

#[test]
fn a_child_that_has_its_tree_kill_it_is_not_waited_for_for_ever() {
    for shutdown in [Shutdown::BrutalKill, Shutdown::Timeout(MILLI)] {
        let ((mut isolate, tree), heard) = (isolate(), Heard::default());
        let (own, all) = (Arc::new(OnceLock::new()), heard.clone());
        own.set(tree.clone()).unwrap_or_else(|_| panic!("set twice"));
        let child = Child::service("ends", move || EndsByItsTree(Arc::clone(&own), all.clone()));
        let child = child.restart(Restart::Temporary).shutdown(shutdown);
        isolate.block_on(tree.start_child("root", child)).unwrap().unwrap();
        isolate.run().unwrap();
        assert_eq!(heard.words(), ["began"]);
        isolate.block_on(tree.shutdown()).unwrap().unwrap();
    }
}

/// Reads ticks by a key that panics.
struct BadKey;
impl Service for BadKey {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let how = Subscription::conflate(|tick: &Tick| if tick.0 == 2 { panic!("no key") } else { tick.0 });
        let mut ticks: Subscriber<Tick> = ctx.subscribe(how)?;
        ctx.sleep(MILLI).await;
        while let Some(tick) = ticks.recv().await {
            drop(tick);
        }
        Ok(())
    }
}

#[test]
fn a_key_that_panics_ends_whoever_subscribed_with_it() {
    let ((mut isolate, _), heard) = (isolate(), Heard::default());
    let before = isolate.spawn(Counts(heard.clone())).unwrap();
    let bad = isolate.spawn_service(BadKey).unwrap();
    isolate.run_for(Duration::ZERO).unwrap();
    let after = isolate.spawn(Counts(heard.clone())).unwrap();
    for n in 1..=3 {
        isolate.publish(Tick(n)).unwrap();
    }
    isolate.run().unwrap();
    assert!(before.is_alive() && after.is_alive());
    assert_eq!(heard.words(), ["1", "1", "2", "2", "3", "3"]);
    assert!(matches!(isolate.block_on(bad.ended()).unwrap(), StopReason::Panicked(_)));
}

/// Leaves the topic of the message that it has, and fails.
struct LeavesAndFails(Heard, Arc<AtomicU32>);
impl Actor for LeavesAndFails {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for LeavesAndFails {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(tick.0.to_string());
        if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            ctx.unsubscribe::<Tick>();
            return Err("left".into());
        }
        Ok(())
    }
}

#[test]
fn a_message_in_hand_whose_topic_was_left_is_not_tried_again() {
    let ((mut isolate, tree), heard, lives) = (isolate(), Heard::default(), Arc::new(AtomicU32::new(0)));
    let all = heard.clone();
    let child = Child::actor("leaves", move || LeavesAndFails(all.clone(), Arc::clone(&lives)));
    let child = child.redelivery(Redelivery::Retry { attempts: 3 });
    isolate.block_on(tree.start_child("root", child)).unwrap().unwrap();
    isolate.publish(Tick(1)).unwrap();
    isolate.run().unwrap();
    assert_eq!(heard.words(), ["1"]);
    let topics = isolate.topics();
    let ticks = topics.iter().find(|topic| topic.message == "Tick").unwrap();
    assert_eq!((ticks.delivered, ticks.dropped_unsubscribed, ticks.dead_letters), (0, 1, 0));
}

/// Hands its subscriber on, and ends.
struct HandsOn(std::sync::mpsc::Sender<Subscriber<Tick>>);
impl Service for HandsOn {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.0.send(ctx.subscribe(Subscription::block())?)?;
        ctx.sleep(MILLI).await;
        Ok(())
    }
}

/// Reads what it was handed until nothing more comes.
struct TakesOver(std::sync::mpsc::Receiver<Subscriber<Tick>>, Heard);
impl Service for TakesOver {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = self.0.recv()?;
        while let Some(tick) = ticks.recv().await {
            self.1.add(tick.0.to_string());
        }
        self.1.add("over");
        Ok(())
    }
}

#[test]
fn whoever_reads_what_another_service_has_subscribed_to_rests_and_hears_of_its_end() {
    let ((mut isolate, _), heard) = (isolate(), Heard::default());
    let (to, from) = std::sync::mpsc::channel();
    isolate.spawn_service(HandsOn(to)).unwrap();
    isolate.run_for(Duration::ZERO).unwrap();
    isolate.spawn_service(TakesOver(from, heard.clone())).unwrap();
    isolate.publish(Tick(1)).unwrap();
    isolate.run_for(Duration::ZERO).unwrap();
    assert_eq!(heard.words(), ["1"]);
    isolate.run().unwrap();
    assert_eq!(heard.words(), ["1", "over"]);
}

/// Panics where it is dropped, unless the thread unwinds.
struct Bomb(&'static str);
impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "{}", self.0);
    }
}

/// Waits with a bomb in hand.
struct HoldsABomb;
impl Actor for HoldsABomb {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let _bomb = Bomb("it was in hand");
        ctx.sleep(MILLI).await;
        Ok(())
    }
}

/// Kills another one, and goes on.
struct Kills(mycelium::ActorRef<HoldsABomb>, Heard);
impl Actor for Kills {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Kills {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.kill();
        self.1.add("went on");
        Ok(())
    }
}

#[test]
fn a_destructor_that_panics_at_a_kill_is_the_victims() {
    let ((mut isolate, tree), heard) = (isolate(), Heard::default());
    let victim = isolate.spawn(HoldsABomb).unwrap();
    let kills = isolate.spawn(Kills(victim.clone(), heard.clone())).unwrap();
    isolate.publish(Tick(1)).unwrap();
    isolate.run_for(Duration::ZERO).unwrap();
    assert_eq!(heard.words(), ["went on"]);
    assert!(kills.is_alive());
    let reason = isolate.block_on(victim.ended()).unwrap();
    assert!(matches!(reason, StopReason::Panicked(_)), "{reason:?}");
    // From outside nobody's code is hit either.
    let victim = isolate.spawn(HoldsABomb).unwrap();
    isolate.run_for(Duration::ZERO).unwrap();
    victim.kill();
    let reason = isolate.block_on(victim.ended()).unwrap();
    assert!(matches!(reason, StopReason::Panicked(_)), "{reason:?}");
    drop(tree);
}

/// Stops its service once more where it is dropped with it, and says whether that lives.
struct StopsAgain(Arc<OnceLock<ServiceRef<HoldsOn>>>, Heard);
impl Drop for StopsAgain {
    fn drop(&mut self) {
        if let Some(own) = self.0.get() {
            own.stop();
            own.kill();
            self.1.add(format!("alive: {}", own.is_alive()));
        }
    }
}

/// Waits with what stops it again.
struct HoldsOn(Option<StopsAgain>);
impl Service for HoldsOn {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let _held = self.0.take();
        ctx.sleep(common::PERIOD).await;
        Ok(())
    }
}

#[test]
fn a_service_that_is_stopped_again_by_what_it_drops_ends_when_that_is_over() {
    let ((mut isolate, _), heard, own) = (isolate(), Heard::default(), Arc::new(OnceLock::new()));
    let held = StopsAgain(Arc::clone(&own), heard.clone());
    let service = isolate.spawn_service(HoldsOn(Some(held))).unwrap();
    own.set(service.clone()).unwrap_or_else(|_| panic!("set twice"));
    isolate.run_for(Duration::ZERO).unwrap();
    service.stop();
    assert_eq!(heard.words(), ["alive: true"]);
    assert_eq!(isolate.block_on(service.ended()).unwrap(), StopReason::Normal);
}
