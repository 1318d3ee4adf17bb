//! The bounds of subscribers outside of all actors. The policies are in the suite of hosts.

use std::sync::Arc;

use crate::common::on_both_runtimes;
use mycelium::{Message, MessageBus, PublishError, Subscription};

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
        assert!(matches!(publish(4), Err(PublishError::Full(..))), "the small one is full");
        for number in 0..4 {
            assert_eq!(small.recv().await.map(|load| load.number), Some(number));
        }
        drop(small);
        for number in 4..101 {
            publish(number).unwrap();
        }
        assert!(matches!(publish(101), Err(PublishError::Full(..))), "a hundred wait");
        for number in 1..101 {
            assert_eq!(large.recv().await.map(|load| load.number), Some(number));
        }
        assert_eq!(lossy.recv().await.map(|load| load.number), Some(97), "four wait");
        drop((large, lossy, publish));
        assert_eq!(Arc::strong_count(&witness), 1, "nothing is left of the rings");
    });
}
