//! Actors and services that handle bytes, live and in an isolate.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context as TaskContext, Waker};

use mycelium::tree::{Child, Redelivery};
use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, Retention, Service, ServiceContext, SpawnError,
    Subscriber, Subscription, Subscriptions, Supervisor, Timestamp, WireMessage, WireSubscriber, WireTopics,
};

use crate::common::wire::{Counted, Mine, Price, Text, bytes, header, show};
use crate::common::{Heard, PERIOD, on_both_runtimes};
use crate::wire::bus;

/// Writes down the bytes of the topics that it was told.
pub(crate) struct Tap {
    topics: WireTopics,
    how: Subscription<WireMessage>,
    heard: Heard,
}

impl Tap {
    pub(crate) fn new(topics: impl Into<WireTopics>, heard: &Heard) -> Self {
        Self { topics: topics.into(), how: Subscription::block(), heard: heard.clone() }
    }
}

impl Actor for Tap {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Price>().on_wire_with(self.topics.clone(), self.how);
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        // Asked for again, it stays the one it is.
        ctx.subscribe_wire(self.topics.clone(), self.how)?;
        Ok(())
    }
}

impl Handler<Price> for Tap {
    async fn handle(&mut self, price: &Price, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("typed {}", price.at));
        Ok(())
    }
}

impl Handler<WireMessage> for Tap {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let words = show(message);
        if words == "stop listening" {
            ctx.unsubscribe_wire("*");
        }
        tokio::task::yield_now().await;
        self.heard.add(words);
        Ok(())
    }
}

/// Publishes a price as bytes for each text, and times it.
struct Echoes;
impl Service for Echoes {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut got = ctx.subscribe_wire(["news", "market.*"], Subscription::block())?;
        for n in 0..3 {
            ctx.sleep(std::time::Duration::from_secs(1)).await;
            ctx.publish_wire(&header::<Price>(), &bytes(&Price { at: n })).await?;
            let message = got.recv().await.ok_or("closed")?;
            if show(&message) != format!("text {n}") {
                return Err(format!("{message:?}").into());
            }
            if message.published() != Timestamp::from_nanos((n + 1) * 1_000_000_000) {
                return Err(format!("at {}", message.published()).into());
            }
        }
        Ok(())
    }
}

/// Answers each price with a text, as bytes.
struct Answers;
impl Actor for Answers {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire("market.prices");
    }
}
impl Handler<WireMessage> for Answers {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if message.sender().is_none() || message.published() != ctx.now() {
            return Err(format!("{message:?}").into());
        }
        let words = format!("text {}", Price::decode(message.bytes())?.at);
        ctx.publish_wire(&header::<Text>(), &bytes(&Text { words })).await?;
        Ok(())
    }
}

#[test]
fn in_an_isolate_bytes_go_in_and_out_in_publish_order_and_virtual_time() {
    let mut isolate = Isolate::new(1);
    isolate.contract(Mine);
    isolate.spawn(Answers).unwrap();
    let service = isolate.spawn_service(Echoes).unwrap();
    isolate.run().unwrap();
    assert!(isolate.take_service(&service).is_some());
}

#[test]
fn in_an_isolate_a_message_is_encoded_once_and_handled_in_order_with_others() {
    let mut isolate = Isolate::new(1);
    isolate.contract(Mine);
    let heard = Heard::default();
    for _ in 0..3 {
        isolate.spawn(Tap::new(["news", "market.*"], &heard)).unwrap();
    }
    isolate.run().unwrap();
    let encoded = Arc::new(AtomicU64::new(0));
    isolate.publish(Price { at: 1 }).unwrap();
    isolate.publish(Counted(2, Arc::clone(&encoded))).unwrap();
    isolate.publish_wire(&header::<Text>(), &bytes(&Text { words: "three".to_owned() })).unwrap();
    isolate.publish(Price { at: 4 }).unwrap();
    isolate.publish(Text { words: "stop listening".to_owned() }).unwrap();
    isolate.publish(Price { at: 5 }).unwrap();
    isolate.run().unwrap();
    assert_eq!(encoded.load(Ordering::SeqCst), 1);
    let words = heard.words();
    for word in ["typed 1", "price 1", "counted 2", "three", "typed 4", "price 4", "typed 5"] {
        assert_eq!(words.iter().filter(|other| *other == word).count(), 3, "{word} of {words:?}");
    }
    assert!(!words.contains(&"price 5".to_owned()), "{words:?}");
    let stats = isolate.topics().into_iter().find(|stats| stats.message == "Counted").unwrap();
    assert_eq!((stats.published, stats.delivered, stats.waiting), (1, 3, 0));
}

