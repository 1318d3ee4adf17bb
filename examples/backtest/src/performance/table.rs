//! The figures as a table: names, titles and units, for output and for `--objective`.

use super::Figures;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FigureUnit {
    /// Percent.
    Percent,
    /// Units of the currency.
    Money,
    /// Days.
    Days,
    /// A number of things.
    Count,
    /// A number without a unit.
    Ratio,
}

/// One figure of a run.
#[derive(Clone, Copy, Debug)]
pub struct FigureRow {
    /// The name of the field.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What it counts.
    pub unit: FigureUnit,
    /// Reads it.
    pub get: fn(&Figures) -> f64,
}

macro_rules! rows {
    ($($name:ident $title:literal $unit:ident),* $(,)?) => {
        &[$(FigureRow {
            name: stringify!($name),
            title: $title,
            unit: FigureUnit::$unit,
            get: |figures| figures.$name as f64,
        }),*]
    };
}

impl Figures {
    /// All figures, in the sequence in which they are shown. [`Figures`] has the formula of each.
    #[allow(clippy::unnecessary_cast)]
    pub const TABLE: &'static [FigureRow] = rows![
        duration_days "Length" Days,
        exposure_pct "Exposure" Percent,
        equity_final "Final equity" Money,
        equity_peak "Highest equity" Money,
        commissions "Commissions" Money,
        return_pct "Return" Percent,
        buy_and_hold_pct "Buy and hold" Percent,
        return_annual_pct "Return a year" Percent,
        volatility_annual_pct "Volatility a year" Percent,
        cagr_pct "CAGR" Percent,
        sharpe "Sharpe ratio" Ratio,
        sortino "Sortino ratio" Ratio,
        calmar "Calmar ratio" Ratio,
        alpha_pct "Alpha" Percent,
        beta "Beta" Ratio,
        drawdown_max_pct "Max. drawdown" Percent,
        drawdown_mean_pct "Mean drawdown" Percent,
        drawdown_duration_max_days "Longest drawdown" Days,
        drawdown_duration_mean_days "Mean length of drawdowns" Days,
        trades "Trades" Count,
        win_rate_pct "Win rate" Percent,
        trade_best_pct "Best trade" Percent,
        trade_worst_pct "Worst trade" Percent,
        trade_mean_pct "Mean trade" Percent,
        trade_duration_max_days "Longest trade" Days,
        trade_duration_mean_days "Mean length of trades" Days,
        profit_factor "Profit factor" Ratio,
        expectancy_pct "Expectancy" Percent,
        sqn "SQN" Ratio,
        kelly "Kelly's share" Ratio,
        var_95_pct "Value at risk of a day, 95 %" Percent,
        expected_shortfall_95_pct "Expected shortfall of a day, 95 %" Percent,
        skewness "Skewness of days" Ratio,
        kurtosis "Kurtosis of days" Ratio,
        turnover_annual "Turnover a year" Ratio,
        days_per_year "Trading days a year" Days,
    ];

    /// Names of all figures, in the sequence of [`TABLE`](Figures::TABLE).
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::TABLE.iter().map(|row| row.name)
    }

    /// The figure of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<f64> {
        Self::TABLE.iter().find(|row| row.name == name).map(|row| (row.get)(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Bar, Timestamp};
    use crate::performance::drawdowns;

    fn bars(closes: &[f64]) -> Vec<Bar> {
        let bar = |(at, close): (usize, &f64)| Bar {
            timestamp: Timestamp::from_nanos(at as i64 * 86_400_000_000_000),
            close: *close,
            ..Bar::default()
        };
        closes.iter().enumerate().map(bar).collect()
    }

    #[test]
    fn the_table_has_every_field() {
        let equity = [100.0, 110.0, 90.0];
        let figures = Figures::of(&bars(&equity), &equity, &[]).expect("bars");
        let fields = serde_json::to_value(figures).expect("numbers");
        let fields: Vec<String> = fields.as_object().expect("an object").keys().cloned().collect();
        let mut names: Vec<&str> = Figures::names().collect();
        names.sort_unstable();
        assert_eq!(fields, names);
        assert_eq!(figures.named("equity_final"), Some(90.0));
    }

    /// Worked by hand: 21 days, of which one loses 10 % and one 5 %, and the rest win 1 %.
    #[test]
    fn value_at_risk_and_shortfall_of_days() {
        let mut equity = vec![100.0];
        for day in 0..21 {
            let change = [0.90, 0.95].get(day).copied().unwrap_or(1.01);
            equity.push(equity[day] * change);
        }
        let figures = Figures::of(&bars(&equity), &equity, &[]).expect("bars");
        // The 5 % quantile of 21 values is the second lowest; the worst 5 % are two of them.
        assert!((figures.var_95_pct - 5.0).abs() < 1e-9, "{}", figures.var_95_pct);
        assert!((figures.expected_shortfall_95_pct - 7.5).abs() < 1e-9);
        assert!(figures.skewness < -2.0 && figures.kurtosis > 5.0);
    }

    #[test]
    fn drawdowns_come_deepest_first_and_the_last_may_be_open() {
        let equity = [100.0, 90.0, 100.0, 120.0, 60.0, 80.0, 130.0, 130.0, 117.0];
        let found = drawdowns(&bars(&equity), &equity, 10);
        let shown: Vec<_> =
            found.iter().map(|d| (d.peak_bar, d.trough_bar, d.recovery_bar, d.depth_pct.round())).collect();
        assert_eq!(shown, [(3, 4, Some(6), -50.0), (0, 1, Some(2), -10.0), (7, 8, None, -10.0)]);
        assert_eq!(found[0].duration_days, 3.0);
        assert_eq!(drawdowns(&bars(&equity), &equity, 1).len(), 1);
        assert_eq!(drawdowns(&[], &[], 1), []);
    }
}
