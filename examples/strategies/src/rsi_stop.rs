//! Buys what has fallen too fast, with a stop loss.

use backtest::indicators::{Indicator, Rsi};
use backtest::strategy::{Strategy, StrategyContext, Ticket};

/// Buys below one level of the relative strength index and sells above another.
pub struct RsiStop {
    rsi: Rsi,
    levels: (f64, f64),
    stop_share: f64,
}

impl RsiStop {
    /// Window in bars, levels from 0 to 100, and how far the stop loss lies below the close: 0.1 is 10 %.
    #[must_use]
    pub fn new(window: usize, levels: (f64, f64), stop_share: f64) -> Self {
        Self { rsi: Rsi::new(window), levels, stop_share }
    }
}

impl Strategy for RsiStop {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let Some(rsi) = self.rsi.push(ctx.price()) else { return };
        if rsi < self.levels.0 && ctx.is_flat() {
            ctx.buy(Ticket::all().stop_loss(ctx.price() * (1.0 - self.stop_share)));
        } else if rsi > self.levels.1 {
            ctx.close();
        }
    }
}
