//! Slow a fast publisher down to the pace of its slowest subscriber: `block`, which is the default, makes it
//! wait.

use mycelium::{MessageBus, PublishError, Result, Subscription};

use crate::Quote;

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let mut slow = bus.subscriber_with::<Quote>(Subscription::block().capacity(2))?;
    let quotes = bus.publisher::<Quote>()?;
    for ticks in 1..=2 {
        quotes.publish(Quote { symbol: 1, ticks }).await?; // there is room: no waiting
    }
    // `publish` would wait now. `try_publish` gives the message back instead.
    let Err(PublishError::Full(message, _)) = quotes.try_publish(Quote { symbol: 1, ticks: 3 }) else {
        return Err("there is room".into());
    };
    let publishing = quotes.publish(message);
    let reading = async { slow.recv().await.map(|quote| quote.ticks) };
    let (published, first) = tokio::join!(publishing, reading); // what is read makes room, and the publisher goes on
    published?;
    assert_eq!(first, Some(1));
    Ok(bus.shutdown().await?)
}
