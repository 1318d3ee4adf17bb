//! What topics and inboxes promise at their edges, one test per promise.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::thread;

use mycelium_mailbox::{
    Blocker, Doorbell, Inbox, InboxOptions, Obstacle, Overflow, PublishError, SendError, Source, Stamps,
    SubscribeError, SubscribeOptions, TryPublishError, TrySendError, poll_pick,
};

mod common;
use common::{Counter, subscribe, topic};

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn inbox<T>(options: InboxOptions<T>) -> Inbox<T> {
    Inbox::new(Arc::new(Stamps::new()), Arc::new(Doorbell::new()), options)
}

#[test]
fn a_publisher_does_not_hear_itself_unless_it_asks_to() {
    let topic = topic::<u64>(8);
    let mut deaf = subscribe(&topic, 7, Overflow::Block);
    let mut deaf_lane = subscribe(&topic, 7, Overflow::Fail);
    let options = SubscribeOptions { id: 7, echo: true, ..SubscribeOptions::default() };
    let mut echo = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    topic.try_publish(1, 7).unwrap();
    topic.try_publish(2, 0).unwrap();
    for (subscription, expected) in [(&mut deaf, 2), (&mut deaf_lane, 2), (&mut echo, 1)] {
        assert!(subscription.head().is_some());
        assert_eq!(*subscription.peek().unwrap().message, expected);
    }
}

#[test]
fn a_full_ring_names_the_subscriber_and_delivers_to_nobody() {
    let topic = topic::<u64>(8);
    let options = SubscribeOptions { id: 5, capacity: Some(1), ..SubscribeOptions::default() };
    let slow = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    let mut fast = subscribe(&topic, 6, Overflow::Block);
    let mut lane = subscribe(&topic, 8, Overflow::DropOldest);
    topic.try_publish(1, 0).unwrap();
    let by = Blocker { subscriber: 5, obstacle: Obstacle::Ring };
    assert_eq!(topic.try_publish(2, 0), Err(TryPublishError::Full { message: 2, by }));
    for subscription in [&mut fast, &mut lane] {
        assert!(subscription.head().is_some());
        subscription.advance();
        assert!(subscription.head().is_none());
    }
    drop(slow);
    topic.try_publish(3, 0).unwrap();
    assert_eq!(topic.stats().unread, 1);
}

#[test]
fn a_subscriber_has_the_room_it_asked_for_whoever_came_first() {
    let topic = topic::<u64>(2);
    let ask = |messages| SubscribeOptions { capacity: Some(messages), ..SubscribeOptions::default() };
    let mut small = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    topic.try_publish(0, 0).unwrap();
    let mut large = topic.subscribe(Arc::new(Doorbell::new()), ask(100)).unwrap();
    let capacities: Vec<_> = topic.subscribers().iter().map(|info| (info.capacity, info.waiting)).collect();
    assert_eq!(capacities, [(2, 1), (100, 0)]);
    topic.try_publish(1, 0).unwrap();
    assert!(topic.try_publish(2, 0).is_err(), "the small one is full");
    for number in 0..2 {
        assert_eq!(small.head().map(|_| *small.peek().unwrap().message), Some(number));
        small.advance();
    }
    drop(small);
    for number in 2..101 {
        topic.try_publish(number, 0).unwrap();
    }
    assert!(topic.try_publish(101, 0).is_err(), "a hundred wait");
    for number in 1..101 {
        assert_eq!(large.head().map(|_| *large.peek().unwrap().message), Some(number));
        large.advance();
    }
}

#[test]
fn a_topic_and_an_inbox_say_what_they_hold() {
    let topic = topic::<u64>(64);
    assert_eq!(topic.capacity(), 64);
    let inbox = inbox::<u64>(InboxOptions { capacity: 5, ..InboxOptions::default() });
    assert_eq!(inbox.sender().capacity(), 5);
}

