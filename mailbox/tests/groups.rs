//! One receiver of sources in groups, each of which is read in order by itself: what a message costs it, the
//! order, and that nothing is missed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use mycelium_mailbox::{Doorbell, Groups, Inbox, InboxOptions, Overflow, Stamps, SubscribeOptions, Topic};
use mycelium_random::{Random, seeds};

#[path = "common/any.rs"]
mod any;
mod common;
#[path = "common/counted.rs"]
mod counted;
use any::Any;
use common::block_on;
use counted::{ASKED_MAX, Counted};

type Source = Counted<Any<u64>>;

/// Goes over all groups, takes what `may_take` grants of each, and returns the numbers of groups and
/// messages. A group of which more is there is held.
fn turn<S>(
    groups: &mut Groups<S>,
    bell: &Doorbell,
    any: impl Fn(&mut S) -> &mut Any<u64>,
    mut may_take: impl FnMut(u32) -> u64,
) -> Vec<(u32, u64)>
where
    S: mycelium_mailbox::Source,
{
    let (mut taken, mut at) = (Vec::new(), 0);
    while let Some(place) = groups.turn(at, bell) {
        at += 1;
        groups.hold(place, false);
        let mut left = None;
        while let Some(pick) = groups.pick(place, bell) {
            let number = groups.number(pick.index).unwrap();
            let left = left.get_or_insert_with(|| may_take(number));
            if *left == 0 {
                groups.hold(place, true);
                break;
            }
            let source = any(groups.get_mut(pick.index).unwrap());
            while let Some((message, stamp)) = source.front()
                && stamp < pick.below
                && *left > 0
            {
                taken.push((number, message));
                source.advance();
                *left -= 1;
            }
        }
    }
    groups.end_turn(bell);
    taken
}

/// Whether there is nothing to do, so that the receiver sleeps.
fn sleep<S: mycelium_mailbox::Source>(groups: &mut Groups<S>, bell: &Doorbell, waker: &Waker) -> bool {
    if !bell.prepare(waker) {
        return false;
    }
    let sleeps = !groups.arm(bell);
    if !sleeps {
        bell.cancel();
    }
    sleeps
}

/// A receiver of many topics, every third of them with a lane, and inboxes.
struct Receiver {
    stamps: Arc<Stamps>,
    bell: Arc<Doorbell>,
    groups: Groups<Source>,
    asked: Rc<Cell<u64>>,
}

impl Receiver {
    fn new() -> Self {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        Self { stamps, bell, groups: Groups::new(), asked: Rc::default() }
    }

    /// One of so many topics in this many groups.
    fn of(topics: usize, groups: usize) -> (Self, Vec<Topic<u64>>) {
        let mut new = Self::new();
        let topics = (0..topics).map(|at| new.subscribe((at % groups) as u32, at % 3 == 2).1).collect();
        (new, topics)
    }

    fn join(&mut self, group: u32, source: Any<u64>) -> usize {
        self.groups.push(group, Counted { source, asked: Rc::clone(&self.asked) })
    }

    fn subscribe(&mut self, group: u32, lane: bool) -> (usize, Topic<u64>) {
        let topic = Topic::new(Arc::clone(&self.stamps), 16);
        let overflow = if lane { Overflow::Fail } else { Overflow::Block };
        let options = SubscribeOptions { overflow, ..SubscribeOptions::default() };
        let queue = topic.subscribe(Arc::clone(&self.bell), options).unwrap();
        (self.join(group, Any::Topic(queue)), topic)
    }

    fn turn(&mut self, may_take: impl FnMut(u32) -> u64) -> Vec<(u32, u64)> {
        turn(&mut self.groups, &self.bell, |counted| &mut counted.source, may_take)
    }

    fn drain(&mut self) -> Vec<u64> {
        self.turn(|_| u64::MAX).into_iter().map(|(_, message)| message).collect()
    }

    fn sleep(&mut self) -> bool {
        sleep(&mut self.groups, &self.bell, Waker::noop())
    }
}

