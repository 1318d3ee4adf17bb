//! What a run was worth: figures from its trades and its equity.

mod assets;
mod calendar;
mod export;
mod extremes;
mod figures;
mod table;
mod tables;

pub use self::assets::AssetFigures;
pub(crate) use self::calendar::{count_days, days_of_rows};
pub(crate) use self::export::{write_equity, write_trades};
pub use self::figures::{DrawdownSpan, Figures, daily_returns, drawdowns};
pub(crate) use self::figures::{daily_changes, exposure_pct, mean, returns_by, shape, variance};
pub use self::table::{FigureRow, FigureUnit};

use self::extremes::Extremes;
use crate::strategy::Trade;
use crate::tape::Tape;

/// Finds the excursions of the trades in one asset: how far each was under water and ahead, at the highs
/// and lows of its bars.
pub fn excursions(trades: &mut [Trade], asset: u16, tape: &Tape) {
    let mut of_asset = trades.iter_mut().filter(|trade| trade.asset == asset).peekable();
    if of_asset.peek().is_none() {
        return;
    }
    let Some(prices) = tape.prices(asset) else { return };
    let extremes = Extremes::of(prices.len(), |at| prices.range(at));
    for trade in of_asset {
        let (low, high) = extremes.between(trade.entry_bar as usize, trade.exit_bar as usize);
        let (down, up) = (low / trade.entry_price - 1.0, high / trade.entry_price - 1.0);
        let (adverse, favourable) = if trade.size > 0.0 { (down, up) } else { (-up, -down) };
        trade.mae_pct = (adverse * 100.0).min(0.0);
        trade.mfe_pct = (favourable * 100.0).max(0.0);
    }
}
