//! Strategies on a bus, live and in an isolate: each sees, does and wins what it does in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backtest::depth::Depth;
use backtest::engine::{MakerTaker, Share};
use backtest::messages::{
    Bar, Execution, FillKind, Moment, OrderUpdate, Quote, SessionEnd, Settlement, Timestamp,
};
use backtest::strategy::{Backtest, OnBus, Strategy, StrategyContext};
use backtest::tape::{MarketData, Prices, Tape};
use mycelium::{Isolate, Message, MessageBus, actor};
use strategies::imbalance::Imbalance;
use strategies::market_maker::MarketMaker;
use strategies::pairs::Pairs;
use strategies::rsi_stop::RsiStop;

use super::assets::{bars, quotes};

/// What a strategy is shown when it is called, of each asset and of the account.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    assets: Vec<(Timestamp, f64, f64)>,
    cash: f64,
    equity: f64,
    working: usize,
    updates: Vec<OrderUpdate>,
}

/// A trade, or a part of one, that was closed: its number, its asset, the place of the exit in the asset's
/// series, the price and the units.
type Closed = (u32, u16, u32, f64, f64);

/// What a run leaves.
#[derive(Debug, PartialEq)]
struct Run {
    seen: Vec<Seen>,
    closed: Vec<Closed>,
    /// As text: a figure that is not defined is no number, and equal to none.
    statistics: String,
}

/// The same strategy, with all that it is shown.
fn watched(mut strategy: impl Strategy) -> (impl Strategy, Arc<Mutex<Vec<Seen>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&log);
    let watched = move |ctx: &mut StrategyContext<'_>| {
        let count = ctx.assets().len();
        let asset = |at: usize| {
            let asset = ctx.asset_at(at);
            (asset.time(), asset.price(), asset.position())
        };
        let assets = (0..count).map(asset).collect();
        let (working, updates) = (ctx.orders().len(), ctx.updates().to_vec());
        let seen = Seen { assets, cash: ctx.cash(), equity: ctx.equity(), working, updates };
        into.lock().expect("nobody panics").push(seen);
        strategy.next(ctx);
    };
    (watched, log)
}

fn in_memory(backtest: &Backtest, strategy: impl Strategy) -> Run {
    let (strategy, log) = watched(strategy);
    let report = backtest.run(strategy).expect("it runs");
    let of = |trade: &backtest::strategy::Trade| {
        (trade.number, trade.asset, trade.exit_bar, trade.exit_price, trade.size)
    };
    let closed = report.trades.iter().map(of).collect();
    Run {
        seen: log.lock().expect("nobody panics").clone(),
        closed,
        statistics: format!("{:?}", report.statistics),
    }
}

/// Writes down what was filled.
struct Recorder {
    fills: Arc<Mutex<Vec<Execution>>>,
    over: Option<tokio::sync::oneshot::Sender<()>>,
}

#[actor]
impl Recorder {
    #[on]
    fn execution(&mut self, execution: &Execution) {
        self.fills.lock().expect("nobody panics").push(*execution);
    }

    #[on]
    fn settlement(&mut self, _settlement: &Settlement) {
        self.over.take().map(|over| over.send(()));
    }
}

/// The trades that these fills have closed, on these prices.
fn closed(fills: &[Execution], tape: &Tape) -> Vec<Closed> {
    let of = |fill: &Execution| {
        let place = tape.event(fill.index as usize).expect("an event of the tape").at as u32;
        (fill.trade, fill.asset, place, fill.price, -fill.quantity as f64)
    };
    fills.iter().filter(|fill| fill.kind != FillKind::Open).map(of).collect()
}

fn in_isolate(backtest: &Backtest, tape: &Tape, strategy: impl Strategy) -> Run {
    let (strategy, log) = watched(strategy);
    let OnBus { venue, trader, feed } = backtest.on_bus(strategy).expect("prices and terms");
    let fills = Arc::new(Mutex::new(Vec::new()));
    let mut isolate = Isolate::new(0);
    isolate.spawn(Recorder { fills: Arc::clone(&fills), over: None }).expect("it is spawned");
    isolate.spawn(venue).expect("it is spawned");
    let trader = isolate.spawn(trader).expect("it is spawned");
    isolate.spawn_service(feed).expect("it is spawned");
    isolate.run().expect("it runs");
    let statistics = format!("{:?}", isolate.take(&trader).expect("it has not ended").statistics());
    let closed = closed(&fills.lock().expect("nobody panics"), tape);
    Run { seen: log.lock().expect("nobody panics").clone(), closed, statistics }
}

