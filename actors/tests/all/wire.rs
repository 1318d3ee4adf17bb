//! Bytes into and out of the topics of a bus and an isolate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mycelium::frame::{Flags, Header};
use mycelium::wire::{self, Encoder, Layout, Messages, ValueError, Visitor, Wire};
use mycelium::{
    Isolate, Message, MessageBus, Retention, SpawnError, Subscription, WireMessage, WirePublishError,
    WireTopics,
};

use crate::common::wire::{Counted, Mine, Price, Text, bytes, header, show};
use crate::common::{Heard, on_both_runtimes, on_every_runtime};
use crate::wire_actors::Tap;

pub(crate) fn bus() -> MessageBus {
    MessageBus::builder().contract(Mine).build()
}

#[test]
fn bytes_and_types_meet_in_one_topic_in_the_order_of_the_bus() {
    on_both_runtimes(async || {
        let bus = bus();
        let mut typed = bus.subscriber::<Text>().unwrap();
        let mut all = bus.subscribe_wire("*").unwrap();
        let (prices, texts) = (bus.publisher::<Price>().unwrap(), bus.publisher::<Text>().unwrap());
        for n in 0..100 {
            prices.publish(Price { at: n }).await.unwrap();
            let text = Text { words: format!("a text of more than eight bytes, {n}") };
            match n % 2 {
                0 => texts.publish(text).await.unwrap(),
                _ => bus.publish_wire(&header::<Text>(), &bytes(&text)).await.unwrap(),
            }
        }
        let mut last = None;
        for n in 0..100 {
            let price = all.recv().await.unwrap();
            let text = all.recv().await.unwrap();
            assert_eq!(show(&price), format!("price {n}"));
            assert_eq!((show(&text), text.topic()), (typed.recv().await.unwrap().words.clone(), "news"));
            assert!(last < Some(price.stamp()) && price.stamp() < text.stamp());
            last = Some(text.stamp());
            assert!(text.bytes().as_ptr().addr().is_multiple_of(8));
            assert_eq!((text.header().version, text.header().root_len), (1, Text::ROOT_LEN));
            assert_eq!(text.sender(), None);
        }
        assert!(all.try_recv().is_none());
        drop(bus);
        assert!(all.recv().await.is_none(), "the bus has closed");
    });
}

#[test]
fn a_message_is_encoded_once_whoever_listens_and_not_at_all_if_nobody_does() {
    on_both_runtimes(async || {
        let bus = bus();
        let encoded = Arc::new(AtomicU64::new(0));
        let publisher = bus.publisher::<Counted>().unwrap();
        let _typed = bus.subscriber::<Counted>().unwrap();
        let publish = async |from: u64, to: u64| {
            for n in from..to {
                publisher.publish(Counted(n, Arc::clone(&encoded))).await.unwrap();
            }
        };
        publish(0, 50).await;
        assert_eq!(encoded.load(Ordering::SeqCst), 0, "nobody listens in bytes");
        let mut one = bus.subscribe_wire("market.counted").unwrap();
        publish(50, 60).await;
        for n in 50..55 {
            assert_eq!(show(&one.recv().await.unwrap()), format!("counted {n}"));
        }
        // The others come in the middle of what one has not read, and read in turns that never meet.
        let mut others = [0, 1, 2].map(|_| bus.subscribe_wire("*").unwrap());
        let mut slow = bus.subscribe_wire_with("market.*", Subscription::drop_oldest().capacity(4)).unwrap();
        publish(60, 160).await;
        assert_eq!(others[0].drain(100, |_| {}), 100);
        while one.try_recv().is_some() {}
        for n in 60..160 {
            assert_eq!(show(&others[1].recv().await.unwrap()), format!("counted {n}"));
        }
        let kept: Vec<_> = std::iter::from_fn(|| slow.try_recv()).map(|message| show(&message)).collect();
        assert_eq!(kept, ["counted 156", "counted 157", "counted 158", "counted 159"]);
        assert_eq!(others[2].drain(usize::MAX, |_| {}), 100);
        assert_eq!(encoded.load(Ordering::SeqCst), 110, "each once");
        drop((others, slow));
        publish(160, 170).await;
        assert_eq!(one.drain(usize::MAX, |_| {}), 10);
        assert_eq!(encoded.load(Ordering::SeqCst), 120);
        drop(one);
        publish(170, 180).await;
        assert_eq!(encoded.load(Ordering::SeqCst), 120);
    });
}

