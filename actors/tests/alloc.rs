//! Counts allocations. On the live path: none for a published message up to 64 bytes, one for a larger one, a
//! few for an actor. In an isolate: none for an event of any size, and few bytes for the isolate itself.

#![allow(missing_docs)]

#[path = "../../mailbox/tests/common/heap.rs"]
mod heap;

use heap::{live_bytes, made_by_this_thread};
use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, Responder, Subscription, Subscriptions,
};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

#[derive(Clone, Copy, Debug)]
struct Small([u64; 8]);
impl Message for Small {
    const NAME: &'static str = "Small";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "small";
}

#[derive(Clone, Copy, Debug)]
struct Large([u64; 9]);
impl Message for Large {
    const NAME: &'static str = "Large";
    const TYPE_ID: u16 = 2;
    const TOPIC: &'static str = "large";
}

/// Hears both, and publishes a small one for each small one.
struct Relay {
    heard: u64,
}
#[derive(Clone, Copy, Debug)]
struct Relayed([u64; 8]);
impl Message for Relayed {
    const NAME: &'static str = "Relayed";
    const TYPE_ID: u16 = 3;
    const TOPIC: &'static str = "relayed";
}
impl Actor for Relay {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Small>().on::<Large>();
    }
}
impl Handler<Small> for Relay {
    async fn handle(&mut self, small: &Small, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard += 1;
        tokio::task::yield_now().await;
        ctx.publish(Relayed(small.0)).await?;
        Ok(())
    }
}
impl Handler<Large> for Relay {
    async fn handle(&mut self, large: &Large, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard += large.0[8];
        Ok(())
    }
}
#[derive(Clone, Copy)]
struct Told([u64; 8]);
impl Handler<Told> for Relay {
    async fn handle(&mut self, told: &Told, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard += told.0[0];
        Ok(())
    }
}
struct Heard;
impl Responder<Heard> for Relay {
    type Reply = u64;
    async fn answer(&mut self, _: &Heard, _: &mut Context<Self>) -> u64 {
        self.heard
    }
}

/// Hears nothing.
struct Idle;
impl Actor for Idle {
    type Error = BoxError;
}

/// What kameo allocates to start an actor of its own, which is the floor: eleven times.
const KAMEO: u64 = 11;
/// The address with its inbox, the doorbell, the body, the sources, and the memory of futures.
const OURS: u64 = 5;

#[tokio::test(flavor = "current_thread")]
async fn an_idle_actor_takes_few_allocations() {
    const ACTORS: u64 = 1_000;
    let bus = MessageBus::new();
    let before = made_by_this_thread();
    let mut actors = Vec::with_capacity(1_000);
    for _ in 0..ACTORS {
        actors.push(bus.spawn(Idle).unwrap());
    }
    tokio::task::yield_now().await;
    // The shared parts (the list of members, the runtime's queue) double a few times.
    let each = (made_by_this_thread() - before) / ACTORS;
    assert!(each <= KAMEO + OURS, "{each} allocations for each actor");
}

const ROUNDS: u64 = 2_000;

#[tokio::test(flavor = "current_thread")]
async fn messages_up_to_64_bytes_allocate_nothing_and_larger_ones_once() {
    what_publishes_allocate(&MessageBus::new()).await;

    // Nor does it matter that bytes may be asked for, and were.
    const TABLE: &str = "mycelium contract 1\nschema alloc 1\nmessage Gauge 9 1 gauges\nfield value 1 i64\n";
    let bus = MessageBus::builder().contract(Contract::parse(TABLE).unwrap()).build();
    drop(bus.subscribe_wire(["gauges"]).unwrap());
    what_publishes_allocate(&bus).await;
}

