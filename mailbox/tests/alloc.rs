//! What allocates, and how often: nothing per message up to 64 bytes, one allocation for a larger one.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mycelium_mailbox::{
    Doorbell, Fifo, FutureSlot, Inbox, InboxOptions, Overflow, Parcel, Source, Stamps, Started,
    SubscribeOptions, Subscription, Topic, poll_pick, reply,
};

mod common;
#[path = "common/heap.rs"]
mod heap;
use heap::{allocations, live_bytes, peak_bytes};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

type Small = [u64; 8];
type Large = [u64; 9];

const ROUNDS: u64 = 1000;

fn drain<M: Clone + Send + Sync + 'static>(subscription: &mut Subscription<M>) {
    while subscription.head().is_some() {
        subscription.advance();
    }
}

/// Subscribes once by each policy that never refuses, `Block` twice.
fn subscribe_all<M: Clone + Send + Sync + 'static>(topic: &Topic<M>) -> Vec<Subscription<M>> {
    let policies = [
        Overflow::Block,
        Overflow::Block,
        Overflow::DropOldest,
        Overflow::DropNewest,
        Overflow::Fail,
        Overflow::conflate(|_| 1),
    ];
    let subscribe = |overflow| {
        let options = SubscribeOptions { overflow, capacity: Some(8), ..SubscribeOptions::default() };
        topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
    };
    policies.into_iter().map(subscribe).collect()
}

fn publish_and_drain<M: Clone + Send + Sync + 'static>(message: M) -> u64 {
    let topic = Topic::new(Arc::new(Stamps::new()), 64);
    let mut subscriptions = subscribe_all(&topic);
    let mut round = || {
        for _ in 0..8 {
            assert!(topic.try_publish(message.clone(), 0).is_ok());
        }
        subscriptions.iter_mut().for_each(drain);
    };
    round();
    allocations(|| (0..ROUNDS).for_each(|_| round())) / (ROUNDS * 8)
}

#[test]
fn a_small_message_allocates_nothing_whatever_the_policies() {
    assert_eq!(publish_and_drain([7_u64; 8] as Small), 0);
}

#[test]
fn a_larger_message_allocates_once_whatever_the_number_of_subscribers() {
    assert_eq!(publish_and_drain([7_u64; 9] as Large), 1);
    assert_eq!(publish_and_drain([7_u64; 128]), 1);
}

#[test]
fn a_small_message_allocates_nothing_however_many_lanes_there_are() {
    let topic = Topic::<Small>::new(Arc::new(Stamps::new()), 64);
    let mut subscriptions: Vec<_> = (0..8).flat_map(|_| subscribe_all(&topic)).collect();
    let mut round = || {
        topic.try_publish([7; 8], 0).unwrap();
        subscriptions.iter_mut().for_each(drain);
    };
    round();
    assert_eq!(allocations(|| (0..ROUNDS).for_each(|_| round())), 0);
}

#[test]
fn many_lanes_of_one_policy_keep_what_one_publish_needs_for_the_next() {
    for policy in [|| Overflow::DropOldest, || Overflow::conflate(|_: &Small| 1)] {
        let topic = Topic::<Small>::new(Arc::new(Stamps::new()), 64);
        let subscribe = |_| {
            let options = SubscribeOptions { overflow: policy(), ..SubscribeOptions::default() };
            topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
        };
        let mut subscriptions: Vec<_> = (0..20).map(subscribe).collect();
        let mut round = || {
            topic.try_publish([7; 8], 0).unwrap();
            subscriptions.iter_mut().for_each(drain);
        };
        round();
        assert_eq!(allocations(|| (0..ROUNDS).for_each(|_| round())), 0, "{}", policy().name());
    }
}

