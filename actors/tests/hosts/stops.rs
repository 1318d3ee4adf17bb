//! Services that are told to stop: their next wait ends them, unless they end by their own hand.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium::tree::{Child, Notice, Restart, Shutdown, Strategy};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Responder, Service, ServiceContext, StopReason,
    Subscription, Subscriptions, Supervisor,
};

use crate::common::{Heard, PERIOD, Tick, Tock};
use crate::host::{Diary, Host};

const HOUR: Duration = Duration::from_secs(3600);
const MILLISECOND: Duration = Duration::from_millis(1);
/// Nobody is killed for missing it.
const NO_LIMIT: Shutdown = Shutdown::Timeout(Duration::from_secs(3600 * 24 * 365));

/// Takes an hour for each message and each answer, and has room for one `Tock`.
struct Slow;
impl Actor for Slow {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tock>::block().capacity(1));
    }
}
impl Handler<Tock> for Slow {
    async fn handle(&mut self, _: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(HOUR).await;
        Ok(())
    }
}
struct Query;
impl Responder<Query> for Slow {
    type Reply = ();
    async fn answer(&mut self, _: &Query, ctx: &mut Context<Self>) {
        ctx.sleep(HOUR).await;
    }
}

/// What a service does, without a thought of its end.
#[derive(Clone, Copy, Debug)]
enum Work {
    PublishAndSleep,
    WaitForRoom,
    Sleep,
    SleepUntil,
    Interval,
    Receive,
    ReceiveMany,
    Tell,
    Ask,
    AskWithin,
    WaitForAnEnd,
    Replay,
    Select,
}

const WORKS: [Work; 13] = [
    Work::PublishAndSleep,
    Work::WaitForRoom,
    Work::Sleep,
    Work::SleepUntil,
    Work::Interval,
    Work::Receive,
    Work::ReceiveMany,
    Work::Tell,
    Work::Ask,
    Work::AskWithin,
    Work::WaitForAnEnd,
    Work::Replay,
    Work::Select,
];

struct Worker {
    work: Work,
    slow: ActorRef<Slow>,
    log: Heard,
}

/// Writes down that the code it is a part of was dropped.
struct Gone(Heard);
impl Drop for Gone {
    fn drop(&mut self) {
        self.0.add("gone");
    }
}

impl Service for Worker {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let _gone = Gone(self.log.clone());
        let mut ticks = ctx.subscribe::<Tick>(Subscription::default())?;
        let mut interval = ctx.interval(HOUR);
        self.log.add("begun");
        loop {
            match self.work {
                Work::PublishAndSleep => {
                    ctx.publish(Tick(1)).await?;
                    ctx.sleep(MILLISECOND).await;
                }
                Work::WaitForRoom => ctx.publish(Tock(1)).await?,
                Work::Sleep => ctx.sleep(HOUR).await,
                Work::SleepUntil => ctx.sleep_until(ctx.now() + HOUR).await,
                Work::Interval => interval.tick().await,
                Work::Receive => drop(ticks.recv().await),
                Work::ReceiveMany => drop(ticks.recv_many(16, |_| {}).await),
                Work::Tell => self.slow.tell(Tock(1)).await?,
                Work::Ask => self.slow.ask(Query).await?,
                Work::AskWithin => self.slow.ask_within(Query, HOUR).await?,
                Work::WaitForAnEnd => drop(self.slow.ended().await),
                Work::Replay => {
                    let begin = ctx.now();
                    ctx.replay((1..=9).map(move |n| (begin + HOUR * n, Tick(1)))).await?;
                }
                Work::Select => tokio::select! {
                    () = interval.tick() => {}
                    _ = ticks.recv() => {}
                    () = std::future::pending() => {}
                },
            }
        }
    }
}

