//! Where a feed's bars come from: the history itself, or paths resampled from it.

use std::sync::Arc;

use crate::chance::Random;
use crate::data::Scale;
use crate::limits::TICKS_PATH_MAX;
use crate::messages::{Bar, Timestamp};

/// Bars in ascending order of time.
pub trait Source: Send + 'static {
    /// The time of the next bar, or `None` after the last: asked for apart, so that a bar is copied in one
    /// piece.
    fn next_time(&self) -> Option<Timestamp>;

    /// The next bar, or `None` after the last.
    fn next_bar(&mut self) -> Option<Bar>;
}

/// The bars of another source as those of the only asset of a run, whatever number they have.
pub(crate) struct OfOne<S>(pub(crate) S);

impl<S: Source> Source for OfOne<S> {
    #[inline]
    fn next_time(&self) -> Option<Timestamp> {
        self.0.next_time()
    }

    #[inline]
    fn next_bar(&mut self) -> Option<Bar> {
        self.0.next_bar().map(|bar| Bar { asset: 0, ..bar })
    }
}

/// The bars as they were. All instances read the same memory.
#[derive(Clone, Debug)]
pub struct History {
    bars: Arc<[Bar]>,
    next: usize,
}

impl History {
    /// Starts at the first bar.
    #[must_use]
    pub fn new(bars: Arc<[Bar]>) -> Self {
        Self { bars, next: 0 }
    }
}

impl Source for History {
    #[inline]
    fn next_time(&self) -> Option<Timestamp> {
        Some(self.bars.get(self.next)?.timestamp)
    }

    #[inline]
    fn next_bar(&mut self) -> Option<Bar> {
        let bar = self.bars.get(self.next).copied();
        self.next += 1;
        bar
    }
}

/// Moves from one bar's close to the next bar, shared by all paths.
#[derive(Clone, Debug)]
pub struct Returns {
    first: Bar,
    /// The next bar's prices over the close before, with its volume.
    moves: Vec<Move>,
    timestamps: Vec<Timestamp>,
    tick: f64,
}

#[derive(Clone, Copy, Debug)]
struct Move {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
}

impl Returns {
    /// The moves of bars whose closes have this scale. `None` if there are fewer than two.
    #[must_use]
    pub fn of(bars: &[Bar], scale: Scale) -> Option<Arc<Self>> {
        let first = *bars.first()?;
        let moves: Vec<Move> = bars
            .windows(2)
            .map(|pair| {
                let (from, to) = (pair[0].close, pair[1]);
                Move {
                    open: to.open / from,
                    high: to.high / from,
                    low: to.low / from,
                    close: to.close / from,
                    volume: to.volume,
                }
            })
            .collect();
        if moves.is_empty() {
            return None;
        }
        let timestamps = bars.iter().map(|bar| bar.timestamp).collect();
        // A path may rise far above the history: its tick must leave room for that in 64 bits.
        let mut decimals = scale.decimals;
        while decimals > 0 && first.close * 10_f64.powi(decimals as i32) * RISE_MAX > TICKS_PATH_MAX as f64 {
            decimals -= 1;
        }
        Some(Arc::new(Self { first, moves, timestamps, tick: 10_f64.powi(-(decimals as i32)) }))
    }
}

/// How far above its start a path can rise before its prices saturate.
const RISE_MAX: f64 = 1e6;

/// One path of a circular block bootstrap: stretches of consecutive moves, each from a random place, wrapping
/// at the end.
///
/// Prices are rounded to ticks, so that averages are compared as exactly as on the history.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    returns: Arc<Returns>,
    random: Random,
    block_bars: u32,
    left_in_block: u32,
    at: usize,
    bar: Option<Bar>,
    /// Bars so far: the place of the next one, whatever number the first of the history has.
    made: usize,
}

impl Bootstrap {
    /// Path number `path` of those that follow from `seed`, in blocks of `block_bars`.
    #[must_use]
    pub fn new(returns: Arc<Returns>, seed: u64, path: u32, block_bars: u32) -> Self {
        let random = Random::of_path(seed, path.into());
        Self { returns, random, block_bars: block_bars.max(1), left_in_block: 0, at: 0, bar: None, made: 0 }
    }

    fn round(&self, price: f64) -> (f64, i64) {
        let ticks = ((price / self.returns.tick).round() as i64).clamp(1, TICKS_PATH_MAX);
        (ticks as f64 * self.returns.tick, ticks)
    }
}

impl Source for Bootstrap {
    fn next_time(&self) -> Option<Timestamp> {
        self.returns.timestamps.get(self.made).copied()
    }

