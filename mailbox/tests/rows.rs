//! Messages that are published together and taken together: the order, the bounds, and one drop for each.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mycelium_mailbox::{Doorbell, Overflow, Source, Stamps, SubscribeOptions, Subscription, Topic, Visible};
use mycelium_random::{Random, cases, seed};

/// Has a destructor, and counts those alive.
#[derive(Debug)]
struct Alive(u64, Arc<AtomicUsize>);

impl Alive {
    fn new(number: u64, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(number, Arc::clone(alive))
    }
}

impl Clone for Alive {
    fn clone(&self) -> Self {
        Self::new(self.0, &self.1)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A subscriber, and what it is to get.
struct Reader {
    queue: Subscription<Alive>,
    due: VecDeque<u64>,
    id: u64,
}

impl Reader {
    fn new(topic: &Topic<Alive>, overflow: Overflow<Alive>, id: u64) -> Self {
        let options = SubscribeOptions { overflow, id, ..SubscribeOptions::default() };
        Self { queue: topic.subscribe(Arc::new(Doorbell::new()), options).unwrap(), due: VecDeque::new(), id }
    }

    fn apart(topic: &Topic<Alive>) -> Self {
        let options = SubscribeOptions { apart: true, ..SubscribeOptions::default() };
        let queue = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
        Self { queue, due: VecDeque::new(), id: 0 }
    }

    /// Takes some of what is there, in some way, up to the first number that is a multiple of `stop`.
    fn take(&mut self, random: &mut Random, stop: u64) {
        let Self { queue, due, .. } = self;
        if queue.head().is_none() {
            return assert!(due.is_empty(), "{due:?}");
        }
        if random.below(4) == 0 {
            assert_eq!(queue.peek().map(|front| front.message.0), due.pop_front());
            return queue.advance();
        }
        let most = u32::try_from(random.below(6)).unwrap();
        let (mut handled, mut gone, mut seen) = (0, Vec::new(), Vec::new());
        let take = |run: Visible<'_, Alive>| {
            let fits = run.take_while(|front| !front.message.0.is_multiple_of(stop));
            fits.inspect(|front| seen.push(front.message.0)).count()
        };
        if random.below(3) == 0 {
            queue.pass_runs((u64::MAX, most), &mut handled, take);
        } else {
            queue.take_runs((u64::MAX, most), &mut handled, take, |message| gone.push(message.0));
        }
        assert!(handled <= u64::from(most) && handled == seen.len() as u64);
        assert!(gone.iter().all(|number| seen.contains(number)));
        assert!(seen.into_iter().eq(due.drain(..usize::try_from(handled).unwrap())));
        if handled < u64::from(most)
            && let Some(front) = queue.head().and_then(|_| queue.peek())
        {
            assert_eq!(Some(front.message.0), due.pop_front());
            queue.advance();
        }
    }
}

#[test]
fn rows_and_runs_keep_the_order_lose_nothing_and_drop_each_message_once() {
    let mut random = Random::new(seed());
    for _ in 0..cases(300) {
        let (alive, capacity) = (Arc::new(AtomicUsize::new(0)), 1 + random.below(12));
        let topic = Topic::new(Arc::new(Stamps::new()), u32::try_from(capacity).unwrap());
        let mut readers: Vec<_> =
            (0..1 + random.below(3)).map(|id| Reader::new(&topic, Overflow::Block, id)).collect();
        if random.below(4) == 0 {
            readers.push(Reader::new(&topic, Overflow::Fail, 0));
        }
        if random.below(4) == 0 {
            // In a queue of its own.
            readers.push(Reader::apart(&topic));
        }
        let mut number = 0;
        for _ in 0..120 {
            if random.below(2) == 0 {
                let sender = random.below(3);
                let count = random.below(8);
                let mut row: Vec<_> = (number..number + count).map(|each| Alive::new(each, &alive)).collect();
                let mut published = topic.try_publish_row(&mut row, sender) as u64;
                assert_eq!(published + row.len() as u64, count);
                assert!(row.first().is_none_or(|first| first.0 == number + published));
                for message in row {
                    if topic.try_publish(message, sender).is_err() {
                        break;
                    }
                    published += 1;
                }
                for reader in readers.iter_mut().filter(|reader| reader.id == 0 || reader.id != sender) {
                    reader.due.extend(number..number + published);
                }
                number += count;
            } else {
                let (at, stop) = (random.below(readers.len() as u64) as usize, 2 + random.below(9));
                readers[at].take(&mut random, stop);
            }
        }
        for reader in &mut readers {
            while reader.queue.head().is_some() {
                reader.take(&mut random, 7);
            }
            assert!(reader.due.is_empty());
        }
        drop(readers);
        assert_eq!(alive.load(Ordering::SeqCst), 0, "each was dropped");
    }
}

#[test]
fn a_row_of_messages_with_destructors_goes_into_the_ring_at_once() {
    let topic = Topic::<String>::new(Arc::new(Stamps::new()), 4);
    let subscribe = || topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    let (mut one, mut two) = (subscribe(), subscribe());
    let mut row: Vec<_> = (0..6).map(|number| format!("message {number}")).collect();
    assert_eq!(topic.try_publish_row(&mut row, 0), 4);
    assert_eq!(row, ["message 4", "message 5"]);
    assert!(topic.try_publish(row.remove(0), 0).is_err(), "there is no room");
    for queue in [&mut one, &mut two] {
        let mut read = Vec::new();
        while queue.head().is_some() {
            read.push(queue.peek().unwrap().message.clone());
            queue.advance();
        }
        assert_eq!(read, ["message 0", "message 1", "message 2", "message 3"]);
    }
    assert_eq!(topic.stats().published, 4);
}

#[test]
fn a_take_that_panics_passes_nothing_and_a_destructor_that_panics_passes_its_message() {
    #[derive(Clone)]
    struct Bomb(u64, Arc<AtomicUsize>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            assert!(self.0 != 1, "boom");
        }
    }
    let (topic, drops) = (Topic::new(Arc::new(Stamps::new()), 8), Arc::new(AtomicUsize::new(0)));
    let mut queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    (0..4).for_each(|number| assert!(topic.try_publish(Bomb(number, Arc::clone(&drops)), 0).is_ok()));
    assert!(queue.head().is_some());
    let mut take = |take: fn(Visible<'_, Bomb>) -> usize| {
        let mut handled = 0;
        let span = (u64::MAX, 8);
        let taking = std::panic::AssertUnwindSafe(|| queue.take_runs(span, &mut handled, take, drop));
        (std::panic::catch_unwind(taking).is_err(), handled)
    };
    assert_eq!((take(|_| panic!("boom")), drops.load(Ordering::SeqCst)), ((true, 0), 0));
    assert_eq!((take(|run| run.count()), drops.load(Ordering::SeqCst)), ((true, 2), 2));
    assert_eq!((take(|run| run.count()), drops.load(Ordering::SeqCst)), ((false, 2), 4));
}

