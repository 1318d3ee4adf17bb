//! The figures of one run, defined as backtesting.py 0.6.6 defines them where it has one of that name.
//!
//! `E` is the equity at the close of each bar, `C` the close. Days are days of UTC, or sessions where one is
//! given: `D` is the return of each day over the day before, from the last equity of each. A year has
//! [`Figures::days_per_year`] of them. A figure that is not defined, a ratio without a denominator, is `NaN`.

use std::ops::Range;

use super::calendar::{days_of_rows, days_per_year};
use crate::data::{NS_PER_DAY, annual_growth_pct, years_of_days};
use crate::engine::Session;
use crate::messages::Bar;
use crate::risk::{quantile, shortfall};
use crate::strategy::Trade;

/// What a run was worth. Money is in units of the currency, `_pct` in percent, durations in days.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Figures {
    /// Length of the data: last time less first, in days.
    pub duration_days: f64,
    /// Share of bars during which a closed trade was held, its first and last bar included.
    pub exposure_pct: f64,
    /// Equity at the last close.
    pub equity_final: f64,
    /// Highest equity at a close.
    pub equity_peak: f64,
    /// Commissions of closed trades.
    pub commissions: f64,
    /// `(E_last - E_first) / E_first`.
    pub return_pct: f64,
    /// `(C_last - C_first) / C_first`.
    pub buy_and_hold_pct: f64,
    /// `(1 + g)^days - 1`, where `g` is the geometric mean of `D`.
    pub return_annual_pct: f64,
    /// `sqrt((var(D) + (1 + g)^2)^days - (1 + g)^(2 days))`, with the variance of a sample.
    pub volatility_annual_pct: f64,
    /// `(E_last / E_first)^(1 / years) - 1`, with years of 365.25 days; not defined for less than a day.
    pub cagr_pct: f64,
    /// Annual return over annual volatility; the return without risk is zero.
    pub sharpe: f64,
    /// Annual return over `sqrt(mean(min(D, 0)^2)) sqrt(days)`; not defined without a day that loses.
    pub sortino: f64,
    /// Annual return over the deepest drawdown.
    pub calmar: f64,
    /// `return - beta * buy_and_hold`: what the market does not explain.
    pub alpha_pct: f64,
    /// Covariance of the log returns of `E` and `C`, bar by bar, over the variance of those of `C`. Of
    /// quotes, ticks and bars below a minute it is taken at the end of each minute.
    pub beta: f64,
    /// Deepest fall of `E` from its highest value so far; zero or negative.
    pub drawdown_max_pct: f64,
    /// Mean of the deepest falls, one from each peak to the next recovery.
    pub drawdown_mean_pct: f64,
    /// Longest time from a peak to its recovery, or to the end.
    pub drawdown_duration_max_days: f64,
    /// Mean of these times.
    pub drawdown_duration_mean_days: f64,
    /// Closed trades.
    pub trades: usize,
    /// Share of trades with a profit, net of commissions.
    pub win_rate_pct: f64,
    /// Best return of a trade, net of commissions.
    pub trade_best_pct: f64,
    /// Worst return of a trade.
    pub trade_worst_pct: f64,
    /// Geometric mean of the returns of trades; zero if one lost everything.
    pub trade_mean_pct: f64,
    /// Longest time from the bar of an entry to that of its exit.
    pub trade_duration_max_days: f64,
    /// Mean of these times.
    pub trade_duration_mean_days: f64,
    /// Sum of the positive returns of trades over the sum of the negative ones, without its sign.
    pub profit_factor: f64,
    /// Arithmetic mean of the returns of trades.
    pub expectancy_pct: f64,
    /// System quality number: `sqrt(trades) * mean(profit) / deviation(profit)`, with the deviation of a
    /// sample.
    pub sqn: f64,
    /// Kelly's share: `w - (1 - w) / (mean win / mean loss)`, where `w` is the win rate.
    pub kelly: f64,
    /// Value at risk of a day: the loss that 95 of 100 days do not exceed, from the 5 % quantile of `D` by
    /// linear interpolation; negative if even that day wins.
    pub var_95_pct: f64,
    /// Expected shortfall of a day: the mean loss of the worst 5 % of `D`, of one day at least.
    pub expected_shortfall_95_pct: f64,
    /// Skewness of `D`: mean cubed distance from the mean over the cubed deviation, both of the population.
    pub skewness: f64,
    /// Kurtosis of `D`: 3 for a normal distribution; both moments of the population.
    pub kurtosis: f64,
    /// Turnover: half the value of entries and exits of closed trades, over the mean equity, per year of
    /// 365.25 days; not defined for less than a day. Buying with everything and selling it once a year is
    /// about 1.
    pub turnover_annual: f64,
    /// Trading days in a year: 365 if days of weekends have rows as others have, else 252; for rows that are
    /// rarer as many as there are, such as 52, 12 or 1 for weekly, monthly and yearly bars. Days count once,
    /// however many rows they have.
    pub days_per_year: f64,
}

