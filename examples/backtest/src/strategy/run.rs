//! Runs a strategy over bars: an isolate with a feed, a venue and a trader.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use mycelium::sweep::SweepError;
use mycelium::{ActorRef, Isolate};

use super::Strategy;
use super::desk::{Desk, Past};
use super::journal::{Journal, OpenPosition, OrderRecord, Trade};
use super::trader::Trader;
use super::venue::Venue;
use crate::actors::Feed;
use crate::engine::{AtEnd, Commission, Intrabar, Market, Slippage};
use crate::instance::{InstanceError, Outcome};
use crate::ledger::{Ledger, Statistics};
use crate::messages::{Bar, OrderCause, OrderStatus};
use crate::performance::Figures;
use crate::runner::{Finished, run_all};
use crate::source::{History, Source};

/// Bars and the terms on which they are traded. Bars are shared by all runs.
#[derive(Clone, Debug)]
pub struct Backtest {
    bars: Arc<[Bar]>,
    market: Market,
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
    /// Equity at the close of each bar.
    pub equity: Vec<f64>,
    /// What a reader should know: orders that could not be filled and why, remarks of the strategy.
    pub notes: Vec<String>,
    /// Messages that were published and handled.
    pub events: u64,
}

impl Backtest {
    /// Bars in ascending order of time, on the default terms: cash 10,000, whole units, no credit, no costs.
    #[must_use]
    pub fn new(bars: impl Into<Arc<[Bar]>>) -> Self {
        Self { bars: bars.into(), market: Market::default() }
    }

    /// Other terms, all at once.
    #[must_use]
    pub fn market(mut self, market: Market) -> Self {
        self.market = market;
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

    /// How many times its money the account can buy.
    #[must_use]
    pub fn leverage(mut self, times: f64) -> Self {
        self.market.leverage = times;
        self
    }

    /// Share of the price that entries pay on top.
    #[must_use]
    pub fn spread(mut self, share: f64) -> Self {
        self.market.spread = share;
        self
    }

    /// What a fill is charged: [`Share`](crate::engine::Share), [`Fixed`](crate::engine::Fixed),
    /// [`PerUnit`](crate::engine::PerUnit) or a function of units and price.
    #[must_use]
    pub fn commission(mut self, commission: impl Commission + 'static) -> Self {
        self.market.commission = Arc::new(commission);
        self
    }

    /// How far market orders and stops slip: [`Share`](crate::engine::Share) or
    /// [`Fixed`](crate::engine::Fixed).
    #[must_use]
    pub fn slippage(mut self, slippage: impl Slippage + 'static) -> Self {
        self.market.slippage = Arc::new(slippage);
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

    /// The bars.
    #[must_use]
    pub fn bars(&self) -> &Arc<[Bar]> {
        &self.bars
    }

    /// Runs a strategy and keeps everything.
    ///
    /// # Errors
    /// [`InstanceError`]: terms out of range, or an actor that failed.
    pub fn run(&self, strategy: impl Strategy) -> Result<Report, InstanceError> {
        let journal = Journal::new(self.market.lot, self.bars.len());
        let (trader, events) = self.hosted(strategy, Some(journal))?;
        let mut journal = trader.desk.journal.unwrap_or_else(|| Journal::new(1.0, 0));
        crate::performance::excursions(&mut journal.trades, &self.bars);
        let mut notes = unfilled(&journal.orders);
        let open_trades = journal.open_trades();
        notes.append(&mut journal.notes);
        if journal.notes_dropped != 0 {
            notes.push(format!("{} more remarks were not kept", journal.notes_dropped));
        }
        Ok(Report {
            statistics: trader.ledger.finish().0,
            figures: Figures::of(&self.bars, &journal.equity, &journal.trades),
            trades: journal.trades,
            open_trades,
            orders: journal.orders,
            equity: journal.equity,
            notes,
            events,
        })
    }

    /// Runs a strategy and keeps its figures alone, in memory that does not grow with trades or bars.
    ///
    /// # Errors
    /// As [`run`](Backtest::run).
    pub fn outcome(&self, strategy: impl Strategy) -> Result<Outcome, InstanceError> {
        let (trader, events) = self.hosted(strategy, None)?;
        Ok(Outcome { statistics: trader.ledger.finish().0, curve: None, events })
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

    fn hosted<S: Strategy>(
        &self,
        strategy: S,
        journal: Option<Journal>,
    ) -> Result<(Trader<S>, u64), InstanceError> {
        let past = Past::Shared { bars: Arc::clone(&self.bars), seen: 0 };
        let desk = Desk::new(past, self.market.cash, self.market.lot, journal);
        host(History::new(Arc::clone(&self.bars)), strategy, desk, &self.market)
    }

    /// Runs a strategy on bars of another source, on these terms: its past is what has come.
    ///
    /// # Errors
    /// As [`run`](Backtest::run).
    pub fn outcome_on(&self, source: impl Source, strategy: impl Strategy) -> Result<Outcome, InstanceError> {
        let desk = Desk::new(Past::Own(Vec::new()), self.market.cash, self.market.lot, None);
        let (trader, events) = host(source, strategy, desk, &self.market)?;
        Ok(Outcome { statistics: trader.ledger.finish().0, curve: None, events })
    }
}

/// Makes the bus and its actors, and runs them to the end of the source.
fn host<S: Strategy>(
    source: impl Source,
    strategy: S,
    desk: Desk,
    market: &Market,
) -> Result<(Trader<S>, u64), InstanceError> {
    market.check().map_err(InstanceError::Market)?;
    let mut isolate = Isolate::new(0);
    let trader = Trader::new(strategy, desk, Ledger::new(market.cash));
    let trader: ActorRef<Trader<S>> = isolate.spawn(trader).map_err(InstanceError::Spawn)?;
    isolate.spawn(Venue::new(market.clone())).map_err(InstanceError::Spawn)?;
    isolate.spawn_service(Feed::new(source)).map_err(InstanceError::Spawn)?;
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
        OrderCause::BadPrice => "a price was not above zero, or on the wrong side of the entry",
        OrderCause::BadSize => "the size was zero or no number",
        OrderCause::TooManyOrders => "too many orders were working at once",
        OrderCause::Ruined => "the equity was used up",
        _ => return None,
    })
}

/// An amount without the digits that nobody reads.
fn figure(amount: f64) -> String {
    let text = format!("{amount:.2}");
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}
