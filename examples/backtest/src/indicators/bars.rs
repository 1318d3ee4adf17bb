//! Indicators of bars: ranges, directions and trends.

use super::extreme::Extreme;
use super::momentum::StochasticLines;
use super::window::{MidPoint, Recent, RollingSum};
use super::{Atr, Indicator, Sma, Smoothed};
use crate::messages::Bar;

/// `(high + low + close) / 3`.
#[must_use]
pub fn typical_price(bar: &Bar) -> f64 {
    (bar.high + bar.low + bar.close) / 3.0
}

/// `(high + low) / 2`.
#[must_use]
pub fn median_price(bar: &Bar) -> f64 {
    (bar.high + bar.low) / 2.0
}

/// `(high + low + 2 close) / 4`.
#[must_use]
pub fn weighted_close(bar: &Bar) -> f64 {
    (bar.high + bar.low + 2.0 * bar.close) / 4.0
}

/// `(close - open) / (high - low)`: balance of power, from -1 to 1; zero where the bar has no range.
#[must_use]
pub fn balance_of_power(bar: &Bar) -> f64 {
    let range = bar.high - bar.low;
    if range < 1e-14 { 0.0 } else { (bar.close - bar.open) / range }
}

/// How far a bar moves, the gap to the close before included.
#[derive(Clone, Debug, Default)]
pub struct TrueRange(Option<f64>);

impl Indicator<&Bar> for TrueRange {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let before = self.0.replace(bar.close)?;
        Some(bar.high.max(before) - bar.low.min(before))
    }
}

/// Average true range in percent of the close.
#[derive(Clone, Debug)]
pub struct Natr(Atr);

impl Natr {
    /// Over `window` bars after the first.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self(Atr::new(window))
    }
}

impl Indicator<&Bar> for Natr {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        self.0.push(bar).map(|range| range / bar.close * 100.0)
    }
}

/// What J. Welles Wilder's directional movement says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Directions {
    /// `+DI`, from 0 to 100.
    pub plus: f64,
    /// `-DI`, from 0 to 100.
    pub minus: f64,
    /// `DX`: their distance over their sum, from 0 to 100; that of the bar before where both are zero.
    pub index: f64,
}

/// Directional movement: `+DI`, `-DI` and `DX`.
#[derive(Clone, Debug)]
pub struct Directional {
    window: usize,
    seen: usize,
    before: Option<(f64, f64, f64)>,
    plus: f64,
    minus: f64,
    range: f64,
    index: f64,
}

impl Directional {
    /// Over `window` bars, at least two; 14 is usual.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { window: window.max(2), seen: 0, before: None, plus: 0.0, minus: 0.0, range: 0.0, index: 0.0 }
    }

    /// As TA-Lib does: sums of the first bars, less one, and then Wilder's recursion.
    fn step(&mut self, bar: &Bar) -> Option<(f64, f64)> {
        let (high, low, close) = self.before.replace((bar.high, bar.low, bar.close))?;
        let (up, down) = (bar.high - high, low - bar.low);
        let plus = if up > 0.0 && up > down { up } else { 0.0 };
        let minus = if down > 0.0 && up < down { down } else { 0.0 };
        let range = bar.high.max(close) - bar.low.min(close);
        self.seen += 1;
        let kept = if self.seen < self.window { 1.0 } else { 1.0 - 1.0 / self.window as f64 };
        self.plus = self.plus * kept + plus;
        self.minus = self.minus * kept + minus;
        self.range = self.range * kept + range;
        if self.seen < self.window {
            return None;
        }
        let share = |moved: f64| if self.range == 0.0 { 0.0 } else { 100.0 * moved / self.range };
        Some((share(self.plus), share(self.minus)))
    }
}

impl Indicator<&Bar, Directions> for Directional {
    fn push(&mut self, bar: &Bar) -> Option<Directions> {
        let (plus, minus) = self.step(bar)?;
        if plus + minus != 0.0 {
            self.index = 100.0 * (plus - minus).abs() / (plus + minus);
        }
        Some(Directions { plus, minus, index: self.index })
    }
}

/// Average directional index: `DX`, smoothed as Wilder does.
#[derive(Clone, Debug)]
pub struct Adx {
    directional: Directional,
    average: Smoothed,
}

