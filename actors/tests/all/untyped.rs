//! Topics whose types the process does not have.

use mycelium::frame::Header;
use mycelium::wire::{Contract, Layout, Messages, ValueError, Visitor, Wire, WireError};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, SpawnError, Subscription, Subscriptions,
    WireMessage, WirePublishError,
};

use crate::common::wire::{Mine, Price, bytes, header};
use crate::common::{Heard, on_both_runtimes};

const TABLE: &str = "mycelium contract 1
schema acme.trading 1
enum Side
variant Buy 1
variant Sell 1
message Order 60 1 orders
field side 1 Side
field lots 1 u32
field note 1 String
message Quote 61 1 market.quotes
field price 1 i64
field venue 1 String
";

fn contract() -> Contract {
    Contract::parse(TABLE).unwrap()
}

/// An order for so many lots, and what a frame says of it.
fn order(lots: u32) -> (Header, Vec<u8>) {
    let header = Header {
        type_id: 60,
        version: 1,
        root_len: 16,
        sequence: 7,
        publish_ns: 1_234,
        trace_id: [5; 16],
        ..Header::default()
    };
    let mut value = vec![1, 0, 0, 0];
    value.extend(lots.to_le_bytes());
    value.extend(*b"by hand\xff");
    (header, value)
}

fn lots(message: &WireMessage) -> u32 {
    u32::from_le_bytes(message.bytes()[4..8].try_into().unwrap())
}

#[test]
fn a_bus_carries_messages_whose_types_it_does_not_have_byte_for_byte() {
    on_both_runtimes(async || {
        let bus = MessageBus::builder().contract(contract()).contract(Mine).build();
        let mut all = bus.subscribe_wire("*").unwrap();
        let mut orders = bus.subscribe_wire_with("orders", Subscription::drop_oldest().capacity(2)).unwrap();
        let prices = bus.publisher::<Price>().unwrap();
        for lots in 0..50 {
            let (header, value) = order(lots);
            bus.publish_wire(&header, &value).await.unwrap();
            prices.publish(Price { at: i64::from(lots) }).await.unwrap();
        }
        let mut last = None;
        for n in 0..50 {
            let (header, value) = order(n);
            let (order, price) = (all.recv().await.unwrap(), all.recv().await.unwrap());
            assert_eq!((order.header(), order.bytes()), (&header, &value[..]));
            assert_eq!((order.name(), order.topic(), price.name()), ("Order", "orders", "Price"));
            assert!(last < Some(order.stamp()) && order.stamp() < price.stamp(), "in the order of the bus");
            last = Some(price.stamp());
        }
        let kept: Vec<_> = std::iter::from_fn(|| orders.try_recv()).map(|order| lots(&order)).collect();
        assert_eq!(kept, [48, 49]);
        let stats = bus.topics().into_iter().find(|stats| stats.message == "Order").unwrap();
        assert_eq!((stats.topic, stats.published, stats.dropped_oldest), ("orders", 50, 48));
        let (header, value) = order(1);
        bus.publish_wire(&Header { publish_ns: 0, ..header }, &value).await.unwrap();
        let now = bus.clock().now();
        let published = all.recv().await.unwrap().published();
        assert!(published.as_nanos() > 1_234 && published <= now, "a frame without a time has the bus's");
    });
}

#[test]
fn values_that_their_layouts_rule_out_are_refused() {
    on_both_runtimes(async || {
        let bus = MessageBus::builder().contract(contract()).build();
        let mut got = bus.subscribe_wire("orders").unwrap();
        let (header, good) = order(1);
        for (at, byte, part) in [
            (0, 2, "the tag of Side at byte 0 is 2, of 2"),
            (8, 0xfe, "no UTF-8"),
            (8, 0x80, "the offset at byte 8 leads to"),
        ] {
            let mut value = good.clone();
            value[at] = byte;
            let error = bus.try_publish_wire(&header, &value).unwrap_err();
            let WirePublishError::Value(ValueError::Wire(WireError::Invalid { message: "Order", cause })) =
                error
            else {
                panic!("{error}");
            };
            assert!(cause.contains(part), "{cause}");
        }
        for (header, value, part) in [
            (header, &good[..9], "9 bytes are too few"),
            (Header { version: 2, root_len: 8, ..header }, &good[..], "cannot be read by version 1"),
            (Header { type_id: 62, ..header }, &good[..], "no message with type id 62"),
        ] {
            let error = bus.publish_wire(&header, value).await.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(got.try_recv().is_none());
    });
}

/// The type of a message that the table has, too.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Quote {
    price: i64,
    venue: String,
}
impl Message for Quote {
    const NAME: &'static str = "Quote";
    const TYPE_ID: u16 = 61;
    const TOPIC: &'static str = "market.quotes";
}
impl Wire for Quote {
    const LAYOUTS: &'static [Layout] =
        &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 0xce6ce630b680bc5c }];
}
struct Quotes;
impl Messages for Quotes {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Quote>();
    }
}

