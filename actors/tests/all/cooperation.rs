//! Loops that publish, send and receive without ever having to wait let others run; a shutdown ends them in
//! its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::common::{Flush, Heard, Log, Note, Tick, Tock, WATCHDOG, on_every_runtime};
use mycelium::resilience::{
    BreakerPolicy, BreakerState, CircuitBreaker, GaveUp, Retry, RetryPolicy, timeout,
};
use mycelium::tree::{Child, ExitReason};
use mycelium::{
    Actor, BoxError, Context, Handler, MessageBus, PublishError, Publisher, Responder, Service,
    ServiceContext, StopReason, Subscription, Subscriptions, Supervisor, Timestamp,
};
use tokio::sync::Notify;

/// How often a step is repeated at most until somebody else runs.
const STEPS_MAX: u64 = 1_000_000;
const LIMIT: Duration = Duration::from_millis(200);

/// Repeats a step until another task of this thread has run. Not a function: what an `async` closure returns
/// is not `Send` enough.
macro_rules! lets_others_run {
    ($what:expr, $step:expr) => {{
        let ran = Arc::new(AtomicBool::new(false));
        let runs = Arc::clone(&ran);
        let other = tokio::spawn(async move { runs.store(true, Ordering::SeqCst) });
        let mut steps = 0;
        while !ran.load(Ordering::SeqCst) {
            $step;
            steps += 1;
            assert!(steps < STEPS_MAX, "{}: nobody else has run", $what);
        }
        other.await.unwrap();
    }};
}

#[test]
fn publishes_that_need_not_wait_let_others_run() {
    on_every_runtime(|| async {
        let publishing = tokio::spawn(async {
            let bus = MessageBus::new();
            let ticks = bus.publisher::<Tick>().unwrap();
            lets_others_run!("to nobody", ticks.publish(Tick(1)).await.unwrap());
            let lossy = bus.subscriber_with::<Tick>(Subscription::drop_oldest().capacity(4)).unwrap();
            lets_others_run!("lossy", ticks.publish(Tick(1)).await.unwrap());
            let newest = bus.subscriber_with::<Tick>(Subscription::drop_newest().capacity(4)).unwrap();
            lets_others_run!("newest", ticks.publish(Tick(1)).await.unwrap());
            drop((lossy, newest));
            lets_others_run!("nobody any more", ticks.publish(Tick(1)).await.unwrap());
            let failing = bus.subscriber_with::<Tick>(Subscription::fail().capacity(1)).unwrap();
            lets_others_run!("refused", drop(ticks.publish(Tick(1)).await));
            drop(failing);
            bus.shutdown().await.unwrap();
            lets_others_run!("closed", drop(ticks.publish(Tick(1)).await));
        });
        publishing.await.unwrap();
    });
}

#[test]
fn a_timeout_ends_a_loop_of_publishes() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let ticks = bus.publisher::<Tick>().unwrap();
        let endless = async || -> Result<(), BoxError> {
            loop {
                ticks.publish(Tick(1)).await?;
            }
        };
        let (clock, limit) = (bus.clock(), LIMIT / 10);
        assert!(tokio::time::timeout(limit, endless()).await.is_err());
        assert!(timeout(&clock, limit, endless()).await.is_err());
        let policy = RetryPolicy { deadline: Some(limit), ..RetryPolicy::default() };
        let error = Retry::new(policy).unwrap().run(&clock, endless).await.unwrap_err();
        assert_eq!((error.attempts, error.cause), (1, GaveUp::Deadline));
    });
}

/// Publishes in its handler until another task has run, through its context or a publisher that it keeps.
struct Talker {
    kept: Option<Publisher<Tick>>,
}
impl Actor for Talker {
    type Error = BoxError;
}
impl Responder<Note> for Talker {
    type Reply = Result<(), PublishError<Tick>>;
    async fn answer(&mut self, note: &Note, ctx: &mut Context<Self>) -> Self::Reply {
        match &self.kept {
            Some(kept) => lets_others_run!(note.0, kept.publish(Tick(1)).await?),
            None => lets_others_run!(note.0, ctx.publish(Tick(1)).await?),
        }
        Ok(())
    }
}

#[test]
fn a_handler_that_publishes_lets_others_run() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        for kept in [None, Some(bus.publisher().unwrap())] {
            let talker = bus.spawn(Talker { kept }).unwrap();
            talker.ask(Note("in a handler".into())).await.unwrap().unwrap();
        }
    });
}

