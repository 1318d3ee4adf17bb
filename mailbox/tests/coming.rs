//! Sources that are taken in and out of a receiver, and senders that pass the bound or stand in line.

use std::sync::Arc;
use std::task::Context;

use mycelium_mailbox::{
    Doorbell, Inbox, InboxOptions, Merge, Overflow, Source, Sources, Stamps, SubscribeOptions, Topic,
    TrySendError, poll_pick,
};

mod common;
use common::Counter;

fn inbox(stamps: &Arc<Stamps>, bell: &Arc<Doorbell>, options: InboxOptions<u64>) -> Inbox<u64> {
    Inbox::new(Arc::clone(stamps), Arc::clone(bell), options)
}

/// Reads all that is there, in the order in which it is picked.
fn drained(sources: &mut Sources<Inbox<u64>>, bell: &Doorbell) -> Vec<u64> {
    let mut got = Vec::new();
    while let Some(picked) = sources.pick(bell) {
        let source = sources.get_mut(picked.index).expect("a source was picked");
        got.extend(source.peek().map(|(message, _)| *message));
        source.advance();
    }
    got
}

/// Of few sources each is looked at, of many those alone that have something: both know who has left.
#[test]
fn sources_that_are_taken_out_are_read_no_more_and_the_others_in_order() {
    for count in [3_u64, 40] {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let mut sources = Sources::default();
        let mut senders = Vec::new();
        for _ in 0..count {
            let source = inbox(&stamps, &bell, InboxOptions::default());
            senders.push(source.sender());
            sources.push(source);
        }
        let send_all = || senders.iter().zip(0..).for_each(|(sender, number)| _ = sender.try_send(number));
        send_all();
        let last = sources.pop().expect("the last one");
        assert_eq!(last.len(), 1);
        drop(last);
        sources.retain(|source| source.len() == 1);
        assert_eq!(sources.iter().count() as u64, count - 1);
        assert_eq!(drained(&mut sources, &bell), (0..count - 1).collect::<Vec<_>>());
        // Every second one leaves, and its messages with it.
        let mut seen = 0;
        sources.retain(|_| {
            seen += 1;
            seen % 2 == 0
        });
        assert!(seen >= count - 1, "each is asked");
        sources.iter_mut().for_each(Source::commit);
        let left = sources.iter().count();
        send_all();
        assert_eq!(sources.get(left).map(Inbox::len), None);
        let waiting: usize = (0..left).map(|index| sources[index].len()).sum();
        let got = drained(&mut sources, &bell);
        assert_eq!((got.len(), got.is_sorted()), (waiting, true), "{got:?}");
        Merge::commit(&mut sources);
        assert!(sources.pick(&bell).is_none(), "all is read");
    }
}

#[test]
fn what_the_receivers_side_sends_itself_passes_the_bound_and_counts_against_it() {
    let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
    let mut receiver = inbox(&stamps, &bell, InboxOptions { capacity: 2, ..InboxOptions::default() });
    let sender = receiver.sender();
    assert!(Arc::ptr_eq(sender.doorbell(), &bell));
    for number in 0..5 {
        sender.send_past_bound(number).unwrap();
    }
    assert_eq!((sender.load(), sender.len(), sender.capacity()), (5, 5, 2));
    assert_eq!(sender.try_send(5), Err(TrySendError::Full(5)));
    for number in 0..5 {
        receiver.head();
        assert_eq!(receiver.peek().map(|(message, _)| *message), Some(number));
        receiver.advance();
    }
    receiver.commit();
    assert_eq!((sender.load(), sender.try_send(5)), (0, Ok(())));
    drop(receiver);
    assert_eq!(sender.send_past_bound(6), Err(TrySendError::Closed(6)));
    // By key there is one message of each, whoever sends it.
    let overflow = Overflow::conflate(|number: &u64| number % 2);
    let options = InboxOptions { capacity: 2, overflow, ..InboxOptions::default() };
    let mut receiver = inbox(&stamps, &bell, options);
    (0..6).for_each(|number| receiver.sender().send_past_bound(number).unwrap());
    let mut got = Vec::new();
    while receiver.head().is_some() {
        got.extend(receiver.peek().map(|(message, _)| *message));
        receiver.advance();
    }
    assert_eq!(got, [4, 5]);
}

#[test]
fn whoever_stands_in_line_is_woken_when_there_is_room_or_never_will_be() {
    let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
    let mut receiver = inbox(&stamps, &bell, InboxOptions { capacity: 1, ..InboxOptions::default() });
    let sender = receiver.sender();
    sender.offer(1).unwrap();
    let (first, second) = (Counter::new(), Counter::new());
    let (mut one, mut two) = (sender.place(), sender.place());
    one.stand(first.waker());
    two.stand(second.waker());
    receiver.head();
    receiver.advance();
    receiver.commit();
    assert!(first.count() > 0, "the first in line knows of the room");
    sender.offer(2).unwrap();
    one.served();
    drop(one);
    let before = second.count();
    two.stand(second.waker());
    drop(receiver);
    assert!(second.count() > before, "nobody will make room any more");
    let waits = sender.send(3, 0);
    assert_eq!(waits.into_value(), Some(3), "dropped before it was polled, it has sent nothing");
}

/// A receiver of many sources has its doorbell told which one it is, a receiver of few has not.
#[test]
fn receivers_of_many_sources_and_of_few_sleep_at_one_topic_in_turn() {
    let stamps = Arc::new(Stamps::new());
    let topics: Vec<Topic<u64>> = (0..40).map(|_| Topic::new(Arc::clone(&stamps), 8)).collect();
    let (of_many, of_few) = (Arc::new(Doorbell::new()), Arc::new(Doorbell::new()));
    let mut many = Sources::new();
    for topic in &topics {
        many.push(topic.subscribe(Arc::clone(&of_many), SubscribeOptions::default()).unwrap());
    }
    let mut few = Sources::new();
    few.push(topics[7].subscribe(Arc::clone(&of_few), SubscribeOptions::default()).unwrap());
    let waker = Counter::new();
    let mut cx = Context::from_waker(waker.waker());
    let mut woken = 0;
    for number in 0..12 {
        let (sources, bell) = if number % 3 == 0 { (&mut many, &of_many) } else { (&mut few, &of_few) };
        assert!(poll_pick(sources, bell, &mut cx).is_pending(), "all is read");
        topics[7].try_publish(number, 0).unwrap();
        woken += 1;
        assert_eq!(waker.count(), woken, "message {number}");
        for (sources, bell) in [(&mut many, &of_many), (&mut few, &of_few)] {
            let picked = sources.pick(bell).expect("both get it");
            let source = sources.get_mut(picked.index).expect("a source was picked");
            assert_eq!(source.peek().map(|delivery| *delivery.message), Some(number));
            source.advance();
            assert!(sources.pick(bell).is_none());
        }
    }
}
