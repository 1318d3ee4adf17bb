//! An actor has one subscription for each message type, however often and wherever it asks for it, live and in an isolate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::{Flush, Heard, Tick, on_both_runtimes};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, MessageBus, Responder, SpawnError, Subscription,
    Subscriptions, Supervisor,
};

/// Asks for ticks in `subscriptions`, as often as its parameter says, and again in each `started`; does what it is told.
struct Twice<const N: usize> {
    heard: Heard,
    again: Vec<Subscription<Tick>>,
    lives: Arc<AtomicU32>,
}

impl<const N: usize> Twice<N> {
    fn new(again: Vec<Subscription<Tick>>) -> Self {
        Self { heard: Heard::default(), again, lives: Arc::default() }
    }
    /// Of which the next life is made.
    fn clone(&self) -> Self {
        Self { heard: self.heard.clone(), again: self.again.clone(), lives: Arc::clone(&self.lives) }
    }
}

impl<const N: usize> Actor for Twice<N> {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        for _ in 0..N {
            topics.on::<Tick>();
        }
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.lives.fetch_add(1, Ordering::Relaxed);
        for subscription in &self.again {
            ctx.subscribe(*subscription)?;
        }
        Ok(())
    }
}

impl<const N: usize> Handler<Tick> for Twice<N> {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tick {}", tick.0));
        match tick.0 {
            // Once more, in the middle of the work.
            1 => ctx.subscribe(Subscription::<Tick>::block())?,
            2 => return Err("told to fail".into()),
            // It begins anew: that is another subscription, in place of the one before.
            3 => {
                ctx.unsubscribe::<Tick>();
                ctx.subscribe(Subscription::<Tick>::drop_oldest())?;
                ctx.subscribe(Subscription::<Tick>::drop_oldest())?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl<const N: usize> Responder<Flush> for Twice<N> {
    type Reply = Vec<String>;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<String> {
        self.heard.words()
    }
}

const WORDS: [&str; 4] = ["tick 0", "tick 1", "tick 3", "tick 4"];

async fn hears_once<const N: usize>(again: Vec<Subscription<Tick>>) {
    let bus = MessageBus::new();
    let actor = bus.spawn(Twice::<N>::new(again)).unwrap();
    // It has subscribed when it answers.
    assert_eq!(actor.ask(Flush).await.unwrap().len(), 0);
    let ticks = bus.publisher::<Tick>().unwrap();
    for number in [0, 1, 3] {
        ticks.publish(Tick(number)).await.unwrap();
        actor.ask(Flush).await.unwrap();
    }
    ticks.publish(Tick(4)).await.unwrap();
    assert_eq!(actor.ask(Flush).await.unwrap(), WORDS, "{N} times in `subscriptions`");
    let queues = bus.stats().queues.into_iter().filter(|queue| queue.message.is_some());
    assert_eq!(queues.map(|queue| queue.policy).collect::<Vec<_>>(), ["drop_oldest"]);
    bus.shutdown().await.unwrap();
}

#[test]
fn a_message_comes_once_however_often_its_actor_has_subscribed() {
    on_both_runtimes(|| async {
        let block = Subscription::<Tick>::block;
        hears_once::<0>(vec![block(), block(), block()]).await;
        hears_once::<1>(vec![block()]).await;
        hears_once::<2>(vec![]).await;
        hears_once::<3>(vec![block(), block()]).await;
    });
}

fn hears_once_in_an_isolate<const N: usize>(again: Vec<Subscription<Tick>>) {
    let mut isolate = Isolate::new(1);
    let twice = Twice::<N>::new(again);
    let heard = twice.heard.clone();
    let _actor: ActorRef<Twice<N>> = isolate.spawn(twice).unwrap();
    isolate.run().unwrap();
    for number in [0, 1, 3, 4] {
        isolate.publish(Tick(number)).unwrap();
        isolate.run().unwrap();
    }
    assert_eq!(heard.words(), WORDS, "{N} times in `subscriptions`");
}

#[test]
fn in_an_isolate_a_message_comes_once_too() {
    let block = Subscription::<Tick>::block;
    hears_once_in_an_isolate::<0>(vec![block(), block(), block()]);
    hears_once_in_an_isolate::<1>(vec![block()]);
    hears_once_in_an_isolate::<2>(vec![]);
    hears_once_in_an_isolate::<3>(vec![block(), block()]);
}

#[test]
fn each_life_may_ask_again_and_hears_each_message_once() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let first = Twice::<2>::new(vec![Subscription::block(), Subscription::block()]);
        let heard = first.heard.clone();
        let root = Supervisor::builder("root")
            .intensity(9, crate::common::PERIOD)
            .backoff(crate::common::backoff(1));
        let tree = root.actor("twice", move || first.clone()).start(&bus).await.unwrap();
        let actor = tree.actor_ref::<Twice<2>>("root/twice").unwrap();
        let ticks = bus.publisher::<Tick>().unwrap();
        for number in [0, 2, 0, 2, 0] {
            ticks.publish(Tick(number)).await.unwrap();
        }
        actor.ask(Flush).await.unwrap();
        assert_eq!(heard.words(), ["tick 0", "tick 2", "tick 0", "tick 2", "tick 0"]);
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn in_an_isolate_each_life_may_ask_again_too() {
    let mut isolate = Isolate::new(1);
    let first = Twice::<2>::new(vec![Subscription::block(), Subscription::block()]);
    let heard = first.heard.clone();
    let root =
        Supervisor::builder("root").intensity(9, crate::common::PERIOD).backoff(crate::common::backoff(1));
    let _tree = isolate.supervise(&root.actor("twice", move || first.clone())).unwrap();
    isolate.run().unwrap();
    for number in [0, 2, 0, 2, 0] {
        isolate.publish(Tick(number)).unwrap();
        isolate.run().unwrap();
    }
    assert_eq!(heard.words(), ["tick 0", "tick 2", "tick 0", "tick 2", "tick 0"]);
}

/// What a second subscription with other options gets.
fn is_refused(result: Result<(), SpawnError>) -> bool {
    let Err(error) = result else { return false };
    let text = error.to_string();
    text.contains("Tick") && text.contains("unsubscribe")
}

/// Tries to change its subscription.
#[derive(Default)]
struct Fickle {
    refused: Vec<bool>,
}
impl Actor for Fickle {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let others = [
            Subscription::<Tick>::drop_oldest(),
            Subscription::<Tick>::block().capacity(7),
            Subscription::<Tick>::block().echo(),
            Subscription::conflate(|tick: &Tick| tick.0),
        ];
        self.refused = others.into_iter().map(|other| is_refused(ctx.subscribe(other))).collect();
        Ok(())
    }
}
impl Handler<Tick> for Fickle {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Responder<Flush> for Fickle {
    type Reply = Vec<bool>;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<bool> {
        self.refused.clone()
    }
}

#[test]
fn a_second_subscription_with_other_options_is_an_error_that_says_so() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let fickle = bus.spawn(Fickle::default()).unwrap();
        assert_eq!(fickle.ask(Flush).await.unwrap(), [true; 4]);
    });
    let mut isolate = Isolate::new(1);
    let fickle = isolate.spawn(Fickle::default()).unwrap();
    isolate.run().unwrap();
    assert_eq!(isolate.take(&fickle).unwrap().refused, [true; 4]);
}

/// Contradicts itself.
struct Confused;
impl Actor for Confused {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
        topics.on_with(Subscription::<Tick>::drop_newest().capacity(3));
    }
}
impl Handler<Tick> for Confused {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn an_actor_whose_subscriptions_contradict_each_other_is_not_spawned() {
    let bus = MessageBus::new();
    assert!(is_refused(bus.spawn(Confused).map(drop)));
    assert_eq!(bus.alive(), 0);
    let mut isolate = Isolate::new(1);
    assert!(is_refused(isolate.spawn(Confused).map(drop)));
    // Nothing of it is left.
    isolate.publish(Tick(1)).unwrap();
    let stats = isolate.run().unwrap();
    assert_eq!((stats.events, stats.unheard), (0, 1));
    let error = Supervisor::builder("root").actor("confused", || Confused).start(&bus).await.unwrap_err();
    assert!(error.to_string().contains("unsubscribe"), "{error}");
}
