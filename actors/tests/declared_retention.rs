//! What a contract says that topics retain, on a bus and in an isolate.
#![forbid(unsafe_code)]

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use common::{Heard, on_both_runtimes};
use mycelium::frame::Header;
use mycelium::wire::{Contract, DeclaredRetention, Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, Retention, Subscription, Subscriptions,
};

#[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Quote {
    symbol: u32,
    ticks: i64,
}
impl Message for Quote {
    const NAME: &'static str = "Quote";
    const TYPE_ID: u16 = 31;
    const TOPIC: &'static str = "quotes";
}
impl Wire for Quote {
    const FIXED: bool = true;
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 1 }];
    const RETAIN: Option<DeclaredRetention<Self>> =
        Some(DeclaredRetention::LastPerKey { key: |message| message.symbol as u64, keys_max: 100 });
}

/// As generated code has it.
struct Quotes;
impl Messages for Quotes {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Quote>();
    }
}

fn quote(symbol: u32, ticks: i64) -> Quote {
    Quote { symbol, ticks }
}

fn late() -> Subscription<Quote> {
    Subscription::block().with_retained()
}

#[test]
fn a_bus_retains_what_its_contract_says_unless_it_is_told_otherwise() {
    on_both_runtimes(async || {
        let last = Retention::<Quote>::last();
        for (bus, expected) in [
            (MessageBus::builder().contract(Quotes), vec![quote(2, 1), quote(1, 2)]),
            (MessageBus::builder(), vec![]),
            (MessageBus::builder().contract(Quotes).retain(last), vec![quote(1, 2)]),
            (MessageBus::builder().retain(last).contract(Quotes).contract(Quotes), vec![quote(1, 2)]),
        ] {
            let bus = bus.build();
            let publisher = bus.publisher().unwrap();
            for quote in [quote(1, 1), quote(2, 1), quote(1, 2)] {
                publisher.publish(quote).await.unwrap();
            }
            let mut late = bus.subscriber_with(late()).unwrap();
            let mut got = Vec::new();
            while let Some(quote) = late.try_recv() {
                got.push(*quote);
            }
            assert_eq!(got, expected);
        }
    });
}

struct Late(Heard);
impl Actor for Late {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(late());
    }
}
impl Handler<Quote> for Late {
    async fn handle(&mut self, quote: &Quote, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("{} {}", quote.symbol, quote.ticks));
        Ok(())
    }
}

#[test]
fn an_isolate_retains_what_its_contract_says_unless_it_was_told_otherwise() {
    for (told, declared, expected) in
        [(false, true, &["2 1", "1 2"][..]), (false, false, &[]), (true, true, &["1 2"])]
    {
        let (mut isolate, heard) = (Isolate::new(1), Heard::default());
        if told {
            isolate.retain(Retention::<Quote>::last()).unwrap();
        }
        if declared {
            isolate.contract(Quotes);
        }
        for quote in [quote(1, 1), quote(2, 1), quote(1, 2)] {
            isolate.publish(quote).unwrap();
        }
        isolate.run().unwrap();
        isolate.spawn(Late(heard.clone())).unwrap();
        isolate.run().unwrap();
        assert_eq!(heard.words(), expected);
    }
}

/// A message that says by its `Arc` who has it still.
#[derive(Clone, Debug)]
struct Held(Arc<()>);
impl Message for Held {
    const NAME: &'static str = "Held";
    const TYPE_ID: u16 = 32;
    const TOPIC: &'static str = "held";
}

#[test]
fn a_topic_that_retains_nothing_keeps_nothing_for_late_subscribers() {
    on_both_runtimes(async || {
        let last = Retention::<Held>::last();
        for (bus, kept) in [(MessageBus::builder(), 0), (MessageBus::builder().retain(last), 1)] {
            let bus = bus.build();
            let (publisher, mut early) = (bus.publisher().unwrap(), bus.subscriber::<Held>().unwrap());
            let value = Arc::new(());
            publisher.publish(Held(Arc::clone(&value))).await.unwrap();
            assert!(Arc::ptr_eq(&early.recv().await.unwrap().0, &value));
            assert_eq!(Arc::strong_count(&value) - 1, kept);
            let mut late = bus.subscriber_with(Subscription::<Held>::block().with_retained()).unwrap();
            assert_eq!(late.try_recv().is_some(), kept == 1);
        }
    });
}

#[test]
fn a_message_without_a_type_is_not_retained() {
    let table = "mycelium contract 1\nschema s 1\nmessage Gauge 33 1 gauges\nfield value 1 u64\n";
    let contract = Contract::parse(table).unwrap();
    let header = Header { type_id: 33, version: 1, root_len: 8, ..Header::default() };
    let late = || Subscription::block().with_retained();
    on_both_runtimes(async || {
        let bus = MessageBus::builder().contract(contract).build();
        let _early = bus.subscribe_wire("gauges").unwrap();
        bus.publish_wire(&header, &1_u64.to_le_bytes()).await.unwrap();
        let mut late = bus.subscribe_wire_with("gauges", late()).unwrap();
        bus.publish_wire(&header, &2_u64.to_le_bytes()).await.unwrap();
        assert_eq!(late.try_recv().unwrap().bytes(), 2_u64.to_le_bytes());
        assert!(late.try_recv().is_none());
    });
    let mut isolate = Isolate::new(1);
    isolate.contract(contract);
    isolate.publish_wire(&header, &1_u64.to_le_bytes()).unwrap();
    let mut late = isolate.subscribe_wire_with("gauges", late()).unwrap();
    isolate.publish_wire(&header, &2_u64.to_le_bytes()).unwrap();
    isolate.run().unwrap();
    let got: Vec<_> = std::iter::from_fn(|| late.try_recv()).map(|message| message.bytes()[0]).collect();
    assert_eq!(got, [2]);
}
