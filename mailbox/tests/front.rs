//! The message in front of a subscription, held: what is passed, what stays, and what is cloned.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mycelium_mailbox::{Doorbell, Overflow, Stamps, SubscribeOptions, Subscription, Topic, TryPublishError};

/// Counts its clones and its drops; asked to, it panics when it is cloned or dropped. `N` words make it small
/// or large.
#[derive(Debug)]
struct Letter<const N: usize> {
    number: usize,
    clones: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
    bomb: Option<&'static str>,
    _text: [u64; N],
}

impl<const N: usize> Clone for Letter<N> {
    fn clone(&self) -> Self {
        assert_ne!(self.bomb, Some("clone"), "asked to panic");
        self.clones.fetch_add(1, Ordering::SeqCst);
        let (clones, drops) = (Arc::clone(&self.clones), Arc::clone(&self.drops));
        Self { clones, drops, ..*self }
    }
}

impl<const N: usize> Drop for Letter<N> {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        assert!(self.bomb != Some("drop") || std::thread::panicking(), "asked to panic");
    }
}

#[derive(Default)]
struct Post {
    clones: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Post {
    fn letter<const N: usize>(&self, number: usize) -> Letter<N> {
        self.bomb(number, None)
    }

    fn bomb<const N: usize>(&self, number: usize, bomb: Option<&'static str>) -> Letter<N> {
        let (clones, drops) = (Arc::clone(&self.clones), Arc::clone(&self.drops));
        Letter { number, clones, drops, bomb, _text: [0; N] }
    }

    fn counts(&self) -> (usize, usize) {
        (self.clones.load(Ordering::SeqCst), self.drops.load(Ordering::SeqCst))
    }
}

fn topic<const N: usize>() -> Topic<Letter<N>> {
    Topic::new(Arc::new(Stamps::new()), 4)
}

fn subscribe<const N: usize>(
    topic: &Topic<Letter<N>>,
    overflow: Overflow<Letter<N>>,
) -> Subscription<Letter<N>> {
    let options = SubscribeOptions { overflow, capacity: Some(2), ..SubscribeOptions::default() };
    topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
}

fn policies<const N: usize>() -> [Overflow<Letter<N>>; 2] {
    [Overflow::Block, Overflow::Fail]
}

fn what_is_held<const N: usize>() {
    for overflow in policies::<N>() {
        let (topic, post) = (topic::<N>(), Post::default());
        let mut queue = subscribe(&topic, overflow);
        assert!(queue.front().is_none());
        (0..2).for_each(|number| topic.try_publish(post.letter(number), 7).unwrap());
        let front = queue.front().unwrap();
        assert_eq!((front.delivery().message.number, front.delivery().sender), (0, 7));
        let refused = topic.try_publish(post.letter(9), 0).unwrap_err();
        assert!(matches!(refused, TryPublishError::Full { .. }), "its place is not free: {refused:?}");
        drop(refused);
        assert_eq!(post.counts(), (0, 1), "not passed, the message stays where it is");
        let front = queue.front().unwrap();
        assert_eq!(front.delivery().message.number, 0);
        front.pass();
        assert_eq!(post.counts(), (0, 2), "passed, it is gone");
        topic.try_publish(post.letter(2), 0).unwrap();
        queue.front().unwrap().discard();
        let taken = queue.front().unwrap().into_owned();
        assert_eq!((taken.number, post.counts()), (2, (0, 3)), "the very message, and still here");
        assert!(queue.front().is_none() && queue.unread() == 0);
    }
}

#[test]
fn a_front_is_held_passed_and_taken_without_a_clone() {
    what_is_held::<0>();
    what_is_held::<20>();
}

fn what_is_shared<const N: usize>() {
    for overflow in policies::<N>() {
        let (topic, post) = (topic::<N>(), Post::default());
        let mut queues = [subscribe(&topic, overflow.clone()), subscribe(&topic, overflow)];
        topic.try_publish(post.letter(1), 0).unwrap();
        let [first, second] = &mut queues;
        let (before, _) = post.counts();
        let taken = [first, second].map(|queue| queue.front().unwrap().into_owned());
        assert!(post.counts().0 <= before + 1, "at most the first is a clone");
        assert_eq!(taken.map(|letter| letter.number), [1, 1]);
        drop((queues, topic));
        let (clones, drops) = post.counts();
        assert_eq!(drops, clones + 1, "each is dropped once");
    }
}

#[test]
fn a_front_that_others_read_too_is_cloned_and_the_last_one_takes_it() {
    what_is_shared::<0>();
    what_is_shared::<20>();
}

fn what_panics<const N: usize>() {
    let (topic, post) = (topic::<N>(), Post::default());
    let mut queues = [subscribe(&topic, Overflow::Block), subscribe(&topic, Overflow::Block)];
    topic.try_publish(post.bomb(1, Some("drop")), 0).unwrap();
    let [first, second] = &mut queues;
    first.front().unwrap().pass();
    assert!(catch_unwind(AssertUnwindSafe(|| second.front().unwrap().pass())).is_err());
    assert!(second.front().is_none(), "it is passed");
    assert_eq!(post.counts().1, 1);
    topic.try_publish(post.bomb(2, Some("drop")), 0).unwrap();
    queues.iter_mut().for_each(|queue| queue.front().unwrap().discard());
    assert_eq!(post.counts().1, 2);
    if N == 0 {
        topic.try_publish(post.bomb(3, Some("clone")), 0).unwrap();
        let [first, second] = &mut queues;
        assert!(catch_unwind(AssertUnwindSafe(|| first.front().unwrap().into_owned())).is_err());
        assert_eq!(first.front().unwrap().delivery().message.number, 3, "it is still there");
        second.front().unwrap().pass();
        assert_eq!(first.front().unwrap().into_owned().number, 3, "nobody else has it now");
    }
}

#[test]
fn a_clone_that_panics_leaves_the_front_and_a_destructor_that_does_has_passed_it() {
    what_panics::<0>();
    what_panics::<20>();
}

#[test]
fn a_front_skips_what_its_subscriber_published_itself() {
    let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 4);
    let options = SubscribeOptions { id: 5, ..SubscribeOptions::default() };
    let mut queue = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    for (number, sender) in [(1, 5), (2, 0), (3, 5)] {
        topic.try_publish(number, sender).unwrap();
    }
    assert_eq!(queue.front().unwrap().into_owned(), 2);
    assert!(queue.front().is_none());
}
