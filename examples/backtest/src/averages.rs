//! The crossing of two averages of the main job as a [`Strategy`], for the searches that take one.

use crate::config::Pair;
use crate::crossover::{Crossover, Signal};
use crate::limits::WINDOW_BARS_MAX;
use crate::program::Program;
use crate::strategy::{Size, Strategy, StrategyContext};

/// Trades as the four actors of the main job do by the rules `long` and `flip`.
pub struct Averages {
    crossover: Crossover,
    flip: bool,
}

impl Averages {
    /// Windows in bars; whether it is short while the fast average is below.
    #[must_use]
    pub fn new(fast: u32, slow: u32, flip: bool) -> Self {
        Self { crossover: Crossover::new(Pair { fast, slow }), flip }
    }
}

impl Strategy for Averages {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        // Quotes and ticks have no scale of their own: then a tick is a hundred-millionth.
        let ticks = match ctx.bar().close_ticks {
            0 => (ctx.price() * 1e8).round() as i64,
            ticks => ticks,
        };
        let Some(signal) = self.crossover.push(ticks) else { return };
        if self.flip || signal == Signal::Down {
            ctx.close();
        }
        match signal {
            Signal::Up if self.flip || ctx.is_flat() => _ = ctx.buy(Size::All),
            Signal::Down if self.flip => _ = ctx.sell(Size::All),
            _ => {}
        }
    }
}

/// `backtest walk-forward` and `backtest report`.
#[must_use]
pub fn program() -> Program<Averages> {
    crate::program!(
        Averages::new(fast: u32 = 10, slow: u32 = 50, flip: bool = false)
        where fast >= 1 && fast < slow && slow <= WINDOW_BARS_MAX
    )
}
