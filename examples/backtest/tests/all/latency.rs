//! News that takes its time: a strategy sees what is over and has come, and no order is filled by what began
//! before it was sent.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backtest::engine::{AtEnd, FillAt, Jitter, Latency};
use backtest::messages::{Bar, OrderStatus, Quote, Tick, Timestamp};
use backtest::prelude::*;
use backtest::tape::{MarketData, Prices};
use mycelium_random::{Random, cases, seeds};

const CASES: u64 = 200;
const SECOND_NS: i64 = 1_000_000_000;
const NAMES: [&str; 3] = ["bars", "quotes", "ticks"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * SECOND_NS)
}

/// Bars of so many seconds without gaps, of which each is over when the next begins.
fn bars(random: &mut Random, seconds: i64) -> Vec<Bar> {
    let mut price = 100.0;
    let bar = |index: u32| {
        let open = price;
        price += (random.below(201) as f64 - 100.0) / 100.0;
        let (high, low) = (price.max(open) + 0.2, price.min(open) - 0.2);
        let timestamp = at(i64::from(index) * seconds);
        Bar { timestamp, open, high, low, close: price, volume: 100.0, close_ticks: 1, index, asset: 0 }
    };
    (0..40).map(bar).collect()
}

/// Distinct times, so that each row is a moment of its asset.
fn times(random: &mut Random, count: u32) -> Vec<(u32, Timestamp)> {
    let mut seconds = random.below(50) as i64;
    let time = |index: u32| {
        seconds += 1 + random.below(60) as i64;
        (index, at(seconds))
    };
    (0..count).map(time).collect()
}

fn quotes(random: &mut Random) -> Vec<Quote> {
    let (mut middle, times) = (100.0, times(random, 80));
    let quote = |(index, timestamp): (u32, Timestamp)| {
        middle += (random.below(41) as f64 - 20.0) / 100.0;
        let (bid, ask) = (middle - 0.05, middle + 0.05);
        Quote { timestamp, bid, ask, bid_size: 9.0, ask_size: 9.0, index, asset: 0 }
    };
    times.into_iter().map(quote).collect()
}

fn ticks(random: &mut Random) -> Vec<Tick> {
    let quotes = quotes(random);
    let tick = |q: &Quote| Tick { timestamp: q.timestamp, price: q.bid, size: 1.0, index: q.index, asset: 0 };
    quotes.iter().map(tick).collect()
}

/// When each row of an asset began, when it was over, and when it is heard of: told apart from the library.
fn told(prices: &Prices, asset: u16, bar_seconds: i64, latency: &dyn Latency) -> Vec<(i64, i64)> {
    let mut before_ns = i64::MIN;
    let row = |data: MarketData<'_>| {
        let began_ns = data.timestamp().as_nanos();
        let length_ns = if matches!(data, MarketData::Bar(_)) { bar_seconds * SECOND_NS } else { 0 };
        let over_ns = began_ns + length_ns;
        let delay = latency.delay(asset, Timestamp::from_nanos(over_ns)).as_nanos() as i64;
        before_ns = before_ns.max(over_ns + delay);
        (began_ns, before_ns)
    };
    (0..prices.len()).filter_map(|at| prices.get(at)).map(row).collect()
}

/// Orders of any kind on any asset. Returns the numbers of those that it sent.
fn act(ctx: &mut StrategyContext<'_>, random: &mut Random) -> Vec<OrderId> {
    if random.below(3) == 0 {
        ctx.cancel_all();
    }
    let mut ctx = ctx.asset_at(random.index(3));
    let (price, buy) = (ctx.price(), random.below(2) == 0);
    let side = if buy { 1.0 } else { -1.0 };
    let ticket = match random.below(4) {
        0 => Ticket::new(3).limit(price * (1.0 - 0.001 * side)),
        1 => Ticket::new(3).stop(price * (1.0 + 0.001 * side)),
        2 => Ticket::new(3).immediate_or_cancel(),
        _ => Ticket::new(3),
    };
    match random.below(3) {
        0 => Vec::new(),
        _ if buy => vec![ctx.buy(ticket)],
        _ => vec![ctx.sell(ticket)],
    }
}

fn some_latency(random: &mut Random) -> Arc<dyn Latency> {
    let seconds = |most: u64, random: &mut Random| Duration::from_secs(random.below(most));
    let (a, b, c) = (seconds(5, random), seconds(200, random), seconds(2_000, random));
    match random.below(3) {
        0 => Arc::new(b),
        1 => Arc::new(Jitter { least: a, most: a + b, seed: random.below(99) }),
        // Of each asset its own.
        _ => Arc::new(move |asset: u16, _: Timestamp| [a, b, c][usize::from(asset)]),
    }
}

