//! Costs of the bare queues, in nanoseconds per message, best of several rounds: `cargo bench -p
//! mycelium-mailbox`.
//!
//! A word given as an argument runs only the lines that contain it.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Instant;

use mycelium_mailbox::{
    Doorbell, FutureSlot, Inbox, InboxOptions, Overflow, Parcel, SUBSCRIBERS_MAX, Source, Stamps, Started,
    SubscribeOptions, Subscription, Topic, pick, poll_pick,
};

const MESSAGES: u64 = 1_000_000;
const ROUNDS: usize = 7;

type Small = [u64; 8];
type Large = [u64; 128];

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let report = |name: &str, run: &mut dyn FnMut() -> f64| {
        if name.contains(&filter) {
            let best = (0..ROUNDS).map(|_| run()).fold(f64::INFINITY, f64::min);
            println!("{name:<58} {best:>8.1} ns");
        }
    };
    for count in [0, 1, 4, 16] {
        report(&format!("publish 64 B, awake subscribers: {count}"), &mut || publish_only(count, [7; 8]));
    }
    for count in [1, 4, 16] {
        report(&format!("publish 64 B and drain, batch 512, subscribers: {count}"), &mut || {
            drained(count, 512, [7; 8])
        });
    }
    report("await publish of 64 B and drain, batch 512, subscribers: 1", &mut awaited);
    report("publish 64 B and drain, batch 1, subscribers: 1", &mut || drained(1, 1, [7; 8]));
    report("publish 8 B and drain, batch 512, subscribers: 1", &mut || drained(1, 512, 7_u64));
    for count in [1, 16] {
        report(&format!("publish 1 KiB and drain, batch 512, subscribers: {count}"), &mut || {
            drained(count, 512, [7_u64; 128] as Large)
        });
    }
    report("publish, sleep, wake by hand, subscribers: 1", &mut || ping(1));
    report("publish, sleep, wake by hand, subscribers: 16", &mut || ping(16));
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::conflate(|m: &Small| m[0] % 64)] {
        report(&format!("publish 64 B to a full lane, {}", overflow.name()), &mut || {
            full_lane(overflow.clone())
        });
    }
    report("merge of 6 sources, round robin, batch 512", &mut || merged(6));
    for count in [1, 8, 64, 1_000, 10_000] {
        report(&format!("publish to one of many topics, none has messages: {count}"), &mut || {
            sparse(count, false)
        });
        report(&format!("and find that message among them all: {count}"), &mut || sparse(count, true));
    }
    report("inbox send and drain, batch 512", &mut || inbox(512));
    report("inbox send and drain, batch 1", &mut || inbox(1));
    report("two threads: topic, 64 B", &mut || two_threads_topic(1));
    report("two threads: topic, 2 publishers", &mut || two_threads_topic(2));
    report("two threads: inbox, 64 B", &mut two_threads_inbox);
    report("subscribe and leave, each of 65,536", &mut crowd);
    report("parcel 64 B: new and into", &mut parcel);
    report("future slot: start a ready future", &mut future_slot);
}

fn per_message(start: Instant, messages: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / messages as f64
}

fn topic<M: Clone + Send + Sync + 'static>(subscribers: usize) -> (Topic<M>, Vec<Subscription<M>>) {
    let topic = Topic::new(Arc::new(Stamps::new()), 1024);
    let subscribe = |id| {
        let options = SubscribeOptions { id: id as u64 + 1, ..SubscribeOptions::default() };
        topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
    };
    let subscriptions = (0..subscribers).map(subscribe).collect();
    (topic, subscriptions)
}

fn drain<M: Clone + Send + Sync + 'static>(subscription: &mut Subscription<M>) -> u64 {
    let mut seen = 0;
    while subscription.head().is_some() {
        while let Some(delivery) = subscription.peek() {
            black_box(delivery.message);
            seen += 1;
            subscription.advance();
        }
    }
    seen
}

