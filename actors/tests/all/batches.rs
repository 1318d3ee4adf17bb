//! Many messages at once: subscribers that look at them where they lie, and actors that are told when a batch
//! has ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::costly::Costly;
use crate::common::{Flush, Heard, Note, Tick, Tock, at_ms, on_both_runtimes, on_every_runtime};
use mycelium::tree::{Child, Redelivery};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, MessageBus, Publisher, Responder, Service, ServiceContext,
    StopReason, Subscription, Subscriptions, Supervisor, Timestamp, actor,
};

#[test]
fn a_drain_shows_what_waits_in_order_and_clones_nothing() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let clones = Arc::new(AtomicUsize::new(0));
        let mut costly = bus.subscriber::<Costly>().unwrap();
        let mut ticks = bus.subscriber::<Tick>().unwrap();
        let (of_costly, of_ticks) = (bus.publisher().unwrap(), bus.publisher().unwrap());
        for n in 0..1_000 {
            of_costly.publish(Costly(n, Arc::clone(&clones))).await.unwrap();
            of_ticks.publish(Tick(n)).await.unwrap();
        }
        let mut seen = Vec::new();
        let mut stamps = Vec::new();
        assert_eq!(costly.recv_many(0, |_| panic!("none was asked for")).await, 0);
        for most in [1, 299, 700, 5] {
            let shown = costly.drain(most, |delivery| {
                seen.push(delivery.message.0);
                stamps.push((delivery.stamp, delivery.sender));
            });
            assert_eq!(shown, most.min(1_000 - seen.len() + shown));
        }
        assert_eq!(seen, (0..1_000).collect::<Vec<_>>());
        assert_eq!(
            (clones.load(Ordering::SeqCst), Arc::strong_count(&clones)),
            (0, 1),
            "and all are dropped"
        );
        let mut of_all: Vec<_> = stamps.iter().map(|(stamp, _)| (*stamp, "costly")).collect();
        assert_eq!(
            ticks.recv_many(usize::MAX, |delivery| of_all.push((delivery.stamp, "tick"))).await,
            1_000
        );
        of_all.sort_unstable();
        assert!(
            of_all.chunks(2).all(|two| (two[0].1, two[1].1) == ("costly", "tick")),
            "one order for all topics"
        );
        assert!(stamps.iter().all(|(_, sender)| sender.is_none()), "they come from outside");
        let stats =
            bus.topics().into_iter().map(|topic| (topic.delivered, topic.waiting)).collect::<Vec<_>>();
        assert_eq!(stats, [(1_000, 0), (1_000, 0)]);
        bus.shutdown().await.unwrap();
        assert_eq!(ticks.recv_many(9, |_| ()).await, 0, "it has closed");
    });
}

#[test]
fn a_drain_waits_for_the_first_message_and_a_dropped_one_loses_none() {
    on_every_runtime(|| async {
        for how in [Subscription::block(), Subscription::drop_oldest().capacity(64)] {
            let bus = MessageBus::new();
            let mut ticks = bus.subscriber_with::<Tick>(how).unwrap();
            let publisher = bus.publisher().unwrap();
            let dropped =
                tokio::time::timeout(Duration::from_millis(2), ticks.recv_many(9, |_| panic!("none")));
            assert!(dropped.await.is_err());
            let publishing = tokio::spawn(async move {
                tokio::task::yield_now().await;
                for n in 0..50 {
                    publisher.publish(Tick(n)).await.unwrap();
                }
            });
            let mut seen = Vec::new();
            while seen.len() < 50 {
                let before = seen.len();
                let shown = ticks.recv_many(7, |delivery| seen.push(delivery.message.0)).await;
                assert!((1..=7).contains(&shown) && seen.len() == before + shown);
            }
            publishing.await.unwrap();
            assert_eq!(seen, (0..50).collect::<Vec<_>>());
            assert_eq!(ticks.drain(1, |_| ()), 0);
        }
    });
}

#[test]
fn after_a_panic_the_message_in_hand_is_the_next_one_and_those_before_are_counted() {
    on_both_runtimes(|| async {
        for how in [Subscription::block(), Subscription::drop_newest().capacity(64)] {
            let bus = MessageBus::new();
            let mut ticks = bus.subscriber_with::<Tick>(how).unwrap();
            let publisher = bus.publisher().unwrap();
            for n in 0..10 {
                publisher.publish(Tick(n)).await.unwrap();
            }
            let drain = || ticks.drain(10, |delivery| assert!(delivery.message.0 != 4, "four"));
            assert!(catch_unwind(AssertUnwindSafe(drain)).is_err());
            let mut seen = Vec::new();
            assert_eq!(ticks.drain(10, |delivery| seen.push(delivery.message.0)), 6);
            assert_eq!(seen, [4, 5, 6, 7, 8, 9]);
            let stats = &bus.topics()[0];
            assert_eq!((stats.delivered, stats.waiting), (10, 0));
        }
    });
}

