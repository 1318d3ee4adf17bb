//! One answer: it comes once or not at all, wakes whoever waits last, and is dropped once.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use mycelium_mailbox::{ReplyReceiver, reply};

mod common;
use common::{Counter, block_on};

fn poll<R>(receiver: &mut ReplyReceiver<R>, waker: &Waker) -> Poll<Option<R>> {
    Pin::new(receiver).poll(&mut Context::from_waker(waker))
}

#[test]
fn an_answer_comes_before_or_after_it_is_waited_for() {
    let (sender, mut receiver) = reply();
    sender.give("early").unwrap();
    assert_eq!(poll(&mut receiver, Waker::noop()), Poll::Ready(Some("early")));
    let (sender, mut receiver) = reply();
    let counter = Counter::new();
    assert!(poll(&mut receiver, counter.waker()).is_pending());
    assert!(poll(&mut receiver, counter.waker()).is_pending());
    sender.give("late").unwrap();
    assert_eq!(counter.count(), 1);
    assert_eq!(poll(&mut receiver, counter.waker()), Poll::Ready(Some("late")));
    let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut receiver, counter.waker())));
    assert!(polled.is_err(), "it was ready");
}

#[test]
fn the_last_waker_is_woken_and_all_of_them_are_dropped() {
    let (sender, mut receiver) = reply();
    let [first, second] = [Counter::new(), Counter::new()];
    assert!(poll(&mut receiver, first.waker()).is_pending());
    assert!(poll(&mut receiver, second.waker()).is_pending());
    sender.give(1).unwrap();
    assert_eq!((first.count(), second.count()), (0, 1));
    assert_eq!(poll(&mut receiver, first.waker()), Poll::Ready(Some(1)));
    // One that leaves while it waits.
    let (sender, mut receiver) = reply();
    assert!(poll(&mut receiver, first.waker()).is_pending());
    drop(receiver);
    assert!(sender.is_in_vain());
    assert_eq!(sender.give(2), Err(2));
    assert_eq!(first.count(), 0, "nobody waits");
}

#[test]
fn whoever_waits_for_a_sender_that_goes_is_told() {
    let (sender, mut receiver) = reply::<u8>();
    let counter = Counter::new();
    assert!(poll(&mut receiver, counter.waker()).is_pending());
    drop(sender);
    assert_eq!(counter.count(), 1);
    assert_eq!(poll(&mut receiver, counter.waker()), Poll::Ready(None));
    let (sender, mut receiver) = reply::<u8>();
    drop(sender);
    assert_eq!(poll(&mut receiver, counter.waker()), Poll::Ready(None));
}

#[test]
fn an_answer_that_nobody_takes_is_dropped_once() {
    let kept = Rc::new(());
    let (sender, receiver) = reply();
    sender.give(Rc::clone(&kept)).unwrap();
    drop(receiver);
    assert_eq!(Rc::strong_count(&kept), 1);
    let (sender, receiver) = reply();
    drop(receiver);
    drop(sender.give(Rc::clone(&kept)).unwrap_err());
    assert_eq!(Rc::strong_count(&kept), 1);
    drop(reply::<Rc<()>>());
}

#[test]
fn answers_cross_threads() {
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    let (questions, asked) = std::sync::mpsc::channel::<(u64, mycelium_mailbox::ReplySender<u64>)>();
    let answering = std::thread::spawn(move || {
        for (number, sender) in asked {
            if number % 5 > 0 {
                let _ = sender.give(number + 1);
            }
        }
    });
    for number in 0..rounds {
        let (sender, mut receiver) = reply();
        questions.send((number, sender)).unwrap();
        match number % 7 {
            0 => drop(receiver),
            1 => drop(poll(&mut receiver, Waker::noop())),
            _ => assert_eq!(block_on(receiver), (number % 5 > 0).then_some(number + 1)),
        }
    }
    drop(questions);
    answering.join().unwrap();
}
