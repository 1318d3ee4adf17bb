//! Isolates from the outside: virtual time, what a run reports, replays. What they share with live buses is
//! in the suite of hosts.

use std::time::Duration;

use crate::common::{Note, Tick};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Handler, Isolate, Message, Responder, RunError, Service,
    ServiceContext, StopReason, Subscription, Subscriptions, Timestamp, WaitsFor,
};

/// Logs what it hears with the time, and waits as long as it is told after each tick.
#[derive(Default)]
struct Log {
    heard: Vec<(i64, String)>,
    pause: Duration,
    subscription: Option<Subscription<Tick>>,
}

impl Actor for Log {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Note>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.subscribe(self.subscription.unwrap_or_default())?;
        Ok(())
    }
}

impl Handler<Tick> for Log {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.push((ctx.now().as_nanos(), format!("tick {}", tick.0)));
        if !self.pause.is_zero() {
            ctx.sleep(self.pause).await;
        }
        Ok(())
    }
}

impl Handler<Note> for Log {
    async fn handle(&mut self, note: &Note, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.push((ctx.now().as_nanos(), note.0.clone()));
        Ok(())
    }
}

/// How many words that begin like this the log has heard.
struct CountOf(&'static str);

impl Responder<CountOf> for Log {
    type Reply = usize;
    async fn answer(&mut self, query: &CountOf, _ctx: &mut Context<Self>) -> usize {
        self.heard.iter().filter(|(_, what)| what.starts_with(query.0)).count()
    }
}

fn words(isolate: &mut Isolate, log: &ActorRef<Log>) -> Vec<String> {
    isolate.with(log, |log| log.heard.iter().map(|(at, what)| format!("{at}:{what}")).collect()).unwrap()
}

/// Takes minutes, and hundreds of megabytes, if what is dropped behind a parked handler leaves anything
/// behind.
#[test]
fn a_flood_behind_a_parked_handler_costs_what_its_bound_says() {
    const FLOOD: u64 = 300_000;
    for subscription in [Subscription::drop_oldest(), Subscription::conflate(|tick: &Tick| tick.0 % 4)] {
        let mut isolate = Isolate::new(1);
        let subscription = Some(subscription.capacity(4));
        let log = Log { pause: Duration::from_secs(1), subscription, ..Log::default() };
        let log = isolate.spawn(log).unwrap();
        isolate.run().unwrap();
        for number in 0..FLOOD {
            isolate.publish(Tick(number)).unwrap();
            isolate.run_until(Timestamp::from_nanos(1)).unwrap();
            if number == FLOOD / 2 {
                isolate.tell(&log, Note("told".into())).unwrap();
            }
        }
        log.kill();
        let stats = isolate.run_until(Timestamp::from_nanos(2));
        let topic = isolate.topics().into_iter().find(|topic| topic.message == Tick::NAME).unwrap();
        assert_eq!(topic.dropped_oldest + topic.conflated, FLOOD - 5, "all but the one in hand and four");
        assert_eq!(isolate.stats().dead_letters, 6, "the one in hand, the four and the note: {stats:?}");
    }
}

/// Asks another actor whenever it hears a tick.
struct Asker {
    of: ActorRef<Log>,
    answers: Vec<usize>,
}
impl Actor for Asker {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Asker {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let answer = ctx.ask_within(&self.of.clone(), CountOf("tick"), Duration::from_secs(1)).await?;
        self.answers.push(answer);
        Ok(())
    }
}

#[test]
fn asks_are_answered_in_order_and_leave_no_timer_behind() {
    let mut isolate = Isolate::new(1);
    let of = isolate.spawn(Log::default()).unwrap();
    let asker = isolate.spawn(Asker { of: of.clone(), answers: Vec::new() }).unwrap();
    isolate.run().unwrap();
    for n in 0..3 {
        isolate.publish(Tick(n)).unwrap();
    }
    isolate.run().unwrap();
    assert_eq!(isolate.take(&asker).unwrap().answers, [3, 3, 3]);
    assert_eq!(isolate.now(), Timestamp::ZERO, "a timeout that was not needed moved the clock");
    assert_eq!(isolate.ask(&of, CountOf("tick")).unwrap(), 3);
}

#[test]
fn a_timeout_passes_in_virtual_time() {
    let mut isolate = Isolate::new(1);
    let of = isolate.spawn(Log { pause: Duration::from_secs(5), ..Log::default() }).unwrap();
    let asker = isolate.spawn(Asker { of, answers: Vec::new() }).unwrap();
    isolate.run().unwrap();
    isolate.publish(Tick(0)).unwrap();
    let error = isolate.run().unwrap_err();
    let RunError::ActorFailed {
        actor: mycelium::Identity { name: "Asker", .. },
        reason: StopReason::Failed(text),
        at,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert!(text.contains("did not answer within 1s; it may still handle the question"), "{text}");
    assert_eq!(at.as_nanos(), 1_000_000_000);
    assert!(isolate.end_reason(&asker).unwrap().is_abnormal());
}

struct Bomb;
impl Actor for Bomb {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Bomb {
    async fn handle(&mut self, tick: &Tick, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        assert!(tick.0 < 2, "tick {} is too much", tick.0);
        Ok(())
    }
}

#[test]
fn a_panic_ends_in_the_result_of_its_isolate() {
    let mut isolate = Isolate::new(1);
    let mut neighbour = Isolate::new(1);
    isolate.spawn(Bomb).unwrap();
    let log = neighbour.spawn(Log::default()).unwrap();
    neighbour.run().unwrap();
    for n in 0..3 {
        isolate.publish(Tick(n)).unwrap();
        neighbour.publish(Tick(n)).unwrap();
    }
    let error = isolate.run().unwrap_err();
    assert!(error.to_string().contains("Bomb#1 panicked: tick 2 is too much"), "{error}");
    neighbour.run().unwrap();
    assert_eq!(neighbour.take(&log).unwrap().heard.len(), 3);
}

/// Waits for something that no isolate can provide.
struct Outsider;
impl Actor for Outsider {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Outsider {
    async fn handle(&mut self, _: &Tick, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        std::future::pending().await
    }
}

#[test]
fn a_handler_that_waits_for_ever_is_named() {
    let mut isolate = Isolate::new(1);
    isolate.spawn(Outsider).unwrap();
    isolate.publish(Tick(0)).unwrap();
    let error = isolate.run().unwrap_err();
    let RunError::Stuck { waiting } = &error else { panic!("{error}") };
    assert_eq!(waiting.len(), 1);
    let first = &waiting[0];
    assert_eq!((first.actor.name, &first.waits_for), ("Outsider", &WaitsFor::Outside));
    assert!(error.to_string().contains("Outsider#1 for something outside the isolate"), "{error}");
}

/// Publishes the topic that it hears.
#[derive(Default)]
struct Echo(u64);
impl Actor for Echo {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Echo {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0 += 1;
        ctx.publish(Tick(tick.0 + 1)).await?;
        Ok(())
    }
}

#[test]
fn an_actor_does_not_hear_itself_and_two_that_feed_each_other_are_stopped() {
    let mut isolate = Isolate::new(1);
    let alone = isolate.spawn(Echo::default()).unwrap();
    isolate.publish(Tick(0)).unwrap();
    isolate.run().unwrap();
    assert_eq!(isolate.take(&alone).unwrap().0, 1);

    let mut isolate = Isolate::new(1);
    isolate.limit_events(1_000);
    isolate.spawn(Echo::default()).unwrap();
    isolate.spawn(Echo::default()).unwrap();
    isolate.publish(Tick(0)).unwrap();
    let error = isolate.run().unwrap_err();
    assert!(
        matches!(
            error,
            RunError::TooManyEvents { events_max: 1_000, actor: mycelium::Identity { name: "Echo", .. }, .. }
        ),
        "{error}"
    );
}

struct Alarm(Vec<u64>);
impl Actor for Alarm {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_after(Duration::from_nanos(30), Tick(30));
        ctx.schedule_after(Duration::from_nanos(10), Tick(10));
        ctx.schedule_after(Duration::from_nanos(20), Tick(20)).cancel();
        Ok(())
    }
}
impl Handler<Tick> for Alarm {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        assert_eq!(ctx.now(), Timestamp::from_nanos(tick.0 as i64));
        self.0.push(tick.0);
        if tick.0 == 30 {
            ctx.stop();
            ctx.schedule_after(Duration::from_secs(1), Tick(0));
        }
        Ok(())
    }
}

/// Replays ticks at given times, and notes how many it was told were published.
struct Replay(Vec<u64>, u64);
impl Service for Replay {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let times = self.0.clone();
        self.1 = ctx.replay(times.into_iter().map(|at| (Timestamp::from_nanos(at as i64), Tick(at)))).await?;
        Ok(())
    }
}

#[test]
fn a_replay_publishes_each_message_at_its_time_and_between_what_others_do() {
    let mut isolate = Isolate::new(1);
    let log = isolate.spawn(Log::default()).unwrap();
    let alarm = isolate.spawn(Alarm(Vec::new())).unwrap();
    isolate.run_until(Timestamp::from_nanos(0)).unwrap();
    // The third lies in the past by then: it is due at once.
    let first = isolate.spawn_service(Replay(vec![5, 20, 3], 0)).unwrap();
    let second = isolate.spawn_service(Replay(vec![5, 7], 0)).unwrap();
    let none = isolate.spawn_service(Replay(Vec::new(), 0)).unwrap();
    isolate.run().unwrap();
    assert_eq!(words(&mut isolate, &log), ["5:tick 5", "5:tick 5", "7:tick 7", "20:tick 20", "20:tick 3"]);
    assert_eq!(isolate.take(&alarm).unwrap().0, [10, 30]);
    let counts = [first, second, none].map(|service| isolate.take_service(&service).unwrap().1);
    assert_eq!(counts, [3, 2, 0]);
}

#[test]
fn a_replay_waits_for_a_slow_subscriber_and_loses_nothing() {
    let mut isolate = Isolate::new(1);
    let subscription = Some(Subscription::block().capacity(2));
    let log = isolate.spawn(Log { pause: Duration::from_nanos(10), subscription, ..Log::default() }).unwrap();
    isolate.run().unwrap();
    let replay = isolate.spawn_service(Replay((0..1_000).collect(), 0)).unwrap();
    isolate.run().unwrap();
    assert_eq!(isolate.take_service(&replay).unwrap().1, 1_000);
    let heard = isolate.take(&log).unwrap().heard;
    assert!(heard.iter().map(|(_, what)| what.as_str()).eq((0..1_000).map(|n| format!("tick {n}"))));
}

/// Ends another actor at a given tick, and watches it go.
struct Reaper {
    of: ActorRef<Log>,
    kill: bool,
    seen: Option<(i64, StopReason)>,
}
impl Service for Reaper {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_nanos(15)).await;
        assert!(self.of.is_alive());
        if self.kill {
            self.of.kill();
        } else {
            self.of.stop();
        }
        let reason = self.of.ended().await;
        self.seen = Some((ctx.now().as_nanos(), reason));
        assert!(!self.of.is_alive());
        Ok(())
    }
}

