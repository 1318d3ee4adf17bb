//! Models of the protocols, explored by loom up to two preemptions per execution.
//!
//! Each model is the smallest set-up that has the race in question. A lost wake-up shows as a deadlock, a
//! wrong ordering as a concurrent access, a leaked or twice dropped value as a wrong count.

use std::future::{Future, poll_fn};
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::loom_support::{
    Counted, Receiver, block_on, explore, inbox, one_inbox, receive, receive_all, topic,
};
use crate::sync::{Arc, Spin, model_fence};
use crate::wait::{Ticket, WaitList};
use crate::{AsOf, Doorbell, Overflow, Retain, Source, Stamps, SubscribeOptions, Topic, poll_pick};

#[test]
fn loom_spin_lock_excludes() {
    explore(|| {
        let spin = Arc::new(Spin::new(0));
        let other = Arc::clone(&spin);
        let thread = thread::spawn(move || *other.lock() += 1);
        *spin.lock() += 1;
        thread.join().unwrap();
        assert_eq!(*spin.lock(), 2);
    });
}

#[test]
fn loom_doorbell_loses_no_ring() {
    no_ring_is_lost(Doorbell::new);
}

/// Fails if a ringer that finds the kept waker in use does not look at the cell, or if the waker is taken out
/// while somebody rings.
#[test]
fn loom_doorbell_that_keeps_its_waker_loses_no_ring() {
    no_ring_is_lost(Doorbell::of_one_task);
}

