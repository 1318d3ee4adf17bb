//! Random strategies on several assets, whose prices come as messages in an isolate: each sees and does what
//! it does over prices in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backtest::depth::Depth;
use backtest::engine::{AtEnd, Engine, Market};
use backtest::ledger::Statistics;
use backtest::messages::{Bar, Moment, OrderUpdate, Quote, SessionEnd, Timestamp};
use backtest::strategy::{Backtest, OnBus, Strategy, StrategyContext, Trader, Venue};
use backtest::tape::{MarketData, Prices};
use mycelium::Isolate;
use mycelium_random::{Random, cases, seeds};

use super::accounts::{NAMES, act, bars, quotes, terms};
use super::common;

const CASES: u64 = 200;

/// What a strategy is shown: time, price and position of each asset, the account, and news of its orders.
type Seen = (Vec<(Timestamp, f64, f64)>, [f64; 2], usize, Vec<OrderUpdate>);
type Log = Arc<Mutex<Vec<Seen>>>;

fn trader(seed: u64, log: &Log) -> impl FnMut(&mut StrategyContext<'_>) + Send + 'static {
    let (mut chance, log) = (Random::new(seed ^ 0xac7), Arc::clone(log));
    move |ctx| {
        let of = |name: &str| {
            let asset = ctx.asset(name);
            (asset.time(), asset.price(), asset.position())
        };
        let assets = NAMES.map(of).to_vec();
        let seen = (assets, [ctx.cash(), ctx.equity()], ctx.orders().len(), ctx.updates().to_vec());
        log.lock().expect("not poisoned").push(seen);
        act(ctx, &mut chance, &NAMES);
    }
}

fn taken(log: &Log) -> Vec<Seen> {
    std::mem::take(&mut log.lock().expect("not poisoned"))
}

/// Runs it as messages.
pub(crate) fn on_bus(backtest: &Backtest, seed: u64, strategy: impl Strategy) -> Statistics {
    let OnBus { venue, trader, feed } = backtest.on_bus(strategy).expect("prices and terms");
    let mut isolate = Isolate::new(seed);
    isolate.spawn(venue).expect("it is spawned");
    let trader = isolate.spawn(trader).expect("it is spawned");
    isolate.spawn_service(feed).expect("it is spawned");
    isolate.run().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    isolate.take(&trader).expect("it has not ended").statistics()
}

/// The best bid and ask as a book, with a level behind each.
pub(crate) fn book(quote: &Quote) -> Depth {
    let bids = [(quote.bid, quote.bid_size), (quote.bid - 0.5, 80.0)];
    let asks = [(quote.ask, quote.ask_size), (quote.ask + 0.5, 60.0)];
    Depth::new(quote.timestamp, &bids, &asks)
}

#[test]
fn strategies_on_bars_quotes_and_books_do_over_messages_what_they_do_in_memory() {
    let (mut trades, mut calls) = (0, 0);
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let (hours, days, quotes) = (bars(random, 1), bars(random, 24), quotes(random));
        let third: Prices = if random.chance(50) {
            quotes.iter().map(book).collect::<Vec<_>>().into()
        } else {
            quotes.into()
        };
        let mut backtest =
            terms(Backtest::of(NAMES.into_iter().zip([hours.into(), days.into(), third])), seed);
        if random.chance(30) {
            backtest = backtest.feed_latency(Duration::from_secs(random.below(5_000)));
        }
        let log = Log::default();
        let report = backtest.run(trader(seed, &log)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let in_memory = taken(&log);
        let end = on_bus(&backtest, seed, trader(seed, &log));
        let by_message = taken(&log);
        assert_eq!(by_message.len(), in_memory.len(), "seed {seed}");
        for (at, (by_message, in_memory)) in by_message.iter().zip(&in_memory).enumerate() {
            assert_eq!(by_message, in_memory, "seed {seed}: call {at}");
        }
        // As text: a figure that is not defined is no number, and equal to none.
        assert_eq!(format!("{end:?}"), format!("{:?}", report.statistics), "seed {seed}");
        trades += report.trades.len();
        calls += in_memory.len();
    }
    assert!(cases(CASES) < CASES || trades > 300 && calls > 5_000, "{trades} {calls}");
}

/// A bus on which somebody publishes these, with what each strategy call sees.
fn told(names: &[&str], publish: impl FnOnce(&mut Isolate)) -> Vec<(Vec<f64>, u32, u16)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let count = names.len();
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        let prices = (0..count).map(|at| ctx.asset_at(at).price()).collect();
        let latest = *ctx.asset_at(count - 1).bar();
        log.lock().expect("not poisoned").push((prices, latest.index, latest.asset));
    };
    let market = Market { at_end: AtEnd::Keep, ..Market::default() };
    let terms = vec![market.asset_terms(); count];
    let mut isolate = Isolate::new(0);
    isolate.spawn(Venue::of(market.clone(), terms)).expect("it is spawned");
    isolate.spawn(Trader::on_bus(strategy, &market, names)).expect("it is spawned");
    publish(&mut isolate);
    isolate.run().expect("it runs");
    seen.lock().expect("not poisoned").clone()
}

