//! The order promise: whoever publishes or sends A and then B to one receiver, on any topics, is received in that order.

use std::collections::HashMap;

use crate::common::on_both_runtimes;
use mycelium::{
    Actor, BoxError, Context, Handler, Message, MessageBus, Responder, Subscription, Subscriptions,
};
use mycelium_random::{Random, seed};

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
            tokio::task::yield_now().await;
        }
    }
}
impl Actor for Judge {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
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

#[test]
fn many_publishers_on_many_topics_are_each_received_in_order() {
    let seed = seed();
    on_both_runtimes(|| async move {
        let bus = MessageBus::builder().topic_capacity(128).inbox_capacity(16).build();
        let judges: Vec<_> = [false, true]
            .map(|dawdles| bus.spawn(Judge { dawdles, ..Judge::default() }).unwrap())
            .into_iter()
            .collect();
        let tasks: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let (bus, judges) = (bus.clone(), judges.clone());
                tokio::spawn(async move {
                    let mut random = Random::new(seed ^ publisher);
                    let one = bus.publisher::<Step<1>>().unwrap();
                    let two = bus.publisher::<Step<2>>().unwrap();
                    let three = bus.publisher::<Step<3>>().unwrap();
                    for number in 1..=STEPS {
                        match random.below(4) {
                            0 => one.publish(Step { publisher, number }).await.unwrap(),
                            1 => two.publish(Step { publisher, number }).await.unwrap(),
                            2 => three.publish(Step { publisher, number }).await.unwrap(),
                            _ => {
                                for judge in &judges {
                                    judge.tell(Direct { publisher, number }).await.unwrap();
                                }
                            }
                        }
                        if random.chance(2) {
                            tokio::task::yield_now().await;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        for judge in &judges {
            let (heard, wrong) = judge.ask(Verdict).await.unwrap();
            assert!(wrong.is_empty(), "seed {seed}: {:?}", &wrong[..wrong.len().min(5)]);
            assert_eq!(heard, PUBLISHERS * STEPS, "seed {seed}: each message exactly once");
        }
        bus.shutdown().await.unwrap();
    });
}