/// So that one model serves the backtest and the check.
struct Shared(Arc<dyn Latency>);

impl Latency for Shared {
    fn delay(&self, asset: u16, over: Timestamp) -> Duration {
        self.0.delay(asset, over)
    }
}

#[test]
fn nothing_is_seen_before_its_news_and_filled_before_its_order() {
    let (mut fills, mut late) = (0, 0);
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let length = random.pick(&[30, 60, 600]);
        let assets: [Prices; 3] = [bars(random, length).into(), quotes(random).into(), ticks(random).into()];
        let feed = some_latency(random);
        let order = Duration::from_secs(random.pick(&[0, 1, 45]));
        let rows: Vec<Vec<(i64, i64)>> =
            (0..3).map(|asset| told(&assets[asset], asset as u16, length, &*feed)).collect();
        let backtest = Backtest::of(NAMES.into_iter().zip(assets)).cash(1e6).leverage(9.0).latency(order);
        let backtest = backtest.at_end(AtEnd::Keep).feed_latency(Shared(feed));
        let (sent, chance) = (Arc::new(Mutex::new(Vec::new())), &mut Random::new(seed ^ 0xfeed));
        let (mut chance, known, log) = (chance.clone(), rows.clone(), Arc::clone(&sent));
        let strategy = move |ctx: &mut StrategyContext<'_>| {
            let seen = [ctx.bars().len(), ctx.asset_at(1).quotes().len(), ctx.asset_at(2).ticks().len()];
            let now_ns = (0..3).map(|asset| known[asset][seen[asset] - 1].1).max().expect("three");
            for asset in 0..3 {
                // Events of one time are seen one by one.
                let before = known[asset].partition_point(|(_, heard_ns)| *heard_ns < now_ns);
                let come = known[asset].partition_point(|(_, heard_ns)| *heard_ns <= now_ns);
                assert!((before..=come).contains(&seen[asset]), "seed {seed}: asset {asset} at {now_ns}");
            }
            let orders = act(ctx, &mut chance);
            log.lock().expect("nobody panics").extend(orders.into_iter().map(|order| (order, now_ns)));
        };
        let report = backtest.run(strategy).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(report.equity.len() <= rows.iter().map(Vec::len).sum());
        let times: Vec<i64> = backtest.bars().iter().map(|bar| bar.timestamp.as_nanos()).collect();
        assert!(times.is_sorted(), "seed {seed}: the account goes back in time");
        for (id, now_ns) in sent.lock().expect("nobody panics").iter() {
            let record = report.orders.iter().find(|record| record.order.id == *id).expect("it is logged");
            if record.status != OrderStatus::Filled {
                continue;
            }
            let place = record.ended_bar.expect("it has ended") as usize;
            let began_ns = rows[usize::from(record.order.asset)][place].0;
            let there_ns = now_ns + order.as_nanos() as i64;
            assert!(began_ns >= there_ns, "seed {seed}: {record:?} was there at {there_ns}");
            fills += 1;
            late += usize::from(place > record.placed_bar as usize + 1);
        }
    }
    let few = cases(CASES) < CASES;
    assert!(few || fills > 2_000 && late > 500, "{fills} {late}");
}

/// The equity of a strategy that trades quotes at random.
fn of_quotes(seed: u64, feed: Option<Duration>, order: Duration) -> (Vec<f64>, Vec<(u32, f64)>) {
    let random = &mut Random::new(seed);
    let mut backtest = Backtest::of([("X", quotes(random))]).cash(1e6).latency(order);
    if let Some(feed) = feed {
        backtest = backtest.feed_latency(feed);
    }
    let mut chance = Random::new(seed ^ 0x5eed);
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        let price = ctx.price();
        match chance.below(5) {
            0 => _ = ctx.buy(Ticket::new(2).limit(price - 0.05)),
            1 => _ = ctx.sell(Ticket::new(2).limit(price + 0.05)),
            2 => _ = ctx.target(Size::Units(chance.below(9) as f64 - 4.0)),
            3 => ctx.cancel_all(),
            _ => {}
        }
    };
    let report = backtest.run(strategy).expect("it runs");
    let exits = report.trades.iter().map(|trade| (trade.exit_bar, trade.exit_price)).collect();
    (report.equity.to_vec(), exits)
}

