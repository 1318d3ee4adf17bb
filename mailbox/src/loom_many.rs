//! Models of receivers that leave empty sources alone until they are told: see `heads.rs`. Those that name
//! a change of the code were seen to fail with it.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use loom::thread;

use crate::loom_support::{Receiver, block_on, explore, explore_without_fences, inbox};
use crate::sync::Arc;
use crate::{
    Doorbell, Groups, Inbox, Merge, Overflow, Source, Sources, StampTimes, Stamps, SubscribeOptions,
    Subscription, Topic, poll_pick,
};

/// A queue of either kind.
enum Any {
    Topic(Subscription<u64>),
    Inbox(Inbox<u64>),
}

impl Any {
    fn take(&mut self) -> u64 {
        match self {
            Self::Topic(queue) => {
                let message = *queue.peek().unwrap().message;
                queue.advance();
                message
            }
            Self::Inbox(inbox) => inbox.take().unwrap(),
        }
    }
}

impl Source for Any {
    fn head(&mut self) -> Option<u64> {
        match self {
            Self::Topic(queue) => queue.head(),
            Self::Inbox(inbox) => inbox.head(),
        }
    }

    fn commit(&mut self) {
        match self {
            Self::Topic(queue) => queue.commit(),
            Self::Inbox(inbox) => inbox.commit(),
        }
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        match self {
            Self::Topic(queue) => queue.arm_as(tag),
            Self::Inbox(inbox) => inbox.arm_as(tag),
        }
    }
}

/// A receiver that sleeps, all of its sources cold.
struct Sleeper {
    sources: Sources<Any>,
    bell: Arc<Doorbell>,
}

impl Sleeper {
    fn new(bell: Arc<Doorbell>, sources: [Any; 2]) -> Self {
        let mut sources = Sources::of_many(sources);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(poll_pick(&mut sources, &bell, &mut cx).is_pending());
        Self { sources, bell }
    }

    fn next(&mut self) -> u64 {
        let picked = block_on(poll_fn(|cx| poll_pick(&mut self.sources, &self.bell, cx)));
        self.sources[picked.index].take()
    }
}

fn two_topics(stamps: &Arc<Stamps>) -> [Topic<u64>; 2] {
    [(); 2].map(|()| Topic::new(Arc::clone(stamps), 4))
}

fn subscribe(topic: &Topic<u64>, bell: &Arc<Doorbell>, lane: bool) -> Subscription<u64> {
    let overflow = if lane { Overflow::Fail } else { Overflow::Block };
    topic.subscribe(Arc::clone(bell), SubscribeOptions { overflow, ..SubscribeOptions::default() }).unwrap()
}

#[test]
fn loom_a_receiver_of_many_sources_is_woken_and_keeps_the_order_of_one_publisher() {
    explore(|| {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let [one, two] = two_topics(&stamps);
        let sources = [&two, &one].map(|topic| Any::Topic(subscribe(topic, &bell, false)));
        let mut sleeper = Sleeper::new(bell, sources);
        let thread = thread::spawn(move || {
            one.try_publish(1, 0).unwrap();
            two.try_publish(2, 0).unwrap();
        });
        assert_eq!([sleeper.next(), sleeper.next()], [1, 2]);
        thread.join().unwrap();
    });
}

#[test]
fn loom_an_inbox_that_was_left_alone_keeps_the_order_of_one_sender() {
    explore(|| {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let [topic, _] = two_topics(&stamps);
        let inbox = inbox(4, &bell, &stamps);
        let sender = inbox.sender();
        let mut sleeper =
            Sleeper::new(Arc::clone(&bell), [Any::Topic(subscribe(&topic, &bell, false)), Any::Inbox(inbox)]);
        let thread = thread::spawn(move || {
            sender.try_send(1).unwrap();
            topic.try_publish(2, 0).unwrap();
            sender
        });
        assert_eq!([sleeper.next(), sleeper.next()], [1, 2]);
        thread.join().unwrap();
    });
}

