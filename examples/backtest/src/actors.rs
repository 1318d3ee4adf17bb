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
//! The feed waits in virtual time until each bar is due. By then everything that the bar before has caused is
//! done, so an order decided on one close meets the next bar, and never an earlier one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{self, Poll};
use std::time::Duration;

use mycelium::{Actor, BoxError, Context, Handler, Service, ServiceContext, Subscriptions};

use crate::broker::{Broker, Fills};
use crate::config::{Pair, Terms};
use crate::crossover::{Crossover, Signal};
use crate::ledger::Ledger;
use crate::messages::{Bar, Close, Fill, Order, SessionEnd, Settlement, Timestamp};
use crate::rule;
use crate::source::Source;

/// What a handler of bars has still to do when it returns: on the usual bar nothing, so that such a bar needs
/// no state machine of its own.
struct Rest<F>(Option<Pin<Box<F>>>);

impl<F: Future<Output = Result<(), BoxError>>> Future for Rest<F> {
    type Output = Result<(), BoxError>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        #[cold]
        fn seldom<F: Future>(rest: Pin<&mut F>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
            rest.poll(cx)
        }
        match &mut self.0 {
            None => Poll::Ready(Ok(())),
            Some(rest) => seldom(rest.as_mut(), cx),
        }
    }
}

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

impl Exchange {
    /// An exchange with one flat account.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self { broker: Broker::new(terms) }
    }

    /// Publishes what was filled in a bar, and then its close: whoever has sent orders knows by it that they
    /// are done.
    async fn close_bar(fills: Fills, close: Close, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Self::publish(fills, ctx).await?;
        ctx.publish(close).await?;
        Ok(())
    }

    async fn publish(fills: Fills, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for fill in fills {
            ctx.publish(fill).await?;
        }
        Ok(())
    }
}

impl Actor for Exchange {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Bar>().on::<Order>().on::<SessionEnd>();
    }
}

impl Handler<Bar> for Exchange {
    #[inline]
    fn handle(
        &mut self,
        bar: &Bar,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        let Some(fills) = self.broker.on_bar(bar) else { return Rest(None) };
        let close = Close { timestamp: bar.timestamp, price: bar.close, ticks: bar.close_ticks };
        Rest(Some(Box::pin(Self::close_bar(fills, close, ctx))))
    }
}

impl Handler<Order> for Exchange {
    async fn handle(&mut self, order: &Order, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.broker.place(*order)?;
        Ok(())
    }
}

impl Handler<SessionEnd> for Exchange {
    async fn handle(&mut self, end: &SessionEnd, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Self::publish(self.broker.end(), ctx).await?;
        ctx.publish(Settlement { timestamp: end.timestamp, price: self.broker.last_close() }).await?;
        Ok(())
    }
}

impl CrossoverStrategy {
    /// A strategy that has seen nothing yet.
    #[must_use]
    pub fn new(pair: Pair, terms: Terms) -> Self {
        Self { terms, crossover: Crossover::new(pair), position: 0, waits_since: None, deferred: None }
    }

    /// Sends the orders that a crossing calls for.
    async fn decide(
        &mut self,
        signal: Signal,
        at: Timestamp,
        ctx: &mut Context<Self>,
    ) -> Result<(), BoxError> {
        for order in rule::orders(&self.terms, signal, self.position, at).into_iter().flatten() {
            self.waits_since = Some(at);
            ctx.publish(order).await?;
        }
        Ok(())
    }
}

impl Actor for CrossoverStrategy {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Bar>().on::<Fill>().on::<Close>();
    }
}

impl Handler<Bar> for CrossoverStrategy {
    #[inline]
    fn handle(
        &mut self,
        bar: &Bar,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        let Some(signal) = self.crossover.push(bar.close_ticks) else { return Rest(None) };
        if self.waits_since.is_some() {
            self.deferred = Some((signal, bar.timestamp));
            return Rest(None);
        }
        Rest(Some(Box::pin(self.decide(signal, bar.timestamp, ctx))))
    }
}

impl Handler<Close> for CrossoverStrategy {
    async fn handle(&mut self, close: &Close, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.waits_since.is_some_and(|since| close.timestamp <= since) {
            return Ok(());
        }
        self.waits_since = None;
        match self.deferred.take() {
            Some((signal, at)) => self.decide(signal, at, ctx).await,
            None => Ok(()),
        }
    }
}

impl Handler<Fill> for CrossoverStrategy {
    async fn handle(&mut self, fill: &Fill, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.position += fill.quantity;
        Ok(())
    }
}

impl Actor for Portfolio {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Bar>().on::<Fill>().on::<Settlement>();
    }
}

impl Handler<Fill> for Portfolio {
    async fn handle(&mut self, fill: &Fill, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.ledger.fill(fill);
        Ok(())
    }
}

impl Handler<Bar> for Portfolio {
    #[inline]
    async fn handle(&mut self, bar: &Bar, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if let Some((timestamp, close)) = self.unmarked.replace((bar.timestamp, bar.close)) {
            self.ledger.mark(timestamp, close);
        }
        Ok(())
    }
}

impl Handler<Settlement> for Portfolio {
    async fn handle(&mut self, settlement: &Settlement, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if let Some((timestamp, _)) = self.unmarked.take() {
            self.ledger.mark(timestamp, settlement.price);
        }
        Ok(())
    }
}

impl Portfolio {
    /// A portfolio that has seen nothing yet.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self { unmarked: None, ledger }
    }
}
