//! Code outside of all actors that reads the bytes of an isolate, as it does those of a live bus, and what an
//! isolate counts of topics that nobody reads.

use std::time::Duration;

use mycelium::frame::Header;
use mycelium::wire::{Encoder, Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, PublishError, RunError, Service, ServiceContext,
    SpawnError, Subscription, Subscriptions, WireSubscriber,
};

/// A price.
#[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Tick {
    price: u64,
}
impl Message for Tick {
    const NAME: &'static str = "Tick";
    const TYPE_ID: u16 = 7;
    const TOPIC: &'static str = "ticks";
}
impl Wire for Tick {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Tick::ROOT_LEN, digest: 0 }];
}
struct Mine;
impl Messages for Mine {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Tick>();
    }
}

/// Publishes so many, one in each moment: what it has sent before has come by then.
struct Source(u64);
impl Service for Source {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for price in 0..self.0 {
            ctx.publish(Tick { price }).await?;
            ctx.sleep(Duration::from_nanos(1)).await;
        }
        Ok(())
    }
}

/// Publishes one more for each that it hears.
struct Echo;
impl Actor for Echo {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Echo {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.publish(Tick { price: tick.price + 100 }).await?;
        Ok(())
    }
}

fn isolate() -> Isolate {
    let mut isolate = Isolate::new(1);
    isolate.contract(Mine);
    isolate
}

fn read(subscriber: &mut WireSubscriber) -> Vec<u64> {
    let mut prices = Vec::new();
    subscriber.drain(usize::MAX, |frame| prices.push(Tick::decode(frame.bytes).unwrap().price));
    prices
}

#[test]
fn code_outside_reads_what_an_isolate_publishes_as_bytes_and_in_order() {
    let mut isolate = isolate();
    assert!(matches!(isolate.subscribe_wire("no such topic").err(), Some(SpawnError::UnknownTopic { .. })));
    let mut all = isolate.subscribe_wire("*").unwrap();
    let mut other = isolate.subscribe_wire(["ticks"]).unwrap();
    isolate.spawn(Echo).unwrap();
    isolate.spawn_service(Source(3)).unwrap();
    // From outside, typed and as bytes: it is not the one who reads.
    isolate.publish(Tick { price: 7 }).unwrap();
    let header = Header { type_id: 7, version: 1, root_len: Tick::ROOT_LEN, ..Header::default() };
    let mut encoder = Encoder::new();
    isolate.publish_wire(&header, encoder.encode(&Tick { price: 8 }).unwrap()).unwrap();
    isolate.run().unwrap();
    let expected = [7, 8, 107, 0, 1, 2, 108, 100, 101, 102];
    let mut read_now = read(&mut all);
    read_now.sort_unstable();
    let mut sorted = expected;
    sorted.sort_unstable();
    assert_eq!(read_now, sorted);
    assert_eq!(isolate.block_on(other.recv()).unwrap().unwrap().name(), "Tick");
    assert_eq!(read(&mut other).len(), expected.len() - 1);
    // A caller that has gone hears nothing and holds nobody up.
    drop(all);
    isolate.publish(Tick { price: 9 }).unwrap();
    isolate.run().unwrap();
    assert_eq!(read(&mut other), [9, 109]);
    drop(isolate);
    assert!(other.try_recv().is_none());
}

#[test]
fn code_that_looks_at_a_message_may_have_it_dropped_for_a_newer_one_and_sees_that_too() {
    for (how, prices) in [
        (Subscription::drop_oldest().capacity(1), &[1, 2][..]),
        (Subscription::drop_oldest().capacity(2), &[1, 2, 3]),
    ] {
        let mut isolate = isolate();
        let mut ticks = isolate.subscribe_wire_with("ticks", how).unwrap();
        let (last, waiting) = prices.split_last().unwrap();
        for price in waiting {
            isolate.publish(Tick { price: *price }).unwrap();
        }
        isolate.run().unwrap();
        let mut seen = Vec::new();
        ticks.drain(usize::MAX, |frame| {
            if seen.is_empty() {
                isolate.publish(Tick { price: *last }).unwrap();
                isolate.run().unwrap();
            }
            seen.push(Tick::decode(frame.bytes).unwrap().price);
        });
        assert_eq!(seen, prices);
        assert_eq!(isolate.topics().iter().map(|topic| topic.waiting).sum::<u64>(), 0);
    }
}