/// A message reaches its receiver before another that somebody publishes who has received it too.
fn order_across_receivers(lane: bool, handled_before: bool, timed: bool) {
    explore(move || {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let [one, two] = two_topics(&stamps);
        if timed {
            [&one, &two].iter().for_each(|topic| topic.keep_times(Some(StampTimes::new(4, || Some(0)))));
        }
        let overflow = if lane { Overflow::Fail } else { Overflow::Block };
        let mut other = Receiver::new(&one, SubscribeOptions { overflow, ..SubscribeOptions::default() });
        let sources =
            [(&two, false), (&one, lane)].map(|(topic, lane)| Any::Topic(subscribe(topic, &bell, lane)));
        let mut sleeper = Sleeper::new(bell, sources);
        if handled_before {
            one.try_publish(0, 0).unwrap();
            assert_eq!(sleeper.next(), 0);
            assert!(other.sources[0].head().is_some());
            other.sources[0].advance();
        }
        let publisher = thread::spawn(move || one.try_publish(1, 0).unwrap());
        let answering = thread::spawn(move || {
            // Without a sleep: that would order it behind the whole publish.
            if other.sources[0].head().is_some() {
                two.try_publish(2, 0).unwrap();
                return true;
            }
            false
        });
        assert_eq!(sleeper.next(), 1);
        publisher.join().unwrap();
        if answering.join().unwrap() {
            assert_eq!(sleeper.next(), 2);
        }
    });
}

/// Fails if `wake_after` tells once the section has ended.
#[test]
fn loom_what_follows_from_a_message_comes_behind_it_in_a_source_that_was_left_alone() {
    order_across_receivers(false, false, false);
}

/// Fails if a lane's subscriber takes messages without the topic's lock: others may not have them yet.
#[test]
fn loom_what_follows_from_a_message_comes_behind_it_in_a_lane_that_was_left_alone() {
    order_across_receivers(true, false, false);
}

/// Fails if the end of a batch is taken for a look without the topic's lock.
#[test]
fn loom_what_follows_from_a_message_comes_behind_it_in_a_lane_after_a_batch() {
    order_across_receivers(true, true, false);
}

/// Fails if a topic gives out numbers of its block though another has taken some behind them.
#[test]
fn loom_what_follows_from_a_message_comes_behind_it_where_times_are_kept() {
    order_across_receivers(false, true, true);
}

#[test]
fn loom_what_follows_from_a_message_comes_behind_it_in_a_lane_where_times_are_kept() {
    order_across_receivers(true, true, true);
}

/// Fails if a lane's subscriber takes messages without the topic's lock, as it might while it is alone.
#[test]
fn loom_what_follows_from_a_message_comes_behind_it_in_a_lane_that_has_just_come() {
    explore(|| {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let [one, two] = two_topics(&stamps);
        let lane = SubscribeOptions { overflow: Overflow::Fail, ..SubscribeOptions::default() };
        let mut other = Receiver::new(&one, lane);
        let of_two = subscribe(&two, &bell, false);
        one.try_publish(0, 0).unwrap();
        let answering = thread::spawn(move || {
            let queue = &mut other.sources[0];
            while queue.head().is_some() {
                let message = *queue.peek().unwrap().message;
                queue.advance();
                if message == 1 {
                    two.try_publish(2, 0).unwrap();
                }
            }
        });
        let mut late = [of_two, subscribe(&one, &bell, true)].map(Any::Topic);
        let look = move |late: &mut [Any; 2], seen: &mut Vec<u64>| {
            while let Some(picked) = late.pick(&bell) {
                seen.push(late[picked.index].take());
            }
        };
        let looking = thread::spawn(move || {
            let mut seen = Vec::new();
            look(&mut late, &mut seen);
            (late, look, seen)
        });
        one.try_publish(1, 0).unwrap();
        answering.join().unwrap();
        let (mut late, look, mut seen) = looking.join().unwrap();
        look(&mut late, &mut seen);
        assert!(seen.contains(&1) && seen.is_sorted(), "{seen:?}");
    });
}

/// Fails if `Sleepers::take` does not tell of the seat that it takes off the list, which may have been armed
/// anew.
#[test]
fn loom_a_source_that_is_armed_again_beside_a_publish_is_told_again() {
    explore(|| {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let [one, two] = two_topics(&stamps);
        // Two that sleep, so that the second is woken under a lock of its own.
        let mut neighbour = Receiver::new(&one, SubscribeOptions::default());
        let sources = [&one, &two].map(|topic| Any::Topic(subscribe(topic, &bell, false)));
        let mut sleeper = Sleeper::new(bell, sources);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(poll_pick(&mut neighbour.sources, &neighbour.bell, &mut cx).is_pending());
        let thread = thread::spawn(move || {
            one.try_publish(1, 0).unwrap();
            one.try_publish(2, 0).unwrap();
        });
        assert_eq!([sleeper.next(), sleeper.next()], [1, 2]);
        thread.join().unwrap();
        assert!(sleeper.sources.pick(&sleeper.bell).is_none());
    });
}

/// A receiver of groups that sleeps, all of its sources cold.
struct GroupSleeper {
    groups: Groups<Any>,
    bell: Arc<Doorbell>,
    /// The group of which nothing is taken.
    held: Option<u32>,
}