#[test]
fn a_ring_that_grows_under_way_loses_and_swaps_nothing() {
    // The rings have all grown long before; each message may take as long as a thread waits for its turn.
    const MESSAGES: u64 = 2_000;
    let topic = topic::<[u64; 2]>(2);
    let ask = |messages| SubscribeOptions { capacity: Some(messages), ..SubscribeOptions::default() };
    thread::scope(|scope| {
        for messages in [1, 2, 3] {
            let mut reader = topic.subscribe(Arc::new(Doorbell::new()), ask(messages)).unwrap();
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    while reader.head().is_none() {
                        thread::yield_now();
                    }
                    assert_eq!(reader.peek().unwrap().message, &[number, !number]);
                    reader.advance();
                }
            });
        }
        scope.spawn(|| {
            for number in 0..MESSAGES {
                while topic.try_publish([number, !number], 0).is_err() {
                    thread::yield_now();
                }
            }
        });
        for power in 3..16 {
            // Not kept: its room is there, and nobody waits for it.
            drop(topic.subscribe(Arc::new(Doorbell::new()), ask(1 << power)).unwrap());
            thread::yield_now();
        }
    });
    assert_eq!(topic.stats().published, MESSAGES);
}

/// A message whose copies can be forbidden.
struct Fragile(u64, Arc<AtomicBool>);
impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.1.load(Ordering::Relaxed), "told to");
        Self(self.0, Arc::clone(&self.1))
    }
}

#[test]
fn a_ring_that_grows_copies_nothing_and_its_readers_go_on() {
    let topic = topic::<Fragile>(4);
    let forbidden = Arc::new(AtomicBool::new(true));
    let publish = |number| topic.try_publish(Fragile(number, Arc::clone(&forbidden)), 0).map_err(drop);
    let subscribe = |capacity| {
        let options = SubscribeOptions { capacity: Some(capacity), ..SubscribeOptions::default() };
        topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
    };
    let mut reader = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    publish(0).unwrap();
    publish(1).unwrap();
    // Each larger than the one before: what waits lies in three rings.
    let second = subscribe(64);
    publish(2).unwrap();
    let third = subscribe(1024);
    publish(3).unwrap();
    assert_eq!((reader.unread(), second.unread(), third.unread()), (4, 2, 1));
    for number in 0..4 {
        assert!(reader.head().is_some());
        assert_eq!(reader.peek().unwrap().message.0, number);
        reader.advance();
    }
    assert!(reader.head().is_none());
    drop(second);
    assert_eq!(topic.stats().unread, 2);
    drop((reader, third, publish));
    assert_eq!(topic.stats().unread, 3);
    assert_eq!(Arc::strong_count(&forbidden), 1, "each message is dropped once");
}

#[test]
fn leaving_says_what_was_left_and_one_own_messages_are_not() {
    let topic = topic::<u64>(8);
    for overflow in [Overflow::Block, Overflow::DropNewest] {
        let before = topic.stats().unread;
        let mut reader = subscribe(&topic, 7, overflow);
        for (number, sender) in [(0, 0), (1, 7), (2, 0), (3, 7)] {
            topic.try_publish(number, sender).unwrap();
        }
        assert!(reader.head().is_some());
        reader.advance();
        assert_eq!(reader.leave(), 1);
        assert_eq!(topic.stats().unread - before, 1);
    }
    // Nobody is there any more: nothing counts as published.
    let published = topic.stats().published;
    topic.try_publish(4, 0).unwrap();
    assert_eq!(topic.stats().published, published);
}

#[test]
fn a_full_fail_lane_is_an_error_even_for_who_would_wait() {
    let topic = topic::<u64>(8);
    let options = SubscribeOptions {
        id: 9,
        capacity: Some(1),
        overflow: Overflow::Fail,
        ..SubscribeOptions::default()
    };
    let _lane = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    topic.try_publish(1, 0).unwrap();
    let by = Blocker { subscriber: 9, obstacle: Obstacle::FailLane };
    let refused = Poll::Ready(Err(PublishError::Full { message: 2, by }));
    assert_eq!(poll(&mut topic.publish(2, 0)), refused);
    assert_eq!(topic.stats().rejected, 1);
}