#[test]
fn sends_to_whoever_has_ended_let_others_run() {
    on_every_runtime(|| async {
        let sending = tokio::spawn(async {
            let bus = MessageBus::new();
            let gone = bus.spawn(Log::default()).unwrap();
            gone.stop();
            gone.ended().await;
            lets_others_run!("tell", drop(gone.tell(Note("late".into())).await));
            lets_others_run!("ask", drop(gone.ask(Flush).await));
            lets_others_run!("ended", drop(gone.ended().await));
        });
        sending.await.unwrap();
    });
}

#[test]
fn tells_that_find_room_let_others_run() {
    on_every_runtime(|| async {
        let telling = tokio::spawn(async {
            let bus = MessageBus::builder().inbox_capacity(1 << 20).build();
            let log = bus.spawn(Log::default()).unwrap();
            lets_others_run!("tell", log.tell(Tick(1)).await.unwrap());
            log.kill();
        });
        telling.await.unwrap();
    });
}

#[test]
fn waits_that_are_over_at_once_let_others_run() {
    on_every_runtime(|| async {
        let waiting = tokio::spawn(async {
            let bus = MessageBus::new();
            let mut ticks = bus.subscriber::<Tick>().unwrap();
            lets_others_run!("of no message", assert_eq!(ticks.recv_many(0, |_| ()).await, 0));
            let clock = bus.clock();
            let mut retry = Retry::new(RetryPolicy::default()).unwrap();
            lets_others_run!("retry", drop(retry.run(&clock, || async { Ok::<_, BoxError>(()) }).await));
            let breaker = CircuitBreaker::new("venue", BreakerPolicy::default()).unwrap();
            lets_others_run!("breaker", drop(breaker.call(&clock, async { Err::<(), _>("down") }).await));
            assert!(matches!(breaker.state(), BreakerState::Open { .. }), "it refuses at once");
            lets_others_run!("timeout", timeout(&clock, LIMIT, std::future::ready(())).await.unwrap());
            bus.shutdown().await.unwrap();
            lets_others_run!("a bus that has ended", bus.shutdown().await.unwrap());
            lets_others_run!("closed", assert!(ticks.recv().await.is_none()));
        });
        waiting.await.unwrap();
    });
}

/// How many messages an actor handles at most until other tasks of its thread run (messages).
const TURN_MESSAGES: u64 = 1024;

