//! Equity and statistics of one run, in constant time and space per bar.

use crate::account::Account;
use crate::data::{NS_PER_DAY, annual_growth_pct, years_of_days};
use crate::messages::{Fill, FillKind, Timestamp};

/// Trading days per year, for annualised figures.
const DAYS_PER_YEAR: f64 = 252.0;

/// The statistics of one run. A figure that is not defined (a Sharpe ratio without any movement, say) is NaN.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Statistics {
    /// Equity after the last bar, all positions closed.
    pub equity_final: f64,
    /// Return over the whole time, in percent.
    pub return_pct: f64,
    /// Closed trades.
    pub n_trades: u32,
    /// Largest fall from a peak of the equity, in percent; zero or negative.
    pub max_drawdown_pct: f64,
    /// Mean over standard deviation of daily returns, times the root of 252.
    pub sharpe_simple_daily252: f64,
    /// Sharpe ratio from compounded returns and volatility by the definition of backtesting.py, with 252 days
    /// whatever the data. That of [`Figures`](crate::performance::Figures) has the days of the data.
    pub sharpe_daily252: f64,
    /// Compound annual growth rate over calendar time, in percent; not defined for less than a day.
    pub cagr_pct: f64,
    /// Share of bars during which a position was held, in percent.
    pub exposure_pct: f64,
}

/// Marks an account to market and keeps its statistics.
///
/// The equity of a bar is taken in when the next bar arrives, because the end of the session marks the last
/// bar again. Nothing grows with the number of bars or trades, unless the curve is asked for.
///
/// Returns are summed as they come. Their mean is small beside their deviation, so the variance from the two
/// sums loses nothing that matters; the sum of `ln(1 + r)` needs no summing at all, since it telescopes to
/// the logarithm of last over first.
#[derive(Clone, Debug)]
pub struct Ledger {
    account: Account,
    bars: u32,
    first_ns: i64,
    last_ns: i64,
    /// Equity of the latest bar. It is written with each bar and read with the next one, alone: beside the
    /// peak both would be read at once, which has to wait until it is written.
    equity: f64,
    first_equity: f64,
    peak: f64,
    /// Equity and peak of the deepest drawdown so far: kept apart, a new bar is compared with it without a
    /// division.
    trough: f64,
    trough_peak: f64,
    day_end_ns: i64,
    days: u32,
    first_day_equity: f64,
    previous_day_equity: f64,
    returns: u32,
    returns_sum: f64,
    returns_square_sum: f64,
    trades: u32,
    entry_index: u32,
    /// First bar that no trade has covered yet.
    uncovered: u32,
    covered_bars: u32,
    curve: Option<Vec<f64>>,
}

impl Ledger {
    /// Starts with a flat account.
    #[must_use]
    pub fn new(cash: f64) -> Self {
        Self {
            account: Account::new(cash),
            bars: 0,
            first_ns: 0,
            last_ns: 0,
            first_equity: cash,
            equity: cash,
            peak: cash,
            trough: cash,
            trough_peak: cash,
            day_end_ns: i64::MIN,
            days: 0,
            first_day_equity: cash,
            previous_day_equity: cash,
            returns: 0,
            returns_sum: 0.0,
            returns_square_sum: 0.0,
            trades: 0,
            entry_index: 0,
            uncovered: 0,
            covered_bars: 0,
            curve: None,
        }
    }

    /// Also keeps the equity of every bar. `bars` is how many to make room for.
    #[must_use]
    pub fn with_curve(mut self, bars: usize) -> Self {
        self.curve = Some(Vec::with_capacity(bars));
        self
    }

    /// Books a fill.
    pub fn fill(&mut self, fill: &Fill) {
        let held = self.account.position != 0;
        self.account.apply(fill);
        match fill.kind {
            FillKind::Open => self.entry_index = fill.index,
            FillKind::Close | FillKind::Liquidation if held => {
                self.trades += 1;
                let from = self.entry_index.max(self.uncovered);
                let to = fill.index + 1;
                self.covered_bars += to.saturating_sub(from);
                self.uncovered = self.uncovered.max(to);
            }
            FillKind::Close | FillKind::Liquidation => {}
        }
    }

    /// Records the equity at the close of the next bar.
    #[inline]
    pub fn mark(&mut self, timestamp: Timestamp, close: f64) {
        self.mark_equity(timestamp, self.account.equity(close));
    }

    /// Records an equity that was found in another way, at the next bar.
    #[inline(always)]
    pub fn mark_equity(&mut self, timestamp: Timestamp, equity: f64) {
        let now_ns = timestamp.as_nanos();
        if self.bars == 0 {
            self.first_ns = now_ns;
            self.first_equity = equity;
            (self.peak, self.trough, self.trough_peak) = (equity, equity, equity);
        } else {
            self.take_in();
        }
        if now_ns >= self.day_end_ns {
            if self.bars != 0 {
                self.end_day();
            }
            self.day_end_ns = end_of_day(self.day_end_ns, now_ns);
        }
        self.bars += 1;
        self.last_ns = now_ns;
        self.equity = equity;
    }

