//! How the returns of many paths spread: percentiles, value at risk, expected shortfall.

use crate::ledger::Statistics;
use crate::search::ResampledPath;

/// Percentiles that are shown.
const PERCENTILES: [f64; 9] = [1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0];

/// Columns of the histogram.
const COLUMNS: usize = 60;

/// One row of the table of percentiles. Both figures are percentiles of their own; they need not belong to
/// one path.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Percentile {
    /// From 0 to 100.
    pub percentile: f64,
    /// Return, in percent.
    pub return_pct: f64,
    /// Maximal drawdown, in percent; the deepest at the low percentiles.
    pub max_drawdown_pct: f64,
}

/// Figures of the distribution of returns. Value at risk and shortfall are losses in percent of the cash:
/// positive if money is lost.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Risk {
    /// Paths.
    pub paths: usize,
    /// Mean return, in percent.
    pub mean_pct: f64,
    /// Standard deviation of the return, in percent.
    pub deviation_pct: f64,
    /// Median return, in percent.
    pub median_pct: f64,
    /// Share of paths with a negative return, from 0 to 1.
    pub loss_share: f64,
    /// The loss that 95 of 100 paths do not exceed.
    pub var_95_pct: f64,
    /// Mean loss of the paths that lose at least that.
    pub expected_shortfall_95_pct: f64,
    /// The loss that 99 of 100 paths do not exceed.
    pub var_99_pct: f64,
    /// Mean loss of the paths that lose at least that.
    pub expected_shortfall_99_pct: f64,
    /// Median of the maximal drawdowns, in percent.
    pub median_drawdown_pct: f64,
    /// Percentiles.
    pub percentiles: Vec<Percentile>,
}

/// Returns counted in columns of equal width.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Left end, in percent.
    pub low: f64,
    /// Right end, in percent.
    pub high: f64,
    /// Paths in each column.
    pub counts: Vec<u32>,
    /// Paths beyond the right end.
    pub above: u32,
}

impl Risk {
    /// The figures of at least one path; `None` of none.
    #[must_use]
    pub fn of(results: &[Statistics]) -> Option<Self> {
        Self::of_paths(&paths(results))
    }

    /// As [`of`](Risk::of), of paths that were resampled without a run.
    #[must_use]
    pub fn of_paths(results: &[ResampledPath]) -> Option<Self> {
        let returns = sorted(results, |result| result.return_pct);
        let drawdowns = sorted(results, |result| result.max_drawdown_pct);
        if returns.is_empty() {
            return None;
        }
        let count = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / count;
        let squares: f64 = returns.iter().map(|r| (r - mean) * (r - mean)).sum();
        let losses = returns.partition_point(|r| *r < 0.0);
        let row = |percentile: f64| Percentile {
            percentile,
            return_pct: quantile(&returns, percentile / 100.0),
            max_drawdown_pct: quantile(&drawdowns, percentile / 100.0),
        };
        Some(Self {
            paths: returns.len(),
            mean_pct: mean,
            deviation_pct: (squares / (count - 1.0).max(1.0)).sqrt(),
            median_pct: quantile(&returns, 0.5),
            loss_share: losses as f64 / count,
            var_95_pct: 0.0 - quantile(&returns, 0.05),
            expected_shortfall_95_pct: shortfall(&returns, 0.05),
            var_99_pct: 0.0 - quantile(&returns, 0.01),
            expected_shortfall_99_pct: shortfall(&returns, 0.01),
            median_drawdown_pct: quantile(&drawdowns, 0.5),
            percentiles: PERCENTILES.map(row).to_vec(),
        })
    }
}

impl Histogram {
    /// Counts returns from the lowest to the 98th percentile: the right tail of compounded returns is long
    /// and thin.
    #[must_use]
    pub fn of(results: &[Statistics]) -> Self {
        Self::of_paths(&paths(results))
    }

    /// As [`of`](Histogram::of), of paths that were resampled without a run.
    #[must_use]
    pub fn of_paths(results: &[ResampledPath]) -> Self {
        let returns = sorted(results, |result| result.return_pct);
        let low = returns.first().copied().unwrap_or(0.0);
        let far = if returns.is_empty() { 0.0 } else { quantile(&returns, 0.98) };
        let high = if far > low { far } else { low + 1.0 };
        let mut histogram = Self { low, high, counts: vec![0; COLUMNS], above: 0 };
        for value in returns {
            if value > high {
                histogram.above += 1;
            } else {
                let column = ((value - low) / (high - low) * COLUMNS as f64) as usize;
                histogram.counts[column.min(COLUMNS - 1)] += 1;
            }
        }
        histogram
    }
}

fn paths(results: &[Statistics]) -> Vec<ResampledPath> {
    let path = |result: &Statistics| ResampledPath {
        return_pct: result.return_pct,
        max_drawdown_pct: result.max_drawdown_pct,
    };
    results.iter().map(path).collect()
}

fn sorted(results: &[ResampledPath], of: impl Fn(&ResampledPath) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = results.iter().map(of).filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The quantile of sorted values, by linear interpolation between the two nearest.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let at = share * last as f64;
    let below = (at as usize).min(last);
    let above = (below + 1).min(last);
    values[below] + (values[above] - values[below]) * (at - below as f64)
}

/// Mean loss of the worst share of sorted returns, of one path at least.
pub(crate) fn shortfall(returns: &[f64], share: f64) -> f64 {
    let count = ((returns.len() as f64 * share).ceil() as usize).clamp(1, returns.len().max(1));
    let worst = &returns[..count.min(returns.len())];
    0.0 - worst.iter().sum::<f64>() / worst.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(returns: impl Iterator<Item = f64>) -> Vec<Statistics> {
        returns
            .map(|return_pct| Statistics {
                equity_final: 0.0,
                return_pct,
                n_trades: 0,
                max_drawdown_pct: -return_pct.abs(),
                sharpe_simple_daily252: f64::NAN,
                sharpe_daily252: f64::NAN,
                cagr_pct: 0.0,
                exposure_pct: 0.0,
            })
            .collect()
    }

    #[test]
    fn figures_of_a_known_distribution() {
        // -100, -99 .. 100, in an order that is not sorted.
        let risk = Risk::of(&results((0..=200).map(|i| f64::from(i * 83 % 201) - 100.0))).expect("paths");
        assert_eq!((risk.paths, risk.mean_pct, risk.median_pct), (201, 0.0, 0.0));
        assert_eq!((risk.var_95_pct, risk.var_99_pct), (90.0, 98.0));
        // The worst 11 of 201 are -100 .. -90, the worst 3 are -100 .. -98.
        assert_eq!((risk.expected_shortfall_95_pct, risk.expected_shortfall_99_pct), (95.0, 99.0));
        assert_eq!(risk.loss_share, 100.0 / 201.0);
        assert_eq!(Risk::of(&[]), None);
    }

    #[test]
    fn every_path_is_in_one_column_or_beyond() {
        for count in [1, 2, 1000] {
            let histogram = Histogram::of(&results((0..count).map(|i| f64::from(i * i))));
            assert_eq!(histogram.counts.iter().sum::<u32>() + histogram.above, count as u32);
        }
    }
}
