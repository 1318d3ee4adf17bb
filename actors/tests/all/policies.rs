//! Overflow policies of live subscriptions: what is dropped, what is counted, and that memory has a bound.

use std::sync::Arc;

use crate::common::on_both_runtimes;
use mycelium::{
    Actor, BoxError, Context, Handler, Message, MessageBus, PublishError, Responder, Subscription, TopicStats,
};
use tokio::sync::Semaphore;

/// Carries a witness, so that the test sees how many of them exist.
#[derive(Clone, Debug)]
struct Load {
    number: u64,
    #[allow(dead_code)] // Only its existence matters.
    witness: Arc<()>,
}
impl Message for Load {
    const NAME: &'static str = "Load";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "loads";
}

/// Is stuck in its first message until the gate opens.
struct Slow {
    subscription: Subscription<Load>,
    gate: Arc<Semaphore>,
    entered: Arc<Semaphore>,
    heard: Vec<u64>,
}
impl Actor for Slow {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(ctx.subscribe(self.subscription)?)
    }
}
impl Handler<Load> for Slow {
    async fn handle(&mut self, load: &Load, _: &mut Context<Self>) -> Result<(), BoxError> {
        if load.number == 0 {
            self.entered.add_permits(1);
            self.gate.acquire().await?.forget();
        }
        self.heard.push(load.number);
        Ok(())
    }
}
struct Heard;
impl Responder<Heard> for Slow {
    type Reply = Vec<u64>;
    async fn answer(&mut self, _: &Heard, _: &mut Context<Self>) -> Vec<u64> {
        self.heard.clone()
    }
}

const CAPACITY: usize = 16;
const FLOOD: u64 = 100_000;

