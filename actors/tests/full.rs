//! Who is full, when a publish is refused.

use std::sync::Arc;

use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, PublishError, Subscription,
    Subscriptions,
};
use tokio::sync::Notify;

#[derive(Clone, Copy, Debug)]
struct Load;
impl Message for Load {
    const NAME: &'static str = "Load";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "loads";
}

/// Waits in its first message, with room for one more.
struct Slow(Arc<Notify>);
impl Actor for Slow {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with::<Load>(Subscription::fail().capacity(1));
    }
}
impl Handler<Load> for Slow {
    async fn handle(&mut self, _: &Load, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.notified().await;
        Ok(())
    }
}

#[tokio::test]
async fn a_live_publish_that_is_refused_says_whose_queue_is_full() {
    let bus = MessageBus::new();
    let slow = bus.spawn_named("slow", Slow(Arc::default())).unwrap();
    let loads = bus.publisher::<Load>().unwrap();
    let refused = loop {
        if let Err(error) = loads.try_publish(Load) {
            break error;
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(refused, PublishError::Full(Load, Some(id)) if id == slow.id()));
    assert!(refused.to_string().ends_with(&format!("(it is that of {})", slow.id())), "{refused}");
    assert_eq!(bus.identity(slow.id()).unwrap().to_string(), "slow");
    // A wait for room is refused the same way: the policy asks for an error.
    let refused = loads.publish(Load).await.unwrap_err();
    assert!(matches!(refused, PublishError::Full(Load, Some(id)) if id == slow.id()));
    slow.kill();
    slow.ended().await;
    assert_eq!(bus.identity(slow.id()), None);
    // The queue of a subscriber that is no actor has no name.
    let _own = bus.subscriber_with::<Load>(Subscription::fail().capacity(1)).unwrap();
    loads.try_publish(Load).unwrap();
    let refused = loads.try_publish(Load).unwrap_err();
    assert!(matches!(refused, PublishError::Full(Load, None)), "{refused}");
}

#[test]
fn a_publish_that_is_refused_in_an_isolate_says_whose_queue_is_full() {
    let mut isolate = Isolate::new(1);
    let slow = isolate.spawn_named("slow", Slow(Arc::default())).unwrap();
    for _ in 0..2 {
        isolate.publish(Load).unwrap();
        // It waits for something that nobody does here.
        isolate.run().unwrap_err();
    }
    let refused = isolate.publish(Load).unwrap_err();
    assert!(matches!(refused, PublishError::Full(Load, Some(id)) if id == slow.id()), "{refused}");
    assert_eq!(isolate.identity(slow.id()).unwrap().to_string(), "slow");
}
