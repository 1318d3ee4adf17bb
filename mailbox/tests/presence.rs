//! What others ask of a receiver, how it sleeps, and how it waits between two lives.

use std::sync::Arc;
use std::task::{Context, Poll};

use mycelium_mailbox::{
    Doorbell, Inbox, InboxOptions, Interlude, Overflow, Parcel, Presence, Source, Stamps, Stop,
    SubscribeOptions, Topic, pick,
};

mod common;
use common::Counter;

fn inbox(bell: &Arc<Doorbell>) -> Inbox<u32> {
    Inbox::new(Arc::new(Stamps::new()), Arc::clone(bell), InboxOptions::default())
}

#[test]
fn the_most_that_was_asked_counts_and_an_end_for_good_is_never_taken_back() {
    let (presence, bell, sleeper) = (Presence::new(), Doorbell::new(), Counter::new());
    assert_eq!((presence.asked(), presence.is_called()), (None, false));
    assert!(bell.prepare(sleeper.waker()));
    presence.ask(Stop::Life, &bell);
    assert_eq!((presence.asked(), sleeper.count()), (Some(Stop::Life), 1), "it is woken");
    presence.ask(Stop::Pause, &bell);
    assert_eq!(presence.asked(), Some(Stop::Pause));
    presence.take_back();
    assert_eq!((presence.asked(), presence.is_called()), (None, false), "both are taken back");
    presence.ask(Stop::ForGood, &bell);
    presence.ask(Stop::Life, &bell);
    presence.take_back();
    assert_eq!((presence.asked(), presence.is_called()), (Some(Stop::ForGood), true));
    assert!(format!("{presence:?}").contains("ForGood"), "{presence:?}");
}

#[test]
fn a_nudge_is_no_request_and_leaves_requests_alone() {
    let (presence, bell) = (Presence::new(), Doorbell::new());
    presence.nudge();
    assert_eq!((presence.asked(), presence.is_called()), (None, true));
    presence.take_back();
    assert!(presence.is_called(), "others do not settle it");
    presence.ask(Stop::Life, &bell);
    presence.settle();
    assert_eq!((presence.asked(), presence.is_called()), (Some(Stop::Life), true));
}

#[test]
fn a_receiver_sleeps_until_a_message_or_a_request_comes() {
    let (presence, bell, sleeper) = (Presence::new(), Arc::new(Doorbell::new()), Counter::new());
    let mut sources = [inbox(&bell)];
    let sender = sources[0].sender();
    let mut cx = Context::from_waker(sleeper.waker());
    assert_eq!(presence.poll_work(&mut sources, &bell, &mut cx), Poll::Pending);
    assert!(format!("{bell:?}").contains("asleep: true"), "{bell:?}");
    sender.try_send(1).unwrap();
    assert_eq!(sleeper.count(), 1);
    assert_eq!(presence.poll_work(&mut sources, &bell, &mut cx), Poll::Ready(()));
    sources[0].advance();
    assert_eq!(presence.poll_work(&mut sources, &bell, &mut cx), Poll::Pending);
    presence.ask(Stop::Pause, &bell);
    assert_eq!(sleeper.count(), 2);
    assert_eq!(presence.poll_work(&mut sources, &bell, &mut cx), Poll::Ready(()));
}

#[test]
fn a_turn_tells_one_sleep_from_the_next() {
    let (presence, bell, sleeper) = (Presence::default(), Doorbell::new(), Counter::new());
    assert_eq!(presence.turn(&bell), None, "it is awake");
    let sleep = || {
        presence.wake_up();
        assert!(bell.prepare(sleeper.waker()));
        presence.fall_asleep();
    };
    sleep();
    let first = presence.turn(&bell);
    assert!(first.is_some());
    presence.fall_asleep();
    assert_eq!(presence.turn(&bell), first, "to fall asleep twice is one sleep");
    bell.ring();
    assert_eq!(presence.turn(&bell), None, "somebody has rung: there may be something to do");
    presence.wake_up();
    presence.wake_up();
    assert_eq!(presence.turn(&bell), None);
    sleep();
    assert!(presence.turn(&bell) > first, "another sleep");
}

#[test]
fn between_two_lives_only_an_end_for_good_is_answered_and_messages_stay() {
    let (presence, bell, sleeper) = (Presence::new(), Arc::new(Doorbell::new()), Counter::new());
    let mut sources = [inbox(&bell)];
    let sender = sources[0].sender();
    let mut cx = Context::from_waker(sleeper.waker());
    let mut interlude = Interlude::begin(&mut sources, false);
    assert!(!interlude.poll(&presence, &mut sources, &bell, &mut cx));
    assert!(presence.turn(&bell).is_some(), "it has nothing to do");
    presence.ask(Stop::Life, &bell);
    assert_eq!(sleeper.count(), 1);
    assert!(!interlude.poll(&presence, &mut sources, &bell, &mut cx), "there is no life to end");
    sender.try_send(1).unwrap();
    assert_eq!(sleeper.count(), 2, "the first message rings");
    assert!(!interlude.poll(&presence, &mut sources, &bell, &mut cx));
    assert_eq!(presence.turn(&bell), None, "a message waits for the next life");
    sender.try_send(2).unwrap();
    assert_eq!(sleeper.count(), 2, "the next ones do not");
    presence.ask(Stop::ForGood, &bell);
    assert_eq!(sleeper.count(), 3);
    assert!(interlude.poll(&presence, &mut sources, &bell, &mut cx));
    assert_eq!(sources[0].len(), 2);
}