#[test]
fn what_leaves_has_the_time_at_which_it_was_published_however_late_it_is_read() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let bus = bus();
        let mut readers = [bus.subscribe_wire("market.prices").unwrap()].into_iter().collect::<Vec<_>>();
        let prices = bus.publisher::<Price>().unwrap();
        let mut times = Vec::new();
        for at in 0..20 {
            if at == 10 {
                readers.push(bus.subscribe_wire("market.prices").unwrap());
            }
            times.push(bus.clock().now());
            prices.publish(Price { at }).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(7)).await;
        }
        for (reader, from) in readers.iter_mut().zip([0, 10]) {
            let seen: Vec<_> = std::iter::from_fn(|| reader.try_recv()).map(|m| m.published()).collect();
            assert_eq!(seen, times[from..]);
        }
    });
}

#[test]
fn a_frame_goes_through_byte_for_byte() {
    on_both_runtimes(async || {
        let bus = bus();
        let mut got = bus.subscribe_wire(["news"]).unwrap();
        let text = Text { words: "long enough to stand outside".to_owned() };
        let mut stream = Vec::new();
        wire_frame(&header::<Text>(), &bytes(&text), &mut stream);
        let frame = mycelium::frame::parse(&stream, 1 << 20, false).unwrap();
        bus.publish_wire(&frame.header, frame.value).await.unwrap();
        let message = got.recv().await.unwrap();
        assert_eq!(message.bytes(), frame.value);
        let mut again = Vec::new();
        let header = Header { publish_ns: 0, ..*message.header() };
        message.frame(&header, &mut again).unwrap();
        assert_eq!(again, stream);
        // Wherever it lies in memory.
        for shift in 0..16 {
            let mut moved = vec![0; shift];
            moved.extend_from_slice(frame.value);
            bus.publish_wire(&frame.header, &moved[shift..]).await.unwrap();
            assert_eq!(got.recv().await.unwrap().bytes(), frame.value);
        }
    });
}

fn wire_frame(header: &Header, value: &[u8], out: &mut Vec<u8>) {
    mycelium::frame::encode(header, value, out).unwrap();
}

/// Another message with the type id of `Price`.
#[derive(Clone, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Cost {
    at: i64,
}
impl Message for Cost {
    const NAME: &'static str = "Cost";
    const TYPE_ID: u16 = 100;
    const TOPIC: &'static str = "costs";
}
impl Wire for Cost {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 4 }];
}
struct Theirs;
impl Messages for Theirs {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Cost>();
    }
}

/// What a host answers to bytes that it refuses.
fn refusals(mut publish: impl FnMut(&Header, &[u8]) -> Result<(), WirePublishError>) -> Vec<String> {
    let price = bytes(&Price { at: 1 });
    let good = header::<Price>();
    let mut words = Vec::new();
    for (header, value) in [
        (Header { type_id: 8, ..good }, &price[..]),
        (Header { flags: Flags::CONTROL, ..good }, &price),
        (Header { version: 2, root_len: 4, ..good }, &price),
        (Header { root_len: 4, ..good }, &price),
        (good, &price[..5]),
        (good, &[0; 100]),
        (good, &bytes(&Price { at: -1 })),
        (header::<Text>(), &[0xfe; 8]),
        (header::<Text>(), &[]),
    ] {
        words.push(publish(&header, value).unwrap_err().to_string());
    }
    words
}

