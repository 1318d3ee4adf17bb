//! Follows a price that leaves its range, with a stop that trails it.

use backtest::indicators::{Atr, Highest, Indicator};
use backtest::strategy::{Size, Strategy, StrategyContext, Ticket};

/// Buys half of the equity at a new high, and gives back a few average ranges of what it has won.
pub struct Breakout {
    highest: Highest,
    range: Atr,
    distance_ranges: f64,
}

impl Breakout {
    /// Bars of the range, and the distance of the stop in average true ranges of 14 bars.
    #[must_use]
    pub fn new(window: usize, distance_ranges: f64) -> Self {
        Self { highest: Highest::new(window), range: Atr::new(14), distance_ranges }
    }
}

impl Strategy for Breakout {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let (highest, range) = (self.highest.push(ctx.bar().high), self.range.push(ctx.bar()));
        let (Some(highest), Some(range)) = (highest, range) else { return };
        if ctx.is_flat() && ctx.orders().is_empty() {
            let distance = self.distance_ranges * range;
            let entry = Ticket::new(Size::Equity(0.5)).stop(highest).trailing_stop_loss(distance);
            ctx.buy(entry.day().tag("breakout"));
        }
    }
}
