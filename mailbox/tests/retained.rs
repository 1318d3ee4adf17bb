//! What a topic retains for late subscribers: each gets it first, in order and once, before what follows.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use mycelium_mailbox::{
    Doorbell, Overflow, RETAINED_MAX, Retain, Source, Stamps, SubscribeOptions, Subscription, Topic,
};
use mycelium_random::{Random, seeds};

/// A number that is plain data, one with a destructor, and one that is too large to lie in a slot.
trait Number: Clone + std::fmt::Debug + Send + Sync + 'static {
    fn new(number: u64, witness: &Arc<()>) -> Self;
    fn number(&self) -> u64;
}

#[derive(Clone, Debug)]
struct Owned(u64, #[allow(dead_code, reason = "counted by its Arc")] Arc<()>);

#[derive(Clone, Debug)]
struct Large(Owned, #[allow(dead_code, reason = "makes it large")] [u64; 8]);

#[derive(Clone, Debug)]
struct LargePlain(u64, #[allow(dead_code, reason = "makes it large")] [u64; 9]);

impl Number for u64 {
    fn new(number: u64, _: &Arc<()>) -> Self {
        number
    }
    fn number(&self) -> u64 {
        *self
    }
}

impl Number for Owned {
    fn new(number: u64, witness: &Arc<()>) -> Self {
        Self(number, Arc::clone(witness))
    }
    fn number(&self) -> u64 {
        self.0
    }
}

impl Number for Large {
    fn new(number: u64, witness: &Arc<()>) -> Self {
        Self(Owned::new(number, witness), [0; 8])
    }
    fn number(&self) -> u64 {
        self.0.0
    }
}

impl Number for LargePlain {
    fn new(number: u64, _: &Arc<()>) -> Self {
        Self(number, [0; 9])
    }
    fn number(&self) -> u64 {
        self.0
    }
}

/// Under which messages of these tests are retained and conflated.
fn key(number: u64) -> u64 {
    number % 3
}

fn retaining<M: Clone + Send + Sync + 'static>(capacity: u32, retain: Retain<M>) -> Topic<M> {
    Topic::retaining(Arc::new(Stamps::new()), capacity, retain)
}

fn late<M>(overflow: Overflow<M>) -> SubscribeOptions<M> {
    SubscribeOptions { overflow, retained: true, ..SubscribeOptions::default() }
}

fn subscribe<M: Clone + Send + Sync + 'static>(
    topic: &Topic<M>,
    options: SubscribeOptions<M>,
) -> Subscription<M> {
    topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
}

fn read<M: Number>(queue: &mut Subscription<M>, most: usize) -> Vec<u64> {
    let mut read = Vec::new();
    while read.len() < most && queue.head().is_some() {
        read.push(queue.peek().unwrap().message.number());
        queue.advance();
    }
    read
}

/// What one subscriber has still to get.
struct Expected {
    id: u64,
    /// Of what was retained.
    first: VecDeque<u64>,
    then: VecDeque<u64>,
    policy: &'static str,
    capacity: usize,
    left: u64,
}

impl Expected {
    fn put(&mut self, number: u64) {
        let full = self.then.len() >= self.capacity;
        match self.policy {
            "drop_oldest" if full => _ = self.then.pop_front(),
            "drop_newest" if full => return,
            "conflate" => match self.then.iter().position(|other| key(*other) == key(number)) {
                Some(same) => _ = self.then.remove(same),
                None if full => _ = self.then.pop_front(),
                None => {}
            },
            _ => assert!(!full || self.policy != "block", "the model of a `Block` subscriber has no room"),
        }
        self.then.push_back(number);
    }

    fn next(&mut self) -> Option<u64> {
        self.first.pop_front().or_else(|| self.then.pop_front())
    }
}

/// The model of what a topic retains: all that was published, and who published it.
struct Retained {
    all: Vec<(u64, u64)>,
    per_key: bool,
    most: usize,
}

impl Retained {
    fn now(&self) -> Vec<(u64, u64)> {
        let mut kept: Vec<(u64, u64)> = Vec::new();
        for message in &self.all {
            if self.per_key {
                kept.retain(|other| key(other.0) != key(message.0));
            }
            kept.push(*message);
            if kept.len() > self.most {
                kept.remove(0);
            }
        }
        kept
    }
}

fn any_policy<M: Number>(random: &mut Random) -> (Overflow<M>, &'static str) {
    match random.below(4) {
        0 => (Overflow::DropOldest, "drop_oldest"),
        1 => (Overflow::DropNewest, "drop_newest"),
        2 => (Overflow::conflate(|message: &M| key(message.number())), "conflate"),
        _ => (Overflow::Block, "block"),
    }
}

fn any_topic<M: Number>(random: &mut Random) -> (Topic<M>, Retained) {
    let (per_key, most) = (random.chance(50), random.below(5) as u32 + 1);
    let retain = if per_key {
        Retain::LastPerKey { key: Arc::new(|message: &M| key(message.number())), keys_max: most }
    } else {
        Retain::Last(most)
    };
    (retaining(4, retain), Retained { all: Vec::new(), per_key, most: most as usize })
}

fn against_the_model<M: Number>(seed: u64) {
    let mut random = Random::new(seed);
    let witness = Arc::new(());
    let (topic, mut retained) = any_topic::<M>(&mut random);
    let mut subscribers: Vec<(Subscription<M>, Expected)> = Vec::new();
    let (mut number, mut given, mut unread) = (0, 0, 0);
    for _ in 0..random.below(200) {
        match random.below(10) {
            0 | 1 => {
                let (id, asks) = (random.below(3), random.chance(70));
                let (overflow, policy) = any_policy::<M>(&mut random);
                let capacity = random.pick(&[1_u32, 2, 3, 4, 9, 64]);
                let options = SubscribeOptions {
                    overflow,
                    capacity: Some(capacity),
                    id,
                    retained: asks,
                    ..Default::default()
                };
                let kept =
                    retained.now().into_iter().filter(|(_, sender)| asks && (id == 0 || *sender != id));
                let first: VecDeque<_> = kept.map(|(number, _)| number).collect();
                given += first.len() as u64;
                let (then, capacity) = (VecDeque::new(), capacity as usize);
                let expected = Expected { id, first, then, policy, capacity, left: 0 };
                let queue = subscribe(&topic, options);
                assert_eq!(queue.unread(), expected.first.len() as u64, "seed {seed}");
                subscribers.push((queue, expected));
            }
            2 if !subscribers.is_empty() => {
                let (queue, expected) = subscribers.swap_remove(random.index(subscribers.len()));
                let left = (expected.first.len() + expected.then.len()) as u64;
                assert_eq!(queue.leave(), left + expected.left, "seed {seed}");
                unread += left;
            }
            3..=5 if !subscribers.is_empty() => {
                let at = random.index(subscribers.len());
                let (queue, expected) = &mut subscribers[at];
                let most = random.index(8);
                let model: Vec<_> = (0..most).map_while(|_| expected.next()).collect();
                assert_eq!(read(queue, most), model, "seed {seed}");
                // A subscriber under another policy than `Block` has taken the next one in hand: no policy
                // drops it any more.
                queue.commit();
            }
            _ => {
                let sender = random.below(3);
                let room =
                    |(_, other): &(_, Expected)| other.policy != "block" || other.then.len() < other.capacity;
                // A `Block` subscriber tells how far it is only now and then, and own messages take its room
                // until it looks.
                if !subscribers.iter().all(room)
                    || topic.try_publish(M::new(number, &witness), sender).is_err()
                {
                    continue;
                }
                retained.all.push((number, sender));
                for (_, expected) in &mut subscribers {
                    if sender == 0 || expected.id != sender {
                        expected.put(number);
                    }
                }
                number += 1;
            }
        }
    }
    for (queue, expected) in &mut subscribers {
        let model: Vec<_> = std::iter::from_fn(|| expected.next()).collect();
        assert_eq!(read(queue, usize::MAX), model, "seed {seed}");
    }
    let stats = topic.stats();
    assert_eq!((stats.retained_given, stats.unread), (given, unread), "seed {seed}");
    assert_eq!(stats.retained, retained.now().len() as u64, "seed {seed}");
    drop((topic, subscribers));
    assert_eq!(Arc::strong_count(&witness), 1, "seed {seed}: nothing is kept");
}

#[test]
fn late_subscribers_get_what_is_retained_and_then_what_follows_as_a_naive_model_says() {
    for seed in seeds(400) {
        against_the_model::<u64>(seed);
        against_the_model::<Owned>(seed);
        against_the_model::<Large>(seed);
        against_the_model::<LargePlain>(seed);
    }
}

/// The topic's ring is replaced, and let go of by all others, before a late one has come to it.
fn late_while_rings_change<M: Number>() {
    for reads in [true, false] {
        let witness = Arc::new(());
        let topic = retaining::<M>(4, Retain::Last(1));
        topic.try_publish(M::new(0, &witness), 0).unwrap();
        let mut queue = subscribe(&topic, late(Overflow::Block));
        topic.try_publish(M::new(1, &witness), 0).unwrap();
        drop(subscribe(&topic, SubscribeOptions { capacity: Some(8), ..SubscribeOptions::default() }));
        topic.try_publish(M::new(2, &witness), 0).unwrap();
        if reads {
            assert_eq!(read(&mut queue, 9), [0, 1, 2]);
            drop(queue);
        } else {
            assert_eq!(queue.leave(), 3);
        }
        drop(topic);
        assert_eq!(Arc::strong_count(&witness), 1, "nothing is kept");
    }
}

#[test]
fn a_late_subscriber_goes_on_in_the_ring_that_was_the_topics_when_it_came() {
    late_while_rings_change::<u64>();
    late_while_rings_change::<LargePlain>();
    late_while_rings_change::<Owned>();
    late_while_rings_change::<Large>();
}

#[test]
fn what_is_retained_takes_none_of_a_late_subscribers_room() {
    for overflow in [Overflow::Block, Overflow::Fail, Overflow::DropNewest] {
        let topic = retaining::<u64>(8, Retain::Last(5));
        (0..7).for_each(|number| topic.try_publish(number, 0).unwrap());
        let mut queue = subscribe(&topic, SubscribeOptions { capacity: Some(1), ..late(overflow.clone()) });
        topic.try_publish(7, 0).unwrap();
        // Its room is taken now; also after it has read some of what was retained.
        assert_eq!(read(&mut queue, 3), [2, 3, 4]);
        queue.commit();
        let published = topic.try_publish(8, 0).is_ok();
        assert_eq!(published, matches!(overflow, Overflow::DropNewest));
        assert_eq!(read(&mut queue, 9), [5, 6, 7], "under {overflow:?}");
        topic.try_publish(9, 0).unwrap();
        assert_eq!(read(&mut queue, 9), [9]);
    }
}

#[test]
fn who_does_not_ask_gets_nothing_and_a_topic_that_retains_nothing_has_nothing() {
    let topic = retaining::<u64>(8, Retain::Last(2));
    topic.try_publish(1, 0).unwrap();
    assert_eq!(read(&mut subscribe(&topic, SubscribeOptions::default()), 9), [0u64; 0]);
    let plain = Topic::<u64>::new(Arc::new(Stamps::new()), 8);
    plain.try_publish(1, 0).unwrap();
    assert_eq!(read(&mut subscribe(&plain, late(Overflow::Block)), 9), [0u64; 0]);
    assert_eq!(topic.stats().published, 0, "nobody was subscribed");
}

#[test]
fn keys_beyond_the_bound_are_forgotten_and_counted() {
    let key = Arc::new(|number: &u64| *number);
    let topic = retaining::<u64>(8, Retain::LastPerKey { key, keys_max: 2 });
    for number in [1, 2, 1, 3] {
        topic.try_publish(number, 0).unwrap();
    }
    assert_eq!(read(&mut subscribe(&topic, late(Overflow::Block)), 9), [1, 3]);
    let stats = topic.stats();
    assert_eq!((stats.retained, stats.retained_evicted, stats.retained_given), (2, 1, 2));
}

#[test]
fn the_bound_is_clamped() {
    let topic = retaining::<u64>(1, Retain::Last(0));
    (0..3).for_each(|number| topic.try_publish(number, 0).unwrap());
    assert_eq!(read(&mut subscribe(&topic, late(Overflow::Block)), 9), [2]);
    let topic = retaining::<u64>(1, Retain::Last(u32::MAX));
    let all = u64::from(RETAINED_MAX) + 10;
    (0..all).for_each(|number| topic.try_publish(number, 0).unwrap());
    let mut queue = subscribe(&topic, late(Overflow::Block));
    assert_eq!(read(&mut queue, usize::MAX), (10..all).collect::<Vec<_>>());
}

/// A message whose `Clone` runs what a test puts here.
#[derive(Debug)]
struct Foreign(u64);

static IN_CLONE: Mutex<Option<Box<dyn FnMut() + Send>>> = Mutex::new(None);

impl Clone for Foreign {
    fn clone(&self) -> Self {
        let hook = IN_CLONE.lock().unwrap().take();
        if let Some(mut hook) = hook {
            hook();
        }
        Self(self.0)
    }
}

impl Number for Foreign {
    fn new(number: u64, _: &Arc<()>) -> Self {
        Self(number)
    }
    fn number(&self) -> u64 {
        self.0
    }
}

#[test]
fn while_retained_messages_are_cloned_others_publish_come_and_leave_and_a_panic_subscribes_nobody() {
    static TOPIC: OnceLock<Topic<Foreign>> = OnceLock::new();
    let topic = TOPIC.get_or_init(|| retaining(8, Retain::Last(2)));
    topic.try_publish(Foreign(0), 0).unwrap();
    topic.try_publish(Foreign(1), 0).unwrap();
    *IN_CLONE.lock().unwrap() = Some(Box::new(|| {
        topic.try_publish(Foreign(2), 0).unwrap();
        drop(subscribe(topic, late(Overflow::Block)));
    }));
    // The one that is published meanwhile comes after what was retained when this one came.
    assert_eq!(read(&mut subscribe(topic, late(Overflow::Block)), 9), [0, 1, 2]);
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        *IN_CLONE.lock().unwrap() = Some(Box::new(|| panic!("a clone")));
        assert!(catch_unwind(AssertUnwindSafe(|| subscribe(topic, late(overflow)))).is_err());
        assert!(topic.subscribers().is_empty());
    }
    *IN_CLONE.lock().unwrap() = Some(Box::new(|| panic!("a clone")));
    assert!(
        catch_unwind(AssertUnwindSafe(|| topic.try_publish(Foreign(3), 0))).is_ok(),
        "the message itself is retained: no clone"
    );
}

