//! How fast values move.

use super::averages::Tema;
use super::window::Recent;
use super::{Ema, Indicator, Rsi, Sma, Smoothed, WindowRange};

/// The change over some values: `value - before`.
#[derive(Clone, Debug)]
pub struct Momentum(Recent);

impl Momentum {
    /// Over `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self(Recent::new(window))
    }

    fn pair(&mut self, value: f64) -> Option<(f64, f64)> {
        let was_full = self.0.is_full();
        let before = self.0.push(value);
        was_full.then_some((value, before))
    }
}

impl Indicator for Momentum {
    fn push(&mut self, value: f64) -> Option<f64> {
        self.pair(value).map(|(value, before)| value - before)
    }
}

/// Rate of change in percent: `(value / before - 1) 100`; zero where the value before is zero.
#[derive(Clone, Debug)]
pub struct Roc(Momentum);

impl Roc {
    /// Over `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self(Momentum::new(window))
    }
}

impl Indicator for Roc {
    fn push(&mut self, value: f64) -> Option<f64> {
        self.0
            .pair(value)
            .map(|(value, before)| if before == 0.0 { 0.0 } else { (value / before - 1.0) * 100.0 })
    }
}

/// T. Chande's momentum oscillator, from -100 to 100: `100 (gains - losses) / (gains + losses)`, smoothed as
/// Wilder does. Zero where nothing has moved.
#[derive(Clone, Debug)]
pub struct Cmo {
    before: Option<f64>,
    gains: Smoothed,
    losses: Smoothed,
}

impl Cmo {
    /// Over `window` changes.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { before: None, gains: Smoothed::wilder(window), losses: Smoothed::wilder(window) }
    }
}

impl Indicator for Cmo {
    fn push(&mut self, value: f64) -> Option<f64> {
        let change = value - self.before.replace(value)?;
        let (gains, losses) = (self.gains.push(change.max(0.0)), self.losses.push((-change).max(0.0)));
        let (gains, losses) = (gains?, losses?);
        let moved = gains + losses;
        Some(if moved == 0.0 { 0.0 } else { 100.0 * (gains - losses) / moved })
    }
}

/// Change of the triple exponential average from one value to the next, in percent.
#[derive(Clone, Debug)]
pub struct Trix {
    average: Tema,
    change: Roc,
}

impl Trix {
    /// Averages of `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { average: Tema::new(window), change: Roc::new(1) }
    }
}

impl Indicator for Trix {
    fn push(&mut self, value: f64) -> Option<f64> {
        let [_, _, three] = self.average.chain(value)?;
        self.change.push(three)
    }
}

/// Fast less slow exponential average.
#[derive(Clone, Debug)]
pub struct Apo {
    fast: Ema,
    slow: Ema,
    /// Values that the fast average does not see.
    wait: usize,
}

impl Apo {
    /// Averages of so many values; 12 and 26 are usual.
    #[must_use]
    pub fn new(fast: usize, slow: usize) -> Self {
        let (fast, slow) = (fast.max(1).min(slow.max(1)), slow.max(1).max(fast));
        Self { fast: Ema::new(fast), slow: Ema::new(slow), wait: 0 }
    }

    /// Both begin with means that end at the same value, as TA-Lib has it for `MACD` and not for `APO`.
    fn aligned(fast: usize, slow: usize) -> Self {
        let (first, last) = (fast.max(1).min(slow.max(1)), slow.max(1).max(fast));
        Self { wait: last - first, ..Self::new(fast, slow) }
    }

    fn both(&mut self, value: f64) -> Option<(f64, f64)> {
        let slow = self.slow.push(value);
        if self.wait > 0 {
            self.wait -= 1;
            return None;
        }
        let fast = self.fast.push(value);
        Some((fast?, slow?))
    }
}

impl Indicator for Apo {
    fn push(&mut self, value: f64) -> Option<f64> {
        self.both(value).map(|(fast, slow)| fast - slow)
    }
}

/// As [`Apo`], in percent of the slow average.
#[derive(Clone, Debug)]
pub struct Ppo(Apo);

impl Ppo {
    /// Averages of so many values; 12 and 26 are usual.
    #[must_use]
    pub fn new(fast: usize, slow: usize) -> Self {
        Self(Apo::new(fast, slow))
    }
}

impl Indicator for Ppo {
    fn push(&mut self, value: f64) -> Option<f64> {
        self.0.both(value).map(|(fast, slow)| if slow == 0.0 { 0.0 } else { (fast - slow) / slow * 100.0 })
    }
}

/// The lines of a [`Macd`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MacdLines {
    /// Fast less slow average.
    pub line: f64,
    /// Its average.
    pub signal: f64,
    /// The line less its average.
    pub histogram: f64,
}

/// Moving average convergence and divergence.
#[derive(Clone, Debug)]
pub struct Macd {
    line: Apo,
    signal: Ema,
}

impl Macd {
    /// Averages of so many values; 12, 26 and 9 are usual.
    #[must_use]
    pub fn new(fast: usize, slow: usize, signal: usize) -> Self {
        Self { line: Apo::aligned(fast, slow), signal: Ema::new(signal) }
    }
}

impl Indicator<f64, MacdLines> for Macd {
    fn push(&mut self, value: f64) -> Option<MacdLines> {
        let line = self.line.push(value)?;
        let signal = self.signal.push(line)?;
        Some(MacdLines { line, signal, histogram: line - signal })
    }
}

/// The lines of a stochastic oscillator, from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StochasticLines {
    /// Where the value is between the lowest and the highest, smoothed or not.
    pub k: f64,
    /// Its simple average.
    pub d: f64,
}

/// The stochastic oscillator of the relative strength index.
#[derive(Clone, Debug)]
pub struct StochRsi {
    rsi: Rsi,
    range: WindowRange,
    d: Sma,
}

impl StochRsi {
    /// Windows of the index, of its range, and of the average; 14, 5 and 3 are TA-Lib's.
    #[must_use]
    pub fn new(rsi: usize, range: usize, average: usize) -> Self {
        Self { rsi: Rsi::new(rsi), range: WindowRange::new(range), d: Sma::new(average) }
    }
}

impl Indicator<f64, StochasticLines> for StochRsi {
    fn push(&mut self, value: f64) -> Option<StochasticLines> {
        let rsi = self.rsi.push(value)?;
        let k = self.range.place(rsi, rsi, rsi)?;
        let d = self.d.push(k)?;
        Some(StochasticLines { k, d })
    }
}
