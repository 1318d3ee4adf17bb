//! The strategy of the README, as it stands there.
#![forbid(unsafe_code)]

use backtest::prelude::*;

struct MyRsi {
    rsi: Rsi,
    levels: (f64, f64),
}

impl MyRsi {
    fn new(window: usize, low: f64, high: f64) -> Self {
        Self { rsi: Rsi::new(window), levels: (low, high) }
    }
}

impl Strategy for MyRsi {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        match self.rsi.push(ctx.price()) {
            Some(rsi) if rsi < self.levels.0 && ctx.is_flat() => _ = ctx.buy(Size::All),
            Some(rsi) if rsi > self.levels.1 => _ = ctx.close(),
            _ => {}
        }
    }
}

backtest::main!(MyRsi::new(window: usize = 14, low: f64 = 30.0, high: f64 = 70.0) where low < high);
