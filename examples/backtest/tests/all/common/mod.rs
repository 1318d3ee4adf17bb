//! Bars by hand, and strategies that do what a test says on a given bar.

use backtest::messages::{Bar, Timestamp};
use backtest::strategy::StrategyContext;

/// Daily bars of open, high, low and close.
pub(crate) fn bars(prices: &[(f64, f64, f64, f64)]) -> Vec<Bar> {
    let bar = |(at, &(open, high, low, close)): (usize, &(f64, f64, f64, f64))| Bar {
        timestamp: Timestamp::from_nanos(at as i64 * 86_400_000_000_000),
        open,
        high,
        low,
        close,
        volume: 1.0,
        close_ticks: (close * 100.0).round() as i64,
        index: at as u32,
        asset: 0,
    };
    prices.iter().enumerate().map(bar).collect()
}

/// Does `act` at the close of the bar of this number.
pub(crate) fn on_bar(
    number: u32,
    mut act: impl FnMut(&mut StrategyContext<'_>) + Send + 'static,
) -> impl FnMut(&mut StrategyContext<'_>) + Send + 'static {
    move |ctx| {
        if ctx.bar().index == number {
            act(ctx);
        }
    }
}