/// What is taken in runs: the messages seen, those that were given, and how many count as handled.
fn taken<M: Clone + Send + Sync + 'static>(
    queue: &mut Subscription<M>,
    (below, most): (u64, u32),
) -> (Vec<M>, Vec<M>, u64) {
    let (mut seen, mut gone, mut handled) = (Vec::new(), Vec::new(), 0);
    // A look makes as many visible as the queue likes to.
    loop {
        queue.head();
        let before = handled;
        let take = |run: Visible<'_, M>| {
            let before = seen.len();
            seen.extend(run.map(|delivery| delivery.message.clone()));
            seen.len() - before
        };
        let left = most - u32::try_from(handled).expect("a few");
        queue.take_runs((below, left), &mut handled, take, |message| gone.push(message));
        if handled == before {
            break;
        }
    }
    (seen, gone, handled)
}

/// Up to 64 bytes of plain data lie in the ring, what is larger lies elsewhere; both are taken alike.
fn runs_of<M: Clone + Send + Sync + std::fmt::Debug + PartialEq + 'static>(make: impl Fn(u64) -> M) {
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        let stamps = Arc::new(Stamps::new());
        let (topic, another) = (Topic::new(Arc::clone(&stamps), 8), Topic::<u64>::new(stamps, 8));
        let _elsewhere = another.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default());
        let mut two = [(); 2].map(|()| {
            let options = SubscribeOptions { overflow: overflow.clone(), ..SubscribeOptions::default() };
            topic.subscribe(Arc::new(Doorbell::new()), options).expect("there is room")
        });
        let all: Vec<M> = (0..6).map(&make).collect();
        for message in &all {
            topic.try_publish(message.clone(), 0).expect("there is room");
            // Without a message elsewhere, those of one topic may have one stamp.
            another.try_publish(0, 0).expect("there is room");
        }
        for queue in &mut two {
            let (seen, _, handled) = taken(queue, (u64::MAX, 2));
            assert_eq!((seen.as_slice(), handled), (&all[..2], 2), "at most two");
            let first = queue.head().expect("four are left");
            let (seen, _, handled) = taken(queue, (first + 1, 9));
            assert_eq!((seen.as_slice(), handled), (&all[2..3], 1), "below a stamp");
            queue.head();
            let none = |run: Visible<'_, M>| {
                let shown = format!("{run:?}");
                assert_eq!(shown, format!("Visible {{ left: {} }}", run.count()));
                0
            };
            queue.take_runs((u64::MAX, 9), &mut 0, none, |_| panic!("nothing is taken"));
            let (seen, _, handled) = taken(queue, (u64::MAX, 9));
            assert_eq!((seen.as_slice(), handled), (&all[3..], 3));
            assert_eq!((queue.unread(), queue.head()), (0, None));
        }
    }
}

