//! Ten thousand topics on one bus: their order, and what the allocator says that each of them takes.

#[path = "common/heap.rs"]
mod heap;

mod common;

use common::on_both_runtimes;
use mycelium::MessageBus;
use mycelium::frame::Header;
use mycelium::wire::Contract;

const TOPICS: u16 = 10_000;

/// Messages of one table: a contract has no more than 4,096.
const TABLE: u16 = 2_500;

/// How many topics one listener hears: each message costs it a look at all of them.
const EACH: u16 = 50;

/// What one topic may take on its bus, with a subscriber that has room for eight messages (bytes).
const TOPIC_MAX: i64 = 8 * 1024;

/// What one message of a contract may take, before there is a topic for it (bytes).
const KNOWN_MAX: i64 = 1024;

fn ten_thousand_messages() -> Vec<Contract> {
    let contract = |table: u16| {
        let messages = (table * TABLE..(table + 1) * TABLE)
            .map(|id| format!("message M{id} {id} 1 group.{}\nfield number 1 u64\n", id / EACH));
        let text = format!("mycelium contract 1\nschema s 1\n{}", messages.collect::<String>());
        Contract::parse(&text).unwrap()
    };
    (0..TOPICS / TABLE).map(contract).collect()
}

#[test]
fn ten_thousand_topics_of_one_bus_keep_their_order_and_take_little_memory_each() {
    let each = |bytes: i64| bytes / i64::from(TOPICS);
    let before = heap::live_bytes();
    let contracts = ten_thousand_messages();
    let known = each(heap::live_bytes() - before);
    assert!(known < KNOWN_MAX, "{known} bytes for a message");
    on_both_runtimes(async || {
        let before = heap::live_bytes();
        let builder = MessageBus::builder().topic_capacity(8);
        let bus = contracts.iter().fold(builder, |builder, contract| builder.contract(*contract)).build();
        // Neighbours in the order of publishing are far from each other among the topics.
        let id = |n: u16| (u32::from(n) * 7_919 % u32::from(TOPICS)) as u16;
        let mut listeners: Vec<_> =
            (0..TOPICS / EACH).map(|group| bus.subscribe_wire(format!("group.{group}")).unwrap()).collect();
        let taken = each(heap::live_bytes() - before);
        assert!(taken < TOPIC_MAX, "{taken} bytes for a topic");
        let value = |round: u64, n: u16| (round << 32 | u64::from(n)).to_le_bytes();
        for round in 0..2 {
            for n in 0..TOPICS {
                let header = Header { type_id: id(n), version: 1, root_len: 8, ..Header::default() };
                bus.publish_wire(&header, &value(round, n)).await.unwrap();
            }
            let mut stamp = None;
            for n in 0..TOPICS {
                let message = listeners[usize::from(id(n) / EACH)].recv().await.unwrap();
                assert_eq!((message.header().type_id, message.bytes()), (id(n), &value(round, n)[..]));
                assert!(stamp < Some(message.stamp()), "in the order of the bus");
                stamp = Some(message.stamp());
            }
        }
        assert!(listeners.iter_mut().all(|listener| listener.try_recv().is_none()));
        let topics = bus.topics();
        assert_eq!(topics.len(), usize::from(TOPICS));
        assert!(topics.iter().all(|topic| topic.published == 2));
        println!("a message takes {known} bytes, its topic with a subscriber {taken}");
        drop(listeners);
        bus.shutdown().await.unwrap();
    });
}
