//! Messages for those of one round: nobody who comes after all of them have left gets any.

use std::fmt::Debug;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use mycelium_mailbox::{
    AsOf, Doorbell, Overflow, PublishError, Source, Stamps, SubscribeOptions, Subscription, Topic,
    TryPublishError,
};

const SENDER: u64 = 7;

/// A message in each of the ways in which a topic stores them.
trait Numbered: Clone + Debug + Send + Sync + 'static {
    fn of(number: u64) -> Self;
    fn number(&self) -> u64;
}

impl Numbered for u64 {
    fn of(number: u64) -> Self {
        number
    }

    fn number(&self) -> u64 {
        *self
    }
}

impl Numbered for Arc<u64> {
    fn of(number: u64) -> Self {
        Arc::new(number)
    }

    fn number(&self) -> u64 {
        **self
    }
}

impl Numbered for [u64; 32] {
    fn of(number: u64) -> Self {
        [number; 32]
    }

    fn number(&self) -> u64 {
        self[31]
    }
}

fn subscribe<M: Numbered>(topic: &Topic<M>, (overflow, apart): (Overflow<M>, bool)) -> Subscription<M> {
    let options = SubscribeOptions { overflow, apart, capacity: Some(4), ..SubscribeOptions::default() };
    topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
}

fn read<M: Numbered>(queue: &mut Subscription<M>) -> Vec<u64> {
    let mut all = Vec::new();
    while queue.head().is_some() {
        all.push(queue.peek().unwrap().message.number());
        queue.advance();
    }
    all
}

/// Who is subscribed, by each way that a publish goes: the ring alone, one lane, one beside the ring, several
/// lanes, one that conflates.
fn crowds<M: Numbered>() -> Vec<Vec<(Overflow<M>, bool)>> {
    let keyed = || Overflow::conflate(|message: &M| message.number());
    vec![
        vec![(Overflow::Block, false)],
        vec![(Overflow::Block, false), (Overflow::Block, false)],
        vec![(Overflow::DropOldest, false)],
        vec![(Overflow::Block, false), (Overflow::DropNewest, false)],
        vec![(Overflow::DropOldest, false), (Overflow::Fail, false)],
        vec![(keyed(), false)],
        vec![(Overflow::Block, false), (keyed(), false)],
    ]
}

fn only_those_of_the_round_get_a_message<M: Numbered>() {
    for apart in [false, true] {
        for (number, crowd) in crowds::<M>().into_iter().enumerate() {
            let topic = Topic::<M>::new(Arc::new(Stamps::new()), 8);
            // A link listens, whose coming and leaving is nobody's.
            let _link = apart.then(|| subscribe(&topic, (Overflow::DropOldest, true)));
            let come = || crowd.iter().map(|how| subscribe(&topic, how.clone())).collect::<Vec<_>>();
            let as_of = |round| AsOf { sender: SENDER, round: Some(round) };

            let mut first = come();
            let round = topic.times_emptied();
            assert!(topic.try_publish_as_of(M::of(1), as_of(round)).unwrap());
            drop(first.remove(0));
            first.push(subscribe(&topic, crowd[0].clone()));
            let joined = crowd.len() > 1;
            assert_eq!(topic.try_publish_as_of(M::of(2), as_of(round)).unwrap(), joined, "crowd {number}");
            drop(first);

            let (mut second, before) = (come(), topic.stats().published);
            let mut row = vec![M::of(4), M::of(5)];
            assert!(!topic.try_publish_as_of(M::of(3), as_of(round)).unwrap(), "crowd {number}");
            assert_eq!((topic.try_publish_row_as_of(&mut row, as_of(round)), row.len()), (0, 2));
            let waiting = pin!(topic.publish_as_of(M::of(6), as_of(round)));
            assert_eq!(poll(waiting), Poll::Ready(false));
            assert_eq!(topic.stats().published, before, "what nobody got is not published");

            let round = topic.times_emptied();
            assert!(topic.try_publish_as_of(M::of(7), as_of(round)).unwrap());
            assert!(topic.try_publish_as_of(M::of(8), AsOf::from(SENDER)).unwrap(), "for everybody");
            for queue in &mut second {
                assert_eq!(read(queue), [7, 8], "crowd {number}");
            }
        }
    }
}

