//! What a feed of one's own may do: books without a side, prices that are no numbers, moments without their
//! last event, assets that nobody has named, orders that come late. Each time a strategy is shown what it
//! would be shown without.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backtest::depth::Depth;
use backtest::engine::{AtEnd, Market};
use backtest::limits::EVENTS_WAITING_MAX;
use backtest::messages::{Bar, Moment, Quote, SessionEnd, Tick, Timestamp};
use backtest::strategy::{StrategyContext, Ticket, Trader, Venue};
use mycelium::{BoxError, Isolate, Service, ServiceContext};

use super::common;

/// What a feed says.
enum Say {
    Moment(Moment),
    Bar(Bar),
    Quote(Quote),
    Tick(Tick),
    Book(Box<Depth>),
    /// Waits until all is done that follows from what was said.
    Wait,
}

/// Says all this, and then that the session is over.
struct Script(Vec<Say>);

impl Service for Script {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for say in &self.0 {
            match say {
                Say::Moment(moment) => ctx.publish(*moment).await?,
                Say::Bar(bar) => ctx.publish(*bar).await?,
                Say::Quote(quote) => ctx.publish(*quote).await?,
                Say::Tick(tick) => ctx.publish(*tick).await?,
                Say::Book(book) => ctx.publish(**book).await?,
                Say::Wait => ctx.sleep(Duration::from_nanos(1)).await,
            }
        }
        ctx.sleep(Duration::from_nanos(1)).await;
        ctx.publish(SessionEnd::default()).await?;
        Ok(())
    }
}

/// A call of the strategy: price and position of each asset, the account, and how many orders work.
type Call = (Vec<(f64, f64)>, [f64; 2], usize);

/// Runs a strategy on assets that this feed tells of: its calls, and what is left of the trader.
fn told(
    names: &[&str],
    leverage: f64,
    feed: Vec<Say>,
    mut act: impl FnMut(&mut StrategyContext<'_>, usize) + Send + 'static,
) -> (Vec<Call>, Trader) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (log, count) = (Arc::clone(&calls), names.len());
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        let of = |at: usize| {
            let asset = ctx.asset_at(at);
            (asset.price(), asset.position())
        };
        let assets = (0..count).map(of).collect();
        let mut calls = log.lock().expect("not poisoned");
        calls.push((assets, [ctx.cash(), ctx.equity()], ctx.orders().len()));
        act(ctx, calls.len());
    };
    let market = Market { at_end: AtEnd::Keep, leverage: Arc::new(leverage), ..Market::default() };
    let terms = vec![market.asset_terms(); count];
    let mut isolate = Isolate::new(0);
    isolate.spawn(Venue::of(market.clone(), terms)).expect("it is spawned");
    let trader = isolate.spawn(Trader::on_bus(strategy, &market, names)).expect("it is spawned");
    isolate.spawn_service(Script(feed)).expect("it is spawned");
    isolate.run().expect("it runs");
    let trader = isolate.take(&trader).expect("it has not ended");
    let calls = std::mem::take(&mut *calls.lock().expect("not poisoned"));
    (calls, trader)
}

fn at(index: u32) -> Timestamp {
    Timestamp::from_nanos(i64::from(index) * 1_000)
}

fn bar(index: u32, asset: u16, close: f64) -> Say {
    let bar = common::bars(&[(close, close, close, close)])[0];
    Say::Bar(Bar { index, asset, timestamp: at(index), ..bar })
}

/// The bars up to this one are one moment.
fn moment(last: u32) -> Say {
    Say::Moment(Moment {
        known: Timestamp::from_nanos(i64::from(last) * 1_000 + 1),
        last,
        ..Moment::default()
    })
}

fn depth(index: u32, bids: &[(f64, f64)], asks: &[(f64, f64)]) -> Say {
    Say::Book(Box::new(Depth { index, ..Depth::new(at(index), bids, asks) }))
}

fn book(index: u32, middle: f64) -> Say {
    depth(index, &[(middle - 1.0, 50.0)], &[(middle + 1.0, 50.0)])
}

/// Events of which nobody can trade on any.
fn unsound(index: u32) -> Vec<Say> {
    let timestamp = at(index);
    let (nan, side) = (f64::NAN, [(100.0, 5.0)]);
    let quote = Quote { timestamp, bid: 99.0, ask: nan, bid_size: 1.0, ask_size: 1.0, index, asset: 0 };
    let Say::Bar(sound) = bar(index, 0, 100.0) else { panic!("a bar") };
    vec![
        depth(index, &[], &[]),
        depth(index, &[], &side),
        depth(index, &side, &[]),
        depth(index, &[(101.0, 5.0)], &[(99.0, 5.0)]),
        Say::Quote(quote),
        Say::Quote(Quote { ask: 98.0, ..quote }),
        Say::Tick(Tick { timestamp, price: 0.0, size: 1.0, index, asset: 0 }),
        Say::Bar(Bar { close: nan, ..sound }),
        Say::Bar(Bar { low: 101.0, ..sound }),
    ]
}

