//! The seat of an actor of an isolate that has ended: nothing is left of it, and no reference to it ever
//! reaches whoever comes after.

mod common;
#[path = "../../mailbox/tests/common/heap.rs"]
mod heap;

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use common::{Heard, Tick};
use heap::live_bytes;
use mycelium::pool::Pool;
use mycelium::tree::{Child, Restart, Shutdown};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Down, Handler, Isolate, Message, OnFailure, Responder,
    Service, ServiceContext, StopReason, Subscription, Subscriptions, Supervisor, TellError,
};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// Subscribes, sets a timer for tomorrow, and ends in the way that it is told.
struct Mayfly(#[allow(dead_code, reason = "it takes room")] [u64; 8]);

impl Mayfly {
    const NEW: Self = Self([0; 8]);
}

impl Actor for Mayfly {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_after(Duration::from_secs(86_400), Tick(0));
        Ok(())
    }
}
impl Handler<Tick> for Mayfly {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Stop,
    Fail,
    Wait,
}
impl Handler<End> for Mayfly {
    async fn handle(&mut self, end: &End, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match end {
            End::Stop => ctx.stop(),
            End::Fail => return Err("told to fail".into()),
            End::Wait => std::future::pending().await,
        }
        Ok(())
    }
}
struct Ping;
impl Responder<Ping> for Mayfly {
    type Reply = u8;
    async fn answer(&mut self, _: &Ping, _: &mut Context<Self>) -> u8 {
        7
    }
}

struct Errand;
impl Service for Errand {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe::<Tick>(Subscription::drop_oldest())?;
        tokio::select! {
            biased;
            _ = ticks.recv() => {}
            () = ctx.sleep(Duration::from_nanos(1)) => {}
        }
        Ok(())
    }
}

/// One short life, ended in one of seven ways.
fn live_and_end(isolate: &mut Isolate, number: u64) {
    let mayfly = match number % 7 {
        6 => {
            drop(isolate.spawn_service(Errand).unwrap());
            isolate.run_for(Duration::from_nanos(1)).unwrap();
            return;
        }
        5 => isolate.spawn_named(&format!("mayfly {number}"), Mayfly::NEW).unwrap(),
        _ => isolate.spawn(Mayfly::NEW).unwrap(),
    };
    isolate.publish(Tick(number)).unwrap();
    match number % 7 {
        0 => isolate.tell(&mayfly, End::Stop).unwrap(),
        1 => isolate.tell(&mayfly, End::Fail).unwrap(),
        2 => {
            // Dead letters, behind the end and while it waits.
            for end in [End::Wait, End::Stop, End::Stop] {
                isolate.tell(&mayfly, end).unwrap();
            }
            isolate.run_for(Duration::ZERO).unwrap();
            isolate.tell(&mayfly, End::Stop).unwrap();
            mayfly.kill();
        }
        3 => {
            assert_eq!(isolate.ask(&mayfly, Ping).unwrap(), 7);
            mayfly.stop_gracefully();
        }
        4 => drop(isolate.take(&mayfly).unwrap()),
        _ => mayfly.stop(),
    }
    isolate.run_for(Duration::ZERO).unwrap();
    assert!(!mayfly.is_alive());
}

/// `MYCELIUM_CASES=1000000` is a million of them, which takes half a minute.
#[test]
fn short_lived_actors_of_one_isolate_take_no_memory_however_many() {
    let mut isolate = Isolate::new(1);
    isolate.on_failure(OnFailure::GoOn);
    // It stays, and is at the beginning of all tables.
    let old = isolate.spawn(Mayfly::NEW).unwrap();
    let mut live = |from: u64, to: u64| {
        (from..to).for_each(|number| live_and_end(&mut isolate, number));
        live_bytes()
    };
    let before = live(0, 10_000);
    let after = live(10_000, 10_000 + mycelium_random::cases(100_000));
    assert!(after <= before + 16_384, "{} bytes more", after - before);
    assert_eq!(isolate.ask(&old, Ping).unwrap(), 7);
}

