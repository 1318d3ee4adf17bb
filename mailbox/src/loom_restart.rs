//! Models of a restart in place, against a publish, a stop and a drop.
//!
//! A life fails with its message in hand; the receiver passes that one, keeps its sources and waits in an
//! [`Interlude`] for a verdict, as `actors/src/live/body.rs` does. Each model names the changes of the code
//! under which it was seen to fail.

use std::future::poll_fn;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Waker};

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::loom_support::{Counted, Receiver, block_on, explore, one_inbox, receive_all, topic};
use crate::sync::Arc;
use crate::{Doorbell, Interlude, Presence, Source, Stop, SubscribeOptions, poll_pick};

/// A supervisor's word that the next life may begin.
#[derive(Default)]
struct Verdict(Mutex<(bool, Option<Waker>)>);

impl Verdict {
    fn give(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 = true;
        let waker = state.1.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap();
        state.1 = Some(cx.waker().clone());
        if state.0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// What outlives the lives of one receiver, and what others hold of it.
struct Shell {
    presence: Presence,
    verdict: Verdict,
}

fn shell() -> Arc<Shell> {
    Arc::new(Shell { presence: Presence::new(), verdict: Verdict::default() })
}

impl Shell {
    /// Waits between two lives. Whether there is a next one.
    fn park<S: Source>(&self, sources: &mut [S], bell: &Doorbell) -> bool {
        let mut interlude = Interlude::begin(sources, false);
        let next = block_on(poll_fn(|cx| {
            if interlude.poll(&self.presence, sources, bell, cx) {
                return Poll::Ready(false);
            }
            self.verdict.poll(cx).map(|()| true)
        }));
        self.presence.wake_up();
        next
    }

    /// Sleeps until there is work, and says what is asked.
    fn rest<S: Source>(&self, sources: &mut [S], bell: &Doorbell) -> Option<Stop> {
        let mut slept = false;
        block_on(poll_fn(|cx| {
            if std::mem::replace(&mut slept, true) {
                return Poll::Ready(());
            }
            let polled = self.presence.poll_work(sources, bell, cx);
            if polled.is_pending() {
                self.presence.fall_asleep();
            }
            polled
        }));
        self.presence.wake_up();
        self.presence.asked()
    }
}

/// Gives the verdict from a thread of its own.
fn answer(shell: &Arc<Shell>) -> thread::JoinHandle<()> {
    let shell = Arc::clone(shell);
    thread::spawn(move || shell.verdict.give())
}

/// Fails if `Doorbell::prepare` leaves the waker of the interlude in a bell that is set, or if the producer
/// that rings leaves the seat armed.
#[test]
fn loom_restart_beside_a_publish_loses_no_message() {
    explore(|| {
        let (topic, shell) = (topic::<u64>(4), shell());
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        topic.try_publish(0, 0).unwrap();
        let supervisor = answer(&shell);
        let publisher = thread::spawn(move || {
            topic.try_publish(1, 0).unwrap();
            topic.try_publish(2, 0).unwrap();
        });
        receiver.pass();
        assert!(shell.park(&mut receiver.sources, &receiver.bell));
        assert_eq!(receiver.next(), 1);
        assert_eq!(receiver.next(), 2);
        supervisor.join().unwrap();
        publisher.join().unwrap();
    });
}

/// Fails if neither the beginning of an interlude nor `Cursor::arm` commits.
#[test]
fn loom_restart_frees_the_place_of_the_message_in_hand() {
    /// The smallest topic whose subscribers do not commit after each message.
    const CAPACITY: u32 = 16;
    explore(|| {
        let (topic, shell) = (topic::<u32>(CAPACITY), shell());
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        (0..CAPACITY).for_each(|number| topic.try_publish(number, 0).unwrap());
        let supervisor = Arc::clone(&shell);
        let publisher = thread::spawn(move || {
            block_on(topic.publish(CAPACITY, 0)).unwrap();
            // Not before there was room: nobody else makes any.
            supervisor.verdict.give();
        });
        receiver.pass();
        assert!(shell.park(&mut receiver.sources, &receiver.bell));
        publisher.join().unwrap();
        (1..=CAPACITY).for_each(|number| assert_eq!(receiver.next(), number));
    });
}

/// Fails if neither the beginning of an interlude nor `Inbox::arm` commits, or if a sender that finds the
/// inbox armed does not ring.
#[test]
fn loom_restart_beside_tells_keeps_them_in_order() {
    explore(|| {
        let ((mut inboxes, bell), shell) = (one_inbox::<u64>(1), shell());
        let sender = inboxes[0].sender();
        sender.try_send(0).unwrap();
        let supervisor = Arc::clone(&shell);
        let telling = thread::spawn(move || {
            block_on(sender.send(1, 0)).unwrap();
            supervisor.verdict.give();
            block_on(sender.send(2, 0)).unwrap();
        });
        assert!(inboxes[0].head().is_some());
        assert_eq!(inboxes[0].take(), Some(0));
        assert!(shell.park(&mut inboxes, &bell));
        for number in [1, 2] {
            while inboxes[0].head().is_none() {
                assert_eq!(shell.rest(&mut inboxes, &bell), None);
            }
            assert_eq!(inboxes[0].take(), Some(number));
        }
        telling.join().unwrap();
    });
}

/// Fails if `Interlude::poll` looks at what is asked before it sets the bell, or if `Presence::ask` rings
/// first.
#[test]
fn loom_restart_is_given_up_at_a_shutdown() {
    explore(|| {
        let (topic, shell) = (topic::<u64>(2), shell());
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        topic.try_publish(0, 0).unwrap();
        let (other, bell) = (Arc::clone(&shell), Arc::clone(&receiver.bell));
        let bus = thread::spawn(move || other.presence.ask(Stop::ForGood, &bell));
        // It may use up the ring.
        let publisher = thread::spawn(move || topic.try_publish(1, 0).unwrap());
        receiver.pass();
        assert!(!shell.park(&mut receiver.sources, &receiver.bell), "nobody gave a verdict");
        bus.join().unwrap();
        publisher.join().unwrap();
    });
}

/// A supervisor stops a child for a restart of its group, and begins the next life, while the bus is shut
/// down.
///
/// Fails if a `Stop::ForGood` leaves a `Stop::Life` as it is, if `take_back` takes everything back, or if
/// `poll_work` does not look at what is asked once the bell is set.
#[test]
fn loom_restart_takes_back_a_stop_and_no_shutdown() {
    explore(|| {
        let (topic, shell) = (topic::<u64>(2), shell());
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        shell.presence.ask(Stop::Life, &receiver.bell);
        let other = Arc::clone(&shell);
        let supervisor = thread::spawn(move || {
            other.presence.take_back();
            other.verdict.give();
        });
        let (other, bell) = (Arc::clone(&shell), Arc::clone(&receiver.bell));
        let bus = thread::spawn(move || other.presence.ask(Stop::ForGood, &bell));
        if shell.park(&mut receiver.sources, &receiver.bell) {
            while shell.rest(&mut receiver.sources, &receiver.bell) != Some(Stop::ForGood) {}
        }
        supervisor.join().unwrap();
        bus.join().unwrap();
    });
}

/// Fails if closing a topic wakes no sleeper, or counts as the end before everything is read.
#[test]
fn loom_restart_beside_the_end_of_a_topic_reads_what_is_left() {
    explore(|| {
        let (topic, shell) = (topic::<u64>(2), shell());
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        topic.try_publish(0, 0).unwrap();
        let supervisor = answer(&shell);
        let publisher = thread::spawn(move || {
            topic.try_publish(1, 0).unwrap();
            topic.close();
        });
        receiver.pass();
        assert!(shell.park(&mut receiver.sources, &receiver.bell));
        let Receiver { sources, bell } = &mut receiver;
        let mut seen = 0;
        block_on(poll_fn(|cx| {
            while poll_pick(sources, bell, cx).is_ready() {
                seen += *sources[0].peek().unwrap().message;
                sources[0].advance();
            }
            if sources[0].is_finished() { Poll::Ready(()) } else { Poll::Pending }
        }));
        assert_eq!(seen, 1);
        supervisor.join().unwrap();
        publisher.join().unwrap();
    });
}

/// Fails if the last sender leaves without ringing.
#[test]
fn loom_restart_beside_the_last_senders_drop_notices_it() {
    explore(|| {
        let ((mut inboxes, bell), shell) = (one_inbox::<u64>(2), shell());
        let sender = inboxes[0].sender();
        sender.try_send(0).unwrap();
        let supervisor = answer(&shell);
        let telling = thread::spawn(move || {
            sender.try_send(1).unwrap();
            drop(sender);
        });
        assert!(inboxes[0].head().is_some());
        assert_eq!(inboxes[0].take(), Some(0));
        assert!(shell.park(&mut inboxes, &bell));
        assert_eq!(receive_all(&mut inboxes, &bell), 1);
        supervisor.join().unwrap();
        telling.join().unwrap();
    });
}

/// Polls an interlude once, for a receiver that will be dropped.
fn park_once<S: Source>(shell: &Shell, sources: &mut [S], bell: &Doorbell) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(!Interlude::begin(sources, false).poll(&shell.presence, sources, bell, &mut cx));
}

/// Fails if leaving a topic wakes no publisher that waits, or lets go of the ring without recording where it
/// ends.
#[test]
fn loom_restart_that_never_comes_frees_its_publishers_and_messages() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let (topic, shell) = (topic::<Counted>(1), shell());
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        topic.try_publish(Counted::new(&alive), 0).unwrap();
        let (publisher, count) = (topic.clone(), StdArc::clone(&alive));
        let publishing = thread::spawn(move || {
            for _ in 0..2 {
                block_on(publisher.publish(Counted::new(&count), 0)).unwrap();
            }
        });
        receiver.pass();
        park_once(&shell, &mut receiver.sources, &receiver.bell);
        drop(receiver);
        publishing.join().unwrap();
        drop(topic);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

/// Fails if dropping an inbox wakes no sender that waits, or leaves queued messages where they are.
#[test]
fn loom_restart_that_never_comes_frees_its_senders_and_messages() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let ((mut inboxes, bell), shell) = (one_inbox::<Counted>(1), shell());
        let sender = inboxes[0].sender();
        assert!(sender.try_send(Counted::new(&alive)).is_ok());
        let (other, count) = (sender.clone(), StdArc::clone(&alive));
        let telling = thread::spawn(move || {
            for _ in 0..2 {
                drop(block_on(other.send(Counted::new(&count), 0)));
            }
        });
        assert!(inboxes[0].head().is_some());
        drop(inboxes[0].take());
        park_once(&shell, &mut inboxes, &bell);
        drop(inboxes);
        telling.join().unwrap();
        // The sender that is left keeps no message.
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        drop(sender);
    });
}

/// What a health probe sees, around a message that it knows of.
///
/// Fails if `wake_up` does not end the turn, or if `turn` does not read it again after it has looked at the
/// bell, or does so without the fence.
#[test]
fn loom_a_sleep_that_was_disturbed_has_another_turn() {
    explore(|| {
        let (topic, shell) = (topic::<u64>(2), shell());
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        let (other, bell) = (Arc::clone(&shell), Arc::clone(&receiver.bell));
        let probe = thread::spawn(move || {
            let before = other.presence.turn(&bell);
            topic.try_publish(1, 0).unwrap();
            let after = other.presence.turn(&bell);
            assert!(before.is_none() || before != after, "the actor was woken between the two looks");
            other.presence.ask(Stop::Life, &bell);
        });
        while shell.rest(&mut receiver.sources, &receiver.bell).is_none() {
            while receiver.sources[0].head().is_some() {
                receiver.sources[0].advance();
            }
        }
        probe.join().unwrap();
    });
}