    /// Marks the latest bar again, after the session has ended.
    pub fn settle(&mut self, close: f64) {
        self.equity = self.account.equity(close);
    }

    /// Marks the latest bar again with an equity that was found in another way.
    pub fn settle_equity(&mut self, equity: f64) {
        self.equity = equity;
    }

    /// Counts a trade that was closed, where fills are booked elsewhere.
    pub fn count_trade(&mut self) {
        self.trades += 1;
    }

    /// Counts a bar during which a position was held, where fills are booked elsewhere.
    #[inline]
    pub fn cover_bar(&mut self) {
        self.covered_bars += 1;
    }

    /// The statistics, and the equity of every bar if it was asked for.
    #[must_use]
    pub fn finish(mut self) -> (Statistics, Option<Vec<f64>>) {
        if self.bars != 0 {
            self.take_in();
            self.end_day();
        }
        let (sharpe_simple_daily252, sharpe_daily252) = self.sharpe();
        let growth = self.equity / self.first_equity;
        let years = years_of_days(self.first_ns, self.last_ns);
        let drawdown = 1.0 - self.trough / self.trough_peak;
        let statistics = Statistics {
            equity_final: self.equity,
            return_pct: (self.equity - self.first_equity) / self.first_equity * 100.0,
            n_trades: self.trades,
            // Zero minus zero is zero, where a sign in front would make it -0.
            max_drawdown_pct: 0.0 - 100.0 * drawdown,
            sharpe_simple_daily252,
            sharpe_daily252,
            cagr_pct: annual_growth_pct(growth, years),
            exposure_pct: f64::from(self.covered_bars) / f64::from(self.bars.max(1)) * 100.0,
        };
        (statistics, self.curve)
    }

    #[inline]
    fn take_in(&mut self) {
        if self.equity > self.peak {
            self.peak = self.equity;
        } else if self.equity * self.trough_peak < self.trough * self.peak {
            (self.trough, self.trough_peak) = (self.equity, self.peak);
        }
        if let Some(curve) = &mut self.curve {
            curve.push(self.equity);
        }
    }

    #[inline]
    fn end_day(&mut self) {
        let previous = std::mem::replace(&mut self.previous_day_equity, self.equity);
        self.days += 1;
        if self.days == 1 {
            self.first_day_equity = self.equity;
        } else if previous != 0.0 {
            // After ruin the return would be 0/0: no return at all.
            self.returns += 1;
            if self.equity != previous {
                let daily = self.equity / previous - 1.0;
                self.returns_sum += daily;
                self.returns_square_sum += daily * daily;
            }
        }
    }

    /// The simple and the compounded Sharpe ratio.
    fn sharpe(&self) -> (f64, f64) {
        if self.returns < 2 {
            return (f64::NAN, f64::NAN);
        }
        let count = f64::from(self.returns);
        let mean = self.returns_sum / count;
        let variance = ((self.returns_square_sum - count * mean * mean) / (count - 1.0)).max(0.0);
        if variance == 0.0 {
            return (f64::NAN, f64::NAN);
        }
        let simple = mean / variance.sqrt() * DAYS_PER_YEAR.sqrt();
        // A ruined account has no geometric mean; the definition then takes zero.
        let ruined = self.previous_day_equity <= 0.0;
        let log_mean =
            if ruined { 0.0 } else { (self.previous_day_equity / self.first_day_equity).ln() / count };
        // Evaluated as the definition is written. `exp_m1` and `ln_1p` would be more exact for an account
        // that hardly moves, and would then differ from every other program that follows the definition.
        let growth = log_mean.exp() - 1.0 + 1.0;
        let annual = growth.powf(DAYS_PER_YEAR) - 1.0;
        // No `powf(2.0)`: an optimised build makes this of it, and another one a call that rounds otherwise.
        let square = growth * growth;
        let volatility =
            ((variance + square).powf(DAYS_PER_YEAR) - growth.powf(2.0 * DAYS_PER_YEAR)).max(0.0).sqrt();
        if volatility == 0.0 {
            return (simple, f64::NAN);
        }
        (simple, annual / volatility)
    }
}

/// When the day of `now_ns` ends (UTC), which is at or after `day_end_ns`, the end of a day before. Most
/// often it is the next day, and needs no division.
#[inline]
fn end_of_day(day_end_ns: i64, now_ns: i64) -> i64 {
    let next_ns = day_end_ns.saturating_add(NS_PER_DAY);
    if now_ns < next_ns { next_ns } else { (now_ns.div_euclid(NS_PER_DAY) + 1).saturating_mul(NS_PER_DAY) }
}
