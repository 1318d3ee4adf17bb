//! The terms of a market.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::costs::{Commission, Filling, Share, Slippage};
use super::ladder::{QueueModel, Queueing};
use super::latency::Latency;
use super::margin::{LEVERAGE_MAX, Leverage, Maintenance};
use super::session::Session;
use super::terms::{FillModel, LendingRate, Spread};
use crate::config::FillAt;
use crate::messages::Timestamp;

/// What is assumed of the path of the price within a bar, of which only four prices are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Intrabar {
    /// The worst for the account: stops are reached before limits. A position that was entered within the bar
    /// may be stopped out in it, and takes no profit in it unless that must have come after the entry
    #[default]
    Pessimistic,
    /// As backtesting.py does: stops before limits; but a position that a limit or stop entered keeps its
    /// protective orders for the next bar, unless only its profit was in reach of a stop entry
    NextBar,
    /// The best for the account: limits are reached before stops. For comparison with the worst: the truth
    /// lies between
    Optimistic,
}

/// What becomes of a position that is open after the last bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// It is closed at the last close, with commission and slippage.
    #[default]
    Close,
    /// It stays open and is valued at the last close.
    Keep,
    /// It is closed at the last bar's *open*, as `finalize_trades=True` of backtesting.py does. For
    /// comparisons.
    CloseAtOpen,
}

/// When a strategy on several assets is called for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Ready {
    /// When each asset has a price
    #[default]
    All,
    /// When some asset has one: the price of the others is zero until they have theirs, and an order on them
    /// is rejected
    Any,
}

/// What a position in a perpetual contract pays.
pub trait Funding: Send + Sync {
    /// The sum of the rates that fall due after `from` and up to `until`, as shares of the value. Above
    /// zero, who is long pays who is short.
    fn rate(&self, asset: u16, from: Timestamp, until: Timestamp) -> f64;
}

/// The same rate at each multiple of so many hours since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FundingEvery {
    /// Hours from one payment to the next, at least one.
    pub hours: u32,
    /// Share of the value, each time.
    pub rate: f64,
}

impl Funding for FundingEvery {
    fn rate(&self, _asset: u16, from: Timestamp, until: Timestamp) -> f64 {
        let period_ns = i64::from(self.hours.max(1)) * 3_600_000_000_000;
        let payments = until.as_nanos().div_euclid(period_ns) - from.as_nanos().div_euclid(period_ns);
        payments.max(0) as f64 * self.rate
    }
}

/// The terms on which one asset is traded.
#[derive(Clone)]
pub struct AssetTerms {
    /// Units in one lot, the least that is traded: 1 for shares, 0.001 for a coin.
    pub lot: f64,
    /// Share of the price that an entry pays on top; exits pay none.
    pub spread: Arc<dyn Spread>,
    /// What each fill is charged.
    pub commission: Arc<dyn Commission>,
    /// How far market orders and stops slip.
    pub slippage: Arc<dyn Slippage>,
    /// Share of the volume of a bar, or of the size of a quote or of a level of a book, that all orders
    /// together can be filled with; what is left of an order waits. Infinite: whatever is asked for, and on
    /// a book all that it shows.
    pub participation: Arc<dyn FillModel>,
    /// When orders can be filled, and when day orders end.
    pub session: Session,
    /// Times in ns since 1970, ascending, and amounts in units of the currency: what a unit that was held
    /// before each of them is paid, and what one that was sold short owes. A file's are
    /// [`CorporateActions::dividends`](crate::data::CorporateActions::dividends).
    pub dividends: Arc<[(i64, f64)]>,
}

/// The terms of an account, and those on which its assets are traded unless they have terms of their own.
#[derive(Clone)]
pub struct Market {
    /// Cash at the start, in units of the currency.
    pub cash: f64,
    /// Units in one lot, the least that is traded: 1 for shares, 0.001 for a coin.
    pub lot: f64,
    /// How many times its money an account can buy: 1 is no credit. A model says what positions need to be
    /// entered.
    pub leverage: Arc<dyn Leverage>,
    /// Share of the price that an entry pays on top; exits pay none.
    pub spread: Arc<dyn Spread>,
    /// What each fill is charged.
    pub commission: Arc<dyn Commission>,
    /// How far market orders and stops slip.
    pub slippage: Arc<dyn Slippage>,
    /// See [`AssetTerms::participation`].
    pub participation: Arc<dyn FillModel>,
    /// See [`AssetTerms::session`].
    pub session: Session,
    /// Share of the value of all positions that the equity must not fall below at a close: below it all
    /// positions are closed. With 0, that is when nothing is left.
    pub maintenance: Arc<dyn Maintenance>,
    /// Interest on what the positions cost beyond the money of the account, a share per year, paid for each
    /// night (UTC).
    pub interest: Arc<dyn LendingRate>,
    /// Fee on the value of what was sold short, a share per year, paid for each night.
    pub borrow: Arc<dyn LendingRate>,
    /// What positions in perpetual contracts pay.
    pub funding: Option<Arc<dyn Funding>>,
    /// How long an order or a cancellation takes to the exchange. Nothing that begins before can fill the
    /// order.
    pub latency: Arc<dyn Latency>,
    /// How long the news of an event takes to the strategy, if it takes any time; `latency` comes on top. On
    /// a bus it takes as long as it takes.
    pub feed: Option<Arc<dyn Latency>>,
    /// How an order moves forward in the queue at its price, on the book of an asset with depth.
    pub queue: Arc<dyn QueueModel>,
    /// Where market orders are filled.
    pub fill_at: FillAt,
    /// What happens within a bar.
    pub intrabar: Intrabar,
    /// What happens after the last bar.
    pub at_end: AtEnd,
    /// When a strategy is called for the first time.
    pub ready: Ready,
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
            leverage: Arc::new(1.0),
            spread: Arc::new(0.0),
            commission: Arc::new(Share(0.0)),
            slippage: Arc::new(Share(0.0)),
            participation: Arc::new(f64::INFINITY),
            session: Session::default(),
            maintenance: Arc::new(0.0),
            interest: Arc::new(0.0),
            borrow: Arc::new(0.0),
            funding: None,
            latency: Arc::new(Duration::ZERO),
            feed: None,
            queue: Arc::new(Queueing::default()),
            fill_at: FillAt::NextOpen,
            intrabar: Intrabar::default(),
            at_end: AtEnd::default(),
            ready: Ready::default(),
        }
    }
}

