//! What a run was worth: figures from its trades and its equity.

mod export;
mod extremes;
mod figures;

pub use self::figures::Figures;

use self::extremes::Extremes;
use crate::messages::Bar;
use crate::strategy::Trade;

/// Finds the excursions of trades: how far each was under water and ahead, at the highs and lows of its bars.
pub fn excursions(trades: &mut [Trade], bars: &[Bar]) {
    if trades.is_empty() {
        return;
    }
    let extremes = Extremes::of(bars);
    for trade in trades {
        let (low, high) = extremes.between(trade.entry_bar as usize, trade.exit_bar as usize);
        let (down, up) = (low / trade.entry_price - 1.0, high / trade.entry_price - 1.0);
        let (adverse, favourable) = if trade.size > 0.0 { (down, up) } else { (-up, -down) };
        trade.mae_pct = (adverse * 100.0).min(0.0);
        trade.mfe_pct = (favourable * 100.0).max(0.0);
    }
}
