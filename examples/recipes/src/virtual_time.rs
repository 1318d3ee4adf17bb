//! Test a day of waiting in a moment: the same service, in an isolate.

use std::time::Duration;

use mycelium::{Isolate, Result, ServiceContext, actor, service};

use crate::Quote;

struct Hourly;

#[service]
impl Hourly {
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        let mut hours = ctx.interval(Duration::from_secs(3600));
        for ticks in 1.. {
            hours.tick().await;
            ctx.publish(Quote { symbol: 1, ticks }).await?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Book(Vec<i64>);

#[actor]
impl Book {
    #[on]
    fn quote(&mut self, quote: &Quote) {
        self.0.push(quote.ticks);
    }
}

pub(crate) async fn run() -> Result {
    let mut isolate = Isolate::new(42); // the same seed, the same run, on every machine
    let book = isolate.spawn(Book::default())?;
    isolate.spawn_service(Hourly)?;
    isolate.run_for(Duration::from_secs(24 * 3600))?;
    assert_eq!(isolate.with(&book, |book| book.0.len()), Some(24)); // one at each full hour
    Ok(())
}