#[test]
fn an_actor_handles_bytes_and_types_in_the_order_of_the_bus() {
    on_both_runtimes(async || {
        let bus = bus();
        let heard = Heard::default();
        let tap = bus.spawn(Tap::new("*", &heard)).unwrap();
        tap.tell(Price { at: -7 }).await.unwrap();
        heard.wait_for("typed -7").await;
        let (prices, texts) = (bus.publisher::<Price>().unwrap(), bus.publisher::<Text>().unwrap());
        for at in 0..100 {
            prices.publish(Price { at }).await.unwrap();
            texts.publish(Text { words: format!("text {at}") }).await.unwrap();
        }
        texts.publish(Text { words: "stop listening".to_owned() }).await.unwrap();
        heard.wait_for("stop listening").await;
        prices.publish(Price { at: 200 }).await.unwrap();
        heard.wait_for("typed 200").await;
        let words = heard.words();
        let by_wire: Vec<_> = words.iter().filter(|word| !word.starts_with("typed")).collect();
        let wanted: Vec<_> = (0..100).flat_map(|at| [format!("price {at}"), format!("text {at}")]).collect();
        assert!(by_wire[..200].iter().copied().eq(&wanted), "{by_wire:?}");
        assert_eq!(by_wire.len(), 201);
        for at in 0..100 {
            let place = |word: String| words.iter().position(|other| *other == word).unwrap();
            assert!(place(format!("typed {at}")) < place(format!("text {at}")));
        }
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn an_actor_whose_topics_nobody_has_is_not_spawned() {
    struct Lost;
    impl Actor for Lost {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on_wire("nowhere");
        }
    }
    impl Handler<WireMessage> for Lost {
        async fn handle(&mut self, _: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let unknown = Some(SpawnError::UnknownTopic { topic: "nowhere".to_owned() });
    on_both_runtimes(async || {
        assert_eq!(bus().spawn(Lost).err(), unknown);
    });
    let mut isolate = Isolate::new(1);
    assert_eq!(isolate.contract(Mine).spawn(Lost).err(), unknown);
}

/// Panics over the first text that says so, as often as is said.
#[derive(Clone)]
struct Fragile {
    heard: Heard,
    failures: Arc<AtomicU64>,
    /// Until it is set, the first text that says so waits.
    published: Arc<AtomicBool>,
}
impl Actor for Fragile {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire(["news", "market.counted"]);
    }
}
impl Handler<WireMessage> for Fragile {
    async fn handle(&mut self, message: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(show(message));
        let left = self.failures.load(Ordering::SeqCst);
        if show(message) == "counted 1" && left > 0 {
            while !self.published.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            self.failures.store(left - 1, Ordering::SeqCst);
            panic!("told to");
        }
        Ok(())
    }
}

fn fragile(heard: &Heard) -> (mycelium::tree::Builder, Fragile) {
    let (failures, published) = (Arc::new(AtomicU64::new(2)), Arc::new(AtomicBool::new(true)));
    let actor = Fragile { heard: heard.clone(), failures, published };
    let make = actor.clone();
    let child = Child::actor("fragile", move || make.clone()).redelivery(Redelivery::Retry { attempts: 3 });
    (Supervisor::builder("root").intensity(20, PERIOD).child(child), actor)
}

const RETRIED: [&str; 5] = ["counted 1", "counted 1", "counted 1", "counted 2", "three"];

#[test]
fn what_is_in_hand_at_a_failure_is_retried_as_the_same_bytes_and_the_mailbox_survives() {
    on_both_runtimes(async || {
        let (bus, heard, encoded) = (bus(), Heard::default(), Arc::new(AtomicU64::new(0)));
        let tree = fragile(&heard).0.start(&bus).await.unwrap();
        let counted = bus.publisher::<Counted>().unwrap();
        for n in [1, 2] {
            counted.publish(Counted(n, Arc::clone(&encoded))).await.unwrap();
        }
        bus.publish_wire(&header::<Text>(), &bytes(&Text { words: "three".into() })).await.unwrap();
        heard.wait_for("three").await;
        assert_eq!((heard.words(), encoded.load(Ordering::SeqCst)), (RETRIED.map(String::from).to_vec(), 2));
        tree.shutdown().await.unwrap();
    });
    let (mut isolate, heard, encoded) = (Isolate::new(1), Heard::default(), Arc::new(AtomicU64::new(0)));
    isolate.contract(Mine);
    let _tree = isolate.supervise(&fragile(&heard).0).unwrap();
    for n in [1, 2] {
        isolate.publish(Counted(n, Arc::clone(&encoded))).unwrap();
    }
    isolate.publish_wire(&header::<Text>(), &bytes(&Text { words: "three".into() })).unwrap();
    isolate.run().unwrap();
    assert_eq!((heard.words(), encoded.load(Ordering::SeqCst)), (RETRIED.map(String::from).to_vec(), 2));
}

#[test]
fn what_waits_in_bytes_at_an_end_is_a_dead_letter() {
    on_both_runtimes(async || {
        let (bus, heard) = (bus(), Heard::default());
        let actor = fragile(&heard).1;
        actor.published.store(false, Ordering::SeqCst);
        let published = Arc::clone(&actor.published);
        let doomed = bus.spawn(actor).unwrap();
        for n in [1, 2, 3] {
            bus.publisher::<Counted>().unwrap().publish(Counted(n, Arc::default())).await.unwrap();
        }
        published.store(true, Ordering::SeqCst);
        doomed.ended().await;
        let letters = bus.dead_letters();
        assert_eq!((letters.in_hand, letters.waiting), (1, 2), "{letters:?}");
        assert!(
            letters
                .recent
                .iter()
                .all(|letter| (letter.message, letter.topic) == ("Counted", Some("market.counted")))
        );
        bus.shutdown().await.unwrap();
    });
}

/// Hears prices, as bytes or as they are, and keeps what it hears with when its loop has returned.
#[derive(Default)]
struct Keeps {
    by_wire: bool,
    bytes: Option<WireSubscriber>,
    prices: Option<Subscriber<Price>>,
}
impl Service for Keeps {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        if self.by_wire {
            let bytes = self.bytes.insert(ctx.subscribe_wire("market.prices", Subscription::block())?);
            bytes.recv().await.ok_or("closed")?;
        } else {
            let prices = self.prices.insert(ctx.subscribe(Subscription::block())?);
            prices.recv().await.ok_or("closed")?;
        }
        Ok(())
    }
}

#[test]
fn what_a_service_of_an_isolate_leaves_unread_is_no_dead_letter_whether_it_comes_as_bytes_or_not() {
    let lost = [false, true].map(|by_wire| {
        let mut isolate = Isolate::new(1);
        isolate.contract(Mine);
        isolate.spawn_service(Keeps { by_wire, ..Keeps::default() }).unwrap();
        isolate.run().unwrap();
        (0..3).for_each(|at| isolate.publish(Price { at }).unwrap());
        let dead = isolate.run().unwrap().dead_letters;
        let stats = isolate.topics().into_iter().find(|stats| stats.message == "Price").unwrap();
        (dead, stats.dropped_unsubscribed)
    });
    assert_eq!(lost, [(0, 2); 2]);
}

thread_local! {
    /// What the author of `Chatty` does when one is encoded next.
    static MEANWHILE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

#[derive(Clone, Debug)]
struct Chatty(u64);
impl Message for Chatty {
    const NAME: &'static str = "Chatty";
    const TYPE_ID: u16 = 1_000;
    const TOPIC: &'static str = "chatty";
}
impl rkyv::Archive for Chatty {
    type Archived = rkyv::rend::u64_le;
    type Resolver = ();
    fn resolve(&self, (): (), out: rkyv::Place<Self::Archived>) {
        out.write(rkyv::rend::u64_le::from_native(self.0));
    }
}
impl<S: rkyv::rancor::Fallible + ?Sized> rkyv::Serialize<S> for Chatty {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        let meanwhile = MEANWHILE.take();
        meanwhile.into_iter().for_each(|act| act());
        Ok(())
    }
}
impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<Chatty, D> for rkyv::rend::u64_le {
    fn deserialize(&self, _: &mut D) -> Result<Chatty, D::Error> {
        Ok(Chatty(self.to_native()))
    }
}
impl Wire for Chatty {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 4 }];
}
struct OnlyChatty;
impl Messages for OnlyChatty {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Chatty>();
    }
}

