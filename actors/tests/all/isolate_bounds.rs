//! How far an isolate runs: its bounds on events and resumptions, its moments, and the flag that stops it.

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use crate::common::{Tick, Tock, WATCHDOG};
use mycelium::frame::Header;
use mycelium::pool::{Pool, PoolRef};
use mycelium::resilience::{BreakerPolicy, CircuitBreaker, Retry, RetryPolicy, timeout};
use mycelium::sweep::{StopFlag, Sweep, Trial};
use mycelium::{
    Actor, ActorRef, BoxError, Context, DEFAULT_RESUMPTIONS_MAX, Handler, Isolate, Responder, RunError,
    Service, ServiceContext, Subscription, Subscriptions, Supervisor, Timestamp,
};

/// Ways for ever to go on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loop {
    /// Sleeps for no time.
    Naps,
    /// Gives way to others.
    Yields,
    /// Beats every second.
    Beats,
    /// Publishes to nobody.
    Calls,
    /// Waits for the end of an actor that has ended.
    Mourns,
    /// Replays ticks without an end.
    Replays,
    /// Sleeps so long that the clock comes to its end.
    Ages,
    /// Publishes what is refused.
    Insists,
    /// Publishes bytes that are no message.
    Mumbles,
    /// Replays nothing.
    Pauses,
    /// Tells an actor that has ended.
    Tells,
    /// Tells it as a recipient.
    Addresses,
    /// Asks an actor that has ended.
    Asks,
    /// Tells an actor of another isolate.
    Strays,
    /// Tells and asks a pool that has ended.
    Hires,
    /// Gives a pool the size that it has.
    Resizes,
    /// Has work done that blocks.
    Blocks,
    /// Waits for no message.
    Nods,
    /// Repeats what succeeds.
    Repeats,
    /// Calls through a circuit that refuses, in the end at once.
    Breaks,
    /// Limits the time of what takes none.
    Hurries,
}

struct Endless {
    way: Loop,
    gone: Option<ActorRef<Sum>>,
    /// Of another isolate.
    afar: Option<ActorRef<Sum>>,
    pools: Vec<PoolRef<Sum>>,
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Service for Endless {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loop {
            match self.way {
                Loop::Naps => ctx.sleep(Duration::ZERO).await,
                Loop::Yields => yield_now().await,
                Loop::Beats => {
                    ctx.sleep(Duration::from_secs(1)).await;
                    ctx.publish(Tick(1)).await?;
                }
                Loop::Calls => ctx.publish(Tock(1)).await?,
                Loop::Mourns => drop(self.gone.as_ref().unwrap().ended().await),
                Loop::Replays => {
                    ctx.replay((0..).map(|n| (Timestamp::from_nanos(n), Tick(1)))).await?;
                }
                Loop::Ages => ctx.sleep(Duration::from_secs(100 * 365 * 24 * 3600)).await,
                Loop::Insists => assert!(ctx.publish(Tock(1)).await.is_err()),
                Loop::Mumbles => assert!(ctx.publish_wire(&Header::default(), &[]).await.is_err()),
                Loop::Pauses => drop(ctx.replay(None::<(Timestamp, Tick)>).await?),
                Loop::Tells => assert!(self.gone.as_ref().unwrap().tell(Tick(1)).await.is_err()),
                Loop::Addresses => {
                    let gone = self.gone.as_ref().unwrap().recipient::<Tick>();
                    assert!(gone.tell(Tick(1)).await.is_err());
                }
                Loop::Asks => assert!(self.gone.as_ref().unwrap().ask(Total).await.is_err()),
                Loop::Strays => assert!(self.afar.as_ref().unwrap().tell(Tick(1)).await.is_err()),
                Loop::Hires => {
                    assert!(self.pools[0].tell(Tick(1)).await.is_err());
                    assert!(self.pools[0].ask(Total).await.is_err());
                }
                Loop::Resizes => self.pools[0].resize(2).await?,
                Loop::Blocks => drop(ctx.spawn_blocking(|| ()).await),
                Loop::Nods => {
                    assert_eq!(ctx.subscribe(Subscription::<Tick>::block())?.recv_many(0, |_| ()).await, 0);
                }
                Loop::Repeats => {
                    let mut retry = Retry::new(RetryPolicy::default())?;
                    retry.run(&ctx.clock(), || async { Ok::<_, BoxError>(()) }).await?;
                }
                Loop::Breaks => {
                    let breaker = CircuitBreaker::new("venue", BreakerPolicy::default())?;
                    while breaker.call(&ctx.clock(), async { Err::<(), _>("down") }).await.is_err() {}
                }
                Loop::Hurries => {
                    timeout(&ctx.clock(), Duration::from_secs(1), std::future::ready(())).await?;
                }
            }
        }
    }
}

