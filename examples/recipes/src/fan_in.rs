//! Many publishers, one actor: all code that has the bus may publish, and the actor handles one message at a
//! time.

use mycelium::{MessageBus, Result, actor};

use crate::Quote;

struct Book(u64);
struct Seen;

#[actor]
impl Book {
    #[on]
    fn quote(&mut self, _: &Quote) {
        self.0 += 1;
    }
    #[ask]
    fn seen(&self, _: &Seen) -> u64 {
        self.0
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let book = bus.spawn(Book(0))?;
    let mut venues = tokio::task::JoinSet::new();
    for symbol in 0..4 {
        let quotes = bus.publisher::<Quote>()?; // one for each task: each task's quotes keep their order
        venues.spawn(async move {
            for ticks in 1..=100 {
                quotes.publish(Quote { symbol, ticks }).await?;
            }
            Ok::<_, mycelium::PublishError<Quote>>(())
        });
    }
    while let Some(venue) = venues.join_next().await {
        venue??;
    }
    assert_eq!(book.ask(Seen).await?, 400);
    Ok(bus.shutdown().await?)
}