/// Comes while a message is encoded, and is given that as bytes.
struct Latecomer(Heard);
impl Actor for Latecomer {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire_with("chatty", Subscription::block().with_retained());
    }
}
impl Handler<WireMessage> for Latecomer {
    async fn handle(&mut self, message: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("{:?}", Chatty::decode(message.bytes())?));
        Ok(())
    }
}

#[test]
fn in_an_isolate_code_of_a_messages_author_may_have_others_encoded() {
    let (mut isolate, heard) = (Isolate::new(1), Heard::default());
    isolate.contract(OnlyChatty).retain(Retention::<Chatty>::last()).unwrap();
    let tree = isolate.supervise(&Supervisor::builder("root")).unwrap();
    let mut outside = isolate.subscribe_wire("chatty").unwrap();
    let words = heard.clone();
    MEANWHILE.set(Some(Box::new(move || {
        let late = Child::actor("late", move || Latecomer(words.clone()));
        // It is begun with the first poll.
        let _ = pin!(tree.start_child("root", late)).poll(&mut TaskContext::from_waker(Waker::noop()));
    })));
    isolate.publish(Chatty(7)).unwrap();
    isolate.run().unwrap();
    assert!(MEANWHILE.take().is_none());
    assert_eq!(heard.words(), ["Chatty(7)"]);
    assert_eq!(Chatty::decode(outside.try_recv().unwrap().bytes()).unwrap().0, 7);
    assert!(outside.try_recv().is_none());
}

