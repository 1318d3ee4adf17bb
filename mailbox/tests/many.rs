//! One receiver of many sources: what a message costs it, and the order in which it is received.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mycelium_mailbox::{
    Doorbell, Inbox, InboxOptions, Interlude, Merge, Overflow, Presence, Sources, Stamps, Stop,
    SubscribeOptions, Topic, poll_pick,
};
use mycelium_random::{Random, seeds};

#[path = "common/any.rs"]
mod any;
mod common;
#[path = "common/counted.rs"]
mod counted;
use any::Any;
use common::block_on;
use counted::{ASKED_MAX, Counted};

type Numbered = (u64, u64);

/// A receiver of an inbox and many topics, every third of them with a lane.
struct Receiver {
    topics: Vec<Topic<Numbered>>,
    sources: Sources<Counted<Any<Numbered>>>,
    bell: Arc<Doorbell>,
    stamps: Arc<Stamps>,
    asked: Rc<Cell<u64>>,
}

impl Receiver {
    fn new(topics: usize) -> Self {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let mut new =
            Self { topics: Vec::new(), sources: Sources::new(), bell, stamps, asked: Rc::default() };
        let options = InboxOptions { capacity: 16, ..InboxOptions::default() };
        let inbox = Inbox::new(Arc::clone(&new.stamps), Arc::clone(&new.bell), options);
        new.join(Any::Inbox(inbox));
        (0..topics).for_each(|_| new.subscribe());
        new
    }

    fn join(&mut self, source: Any<Numbered>) {
        self.sources.push(Counted { source, asked: Rc::clone(&self.asked) });
    }

    fn subscribe(&mut self) {
        let topic = Topic::new(Arc::clone(&self.stamps), 16);
        let lane = self.topics.len() % 3 == 2;
        let overflow = if lane { Overflow::Fail } else { Overflow::Block };
        let options = SubscribeOptions { overflow, ..SubscribeOptions::default() };
        let queue = topic.subscribe(Arc::clone(&self.bell), options).unwrap();
        self.topics.push(topic);
        self.join(Any::Topic(queue));
    }

    fn publish(&self, topic: usize, number: u64) {
        self.topics[topic].try_publish((0, number), 0).unwrap();
    }

    /// Handles what is there, one look for each batch, and returns the numbers.
    fn drain(&mut self) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Some(pick) = self.sources.pick(&self.bell) {
            let source = &mut self.sources[pick.index].source;
            while let Some(((_, number), stamp)) = source.front() {
                if stamp >= pick.below {
                    break;
                }
                seen.push(number);
                source.advance();
            }
        }
        seen
    }

    /// Finds nothing, and sleeps.
    fn sleep(&mut self) {
        let polled = poll_pick(&mut self.sources, &self.bell, &mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        assert!(self.bell.is_asleep());
    }
}

#[test]
fn a_message_costs_the_same_however_many_sources_are_empty() {
    for sleeps in [false, true] {
        for topics in [8, 1_000] {
            let mut receiver = Receiver::new(topics);
            assert!(receiver.drain().is_empty());
            receiver.sleep();
            let before = receiver.asked.get();
            let rounds = 3_000;
            for number in 0..rounds {
                // Neighbours in time are far from each other among the topics.
                receiver.publish(number as usize * 7_919 % topics, number);
                assert!(!receiver.bell.is_asleep(), "it is woken");
                assert_eq!(receiver.drain(), [number]);
                if sleeps {
                    receiver.sleep();
                }
            }
            let asked = (receiver.asked.get() - before) / rounds;
            assert!(asked <= ASKED_MAX, "{topics} topics, sleeps: {sleeps}: asked {asked} times");
        }
    }
}

#[test]
fn messages_that_wait_in_all_sources_cost_the_same_each() {
    let topics = 1_000;
    let mut receiver = Receiver::new(topics);
    receiver.sleep();
    let order: Vec<u64> = (0..topics as u64 * 4).map(|number| number * 7_919 % topics as u64).collect();
    order.iter().zip(0..).for_each(|(&topic, number)| receiver.publish(topic as usize, number));
    let before = receiver.asked.get();
    assert!(receiver.drain().into_iter().eq(0..order.len() as u64), "in the order of publishing");
    let asked = (receiver.asked.get() - before) / order.len() as u64;
    assert!(asked <= ASKED_MAX, "asked {asked} times");
}

#[test]
fn a_handler_that_waits_and_a_rest_between_two_lives_ask_only_sources_that_had_messages() {
    let mut receiver = Receiver::new(1_000);
    receiver.sleep();
    receiver.publish(500, 7);
    receiver.publish(400, 8);
    let pick = receiver.sources.pick(&receiver.bell).unwrap();
    let Receiver { sources, asked, bell, .. } = &mut receiver;
    let before = asked.get();
    let (one, others) = sources.split(pick.index).unwrap();
    assert_eq!(one.source.front().map(|((_, number), _)| number), Some(7));
    others.commit();
    sources.commit();
    let mut interlude = Interlude::begin(sources, false);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(!interlude.poll(&Presence::new(), sources, bell, &mut cx));
    assert!(asked.get() - before <= ASKED_MAX, "asked {} times", asked.get() - before);
    assert_eq!(receiver.drain(), [7, 8]);
}

