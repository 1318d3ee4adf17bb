//! The prices of a backtest as messages, and what hears of them: the same run on a bus.

use std::sync::Arc;
use std::time::Duration;

use mycelium::{BoxError, Service, ServiceContext};

use super::Strategy;
use super::run::Backtest;
use super::trader::Trader;
use super::venue::Venue;
use crate::instance::InstanceError;
use crate::messages::{Bar, Depth, Moment, Quote, SessionEnd, Tick, Timestamp};
use crate::tape::{MarketData, Tape};

/// From the last event to the end of the session: what it causes is done by then.
const AFTER_LAST: Duration = Duration::from_millis(1);

/// What a [`Backtest`] is on a bus, live or in an isolate: three actors, to be spawned in this sequence.
pub struct OnBus {
    /// The exchange simulator, with the terms of each asset.
    pub venue: Venue,
    /// The host of the strategy.
    pub trader: Trader,
    /// The prices. A feed of one's own, from a venue of the world, takes its place without a change of the
    /// others.
    pub feed: MarketFeed,
}

/// Publishes prices in memory as messages, each moment when it becomes known: bars when they are over. The
/// distances are those of the prices, on the clock of the bus.
///
/// Numbers are counted over all assets. A [`Moment`] comes before events of which there are several at a
/// time, and before bars, to say when they are over.
pub struct MarketFeed {
    tape: Arc<Tape>,
    speed: f64,
}

impl MarketFeed {
    /// Feeds a bus with these prices, in their own time.
    #[must_use]
    pub fn new(tape: Arc<Tape>) -> Self {
        Self { tape, speed: 1.0 }
    }

    /// So many times as fast as the prices were. Orders are late where the time between two events is too
    /// short to decide in it. It must be a number above zero.
    #[must_use]
    pub fn speed(mut self, times: f64) -> Self {
        self.speed = times;
        self
    }

    /// Publishes the events of a moment, up to this one.
    async fn tell(
        &self,
        first: usize,
        last: usize,
        known: Timestamp,
        ctx: &ServiceContext,
    ) -> Result<(), BoxError> {
        let ends = self.tape.event(last).filter(|event| last > first || event.data.timestamp() != known);
        if let Some(event) = ends {
            let booked = self.tape.time_of(&event);
            ctx.publish(Moment { known, last: last as u32, booked }).await?;
        }
        for event in (first..=last).filter_map(|number| self.tape.event(number)) {
            let (index, asset) = (event.number as u32, event.asset);
            match event.data {
                MarketData::Bar(bar) => ctx.publish(Bar { index, asset, ..*bar }).await?,
                MarketData::Quote(quote) => ctx.publish(Quote { index, asset, ..*quote }).await?,
                MarketData::Tick(tick) => ctx.publish(Tick { index, asset, ..*tick }).await?,
                MarketData::Depth(book) => ctx.publish(Depth { index, asset, ..*book }).await?,
            }
        }
        Ok(())
    }
}

impl Service for MarketFeed {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        if self.speed.is_nan() || self.speed <= 0.0 {
            return Err(
                format!("the speed of a feed is {}, and must be a number above zero", self.speed).into()
            );
        }
        let (start, mut first_ns, mut first) = (ctx.now(), None, 0);
        let mut latest = Timestamp::default();
        while let Some(event) = self.tape.event(self.tape.moment_end(first)) {
            let known = self.tape.known(&event);
            let elapsed_ns = known.as_nanos().abs_diff(*first_ns.get_or_insert(known.as_nanos()));
            let due = start + Duration::from_nanos((elapsed_ns as f64 / self.speed) as u64);
            // Moments of one time are apart too: what the one causes comes before the other.
            ctx.sleep_until(due.max(ctx.now() + Duration::from_nanos(1))).await;
            self.tell(first, event.number, known, ctx).await?;
            (latest, first) = (event.data.timestamp(), event.number + 1);
        }
        ctx.sleep(AFTER_LAST).await;
        ctx.publish(SessionEnd { timestamp: latest }).await?;
        Ok(())
    }
}

impl Backtest {
    /// The same run on a bus, live or in an isolate: its exchange, its strategy, and its prices as messages.
    /// In an isolate the strategy does as in [`run`](Backtest::run); on a live bus it does, for as long as
    /// its orders are at the exchange before the next event.
    ///
    /// One thing a bus cannot tell: which event is the last one of its asset. With
    /// [`FillAt::OnClose`](crate::engine::FillAt::OnClose), an order on the last close of an asset that ends
    /// before the others may open there, and in memory it does not.
    ///
    /// ```
    /// use backtest::strategy::{Backtest, OnBus, StrategyContext};
    /// use mycelium::Isolate;
    /// # use backtest::messages::{Bar, Timestamp};
    /// # let bar = |i: i64, close: f64| Bar { open: close, high: close, low: close, close,
    /// #     timestamp: Timestamp::from_nanos(i * 86_400_000_000_000), ..Bar::default() };
    /// # let of = |prices: [f64; 3]| prices.iter().zip(0..).map(|(p, i)| bar(i, *p)).collect::<Vec<_>>();
    /// let backtest = Backtest::of([("A", of([10.0, 11.0, 12.0])), ("B", of([20.0, 18.0, 16.0]))]);
    /// let strategy = |ctx: &mut StrategyContext<'_>| {
    ///     if ctx.is_flat() {
    ///         ctx.buy(100);
    ///         ctx.asset("B").sell(100);
    ///     }
    /// };
    /// let OnBus { venue, trader, feed } = backtest.on_bus(strategy)?;
    /// let mut isolate = Isolate::new(0);
    /// isolate.spawn(venue)?;
    /// let trader = isolate.spawn(trader)?;
    /// isolate.spawn_service(feed)?;
    /// isolate.run()?;
    /// let statistics = isolate.take(&trader).map(|trader| trader.statistics());
    /// assert_eq!(statistics, Some(backtest.run(strategy)?.statistics));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As of [`run`](Backtest::run).
    pub fn on_bus(&self, strategy: impl Strategy) -> Result<OnBus, InstanceError> {
        let (tape, terms) = self.checked()?;
        let market = self.market_terms();
        let trader = Trader::of(strategy, market, tape.symbols().zip(&terms));
        Ok(OnBus { trader, feed: MarketFeed::new(Arc::clone(tape)), venue: Venue::of(market.clone(), terms) })
    }
}
