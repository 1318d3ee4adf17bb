//! What comes again and again: at its times, whatever keeps its taker busy, and no longer than its actor lives. Live tests run on a
//! stopped clock, so that they and isolates are asked for the same times.

use std::time::Duration;

use crate::common::{Flush, Heard, PERIOD, Tick, backoff, on_both_runtimes};
use mycelium::tree::{Child, InHand};
use mycelium::{
    Actor, BoxError, Context, Every, Handler, Isolate, MessageBus, MissedTicks, Responder, Service,
    ServiceContext, Subscriptions, Supervisor, TimerHandle, Timestamp,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Its number says what its handler does.
#[derive(Clone, Debug)]
struct Beat(u64);

/// Has a beat every so often, and is busy with each as long as is said.
#[derive(Clone)]
struct Heart {
    every: Every,
    busy_ms: Vec<u64>,
    heard: Heard,
    begun: Timestamp,
    timer: TimerHandle,
    beats_max: usize,
}

impl Heart {
    fn new(every: impl Into<Every>, busy_ms: &[u64], beats_max: usize) -> Self {
        let (heard, begun, timer) = Default::default();
        Self { every: every.into(), busy_ms: busy_ms.to_vec(), heard, begun, timer, beats_max }
    }
    fn note(&self, now: Timestamp, word: &str) {
        self.heard.add_at(Timestamp::ZERO + now.saturating_since(self.begun), word);
    }
}

impl Actor for Heart {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.begun = ctx.now();
        self.timer = ctx.schedule_every(self.every, Beat(0));
        Ok(())
    }
}
impl Handler<Beat> for Heart {
    async fn handle(&mut self, _: &Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let beat = self.heard.words().len();
        self.note(ctx.now(), "beat");
        if beat + 1 == self.beats_max {
            self.timer.cancel();
            ctx.stop();
        }
        if let Some(busy) = self.busy_ms.get(beat) {
            ctx.sleep(ms(*busy)).await;
        }
        Ok(())
    }
}

/// The same as a loop.
impl Service for Heart {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.begun = ctx.now();
        let mut interval = ctx.interval(self.every);
        for beat in 0..self.beats_max {
            interval.tick().await;
            self.note(ctx.now(), "beat");
            if let Some(busy) = self.busy_ms.get(beat) {
                ctx.sleep(ms(*busy)).await;
            }
        }
        Ok(())
    }
}

/// When the beats came (ms), of an actor and of a service, live and in an isolate: always the same.
fn times(heart: &Heart) -> Vec<u64> {
    let mut all: Vec<Vec<String>> = Vec::new();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let bus = MessageBus::new();
        bus.spawn(heart.clone()).unwrap().ended().await;
        all.push(heart.heard.take());
        bus.spawn_service(heart.clone()).unwrap().ended().await;
        all.push(heart.heard.take());
    });
    let mut isolate = Isolate::new(1);
    isolate.spawn(heart.clone()).unwrap();
    isolate.run().unwrap();
    all.push(heart.heard.take());
    isolate.spawn_service(heart.clone()).unwrap();
    isolate.run().unwrap();
    all.push(heart.heard.take());
    assert!(all.iter().all(|times| *times == all[0]), "{all:?}");
    all[0].iter().map(|word| word.strip_suffix(" beat").unwrap().parse().unwrap()).collect()
}

#[test]
fn beats_keep_their_times_whatever_their_handlers_take() {
    // 3, 6 and 0 ms of 10.
    let busy: Vec<u64> = (0..100).map(|beat| beat % 3 * 3).collect();
    let expected: Vec<u64> = (1..=100).map(|beat| 10 * beat).collect();
    for missed in [MissedTicks::Burst, MissedTicks::Delay, MissedTicks::Skip] {
        assert_eq!(times(&Heart::new(Every::new(ms(10)).missed(missed), &busy, 100)), expected, "{missed:?}");
    }
}

#[test]
fn missed_beats_are_made_up_for_put_off_or_left_out() {
    let missed = |missed| Every::new(ms(10)).missed(missed);
    assert_eq!(times(&Heart::new(missed(MissedTicks::Burst), &[35], 6)), [10, 45, 45, 45, 50, 60]);
    assert_eq!(times(&Heart::new(missed(MissedTicks::Delay), &[35], 4)), [10, 45, 55, 65]);
    assert_eq!(times(&Heart::new(missed(MissedTicks::Skip), &[35], 4)), [10, 45, 50, 60]);
    // Exactly at the time of another: that one is left out as well, because it is past.
    assert_eq!(times(&Heart::new(missed(MissedTicks::Skip), &[30], 4)), [10, 40, 50, 60]);
    assert_eq!(times(&Heart::new(ms(10), &[], 1)), [10]);
    assert_eq!(times(&Heart::new(Every::new(ms(10)).first_after(ms(0)), &[], 3)), [0, 10, 20]);
    assert_eq!(times(&Heart::new(Every::new(ms(10)).first_after(ms(25)), &[], 3)), [25, 35, 45]);
}

