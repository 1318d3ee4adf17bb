//! Look at a running bus: its actors, its queues, and the messages that were dropped.

use mycelium::{MessageBus, Result, Subscription};

use crate::Quote;

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let _idle = bus.subscriber_with::<Quote>(Subscription::drop_oldest().capacity(4))?;
    let quotes = bus.publisher::<Quote>()?;
    for ticks in 1..=10 {
        quotes.publish(Quote { symbol: 1, ticks }).await?;
    }
    println!("{}", bus.stats()); // a page of text; its parts are fields and `topics()`
    let topics = bus.topics();
    let topic = topics.iter().find(|topic| topic.message == "Quote").ok_or("no such topic")?;
    assert_eq!((topic.published, topic.dropped_oldest), (10, 6));
    println!("{:?}", bus.dead_letters());
    Ok(bus.shutdown().await?)
}