/// Floods an actor that is stuck in message 0 and tells what it heard after that, the counters, and the most messages
/// that existed at once.
async fn flood(subscription: Subscription<Load>) -> (Vec<u64>, TopicStats, usize) {
    let bus = MessageBus::new();
    let (gate, entered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let slow = Slow {
        subscription: subscription.capacity(CAPACITY),
        gate: Arc::clone(&gate),
        entered: Arc::clone(&entered),
        heard: Vec::new(),
    };
    let slow = bus.spawn(slow).unwrap();
    slow.ask(Heard).await.unwrap();
    let loads = bus.publisher::<Load>().unwrap();
    let witness = Arc::new(());
    loads.try_publish(Load { number: 0, witness: Arc::clone(&witness) }).unwrap();
    entered.acquire().await.unwrap().forget();
    let mut most = 0;
    for number in 1..=FLOOD {
        let refused = loads.try_publish(Load { number, witness: Arc::clone(&witness) });
        most = most.max(Arc::strong_count(&witness) - 1);
        assert!(refused.is_ok() || matches!(refused, Err(PublishError::Full(load)) if load.number == number));
    }
    gate.add_permits(1);
    let heard = slow.ask(Heard).await.unwrap();
    let stats = bus.topics().into_iter().find(|stats| stats.message == "Load").unwrap();
    bus.shutdown().await.unwrap();
    (heard, stats, most)
}

#[test]
fn drop_oldest_keeps_the_latest() {
    on_both_runtimes(|| async {
        let (heard, stats, most) = flood(Subscription::drop_oldest()).await;
        let kept = CAPACITY as u64;
        assert_eq!(heard[1..], (FLOOD - kept + 1..=FLOOD).collect::<Vec<_>>());
        assert_eq!(stats.dropped_oldest, FLOOD - kept);
        assert_eq!(stats.published, FLOOD + 1);
        assert!(most <= CAPACITY + 2, "{most} messages existed at once");
    });
}

#[test]
fn drop_newest_keeps_the_first() {
    on_both_runtimes(|| async {
        let (heard, stats, most) = flood(Subscription::drop_newest()).await;
        // The message in hand counts against the capacity or not, by how the batch was taken; nothing else is lost.
        assert!(heard.len() == CAPACITY || heard.len() == CAPACITY + 1, "{heard:?}");
        assert_eq!(heard, (0..heard.len() as u64).collect::<Vec<_>>());
        assert_eq!(stats.dropped_newest, FLOOD + 1 - heard.len() as u64);
        assert!(most <= CAPACITY + 2, "{most} messages existed at once");
    });
}

#[test]
fn conflate_keeps_the_latest_of_each_key() {
    on_both_runtimes(|| async {
        let (heard, stats, most) = flood(Subscription::conflate(|load: &Load| load.number % 4)).await;
        assert_eq!(heard, [0, FLOOD - 3, FLOOD - 2, FLOOD - 1, FLOOD]);
        assert_eq!(stats.conflated, FLOOD - 4);
        assert!(most <= CAPACITY + 2, "{most} messages existed at once");
    });
}

#[test]
fn block_and_fail_refuse_what_does_not_fit_and_lose_nothing() {
    on_both_runtimes(|| async {
        for subscription in [Subscription::block(), Subscription::fail()] {
            let (heard, stats, most) = flood(subscription).await;
            assert!(heard.len() == CAPACITY || heard.len() == CAPACITY + 1, "{heard:?}");
            assert_eq!(heard, (0..heard.len() as u64).collect::<Vec<_>>());
            assert_eq!(stats.published, heard.len() as u64, "what was refused was given back");
            assert_eq!(stats.delivered, stats.published);
            // A ring keeps a message in its slot until the slot is used again.
            assert!(most <= 2 * CAPACITY + 2, "{most} messages existed at once");
        }
    });
}

#[test]
fn a_publisher_that_awaits_loses_nothing_under_block() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (gate, entered) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(0)));
        let subscription = Subscription::block().capacity(CAPACITY);
        let slow = bus.spawn(Slow { subscription, gate, entered, heard: Vec::new() }).unwrap();
        slow.ask(Heard).await.unwrap();
        let loads = bus.publisher::<Load>().unwrap();
        let witness = Arc::new(());
        for number in 0..10_000 {
            loads.publish(Load { number, witness: Arc::clone(&witness) }).await.unwrap();
        }
        assert_eq!(slow.ask(Heard).await.unwrap(), (0..10_000).collect::<Vec<_>>());
    });
}

#[test]
fn a_capacity_holds_whoever_used_the_topic_first() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().topic_capacity(4).build();
        let loads = bus.publisher::<Load>().unwrap();
        let witness = Arc::new(());
        let publish = |number| loads.try_publish(Load { number, witness: Arc::clone(&witness) });
        let mut small = bus.subscriber::<Load>().unwrap();
        publish(0).unwrap();
        let mut large = bus.subscriber_with::<Load>(Subscription::block().capacity(100)).unwrap();
        let mut lossy = bus.subscriber_with::<Load>(Subscription::drop_oldest()).unwrap();
        let mut capacities: Vec<_> = bus.stats().queues.iter().map(|queue| queue.capacity).collect();
        capacities.sort_unstable();
        assert_eq!(capacities, [4, 4, 100]);
        for number in 1..4 {
            publish(number).unwrap();
        }
        assert!(matches!(publish(4), Err(PublishError::Full(_))), "the small one is full");
        for number in 0..4 {
            assert_eq!(small.recv().await.map(|load| load.number), Some(number));
        }
        drop(small);
        for number in 4..101 {
            publish(number).unwrap();
        }
        assert!(matches!(publish(101), Err(PublishError::Full(_))), "a hundred wait");
        for number in 1..101 {
            assert_eq!(large.recv().await.map(|load| load.number), Some(number));
        }
        assert_eq!(lossy.recv().await.map(|load| load.number), Some(97), "four wait");
        drop((large, lossy, publish));
        assert_eq!(Arc::strong_count(&witness), 1, "nothing is left of the rings");
    });
}