#[derive(Default)]
struct Sum(u64);
impl Actor for Sum {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Sum {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0 += tick.0;
        Ok(())
    }
}

struct Total;
impl Responder<Total> for Sum {
    type Reply = u64;
    async fn answer(&mut self, _: &Total, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

/// Takes one message, and refuses the next.
struct Deaf;
impl Service for Deaf {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let _queue = ctx.subscribe(Subscription::<Tock>::fail().capacity(1))?;
        ctx.stopped().await;
        Ok(())
    }
}

/// Runs `test` on a thread of its own, which may hang.
fn watched<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(test()));
    result.recv_timeout(WATCHDOG * 5).expect("the isolate runs for ever")
}

fn endless(way: Loop) -> Isolate {
    let mut isolate = Isolate::new(1);
    let gone = isolate.spawn(Sum::default()).unwrap();
    gone.stop();
    isolate.spawn(Sum::default()).unwrap();
    let mut pools = Vec::new();
    if matches!(way, Loop::Hires | Loop::Resizes) {
        let pool = Pool::new(Sum::default).workers(2).supervisor("pool");
        let tree = isolate.supervise(&Supervisor::builder("root").supervisor(pool)).unwrap();
        pools.push(tree.lookup_pool::<Sum>("root/pool").unwrap());
        if way == Loop::Hires {
            isolate.block_on(tree.shutdown()).unwrap().unwrap();
        }
    }
    if way == Loop::Insists {
        isolate.spawn_service(Deaf).unwrap();
        isolate.run().unwrap();
        isolate.publish(Tock(1)).unwrap();
    }
    let afar = Isolate::new(2).spawn(Sum::default()).unwrap();
    isolate.spawn_service(Endless { way, gone: Some(gone), afar: Some(afar), pools }).unwrap();
    isolate
}

const ENDLESS: [Loop; 20] = [
    Loop::Naps,
    Loop::Yields,
    Loop::Beats,
    Loop::Calls,
    Loop::Mourns,
    Loop::Replays,
    Loop::Insists,
    Loop::Mumbles,
    Loop::Pauses,
    Loop::Tells,
    Loop::Addresses,
    Loop::Asks,
    Loop::Strays,
    Loop::Hires,
    Loop::Resizes,
    Loop::Blocks,
    Loop::Nods,
    Loop::Repeats,
    Loop::Breaks,
    Loop::Hurries,
];

#[test]
fn whatever_a_service_does_for_ever_counts() {
    for way in ENDLESS {
        let (first, second) = watched(move || {
            let mut isolate = endless(way);
            isolate.limit_events(5_000);
            let first = isolate.run().unwrap_err();
            // Code that does not return takes further steps, up to a bound.
            let ends_at = |isolate: &Isolate, limit: u64| {
                let stats = isolate.stats();
                let beyond = stats.events + stats.resumptions - limit;
                assert!(beyond <= 65_536, "{way:?} took {beyond} steps beyond {limit}");
            };
            ends_at(&isolate, 5_000);
            isolate.limit_events(7_000);
            let second = isolate.run().unwrap_err();
            ends_at(&isolate, 7_000);
            (first, second)
        });
        assert!(
            matches!(
                first,
                RunError::TooManyEvents {
                    events_max: 5_000,
                    actor: mycelium::Identity { name: "Endless", .. },
                    ..
                }
            ),
            "{first}"
        );
        assert!(matches!(second, RunError::TooManyEvents { events_max: 7_000, .. }), "{second}");
    }
}

#[test]
fn a_service_that_goes_round_at_one_moment_is_named_without_any_limit() {
    for way in [Loop::Naps, Loop::Yields, Loop::Mourns] {
        let error = watched(move || endless(way).run().unwrap_err());
        assert!(
            matches!(error, RunError::Spinning { actor: mycelium::Identity { name: "Endless", .. }, .. }),
            "{way:?}: {error}"
        );
        assert!(error.to_string().contains("Endless#3 goes on again and again at one moment"), "{error}");
    }
}