fn poll<M>(future: Pin<&mut impl Future<Output = Result<bool, PublishError<M>>>>) -> Poll<bool> {
    future.poll(&mut Context::from_waker(Waker::noop())).map(|result| result.ok().unwrap())
}

#[test]
fn only_those_who_are_of_the_round_of_a_message_get_it_by_whichever_way_it_goes() {
    only_those_of_the_round_get_a_message::<u64>();
    only_those_of_the_round_get_a_message::<Arc<u64>>();
    only_those_of_the_round_get_a_message::<[u64; 32]>();
}

#[derive(Default)]
struct Rung(AtomicUsize);

impl Wake for Rung {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_publish_that_waits_for_room_ends_when_those_of_its_round_have_left() {
    for (overflow, apart) in [(Overflow::Block, false), (Overflow::Block, true)] {
        let topic = Topic::<Arc<u64>>::new(Arc::new(Stamps::new()), 8);
        // One of both has no room: the last of its round, or a link, which stays.
        let first = subscribe(&topic, (Overflow::Block, false));
        let link = apart.then(|| subscribe(&topic, (overflow.clone(), true)));
        let as_of = AsOf { sender: SENDER, round: Some(topic.times_emptied()) };
        (0..4).for_each(|number| topic.try_publish(Arc::of(number), SENDER).unwrap());
        let Err(TryPublishError::Full { message, .. }) = topic.try_publish_as_of(Arc::of(4), as_of) else {
            panic!("there is no room");
        };
        let alive = Arc::clone(&message);
        let rung = Arc::new(Rung::default());
        let (waker, mut waiting) =
            (Waker::from(Arc::clone(&rung)), pin!(topic.publish_as_of(message, as_of)));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(first);
        assert_eq!(rung.0.load(Ordering::SeqCst), 1);
        let mut second = subscribe(&topic, (Overflow::Block, false));
        assert_eq!(waiting.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(false)));
        assert_eq!((Arc::strong_count(&alive), read(&mut second)), (1, vec![]), "it is dropped at once");
        drop(link);
    }
}

type Hook = Box<dyn Fn() + Send>;

/// Runs code of its author when it is copied, which a publish does where no lock is held.
struct Copied(u64, Arc<Mutex<Option<Hook>>>);

impl Clone for Copied {
    fn clone(&self) -> Self {
        let hook = self.1.lock().unwrap().take();
        hook.into_iter().for_each(|hook| hook());
        Self(self.0, Arc::clone(&self.1))
    }
}

#[test]
fn one_who_comes_between_the_look_at_a_topic_and_the_publish_gets_nothing_of_the_round_before() {
    let topic = Topic::<Copied>::new(Arc::new(Stamps::new()), 8);
    let subscribe = |overflow| {
        let options = SubscribeOptions { overflow, ..SubscribeOptions::default() };
        topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
    };
    let come = || Some((subscribe(Overflow::Block), subscribe(Overflow::DropOldest)));
    let there = Arc::new(Mutex::new(come()));
    let as_of = AsOf { sender: SENDER, round: Some(topic.times_emptied()) };
    let hook = {
        let (topic, there) = (topic.clone(), Arc::clone(&there));
        move || {
            let mut there = there.lock().unwrap();
            *there = None;
            let drops = SubscribeOptions { overflow: Overflow::DropOldest, ..SubscribeOptions::default() };
            let [gate, lane] = [SubscribeOptions::default(), drops]
                .map(|options| topic.subscribe(Arc::new(Doorbell::new()), options).unwrap());
            *there = Some((gate, lane));
        }
    };
    let message = Copied(1, Arc::new(Mutex::new(Some(Box::new(hook)))));
    assert!(!topic.try_publish_as_of(message, as_of).ok().unwrap());
    let (mut gate, mut lane) = there.lock().unwrap().take().unwrap();
    assert!(gate.head().is_none() && lane.head().is_none());
    assert_eq!(topic.times_emptied(), as_of.round.unwrap() + 1);
}
