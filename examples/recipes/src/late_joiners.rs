//! Let a late subscriber begin with the known state: the topic retains the last message of each key.

use mycelium::{MessageBus, Result, Retention, Subscription};

use crate::Quote;

pub(crate) async fn run() -> Result {
    let per_symbol = Retention::last_per_key(|quote: &Quote| u64::from(quote.symbol), 1_000);
    let bus = MessageBus::builder().retain(per_symbol).build();
    let quotes = bus.publisher::<Quote>()?;
    for ticks in 1..=100 {
        for symbol in 1..=2 {
            quotes.publish(Quote { symbol, ticks }).await?; // nobody listens yet
        }
    }
    let mut late = bus.subscriber_with::<Quote>(Subscription::block().with_retained())?;
    quotes.publish(Quote { symbol: 1, ticks: 101 }).await?;
    let mut heard = Vec::new();
    while let Some(quote) = late.try_recv() {
        heard.push((quote.symbol, quote.ticks));
    }
    assert_eq!(heard, [(1, 100), (2, 100), (1, 101)]); // what was retained first, then what followed
    Ok(bus.shutdown().await?)
}