#[test]
fn others_can_stop_kill_and_watch_an_actor() {
    for (kill, at, reason, heard) in [(false, 20, StopReason::Normal, 2), (true, 15, StopReason::Killed, 2)] {
        let mut isolate = Isolate::new(1);
        let log = isolate.spawn(Log { pause: Duration::from_nanos(10), ..Log::default() }).unwrap();
        let reaper = isolate.spawn_service(Reaper { of: log.clone(), kill, seen: None }).unwrap();
        isolate.run_until(Timestamp::ZERO).unwrap();
        for n in 0..5 {
            isolate.publish(Tick(n)).unwrap();
        }
        // The second tick is in hand from 10 to 20.
        isolate.run().unwrap();
        assert_eq!(isolate.take_service(&reaper).unwrap().seen, Some((at, reason.clone())));
        assert_eq!(isolate.end_reason(&log), Some(reason));
        assert_eq!(isolate.take(&log).unwrap().heard.len(), heard);
        let in_hand = u64::from(kill);
        assert_eq!(isolate.stats().dead_letters, 3 + in_hand, "three ticks were waiting");
        assert!(isolate.tell(&log, Tick(9)).is_err());
    }
}

#[test]
fn an_ask_from_outside_says_whether_the_run_ended_or_the_clock_has_to_move() {
    /// Answers after a second.
    struct Slow;
    impl Actor for Slow {
        type Error = BoxError;
    }
    impl Responder<CountOf> for Slow {
        type Reply = usize;
        async fn answer(&mut self, _: &CountOf, ctx: &mut Context<Self>) -> usize {
            ctx.sleep(Duration::from_secs(1)).await;
            1
        }
    }
    /// Fails over each tick.
    struct Broken;
    impl Actor for Broken {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut mycelium::Subscriptions<Self>) {
            topics.on::<Tick>();
        }
    }
    impl Handler<Tick> for Broken {
        async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            Err("no ticks".into())
        }
    }
    let mut isolate = Isolate::new(1);
    let slow = isolate.spawn(Slow).unwrap();
    let early = isolate.ask(&slow, CountOf("tick")).unwrap_err();
    assert!(matches!(early, AskError::Timeout(_)) && early.to_string().contains("`run_for`"), "{early}");
    assert_eq!(isolate.block_on(slow.ask(CountOf("tick"))).unwrap().unwrap(), 1);
    isolate.spawn(Broken).unwrap();
    isolate.publish(Tick(0)).unwrap();
    let ended = isolate.ask(&slow, CountOf("tick")).unwrap_err();
    assert!(matches!(ended, AskError::RunEnded(_)) && ended.may_have_been_handled(), "{ended:?}");
    assert!(ended.to_string().contains("no ticks"), "{ended}");
}

/// Waits for the end of another one, and says how that ended.
struct Mourner(ActorRef<Log>, Option<StopReason>);
impl Service for Mourner {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        self.1 = Some(self.0.ended().await);
        Ok(())
    }
}

#[test]
fn whoever_waits_for_one_that_is_taken_out_hears_of_its_end() {
    let mut isolate = Isolate::new(1);
    let log = isolate.spawn(Log::default()).unwrap();
    let waits = isolate.spawn_service(Mourner(log.clone(), None)).unwrap();
    isolate.run().unwrap();
    let before = isolate.stats().unheard;
    assert!(isolate.take(&log).is_some());
    isolate.run().unwrap();
    assert_eq!(isolate.take_service(&waits).unwrap().1, Some(StopReason::Normal));
    // It has left its topics.
    isolate.publish(Tick(1)).unwrap();
    isolate.run().unwrap();
    assert_eq!(isolate.stats().unheard, before + 1);
}
