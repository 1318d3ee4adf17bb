//! Figures of the last values, and what keeps them.

use super::{Indicator, extreme::Extreme};

/// Values for which a ring has room from the beginning. One that is longer grows with what comes.
const ROOM_AT_FIRST: usize = 4_096;

/// The last values, in a ring. It takes memory for those that have come, whatever its length is.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    values: Vec<f64>,
    count: usize,
    at: usize,
    full: bool,
}

impl Recent {
    pub(super) fn new(count: usize) -> Self {
        let count = count.max(1);
        Self { values: Vec::with_capacity(count.min(ROOM_AT_FIRST)), count, at: 0, full: false }
    }

    /// Takes a value and gives the one that it displaces: 0 until the ring is full.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let left = if self.full {
            std::mem::replace(&mut self.values[self.at], value)
        } else {
            self.values.push(value);
            0.0
        };
        self.at += 1;
        if self.at == self.count {
            self.at = 0;
            self.full = true;
        }
        left
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Whether the ring has just come round: the oldest value is the first one then.
    pub(super) fn has_come_round(&self) -> bool {
        self.full && self.at == 0
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The values in no particular sequence; those that have come until the ring is full.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }
}

/// Sum of the last values.
#[derive(Clone, Debug)]
pub struct RollingSum {
    recent: Recent,
    sum: f64,
}

impl RollingSum {
    /// Of the last `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { recent: Recent::new(window), sum: 0.0 }
    }
}

impl Indicator for RollingSum {
    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        self.sum += value - self.recent.push(value);
        if self.recent.has_come_round() {
            // Summed anew, so that rounding does not add up.
            self.sum = self.recent.values().iter().sum();
        }
        self.recent.is_full().then_some(self.sum)
    }
}

/// Variance of the last values as a population: the mean square distance from their mean.
#[derive(Clone, Debug)]
pub struct Variance {
    recent: Recent,
    /// Values are counted from here, near their mean, so that their squares lose no digits.
    origin: f64,
    sum: f64,
    squares: f64,
    begun: bool,
}

impl Variance {
    /// Of the last `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { recent: Recent::new(window), origin: 0.0, sum: 0.0, squares: 0.0, begun: false }
    }

    fn mean(&self) -> f64 {
        self.origin + self.sum / self.recent.count() as f64
    }
}

impl Indicator for Variance {
    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        if !std::mem::replace(&mut self.begun, true) {
            self.origin = value;
        }
        let was_full = self.recent.is_full();
        let left = self.recent.push(value);
        let (new, old) = (value - self.origin, if was_full { left - self.origin } else { 0.0 });
        self.sum += new - old;
        self.squares += new * new - old * old;
        if self.recent.has_come_round() {
            self.origin = self.mean();
            let distances = self.recent.values().iter().map(|value| value - self.origin);
            (self.sum, self.squares) = distances.fold((0.0, 0.0), |(s, q), d| (s + d, q + d * d));
        }
        let count = self.recent.count() as f64;
        let mean = self.sum / count;
        self.recent.is_full().then(|| (self.squares / count - mean * mean).max(0.0))
    }
}

/// Standard deviation of the last values as a population.
#[derive(Clone, Debug)]
pub struct StdDev(Variance);

impl StdDev {
    /// Of the last `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self(Variance::new(window))
    }
}

impl Indicator for StdDev {
    fn push(&mut self, value: f64) -> Option<f64> {
        self.0.push(value).map(f64::sqrt)
    }
}

/// An average with a band on both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bands {
    /// The upper edge.
    pub upper: f64,
    /// The average.
    pub middle: f64,
    /// The lower edge.
    pub lower: f64,
}

/// Bollinger bands: the simple average, and standard deviations of a population on both sides.
#[derive(Clone, Debug)]
pub struct Bollinger {
    variance: Variance,
    width: f64,
}

impl Bollinger {
    /// Over `window` values, `width` deviations on each side; 20 and 2 are usual.
    #[must_use]
    pub fn new(window: usize, width: f64) -> Self {
        Self { variance: Variance::new(window), width }
    }
}

impl Indicator<f64, Bands> for Bollinger {
    fn push(&mut self, value: f64) -> Option<Bands> {
        let reach = self.variance.push(value)?.sqrt() * self.width;
        let middle = self.variance.mean();
        Some(Bands { upper: middle + reach, middle, lower: middle - reach })
    }
}

/// The straight line of least squares through the last values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FittedLine {
    /// Its value at the oldest of them.
    pub intercept: f64,
    /// What it rises by from one value to the next.
    pub slope: f64,
    /// Its value at the latest.
    pub end: f64,
    /// Its value one step further: the time series forecast.
    pub forecast: f64,
}

/// Linear regression over the last values: TA-Lib's `LINEARREG`, `_SLOPE`, `_INTERCEPT` and `TSF` in one.
#[derive(Clone, Debug)]
pub struct LinearRegression {
    recent: Recent,
    sum: f64,
    /// Sum of the values, each times its place from 0.
    weighted: f64,
}

impl LinearRegression {
    /// Over `window` values, at least two.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { recent: Recent::new(window.max(2)), sum: 0.0, weighted: 0.0 }
    }
}

impl Indicator<f64, FittedLine> for LinearRegression {
    fn push(&mut self, value: f64) -> Option<FittedLine> {
        let left = self.recent.push(value);
        let count = self.recent.count() as f64;
        // All move down by one place; the oldest was at place 0.
        self.weighted += (count - 1.0) * value - (self.sum - left);
        self.sum += value - left;
        if self.recent.has_come_round() {
            let values = self.recent.values();
            self.sum = values.iter().sum();
            self.weighted = values.iter().enumerate().map(|(at, value)| at as f64 * value).sum();
        }
        let places = count * (count - 1.0) / 2.0;
        let squares = places * (2.0 * count - 1.0) / 3.0;
        let slope = (count * self.weighted - places * self.sum) / (count * squares - places * places);
        let intercept = (self.sum - slope * places) / count;
        let at = |place: f64| intercept + slope * place;
        self.recent.is_full().then(|| FittedLine {
            intercept,
            slope,
            end: at(count - 1.0),
            forecast: at(count),
        })
    }
}

/// The middle between the highest and the lowest of the last values.
#[derive(Clone, Debug)]
pub struct MidPoint {
    highest: Extreme,
    lowest: Extreme,
}

impl MidPoint {
    /// Of the last `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { highest: Extreme::new(window), lowest: Extreme::new(window) }
    }

    /// Of highs and lows that are not one.
    pub(super) fn push_both(&mut self, high: f64, low: f64) -> Option<(f64, f64)> {
        let (highest, lowest) = (self.highest.push(high, |a, b| a > b), self.lowest.push(low, |a, b| a < b));
        Some((highest?, lowest?))
    }
}

impl Indicator for MidPoint {
    fn push(&mut self, value: f64) -> Option<f64> {
        self.push_both(value, value).map(|(high, low)| (high + low) / 2.0)
    }
}

/// Of bars: the middle between the highest high and the lowest low.
impl Indicator<&crate::messages::Bar> for MidPoint {
    fn push(&mut self, bar: &crate::messages::Bar) -> Option<f64> {
        self.push_both(bar.high, bar.low).map(|(high, low)| (high + low) / 2.0)
    }
}
