//! How much of the best Sharpe ratio of many trials is luck.
//!
//! D. H. Bailey, M. López de Prado: "The Sharpe Ratio Efficient Frontier" (Journal of Risk 15(2), 2012) and
//! "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting and Non-Normality"
//! (Journal of Portfolio Management 40(5), 2014). Ratios here are those of one period, not of a year.

use super::normal::{normal_cdf, normal_quantile};

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;

/// Returns of one strategy, as far as these formulas need them.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct ReturnShape {
    /// Mean over standard deviation of the returns of one period.
    pub sharpe: f64,
    /// How many returns there are.
    pub periods: usize,
    /// Their skewness.
    pub skewness: f64,
    /// Their kurtosis: 3 for a normal distribution.
    pub kurtosis: f64,
}

impl ReturnShape {
    /// The shape of these returns. The ratio has the deviation of a sample; it is not defined of fewer than
    /// two, or of returns that are all equal.
    #[must_use]
    pub fn of(returns: &[f64]) -> Self {
        let (skewness, kurtosis) = crate::performance::shape(returns);
        let deviation = crate::performance::variance(returns).sqrt();
        let sharpe = crate::performance::mean(returns) / deviation;
        let sharpe = if deviation == 0.0 { f64::NAN } else { sharpe };
        Self { sharpe, periods: returns.len(), skewness, kurtosis }
    }
}

/// The highest Sharpe ratio to be expected of `trials` independent strategies that have no skill, whose
/// ratios have this variance: `sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e)))` with Euler's constant `g` and
/// the normal quantile `Z`. Zero of one trial.
#[must_use]
pub fn expected_max_sharpe(variance: f64, trials: usize) -> f64 {
    if trials < 2 {
        return 0.0;
    }
    let count = trials as f64;
    let quantile = |share: f64| normal_quantile(1.0 - share);
    let (one, other) = (quantile(1.0 / count), quantile(1.0 / (count * std::f64::consts::E)));
    variance.sqrt() * ((1.0 - EULER) * one + EULER * other)
}

/// The probability that the true Sharpe ratio is above `benchmark`, given what was seen:
/// `Phi((SR - SR*) sqrt(T - 1) / sqrt(1 - skewness SR + (kurtosis - 1) / 4 SR^2))`.
#[must_use]
pub fn probabilistic_sharpe(shape: &ReturnShape, benchmark: f64) -> f64 {
    let ReturnShape { sharpe, periods, skewness, kurtosis } = *shape;
    let spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe;
    normal_cdf((sharpe - benchmark) * (periods.saturating_sub(1) as f64).sqrt() / spread.sqrt())
}

/// The deflated Sharpe ratio: the probability that the best of so many trials has a true ratio above zero,
/// which is [`probabilistic_sharpe`] against [`expected_max_sharpe`]. Below 0.95, luck explains it well
/// enough.
///
/// Trials that resemble one another count as fewer than there are, so this is on the cautious side.
#[must_use]
pub fn deflated_sharpe(best: &ReturnShape, variance: f64, trials: usize) -> f64 {
    probabilistic_sharpe(best, expected_max_sharpe(variance, trials))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the paper, page 9: an annual ratio of 2.5 over 1,250 days, a variance of 1/2 among 100
    /// trials; SR0 is 0.1132 and the deflated ratio 0.9004. With 46 trials it is 0.9505.
    #[test]
    fn the_example_of_the_paper() {
        let best =
            ReturnShape { sharpe: 2.5 / 250_f64.sqrt(), periods: 1_250, skewness: -3.0, kurtosis: 10.0 };
        let variance = 0.5 / 250.0;
        assert!((expected_max_sharpe(variance, 100) - 0.1132).abs() < 5e-5);
        assert!((deflated_sharpe(&best, variance, 100) - 0.9004).abs() < 5e-5);
        assert!((deflated_sharpe(&best, variance, 46) - 0.9505).abs() < 5e-5);
    }

    #[test]
    fn more_trials_deflate_more_and_one_does_not() {
        let best = ReturnShape { sharpe: 0.1, periods: 500, skewness: 0.0, kurtosis: 3.0 };
        let of = |trials| deflated_sharpe(&best, 0.001, trials);
        assert_eq!(of(1), probabilistic_sharpe(&best, 0.0));
        assert!([1, 2, 10, 1_000, 1_000_000].windows(2).all(|pair| of(pair[0]) > of(pair[1])));
        let flat = ReturnShape::of(&[0.0; 10]);
        assert!(flat.sharpe.is_nan() && deflated_sharpe(&flat, 0.1, 10).is_nan());
        assert!(ReturnShape::of(&[]).sharpe.is_nan());
    }
}
