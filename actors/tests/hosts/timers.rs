//! Timers, intervals and the clock.

use std::time::Duration;

use mycelium::tree::{Child, Redelivery};
use mycelium::{
    Actor, BoxError, Context, Every, Handler, MissedTicks, Responder, Service, ServiceContext, Subscriptions,
    Supervisor, TimerHandle,
};

use crate::common::{Flush, Heard, PERIOD, Tick, backoff};
use crate::host::{Diary, Host};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[derive(Clone)]
struct Alarm(u32);

/// Sets timers and writes down which came.
struct Clock(Diary);
impl Actor for Clock {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_after(ms(15), Alarm(3));
        ctx.schedule_after(ms(5), Alarm(1));
        ctx.schedule_after(ms(5), Alarm(2));
        ctx.schedule_after(ms(8), Alarm(9)).cancel();
        Ok(())
    }
}
impl Handler<Alarm> for Clock {
    async fn handle(&mut self, alarm: &Alarm, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.note(ctx.now(), alarm.0);
        match alarm.0 {
            3 => drop(ctx.schedule_after(ms(1), Alarm(4))),
            4 => {
                // None of them comes any more.
                ctx.schedule_after(ms(1), Alarm(5));
                ctx.schedule_after(Duration::ZERO, Alarm(6));
                ctx.stop();
            }
            _ => {}
        }
        Ok(())
    }
}

conformance!(scheduled_messages_come_in_time_order_never_early_and_end_with_their_actor);
fn scheduled_messages_come_in_time_order_never_early_and_end_with_their_actor<H: Host>() {
    let mut host = H::new();
    let diary = host.diary();
    let clock = host.spawn(Clock(diary.clone())).unwrap();
    host.ended(&clock);
    host.advance(ms(20));
    host.has_heard(&diary, &["5 1", "5 2", "15 3", "16 4"]);
}

conformance!(a_handler_that_sleeps_does_not_wake_early);
fn a_handler_that_sleeps_does_not_wake_early<H: Host>() {
    struct Sleeper(Diary);
    impl Actor for Sleeper {
        type Error = BoxError;
    }
    impl Handler<Tick> for Sleeper {
        async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            ctx.sleep(ms(tick.0)).await;
            self.0.note(ctx.now(), tick.0);
            Ok(())
        }
    }
    let mut host = H::new();
    let diary = host.diary();
    let sleeper = host.spawn(Sleeper(diary.clone())).unwrap();
    for time in [10, 0, 7] {
        host.tell(&sleeper, Tick(time)).unwrap();
    }
    host.has_heard(&diary, &["10 10", "10 0", "17 7"]);
}

/// Its number says what its handler does.
#[derive(Clone, Debug)]
struct Beat(u64);

/// Has a beat every so often, and is busy with each as long as is said.
#[derive(Clone)]
struct Heart {
    every: Every,
    busy_ms: Vec<u64>,
    diary: Diary,
    timer: TimerHandle,
    beats_max: usize,
}

impl Actor for Heart {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.timer = ctx.schedule_every(self.every, Beat(0));
        Ok(())
    }
}
impl Handler<Beat> for Heart {
    async fn handle(&mut self, _: &Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let beat = self.diary.heard.words().len();
        self.diary.note(ctx.now(), "beat");
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
        let mut interval = ctx.interval(self.every);
        for beat in 0..self.beats_max {
            interval.tick().await;
            self.diary.note(ctx.now(), "beat");
            if let Some(busy) = self.busy_ms.get(beat) {
                ctx.sleep(ms(*busy)).await;
            }
        }
        Ok(())
    }
}

/// Beats of an actor and of a service come at these times (ms).
fn beat_at<H: Host>(every: impl Into<Every>, busy_ms: &[u64], expected: &[u64]) {
    let every = every.into();
    let expected: Vec<_> = expected.iter().map(|at| format!("{at} beat")).collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    let heart = |diary: &Diary| Heart {
        every,
        busy_ms: busy_ms.to_vec(),
        diary: diary.clone(),
        timer: TimerHandle::default(),
        beats_max: expected.len(),
    };
    let mut host = H::new();
    let diary = host.diary();
    let actor = host.spawn(heart(&diary)).unwrap();
    host.ended(&actor);
    host.has_heard(&diary, &expected);
    let mut host = H::new();
    let diary = host.diary();
    let service = host.spawn_service(heart(&diary)).unwrap();
    host.service_ended(&service);
    host.has_heard(&diary, &expected);
}