impl Adx {
    /// Over `window` bars; 14 is usual.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { directional: Directional::new(window), average: Smoothed::wilder(window.max(2)) }
    }
}

impl Indicator<&Bar> for Adx {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let directions = self.directional.push(bar)?;
        self.average.push(directions.index)
    }
}

/// The mean of the [`Adx`] and that of a window before.
#[derive(Clone, Debug)]
pub struct Adxr {
    index: Adx,
    recent: Recent,
}

impl Adxr {
    /// Over `window` bars; 14 is usual.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { index: Adx::new(window), recent: Recent::new(window.max(2) - 1) }
    }
}

impl Indicator<&Bar> for Adxr {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let index = self.index.push(bar)?;
        let was_full = self.recent.is_full();
        let before = self.recent.push(index);
        was_full.then_some((index + before) / 2.0)
    }
}

/// D. Lambert's commodity channel index: distance of the typical price from its average, over 0.015 mean
/// absolute deviations; zero where there are none. The one here that costs its window with each bar.
#[derive(Clone, Debug)]
pub struct Cci {
    recent: Recent,
}

impl Cci {
    /// Over `window` bars; 20 is usual.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { recent: Recent::new(window) }
    }
}

impl Indicator<&Bar> for Cci {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let price = typical_price(bar);
        self.recent.push(price);
        if !self.recent.is_full() {
            return None;
        }
        let (values, count) = (self.recent.values(), self.recent.count() as f64);
        let mean = values.iter().sum::<f64>() / count;
        let deviation = values.iter().map(|value| (value - mean).abs()).sum::<f64>() / count;
        Some(if deviation == 0.0 { 0.0 } else { (price - mean) / (0.015 * deviation) })
    }
}

/// Where a value is between the lowest low and the highest high of the last bars.
#[derive(Clone, Debug)]
pub(super) struct WindowRange(MidPoint);

impl WindowRange {
    pub(super) fn new(window: usize) -> Self {
        Self(MidPoint::new(window))
    }

    /// From 0 to 100; zero where there is no range.
    pub(super) fn place(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        let (highest, lowest) = self.0.push_both(high, low)?;
        let range = highest - lowest;
        Some(if range == 0.0 { 0.0 } else { (close - lowest) / range * 100.0 })
    }
}

/// L. Williams' %R, from -100 to 0: how far the close is below the highest high, over the range.
#[derive(Clone, Debug)]
pub struct WilliamsR(MidPoint);

impl WilliamsR {
    /// Over `window` bars; 14 is usual.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self(MidPoint::new(window))
    }
}

impl Indicator<&Bar> for WilliamsR {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let (highest, lowest) = self.0.push_both(bar.high, bar.low)?;
        let range = highest - lowest;
        Some(if range == 0.0 { 0.0 } else { (highest - bar.close) / range * -100.0 })
    }
}

/// The stochastic oscillator with simple averages: TA-Lib's `STOCH`, and with `smooth` 1 its `STOCHF`.
#[derive(Clone, Debug)]
pub struct Stochastic {
    range: WindowRange,
    k: Sma,
    d: Sma,
}

impl Stochastic {
    /// Windows of the range, of the smoothing of `k`, and of its average `d`; 14, 3 and 3 are usual.
    #[must_use]
    pub fn new(range: usize, smooth: usize, average: usize) -> Self {
        Self { range: WindowRange::new(range), k: Sma::new(smooth), d: Sma::new(average) }
    }
}

impl Indicator<&Bar, StochasticLines> for Stochastic {
    fn push(&mut self, bar: &Bar) -> Option<StochasticLines> {
        let place = self.range.place(bar.high, bar.low, bar.close)?;
        let k = self.k.push(place)?;
        let d = self.d.push(k)?;
        Some(StochasticLines { k, d })
    }
}

/// What [`Aroon`] says, from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AroonLines {
    /// 100 if the high is the highest of all, 0 if the highest is a whole window old.
    pub up: f64,
    /// The same of lows.
    pub down: f64,
}

/// T. Chande's Aroon: how long ago the highest high and the lowest low were. `up - down` is its oscillator.
#[derive(Clone, Debug)]
pub struct Aroon {
    window: usize,
    highest: Extreme,
    lowest: Extreme,
}

