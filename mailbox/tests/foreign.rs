//! Code of a message's author that runs during a publish: `Clone` and conflation keys. It may do whatever it
//! likes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use mycelium_mailbox::{
    Doorbell, Overflow, Retain, Source, Stamps, SubscribeOptions, Subscription, Topic, TryPublishError,
};

/// How long foreign code waits for another thread that must not be held up by it (a watchdog).
const PATIENCE: Duration = Duration::from_secs(60);

type Hook = Arc<dyn Fn() + Send + Sync>;

/// Runs its hook when it is cloned; its copies do nothing.
struct Hooked(u64, Option<Hook>);

impl Clone for Hooked {
    fn clone(&self) -> Self {
        if let Some(hook) = &self.1 {
            hook();
        }
        Self(self.0, None)
    }
}

/// The same without a destructor: the hook is for all of them.
struct Plain(u64);

static PLAIN_HOOK: Mutex<Option<Hook>> = Mutex::new(None);

impl Clone for Plain {
    fn clone(&self) -> Self {
        let hook = PLAIN_HOOK.lock().unwrap().clone().filter(|_| self.0 == 1);
        hook.into_iter().for_each(|hook| hook());
        Self(self.0)
    }
}

fn topic<M: Clone + Send + Sync + 'static>() -> Topic<M> {
    Topic::new(Arc::new(Stamps::new()), 1024)
}

fn subscribe<M: Clone + Send + Sync + 'static>(topic: &Topic<M>, overflow: Overflow<M>) -> Subscription<M> {
    let options = SubscribeOptions { overflow, ..SubscribeOptions::default() };
    topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
}

/// The numbers of all that waits.
fn numbers<M: Clone + Send + Sync + 'static>(
    queue: &mut Subscription<M>,
    number: impl Fn(&M) -> u64,
) -> Vec<u64> {
    let mut all = Vec::new();
    while queue.head().is_some() {
        all.push(number(queue.peek().unwrap().message));
        queue.advance();
    }
    all
}

#[test]
fn a_clone_may_publish_to_its_own_topic() {
    let topic = topic::<Hooked>();
    let mut queues =
        [Overflow::Block, Overflow::DropOldest, Overflow::Fail].map(|way| subscribe(&topic, way));
    let inner = topic.clone();
    let hook: Hook = Arc::new(move || assert!(inner.try_publish(Hooked(2, None), 0).is_ok()));
    assert!(topic.try_publish(Hooked(1, Some(hook)), 0).is_ok());
    // One clone for each lane, and each has published.
    for queue in &mut queues {
        assert_eq!(numbers(queue, |message| message.0), [2, 2, 1]);
    }
    assert_eq!(topic.stats().published, 3);
}

#[test]
fn who_subscribes_late_while_a_message_is_cloned_has_it_once_however_often_that_happens() {
    const LATE: usize = 20;
    let topic = Topic::<Hooked>::retaining(Arc::new(Stamps::new()), 1024, Retain::Last(1));
    let _early = subscribe(&topic, Overflow::DropOldest);
    let late = Arc::new(Mutex::new((0, Vec::new())));
    let (inner, queues) = (topic.clone(), Arc::clone(&late));
    let hook: Hook = Arc::new(move || {
        let number = std::mem::replace(&mut queues.lock().unwrap().0, LATE);
        if number < LATE {
            let options =
                SubscribeOptions { overflow: Overflow::DropOldest, retained: true, ..Default::default() };
            // It may clone what is retained by now, which comes here again.
            let queue = inner.subscribe(Arc::new(Doorbell::new()), options).unwrap();
            let mut queues = queues.lock().unwrap();
            queues.1.push(queue);
            queues.0 = number + 1;
        }
    });
    assert!(topic.try_publish(Hooked(1, Some(hook)), 0).is_ok());
    assert!(topic.try_publish(Hooked(2, None), 0).is_ok());
    let mut late = std::mem::take(&mut late.lock().unwrap().1);
    assert_eq!(late.len(), LATE);
    for queue in &mut late {
        assert_eq!(numbers(queue, |message| message.0), [1, 2]);
    }
}