#[test]
fn of_one_asset_late_news_are_late_orders() {
    let seconds = Duration::from_secs;
    let mut differ = 0;
    for seed in seeds(50) {
        let whole = of_quotes(seed, None, seconds(100));
        assert_eq!(of_quotes(seed, Some(seconds(70)), seconds(30)), whole, "seed {seed}");
        assert_eq!(of_quotes(seed, Some(seconds(100)), Duration::ZERO), whole, "seed {seed}");
        let at_once = of_quotes(seed, None, Duration::ZERO);
        assert_eq!(of_quotes(seed, Some(Duration::ZERO), Duration::ZERO), at_once, "seed {seed}");
        differ += usize::from(at_once != whole);
    }
    assert!(differ > 0, "latency changes nothing");
}

#[test]
fn a_slow_feed_is_seen_behind_a_fast_one() {
    // The quotes of both are of the same seconds. Of the second asset they come two seconds late.
    let quote = |index: u32| Quote {
        timestamp: at(i64::from(index)),
        bid: 99.0,
        ask: 101.0,
        bid_size: 1.0,
        ask_size: 1.0,
        index,
        asset: 0,
    };
    let rows: Vec<Quote> = (0..6).map(quote).collect();
    let slow = |asset: u16, _: Timestamp| Duration::from_secs(if asset == 1 { 2 } else { 0 });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        let seconds = |time: Timestamp| time.as_nanos() / SECOND_NS;
        let both = (seconds(ctx.time()), seconds(ctx.asset_at(1).time()));
        log.lock().expect("nobody panics").push(both);
    };
    let backtest = Backtest::of([("fast", rows.clone()), ("slow", rows)]).feed_latency(slow);
    let report = backtest.run(strategy).expect("it runs");
    // Called when both have a price.
    assert_eq!(*seen.lock().expect("nobody panics"), [(2, 0), (3, 1), (4, 2), (5, 3), (5, 4), (5, 5)]);
    assert_eq!(report.equity.len(), 8);
    let times: Vec<i64> = backtest.bars().iter().map(|bar| bar.timestamp.as_nanos() / SECOND_NS).collect();
    assert_eq!(times, [0, 1, 2, 3, 4, 5, 5, 5], "booked to no time before one that is booked");
}

#[test]
fn a_feed_that_takes_its_time_is_told_and_refused_where_it_cannot_be() {
    let daily = |close: f64, day: i64| Bar {
        timestamp: at(day * 86_400),
        open: close,
        high: close,
        low: close,
        close,
        ..Bar::default()
    };
    let bars: Vec<Bar> = (0..5).map(|day| daily(100.0 + day as f64, day)).collect();
    let backtest = Backtest::new(bars).feed_latency(Duration::from_secs(1));
    // A bar of a day is heard of a second into the next, whose open has gone by.
    let buy = |ctx: &mut StrategyContext<'_>| {
        if ctx.bar().index == 0 {
            ctx.buy(1);
        }
    };
    let report = backtest.clone().at_end(AtEnd::Keep).run(buy).expect("it runs");
    assert_eq!((report.open_trades[0].entry_bar, report.open_trades[0].entry_price), (2, 102.0));
    let error = backtest.fill_at(FillAt::OnClose).run(buy).expect_err("both").to_string();
    assert!(error.contains("`latency` is not zero, but `fill_at` is the close"), "{error}");
    // On the command line.
    let program = backtest::program!(Never::new(days: usize = 1));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let run = |command: &str, flags: &[&str]| {
        let data = ["it", command, "--data", file.to_str().expect("a path"), "--symbol", "GOOG"];
        program.execute([&data, flags].concat()).map_err(|error| error.to_string())
    };
    run("run", &["--feed-latency", "1ms..5ms", "--latency", "2ms"]).expect("it runs");
    for (flags, part) in [
        (["--feed-latency", "5"], "`5` is no time from zero; write `250us`, `5ms` or `1s`"),
        (["--feed-latency", "5ms..1ms"], "ends before it begins"),
        (["--latency", "5 days ago"], "no time from zero"),
    ] {
        let error = run("run", &flags).expect_err("refused");
        assert!(error.contains(part), "{flags:?}: {error}");
    }
    // Paths of resampled prices have the feed too.
    run("monte-carlo", &["--feed-latency", "5ms", "--paths", "3"]).expect("it runs");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path");
    run("sweep", &["--feed-latency", "1ms..5ms", "--latency", "2ms", "--out", out]).expect("it runs");
    let rows = std::fs::read_to_string(folder.path().join("results.csv")).expect("written");
    assert!(rows.contains("feed latency 1ms..5ms, latency 2ms"), "{rows}");
}

/// Trades nothing.
struct Never;

impl Never {
    fn new(_days: usize) -> Self {
        Self
    }
}

impl Strategy for Never {
    fn next(&mut self, _: &mut StrategyContext<'_>) {}
}