#[test]
fn waiting_for_oneself_is_an_error() {
    let topic = topic::<u64>(1);
    let _own = subscribe(&topic, 3, Overflow::Block);
    topic.try_publish(1, 0).unwrap();
    assert_eq!(poll(&mut topic.publish(2, 3)), Poll::Ready(Err(PublishError::WouldDeadlock(2))));
    assert!(poll(&mut topic.publish(2, 4)).is_pending());

    let inbox = inbox(InboxOptions { capacity: 1, owner: 3, ..InboxOptions::default() });
    let sender = inbox.sender();
    sender.try_send(1).unwrap();
    assert_eq!(poll(&mut sender.send(2, 3)), Poll::Ready(Err(SendError::WouldDeadlock(2))));
    assert!(poll(&mut sender.send(2, 4)).is_pending());
}

#[test]
fn who_has_read_everything_is_not_held_back_by_its_own_messages() {
    let topic = topic::<u64>(4);
    let mut own = subscribe(&topic, 7, Overflow::Block);
    let mut other = subscribe(&topic, 8, Overflow::Block);
    let mut drain = |expected: std::ops::Range<u64>| {
        for number in expected {
            assert!(other.head().is_some());
            assert_eq!(*other.peek().unwrap().message, number);
            other.advance();
        }
        assert!(other.head().is_none());
    };
    for round in 0..5 {
        assert!(own.head().is_none(), "round {round}");
        let from = round * 20;
        for number in from..from + 16 {
            topic.try_publish(number, 7).unwrap();
            drain(number..number + 1);
        }
        // Messages of other publishers hold it back.
        for number in from + 16..from + 20 {
            topic.try_publish(number, if number == from + 16 { 0 } else { 7 }).unwrap();
        }
        drain(from + 16..from + 20);
        let by = Blocker { subscriber: 7, obstacle: Obstacle::Ring };
        assert_eq!(topic.try_publish(0, 7), Err(TryPublishError::Full { message: 0, by }));
        assert!(matches!(poll(&mut topic.publish(0, 7)), Poll::Ready(Err(PublishError::WouldDeadlock(0)))));
        assert!(own.head().is_some());
        assert_eq!(*own.peek().unwrap().message, from + 16);
        own.advance();
    }
    assert!(own.head().is_none());
    for number in 100..150 {
        topic.try_publish(number, 7).unwrap();
        drain(number..number + 1);
    }
    drop(own);
    assert_eq!(topic.stats().unread, 0, "its own messages were never for it");
}

#[test]
fn closing_ends_waits_and_leaves_what_is_queued() {
    let topic = topic::<u64>(1);
    let bell = Arc::new(Doorbell::new());
    let mut sources = [topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap()];
    topic.try_publish(1, 0).unwrap();
    let mut waiting = topic.publish(2, 0);
    assert!(poll(&mut waiting).is_pending());
    topic.close();
    assert_eq!(poll(&mut waiting), Poll::Ready(Err(PublishError::Closed(2))));
    assert_eq!(topic.try_publish(3, 0), Err(TryPublishError::Closed(3)));
    let refused = topic.subscribe(Arc::clone(&bell), SubscribeOptions::default());
    assert_eq!(refused.err(), Some(SubscribeError::Closed));
    assert!(sources[0].head().is_some() && !sources[0].is_finished());
    sources[0].advance();
    assert!(sources[0].head().is_none() && sources[0].is_finished());
}

#[test]
fn a_gone_receiver_closes_its_inbox() {
    let inbox = inbox::<u64>(InboxOptions { capacity: 1, ..InboxOptions::default() });
    let sender = inbox.sender();
    sender.try_send(1).unwrap();
    let mut waiting = sender.send(2, 0);
    assert!(poll(&mut waiting).is_pending());
    drop(inbox);
    assert_eq!(poll(&mut waiting), Poll::Ready(Err(SendError::Closed(2))));
    assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    assert!(sender.is_closed() && sender.is_empty());
}

