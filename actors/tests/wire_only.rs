//! Subscriptions in bytes: to some of the messages of a topic, and to very many topics.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{
    Isolate, MessageBus, SpawnError, Subscription, WireMessage, WirePublishError, WireSubscriber, WireTopics,
};
use mycelium_random::{Random, seeds};

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

#[tokio::test(flavor = "current_thread")]
async fn a_publisher_of_bytes_refuses_what_the_bus_refuses() {
    let bus = MessageBus::builder().contract(Contract::parse(TABLE).unwrap()).wire_value_max(16).build();
    assert_eq!(bus.wire_publisher(9).unwrap_err(), WirePublishError::UnknownType { type_id: 9 });
    let publisher = bus.wire_publisher(2).unwrap();
    assert_eq!(format!("{publisher:?}"), "WirePublisher<Tock>");
    let mut tocks = bus.subscribe_wire_with("pulse", Subscription::block().capacity(2)).unwrap();
    let long = publisher.try_publish(&[0; 17]).unwrap_err();
    assert_eq!(long, WirePublishError::TooLong { message: "Tock", max: 16, got: 17 });
    assert!(matches!(publisher.try_publish(&[0; 7]), Err(WirePublishError::Value(_))));
    for number in 1..=2_u64 {
        publisher.clone().try_publish(&number.to_le_bytes()).unwrap();
    }
    let full = Err(WirePublishError::Full { message: "Tock", whose: None });
    assert_eq!(publisher.try_publish(&[0; 8]), full);
    let mut got = Vec::new();
    tocks.drain(9, |tock| got.push((tock.name(), tock.bytes[0])));
    assert_eq!(got, [("Tock", 1), ("Tock", 2)]);
    bus.shutdown().await.unwrap();
    assert_eq!(publisher.try_publish(&[0; 8]), Err(WirePublishError::Closed { message: "Tock" }));
}

#[test]
fn a_message_that_is_not_taken_is_the_next_one_still_live_and_in_an_isolate() {
    let contract = || Contract::parse(&TABLE.replace("Tock 2 1 pulse", "Tock 2 1 tocks")).unwrap();
    let header = |type_id| Header { type_id, version: 1, root_len: 8, ..Header::default() };
    let take = |ticks: &mut WireSubscriber, up_to: u8| {
        let mut got = Vec::new();
        let taken = ticks.drain_while(9, |message| {
            let takes = message.bytes[0] < up_to;
            takes.then(|| got.push(message.bytes[0]));
            takes
        });
        assert_eq!(taken, got.len());
        got
    };
    let check = |mut both: WireSubscriber| {
        assert!(take(&mut both, 0).is_empty());
        assert_eq!(take(&mut both, 3), [0, 1, 2]);
        assert!(take(&mut both, 3).is_empty(), "the fourth is in front");
        assert_eq!(both.try_recv().map(|message| message.bytes()[0]), Some(3));
        assert_eq!(take(&mut both, 9), [4, 5]);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let entered = runtime.enter();
    let bus = MessageBus::builder().contract(contract()).build();
    // Of two queues, which are merged: the first that is not taken ends it for both.
    let both = bus.subscribe_wire(["pulse", "tocks"]).unwrap();
    (0..6_u64).for_each(|n| bus.try_publish_wire(&header(1 + n as u16 % 2), &n.to_le_bytes()).unwrap());
    check(both);
    let waiting: u64 = bus.topics().iter().map(|topic| topic.waiting).sum();
    assert_eq!(waiting, 0);
    drop(entered);
    let mut isolate = Isolate::new(7);
    isolate.contract(contract());
    let both = isolate.subscribe_wire(["pulse", "tocks"]).unwrap();
    (0..6_u64).for_each(|n| isolate.publish_wire(&header(1 + n as u16 % 2), &n.to_le_bytes()).unwrap());
    isolate.run().unwrap();
    check(both);
}

/// A contract with so many topics of one message each.
fn topics(count: u16) -> Contract {
    let messages = (1..=count).map(|id| format!("message M{id} {id} 1 t{id}\nfield number 1 u64\n"));
    Contract::parse(&format!("mycelium contract 1\nschema many 1\n{}", messages.collect::<String>())).unwrap()
}

fn publish(isolate: &mut Isolate, type_id: u16, number: u64) {
    let header = Header { type_id, version: 1, root_len: 8, ..Header::default() };
    isolate.publish_wire(&header, &number.to_le_bytes()).unwrap();
    isolate.run().unwrap();
}

fn number(message: &WireMessage) -> u64 {
    u64::from_le_bytes(message.bytes().try_into().unwrap())
}

struct Bell;
impl Wake for Bell {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_subscriber_of_an_isolate_that_waits_is_known_once_however_many_topics_it_has() {
    let wakers = |count| {
        let mut isolate = Isolate::new(1);
        isolate.contract(topics(count));
        let mut ears = isolate.subscribe_wire("*").unwrap();
        let bell = Arc::new(Bell);
        let waker = Waker::from(Arc::clone(&bell));
        let mut next = pin!(ears.recv());
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let known = Arc::strong_count(&bell);
        publish(&mut isolate, count, 7);
        assert!(Arc::strong_count(&bell) < known, "it was woken");
        let Poll::Ready(Some(got)) = next.poll(&mut Context::from_waker(&waker)) else {
            panic!("it has come")
        };
        assert_eq!(number(&got), 7);
        known
    };
    assert_eq!(wakers(1_000), wakers(10));
}

#[test]
fn a_subscriber_of_an_isolate_has_the_order_of_a_naive_model_whatever_its_policy_drops() {
    for seed in seeds(60) {
        let mut random = Random::new(seed);
        let capacity = 1 + random.below(3) as usize;
        let oldest = random.chance(50);
        let how = if oldest { Subscription::drop_oldest() } else { Subscription::drop_newest() };
        let mut isolate = Isolate::new(1);
        isolate.contract(topics(5));
        let mut ears = isolate.subscribe_wire_with("*", how.capacity(capacity)).unwrap();
        let mut model = vec![VecDeque::new(); 5];
        for event in 0..400 {
            if random.chance(60) {
                let topic = random.below(5) as usize;
                publish(&mut isolate, topic as u16 + 1, event);
                let queue = &mut model[topic];
                if queue.len() < capacity || oldest {
                    queue.push_back(event);
                    if queue.len() > capacity {
                        queue.pop_front();
                    }
                }
                continue;
            }
            let mut expected = || {
                let next = (0..5).filter_map(|topic| Some((*model[topic].front()?, topic))).min();
                next.and_then(|(_, topic)| model[topic].pop_front())
            };
            if random.chance(50) {
                assert_eq!(ears.try_recv().as_ref().map(number), expected());
            } else {
                let most = random.below(6) as usize;
                let mut got = Vec::new();
                ears.drain(most, |seen| got.push(u64::from_le_bytes(seen.bytes.try_into().unwrap())));
                assert_eq!(got, std::iter::from_fn(expected).take(most).collect::<Vec<_>>());
            }
        }
    }
}