#[test]
fn a_drain_makes_room_for_who_waits_and_ends_however_fast_others_publish() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let mut ticks = bus.subscriber_with::<Tick>(Subscription::block().capacity(16)).unwrap();
        let publisher = bus.publisher().unwrap();
        let publishing = tokio::spawn(async move {
            let mut n = 0;
            while publisher.publish(Tick(n)).await.is_ok() {
                n += 1;
            }
            n
        });
        let mut seen = 0;
        for _ in 0..1_000 {
            seen +=
                ticks.recv_many(usize::MAX, |delivery| assert!(delivery.message.0 < u64::MAX)).await as u64;
        }
        drop(ticks);
        bus.shutdown().await.unwrap();
        assert!(publishing.await.unwrap() >= seen && seen >= 1_000);
    });
}

/// Publishes at two moments; reads them in batches; hears its own only if it asked to.
struct Reader(Heard, bool);
impl Service for Reader {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let how = Subscription::block();
        let mut ticks = ctx.subscribe::<Tick>(if self.1 { how.echo() } else { how })?;
        ctx.publish(Tick(100)).await?;
        let mut last = 0;
        while last < 5 {
            let mut shown = Vec::new();
            ticks
                .recv_many(3, |delivery| {
                    assert!(delivery.stamp > 0);
                    shown.push(format!(
                        "{}{}",
                        delivery.message.0,
                        if delivery.sender.is_some() { "s" } else { "" }
                    ));
                    last = delivery.message.0 % 100;
                })
                .await;
            self.0.add_at(ctx.now(), shown.join(","));
        }
        assert_eq!(ticks.drain(3, |_| ()), 0);
        Ok(())
    }
}

/// Publishes at these milliseconds.
struct Feed(Vec<(i64, u64)>, bool);
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let timed: Vec<_> = self.0.iter().map(|(ms, n)| (at_ms(*ms), Tick(*n))).collect();
        if self.1 {
            ctx.replay(timed).await?;
            return Ok(());
        }
        for (at, tick) in timed {
            if ctx.now() < at {
                ctx.sleep_until(at).await;
            }
            ctx.publish(tick).await?;
        }
        Ok(())
    }
}

#[test]
fn in_an_isolate_a_service_drains_as_it_does_live() {
    for (echo, first) in [(false, "1s,2s,3s"), (true, "100s,1s,2s")] {
        let mut isolate = Isolate::new(1);
        let heard = Heard::default();
        isolate.spawn_service(Reader(heard.clone(), echo)).unwrap();
        isolate.spawn_service(Feed(vec![(1, 1), (1, 2), (1, 3), (2, 4), (2, 5)], false)).unwrap();
        isolate.run().unwrap();
        let words = heard.words();
        assert!(
            words.last().unwrap().starts_with("2 ") && words.last().unwrap().ends_with("5s"),
            "{words:?}"
        );
        let all =
            words.iter().flat_map(|word| word.split(' ').nth(1).unwrap().split(',')).collect::<Vec<_>>();
        assert_eq!(all.len(), if echo { 6 } else { 5 }, "{words:?}");
        assert!(all.join(",").starts_with(first), "{words:?}");
        assert_eq!(isolate.topics()[0].waiting, 0);
    }
}

/// Sums ticks, and says at the end of each batch how many there were; does what notes say.
#[derive(Default)]
struct Summing {
    heard: Heard,
    ticks: u64,
    next: Option<&'static str>,
    /// Told to itself at the end of each batch, so often.
    again: u32,
}

impl Actor for Summing {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(100_000)).on::<Note>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add_at(ctx.now(), "started");
        Ok(())
    }
    async fn batch_ended(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add_at(ctx.now(), format!("batch of {}", std::mem::take(&mut self.ticks)));
        if let Some(left) = self.again.checked_sub(1) {
            self.again = left;
            ctx.actor_ref().tell(Tick(1)).await?;
        }
        match self.next.take() {
            Some("fail") => return Err("it could not".into()),
            Some("panic") => panic!("told to"),
            Some("sleep") => ctx.sleep(Duration::from_millis(10)).await,
            Some("publish") => ctx.publish(Tock(7)).await?,
            Some("stop") => ctx.stop(),
            _ => {}
        }
        Ok(())
    }
    async fn stopping(&mut self, reason: &StopReason, ctx: &mut Context<Self>) {
        self.heard.add_at(ctx.now(), format!("{reason} with {}", self.ticks));
    }
}
impl Handler<Tick> for Summing {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.ticks += 1;
        Ok(())
    }
}
impl Handler<Note> for Summing {
    async fn handle(&mut self, note: &Note, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match note.0.as_str() {
            "end" => ctx.stop(),
            "wait" => ctx.sleep(Duration::from_millis(5)).await,
            "fail" => self.next = Some("fail"),
            "panic" => self.next = Some("panic"),
            "sleep" => self.next = Some("sleep"),
            "publish" => self.next = Some("publish"),
            "stop" => self.next = Some("stop"),
            other => return Err(other.into()),
        }
        Ok(())
    }
}
impl Responder<Flush> for Summing {
    type Reply = u64;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> u64 {
        self.ticks
    }
}