#[test]
fn boxed_and_borrowed_sources_are_read_in_the_same_order() {
    let bell = Arc::new(Doorbell::new());
    let stamps = Arc::new(Stamps::new());
    let mut inboxes: Vec<Inbox<u32>> =
        (0..3).map(|_| Inbox::new(Arc::clone(&stamps), Arc::clone(&bell), InboxOptions::default())).collect();
    let senders: Vec<_> = inboxes.iter().map(Inbox::sender).collect();
    let order = [2, 0, 1, 1, 2, 0];
    (0..).zip(order).for_each(|(number, to)| senders[to].try_send(number).unwrap());
    {
        let mut borrowed: Vec<&mut Inbox<u32>> = inboxes.iter_mut().collect();
        assert_eq!(pick(&mut borrowed).map(|pick| pick.index), Some(2));
        borrowed[2].advance();
        borrowed.iter_mut().for_each(Source::commit);
        assert_eq!(pick(&mut borrowed).map(|pick| pick.index), Some(0));
        assert!(borrowed.iter_mut().all(mycelium_mailbox::Source::arm), "each has a message");
    }
    let mut boxed: Vec<Box<dyn Source>> = Vec::new();
    for inbox in inboxes {
        boxed.push(Box::new(inbox));
    }
    assert_eq!(pick(&mut boxed).map(|pick| pick.index), Some(0));
    boxed.iter_mut().for_each(Source::commit);
    assert!(boxed.iter_mut().all(mycelium_mailbox::Source::arm));
}

#[test]
fn an_inbox_is_finished_when_nothing_is_left_and_nothing_can_come() {
    let bell = Arc::new(Doorbell::new());
    let mut inbox = inbox(&bell);
    assert!(inbox.is_finished() && inbox.is_empty(), "it has no sender yet");
    let sender = inbox.sender();
    assert!(!inbox.is_finished());
    sender.try_send(1).unwrap();
    sender.clone().try_send(2).unwrap();
    assert!(format!("{sender:?} {inbox:?}").matches("queued: 2").count() == 2, "{sender:?} {inbox:?}");
    drop(sender);
    assert!(!inbox.is_finished() && inbox.len() == 2);
    assert!(inbox.peek().is_none() && inbox.head().is_some());
    *inbox.peek_mut().unwrap().0 += 10;
    assert_eq!(inbox.take(), Some(11));
    inbox.shrink();
    assert_eq!(inbox.take(), Some(2), "what is in hand outlasts a shrink");
    assert!(inbox.is_finished());
    inbox.shrink();
    assert_eq!((inbox.take(), inbox.stats().accepted), (None, 2));
    let closed = Inbox::<u32>::new(Arc::new(Stamps::new()), bell, InboxOptions::default());
    let sender = closed.sender();
    closed.close();
    assert!(closed.is_finished() && sender.try_send(1).is_err());
}

#[test]
fn what_is_printed_of_queues_tells_what_they_hold() {
    let (bell, stamps) = (Arc::new(Doorbell::new()), Arc::new(Stamps::new()));
    let topic = Topic::<u32>::new(Arc::clone(&stamps), 8);
    let newest =
        SubscribeOptions { overflow: Overflow::DropNewest, capacity: Some(4), ..SubscribeOptions::default() };
    let lane = topic.subscribe(Arc::clone(&bell), SubscribeOptions { id: 7, ..newest }).unwrap();
    let ring = topic.subscribe(Arc::clone(&bell), SubscribeOptions { id: 8, ..Default::default() }).unwrap();
    topic.try_publish(1, 0).unwrap();
    assert_eq!((lane.id(), ring.id()), (7, 8));
    for (subscription, id) in [(&lane, "id: 7"), (&ring, "id: 8")] {
        let text = format!("{subscription:?}");
        assert!(text.contains(id) && text.contains("unread: 1"), "{text}");
    }
    assert!(format!("{lane:?}").contains("drop_newest"), "{lane:?}");
    let parcel = Parcel::new(5_u64);
    assert!(format!("{parcel:?}").contains("u64"), "{parcel:?}");
    assert_eq!((parcel.downcast_ref::<u64>(), parcel.downcast_ref::<i64>()), (Some(&5), None));
}
