//! Mycelium: topics, `tell`, `ask`, idle actors.

use std::sync::Arc;
use std::time::Duration;

use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Message, MessageBus, Publisher, Responder, Subscriptions,
};

use crate::ask::Asked;
use crate::carrier::Carrier;
use crate::crowd::{Awake, Crowd};
use crate::load::{Counter, Large, Load, Small};

impl Message for Small {
    const NAME: &'static str = "Small";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "small";
}

impl Message for Large {
    const NAME: &'static str = "Large";
    const TYPE_ID: u16 = 2;
    const TOPIC: &'static str = "large";
}

/// An actor around a [`Counter`], subscribed to the topic of `M`.
pub(crate) struct Receiver<M> {
    counter: Counter,
    message: std::marker::PhantomData<fn(M)>,
}

impl<M: Load> Actor for Receiver<M> {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<M>();
    }
}

impl<M: Load> Handler<M> for Receiver<M> {
    async fn handle(&mut self, message: &M, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.counter.see(message);
        Ok(())
    }
}

/// Publishing to a topic with the default policy, which waits for the slowest subscriber.
pub(crate) struct Topic<M: Load> {
    bus: MessageBus,
    actors: Vec<ActorRef<Receiver<M>>>,
}

impl<M: Load> Topic<M> {
    fn spawn(counters: Vec<Counter>) -> Self {
        let bus = MessageBus::new();
        let spawn = |counter| bus.spawn(Receiver { counter, message: std::marker::PhantomData });
        let actors = counters.into_iter().map(|counter| spawn(counter).expect("the actor starts")).collect();
        Self { bus, actors }
    }

    async fn end(self) {
        for actor in &self.actors {
            actor.stop();
        }
        for actor in self.actors {
            actor.ended().await;
        }
        self.bus.shutdown().await.expect("the bus ends in time");
    }
}

impl<M: Load> Carrier<M> for Topic<M> {
    type Sender = Publisher<M>;

    async fn start(counters: Vec<Counter>) -> Self {
        Self::spawn(counters)
    }

    fn sender(&self) -> Publisher<M> {
        self.bus.publisher().expect("one type has this id")
    }

    async fn send(sender: &mut Publisher<M>, message: M) {
        sender.publish(message).await.expect("the bus is open");
    }

    async fn stop(self) {
        self.end().await;
    }
}

/// The same by a publisher who looks at the outcome and lets it go.
pub(crate) struct Asserted<M: Load>(Topic<M>);

impl<M: Load> Carrier<M> for Asserted<M> {
    type Sender = Publisher<M>;

    async fn start(counters: Vec<Counter>) -> Self {
        Self(Topic::spawn(counters))
    }

    fn sender(&self) -> Publisher<M> {
        self.0.sender()
    }

    async fn send(sender: &mut Publisher<M>, message: M) {
        assert!(sender.publish(message).await.is_ok(), "the bus is open");
    }

    async fn stop(self) {
        self.0.end().await;
    }
}

/// Sending to an actor's own inbox.
pub(crate) struct Tell<M: Load>(Topic<M>);

impl<M: Load> Carrier<M> for Tell<M> {
    type Sender = ActorRef<Receiver<M>>;

    async fn start(counters: Vec<Counter>) -> Self {
        Self(Topic::spawn(counters))
    }

    fn sender(&self) -> Self::Sender {
        self.0.actors[0].clone()
    }

    async fn send(sender: &mut Self::Sender, message: M) {
        sender.tell(message).await.expect("the actor is alive");
    }

    async fn stop(self) {
        self.0.end().await;
    }
}

/// An actor that answers.
pub(crate) struct Echo;

impl Actor for Echo {
    type Error = BoxError;
}

impl Responder<u64> for Echo {
    type Reply = u64;
    async fn answer(&mut self, number: &u64, _: &mut Context<Self>) -> u64 {
        number + 1
    }
}

/// `ask`.
pub(crate) struct Ask(ActorRef<Echo>, MessageBus);

impl Asked for Ask {
    async fn start() -> Self {
        let bus = MessageBus::new();
        Self(bus.spawn(Echo).expect("the actor starts"), bus)
    }

    async fn ask(&mut self, number: u64) -> u64 {
        self.0.ask(number).await.expect("the actor answers")
    }

    async fn stop(self) {
        self.1.shutdown().await.expect("the bus ends in time");
    }
}

/// `ask_within` a limit that is never reached.
pub(crate) struct AskWithin(Ask);

impl Asked for AskWithin {
    async fn start() -> Self {
        Self(Ask::start().await)
    }

    async fn ask(&mut self, number: u64) -> u64 {
        self.0.0.ask_within(number, Duration::from_secs(5)).await.expect("the actor answers in time")
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}

/// An actor that is there, and counts itself when it starts.
struct Waiting(Arc<Awake>);

impl Actor for Waiting {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.count();
        Ok(())
    }
}

/// Idle actors of one bus.
pub(crate) struct Idle(ActorRef<Waiting>);

impl Crowd for Idle {
    type Home = (MessageBus, Arc<Awake>);

    fn home() -> Self::Home {
        (MessageBus::new(), Arc::default())
    }

    async fn spawn((bus, awake): &Self::Home) -> Self {
        Self(bus.spawn(Waiting(Arc::clone(awake))).expect("the actor starts"))
    }

    async fn started((_, awake): &Self::Home, actors: &[Self]) {
        awake.wait_for(actors.len()).await;
    }

    async fn stop(&self) {
        self.0.stop();
    }

    async fn stopped(self) {
        self.0.ended().await;
    }
}
