//! Live buses on a runtime whose clock is stopped (`start_paused`): there is one clock, and waiting follows
//! it.

use std::time::Duration;

use crate::common::{Heard, PERIOD, Tick};
use mycelium::{
    Actor, BoxError, Context, Handler, MessageBus, Service, ServiceContext, Subscriptions, Supervisor,
    Timestamp,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Waits by the clock, and counts how often it looked.
struct Patient {
    looks: std::sync::Arc<std::sync::atomic::AtomicU32>,
}
impl Service for Patient {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let until = ctx.now() + HOUR;
        while ctx.now() < until {
            self.looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            ctx.sleep(until.saturating_since(ctx.now())).await;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_by_the_clock_looks_once() {
    let (bus, looks) = (MessageBus::new(), std::sync::Arc::default());
    let patient = bus.spawn_service(Patient { looks: std::sync::Arc::clone(&looks) }).unwrap();
    let before = bus.clock().now();
    patient.ended().await;
    assert_eq!(looks.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(bus.clock().now(), before + HOUR);
    bus.shutdown().await.unwrap();
}

/// Writes down when it heard what, in seconds since it began.
struct Diary {
    heard: Heard,
    begun: Timestamp,
}
impl Diary {
    fn note(&self, now: Timestamp, word: &str) {
        self.heard.add_at(Timestamp::from_nanos(0) + now.saturating_since(self.begun), word);
    }
}
impl Actor for Diary {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.begun = ctx.now();
        ctx.schedule_after(Duration::from_secs(2), Tick(2));
        ctx.schedule_after(Duration::from_secs(1), Tick(1));
        Ok(())
    }
}
impl Handler<Tick> for Diary {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.note(ctx.now(), &format!("{}", tick.0));
        if tick.0 == 2 {
            ctx.sleep(Duration::from_millis(500)).await;
            self.note(ctx.clock().now(), "slept");
            ctx.clock().sleep(Duration::from_millis(250)).await;
            self.note(ctx.now(), "woke");
            ctx.stop();
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn timers_sleeps_and_the_time_agree() {
    let (bus, heard) = (MessageBus::new(), Heard::default());
    let diary = Diary { heard: heard.clone(), begun: Timestamp::from_nanos(0) };
    bus.spawn(diary).unwrap().ended().await;
    assert_eq!(heard.words(), ["1000 1", "2000 2", "2500 slept", "2750 woke"]);
    bus.shutdown().await.unwrap();
}

/// Publishes ticks that carry the second at which they are due.
struct Feed;
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let begun = ctx.now();
        ctx.replay((1..=3).map(move |n| (begun + Duration::from_secs(n), Tick(10 * n)))).await?;
        ctx.sleep_until(begun + HOUR).await;
        ctx.publish(Tick(99)).await?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_keeps_its_times() {
    let (bus, heard) = (MessageBus::new(), Heard::default());
    let mut ticks = bus.subscriber::<Tick>().unwrap();
    let begun = bus.clock().now();
    bus.spawn_service(Feed).unwrap();
    for _ in 0..4 {
        let tick = ticks.recv().await.unwrap();
        heard.add_at(Timestamp::from_nanos(0) + bus.clock().now().saturating_since(begun), tick.0);
    }
    assert_eq!(heard.words(), ["1000 10", "2000 20", "3000 30", "3600000 99"]);
    bus.shutdown().await.unwrap();
}

/// Fails at once, each time.
struct Failing {
    heard: Heard,
    begun: Timestamp,
}
impl Service for Failing {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.heard.add_at(Timestamp::from_nanos(0) + ctx.now().saturating_since(self.begun), "life");
        Err("always".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_waits_by_the_same_clock() {
    let (bus, heard) = (MessageBus::new(), Heard::default());
    let (seen, begun) = (heard.clone(), bus.clock().now());

    let root = Supervisor::builder("root").intensity(3, PERIOD).backoff(crate::common::backoff(100));
    let tree =
        root.service("failing", move || Failing { heard: seen.clone(), begun }).start(&bus).await.unwrap();
    tree.ended().await;
    assert_eq!(heard.words(), ["0 life", "100 life", "300 life", "700 life"]);
    // Dead letters and statistics are of the same clock.
    assert_eq!(bus.stats().at.saturating_since(begun), Duration::from_millis(700));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_moved_by_hand_is_followed_and_goes_on() {
    let bus = MessageBus::new();
    let before = bus.clock().now();
    tokio::time::advance(HOUR).await;
    assert_eq!(bus.clock().now(), before + HOUR);
    tokio::time::resume();
    let resumed = bus.clock().now();
    tokio::time::sleep(Duration::from_millis(3)).await;
    let since = bus.clock().now().saturating_since(resumed);
    assert!(resumed >= before + HOUR && since >= Duration::from_millis(3), "{since:?}");
}

#[test]
fn a_bus_that_is_made_elsewhere_follows_too() {
    let paused =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (older, bus, younger) = (paused(), MessageBus::new(), paused());
    for runtime in [older, younger] {
        runtime.block_on(async {
            let before = bus.clock().now();
            tokio::time::sleep(HOUR).await;
            assert_eq!(bus.clock().now(), before + HOUR);
        });
    }
}

#[tokio::test]
async fn a_clock_that_goes_is_the_wall_clock() {
    let bus = MessageBus::new();
    let wall = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let before = wall();
    let now = bus.clock().now().as_nanos() as u128;
    assert!(before <= now && now <= wall());
}
