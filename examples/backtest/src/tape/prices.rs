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

/// A row that bears its place, and that of its asset if it names one.
trait Numbered: Copy {
    fn number(self) -> (u32, Option<u16>);
    fn with_number(self, index: u32, asset: u16) -> Self;
}

impl Numbered for Bar {
    fn number(self) -> (u32, Option<u16>) {
        (self.index, None)
    }

    fn with_number(self, index: u32, _asset: u16) -> Self {
        Self { index, ..self }
    }
}

impl Numbered for Quote {
    fn number(self) -> (u32, Option<u16>) {
        (self.index, Some(self.asset))
    }

    fn with_number(self, index: u32, asset: u16) -> Self {
        Self { index, asset, ..self }
    }
}

impl Numbered for Tick {
    fn number(self) -> (u32, Option<u16>) {
        (self.index, Some(self.asset))
    }

    fn with_number(self, index: u32, asset: u16) -> Self {
        Self { index, asset, ..self }
    }
}

fn is_numbered<R: Numbered>(rows: &[R], asset: u16) -> bool {
    let is_own = |(row, at): (&R, u32)| {
        let (index, named) = row.number();
        index == at && named.is_none_or(|named| named == asset)
    };
    rows.iter().zip(0..).all(is_own)
}

fn renumbered<R: Numbered>(rows: &[R], asset: u16) -> Arc<[R]> {
    rows.iter().zip(0..).map(|(row, index)| row.with_number(index, asset)).collect()
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

    /// These rows alone, numbered from the first of them.
    pub(super) fn part(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Bars(bars) => Self::Bars(renumbered(&bars[rows], 0)),
            Self::Quotes(quotes) => {
                let asset = quotes.first().map_or(0, |quote| quote.asset);
                Self::Quotes(renumbered(&quotes[rows], asset))
            }
            Self::Ticks(ticks) => {
                let asset = ticks.first().map_or(0, |tick| tick.asset);
                Self::Ticks(renumbered(&ticks[rows], asset))
            }
        }
    }

    pub(super) fn time_ns(&self, at: usize) -> i64 {
        self.get(at).map_or(i64::MAX, |data| data.timestamp().as_nanos())
    }

    /// Rows whose numbers are their places, and whose asset is this one.
    pub(super) fn numbered(self, asset: u16) -> Self {
        match self {
            Self::Bars(bars) if is_numbered(&bars, asset) => Self::Bars(bars),
            Self::Bars(bars) => Self::Bars(renumbered(&bars, asset)),
            Self::Quotes(quotes) if is_numbered(&quotes, asset) => Self::Quotes(quotes),
            Self::Quotes(quotes) => Self::Quotes(renumbered(&quotes, asset)),
            Self::Ticks(ticks) if is_numbered(&ticks, asset) => Self::Ticks(ticks),
            Self::Ticks(ticks) => Self::Ticks(renumbered(&ticks, asset)),
        }
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