#[test]
fn children_that_come_and_go_and_are_killed_take_no_memory() {
    let mut isolate = Isolate::new(1);
    let tree = isolate.supervise(&Supervisor::builder("root").intensity(10, Duration::from_millis(1)));
    let tree = tree.unwrap();
    let round = |isolate: &mut Isolate, number: u64| {
        let made = Arc::new(());
        let value = Arc::clone(&made);
        let child = Child::actor("child", move || Witness(Arc::clone(&value), None));
        let start = async {
            tree.start_child("root", child.shutdown(Shutdown::Timeout(Duration::from_secs(1))))
                .await
                .unwrap();
        };
        isolate.block_on(start).unwrap();
        let child = tree.lookup::<Witness>("root/child").unwrap();
        isolate.tell(&child, child.clone()).unwrap();
        isolate.run_for(Duration::ZERO).unwrap();
        drop(child);
        for _ in 0..3 {
            let child = tree.lookup::<Witness>("root/child").unwrap();
            child.kill();
            isolate.run_for(Duration::from_millis(1)).unwrap();
        }
        let end = async {
            tree.terminate_child("root/child").await.unwrap();
            tree.delete_child("root/child").await.unwrap();
        };
        isolate.block_on(end).unwrap();
        if number.is_multiple_of(2) {
            isolate.run_for(Duration::ZERO).unwrap();
            assert_eq!(Arc::strong_count(&made), 1, "the factory and all values have gone");
        }
        live_bytes()
    };
    let before = (0..500).map(|number| round(&mut isolate, number)).max().unwrap();
    let after = (500..10_000).map(|number| round(&mut isolate, number)).max().unwrap();
    assert!(after <= before + 16_384, "{} bytes more", after - before);
}

#[test]
fn pools_and_trees_with_pools_that_end_take_no_memory() {
    let mut isolate = Isolate::new(1);
    let tree = isolate.supervise(&Supervisor::builder("root")).unwrap();
    let made = Arc::new(());
    let describe = || {
        let value = Arc::clone(&made);
        Pool::new(move || Witness(Arc::clone(&value), None)).workers(2).supervisor("pool")
    };
    let round = |isolate: &mut Isolate, number: u64| {
        if number.is_multiple_of(2) {
            // A pool in a tree that stays.
            let round = async {
                tree.start_child("root", Child::supervisor(describe())).await.unwrap();
                let pool = tree.lookup_pool::<Witness>("root/pool").unwrap();
                pool.resize(3).await.unwrap();
                tree.terminate_child("root/pool").await.unwrap();
                tree.delete_child("root/pool").await.unwrap();
            };
            isolate.block_on(round).unwrap();
        } else {
            // A tree that ends, whose owner has left it a reference.
            let other = isolate.supervise(&describe()).unwrap();
            let pool = other.lookup_pool::<Witness>("pool").unwrap();
            isolate.block_on(other.shutdown()).unwrap().unwrap();
            assert!(other.lookup_pool::<Witness>("pool").is_none());
            drop((pool, other));
        }
        isolate.run_for(Duration::from_millis(1)).unwrap();
        assert_eq!(Arc::strong_count(&made), 1, "the factory and all values have gone");
        live_bytes()
    };
    let before = (0..500).map(|number| round(&mut isolate, number)).max().unwrap();
    let after = (500..5_000).map(|number| round(&mut isolate, number)).max().unwrap();
    assert!(after <= before + 16_384, "{} bytes more", after - before);
}

/// Keeps a reference to itself.
struct Witness(#[allow(dead_code)] Arc<()>, Option<ActorRef<Self>>);
impl Actor for Witness {
    type Error = BoxError;
}
impl Handler<ActorRef<Self>> for Witness {
    async fn handle(&mut self, me: &ActorRef<Self>, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.1 = Some(me.clone());
        Ok(())
    }
}

/// Says who has ended.
struct Mourner(ActorRef<Mayfly>, Heard);
impl Actor for Mourner {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.watch(&self.0);
        Ok(())
    }
}
impl Handler<Down> for Mourner {
    async fn handle(&mut self, down: &Down, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.1.add(format!("{} {}", down.actor, down.reason));
        Ok(())
    }
}

