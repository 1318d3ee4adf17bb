//! Draining a tree: what is queued is handled, or named.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::common::{Heard, PERIOD, Tick, Tock, on_both_runtimes};
use mycelium::rand_core::Rng;
use mycelium::tree::{Child, ExitReason, Restart, Shutdown};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, MessageBus, PublishError, Service, ServiceContext,
    StopReason, Subscription, Subscriptions, Supervisor, WeakBus,
};
use mycelium_random::{Random, seed};

const LONG: Duration = Duration::from_secs(50);

/// Publishes ticks until it is told to stop; says how many.
struct Feed {
    name: &'static str,
    log: Heard,
    published: Arc<AtomicU64>,
}

impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut stopped = std::pin::pin!(ctx.stopped());
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => break,
                published = ctx.publish(Tick(1)) => published?,
            }
            if self.published.fetch_add(1, Ordering::SeqCst) == 100 {
                self.log.add("under way");
            }
            tokio::task::yield_now().await;
        }
        self.log.add(format!("-{}", self.name));
        Ok(())
    }
}

/// Makes a tock of each tick, slowly.
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
        tokio::task::yield_now().await;
        Ok(ctx.publish(Tock(tick.0)).await?)
    }
}

/// Adds up what it is told, and hangs, fails or panics when asked to.
struct Sum {
    log: Heard,
    sum: Arc<AtomicU64>,
}

impl Actor for Sum {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        self.log.add("-sum");
    }
}

impl Handler<Tock> for Sum {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        match tock.0 {
            0 => std::future::pending().await,
            13 => Err("an unlucky number".into()),
            number => {
                self.sum.fetch_add(number, Ordering::SeqCst);
                Ok(())
            }
        }
    }
}

fn sum(log: &Heard, total: &Arc<AtomicU64>) -> Child {
    let (log, sum) = (log.clone(), Arc::clone(total));
    Child::actor("sum", move || Sum { log: log.clone(), sum: Arc::clone(&sum) })
}

fn feed(name: &'static str, log: &Heard, published: &Arc<AtomicU64>) -> Child {
    let (log, published) = (log.clone(), Arc::clone(published));
    Child::service(name, move || Feed { name, log: log.clone(), published: Arc::clone(&published) })
}

#[test]
fn sources_stop_in_order_then_all_is_handled_then_actors_stop_in_reverse() {
    on_both_runtimes(|| async {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let (published, total) = (Arc::default(), Arc::default());
        let relay = log.clone();
        let tree = Supervisor::builder("root")
            .child(sum(&log, &total))
            .child(Child::actor("relay", move || Relay(relay.clone())))
            .child(feed("first", &log, &published))
            .child(feed("second", &log, &published))
            .start(&bus)
            .await
            .unwrap();
        let loose = Feed { name: "loose", log: log.clone(), published: Arc::clone(&published) };
        bus.spawn_service(loose).unwrap();
        log.wait_for("under way").await;
        let drained = tree.drain(LONG).await.unwrap();
        assert_eq!(drained.sources, 3);
        assert_eq!(total.load(Ordering::SeqCst), published.load(Ordering::SeqCst));
        assert!(published.load(Ordering::SeqCst) > 100);
        assert_eq!(log.words(), ["under way", "-first", "-second", "-loose", "-relay", "-sum"]);
        assert_eq!(tree.ended().await, ExitReason::Shutdown);
        assert_eq!(bus.dead_letters().waiting, 0);
    });
}

#[tokio::test]
async fn publishers_outside_are_refused_from_the_beginning_of_a_drain() {
    let (bus, log, total) = (MessageBus::new(), Heard::default(), Arc::default());
    let tree = Supervisor::builder("root").child(sum(&log, &total)).start(&bus).await.unwrap();
    let hang = Subscription::default().capacity(1);
    let mut full = bus.subscriber_with::<Tick>(hang).unwrap();
    let (ticks, tocks) = (bus.publisher::<Tick>().unwrap(), bus.publisher::<Tock>().unwrap());
    ticks.publish(Tick(1)).await.unwrap();
    // It waits for room when the drain begins.
    let waiting = tokio::spawn(async move { ticks.publish(Tick(2)).await });
    tokio::task::yield_now().await;
    tocks.publish(Tock(7)).await.unwrap();
    tree.drain(LONG).await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(PublishError::Closed(Tick(2)))));
    assert!(matches!(tocks.publish(Tock(8)).await, Err(PublishError::Closed(Tock(8)))));
    // Topics that come into being later refuse too.
    let late = bus.publisher::<crate::common::Note>().unwrap();
    assert!(late.publish(crate::common::Note("late".into())).await.is_err());
    assert_eq!(total.load(Ordering::SeqCst), 7);
    assert_eq!(full.recv().await.as_deref(), Some(&Tick(1)), "what was taken is still there");
}

