//! Prices: reading them from CSV, Parquet and Arrow, exactly, into rows that all instances share.

mod actions;
mod arrow;
mod cells;
mod columns;
mod csv;
mod damage;
mod depth;
mod error;
mod kinds;
mod options;
mod parquet;
mod rows;
mod ticks;
mod time;

pub use self::actions::{Actions, CorporateActions, Split};
pub use self::csv::{load, load_prices, load_with, read, read_prices, read_with};
pub use self::error::{LoadError, RowError};
pub use self::options::{DroppedRows, ROLES, ReadOptions};
pub use self::ticks::{Decimal, Scale};
pub(crate) use self::time::format_moment;
pub use self::time::{
    NS_PER_DAY, civil_from_days, days_from_civil, format_timestamp, parse_timestamp, parse_timestamp_as,
};

use crate::messages::Bar;
use crate::tape::Prices;

/// Bars of one symbol in ascending order of time, with the scale of their exact prices.
#[derive(Clone, Debug)]
pub struct Series {
    /// The symbol, or the name of the file if it has no `Ticker` column.
    pub symbol: String,
    /// At least one bar; `Bar::index` counts from 0.
    pub bars: Vec<Bar>,
    /// What one tick of `Bar::close_ticks` is worth.
    pub scale: Scale,
    /// Splits that were taken into the bars, and dividends that were told apart: they are paid where the
    /// asset's terms have them.
    pub actions: CorporateActions,
}

/// The prices of one asset, as a backtest takes them.
#[derive(Clone, Debug)]
pub struct AssetPrices {
    /// The symbol, or the name of the file if it has no `Ticker` column.
    pub symbol: String,
    /// At least one row.
    pub prices: Prices,
    /// What one tick of `Bar::close_ticks` is worth; `None` if these are no bars.
    pub scale: Option<Scale>,
    /// Splits that were taken into the bars, and dividends that were told apart: they are paid where the
    /// asset's terms have them.
    pub actions: CorporateActions,
}

impl From<Series> for AssetPrices {
    fn from(series: Series) -> Self {
        let Series { symbol, bars, scale, actions } = series;
        Self { symbol, prices: bars.into(), scale: Some(scale), actions }
    }
}

impl Series {
    /// Length of the data in years of 365.25 days, from the first to the last timestamp; whole seconds count.
    #[must_use]
    pub fn years(&self) -> f64 {
        match (self.bars.first(), self.bars.last()) {
            (Some(first), Some(last)) => years_between(first.timestamp.as_nanos(), last.timestamp.as_nanos()),
            _ => 0.0,
        }
    }
}

/// As `years_between`, and `NaN` for less than a day: growth of a minute says nothing of a year.
pub(crate) fn years_of_days(first_ns: i64, last_ns: i64) -> f64 {
    if last_ns.saturating_sub(first_ns) < NS_PER_DAY { f64::NAN } else { years_between(first_ns, last_ns) }
}

/// Compound growth a year, in percent. Not defined where the years are not, also without any growth.
pub(crate) fn annual_growth_pct(growth: f64, years: f64) -> f64 {
    if years > 0.0 { (growth.powf(1.0 / years) - 1.0) * 100.0 } else { f64::NAN }
}

/// Years of 365.25 days between two timestamps in nanoseconds; parts of a second are dropped.
#[must_use]
pub fn years_between(first_ns: i64, last_ns: i64) -> f64 {
    const NS_PER_SECOND: i64 = 1_000_000_000;
    const SECONDS_PER_DAY: i64 = 86_400;
    let seconds = last_ns.saturating_sub(first_ns) / NS_PER_SECOND;
    let days =
        (seconds / SECONDS_PER_DAY) as f64 + (seconds % SECONDS_PER_DAY) as f64 / SECONDS_PER_DAY as f64;
    days / 365.25
}