#[test]
fn a_stale_reference_says_how_its_actor_ended_and_reaches_nobody_else() {
    let mut isolate = Isolate::new(1);
    isolate.on_failure(OnFailure::GoOn);
    let stale = isolate.spawn(Mayfly::NEW).unwrap();
    let gone = isolate.spawn(Mayfly::NEW).unwrap();
    let gone_id = gone.id();
    isolate.tell(&stale, End::Fail).unwrap();
    isolate.tell(&gone, End::Fail).unwrap();
    isolate.run_for(Duration::ZERO).unwrap();
    drop(gone);
    for number in 0..1_000 {
        live_and_end(&mut isolate, number);
    }
    let heirs: Vec<_> = (0..100).map(|_| isolate.spawn(Mayfly::NEW).unwrap()).collect();
    isolate.run_for(Duration::ZERO).unwrap();
    let failed = StopReason::Failed("told to fail".into());
    assert!(isolate.identity(gone_id).is_none() && isolate.identity(stale.id()).is_some());
    assert!(heirs.iter().all(|heir| heir.id() != stale.id() && heir.id() != gone_id));
    assert!(!stale.is_alive());
    assert_eq!(isolate.end_reason(&stale), Some(failed.clone()));
    assert!(matches!(isolate.tell(&stale, End::Stop), Err(TellError::Stopped(End::Stop, _))));
    assert!(matches!(isolate.ask(&stale, Ping), Err(AskError::Stopped(_))));
    stale.stop();
    stale.kill();
    let heard = Heard::default();
    isolate.spawn(Mourner(stale.clone(), heard.clone())).unwrap();
    isolate.run_for(Duration::ZERO).unwrap();
    assert_eq!(heard.take(), ["Mayfly#1 failed: told to fail"]);
    assert_eq!(isolate.block_on(stale.ended()).unwrap(), failed);
    assert!(isolate.take(&stale).is_some(), "what it has left is there");
    assert!(heirs.iter().all(ActorRef::is_alive));
}

thread_local!(static POLLS: Cell<u32> = const { Cell::new(0) });

