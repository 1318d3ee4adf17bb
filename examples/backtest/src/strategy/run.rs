//! Runs a strategy over prices: an isolate with a feed and a trader, and a venue if prices come as messages.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use mycelium::sweep::{SharedSlice, SweepError};
use mycelium::{ActorRef, Isolate, Service};

use super::Strategy;
use super::desk::Desk;
use super::history::Stretches;
use super::host::Situation;
use super::journal::{Journal, OpenPosition, OrderRecord, Trade};
use super::past::Past;
use super::replay::Replay;
use super::trader::Trader;
use super::venue::Venue;
use crate::actors::Feed;
use crate::engine::{
    AssetTerms, AtEnd, Commission, FillAt, FillModel, Funding, Intrabar, Latency, LendingRate, Leverage,
    Maintenance, Market, MarketError, QueueModel, Ready, Session, Slippage, Spread,
};
use crate::instance::{InstanceError, Outcome};
use crate::ledger::{Ledger, Statistics};
use crate::messages::{Bar, Charge, OrderCause, OrderStatus};
use crate::performance::Figures;
use crate::runner::{Finished, run_all};
use crate::source::{OfOne, Source};
use crate::tape::{Prices, Tape, TapeError};

/// A change of the terms of one asset.
type TermsChange = Arc<dyn Fn(&mut AssetTerms) + Send + Sync>;

/// Prices and the terms on which they are traded. Prices are shared by all runs.
#[derive(Clone)]
pub struct Backtest {
    tape: Result<Arc<Tape>, TapeError>,
    market: Market,
    changes: Vec<(String, TermsChange)>,
    /// Whether these are some of the moments of another one, in which a session may have no hours.
    is_part: bool,
    /// The prices as they are heard of, once somebody has asked.
    heard: OnceLock<Result<Arc<Tape>, TapeError>>,
    /// What buying and holding is measured by, once somebody has asked.
    bars: OnceLock<Result<SharedSlice<Bar>, TapeError>>,
}

/// What one run leaves.
#[derive(Clone, Debug)]
pub struct Report {
    /// The figures that sweeps rank by.
    pub statistics: Statistics,
    /// All figures, from trades and equity. `None` without bars.
    pub figures: Option<Figures>,
    /// Closed trades, in the sequence of their exits.
    pub trades: Vec<Trade>,
    /// Trades that were open when the run ended.
    pub open_trades: Vec<OpenPosition>,
    /// Every order and what became of it, in the sequence in which they were sent.
    pub orders: Vec<OrderRecord>,
    /// The names of the assets, by their numbers.
    pub assets: Vec<String>,
    /// What was paid or earned without a trade: interest, fees, funding.
    pub charges: Vec<Charge>,
    /// Equity at the close of each bar; with several assets at each moment.
    pub equity: SharedSlice<f64>,
    /// Value of all positions, long and short added, as a share of the equity at that time.
    pub exposure: SharedSlice<f64>,
    /// What a reader should know: orders that could not be filled and why, remarks of the strategy.
    pub notes: Vec<String>,
    /// Messages that were published and handled.
    pub events: u64,
}

impl Backtest {
    /// Bars in ascending order of time, on the default terms: cash 10,000, whole units, no credit, no
    /// costs. A bar without a price above zero, or before the one ahead of it, is an error of the run.
    #[must_use]
    pub fn new(bars: impl Into<SharedSlice<Bar>>) -> Self {
        Self::of([("", bars.into())])
    }

