//! Moving averages.

use super::window::{Recent, RollingSum};
use super::{Ema, Indicator, Sma};

/// Weighted moving average: the latest value counts `window` times, the oldest once.
#[derive(Clone, Debug)]
pub struct Wma {
    recent: Recent,
    sum: f64,
    weighted: f64,
}

impl Wma {
    /// Of the last `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { recent: Recent::new(window), sum: 0.0, weighted: 0.0 }
    }
}

impl Indicator for Wma {
    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        let count = self.recent.count() as f64;
        self.weighted += count * value - self.sum;
        self.sum += value - self.recent.push(value);
        if self.recent.has_come_round() {
            let values = self.recent.values();
            self.sum = values.iter().sum();
            self.weighted = values.iter().zip(1_u32..).map(|(value, weight)| f64::from(weight) * value).sum();
        }
        self.recent.is_full().then(|| self.weighted / (count * (count + 1.0) / 2.0))
    }
}

/// Double exponential moving average: `2 e1 - e2`, where `e2` is the average of the average.
#[derive(Clone, Debug)]
pub struct Dema([Ema; 2]);

impl Dema {
    /// Averages of `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self([Ema::new(window), Ema::new(window)])
    }
}

impl Indicator for Dema {
    fn push(&mut self, value: f64) -> Option<f64> {
        let one = self.0[0].push(value)?;
        let two = self.0[1].push(one)?;
        Some(2.0 * one - two)
    }
}

/// Triple exponential moving average: `3 e1 - 3 e2 + e3`.
#[derive(Clone, Debug)]
pub struct Tema([Ema; 3]);

impl Tema {
    /// Averages of `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self(std::array::from_fn(|_| Ema::new(window)))
    }

    /// The three averages, each of the one before.
    pub(super) fn chain(&mut self, value: f64) -> Option<[f64; 3]> {
        let one = self.0[0].push(value)?;
        let two = self.0[1].push(one)?;
        let three = self.0[2].push(two)?;
        Some([one, two, three])
    }
}

impl Indicator for Tema {
    fn push(&mut self, value: f64) -> Option<f64> {
        self.chain(value).map(|[one, two, three]| 3.0 * one - 3.0 * two + three)
    }
}

/// Triangular moving average: the simple average of the simple average, over half of the window each.
#[derive(Clone, Debug)]
pub struct Trima(Sma, Sma);

impl Trima {
    /// Over `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        let window = window.max(1);
        Self(Sma::new(window.div_ceil(2)), Sma::new(window / 2 + 1))
    }
}

impl Indicator for Trima {
    fn push(&mut self, value: f64) -> Option<f64> {
        let average = self.0.push(value)?;
        self.1.push(average)
    }
}

/// T. Tillson's T3: six exponential averages, weighed by a volume factor.
#[derive(Clone, Debug)]
pub struct T3 {
    first: Tema,
    second: Tema,
    weights: [f64; 4],
}

impl T3 {
    /// Averages of `window` values; 0.7 is the usual factor.
    #[must_use]
    pub fn new(window: usize, factor: f64) -> Self {
        let (square, cube) = (factor * factor, factor * factor * factor);
        let weights = [
            1.0 + 3.0 * factor + cube + 3.0 * square,
            -6.0 * square - 3.0 * (factor + cube),
            3.0 * (square + cube),
            -cube,
        ];
        Self { first: Tema::new(window), second: Tema::new(window), weights }
    }
}

impl Indicator for T3 {
    fn push(&mut self, value: f64) -> Option<f64> {
        let [_, _, three] = self.first.chain(value)?;
        let [four, five, six] = self.second.chain(three)?;
        let [a, b, c, d] = self.weights;
        Some(a * three + b * four + c * five + d * six)
    }
}

/// P. Kaufman's adaptive moving average: fast where values go straight, slow where they go to and fro.
#[derive(Clone, Debug)]
pub struct Kama {
    recent: Recent,
    moves: RollingSum,
    before: Option<f64>,
    average: Option<f64>,
}

impl Kama {
    /// Over `window` changes, between exponential averages of 2 and 30 values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { recent: Recent::new(window), moves: RollingSum::new(window), before: None, average: None }
    }
}

impl Indicator for Kama {
    fn push(&mut self, value: f64) -> Option<f64> {
        const FAST: f64 = 2.0 / 3.0;
        const SLOW: f64 = 2.0 / 31.0;
        let was_full = self.recent.is_full();
        let oldest = self.recent.push(value);
        let before = self.before.replace(value);
        let moved = self.moves.push((value - before?).abs());
        if !was_full {
            return None;
        }
        let (moved, way) = (moved?, value - oldest);
        // As TA-Lib has it: the way itself, and not its length, is compared.
        let efficiency = if moved <= way || moved.abs() < 1e-14 { 1.0 } else { (way / moved).abs() };
        let share = (efficiency * (FAST - SLOW) + SLOW).powi(2);
        let average = self.average.or(before)?;
        let average = average + (value - average) * share;
        self.average = Some(average);
        Some(average)
    }
}