#[test]
fn awaiting_a_publish_that_need_not_wait_allocates_nothing() {
    let topic = Topic::<Small>::new(Arc::new(Stamps::new()), 64);
    let mut subscriptions = subscribe_all(&topic);
    let mut cx = Context::from_waker(Waker::noop());
    let mut round = || {
        let mut publishing = topic.publish([1; 8], 0);
        assert_eq!(std::pin::Pin::new(&mut publishing).poll(&mut cx), Poll::Ready(Ok(())));
        subscriptions.iter_mut().for_each(drain);
    };
    round();
    assert_eq!(allocations(|| (0..ROUNDS).for_each(|_| round())), 0);
}

#[test]
fn sleeping_and_waking_allocates_nothing() {
    let topic = Topic::<Small>::new(Arc::new(Stamps::new()), 64);
    let bell = Arc::new(Doorbell::new());
    let mut sources = [topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap()];
    let woken = common::Counter::new();
    let mut cx = Context::from_waker(woken.waker());
    let allocated = allocations(|| {
        for _ in 0..ROUNDS {
            assert!(poll_pick(&mut sources, &bell, &mut cx).is_pending());
            topic.try_publish([1; 8], 0).unwrap();
            drain(&mut sources[0]);
        }
    });
    assert_eq!(allocated, 0);
    assert_eq!(woken.count() as u64, ROUNDS);
}

#[test]
fn an_inbox_in_steady_use_allocates_nothing() {
    let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
    let mut inbox = Inbox::new(stamps, Arc::clone(&bell), InboxOptions::<Small>::default());
    let sender = inbox.sender();
    let mut cx = Context::from_waker(Waker::noop());
    let mut round = |messages: u64| {
        for number in 0..messages {
            sender.try_send([number; 8]).unwrap();
        }
        for number in 0..messages {
            inbox.head().unwrap();
            assert_eq!(inbox.take(), Some([number; 8]));
        }
        assert!(poll_pick(std::slice::from_mut(&mut inbox), &bell, &mut cx).is_pending());
    };
    round(300);
    assert_eq!(allocations(|| (0..4).for_each(|_| round(300))), 0);
    // Shrinking after the burst costs a few allocations, then small use costs none.
    (0..20).for_each(|_| round(3));
    assert_eq!(allocations(|| (0..ROUNDS).for_each(|_| round(3))), 0);
}

#[test]
fn an_idle_inbox_is_tiny_and_a_burst_is_given_back() {
    let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
    let mut kept = None;
    let idle = peak_bytes(|| {
        let bell = Arc::new(Doorbell::new());
        let inbox = Inbox::new(Arc::clone(&stamps), bell, InboxOptions::<Parcel>::default());
        let sender = inbox.sender();
        kept = Some((inbox, sender));
    });
    let size = usize::try_from(idle).unwrap() + size_of::<Inbox<Parcel>>();
    assert!(size < 360, "an idle inbox with its doorbell takes {size} bytes");

    let mut burst_kept = 0;
    let mut inbox = Inbox::new(stamps, Arc::clone(&bell), InboxOptions::<Small>::default());
    let before = heap::live_bytes();
    let sender = inbox.sender();
    let mut cx = Context::from_waker(Waker::noop());
    for burst in [1000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1] {
        (0..burst).for_each(|number| sender.try_send([number; 8]).unwrap());
        while inbox.head().is_some() {
            inbox.advance();
        }
        assert!(poll_pick(std::slice::from_mut(&mut inbox), &bell, &mut cx).is_pending());
        burst_kept = burst_kept.max(heap::live_bytes() - before);
    }
    assert!(burst_kept > 64_000, "the burst was queued in {burst_kept} bytes");
    let left = heap::live_bytes() - before;
    assert!(left < 6_000, "after the burst {left} bytes are left");
}

