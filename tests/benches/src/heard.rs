//! One actor that hears many topics, one message at a time.

use std::time::Instant;

use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Responder, Subscriptions, WireMessage};

/// Counts what comes on any of its topics.
struct Ear(u64);

struct Heard;

impl Actor for Ear {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire("heard.*");
    }
}

impl Handler<WireMessage> for Ear {
    async fn handle(&mut self, _: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0 += 1;
        Ok(())
    }
}

impl Responder<Heard> for Ear {
    type Reply = u64;
    async fn answer(&mut self, _: &Heard, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

/// Publishes `messages` to one of so many topics each, and lets the actor fall asleep after each of them:
/// nanoseconds per message.
pub(crate) async fn one_of(topics: u16, messages: u64) -> f64 {
    let lines = (1..=topics).map(|id| format!("message M{id} {id} 1 heard.{id}\nfield number 1 u64\n"));
    let text = format!("mycelium contract 1\nschema s 1\n{}", lines.collect::<String>());
    let contract = Contract::parse(&text).expect("the contract holds");
    let bus = MessageBus::builder().topic_capacity(8).contract(contract).build();
    let ear = bus.spawn(Ear(0)).expect("the actor starts");
    assert_eq!(ear.ask(Heard).await.expect("the actor answers"), 0);
    let begin = Instant::now();
    for number in 0..messages {
        // Neighbours in time are far from each other among the topics.
        let type_id = 1 + u16::try_from(number * 7_919 % u64::from(topics)).unwrap_or_default();
        let header = Header { type_id, version: 1, root_len: 8, ..Header::default() };
        bus.publish_wire(&header, &number.to_le_bytes()).await.expect("the bus is open");
        // The actor's task is the only other one.
        tokio::task::yield_now().await;
    }
    let elapsed = begin.elapsed();
    assert_eq!(ear.ask(Heard).await.expect("the actor answers"), messages, "every message is handled");
    drop(ear);
    bus.shutdown().await.expect("nobody has failed");
    elapsed.as_nanos() as f64 / messages as f64
}