#[test]
fn a_heartbeat_comes_to_the_default_bound_which_says_what_to_do() {
    let error = watched(|| endless(Loop::Beats).run().unwrap_err());
    let text = error.to_string();
    let RunError::TooManyResumptions { resumptions_max, actor, .. } = error else { panic!("{text}") };
    assert_eq!((resumptions_max, actor.name), (DEFAULT_RESUMPTIONS_MAX, "Endless"));
    for word in ["Endless#3", "run_until", "run_for", "limit_events"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_heartbeat_runs_for_as_long_as_it_is_told() {
    let mut isolate = Isolate::new(1);
    let sum = isolate.spawn(Sum::default()).unwrap();
    isolate.spawn_service(Endless { way: Loop::Beats, gone: None, afar: None, pools: Vec::new() }).unwrap();
    let beat = |isolate: &mut Isolate| isolate.with(&sum, |sum| sum.0);
    isolate.run_for(Duration::from_millis(9_999)).unwrap();
    assert_eq!((beat(&mut isolate), isolate.now()), (Some(9), crate::common::at_ms(9_999)));
    isolate.run_for(Duration::from_millis(1)).unwrap();
    assert_eq!(beat(&mut isolate), Some(10), "that moment included");
    isolate.run_for(Duration::ZERO).unwrap();
    isolate.run_until(crate::common::at_ms(20_000)).unwrap();
    isolate.run_until(crate::common::at_ms(1)).unwrap();
    assert_eq!(
        (beat(&mut isolate), isolate.now()),
        (Some(20), crate::common::at_ms(20_000)),
        "a clock does not go back"
    );
}

#[test]
fn the_end_of_time_does_not_come() {
    let stats = watched(|| endless(Loop::Ages).run().unwrap());
    assert!(stats.now < Timestamp::from_nanos(i64::MAX), "{}", stats.now);
    assert!(stats.resumptions < 10, "the clock has run out after three centuries");
    struct Sleeper;
    impl Actor for Sleeper {
        type Error = BoxError;
    }
    impl Handler<u32> for Sleeper {
        async fn handle(&mut self, _: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            ctx.sleep(Duration::MAX).await;
            Ok(())
        }
    }
    let mut isolate = Isolate::new(1);
    let sleeper = isolate.spawn(Sleeper).unwrap();
    isolate.tell(&sleeper, 1).unwrap();
    let error = isolate.run().unwrap_err().to_string();
    assert!(error.contains("Sleeper#1 for a moment past the end of time"), "{error}");
    assert_eq!(isolate.now(), Timestamp::ZERO);
    isolate.run_until(Timestamp::from_nanos(i64::MAX)).unwrap();
}

/// Has a tick each year.
#[derive(Default)]
struct Years(u64);
impl Actor for Years {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let year = Duration::from_secs(365 * 86_400);
        ctx.schedule_every(year, 1u32);
        Ok(())
    }
}
impl Handler<u32> for Years {
    async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn a_run_until_the_end_of_time_comes_to_an_end() {
    let years = watched(|| {
        let mut isolate = Isolate::new(1);
        isolate.limit_events(10_000);
        let years = isolate.spawn(Years::default()).unwrap();
        isolate.run_until(Timestamp::from_nanos(i64::MAX)).unwrap();
        isolate.run_for(Duration::MAX).unwrap();
        isolate.take(&years).unwrap().0
    });
    assert_eq!(years, 292);
}

#[test]
fn a_future_that_is_polled_for_ever_comes_to_the_bounds() {
    let error = watched(|| {
        let mut isolate = Isolate::new(1);
        isolate.limit_events(1_000);
        let clock = isolate.clock();
        let forever = async {
            while clock.now() < Timestamp::from_nanos(i64::MAX) {
                clock.sleep(Duration::from_millis(1)).await;
            }
        };
        isolate.block_on(forever).err().unwrap()
    });
    assert!(matches!(error, RunError::TooManyEvents { events_max: 1_000, .. }), "{error}");
    let error = watched(|| {
        let yields = poll_fn(|cx| -> Poll<()> {
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        Isolate::new(1).block_on(yields).unwrap_err()
    });
    assert!(matches!(error, RunError::Spinning { .. }), "{error}");
}

#[test]
fn a_limit_that_is_just_enough_is_no_error() {
    let ticks = |limit: Option<u64>| {
        let mut isolate = Isolate::new(1);
        isolate.spawn(Sum::default()).unwrap();
        isolate.spawn_service(Ticks { count: 100 }).unwrap();
        if let Some(limit) = limit {
            isolate.limit_events(limit);
        }
        isolate.run()
    };
    let stats = ticks(None).unwrap();
    let steps = stats.events + stats.resumptions;
    assert_eq!(ticks(Some(steps)), Ok(stats));
    assert!(matches!(ticks(Some(steps - 1)), Err(RunError::TooManyEvents { .. })));
}

/// Publishes so many ticks, one each nanosecond.
struct Ticks {
    count: u64,
}
impl Service for Ticks {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for _ in 0..self.count {
            ctx.sleep(Duration::from_nanos(1)).await;
            ctx.publish(Tick(1)).await?;
        }
        Ok(())
    }
}

#[test]
fn waits_that_were_over_before_they_began_change_no_order() {
    /// Sleeps for no time between its messages, more often than there are steps between two looks at the
    /// bounds.
    struct Eager(bool);
    impl Service for Eager {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            for n in 0..5_000 {
                if self.0 {
                    ctx.sleep(Duration::ZERO).await;
                }
                ctx.publish(Tick(n)).await?;
            }
            Ok(())
        }
    }
    struct Log(Vec<u64>);
    impl Actor for Log {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on_with(Subscription::<Tick>::block());
            topics.on::<Tock>();
        }
    }
    impl Handler<Tick> for Log {
        async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            self.0.push(tick.0);
            Ok(())
        }
    }
    impl Handler<Tock> for Log {
        async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
            self.0.push(1_000_000 + tock.0);
            Ok(())
        }
    }
    struct Other;
    impl Service for Other {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            for n in 0..5_000 {
                ctx.publish(Tock(n)).await?;
            }
            Ok(())
        }
    }
    let run = |naps| {
        let mut isolate = Isolate::new(1);
        let log = isolate.spawn(Log(Vec::new())).unwrap();
        isolate.spawn_service(Eager(naps)).unwrap();
        isolate.spawn_service(Other).unwrap();
        isolate.run().unwrap();
        isolate.take(&log).unwrap().0
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_stop_flag_ends_a_run_between_two_events_and_it_can_go_on() {
    for way in ENDLESS {
        watched(move || {
            let (mut isolate, stop) = (endless(way), StopFlag::new());
            isolate.limit_events(u64::MAX);
            isolate.stop_on(&stop);
            let flag = stop.clone();
            let stopper = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                flag.stop();
            });
            assert!(matches!(isolate.run(), Err(RunError::Stopped { .. })), "{way:?}");
            assert!(matches!(isolate.run(), Err(RunError::Stopped { .. })), "the flag is still set");
            stopper.join().unwrap();
            stop.reset();
            isolate.limit_events(0);
            assert!(matches!(isolate.run(), Err(RunError::TooManyEvents { .. })), "{way:?} goes on");
        });
    }
}

