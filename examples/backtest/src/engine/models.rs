//! What trading costs, and the terms of a market.

use std::fmt;
use std::sync::Arc;

/// What the venue charges for one fill.
///
/// Every function from `(units, price)` to an amount is one: `|units: f64, price: f64| 1.0 + 0.001 * units *
/// price`.
pub trait Commission: Send + Sync {
    /// The charge in units of the currency. `units` is above zero, `price` is that of the fill.
    fn charge(&self, units: f64, price: f64) -> f64;
}

/// How far from the price of the market an order at the market or a stop is filled. Limits never slip.
pub trait Slippage: Send + Sync {
    /// The distance in units of the price, at least zero. `units` is above zero.
    fn distance(&self, units: f64, price: f64) -> f64;
}

/// A share of the traded value: 0.002 is 0.2 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

/// An amount in units of the currency (commission) or of the price (slippage), whatever the size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fixed(pub f64);

/// An amount for each unit traded, in units of the currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerUnit(pub f64);

impl Commission for Share {
    fn charge(&self, units: f64, price: f64) -> f64 {
        units * price * self.0
    }
}

impl Commission for Fixed {
    fn charge(&self, _units: f64, _price: f64) -> f64 {
        self.0
    }
}

impl Commission for PerUnit {
    fn charge(&self, units: f64, _price: f64) -> f64 {
        units * self.0
    }
}

impl<F: Fn(f64, f64) -> f64 + Send + Sync> Commission for F {
    fn charge(&self, units: f64, price: f64) -> f64 {
        self(units, price)
    }
}

impl Slippage for Share {
    fn distance(&self, _units: f64, price: f64) -> f64 {
        price * self.0
    }
}

impl Slippage for Fixed {
    fn distance(&self, _units: f64, _price: f64) -> f64 {
        self.0
    }
}

/// What is assumed of the path of the price within a bar, of which only four prices are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Intrabar {
    /// The worst for the account: stops are reached before limits. A position that was entered within the bar
    /// may be stopped out in it, and takes no profit in it unless that must have come after the entry.
    #[default]
    Pessimistic,
    /// As backtesting.py does: stops before limits; but a position that a limit or stop entered keeps its
    /// protective orders for the next bar, unless only its profit was in reach of a stop entry.
    NextBar,
    /// The best for the account: limits are reached before stops. For comparison with
    /// [`Intrabar::Pessimistic`]: the truth lies between.
    Optimistic,
}

/// What becomes of a position that is open after the last bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// It is closed at the last close, with commission.
    #[default]
    Close,
    /// It stays open and is valued at the last close.
    Keep,
    /// It is closed at the last bar's *open*, as `finalize_trades=True` of backtesting.py does. For
    /// comparisons.
    CloseAtOpen,
}

/// The terms on which one asset is traded.
#[derive(Clone)]
pub struct Market {
    /// Cash at the start, in units of the currency.
    pub cash: f64,
    /// Units in one lot, the least that is traded: 1 for shares, 0.001 for a coin.
    pub lot: f64,
    /// How many times its money an account can buy: 1 is no credit.
    pub leverage: f64,
    /// Share of the price that an entry pays on top; exits pay none.
    pub spread: f64,
    /// What each fill is charged.
    pub commission: Arc<dyn Commission>,
    /// How far market orders and stops slip.
    pub slippage: Arc<dyn Slippage>,
    /// What happens within a bar.
    pub intrabar: Intrabar,
    /// What happens after the last bar.
    pub at_end: AtEnd,
}

/// Terms that nobody can trade on.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketError {
    /// The term, e.g. `lot`.
    pub term: &'static str,
    /// What is wrong and what is allowed.
    pub reason: String,
}

impl Default for Market {
    fn default() -> Self {
        Self {
            cash: 10_000.0,
            lot: 1.0,
            leverage: 1.0,
            spread: 0.0,
            commission: Arc::new(Share(0.0)),
            slippage: Arc::new(Share(0.0)),
            intrabar: Intrabar::default(),
            at_end: AtEnd::default(),
        }
    }
}

impl Market {
    /// Checks every range.
    ///
    /// # Errors
    /// The first term that is out of range.
    pub fn check(&self) -> Result<(), MarketError> {
        let rows = [
            (
                "cash",
                self.cash,
                self.cash > 0.0 && self.cash <= crate::limits::CASH_MAX,
                "above 0 and at most 1e15",
            ),
            (
                "lot",
                self.lot,
                self.lot > 0.0 && self.lot.is_finite(),
                "a number above 0; 0.001 is a thousandth",
            ),
            (
                "leverage",
                self.leverage,
                (1.0..=1_000.0).contains(&self.leverage),
                "from 1 (no credit) to 1000",
            ),
            (
                "spread",
                self.spread,
                (0.0..0.5).contains(&self.spread),
                "a share from 0 to below 0.5; 5 bp is 0.0005",
            ),
        ];
        for (term, value, holds, allowed) in rows {
            if !holds {
                return Err(MarketError { term, reason: format!("is {value}, must be {allowed}") });
            }
        }
        Ok(())
    }

    /// The charge for a number of lots of either sign.
    pub(super) fn charge(&self, lots: i64, price: f64) -> f64 {
        if lots == 0 { 0.0 } else { self.commission.charge(self.units(lots.abs()), price) }
    }

    pub(super) fn units(&self, lots: i64) -> f64 {
        lots as f64 * self.lot
    }
}

impl fmt::Debug for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cash, lot, leverage, spread, intrabar, at_end, .. } = self;
        write!(f, "Market {{ cash: {cash}, lot: {lot}, leverage: {leverage}, spread: {spread}, ")?;
        write!(f, "intrabar: {intrabar:?}, at_end: {at_end:?}, .. }}")
    }
}

impl fmt::Display for MarketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.term, self.reason)
    }
}

impl std::error::Error for MarketError {}