    /// Bars, quotes, ticks or books of one or several assets, on the default terms. Names must differ; the
    /// first asset is that of a strategy's own methods, the others are `ctx.asset("NAME")`. A strategy is
    /// called for the first time when each asset has a price, unless it says
    /// [`ready_when`](Backtest::ready_when).
    ///
    /// ```
    /// use backtest::strategy::{Backtest, StrategyContext};
    /// # use backtest::messages::{Bar, Timestamp};
    /// # let bar = |i: i64, close: f64| Bar { open: close, high: close, low: close, close,
    /// #     timestamp: Timestamp::from_nanos(i * 86_400_000_000_000), ..Bar::default() };
    /// # let of = |prices: [f64; 3]| prices.iter().zip(0..).map(|(p, i)| bar(i, *p)).collect::<Vec<_>>();
    /// let backtest = Backtest::of([("A", of([10.0, 11.0, 12.0])), ("B", of([20.0, 18.0, 16.0]))]);
    /// let report = backtest.run(|ctx: &mut StrategyContext<'_>| {
    ///     if ctx.is_flat() {
    ///         ctx.buy(100);
    ///         ctx.asset("B").sell(100);
    ///     }
    /// })?;
    /// assert_eq!(report.statistics.equity_final, 10_000.0 + 100.0 + 200.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of<N: Into<String>, P: Into<Prices>>(assets: impl IntoIterator<Item = (N, P)>) -> Self {
        let assets = assets.into_iter().map(|(name, prices)| (name.into(), prices.into()));
        Self {
            tape: Tape::new(assets).map(Arc::new),
            market: Market::default(),
            changes: Vec::new(),
            is_part: false,
            heard: OnceLock::new(),
            bars: OnceLock::new(),
        }
    }

    /// Other terms for one asset: `.terms("BTC", |terms| terms.lot = 0.001)`. They begin as those of the
    /// market.
    #[must_use]
    pub fn terms(mut self, symbol: &str, change: impl Fn(&mut AssetTerms) + Send + Sync + 'static) -> Self {
        self.changes.push((symbol.to_owned(), Arc::new(change)));
        self
    }

    /// What each unit of an asset is paid, who is long, and owes, who is short: times in ns and amounts, as
    /// [`CorporateActions::dividends`](crate::data::CorporateActions::dividends) of a file has them.
    #[must_use]
    pub fn dividends(self, symbol: &str, dividends: Arc<[(i64, f64)]>) -> Self {
        self.terms(symbol, move |terms| terms.dividends = Arc::clone(&dividends))
    }

    /// Other terms, all at once.
    #[must_use]
    pub fn market(mut self, market: Market) -> Self {
        self.market = market;
        self.forget();
        self
    }

    /// Cash at the start.
    #[must_use]
    pub fn cash(mut self, cash: f64) -> Self {
        self.market.cash = cash;
        self
    }

    /// Units in the least that can be traded: 0.001 for a coin.
    #[must_use]
    pub fn lot(mut self, units: f64) -> Self {
        self.market.lot = units;
        self
    }

    /// How many times its money the account can buy: a number, or a function or a [`Leverage`] of one's own
    /// that says which equity positions need to be entered.
    #[must_use]
    pub fn leverage(mut self, times: impl Leverage + 'static) -> Self {
        self.market.leverage = Arc::new(times);
        self
    }

    /// What positions need to be entered, and what is to be kept for them, from one model:
    /// [`MarginTiers`](crate::engine::MarginTiers), or one's own.
    #[must_use]
    pub fn margin<M: Leverage + Maintenance + 'static>(mut self, model: M) -> Self {
        let model = Arc::new(model);
        self.market.leverage = Arc::<M>::clone(&model);
        self.market.maintenance = model;
        self
    }

    /// Share of the price that entries pay on top: a number, a function, or a [`Spread`] of one's own.
    #[must_use]
    pub fn spread(mut self, share: impl Spread + 'static) -> Self {
        self.market.spread = Arc::new(share);
        self
    }

    /// What a fill is charged: [`Share`](crate::engine::Share), [`Fixed`](crate::engine::Fixed),
    /// [`PerUnit`](crate::engine::PerUnit) or a function of units and price.
    #[must_use]
    pub fn commission(mut self, commission: impl Commission + 'static) -> Self {
        self.market.commission = Arc::new(commission);
        self
    }

    /// How far market orders and stops slip: [`Share`](crate::engine::Share),
    /// [`Fixed`](crate::engine::Fixed), or a function of units, price and
    /// [`Conditions`](crate::engine::Conditions).
    #[must_use]
    pub fn slippage(mut self, slippage: impl Slippage + 'static) -> Self {
        self.market.slippage = Arc::new(slippage);
        self
    }

    /// Share of the volume of a bar, or of the size of a quote or of a level, that orders can be filled with:
    /// a number, a function, or a [`FillModel`] of one's own. The rest waits.
    #[must_use]
    pub fn participation(mut self, share: impl FillModel + 'static) -> Self {
        self.market.participation = Arc::new(share);
        self
    }

    /// Share of the value of all positions below which the equity closes them: a number, a function, or a
    /// [`Maintenance`] of one's own.
    #[must_use]
    pub fn maintenance(mut self, share: impl Maintenance + 'static) -> Self {
        self.market.maintenance = Arc::new(share);
        self
    }

    /// Shares per year: interest on credit, and the fee for what is sold short. Each is a number, a function,
    /// or a [`LendingRate`] of one's own.
    #[must_use]
    pub fn interest(
        mut self,
        credit: impl LendingRate + 'static,
        borrow: impl LendingRate + 'static,
    ) -> Self {
        self.market.interest = Arc::new(credit);
        self.market.borrow = Arc::new(borrow);
        self
    }

    /// What positions in perpetual contracts pay.
    #[must_use]
    pub fn funding(mut self, funding: impl Funding + 'static) -> Self {
        self.market.funding = Some(Arc::new(funding));
        self
    }

    /// The trading hours. An order is filled by what begins within them, and a day order ends with them;
    /// what comes outside is seen, and can be decided on.
    #[must_use]
    pub fn session(mut self, session: Session) -> Self {
        self.market.session = session;
        self
    }

    /// How long the news of an event takes to the strategy: a [`Duration`](std::time::Duration),
    /// [`Jitter`](crate::engine::Jitter), or a [`Latency`] of one's own. Events of several assets are
    /// seen in the sequence in which their news comes.
    #[must_use]
    pub fn feed_latency(mut self, latency: impl Latency + 'static) -> Self {
        self.market.feed = Some(Arc::new(latency));
        self.forget();
        self
    }

    /// How long an order or a cancellation takes to the exchange: a [`Duration`](std::time::Duration),
    /// [`Jitter`](crate::engine::Jitter), or a [`Latency`] of one's own.
    #[must_use]
    pub fn latency(mut self, latency: impl Latency + 'static) -> Self {
        self.market.latency = Arc::new(latency);
        self
    }

    /// How an order moves forward in the queue at its price, on the book of an asset with depth:
    /// [`Queueing`](crate::engine::Queueing), or a [`QueueModel`] of one's own.
    #[must_use]
    pub fn queue(mut self, model: impl QueueModel + 'static) -> Self {
        self.market.queue = Arc::new(model);
        self
    }

    /// Where market orders are filled.
    #[must_use]
    pub fn fill_at(mut self, fill_at: FillAt) -> Self {
        self.market.fill_at = fill_at;
        self
    }

    /// What is assumed to happen within a bar.
    #[must_use]
    pub fn intrabar(mut self, intrabar: Intrabar) -> Self {
        self.market.intrabar = intrabar;
        self
    }

    /// What becomes of a position that is open after the last bar.
    #[must_use]
    pub fn at_end(mut self, at_end: AtEnd) -> Self {
        self.market.at_end = at_end;
        self
    }

    /// The bars of the only asset; of several assets, or of anything but bars, the value of all of them in
    /// equal parts at each moment, as bars. There are none where the prices make no tape, which is an error
    /// of each run.
    #[must_use]
    pub fn bars(&self) -> &[Bar] {
        self.benchmark().map_or(&[], |bars| bars)
    }

    fn benchmark(&self) -> Result<&SharedSlice<Bar>, &TapeError> {
        let bars = || self.tape().map_err(Clone::clone).and_then(|tape| tape.benchmark());
        self.bars.get_or_init(bars).as_ref()
    }

    /// The merged prices as they are heard of.
    pub(crate) fn tape(&self) -> Result<&Arc<Tape>, &TapeError> {
        let tape = self.tape.as_ref()?;
        match &self.market.feed {
            Some(feed) if !tape.is_delayed() => {
                self.heard.get_or_init(|| tape.delayed(&**feed).map(Arc::new)).as_ref()
            }
            _ => Ok(tape),
        }
    }

    /// What follows from the prices and the feed is found anew.
    fn forget(&mut self) {
        (self.heard, self.bars) = (OnceLock::new(), OnceLock::new());
    }

    /// The same terms on other prices.
    pub(crate) fn on<P: Into<Prices>>(&self, assets: impl IntoIterator<Item = (String, P)>) -> Self {
        Self { market: self.market.clone(), changes: self.changes.clone(), ..Self::of(assets) }
    }

    /// Whether news takes its time.
    pub(crate) fn has_feed_latency(&self) -> bool {
        self.market.feed.is_some()
    }

    /// The hours by whose days the figures of the account go.
    pub(crate) fn session_of_account(&self) -> Session {
        let terms = self.tape().ok().and_then(|tape| self.asset_terms(tape).ok());
        self.shared_session(&terms.unwrap_or_default())
    }

    /// The hours that all assets share, given for all of them or for each by its name; else those of assets
    /// that have none of their own.
    fn shared_session(&self, terms: &[AssetTerms]) -> Session {
        match terms {
            [first, rest @ ..] if rest.iter().all(|other| other.session == first.session) => {
                first.session.clone()
            }
            _ => self.market.session.clone(),
        }
    }

    /// Cash at the start.
    pub(crate) fn start_cash(&self) -> f64 {
        self.market.cash
    }

    /// How many rows of each asset are in these moments.
    pub(crate) fn rows(&self, moments: Range<usize>) -> Vec<usize> {
        self.tape().map(|tape| tape.rows(moments)).unwrap_or_default()
    }

    /// The same terms on some of the moments: those of [`bars`](Backtest::bars) with these numbers. Rows of
    /// each asset are numbered from the first of them on. A part in which no price begins within the hours of
    /// its session is no error, and has no fills.
    #[must_use]
    pub fn part(&self, moments: Range<usize>) -> Self {
        let tape = self.tape().map_err(Clone::clone).and_then(|tape| tape.part(moments));
        Self {
            tape: tape.map(Arc::new),
            market: self.market.clone(),
            changes: self.changes.clone(),
            is_part: true,
            heard: OnceLock::new(),
            bars: OnceLock::new(),
        }
    }

    /// When a strategy on several assets is called for the first time: with [`Ready::Any`] as soon as one of
    /// them has a price. [`price`](super::StrategyContext::price) of the others is zero then.
    #[must_use]
    pub fn ready_when(mut self, ready: Ready) -> Self {
        self.market.ready = ready;
        self
    }

    /// Runs a strategy and keeps everything.
    ///
    /// # Errors
    /// [`InstanceError`]: terms out of range, or an actor that failed.
    pub fn run(&self, strategy: impl Strategy) -> Result<Report, InstanceError> {
        self.report(Box::new(strategy))
    }

    fn report(&self, strategy: Box<dyn Situation>) -> Result<Report, InstanceError> {
        let no_tape = |error: &TapeError| InstanceError::Tape(error.clone());
        let (tape, bars) = (self.tape().map_err(no_tape)?, self.benchmark().map_err(no_tape)?);
        let terms = self.asset_terms(tape)?;
        let session = self.shared_session(&terms);
        let journal = Journal::new(terms.iter().map(|terms| terms.lot).collect());
        let (trader, events) = self.hosted(tape, terms, strategy, Some(journal))?;
        let mut journal = trader.seat.desk.journal.unwrap_or_else(|| Journal::new(Vec::new()));
        let (equity, exposure) =
            std::mem::take(&mut journal.curves).finish().map_err(|error| no_tape(&error.into()))?;
        for asset in 0..tape.assets() as u16 {
            crate::performance::excursions(&mut journal.trades, asset, tape);
        }
        let mut notes = unfilled(&journal.orders);
        let open_trades = journal.open_trades();
        notes.append(&mut journal.notes);
        if journal.notes_dropped != 0 {
            notes.push(format!("{} more remarks were not kept", journal.notes_dropped));
        }
        Ok(Report {
            statistics: trader.seat.ledger.finish().0,
            figures: Figures::by_session(bars, &equity, &journal.trades, &session),
            trades: journal.trades,
            assets: tape.symbols().map(str::to_owned).collect(),
            charges: journal.charges,
            open_trades,
            orders: journal.orders,
            equity,
            exposure,
            notes,
            events,
        })
    }

    /// Runs a strategy and keeps its figures alone, in memory that does not grow with trades or bars.
    ///
    /// # Errors
    /// As [`run`](Backtest::run).
    pub fn outcome(&self, strategy: impl Strategy) -> Result<Outcome, InstanceError> {
        self.figures_alone(Box::new(strategy))
    }

    fn figures_alone(&self, strategy: Box<dyn Situation>) -> Result<Outcome, InstanceError> {
        let (tape, terms) = self.checked()?;
        let (trader, events) = self.hosted(tape, terms, strategy, None)?;
        Ok(Outcome { statistics: trader.seat.ledger.finish().0, curve: None, events })
    }

    /// Runs a strategy for each parameter, on all cores or on so many threads, with a bar on a terminal.
    /// Ctrl-C ends it early, with what it has. Rows come in the sequence of the parameters, whatever ran
    /// first.
    ///
    /// # Errors
    /// [`SweepError`], if there are too many parameters or the system refuses a thread.
    pub fn sweep<P: Copy + Send + Sync + Debug, S: Strategy>(
        &self,
        parameters: &[P],
        threads: Option<usize>,
        strategy: impl Fn(P) -> S + Sync,
    ) -> Result<Finished<P>, SweepError> {
        run_all(parameters, threads, "strategies", |parameter| self.outcome(strategy(parameter)))
    }

    /// Whether prices and terms fit.
    pub(crate) fn check(&self) -> Result<(), InstanceError> {
        self.checked().map(drop)
    }

    /// The prices, and the terms of each asset.
    pub(super) fn checked(&self) -> Result<(&Arc<Tape>, Vec<AssetTerms>), InstanceError> {
        let tape = self.tape().map_err(|error| InstanceError::Tape(error.clone()))?;
        Ok((tape, self.asset_terms(tape)?))
    }

    pub(super) fn market_terms(&self) -> &Market {
        &self.market
    }

    /// The terms of each asset, checked.
    fn asset_terms(&self, tape: &Tape) -> Result<Vec<AssetTerms>, InstanceError> {
        self.market.check().map_err(InstanceError::Market)?;
        let mut all = vec![self.market.asset_terms(); tape.assets()];
        for (symbol, change) in &self.changes {
            let Some(at) = tape.symbols().position(|other| other == symbol) else {
                let names: Vec<&str> = tape.symbols().collect();
                let reason = format!("is not `{symbol}`: there are {names:?}");
                return Err(InstanceError::Market(MarketError { term: "asset", reason }));
            };
            change(&mut all[at]);
            self.market.with(&all[at]).check().map_err(InstanceError::Market)?;
            all[at].check().map_err(InstanceError::Market)?;
        }
        // A night is no mistake of a part.
        for (terms, at) in all.iter().zip(0..).filter(|_| !self.is_part) {
            tape.check_session(at, &terms.session).map_err(InstanceError::Market)?;
        }
        Ok(all)
    }

    fn hosted(
        &self,
        tape: &Arc<Tape>,
        terms: Vec<AssetTerms>,
        strategy: Box<dyn Situation>,
        journal: Option<Journal>,
    ) -> Result<(Trader, u64), InstanceError> {
        let lots: Vec<f64> = terms.iter().map(|terms| terms.lot).collect();
        let symbols = tape.symbols().map(str::to_owned).collect();
        let desk = Desk::new(Past::shared(tape), &self.market, symbols, &lots, journal);
        let replay = Replay::new(Arc::clone(tape), self.market.clone(), terms);
        let trader = Trader::new(strategy, desk, Ledger::new(self.market.cash), Some(replay));
        host(Stretches(Arc::clone(tape)), trader, None)
    }

    /// Runs a strategy on bars of another source, on the terms of this one's only asset: its past is what has
    /// come.
    ///
    /// # Errors
    /// As [`run`](Backtest::run), also of the bars of the source, when they have come to their end; and if
    /// there are several assets, because a source has bars of one: [`on_bus`](Backtest::on_bus) is for
    /// several.
    pub fn outcome_on(&self, source: impl Source, strategy: impl Strategy) -> Result<Outcome, InstanceError> {
        let (tape, terms) = self.checked()?;
        let ([AssetTerms { lot, .. }], Some(symbol)) = (&terms[..], tape.symbols().next()) else {
            let reason = format!("is one of {}, and a source has bars of one", terms.len());
            return Err(InstanceError::Market(MarketError { term: "asset", reason }));
        };
        if self.market.feed.is_some() {
            let reason = "is for prices in memory; bars of a source do not say when they were".to_owned();
            return Err(InstanceError::Market(MarketError { term: "feed latency", reason }));
        }
        let desk = Desk::new(Past::own(1), &self.market, [symbol.to_owned()].into(), &[*lot], None);
        let venue = Venue::of(self.market.clone(), terms);
        let trader = Trader::new(Box::new(strategy), desk, Ledger::new(self.market.cash), None);
        let (trader, events) = host(Feed::new(OfOne(source)), trader, Some(venue))?;
        if let (count @ 1.., fault) = trader.seat.desk.past.passed_over() {
            let reason = format!("has {count} bars that nobody could trade on; of the first, {fault}");
            return Err(InstanceError::Market(MarketError { term: "source", reason }));
        }
        Ok(Outcome { statistics: trader.seat.ledger.finish().0, curve: None, events })
    }
}

