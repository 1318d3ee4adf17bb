//! The market: a thousand prices, the same in each run.

use mycelium::{Result, ServiceContext, service};

use crate::{MarketClosed, Tick};

/// Ticks of a day; the contract retains as many.
const TICKS: u64 = 1_000;

pub(crate) struct Market;

#[service]
impl Market {
    async fn run(&mut self, ctx: &ServiceContext) -> Result<()> {
        let (mut price, mut state) = (100_000_i64, 1_u32);
        for number in 0..TICKS {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            price += i64::from(state >> 24) - 127;
            ctx.publish(Tick { number, price }).await?;
        }
        ctx.publish(MarketClosed { ticks: TICKS }).await?;
        ctx.stopped().await; // a market stays until it is told to go
        Ok(())
    }
}
