//! A slow subscriber needs only the latest of each key: `conflate` keeps one message per key.

use mycelium::{MessageBus, Result, Subscription};

use crate::Quote;

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let latest = Subscription::conflate(|quote: &Quote| u64::from(quote.symbol));
    let mut screen = bus.subscriber_with(latest)?;
    let quotes = bus.publisher::<Quote>()?;
    for ticks in 1..=1_000 {
        for symbol in 1..=2 {
            quotes.publish(Quote { symbol, ticks }).await?; // never waits for the screen
        }
    }
    let mut shown = Vec::new();
    while let Some(quote) = screen.try_recv() {
        shown.push((quote.symbol, quote.ticks));
    }
    assert_eq!(shown, [(1, 1_000), (2, 1_000)]);
    Ok(bus.shutdown().await?)
}