fn bar(index: u32, asset: u16, close: f64) -> Bar {
    let bar = common::bars(&[(close, close, close, close)])[0];
    Bar { index, asset, timestamp: Timestamp::from_nanos(i64::from(index / 2) * 1_000), ..bar }
}

#[test]
fn a_bar_names_its_asset_and_is_a_moment_of_its_own_unless_it_is_announced() {
    let each = [(0, 0, 10.0), (1, 1, 20.0), (2, 0, 11.0), (3, 1, 21.0)];
    let alone = told(&["A", "B"], |isolate| {
        for (index, asset, close) in each {
            isolate.publish(bar(index, asset, close)).expect("there is room");
        }
    });
    assert_eq!(alone, [(vec![10.0, 20.0], 0, 1), (vec![11.0, 20.0], 0, 1), (vec![11.0, 21.0], 1, 1),]);
    let together = told(&["A", "B"], |isolate| {
        for (index, asset, close) in each {
            if asset == 0 {
                let known = Timestamp::from_nanos(i64::from(index));
                isolate
                    .publish(Moment { known, last: index + 1, ..Moment::default() })
                    .expect("there is room");
            }
            isolate.publish(bar(index, asset, close)).expect("there is room");
        }
    });
    assert_eq!(together, [(vec![10.0, 20.0], 0, 1), (vec![11.0, 21.0], 1, 1)]);
}

#[test]
fn a_moment_whose_last_event_never_comes_ends_with_the_next_one() {
    let seen = told(&["A", "B"], |isolate| {
        let moment =
            |known: i64, last| Moment { known: Timestamp::from_nanos(known), last, ..Moment::default() };
        isolate.publish(bar(0, 1, 20.0)).expect("there is room");
        isolate.publish(moment(1, 5)).expect("there is room");
        isolate.publish(bar(2, 0, 10.0)).expect("there is room");
        isolate.publish(moment(2, 7)).expect("there is room");
        isolate.publish(bar(6, 0, 11.0)).expect("there is room");
        // Beyond what was announced: a moment of its own.
        isolate.publish(bar(8, 0, 12.0)).expect("there is room");
        isolate.publish(moment(3, 11)).expect("there is room");
        isolate.publish(bar(10, 0, 13.0)).expect("there is room");
        isolate.publish(SessionEnd::default()).expect("there is room");
    });
    let prices: Vec<f64> = seen.iter().map(|seen| seen.0[0]).collect();
    assert_eq!(prices, [10.0, 11.0, 12.0, 13.0]);
}

#[test]
fn the_events_of_an_announced_moment_are_done_with_at_once() {
    let mut engine = Engine::on(Market::default(), vec![Market::default().asset_terms(); 2]);
    engine.tell_always();
    let hear = |engine: &mut Engine, bar: Bar| engine.on_data(bar.asset, bar.index, MarketData::Bar(&bar));
    engine.announce(Moment { known: Timestamp::from_nanos(9), last: 1, ..Moment::default() });
    assert_eq!(hear(&mut engine, bar(0, 0, 10.0)), None);
    assert_eq!(hear(&mut engine, bar(1, 1, 20.0)).map(|done| done.index), Some(1));
    assert_eq!(hear(&mut engine, bar(2, 0, 10.0)).map(|done| done.index), Some(2));
    // One that was announced and has not come whole is over with the session.
    engine.announce(Moment { known: Timestamp::from_nanos(19), last: 5, ..Moment::default() });
    assert_eq!(hear(&mut engine, bar(3, 1, 21.0)), None);
    assert_eq!(engine.end().index, 3);
}
