//! An event of the market as orders meet it: the path of the price for each side.

use crate::messages::{Bar, Timestamp};
use crate::tape::MarketData;

/// Four prices of one side. Of all but bars they are one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Path {
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Bar,
    Quote,
    Tick,
    Depth,
}

/// One event of one asset.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passing {
    pub(super) number: u32,
    /// When it was; of a bar when it began, which is when its open could be traded at.
    pub(super) timestamp: Timestamp,
    /// When it is over, and a strategy can know it.
    pub(super) known_ns: i64,
    /// For who buys: the ask.
    pub(super) buy: Path,
    /// For who sells: the bid.
    pub(super) sell: Path,
    /// What a position is valued at.
    pub(super) price: f64,
    /// Units that others have traded, or that the best ask and the best bid are for.
    pub(super) volume: [f64; 2],
    pub(super) kind: Kind,
}

impl Passing {
    #[inline]
    pub(super) fn of(number: u32, known: Timestamp, data: MarketData<'_>) -> Self {
        let flat = |price: f64| Path { open: price, high: price, low: price, close: price };
        let (buy, sell, volume, kind) = match data {
            MarketData::Bar(&Bar { open, high, low, close, volume, .. }) => {
                let path = Path { open, high, low, close };
                (path, path, [volume; 2], Kind::Bar)
            }
            MarketData::Quote(quote) => {
                (flat(quote.ask), flat(quote.bid), [quote.ask_size, quote.bid_size], Kind::Quote)
            }
            MarketData::Tick(tick) => (flat(tick.price), flat(tick.price), [tick.size; 2], Kind::Tick),
            MarketData::Depth(book) => {
                let (bid, ask) = (book.bid(), book.ask());
                (flat(ask.price), flat(bid.price), [ask.size, bid.size], Kind::Depth)
            }
        };
        let (timestamp, price) = (data.timestamp(), data.price());
        Self { number, timestamp, known_ns: known.as_nanos(), buy, sell, price, volume, kind }
    }

    /// The path of the price for a side.
    #[inline]
    pub(super) fn path(&self, buy: bool) -> &Path {
        if buy { &self.buy } else { &self.sell }
    }

    /// What a position is valued at when the event begins.
    pub(super) fn open(&self) -> f64 {
        if self.kind == Kind::Bar { self.buy.open } else { self.price }
    }

    /// The distance from the lowest to the highest price: of a quote from bid to ask.
    pub(super) fn range(&self) -> f64 {
        self.buy.high - self.sell.low
    }
}
