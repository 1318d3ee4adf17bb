//! Try a thousand parameters on all cores, each on a bus of its own.

use mycelium::{Context, Isolate, Result, Sweep, actor};

use crate::{Order, Quote};

struct Strategy {
    below: i64,
    orders: u32,
}

#[actor]
impl Strategy {
    #[on]
    async fn quote(&mut self, quote: &Quote, ctx: &mut Context<Self>) -> Result {
        if quote.ticks < self.below {
            self.orders += 1;
            ctx.publish(Order { symbol: quote.symbol, quantity: 1 }).await?;
        }
        Ok(())
    }
}

fn instance(below: i64, mut isolate: Isolate) -> Result<u32> {
    let strategy = isolate.spawn(Strategy { below, orders: 0 })?;
    for ticks in 1..=100 {
        isolate.publish(Quote { symbol: 1, ticks })?;
    }
    isolate.run()?;
    Ok(isolate.take(&strategy).ok_or("it has ended")?.orders)
}

pub(crate) async fn run() -> Result {
    let report =
        Sweep::new(0..1_000u32).seed(42).run(|below, trial| instance(i64::from(*below), trial.isolate()))?;
    assert!(report.is_complete());
    assert_eq!(report.values().max(), Some(&100));
    Ok(())
}
