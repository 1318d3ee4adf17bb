//! A replay hands messages straight to their receivers where nothing can come between. It must not be told
//! from a service that sleeps and publishes.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, Message, RunError, Service, ServiceContext,
    Subscriptions, Timestamp,
};
use proptest::prelude::*;

/// What a tick makes its first receiver do.
#[derive(Clone, Copy, Debug)]
enum Act {
    Nothing,
    Publish,
    Schedule(u64),
    Sleep(u64),
    Stop,
}

#[derive(Clone, Copy, Debug)]
struct Tick(i64, Act);
impl Message for Tick {
    const NAME: &'static str = "Tick";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "ticks";
}

#[derive(Clone, Copy, Debug)]
struct Note(i64);
impl Message for Note {
    const NAME: &'static str = "Note";
    const TYPE_ID: u16 = 2;
    const TOPIC: &'static str = "notes";
}

/// Logs what it hears with the time; the one that `acts` does what the ticks say.
#[derive(Default)]
struct Log {
    acts: bool,
    heard: Vec<(i64, char, i64)>,
}

impl Actor for Log {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>().on::<Note>();
    }
}

/// Ticks come at multiples of four plus the number of their feed, 0 to 2; whatever an actor waits for at
/// three more.
fn until(now: i64, fours: u64) -> Duration {
    Duration::from_nanos(fours * 4 + 3 - now as u64 % 4)
}

impl Handler<Tick> for Log {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let now = ctx.now().as_nanos();
        self.heard.push((now, 't', tick.0));
        match tick.1 {
            Act::Publish if self.acts => ctx.publish(Note(tick.0)).await?,
            Act::Schedule(fours) if self.acts => drop(ctx.schedule_after(until(now, fours), Note(tick.0))),
            Act::Sleep(fours) if self.acts => ctx.sleep(until(now, fours)).await,
            Act::Stop if !self.acts => ctx.stop(),
            _ => {}
        }
        Ok(())
    }
}

impl Handler<Note> for Log {
    async fn handle(&mut self, note: &Note, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.push((ctx.now().as_nanos(), 'n', note.0));
        Ok(())
    }
}

/// Publishes ticks at their times, by a replay or by a loop.
struct Feed {
    ticks: Vec<(i64, Tick)>,
    replays: bool,
}

impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let ticks = self.ticks.clone().into_iter().map(|(at, tick)| (Timestamp::from_nanos(at), tick));
        if self.replays {
            ctx.replay(ticks).await?;
            return Ok(());
        }
        for (at, tick) in ticks {
            ctx.sleep_until(at).await;
            ctx.publish(tick).await?;
        }
        Ok(())
    }
}

type Heard = Vec<(i64, char, i64)>;

/// What two actors heard of the feeds, and how many events that took.
fn run(feeds: &[Vec<(i64, Act)>], replays: bool, stops: &[i64]) -> (Heard, Heard, u64) {
    let mut isolate = Isolate::new(1);
    let first = isolate.spawn(Log { acts: true, ..Log::default() }).unwrap();
    let second = isolate.spawn(Log::default()).unwrap();
    for (number, feed) in (0i64..).zip(feeds) {
        let ticks = feed.iter().map(|(four, act)| (four * 4 + number, Tick(four * 4 + number, *act)));
        isolate.spawn_service(Feed { ticks: ticks.collect(), replays }).unwrap();
    }
    for stop in stops {
        isolate.run_until(Timestamp::from_nanos(*stop)).unwrap();
        assert_eq!(isolate.now().as_nanos(), *stop);
    }
    let stats = isolate.run().unwrap();
    let mut heard = |log: &ActorRef<Log>| isolate.take(log).map(|log| log.heard).unwrap_or_default();
    (heard(&first), heard(&second), stats.events)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => Just(Act::Nothing),
        2 => Just(Act::Publish),
        1 => (0u64..4).prop_map(Act::Schedule),
        1 => (0u64..4).prop_map(Act::Sleep),
        1 => Just(Act::Stop),
    ]
}

/// Ticks in ascending order of time, the time in units of four.
fn feed() -> impl Strategy<Value = Vec<(i64, Act)>> {
    prop::collection::vec((1i64..4, act()), 0..30).prop_map(|steps| {
        let mut now = 0;
        let after = |(step, act)| {
            now += step;
            (now, act)
        };
        steps.into_iter().map(after).collect()
    })
}

#[test]
fn a_replay_cannot_be_told_from_a_loop_that_sleeps_and_publishes() {
    let feeds = prop::collection::vec(feed(), 1..4);
    let stops = prop::collection::btree_set(0i64..300, 0..4);
    proptest!(|(feeds in feeds, stops in stops)| {
        let stops = Vec::from_iter(stops);
        prop_assert_eq!(run(&feeds, true, &stops), run(&feeds, false, &stops));
    });
}

#[test]
fn a_replay_counts_its_events_and_stops_at_their_limit() {
    let mut isolate = Isolate::new(1);
    let log = isolate.spawn(Log::default()).unwrap();
    let ticks = (0..100).map(|n| (n, Tick(n, Act::Nothing))).collect();
    isolate.spawn_service(Feed { ticks, replays: true }).unwrap();
    isolate.limit_events(40);
    let error = isolate.run().unwrap_err();
    assert!(
        matches!(
            error,
            RunError::TooManyEvents { events_max: 40, actor: mycelium::Identity { name: "Feed", .. }, .. }
        ),
        "{error}"
    );
    // The actor and the service have begun, which is a resumption each.
    assert_eq!(isolate.with(&log, |log| log.heard.len()), Some(38));
    isolate.limit_events(1_000);
    assert_eq!(isolate.run().unwrap().events, 100);
    assert_eq!(isolate.take(&log).unwrap().heard.len(), 100);
}

#[test]
fn a_panic_over_a_replayed_message_ends_the_run_there() {
    struct Picky(i64);
    impl Actor for Picky {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on::<Tick>();
        }
    }
    impl Handler<Tick> for Picky {
        async fn handle(&mut self, tick: &Tick, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
            assert!(tick.0 < 50, "too late");
            self.0 += 1;
            Ok(())
        }
    }
    let mut isolate = Isolate::new(1);
    let log = isolate.spawn(Log::default()).unwrap();
    let picky = isolate.spawn(Picky(0)).unwrap();
    let ticks = (0..100).map(|n| (n, Tick(n, Act::Nothing))).collect();
    isolate.spawn_service(Feed { ticks, replays: true }).unwrap();
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| isolate.run())).unwrap();
    let Err(RunError::ActorFailed { actor, at, .. }) = ended else { panic!("{ended:?}") };
    assert_eq!((actor.name, at.as_nanos()), ("Picky", 50));
    assert_eq!(isolate.take(&log).unwrap().heard.len(), 51);
    assert!(isolate.end_reason(&picky).is_some());
}
