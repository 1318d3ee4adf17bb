//! Two assets that move together: the spread of their prices is sold when it is wide and bought when it is
//! narrow.

use backtest::indicators::{Indicator, Sma};
use backtest::strategy::{Size, Strategy, StrategyContext};

/// Trades the first asset against the second, half of the equity each, while the logarithm of their ratio
/// is far from its mean.
pub struct Pairs {
    mean: Sma,
    squares: Sma,
    entry: f64,
}

impl Pairs {
    /// Bars of the mean, and the distance of an entry in standard deviations.
    #[must_use]
    pub fn new(window: usize, entry: f64) -> Self {
        Self { mean: Sma::new(window), squares: Sma::new(window), entry }
    }
}

impl Strategy for Pairs {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let ratio = (ctx.price() / ctx.asset_at(1).price()).ln();
        let (mean, squares) = (self.mean.push(ratio), self.squares.push(ratio * ratio));
        let (Some(mean), Some(squares)) = (mean, squares) else { return };
        let distance = (ratio - mean) / (squares - mean * mean).max(f64::MIN_POSITIVE).sqrt();
        if ctx.is_flat() && distance.abs() > self.entry {
            let share = 0.5_f64.copysign(-distance);
            ctx.target(Size::Equity(share));
            ctx.asset_at(1).target(Size::Equity(-share));
        } else if ctx.position() * distance > 0.0 {
            ctx.close();
            ctx.asset_at(1).close();
        }
    }
}