#[test]
fn a_panic_of_the_handler_leaves_its_message_in_front() {
    let topic = topic::<u64>(8);
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::Fail] {
        let mut subscription = subscribe(&topic, 0, overflow);
        topic.try_publish(1, 0).unwrap();
        topic.try_publish(2, 0).unwrap();
        assert!(subscription.head().is_some());
        let handler = AssertUnwindSafe(|| {
            let delivery = subscription.peek().unwrap();
            panic!("handling {}", delivery.message);
        });
        catch_unwind(handler).unwrap_err();
        assert_eq!(*subscription.peek().unwrap().message, 1);
        subscription.advance();
        assert!(subscription.head().is_some());
        assert_eq!(*subscription.peek().unwrap().message, 2);
    }
}

#[test]
fn a_clone_that_panics_leaves_the_topic_usable() {
    struct Fragile(bool);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert!(!self.0, "asked to panic");
            Self(false)
        }
    }
    let topic = topic::<Fragile>(8);
    let mut ring = subscribe(&topic, 0, Overflow::Block);
    let mut lane = subscribe(&topic, 0, Overflow::DropNewest);
    catch_unwind(AssertUnwindSafe(|| topic.try_publish(Fragile(true), 0).is_ok())).unwrap_err();
    assert!(ring.head().is_none() && lane.head().is_none());
    assert!(topic.try_publish(Fragile(false), 0).is_ok());
    assert!(ring.head().is_some() && lane.head().is_some());
}

/// A value whose drop publishes to the topic it came from.
#[derive(Clone)]
struct Echoing(Option<Arc<OnceLock<Publish>>>);

type Publish = Box<dyn Fn() + Send + Sync>;

impl Drop for Echoing {
    fn drop(&mut self) {
        if let Some(publish) = self.0.as_ref().and_then(|home| home.get()) {
            publish();
        }
    }
}

#[test]
fn displaced_values_are_dropped_where_their_drop_may_publish() {
    let topic = topic::<Echoing>(2);
    let home = Arc::new(OnceLock::new());
    let publisher = topic.clone();
    let publish: Publish = Box::new(move || drop(publisher.try_publish(Echoing(None), 0)));
    assert!(home.set(publish).is_ok());
    let mut ring = subscribe(&topic, 0, Overflow::Block);
    let options =
        SubscribeOptions { overflow: Overflow::DropOldest, capacity: Some(1), ..Default::default() };
    let lane = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    for _ in 0..8 {
        assert!(topic.try_publish(Echoing(Some(Arc::clone(&home))), 0).is_ok());
        while ring.head().is_some() {
            ring.advance();
        }
    }
    assert!(topic.stats().published > 8, "the drops published too: {:?}", topic.stats());
    drop((ring, lane));
}

#[test]
fn every_sleeper_is_woken_once_however_many_there_are() {
    let topic = topic::<u64>(8);
    let mut sleepers: Vec<_> = (0..50)
        .map(|at| {
            let overflow = if at % 2 == 0 { Overflow::Block } else { Overflow::DropNewest };
            let bell = Arc::new(Doorbell::new());
            let options = SubscribeOptions { overflow, ..SubscribeOptions::default() };
            ([topic.subscribe(Arc::clone(&bell), options).unwrap()], bell, Counter::new())
        })
        .collect();
    for (sources, bell, counter) in &mut sleepers {
        assert!(poll_pick(sources, bell, &mut Context::from_waker(counter.waker())).is_pending());
    }
    topic.try_publish(1, 0).unwrap();
    topic.try_publish(2, 0).unwrap();
    assert!(sleepers.iter().all(|(_, _, counter)| counter.count() == 1));
}