impl Aroon {
    /// Over `window` bars and the one before; 14 is TA-Lib's.
    #[must_use]
    pub fn new(window: usize) -> Self {
        let window = window.max(1);
        Self { window, highest: Extreme::new(window + 1), lowest: Extreme::new(window + 1) }
    }
}

impl Indicator<&Bar, AroonLines> for Aroon {
    fn push(&mut self, bar: &Bar) -> Option<AroonLines> {
        let (high, low) =
            (self.highest.push(bar.high, |a, b| a > b), self.lowest.push(bar.low, |a, b| a < b));
        high.and(low)?;
        let share = |age: usize| 100.0 * (self.window - age) as f64 / self.window as f64;
        Some(AroonLines { up: share(self.highest.age()), down: share(self.lowest.age()) })
    }
}

/// L. Williams' ultimate oscillator, from 0 to 100: buying pressure over the true range, of three windows,
/// the shortest of which counts four times and the next one twice.
#[derive(Clone, Debug)]
pub struct UltimateOscillator {
    before: Option<f64>,
    windows: [(RollingSum, RollingSum); 3],
}

impl UltimateOscillator {
    /// Windows in ascending order; 7, 14 and 28 are usual.
    #[must_use]
    pub fn new(windows: [usize; 3]) -> Self {
        let windows = windows.map(|window| (RollingSum::new(window), RollingSum::new(window)));
        Self { before: None, windows }
    }
}

impl Indicator<&Bar> for UltimateOscillator {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let before = self.before.replace(bar.close)?;
        let low = bar.low.min(before);
        let (pressure, range) = (bar.close - low, bar.high.max(before) - low);
        let (mut sum, mut whole) = (0.0, true);
        for ((pressures, ranges), weight) in self.windows.iter_mut().zip([4.0, 2.0, 1.0]) {
            match (pressures.push(pressure), ranges.push(range)) {
                (Some(pressure), Some(range)) if range != 0.0 => sum += weight * pressure / range,
                (Some(_), Some(_)) => {}
                _ => whole = false,
            }
        }
        whole.then_some(100.0 * sum / 7.0)
    }
}

/// J. Welles Wilder's parabolic stop and reverse: the stop for the bar at hand.
#[derive(Clone, Debug)]
pub struct ParabolicSar {
    step: f64,
    most: f64,
    factor: f64,
    before: Option<(f64, f64)>,
    /// The stop for the next bar, the extreme of the trend, and whether it goes up.
    trend: Option<(f64, f64, bool)>,
}

impl ParabolicSar {
    /// Acceleration: what each new extreme adds, and the most; 0.02 and 0.2 are usual.
    #[must_use]
    pub fn new(step: f64, most: f64) -> Self {
        let step = step.min(most);
        Self { step, most, factor: step, before: None, trend: None }
    }
}

impl Indicator<&Bar> for ParabolicSar {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let (high, low) = (bar.high, bar.low);
        let (mut high_before, mut low_before) = self.before.replace((high, low))?;
        let (mut stop, mut extreme, mut up) = match self.trend {
            Some(trend) => trend,
            None => {
                let (rise, fall) = (high - high_before, low_before - low);
                let up = !(fall > 0.0 && rise < fall);
                let trend = if up { (low_before, high, true) } else { (high_before, low, false) };
                // TA-Lib lets the first bar count as the one before, too.
                (high_before, low_before) = (high, low);
                trend
            }
        };
        // No stop lies within the range of the bar at hand or of the one before.
        let outside = |stop: f64, up: bool| {
            if up { stop.min(low_before).min(low) } else { stop.max(high_before).max(high) }
        };
        let told;
        if (up && low <= stop) || (!up && high >= stop) {
            up = !up;
            stop = outside(extreme, up);
            told = stop;
            self.factor = self.step;
            extreme = if up { high } else { low };
        } else {
            told = stop;
            let best = if up { high > extreme } else { low < extreme };
            if best {
                extreme = if up { high } else { low };
                self.factor = (self.factor + self.step).min(self.most);
            }
        }
        self.trend = Some((outside(stop + self.factor * (extreme - stop), up), extreme, up));
        Some(told)
    }
}
