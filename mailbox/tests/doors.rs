//! Whom a topic lets in, what it tells of each message, and what a receiver passes without handling it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};

use mycelium_mailbox::{
    Doorbell, Inbox, InboxOptions, Overflow, PublishError, Source, Stage, StampTimes, Stamps,
    SubscribeOptions, Subscription, Topic, TryPublishError,
};

mod common;
use common::{Counter, subscribe, topic};

fn numbers(queue: &mut Subscription<u64>) -> Vec<u64> {
    let mut all = Vec::new();
    while queue.head().is_some() {
        let delivery = queue.peek().expect("it is visible");
        all.push(*delivery.message);
        queue.advance();
    }
    all
}

#[test]
fn outsiders_are_refused_until_they_are_taken_again() {
    let topic = topic::<u64>(8);
    let mut queue = subscribe(&topic, 0, Overflow::Block);
    topic.pause_ingress();
    topic.pause_ingress();
    assert_eq!(topic.try_publish(1, 0), Err(TryPublishError::Closed(1)));
    assert_eq!(topic.try_publish(2, 9), Ok(()), "a sender with an id is no outsider");
    assert!(!topic.is_closed());
    topic.resume_ingress();
    assert_eq!(topic.try_publish(3, 0), Ok(()));
    assert_eq!(numbers(&mut queue), [2, 3]);
}

#[test]
fn a_closed_topic_stays_closed_whoever_is_taken_again() {
    let topic = topic::<u64>(8);
    let _queue = subscribe(&topic, 0, Overflow::Block);
    topic.pause_ingress();
    topic.close();
    topic.resume_ingress();
    assert_eq!(topic.try_publish(1, 0), Err(TryPublishError::Closed(1)));
    topic.pause_ingress();
    assert_eq!(
        topic.try_publish(2, 9),
        Err(TryPublishError::Closed(2)),
        "it is not opened for others either"
    );
    assert!(topic.is_closed());
}

