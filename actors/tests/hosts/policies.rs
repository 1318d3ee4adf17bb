//! Overflow policies: what is dropped, what is counted, and that memory has a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Handler, Message, PublishError, Responder, Subscription, TopicStats,
};

use crate::host::Host;

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

/// Is busy with its first message until it may go on.
struct Slow {
    subscription: Subscription<Load>,
    is_in: Arc<AtomicBool>,
    may_go_on: Arc<AtomicBool>,
    heard: Vec<u64>,
}
impl Actor for Slow {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(ctx.subscribe(self.subscription)?)
    }
}
impl Handler<Load> for Slow {
    async fn handle(&mut self, load: &Load, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if load.number == 0 {
            self.is_in.store(true, Ordering::SeqCst);
            while !self.may_go_on.load(Ordering::SeqCst) {
                ctx.sleep(Duration::from_millis(1)).await;
            }
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
const FLOOD: u64 = 20_000;

/// Floods an actor that is busy with message 0; what it heard after that, the counters, and the most messages
/// that existed at once.
fn flood<H: Host>(subscription: Subscription<Load>) -> (Vec<u64>, TopicStats, usize) {
    let mut host = H::new();
    let [is_in, may_go_on] = [0; 2].map(|_| Arc::<AtomicBool>::default());
    let slow = Slow {
        subscription: subscription.capacity(CAPACITY),
        is_in: Arc::clone(&is_in),
        may_go_on: Arc::clone(&may_go_on),
        heard: Vec::new(),
    };
    let slow = host.spawn(slow).unwrap();
    host.ask(&slow, Heard).unwrap();
    let witness = Arc::new(());
    host.try_publish(Load { number: 0, witness: Arc::clone(&witness) }).unwrap();
    host.until(|| is_in.load(Ordering::SeqCst));
    let mut most = 0;
    for number in 1..=FLOOD {
        let refused = host.try_publish(Load { number, witness: Arc::clone(&witness) });
        if number.is_multiple_of(16) {
            host.settle();
        }
        most = most.max(Arc::strong_count(&witness) - 1);
        assert!(
            refused.is_ok() || matches!(refused, Err(PublishError::Full(load, _)) if load.number == number)
        );
    }
    may_go_on.store(true, Ordering::SeqCst);
    let heard = host.ask(&slow, Heard).unwrap();
    host.settle();
    let stats = host.topic::<Load>();
    host.shutdown();
    drop(host);
    assert_eq!(Arc::strong_count(&witness), 1, "nothing is left");
    (heard, stats, most)
}

conformance!(drop_oldest_keeps_the_latest);
fn drop_oldest_keeps_the_latest<H: Host>() {
    let (heard, stats, most) = flood::<H>(Subscription::drop_oldest());
    let kept = CAPACITY as u64;
    assert_eq!(heard[1..], (FLOOD - kept + 1..=FLOOD).collect::<Vec<_>>());
    assert_eq!((stats.dropped_oldest, stats.published), (FLOOD - kept, FLOOD + 1));
    assert!(most <= 2 * CAPACITY + 2, "{most} messages existed at once");
}

conformance!(drop_newest_keeps_the_first);
fn drop_newest_keeps_the_first<H: Host>() {
    let (heard, stats, most) = flood::<H>(Subscription::drop_newest());
    // The message in hand counts against the capacity or not, by how the batch was taken; nothing else is
    // lost.
    assert!(heard.len() == CAPACITY || heard.len() == CAPACITY + 1, "{heard:?}");
    assert_eq!(heard, (0..heard.len() as u64).collect::<Vec<_>>());
    assert_eq!(stats.dropped_newest, FLOOD + 1 - heard.len() as u64);
    assert!(most <= 2 * CAPACITY + 2, "{most} messages existed at once");
}

conformance!(conflate_keeps_the_latest_of_each_key);
fn conflate_keeps_the_latest_of_each_key<H: Host>() {
    let (heard, stats, most) = flood::<H>(Subscription::conflate(|load: &Load| load.number % 4));
    assert_eq!(heard, [0, FLOOD - 3, FLOOD - 2, FLOOD - 1, FLOOD]);
    assert_eq!(stats.conflated, FLOOD - 4);
    assert!(most <= 2 * CAPACITY + 2, "{most} messages existed at once");
}

conformance!(block_and_fail_refuse_what_does_not_fit_and_lose_nothing);
fn block_and_fail_refuse_what_does_not_fit_and_lose_nothing<H: Host>() {
    for subscription in [Subscription::block(), Subscription::fail()] {
        let (heard, stats, most) = flood::<H>(subscription);
        assert!(heard.len() == CAPACITY || heard.len() == CAPACITY + 1, "{heard:?}");
        assert_eq!(heard, (0..heard.len() as u64).collect::<Vec<_>>());
        assert_eq!(stats.published, heard.len() as u64, "what was refused was given back");
        assert_eq!(stats.delivered, stats.published);
        // A ring keeps a message in its slot until the slot is used again.
        assert!(most <= 2 * CAPACITY + 2, "{most} messages existed at once");
    }
}

conformance!(a_publisher_that_waits_for_room_loses_nothing_under_block);
fn a_publisher_that_waits_for_room_loses_nothing_under_block<H: Host>() {
    let mut host = H::new();
    let [is_in, may_go_on] = [false, true].map(|it| Arc::new(AtomicBool::new(it)));
    let subscription = Subscription::block().capacity(CAPACITY);
    let slow = host.spawn(Slow { subscription, is_in, may_go_on, heard: Vec::new() }).unwrap();
    host.ask(&slow, Heard).unwrap();
    let witness = Arc::new(());
    for number in 0..5_000 {
        host.publish(Load { number, witness: Arc::clone(&witness) }).unwrap();
    }
    assert_eq!(host.ask(&slow, Heard).unwrap(), (0..5_000).collect::<Vec<_>>());
    assert_eq!(host.topic::<Load>().delivered, 5_000);
}
