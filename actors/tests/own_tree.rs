//! Code of an isolate that ends the tree which it is part of, wherever it runs just then.
#![forbid(unsafe_code)]

mod common;

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{set_hook, take_hook};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use common::{Heard, PERIOD};
use mycelium::tree::{Backoff, Child, ExitReason, Notice, Redelivery};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, RunError, Service, ServiceContext, Subscription,
    Subscriptions, Supervisor, Tree,
};

thread_local!(static PANICS: Cell<u32> = const { Cell::new(0) });

/// Counts the panics of each thread: those that the framework catches, too.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
}

/// The tree, once it has started, and where its own code is to end it.
#[derive(Clone, Default)]
struct Site {
    tree: Arc<OnceLock<Tree>>,
    heard: Heard,
}

impl Site {
    /// Ends the tree at once, as code does that polls by hand and waits for nothing.
    fn shut(&self, word: &str) {
        let Some(tree) = self.tree.get() else { return };
        self.heard.add(word);
        let mut shutdown = pin!(tree.shutdown_within(Duration::ZERO));
        let mut cx = TaskContext::from_waker(Waker::noop());
        // Where its supervisors run this very code, the end comes when that is over.
        for _ in 0..8 {
            if shutdown.as_mut().poll(&mut cx).is_ready() {
                break;
            }
        }
    }
}

/// Ends the tree when it is dropped.
struct AtDrop(Site, &'static str);
impl Drop for AtDrop {
    fn drop(&mut self) {
        self.0.shut(self.1);
    }
}

/// Ends the tree when it is dropped, and panics.
struct PanicsAtDrop(Site, &'static str);
impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        self.0.shut(self.1);
        assert!(std::thread::panicking(), "told to panic");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Loop,
    LoopThenWait,
    LoopThenError,
    LoopThenPanic,
    DropOfFuture,
    DropOfService,
}

#[derive(Clone, Debug)]
struct Tick;
impl Message for Tick {
    const NAME: &'static str = "Tick";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "ticks";
}

struct Loops {
    site: Site,
    place: Place,
    _last: Option<AtDrop>,
}
impl Service for Loops {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe::<Tick>(Subscription::block())?;
        let _guard = (self.place == Place::DropOfFuture).then(|| AtDrop(self.site.clone(), "drop"));
        ticks.recv().await;
        if matches!(self.place, Place::DropOfFuture | Place::DropOfService) {
            return poll_fn(|_| Poll::Pending).await;
        }
        self.site.shut("loop");
        match self.place {
            Place::LoopThenError => return Err("told to fail".into()),
            Place::LoopThenPanic => panic!("told to panic"),
            Place::LoopThenWait => ctx.sleep(Duration::from_secs(1)).await,
            _ => {}
        }
        self.site.heard.add("after");
        Ok(())
    }
}

struct Idle;
impl Actor for Idle {
    type Error = BoxError;
}

/// Runs a tree with this child and an idle one on each side, until it has ended; what was heard, and what its
/// observer was told.
fn run(child: impl FnOnce(&Site) -> Child, act: impl FnOnce(&mut Isolate, &Tree)) -> (Site, Vec<String>) {
    count_panics();
    let (site, told) = (Site::default(), Arc::new(Mutex::new(Vec::new())));
    let notes = Arc::clone(&told);
    let root = Supervisor::builder("root").intensity(9, PERIOD).actor("a", || Idle).child(child(&site));
    let root = root.actor("z", || Idle).on_event(move |_, notice| {
        if let Notice::Stopped { id, reason, .. } | Notice::Exited { id, reason } = notice {
            notes.lock().unwrap().push(format!("{id} {reason}"));
        }
    });
    let mut isolate = Isolate::new(1);
    let tree = isolate.supervise(&root).unwrap();
    let _ = site.tree.set(tree.clone());
    act(&mut isolate, &tree);
    isolate.run().unwrap();
    assert!(matches!(tree.end_reason(), Some(ExitReason::Shutdown | ExitReason::Killed)));
    assert_eq!(isolate.topics().iter().map(|topic| topic.waiting).sum::<u64>(), 0);
    isolate.publish(Tick).unwrap();
    isolate.run().unwrap();
    assert_eq!(isolate.stats().unheard, 1, "its subscription has gone with it");
    let told = told.lock().unwrap().clone();
    (site, told)
}

