//! Take a consistent copy of an actor's state while it runs, and start another actor from it.

use std::collections::BTreeMap;

use mycelium::{MessageBus, Result, actor};

use crate::Quote;

#[derive(Clone, Default)]
struct Book {
    ticks: BTreeMap<u32, i64>,
}

struct Snapshot;

#[actor]
impl Book {
    #[on]
    fn quote(&mut self, quote: &Quote) {
        self.ticks.insert(quote.symbol, quote.ticks);
    }
    #[ask] // between two messages: no handler is half done
    fn snapshot(&self, _: &Snapshot) -> Book {
        self.clone()
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let book = bus.spawn(Book::default())?;
    let quotes = bus.publisher::<Quote>()?;
    for symbol in 1..=3 {
        quotes.publish(Quote { symbol, ticks: 100 }).await?;
    }
    let copy = book.ask(Snapshot).await?; // comes after what was published here before: all three quotes
    assert_eq!(copy.ticks.len(), 3);
    let other = MessageBus::new(); // as in a test, or after a restart of the process
    let restored = other.spawn(copy)?;
    assert_eq!(restored.ask(Snapshot).await?.ticks[&2], 100);
    Ok(bus.shutdown().await?)
}