/// Panics when it is dropped, if it is told to.
#[derive(Debug)]
struct Sharp(Arc<AtomicBool>, Arc<AtomicU64>);

impl Clone for Sharp {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), Arc::clone(&self.1))
    }
}

impl Drop for Sharp {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
        assert!(!self.0.load(Ordering::SeqCst), "a destructor");
    }
}

#[test]
fn a_destructor_of_what_is_forgotten_ends_no_publisher_and_no_subscriber() {
    let (sharp, drops) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let topic = retaining::<Sharp>(8, Retain::Last(1));
    for _ in 0..3 {
        topic.try_publish(Sharp(Arc::clone(&sharp), Arc::clone(&drops)), 0).unwrap();
    }
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    drop(subscribe(&topic, late(Overflow::Block)));
    drop(subscribe(&topic, late(Overflow::DropOldest)));
    assert_eq!((drops.load(Ordering::SeqCst), topic.stats().unread), (4, 2));
    sharp.store(false, Ordering::SeqCst);
}

/// Copies panic when they are dropped, and where one of 2 is made, as long as they are told to.
#[derive(Debug)]
struct Touchy {
    number: u64,
    is_copy: bool,
    panics: Arc<AtomicBool>,
}

impl Clone for Touchy {
    fn clone(&self) -> Self {
        let panics = Arc::clone(&self.panics);
        assert!(self.number != 2 || !panics.load(Ordering::SeqCst), "a clone");
        Self { number: self.number, is_copy: true, panics }
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        assert!(!self.is_copy || !self.panics.load(Ordering::SeqCst), "a destructor");
    }
}

