//! A replay hands messages straight to their receivers where nothing can come between. It must not be told
//! from a service that sleeps and publishes.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use mycelium::tree::{Child, Shutdown};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, Message, RunError, Service, ServiceContext,
    ServiceRef, Subscription, Subscriptions, Supervisor, Timestamp, Tree,
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

/// What `ReplaysNotes` reads, one at a time, for a day each.
struct Slow;
impl Actor for Slow {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with::<Note>(Subscription::block().capacity(1));
    }
}
impl Handler<Note> for Slow {
    async fn handle(&mut self, _: &Note, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(DAY).await;
        Ok(())
    }
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Replays more notes than there is room for.
struct ReplaysNotes;
impl Service for ReplaysNotes {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.replay((0..5).map(|n| (Timestamp::ZERO, Note(n)))).await?;
        Ok(())
    }
}

/// Ends the other replay at its second tick.
struct EndsIt {
    other: ServiceRef<ReplaysNotes>,
    kills: bool,
    heard: Vec<i64>,
}
impl Actor for EndsIt {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for EndsIt {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.push(tick.0);
        match (tick.0, self.kills) {
            (1, true) => self.other.kill(),
            (1, false) => self.other.stop(),
            _ => {}
        }
        Ok(())
    }
}

/// Ticks that do nothing, at these seconds.
fn seconds(seconds: &[u64]) -> Feed {
    let tick =
        |second: &u64| ((SECOND * *second as u32).as_nanos() as i64, Tick(*second as i64, Act::Nothing));
    Feed { ticks: seconds.iter().map(tick).collect(), replays: true }
}

#[test]
fn a_replay_whose_message_ends_another_one_goes_on() {
    for kills in [false, true] {
        let mut isolate = Isolate::new(1);
        isolate.spawn(Slow).unwrap();
        let other = isolate.spawn_service(ReplaysNotes).unwrap();
        let ends = isolate.spawn(EndsIt { other, kills, heard: Vec::new() }).unwrap();
        isolate.spawn_service(seconds(&[0, 1, 2, 3])).unwrap();
        isolate.run_for(SECOND * 10).unwrap();
        assert_eq!(isolate.take(&ends).unwrap().heard, [0, 1, 2, 3], "kills {kills}");
    }
}

/// Takes an hour for its last words.
struct Deaf;
impl Actor for Deaf {
    type Error = BoxError;
    async fn stopping(&mut self, _: &mycelium::StopReason, ctx: &mut Context<Self>) {
        ctx.sleep(SECOND * 3_600).await;
    }
}

/// Ends the deaf child at the first tick, and says when that was done.
struct EndsDeaf(Tree, Vec<Timestamp>);
impl Actor for EndsDeaf {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for EndsDeaf {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.0 == 0 {
            self.0.terminate_child("root/deaf").await?;
            self.1.push(ctx.now());
        }
        Ok(())
    }
}

#[test]
fn a_deadline_that_a_replayed_message_has_set_is_kept_before_the_next() {
    let mut isolate = Isolate::new(1);
    let deaf = Child::actor("deaf", || Deaf).shutdown(Shutdown::Timeout(SECOND * 5));
    let tree = isolate.supervise(&Supervisor::builder("root").child(deaf)).unwrap();
    let ends = isolate.spawn(EndsDeaf(tree, Vec::new())).unwrap();
    isolate.spawn_service(seconds(&[0, 10])).unwrap();
    isolate.run_for(SECOND * 20).unwrap();
    assert_eq!(isolate.take(&ends).unwrap().1, [Timestamp::ZERO + SECOND * 5]);
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

/// Hears ticks and notes, and publishes a note at once or at the time of the next tick.
struct Ties(Vec<(i64, char)>);
impl Actor for Ties {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>().on_with(Subscription::<Note>::block().echo());
    }
}
impl Handler<Tick> for Ties {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.push((ctx.now().as_nanos(), 't'));
        match tick.1 {
            Act::Publish => ctx.publish(Note(0)).await?,
            Act::Schedule(nanos) => drop(ctx.schedule_after(Duration::from_nanos(nanos), Note(0))),
            _ => {}
        }
        Ok(())
    }
}
impl Handler<Note> for Ties {
    async fn handle(&mut self, _: &Note, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.push((ctx.now().as_nanos(), 'n'));
        Ok(())
    }
}

#[test]
fn at_one_time_a_replay_comes_after_timers_and_after_what_its_own_messages_caused() {
    let heard = |ticks: &[(i64, Act)], replays| {
        let mut isolate = Isolate::new(1);
        let ties = isolate.spawn(Ties(Vec::new())).unwrap();
        let ticks = ticks.iter().map(|(at, act)| (*at, Tick(*at, *act))).collect();
        isolate.spawn_service(Feed { ticks, replays }).unwrap();
        isolate.run().unwrap();
        isolate.take(&ties).unwrap().0
    };
    let timer = [(4, Act::Schedule(4)), (8, Act::Nothing)];
    assert_eq!(heard(&timer, true), [(4, 't'), (8, 'n'), (8, 't')]);
    assert_eq!(heard(&timer, false), [(4, 't'), (8, 't'), (8, 'n')]);
    let caused = [(4, Act::Publish), (4, Act::Nothing)];
    assert_eq!(heard(&caused, true), [(4, 't'), (4, 'n'), (4, 't')]);
    assert_eq!(heard(&caused, false), [(4, 't'), (4, 't'), (4, 'n')]);
}
