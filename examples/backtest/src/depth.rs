//! The order book of an asset, as far as it is displayed: a snapshot of its best levels.

use crate::messages::{Quote, Timestamp};
use crate::tape::NO_MIDDLE;

pub use crate::messages::{Depth, Level};

/// Most levels of each side that are kept: those of LOBSTER, of Databento's `mbp-10` and of CME. A snapshot
/// takes 352 bytes.
pub const DEPTH_LEVELS_MAX: usize = 10;

/// Prices that differ by less than this share are one.
const SAME_PRICE: f64 = 1e-9;

/// The best levels of a book, and the trade that has come just before, if there was one: a message of the
/// contract, and a row of prices in memory.
impl Depth {
    /// A book of these prices and sizes, the best first. A level of size zero is none; levels beyond
    /// [`DEPTH_LEVELS_MAX`] are left out. A backtest refuses books that are crossed, out of order or without
    /// a side.
    ///
    /// ```
    /// use backtest::depth::{Depth, Level};
    /// use backtest::messages::Timestamp;
    /// let book = Depth::new(Timestamp::from_nanos(0), &[(99.0, 5.0), (98.0, 7.0)], &[(101.0, 3.0)]);
    /// assert_eq!(book.bids()[1], Level { price: 98.0, size: 7.0 });
    /// assert_eq!((book.middle(), book.ask().price), (100.0, 101.0));
    /// // Three units at 101 are all there is.
    /// assert_eq!(book.mean_price(true, 3.0), Some(101.0));
    /// assert_eq!(book.mean_price(true, 4.0), None);
    /// assert_eq!(book.mean_price(false, 10.0), Some((5.0 * 99.0 + 5.0 * 98.0) / 10.0));
    /// ```
    #[must_use]
    pub fn new(timestamp: Timestamp, bids: &[(f64, f64)], asks: &[(f64, f64)]) -> Self {
        let mut book = Self { timestamp, ..Self::default() };
        for (buy, levels) in [(true, bids), (false, asks)] {
            for (price, size) in levels.iter().copied().filter(|(_, size)| *size != 0.0) {
                book.push(buy, Level { price, size });
            }
        }
        book
    }

    /// With a trade of others, which came first: the book is what it has left.
    #[must_use]
    pub fn with_trade(mut self, price: f64, size: f64) -> Self {
        self.last_trade = Level { price, size };
        self
    }

    /// Adds the next level of a side, if there is room for it.
    pub(crate) fn push(&mut self, bids: bool, level: Level) {
        let (levels, count) = match bids {
            true => (&mut self.bid_levels, &mut self.bid_count),
            false => (&mut self.ask_levels, &mut self.ask_count),
        };
        if let Some(place) = levels.get_mut(usize::from(*count)) {
            *place = level;
            *count += 1;
        }
    }

    /// The same levels as another book.
    pub(crate) fn with_levels_of(self, other: &Self) -> Self {
        let Self { bid_count, ask_count, bid_levels, ask_levels, .. } = *other;
        Self { bid_count, ask_count, bid_levels, ask_levels, ..self }
    }

    /// Whether there are no levels: of a row that tells of a trade alone.
    pub(crate) fn is_empty(&self) -> bool {
        self.bid_count == 0 && self.ask_count == 0
    }

    /// What others bid, the highest price first.
    #[inline]
    #[must_use]
    pub fn bids(&self) -> &[Level] {
        shown(&self.bid_levels, self.bid_count)
    }

    /// What others ask, the lowest price first.
    #[inline]
    #[must_use]
    pub fn asks(&self) -> &[Level] {
        shown(&self.ask_levels, self.ask_count)
    }

    /// What a buyer takes, the asks, or what a seller does, the bids.
    #[inline]
    pub(crate) fn opposite(&self, buy: bool) -> &[Level] {
        if buy { self.asks() } else { self.bids() }
    }

    /// The trade of others that came just before, if the row tells of one.
    #[inline]
    #[must_use]
    pub fn trade(&self) -> Option<Level> {
        (self.last_trade.size > 0.0).then_some(self.last_trade)
    }

    /// The best bid.
    #[inline]
    #[must_use]
    pub fn bid(&self) -> Level {
        self.bid_levels[0]
    }

    /// The best ask.
    #[inline]
    #[must_use]
    pub fn ask(&self) -> Level {
        self.ask_levels[0]
    }

    /// Between the best bid and the best ask: what a position is valued at.
    #[inline]
    #[must_use]
    pub fn middle(&self) -> f64 {
        (self.bid().price + self.ask().price) * 0.5
    }

    /// The best bid and ask alone.
    #[must_use]
    pub fn quote(&self) -> Quote {
        let (bid, ask, Self { timestamp, index, asset, .. }) = (self.bid(), self.ask(), *self);
        let (bid_size, ask_size) = (bid.size, ask.size);
        Quote { timestamp, bid: bid.price, ask: ask.price, bid_size, ask_size, index, asset }
    }

    /// The mean price, weighted by size, of so many units that are taken from the displayed levels. `None` if
    /// fewer are displayed.
    #[must_use]
    pub fn mean_price(&self, buy: bool, units: f64) -> Option<f64> {
        let (mut left, mut value) = (units, 0.0);
        for level in self.opposite(buy) {
            let taken = left.min(level.size);
            value += taken * level.price;
            left -= taken;
        }
        (units > 0.0 && left <= 0.0).then(|| value / units)
    }

    /// Units that others bid (`bid`) or ask at a price: zero where the book shows that there are none, `None`
    /// behind its last level, where it shows nothing.
    #[must_use]
    pub fn size_at(&self, bid: bool, price: f64) -> Option<f64> {
        let levels = if bid { self.bids() } else { self.asks() };
        if let Some(level) = levels.iter().find(|level| same_price(level.price, price)) {
            return Some(level.size);
        }
        let last = levels.last()?.price;
        let behind = if bid { price < last } else { price > last };
        (!behind).then_some(0.0)
    }

    /// Why there can be no such book.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let is_price = |price: f64| price.is_finite() && price > 0.0;
        let is_size = |size: f64| size.is_finite() && size > 0.0;
        let trade = || self.last_trade.size.ne(&0.0).then_some(&self.last_trade);
        let all = || self.bids().iter().chain(self.asks()).chain(trade());
        if self.bids().is_empty() || self.asks().is_empty() {
            return Some("the book has no bid or no ask, and nobody could value a position by it");
        }
        if !all().all(|level| is_price(level.price)) {
            return Some("a price is no number above zero");
        }
        if !all().all(|level| is_size(level.size)) {
            return Some("a size is no number from zero");
        }
        if !self.bids().is_sorted_by(|a, b| a.price > b.price)
            || !self.asks().is_sorted_by(|a, b| a.price < b.price)
        {
            return Some("its levels are not in order: the best is the first");
        }
        if self.bid().price >= self.ask().price {
            return Some("its best bid is not below its best ask");
        }
        (!self.middle().is_finite()).then_some(NO_MIDDLE)
    }
}

/// The levels that there are. A count beyond them, which a message that came as bytes is refused for, means
/// all.
#[inline]
fn shown(levels: &[Level; DEPTH_LEVELS_MAX], count: u8) -> &[Level] {
    levels.get(..usize::from(count)).unwrap_or(levels)
}

/// Whether two prices are one but for the rounding of a float.
#[inline]
pub(crate) fn same_price(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME_PRICE * b
}