fn note(text: &str) -> Note {
    Note(text.into())
}

/// The batches, without their times.
fn batches(heard: &Heard) -> Vec<String> {
    heard.words().iter().filter_map(|word| word.split_once(' ')).map(|(_, what)| what.to_owned()).collect()
}

fn summed(heard: &Heard) -> u64 {
    summed_of(&heard.words())
}

fn summed_of(words: &[String]) -> u64 {
    words.iter().filter_map(|word| word.split_once("batch of ")?.1.parse::<u64>().ok()).sum()
}

#[test]
fn a_live_batch_ends_when_nothing_waits_and_every_message_is_in_one() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let heard = Heard::default();
        let summing = bus.spawn(Summing { heard: heard.clone(), ..Summing::default() }).unwrap();
        let ticks: Publisher<Tick> = bus.publisher().unwrap();
        for n in 0..10_000 {
            ticks.publish(Tick(n)).await.unwrap();
        }
        while summed(&heard) < 10_000 {
            tokio::task::yield_now().await;
        }
        let before = batches(&heard);
        assert!(!before.contains(&"batch of 0".to_owned()), "{before:?}");
        for (done, how) in ["publish", "sleep"].into_iter().enumerate() {
            summing.tell(note(how)).await.unwrap();
            while batches(&heard).len() < before.len() + done + 1 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(summing.ask(Flush).await.unwrap(), 0);
        summing.stop();
        summing.ended().await;
    });
}

#[test]
fn an_actor_that_sends_itself_more_at_the_end_of_each_batch_lets_others_run() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let summing = bus.spawn(Summing { again: u32::MAX, ..Summing::default() }).unwrap();
        summing.tell(Tick(1)).await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        bus.shutdown().await.unwrap();
        assert_eq!(summing.ended().await, StopReason::Shutdown);
    });
}

#[test]
fn a_batch_that_fails_or_panics_ends_the_actor_and_costs_no_message() {
    on_both_runtimes(|| async {
        for (how, reason) in [
            ("fail", StopReason::Failed("it could not".into())),
            ("panic", StopReason::Panicked("told to".into())),
            ("stop", StopReason::Normal),
            ("other", StopReason::Failed("other".into())),
            ("end", StopReason::Normal),
        ] {
            let bus = MessageBus::new();
            let heard = Heard::default();
            let summing = bus.spawn(Summing { heard: heard.clone(), ..Summing::default() }).unwrap();
            summing.tell(note(how)).await.unwrap();
            assert_eq!(summing.ended().await, reason, "{how}");
            let letters = bus.dead_letters().in_hand;
            assert_eq!(letters, u64::from(how == "other"), "{how}: only what its handler failed on");
            let ended_in_batch = !["other", "end"].contains(&how);
            assert_eq!(batches(&heard).contains(&"batch of 0".to_owned()), ended_in_batch, "{how}");
        }
    });
}

#[test]
fn a_supervised_actor_that_fails_in_a_batch_goes_on_with_what_waits() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let heard = Heard::default();
        let of_child = heard.clone();
        let child = Child::actor("sum", move || Summing { heard: of_child.clone(), ..Summing::default() });
        let tree = Supervisor::builder("root").child(child.redelivery(Redelivery::Retry { attempts: 3 }));
        let tree = tree.start(&bus).await.unwrap();
        let summing = tree.lookup::<Summing>("root/sum").unwrap();
        summing.tell(note("panic")).await.unwrap();
        summing.tell(Tick(1)).await.unwrap();
        let starts = || batches(&heard).iter().filter(|word| *word == "started").count();
        // Wherever the batch ended that panicked: the tick is in it, or waits for the next life, and is lost
        // in neither case.
        while starts() < 2 || summed(&heard) < 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!((starts(), summed(&heard), bus.dead_letters().in_hand), (2, 1, 0));
        tree.shutdown().await.unwrap();
    });
}

