//! One event of the market: a bar, a quote, a tick or a snapshot of a book.

use crate::depth::Depth;
use crate::messages::{Bar, Quote, Tick, Timestamp};

/// What the market says of one asset.
#[derive(Clone, Copy, Debug)]
pub enum MarketData<'a> {
    /// Prices over an interval.
    Bar(&'a Bar),
    /// The best bid and ask.
    Quote(&'a Quote),
    /// A trade of others.
    Tick(&'a Tick),
    /// The best levels of the book.
    Depth(&'a Depth),
}

/// Nobody could value a position at such prices.
pub(crate) const NO_MIDDLE: &str = "its bid and its ask are too large to have a middle";

impl MarketData<'_> {
    /// When it was, of a bar when it began.
    #[inline]
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        match self {
            Self::Bar(bar) => bar.timestamp,
            Self::Quote(quote) => quote.timestamp,
            Self::Tick(tick) => tick.timestamp,
            Self::Depth(book) => book.timestamp,
        }
    }

    /// The number of its asset.
    #[inline]
    #[must_use]
    pub fn asset(&self) -> u16 {
        match self {
            Self::Bar(bar) => bar.asset,
            Self::Quote(quote) => quote.asset,
            Self::Tick(tick) => tick.asset,
            Self::Depth(book) => book.asset,
        }
    }

    /// What a position is valued at: the close, the middle of the best bid and ask, the price of the tick.
    #[inline]
    #[must_use]
    pub fn price(&self) -> f64 {
        match self {
            Self::Bar(bar) => bar.close,
            Self::Quote(quote) => middle(quote),
            Self::Tick(tick) => tick.price,
            Self::Depth(book) => book.middle(),
        }
    }

    /// The lowest price at which anybody traded or could.
    #[must_use]
    pub fn low(&self) -> f64 {
        match self {
            Self::Bar(bar) => bar.low,
            Self::Quote(quote) => quote.bid,
            Self::Tick(tick) => tick.price,
            Self::Depth(book) => book.bid().price,
        }
    }

    /// The highest.
    #[must_use]
    pub fn high(&self) -> f64 {
        match self {
            Self::Bar(bar) => bar.high,
            Self::Quote(quote) => quote.ask,
            Self::Tick(tick) => tick.price,
            Self::Depth(book) => book.ask().price,
        }
    }

    /// As a bar: of all others the four prices are one.
    #[inline]
    pub(crate) fn as_bar(&self, at: usize) -> Bar {
        if let Self::Bar(bar) = self {
            return **bar;
        }
        let (timestamp, price) = (self.timestamp(), self.price());
        let volume = match self {
            Self::Tick(tick) => tick.size,
            Self::Depth(book) => book.trade().map_or(0.0, |trade| trade.size),
            _ => 0.0,
        };
        Bar {
            timestamp,
            open: price,
            high: price,
            low: price,
            close: price,
            volume,
            close_ticks: 0,
            index: at as u32,
            asset: self.asset(),
        }
    }

    /// Why nobody could trade on it.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let is_price = |price: f64| price.is_finite() && price > 0.0;
        let is_size = |size: f64| size.is_finite() && size >= 0.0;
        match self {
            Self::Bar(Bar { open, high, low, close, .. })
                if ![open, high, low, close].into_iter().all(|price| is_price(*price)) =>
            {
                Some("a price is no number above zero")
            }
            Self::Bar(bar) if bar.open.min(bar.close) < bar.low || bar.open.max(bar.close) > bar.high => {
                Some("its open or its close is not between low and high")
            }
            Self::Bar(bar) if !is_size(bar.volume) => Some("its volume is no number from zero"),
            Self::Bar(_) => None,
            Self::Quote(quote) if !(is_price(quote.bid) && is_price(quote.ask)) => {
                Some("a price is no number above zero")
            }
            Self::Quote(quote) if quote.bid > quote.ask => Some("its bid is above its ask"),
            Self::Quote(quote) if !middle(quote).is_finite() => Some(NO_MIDDLE),
            Self::Quote(quote) if !(is_size(quote.bid_size) && is_size(quote.ask_size)) => {
                Some("a size is no number from zero")
            }
            Self::Quote(_) => None,
            Self::Tick(tick) if !is_price(tick.price) => Some("its price is no number above zero"),
            Self::Tick(tick) if !is_size(tick.size) => Some("its size is no number from zero"),
            Self::Tick(_) => None,
            Self::Depth(book) => book.fault(),
        }
    }
}

#[inline]
fn middle(quote: &Quote) -> f64 {
    (quote.bid + quote.ask) * 0.5
}