#[test]
fn a_stopped_sweep_waits_for_no_isolate_and_keeps_only_whole_results() {
    for threads in [1, 2] {
        let report = watched(move || {
            let stop = StopFlag::new();
            Sweep::new(0..100u32)
                .threads(threads)
                .chunk(1)
                .stop(&stop)
                .run(|n, trial: &Trial| {
                    let mut isolate = trial.isolate();
                    isolate.limit_events(u64::MAX);
                    isolate.spawn_service(Ticks { count: u64::from(*n) })?;
                    if *n >= 10 {
                        isolate.spawn_service(Endless {
                            way: Loop::Beats,
                            gone: None,
                            afar: None,
                            pools: Vec::new(),
                        })?;
                        let flag = stop.clone();
                        std::thread::spawn(move || flag.stop());
                    }
                    match isolate.run() {
                        // A caller that takes no notice has half a result.
                        Err(_) if *n % 2 == 0 => {}
                        result => drop(result?),
                    }
                    Ok::<_, BoxError>(isolate.now().as_nanos())
                })
                .unwrap()
        });
        assert!(report.cancelled);
        assert_eq!(
            (report.failed, report.failures.len()),
            (0, 0),
            "an instance that was stopped has not failed"
        );
        assert!(report.results.iter().all(|row| row.params < 10 && row.result == i64::from(row.params)));
        assert!(!report.results.is_empty());
    }
}