/// Counts how many messages it handles while nobody else runs.
struct Hasty {
    handled: Arc<AtomicU64>,
    others: Arc<AtomicU64>,
    seen: u64,
    alone: u64,
    longest: Arc<AtomicU64>,
}
impl Actor for Hasty {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Hasty {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        let others = self.others.load(Ordering::Relaxed);
        self.alone = if std::mem::replace(&mut self.seen, others) == others { self.alone + 1 } else { 0 };
        self.longest.fetch_max(self.alone, Ordering::Relaxed);
        self.handled.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

/// A thread sends a message as soon as the one before is handled, or a moment later: the actor finds the next
/// one now when it looks, now when it is about to sleep.
#[test]
fn an_actor_whose_messages_come_one_by_one_lets_others_run() {
    const MESSAGES: u64 = 20_000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (direct, pause) in [false, true].into_iter().flat_map(|direct| [0, 3, 8].map(|pause| (direct, pause)))
    {
        let [handled, others, longest] = [(); 3].map(|()| Arc::<AtomicU64>::default());
        runtime.block_on(async {
            let bus = MessageBus::new();
            let hasty = Hasty {
                handled: Arc::clone(&handled),
                others: Arc::clone(&others),
                seen: 0,
                alone: 0,
                longest: Arc::clone(&longest),
            };
            let (hasty, ticks) = (bus.spawn(hasty).unwrap(), bus.publisher::<Tick>().unwrap());
            let counted = Arc::clone(&handled);
            let feed = std::thread::spawn(move || {
                for sent in 1..=MESSAGES {
                    match direct {
                        true => hasty.try_tell(Tick(sent)).unwrap(),
                        false => ticks.try_publish(Tick(sent)).unwrap(),
                    }
                    let mut looks = 0;
                    while counted.load(Ordering::Acquire) < sent {
                        looks += 1;
                        if looks % 1_000 == 0 { std::thread::yield_now() } else { std::hint::spin_loop() }
                    }
                    (0..pause).for_each(|_| std::hint::spin_loop());
                }
            });
            // A task that wakes itself: what is blocked on is polled now and then alone, and so is a task
            // that yields by tokio's own function.
            let other = tokio::spawn(std::future::poll_fn(move |cx| {
                others.fetch_add(1, Ordering::Relaxed);
                cx.waker().wake_by_ref();
                if feed.is_finished() { Poll::Ready(()) } else { Poll::Pending }
            }));
            other.await.unwrap();
            assert_eq!(handled.load(Ordering::Relaxed), MESSAGES);
            bus.shutdown().await.unwrap();
        });
        let longest = longest.load(Ordering::Relaxed);
        assert!(longest <= TURN_MESSAGES, "direct {direct}, pause {pause}: {longest} messages");
    }
}

#[test]
fn a_subscriber_that_always_has_more_lets_others_run() {
    on_every_runtime(|| async {
        let receiving = tokio::spawn(async {
            let bus = MessageBus::new();
            let mut ticks = bus.subscriber_with::<Tick>(Subscription::block().capacity(1 << 17)).unwrap();
            let publisher = bus.publisher::<Tick>().unwrap();
            for number in 0..1 << 17 {
                publisher.try_publish(Tick(number)).unwrap();
            }
            let mut next = 0;
            lets_others_run!("recv", {
                assert_eq!(ticks.recv().await.as_deref(), Some(&Tick(next)), "none is lost");
                next += 1;
            });
            assert!(next < 1 << 17, "nobody else has run before all was received");
            bus.shutdown().await.unwrap();
        });
        receiving.await.unwrap();
    });
}

/// Replays messages whose time has come until another task has run.
struct Replay(Arc<AtomicU64>);
impl Service for Replay {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let ran = Arc::new(AtomicBool::new(false));
        let (runs, seen) = (Arc::clone(&ran), Arc::clone(&ran));
        let other = tokio::spawn(async move { runs.store(true, Ordering::SeqCst) });
        let timed = (0..STEPS_MAX).take_while(move |_| !seen.load(Ordering::SeqCst));
        let replayed = ctx.replay(timed.map(|n| (Timestamp::from_nanos(0), Tick(n)))).await?;
        self.0.store(replayed, Ordering::SeqCst);
        other.await?;
        lets_others_run!("of nothing", assert_eq!(ctx.replay(None::<(Timestamp, Tick)>).await?, 0));
        Ok(())
    }
}

#[test]
fn a_live_replay_lets_others_run() {
    on_every_runtime(|| async {
        let (bus, replayed) = (MessageBus::new(), Arc::new(AtomicU64::new(STEPS_MAX)));
        let replay = bus.spawn_service(Replay(Arc::clone(&replayed))).unwrap();
        assert_eq!(replay.ended().await, StopReason::Normal);
        assert!(replayed.load(Ordering::SeqCst) < STEPS_MAX, "nobody else has run");
    });
}

#[test]
fn a_publish_that_yields_and_is_dropped_has_published_nothing() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let mut ticks = bus.subscriber_with::<Tick>(Subscription::block().capacity(1 << 17)).unwrap();
        let publisher = bus.publisher::<Tick>().unwrap();
        let (mut published, mut yielded) = (0, 0);
        for number in 0..50_000 {
            let polled = std::future::poll_fn(|cx| {
                let mut publishing = std::pin::pin!(publisher.publish(Tick(number)));
                std::task::Poll::Ready(publishing.as_mut().poll(cx))
            });
            match polled.await {
                std::task::Poll::Ready(done) => {
                    done.unwrap();
                    assert_eq!(ticks.try_recv().as_deref(), Some(&Tick(number)));
                    published += 1;
                }
                std::task::Poll::Pending => {
                    assert!(ticks.try_recv().is_none());
                    yielded += 1;
                }
            }
        }
        assert!(published > 0 && yielded > 0, "{published} published, {yielded} yielded");
    });
}

