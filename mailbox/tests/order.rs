//! One receiver, several sources: received in the order of sending, and nothing is lost between threads.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use mycelium_mailbox::{
    Doorbell, Inbox, InboxOptions, Overflow, Source, Stamps, SubscribeOptions, Topic, pick, poll_pick,
};
use mycelium_random::Random;

#[path = "common/any.rs"]
mod any;
mod common;
use any::Any;
use common::block_on;

/// Sender and its running number, across all queues it writes to.
type Numbered = (u64, u64);

const MESSAGES: u64 = if cfg!(miri) { 50 } else { 30_000 };
const SENDERS: u64 = 3;

/// Each sender writes its numbers in turn to two topics and an inbox; the receiver must see each sender's
/// numbers rise by one, whatever they came by.
fn ordered_across_sources(capacity: u32) {
    let stamps = Arc::new(Stamps::new());
    let bell = Arc::new(Doorbell::new());
    let topics: Vec<Topic<Numbered>> = (0..2).map(|_| Topic::new(Arc::clone(&stamps), capacity)).collect();
    let options = || SubscribeOptions { id: 99, ..SubscribeOptions::default() };
    let inbox = Inbox::new(stamps, Arc::clone(&bell), InboxOptions { capacity, ..InboxOptions::default() });
    let sender = inbox.sender();
    let mut sources: Vec<Any<Numbered>> = topics
        .iter()
        .map(|topic| Any::Topic(topic.subscribe(Arc::clone(&bell), options()).unwrap()))
        .collect();
    sources.push(Any::Inbox(inbox));

    let threads: Vec<_> = (0..SENDERS)
        .map(|me| {
            let (topics, sender) = (topics.clone(), sender.clone());
            std::thread::spawn(move || {
                let mut random = Random::new(me);
                for number in 0..MESSAGES {
                    match random.below(3) {
                        2 => block_on(sender.send((me, number), me + 1)).unwrap(),
                        topic => block_on(topics[topic as usize].publish((me, number), me + 1)).unwrap(),
                    }
                }
            })
        })
        .collect();

    let mut next = [0; SENDERS as usize];
    let mut received = 0;
    while received < SENDERS * MESSAGES {
        let picked = block_on(poll_fn(|cx| poll_pick(&mut sources, &bell, cx)));
        let source = &mut sources[picked.index];
        while let Some(((from, number), stamp)) = source.front() {
            if stamp >= picked.below {
                break;
            }
            assert_eq!(number, next[from as usize], "sender {from}");
            next[from as usize] += 1;
            received += 1;
            source.advance();
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(pick(&mut sources).is_none());
}

#[test]
fn senders_are_received_in_order_across_topics_and_inbox() {
    ordered_across_sources(64);
}

#[test]
fn order_holds_when_every_queue_holds_one_message() {
    ordered_across_sources(1);
}

#[test]
fn ring_subscribers_get_every_message_once_while_others_come_and_go() {
    let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 16);
    let readers: Vec<_> = (0..2)
        .map(|id| {
            let bell = Arc::new(Doorbell::new());
            let options =
                SubscribeOptions { id: id + 1, capacity: Some(3 + id as u32), ..Default::default() };
            let mut sources = [topic.subscribe(Arc::clone(&bell), options).unwrap()];
            std::thread::spawn(move || {
                for expected in 0..MESSAGES {
                    let picked = block_on(poll_fn(|cx| poll_pick(&mut sources, &bell, cx)));
                    assert_eq!(*sources[picked.index].peek().unwrap().message, expected);
                    sources[picked.index].advance();
                }
            })
        })
        .collect();
    let visitor = {
        let topic = topic.clone();
        std::thread::spawn(move || {
            for round in 0..MESSAGES / 50 {
                let overflow = if round % 2 == 0 { Overflow::Block } else { Overflow::DropOldest };
                let options = SubscribeOptions { overflow, id: 7, ..Default::default() };
                let mut visit = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
                let _ = visit.head();
                std::thread::yield_now();
            }
        })
    };
    for number in 0..MESSAGES {
        block_on(topic.publish(number, 0)).unwrap();
    }
    visitor.join().unwrap();
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(topic.stats().published, MESSAGES);
    assert!(topic.subscribers().is_empty());
}

#[test]
fn a_dropped_publish_is_not_published_and_lets_the_next_waiter_go() {
    let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 1);
    let mut subscription = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    topic.try_publish(0, 0).unwrap();
    let mut first = Box::pin(topic.publish(1, 0));
    let mut second = Box::pin(topic.publish(2, 0));
    let woken = common::Counter::new();
    let mut cx = std::task::Context::from_waker(woken.waker());
    assert!(first.as_mut().poll(&mut cx).is_pending());
    let later = common::Counter::new();
    assert!(second.as_mut().poll(&mut std::task::Context::from_waker(later.waker())).is_pending());
    assert!(subscription.head().is_some());
    subscription.advance();
    subscription.commit();
    assert_eq!((woken.count(), later.count()), (1, 0));
    drop(first);
    assert_eq!(later.count(), 1);
    assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
    assert!(subscription.head().is_some());
    assert_eq!(*subscription.peek().unwrap().message, 2);
}
