//! Subscriptions to some of the messages of a topic.
#![forbid(unsafe_code)]

use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{MessageBus, SpawnError, Subscription, WirePublishError, WireTopics};

const TABLE: &str = "mycelium contract 1\nschema two 1\n\
    message Tick 1 1 pulse\nfield number 1 u64\nmessage Tock 2 1 pulse\nfield number 1 u64\n";

#[tokio::test(flavor = "current_thread")]
async fn messages_that_are_not_wanted_take_no_room_and_make_nobody_wait() {
    let bus = MessageBus::builder().contract(Contract::parse(TABLE).unwrap()).build();
    let pulse = || WireTopics::from("pulse");
    let how = Subscription::fail().capacity(2);
    let mut ticks = bus.subscribe_wire_with(pulse().only([1]), how).unwrap();
    let mut both = bus.subscribe_wire(pulse().only([2, 1])).unwrap();
    let publish = |type_id, number: u64| {
        let header = Header { type_id, version: 1, root_len: 8, ..Header::default() };
        bus.try_publish_wire(&header, &number.to_le_bytes())
    };
    (0..10).for_each(|number| publish(2, number).unwrap());
    (10..12).for_each(|number| publish(1, number).unwrap());
    assert_eq!(publish(1, 12), Err(WirePublishError::Full { message: "Tick", whose: None }));
    assert_eq!(ticks.drain(99, |tick| assert_eq!(tick.name(), "Tick")), 2);
    let mut got = Vec::new();
    both.drain(99, |message| got.push(message.bytes[0]));
    assert_eq!(got, (0..12).collect::<Vec<_>>(), "in the order of the bus");
    let missing = bus.subscribe_wire(pulse().only([3])).err().unwrap();
    assert_eq!(missing, SpawnError::UnknownTopic { topic: "pulse (type id 3)".to_owned() });
}
