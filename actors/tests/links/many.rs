//! Very many topics over one link.

use std::fmt::Write;

use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{LinkAddress, MessageBus, WireSubscriber};

use crate::common::on_every_runtime;
use crate::kit::{find, socket, until};

const TOPICS: u16 = 1_000;
const MESSAGES: u64 = 20_000;

/// A bus that knows as many topics, with one message each.
fn bus(name: &str) -> MessageBus {
    let mut table = "mycelium contract 1\nschema many 1\n".to_owned();
    for type_id in 1..=TOPICS {
        writeln!(table, "message M{type_id} {type_id} 1 t{type_id}\nfield number 1 u64").unwrap();
    }
    MessageBus::builder().node(name).contract(Contract::parse(&table).unwrap()).build()
}

/// The type of each message: neighbours in time are far from each other among the topics.
fn type_of(number: u64) -> u16 {
    (number * 7_919 % u64::from(TOPICS)) as u16 + 1
}

/// Publishes all, for subscribers of which `of` says which gets a message.
async fn publish_for(subscribers: &mut [WireSubscriber], desk: &MessageBus, of: impl Fn(u64) -> usize) {
    let (market, path) = (bus("market"), socket());
    let _listener = market.bind_unix(&path).unwrap();
    assert_eq!(&*desk.connect(LinkAddress::unix(&*path)).unwrap().linked().await, "market");
    until(|| find(&market, "desk").is_some_and(|link| link.wants.len() == usize::from(TOPICS))).await;
    let there = async {
        for number in 0..MESSAGES {
            let header = Header { type_id: type_of(number), version: 1, root_len: 8, ..Header::default() };
            market.publish_wire(&header, &number.to_le_bytes()).await.unwrap();
        }
    };
    let here = async {
        for number in 0..MESSAGES {
            let message = subscribers[of(number)].recv().await.unwrap();
            assert_eq!(message.header().type_id, type_of(number));
            assert_eq!(message.bytes()[..8], number.to_le_bytes());
        }
    };
    tokio::join!(there, here);
    desk.shutdown().await.unwrap();
    market.shutdown().await.unwrap();
}

#[test]
fn one_subscriber_of_very_many_topics_gets_all_in_the_order_of_publishing() {
    on_every_runtime(async || {
        let desk = bus("desk");
        let mut all = [desk.subscribe_wire("*").unwrap()];
        publish_for(&mut all, &desk, |_| 0).await;
    });
}

#[test]
fn very_many_subscribers_of_a_topic_each_get_what_is_theirs() {
    on_every_runtime(async || {
        let desk = bus("desk");
        let topic = |type_id| desk.subscribe_wire(format!("t{type_id}").as_str()).unwrap();
        let mut each: Vec<_> = (1..=TOPICS).map(topic).collect();
        publish_for(&mut each, &desk, |number| usize::from(type_of(number)) - 1).await;
    });
}
