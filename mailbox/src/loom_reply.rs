//! Models of one answer: see `reply.rs`.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::loom_support::{Counted, block_on, explore};
use crate::reply;

#[test]
fn loom_an_answer_reaches_whoever_waits() {
    explore(|| {
        let (sender, receiver) = reply();
        let thread = thread::spawn(move || sender.give(7).unwrap());
        assert_eq!(block_on(receiver), Some(7));
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_sender_that_goes_without_an_answer_is_noticed() {
    explore(|| {
        let (sender, receiver) = reply::<u64>();
        let thread = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver), None);
        thread.join().unwrap();
    });
}

#[test]
fn loom_the_last_of_the_two_frees_the_memory_and_drops_the_answer() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let (sender, receiver) = reply();
        let answer = Counted::new(&alive);
        let thread = thread::spawn(move || drop(sender.give(answer)));
        let mut receiver = receiver;
        let mut cx = Context::from_waker(Waker::noop());
        drop(Pin::new(&mut receiver).poll(&mut cx));
        drop(receiver);
        thread.join().unwrap();
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn loom_whoever_waits_with_another_waker_is_woken_by_that() {
    explore(|| {
        let (sender, receiver) = reply();
        let thread = thread::spawn(move || sender.give(7).unwrap());
        let mut receiver = pin!(receiver);
        let early = receiver.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let answer = match early {
            Poll::Ready(answer) => answer,
            Poll::Pending => block_on(poll_fn(|cx| receiver.as_mut().poll(cx))),
        };
        assert_eq!(answer, Some(7));
        thread.join().unwrap();
    });
}

/// Fails if the receiver gives the memory back before the sender, which wakes it, is out.
#[test]
fn loom_the_memory_of_one_answer_serves_the_next() {
    explore(|| {
        let (sender, receiver) = reply();
        let thread = thread::spawn(move || sender.give(7).unwrap());
        assert_eq!(block_on(receiver), Some(7));
        let (sender, receiver) = reply();
        let next = thread::spawn(move || sender.give(8).unwrap());
        assert_eq!(block_on(receiver), Some(8));
        thread.join().unwrap();
        next.join().unwrap();
    });
}
