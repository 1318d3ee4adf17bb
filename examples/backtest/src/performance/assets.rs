//! What a run was worth in each of its assets.

use super::figures::{count_held, largest, mean, ratio};
use crate::messages::Charge;
use crate::strategy::Trade;
use crate::tape::{Prices, Tape};

/// What the trades in one asset were worth. Money is in units of the currency, `_pct` in percent. A figure
/// that is not defined, a mean of no trade, is `NaN`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct AssetFigures {
    /// The name of the asset.
    pub symbol: String,
    /// Closed trades.
    pub trades: usize,
    /// Share of trades with a profit, net of commissions.
    pub win_rate_pct: f64,
    /// Profits less losses of closed trades, net of commissions.
    pub profit: f64,
    /// Commissions of closed trades.
    pub commissions: f64,
    /// What its position has paid for the time, less what it has earned: fees for short sales, funding.
    /// Interest on credit is the account's, and is booked to the first asset.
    pub charges: f64,
    /// Sum of the positive returns of trades over the sum of the negative ones, without its sign.
    pub profit_factor: f64,
    /// Arithmetic mean of the returns of trades.
    pub expectancy_pct: f64,
    /// Best return of a trade, net of commissions.
    pub trade_best_pct: f64,
    /// Worst return of a trade.
    pub trade_worst_pct: f64,
    /// Share of the asset's own rows during which a closed trade was held, its first and last row included.
    pub exposure_pct: f64,
    /// Its last price over its first, less one.
    pub buy_and_hold_pct: f64,
}

impl AssetFigures {
    /// The figures of each asset.
    pub(crate) fn of(trades: &[Trade], charges: &[Charge], tape: &Tape) -> Vec<Self> {
        let named = tape.symbols().zip(0..);
        named.map(|(symbol, asset)| Self::of_asset(symbol, trades, charges, tape, asset)).collect()
    }

    fn of_asset(symbol: &str, trades: &[Trade], charges: &[Charge], tape: &Tape, asset: u16) -> Self {
        let trades: Vec<&Trade> = trades.iter().filter(|trade| trade.asset == asset).collect();
        let returns: Vec<f64> = trades.iter().map(|trade| trade.return_pct).collect();
        let wins = trades.iter().filter(|trade| trade.profit > 0.0).count();
        // The sum of nothing would be -0.
        let sum = |of: fn(&Trade) -> f64| trades.iter().fold(0.0, |sum, trade| sum + of(trade));
        let losses: Vec<f64> = returns.iter().map(|value| -value).collect();
        let of = |sign: f64| returns.iter().fold(0.0, |sum, value| sum + (value * sign).max(0.0));
        let charges = charges.iter().filter(|charge| charge.asset == asset);
        let prices = tape.prices(asset);
        let rows = prices.map_or(0, Prices::len);
        let price = |at: usize| prices.and_then(|prices| prices.get(at)).map_or(f64::NAN, |row| row.price());
        Self {
            symbol: symbol.to_owned(),
            trades: trades.len(),
            win_rate_pct: wins as f64 / trades.len() as f64 * 100.0,
            profit: sum(|trade| trade.profit),
            commissions: sum(|trade| trade.commission),
            charges: charges.fold(0.0, |sum, charge| sum + charge.amount),
            profit_factor: ratio(of(1.0), of(-1.0)),
            expectancy_pct: mean(&returns),
            trade_best_pct: largest(&returns),
            trade_worst_pct: 0.0 - largest(&losses),
            exposure_pct: held(&trades, rows) as f64 / rows as f64 * 100.0,
            buy_and_hold_pct: (price(rows.saturating_sub(1)) / price(0) - 1.0) * 100.0,
        }
    }
}

/// How many of these rows have a trade.
fn held(trades: &[&Trade], rows: usize) -> usize {
    let stretch = |trade: &&Trade| {
        (trade.entry_bar as usize).min(rows)..(trade.exit_bar as usize).saturating_add(1).min(rows)
    };
    count_held(trades.iter().map(stretch).collect())
}
