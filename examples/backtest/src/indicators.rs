//! Indicators that take one value at a time, each in constant time; [`Cci`] alone costs its window.
//!
//! They begin as TA-Lib's do, and say what those of the same name say (`tests/all/indicators.rs`). An
//! indicator says `None` until its window is full. One of your own is a struct with [`Indicator`]:
//!
//! ```
//! use backtest::indicators::Indicator;
//! /// The change since the value before, in percent.
//! #[derive(Default)]
//! struct Change(Option<f64>);
//! impl Indicator for Change {
//!     fn push(&mut self, value: f64) -> Option<f64> {
//!         self.0.replace(value).map(|before| (value / before - 1.0) * 100.0)
//!     }
//! }
//! assert_eq!(Change::default().push(1.0), None);
//! ```

mod averages;
mod bars;
mod extreme;
mod momentum;
mod volume;
mod window;

pub use self::averages::{Dema, Kama, T3, Tema, Trima, Wma};
use self::bars::WindowRange;
pub use self::bars::{
    Adx, Adxr, Aroon, AroonLines, Cci, Directional, Directions, Natr, ParabolicSar, Stochastic, TrueRange,
    UltimateOscillator, WilliamsR, balance_of_power, median_price, typical_price, weighted_close,
};
use self::extreme::Extreme;
pub use self::momentum::{Apo, Cmo, Macd, MacdLines, Momentum, Ppo, Roc, StochRsi, StochasticLines, Trix};
pub use self::volume::{AccumulationDistribution, ChaikinOscillator, Mfi, Obv, Vwap};
use self::window::Recent;
pub use self::window::{
    Bands, Bollinger, FittedLine, LinearRegression, MidPoint, RollingSum, StdDev, Variance,
};
pub use crate::crossover::Signal;
use crate::messages::Bar;

/// A figure that follows from the values so far.
///
/// `I` is what it takes, a number or a `&Bar`; `O` is what it says, a number or several lines.
pub trait Indicator<I = f64, O = f64> {
    /// Takes the next value. `None` until there are enough of them.
    fn push(&mut self, input: I) -> Option<O>;
}

/// Simple moving average.
#[derive(Clone, Debug)]
pub struct Sma {
    recent: Recent,
    sum: f64,
    /// Sum of the values since the window was last begun anew. It takes the place of `sum` then, so that
    /// rounding does not add up.
    fresh: f64,
}

impl Sma {
    /// The mean of the last `window` values, at least one.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { recent: Recent::new(window), sum: 0.0, fresh: 0.0 }
    }
}

impl Indicator for Sma {
    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        let left = self.recent.push(value);
        self.fresh += value;
        self.sum += value - left;
        if self.recent.has_come_round() {
            self.sum = std::mem::take(&mut self.fresh);
        }
        self.recent.is_full().then(|| self.sum / self.recent.count() as f64)
    }
}

/// Exponential moving average: each value counts `2 / (window + 1)`.
#[derive(Clone, Debug)]
pub struct Ema {
    smoothed: Smoothed,
}

impl Ema {
    /// Begins with the mean of the first `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { smoothed: Smoothed::new(window, 2.0 / (window.max(1) as f64 + 1.0)) }
    }
}

impl Indicator for Ema {
    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        self.smoothed.push(value)
    }
}

/// A mean of the first values, and then a recursion.
#[derive(Clone, Debug)]
struct Smoothed {
    window: usize,
    share: f64,
    seen: usize,
    value: f64,
}

impl Smoothed {
    fn new(window: usize, share: f64) -> Self {
        Self { window: window.max(1), share, seen: 0, value: 0.0 }
    }

    /// As J. Welles Wilder smooths: each value counts `1 / window`.
    fn wilder(window: usize) -> Self {
        Self::new(window, 1.0 / window.max(1) as f64)
    }

    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        if self.seen < self.window {
            self.seen += 1;
            self.value += value;
            if self.seen < self.window {
                return None;
            }
            self.value /= self.window as f64;
        } else {
            self.value += (value - self.value) * self.share;
        }
        Some(self.value)
    }
}

/// Relative strength index, from 0 to 100: `100 gains / (gains + losses)`, smoothed as Wilder does. 50 where
/// nothing has moved.
#[derive(Clone, Debug)]
pub struct Rsi {
    before: Option<f64>,
    gains: Smoothed,
    losses: Smoothed,
}

impl Rsi {
    /// Over `window` changes.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { before: None, gains: Smoothed::wilder(window), losses: Smoothed::wilder(window) }
    }
}

impl Indicator for Rsi {
    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        let change = value - self.before.replace(value)?;
        let (gains, losses) = (self.gains.push(change.max(0.0)), self.losses.push((-change).max(0.0)));
        let (gains, losses) = (gains?, losses?);
        let moved = gains + losses;
        Some(if moved == 0.0 { 50.0 } else { 100.0 * gains / moved })
    }
}

/// Average true range: how far a bar moves, the gap to the close before included, smoothed as Wilder does.
#[derive(Clone, Debug)]
pub struct Atr {
    before: Option<f64>,
    ranges: Smoothed,
}

impl Atr {
    /// Over `window` bars after the first.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { before: None, ranges: Smoothed::wilder(window) }
    }
}

impl Indicator<&Bar> for Atr {
    #[inline]
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let before = self.before.replace(bar.close)?;
        self.ranges.push(bar.high.max(before) - bar.low.min(before))
    }
}

/// The highest of the last values.
#[derive(Clone, Debug)]
pub struct Highest(Extreme);

impl Highest {
    /// Of the last `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self(Extreme::new(window))
    }
}

impl Indicator for Highest {
    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        self.0.push(value, |a, b| a > b)
    }
}

/// The lowest of the last values.
#[derive(Clone, Debug)]
pub struct Lowest(Extreme);

impl Lowest {
    /// Of the last `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self(Extreme::new(window))
    }
}

impl Indicator for Lowest {
    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        self.0.push(value, |a, b| a < b)
    }
}

/// Tells when one figure crosses another. A tie is no crossing, and makes none of the next value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cross {
    before: Option<std::cmp::Ordering>,
}

impl Cross {
    /// Takes both figures; `Up` if the first went from below the second to above it.
    #[inline]
    pub fn push(&mut self, a: Option<f64>, b: Option<f64>) -> Option<Signal> {
        use std::cmp::Ordering::{Greater, Less};
        let now = a?.partial_cmp(&b?);
        match (std::mem::replace(&mut self.before, now), now) {
            (Some(Less), Some(Greater)) => Some(Signal::Up),
            (Some(Greater), Some(Less)) => Some(Signal::Down),
            _ => None,
        }
    }
}