const REFUSED: [&str; 9] = [
    "knows no message with type id 8; give it the contract",
    "is that of a control frame",
    "version 2 with a root of 4 bytes cannot be read by version 1",
    "version 1 has a root of 8 bytes, not 4",
    "5 bytes are too few, its root alone takes 8",
    "its value has 100 bytes, of which this bus takes 64; raise `BusBuilder::wire_value_max`",
    "Price.at is -1, must be at least 0: its publisher must keep the rules",
    "the bytes are no such value",
    "0 bytes are too few",
];

fn assert_refused(words: &[String]) {
    assert_eq!(words.len(), REFUSED.len());
    for (word, part) in words.iter().zip(REFUSED) {
        assert!(word.contains(part), "{word:?} lacks {part:?}");
    }
}

#[test]
fn what_is_wrong_with_bytes_is_told_with_its_remedy_and_reaches_nobody() {
    on_both_runtimes(async || {
        let bus = MessageBus::builder().contract(Mine).wire_value_max(64).build();
        let mut typed = bus.subscriber::<Price>().unwrap();
        let mut got = bus.subscribe_wire("*").unwrap();
        assert_refused(&refusals(|header, value| bus.try_publish_wire(header, value)));
        assert!(typed.try_recv().is_none() && got.try_recv().is_none());
        let error = bus.publish_wire(&header::<Price>(), &bytes(&Price { at: -1 })).await.unwrap_err();
        assert!(matches!(error, WirePublishError::Value(ValueError::Rule(_))));
        bus.shutdown().await.unwrap();
        let closed = bus.try_publish_wire(&header::<Price>(), &bytes(&Price { at: 1 }));
        assert_eq!(closed, Err(WirePublishError::Closed { message: "Price" }));
    });
    let mut isolate = Isolate::new(1);
    isolate.contract(Mine).wire_value_max(64);
    let heard = Heard::default();
    isolate.spawn(Tap::new("*", &heard)).unwrap();
    assert_refused(&refusals(|header, value| isolate.publish_wire(header, value)));
    isolate.run().unwrap();
    assert_eq!(heard.words(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_subscribed_to_is_told_with_its_remedy() {
    on_both_runtimes(async || {
        let bus = bus();
        for topics in ["market", "news.*", "market.prices.*", ""] {
            let error = bus.subscribe_wire(topics).err().unwrap();
            assert_eq!(error, SpawnError::UnknownTopic { topic: topics.to_owned() });
            assert!(error.to_string().contains("MessageBus::builder().contract(..)"));
        }
        assert!(bus.subscribe_wire(["news", "nothing"]).is_err(), "one of a list");
        let error = bus.subscribe_wire_with("news", Subscription::conflate(|_| 0)).err();
        assert_eq!(error, Some(SpawnError::ConflatesBytes { message: "Text" }));
        let plain = MessageBus::new();
        assert!(plain.subscribe_wire("news").is_err());
        let unknown = plain.publish_wire(&header::<Text>(), &[]).await;
        assert_eq!(unknown, Err(WirePublishError::UnknownType { type_id: 7 }));
        let list: WireTopics = vec!["news", "market.*"].into();
        assert!(list.takes("market.prices") && !list.takes("marke"));
    });
}

#[test]
fn contracts_that_contradict_each_other_disable_one_message_and_leave_the_others() {
    on_both_runtimes(async || {
        let bus = MessageBus::builder().contract(Mine).contract(Theirs).contract(Mine).build();
        let refused = bus.publish_wire(&header::<Price>(), &bytes(&Price { at: 1 })).await.unwrap_err();
        assert!(matches!(refused, WirePublishError::Disabled { message: "Price", .. }), "{refused}");
        assert!(refused.to_string().contains("another tlv_type"), "{refused}");
        let refused = bus.subscribe_wire("market.prices").err().unwrap();
        assert!(matches!(refused, SpawnError::Contradiction { message: "Price", .. }), "{refused}");
        let mut news = bus.subscribe_wire("news").unwrap();
        bus.publish_wire(&header::<Text>(), &bytes(&Text { words: "goes on".into() })).await.unwrap();
        assert_eq!(show(&news.recv().await.unwrap()), "goes on");
    });
}

#[test]
fn a_type_that_another_holds_is_named() {
    on_both_runtimes(async || {
        let bus = bus();
        let _cost = bus.publisher::<Cost>().unwrap();
        let refused = bus.publish_wire(&header::<Price>(), &bytes(&Price { at: 1 })).await;
        assert_eq!(refused, Err(WirePublishError::DuplicateTypeId { message: "Price", type_id: 100 }));
        assert!(matches!(bus.subscribe_wire("market.prices"), Err(SpawnError::DuplicateTypeId { .. })));
    });
}

#[test]
fn policies_hold_for_bytes_as_for_messages() {
    on_both_runtimes(async || {
        let bus = bus();
        let price = |at| (header::<Price>(), bytes(&Price { at }));
        let publish = |at| {
            let (header, bytes) = price(at);
            bus.try_publish_wire(&header, &bytes)
        };
        let with = |how: Subscription<WireMessage>| bus.subscribe_wire_with("market.prices", how.capacity(2));
        let drained = |subscriber: &mut mycelium::WireSubscriber| {
            std::iter::from_fn(|| subscriber.try_recv()).map(|message| show(&message)).collect::<Vec<_>>()
        };
        let (mut oldest, mut newest) =
            (with(Subscription::drop_oldest()).unwrap(), with(Subscription::drop_newest()).unwrap());
        (0..5).for_each(|at| publish(at).unwrap());
        assert_eq!(drained(&mut oldest), ["price 3", "price 4"]);
        assert_eq!(drained(&mut newest), ["price 0", "price 1"]);
        drop((oldest, newest));
        let mut fails = with(Subscription::fail()).unwrap();
        (0..2).for_each(|at| publish(at).unwrap());
        assert_eq!(publish(2), Err(WirePublishError::Full { message: "Price", whose: None }));
        let (of, value) = price(2);
        assert_eq!(
            bus.publish_wire(&of, &value).await,
            Err(WirePublishError::Full { message: "Price", whose: None })
        );
        assert_eq!(drained(&mut fails), ["price 0", "price 1"]);
        drop(fails);
        let mut blocks = with(Subscription::block()).unwrap();
        (0..2).for_each(|at| publish(at).unwrap());
        assert_eq!(publish(2), Err(WirePublishError::Full { message: "Price", whose: None }));
        {
            // Dropped before it is ready: nothing was published.
            let (of, value) = price(9);
            let mut waiting = std::pin::pin!(bus.publish_wire(&of, &value));
            std::future::poll_fn(|cx| {
                assert!(waiting.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        let (of, value) = price(2);
        let (published, first) = tokio::join!(bus.publish_wire(&of, &value), async {
            tokio::task::yield_now().await;
            blocks.recv().await
        });
        assert_eq!((published, show(&first.unwrap())), (Ok(()), "price 0".to_owned()));
        assert_eq!(drained(&mut blocks), ["price 1", "price 2"]);
        let stats = bus.topics().into_iter().find(|stats| stats.message == "Price").unwrap();
        assert_eq!((stats.dropped_oldest, stats.dropped_newest, stats.waiting), (3, 3, 0));
    });
}

#[test]
fn a_loop_that_publishes_bytes_lets_others_run() {
    on_every_runtime(async || {
        let bus = bus();
        let (of, value) = (header::<Price>(), bytes(&Price { at: 1 }));
        let end = tokio::time::sleep(std::time::Duration::from_millis(5));
        tokio::select! {
            () = end => {}
            () = async { loop { bus.publish_wire(&of, &value).await.unwrap() } } => {}
        }
    });
}

#[test]
fn an_entry_encodes_decodes_and_validates_without_the_type() {
    let entries = wire::entries(&Mine);
    let names: Vec<_> = entries.iter().map(|entry| (entry.type_id, entry.name, entry.topic)).collect();
    let wanted = [(100, "Price", "market.prices"), (7, "Text", "news"), (9, "Counted", "market.counted")];
    assert_eq!(names, wanted);
    let [price, text, _] = &entries[..] else { panic!() };
    assert!(price.fixed && !text.fixed);
    let mut encoder = Encoder::new();
    let bytes = price.encode(&Price { at: 5 }, &mut encoder).unwrap().unwrap();
    assert!(text.encode(&Price { at: 5 }, &mut encoder).is_none());
    let mut aligned = rkyv::util::AlignedVec::<16>::new();
    aligned.extend_from_slice(&bytes);
    let decoded = price.decode(&aligned, 1, price.root_len).unwrap();
    assert_eq!(decoded.downcast_ref(), Some(&Price { at: 5 }));
    price.validate(&aligned, 1, price.root_len).unwrap();
    assert!(price.validate(&aligned, 2, 4).is_err());
    aligned.copy_from_slice(&(-1_i64).to_le_bytes());
    assert!(matches!(price.validate(&aligned, 1, price.root_len), Err(ValueError::Rule(_))));
}

#[test]
fn who_listens_in_bytes_gets_what_is_retained_first_with_its_time() {
    let late = || Subscription::<WireMessage>::block().with_retained();
    on_both_runtimes(async || {
        let bus = MessageBus::builder().contract(Mine).retain(Retention::<Price>::last_n(2)).build();
        let prices = bus.publisher::<Price>().unwrap();
        let begun = bus.clock().now().as_nanos();
        for at in 0..3 {
            prices.publish(Price { at }).await.unwrap();
        }
        let published = bus.clock().now().as_nanos();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        // The second time as the first: nothing is forgotten when nobody listens any more.
        for _ in 0..2 {
            let mut ears = bus.subscribe_wire_with("market.prices", late()).unwrap();
            let mut plain = bus.subscribe_wire("market.prices").unwrap();
            for at in 1..3 {
                let message = ears.recv().await.unwrap();
                assert_eq!(Price::decode(message.bytes()).unwrap(), Price { at });
                assert!((begun..=published).contains(&message.header().publish_ns), "its own time");
            }
            assert!(ears.try_recv().is_none() && plain.try_recv().is_none());
        }
    });
    let mut isolate = Isolate::starting_at(1, crate::common::at_ms(5));
    isolate.contract(Mine).retain(Retention::<Price>::last_n(2)).unwrap();
    for at in 0..3 {
        isolate.publish(Price { at }).unwrap();
    }
    isolate.run_for(std::time::Duration::from_millis(1)).unwrap();
    let heard = Heard::default();
    isolate.spawn(LateTap(heard.clone())).unwrap();
    isolate.publish(Price { at: 3 }).unwrap();
    isolate.run().unwrap();
    assert_eq!(heard.words(), ["1 at 5000000", "2 at 5000000", "3 at 6000000"]);
}

/// Writes down the prices that it gets as bytes, the retained ones first.
struct LateTap(Heard);
impl mycelium::Actor for LateTap {
    type Error = mycelium::BoxError;
    fn subscriptions(&self, topics: &mut mycelium::Subscriptions<Self>) {
        topics.on_wire_with("market.prices", Subscription::block().with_retained());
    }
}
impl mycelium::Handler<WireMessage> for LateTap {
    async fn handle(
        &mut self,
        message: &WireMessage,
        _: &mut mycelium::Context<Self>,
    ) -> Result<(), mycelium::BoxError> {
        let at = Price::decode(message.bytes())?.at;
        self.0.add(format!("{at} at {}", message.header().publish_ns));
        Ok(())
    }
}