fn no_ring_is_lost(bell: fn() -> Doorbell) {
    explore(move || {
        let bell = Arc::new(bell());
        let flag = Arc::new(AtomicUsize::new(0));
        let threads = [1, 1].map(|step| {
            let (bell, flag) = (Arc::clone(&bell), Arc::clone(&flag));
            thread::spawn(move || {
                flag.fetch_add(step, Ordering::SeqCst);
                bell.ring();
            })
        });
        block_on(poll_fn(|cx| {
            if flag.load(Ordering::SeqCst) == 2 {
                return Poll::Ready(());
            }
            if !bell.prepare(cx.waker()) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if flag.load(Ordering::SeqCst) < 2 {
                return Poll::Pending;
            }
            bell.cancel();
            Poll::Ready(())
        }));
        bell.forget();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn loom_waiter_or_room_is_seen() {
    explore(|| {
        let list = Arc::new(WaitList::new());
        let room = Arc::new(AtomicUsize::new(0));
        let waiting = {
            let (list, room) = (Arc::clone(&list), Arc::clone(&room));
            thread::spawn(move || {
                let mut ticket = Ticket::new(&list);
                block_on(poll_fn(|cx| {
                    if room.load(Ordering::SeqCst) == 1 {
                        return Poll::Ready(());
                    }
                    ticket.register(cx.waker());
                    if room.load(Ordering::SeqCst) == 1 { Poll::Ready(()) } else { Poll::Pending }
                }));
                ticket.served();
            })
        };
        room.swap(1, Ordering::SeqCst);
        model_fence();
        if list.any() {
            list.wake(1);
        }
        waiting.join().unwrap();
        assert!(!list.any());
    });
}

#[test]
fn loom_topic_two_publishers_and_a_sleeper() {
    explore(|| {
        let topic = topic::<(u64, u64)>(4);
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        let other = topic.clone();
        let thread = thread::spawn(move || other.try_publish((1, 0), 0).unwrap());
        let third = topic.clone();
        let second = thread::spawn(move || third.try_publish((2, 0), 0).unwrap());
        let mut seen = [receiver.next().0, receiver.next().0];
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
        thread.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn loom_topic_slots_are_reused_only_after_every_reader() {
    explore(|| {
        let topic = topic::<u64>(2);
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        let publisher = topic.clone();
        let thread = thread::spawn(move || {
            for number in 0..3 {
                block_on(publisher.publish(number, 0)).unwrap();
            }
        });
        for number in 0..3 {
            assert_eq!(receiver.next(), number);
        }
        thread.join().unwrap();
    });
}

#[test]
fn loom_topic_two_subscribers_gate_one_publisher() {
    explore(|| {
        let topic = topic::<u64>(1);
        let mut first = Receiver::new(&topic, SubscribeOptions::default());
        let mut second = Receiver::new(&topic, SubscribeOptions::default());
        let thread = thread::spawn(move || [first.next(), first.next()]);
        topic.try_publish(0, 0).unwrap();
        assert_eq!(second.next(), 0);
        // A receiver commits before it waits for anything else, as the actors do: it would hold itself back.
        second.sources[0].commit();
        block_on(topic.publish(1, 0)).unwrap();
        assert_eq!(second.next(), 1);
        assert_eq!(thread.join().unwrap(), [0, 1]);
    });
}

#[test]
fn loom_the_last_of_two_subscribers_wakes_the_publisher() {
    explore(|| {
        let topic = topic::<u64>(1);
        let receivers = [0, 1].map(|_| Receiver::new(&topic, SubscribeOptions::default()));
        topic.try_publish(0, 0).unwrap();
        let threads = receivers.map(|mut receiver| {
            thread::spawn(move || {
                receiver.pass();
                receiver.sources[0].commit();
                receiver
            })
        });
        block_on(topic.publish(1, 0)).unwrap();
        for thread in threads {
            assert_eq!(thread.join().unwrap().next(), 1);
        }
    });
}

#[test]
fn loom_an_idle_subscriber_is_moved_past_its_own_messages_and_nothing_else() {
    explore(|| {
        let topic = topic::<u64>(1);
        let options = SubscribeOptions { id: 7, ..SubscribeOptions::default() };
        let mut receiver = Receiver::new(&topic, options);
        assert!(receiver.sources[0].head().is_none());
        topic.try_publish(0, 7).unwrap();
        let publisher = topic.clone();
        let thread = thread::spawn(move || {
            // Refused where the receiver looks just now.
            drop(publisher.try_publish(1, 7));
            publisher.try_publish(2, 0).is_ok()
        });
        let early = receiver.sources[0].head().is_some();
        let other = thread.join().unwrap();
        let seen = early || receiver.sources[0].head().is_some();
        assert_eq!(seen, other, "what is for it is seen, and nothing else");
        if seen {
            assert_eq!(*receiver.sources[0].peek().unwrap().message, 2);
        }
    });
}

#[test]
fn loom_leaving_wakes_the_publisher_it_held_back() {
    explore(|| {
        let topic = topic::<u64>(1);
        let stuck = Receiver::new(&topic, SubscribeOptions::default());
        topic.try_publish(0, 0).unwrap();
        let thread = thread::spawn(move || drop(stuck));
        block_on(topic.publish(1, 0)).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn loom_nobody_who_comes_when_all_have_left_gets_a_message_of_the_round_before() {
    explore(|| {
        let topic = topic::<u64>(2);
        let subscribe = || topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
        let first = subscribe();
        let (publisher, as_of) = (topic.clone(), AsOf { sender: 0, round: Some(topic.times_emptied()) });
        let thread = thread::spawn(move || _ = publisher.try_publish_as_of(1, as_of).unwrap());
        drop(first);
        let mut second = subscribe();
        thread.join().unwrap();
        assert!(second.head().is_none());
    });
}

#[test]
fn loom_a_sleeper_is_woken_though_its_neighbour_leaves() {
    explore(|| {
        let topic = topic::<u64>(1);
        let leaving = Receiver::new(&topic, SubscribeOptions::default());
        let mut staying = Receiver::new(&topic, SubscribeOptions::default());
        let mut cx = Context::from_waker(Waker::noop());
        let Receiver { mut sources, bell } = leaving;
        assert!(poll_pick(&mut sources, &bell, &mut cx).is_pending());
        let thread = thread::spawn(move || drop(sources));
        let publisher = topic.clone();
        let second = thread::spawn(move || publisher.try_publish(1, 0).unwrap());
        assert_eq!(staying.next(), 1);
        thread.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn loom_a_dropped_waiter_hands_its_wake_up_on() {
    explore(|| {
        let topic = topic::<u64>(1);
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        topic.try_publish(0, 0).unwrap();
        let mut given_up = Box::pin(topic.publish(1, 0));
        let noop = Waker::noop();
        assert!(given_up.as_mut().poll(&mut Context::from_waker(noop)).is_pending());
        let publisher = topic.clone();
        let thread = thread::spawn(move || block_on(publisher.publish(2, 0)).unwrap());
        // Not by `next`, which would hide the hand-over.
        receiver.pass();
        receiver.sources[0].commit();
        drop(given_up);
        thread.join().unwrap();
        assert_eq!(receiver.next(), 2);
    });
}

#[test]
fn loom_subscribing_beside_a_publish_leaks_and_tears_nothing() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let topic = topic::<Counted>(2);
        let publisher = topic.clone();
        let counted = Counted::new(&alive);
        let thread = thread::spawn(move || {
            let copy = counted.clone();
            drop(publisher.try_publish(counted, 0));
            drop(publisher.try_publish(copy, 0));
        });
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        if receiver.sources[0].head().is_some() {
            assert!(alive.load(Ordering::SeqCst) > 0);
            receiver.sources[0].advance();
        }
        drop(receiver);
        let lane = SubscribeOptions { overflow: Overflow::DropOldest, ..SubscribeOptions::default() };
        drop(Receiver::new(&topic, lane));
        thread.join().unwrap();
        drop(topic);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

/// Retained messages and those that are published while a late subscriber comes reach it once each, in
/// order, without a gap.
fn late_beside_a_publish(overflow: impl Fn() -> Overflow<Numbered> + Send + Sync + 'static) {
    explore(move || {
        let alive = StdArc::new(AtomicUsize::new(0));
        let topic = Topic::retaining(Arc::new(Stamps::new()), 4, Retain::Last(1));
        let message = |number| Numbered(number, Counted::new(&alive));
        topic.try_publish(message(0), 0).unwrap();
        let (publisher, first, second) = (topic.clone(), message(1), message(2));
        let thread = thread::spawn(move || {
            publisher.try_publish(first, 0).unwrap();
            publisher.try_publish(second, 0).unwrap();
        });
        let options =
            SubscribeOptions { overflow: overflow(), retained: true, ..SubscribeOptions::default() };
        let mut late = Receiver::new(&topic, options);
        let mut seen = vec![late.next().0];
        while seen.last() != Some(&2) {
            seen.push(late.next().0);
        }
        assert!(seen.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seen:?}");
        assert!(late.sources[0].head().is_none());
        thread.join().unwrap();
        drop((late, topic));
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

#[derive(Clone, Debug)]
struct Numbered(u64, #[allow(dead_code, reason = "it counts")] Counted);

#[test]
fn loom_a_late_subscriber_gets_each_message_once_beside_a_publish() {
    late_beside_a_publish(|| Overflow::Block);
}

#[test]
fn loom_a_late_subscriber_with_a_lane_gets_each_message_once_beside_a_publish() {
    late_beside_a_publish(|| Overflow::DropNewest);
}

#[test]
fn loom_a_ring_is_replaced_beside_its_reader() {
    explore(|| {
        let topic = topic::<u64>(1);
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        topic.try_publish(0, 0).unwrap();
        let thread = thread::spawn(move || [receiver.next(), receiver.next()]);
        let large = SubscribeOptions { capacity: Some(2), ..SubscribeOptions::default() };
        let mut second = Receiver::new(&topic, large);
        block_on(topic.publish(1, 0)).unwrap();
        assert_eq!(thread.join().unwrap(), [0, 1]);
        assert_eq!(second.next(), 1);
    });
}

/// It reads what was retained while others replace the topic's ring, and let go of the one that it goes on
/// in.
#[test]
fn loom_a_late_subscriber_goes_on_in_a_ring_that_all_others_have_let_go_of() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let topic = Topic::retaining(Arc::new(Stamps::new()), 2, Retain::Last(1));
        let message = |number| Numbered(number, Counted::new(&alive));
        topic.try_publish(message(0), 0).unwrap();
        let options = SubscribeOptions { retained: true, ..SubscribeOptions::default() };
        let mut late = Receiver::new(&topic, options);
        topic.try_publish(message(1), 0).unwrap();
        let other = topic.clone();
        let thread = thread::spawn(move || {
            let large = SubscribeOptions { capacity: Some(4), ..SubscribeOptions::default() };
            drop(Receiver::new(&other, large));
        });
        assert_eq!((late.next().0, late.next().0), (0, 1));
        assert!(late.sources[0].head().is_none());
        thread.join().unwrap();
        drop((late, topic));
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn loom_lane_sleeper_is_rung() {
    explore(|| {
        let topic = topic::<u64>(2);
        let options = SubscribeOptions { overflow: Overflow::DropOldest, ..SubscribeOptions::default() };
        let mut receiver = Receiver::new(&topic, options);
        let publisher = topic.clone();
        let thread = thread::spawn(move || {
            publisher.try_publish(1, 0).unwrap();
            publisher.try_publish(2, 0).unwrap();
        });
        assert_eq!(receiver.next(), 1);
        assert_eq!(receiver.next(), 2);
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_publisher_waits_for_room_in_a_lane_under_block() {
    explore(|| {
        let topic = topic::<u64>(1);
        let options = SubscribeOptions { capacity: Some(1), apart: true, ..SubscribeOptions::default() };
        let mut receiver = Receiver::new(&topic, options);
        let publisher = topic.clone();
        let thread = thread::spawn(move || {
            (0..2).for_each(|number| block_on(publisher.publish(number, 0)).unwrap());
        });
        assert_eq!((receiver.next(), receiver.next()), (0, 1));
        thread.join().unwrap();
    });
}

#[test]
fn loom_closing_wakes_receiver_and_publisher() {
    explore(|| {
        let topic = topic::<u64>(1);
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        let closer = topic.clone();
        let thread = thread::spawn(move || closer.close());
        block_on(poll_fn(|cx| {
            let polled = poll_pick(&mut receiver.sources, &receiver.bell, cx);
            if receiver.sources[0].is_finished() {
                return Poll::Ready(());
            }
            polled.map(drop)
        }));
        thread.join().unwrap();
    });
}

#[test]
fn loom_inbox_two_senders_wait_for_room_and_lose_nothing() {
    explore(|| {
        let (mut inboxes, bell) = one_inbox::<u64>(1);
        let threads = [1, 2].map(|number| {
            let sender = inboxes[0].sender();
            thread::spawn(move || block_on(sender.send(number, 0)).unwrap())
        });
        let sum = receive(&mut inboxes, &bell) + receive(&mut inboxes, &bell);
        assert_eq!(sum, 3);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn loom_inbox_end_of_senders_is_noticed() {
    explore(|| {
        let (mut inboxes, bell) = one_inbox::<u64>(2);
        let sender = inboxes[0].sender();
        let thread = thread::spawn(move || {
            sender.try_send(1).unwrap();
            drop(sender);
        });
        assert_eq!(receive_all(&mut inboxes, &bell), 1);
        thread.join().unwrap();
    });
}

#[test]
fn loom_merge_keeps_one_senders_order() {
    explore(|| {
        let (bell, stamps) = (Arc::new(Doorbell::new()), Arc::new(Stamps::new()));
        let topics = [0, 1].map(|_| Topic::<u64>::new(Arc::clone(&stamps), 4));
        let mut sources = [0, 1]
            .map(|at: usize| topics[at].subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap());
        let thread = thread::spawn(move || {
            topics[0].try_publish(0, 0).unwrap();
            topics[1].try_publish(1, 0).unwrap();
            topics[0].try_publish(2, 0).unwrap();
        });
        let mut next = 0;
        while next < 3 {
            let picked = block_on(poll_fn(|cx| poll_pick(&mut sources, &bell, cx)));
            let source = &mut sources[picked.index];
            while let Some(delivery) = source.peek() {
                if delivery.stamp >= picked.below {
                    break;
                }
                assert_eq!(*delivery.message, next);
                next += 1;
                source.advance();
            }
        }
        thread.join().unwrap();
    });
}

#[test]
fn loom_merge_keeps_the_order_of_cause_and_effect() {
    explore(|| {
        let (bell, stamps) = (Arc::new(Doorbell::new()), Arc::new(Stamps::new()));
        let effects = Topic::<u64>::new(Arc::clone(&stamps), 2);
        let mut subscription = effects.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap();
        let mut direct = inbox::<u64>(2, &bell, &stamps);
        let relay_bell = Arc::new(Doorbell::new());
        let mut relay = [inbox::<u64>(2, &relay_bell, &stamps)];
        let (cause, to_relay) = (direct.sender(), relay[0].sender());
        let first = thread::spawn(move || {
            cause.try_send(1).unwrap();
            to_relay.try_send(1).unwrap();
        });
        let second = thread::spawn(move || {
            receive(&mut relay, &relay_bell);
            effects.try_publish(2, 0).unwrap();
        });
        let mut sources: [&mut dyn Source; 2] = [&mut subscription, &mut direct];
        let picked = block_on(poll_fn(|cx| poll_pick(&mut sources, &bell, cx)));
        assert_eq!(picked.index, 1, "the effect was taken before its cause");
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// The case for which the second look is repeated: a third message is seen before the first two, whose stamps
/// are lower.
#[test]
fn loom_merge_looks_again_after_each_change_of_mind() {
    explore(|| {
        let (bell, stamps) = (Arc::new(Doorbell::new()), Arc::new(Stamps::new()));
        let topics = [0; 3].map(|_| Topic::<u64>::new(Arc::clone(&stamps), 2));
        let mut sources = [0, 1, 2]
            .map(|at: usize| topics[at].subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap());
        let [first, second, third] = topics;
        let ordered = thread::spawn(move || {
            first.try_publish(0, 0).unwrap();
            second.try_publish(1, 0).unwrap();
        });
        let unrelated = thread::spawn(move || third.try_publish(2, 0).unwrap());
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let picked = block_on(poll_fn(|cx| poll_pick(&mut sources, &bell, cx)));
            seen.push(*sources[picked.index].peek().unwrap().message);
            sources[picked.index].advance();
        }
        seen.retain(|&number| number != 2);
        assert_eq!(seen, [0, 1]);
        ordered.join().unwrap();
        unrelated.join().unwrap();
    });
}
