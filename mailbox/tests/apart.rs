//! `Block` subscribers with a queue of their own: others wait for them as for any, and what they skip takes
//! none of their room.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use mycelium_mailbox::{
    Doorbell, Obstacle, Source, Stamps, SubscribeOptions, Subscription, Topic, TryPublishError,
};

const OWN: u64 = 7;

fn apart(capacity: u32) -> SubscribeOptions<u64> {
    SubscribeOptions { capacity: Some(capacity), id: OWN, apart: true, ..SubscribeOptions::default() }
}

fn topic() -> Topic<u64> {
    Topic::new(Arc::new(Stamps::new()), 4)
}

fn next(queue: &mut Subscription<u64>) -> Option<u64> {
    queue.head()?;
    let number = queue.peek().map(|delivery| *delivery.message);
    queue.advance();
    queue.commit();
    number
}

#[derive(Default)]
struct Woken(AtomicU32);
impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn who_publishes_waits_for_room_and_is_woken_for_each_place_and_by_who_leaves() {
    let topic = topic();
    let mut queue = topic.subscribe(Arc::new(Doorbell::new()), apart(2)).unwrap();
    (0..2).for_each(|number| topic.try_publish(number, 0).unwrap());
    let Err(TryPublishError::Full { message: 2, by }) = topic.try_publish(2, 0) else {
        panic!("it has room")
    };
    assert_eq!((by.subscriber, by.obstacle), (OWN, Obstacle::Lane));

    for leaves in [false, true] {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut waiting = pin!(topic.publish(2, 0));
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        if leaves {
            assert_eq!(queue.leave(), 2);
            assert_eq!(woken.0.load(Ordering::SeqCst), 1);
            assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
            return;
        }
        assert_eq!((next(&mut queue), next(&mut queue)), (Some(0), Some(1)));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
        assert_eq!(next(&mut queue), Some(2));
        (0..2).for_each(|number| topic.try_publish(number, 0).unwrap());
    }
}

#[test]
fn what_it_skips_takes_none_of_its_room_while_that_is_full() {
    let topic = topic();
    let mut queue = topic.subscribe(Arc::new(Doorbell::new()), apart(1)).unwrap();
    let mut all = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    topic.try_publish(0, 0).unwrap();
    assert_eq!(next(&mut all), Some(0));
    for number in 1..100 {
        assert!(topic.try_publish(1_000, 0).is_err(), "it is full");
        topic.try_publish(number, OWN).unwrap();
        assert_eq!(next(&mut all), Some(number));
    }
    assert_eq!((next(&mut queue), next(&mut queue)), (Some(0), None));
}

#[test]
fn going_to_sleep_wakes_nobody_who_waits_for_another_subscriber() {
    let (topic, bell) = (topic(), Arc::new(Doorbell::new()));
    let mut queue = topic.subscribe(Arc::clone(&bell), apart(8)).unwrap();
    let full = SubscribeOptions { capacity: Some(1), ..SubscribeOptions::default() };
    let _full = topic.subscribe(Arc::new(Doorbell::new()), full).unwrap();
    topic.try_publish(0, 0).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut waiting = pin!(topic.publish(1, 0));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    // Once, because it has made room.
    assert_eq!(next(&mut queue), Some(0));
    assert!(bell.prepare(Waker::noop()) && !queue.arm());
    let before = woken.0.load(Ordering::SeqCst);
    assert!(before <= 1);
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    for _ in 0..3 {
        bell.cancel();
        assert!(bell.prepare(Waker::noop()) && !queue.arm());
    }
    assert_eq!(woken.0.load(Ordering::SeqCst), before);
}

#[test]
fn coming_and_leaving_is_told_where_no_lock_is_held() {
    let topic = topic();
    let seen = Arc::new(AtomicU32::new(0));
    let (count, other) = (Arc::clone(&seen), topic.clone());
    topic.note_changes(Some(Arc::new(move || {
        // Looks, as a link does: it would hang under a lock.
        count.store(1_000 + other.subscribers().len() as u32, Ordering::SeqCst);
    })));
    let bell = Arc::new(Doorbell::new());
    let subscribe = |options| topic.subscribe(Arc::clone(&bell), options).unwrap();
    let (one, two) = (subscribe(SubscribeOptions::default()), subscribe(SubscribeOptions::default()));
    assert_eq!(seen.load(Ordering::SeqCst), 1_002);
    let receivers: Vec<usize> = topic.subscribers().iter().map(|info| info.receiver).collect();
    assert_eq!(receivers[0], receivers[1], "one bell, one receiver");
    drop(one);
    assert_eq!(seen.load(Ordering::SeqCst), 1_001);
    drop(two);
    assert_eq!(seen.load(Ordering::SeqCst), 1_000);
    // One that is apart is no change, whether it comes or leaves.
    drop(subscribe(apart(1)));
    assert_eq!(seen.load(Ordering::SeqCst), 1_000);
    topic.note_changes(None);
    let _third = subscribe(SubscribeOptions::default());
    assert_eq!(seen.load(Ordering::SeqCst), 1_000);
}