#[test]
fn books_without_a_side_before_the_first_price_are_passed_over() {
    let empty = |index| depth(index, &[], &[]);
    let feed = vec![empty(0), empty(1), book(2, 100.0), book(3, 101.0)];
    let (calls, trader) = told(&["X"], 1.0, feed, |_, _| {});
    assert_eq!(trader.passed_over(), 2);
    let prices: Vec<f64> = calls.iter().map(|call| call.0[0].0).collect();
    assert_eq!(prices, [100.0, 101.0]);
}

#[test]
fn a_quote_or_a_book_whose_middle_is_no_number_is_passed_over() {
    let huge = 1.2e308;
    let quote = |index, bid, ask| {
        Say::Quote(Quote { timestamp: at(index), bid, ask, bid_size: 1.0, ask_size: 1.0, index, asset: 0 })
    };
    let feed = vec![
        quote(0, 99.0, 101.0),
        quote(1, huge, huge),
        depth(2, &[(huge, 1.0)], &[(1.3e308, 1.0)]),
        quote(3, 8e307, 8e307),
        quote(4, 98.0, 102.0),
    ];
    let (calls, trader) = told(&["X"], 1.0, feed, |_, _| {});
    let prices: Vec<f64> = calls.iter().map(|call| call.0[0].0).collect();
    assert_eq!((prices, trader.passed_over()), (vec![100.0, 8e307, 100.0], 2));
}