#[test]
fn a_type_and_a_loaded_contract_of_one_message_meet_whichever_is_given_first() {
    on_both_runtimes(async || {
        let typed_first = MessageBus::builder().contract(Quotes).contract(contract()).build();
        let typed_last = MessageBus::builder().contract(contract()).contract(Quotes).build();
        for bus in [typed_first, typed_last] {
            let mut typed = bus.subscriber::<Quote>().unwrap();
            let mut got = bus.subscribe_wire("market.*").unwrap();
            let quote = Quote { price: -5, venue: "a longer name".to_owned() };
            bus.publish_wire(&header::<Quote>(), &bytes(&quote)).await.unwrap();
            bus.publisher::<Quote>().unwrap().publish(quote.clone()).await.unwrap();
            for _ in 0..2 {
                assert_eq!(*typed.recv().await.unwrap(), quote);
                let message = got.recv().await.unwrap();
                contract().message(61).unwrap().check(message.bytes(), 1, Quote::ROOT_LEN).unwrap();
                assert_eq!(Quote::decode(message.bytes()).unwrap(), quote);
            }
        }
    });
}

#[test]
fn another_layout_under_one_type_id_disables_the_message_and_says_which() {
    let other = TABLE.replace("field price 1 i64", "field price 1 u64");
    let bus = MessageBus::builder().contract(Quotes).contract(Contract::parse(&other).unwrap()).build();
    let quote = Quote { price: 5, venue: String::new() };
    let error = bus.try_publish_wire(&header::<Quote>(), &bytes(&quote)).unwrap_err();
    assert!(matches!(error, WirePublishError::Disabled { message: "Quote", type_id: 61, .. }), "{error}");
    assert!(error.to_string().contains("layout"), "{error}");
    let (header, value) = order(1);
    bus.try_publish_wire(&header, &value).unwrap();
}

#[test]
fn a_type_without_its_contract_is_told_how_to_meet_the_bytes() {
    for wire_first in [true, false] {
        let bus = MessageBus::builder().contract(contract()).build();
        let _got = wire_first.then(|| bus.subscribe_wire("market.quotes").unwrap());
        let error = bus.publisher::<Quote>().err().unwrap();
        assert_eq!(error, SpawnError::Untyped { message: "Quote" });
        assert!(error.to_string().contains("CONTRACT"));
    }
}

#[test]
fn a_message_of_such_a_type_is_not_lost_without_a_word() {
    let quote = || Quote { price: 5, venue: String::new() };
    for wire_first in [true, false] {
        let mut isolate = Isolate::new(1);
        isolate.contract(contract());
        let _got = wire_first.then(|| isolate.subscribe_wire("market.quotes").unwrap());
        let error = isolate.publish(quote()).unwrap_err();
        assert!(error.to_string().contains("the generated CONTRACT"), "{error}");
    }
}

/// Sends each order on, with one lot more, until there are five.
struct Relay {
    heard: Heard,
}
impl Actor for Relay {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire_with("orders", Subscription::block().echo());
    }
}
impl Handler<WireMessage> for Relay {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let from = message.sender().map(|id| id == ctx.id());
        self.heard.add(format!("{} {from:?}", lots(message)));
        if lots(message) < 5 {
            let (header, value) = order(lots(message) + 1);
            ctx.publish_wire(&header, &value).await?;
        }
        Ok(())
    }
}

const RELAYED: [&str; 4] = ["2 None", "3 Some(true)", "4 Some(true)", "5 Some(true)"];

#[test]
fn an_actor_relays_what_it_has_no_type_of_live_and_in_an_isolate() {
    let (header, value) = order(2);
    on_both_runtimes(async || {
        let bus = MessageBus::builder().contract(contract()).build();
        let heard = Heard::default();
        bus.spawn(Relay { heard: heard.clone() }).unwrap();
        bus.publish_wire(&header, &value).await.unwrap();
        heard.wait_for("5").await;
        assert_eq!(heard.words(), RELAYED);
        bus.shutdown().await.unwrap();
    });
    let mut isolate = Isolate::new(1);
    let heard = Heard::default();
    isolate.contract(contract()).spawn(Relay { heard: heard.clone() }).unwrap();
    isolate.publish_wire(&header, &value).unwrap();
    isolate.run().unwrap();
    assert_eq!(heard.words(), RELAYED);
    let stats = isolate.topics().into_iter().find(|stats| stats.message == "Order").unwrap();
    assert_eq!((stats.published, stats.delivered), (4, 4));
}