impl Figures {
    /// The figures of a run over at least one bar, by days of UTC.
    #[must_use]
    pub fn of(bars: &[Bar], equity: &[f64], trades: &[Trade]) -> Option<Self> {
        Self::by_session(bars, equity, trades, &Session::default())
    }

    /// The figures of a run over at least one bar. Those that go by days go by sessions: a row counts to
    /// the day on which its session ends, and one outside of the hours to the next session.
    #[must_use]
    pub fn by_session(bars: &[Bar], equity: &[f64], trades: &[Trade], session: &Session) -> Option<Self> {
        let (first, last) = (bars.first()?, bars.last()?);
        let (start, end) = (*equity.first()?, *equity.last()?);
        let days_per_year = days_per_year(bars, session);
        let daily = Daily::of(&returns_by(bars, equity, session), days_per_year);
        let drawdowns = Drawdowns::of(bars, equity);
        let growth = end / start;
        let years = years_of_days(first.timestamp.as_nanos(), last.timestamp.as_nanos());
        let return_pct = (end - start) / start * 100.0;
        let buy_and_hold_pct = (last.close - first.close) / first.close * 100.0;
        let beta = beta(bars, equity);
        let returns: Vec<f64> = trades.iter().map(|trade| trade.return_pct / 100.0).collect();
        let durations: Vec<f64> =
            trades.iter().map(|trade| days(trade.exit_time, trade.entry_time)).collect();
        // The sum of nothing would be -0.
        let value = |trade: &Trade| trade.size.abs() * (trade.entry_price + trade.exit_price);
        let traded = trades.iter().fold(0.0, |sum, trade| sum + value(trade));
        let turnover = traded / 2.0 / mean(equity);
        let profits: Vec<f64> = trades.iter().map(|trade| trade.profit).collect();
        let wins = profits.iter().filter(|profit| **profit > 0.0).count() as f64;
        let win_rate = wins / profits.len() as f64;
        let gains: f64 = returns.iter().filter(|r| **r > 0.0).sum();
        let losses: f64 = returns.iter().filter(|r| **r < 0.0).sum();
        Some(Self {
            duration_days: days(last.timestamp, first.timestamp),
            exposure_pct: exposure_pct(bars, trades),
            equity_final: end,
            equity_peak: equity.iter().copied().fold(f64::MIN, f64::max),
            commissions: trades.iter().fold(0.0, |sum, trade| sum + trade.commission),
            return_pct,
            buy_and_hold_pct,
            return_annual_pct: daily.annual * 100.0,
            volatility_annual_pct: daily.volatility * 100.0,
            cagr_pct: annual_growth_pct(growth, years),
            sharpe: ratio(daily.annual, daily.volatility),
            sortino: ratio(daily.annual, daily.downside * days_per_year.sqrt()),
            calmar: ratio(daily.annual, drawdowns.deepest),
            alpha_pct: return_pct - beta * buy_and_hold_pct,
            beta,
            drawdown_max_pct: 0.0 - drawdowns.deepest * 100.0,
            drawdown_mean_pct: 0.0 - drawdowns.depth_sum / drawdowns.count * 100.0,
            drawdown_duration_max_days: drawdowns.longest,
            drawdown_duration_mean_days: drawdowns.duration_sum / drawdowns.count,
            trades: trades.len(),
            win_rate_pct: win_rate * 100.0,
            trade_best_pct: largest(&returns) * 100.0,
            trade_worst_pct: 0.0 - largest(&returns.iter().map(|r| -r).collect::<Vec<_>>()) * 100.0,
            trade_mean_pct: geometric_mean(&returns) * 100.0,
            trade_duration_max_days: largest(&durations),
            trade_duration_mean_days: mean(&durations),
            profit_factor: ratio(gains, losses.abs()),
            expectancy_pct: mean(&returns) * 100.0,
            sqn: (profits.len() as f64).sqrt() * ratio(mean(&profits), variance(&profits).sqrt()),
            kelly: kelly(&profits, win_rate),
            var_95_pct: daily.var_95 * 100.0,
            expected_shortfall_95_pct: daily.shortfall_95 * 100.0,
            skewness: daily.skewness,
            kurtosis: daily.kurtosis,
            turnover_annual: turnover / years,
            days_per_year,
        })
    }
}

/// A quotient that is not defined without a denominator.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { f64::NAN } else { a / b }
}

fn days(later: crate::messages::Timestamp, earlier: crate::messages::Timestamp) -> f64 {
    later.as_nanos().saturating_sub(earlier.as_nanos()) as f64 / NS_PER_DAY as f64
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The variance of a sample; `NaN` of fewer than two.
pub(crate) fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    if values.len() < 2 { f64::NAN } else { squares / (values.len() - 1) as f64 }
}