/// Publishes a price as bytes on an isolate of its own, to an actor and to a subscriber.
fn on_another(heard: &Heard) -> Result<(), BoxError> {
    let mut another = Isolate::new(2);
    another.contract(Mine);
    let mut frames = another.subscribe_wire("market.*")?;
    another.spawn(Tap::new("market.*", heard))?;
    another.publish_wire(&header::<Price>(), &bytes(&Price { at: 5 }))?;
    another.run()?;
    heard.add(frames.try_recv().map(|frame| show(&frame)).unwrap_or_default());
    Ok(())
}

/// Does that in its handler.
struct RunsAnother(Heard);
impl Actor for RunsAnother {
    type Error = BoxError;
}
impl Handler<u32> for RunsAnother {
    async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        on_another(&self.0)
    }
}

#[test]
fn bytes_go_through_an_isolate_that_a_handler_of_another_one_runs() {
    let (outside, inside) = (Heard::default(), Heard::default());
    on_another(&outside).unwrap();
    let mut isolate = Isolate::new(1);
    let runs = isolate.spawn(RunsAnother(inside.clone())).unwrap();
    isolate.tell(&runs, 1).unwrap();
    isolate.run().unwrap();
    assert_eq!(inside.words(), outside.words());
    assert!(inside.words().contains(&"typed 5".to_owned()), "{:?}", inside.words());
}