/// As in a task of tokio whose budget is spent, with an executor inside that does not know of it.
#[test]
fn an_executor_inside_a_task_goes_on() {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    fn block_on(work: impl Future) {
        let waker = Arc::new(Unpark(std::thread::current())).into();
        let (mut cx, mut work) = (std::task::Context::from_waker(&waker), std::pin::pin!(work));
        while work.as_mut().poll(&mut cx).is_pending() {
            std::thread::park();
        }
    }
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let _counted = bus.subscriber_with::<Tick>(Subscription::drop_oldest()).unwrap();
        let ticks = bus.publisher::<Tick>().unwrap();
        let publishing = tokio::spawn(async move {
            for number in 0..20_000 {
                block_on(async { ticks.publish(Tick(number)).await.unwrap() });
            }
        });
        publishing.await.unwrap();
        let stats = bus.topics();
        assert_eq!(stats[0].published, 20_000);
    });
    // And outside of any runtime.
    let ticks = MessageBus::new().publisher::<Tick>().unwrap();
    block_on(async {
        for number in 0..20_000 {
            drop(ticks.publish(Tick(number)).await);
        }
    });
}

/// Publishes for ever, and never asks whether it should stop.
struct Feed;
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loop {
            ctx.publish(Tick(1)).await?;
        }
    }
}

/// The same with what it keeps.
struct Keeper(Publisher<Tick>);
impl Service for Keeper {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        loop {
            self.0.publish(Tick(1)).await?;
        }
    }
}

/// The same as a replay without an end.
struct Tape;
impl Service for Tape {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.replay((0..).map(|n| (Timestamp::from_nanos(n), Tick(1)))).await?;
        Ok(())
    }
}

/// Makes a tock of each tick for as long as there are any.
struct Pipe;
impl Service for Pipe {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe::<Tick>(Subscription::drop_oldest())?;
        while let Some(tick) = ticks.recv().await {
            ctx.publish(Tock(tick.0)).await?;
        }
        Ok(())
    }
}

#[test]
fn a_shutdown_ends_services_that_publish_for_ever() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let heard = Heard::default();
        let log = bus.spawn(Log { heard: heard.clone(), ..Log::default() }).unwrap();
        let feeds = [bus.spawn_service(Feed).unwrap(), bus.spawn_service(Feed).unwrap()];
        let keeper = bus.spawn_service(Keeper(bus.publisher().unwrap())).unwrap();
        let (tape, pipe) = (bus.spawn_service(Tape).unwrap(), bus.spawn_service(Pipe).unwrap());
        heard.wait_for("tick").await;
        bus.shutdown_within(WATCHDOG).await.unwrap();
        for feed in feeds {
            assert_eq!(feed.ended().await, StopReason::Shutdown, "{feed:?}");
        }
        for end in [keeper.ended().await, tape.ended().await, pipe.ended().await, log.ended().await] {
            assert_eq!(end, StopReason::Shutdown);
        }
    });
}

/// Publishes for ever in the handler of one message.
struct Storm {
    begun: Arc<AtomicU64>,
}
impl Actor for Storm {
    type Error = BoxError;
}
impl Handler<Note> for Storm {
    async fn handle(&mut self, _: &Note, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        loop {
            ctx.publish(Tick(1)).await?;
        }
    }
}

#[test]
fn a_handler_that_publishes_for_ever_is_killed_at_the_limit_of_a_shutdown() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let begun = Arc::new(AtomicU64::new(0));
        let storms = [(); 4].map(|()| bus.spawn(Storm { begun: Arc::clone(&begun) }).unwrap());
        storms.iter().for_each(|storm| storm.try_tell(Note("go".into())).unwrap());
        // An actor that is asked to end before it has its turn handles nothing.
        while begun.load(Ordering::SeqCst) < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // On a busy machine they may be killed and not have had the turn in which they go.
        let missed = bus.shutdown_within(LIMIT).await.unwrap_err().missed;
        assert_eq!(missed.len(), 4, "{missed:?}");
        for storm in storms {
            assert_eq!(storm.ended().await, StopReason::Killed);
        }
        while bus.dead_letters().in_hand < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(bus.dead_letters().in_hand, 4);
    });
}

#[test]
fn a_shutdown_ends_a_feed_that_waits_for_a_subscriber_who_does_not_read() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let mut slow = bus.subscriber_with::<Tick>(Subscription::block().capacity(2)).unwrap();
        let feed = bus.spawn_service(Feed).unwrap();
        let keeper = bus.spawn_service(Keeper(bus.publisher().unwrap())).unwrap();
        bus.shutdown_within(WATCHDOG).await.unwrap();
        for end in [feed.ended().await, keeper.ended().await] {
            assert_eq!(end, StopReason::Shutdown);
        }
        while slow.recv().await.is_some() {}
    });
}