/// The run of an isolate in which these come.
fn in_isolate(feed: Vec<(i64, u64)>, replayed: bool, notes: &[&str]) -> (Vec<String>, Option<StopReason>) {
    let mut isolate = Isolate::new(1);
    let heard = Heard::default();
    let summing = isolate.spawn(Summing { heard: heard.clone(), ..Summing::default() }).unwrap();
    for text in notes {
        isolate.publish(note(text)).unwrap();
    }
    isolate.spawn_service(Feed(feed, replayed)).unwrap();
    let _ = isolate.run();
    (heard.words(), isolate.end_reason(&summing))
}

#[test]
fn in_an_isolate_a_batch_ends_before_the_clock_moves() {
    let feed = vec![(1, 1), (1, 2), (1, 3), (4, 4), (9, 5), (9, 6)];
    let words = ["0 started", "1 batch of 3", "4 batch of 1", "9 batch of 2"];
    for replayed in [false, true] {
        let (heard, reason) = in_isolate(feed.clone(), replayed, &[]);
        assert_eq!((heard, reason), (words.map(str::to_owned).to_vec(), None), "replayed: {replayed}");
    }
    // A handler that waits puts the end of its batch off until it has returned.
    let (heard, _) = in_isolate(feed.clone(), true, &["wait"]);
    assert_eq!(heard, ["0 started", "5 batch of 4", "9 batch of 2"]);
    // So does the end of a batch that waits, with what comes meanwhile.
    let (heard, _) = in_isolate(feed.clone(), true, &["sleep"]);
    assert_eq!(heard, ["0 started", "0 batch of 0", "10 batch of 6"]);
    for (how, reason) in [
        ("fail", StopReason::Failed("it could not".into())),
        ("panic", StopReason::Panicked("told to".into())),
        ("stop", StopReason::Normal),
    ] {
        let (heard, ended) = in_isolate(feed.clone(), false, &[how]);
        assert_eq!(heard[..2], ["0 started", "0 batch of 0"], "{how}");
        assert_eq!((ended, summed_of(&heard)), (Some(reason), 0), "{how}: {heard:?}");
    }
}

#[test]
fn in_an_isolate_batches_count_towards_the_bound_and_end_in_the_order_in_which_they_began() {
    let mut isolate = Isolate::new(1);
    let heard = Heard::default();
    let endless =
        isolate.spawn(Summing { heard: heard.clone(), again: u32::MAX, ..Summing::default() }).unwrap();
    isolate.tell(&endless, Tick(1)).unwrap();
    isolate.limit_events(1_000);
    isolate.run().unwrap_err();
    assert!((499..=1_000).contains(&batches(&heard).len()), "{}", batches(&heard).len());

    let mut isolate = Isolate::new(1);
    let heard = Heard::default();
    let all = [0; 3].map(|_| isolate.spawn(Named(heard.clone())).unwrap());
    for at in [2, 0, 1, 0, 2] {
        isolate.tell(&all[at], Tick(1)).unwrap();
    }
    isolate.run().unwrap();
    let ended: Vec<_> = [2, 0, 1].iter().map(|at| format!("{:?}", all[*at])).collect();
    assert_eq!(heard.words(), ended);
    assert_eq!(isolate.now(), Timestamp::from_nanos(0));
}

struct Named(Heard);
impl Actor for Named {
    type Error = BoxError;
    async fn batch_ended(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("{:?}", ctx.actor_ref()));
        Ok(())
    }
}
impl Handler<Tick> for Named {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The same by the macro, and called directly.
#[derive(Default)]
struct Marked {
    open: u32,
    ended: Vec<u32>,
}

#[actor]
impl Marked {
    #[on]
    fn tick(&mut self, _tick: &Tick) {
        self.open += 1;
    }
    #[batch_ended]
    fn end(&mut self) {
        self.ended.push(std::mem::take(&mut self.open));
    }
}

mycelium::routing_config! {
    struct Direct {
        Tick => [marked: Marked],
    }
}

#[test]
fn the_macro_knows_batches_and_a_direct_call_is_one() {
    let mut isolate = Isolate::new(1);
    let marked = isolate.spawn(Marked::default()).unwrap();
    for n in 0..5 {
        isolate.publish(Tick(n)).unwrap();
    }
    isolate.run().unwrap();
    assert_eq!(isolate.take(&marked).unwrap().ended, [5]);

    let mut direct = Direct::new(Marked::default());
    for n in 0..3 {
        direct.route(&Tick(n)).unwrap();
    }
    assert_eq!(direct.marked().ended, [1, 1, 1]);
}