#[test]
fn a_service_that_ends_its_own_tree_has_no_panic_and_goes_at_its_next_wait() {
    for (place, heard, panics) in [
        (Place::Loop, &["loop", "after"][..], 0),
        (Place::LoopThenWait, &["loop"], 0),
        (Place::LoopThenError, &["loop"], 0),
        (Place::LoopThenPanic, &["loop"], 1),
        (Place::DropOfFuture, &["drop"], 0),
        (Place::DropOfService, &["drop"], 0),
    ] {
        let before = PANICS.get();
        let child = |site: &Site| {
            let site = site.clone();
            Child::service("s", move || {
                let last = (place == Place::DropOfService).then(|| AtDrop(site.clone(), "drop"));
                Loops { site: site.clone(), place, _last: last }
            })
        };
        let (site, told) = run(child, |isolate, tree| {
            isolate.run().unwrap_or_default();
            isolate.publish(Tick).unwrap();
            let _ = isolate.run();
            if matches!(place, Place::DropOfFuture | Place::DropOfService) {
                tree.stop();
            }
        });
        assert_eq!(site.heard.words(), heard, "{place:?}");
        assert_eq!(PANICS.get() - before, panics, "{place:?}: {told:?}");
        assert_eq!(told.len(), 3, "each child ends once: {place:?} {told:?}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Spot {
    Handler,
    HandlerThenWait,
    HandlerThenError,
    HandlerThenPanic,
    WaitThenPanic,
    PanicOfFuture,
    Started,
    StartedThenPanic,
    Stopping,
    StoppingThenPanic,
    DropOfActor,
}

struct Acts {
    site: Site,
    spot: Spot,
    life: u32,
    _last: Option<AtDrop>,
}
impl Actor for Acts {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        if matches!(self.spot, Spot::Started | Spot::StartedThenPanic) {
            self.site.shut("started");
        }
        assert!(self.spot != Spot::StartedThenPanic || self.life == 0, "told to panic");
        Ok(())
    }
    async fn stopping(&mut self, _: &mycelium::StopReason, _: &mut Context<Self>) {
        if matches!(self.spot, Spot::Stopping | Spot::StoppingThenPanic) {
            self.site.shut("stopping");
        }
        assert!(self.spot != Spot::StoppingThenPanic, "told to panic");
    }
}
impl Handler<Tick> for Acts {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let last = |word| PanicsAtDrop(self.site.clone(), word);
        match self.spot {
            Spot::Started | Spot::StartedThenPanic => return Err("to start anew".into()),
            Spot::Stopping | Spot::StoppingThenPanic | Spot::DropOfActor => return Ok(()),
            Spot::WaitThenPanic => {
                let _last = last("drop");
                self.site.shut("handler");
                ctx.sleep(Duration::from_secs(1)).await;
            }
            Spot::PanicOfFuture => {
                let _last = last("drop");
                ctx.sleep(Duration::from_millis(1)).await;
                panic!("told to panic");
            }
            _ => self.site.shut("handler"),
        }
        match self.spot {
            Spot::HandlerThenWait => ctx.sleep(Duration::from_secs(1)).await,
            Spot::HandlerThenError => return Err("told to fail".into()),
            Spot::HandlerThenPanic => panic!("told to panic"),
            _ => {}
        }
        self.site.heard.add("after");
        Ok(())
    }
}

/// An actor that ends its tree at this spot, and has a message tried so often; what was heard, the panics,
/// the dead letters, and how often its observer was told of an end of the actor.
fn act(spot: Spot, attempts: u32) -> (Vec<String>, u32, u64, usize) {
    let (before, mut letters) = (PANICS.get(), 0);
    let child = |site: &Site| {
        let (site, lives) = (site.clone(), AtomicU32::new(0));
        let child = Child::actor("s", move || {
            let last = (spot == Spot::DropOfActor).then(|| AtDrop(site.clone(), "drop"));
            let life = lives.fetch_add(1, Ordering::Relaxed);
            Acts { site: site.clone(), spot, life, _last: last }
        });
        child.redelivery(Redelivery::Retry { attempts })
    };
    let mut actor = None;
    let (site, told) = run(child, |isolate, tree| {
        actor = tree.lookup::<Acts>("root/s");
        isolate.publish(Tick).unwrap();
        let _ = isolate.run();
        if matches!(spot, Spot::Stopping | Spot::StoppingThenPanic | Spot::DropOfActor) {
            tree.stop();
        }
        let actor = actor.as_ref().unwrap();
        isolate.block_on(actor.ended()).unwrap();
        assert!(!actor.is_alive(), "{spot:?}");
        letters = isolate.stats().dead_letters;
        match (isolate.shutdown(), spot) {
            (Ok(_), _) => {}
            // Its last words leave the shutdown of before no time.
            (Err(RunError::Late(late)), Spot::Stopping | Spot::StoppingThenPanic) => {
                assert!(late.missed.is_empty(), "{spot:?}: {late}");
            }
            (Err(error), _) => panic!("{spot:?}: {error}"),
        }
    });
    let told = told.iter().filter(|told| told.starts_with("s ")).count();
    (site.heard.words(), PANICS.get() - before, letters, told)
}

