//! Ask an actor, with a time limit.

use std::time::Duration;

use mycelium::{AskError, MessageBus, Result, actor};

struct Book {
    price: i64,
}

struct PriceOf {
    symbol: u32,
}

#[actor]
impl Book {
    #[ask]
    fn price(&self, of: &PriceOf) -> Option<i64> {
        (of.symbol == 1).then_some(self.price)
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let book = bus.spawn(Book { price: 101 })?;
    assert_eq!(book.ask(PriceOf { symbol: 1 }).await?, Some(101)); // the type of the answer is the handler's
    match book.ask_within(PriceOf { symbol: 2 }, Duration::from_secs(1)).await {
        Ok(None) => println!("no price"),
        Err(AskError::Timeout(_)) => println!("the book is busy"),
        other => println!("{other:?}"),
    }
    Ok(bus.shutdown().await?)
}