#[test]
fn a_message_costs_the_same_however_many_groups_and_sources_are_empty() {
    for sleeps in [false, true] {
        for (topics, groups) in [(8, 1), (8, 8), (1_000, 1), (1_000, 1_000), (1_000, 30)] {
            let (mut receiver, topics) = Receiver::of(topics, groups);
            assert!(receiver.drain().is_empty());
            assert!(receiver.sleep());
            let before = receiver.asked.get();
            let rounds = 3_000;
            for number in 0..rounds {
                // Neighbours in time are far from each other among the topics.
                topics[number as usize * 7_919 % topics.len()].try_publish(number, 0).unwrap();
                assert!(!receiver.bell.is_asleep(), "it is woken");
                assert_eq!(receiver.drain(), [number]);
                if sleeps {
                    assert!(receiver.sleep());
                }
            }
            let asked = (receiver.asked.get() - before) / rounds;
            let of = topics.len();
            assert!(asked <= ASKED_MAX, "{of} in {groups}, sleeps: {sleeps}: asked {asked} times");
        }
    }
}

#[test]
fn a_group_that_has_had_nothing_for_some_turns_is_looked_at_no_more() {
    let (mut receiver, topics) = Receiver::of(1_000, 1_000);
    for (topic, number) in topics.iter().zip(0..) {
        topic.try_publish(number, 0).unwrap();
    }
    assert_eq!(receiver.drain().len(), topics.len());
    (0..10).for_each(|_| assert!(receiver.drain().is_empty()));
    let before = receiver.asked.get();
    (0..100).for_each(|_| assert!(receiver.drain().is_empty()));
    assert_eq!(receiver.asked.get(), before);
    topics[500].try_publish(7, 0).unwrap();
    assert_eq!(receiver.drain(), [7]);
}

/// Groups of few sources, and of many.
#[test]
fn a_group_that_is_held_keeps_nobody_awake_and_holds_up_no_other() {
    for others in [2, 20] {
        let mut receiver = Receiver::new();
        let (_, held) = receiver.subscribe(7, false);
        let (_, beside) = receiver.subscribe(7, false);
        let topics: Vec<_> = (0..others).map(|at| receiver.subscribe(at / 2, false).1).collect();
        assert!(receiver.drain().is_empty());
        assert!(receiver.sleep());
        held.try_publish(1, 0).unwrap();
        assert!(!receiver.bell.is_asleep());
        let other_groups = |group| if group == 7 { 0 } else { u64::MAX };
        for round in 0..3 {
            assert!(receiver.turn(other_groups).is_empty());
            assert!(receiver.groups.holds_any());
            while !receiver.sleep() {
                // What came beside it may ring once.
                assert_eq!(round, 1);
                assert!(receiver.turn(other_groups).is_empty());
            }
            topics[0].try_publish(2, 0).unwrap();
            assert!(!receiver.bell.is_asleep(), "the others are heard");
            assert_eq!(receiver.turn(other_groups), [(0, 2)]);
            assert!(receiver.sleep());
            if round == 0 {
                beside.try_publish(3, 0).unwrap();
                receiver.bell.cancel();
            }
        }
        receiver.bell.cancel();
        assert!(!receiver.groups.are_empty(&receiver.bell));
        assert!(receiver.groups.holds_any(), "a look changes nothing");
        assert_eq!(receiver.drain(), [1, 3], "once there is room it goes on");
        assert!(!receiver.groups.holds_any());
        assert!(receiver.sleep());
        held.try_publish(4, 0).unwrap();
        assert!(!receiver.bell.is_asleep(), "it is armed again");
        assert_eq!(receiver.drain(), [4]);
    }
}

/// What waits in a group that is held is taken out.
#[test]
fn a_group_that_was_held_and_emptied_otherwise_is_heard_again() {
    for beside in [false, true] {
        let (mut receiver, topics) = Receiver::of(10, 10);
        let other = receiver.subscribe(0, false).1;
        assert!(receiver.sleep());
        topics[0].try_publish(1, 0).unwrap();
        assert!(receiver.turn(|_| 0).is_empty());
        assert!(receiver.groups.holds_any());
        drop(receiver.groups.remove(0));
        if !beside {
            // The group goes, and its number comes again.
            drop(receiver.groups.remove(10));
            assert!(!receiver.groups.holds_any());
        }
        let topic = if beside { other } else { receiver.subscribe(0, false).1 };
        assert!(receiver.sleep());
        topic.try_publish(2, 0).unwrap();
        assert!(!receiver.bell.is_asleep());
        assert!(!receiver.sleep(), "no turn has come between");
        assert_eq!(receiver.drain(), [2]);
    }
}