conformance!(beats_keep_their_times_whatever_their_handlers_take, not live2: exact_time);
fn beats_keep_their_times_whatever_their_handlers_take<H: Host>() {
    // 3, 6 and 0 ms of 10.
    let busy: Vec<u64> = (0..100).map(|beat| beat % 3 * 3).collect();
    let expected: Vec<u64> = (1..=100).map(|beat| 10 * beat).collect();
    for missed in [MissedTicks::Burst, MissedTicks::Delay, MissedTicks::Skip] {
        beat_at::<H>(Every::new(ms(10)).missed(missed), &busy, &expected);
    }
}

conformance!(missed_beats_are_made_up_for_put_off_or_left_out, not live2: exact_time);
fn missed_beats_are_made_up_for_put_off_or_left_out<H: Host>() {
    let missed = |missed| Every::new(ms(10)).missed(missed);
    beat_at::<H>(missed(MissedTicks::Burst), &[35], &[10, 45, 45, 45, 50, 60]);
    beat_at::<H>(missed(MissedTicks::Delay), &[35], &[10, 45, 55, 65]);
    beat_at::<H>(missed(MissedTicks::Skip), &[35], &[10, 45, 50, 60]);
    // Exactly at the time of another: that one is left out as well, because it is past.
    beat_at::<H>(missed(MissedTicks::Skip), &[30], &[10, 40, 50, 60]);
    beat_at::<H>(ms(10), &[], &[10]);
    beat_at::<H>(Every::new(ms(10)).first_after(ms(0)), &[], &[0, 10, 20]);
    beat_at::<H>(Every::new(ms(10)).first_after(ms(25)), &[], &[25, 35, 45]);
}

/// Has a beat, fails at some of them, and tells each life apart.
struct Mortal {
    diary: Diary,
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
        self.diary.note(ctx.now(), format_args!("life {life} beat {}", beat.0));
        let heard = self.diary.heard.words().len();
        if heard == 2 { Err("told to".into()) } else { Ok(()) }
    }
}

conformance!(an_interval_ends_with_the_life_of_its_actor_and_a_retried_beat_begins_no_other);
fn an_interval_ends_with_the_life_of_its_actor_and_a_retried_beat_begins_no_other<H: Host>() {
    for (redelivery, expected) in [
        (Redelivery::DeadLetter, vec!["10 life 1 beat 0", "20 life 1 beat 0"]),
        (
            Redelivery::Retry { attempts: 3 },
            vec!["10 life 1 beat 0", "20 life 1 beat 0", "120 life 2 beat 0"],
        ),
    ] {
        let mut host = H::new();
        let diary = host.diary();
        let (seen, life) = (diary.clone(), std::sync::Arc::default());
        let make = move || Mortal { diary: seen.clone(), life: std::sync::Arc::clone(&life) };
        let root = Supervisor::builder("root").intensity(9, PERIOD).backoff(backoff(100));
        host.supervise(root.child(Child::actor("mortal", make).redelivery(redelivery)))
            .map(|tree| {
                host.advance(ms(300));
                host.has_heard(&diary, &expected);
                host.shut_tree(&tree);
            })
            .unwrap();
    }
}

/// Sets timers, and fails at its work when they are due; it tells its lives apart.
struct Overtaken {
    diary: Diary,
    life: std::sync::Arc<std::sync::atomic::AtomicU32>,
    /// How often a beat comes; else it comes once.
    every: Option<Duration>,
    /// Whether its second life sets a timer too.
    again: bool,
    timer: TimerHandle,
}
impl Actor for Overtaken {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let life = u64::from(self.life.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        if life == 0 || self.again {
            self.timer = match self.every {
                Some(every) => ctx.schedule_every(every, Beat(life + 1)),
                None => ctx.schedule_after(ms(10), Beat(life + 1)),
            };
        }
        Ok(())
    }
}
impl Handler<Beat> for Overtaken {
    async fn handle(&mut self, beat: &Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.diary.note(ctx.now(), format_args!("beat of life {}", beat.0));
        if self.diary.heard.words().len() == 3 {
            self.timer.cancel();
        }
        Ok(())
    }
}
struct Work;
impl Handler<Work> for Overtaken {
    async fn handle(&mut self, _: &Work, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(ms(30)).await;
        Err("told to".into())
    }
}