impl GroupSleeper {
    fn new(bell: Arc<Doorbell>, sources: impl IntoIterator<Item = (u32, Any)>) -> Self {
        let mut groups = Groups::for_many();
        sources.into_iter().for_each(|(number, source)| _ = groups.push(number, source));
        let mut new = Self { groups, bell, held: None };
        let mut cx = Context::from_waker(Waker::noop());
        assert!(new.poll_next(&mut cx).is_pending());
        new
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(u32, u64)> {
        let Self { groups, bell, held } = self;
        let mut at = 0;
        while let Some(place) = groups.turn(at, bell) {
            groups.hold(place, false);
            if let Some(pick) = groups.pick(place, bell) {
                let number = groups.number(pick.index).unwrap();
                if *held != Some(number) {
                    return Poll::Ready((number, groups.get_mut(pick.index).unwrap().take()));
                }
                groups.hold(place, true);
            }
            at += 1;
        }
        groups.end_turn(bell);
        if !bell.prepare(cx.waker()) {
            cx.waker().wake_by_ref();
        } else if groups.arm(bell) {
            bell.cancel();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn next(&mut self) -> (u32, u64) {
        block_on(poll_fn(|cx| self.poll_next(cx)))
    }
}

/// Fails if a look takes only tags of the group that is picked, or does not make the group of another active.
#[test]
fn loom_a_tag_that_a_look_at_another_group_finds_is_not_lost_and_keeps_the_order() {
    explore(|| {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let [one, two] = two_topics(&stamps);
        let other = Topic::new(Arc::clone(&stamps), 4);
        let sources = [(5, &two), (5, &one), (6, &other)]
            .map(|(number, topic)| (number, Any::Topic(subscribe(topic, &bell, false))));
        let mut sleeper = GroupSleeper::new(bell, sources);
        // The group that is picked while the others are told of.
        other.try_publish(0, 0).unwrap();
        let thread = thread::spawn(move || {
            one.try_publish(1, 0).unwrap();
            two.try_publish(2, 0).unwrap();
        });
        let mut all = [(); 3].map(|()| sleeper.next());
        let of_five: Vec<u64> =
            all.iter().filter(|(number, _)| *number == 5).map(|(_, message)| *message).collect();
        assert_eq!(of_five, [1, 2]);
        all.sort_unstable();
        assert_eq!(all, [(5, 1), (5, 2), (6, 0)]);
        thread.join().unwrap();
    });
}

/// Fails if `Groups::arm` does not ask the doorbell of what it has told.
#[test]
fn loom_a_receiver_that_holds_a_group_is_woken_by_another() {
    explore(|| {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let [held, other] = two_topics(&stamps);
        let sources = [(5, &held), (6, &other)]
            .map(|(number, topic)| (number, Any::Topic(subscribe(topic, &bell, false))));
        let mut sleeper = GroupSleeper::new(bell, sources);
        sleeper.held = Some(5);
        let thread = thread::spawn(move || {
            held.try_publish(1, 0).unwrap();
            other.try_publish(2, 0).unwrap();
        });
        assert_eq!(sleeper.next(), (6, 2));
        thread.join().unwrap();
        sleeper.held = None;
        assert_eq!(sleeper.next(), (5, 1));
    });
}

/// Fails if the last look of `Sources::arm` is not at `Doorbell::tells`. A fence would stand in for its lock,
/// and a processor has none there.
#[test]
fn loom_who_tells_a_receiver_that_falls_asleep_and_the_receiver_meet_at_the_lock_of_the_bell() {
    explore_without_fences(|| {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let [one, two] = two_topics(&stamps);
        let sources = [&one, &two].map(|topic| Any::Topic(subscribe(topic, &bell, false)));
        let mut sleeper = Sleeper::new(Arc::clone(&bell), sources);
        bell.cancel();
        let thread = thread::spawn(move || one.try_publish(1, 0).unwrap());
        assert_eq!(sleeper.next(), 1);
        thread.join().unwrap();
    });
}

/// The same of `Groups::arm`.
#[test]
fn loom_who_tells_a_receiver_of_groups_that_falls_asleep_and_the_receiver_meet_at_the_lock_of_the_bell() {
    explore_without_fences(|| {
        let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
        let [one, two] = two_topics(&stamps);
        let sources = [(5, &one), (6, &two)]
            .map(|(number, topic)| (number, Any::Topic(subscribe(topic, &bell, false))));
        let mut sleeper = GroupSleeper::new(Arc::clone(&bell), sources);
        bell.cancel();
        let thread = thread::spawn(move || one.try_publish(1, 0).unwrap());
        assert_eq!(sleeper.next(), (5, 1));
        thread.join().unwrap();
    });
}