#[test]
fn a_clone_that_panics_for_a_late_subscriber_counts_nothing_as_given_and_ends_no_process() {
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        let panics = Arc::new(AtomicBool::new(false));
        let topic = retaining::<Touchy>(8, Retain::Last(3));
        for number in 0..3 {
            let message = Touchy { number, is_copy: false, panics: Arc::clone(&panics) };
            topic.try_publish(message, 0).unwrap();
        }
        panics.store(true, Ordering::SeqCst);
        assert!(catch_unwind(AssertUnwindSafe(|| subscribe(&topic, late(overflow.clone())))).is_err());
        panics.store(false, Ordering::SeqCst);
        let stats = topic.stats();
        assert_eq!((stats.retained_given, stats.unread, topic.subscribers().len()), (0, 0, 0));
        let mut queue = subscribe(&topic, late(overflow));
        for number in 0..3 {
            assert!(queue.head().is_some());
            assert_eq!(queue.peek().unwrap().message.number, number);
            queue.advance();
        }
        assert_eq!((topic.stats().retained_given, queue.head()), (3, None));
    }
}

#[test]
fn under_load_each_late_subscriber_gets_a_run_without_gap_or_double() {
    let topic = Arc::new(retaining::<u64>(64, Retain::Last(3)));
    let done = Arc::new(AtomicBool::new(false));
    let publisher = {
        let (topic, done) = (Arc::clone(&topic), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                number += u64::from(topic.try_publish(number, 0).is_ok());
            }
        })
    };
    for round in 0..2_000 {
        let overflow = if round % 2 == 0 { Overflow::Block } else { Overflow::DropNewest };
        let mut queue = subscribe(&topic, late(overflow));
        let read = read(&mut queue, 20);
        assert!(read.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{read:?}");
    }
    done.store(true, Ordering::Relaxed);
    publisher.join().unwrap();
}