#[test]
fn a_trader_whose_exchange_does_not_answer_fails_when_too_many_events_wait() {
    let market = Market::default();
    let strategy = |ctx: &mut StrategyContext<'_>| _ = ctx.buy(1);
    let tick = |index| Say::Tick(Tick { timestamp: at(index), price: 10.0, size: 1.0, index, asset: 0 });
    let run = |events: u32| {
        let mut isolate = Isolate::new(0);
        let trader = isolate.spawn(Trader::on_bus(strategy, &market, &[])).expect("it is spawned");
        isolate.spawn_service(Script((0..events).map(tick).collect())).expect("it is spawned");
        (isolate.run(), isolate.take(&trader).map(|trader| trader.passed_over()))
    };
    // The first is decided on, and nobody answers the order.
    let most = 1 + EVENTS_WAITING_MAX as u32;
    let (ran, passed_over) = run(most);
    ran.expect("all of them wait");
    assert_eq!(passed_over, Some(0));
    let (ran, _) = run(most + 1);
    let error = ran.expect_err("one more would be lost").to_string();
    for part in ["65536 events wait", "event 65537 of asset 0", "is alive", "below 65536"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn events_that_nobody_could_trade_on_change_nothing() {
    let run = |between: Option<Say>| {
        let mut feed = vec![book(0, 100.0), Say::Wait, book(1, 100.0), Say::Wait];
        feed.extend(between);
        feed.extend([Say::Wait, book(3, 101.0), Say::Wait, book(4, 99.0)]);
        told(&["X"], 3.0, feed, |ctx, call| {
            if call == 1 {
                // A position that half the price would ruin.
                ctx.buy(Ticket::new(49.0).stop_loss(60.0));
            }
        })
    };
    let (without, _) = run(None);
    assert_eq!((without.len(), without[2].0[0]), (4, (101.0, 49.0)));
    for (case, say) in unsound(2).into_iter().enumerate() {
        let (with, trader) = run(Some(say));
        assert_eq!((with, trader.passed_over()), (without.clone(), 1), "case {case}");
    }
}

#[test]
fn a_moment_without_its_last_event_is_decided_on_before_the_next_is_filled() {
    let feed = vec![
        moment(1),
        bar(0, 0, 10.0),
        bar(1, 1, 20.0),
        Say::Wait,
        moment(3),
        bar(2, 0, 10.0),
        bar(3, 1, 20.0),
        Say::Wait,
        // The bar of B does not come.
        moment(5),
        bar(4, 0, 10.0),
        Say::Wait,
        bar(6, 0, 7.0),
        Say::Wait,
        // Nor does it here, where the session ends.
        moment(8),
        bar(7, 0, 7.5),
    ];
    let (calls, _) = told(&["A", "B"], 1.0, feed, |ctx, call| {
        if call == 1 {
            ctx.buy(Ticket::new(10.0).stop_loss(8.0));
        }
    });
    let of_a: Vec<(f64, f64)> = calls.iter().map(|call| call.0[0]).collect();
    assert_eq!(of_a, [(10.0, 0.0), (10.0, 10.0), (10.0, 10.0), (7.0, 0.0), (7.5, 0.0)]);
}

#[test]
fn moments_of_which_none_is_whole_do_not_stand_still() {
    const MOMENTS: u32 = 1_000;
    let mut feed = vec![moment(1), bar(0, 0, 10.0), bar(1, 1, 20.0), Say::Wait];
    for number in 1..=MOMENTS {
        // B is halted. The strategy decides on one moment when the next is announced.
        feed.extend([moment(2 * number + 1), Say::Wait, bar(2 * number, 0, 10.0 + f64::from(number))]);
    }
    let (calls, _) = told(&["A", "B"], 1.0, feed, |ctx, call| match call {
        1 => _ = ctx.buy(Ticket::new(10.0).stop_loss(8.0)),
        500 => _ = ctx.close(),
        _ => {}
    });
    assert_eq!(calls.len(), MOMENTS as usize + 1);
    for (call, number) in calls.iter().zip(0..) {
        let position = if (1..=499).contains(&number) { 10.0 } else { 0.0 };
        assert_eq!(call.0[0], (10.0 + f64::from(number), position), "{number}");
    }
}

#[test]
fn an_order_that_comes_late_shows_no_account_of_a_later_event() {
    // The second bar is at the exchange before the order that was decided on the first.
    let feed = vec![bar(0, 0, 10.0), bar(1, 0, 11.0), Say::Wait, bar(2, 0, 12.0), Say::Wait, bar(3, 0, 13.0)];
    let (calls, _) = told(&["X"], 1.0, feed, |ctx, call| {
        if call == 1 {
            ctx.buy(10.0);
        }
    });
    let seen: Vec<_> =
        calls.iter().map(|(assets, [_, equity], working)| (assets[0], *equity, *working)).collect();
    let (cash, after) = (10_000.0, 10_010.0);
    assert_eq!(
        seen,
        [((10.0, 0.0), cash, 0), ((11.0, 0.0), cash, 1), ((12.0, 10.0), cash, 0), ((13.0, 10.0), after, 0)]
    );
}

#[test]
fn assets_that_nobody_has_named_are_not_heard_of() {
    let named = [(0, 10.0), (1, 20.0), (2, 30.0)];
    let foreign = |index, asset| bar(index, asset, 99.0);
    let mut feed = Vec::new();
    for round in 0..3_u32 {
        let first = round * 20;
        let own = |place: u32, asset: u16| {
            bar(first + place, asset, named[usize::from(asset)].1 + f64::from(round))
        };
        feed.extend([moment(first + 9), foreign(first, 3), own(1, 0), foreign(first + 2, 4)]);
        feed.extend([foreign(first + 3, 5), foreign(first + 4, 6), own(5, 1), foreign(first + 6, 7)]);
        feed.extend([own(7, 2), foreign(first + 8, 8), foreign(first + 9, 9), Say::Wait]);
        // And alone.
        feed.extend([foreign(first + 11, 9), Say::Wait]);
    }
    let (calls, _) = told(&["A", "B", "C"], 1.0, feed, |ctx, call| {
        if call == 1 {
            ctx.asset_at(1).buy(10.0);
        }
    });
    let expected =
        |round: f64, position: f64| vec![(10.0 + round, 0.0), (20.0 + round, position), (30.0 + round, 0.0)];
    let seen: Vec<Vec<(f64, f64)>> = calls.into_iter().map(|call| call.0).collect();
    assert_eq!(seen, [expected(0.0, 0.0), expected(1.0, 10.0), expected(2.0, 10.0)]);
}

#[test]
fn no_order_is_filled_in_a_bar_that_began_before_it_though_its_moment_says_otherwise() {
    let known =
        |ns: i64, last| Say::Moment(Moment { known: Timestamp::from_nanos(ns), last, ..Moment::default() });
    let begins = |ns: i64, say: Say| match say {
        Say::Bar(bar) => Say::Bar(Bar { timestamp: Timestamp::from_nanos(ns), ..bar }),
        other => other,
    };
    let feed = vec![
        moment(1),
        bar(0, 0, 10.0),
        bar(1, 1, 20.0),
        Say::Wait,
        // Known before it begins.
        known(2, 2),
        begins(5_000, bar(2, 0, 11.0)),
        Say::Wait,
        known(9_000, 3),
        begins(3_000, bar(3, 1, 21.0)),
        Say::Wait,
        known(10_000, 4),
        begins(9_000, bar(4, 1, 22.0)),
    ];
    let (calls, _) = told(&["A", "B"], 1.0, feed, |ctx, call| {
        if call == 2 {
            ctx.asset_at(1).buy(10.0);
        }
    });
    let of_b: Vec<(f64, f64)> = calls.iter().map(|call| call.0[1]).collect();
    assert_eq!(of_b, [(20.0, 0.0), (20.0, 0.0), (21.0, 0.0), (22.0, 10.0)]);
}
