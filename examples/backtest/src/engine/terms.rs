//! Models of a market's terms. A number is each of them, a function is, and so is a type of one's own.
//!
//! A model is asked by the exchange, and never by a strategy: it may use what comes within a bar. A number
//! says that it is one ([`Spread::constant`] and its like), is asked once, and costs nothing afterwards.

use std::sync::Arc;

use super::models::Market;
use super::passing::Passing;
use crate::messages::Timestamp;

/// The latest event of an asset, as models see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketState {
    /// Number of the asset: its place among those of the backtest.
    pub asset: u16,
    /// When it was; of a bar when it began.
    pub timestamp: Timestamp,
    /// The close of a bar or the price of a tick; of a quote or a book the middle.
    pub price: f64,
    /// From the lowest to the highest price of a bar; of a quote or a book from bid to ask; of a tick zero.
    pub range: f64,
    /// Units for who buys and for who sells: those of the best ask and the best bid; of a bar or a tick twice
    /// what was traded.
    pub volume: [f64; 2],
}

/// What an entry pays on top of the price of the market; exits pay none.
///
/// A number is that share at all times, and so is each function of the [`MarketState`]:
///
/// ```
/// use backtest::engine::MarketState;
/// use backtest::strategy::Backtest;
/// // Half of the range, of bars alone as wide as they are.
/// let wide = |market: &MarketState| 0.5 * market.range / market.price;
/// let backtest = Backtest::new(Vec::new()).spread(wide);
/// # let _ = backtest;
/// ```
pub trait Spread: Send + Sync {
    /// A share of the price from 0 to below 0.5, while this event stands. A buy is filled at `price * (1 +
    /// share)`, a sale at `price * (1 - share)`, and a limit when that reaches it.
    fn share(&self, market: &MarketState) -> f64;

    /// The share, if it is always the same.
    fn constant(&self) -> Option<f64> {
        None
    }
}

/// How much of what is there own orders can be filled with; what is left of an order waits.
///
/// A number is the share of the shown units, above zero, and infinity is whatever is asked for, of a book all
/// that it shows. Functions of the shown units and the [`MarketState`] are models too:
///
/// ```
/// use backtest::engine::MarketState;
/// use backtest::strategy::Backtest;
/// // A tenth of the volume, and never more than 500 units.
/// let modest = |shown: f64, _: &MarketState| (0.1 * shown).min(500.0);
/// let backtest = Backtest::new(Vec::new()).participation(modest);
/// # let _ = backtest;
/// ```
pub trait FillModel: Send + Sync {
    /// Units, at least zero, that all own orders of a side together are filled with. `shown` are those that a
    /// bar or a tick has traded, or that a quote, a level of a book or a trade in it is for.
    fn units(&self, shown: f64, market: &MarketState) -> f64;

    /// The share of the shown units, if it is always the same.
    fn constant(&self) -> Option<f64> {
        None
    }
}

/// What was lent over a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loan {
    /// Number of the asset that was sold short; `None` of money.
    pub asset: Option<u16>,
    /// What it is worth, above zero, in units of the currency.
    pub value: f64,
    /// From when on it pays.
    pub from: Timestamp,
    /// Up to when. It pays for the nights (UTC) between.
    pub until: Timestamp,
}

/// What money on credit, or an asset that was sold short, costs.
///
/// A number is that rate at all times, and so is each function of the [`Loan`]:
///
/// ```
/// use backtest::engine::Loan;
/// use backtest::strategy::Backtest;
/// // 6 % of the first 100,000, and 5 % of what is beyond.
/// let tiers = |loan: &Loan| {
///     let dear = loan.value.min(100_000.0);
///     (0.06 * dear + 0.05 * (loan.value - dear)) / loan.value
/// };
/// let backtest = Backtest::new(Vec::new()).interest(tiers, 0.01);
/// # let _ = backtest;
/// ```
pub trait LendingRate: Send + Sync {
    /// A share of the value per year of 365 days; below zero the account earns it. A night costs `value *
    /// rate / 365`.
    fn per_year(&self, loan: &Loan) -> f64;

    /// The rate, if it is always the same.
    fn constant(&self) -> Option<f64> {
        None
    }
}

impl Spread for f64 {
    fn share(&self, _market: &MarketState) -> f64 {
        *self
    }

    fn constant(&self) -> Option<f64> {
        Some(*self)
    }
}

impl<F: Fn(&MarketState) -> f64 + Send + Sync> Spread for F {
    fn share(&self, market: &MarketState) -> f64 {
        self(market)
    }
}

impl FillModel for f64 {
    fn units(&self, shown: f64, _market: &MarketState) -> f64 {
        shown * self
    }

    fn constant(&self) -> Option<f64> {
        Some(*self)
    }
}

impl<F: Fn(f64, &MarketState) -> f64 + Send + Sync> FillModel for F {
    fn units(&self, shown: f64, market: &MarketState) -> f64 {
        self(shown, market)
    }
}

impl LendingRate for f64 {
    fn per_year(&self, _loan: &Loan) -> f64 {
        *self
    }

    fn constant(&self) -> Option<f64> {
        Some(*self)
    }
}

impl<F: Fn(&Loan) -> f64 + Send + Sync> LendingRate for F {
    fn per_year(&self, loan: &Loan) -> f64 {
        self(loan)
    }
}

impl MarketState {
    #[inline]
    pub(super) fn of(asset: u16, passing: &Passing) -> Self {
        let Passing { timestamp, price, volume, .. } = *passing;
        Self { asset, timestamp, price, range: passing.range(), volume }
    }
}

/// A rate per year: a number, or a model.
#[derive(Clone)]
pub(super) enum Rate {
    Always(f64),
    Own(Arc<dyn LendingRate>),
}

impl Rate {
    fn of(model: &Arc<dyn LendingRate>) -> Self {
        model.constant().map_or_else(|| Self::Own(Arc::clone(model)), Self::Always)
    }

    pub(super) fn is_zero(&self) -> bool {
        matches!(self, Self::Always(0.0))
    }
}

/// What the terms of an account come to where they are numbers, found once.
#[derive(Clone)]
pub(super) struct Constants {
    /// How many times its money the account can buy; `None` of a model.
    pub(super) leverage: Option<f64>,
    /// Share of the value of all positions; `None` of a model.
    pub(super) maintenance: Option<f64>,
    /// In ns; `None` of a model.
    pub(super) latency_ns: Option<i64>,
    pub(super) interest: Rate,
    pub(super) borrow: Rate,
}

impl Constants {
    pub(super) fn of(market: &Market) -> Self {
        let ns = |latency: std::time::Duration| i64::try_from(latency.as_nanos()).unwrap_or(i64::MAX);
        Self {
            leverage: market.leverage.constant(),
            maintenance: market.maintenance.constant(),
            latency_ns: market.latency.constant().map(ns),
            interest: Rate::of(&market.interest),
            borrow: Rate::of(&market.borrow),
        }
    }

    /// Whether an order takes any time to the exchange.
    #[inline]
    pub(super) fn has_latency(&self) -> bool {
        self.latency_ns != Some(0)
    }
}

impl std::fmt::Debug for Constants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { leverage, maintenance, latency_ns, .. } = self;
        write!(f, "Constants {{ leverage: {leverage:?}, maintenance: {maintenance:?}, ")?;
        write!(f, "latency_ns: {latency_ns:?}, .. }}")
    }
}