/// Publishing alone; draining is not timed.
fn publish_only(subscribers: usize, message: Small) -> f64 {
    let (topic, mut subscriptions) = topic::<Small>(subscribers);
    let mut nanos = 0;
    for _ in 0..MESSAGES / 512 {
        let start = Instant::now();
        for _ in 0..512 {
            topic.try_publish(black_box(message), 0).unwrap();
        }
        nanos += start.elapsed().as_nanos();
        for subscription in &mut subscriptions {
            black_box(drain(subscription));
        }
    }
    nanos as f64 / (MESSAGES / 512 * 512) as f64
}

fn drained<M: Clone + Send + Sync + 'static>(subscribers: usize, batch: u64, message: M) -> f64 {
    let (topic, mut subscriptions) = topic::<M>(subscribers);
    let start = Instant::now();
    for _ in 0..MESSAGES / batch {
        for _ in 0..batch {
            assert!(topic.try_publish(black_box(message.clone()), 0).is_ok());
        }
        for subscription in &mut subscriptions {
            assert_eq!(drain(subscription), batch);
        }
    }
    per_message(start, MESSAGES / batch * batch)
}

/// The same through the future that would wait for room.
fn awaited() -> f64 {
    let (topic, mut subscriptions) = topic::<Small>(1);
    let mut cx = Context::from_waker(Waker::noop());
    let start = Instant::now();
    for _ in 0..MESSAGES / 512 {
        for _ in 0..512 {
            let mut publishing = topic.publish(black_box([7; 8]), 0);
            assert!(Pin::new(&mut publishing).poll(&mut cx).is_ready());
        }
        assert_eq!(drain(&mut subscriptions[0]), 512);
    }
    per_message(start, MESSAGES / 512 * 512)
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Every subscriber sleeps before each publish and is woken by it.
fn ping(subscribers: usize) -> f64 {
    let topic = Topic::<Small>::new(Arc::new(Stamps::new()), 1024);
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let mut receivers: Vec<_> = (0..subscribers)
        .map(|_| {
            let bell = Arc::new(Doorbell::new());
            ([topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap()], bell)
        })
        .collect();
    let rounds = MESSAGES / 10;
    let start = Instant::now();
    for _ in 0..rounds {
        for (sources, bell) in &mut receivers {
            assert!(poll_pick(sources, bell, &mut cx).is_pending());
        }
        topic.try_publish([1; 8], 0).unwrap();
        for (sources, _) in &mut receivers {
            assert_eq!(drain(&mut sources[0]), 1);
        }
    }
    let result = per_message(start, rounds);
    assert_eq!(count.0.load(Ordering::Relaxed) as u64, rounds * subscribers as u64);
    result
}

/// As many as a topic takes come, and leave in the order they came.
fn crowd() -> f64 {
    let topic = Topic::<Small>::new(Arc::new(Stamps::new()), 1024);
    let bell = Arc::new(Doorbell::new());
    let start = Instant::now();
    let subscribe = |_| topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap();
    let all: Vec<_> = (0..SUBSCRIBERS_MAX).map(subscribe).collect();
    drop(all);
    per_message(start, SUBSCRIBERS_MAX as u64)
}

fn full_lane(overflow: Overflow<Small>) -> f64 {
    let topic = Topic::<Small>::new(Arc::new(Stamps::new()), 1024);
    let options = SubscribeOptions { overflow, capacity: Some(32), ..SubscribeOptions::default() };
    let _subscription = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
    let start = Instant::now();
    for number in 0..MESSAGES {
        topic.try_publish([number; 8], 0).unwrap();
    }
    per_message(start, MESSAGES)
}

fn merged(count: usize) -> f64 {
    let stamps = Arc::new(Stamps::new());
    let bell = Arc::new(Doorbell::new());
    let topics: Vec<Topic<Small>> = (0..count).map(|_| Topic::new(Arc::clone(&stamps), 1024)).collect();
    let mut sources: Vec<_> = topics
        .iter()
        .map(|topic| topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap())
        .collect();
    let start = Instant::now();
    for _ in 0..MESSAGES / 512 {
        for number in 0..512 {
            topics[number % count].try_publish([7; 8], 0).unwrap();
        }
        let mut last = None;
        while let Some(picked) = pick(&mut sources) {
            let source = &mut sources[picked.index];
            while let Some(delivery) = source.peek() {
                if delivery.stamp >= picked.below {
                    break;
                }
                assert!(last <= Some(delivery.stamp));
                last = Some(delivery.stamp);
                source.advance();
            }
        }
    }
    per_message(start, MESSAGES / 512 * 512)
}

/// One message at a time, to one of so many topics that one receiver hears.
fn sparse(count: usize, finds: bool) -> f64 {
    let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
    let topics: Vec<Topic<Small>> = (0..count).map(|_| Topic::new(Arc::clone(&stamps), 8)).collect();
    let mut sources: Vec<_> = topics
        .iter()
        .map(|topic| topic.subscribe(Arc::clone(&bell), SubscribeOptions::default()).unwrap())
        .collect();
    // Neighbours in time are far from each other among the topics; 8 is the capacity of each.
    let order = |number: usize| number * 7_919 % count;
    let messages = if finds { MESSAGES as usize / 32 / count.max(8) } else { count * 8 };
    let start = Instant::now();
    for number in 0..messages {
        topics[order(number)].try_publish([7; 8], 0).unwrap();
        if finds && let Some(picked) = pick(&mut sources) {
            sources[picked.index].advance();
        }
    }
    per_message(start, messages as u64)
}

fn inbox(batch: u64) -> f64 {
    let mut inbox: Inbox<Small> =
        Inbox::new(Arc::new(Stamps::new()), Arc::new(Doorbell::new()), InboxOptions::default());
    let sender = inbox.sender();
    let start = Instant::now();
    for _ in 0..MESSAGES / batch {
        for _ in 0..batch {
            sender.try_send(black_box([7; 8])).unwrap();
        }
        while inbox.head().is_some() {
            while let Some((message, _)) = inbox.peek() {
                black_box(message);
                inbox.advance();
            }
        }
    }
    per_message(start, MESSAGES / batch * batch)
}

/// Publishers on threads of their own; everybody spins when there is nothing to do.
fn two_threads_topic(publishers: u64) -> f64 {
    let (topic, mut subscriptions) = topic::<Small>(1);
    let start = Instant::now();
    let threads: Vec<_> = (0..publishers)
        .map(|_| {
            let topic = topic.clone();
            std::thread::spawn(move || {
                for _ in 0..MESSAGES / publishers {
                    while topic.try_publish(black_box([7; 8]), 0).is_err() {
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut seen = 0;
    while seen < MESSAGES / publishers * publishers {
        let now = drain(&mut subscriptions[0]);
        seen += now;
        if now == 0 {
            std::thread::yield_now();
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    per_message(start, MESSAGES)
}

fn two_threads_inbox() -> f64 {
    let mut inbox: Inbox<Small> =
        Inbox::new(Arc::new(Stamps::new()), Arc::new(Doorbell::new()), InboxOptions::default());
    let sender = inbox.sender();
    let start = Instant::now();
    let thread = std::thread::spawn(move || {
        for _ in 0..MESSAGES {
            while sender.try_send(black_box([7; 8])).is_err() {
                std::thread::yield_now();
            }
        }
    });
    let mut seen = 0;
    while seen < MESSAGES {
        if inbox.head().is_none() {
            std::thread::yield_now();
        }
        while let Some((message, _)) = inbox.peek() {
            black_box(message);
            seen += 1;
            inbox.advance();
        }
    }
    thread.join().unwrap();
    per_message(start, MESSAGES)
}

fn parcel() -> f64 {
    let start = Instant::now();
    for number in 0..MESSAGES {
        let parcel = black_box(Parcel::new([number; 8]));
        black_box(parcel.into::<Small>().unwrap());
    }
    per_message(start, MESSAGES)
}

fn future_slot() -> f64 {
    let mut slot = FutureSlot::new();
    let mut cx = Context::from_waker(Waker::noop());
    let start = Instant::now();
    for number in 0..MESSAGES {
        let ballast = black_box([number; 12]);
        match slot.start(async move { ballast[11] }, &mut cx) {
            Started::Ready(value) => black_box(value),
            Started::Parked(_) => unreachable!("it never waits"),
        };
    }
    per_message(start, MESSAGES)
}