/// Skewness and kurtosis, from the moments of the population.
pub(crate) fn shape(values: &[f64]) -> (f64, f64) {
    let center = mean(values);
    let moment = |power: i32| mean(&values.iter().map(|v| (v - center).powi(power)).collect::<Vec<_>>());
    let variance = moment(2);
    (ratio(moment(3), variance.powf(1.5)), ratio(moment(4), variance * variance))
}

pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::max).unwrap_or(f64::NAN)
}

fn geometric_mean(returns: &[f64]) -> f64 {
    if returns.iter().any(|r| r + 1.0 <= 0.0) {
        return 0.0;
    }
    (returns.iter().map(|r| (r + 1.0).ln()).sum::<f64>() / returns.len() as f64).exp() - 1.0
}

fn kelly(profits: &[f64], win_rate: f64) -> f64 {
    let (wins, losses): (Vec<f64>, Vec<f64>) =
        profits.iter().filter(|profit| **profit != 0.0).partition(|profit| **profit > 0.0);
    win_rate - (1.0 - win_rate) / (mean(&wins) / -mean(&losses))
}

pub(crate) fn exposure_pct(bars: &[Bar], trades: &[Trade]) -> f64 {
    // Where trades begin less where they have ended: what is above zero is held. Trades in several assets
    // count the bars of their own asset, so their times are what can be compared.
    let at = |time: crate::messages::Timestamp| {
        let at = bars.partition_point(|bar| bar.timestamp < time);
        at.min(bars.len().saturating_sub(1))
    };
    let stretch = |trade: &Trade| at(trade.entry_time)..(at(trade.exit_time) + 1).min(bars.len());
    count_held(trades.iter().map(stretch).collect()) as f64 / bars.len() as f64 * 100.0
}

/// How many rows are in at least one of these stretches.
pub(super) fn count_held(mut stretches: Vec<Range<usize>>) -> usize {
    stretches.sort_unstable_by_key(|stretch| stretch.start);
    let (mut count, mut end) = (0, 0);
    for stretch in stretches {
        count += stretch.end.saturating_sub(stretch.start.max(end));
        end = end.max(stretch.end);
    }
    count
}

/// Returns of days, and what follows from them for a year.
struct Daily {
    annual: f64,
    volatility: f64,
    /// Root of the mean square of the losses.
    downside: f64,
    var_95: f64,
    shortfall_95: f64,
    skewness: f64,
    kurtosis: f64,
}

/// The return of each day of UTC over the day before, from the last equity of each. Days without a defined
/// return, after ruin, are left out.
#[must_use]
pub fn daily_returns(bars: &[Bar], equity: &[f64]) -> Vec<f64> {
    returns_of(daily_changes(bars, equity))
}

/// After ruin the return would be 0/0: no return at all.
fn returns_of(mut changes: Vec<f64>) -> Vec<f64> {
    changes.retain(|daily| !daily.is_nan());
    changes
}

/// As `daily_returns`, one for each day but the first. After ruin they are no numbers.
pub(crate) fn daily_changes(bars: &[Bar], equity: &[f64]) -> Vec<f64> {
    changes_by(bars, equity, &Session::default())
}

/// As `daily_returns`, of sessions.
pub(crate) fn returns_by(bars: &[Bar], equity: &[f64], session: &Session) -> Vec<f64> {
    returns_of(changes_by(bars, equity, session))
}

fn changes_by(bars: &[Bar], equity: &[f64], session: &Session) -> Vec<f64> {
    let mut closes: Vec<(i64, f64)> = Vec::new();
    for (today, equity) in days_of_rows(bars, session).zip(equity) {
        match closes.last_mut() {
            Some((day, close)) if *day == today => *close = *equity,
            _ => closes.push((today, *equity)),
        }
    }
    closes.windows(2).map(|pair| pair[1].1 / pair[0].1 - 1.0).collect()
}

impl Daily {
    fn of(returns: &[f64], days_per_year: f64) -> Self {
        let mut sorted = returns.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (skewness, kurtosis) = shape(returns);
        let growth = 1.0 + geometric_mean(returns);
        let square = growth * growth;
        let spread = (variance(returns) + square).powf(days_per_year) - growth.powf(2.0 * days_per_year);
        let losses: f64 = returns.iter().map(|daily| daily.min(0.0) * daily.min(0.0)).sum();
        Self {
            annual: growth.powf(days_per_year) - 1.0,
            volatility: spread.sqrt(),
            downside: (losses / returns.len() as f64).sqrt(),
            var_95: 0.0 - quantile(&sorted, 0.05),
            shortfall_95: shortfall(&sorted, 0.05),
            skewness,
            kurtosis,
        }
    }
}

