//! Long while a fast average is above a slow one, short while it is below.

use backtest::indicators::{Cross, Indicator, Signal, Sma};
use backtest::strategy::{Size, Strategy, StrategyContext};

/// Turns the position at each crossing of two simple moving averages.
pub struct SmaCross {
    fast: Sma,
    slow: Sma,
    cross: Cross,
}

impl SmaCross {
    /// Windows in bars.
    #[must_use]
    pub fn new(fast: usize, slow: usize) -> Self {
        Self { fast: Sma::new(fast), slow: Sma::new(slow), cross: Cross::default() }
    }
}

impl Strategy for SmaCross {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let (fast, slow) = (self.fast.push(ctx.price()), self.slow.push(ctx.price()));
        let Some(signal) = self.cross.push(fast, slow) else { return };
        ctx.close();
        match signal {
            Signal::Up => ctx.buy(Size::All),
            Signal::Down => ctx.sell(Size::All),
        };
    }
}