#[test]
fn messages_of_every_size_are_taken_in_runs_as_they_were_published() {
    runs_of(|number| number);
    runs_of(|number| [number; 9]);
    runs_of(|number| number.to_string());
}

#[test]
fn of_a_large_message_the_last_who_reads_it_is_given_the_message_itself() {
    let topic = Topic::new(Arc::new(Stamps::new()), 8);
    let subscribe = || topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    let (mut first, mut last) = (subscribe(), subscribe());
    let all: Vec<(String, [u64; 9])> = (0..3).map(|number| (number.to_string(), [number; 9])).collect();
    all.iter().for_each(|message| topic.try_publish(message.clone(), 0).unwrap());
    assert_eq!(taken(&mut first, (u64::MAX, 9)), (all.clone(), vec![], 3));
    assert_eq!(taken(&mut last, (u64::MAX, 9)), (all.clone(), all, 3));
}

/// Panics when it is dropped, if it says so.
#[derive(Clone)]
struct Loud(bool, Arc<AtomicUsize>);

impl Drop for Loud {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
        assert!(!self.0, "a rule of the test");
    }
}

#[test]
fn messages_that_are_passed_together_are_counted_up_to_the_one_whose_drop_panics() {
    for apart in [false, true] {
        let topic = Topic::new(Arc::new(Stamps::new()), 8);
        let options = SubscribeOptions { apart, ..SubscribeOptions::default() };
        let mut queue = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
        let dropped = Arc::new(AtomicUsize::new(0));
        for number in 0..5 {
            assert!(topic.try_publish(Loud(number == 2, Arc::clone(&dropped)), 0).is_ok());
        }
        let mut handled = 0;
        let mut pass = |handled: &mut u64| {
            while queue.head().is_some() {
                queue.pass_runs((u64::MAX, 8), handled, |run| run.count());
            }
        };
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pass(&mut handled)));
        assert!(passed.is_err());
        assert_eq!((handled, dropped.load(Ordering::SeqCst)), (3, 3), "apart: {apart}");
        pass(&mut handled);
        assert_eq!((handled, dropped.load(Ordering::SeqCst)), (5, 5), "apart: {apart}");
    }
}

#[test]
fn an_iterator_of_any_length_fills_the_room_that_there_is() {
    let topic = Topic::new(Arc::new(Stamps::new()), 4);
    let mut queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    let mut endless = std::iter::repeat_n(1_u64, usize::MAX);
    for _ in 0..3 {
        assert_eq!(topic.try_publish_front(&mut endless, 0), 4);
        for _ in 0..4 {
            assert!(queue.head().is_some());
            queue.advance();
        }
        assert!(queue.head().is_none());
    }
}