#[test]
fn what_comes_between_two_lives_and_a_stop_are_not_slept_through() {
    let mut receiver = Receiver::new(20);
    receiver.sleep();
    let presence = Presence::new();
    let mut interlude = Interlude::begin(&mut receiver.sources, false);
    let mut cx = Context::from_waker(Waker::noop());
    for stopped in [false, true] {
        assert!(!interlude.poll(&presence, &mut receiver.sources, &receiver.bell, &mut cx));
        assert!(receiver.bell.is_asleep());
        if stopped {
            presence.ask(Stop::ForGood, &receiver.bell);
        } else {
            receiver.publish(13, 1);
        }
        assert!(!receiver.bell.is_asleep(), "it is woken");
    }
    assert!(interlude.poll(&presence, &mut receiver.sources, &receiver.bell, &mut cx));
    assert_eq!(receiver.drain(), [1]);
}

/// Any number of messages to any topics, sleeps, subscriptions that come and go: all is received that was
/// published, in that order, and a sleeper is woken by each message.
#[test]
fn any_use_of_many_sources_receives_all_in_order() {
    for seed in seeds(if cfg!(miri) { 3 } else { 500 }) {
        let mut random = Random::new(seed);
        let mut receiver = Receiver::new(random.index(12) + 1);
        let (mut number, mut expected) = (0, Vec::new());
        for _ in 0..200 {
            match random.below(10) {
                0..5 => {
                    for _ in 0..=random.below(4) {
                        let topic = random.index(receiver.topics.len());
                        if receiver.topics[topic].try_publish((0, number), 0).is_ok() {
                            expected.push(number);
                        }
                        number += 1;
                    }
                    assert!(expected.is_empty() || !receiver.bell.is_asleep(), "it is woken");
                }
                5 => {
                    // A subscriber that is awake does that.
                    receiver.bell.cancel();
                    receiver.subscribe();
                }
                6 if receiver.topics.len() > 1 => {
                    receiver.bell.cancel();
                    // Messages that wait there go with it.
                    assert_eq!(receiver.drain(), std::mem::take(&mut expected));
                    let at = random.index(receiver.topics.len());
                    receiver.topics.swap_remove(at);
                    drop(receiver.sources.swap_remove(at + 1));
                }
                7 => {
                    // Some of it.
                    let Some(pick) = receiver.sources.pick(&receiver.bell) else { continue };
                    let source = &mut receiver.sources[pick.index].source;
                    assert_eq!(source.front().map(|((_, number), _)| number), Some(expected.remove(0)));
                    source.advance();
                }
                8 if expected.is_empty() => receiver.sleep(),
                _ => assert_eq!(receiver.drain(), std::mem::take(&mut expected)),
            }
        }
        assert_eq!(receiver.drain(), expected);
    }
}

const MESSAGES: u64 = if cfg!(miri) { 50 } else { 10_000 };
const SENDERS: u64 = 2;

/// Real threads: each sender writes its numbers in turn to many topics and an inbox, and hands a baton to the
/// other between two of them now and then, so that the order holds across senders too.
#[test]
fn senders_on_other_threads_are_received_in_order_across_many_sources() {
    for capacity in [1, 64] {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let topics: Vec<Topic<Numbered>> =
            (0..40).map(|_| Topic::new(Arc::clone(&stamps), capacity)).collect();
        let options = InboxOptions { capacity, ..InboxOptions::default() };
        let inbox = Inbox::new(stamps, Arc::clone(&bell), options);
        let sender = inbox.sender();
        let subscribe = |topic: &Topic<Numbered>| {
            Any::Topic(topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap())
        };
        let mut sources: Sources<Any<Numbered>> = topics.iter().map(subscribe).collect();
        sources.push(Any::Inbox(inbox));
        let baton = Arc::new(std::sync::Mutex::new(0));
        let threads: Vec<_> = (0..SENDERS)
            .map(|me| {
                let (topics, sender, baton) = (topics.clone(), sender.clone(), Arc::clone(&baton));
                std::thread::spawn(move || {
                    let mut random = Random::new(me);
                    for _ in 0..MESSAGES {
                        // The number is everybody's, and so is its order.
                        let mut next = baton.lock().unwrap();
                        match random.below(41) as usize {
                            40 => block_on(sender.send((me, *next), me + 1)).unwrap(),
                            topic => block_on(topics[topic].publish((me, *next), me + 1)).unwrap(),
                        }
                        *next += 1;
                    }
                })
            })
            .collect();
        let mut next = 0;
        while next < SENDERS * MESSAGES {
            let picked = block_on(poll_fn(|cx| poll_pick(&mut sources, &bell, cx)));
            let source = &mut sources[picked.index];
            while let Some(((_, number), stamp)) = source.front() {
                if stamp >= picked.below {
                    break;
                }
                assert_eq!(number, next);
                next += 1;
                source.advance();
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let polled = poll_pick(&mut sources, &bell, &mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending);
    }
}
