//! Messages that wait for room, and long ones, over each transport.

use std::time::Duration;

use mycelium::{LinkOptions, MessageBus, Subscriber, Subscription};

use crate::kit::{Fill, Text, Tick, builder, bus, link, until, until_wanted};
use crate::{Transport, linked};

pub(crate) async fn long_and_short_messages_travel_also_as_bytes<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let mut heard = desk.subscriber::<Text>().unwrap();
    let mut bytes = desk.subscribe_wire("texts").unwrap();
    until_wanted(&market, "desk", &["Text"]).await;
    let texts = market.publisher::<Text>().unwrap();
    let words = |n: usize| "x".repeat(n * n * 37);
    let send = async {
        for n in 0..150 {
            texts.publish(Text { words: words(n) }).await.unwrap();
        }
    };
    let hear = async {
        for n in 0..150 {
            assert_eq!(heard.recv().await.unwrap().words.len(), words(n).len());
            assert!(bytes.recv().await.unwrap().bytes().len() >= words(n).len());
        }
    };
    tokio::join!(send, hear);
}

/// Each has little room.
pub(crate) async fn two_buses_that_flood_each_other_on_one_topic_go_on<T: Transport>() {
    let small = |name| builder(name).topic_capacity(4).build();
    let (a, b) = (small("a"), small("b"));
    let _kept = T::link(&a, &b, LinkOptions::default().credit(4)).await;
    let mut heard = [a.subscriber::<Tick>().unwrap(), b.subscriber::<Tick>().unwrap()];
    until_wanted(&a, "b", &["Tick"]).await;
    until_wanted(&b, "a", &["Tick"]).await;
    const EACH: u64 = 2_000;
    let flood = async |bus: &MessageBus, from: u64| {
        let ticks = bus.publisher::<Tick>().unwrap();
        for n in 0..EACH {
            ticks.publish(Tick { n: from + n }).await.unwrap();
        }
    };
    let [one, two] = &mut heard;
    let hear = async |heard: &mut Subscriber<Tick>| {
        let mut next = [0, 0];
        for _ in 0..2 * EACH {
            let n = heard.recv().await.unwrap().n;
            let (from, n) = ((n / 1_000_000) as usize, n % 1_000_000);
            assert_eq!(n, next[from]);
            next[from] += 1;
        }
    };
    tokio::join!(flood(&a, 0), flood(&b, 1_000_000), hear(one), hear(two));
}

pub(crate) async fn what_waits_for_room_has_a_bound_in_bytes_and_nothing_of_it_is_lost<T: Transport>() {
    let (market, desk) = (bus("market"), bus("desk"));
    let _kept = T::link(&market, &desk, LinkOptions::default().held_bytes(1 << 20)).await;
    let mut texts = desk.subscriber_with(Subscription::<Text>::block().capacity(1)).unwrap();
    until_wanted(&market, "desk", &["Text"]).await;
    let publisher = market.publisher::<Text>().unwrap();
    let send = async {
        for n in 0..100_u32 {
            publisher.publish(Text { words: format!("{n} {}", "x".repeat(100_000)) }).await.unwrap();
        }
    };
    let hear = async {
        until(|| link(&desk, "market").held >= 11).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(link(&desk, "market").held, 11, "11 of 100 kB are more than 1 MiB");
        for n in 0..100_u32 {
            assert!(texts.recv().await.unwrap().words.starts_with(&format!("{n} ")));
            assert!(link(&desk, "market").held <= 11);
        }
    };
    tokio::join!(send, hear);
}

pub(crate) async fn a_full_subscriber_under_block_keeps_its_topic_waiting_and_no_other<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let slow = desk.subscriber_with(Subscription::<Tick>::block().capacity(4)).unwrap();
    let mut fast = desk.subscriber::<Fill>().unwrap();
    until_wanted(&market, "desk", &["Tick", "Fill"]).await;
    let (ticks, fills) = (market.publisher::<Tick>().unwrap(), market.publisher::<Fill>().unwrap());
    let mut stuck = 0;
    // Until the queue there, the credit, and the queue here are full.
    while stuck < 20 {
        match ticks.try_publish(Tick { n: 0 }) {
            Ok(()) => stuck = 0,
            Err(_) => {
                stuck += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    let flood = async {
        for n in 0..10_000 {
            fills.publish(Fill { n }).await.unwrap();
        }
    };
    let hear = async {
        for n in 0..10_000 {
            assert_eq!(fast.recv().await.unwrap().n, n);
        }
    };
    tokio::join!(flood, hear);
    until(|| link(&desk, "market").held == 1_020).await;
    // The publisher goes on once the subscriber leaves.
    drop(slow);
    ticks.publish(Tick { n: 1 }).await.unwrap();
    until(|| link(&desk, "market").held == 0).await;
}