fn beta(bars: &[Bar], equity: &[f64]) -> f64 {
    // Equity and close at the end of each minute: of longer bars, at each.
    let minute = |bar: &Bar| bar.timestamp.as_nanos().div_euclid(60_000_000_000);
    let is_last = |at: usize| bars.get(at + 1).is_none_or(|next| minute(next) != minute(&bars[at]));
    let count = bars.len().min(equity.len());
    let ends: Vec<(f64, f64)> =
        (0..count).filter(|at| is_last(*at)).map(|at| (equity[at], bars[at].close)).collect();
    let own: Vec<f64> = ends.windows(2).map(|pair| (pair[1].0 / pair[0].0).ln()).collect();
    let market: Vec<f64> = ends.windows(2).map(|pair| (pair[1].1 / pair[0].1).ln()).collect();
    if own.len() < 2 {
        return f64::NAN;
    }
    let (own_mean, market_mean) = (mean(&own), mean(&market));
    let covariance: f64 = own.iter().zip(&market).map(|(a, b)| (a - own_mean) * (b - market_mean)).sum();
    let squares: f64 = market.iter().map(|b| (b - market_mean) * (b - market_mean)).sum();
    covariance / squares
}

/// One fall of the equity from its highest value so far, and the time until it came back.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct DrawdownSpan {
    /// Number of the bar of the peak.
    pub peak_bar: usize,
    /// Number of the bar of the lowest equity.
    pub trough_bar: usize,
    /// Number of the bar on which the peak was reached again; `None` if it was not.
    pub recovery_bar: Option<usize>,
    /// The fall, over the peak, in percent; negative.
    pub depth_pct: f64,
    /// From the peak to the recovery, or to the end, in days.
    pub duration_days: f64,
}

/// The falls of the equity, the deepest first, at most `count` of them. A fall is at least one bar below the
/// peak.
#[must_use]
pub fn drawdowns(bars: &[Bar], equity: &[f64], count: usize) -> Vec<DrawdownSpan> {
    // Of a long history there may be millions, of which most are not deep enough.
    let kept_max = count.saturating_mul(2).max(1024);
    let deepest = |found: &mut Vec<DrawdownSpan>| {
        found.sort_by(|a, b| a.depth_pct.total_cmp(&b.depth_pct));
        found.truncate(count);
    };
    let mut found = Vec::new();
    let (mut peak, mut trough) = (0, 0);
    let mut close = |peak: usize, trough: usize, end: usize, recovered: bool| {
        if trough != peak {
            found.push(DrawdownSpan {
                peak_bar: peak,
                trough_bar: trough,
                recovery_bar: recovered.then_some(end),
                depth_pct: (equity[trough] / equity[peak] - 1.0) * 100.0,
                duration_days: days(bars[end].timestamp, bars[peak].timestamp),
            });
        }
        if found.len() > kept_max {
            deepest(&mut found);
        }
    };
    for at in 0..equity.len().min(bars.len()) {
        if equity[at] >= equity[peak] {
            close(peak, trough, at, true);
            (peak, trough) = (at, at);
        } else if equity[at] < equity[trough] {
            trough = at;
        }
    }
    if let Some(end) = equity.len().min(bars.len()).checked_sub(1) {
        close(peak, trough, end, false);
    }
    deepest(&mut found);
    found
}

/// The stretches between one highest equity and the next.
struct Drawdowns {
    deepest: f64,
    /// How many have a bar between their ends, with the sums over these: there may be millions.
    count: f64,
    depth_sum: f64,
    duration_sum: f64,
    /// The longest of them; not defined without one.
    longest: f64,
}

impl Drawdowns {
    fn of(bars: &[Bar], equity: &[f64]) -> Self {
        let mut found =
            Self { deepest: 0.0, count: 0.0, depth_sum: 0.0, duration_sum: 0.0, longest: f64::NAN };
        let (mut peak, mut at, mut depth) = (f64::MIN, 0, 0.0_f64);
        for (now, value) in equity.iter().enumerate() {
            if *value >= peak {
                found.add(bars, at, now, depth);
                (peak, at, depth) = (*value, now, 0.0);
            } else {
                depth = depth.max(1.0 - value / peak);
            }
        }
        if let Some(end) = equity.len().checked_sub(1) {
            found.add(bars, at, end, depth);
        }
        found
    }

    fn add(&mut self, bars: &[Bar], from: usize, to: usize, depth: f64) {
        if to > from + 1 {
            let duration = days(bars[to].timestamp, bars[from].timestamp);
            self.count += 1.0;
            self.depth_sum += depth;
            self.duration_sum += duration;
            self.longest = self.longest.max(duration);
        }
        self.deepest = self.deepest.max(depth);
    }
}