#[test]
fn sleepers_are_woken_whoever_left_before_or_sleeps_no_more() {
    let topic = topic::<u64>(8);
    let subscribe = |at: usize| {
        let overflow = if at.is_multiple_of(2) { Overflow::Block } else { Overflow::DropNewest };
        let bell = Arc::new(Doorbell::new());
        let options = SubscribeOptions { overflow, ..SubscribeOptions::default() };
        ([topic.subscribe(Arc::clone(&bell), options).unwrap()], bell, Counter::new())
    };
    for (leaves_every, wakes_every) in [(2, 3), (3, 5), (7, 2), (1, 1)] {
        let mut all: Vec<_> = (0..40).map(subscribe).collect();
        for (at, (sources, bell, counter)) in all.iter_mut().enumerate() {
            assert!(poll_pick(sources, bell, &mut Context::from_waker(counter.waker())).is_pending());
            if at % wakes_every == 0 {
                bell.ring();
            }
        }
        let mut left = (0..40).filter(|at| at % leaves_every != 0);
        let mut number = 0;
        all.retain(|_| {
            number += 1;
            (number - 1) % leaves_every != 0
        });
        topic.try_publish(1, 0).unwrap();
        for (sources, _, counter) in &mut all {
            let at = left.next().unwrap();
            assert_eq!(counter.count(), 1, "subscriber {at}, one in {leaves_every} has left");
            assert!(sources[0].head().is_some());
        }
        // And those that stayed can sleep again.
        for (sources, bell, counter) in &mut all {
            sources[0].advance();
            assert!(poll_pick(sources, bell, &mut Context::from_waker(counter.waker())).is_pending());
        }
        topic.try_publish(2, 0).unwrap();
        assert!(all.iter().all(|(_, _, counter)| counter.count() == 2));
    }
}

#[test]
fn without_subscribers_nothing_is_stored() {
    let topic = topic::<Arc<()>>(8);
    let witness = Arc::new(());
    topic.try_publish(Arc::clone(&witness), 0).unwrap();
    assert_eq!(poll(&mut topic.publish(Arc::clone(&witness), 0)), Poll::Ready(Ok(())));
    let late = subscribe(&topic, 0, Overflow::Block);
    topic.try_publish(Arc::clone(&witness), 0).unwrap();
    assert_eq!(Arc::strong_count(&witness), 2);
    drop(late);
    assert_eq!(Arc::strong_count(&witness), 1);
    assert_eq!(topic.stats().published, 1);
}

/// Words of which no byte is zero, so that a byte that is written over is seen.
fn words<const N: usize>(number: u64) -> [u64; N] {
    std::array::from_fn(|at| (number + at as u64) % 251 + 1).map(|byte| byte * 0x0101_0101_0101_0101)
}

/// Fills a topic, and publishes then as far as its reader has made room, which is seldom for a whole line of
/// slots: of what waits, not a byte changes.
fn keeps_what_waits<const N: usize>() {
    const SENDER: u64 = u64::MAX;
    for (capacity, room) in
        [8, 9, 12, 16, 31, 64].into_iter().flat_map(|all| (1..10).map(move |of| (all, of)))
    {
        let topic = topic::<[u64; N]>(capacity);
        let mut reader = subscribe(&topic, 0, Overflow::Block);
        let (mut published, mut read) = (0, 0);
        while read < 200 {
            while topic.try_publish(words::<N>(published), SENDER).is_ok() {
                published += 1;
            }
            for _ in 0..room.min(published - read) {
                let front = reader.head().and_then(|_| reader.peek()).expect("one that waits");
                let (message, sender) = (*front.message, front.sender);
                assert_eq!(
                    (message, sender),
                    (words::<N>(read), SENDER),
                    "capacity {capacity}, room for {room}"
                );
                read += 1;
                reader.advance();
            }
            reader.commit();
        }
    }
}

#[test]
fn whoever_publishes_with_little_room_changes_nothing_of_what_waits() {
    keeps_what_waits::<0>();
    keeps_what_waits::<1>();
    keeps_what_waits::<2>();
    keeps_what_waits::<3>();
    keeps_what_waits::<5>();
    keeps_what_waits::<6>();
    keeps_what_waits::<8>();
}