conformance!(a_service_that_is_told_to_stop_ends_at_its_next_wait);
fn a_service_that_is_told_to_stop_ends_at_its_next_wait<H: Host>() {
    for work in WORKS {
        let (mut host, log, seen) = (H::new(), Heard::default(), Heard::default());
        let slow = host.spawn(Slow).unwrap();
        let (heard, notes) = (log.clone(), seen.clone());
        let worker = move || Worker { work, slow: slow.clone(), log: heard.clone() };
        let worker = Child::service("worker", worker).shutdown(NO_LIMIT);
        let root = Supervisor::builder("root").child(worker).on_event(move |_, notice| match notice {
            Notice::Exited { id, reason } | Notice::Stopped { id, reason, .. } => {
                notes.add(format!("{id} {reason}"));
            }
            _ => {}
        });
        let tree = host.supervise(root).unwrap();
        host.until(|| log.words() == ["begun"]);
        host.advance(MILLISECOND * 3);
        assert_eq!(host.shut_tree(&tree), Vec::<String>::new(), "{work:?}");
        assert_eq!(log.take(), ["begun", "gone"], "{work:?}");
        assert_eq!(seen.take(), ["worker shutdown"], "{work:?}");
    }
}

/// Writes down when it begins, and goes on for ever.
struct Beats(&'static str, Diary);
impl Service for Beats {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.1.note(ctx.now(), format_args!("+{}", self.0));
        ctx.ready();
        loop {
            ctx.publish(Tick(1)).await?;
            ctx.sleep(MILLISECOND).await;
        }
    }
}

/// Fails once, after ten milliseconds.
struct Fails(Diary);
impl Service for Fails {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.0.note(ctx.now(), "+first");
        ctx.ready();
        ctx.sleep(MILLISECOND * 10).await;
        if self.0.heard.words().iter().filter(|word| word.ends_with("+first")).count() == 1 {
            return Err("told to".into());
        }
        ctx.stopped().await;
        Ok(())
    }
}

conformance!(services_that_restart_with_their_group_take_none_of_their_shutdown_time);
fn services_that_restart_with_their_group_take_none_of_their_shutdown_time<H: Host>() {
    let mut host = H::new();
    let diary = host.diary();
    let [first, second, third] = [diary.clone(), diary.clone(), diary.clone()];
    let root = Supervisor::builder("root").strategy(Strategy::RestForOne).intensity(3, PERIOD);
    // Each begins when the one before it has said so: on two workers their loops begin in any order else.
    let root = root
        .child(Child::service("first", move || Fails(first.clone())).ready_when_told())
        .child(
            Child::service("second", move || Beats("second", second.clone()))
                .shutdown(NO_LIMIT)
                .ready_when_told(),
        )
        .child(
            Child::service("third", move || Beats("third", third.clone()))
                .shutdown(NO_LIMIT)
                .ready_when_told(),
        );
    let tree = host.supervise(root).unwrap();
    host.has_heard(&diary, &["0 +first", "0 +second", "0 +third", "10 +first", "10 +second", "10 +third"]);
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
}

/// Reads what waits before it ends, and says how much that was.
struct Careful(Heard);
impl Service for Careful {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe::<Tick>(Subscription::default())?;
        self.0.add("begun");
        ctx.stopped().await;
        for _ in 0..3 {
            let tick = ticks.recv().await.ok_or("closed")?;
            ctx.sleep(MILLISECOND).await;
            ctx.publish(Tock(tick.0)).await?;
            self.0.add(tick.0.to_string());
        }
        Ok(())
    }
}

conformance!(a_service_that_asks_for_its_stop_ends_by_its_own_hand);
fn a_service_that_asks_for_its_stop_ends_by_its_own_hand<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let heard = log.clone();
    let careful = Child::service("careful", move || Careful(heard.clone())).shutdown(NO_LIMIT);
    let tree = host.supervise(Supervisor::builder("root").child(careful)).unwrap();
    host.until(|| log.words() == ["begun"]);
    for number in 1..=3 {
        host.publish(Tick(number)).unwrap();
    }
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
    assert_eq!(log.take(), ["begun", "1", "2", "3"]);
}