#[test]
fn an_outsider_that_waits_for_room_is_told_when_outsiders_are_refused() {
    let topic = topic::<u64>(1);
    let mut queue = subscribe(&topic, 0, Overflow::Block);
    topic.try_publish(1, 0).unwrap();
    let woken = Counter::new();
    let mut cx = Context::from_waker(woken.waker());
    let (mut outsider, mut insider) = (topic.publish(2, 0), topic.publish(3, 9));
    assert!(Pin::new(&mut outsider).poll(&mut cx).is_pending());
    assert!(Pin::new(&mut insider).poll(&mut cx).is_pending());
    topic.pause_ingress();
    assert_eq!(woken.count(), 2, "both look again");
    assert_eq!(Pin::new(&mut outsider).poll(&mut cx), Poll::Ready(Err(PublishError::Closed(2))));
    assert!(Pin::new(&mut insider).poll(&mut cx).is_pending());
    assert_eq!(numbers(&mut queue), [1]);
    assert_eq!(Pin::new(&mut insider).poll(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(numbers(&mut queue), [3]);
}

/// Writes down its number when it is woken.
struct Woken(u32, Arc<Mutex<Vec<u32>>>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[test]
fn who_is_apart_is_woken_behind_all_others_whenever_it_went_to_sleep() {
    // More than are woken at once.
    for (others, links) in [(0, 1), (1, 1), (2, 1), (1, 2), (20, 3), (3, 40)] {
        for first in 0..=others {
            let (topic, woken) = (topic::<u64>(8), Arc::default());
            let sleeps = |number: u32| {
                let is_link = (first..first + links).contains(&number);
                let bell = Arc::new(Doorbell::new());
                let options = SubscribeOptions { apart: is_link, ..SubscribeOptions::default() };
                let mut queue = topic.subscribe(Arc::clone(&bell), options).unwrap();
                assert!(queue.head().is_none());
                let waker = Woken(number, Arc::clone(&woken));
                assert!(bell.prepare(&Arc::new(waker).into()) && !queue.arm());
                queue
            };
            let mut queues: Vec<_> = (0..others + links).map(sleeps).collect();
            // One of each leaves, from the midst of the beds, where there are several.
            let mut gone = Vec::new();
            for of in [first..first + links, first + links..others + links] {
                if of.len() > 1 {
                    gone.push(of.start + 1);
                }
            }
            for at in gone.iter().rev() {
                drop(queues.remove(*at as usize));
            }
            topic.try_publish(1, 0).unwrap();
            let woken: Vec<u32> = std::mem::take(&mut woken.lock().unwrap());
            let is_link = |number: &u32| (first..first + links).contains(number);
            assert_eq!(woken.len(), queues.len(), "{woken:?}");
            assert!(woken.is_sorted_by_key(is_link), "{others} {links} {first}: {woken:?}");
        }
    }
}

#[test]
fn messages_in_a_row_share_a_stamp_and_those_whose_times_are_kept_do_not() {
    let stamps = Arc::new(Stamps::new());
    let topic = Topic::<u64>::new(Arc::clone(&stamps), 8);
    let mut queue = subscribe(&topic, 0, Overflow::Block);
    let mut publish = |number| {
        topic.try_publish(number, 0).unwrap();
        let stamp = queue.head().expect("it is visible");
        queue.advance();
        stamp
    };
    assert_eq!(publish(1), publish(2), "nothing came between");
    let clock = Arc::new(Mutex::new(0));
    let time = Arc::clone(&clock);
    topic.keep_times(Some(StampTimes::new(100, move || {
        let mut time = time.lock().unwrap();
        *time += 1;
        Some(*time)
    })));
    // More than are taken in advance, with one of another queue among them.
    let mut timed: Vec<_> = (3..23).map(&mut publish).collect();
    let other = stamps.take();
    timed.extend((23..43).map(&mut publish));
    assert!(timed.is_sorted_by(|one, other| one < other), "{timed:?}");
    assert!(timed[19] < other && other < timed[20], "{other} came between the halves of {timed:?}");
    let known = topic.with_times(|times| timed.iter().map(|&stamp| times.find(stamp)).collect::<Vec<_>>());
    assert_eq!(known, Some((1..=40).collect()));
    assert_eq!(Arc::strong_count(&clock), 2);
    topic.keep_times(None);
    assert_eq!(Arc::strong_count(&clock), 1, "the clock is gone");
    let shared = publish(43);
    assert_eq!(shared, publish(44));
    assert!(shared > timed[39]);
    assert_eq!(*clock.lock().unwrap(), 40);
    assert!(topic.with_times(|_| ()).is_none());
}

#[test]
fn what_is_discarded_is_passed_and_dropped_whatever_its_destructor_does() {
    struct Loud(Arc<()>);
    impl Drop for Loud {
        fn drop(&mut self) {
            assert!(Arc::strong_count(&self.0) < 3, "for the panic hook alone");
        }
    }
    impl Clone for Loud {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0))
        }
    }
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        let topic = topic::<Loud>(8);
        let mut queue = subscribe(&topic, 0, overflow);
        let count = Arc::new(());
        for _ in 0..3 {
            assert!(topic.try_publish(Loud(Arc::clone(&count)), 0).is_ok());
        }
        for left in (0..3).rev() {
            assert!(queue.head().is_some());
            queue.discard();
            assert_eq!((queue.unread(), Arc::strong_count(&count)), (left, left as usize + 1));
        }
        queue.discard();
        assert!(queue.head().is_none(), "without a message it does nothing");
    }
}

#[test]
fn who_tells_how_far_it_is_frees_the_room_of_what_it_has_passed() {
    for overflow in [Overflow::Block, Overflow::DropNewest] {
        let topic = topic::<u64>(64);
        let mut queue = subscribe(&topic, 0, overflow);
        (0..8).for_each(|number| topic.try_publish(number, 0).unwrap());
        for passed in 1..=4 {
            assert!(queue.head().is_some());
            queue.advance();
            queue.commit();
            assert_eq!(topic.subscribers()[0].waiting, 8 - passed);
        }
    }
}

