//! What a row is: a bar, a quote, a tick or a snapshot. Each knows its columns, and what is wrong with it.

use mycelium::sweep::{SharedSlice, SpillWriter};

use super::actions::{self, Actions, CorporateActions, Said};
use super::columns::Header;
use super::rows::{Fault, Fields, Place};
use super::{AssetPrices, Decimal, LoadError, ReadOptions, RowError, Scale};
use crate::depth::Depth;
use crate::messages::{Bar, Quote, Tick, Timestamp};
use crate::tape::{PriceKind, Prices};

/// The rows of a file, whole.
pub(super) enum Loaded {
    Bars(String, SharedSlice<Bar>, Scale, CorporateActions),
    Quotes(String, SharedSlice<Quote>),
    Ticks(String, SharedSlice<Tick>),
    Depth(String, SharedSlice<Depth>),
}

impl From<Loaded> for AssetPrices {
    fn from(loaded: Loaded) -> Self {
        match loaded {
            Loaded::Bars(symbol, bars, scale, actions) => {
                Self { symbol, prices: bars.into(), scale: Some(scale), actions }
            }
            Loaded::Quotes(symbol, quotes) => Self::without_scale(symbol, quotes.into()),
            Loaded::Ticks(symbol, ticks) => Self::without_scale(symbol, ticks.into()),
            Loaded::Depth(symbol, books) => Self::without_scale(symbol, books.into()),
        }
    }
}

impl AssetPrices {
    fn without_scale(symbol: String, prices: Prices) -> Self {
        Self { symbol, prices, scale: None, actions: CorporateActions::default() }
    }
}

/// One kind of rows.
pub(super) trait PriceRow: Copy {
    const KIND: PriceKind;
    /// Whether several rows may have one time. They stay in the sequence of the file.
    const MAY_SHARE_TIME: bool;
    /// Places of its columns beside symbol and time.
    type Columns: Copy;

    fn columns(header: &Header<'_>) -> Result<Self::Columns, LoadError>;
    /// All of them that there are.
    fn used(columns: &Self::Columns) -> Vec<usize>;
    fn read(fields: &impl Fields, columns: &Self::Columns, timestamp: Timestamp) -> Result<Self, Fault>;
    /// What is wrong with it, its time aside.
    fn check(&self, columns: &Self::Columns) -> Result<(), Fault>;
    fn timestamp(&self) -> Timestamp;
    /// Numbers the rows. `lines` has the line of each, and rows that are made anew stay in memory as far as
    /// the options say.
    fn finish(
        symbol: String,
        rows: SpillWriter<Self>,
        lines: &[u64],
        columns: &Self::Columns,
        place: Place<'_>,
        options: &ReadOptions,
    ) -> Result<Loaded, LoadError>;
}

/// A bar, and its close with all its digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct BarRow {
    pub(super) bar: Bar,
    pub(super) exact: Decimal,
    pub(super) said: Said,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct BarColumns {
    pub(super) open: usize,
    pub(super) high: usize,
    pub(super) low: usize,
    pub(super) close: usize,
    pub(super) volume: Option<usize>,
    pub(super) dividends: Option<usize>,
    pub(super) splits: Option<usize>,
    pub(super) adjusted: Option<usize>,
}

const DIVIDENDS: [&str; 2] = ["dividends", "dividend"];
const SPLITS: [&str; 4] = ["stock splits", "stock_splits", "split_ratio", "split ratio"];
const ADJUSTED: [&str; 5] = ["adj close", "adj_close", "adjclose", "adjusted_close", "adjusted close"];

impl BarColumns {
    /// Whether a column tells of corporate actions, and somebody wants to know.
    pub(super) fn has_actions(&self) -> bool {
        self.dividends.or(self.splits).or(self.adjusted).is_some()
    }

    /// A column of corporate actions, the adjusted close before others.
    pub(super) fn any(&self) -> usize {
        self.adjusted.or(self.splits).or(self.dividends).unwrap_or(self.close)
    }
}

pub(super) fn check_price(at: usize, price: f64) -> Result<(), Fault> {
    if price.is_finite() && price > 0.0 { Ok(()) } else { Err((at, RowError::BadPrice(price.to_string()))) }
}

fn check_size(at: Option<usize>, size: f64) -> Result<(), Fault> {
    // Without a column it is zero.
    let Some(at) = at else { return Ok(()) };
    if size.is_finite() && size >= 0.0 { Ok(()) } else { Err((at, RowError::BadVolume(size.to_string()))) }
}

impl PriceRow for BarRow {
    const KIND: PriceKind = PriceKind::Bars;
    const MAY_SHARE_TIME: bool = false;
    type Columns = BarColumns;

