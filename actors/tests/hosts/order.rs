//! Whoever publishes or sends A and then B to one receiver, on any topics and directly, is received in that
//! order.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;

use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Message, Responder, Service, ServiceContext, Subscription,
    Subscriptions,
};
use mycelium_random::{Random, seed};

use crate::common::{Flush, Log, Note, Tick, Tock};
use crate::host::{Diary, Host, Limits};

/// Message `n` of one publisher.
#[derive(Clone, Copy, Debug)]
struct Step<const TOPIC: u16> {
    publisher: u64,
    number: u64,
}
impl<const TOPIC: u16> Message for Step<TOPIC> {
    const NAME: &'static str = "Step";
    const TYPE_ID: u16 = TOPIC;
    const TOPIC: &'static str = "steps";
}
/// The same, sent directly.
struct Direct {
    publisher: u64,
    number: u64,
}

/// Lets others run, on any host.
async fn let_others_run() {
    let mut once = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut once, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Checks that the numbers of each publisher rise.
#[derive(Default)]
struct Judge {
    last: HashMap<u64, u64>,
    heard: u64,
    wrong: Vec<String>,
    /// Waits in some handlers.
    dawdles: bool,
}
impl Judge {
    async fn hear(&mut self, publisher: u64, number: u64) {
        let last = self.last.entry(publisher).or_default();
        if number != *last + 1 {
            self.wrong.push(format!("{publisher}: {number} after {last}"));
        }
        *last = number;
        self.heard += 1;
        if self.dawdles && self.heard.is_multiple_of(97) {
            let_others_run().await;
        }
    }
}
impl Actor for Judge {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        // Small queues, so that publishers wait and the sources run empty and full.
        topics.on_with(Subscription::<Step<1>>::block().capacity(4));
        topics.on_with(Subscription::<Step<2>>::block().capacity(64));
        topics.on::<Step<3>>();
    }
}
impl<const TOPIC: u16> Handler<Step<TOPIC>> for Judge {
    async fn handle(&mut self, step: &Step<TOPIC>, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(step.publisher, step.number).await;
        Ok(())
    }
}
impl Handler<Direct> for Judge {
    async fn handle(&mut self, step: &Direct, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(step.publisher, step.number).await;
        Ok(())
    }
}
struct Verdict;
impl Responder<Verdict> for Judge {
    type Reply = (u64, Vec<String>);
    async fn answer(&mut self, _: &Verdict, _: &mut Context<Self>) -> (u64, Vec<String>) {
        (self.heard, self.wrong.clone())
    }
}

const PUBLISHERS: u64 = 8;
const STEPS: u64 = 2_000;

struct Walker {
    publisher: u64,
    seed: u64,
    judges: Vec<ActorRef<Judge>>,
}
impl Service for Walker {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let publisher = self.publisher;
        let mut random = Random::new(self.seed ^ publisher);
        for number in 1..=STEPS {
            match random.below(4) {
                0 => ctx.publish(Step::<1> { publisher, number }).await?,
                1 => ctx.publish(Step::<2> { publisher, number }).await?,
                2 => ctx.publish(Step::<3> { publisher, number }).await?,
                _ => {
                    for judge in &self.judges {
                        judge.tell(Direct { publisher, number }).await?;
                    }
                }
            }
            if random.chance(2) {
                let_others_run().await;
            }
        }
        Ok(())
    }
}

conformance!(many_publishers_on_many_topics_are_each_received_in_order);
fn many_publishers_on_many_topics_are_each_received_in_order<H: Host>() {
    let seed = seed();
    let mut host = H::with(Limits { topic_capacity: Some(128), inbox_capacity: Some(16) });
    let judges: Vec<_> =
        [false, true].map(|dawdles| host.spawn(Judge { dawdles, ..Judge::default() }).unwrap()).to_vec();
    let walkers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| host.spawn_service(Walker { publisher, seed, judges: judges.clone() }).unwrap())
        .collect();
    for walker in &walkers {
        host.service_ended(walker);
    }
    for judge in &judges {
        let (heard, wrong) = host.ask(judge, Verdict).unwrap();
        assert!(wrong.is_empty(), "seed {seed}: {:?}", &wrong[..wrong.len().min(5)]);
        assert_eq!(heard, PUBLISHERS * STEPS, "seed {seed}: each message exactly once");
    }
    host.shutdown();
}