/// How somebody has a service end that no supervisor looks after.
#[derive(Clone, Copy, Debug)]
enum End {
    Stop,
    Shutdown,
    Drain,
}

conformance!(a_service_without_a_supervisor_has_its_last_words_too);
fn a_service_without_a_supervisor_has_its_last_words_too<H: Host>() {
    for (end, reason) in [
        (End::Stop, StopReason::Normal),
        (End::Shutdown, StopReason::Shutdown),
        (End::Drain, StopReason::Shutdown),
    ] {
        let (mut host, log, copies) = (H::new(), Heard::default(), Heard::default());
        let tree = host.supervise(Supervisor::builder("root")).unwrap();
        host.spawn(Copies(copies.clone())).unwrap();
        let careful = host.spawn_service(Careful(log.clone())).unwrap();
        host.until(|| log.words() == ["begun"]);
        for number in 1..=3 {
            host.publish(Tick(number)).unwrap();
        }
        match end {
            End::Stop => careful.stop(),
            End::Shutdown => host.shutdown(),
            End::Drain => assert!(host.wait(tree.drain(HOUR)).is_ok()),
        }
        assert_eq!(host.wait(careful.ended()), reason, "{end:?}");
        host.settle();
        assert_eq!(log.take(), ["begun", "1", "2", "3"], "{end:?}");
        // In a shutdown, actors end beside it.
        if !matches!(end, End::Shutdown) {
            assert_eq!(copies.take(), ["1", "2", "3"], "{end:?}");
        }
    }
}

struct Copies(Heard);
impl Actor for Copies {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
}
impl Handler<Tock> for Copies {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(tock.0.to_string());
        Ok(())
    }
}

/// Says how far it has come.
struct Quick(Heard);
impl Service for Quick {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.0.add("begun");
        ctx.publish(Tick(1)).await?;
        ctx.sleep(HOUR).await;
        Ok(())
    }
}

conformance!(a_service_that_is_told_to_stop_before_it_has_begun_comes_to_a_wait, not live2: exact_time);
fn a_service_that_is_told_to_stop_before_it_has_begun_comes_to_a_wait<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let quick = host.spawn_service(Quick(heard.clone())).unwrap();
    quick.stop();
    assert_eq!(host.wait(quick.ended()), StopReason::Normal);
    assert_eq!(heard.words(), ["begun"]);
}

/// Returns; its first value panics when it is dropped.
struct Loud {
    life: u32,
    heard: Heard,
}
impl Drop for Loud {
    fn drop(&mut self) {
        assert!(self.life > 0 || std::thread::panicking(), "told to, when dropped");
    }
}
impl Service for Loud {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        self.heard.add(format!("life {}", self.life));
        Ok(())
    }
}

conformance!(a_service_that_returns_and_panics_when_it_is_dropped_has_panicked);
fn a_service_that_returns_and_panics_when_it_is_dropped_has_panicked<H: Host>() {
    let (mut host, heard, seen) = (H::new(), Heard::default(), Heard::default());
    let (words, notes, lives) = (heard.clone(), seen.clone(), AtomicU32::new(0));
    let make = move || Loud { life: lives.fetch_add(1, Ordering::Relaxed), heard: words.clone() };
    let root = Supervisor::builder("root").intensity(3, PERIOD).on_event(move |_, notice| {
        if let Notice::Exited { id, reason } = notice {
            notes.add(format!("{id} {reason}"));
        }
    });
    let tree = host.supervise(root.child(Child::service("loud", make).restart(Restart::Transient))).unwrap();
    host.until(|| seen.words().len() >= 2);
    assert_eq!(heard.words(), ["life 0", "life 1"]);
    assert_eq!(seen.words(), ["loud panicked: told to, when dropped", "loud normal"]);
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
}