    fn columns(header: &Header<'_>) -> Result<BarColumns, LoadError> {
        let wanted = header.actions() != Actions::Raw;
        let action = |role, names: &[&str]| if wanted { header.optional(role, names) } else { Ok(None) };
        let adjusted = action("adj_close", &ADJUSTED)?;
        if header.actions() == Actions::Adjusted && adjusted.is_none() {
            return Err(header.missing("Adj Close"));
        }
        Ok(BarColumns {
            open: header.required("Open", &["open"])?,
            high: header.required("High", &["high"])?,
            low: header.required("Low", &["low"])?,
            close: header.required("Close", &["close"])?,
            volume: header.optional("volume", &["volume"])?,
            dividends: action("dividends", &DIVIDENDS)?,
            splits: action("split_ratio", &SPLITS)?,
            adjusted,
        })
    }

    fn used(columns: &BarColumns) -> Vec<usize> {
        let BarColumns { open, high, low, close, volume, dividends, splits, adjusted } = *columns;
        let more = volume.into_iter().chain(dividends).chain(splits).chain(adjusted);
        [open, high, low, close].into_iter().chain(more).collect()
    }

    fn read(fields: &impl Fields, columns: &BarColumns, timestamp: Timestamp) -> Result<Self, Fault> {
        let (close, exact) = fields.exact(columns.close)?;
        let bar = Bar {
            timestamp,
            open: fields.number(columns.open)?,
            high: fields.number(columns.high)?,
            low: fields.number(columns.low)?,
            close,
            // An empty volume is common for indices and currencies, and nothing depends on it.
            volume: fields.amount(columns.volume)?,
            close_ticks: 0,
            index: 0,
            asset: 0,
        };
        let said = Said {
            dividend: fields.amount(columns.dividends)?,
            split: fields.amount(columns.splits)?,
            adjusted: columns.adjusted.map_or(Ok(0.0), |at| fields.number(at))?,
        };
        Ok(Self { bar, exact, said })
    }

    fn check(&self, columns: &BarColumns) -> Result<(), Fault> {
        let BarColumns { open, high, low, close, volume, .. } = *columns;
        let bar = &self.bar;
        self.said.check(columns)?;
        for (at, price) in [(open, bar.open), (high, bar.high), (low, bar.low), (close, bar.close)] {
            check_price(at, price)?;
        }
        check_size(volume, bar.volume)?;
        let edges = [("low", low, bar.low), ("high", high, bar.high)];
        for (edge, at, limit) in edges {
            for (name, price) in [("open", bar.open), ("close", bar.close)] {
                if (edge == "low" && price < limit) || (edge == "high" && price > limit) {
                    let (edge, beyond) = (format!("{edge} {limit}"), format!("{name} {price}"));
                    return Err((at, RowError::OutsideRange { edge, beyond }));
                }
            }
        }
        Ok(())
    }

    fn timestamp(&self) -> Timestamp {
        self.bar.timestamp
    }

