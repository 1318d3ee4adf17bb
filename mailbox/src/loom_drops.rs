//! Models of who drops a message: readers, those who leave, and producers that move an idle reader on.

use std::sync::Arc as StdArc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::loom_support::{Counted, Receiver, block_on, explore, topic};
use crate::sync::Arc;
use crate::{Overflow, Source, SubscribeOptions, Topic, Visible};

/// A message whose drop must come after all that its readers do with it: loom says so if it does not.
struct Watched {
    cell: UnsafeCell<u64>,
    counted: Counted,
}

impl Watched {
    fn new(alive: &StdArc<AtomicUsize>) -> Self {
        Self { cell: UnsafeCell::new(7), counted: Counted::new(alive) }
    }

    fn read(&self) {
        // SAFETY: nobody writes while it is shared.
        self.cell.with(|number| assert_eq!(unsafe { *number }, 7));
    }
}

impl Clone for Watched {
    fn clone(&self) -> Self {
        self.read();
        Self { cell: UnsafeCell::new(7), counted: self.counted.clone() }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // SAFETY: it is borrowed mutably.
        self.cell.with_mut(|number| unsafe { *number = 0 });
    }
}

// SAFETY: the cell is written by the drop alone.
unsafe impl Sync for Watched {}

/// Reads the message in front, and passes it.
fn read(receiver: &mut Receiver<Watched>) {
    assert!(receiver.sources[0].head().is_some());
    receiver.sources[0].peek().unwrap().message.read();
    receiver.sources[0].advance();
}

/// A topic of one place, its message, and two who have not read it. The number is that of values alive.
fn two_who_have_one() -> (StdArc<AtomicUsize>, Topic<Watched>, [Receiver<Watched>; 2]) {
    let alive = StdArc::new(AtomicUsize::new(0));
    let topic = topic::<Watched>(1);
    let receivers = [0, 1].map(|_| Receiver::new(&topic, SubscribeOptions::default()));
    drop(topic.try_publish(Watched::new(&alive), 0));
    (alive, topic, receivers)
}

/// The last reader moves the message out, the other has a clone.
#[test]
fn loom_of_two_who_take_a_message_one_has_a_clone_at_most_and_each_is_dropped_once() {
    explore(|| {
        let (alive, _topic, receivers) = two_who_have_one();
        let threads = receivers.map(|mut receiver| {
            thread::spawn(move || {
                let taken = receiver.sources[0].front().unwrap().into_owned();
                taken.read();
                (taken, receiver)
            })
        });
        let taken = threads.map(|thread| thread.join().unwrap().0);
        assert_eq!(alive.load(Ordering::SeqCst), 2, "nothing is left of it in the ring");
        drop(taken);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn loom_the_last_of_two_readers_drops_and_the_slot_is_written_again() {
    explore(|| {
        let (alive, topic, receivers) = two_who_have_one();
        let threads = receivers.map(|mut receiver| {
            thread::spawn(move || {
                read(&mut receiver);
                receiver.sources[0].commit();
                receiver
            })
        });
        block_on(topic.publish(Watched::new(&alive), 0)).ok().unwrap();
        let receivers = threads.map(|thread| thread.join().unwrap());
        assert_eq!(alive.load(Ordering::SeqCst), 1, "the first is gone, the second is not");
        drop(receivers);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn loom_a_reader_and_one_who_leaves_drop_once() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let topic = topic::<Watched>(2);
        let mut reading = Receiver::new(&topic, SubscribeOptions::default());
        let leaving = Receiver::new(&topic, SubscribeOptions::default());
        drop(topic.try_publish(Watched::new(&alive), 0));
        let thread = thread::spawn(move || drop(leaving));
        let publisher = topic.clone();
        let late = Watched::new(&alive);
        let second = thread::spawn(move || drop(publisher.try_publish(late, 0)));
        read(&mut reading);
        thread.join().unwrap();
        second.join().unwrap();
        assert_eq!(alive.load(Ordering::SeqCst), 1, "the late one waits");
        drop(reading);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn loom_an_idle_reader_is_moved_past_its_own_messages_which_are_dropped_once() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let topic = topic::<Watched>(1);
        let options = SubscribeOptions { id: 7, ..SubscribeOptions::default() };
        let mut receiver = Receiver::new(&topic, options);
        assert!(receiver.sources[0].head().is_none());
        drop(topic.try_publish(Watched::new(&alive), 7));
        let publisher = topic.clone();
        let next = Watched::new(&alive);
        // Refused where the receiver looks just now.
        let thread = thread::spawn(move || publisher.try_publish(next, 7).is_ok());
        assert!(receiver.sources[0].head().is_none());
        thread.join().unwrap();
        drop(receiver);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn loom_a_ring_is_continued_beside_its_readers_and_drops_once() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let topic = topic::<Watched>(1);
        let mut receiver = Receiver::new(&topic, SubscribeOptions::default());
        drop(topic.try_publish(Watched::new(&alive), 0));
        let thread = thread::spawn(move || {
            read(&mut receiver);
            receiver.sources[0].commit();
            receiver
        });
        let large = SubscribeOptions { capacity: Some(2), ..SubscribeOptions::default() };
        let second = Receiver::new(&topic, large);
        block_on(topic.publish(Watched::new(&alive), 0)).ok().unwrap();
        let mut receiver = thread.join().unwrap();
        read(&mut receiver);
        drop(second);
        assert_eq!(alive.load(Ordering::SeqCst), 0, "the one is read, the other has left");
    });
}

#[test]
fn loom_a_lane_that_comes_or_leaves_beside_a_publish_leaks_nothing() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let topic = Arc::new(topic::<Watched>(2));
        let mut staying = Receiver::new(&topic, SubscribeOptions::default());
        let lane = || SubscribeOptions { overflow: Overflow::conflate(|_| 1), ..SubscribeOptions::default() };
        let leaving = Receiver::new(&topic, lane());
        let publisher = Arc::clone(&topic);
        let message = Watched::new(&alive);
        let thread = thread::spawn(move || publisher.try_publish(message, 0).is_ok());
        drop(leaving);
        let coming = Receiver::new(&topic, lane());
        assert!(thread.join().unwrap());
        read(&mut staying);
        drop((staying, coming));
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        assert_eq!(topic.stats().published, 1);
    });
}

/// A row takes its places under one lock, beside one who takes runs and one who leaves.
#[test]
fn loom_of_a_row_each_message_is_dropped_once_by_its_last_reader() {
    explore(|| {
        let alive = StdArc::new(AtomicUsize::new(0));
        let topic = topic::<Watched>(2);
        let mut reading = Receiver::new(&topic, SubscribeOptions::default());
        let leaving = Receiver::new(&topic, SubscribeOptions::default());
        let publisher = topic.clone();
        let mut row = vec![Watched::new(&alive), Watched::new(&alive)];
        let thread = thread::spawn(move || {
            assert_eq!(publisher.try_publish_row(&mut row, 0), 2);
        });
        let other = thread::spawn(move || drop(leaving));
        let mut taken = 0;
        let queue = &mut reading.sources[0];
        if queue.head().is_some() {
            let take = |run: Visible<'_, Watched>| run.inspect(|front| front.message.read()).count();
            queue.take_runs((u64::MAX, 8), &mut taken, take, |message| message.read());
        }
        thread.join().unwrap();
        other.join().unwrap();
        assert_eq!(alive.load(Ordering::SeqCst) as u64, 2 - taken, "what was not read is there");
        drop(reading);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}
