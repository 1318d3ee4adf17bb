//! Bytes into and out of a topic, against what a program would do without a door for them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mycelium::frame::Header;
use mycelium::wire::{Encoder, Messages, Visitor, Wire};
use mycelium::{MessageBus, Subscription};
use rkyv::util::AlignedVec;

use crate::codec::{Fixed, Texts};
use crate::harness::{OURS, Report, Round};

/// Messages of a batch: publishing and reading take turns, and one of the two is timed.
const BATCH: u32 = 512;
/// Batches per round.
const BATCHES: u32 = 200;

struct Bench;
impl Messages for Bench {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Fixed>();
        visitor.typed::<Texts>();
    }
}

/// Both values, in and out.
pub(crate) fn against_types(report: &mut Report) {
    of(report, "104 B fixed", &Fixed::sample());
    of(report, "two strings and ten f64", &Texts::sample());
}

fn of<M: Wire>(report: &mut Report, label: &str, value: &M) {
    let contenders: Vec<(&str, Round)> =
        vec![(OURS, publish(value, true)), ("decode and publish", publish(value, false))];
    report.contest("wire", &format!("publish bytes, {label}"), "ns per message", contenders);
    let contenders: Vec<(&str, Round)> =
        vec![(OURS, receive_bytes(value)), ("receive and rkyv", receive_and_encode(value))];
    report.contest("wire", &format!("receive bytes, {label}"), "ns per message", contenders);
}

fn bus() -> MessageBus {
    MessageBus::builder().contract(Bench).build()
}

/// Publishes encoded values, with one subscriber: through the door, or decoded and validated by hand.
fn publish<M: Wire>(value: &M, by_wire: bool) -> Round {
    let mut batch = publish_batch(value, by_wire);
    Box::new(move || in_batches(&mut batch, BATCHES))
}

/// One batch of that, of which the publishing is timed.
fn publish_batch<M: Wire>(value: &M, by_wire: bool) -> impl FnMut() -> Duration + use<M> {
    let mut bytes = AlignedVec::<16>::new();
    bytes.extend_from_slice(Encoder::new().encode(value).expect("the value is small"));
    let header =
        Header { type_id: M::TYPE_ID, version: M::VERSION, root_len: M::ROOT_LEN, ..Header::default() };
    let bus = bus();
    let publisher = bus.publisher::<M>().expect("a topic");
    let mut subscriber = bus.subscriber::<M>().expect("a subscription");
    move || {
        let begin = Instant::now();
        for _ in 0..BATCH {
            let bytes = black_box(&bytes);
            if by_wire {
                bus.try_publish_wire(&header, bytes).expect("there is room");
            } else {
                let message = M::decode(bytes).expect("the value is valid");
                message.validate().expect("no rule is broken");
                publisher.try_publish(message).expect("there is room");
            }
        }
        let spent = begin.elapsed();
        while subscriber.try_recv().is_some() {}
        spent
    }
}

/// So many batches: nanoseconds per message.
fn in_batches(mut batch: impl FnMut() -> Duration, batches: u32) -> f64 {
    let spent: Duration = (0..batches).map(|_| batch()).sum();
    spent.as_nanos() as f64 / f64::from(BATCH * batches)
}

/// Reads a batch as bytes, where it lies.
fn receive_bytes<M: Wire>(value: &M) -> Round {
    let bus = bus();
    let publisher = bus.publisher::<M>().expect("a topic");
    let mut subscriber = bus.subscribe_wire_with("bench", Subscription::block()).expect("a subscription");
    let value = value.clone();
    Box::new(move || {
        let _open = &bus;
        let mut spent = Duration::ZERO;
        for _ in 0..BATCHES {
            (0..BATCH).for_each(|_| publisher.try_publish(value.clone()).expect("there is room"));
            let begin = Instant::now();
            let seen = subscriber.drain(BATCH as usize, |delivery| {
                black_box(delivery.bytes);
            });
            spent += begin.elapsed();
            assert_eq!(seen, BATCH as usize);
        }
        per_message(spent)
    })
}

/// Reads a batch as messages, and encodes each into a buffer that is kept.
fn receive_and_encode<M: Wire>(value: &M) -> Round {
    let bus = bus();
    let publisher = bus.publisher::<M>().expect("a topic");
    let mut subscriber = bus.subscriber::<M>().expect("a subscription");
    let (value, mut encoder) = (value.clone(), Encoder::new());
    Box::new(move || {
        let _open = &bus;
        let mut spent = Duration::ZERO;
        for _ in 0..BATCHES {
            (0..BATCH).for_each(|_| publisher.try_publish(value.clone()).expect("there is room"));
            let begin = Instant::now();
            for _ in 0..BATCH {
                let message = subscriber.try_recv().expect("a message waits");
                black_box(encoder.encode(&*message).expect("the value is small"));
            }
            spent += begin.elapsed();
        }
        per_message(spent)
    })
}

/// The fixed value so often, published as bytes or decoded and published by hand: nanoseconds for each.
pub(crate) fn publish_once(by_wire: bool, messages: u32) -> f64 {
    in_batches(publish_batch(&Fixed::sample(), by_wire), messages.div_ceil(BATCH))
}

fn per_message(spent: Duration) -> f64 {
    spent.as_nanos() as f64 / f64::from(BATCH * BATCHES)
}
