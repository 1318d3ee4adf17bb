//! The exchange simulator as an actor: a thin shell around the [`Engine`].

use mycelium::{Actor, BoxError, Context, Handler, Subscriptions};

use crate::engine::{AssetTerms, Engine, Event, Market};
use crate::messages::{
    Bar, BarDone, CancelOrder, Depth, Moment, NewOrder, Quote, SessionEnd, Settlement, Tick,
};
use crate::tape::MarketData;

/// Fills orders against the events that it hears of.
///
/// # An actor of your own instead of a strategy
/// An actor that hears of a [`Bar`] does not know yet what is filled in it: venue and actor hear of it at
/// the same time. An actor that decides in its handler of `Bar` decides on the account of the bar before,
/// and backtests too well or too badly without any sign of it. Let it keep the bar, its account from each
/// [`Execution`](crate::messages::Execution), and decide in its handler of [`BarDone`], which comes after
/// both:
///
/// ```
/// use backtest::messages::{Bar, BarDone, Execution, NewOrder, SizeUnit};
/// use mycelium::{BoxError, Context, actor};
///
/// #[derive(Default)]
/// struct BuyTheFall {
///     latest: Bar,
///     fell: bool,
///     lots: i64,
///     orders: u32,
/// }
///
/// #[actor]
/// impl BuyTheFall {
///     #[on]
///     fn bar(&mut self, bar: &Bar) {
///         self.fell = bar.close < self.latest.close;
///         self.latest = *bar;
///     }
///
///     #[on]
///     fn execution(&mut self, execution: &Execution) {
///         self.lots += execution.quantity;
///     }
///
///     #[on]
///     async fn decide(&mut self, done: &BarDone, ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         if self.fell && self.lots == 0 {
///             // Three numbers for each order: its own, and those of its stop loss and its take profit.
///             self.orders += 1;
///             let (order, after) = (3 * self.orders - 2, done.index);
///             let all = NewOrder { order, after, unit: SizeUnit::Cash, size: 1.0, ..NewOrder::default() };
///             ctx.publish(all).await?;
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// The venue says [`BarDone`] of each bar if it is asked to: [`tell_every_bar`](Venue::tell_every_bar). A
/// [`Strategy`](super::Strategy) has none of this to think of.
pub struct Venue {
    engine: Engine,
}

impl Venue {
    /// A venue for a bus, with one flat account on one asset.
    #[must_use]
    pub fn new(market: Market) -> Self {
        Self { engine: Engine::new(market) }
    }

    /// A venue for a bus, with one flat account on several assets.
    #[must_use]
    pub fn of(market: Market, assets: Vec<AssetTerms>) -> Self {
        Self { engine: Engine::on(market, assets) }
    }

    /// Publishes a [`BarDone`] for each event, also where nothing could be filled: for actors that decide
    /// on it. A [`Trader`](super::Trader) does without.
    #[must_use]
    pub fn tell_every_bar(mut self) -> Self {
        self.engine.tell_always();
        self
    }

    /// How many events were passed over because nobody could trade on them: books without a side, prices and
    /// sizes that are no numbers. [`Trader::passed_over`](super::Trader::passed_over) counts the same. The
    /// first is logged as a warning with its cause, and so is each power of two of them.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.engine.passed_over()
    }

    /// Publishes what has happened, and then that this was all. Fails where a cost was no number.
    async fn tell(&mut self, done: BarDone, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if let Some(fault) = self.engine.fault() {
            return Err(fault.into());
        }
        for event in self.engine.events().as_slice() {
            match event {
                Event::Update(update) => ctx.publish(*update).await?,
                Event::Executed(execution) => ctx.publish(*execution).await?,
                Event::Charged(charge) => ctx.publish(*charge).await?,
            }
        }
        ctx.publish(done).await?;
        Ok(())
    }

    /// Passes what has come.
    async fn hear(
        &mut self,
        asset: u16,
        number: u32,
        data: MarketData<'_>,
        ctx: &mut Context<Self>,
    ) -> Result<(), BoxError> {
        if let Some(done) = self.engine.end_moment_before(Some(number)) {
            self.tell(done, ctx).await?;
        }
        let passed_over = self.engine.passed_over();
        let done = self.engine.on_data(asset, number, data);
        let now = self.engine.passed_over();
        if now != passed_over && now.is_power_of_two() {
            tracing::warn!(
                target: "backtest::venue",
                passed_over = now,
                asset,
                index = number,
                cause = self.engine.latest_fault(),
                "an event that nobody could trade on is passed over: look at the feed"
            );
        }
        match done {
            None => Ok(()),
            Some(done) => self.tell(done, ctx).await,
        }
    }
}

impl Actor for Venue {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<NewOrder>().on::<CancelOrder>().on::<SessionEnd>();
        topics.on::<Bar>().on::<Quote>().on::<Tick>().on::<Depth>().on::<Moment>();
    }
}

impl Handler<Moment> for Venue {
    async fn handle(&mut self, moment: &Moment, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if let Some(done) = self.engine.end_moment_before(None) {
            self.tell(done, ctx).await?;
        }
        self.engine.announce(*moment);
        Ok(())
    }
}

impl Handler<Bar> for Venue {
    async fn handle(&mut self, bar: &Bar, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(bar.asset, bar.index, MarketData::Bar(bar), ctx).await
    }
}

impl Handler<Quote> for Venue {
    async fn handle(&mut self, quote: &Quote, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(quote.asset, quote.index, MarketData::Quote(quote), ctx).await
    }
}

impl Handler<Tick> for Venue {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(tick.asset, tick.index, MarketData::Tick(tick), ctx).await
    }
}

impl Handler<Depth> for Venue {
    async fn handle(&mut self, book: &Depth, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(book.asset, book.index, MarketData::Depth(book), ctx).await
    }
}

impl Handler<NewOrder> for Venue {
    async fn handle(&mut self, order: &NewOrder, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.engine.place(*order);
        Ok(())
    }
}

impl Handler<CancelOrder> for Venue {
    async fn handle(&mut self, cancel: &CancelOrder, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.engine.cancel(*cancel);
        Ok(())
    }
}

impl Handler<SessionEnd> for Venue {
    async fn handle(&mut self, end: &SessionEnd, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let done = self.engine.end();
        self.tell(done, ctx).await?;
        ctx.publish(Settlement { timestamp: end.timestamp, price: self.engine.price(0) }).await?;
        Ok(())
    }
}