#[test]
fn a_clone_of_plain_data_may_publish_too() {
    let topic = topic::<Plain>();
    let mut queues = [Overflow::Block, Overflow::DropNewest].map(|way| subscribe(&topic, way));
    let inner = topic.clone();
    *PLAIN_HOOK.lock().unwrap() = Some(Arc::new(move || assert!(inner.try_publish(Plain(2), 0).is_ok())));
    assert!(topic.try_publish(Plain(1), 0).is_ok());
    *PLAIN_HOOK.lock().unwrap() = None;
    for queue in &mut queues {
        assert_eq!(numbers(queue, |message| message.0), [2, 1]);
    }
}

#[test]
fn a_key_may_publish_to_its_own_topic_subscribe_and_leave() {
    let topic = topic::<u64>();
    let mut ring = subscribe(&topic, Overflow::Block);
    let left = Arc::new(Mutex::new(Some(subscribe(&topic, Overflow::conflate(|_| 7)))));
    let (inner, leaving, joined) = (topic.clone(), Arc::clone(&left), Arc::new(Mutex::new(Vec::new())));
    let joining = Arc::clone(&joined);
    let key = move |number: &u64| {
        if *number == 1 {
            inner.try_publish(2, 0).unwrap();
            drop(leaving.lock().unwrap().take());
            joining.lock().unwrap().push(subscribe(&inner, Overflow::conflate(|number| *number)));
        }
        *number
    };
    let mut lane = subscribe(&topic, Overflow::conflate(key));
    // Each key of 1 lets one more come, so the publish gives up at some time to serve those that come.
    topic.try_publish(1, 0).unwrap();
    let late = joined.lock().unwrap().len();
    assert!((1..100).contains(&late), "{late} subscribed while one message was published");
    assert_eq!(numbers(&mut ring, |number| *number).last(), Some(&1));
    assert_eq!(numbers(&mut lane, |number| *number), [2, 1]);
    topic.try_publish(3, 0).unwrap();
    for queue in joined.lock().unwrap().iter_mut() {
        assert_eq!(numbers(queue, |number| *number).last(), Some(&3));
    }
    assert_eq!(topic.subscribers().len(), 2 + late);
}

/// Foreign code that waits until another thread has published.
fn waits_for(seen: Receiver<()>) -> Hook {
    let seen = Mutex::new(seen);
    Arc::new(move || seen.lock().unwrap().recv_timeout(PATIENCE).expect("the other publisher gets through"))
}

fn others_get_through<M: Clone + Send + Sync + 'static>(
    topic: &Topic<M>,
    slow: M,
    quick: M,
    begun: &Receiver<()>,
    go_on: &Sender<()>,
) {
    thread::scope(|scope| {
        scope.spawn(|| assert!(topic.try_publish(slow, 0).is_ok()));
        begun.recv_timeout(PATIENCE).unwrap();
        assert!(topic.try_publish(quick, 0).is_ok());
        // And so do those who come and leave.
        drop(subscribe(topic, Overflow::Block));
        drop(subscribe(topic, Overflow::DropOldest));
        go_on.send(()).unwrap();
    });
}

#[test]
fn while_a_message_is_cloned_or_its_key_is_taken_others_publish_come_and_leave() {
    let ((begin, begun), (go_on, going)) = (channel(), channel());
    let wait = waits_for(going);
    let hook: Hook = Arc::new(move || {
        begin.send(()).unwrap();
        wait();
    });
    let clones = topic::<Hooked>();
    let mut queues = [Overflow::Block, Overflow::DropOldest].map(|way| subscribe(&clones, way));
    others_get_through(&clones, Hooked(1, Some(Arc::clone(&hook))), Hooked(2, None), &begun, &go_on);
    for queue in &mut queues {
        assert_eq!(numbers(queue, |message| message.0), [2, 1]);
    }
    let keys = topic::<u64>();
    let first = AtomicBool::new(true);
    let key = move |number: &u64| {
        if *number == 1 && first.swap(false, Ordering::SeqCst) {
            hook();
        }
        0
    };
    let mut lane = subscribe(&keys, Overflow::conflate(key));
    others_get_through(&keys, 1, 2, &begun, &go_on);
    assert_eq!(numbers(&mut lane, |number| *number), [1]);
    assert_eq!((keys.stats().published, keys.stats().conflated), (2, 1));
}

