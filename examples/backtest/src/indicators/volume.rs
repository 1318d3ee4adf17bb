//! Indicators of volume.

use super::Indicator;
use super::bars::typical_price;
use super::window::RollingSum;
use crate::data::NS_PER_DAY;
use crate::messages::Bar;

/// On-balance volume: volume is added where the close rises, and taken off where it falls.
#[derive(Clone, Debug, Default)]
pub struct Obv {
    before: Option<f64>,
    total: f64,
}

impl Indicator<&Bar> for Obv {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        match self.before.replace(bar.close) {
            None => self.total = bar.volume,
            Some(before) if bar.close > before => self.total += bar.volume,
            Some(before) if bar.close < before => self.total -= bar.volume,
            Some(_) => {}
        }
        Some(self.total)
    }
}

/// M. Chaikin's accumulation and distribution: volume, weighed by where the close is within the bar.
#[derive(Clone, Debug, Default)]
pub struct AccumulationDistribution(f64);

impl Indicator<&Bar> for AccumulationDistribution {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let range = bar.high - bar.low;
        if range > 0.0 {
            self.0 += ((bar.close - bar.low) - (bar.high - bar.close)) / range * bar.volume;
        }
        Some(self.0)
    }
}

/// M. Chaikin's oscillator: fast less slow exponential average of [`AccumulationDistribution`]. Both begin
/// with its first value.
#[derive(Clone, Debug)]
pub struct ChaikinOscillator {
    line: AccumulationDistribution,
    shares: [f64; 2],
    averages: Option<[f64; 2]>,
    wait: usize,
}

impl ChaikinOscillator {
    /// Averages of so many bars; 3 and 10 are usual.
    #[must_use]
    pub fn new(fast: usize, slow: usize) -> Self {
        let shares = [fast, slow].map(|window| 2.0 / (window.max(1) as f64 + 1.0));
        let wait = fast.max(slow).max(1) - 1;
        Self { line: AccumulationDistribution::default(), shares, averages: None, wait }
    }
}

impl Indicator<&Bar> for ChaikinOscillator {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let line = self.line.push(bar)?;
        let averages = self.averages.get_or_insert([line; 2]);
        for (average, share) in averages.iter_mut().zip(self.shares) {
            *average += (line - *average) * share;
        }
        let oscillator = averages[0] - averages[1];
        if self.wait > 0 {
            self.wait -= 1;
            return None;
        }
        Some(oscillator)
    }
}

/// Money flow index, from 0 to 100: the share of turnover on bars whose typical price rises, and 0 where none
/// of the window has moved. TA-Lib says 0 also where that turnover is below 1, which depends on the currency.
#[derive(Clone, Debug)]
pub struct Mfi {
    before: Option<f64>,
    rising: RollingSum,
    falling: RollingSum,
    /// Bars with one of both: what rounding has left of sums of none is no turnover.
    moving: RollingSum,
}

impl Mfi {
    /// Over `window` bars after the first; 14 is usual.
    #[must_use]
    pub fn new(window: usize) -> Self {
        let sum = || RollingSum::new(window);
        Self { before: None, rising: sum(), falling: sum(), moving: sum() }
    }
}

impl Indicator<&Bar> for Mfi {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let price = typical_price(bar);
        let before = self.before.replace(price)?;
        let flow = price * bar.volume;
        let (up, down) = (if price > before { flow } else { 0.0 }, if price < before { flow } else { 0.0 });
        let (rising, falling) = (self.rising.push(up), self.falling.push(down));
        let moving = self.moving.push(f64::from(up + down > 0.0))?;
        let (rising, falling) = (rising?.max(0.0), falling?.max(0.0));
        let all = rising + falling;
        Some(if moving > 0.0 && all > 0.0 { 100.0 * rising / all } else { 0.0 })
    }
}

/// Average price weighed by volume, since the beginning of the day of UTC: typical prices. `None` until there
/// is volume.
#[derive(Clone, Debug, Default)]
pub struct Vwap {
    day: Option<i64>,
    turnover: f64,
    volume: f64,
}

impl Indicator<&Bar> for Vwap {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let day = bar.timestamp.as_nanos().div_euclid(NS_PER_DAY);
        if self.day.replace(day) != Some(day) {
            (self.turnover, self.volume) = (0.0, 0.0);
        }
        self.turnover += typical_price(bar) * bar.volume;
        self.volume += bar.volume;
        (self.volume > 0.0).then(|| self.turnover / self.volume)
    }
}