/// Has a beat, fails at some of them, and tells each life apart.
struct Mortal {
    heard: Heard,
    begun: Timestamp,
    life: std::sync::Arc<std::sync::atomic::AtomicU32>,
}
impl Actor for Mortal {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let life = self.life.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // The second life has none.
        if life != 1 {
            ctx.schedule_every(ms(10), Beat(u64::from(life)));
        }
        Ok(())
    }
}
impl Handler<Beat> for Mortal {
    async fn handle(&mut self, beat: &Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let life = self.life.load(std::sync::atomic::Ordering::Relaxed);
        let now = Timestamp::ZERO + ctx.now().saturating_since(self.begun);
        self.heard.add_at(now, format!("life {life} beat {}", beat.0));
        let heard = self.heard.words().len();
        if heard == 2 { Err("told to".into()) } else { Ok(()) }
    }
}

fn mortal(heard: &Heard, begun: Timestamp, in_hand: InHand) -> mycelium::tree::Builder {
    let (heard, life) = (heard.clone(), std::sync::Arc::default());
    let make = move || Mortal { heard: heard.clone(), begun, life: std::sync::Arc::clone(&life) };
    let root = Supervisor::builder("root").intensity(9, PERIOD).backoff(backoff(100));
    root.child(Child::actor("mortal", make).in_hand(in_hand))
}

#[test]
fn an_interval_ends_with_the_life_of_its_actor_and_a_retried_beat_begins_no_other() {
    for (in_hand, expected) in [
        (InHand::DeadLetter, vec!["10 life 1 beat 0", "20 life 1 beat 0"]),
        (InHand::Retry { attempts: 3 }, vec!["10 life 1 beat 0", "20 life 1 beat 0", "120 life 2 beat 0"]),
    ] {
        let heard = Heard::default();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bus = MessageBus::new();
            let begun = bus.clock().now();
            let tree = mortal(&heard, begun, in_hand).start(&bus).await.unwrap();
            tokio::time::sleep(ms(1_000)).await;
            tree.shutdown().await.unwrap();
        });
        assert_eq!(heard.take(), expected);
        let mut isolate = Isolate::new(1);
        let _tree = isolate.supervise(&mortal(&heard, Timestamp::ZERO, in_hand)).unwrap();
        isolate.run_until(crate::common::at_ms(1_000)).unwrap();
        assert_eq!(heard.take(), expected);
    }
}

/// Is busy with each beat for longer than the period, and hears ticks too.
#[derive(Default)]
struct Late {
    ticks: u32,
}
impl Actor for Late {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_every(Duration::ZERO, Beat(0));
        ctx.schedule_every(Duration::from_nanos(1), Beat(1));
        Ok(())
    }
}
impl Handler<Beat> for Late {
    async fn handle(&mut self, beat: &Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if beat.0 == 1 {
            ctx.sleep(Duration::from_micros(1)).await;
        }
        Ok(())
    }
}
impl Handler<Tick> for Late {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.ticks += 1;
        Ok(())
    }
}
impl Responder<Flush> for Late {
    type Reply = u32;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> u32 {
        self.ticks
    }
}

#[test]
fn an_interval_that_is_always_late_keeps_no_message_and_no_stop_waiting() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let late = bus.spawn(Late::default()).unwrap();
        let ticks = bus.publisher::<Tick>().unwrap();
        for number in 0..20 {
            ticks.publish(Tick(number)).await.unwrap();
        }
        assert_eq!(late.ask(Flush).await.unwrap(), 20);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_beat_that_was_called_off_does_not_come_out_from_behind_a_handler() {
    /// Calls its beat off while one waits.
    struct Hasty(Heard);
    impl Actor for Hasty {
        type Error = BoxError;
        async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            let timer = ctx.schedule_every(ms(1), Beat(0));
            ctx.sleep(ms(5)).await;
            timer.cancel();
            Ok(())
        }
    }
    impl Handler<Beat> for Hasty {
        async fn handle(&mut self, _: &Beat, _: &mut Context<Self>) -> Result<(), BoxError> {
            self.0.add("beat");
            Ok(())
        }
    }
    let (mut isolate, heard) = (Isolate::new(1), Heard::default());
    isolate.spawn(Hasty(heard.clone())).unwrap();
    isolate.run().unwrap();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let bus = MessageBus::new();
        bus.spawn(Hasty(heard.clone())).unwrap();
        tokio::time::sleep(ms(50)).await;
        bus.shutdown().await.unwrap();
    });
    assert_eq!(heard.words().len(), 0);
}