#[test]
fn a_ring_grows_while_its_messages_cannot_be_cloned() {
    let topic = topic::<Hooked>();
    let mut reader = subscribe(&topic, Overflow::Block);
    let hook: Hook = Arc::new(|| panic!("asked to panic"));
    assert!(topic.try_publish(Hooked(1, Some(hook)), 0).is_ok());
    let options = SubscribeOptions { capacity: Some(4096), ..SubscribeOptions::default() };
    let _large = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    assert_eq!(numbers(&mut reader, |message| message.0), [1]);
}

#[test]
fn a_clone_or_key_that_panics_publishes_to_nobody() {
    let clones = topic::<Hooked>();
    let ways = [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::conflate(|_| 0)];
    let mut queues = ways.map(|way| subscribe(&clones, way));
    let count = AtomicU64::new(0);
    // Not the first of the copies.
    let hook: Hook = Arc::new(move || assert!(count.fetch_add(1, Ordering::SeqCst) < 2, "asked to panic"));
    let publish = || clones.try_publish(Hooked(1, Some(Arc::clone(&hook))), 0).is_ok();
    assert!(catch_unwind(AssertUnwindSafe(publish)).is_err());
    assert!(queues.iter_mut().all(|queue| queue.head().is_none()));
    assert_eq!(clones.stats(), topic::<u64>().stats());

    let keys = topic::<u64>();
    let ways = [
        Overflow::Block,
        Overflow::DropOldest,
        Overflow::conflate(|number| *number),
        Overflow::conflate(|number: &u64| {
            assert!(!number.is_multiple_of(10), "asked to panic");
            *number
        }),
        Overflow::Fail,
    ];
    let mut queues = ways.map(|way| subscribe(&keys, way));
    let publish = |number| catch_unwind(AssertUnwindSafe(|| keys.try_publish(number, 0).unwrap())).is_ok();
    let published = (1..=40).filter(|&number| publish(number)).count() as u64;
    assert_eq!((published, keys.stats().published), (36, 36));
    let expected: Vec<_> = (1..=40_u64).filter(|number| !number.is_multiple_of(10)).collect();
    for queue in &mut queues {
        assert_eq!(numbers(queue, |number| *number), expected);
    }
}

#[test]
fn a_refused_message_is_not_cloned() {
    let topic = topic::<Hooked>();
    let options = SubscribeOptions { capacity: Some(1), ..SubscribeOptions::default() };
    let _full = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    let _lane = subscribe(&topic, Overflow::DropOldest);
    assert!(topic.try_publish(Hooked(0, None), 0).is_ok());
    let hook: Hook = Arc::new(|| panic!("it was cloned"));
    assert!(topic.try_publish(Hooked(1, Some(hook)), 0).is_err());
}