#[test]
fn each_group_is_first_in_its_turn() {
    for groups in [3, 30] {
        let (mut receiver, topics) = Receiver::of(groups, groups);
        (0..2).for_each(|_| topics.iter().for_each(|topic| topic.try_publish(0, 0).unwrap()));
        let mut first = BTreeSet::new();
        for _ in 0..groups {
            // Room for one message in each turn.
            let mut room = 1;
            let taken = receiver.turn(|_| std::mem::take(&mut room));
            first.extend(taken.into_iter().map(|(group, _)| group));
        }
        assert_eq!(first.len(), groups);
    }
}

#[test]
fn a_source_that_was_left_alone_is_told_of_in_the_group_to_which_it_went() {
    let (mut receiver, topics) = Receiver::of(20, 2);
    assert!(receiver.sleep());
    for (index, number) in [(3, 9), (4, 0), (5, 0), (7, 7)] {
        receiver.groups.regroup(index, number);
        assert_eq!(receiver.groups.number(index), Some(number));
    }
    for (number, topic) in [3, 4, 5, 7, 6, 2, 3].into_iter().zip(0..) {
        topics[number].try_publish(topic, 0).unwrap();
    }
    assert!(!receiver.bell.is_asleep());
    let mut by_group = BTreeMap::<_, Vec<_>>::new();
    for (group, message) in receiver.turn(|_| u64::MAX) {
        by_group.entry(group).or_default().push(message);
    }
    assert_eq!(by_group, BTreeMap::from([(0, vec![1, 2, 4, 5]), (7, vec![3]), (9, vec![0, 6])]));
}

#[test]
fn sources_that_are_not_there_are_none() {
    let (mut receiver, _topics) = Receiver::of(3, 3);
    assert!(receiver.groups.remove(1).is_some());
    assert!(receiver.groups.remove(1).is_none() && receiver.groups.remove(9).is_none());
    assert!(receiver.groups.get(1).is_none() && receiver.groups.get_mut(1).is_none());
    receiver.groups.regroup(1, 5);
    assert_eq!((receiver.groups.number(1), receiver.groups.number(9)), (None, None));
    assert!(receiver.groups.pick(9, &receiver.bell).is_none());
    assert_eq!(receiver.groups.iter().count(), 2);
    assert_eq!(receiver.groups.into_sources().count(), 2);
}

/// What is known of one source by a model.
struct Known {
    index: usize,
    group: u32,
    topic: Topic<u64>,
    waiting: Vec<u64>,
}

/// A receiver with a model of it.
struct Checked {
    receiver: Receiver,
    sources: Vec<Known>,
    /// The groups that are held.
    held: BTreeSet<u32>,
    number: u64,
}

impl Checked {
    fn publish(&mut self, at: usize) {
        let Known { topic, waiting, group, .. } = &mut self.sources[at];
        if topic.try_publish(self.number, 0).is_ok() {
            waiting.push(self.number);
            assert!(self.held.contains(group) || !self.receiver.bell.is_asleep(), "it is woken");
        }
        self.number += 1;
    }

    /// In each group the oldest of its messages comes first, and nothing is left but in those that are held.
    fn turn(&mut self, random: &mut Random) {
        let (sources, held) = (&mut self.sources, &mut self.held);
        held.clear();
        let mut credit = BTreeMap::new();
        let taken = self.receiver.turn(|group| {
            let most = if random.below(3) == 0 { random.below(4) } else { u64::MAX };
            credit.insert(group, most);
            most
        });
        for (group, message) in taken {
            let of_group = sources.iter_mut().filter(|known| known.group == group);
            let oldest = of_group.filter(|known| !known.waiting.is_empty()).min_by_key(|k| k.waiting[0]);
            assert_eq!(oldest.unwrap().waiting.remove(0), message);
            *credit.get_mut(&group).unwrap() -= 1;
        }
        for known in sources.iter().filter(|known| !known.waiting.is_empty()) {
            assert_eq!(credit.get(&known.group), Some(&0), "it is not missed");
            held.insert(known.group);
        }
        assert_eq!(self.receiver.groups.holds_any(), !held.is_empty());
    }

    fn is_left(&self) -> bool {
        self.sources.iter().any(|known| !known.waiting.is_empty() && !self.held.contains(&known.group))
    }