impl Market {
    /// Checks every range. A model of one's own is checked whenever it says something, and one of margin also
    /// looks at itself here: [`Leverage::check`], [`Maintenance::check`].
    ///
    /// # Errors
    /// The first term that is out of range.
    pub fn check(&self) -> Result<(), MarketError> {
        let spread = self.spread.constant().unwrap_or(0.0);
        let participation = self.participation.constant().unwrap_or(1.0);
        let leverage = self.leverage.constant().unwrap_or(1.0);
        let maintenance = self.maintenance.constant().unwrap_or(0.0);
        let interest = self.interest.constant().unwrap_or(0.0);
        let borrow = self.borrow.constant().unwrap_or(0.0);
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
            ("leverage", leverage, (1.0..=LEVERAGE_MAX).contains(&leverage), "from 1 (no credit) to 1000"),
            ("spread", spread, (0.0..0.5).contains(&spread), "a share from 0 to below 0.5; 5 bp is 0.0005"),
            (
                "participation",
                participation,
                participation > 0.0,
                "a share above 0; 0.1 is a tenth of the volume, infinity all that is asked for",
            ),
            ("maintenance", maintenance, (0.0..1.0).contains(&maintenance), "a share from 0 to below 1"),
            ("interest", interest, (0.0..100.0).contains(&interest), "a share per year from 0; 0.05 is 5 %"),
            ("borrow", borrow, (0.0..100.0).contains(&borrow), "a share per year from 0; 0.05 is 5 %"),
        ];
        if self.fill_at == FillAt::OnClose
            && (self.feed.is_some() || self.latency.constant() != Some(Duration::ZERO))
        {
            let reason = "is not zero, but `fill_at` is the close at which an order was decided: choose one"
                .to_owned();
            return Err(MarketError { term: "latency", reason });
        }
        for (term, value, holds, allowed) in rows {
            if !holds {
                return Err(MarketError { term, reason: format!("is {value}, must be {allowed}") });
            }
        }
        let refuse = |term| move |reason| MarketError { term, reason };
        self.leverage.check().map_err(refuse("leverage"))?;
        self.maintenance.check().map_err(refuse("maintenance"))
    }

    /// The terms of assets that have none of their own.
    #[must_use]
    pub fn asset_terms(&self) -> AssetTerms {
        AssetTerms {
            lot: self.lot,
            spread: Arc::clone(&self.spread),
            commission: Arc::clone(&self.commission),
            slippage: Arc::clone(&self.slippage),
            participation: Arc::clone(&self.participation),
            session: self.session.clone(),
            dividends: Arc::default(),
        }
    }

    /// With other terms for an asset, to be checked.
    pub(crate) fn with(&self, terms: &AssetTerms) -> Self {
        let AssetTerms { lot, spread, commission, slippage, participation, session, .. } = terms.clone();
        Self { lot, spread, commission, slippage, participation, session, ..self.clone() }
    }
}

impl AssetTerms {
    /// Checks what a market's terms have not.
    ///
    /// # Errors
    /// The first dividend that is none, or that is not after the one before it.
    pub(crate) fn check(&self) -> Result<(), MarketError> {
        let refuse = |reason| Err(MarketError { term: "dividends", reason });
        if let Some((_, amount)) =
            self.dividends.iter().find(|(_, amount)| !amount.is_finite() || *amount < 0.0)
        {
            return refuse(format!("have {amount}, must be numbers of at least 0"));
        }
        match self.dividends.windows(2).position(|pair| pair[0].0 >= pair[1].0) {
            Some(at) => {
                refuse(format!("number {} is not after the one before it: sort them by time", at + 2))
            }
            None => Ok(()),
        }
    }

    /// The charge for a number of lots of either sign.
    pub(super) fn charge(&self, lots: i64, price: f64, maker: bool, traded: f64) -> f64 {
        if lots == 0 {
            return 0.0;
        }
        self.commission.charge_fill(&Filling { units: self.units(lots.abs()), price, maker, traded })
    }

    #[inline]
    pub(super) fn units(&self, lots: i64) -> f64 {
        lots as f64 * self.lot
    }
}

impl fmt::Debug for AssetTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lot, spread, share) = (self.lot, self.spread.constant(), self.participation.constant());
        write!(f, "AssetTerms {{ lot: {lot}, spread: {spread:?}, participation: {share:?}, .. }}")
    }
}

impl fmt::Debug for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cash, lot, intrabar, at_end, .. } = self;
        let (leverage, spread) = (self.leverage.constant(), self.spread.constant());
        write!(f, "Market {{ cash: {cash}, lot: {lot}, leverage: {leverage:?}, spread: {spread:?}, ")?;
        write!(f, "intrabar: {intrabar:?}, at_end: {at_end:?}, .. }}")
    }
}

impl fmt::Display for MarketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.term, self.reason)
    }
}

impl std::error::Error for MarketError {}