/// Keeps its waker where others find it, and counts how often it goes on.
struct Sleeper(Arc<Mutex<Option<Waker>>>);
impl Actor for Sleeper {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        std::future::poll_fn(|cx| {
            POLLS.set(POLLS.get() + 1);
            *self.0.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
        Ok(())
    }
}

#[test]
fn a_waker_of_an_actor_that_has_gone_wakes_nobody() {
    let mut isolate = Isolate::new(1);
    let mut wakers = Vec::new();
    for _ in 0..100 {
        let waker = Arc::new(Mutex::new(None));
        let sleeper = isolate.spawn(Sleeper(Arc::clone(&waker))).unwrap();
        isolate.run_for(Duration::ZERO).unwrap();
        wakers.extend(waker.lock().unwrap().take());
        sleeper.kill();
        drop(sleeper);
        isolate.run_for(Duration::ZERO).unwrap();
    }
    let heirs: Vec<_> = (0..100).map(|_| isolate.spawn(Sleeper(Arc::default())).unwrap()).collect();
    isolate.run_for(Duration::ZERO).unwrap();
    POLLS.set(0);
    // Also from another thread, whose wake-ups end a run if they are for anybody.
    std::thread::scope(|threads| {
        threads.spawn(|| wakers.iter().for_each(Waker::wake_by_ref)).join().unwrap();
    });
    wakers.iter().for_each(Waker::wake_by_ref);
    isolate.run_for(Duration::ZERO).unwrap();
    assert_eq!(POLLS.get(), 0);
    assert!(heirs.iter().all(ActorRef::is_alive));
}

/// Hands the next one of a long chain on to nobody.
struct Link(#[allow(dead_code)] Option<ActorRef<Link>>);
impl Actor for Link {
    type Error = BoxError;
}

#[test]
fn a_long_chain_of_references_goes_one_by_one() {
    let mut isolate = Isolate::new(1);
    let mut last = None;
    for _ in 0..200_000 {
        let link = isolate.spawn(Link(last.take())).unwrap();
        isolate.run_for(Duration::ZERO).unwrap();
        link.stop();
        last = Some(link);
    }
    isolate.run_for(Duration::ZERO).unwrap();
    let before = live_bytes();
    drop(last);
    isolate.run_for(Duration::ZERO).unwrap();
    assert!(live_bytes() < before - 200_000 * 100, "{} bytes were freed", before - live_bytes());
}

/// Tells somebody when it is dropped, and panics.
struct Testament(ActorRef<Mayfly>);
impl Actor for Testament {
    type Error = BoxError;
}
impl Drop for Testament {
    fn drop(&mut self) {
        let _ = self.0.try_tell(End::Stop);
        panic!("the last of it");
    }
}

#[test]
fn a_value_may_send_and_panic_when_it_goes() {
    // Freed by a run, by the next spawn, and as a child's.
    for (by_run, is_child) in [(true, false), (false, false), (true, true)] {
        let mut isolate = Isolate::new(1);
        let heir = isolate.spawn(Mayfly::NEW).unwrap();
        let testator = if is_child {
            let heir = heir.clone();
            let child = Child::actor("a", move || Testament(heir.clone())).restart(Restart::Temporary);
            let root = Supervisor::builder("root").child(child);
            isolate.supervise(&root).unwrap().lookup::<Testament>("root/a").unwrap()
        } else {
            isolate.spawn(Testament(heir.clone())).unwrap()
        };
        isolate.run_for(Duration::ZERO).unwrap();
        testator.kill();
        // The value of a child is nobody's any more.
        let kept = (!is_child).then_some(testator);
        isolate.run_for(Duration::ZERO).unwrap();
        assert_eq!(heir.is_alive(), !is_child, "{by_run}");
        drop(kept);
        if !by_run {
            isolate.spawn(Mayfly::NEW).unwrap();
        }
        isolate.run_for(Duration::ZERO).unwrap();
        assert_eq!(isolate.end_reason(&heir), Some(StopReason::Normal));
    }
}

#[test]
fn references_that_end_on_another_thread_or_in_another_isolate_do_no_harm() {
    let mut isolate = Isolate::new(1);
    for number in 0..100 {
        let mayfly = isolate.spawn(Mayfly::NEW).unwrap();
        mayfly.stop();
        isolate.run_for(Duration::ZERO).unwrap();
        match number % 3 {
            0 => std::thread::spawn(move || drop((mayfly.clone(), mayfly))).join().unwrap(),
            1 => {
                let mut other = Isolate::new(2);
                other.spawn(Link(None)).unwrap();
                let holder = other.spawn(Holder(Some(mayfly))).unwrap();
                other.tell(&holder, End::Stop).unwrap();
                other.run().unwrap();
            }
            _ => {
                let (id, clone) = (mayfly.id(), std::thread::spawn(move || mayfly).join().unwrap());
                assert!(isolate.identity(id).is_some() && isolate.end_reason(&clone).is_some());
                drop(clone);
                isolate.run_for(Duration::ZERO).unwrap();
                assert!(isolate.identity(id).is_none());
            }
        }
    }
    isolate.run_for(Duration::ZERO).unwrap();
}

/// Lets its reference go in a handler.
struct Holder(Option<ActorRef<Mayfly>>);
impl Actor for Holder {
    type Error = BoxError;
}
impl Handler<End> for Holder {
    async fn handle(&mut self, _: &End, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0 = None;
        Ok(())
    }
}

/// Panics when it is dropped, if it is told so.
#[derive(Clone, Debug)]
struct Bomb(bool);
impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 && !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("a bomb"));
        }
    }
}
impl Message for Bomb {
    const NAME: &'static str = "Bomb";
    const TYPE_ID: u16 = 77;
    const TOPIC: &'static str = "bombs";
}

/// Waits for ever over what it hears, with a destructor that panics, too.
struct Sapper(#[allow(dead_code, reason = "it is dropped")] Bomb);
impl Actor for Sapper {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Bomb>();
    }
}
impl Handler<Bomb> for Sapper {
    async fn handle(&mut self, _: &Bomb, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_secs(3_600)).await;
        Ok(())
    }
}

#[test]
fn an_isolate_whose_destructors_panic_goes_with_all_that_it_has() {
    let round = || {
        let mut isolate = Isolate::new(1);
        for state in [false, true] {
            isolate.spawn(Sapper(Bomb(state))).unwrap();
        }
        let tree = Supervisor::builder("root").actor("sapper", || Sapper(Bomb(true)));
        let _tree = isolate.supervise(&tree).unwrap();
        isolate.run_for(Duration::ZERO).unwrap();
        for explodes in [true, false, true, true] {
            isolate.publish(Bomb(explodes)).unwrap();
        }
        isolate.run_for(Duration::ZERO).unwrap();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(isolate)));
        assert!(ended.is_err(), "the first panic goes on");
    };
    round();
    let before = live_bytes();
    (0..20).for_each(|_| round());
    assert!(live_bytes() - before < 1_000, "{} bytes are left of 20 isolates", live_bytes() - before);
}