    fn finish(
        symbol: String,
        mut rows: SpillWriter<Self>,
        lines: &[u64],
        columns: &BarColumns,
        place: Place<'_>,
        options: &ReadOptions,
    ) -> Result<Loaded, LoadError> {
        let taken = actions::taken_in(rows.as_mut_slice(), columns, options);
        let taken = taken.map_err(|(row, at, cause)| place(lines[row], at, cause))?;
        let scale = Scale::of(&rows.as_slice().iter().map(|row| row.exact));
        let mut bars = SpillWriter::new(options.memory());
        for (at, BarRow { bar, exact, .. }) in rows.as_slice().iter().copied().enumerate() {
            // A price so small beside the others that it rounds to nothing cannot be told from zero.
            let ticks = scale.ticks(exact).filter(|ticks| *ticks > 0);
            let small = || place(lines[at], columns.close, RowError::TooSmall(bar.close.to_string()));
            bars.push(Bar { close_ticks: ticks.ok_or_else(small)?, index: at as u32, ..bar })?;
        }
        Ok(Loaded::Bars(symbol, bars.finish()?, scale, taken))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct QuoteColumns {
    bid: usize,
    ask: usize,
    bid_size: Option<usize>,
    ask_size: Option<usize>,
}

/// What bids, asks and their sizes are called, by the data vendors and exchanges that are met most.
pub(super) const BIDS: [&str; 7] =
    ["bid", "bid_price", "bidprice", "bid price", "best_bid", "best_bid_price", "bid_px_00"];
pub(super) const ASKS: [&str; 8] =
    ["ask", "ask_price", "askprice", "ask price", "best_ask", "best_ask_price", "offer", "ask_px_00"];
const BID_SIZES: [&str; 10] = [
    "bid_size",
    "bidsize",
    "bid size",
    "bid_amount",
    "bid_qty",
    "bidvolume",
    "bid_volume",
    "best_bid_qty",
    "best_bid_size",
    "bid_sz_00",
];
const ASK_SIZES: [&str; 10] = [
    "ask_size",
    "asksize",
    "ask size",
    "ask_amount",
    "ask_qty",
    "askvolume",
    "ask_volume",
    "best_ask_qty",
    "best_ask_size",
    "ask_sz_00",
];

impl PriceRow for Quote {
    const KIND: PriceKind = PriceKind::Quotes;
    const MAY_SHARE_TIME: bool = true;
    type Columns = QuoteColumns;

    fn columns(header: &Header<'_>) -> Result<QuoteColumns, LoadError> {
        Ok(QuoteColumns {
            bid: header.required("Bid", &BIDS)?,
            ask: header.required("Ask", &ASKS)?,
            bid_size: header.optional("bid_size", &BID_SIZES)?,
            ask_size: header.optional("ask_size", &ASK_SIZES)?,
        })
    }

    fn used(columns: &QuoteColumns) -> Vec<usize> {
        let QuoteColumns { bid, ask, bid_size, ask_size } = *columns;
        [bid, ask].into_iter().chain(bid_size).chain(ask_size).collect()
    }

    fn read(fields: &impl Fields, columns: &QuoteColumns, timestamp: Timestamp) -> Result<Self, Fault> {
        Ok(Self {
            timestamp,
            bid: fields.number(columns.bid)?,
            ask: fields.number(columns.ask)?,
            bid_size: fields.amount(columns.bid_size)?,
            ask_size: fields.amount(columns.ask_size)?,
            index: 0,
            asset: 0,
        })
    }

    fn check(&self, columns: &QuoteColumns) -> Result<(), Fault> {
        check_price(columns.bid, self.bid)?;
        check_price(columns.ask, self.ask)?;
        check_size(columns.bid_size, self.bid_size)?;
        check_size(columns.ask_size, self.ask_size)?;
        if self.bid > self.ask {
            let (bid, ask) = (self.bid.to_string(), self.ask.to_string());
            return Err((columns.bid, RowError::Crossed { bid, ask }));
        }
        Ok(())
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn finish(
        symbol: String,
        mut rows: SpillWriter<Self>,
        _lines: &[u64],
        _columns: &QuoteColumns,
        _place: Place<'_>,
        _options: &ReadOptions,
    ) -> Result<Loaded, LoadError> {
        rows.as_mut_slice().iter_mut().zip(0..).for_each(|(row, index)| row.index = index);
        Ok(Loaded::Quotes(symbol, rows.finish()?))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct TickColumns {
    price: usize,
    size: Option<usize>,
}

/// What the price and the size of a trade are called.
pub(super) const PRICES: [&str; 3] = ["price", "trade_price", "last"];
/// Columns of events of an order book. A price beside them may be that of an order that was added, changed or
/// cancelled.
pub(super) const BOOK_EVENTS: [&str; 2] = ["action", "order_id"];
const SIZES: [&str; 6] = ["size", "qty", "quantity", "amount", "volume", "trade_size"];

impl PriceRow for Tick {
    const KIND: PriceKind = PriceKind::Ticks;
    const MAY_SHARE_TIME: bool = true;
    type Columns = TickColumns;

    fn columns(header: &Header<'_>) -> Result<TickColumns, LoadError> {
        Ok(TickColumns { price: header.required("Price", &PRICES)?, size: header.optional("size", &SIZES)? })
    }

    fn used(columns: &TickColumns) -> Vec<usize> {
        [columns.price].into_iter().chain(columns.size).collect()
    }

    fn read(fields: &impl Fields, columns: &TickColumns, timestamp: Timestamp) -> Result<Self, Fault> {
        let (price, size) = (fields.number(columns.price)?, fields.amount(columns.size)?);
        Ok(Self { timestamp, price, size, index: 0, asset: 0 })
    }

    fn check(&self, columns: &TickColumns) -> Result<(), Fault> {
        check_price(columns.price, self.price)?;
        check_size(columns.size, self.size)
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn finish(
        symbol: String,
        mut rows: SpillWriter<Self>,
        _lines: &[u64],
        _columns: &TickColumns,
        _place: Place<'_>,
        _options: &ReadOptions,
    ) -> Result<Loaded, LoadError> {
        rows.as_mut_slice().iter_mut().zip(0..).for_each(|(row, index)| row.index = index);
        Ok(Loaded::Ticks(symbol, rows.finish()?))
    }
}