/// Says goodbye when it is stopped, after a moment.
struct Polite;
impl Service for Polite {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        ctx.sleep(LIMIT * 3 / 4).await;
        ctx.publish(Note("goodbye".into())).await?;
        Ok(())
    }
}

#[test]
fn a_shutdown_leaves_those_who_listen_their_last_words() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let mut notes = bus.subscriber::<Note>().unwrap();
        let polite = bus.spawn_service(Polite).unwrap();
        let feed = bus.spawn_service(Feed).unwrap();
        bus.shutdown_within(WATCHDOG).await.unwrap();
        assert_eq!([polite.ended().await, feed.ended().await], [StopReason::Shutdown, StopReason::Shutdown]);
        assert_eq!(notes.recv().await.as_deref(), Some(&Note("goodbye".into())));
        assert!(notes.recv().await.is_none());
    });
}

/// Is shut down, but stays until it is let go.
struct Lingering(Arc<Notify>);
impl Service for Lingering {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        self.0.notified().await;
        Ok(())
    }
}

#[test]
fn a_shutdown_refuses_publishers_outside_from_its_beginning() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let ticks = bus.publisher::<Tick>().unwrap();
        let loops = tokio::spawn(async move {
            loop {
                if let Err(error) = ticks.publish(Tick(1)).await {
                    return error;
                }
            }
        });
        let let_go = Arc::new(Notify::new());
        let lingering = bus.spawn_service(Lingering(Arc::clone(&let_go))).unwrap();
        let ending = tokio::spawn({
            let bus = bus.clone();
            async move { bus.shutdown_within(WATCHDOG).await }
        });
        assert_eq!(loops.await.unwrap(), PublishError::Closed(Tick(1)));
        assert!(lingering.is_alive());
        let_go.notify_one();
        ending.await.unwrap().unwrap();
    });
}

#[test]
fn a_tree_whose_feed_never_asks_to_stop_ends_in_order_and_in_time() {
    on_every_runtime(|| async {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let log = heard.clone();
        let tree = Supervisor::builder("root")
            .child(Child::actor("log", move || Log { heard: log.clone(), ..Log::default() }))
            .child(Child::service("feed", || Feed))
            .start(&bus)
            .await
            .unwrap();
        heard.wait_for("tick").await;
        bus.shutdown_within(WATCHDOG).await.unwrap();
        assert_eq!(tree.ended().await, ExitReason::Shutdown);
        assert_eq!(heard.words().last().unwrap(), "stopping: was shut down");
    });
}

/// Never awaits anything, until it is let go.
struct Spinning {
    spins: Arc<AtomicU64>,
    let_go: Arc<AtomicBool>,
}
impl Service for Spinning {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.spins.fetch_add(1, Ordering::SeqCst);
        while !self.let_go.load(Ordering::SeqCst) {
            let _ = ctx.try_publish(Tick(1));
        }
        Ok(())
    }
}

#[test]
fn a_shutdown_does_not_depend_on_workers_that_never_come_back() {
    for workers in [1, 2] {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(workers).enable_all().build().unwrap();
        let (spins, let_go) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (done, is_done) = std::sync::mpsc::channel();
        let (spinning, gone) = (Arc::clone(&spins), Arc::clone(&let_go));
        std::thread::spawn(move || {
            runtime.block_on(async {
                let bus = MessageBus::new();
                for _ in 0..workers {
                    let (spins, let_go) = (Arc::clone(&spinning), Arc::clone(&gone));
                    bus.spawn_service(Spinning { spins, let_go }).unwrap();
                }
                while spinning.load(Ordering::SeqCst) < workers as u64 {
                    std::thread::yield_now();
                }
                let error = bus.shutdown_within(LIMIT).await.unwrap_err();
                assert!(error.missed.iter().all(|missed| !missed.killed), "{error}");
                done.send(error.missed.len()).unwrap();
            });
            runtime.shutdown_background();
        });
        let missed = is_done.recv_timeout(WATCHDOG);
        let_go.store(true, Ordering::SeqCst);
        assert_eq!(missed, Ok(workers), "of {workers} workers");
    }
}