    fn change(&mut self, random: &mut Random) {
        // A receiver that is awake does that, and has a turn before it sleeps.
        self.receiver.bell.cancel();
        let group = random.below(5) as u32;
        match random.below(3) {
            0 => {
                let (index, topic) = self.receiver.subscribe(group, random.below(3) == 0);
                self.sources.push(Known { index, group, topic, waiting: Vec::new() });
            }
            1 if self.sources.len() > 1 => {
                // Messages that wait there go with it.
                let known = self.sources.swap_remove(random.index(self.sources.len()));
                assert!(self.receiver.groups.remove(known.index).is_some());
            }
            _ => {
                let at = random.index(self.sources.len());
                self.receiver.groups.regroup(self.sources[at].index, group);
                self.sources[at].group = group;
            }
        }
        self.turn(random);
    }
}

/// Any number of messages to any topics, turns that take a part of what is there, sleeps, sources that come,
/// go and change their group: each group is read in order, nothing is missed, and a sleeper is woken.
#[test]
fn any_use_of_groups_receives_all_in_the_order_of_each() {
    for seed in seeds(if cfg!(miri) { 3 } else { 500 }) {
        let mut random = Random::new(seed);
        let mut receiver = Receiver::new();
        let (index, topic) = receiver.subscribe(0, false);
        let sources = vec![Known { index, group: 0, topic, waiting: Vec::new() }];
        let mut checked = Checked { receiver, sources, held: BTreeSet::new(), number: 0 };
        for _ in 0..300 {
            match random.below(12) {
                0..5 => {
                    for _ in 0..=random.below(4) {
                        checked.publish(random.index(checked.sources.len()));
                    }
                }
                5..8 => checked.change(&mut random),
                8..10 => {
                    checked.receiver.bell.cancel();
                    checked.turn(&mut random);
                }
                _ => {
                    let slept = checked.receiver.sleep();
                    assert!(!slept || !checked.is_left(), "it sleeps beside a message");
                    if !slept {
                        checked.turn(&mut random);
                    }
                }
            }
        }
        checked.receiver.bell.cancel();
        checked.receiver.turn(|_| u64::MAX);
        assert!(checked.receiver.groups.are_empty(&checked.receiver.bell));
        assert!(checked.receiver.sleep());
    }
}

const MESSAGES: u64 = if cfg!(miri) { 50 } else { 10_000 };
const SENDERS: u64 = 2;
const GROUPS: u32 = 3;

/// Real threads write numbers, in one order, to many topics and an inbox in some groups: each group is read
/// in that order.
#[test]
fn senders_on_other_threads_are_received_in_the_order_of_each_group() {
    for capacity in [1, 64] {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let topics: Vec<Topic<u64>> = (0..40).map(|_| Topic::new(Arc::clone(&stamps), capacity)).collect();
        let options = InboxOptions { capacity, ..InboxOptions::default() };
        let inbox = Inbox::new(stamps, Arc::clone(&bell), options);
        let sender = inbox.sender();
        let mut groups = Groups::new();
        for (topic, at) in topics.iter().zip(0..) {
            let queue = topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap();
            groups.push(at % GROUPS, Any::Topic(queue));
        }
        groups.push(0, Any::Inbox(inbox));
        let next = Arc::new(Mutex::new(0));
        let threads: Vec<_> = (0..SENDERS)
            .map(|me| {
                let (topics, sender, next) = (topics.clone(), sender.clone(), Arc::clone(&next));
                std::thread::spawn(move || {
                    let mut random = Random::new(me);
                    for _ in 0..MESSAGES {
                        // The number is everybody's, and so is its order.
                        let mut next = next.lock().unwrap();
                        match random.below(41) as usize {
                            40 => block_on(sender.send(*next, me + 1)).unwrap(),
                            topic => block_on(topics[topic].publish(*next, me + 1)).unwrap(),
                        }
                        *next += 1;
                    }
                })
            })
            .collect();
        let (mut received, mut last) = (0, BTreeMap::new());
        let mut random = Random::new(SENDERS);
        while received < SENDERS * MESSAGES {
            let taken = turn(&mut groups, &bell, |any| any, |_| random.below(9));
            received += taken.len() as u64;
            for (group, number) in taken {
                assert!(last.insert(group, number).is_none_or(|before| before < number));
            }
            // A group that is held may be all that there is: then there is credit at once.
            if !groups.holds_any() && received < SENDERS * MESSAGES {
                block_on(poll_fn(|cx| {
                    if sleep(&mut groups, &bell, cx.waker()) { Poll::Pending } else { Poll::Ready(()) }
                }));
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(sleep(&mut groups, &bell, Waker::noop()));
    }
}