/// Waits until everything that was published is done with, and nothing came of it meanwhile.
///
/// Queues are looked at one after the other: what one look has missed, as it came into a queue behind its
/// back, the next ones find there, or in what was published since.
async fn settled(bus: &MessageBus) {
    let (mut before, mut still) = (None, 0);
    loop {
        let stats = bus.stats();
        let waiting: u64 = stats.queues.iter().map(|queue| queue.waiting).sum();
        let published: u64 = stats.topics.iter().map(|topic| topic.published).sum();
        let now = (waiting == 0).then_some(published);
        still = if now.is_some() && now == before { still + 1 } else { 0 };
        if still == 3 {
            return;
        }
        before = now;
        tokio::time::sleep(Duration::from_micros(50)).await;
    }
}

async fn publish<M: Message>(bus: &MessageBus, message: M) {
    bus.publisher::<M>().expect("a topic").publish(message).await.expect("the bus is open");
}

/// Live, with as much time between two moments as strategy and exchange take.
async fn live(backtest: &Backtest, tape: &Tape, strategy: impl Strategy) -> (Vec<Seen>, Vec<Closed>) {
    let (strategy, log) = watched(strategy);
    let OnBus { venue, trader, feed: _ } = backtest.on_bus(strategy).expect("prices and terms");
    let bus = MessageBus::new();
    let fills = Arc::new(Mutex::new(Vec::new()));
    let (over, is_over) = tokio::sync::oneshot::channel();
    bus.spawn(Recorder { fills: Arc::clone(&fills), over: Some(over) }).expect("it is spawned");
    bus.spawn(venue).expect("it is spawned");
    bus.spawn(trader).expect("it is spawned");
    let mut first = 0;
    while let Some(last) = tape.event(tape.moment_end(first)) {
        publish(&bus, Moment { known: tape.known(&last), last: last.number as u32, ..Moment::default() })
            .await;
        for event in (first..=last.number).filter_map(|number| tape.event(number)) {
            let index = event.number as u32;
            match event.data {
                MarketData::Bar(bar) => publish(&bus, Bar { index, ..*bar }).await,
                MarketData::Quote(quote) => publish(&bus, Quote { index, ..*quote }).await,
                MarketData::Depth(book) => publish(&bus, Depth { index, ..*book }).await,
                MarketData::Tick(_) => unreachable!("no test has ticks"),
            }
        }
        settled(&bus).await;
        first = last.number + 1;
    }
    publish(&bus, SessionEnd { timestamp: Timestamp::default() }).await;
    tokio::time::timeout(Duration::from_secs(60), is_over)
        .await
        .expect("a watchdog")
        .expect("the session ends");
    let closed = closed(&fills.lock().expect("nobody panics"), tape);
    (log.lock().expect("nobody panics").clone(), closed)
}

/// A strategy on prices: in memory, in an isolate, and live. All are the same, trade by trade.
async fn agree<S: Strategy>(
    assets: Vec<(&'static str, Prices)>,
    terms: impl Fn(Backtest) -> Backtest,
    strategy: impl Fn() -> S,
    trades: usize,
) {
    let backtest = terms(Backtest::of(assets.clone()));
    let tape = Tape::new(assets.into_iter().map(|(name, prices)| (name.to_owned(), prices))).expect("prices");
    let wanted = in_memory(&backtest, strategy());
    assert!(wanted.closed.len() >= trades, "{} trades", wanted.closed.len());
    assert_eq!(in_isolate(&backtest, &tape, strategy()), wanted);
    let (seen, closed) = live(&backtest, &tape, strategy()).await;
    assert_eq!((seen, closed), (wanted.seen, wanted.closed));
}

async fn rsi_agrees() {
    let assets = vec![("GOOG", bars("GOOG")[..400].to_vec().into())];
    agree(assets, |b| b.commission(Share(0.002)), || RsiStop::new(5, (40.0, 60.0), 0.05), 10).await;
}

async fn pairs_agree() {
    let of = |symbol| Prices::from(bars(symbol)[..80].to_vec());
    let terms = |b: Backtest| b.cash(100_000.0).leverage(2.0).commission(Share(0.0005));
    agree(vec![("IBM", of("IBM")), ("MSFT", of("MSFT"))], terms, || Pairs::new(10, 1.0), 10).await;
}

async fn the_market_maker_agrees() {
    let terms = |b: Backtest| {
        b.cash(100_000.0).leverage(5.0).commission(MakerTaker { maker: -0.000_01, taker: 0.000_5 })
    };
    agree(vec![("X", quotes(1_000).into())], terms, || MarketMaker::new(1.0, 0.03, 10.0), 20).await;
}

/// Books of three levels a side, whose sizes change, with some trades.
fn books(count: u32) -> Vec<Depth> {
    let mut state = 11_u32;
    let book = |index: u32| {
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let middle = 10_000.0 + f64::from(next(5)) - 2.0;
        let mut side = |sign: f64| {
            [1.0, 2.0, 3.0].map(|level| ((middle + sign * level) / 100.0, f64::from(1 + next(9))))
        };
        let (bids, asks) = (side(-1.0), side(1.0));
        let book = Depth::new(Timestamp::from_nanos(i64::from(index) * 1_000_000), &bids, &asks);
        if next(2) == 0 { book.with_trade(bids[0].0, f64::from(1 + next(12))) } else { book }
    };
    (0..count).map(book).collect()
}

async fn a_strategy_on_books_agrees() {
    let terms = |b: Backtest| b.cash(100_000.0).commission(Share(0.000_1));
    agree(vec![("X", books(1_000).into())], terms, || Imbalance::new(4.0, 0.2), 20).await;
}

/// Books of one asset against bars of another.
async fn books_and_bars_agree() {
    let bar = |index: i64| {
        let price = 50.0 + (index % 7) as f64;
        let timestamp = Timestamp::from_nanos(index * 50_000_000);
        Bar { timestamp, open: price, high: price + 1.0, low: price - 1.0, close: price, ..Bar::default() }
    };
    let bars: Vec<Bar> = (0..20).map(bar).collect();
    let strategy = || {
        let mut imbalance = Imbalance::new(4.0, 0.2);
        move |ctx: &mut StrategyContext<'_>| {
            imbalance.next(ctx);
            let hedge = -ctx.position();
            if ctx.asset("H").position() != hedge {
                ctx.asset("H").target(hedge);
            }
        }
    };
    let assets = vec![("X", Prices::from(books(1_000))), ("H", bars.into())];
    agree(assets, |b| b.cash(100_000.0), strategy, 20).await;
}