conformance!(what_came_due_behind_a_handler_that_fails_is_not_for_the_next_life, not live2: exact_time);
fn what_came_due_behind_a_handler_that_fails_is_not_for_the_next_life<H: Host>() {
    let life_2: &[&str] = &["145 beat of life 2", "155 beat of life 2", "165 beat of life 2"];
    for (every, again, expected) in [
        (Some(ms(10)), false, &life_2[..0]),
        (Some(ms(10)), true, life_2),
        (None, false, &life_2[..0]),
        (None, true, &life_2[..1]),
    ] {
        let mut host = H::new();
        let diary = host.diary();
        let (seen, life) = (diary.clone(), std::sync::Arc::default());
        let make = move || Overtaken {
            diary: seen.clone(),
            life: std::sync::Arc::clone(&life),
            every,
            again,
            timer: TimerHandle::default(),
        };
        let root = Supervisor::builder("root").intensity(9, PERIOD).backoff(backoff(100));
        let tree = host.supervise(root.actor("overtaken", make)).unwrap();
        let overtaken = host.child::<Overtaken>(&tree, "root/overtaken").unwrap();
        host.advance(ms(5));
        host.tell(&overtaken, Work).unwrap();
        host.advance(ms(200));
        host.has_heard(&diary, expected);
        assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
    }
}

/// Is busy with each beat for longer than the period, and hears ticks too.
#[derive(Default)]
struct Late {
    ticks: u32,
}
impl Actor for Late {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_every(ms(1), Beat(0));
        ctx.schedule_every(ms(1), Beat(1));
        Ok(())
    }
}
impl Handler<Beat> for Late {
    async fn handle(&mut self, beat: &Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if beat.0 == 1 {
            ctx.sleep(ms(2)).await;
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

conformance!(an_interval_that_is_always_late_keeps_no_message_and_no_stop_waiting);
fn an_interval_that_is_always_late_keeps_no_message_and_no_stop_waiting<H: Host>() {
    let mut host = H::new();
    let late = host.spawn(Late::default()).unwrap();
    host.advance(ms(5));
    for number in 0..20 {
        host.publish(Tick(number)).unwrap();
    }
    assert_eq!(host.ask(&late, Flush).unwrap(), 20);
    late.stop();
    host.ended(&late);
}

conformance!(a_beat_that_was_called_off_does_not_come_out_from_behind_a_handler);
fn a_beat_that_was_called_off_does_not_come_out_from_behind_a_handler<H: Host>() {
    /// Calls its beat off while one waits.
    struct Hasty(Heard);
    impl Actor for Hasty {
        type Error = BoxError;
        async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            let timers = [ctx.schedule_every(ms(1), Beat(0)), ctx.schedule_after(ms(1), Beat(1))];
            ctx.sleep(ms(5)).await;
            timers.iter().for_each(TimerHandle::cancel);
            self.0.add("called off");
            Ok(())
        }
    }
    impl Handler<Beat> for Hasty {
        async fn handle(&mut self, _: &Beat, _: &mut Context<Self>) -> Result<(), BoxError> {
            self.0.add("beat");
            Ok(())
        }
    }
    let (mut host, heard) = (H::new(), Heard::default());
    host.spawn(Hasty(heard.clone())).unwrap();
    host.until(|| !heard.words().is_empty());
    host.advance(ms(20));
    assert_eq!(heard.words(), ["called off"]);
}

/// Fails while its alarm and the end of another wait for it.
struct Hasty(Option<mycelium::ActorRef<Clock>>);
impl Actor for Hasty {
    type Error = BoxError;
}
impl Handler<Alarm> for Hasty {
    async fn handle(&mut self, _: &Alarm, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Handler<mycelium::Down> for Hasty {
    async fn handle(&mut self, _: &mycelium::Down, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Handler<Tick> for Hasty {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_after(ms(1), Alarm(1));
        ctx.schedule_every(ms(1), Alarm(2));
        let other = self.0.take().ok_or("it comes once")?;
        ctx.watch(&other);
        ctx.depend_on(&other);
        other.kill();
        ctx.sleep(ms(20)).await;
        Err("late".into())
    }
}

conformance!(what_nobody_has_sent_is_no_dead_letter_of_an_actor_that_ends);
fn what_nobody_has_sent_is_no_dead_letter_of_an_actor_that_ends<H: Host>() {
    let mut host = H::new();
    let diary = host.diary();
    let other = host.spawn(Clock(diary)).unwrap();
    let late = host.spawn(Hasty(Some(other))).unwrap();
    host.tell(&late, Tick(1)).unwrap();
    host.ended(&late);
    host.settle();
    let letters = host.dead_letters();
    assert_eq!((letters.in_hand, letters.waiting), (1, 0), "{letters:?}");
}