#[tokio::test]
async fn a_drain_past_its_limit_names_what_is_left_and_does_not_hang() {
    let (bus, log, total) = (MessageBus::new(), Heard::default(), Arc::default());
    let stubborn = sum(&log, &total).shutdown(Shutdown::Timeout(Duration::from_millis(20)));
    let tree = Supervisor::builder("root").child(stubborn).start(&bus).await.unwrap();
    let tocks = bus.publisher::<Tock>().unwrap();
    for number in [5, 0, 1, 2, 3] {
        tocks.publish(Tock(number)).await.unwrap();
    }
    tree.lookup::<Sum>("root/sum").unwrap().tell(Tock(4)).await.unwrap();
    while total.load(Ordering::SeqCst) < 5 {
        tokio::task::yield_now().await;
    }
    let error = tree.drain(Duration::from_millis(30)).await.unwrap_err();
    assert_eq!(total.load(Ordering::SeqCst), 5);
    assert_eq!((&*error.busy, &*error.killed), (&["root/sum".into()][..], &["root/sum".into()][..]));
    assert_eq!(error.messages, 5);
    let text = error.to_string();
    for line in [
        "not drained within 30ms",
        "root/sum was still at work",
        "root/sum was killed, because it missed its shutdown time",
        "root/sum: 1 Tock in hand from topic tocks",
        "root/sum: 3 Tock waiting from topic tocks",
        "root/sum: 1 Tock waiting\n",
        "5 messages were not handled; they are dead letters",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let letters = bus.dead_letters();
    assert_eq!((letters.in_hand, letters.waiting), (1, 4));
    assert_eq!(tree.ended().await, ExitReason::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn a_drain_whose_mailboxes_were_empty_in_time_does_not_say_that_it_was_late() {
    /// Waits for ever when it is told to stop.
    struct Deaf;
    impl Actor for Deaf {
        type Error = BoxError;
        async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
            std::future::pending::<()>().await;
        }
    }
    let bus = MessageBus::new();
    let deaf = Child::actor("deaf", || Deaf).shutdown(Shutdown::Timeout(Duration::from_millis(20)));
    let tree = Supervisor::builder("root").child(deaf).start(&bus).await.unwrap();
    let error = tree.drain(LONG).await.unwrap_err();
    assert!(error.sources.is_empty() && error.busy.is_empty() && error.messages == 0, "{error}");
    let text = "every mailbox was empty within 50s, and the end was not in order\n  \
        root/deaf was killed, because it missed its shutdown time";
    assert_eq!(error.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn each_of_two_ends_at_once_names_all_that_was_killed_since_its_beginning() {
    /// Waits for ever when it is told to stop.
    struct Deaf;
    impl Actor for Deaf {
        type Error = BoxError;
        async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
            std::future::pending::<()>().await;
        }
    }
    let deaf = |id| Child::actor(id, || Deaf).shutdown(Shutdown::Timeout(Duration::from_millis(20)));
    let named = |paths: &[Arc<str>]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
    for second_drains in [false, true] {
        let bus = MessageBus::new();
        let root = Supervisor::builder("root").child(deaf("a")).child(deaf("b"));
        let tree = root.start(&bus).await.unwrap();
        let (first, second) = tokio::join!(bus.shutdown_within(LONG), async {
            // By then b was killed, and a was not.
            tokio::time::sleep(Duration::from_millis(30)).await;
            if second_drains {
                named(&tree.drain(LONG).await.unwrap_err().killed)
            } else {
                named(&bus.shutdown_within(LONG).await.unwrap_err().children)
            }
        });
        assert_eq!(named(&first.unwrap_err().children), ["root/b", "root/a"]);
        assert_eq!(second, ["root/a"]);
        assert_eq!(named(&tree.missed()), ["root/b", "root/a"]);
    }
}

#[tokio::test]
async fn a_source_that_a_restart_brings_back_is_stopped_again() {
    let (bus, log) = (MessageBus::new(), Heard::default());
    let (published, total) = (Arc::<AtomicU64>::default(), Arc::default());
    // An error of `sum` ends the desk, and the root starts it anew with its feed.
    let desk = Supervisor::builder("desk").intensity(0, PERIOD);
    let desk = desk.child(sum(&log, &total)).child(feed("feed", &log, &published));
    let root = Supervisor::builder("root").intensity(5, PERIOD).supervisor(desk);
    let tree = root.start(&bus).await.unwrap();
    log.wait_for("under way").await;
    bus.publisher::<Tock>().unwrap().publish(Tock(13)).await.unwrap();
    let drained = tree.drain(LONG).await.unwrap();
    let stops = log.words().iter().filter(|line| *line == "-feed").count();
    assert!(drained.sources >= 1 && stops >= 1, "{drained:?}, {stops}");
    let after = published.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(published.load(Ordering::SeqCst), after);
    assert_eq!(bus.alive(), 0);
}

#[tokio::test]
async fn a_consumer_that_is_no_source_reads_to_the_end() {
    struct Writer(Heard);
    impl Service for Writer {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            let mut tocks = ctx.subscribe::<Tock>(Subscription::default())?;
            let mut stopped = std::pin::pin!(ctx.stopped());
            loop {
                tokio::select! {
                    biased;
                    Some(tock) = tocks.recv() => self.0.add(format!("wrote {}", tock.0)),
                    () = &mut stopped => return Ok(()),
                }
            }
        }
    }
    let (bus, log) = (MessageBus::new(), Heard::default());
    let (written, relay) = (log.clone(), log.clone());
    let writer = Child::service("writer", move || Writer(written.clone())).source(false);
    let root = Supervisor::builder("root").child(writer);
    let tree = root.child(Child::actor("relay", move || Relay(relay.clone()))).start(&bus).await.unwrap();
    let relay = tree.lookup::<Relay>("root/relay").unwrap();
    for number in 1..=3 {
        relay.tell(Tick(number)).await.unwrap();
    }
    assert_eq!(tree.drain(LONG).await.unwrap().sources, 0);
    // The relay stops after the last one was written, or before: they are different tasks.
    let written: Vec<_> = log.words().into_iter().filter(|line| line.starts_with('w')).collect();
    assert_eq!(written, ["wrote 1", "wrote 2", "wrote 3"]);
}

/// One step of a walk over the actors.
struct Step {
    left: u32,
}

type Crowd = Arc<OnceLock<Vec<ActorRef<Walker>>>>;

struct Walker {
    crowd: Crowd,
    steps: Arc<AtomicU64>,
}

impl Actor for Walker {
    type Error = BoxError;
}

impl Handler<Step> for Walker {
    async fn handle(&mut self, step: &Step, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.steps.fetch_add(1, Ordering::SeqCst);
        let choice = ctx.random().next_u64();
        match choice % 8 {
            0 => tokio::task::yield_now().await,
            1 => tokio::time::sleep(Duration::from_micros(choice >> 8 & 0x3ff)).await,
            _ => {}
        }
        let crowd = self.crowd.get().expect("all are there before the first step");
        let next = &crowd[(choice >> 32) as usize % crowd.len()];
        if step.left > 0 {
            // Refused when it is this actor's own full mailbox; there is always room here.
            ctx.tell(next, Step { left: step.left - 1 }).await?;
        }
        Ok(())
    }
}

#[test]
fn no_step_of_any_walk_is_lost_however_the_actors_wake_and_sleep() {
    let seed = seed();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for run in 0..60 {
        let mut random = Random::new(seed ^ run);
        runtime.block_on(async {
            let bus = MessageBus::builder().seed(random.next_u64()).build();
            let (crowd, steps) = (Crowd::default(), Arc::<AtomicU64>::default());
            let mut root = Supervisor::builder("root");
            let actors = 2 + random.below(20);
            for n in 0..actors {
                let (crowd, steps) = (Arc::clone(&crowd), Arc::clone(&steps));
                let make = move || Walker { crowd: Arc::clone(&crowd), steps: Arc::clone(&steps) };
                root = root.child(Child::actor(format!("walker-{n}"), make).restart(Restart::Temporary));
            }
            let tree = root.start(&bus).await.unwrap();
            let all = (0..actors).map(|n| tree.lookup::<Walker>(&format!("root/walker-{n}")).unwrap());
            assert!(crowd.set(all.collect()).is_ok());
            let mut expected = 0;
            for _ in 0..random.below(40) {
                let left = random.below(50) as u32;
                let walker = random.pick(crowd.get().unwrap());
                walker.tell(Step { left }).await.unwrap();
                expected += u64::from(left) + 1;
            }
            tree.drain(LONG).await.unwrap_or_else(|error| panic!("run {run}: {error}"));
            assert_eq!(steps.load(Ordering::SeqCst), expected, "run {run}");
        });
    }
}

#[tokio::test]
async fn an_actor_that_waits_for_another_one_is_at_work() {
    /// Spawns its helper at the last moment.
    struct Late(WeakBus, Arc<AtomicU64>);
    impl Actor for Late {
        type Error = BoxError;
    }
    impl Handler<()> for Late {
        async fn handle(&mut self, _: &(), _: &mut Context<Self>) -> Result<(), BoxError> {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let bus = self.0.upgrade().ok_or("the bus is gone")?;
            let helper = bus.spawn(Sum { log: Heard::default(), sum: Arc::clone(&self.1) })?;
            helper.tell(Tock(9)).await?;
            Ok(())
        }
    }
    let (bus, total) = (MessageBus::new(), Arc::<AtomicU64>::default());
    let (weak, sum) = (bus.downgrade(), Arc::clone(&total));
    let make = move || Late(weak.clone(), Arc::clone(&sum));
    let tree = Supervisor::builder("root").actor("late", make).start(&bus).await.unwrap();
    tree.lookup::<Late>("root/late").unwrap().tell(()).await.unwrap();
    tree.drain(LONG).await.unwrap();
    assert_eq!(total.load(Ordering::SeqCst), 9);
}

#[test]
fn outsiders_are_taken_again_when_the_bus_is_told_so() {
    on_both_runtimes(|| async {
        let (bus, log, total) = (MessageBus::new(), Heard::default(), Arc::default());
        let tocks = bus.publisher::<Tock>().unwrap();
        let tree = || Supervisor::builder("root").child(sum(&log, &total)).start(&bus);
        tree().await.unwrap().drain(LONG).await.unwrap();
        let second = tree().await.unwrap();
        assert!(tocks.publish(Tock(1)).await.is_err(), "they are refused after the drain, too");
        bus.resume_ingress();
        tocks.publish(Tock(2)).await.unwrap();
        bus.publisher::<Tick>().unwrap().publish(Tick(1)).await.unwrap();
        second.drain(LONG).await.unwrap();
        assert_eq!(total.load(Ordering::SeqCst), 2);
        bus.shutdown().await.unwrap();
        bus.resume_ingress();
        assert!(tocks.publish(Tock(3)).await.is_err(), "a closed bus stays closed");
    });
}

#[tokio::test]
async fn a_drain_that_is_dropped_forgets_nobody_who_was_killed_before() {
    struct Stubborn;
    impl Service for Stubborn {
        type Error = BoxError;
        async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
            std::future::pending().await
        }
    }
    let bus = MessageBus::new();
    let slow = Child::service("slow", || Stubborn).shutdown(Shutdown::Timeout(LONG));
    let hasty = Child::service("hasty", || Stubborn).shutdown(Shutdown::Timeout(Duration::from_millis(1)));
    let tree = Supervisor::builder("root").child(slow).child(hasty).start(&bus).await.unwrap();
    tree.terminate_child("root/hasty").await.unwrap();
    tokio::select! {
        biased;
        _ = tree.drain(LONG) => panic!("its source does not stop"),
        () = tokio::time::sleep(Duration::from_millis(10)) => {}
    }
    let missed = tree.shutdown_within(Duration::ZERO).await.unwrap_err().missed;
    assert_eq!(missed, ["root/slow".into()]);
    assert_eq!(tree.missed(), ["root/hasty", "root/slow"].map(Into::into));
}
