//! A run that is ended between two steps and goes on comes to what one that was never ended comes to.

#![forbid(unsafe_code)]

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Tick, Tock};
use mycelium::sweep::StopFlag;
use mycelium::tree::{Backoff, Child, Redelivery, Restart, Tree};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, IsolateStats, Message, OnFailure, Responder,
    RunError, Service, ServiceContext, StopReason, Subscriptions, Supervisor, Timestamp,
};

const MILLI: Duration = Duration::from_millis(1);

/// When the programs of these tests have come to rest (nanoseconds).
const END: i64 = 60_000_000;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl std::fmt::Display) {
        self.0.lock().unwrap().push(line.to_string());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A message for which nobody has subscribed.
#[derive(Clone, Debug)]
struct Unheard;
impl Message for Unheard {
    const NAME: &'static str = "Unheard";
    const TYPE_ID: u16 = 900;
    const TOPIC: &'static str = "unheard";
}

/// Does what is over before it begins between two lines of the log, and ends batches.
struct Hears(&'static str, Log);
impl Actor for Hears {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn batch_ended(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.publish(Unheard).await?;
        self.1.add(format_args!("{} ends a batch", self.0));
        Ok(())
    }
}
impl Handler<Tick> for Hears {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.1.add(format_args!("{} begins {}", self.0, tick.0));
        // One is polled while the other goes on.
        let (log, name) = (&self.1, self.0);
        tokio::join!(
            async {
                ctx.publish(Unheard).await.unwrap();
                log.add(format_args!("{name}, one of two"));
            },
            async {
                log.add(format_args!("{name}, the other"));
            }
        );
        ctx.publish(Unheard).await?;
        self.1.add(format_args!("{} ends {}", self.0, tick.0));
        if tick.0 % 5 == 3 {
            ctx.publish(Tock(tick.0)).await?;
        }
        Ok(())
    }
}

/// Ends at the first word, and answers until then.
struct Gate;
impl Actor for Gate {
    type Error = BoxError;
}
impl Handler<u32> for Gate {
    async fn handle(&mut self, _: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.stop();
        Ok(())
    }
}
struct Slowly(u64);
impl Responder<Slowly> for Gate {
    type Reply = u64;
    async fn answer(&mut self, slowly: &Slowly, ctx: &mut Context<Self>) -> u64 {
        ctx.sleep(MILLI * slowly.0 as u32).await;
        slowly.0
    }
}

/// Fails over the end of the gate in its first life, and later at each millisecond a few times.
struct Fails(ActorRef<Gate>, Log, u64);
impl Service for Fails {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.1.add(format_args!("life {}", self.2));
        self.0.ended().await;
        match self.2 {
            1 => Err("the gate has gone".into()),
            2..5 => {
                ctx.sleep(MILLI).await;
                Err("again".into())
            }
            5..40 => Err("at once".into()),
            _ => {
                ctx.stopped().await;
                Ok(())
            }
        }
    }
}

/// Waits for the same, and tells of it.
struct Waits(ActorRef<Gate>, Log);
impl Service for Waits {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.0.ended().await;
        for n in 0..3 {
            ctx.publish(Unheard).await?;
            self.1.add(format_args!("waits {n}"));
        }
        Ok(())
    }
}

/// Handles tocks, and fails over some.
struct Worker(Log);
impl Actor for Worker {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
}
impl Handler<Tock> for Worker {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format_args!("works on {} at {:?}", tock.0, ctx.now()));
        if tock.0 % 2 == 1 {
            return Err("odd".into());
        }
        ctx.sleep(MILLI).await;
        Ok(())
    }
}

/// Publishes, replays and asks, and ends the gate.
struct Feed(ActorRef<Gate>, Log);
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for n in 0..12 {
            ctx.publish(Tick(n)).await?;
        }
        let at = |n: u64| Timestamp::from_nanos(n as i64 * 1_000_000);
        let unheard = ctx.replay((0..28).map(move |_| (at(2), Unheard)));
        self.1.add(format_args!("{} unheard", unheard.await?));
        let heard = ctx.replay((3..9).map(move |n| (at(n / 2 + 3), Tick(100 + n)))).await?;
        self.1.add(format_args!("{heard} heard"));
        for n in 1..4 {
            let answer = self.0.ask_within(Slowly(n), 2 * MILLI).await;
            self.1.add(format_args!("answer {:?}", answer.ok()));
        }
        self.0.tell(1).await?;
        let late = self.0.ask(Slowly(1)).await;
        self.1.add(format_args!("late {}", late.is_err()));
        Ok(())
    }
}

