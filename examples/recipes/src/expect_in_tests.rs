//! Check in a test what an actor publishes: `record` collects it, `expect` compares.

use mycelium::{Context, Isolate, Message, Result, actor};

use crate::{Order, Quote};

struct Strategy;

#[actor]
impl Strategy {
    #[on]
    async fn quote(&mut self, quote: &Quote, ctx: &mut Context<Self>) -> Result {
        quote.validate()?;
        if quote.ticks < 100 {
            ctx.publish(Order { symbol: quote.symbol, quantity: 1 }).await?;
        }
        Ok(())
    }
}

pub(crate) async fn run() -> Result {
    let mut isolate = Isolate::new(42);
    let orders = isolate.record::<Order>()?;
    isolate.spawn(Strategy)?;
    for ticks in [101, 99] {
        isolate.publish(Quote { symbol: 1, ticks })?;
    }
    isolate.run()?;
    orders.expect(&Order { symbol: 1, quantity: 1 }); // a failure shows both, and what else came
    orders.expect_none();
    Ok(())
}