async fn what_publishes_allocate(bus: &MessageBus) {
    let relay = bus.spawn(Relay { heard: 0 }).unwrap();
    let mut relayed = bus.subscriber::<Relayed>().unwrap();
    let (small, large) = (bus.publisher::<Small>().unwrap(), bus.publisher::<Large>().unwrap());
    // The first messages of each kind make rings, caches and the slot for handlers' futures.
    for _ in 0..200 {
        small.publish(Small([1; 8])).await.unwrap();
        large.publish(Large([0; 9])).await.unwrap();
        relay.tell(Told([0; 8])).await.unwrap();
        relayed.recv().await.unwrap();
    }
    relay.ask(Heard).await.unwrap();

    let before = made_by_this_thread();
    for n in 0..ROUNDS {
        small.publish(Small([n; 8])).await.unwrap();
        assert_eq!(relayed.recv().await.unwrap().0[7], n);
    }
    assert_eq!(made_by_this_thread() - before, 0, "published through an actor, one at a time");

    let before = made_by_this_thread();
    for _ in 0..ROUNDS / 100 {
        for n in 0..100 {
            small.publish(Small([n; 8])).await.unwrap();
        }
        for n in 0..100 {
            assert_eq!(relayed.recv().await.unwrap().0[7], n);
        }
    }
    assert_eq!(made_by_this_thread() - before, 0, "published in bursts");

    let before = made_by_this_thread();
    for n in 0..ROUNDS {
        relay.tell(Told([n; 8])).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(made_by_this_thread() - before, 0, "told");

    let before = made_by_this_thread();
    for n in 0..ROUNDS {
        large.publish(Large([n; 9])).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(made_by_this_thread() - before, ROUNDS, "larger than 64 bytes");
    relay.ask(Heard).await.unwrap();
}

#[test]
fn a_message_of_which_only_the_layout_is_known_allocates_nothing_and_many_together_once_in_all() {
    const TABLE: &str = "mycelium contract 1\nschema alloc 1\nmessage Gauge 9 1 gauges\nfield value 1 i64\n";
    let contract = Contract::parse(TABLE).unwrap();
    let layout = contract.message(9).unwrap().offer().layouts[0];
    let header =
        Header { type_id: 9, version: layout.version, root_len: layout.root_len, ..Header::default() };
    let bus = MessageBus::builder().contract(contract).build();
    let mut gauges = bus.subscribe_wire(["gauges"]).unwrap();
    let mut publish = |rounds: u64| {
        for n in 0..rounds {
            bus.try_publish_wire(&header, &n.to_le_bytes()).unwrap();
            assert_eq!(gauges.drain(8, |seen| assert_eq!(seen.bytes, n.to_le_bytes())), 1);
        }
        let many: Vec<u8> = (0..100_i64).flat_map(i64::to_le_bytes).collect();
        let before = made_by_this_thread();
        bus.try_publish_wire_many(&header, &many, 8).unwrap();
        assert_eq!(gauges.drain(200, |_| ()), 100);
        made_by_this_thread() - before
    };
    publish(200);
    let before = made_by_this_thread();
    let together = publish(ROUNDS);
    // The vector of the test is one more.
    assert_eq!((made_by_this_thread() - before - together - 1, together), (0, 1));
}

/// Hears what it publishes, until the number has run down.
struct Echo;
impl Actor for Echo {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Large>::block().echo());
    }
}
impl Handler<Large> for Echo {
    async fn handle(&mut self, large: &Large, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if large.0[0] > 0 {
            ctx.publish(Large([large.0[0] - 1; 9])).await?;
        }
        Ok(())
    }
}

#[test]
fn an_isolate_takes_few_bytes_and_its_events_none() {
    let before = live_bytes();
    let mut isolate = Isolate::new(1);
    let empty = live_bytes() - before;
    assert!(empty <= 2_048, "an empty isolate takes {empty} bytes");
    isolate.spawn(Echo).unwrap();
    let mut run = |events| {
        isolate.publish(Large([events; 9])).unwrap();
        let before = made_by_this_thread();
        isolate.run().unwrap();
        made_by_this_thread() - before
    };
    assert!(run(1_000) > run(1_000), "the first events find no room made for them");
    assert_eq!(run(100_000), run(1), "a run may allocate, its events may not");
}
