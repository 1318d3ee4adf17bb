//! Actors that deal with more message types than they have fingers for: each finds its own topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mycelium::{Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, Subscriptions};

/// One of many message types.
#[derive(Clone, Debug)]
struct Kind<const ID: u16>(u64);

impl<const ID: u16> Message for Kind<ID> {
    const NAME: &'static str = "Kind";
    const TYPE_ID: u16 = ID;
    const TOPIC: &'static str = "kinds";
}

/// Publishes a message of each type, twice, and stops.
struct Fan;
/// Adds up what it hears, each number as often as its type says.
struct Sum(Arc<AtomicU64>);
struct Go;

impl Actor for Fan {
    type Error = BoxError;
}

impl<const ID: u16> Handler<Kind<ID>> for Sum {
    async fn handle(&mut self, kind: &Kind<ID>, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_eq!(kind.0, u64::from(ID), "a message of another topic");
        self.0.fetch_add(kind.0, Ordering::Relaxed);
        Ok(())
    }
}

macro_rules! kinds {
    ($($id:literal)*) => {
        impl Handler<Go> for Fan {
            async fn handle(&mut self, _: &Go, ctx: &mut Context<Self>) -> Result<(), BoxError> {
                for _ in 0..2 {
                    $( ctx.publish(Kind::<$id>($id)).await?; )*
                }
                ctx.stop();
                Ok(())
            }
        }
        impl Actor for Sum {
            type Error = BoxError;
            fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
                $( topics.on::<Kind<$id>>(); )*
            }
        }
        /// How many types there are, and the sum of what is published.
        const KINDS: usize = [$($id),*].len();
        const PUBLISHED: u64 = 2 * (0 $( + $id )*);
    };
}

// More than a publisher looks through one by one, close together, far apart and with the same digits.
kinds! { 1 2 3 4 5 6 7 8 15 16 17 31 32 33 255 256 257 272 4095 4096 4097 4112 8448 33825 61440 65520 65535 }

#[tokio::test]
async fn each_of_many_types_has_its_topic() {
    let (bus, sum) = (MessageBus::new(), Arc::default());
    let hears = bus.spawn(Sum(Arc::clone(&sum))).unwrap();
    let fan = bus.spawn(Fan).unwrap();
    fan.tell(Go).await.unwrap();
    fan.ended().await;
    let stats = bus.stats();
    assert_eq!(stats.topics.len(), KINDS);
    assert!(stats.topics.iter().all(|topic| topic.published == 2), "{stats:?}");
    while sum.load(Ordering::Relaxed) < PUBLISHED {
        tokio::task::yield_now().await;
    }
    hears.stop();
    hears.ended().await;
    assert_eq!(sum.load(Ordering::Relaxed), PUBLISHED);
    bus.shutdown().await.unwrap();
}

#[test]
fn an_actor_of_an_isolate_that_ends_leaves_all_its_topics_and_no_other() {
    let (mut isolate, sums) = (Isolate::new(1), [Arc::default(), Arc::default()]);
    let [gone, stays] = sums.each_ref().map(|sum| isolate.spawn(Sum(Arc::clone(sum))).unwrap());
    let fan = isolate.spawn(Fan).unwrap();
    isolate.run().unwrap();
    gone.stop();
    isolate.run().unwrap();
    isolate.tell(&fan, Go).unwrap();
    isolate.run().unwrap();
    assert_eq!(sums.map(|sum| sum.load(Ordering::Relaxed)), [0, PUBLISHED]);
    assert!(isolate.topics().iter().all(|topic| topic.published == 2 && topic.delivered == 2));
    assert!(stays.is_alive() && !gone.is_alive());
}
