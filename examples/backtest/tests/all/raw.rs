//! An actor that speaks the messages itself, beside a strategy with the same rule.

use std::path::Path;
use std::sync::{Arc, Mutex};

use backtest::actors::Feed;
use backtest::data;
use backtest::engine::{AtEnd, Market, Share};
use backtest::indicators::{Indicator, Rsi};
use backtest::messages::{Bar, BarDone, Execution, NewOrder, OrderType, SizeUnit};
use backtest::source::History;
use backtest::strategy::{Backtest, Size, StrategyContext, Venue};
use mycelium::{Actor, BoxError, Context, Handler, Isolate, Subscriptions};

type Fills = Arc<Mutex<Vec<(u32, f64)>>>;

/// Buys below 30 and sells above 70, and decides when its fills are known, or when it hears of the bar.
struct RawRsi {
    rsi: Rsi,
    too_early: bool,
    latest: Bar,
    lots: i64,
    orders: u32,
    fills: Fills,
}

impl RawRsi {
    async fn decide(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let Some(rsi) = self.rsi.push(self.latest.close) else { return Ok(()) };
        let (unit, size) = match self.lots {
            0 if rsi < 30.0 => (SizeUnit::Cash, 1.0),
            lots if lots > 0 && rsi > 70.0 => (SizeUnit::Lots, -(lots as f64)),
            _ => return Ok(()),
        };
        self.orders += 1;
        let (order, after, kind) = (3 * self.orders - 2, self.latest.index, OrderType::Market);
        ctx.publish(NewOrder { order, after, kind, unit, size, ..NewOrder::default() }).await?;
        Ok(())
    }
}

impl Actor for RawRsi {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Bar>().on::<Execution>().on::<BarDone>();
    }
}

impl Handler<Bar> for RawRsi {
    async fn handle(&mut self, bar: &Bar, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.latest = *bar;
        if self.too_early { self.decide(ctx).await } else { Ok(()) }
    }
}

impl Handler<Execution> for RawRsi {
    async fn handle(&mut self, execution: &Execution, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.lots += execution.quantity;
        self.fills.lock().expect("nobody panics").push((execution.index, execution.price));
        Ok(())
    }
}

impl Handler<BarDone> for RawRsi {
    async fn handle(&mut self, _: &BarDone, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.too_early { Ok(()) } else { self.decide(ctx).await }
    }
}

fn market() -> Market {
    Market { commission: Arc::new(Share(0.002)), at_end: AtEnd::Keep, ..Market::default() }
}

fn raw(bars: &Arc<[Bar]>, too_early: bool) -> Vec<(u32, f64)> {
    let fills = Fills::default();
    let rsi = Rsi::new(5);
    let actor =
        RawRsi { rsi, too_early, latest: Bar::default(), lots: 0, orders: 0, fills: Arc::clone(&fills) };
    let mut isolate = Isolate::new(0);
    isolate.spawn(actor).expect("it is spawned");
    isolate.spawn(Venue::new(market()).tell_every_bar()).expect("it is spawned");
    isolate.spawn_service(Feed::new(History::new(Arc::clone(bars)))).expect("it is spawned");
    isolate.run().expect("it runs");
    fills.lock().expect("nobody panics").clone()
}

#[test]
fn an_actor_that_decides_when_a_bar_is_done_trades_as_a_strategy_does() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let bars: Arc<[Bar]> = data::load(&file, Some("GOOG")).expect("the example's data").bars.into();
    let mut rsi = Rsi::new(5);
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        let Some(rsi) = rsi.push(ctx.price()) else { return };
        if ctx.is_flat() && rsi < 30.0 {
            ctx.buy(Size::All);
        } else if ctx.position() > 0.0 && rsi > 70.0 {
            ctx.close();
        }
    };
    let report = Backtest::new(Arc::clone(&bars)).market(market()).run(strategy).expect("it runs");
    let closed = report
        .trades
        .iter()
        .flat_map(|trade| [(trade.entry_bar, trade.entry_price), (trade.exit_bar, trade.exit_price)]);
    let open = report.open_trades.iter().map(|trade| (trade.entry_bar, trade.entry_price));
    let fills: Vec<(u32, f64)> = closed.chain(open).collect();
    assert!(fills.len() > 20);
    assert_eq!(raw(&bars, false), fills);
    // The page warns of this: it orders twice, because it does not know yet that it has bought.
    assert_ne!(raw(&bars, true), fills);
}
