//! Ten thousand topics on one bus: their order, what the allocator says that each of them takes, and an actor
//! that hears many.

#[path = "../../mailbox/tests/common/heap.rs"]
mod heap;

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::on_both_runtimes;
use mycelium::frame::Header;
use mycelium::tree::{Child, Redelivery};
use mycelium::wire::Contract;
use mycelium::{
    Actor, BoxError, Context, Handler, MessageBus, Responder, Subscription, Subscriptions, Supervisor,
    WireMessage,
};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const TOPICS: u16 = 10_000;

/// Messages of one table: a contract has no more than 4,096.
const TABLE: u16 = 2_500;

/// How many topics one listener hears.
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
    let before = heap::live_bytes_of_all();
    let contracts = ten_thousand_messages();
    let known = each(heap::live_bytes_of_all() - before);
    assert!(known < KNOWN_MAX, "{known} bytes for a message");
    on_both_runtimes(async || {
        let before = heap::live_bytes_of_all();
        let builder = MessageBus::builder().topic_capacity(8);
        let bus = contracts.iter().fold(builder, |builder, contract| builder.contract(*contract)).build();
        // Neighbours in the order of publishing are far from each other among the topics.
        let id = |n: u16| (u32::from(n) * 7_919 % u32::from(TOPICS)) as u16;
        let mut listeners: Vec<_> =
            (0..TOPICS / EACH).map(|group| bus.subscribe_wire(format!("group.{group}")).unwrap()).collect();
        let taken = each(heap::live_bytes_of_all() - before);
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

/// Hears many topics. It waits in some handlers, and fails once at each number that seven divides.
#[derive(Default)]
struct Ear {
    heard: Arc<Mutex<Vec<u64>>>,
    failed: Arc<Mutex<Vec<u64>>>,
}

/// Asks for what was heard.
struct Heard;

/// Leaves one topic, and comes back to it.
struct Leave(u16);
struct ComeBack(u16);

impl Actor for Ear {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire("group.*");
    }
}

impl Handler<WireMessage> for Ear {
    async fn handle(&mut self, message: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
        let number = u64::from_le_bytes(message.bytes().try_into()?);
        if number % 3 == 0 {
            tokio::task::yield_now().await;
        }
        if number % 7 == 0 && !self.failed.lock().unwrap().contains(&number) {
            self.failed.lock().unwrap().push(number);
            return Err("it is tried again".into());
        }
        self.heard.lock().unwrap().push(number);
        Ok(())
    }
}

impl Responder<Heard> for Ear {
    type Reply = Vec<u64>;
    async fn answer(&mut self, _: &Heard, _: &mut Context<Self>) -> Vec<u64> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

impl Handler<Leave> for Ear {
    async fn handle(&mut self, Leave(group): &Leave, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.unsubscribe_wire(format!("group.{group}"));
        Ok(())
    }
}

impl Handler<ComeBack> for Ear {
    async fn handle(&mut self, ComeBack(group): &ComeBack, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.subscribe_wire(format!("group.{group}"), Subscription::block())?;
        Ok(())
    }
}

#[test]
fn an_actor_that_hears_many_topics_waits_fails_and_leaves_some_and_misses_nothing() {
    const GROUPS: u16 = 60;
    let lines = (0..GROUPS).map(|id| format!("message M{id} {id} 1 group.{id}\nfield number 1 u64\n"));
    let text = format!("mycelium contract 1\nschema s 1\n{}", lines.collect::<String>());
    let contract = Contract::parse(&text).unwrap();
    on_both_runtimes(async || {
        let bus = MessageBus::builder().topic_capacity(8).contract(contract).build();
        let (heard, failed) = <(Arc<Mutex<Vec<u64>>>, Arc<Mutex<Vec<u64>>>)>::default();
        let make = move || Ear { heard: Arc::clone(&heard), failed: Arc::clone(&failed) };
        let again = Redelivery::Retry { attempts: 2 };
        let root = Supervisor::builder("root").intensity(100_000, Duration::from_secs(1));
        let tree = root.child(Child::actor("ear", make).redelivery(again)).start(&bus).await.unwrap();
        let ear = tree.lookup::<Ear>("root/ear").unwrap();
        let mut number = 0;
        for round in 0..20_u16 {
            let gone = round * 7 % GROUPS;
            ear.tell(Leave(gone)).await.unwrap();
            // Its answer comes when it has left.
            assert!(ear.ask(Heard).await.unwrap().is_empty());
            let mut expected = Vec::new();
            for n in 0..120_u32 {
                let id = (n * 7_919 % u32::from(GROUPS)) as u16;
                let header = Header { type_id: id, version: 1, root_len: 8, ..Header::default() };
                bus.publish_wire(&header, &u64::to_le_bytes(number)).await.unwrap();
                expected.extend((id != gone).then_some(number));
                number += 1;
                if n % 10 == 0 {
                    // It sleeps now and then.
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(ear.ask(Heard).await.unwrap(), expected, "round {round}");
            ear.tell(ComeBack(gone)).await.unwrap();
        }
        tree.shutdown().await.unwrap();
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn what_nobody_hears_is_counted_by_topic() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let ticks = bus.publisher::<common::Tick>().unwrap();
        ticks.publish(common::Tick(1)).await.unwrap();
        ticks.try_publish(common::Tick(2)).unwrap();
        let counted = || {
            let topics = bus.topics();
            let topic = topics.iter().find(|topic| topic.message == "Tick").unwrap();
            (topic.unheard, topic.published)
        };
        assert_eq!(counted(), (2, 0));
        let reader = bus.subscriber::<common::Tick>().unwrap();
        ticks.publish(common::Tick(3)).await.unwrap();
        assert_eq!(counted(), (2, 1));
        drop(reader);
        ticks.publish(common::Tick(4)).await.unwrap();
        assert_eq!(counted(), (3, 1));
    });
}