#[test]
fn parcels_and_future_slots_reuse_what_they_have() {
    let boxed = allocations(|| drop(Parcel::new([1_u64; 8])));
    assert_eq!(boxed, 0);
    assert_eq!(allocations(|| drop(Parcel::new([1_u64; 9]))), 1);

    let mut slot = FutureSlot::new();
    let mut cx = Context::from_waker(Waker::noop());
    let mut run = |slot: &mut FutureSlot, ballast: [u64; 30]| {
        let waiting = async move {
            std::future::pending::<()>().await;
            ballast
        };
        assert!(matches!(slot.start(waiting, &mut cx), Started::Parked(_)));
    };
    assert_eq!(allocations(|| run(&mut slot, [1; 30])), 1);
    assert_eq!(allocations(|| (0..ROUNDS).for_each(|round| run(&mut slot, [round; 30]))), 0);
}

#[test]
fn a_future_slot_gives_back_each_buffer_that_it_outgrows() {
    let before = heap::live_bytes();
    let mut cx = Context::from_waker(Waker::noop());
    let mut slot = FutureSlot::new();
    // The first does not fit the smallest buffer, and no later one fits that of the one before.
    drop(slot.start(kept([1_u8; 1_000]), &mut cx));
    drop(slot.start(kept([1_u8; 10_000]), &mut cx));
    drop(slot.start(kept([1_u8; 100_000]), &mut cx));
    let held = heap::live_bytes() - before;
    // Each holds its ballast twice, and those before the last were a tenth and a hundredth as large.
    assert!((100_000..210_000).contains(&held), "only the last buffer is held: {held} bytes");
    drop(slot);
    assert_eq!(heap::live_bytes(), before);
}

/// Keeps what it was given, and waits for ever.
async fn kept<const N: usize>(ballast: [u8; N]) -> [u8; N] {
    std::future::pending::<()>().await;
    ballast
}

#[test]
fn answers_one_after_the_other_use_the_same_memory() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut answer = || {
        let (sender, receiver) = reply();
        let mut receiver = pin!(receiver);
        assert!(receiver.as_mut().poll(&mut cx).is_pending());
        sender.give([7_u64; 8]).unwrap();
        assert_eq!(receiver.poll(&mut cx), Poll::Ready(Some([7; 8])));
    };
    answer();
    assert_eq!(allocations(|| (0..ROUNDS).for_each(|_| answer())), 0);
}

#[test]
fn a_queue_of_large_messages_that_are_read_one_by_one_stays_small() {
    let queue = Fifo::<[u8; 512]>::new(2, 64);
    let peak = peak_bytes(|| {
        for round in 0..10_000_u32 {
            queue.push([round as u8; 512]);
            assert_eq!(queue.next(|message| message[511]), Some(round as u8));
        }
    });
    assert!(peak < 8_192, "{peak} bytes for one message of 512 bytes at a time");
}

/// Bytes that stay of a publish that is dropped before its first poll, and of one that is dropped while it
/// waits for room, in a second round: the list of those who wait has its memory then.
fn left_of_given_up<M: Clone + Send + Sync + 'static>(message: impl Fn() -> M) -> i64 {
    let topic = Topic::<M>::new(Arc::new(Stamps::new()), 1);
    let options = SubscribeOptions { capacity: Some(1), ..SubscribeOptions::default() };
    let _full = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    assert!(topic.try_publish(message(), 0).is_ok());
    let give_up = || {
        drop(topic.publish(message(), 0));
        let mut waits = topic.publish(message(), 0);
        assert!(pin!(&mut waits).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_ne!(waits.ticket(), 0);
        drop(waits);
    };
    give_up();
    let before = live_bytes();
    give_up();
    live_bytes() - before
}

#[test]
fn a_publish_that_is_given_up_leaves_nothing_in_whatever_form_its_message_lies() {
    assert_eq!(left_of_given_up(|| [7_u64; 8]), 0, "in its slot");
    assert_eq!(left_of_given_up(|| vec![7_u8; 100]), 0, "in its slot, with a destructor");
    assert_eq!(left_of_given_up(|| [7_u64; 128]), 0, "in memory of its own");
    assert_eq!(left_of_given_up(|| ([7_u64; 128], vec![7_u8; 100])), 0, "in that, with a destructor");
}