/// What a program comes to when its run is done so.
fn program(run: impl FnOnce(&mut Isolate)) -> Outcome {
    let (log, mut isolate) = (Log::default(), Isolate::new(1));
    isolate.on_failure(OnFailure::GoOn);
    let gate = isolate.spawn(Gate).unwrap();
    isolate.spawn(Hears("first", log.clone())).unwrap();
    isolate.spawn(Hears("second", log.clone())).unwrap();
    let (fails, lives) = ((gate.clone(), log.clone()), AtomicU64::new(0));
    let worker = log.clone();
    let root = Supervisor::builder("root")
        .intensity(1_000, Duration::from_secs(1))
        .backoff(Backoff { initial: Duration::ZERO, ..Backoff::default() })
        .child(
            Child::service("fails", move || {
                Fails(fails.0.clone(), fails.1.clone(), lives.fetch_add(1, Ordering::Relaxed) + 1)
            })
            .restart(Restart::Permanent),
        )
        .child(
            Child::actor("worker", move || Worker(worker.clone()))
                .redelivery(Redelivery::Retry { attempts: 2 })
                .backoff(Backoff { initial: 2 * MILLI, ..Backoff::default() }),
        );
    let _tree = isolate.supervise(&root).unwrap();
    for _ in 0..2 {
        isolate.spawn_service(Waits(gate.clone(), log.clone())).unwrap();
    }
    isolate.spawn_service(Feed(gate, log.clone())).unwrap();
    run(&mut isolate);
    (log.lines(), isolate.stats())
}

type Outcome = (Vec<String>, IsolateStats);

/// Fails with the first difference alone.
fn assert_same(outcome: &Outcome, whole: &Outcome, how: &str) {
    let differs = outcome.0.iter().zip(&whole.0).position(|(one, other)| one != other);
    let around = |(lines, _): &Outcome| differs.map(|at| lines[at.saturating_sub(1)..][..3].to_vec());
    assert_eq!(around(outcome), around(whole), "{how}");
    assert_eq!((outcome.0.len(), outcome.1), (whole.0.len(), whole.1), "{how}");
}

fn to_the_end(isolate: &mut Isolate) -> Result<(), RunError> {
    isolate.run_until(Timestamp::from_nanos(END)).map(drop)
}

/// The outcome of a run that is not ended, and how many steps it takes.
fn whole() -> (Outcome, u64) {
    let whole = program(|isolate| to_the_end(isolate).unwrap());
    let steps = whole.1.events + whole.1.resumptions;
    assert!(steps > 200 && whole.0.len() > 100, "{steps} steps, {} lines", whole.0.len());
    (whole, steps)
}

#[test]
fn a_run_that_was_ended_at_any_step_and_goes_on_comes_to_what_the_whole_one_does() {
    let (whole, steps) = whole();
    for cut in 0..steps {
        let outcome = program(|isolate| {
            isolate.limit_events(cut);
            // What is left may have no further step of the run loop.
            match to_the_end(isolate) {
                Ok(()) | Err(RunError::TooManyEvents { .. }) => {}
                Err(other) => panic!("{other}"),
            }
            isolate.limit_events(u64::MAX);
            to_the_end(isolate).unwrap();
        });
        assert_same(&outcome, &whole, &format!("ended after {cut} steps"));
    }
}

#[test]
fn a_run_that_was_ended_at_each_step_comes_to_what_the_whole_one_does() {
    let (whole, steps) = whole();
    let mut ends = 0;
    let outcome = program(|isolate| {
        for limit in 0..=steps {
            isolate.limit_events(limit);
            match to_the_end(isolate) {
                Err(RunError::TooManyEvents { .. }) => ends += 1,
                ended => return ended.unwrap(),
            }
        }
        panic!("{steps} steps are not enough");
    });
    assert_same(&outcome, &whole, "ended at each step");
    assert!(ends > steps / 2, "{ends}");
}

#[test]
fn a_run_that_another_thread_stops_at_any_time_comes_to_what_the_whole_one_does() {
    let (whole, _) = whole();
    let (stop, is_over) = (StopFlag::new(), Arc::new(AtomicBool::new(false)));
    let stopper = std::thread::spawn({
        let (stop, is_over) = (stop.clone(), Arc::clone(&is_over));
        move || {
            while !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_micros(20));
                stop.stop();
            }
        }
    });
    for _ in 0..100 {
        let stopped = program(|isolate| {
            isolate.stop_on(&stop);
            while let Err(end) = to_the_end(isolate) {
                assert!(matches!(end, RunError::Stopped { .. }), "{end}");
                stop.reset();
            }
        });
        assert_same(&stopped, &whole, "stopped");
    }
    is_over.store(true, Ordering::Relaxed);
    stopper.join().unwrap();
}

/// Publishes to nobody so often, then replays, and then tells that it is done.
struct Replays(u64, u64);
impl Service for Replays {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for _ in 0..self.0 {
            ctx.publish(Unheard).await?;
        }
        ctx.replay((0..self.1).map(|n| (Timestamp::from_nanos(n as i64), Tick(n)))).await?;
        ctx.publish(Tock(1_000)).await?;
        Ok(())
    }
}

/// Publishes a tock for each tick, and writes both down.
struct Relays(Log);
impl Actor for Relays {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
        topics.on::<Tock>();
    }
}
impl Handler<Tick> for Relays {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format_args!("tick {}", tick.0));
        ctx.publish(Tock(tick.0)).await?;
        Ok(())
    }
}
impl Handler<Tock> for Relays {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format_args!("tock {}", tock.0));
        Ok(())
    }
}

