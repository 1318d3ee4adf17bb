//! Strategies on two assets and on quotes, and on a bus in real time.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backtest::data;
use backtest::engine::{MakerTaker, Market, Share};
use backtest::messages::{Bar, Execution, Quote, SessionEnd, Settlement, Timestamp};
use backtest::strategy::{Backtest, Strategy, StrategyContext, Trader, Venue};
use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Subscriptions};
use strategies::market_maker::MarketMaker;
use strategies::pairs::Pairs;
use strategies::rsi_stop::RsiStop;

fn bars(symbol: &str) -> Vec<Bar> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backtest/data/stocks.csv");
    data::load(&file, Some(symbol)).expect("the example's data").bars
}

#[test]
fn pairs_trades_one_asset_against_the_other() {
    let backtest = Backtest::of([("IBM", bars("IBM")), ("MSFT", bars("MSFT"))]).cash(100_000.0).leverage(2.0);
    let report = backtest.commission(Share(0.0005)).run(Pairs::new(50, 2.0)).expect("it runs");
    assert_eq!(report.assets, ["IBM", "MSFT"]);
    let of = |asset: u16| report.trades.iter().filter(move |trade| trade.asset == asset);
    assert!(of(0).count() > 10 && of(1).count() > 10, "{} trades", report.trades.len());
    // Each entry in one asset has its opposite in the other.
    for trade in of(0) {
        let other =
            of(1).find(|other| other.entry_time == trade.entry_time).expect("both are entered together");
        assert!(other.size * trade.size < 0.0);
    }
    let profit: f64 = report.trades.iter().map(|trade| trade.profit).sum();
    let end = report.statistics.equity_final;
    assert!((100_000.0 + profit - end).abs() < 1e-6 * end, "{profit} {end}");
}

/// Quotes about 100, two ticks wide, that jump by up to seven ticks.
fn quotes(count: u32) -> Vec<Quote> {
    let mut state = 7_u32;
    let quote = |index: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let middle = 9_997 + i64::from(state >> 29);
        Quote {
            timestamp: Timestamp::from_nanos(i64::from(index) * 1_000_000),
            bid: (middle - 1) as f64 / 100.0,
            ask: (middle + 1) as f64 / 100.0,
            bid_size: 10.0,
            ask_size: 10.0,
            index,
            asset: 0,
        }
    };
    (0..count).map(quote).collect()
}

#[test]
fn the_market_maker_earns_the_spread_of_a_market_that_comes_back() {
    let backtest = Backtest::of([("X", quotes(20_000))]).cash(100_000.0).leverage(5.0);
    let backtest = backtest.commission(MakerTaker { maker: -0.000_01, taker: 0.000_5 });
    let report = backtest.run(MarketMaker::new(1.0, 0.03, 10.0)).expect("it runs");
    assert!(report.trades.len() > 500, "{} trades", report.trades.len());
    assert!(report.statistics.equity_final > 100_000.0, "{}", report.statistics.equity_final);
    // Nothing was filled as a taker but what was open at the end: each trade has earned its rebates.
    let paid = report.trades.iter().filter(|trade| trade.commission > 0.0).count();
    assert!(paid <= 10, "{paid} trades have paid");
}

/// Writes down what was filled.
struct Recorder {
    fills: Arc<Mutex<Vec<Execution>>>,
    over: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Actor for Recorder {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Execution>().on::<Settlement>();
    }
}

impl Handler<Execution> for Recorder {
    async fn handle(&mut self, execution: &Execution, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.fills.lock().expect("nobody panics").push(*execution);
        Ok(())
    }
}

impl Handler<Settlement> for Recorder {
    async fn handle(&mut self, _: &Settlement, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.over.take().map(|over| over.send(()));
        Ok(())
    }
}

/// What a strategy is filled with on a bus, where bars come one by one.
async fn live(bars: &[Bar], market: &Market, mut strategy: impl Strategy) -> Vec<Execution> {
    let decided = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&decided);
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        strategy.next(ctx);
        count.fetch_add(1, Ordering::SeqCst);
    };
    let bus = MessageBus::new();
    let fills = Arc::new(Mutex::new(Vec::new()));
    let (over, is_over) = tokio::sync::oneshot::channel();
    bus.spawn(Recorder { fills: Arc::clone(&fills), over: Some(over) }).expect("it is spawned");
    bus.spawn(Venue::new(market.clone())).expect("it is spawned");
    bus.spawn(Trader::on_bus(strategy, market, &["GOOG"])).expect("it is spawned");
    let (publisher, end) =
        (bus.publisher::<Bar>().expect("a topic"), bus.publisher::<SessionEnd>().expect("a topic"));
    for (at, bar) in bars.iter().enumerate() {
        publisher.publish(*bar).await.expect("the bus is open");
        while decided.load(Ordering::SeqCst) <= at {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        // Between two bars of real time there is more than enough to send an order.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    end.publish(SessionEnd { timestamp: bars[bars.len() - 1].timestamp }).await.expect("the bus is open");
    tokio::time::timeout(Duration::from_secs(60), is_over)
        .await
        .expect("a watchdog")
        .expect("the session ends");
    fills.lock().expect("nobody panics").clone()
}

/// What it is filled with in a backtest.
fn simulated(bars: &[Bar], market: &Market, strategy: impl Strategy) -> Vec<(u32, f64, u32)> {
    let report = Backtest::new(bars.to_vec()).market(market.clone()).run(strategy).expect("it runs");
    let mut fills: Vec<(u32, f64, u32)> = Vec::new();
    for trade in &report.trades {
        fills.push((trade.entry_bar, trade.entry_price, trade.number));
        fills.push((trade.exit_bar, trade.exit_price, trade.number));
    }
    fills.sort_by_key(|fill| (fill.2, fill.0));
    fills
}

async fn agree(strategy: impl Fn() -> RsiStop) {
    let bars = &bars("GOOG")[..400];
    let market = Market { commission: Arc::new(Share(0.002)), ..Market::default() };
    let executions = live(bars, &market, strategy()).await;
    let mut fills: Vec<_> = executions.iter().map(|fill| (fill.index, fill.price, fill.trade)).collect();
    fills.sort_by_key(|fill| (fill.2, fill.0));
    assert!(fills.len() >= 2);
    assert_eq!(fills, simulated(bars, &market, strategy()));
}

#[tokio::test]
async fn a_strategy_runs_unchanged_on_a_bus_with_one_thread() {
    agree(|| RsiStop::new(5, (40.0, 60.0), 0.05)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strategy_runs_unchanged_on_a_bus_with_two_threads() {
    agree(|| RsiStop::new(5, (40.0, 60.0), 0.05)).await;
}

#[test]
fn a_name_that_is_no_asset_ends_the_run_and_says_which_there_are() {
    let backtest = Backtest::of([("IBM", bars("IBM")), ("MSFT", bars("MSFT"))]);
    let error =
        backtest.run(|ctx: &mut StrategyContext<'_>| _ = ctx.asset("FB").price()).expect_err("no such asset");
    let text = error.to_string();
    assert!(text.contains("FB") && text.contains("MSFT"), "{text}");
    let error =
        backtest.terms("FB", |_| {}).run(|_: &mut StrategyContext<'_>| {}).expect_err("no such asset");
    assert!(error.to_string().contains("FB"), "{error}");
}