#[test]
fn a_message_that_has_one_lane_to_go_to_is_not_cloned() {
    let topic = topic::<Hooked>();
    let mut lane = subscribe(&topic, Overflow::DropOldest);
    let hook: Hook = Arc::new(|| panic!("it was cloned"));
    assert!(topic.try_publish(Hooked(1, Some(hook)), 0).is_ok());
    assert_eq!(numbers(&mut lane, |message| message.0), [1]);
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Lanes of all kinds come and leave while a clone takes its time; whoever stays gets everything in order.
#[test]
fn lanes_that_come_and_leave_meanwhile_harm_nobody() {
    static HOME: OnceLock<Topic<Hooked>> = OnceLock::new();
    const MESSAGES: u64 = 300;
    let topic = HOME.get_or_init(topic::<Hooked>);
    let mut ring = subscribe(topic, Overflow::Block);
    let mut lane = subscribe(topic, Overflow::DropOldest);
    let mut keyed = subscribe(topic, Overflow::conflate(|message: &Hooked| message.0));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let ways = [Overflow::DropNewest, Overflow::conflate(|_| 0), Overflow::Block];
                drop(ways.map(|way| subscribe(topic, way)));
            }
        });
        // Set by its drop too, so that a failure ends the test.
        let _ends = Ends(&done);
        for number in 0..MESSAGES {
            let hook: Hook = Arc::new(thread::yield_now);
            assert!(topic.try_publish(Hooked(number, Some(hook)), 0).is_ok());
            for queue in [&mut ring, &mut lane, &mut keyed] {
                assert_eq!(numbers(queue, |message| message.0), [number]);
            }
        }
    });
    assert_eq!(topic.stats().published, MESSAGES);
}

/// The one lane of a topic conflates: while its key is taken, another comes, it leaves, the topic closes, or
/// the key panics.
#[test]
fn whatever_happens_while_the_key_for_the_only_lane_is_taken_the_publish_is_whole() {
    let wish: Arc<Mutex<Option<Hook>>> = Arc::default();
    let topic = topic::<u64>();
    let wished = Arc::clone(&wish);
    let key = move |_: &u64| {
        let hook = wished.lock().unwrap().take();
        hook.into_iter().for_each(|hook| hook());
        0
    };
    let only = Arc::new(Mutex::new(Some(subscribe(&topic, Overflow::conflate(key.clone())))));
    let publish = |number, hook: Hook| {
        *wish.lock().unwrap() = Some(hook);
        topic.try_publish(number, 0)
    };
    // Another publishes: its message is the older one.
    let inner = topic.clone();
    publish(2, Arc::new(move || inner.try_publish(1, 0).unwrap())).unwrap();
    assert_eq!(numbers(only.lock().unwrap().as_mut().unwrap(), |number| *number), [2]);
    assert_eq!((topic.stats().published, topic.stats().conflated), (2, 1));
    // It panics.
    assert!(catch_unwind(AssertUnwindSafe(|| publish(3, Arc::new(|| panic!("asked to panic"))))).is_err());
    assert_eq!(topic.stats().published, 2);
    assert!(only.lock().unwrap().as_mut().unwrap().head().is_none());
    // Others come.
    let ways = [Overflow::DropOldest, Overflow::conflate(|_| 0), Overflow::Block];
    for (number, way) in (4..).zip(ways) {
        let come = Arc::new(Mutex::new(None));
        let (inner, coming) = (topic.clone(), Arc::clone(&come));
        let hook = move || *coming.lock().unwrap() = Some(subscribe(&inner, way.clone()));
        publish(number, Arc::new(hook)).unwrap();
        let mut other = come.lock().unwrap().take().unwrap();
        assert_eq!(numbers(&mut other, |number| *number), [number]);
        assert_eq!(numbers(only.lock().unwrap().as_mut().unwrap(), |number| *number), [number]);
    }
    // It leaves, and another like it takes its place.
    let (inner, place) = (topic.clone(), Arc::clone(&only));
    let hook = move || {
        drop(place.lock().unwrap().take());
        *place.lock().unwrap() = Some(subscribe(&inner, Overflow::conflate(key.clone())));
    };
    publish(7, Arc::new(hook)).unwrap();
    assert_eq!(numbers(only.lock().unwrap().as_mut().unwrap(), |number| *number), [7]);
    // It leaves, and nobody is left.
    let place = Arc::clone(&only);
    publish(8, Arc::new(move || drop(place.lock().unwrap().take()))).unwrap();
    // The topic closes.
    let closing = topic.clone();
    let closes = move |_: &u64| {
        closing.close();
        0
    };
    let mut last = subscribe(&topic, Overflow::conflate(closes));
    assert!(matches!(topic.try_publish(10, 0), Err(TryPublishError::Closed(10))));
    assert!(last.head().is_none());
}