conformance!(what_is_published_told_and_asked_arrives_in_that_order);
fn what_is_published_told_and_asked_arrives_in_that_order<H: Host>() {
    let mut host = H::new();
    let log = host.spawn(Log::default()).unwrap();
    host.ask(&log, Flush).unwrap();
    let mut expected = Vec::new();
    for n in 0..1_000 {
        host.publish(Tick(n)).unwrap();
        host.publish(Tock(n)).unwrap();
        host.tell(&log, Note(format!("note {n}"))).unwrap();
        expected.extend([format!("tick {n}"), format!("tock {n}"), format!("note {n}")]);
    }
    assert_eq!(host.ask(&log, Flush).unwrap(), expected);
    host.shutdown();
}

/// Writes down when it begins and ends with each message, and waits in between.
struct Slow {
    name: &'static str,
    diary: Diary,
    pause_ms: u64,
}
impl Actor for Slow {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
        topics.on::<Tock>();
    }
}
impl Handler<Tick> for Slow {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.diary.note(ctx.now(), format_args!("{} tick {}", self.name, tick.0));
        ctx.sleep(std::time::Duration::from_millis(self.pause_ms)).await;
        self.diary.note(ctx.now(), format_args!("{} done", self.name));
        Ok(())
    }
}
impl Handler<Tock> for Slow {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.diary.note(ctx.now(), format_args!("{} tock {}", self.name, tock.0));
        Ok(())
    }
}

conformance!(a_handler_that_waits_keeps_its_actor_alone_waiting_and_the_order_stands);
fn a_handler_that_waits_keeps_its_actor_alone_waiting_and_the_order_stands<H: Host>() {
    let mut host = H::new();
    let [slow, quick] = [host.diary(), host.diary()];
    host.spawn(Slow { name: "slow", diary: slow.clone(), pause_ms: 10 }).unwrap();
    host.spawn(Slow { name: "quick", diary: quick.clone(), pause_ms: 0 }).unwrap();
    for n in 0..2 {
        host.publish(Tick(n)).unwrap();
        host.publish(Tock(n)).unwrap();
    }
    // The quick one has done all while the slow one waits in its first message.
    host.until(|| quick.heard.words().len() == 6);
    if H::OFFERS.exact_time {
        assert_eq!(slow.heard.words().len(), 1);
    }
    let of_quick = [
        "0 quick tick 0",
        "0 quick done",
        "0 quick tock 0",
        "0 quick tick 1",
        "0 quick done",
        "0 quick tock 1",
    ];
    host.has_heard(&quick, &of_quick);
    let of_slow = [
        "0 slow tick 0",
        "10 slow done",
        "10 slow tock 0",
        "10 slow tick 1",
        "20 slow done",
        "20 slow tock 1",
    ];
    host.has_heard(&slow, &of_slow);
    host.shutdown();
}

conformance!(all_events_have_one_order, not live: one_order);
fn all_events_have_one_order<H: Host>() {
    let mut host = H::new();
    let diary = host.diary();
    for name in ["a", "b", "c"] {
        host.spawn(Slow { name, diary: diary.clone(), pause_ms: 0 }).unwrap();
    }
    for n in 0..2 {
        host.publish(Tock(n)).unwrap();
        host.publish(Tock(n + 10)).unwrap();
    }
    let tocks =
        [0, 10, 1, 11].into_iter().flat_map(|n| ["a", "b", "c"].map(|name| format!("0 {name} tock {n}")));
    host.settle();
    assert_eq!(diary.heard.words(), tocks.collect::<Vec<_>>());
}