    fn next_bar(&mut self) -> Option<Bar> {
        let index = self.made;
        let timestamp = *self.returns.timestamps.get(index)?;
        self.made += 1;
        let Some(previous) = self.bar else {
            let mut bar = self.returns.first;
            (bar.close, bar.close_ticks) = self.round(bar.close);
            // What is rounded may be beyond what is not.
            (bar.low, bar.high) = (bar.low.min(bar.close), bar.high.max(bar.close));
            (bar.index, bar.asset) = (0, 0);
            self.bar = Some(bar);
            return self.bar;
        };
        if self.left_in_block == 0 {
            self.left_in_block = self.block_bars;
            self.at = self.random.below(self.returns.moves.len());
        }
        let step = self.returns.moves[self.at];
        self.left_in_block -= 1;
        self.at = if self.at + 1 == self.returns.moves.len() { 0 } else { self.at + 1 };
        let (close, close_ticks) = self.round(previous.close * step.close);
        let at = |share: f64| self.round(previous.close * share).0;
        self.bar = Some(Bar {
            timestamp,
            open: at(step.open),
            high: at(step.high),
            low: at(step.low),
            close,
            volume: step.volume,
            close_ticks,
            index: index as u32,
            asset: 0,
        });
        self.bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Series;

    fn series(closes: &[f64]) -> Series {
        let bars = closes.iter().enumerate().map(|(at, close)| Bar {
            timestamp: Timestamp::from_nanos(at as i64 * 1_000),
            open: close * 0.99,
            high: close * 1.01,
            low: close * 0.98,
            close: *close,
            volume: 1.0,
            close_ticks: (close * 100.0).round() as i64,
            index: at as u32,
            asset: 0,
        });
        Series {
            symbol: "X".to_owned(),
            bars: bars.collect(),
            scale: Scale { decimals: 2, exact: true },
            actions: crate::data::CorporateActions::default(),
        }
    }

    fn path(returns: &Arc<Returns>, seed: u64, path: u32, block: u32) -> Vec<i64> {
        let mut source = Bootstrap::new(Arc::clone(returns), seed, path, block);
        std::iter::from_fn(|| source.next_bar()).map(|bar| bar.close_ticks).collect()
    }

    #[test]
    fn a_path_follows_from_seed_and_number() {
        let series = series(&(0..200).map(|i| 100.0 + f64::from(i * i % 37)).collect::<Vec<_>>());
        let returns = Returns::of(&series.bars, series.scale).expect("enough bars");
        let first = path(&returns, 1, 0, 10);
        assert_eq!(first.len(), 200);
        assert_eq!(first, path(&returns, 1, 0, 10));
        assert_ne!(first, path(&returns, 1, 1, 10));
        assert_ne!(first, path(&returns, 2, 0, 10));
        assert_ne!(first, path(&returns, 1, 0, 11));
    }

    #[test]
    fn a_path_of_a_part_of_a_history_has_all_of_its_times() {
        let whole = series(&(0..60).map(|i| 100.0 + f64::from(i * i % 37)).collect::<Vec<_>>());
        let part = &whole.bars[20..];
        let returns = Returns::of(part, whole.scale).expect("enough bars");
        let mut source = Bootstrap::new(returns, 1, 0, 5);
        for (place, bar) in part.iter().enumerate() {
            assert_eq!(source.next_time(), Some(bar.timestamp), "bar {place}");
            let made = source.next_bar().map(|made| (made.timestamp, made.index as usize));
            assert_eq!(made, Some((bar.timestamp, place)));
        }
        assert_eq!((source.next_time(), source.next_bar()), (None, None));
    }

    #[test]
    fn a_block_repeats_consecutive_moves() {
        // Every move is another power of two, so the moves of a path can be read from it.
        let closes: Vec<f64> = [1, 2, 8, 4, 64].iter().map(|c| f64::from(*c) * 1000.0).collect();
        let made = series(&closes);
        let returns = Returns::of(&made.bars, made.scale).expect("enough bars");
        let moves = [1, 2, -1, 4];
        let got: Vec<i64> = path(&returns, 7, 3, 4)
            .windows(2)
            .map(|pair| (pair[1] as f64 / pair[0] as f64).log2().round() as i64)
            .collect();
        let from = moves.iter().position(|m| *m == got[0]).expect("a move of the history");
        let expected: Vec<i64> = (0..4).map(|at| moves[(from + at) % 4]).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn prices_never_fall_to_zero_or_overflow() {
        for closes in [[1e6, 1e-2], [1e-2, 1e9]] {
            let series = series(&closes.repeat(500)[..999]);
            let returns = Returns::of(&series.bars, series.scale).expect("enough bars");
            let ticks = path(&returns, 1, 1, 1);
            assert!(ticks.iter().all(|ticks| (1..=TICKS_PATH_MAX).contains(ticks)));
        }
    }

    #[test]
    fn bars_of_a_path_are_sound_where_the_tick_is_coarse() {
        let mut series = series(&[10.007, 10.011, 10.007, 10.009]);
        for bar in &mut series.bars {
            (bar.open, bar.high, bar.low) = (bar.close, bar.close, bar.close);
        }
        let returns = Returns::of(&series.bars, series.scale).expect("enough bars");
        let mut source = Bootstrap::new(returns, 1, 0, 2);
        let sound = |bar: Bar| crate::tape::MarketData::Bar(&bar).fault().is_none();
        assert!(std::iter::from_fn(|| source.next_bar()).all(sound));
    }
}