#[test]
fn a_queue_outside_that_is_full_refuses_or_drops_as_its_policy_says() {
    let mut isolate = isolate();
    let mut strict = isolate.subscribe_wire_with("ticks", Subscription::block().capacity(2)).unwrap();
    isolate.spawn_service(Source(5)).unwrap();
    let stuck = isolate.run().unwrap_err();
    assert!(matches!(&stuck, RunError::Stuck { .. }), "{stuck}");
    let refused = isolate.publish(Tick { price: 50 });
    assert!(matches!(refused, Err(PublishError::Full(Tick { price: 50 }, None))), "{refused:?}");
    let mut got = read(&mut strict);
    while isolate.run().is_err() {
        got.extend(read(&mut strict));
    }
    got.extend(read(&mut strict));
    assert_eq!(got, [0, 1, 2, 3, 4], "nothing is lost");
    drop(strict);
    let mut lossy = isolate.subscribe_wire_with("ticks", Subscription::drop_oldest().capacity(2)).unwrap();
    isolate.spawn_service(Source(5)).unwrap();
    isolate.run().unwrap();
    assert_eq!(read(&mut lossy), [3, 4]);
    let conflated = Subscription::conflate(|_| 0);
    assert!(matches!(
        isolate.subscribe_wire_with("ticks", conflated).err(),
        Some(SpawnError::ConflatesBytes { .. })
    ));
}

#[test]
fn a_reader_that_panics_sees_its_message_again() {
    let mut isolate = isolate();
    let mut frames = isolate.subscribe_wire("ticks").unwrap();
    isolate.spawn_service(Source(2)).unwrap();
    isolate.run().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        frames.drain(9, |_| std::panic::resume_unwind(Box::new("told to")));
    }));
    assert!(panicked.is_err());
    assert_eq!(read(&mut frames), [0, 1]);
}

#[test]
fn what_nobody_hears_is_counted_apart() {
    let mut isolate = Isolate::new(1);
    isolate.spawn_service(Source(3)).unwrap();
    isolate.publish(Tick { price: 1 }).unwrap();
    isolate.run().unwrap();
    let counted = |isolate: &Isolate| {
        let topics = isolate.topics();
        assert_eq!((topics.len(), topics[0].message, topics[0].topic), (1, "Tick", "ticks"));
        (topics[0].published, topics[0].delivered, topics[0].waiting)
    };
    assert_eq!(counted(&isolate), (0, 0, 0));
    assert_eq!(isolate.stats().unheard, 4);
    let echo = isolate.spawn(Echo).unwrap();
    isolate.publish(Tick { price: 1 }).unwrap();
    isolate.run().unwrap();
    assert_eq!((counted(&isolate), isolate.stats().unheard), ((2, 1, 0), 4));
    echo.stop();
    isolate.publish(Tick { price: 1 }).unwrap();
    isolate.run().unwrap();
    assert_eq!((counted(&isolate).0, isolate.stats().unheard), (2, 5));
}

#[test]
fn a_bound_that_code_outside_comes_to_names_it() {
    let mut isolate = Isolate::new(1);
    isolate.limit_events(100);
    isolate.spawn_service(Source(u64::MAX)).unwrap();
    let error = isolate.run().unwrap_err();
    assert!(error.to_string().contains("Source#1 still goes on"), "{error}");
    // Nothing may go on any more, so nobody ends either.
    let error = isolate.shutdown().unwrap_err();
    assert!(matches!(error, RunError::TooManyEvents { .. }), "{error:?}");
    assert!(error.to_string().contains("code outside of all actors still goes on"), "{error}");
}