#[test]
fn an_actor_that_ends_its_own_tree_ends_once_and_leaves_nothing_behind() {
    for (spot, heard, panics, dead, ends) in [
        (Spot::Handler, &["handler", "after"][..], 0, 0, 1),
        (Spot::HandlerThenWait, &["handler"], 0, 1, 1),
        (Spot::HandlerThenError, &["handler"], 0, 1, 1),
        (Spot::HandlerThenPanic, &["handler"], 1, 1, 1),
        (Spot::WaitThenPanic, &["handler", "drop"], 1, 1, 1),
        (Spot::PanicOfFuture, &["drop"], 1, 1, 1),
        (Spot::Started, &["started"], 0, 1, 2),
        (Spot::StartedThenPanic, &["started"], 1, 1, 1),
        (Spot::Stopping, &["stopping"], 0, 0, 1),
        (Spot::StoppingThenPanic, &["stopping"], 1, 0, 1),
        (Spot::DropOfActor, &["drop"], 0, 0, 1),
    ] {
        for attempts in [1, 2] {
            let seen = act(spot, attempts);
            let heard = heard.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(seen, (heard, panics, dead, ends), "{spot:?}, {attempts} attempts");
        }
    }
}

/// Fails in each of its lives but the first, as soon as that begins.
struct Stillborn(u32);
impl Actor for Stillborn {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        if self.0 == 0 { Ok(()) } else { Err("stillborn".into()) }
    }
}
impl Handler<u32> for Stillborn {
    async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("told to fail".into())
    }
}

#[test]
fn a_child_that_fails_again_and_again_at_one_moment_comes_to_the_limit_of_the_run_and_is_named() {
    let lives = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&lives);
    let child = Child::actor("s", move || Stillborn(count.fetch_add(1, Ordering::Relaxed)));
    let root = Supervisor::builder("root").intensity(1_000_000, PERIOD).child(child);
    let mut isolate = Isolate::new(1);
    let tree = isolate.supervise(&root).unwrap();
    isolate.limit_events(10_000);
    let child = tree.lookup::<Stillborn>("root/s").unwrap();
    isolate.tell(&child, 1).unwrap();
    let error = isolate.run().unwrap_err();
    assert!(matches!(error, RunError::TooManyEvents { .. }), "{error:?}");
    assert!(error.to_string().contains("root/s"), "{error}");
    assert!((10_000..12_000).contains(&lives.load(Ordering::Relaxed)));
    isolate.limit_events(u64::MAX);
    tree.stop();
    isolate.run().unwrap();
    assert_eq!(tree.end_reason(), Some(ExitReason::Shutdown), "it can go on");
}

#[test]
fn a_child_that_is_killed_in_its_backoff_is_started_anew_when_that_is_over() {
    let backoff = Backoff { initial: Duration::from_millis(20), jitter: 0.0, ..Backoff::default() };
    let lives = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&lives);
    let child = Child::actor("s", move || {
        count.fetch_add(1, Ordering::Relaxed);
        Stillborn(0)
    });
    let root = Supervisor::builder("root").intensity(9, PERIOD).child(child.backoff(backoff));
    let mut isolate = Isolate::new(1);
    let tree = isolate.supervise(&root).unwrap();
    let first = tree.lookup::<Stillborn>("root/s").unwrap();
    isolate.tell(&first, 1).unwrap();
    isolate.run_for(Duration::from_millis(1)).unwrap();
    first.kill();
    isolate.run().unwrap();
    assert_eq!(isolate.now().as_nanos(), 20_000_000, "and at no other time");
    let second = tree.lookup::<Stillborn>("root/s").unwrap();
    assert!(!first.is_alive() && second.is_alive());
    assert_eq!(lives.load(Ordering::Relaxed), 2);
}
