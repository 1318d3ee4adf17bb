//! The strategy: it buys below its average, and sells above it.

use mycelium::{Context, Result, actor};

use crate::{MarketClosed, Order, StrategyDone, Tick};

/// So far from the average it acts, in cents.
const DISTANCE: u64 = 400;

#[derive(Default)]
pub(crate) struct Strategy {
    average: Option<i64>,
    ticks: u64,
    orders: u64,
    closed_after: Option<u64>,
}

#[actor]
impl Strategy {
    #[on(retained)]
    async fn tick(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<()> {
        self.ticks += 1;
        let average = self.average.get_or_insert(tick.price);
        // Anybody may publish any price.
        let distance = tick.price.saturating_sub(*average);
        *average += distance / 8;
        if distance.unsigned_abs() > DISTANCE {
            ctx.publish(Order { number: self.orders, buys: distance < 0, price: tick.price }).await?;
            self.orders += 1;
        }
        self.done(ctx).await
    }

    #[on(retained)]
    async fn closed(&mut self, closed: &MarketClosed, ctx: &mut Context<Self>) -> Result<()> {
        self.closed_after = Some(closed.ticks);
        self.done(ctx).await
    }

    async fn done(&mut self, ctx: &mut Context<Self>) -> Result<()> {
        if self.closed_after == Some(self.ticks) {
            ctx.publish(StrategyDone { orders: self.orders }).await?;
        }
        Ok(())
    }
}