/// Makes the bus and its actors, and runs them to the end of the source.
fn host(feed: impl Service, trader: Trader, venue: Option<Venue>) -> Result<(Trader, u64), InstanceError> {
    let mut isolate = Isolate::new(0);
    let trader: ActorRef<Trader> = isolate.spawn(trader).map_err(InstanceError::Spawn)?;
    if let Some(venue) = venue {
        isolate.spawn(venue).map_err(InstanceError::Spawn)?;
    }
    isolate.spawn_service(feed).map_err(InstanceError::Spawn)?;
    let events = isolate.run().map_err(InstanceError::Run)?.events;
    let trader = isolate.take(&trader).ok_or(InstanceError::ResultsLost)?;
    Ok((trader, events))
}

/// Sentences on orders that could not be filled, one for each cause.
fn unfilled(orders: &[OrderRecord]) -> Vec<String> {
    let mut causes: BTreeMap<&'static str, (usize, &OrderRecord)> = BTreeMap::new();
    for order in orders {
        if let Some(cause) = in_words(order) {
            causes.entry(cause).or_insert((0, order)).0 += 1;
        }
    }
    let filled = orders.iter().filter(|order| order.status == OrderStatus::Filled).count();
    let sentence = |(cause, (count, first)): (&str, (usize, &OrderRecord))| {
        let whom = match (filled, count) {
            (0, _) => "no order could be filled".to_owned(),
            (_, 1) => "1 order was not filled".to_owned(),
            (_, count) => format!("{count} orders were not filled"),
        };
        match first.cause {
            OrderCause::NoLot | OrderCause::NotEnoughCash => {
                format!("{whom}: {} {cause} {}", figure(first.money), figure(first.lot_price))
            }
            _ => format!("{whom}: {cause}"),
        }
    };
    causes.into_iter().map(sentence).collect()
}

fn in_words(order: &OrderRecord) -> Option<&'static str> {
    Some(match order.cause {
        OrderCause::NoLot => "buys no lot at",
        OrderCause::NotEnoughCash => "does not pay for the size that was asked for at",
        OrderCause::BadPrice => {
            "a price was not above zero, on the wrong side of the entry, or beside a trailing stop"
        }
        OrderCause::BadSize => "the size was not a number above zero",
        OrderCause::NothingToReduce => "there was no position to reduce",
        OrderCause::TooManyOrders => "too many orders were working at once",
        OrderCause::MarginCall => "the equity fell below the maintenance margin",
        OrderCause::Ruined => "the equity was used up",
        OrderCause::NoPrice => "the asset had no price yet",
        _ => return None,
    })
}

/// An amount without the digits that nobody reads.
fn figure(amount: f64) -> String {
    let text = format!("{amount:.2}");
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}

impl std::fmt::Debug for Backtest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let events = self.tape.as_ref().map(|tape| tape.len());
        f.debug_struct("Backtest").field("events", &events).field("market", &self.market).finish()
    }
}
