//! One run of two averages as the tightest loop that computes the same figures: arrays, no objects. The
//! bench measures everything else against it. Long only, all cash, filled at the next open.

use crate::messages::Bar;

/// The prices of a series, each in an array of its own.
pub struct Arrays {
    opens: Vec<f64>,
    closes: Vec<f64>,
    ticks: Vec<i64>,
}

impl Arrays {
    /// Copies them out of bars.
    #[must_use]
    pub fn of(bars: &[Bar]) -> Self {
        Self {
            opens: bars.iter().map(|bar| bar.open).collect(),
            closes: bars.iter().map(|bar| bar.close).collect(),
            ticks: bars.iter().map(|bar| bar.close_ticks).collect(),
        }
    }
}

/// What the loop finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tight {
    /// Equity at the last close; an open position is closed at it.
    pub equity_final: f64,
    /// Deepest drawdown, from 0 to 1.
    pub drawdown: f64,
    /// Sum of the returns from bar to bar.
    pub returns_sum: f64,
    /// Sum of their squares.
    pub returns_square_sum: f64,
    /// Closed trades.
    pub trades: u32,
}

/// Runs one pair of windows. `commission` is a share.
#[must_use]
pub fn run(arrays: &Arrays, fast: usize, slow: usize, cash: f64, commission: f64) -> Tight {
    let Arrays { opens, closes, ticks } = arrays;
    let (mut cash, mut units, mut entry) = (cash, 0.0, 0.0);
    let (mut sum_fast, mut sum_slow, mut before, mut wanted) = (0_i64, 0_i64, 0_i64, 0);
    let (mut peak, mut previous) = (cash, cash);
    let mut found =
        Tight { equity_final: cash, drawdown: 0.0, returns_sum: 0.0, returns_square_sum: 0.0, trades: 0 };
    for at in 0..ticks.len() {
        if wanted != 0 {
            let price = opens[at];
            if wanted > 0 && units == 0.0 {
                units = (cash / (price * (1.0 + commission))).floor();
                entry = price;
                cash -= units * price * commission;
            } else if wanted < 0 && units != 0.0 {
                cash += units * (price - entry) - units * price * commission;
                units = 0.0;
                found.trades += 1;
            }
            wanted = 0;
        }
        let equity = cash + units * (closes[at] - entry);
        peak = f64::max(peak, equity);
        found.drawdown = f64::max(found.drawdown, 1.0 - equity / peak);
        let change = equity / previous - 1.0;
        found.returns_sum += change;
        found.returns_square_sum += change * change;
        previous = equity;
        sum_fast += ticks[at] - if at >= fast { ticks[at - fast] } else { 0 };
        sum_slow += ticks[at] - if at >= slow { ticks[at - slow] } else { 0 };
        let lead = sum_fast * slow as i64 - sum_slow * fast as i64;
        if at >= fast.max(slow) {
            wanted = i32::from(before < 0 && lead > 0) - i32::from(before > 0 && lead < 0);
        }
        before = lead;
    }
    let last = closes.last().copied().unwrap_or(0.0);
    found.equity_final = cash + units * (last - entry) - units * last * commission;
    found
}
