//! Producers that wait for room, and those among them that are never polled again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mycelium_mailbox::{
    Doorbell, Inbox, InboxOptions, Publishing, Sending, Source, Stamps, SubscribeOptions, Topic, poll_pick,
};

mod common;
use common::Counter;

fn poll<F: Future + Unpin>(future: &mut F, counter: &Counter) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(counter.waker()))
}

/// Polls each of these once and keeps them: they wait, and nobody will poll them again.
fn keep<F: Future + Unpin>(futures: Vec<F>) -> Vec<(F, Counter)> {
    let begin = |mut future| {
        let counter = Counter::new();
        assert!(poll(&mut future, &counter).is_pending());
        (future, counter)
    };
    futures.into_iter().map(begin).collect()
}

/// A queue is emptied by a reader that never sleeps, beside more kept publishes than it has places.
fn published_beside_kept(capacity: u32, apart: bool) {
    let topic = Topic::<u32>::new(Arc::new(Stamps::new()), capacity);
    let options = SubscribeOptions { capacity: Some(capacity), apart, ..SubscribeOptions::default() };
    let mut reader = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    (0..capacity).for_each(|number| topic.try_publish(number, 0).unwrap());
    let kept = keep((0..capacity * 2).map(|number| topic.publish(number, 0)).collect::<Vec<Publishing<_>>>());
    let (mut last, woken) = (topic.publish(u32::MAX, 0), Counter::new());
    assert!(poll(&mut last, &woken).is_pending());
    for number in 0..capacity {
        assert!(reader.head().is_some());
        assert_eq!(*reader.peek().unwrap().message, number);
        reader.advance();
    }
    assert!(reader.head().is_none());
    assert_eq!(woken.count(), 1, "capacity {capacity}: there is room, and it sleeps");
    assert_eq!(poll(&mut last, &woken), Poll::Ready(Ok(())));
    assert!(reader.head().is_some());
    assert_eq!(*reader.peek().unwrap().message, u32::MAX);
    drop(kept);
}

#[test]
fn each_that_waits_for_room_has_a_ticket_of_its_own_from_its_first_wait_on() {
    let topic = Topic::<u32>::new(Arc::new(Stamps::new()), 1);
    let _reader = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    topic.try_publish(0, 0).unwrap();
    let begins = topic.publish(1, 0);
    assert_eq!(begins.ticket(), 0, "it was not polled");
    let waits = keep((1..=3).map(|number| topic.publish(number, 0)).collect::<Vec<Publishing<_>>>());
    let mut tickets: Vec<u64> = waits.iter().map(|(publish, _)| publish.ticket()).collect();
    tickets.push(begins.ticket());
    tickets.sort_unstable();
    tickets.dedup();
    assert_eq!(tickets.len(), 4, "{tickets:?}");
}

#[test]
fn a_publish_that_is_kept_and_not_polled_keeps_nobody_else_waiting_beside_an_empty_queue() {
    for capacity in [1, 2, 21, 64, 1024] {
        [false, true].into_iter().for_each(|apart| published_beside_kept(capacity, apart));
    }
}

fn sent_beside_kept(capacity: u32) {
    let options = InboxOptions { capacity, ..InboxOptions::default() };
    let mut inbox = Inbox::<u32>::new(Arc::new(Stamps::new()), Arc::new(Doorbell::new()), options);
    let sender = inbox.sender();
    (0..capacity).for_each(|number| sender.try_send(number).unwrap());
    let kept = keep((0..capacity * 2).map(|number| sender.send(number, 0)).collect::<Vec<Sending<_>>>());
    let (mut last, woken) = (sender.send(u32::MAX, 0), Counter::new());
    assert!(poll(&mut last, &woken).is_pending());
    for number in 0..capacity {
        assert!(inbox.head().is_some());
        assert_eq!(inbox.take(), Some(number));
    }
    assert!(inbox.head().is_none());
    assert_eq!(woken.count(), 1, "capacity {capacity}: there is room, and it sleeps");
    assert_eq!(poll(&mut last, &woken), Poll::Ready(Ok(())));
    assert!(inbox.head().is_some());
    assert_eq!(inbox.take(), Some(u32::MAX));
    drop(kept);
}

#[test]
fn a_send_that_is_kept_and_not_polled_keeps_nobody_else_waiting_beside_an_empty_inbox() {
    [1, 2, 21, 64, 1024].into_iter().for_each(sent_beside_kept);
}

#[test]
fn one_task_that_publishes_and_receives_on_one_topic_sleeps_while_another_subscriber_is_full() {
    let topic = Topic::<u32>::new(Arc::new(Stamps::new()), 4);
    let bell = Arc::new(Doorbell::new());
    let mut mine = topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap();
    let options = SubscribeOptions { capacity: Some(1), ..SubscribeOptions::default() };
    let mut slow = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    topic.try_publish(0, 0).unwrap();
    assert!(mine.head().is_some());
    mine.advance();
    let (mut publish, woken) = (topic.publish(1, 0), Counter::new());
    let mut sources = [mine];
    for _ in 0..10 {
        assert!(poll(&mut publish, &woken).is_pending());
        assert!(poll_pick(&mut sources, &bell, &mut Context::from_waker(woken.waker())).is_pending());
    }
    // Once for the place that it has made.
    assert!(woken.count() <= 1, "{} wakes", woken.count());
    assert!(slow.head().is_some());
    slow.advance();
    assert!(slow.head().is_none());
    assert_eq!(poll(&mut publish, &woken), Poll::Ready(Ok(())));
    assert!(sources[0].head().is_some());
}