/// Looks at the bounds of a run come after 1,024 steps, or more often, by the wall clock: nothing else
/// depends on where.
#[test]
fn nothing_depends_on_where_a_run_looks_at_its_bounds() {
    let run = |before: u64, stops: bool| {
        let (log, mut isolate) = (Log::default(), Isolate::new(1));
        isolate.spawn(Relays(log.clone())).unwrap();
        isolate.spawn(Relays(log.clone())).unwrap();
        isolate.spawn_service(Replays(before, 12)).unwrap();
        if stops {
            isolate.stop_when(|| false);
        }
        isolate.run().unwrap();
        log.lines()
    };
    let expected = run(0, false);
    assert!(expected.len() > 40, "{expected:?}");
    for before in (950..1_060).chain([100]) {
        assert_eq!(run(before, false), expected, "{before}");
        assert_eq!(run(before, true), expected, "{before}");
    }
}

#[test]
fn a_crowd_that_hears_one_message_has_heard_it_when_the_run_ends() {
    const CROWD: usize = 3_000;
    let run = |limit: Option<u64>| {
        let (log, mut isolate) = (Log::default(), Isolate::new(1));
        for _ in 0..CROWD {
            isolate.spawn(Hears("one", log.clone())).unwrap();
        }
        // They start.
        isolate.run().unwrap();
        isolate.publish(Tick(0)).unwrap();
        if let Some(limit) = limit {
            let before = isolate.stats();
            isolate.limit_events(before.events + before.resumptions + limit);
            let end = isolate.run();
            assert!(matches!(end, Err(RunError::TooManyEvents { .. })), "{limit}: {end:?}");
            isolate.limit_events(u64::MAX);
        }
        isolate.run().unwrap();
        (log.lines(), isolate.stats())
    };
    let whole = run(None);
    for limit in [1, 2, 1_500, 4_000] {
        assert_same(&run(Some(limit)), &whole, &format!("ended after {limit} steps"));
    }
}

/// The panic is that of whoever runs the isolate, and nothing of the run is lost.
#[test]
fn a_function_that_panics_ends_the_run_and_nobody_in_it() {
    let (whole, _) = whole();
    for panics_at in 1..20 {
        let mut panics = 0;
        let outcome = program(|isolate| {
            let mut asked = 0;
            isolate.stop_when(move || {
                asked += 1;
                // Often asked: it takes long.
                std::thread::sleep(Duration::from_micros(200));
                assert_ne!(asked, panics_at, "a rule of the test");
                false
            });
            while std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| to_the_end(isolate).unwrap()))
                .is_err()
            {
                panics += 1;
            }
        });
        assert!(panics <= 1);
        assert_same(&outcome, &whole, &format!("panicked at call {panics_at}"));
    }
}

/// Ends a group when it hears a tick.
struct Terminates(Arc<Mutex<Option<Tree>>>, Log);
impl Actor for Terminates {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Terminates {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        let tree = self.0.lock().unwrap().clone().ok_or("no tree")?;
        self.1.add(format_args!("terminated: {:?}", tree.terminate_child("root/group").await));
        Ok(())
    }
}

/// Says that it was stopped.
struct Member(Log);
impl Actor for Member {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        self.0.add("a member stops");
    }
}

#[test]
fn a_group_that_is_ended_from_a_handler_has_ended_before_the_next_receiver_hears_of_it() {
    const GROUP: usize = 1_500;
    let run = |limit: Option<u64>| {
        let (log, mut isolate) = (Log::default(), Isolate::new(1));
        let place: Arc<Mutex<Option<Tree>>> = Arc::default();
        let group = (0..GROUP).fold(Supervisor::builder("group"), |group, number| {
            let log = log.clone();
            group.child(Child::actor(format!("member-{number}"), move || Member(log.clone())))
        });
        let tree = isolate.supervise(&Supervisor::builder("root").supervisor(group)).unwrap();
        *place.lock().unwrap() = Some(tree);
        isolate.spawn(Terminates(Arc::clone(&place), log.clone())).unwrap();
        isolate.spawn(Hears("second", log.clone())).unwrap();
        isolate.run().unwrap();
        isolate.publish(Tick(0)).unwrap();
        let mut limit = limit;
        while let Some(more) = limit {
            let stats = isolate.stats();
            isolate.limit_events(stats.events + stats.resumptions + more);
            match isolate.run() {
                Ok(_) => limit = None,
                Err(end) => assert!(matches!(end, RunError::TooManyEvents { .. }), "{end}"),
            }
        }
        isolate.limit_events(u64::MAX);
        isolate.run().unwrap();
        place.lock().unwrap().take();
        (log.lines(), isolate.stats())
    };
    let whole = run(None);
    assert!(whole.0.len() > GROUP, "{} lines", whole.0.len());
    for each in [1, 2, 3, 5, 100, 1_100, 1_400] {
        assert_same(&run(Some(each)), &whole, &format!("ended after each {each} steps"));
    }
}
