//! The four actors of an instance. They know each other only by what they publish.
//!
//! ```text
//! Feed --Bar--> Exchange, Portfolio, Strategy
//! Strategy --Order--> Exchange --Fill--> Portfolio, Strategy
//!                              --Close-> Strategy
//! Feed --SessionEnd--> Exchange --Fill, Settlement--> Portfolio
//! ```
//!
//! An actor that hears of a bar does not know yet what the exchange fills in it. So the portfolio marks a
//! bar when the next one arrives, and a strategy that waits for fills decides when the exchange has closed
//! the bar.
//!
//! No handler waits for room: a few messages follow from each bar, and queues have 1,024 places. A full one
//! would be an error that ends the run. So handlers are plain functions that publish with `try_publish`, and
//! a bar on which nothing happens needs no state machine.
//!
//! The feed waits in virtual time until each bar is due. By then everything that the bar before has caused is
//! done, so an order decided on one close meets the next bar, and never an earlier one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mycelium::{BoxError, Context, Service, ServiceContext};

use crate::broker::{Broker, Fills};
use crate::config::{Pair, Terms};
use crate::crossover::{Crossover, Signal};
use crate::ledger::Ledger;
use crate::messages::{Bar, Close, Fill, Order, SessionEnd, Settlement, Timestamp};
use crate::rule;
use crate::source::Source;

/// Publishes the bars of a source, each at its time.
pub struct Feed<S> {
    source: Option<S>,
}

/// The bars of a source with their times on the bus's clock, which counts from the first bar, whatever its
/// year.
struct Timed<S> {
    source: S,
    start: Timestamp,
    first_ns: Option<i64>,
    last_ns: Arc<AtomicI64>,
}

impl<S: Source> Iterator for Timed<S> {
    type Item = (Timestamp, Bar);

    #[inline]
    fn next(&mut self) -> Option<(Timestamp, Bar)> {
        let ns = self.source.next_time()?.as_nanos();
        self.last_ns.store(ns, Ordering::Relaxed);
        let elapsed_ns = ns.abs_diff(*self.first_ns.get_or_insert(ns));
        Some((self.start + Duration::from_nanos(elapsed_ns), self.source.next_bar()?))
    }
}

/// Fills orders against the bars, and publishes the close of each bar after its fills.
pub struct Exchange {
    broker: Broker,
}

/// Watches bars, knows its position from fills, and publishes orders.
pub struct CrossoverStrategy {
    terms: Terms,
    crossover: Crossover,
    position: i64,
    /// The bar whose orders are with the exchange. They are done with the close of a later bar; that of the
    /// same bar, which the exchange may have published before it saw them, says nothing of them.
    waits_since: Option<Timestamp>,
    /// A crossing that came while it waited.
    deferred: Option<(Signal, Timestamp)>,
}

/// Keeps the account from fills and marks it at each close.
pub struct Portfolio {
    /// The latest bar, until it can be marked: its time and close.
    unmarked: Option<(Timestamp, f64)>,
    /// The equity and its statistics.
    pub ledger: Ledger,
}

impl<S: Source> Feed<S> {
    /// A feed of everything that the source has.
    pub fn new(source: S) -> Self {
        Self { source: Some(source) }
    }
}

impl<S: Source> Service for Feed<S> {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let last_ns = Arc::new(AtomicI64::new(0));
        if let Some(source) = self.source.take() {
            let bars = Timed { source, start: ctx.now(), first_ns: None, last_ns: Arc::clone(&last_ns) };
            ctx.replay(bars).await?;
        }
        // One more moment, for what the last bar causes.
        ctx.sleep(Duration::from_nanos(1)).await;
        ctx.publish(SessionEnd { timestamp: Timestamp::from_nanos(last_ns.load(Ordering::Relaxed)) }).await?;
        Ok(())
    }
}

#[mycelium::actor]
impl Exchange {
    /// An exchange with one flat account.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self { broker: Broker::new(terms) }
    }

    /// Publishes what is filled in a bar, and then its close: by that, a strategy knows that its orders are
    /// done.
    #[on]
    fn bar(&mut self, bar: &Bar, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let Some(fills) = self.broker.on_bar(bar) else { return Ok(()) };
        publish(fills, ctx)?;
        ctx.try_publish(Close { timestamp: bar.timestamp, price: bar.close, ticks: bar.close_ticks })?;
        Ok(())
    }

    #[on]
    fn order(&mut self, order: &Order) -> Result<(), BoxError> {
        self.broker.place(*order)?;
        Ok(())
    }

    #[on]
    fn end(&mut self, end: &SessionEnd, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        publish(self.broker.end(), ctx)?;
        ctx.try_publish(Settlement { timestamp: end.timestamp, price: self.broker.last_close() })?;
        Ok(())
    }
}

#[cold]
fn publish(fills: Fills, ctx: &mut Context<Exchange>) -> Result<(), BoxError> {
    for fill in fills {
        ctx.try_publish(fill)?;
    }
    Ok(())
}

#[mycelium::actor]
impl CrossoverStrategy {
    /// A strategy that has seen nothing yet.
    #[must_use]
    pub fn new(pair: Pair, terms: Terms) -> Self {
        Self { terms, crossover: Crossover::new(pair), position: 0, waits_since: None, deferred: None }
    }

    #[on]
    fn bar(&mut self, bar: &Bar, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let Some(signal) = self.crossover.push(bar.close_ticks) else { return Ok(()) };
        if self.waits_since.is_some() {
            self.deferred = Some((signal, bar.timestamp));
            return Ok(());
        }
        self.decide(signal, bar.timestamp, ctx)
    }

    #[on]
    fn fill(&mut self, fill: &Fill) {
        self.position += fill.quantity;
    }

    #[on]
    fn close(&mut self, close: &Close, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.waits_since.is_some_and(|since| close.timestamp <= since) {
            return Ok(());
        }
        self.waits_since = None;
        match self.deferred.take() {
            Some((signal, at)) => self.decide(signal, at, ctx),
            None => Ok(()),
        }
    }

    /// Sends the orders that a crossing calls for.
    #[cold]
    fn decide(&mut self, signal: Signal, at: Timestamp, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for order in rule::orders(&self.terms, signal, self.position, at).into_iter().flatten() {
            self.waits_since = Some(at);
            ctx.try_publish(order)?;
        }
        Ok(())
    }
}

#[mycelium::actor]
impl Portfolio {
    /// A portfolio that has seen nothing yet.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self { unmarked: None, ledger }
    }

    #[on]
    fn bar(&mut self, bar: &Bar) {
        if let Some((timestamp, close)) = self.unmarked.replace((bar.timestamp, bar.close)) {
            self.ledger.mark(timestamp, close);
        }
    }

    #[on]
    fn fill(&mut self, fill: &Fill) {
        self.ledger.fill(fill);
    }

    #[on]
    fn settlement(&mut self, settlement: &Settlement) {
        if let Some((timestamp, _)) = self.unmarked.take() {
            self.ledger.mark(timestamp, settlement.price);
        }
    }
}
