//! The series of one asset.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use mycelium::sweep::SharedSlice;

use super::MarketData;
use crate::depth::Depth;
use crate::messages::{Bar, Quote, Tick};
use crate::spill;

/// The prices of one asset, in ascending order of time.
#[derive(Clone, Debug)]
pub enum Prices {
    /// Prices over intervals.
    Bars(SharedSlice<Bar>),
    /// Best bids and asks.
    Quotes(SharedSlice<Quote>),
    /// Trades of others.
    Ticks(SharedSlice<Tick>),
    /// Snapshots of the book.
    Depth(SharedSlice<Depth>),
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
    /// Snapshots of the book: bids and asks of several levels.
    Depth,
}

impl fmt::Display for PriceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bars => "bars",
            Self::Quotes => "quotes",
            Self::Ticks => "ticks",
            Self::Depth => "snapshots",
        })
    }
}

/// Each kind of rows makes prices, however they are held.
macro_rules! prices_of {
    ($($variant:ident of $row:ty),*) => {
        $(prices_of!(@from $variant, Vec<$row>);
        prices_of!(@from $variant, Arc<[$row]>);

        impl From<SharedSlice<$row>> for Prices {
            fn from(rows: SharedSlice<$row>) -> Self {
                Self::$variant(rows)
            }
        })*
    };
    (@from $variant:ident, $rows:ty) => {
        impl From<$rows> for Prices {
            fn from(rows: $rows) -> Self {
                Self::$variant(rows.into())
            }
        }
    };
}

prices_of!(Bars of Bar, Quotes of Quote, Ticks of Tick, Depth of Depth);

/// A row that bears its place, and that of its asset.
trait Numbered: Copy {
    fn number(self) -> (u32, u16);
    fn with_number(self, index: u32, asset: u16) -> Self;
}

impl Numbered for Bar {
    fn number(self) -> (u32, u16) {
        (self.index, self.asset)
    }

    fn with_number(self, index: u32, asset: u16) -> Self {
        Self { index, asset, ..self }
    }
}

impl Numbered for Quote {
    fn number(self) -> (u32, u16) {
        (self.index, self.asset)
    }

    fn with_number(self, index: u32, asset: u16) -> Self {
        Self { index, asset, ..self }
    }
}

impl Numbered for Tick {
    fn number(self) -> (u32, u16) {
        (self.index, self.asset)
    }

    fn with_number(self, index: u32, asset: u16) -> Self {
        Self { index, asset, ..self }
    }
}

impl Numbered for Depth {
    fn number(self) -> (u32, u16) {
        (self.index, self.asset)
    }

    fn with_number(mut self, index: u32, asset: u16) -> Self {
        (self.index, self.asset) = (index, asset);
        self
    }
}

fn is_numbered<R: Numbered>(rows: &[R], asset: u16) -> bool {
    rows.iter().zip(0..).all(|(row, at)| row.number() == (at, asset))
}

fn renumbered<R: Numbered>(rows: &[R], asset: u16) -> io::Result<SharedSlice<R>> {
    spill::collect(rows.iter().zip(0..).map(|(row, index)| row.with_number(index, asset)))
}

impl Prices {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bars(bars) => bars.len(),
            Self::Quotes(quotes) => quotes.len(),
            Self::Ticks(ticks) => ticks.len(),
            Self::Depth(books) => books.len(),
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
            Self::Depth(_) => PriceKind::Depth,
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
            Self::Depth(books) => books.get(at).map(MarketData::Depth),
        }
    }

    /// The lowest and the highest price of a row.
    pub(crate) fn range(&self, at: usize) -> (f64, f64) {
        self.get(at).map_or((0.0, 0.0), |data| (data.low(), data.high()))
    }

    /// These rows alone, numbered from the first of them.
    pub(super) fn part(&self, rows: Range<usize>) -> io::Result<Self> {
        Ok(match self {
            Self::Bars(bars) => {
                let asset = bars.first().map_or(0, |bar| bar.asset);
                Self::Bars(renumbered(&bars[rows], asset)?)
            }
            Self::Quotes(quotes) => {
                let asset = quotes.first().map_or(0, |quote| quote.asset);
                Self::Quotes(renumbered(&quotes[rows], asset)?)
            }
            Self::Ticks(ticks) => {
                let asset = ticks.first().map_or(0, |tick| tick.asset);
                Self::Ticks(renumbered(&ticks[rows], asset)?)
            }
            Self::Depth(books) => {
                let asset = books.first().map_or(0, |book| book.asset);
                Self::Depth(renumbered(&books[rows], asset)?)
            }
        })
    }

    pub(super) fn time_ns(&self, at: usize) -> i64 {
        self.get(at).map_or(i64::MAX, |data| data.timestamp().as_nanos())
    }

    /// Rows whose numbers are their places, and whose asset is this one.
    pub(super) fn numbered(self, asset: u16) -> io::Result<Self> {
        Ok(match self {
            Self::Bars(bars) if is_numbered(&bars, asset) => Self::Bars(bars),
            Self::Bars(bars) => Self::Bars(renumbered(&bars, asset)?),
            Self::Quotes(quotes) if is_numbered(&quotes, asset) => Self::Quotes(quotes),
            Self::Quotes(quotes) => Self::Quotes(renumbered(&quotes, asset)?),
            Self::Ticks(ticks) if is_numbered(&ticks, asset) => Self::Ticks(ticks),
            Self::Ticks(ticks) => Self::Ticks(renumbered(&ticks, asset)?),
            Self::Depth(books) if is_numbered(&books, asset) => Self::Depth(books),
            Self::Depth(books) => Self::Depth(renumbered(&books, asset)?),
        })
    }

    /// The first row whose prices nobody can trade at, or that is before the one above it. Two bars of one
    /// time are a mistake: the first of them would end when it begins, and be seen at its open.
    pub(super) fn fault(&self) -> Option<(usize, &'static str)> {
        let mut before = i64::MIN;
        for at in 0..self.len() {
            let data = self.get(at)?;
            let now = data.timestamp().as_nanos();
            if now < before {
                return Some((at, "its time is before that of the row above"));
            }
            if at != 0 && now == before && self.kind() == PriceKind::Bars {
                return Some((
                    at,
                    "it has the time of the row above, and a bar that ends when it begins would be known at its \
                     open; give each bar the time at which it begins, or take rows of one time as ticks",
                ));
            }
            if let Some(fault) = data.fault() {
                return Some((at, fault));
            }
            before = now;
        }
        None
    }
}
