//! The series of one asset.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::MarketData;
use crate::messages::{Bar, Quote, Tick};

/// The prices of one asset, in ascending order of time.
#[derive(Clone, Debug)]
pub enum Prices {
    /// Prices over intervals.
    Bars(Arc<[Bar]>),
    /// Best bids and asks.
    Quotes(Arc<[Quote]>),
    /// Trades of others.
    Ticks(Arc<[Tick]>),
}

/// What a series consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PriceKind {
    /// Prices over intervals: open, high, low and close.
    Bars,
    /// Best bids and asks.
    Quotes,
    /// Trades of others: a price and a size.
    Ticks,
}

impl fmt::Display for PriceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bars => "bars",
            Self::Quotes => "quotes",
            Self::Ticks => "ticks",
        })
    }
}

impl From<Vec<Bar>> for Prices {
    fn from(bars: Vec<Bar>) -> Self {
        Self::Bars(bars.into())
    }
}

impl From<Arc<[Bar]>> for Prices {
    fn from(bars: Arc<[Bar]>) -> Self {
        Self::Bars(bars)
    }
}

impl From<Vec<Quote>> for Prices {
    fn from(quotes: Vec<Quote>) -> Self {
        Self::Quotes(quotes.into())
    }
}

impl From<Arc<[Quote]>> for Prices {
    fn from(quotes: Arc<[Quote]>) -> Self {
        Self::Quotes(quotes)
    }
}

impl From<Vec<Tick>> for Prices {
    fn from(ticks: Vec<Tick>) -> Self {
        Self::Ticks(ticks.into())
    }
}

impl Prices {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bars(bars) => bars.len(),
            Self::Quotes(quotes) => quotes.len(),
            Self::Ticks(ticks) => ticks.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the rows are.
    #[must_use]
    pub fn kind(&self) -> PriceKind {
        match self {
            Self::Bars(_) => PriceKind::Bars,
            Self::Quotes(_) => PriceKind::Quotes,
            Self::Ticks(_) => PriceKind::Ticks,
        }
    }

    /// A row by its place.
    #[inline]
    #[must_use]
    pub fn get(&self, at: usize) -> Option<MarketData<'_>> {
        match self {
            Self::Bars(bars) => bars.get(at).map(MarketData::Bar),
            Self::Quotes(quotes) => quotes.get(at).map(MarketData::Quote),
            Self::Ticks(ticks) => ticks.get(at).map(MarketData::Tick),
        }
    }

    /// The lowest and the highest price of each row.
    pub(crate) fn ranges(&self) -> impl ExactSizeIterator<Item = (f64, f64)> {
        (0..self.len()).map(|at| self.get(at).map_or((0.0, 0.0), |data| (data.low(), data.high())))
    }

    /// These rows alone.
    pub(super) fn part(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Bars(bars) => Self::Bars(bars[rows].into()),
            Self::Quotes(quotes) => Self::Quotes(quotes[rows].into()),
            Self::Ticks(ticks) => Self::Ticks(ticks[rows].into()),
        }
    }

    pub(super) fn time_ns(&self, at: usize) -> i64 {
        self.get(at).map_or(i64::MAX, |data| data.timestamp().as_nanos())
    }

    /// Bars whose numbers are their places: those of a part of a series were others.
    pub(super) fn numbered(self) -> Self {
        let Self::Bars(bars) = self else { return self };
        if bars.iter().zip(0..).all(|(bar, at)| bar.index == at) {
            return Self::Bars(bars);
        }
        Self::Bars(bars.iter().zip(0..).map(|(bar, index)| Bar { index, ..*bar }).collect())
    }

    /// The first row whose prices nobody can trade at, or that is before the one above it.
    pub(super) fn fault(&self) -> Option<(usize, &'static str)> {
        let mut before = i64::MIN;
        for at in 0..self.len() {
            let data = self.get(at)?;
            let now = data.timestamp().as_nanos();
            if now < before {
                return Some((at, "its time is before that of the row above"));
            }
            if let Some(fault) = data.fault() {
                return Some((at, fault));
            }
            before = now;
        }
        None
    }
}