#[test]
fn the_last_lane_takes_the_message_itself_and_a_gate_that_leaves_is_forgotten() {
    let topic = topic::<String>(8);
    let gate = subscribe(&topic, 0, Overflow::Block);
    let mut lane = subscribe(&topic, 0, Overflow::Fail);
    topic.try_publish("both".to_owned(), 0).unwrap();
    drop(gate);
    topic.try_publish("the lane".to_owned(), 0).unwrap();
    for expected in ["both", "the lane"] {
        assert!(lane.head().is_some());
        assert_eq!(lane.peek().map(|delivery| delivery.message.as_str()), Some(expected));
        lane.advance();
    }
    assert_eq!((topic.stats().published, topic.stats().unread), (2, 1));
}

#[test]
fn a_stage_takes_a_state_only_where_it_has_none() {
    let stage = Stage::<u8, ()>::new(1);
    assert_eq!(stage.put(2), Err(2));
    assert_eq!(stage.take(), Some(1));
    assert_eq!(stage.take(), None);
    assert_eq!(stage.put(3), Ok(()));
    assert_eq!(stage.put(4), Err(4));
    assert_eq!(stage.take(), Some(3));
}

#[test]
fn what_is_shown_of_queues_and_futures_says_how_full_they_are() {
    let topic = topic::<u64>(8);
    let queue = subscribe(&topic, 3, Overflow::Block);
    topic.try_publish(1, 0).unwrap();
    let info = topic.subscribers()[0];
    assert_eq!((info.id, info.policy, info.capacity, info.waiting), (3, "block", 8, 1));
    assert_eq!(queue.unread(), 1);
    let bell = Arc::new(Doorbell::new());
    let inbox = Inbox::new(Arc::new(Stamps::new()), bell, InboxOptions::<u64>::default());
    let sender = inbox.sender();
    let sending = sender.send(1, 0);
    assert_eq!(format!("{sending:?}"), "Sending { sent: false, .. }");
    drop(sending);
    sender.try_send(2).unwrap();
    assert!(format!("{inbox:?}").contains("queued: 1"), "{inbox:?}");
}

/// Counts its wakes, and panics when it is cloned while the flag is set.
struct LoudClone(AtomicU32, AtomicBool);

impl LoudClone {
    fn waker(&'static self) -> Waker {
        // SAFETY: the functions below take the pointer for what it is, a reference that lives for ever.
        unsafe { Waker::from_raw(Self::raw(self)) }
    }

    fn raw(this: &'static Self) -> RawWaker {
        static TABLE: RawWakerVTable =
            RawWakerVTable::new(LoudClone::clone, LoudClone::wake, LoudClone::wake, |_| ());
        RawWaker::new(std::ptr::from_ref(this).cast(), &TABLE)
    }

    unsafe fn of(this: *const ()) -> &'static Self {
        // SAFETY: `raw` has made it from such a reference.
        unsafe { &*this.cast() }
    }

    unsafe fn clone(this: *const ()) -> RawWaker {
        // SAFETY: as the caller says.
        let this = unsafe { Self::of(this) };
        assert!(!this.1.load(Ordering::SeqCst), "a rule of the test");
        Self::raw(this)
    }

    unsafe fn wake(this: *const ()) {
        // SAFETY: as the caller says.
        unsafe { Self::of(this) }.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_waker_whose_clone_panics_keeps_nobody_else_asleep() {
    for (others, at) in [(1, 0), (1, 1), (20, 0), (20, 10), (20, 20)] {
        let topic = topic::<u64>(8);
        let loud: &'static LoudClone =
            Box::leak(Box::new(LoudClone(AtomicU32::new(0), AtomicBool::new(false))));
        let woken = Counter::new();
        let mut sleepers = Vec::new();
        for place in 0..=others {
            let bell = Arc::new(Doorbell::of_one_task());
            let mut queue = topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap();
            let waker = if place == at { loud.waker() } else { woken.waker().clone() };
            assert!(queue.head().is_none());
            assert!(bell.prepare(&waker) && !queue.arm());
            sleepers.push((queue, bell));
        }
        loud.1.store(true, Ordering::SeqCst);
        assert_eq!(topic.try_publish(7, 0), Ok(()));
        assert_eq!(woken.count(), others, "the loud one is number {at} of {others}");
        for (mut queue, _) in sleepers {
            assert_eq!(numbers(&mut queue), [7]);
        }
    }
}