/// Each on a bus with one thread and with two.
macro_rules! on_one_thread_and_on_two {
    ($($body:ident: $one:ident, $two:ident;)*) => {
        $(#[tokio::test]
        async fn $one() {
            $body().await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $two() {
            $body().await;
        })*
    };
}

on_one_thread_and_on_two! {
    rsi_agrees: a_strategy_runs_unchanged_on_a_bus_with_one_thread, a_strategy_runs_unchanged_on_a_bus_with_two;
    pairs_agree: pairs_run_unchanged_on_a_bus_with_one_thread, pairs_run_unchanged_on_a_bus_with_two;
    the_market_maker_agrees: the_market_maker_runs_unchanged_on_one_thread, the_market_maker_runs_unchanged_on_two;
    a_strategy_on_books_agrees: books_are_traded_unchanged_on_one_thread, books_are_traded_unchanged_on_two;
    books_and_bars_agree: books_beside_bars_are_traded_unchanged_on_one_thread,
        books_beside_bars_are_traded_unchanged_on_two;
}

#[tokio::test]
async fn a_feed_keeps_the_distances_of_its_prices_on_a_live_bus() {
    let backtest = Backtest::of([("X", quotes(30))]);
    let (strategy, log) = watched(MarketMaker::new(1.0, 0.03, 10.0));
    let OnBus { venue, trader, feed } = backtest.on_bus(strategy).expect("prices and terms");
    let (bus, started) = (MessageBus::new(), std::time::Instant::now());
    let (over, is_over) = tokio::sync::oneshot::channel();
    bus.spawn(Recorder { fills: Arc::default(), over: Some(over) }).expect("it is spawned");
    bus.spawn(venue).expect("it is spawned");
    bus.spawn(trader).expect("it is spawned");
    bus.spawn_service(feed.speed(0.5)).expect("it is spawned");
    tokio::time::timeout(Duration::from_secs(60), is_over)
        .await
        .expect("a watchdog")
        .expect("the session ends");
    // Twenty-nine distances of a millisecond, at half the speed.
    assert!(started.elapsed() >= Duration::from_millis(58), "{:?}", started.elapsed());
    settled(&bus).await;
    assert_eq!(log.lock().expect("nobody panics").len(), 30);
}

#[test]
fn a_feed_without_a_speed_says_so() {
    let OnBus { feed, .. } =
        Backtest::of([("X", quotes(3))]).on_bus(|_: &mut StrategyContext<'_>| {}).expect("prices");
    let mut isolate = Isolate::new(0);
    isolate.spawn_service(feed.speed(0.0)).expect("it is spawned");
    let error = isolate.run().expect_err("it cannot run");
    assert!(format!("{error:?} {error}").contains("above zero"), "{error:?}");
}
