//! Costs, volume, latency, margin and money for the time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{bars, on_bar};
use backtest::engine::{
    AtEnd, Commission, FillAt, Filling, Fixed, FundingEvery, MakerTaker, RangeShare, Share, Tiers,
    VolumeShare,
};
use backtest::messages::{Bar, ChargeKind, OrderCause, OrderStatus, Quote, Tick, Timestamp};
use backtest::strategy::{Backtest, Report, Size, StrategyContext, Ticket};

type Prices = (f64, f64, f64, f64);

const CALM: Prices = (100.0, 101.0, 99.0, 100.0);
const DAY_NS: i64 = 86_400_000_000_000;

fn backtest(prices: &[Prices]) -> Backtest {
    Backtest::new(bars(prices)).at_end(AtEnd::Keep)
}

fn run(backtest: &Backtest, strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static) -> Report {
    backtest.run(strategy).expect("it runs")
}

#[test]
fn makers_and_takers_pay_their_rates_and_tiers_follow_what_was_traded() {
    let rates = MakerTaker { maker: -0.001, taker: 0.002 };
    // At the market, and at a limit to which the price has come.
    let taker = run(&backtest(&[CALM, CALM]).commission(rates), on_bar(0, |ctx| _ = ctx.buy(10)));
    let maker = on_bar(0, |ctx| _ = ctx.buy(Ticket::new(10).limit(99.5)));
    let maker = run(&backtest(&[CALM, CALM]).commission(rates), maker);
    assert_eq!(taker.equity[1], 10_000.0 - 2.0);
    assert!((maker.equity[1] - (10_000.0 + 10.0 * 0.5 + 0.995)).abs() < 1e-9, "{:?}", maker.equity);
    let tiers = Tiers(vec![(0.0, rates), (1_500.0, MakerTaker { maker: 0.0, taker: 0.001 })]);
    let fill = |traded| Filling { units: 10.0, price: 100.0, maker: false, traded };
    assert_eq!([0.0, 1_499.0, 1_500.0].map(|traded| tiers.charge_fill(&fill(traded))), [2.0, 2.0, 1.0]);
    // Two buys of 1,000 each, and the third pays less.
    let thrice = |ctx: &mut StrategyContext<'_>| _ = ctx.buy(10);
    let report = run(&backtest(&[CALM; 4]).commission(tiers), thrice);
    assert_eq!(report.equity[3], 10_000.0 - 2.0 - 2.0 - 1.0);
}

#[test]
fn slippage_may_grow_with_the_share_of_the_volume_or_with_the_range() {
    let entry = |report: &Report| report.open_trades[0].entry_price;
    let of = |units: u32| {
        let mut bars = bars(&[CALM, CALM]);
        bars[1].volume = 40.0;
        let backtest = Backtest::new(bars).at_end(AtEnd::Keep).slippage(VolumeShare(0.1));
        entry(&run(&backtest, on_bar(0, move |ctx| _ = ctx.buy(units))))
    };
    assert_eq!(of(10), 100.0 + 100.0 * 0.1 / 16.0);
    assert_eq!(of(80), 110.0, "the share counts as one at most");
    let range = run(&backtest(&[CALM, CALM]).slippage(RangeShare(0.25)), on_bar(0, |ctx| _ = ctx.buy(1)));
    assert_eq!(entry(&range), 100.5);
}

/// Ten bars of which each trades 200 units.
fn thin() -> Backtest {
    let mut bars = bars(&[CALM; 10]);
    bars.iter_mut().for_each(|bar| bar.volume = 200.0);
    Backtest::new(bars).at_end(AtEnd::Keep).participation(0.1)
}

#[test]
fn an_order_is_filled_by_parts_of_the_volume_and_stays_one_trade() {
    let buy = || Ticket::new(50).stop_loss(90.0);
    let report = run(&thin(), on_bar(0, move |ctx| _ = ctx.buy(buy())));
    assert_eq!(report.open_trades.len(), 1);
    assert_eq!(report.open_trades[0].size, 50.0);
    let status = |at: usize| (report.orders[at].status, report.orders[at].ended_bar);
    assert_eq!(status(0), (OrderStatus::Filled, Some(3)), "20, 20 and 10 units");
    assert_eq!(report.orders.len(), 2, "one stop loss protects all of it");
    // Closing orders wait too.
    let both = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(50),
        4 => _ = ctx.close(),
        _ => {}
    };
    let report = run(&thin(), both);
    let exits: Vec<(u32, f64)> = report.trades.iter().map(|trade| (trade.exit_bar, trade.size)).collect();
    assert_eq!(exits, [(5, 20.0), (6, 20.0), (7, 10.0)]);
    // All the money, in parts.
    let report = run(&thin(), on_bar(0, |ctx| _ = ctx.buy(Size::All)));
    assert_eq!(report.open_trades[0].size, 100.0);
}

#[test]
fn at_once_is_a_part_and_whole_is_nothing() {
    let at_once = run(&thin(), on_bar(0, |ctx| _ = ctx.buy(Ticket::new(50).immediate_or_cancel())));
    assert_eq!(at_once.open_trades[0].size, 20.0);
    assert_eq!(at_once.orders[0].status, OrderStatus::Expired);
    // At the close too: nothing is left for the next open.
    let closes = thin().fill_at(FillAt::OnClose);
    let at_close = run(&closes, on_bar(0, |ctx| _ = ctx.buy(Ticket::new(50).immediate_or_cancel())));
    assert_eq!(at_close.open_trades[0].size, 20.0);
    assert_eq!(at_close.orders[0].status, OrderStatus::Expired);
    let whole = run(&thin(), on_bar(0, |ctx| _ = ctx.buy(Ticket::new(50).fill_or_kill())));
    assert!(whole.open_trades.is_empty());
    // Two orders share what there is.
    let two = on_bar(0, |ctx: &mut StrategyContext<'_>| {
        ctx.buy(15);
        ctx.buy(Ticket::new(15).immediate_or_cancel());
    });
    let sizes: Vec<f64> = run(&thin(), two).open_trades.iter().map(|trade| trade.size).collect();
    assert_eq!(sizes, [15.0, 5.0]);
}

/// [`thin`], with other prices from a bar on.
fn thin_until(at: usize, prices: &[Prices]) -> Backtest {
    let all: Vec<Prices> = vec![CALM; at].into_iter().chain(prices.iter().copied()).collect();
    let mut bars = bars(&all);
    bars.iter_mut().for_each(|bar| bar.volume = 200.0);
    Backtest::new(bars).at_end(AtEnd::Keep).participation(0.1)
}

/// Bar, units and price of what was closed.
fn exits(report: &Report) -> Vec<(u32, f64, f64)> {
    report.trades.iter().map(|trade| (trade.exit_bar, trade.size, trade.exit_price)).collect()
}

#[test]
fn a_stop_that_was_touched_goes_on_at_the_market_until_it_is_filled() {
    let (touch, after) = ((100.0, 101.0, 89.0, 95.0), (95.0, 96.0, 94.0, 95.0));
    let prices = thin_until(5, &[touch, after, after, after]);
    let report = run(&prices, on_bar(0, |ctx| _ = ctx.buy(Ticket::new(50).stop_loss(90.0))));
    assert_eq!(exits(&report), [(5, 20.0, 90.0), (6, 20.0, 95.0), (7, 10.0, 95.0)]);
    // A stop that trails stands still once it was touched.
    let prices = thin_until(5, &[touch, (92.0, 99.0, 91.0, 98.0), after, after]);
    let report = run(&prices, on_bar(0, |ctx| _ = ctx.buy(Ticket::new(50).trailing_stop_loss(11.0))));
    assert_eq!(exits(&report), [(5, 20.0, 90.0), (6, 20.0, 92.0), (7, 10.0, 95.0)]);
}

#[test]
fn a_stop_limit_that_was_touched_goes_on_as_a_limit() {
    let prices = [(100.0, 105.5, 99.0, 105.0), (103.0, 104.0, 102.0, 103.0), (103.0, 104.0, 102.0, 103.0)];
    let buy = on_bar(0, |ctx| _ = ctx.buy(Ticket::new(50).stop(105.0).limit(106.0)));
    let report = run(&thin_until(1, &prices), buy);
    assert_eq!(report.orders[0].status, OrderStatus::Filled, "20 at 105, 20 and 10 at 103");
    assert!((report.open_trades[0].entry_price - (20.0 * 105.0 + 30.0 * 103.0) / 50.0).abs() < 1e-9);
}

#[test]
fn what_protects_a_trade_comes_before_the_rest_of_its_entry() {
    let buy = || on_bar(0, |ctx| _ = ctx.buy(Ticket::new(100).stop_loss(90.0)));
    let entry =
        |report: &Report| (report.orders[0].status, report.orders[0].cause, report.orders[0].ended_bar);
    // At an open beyond it, it has the volume; what is left of the entry has no purpose any more.
    let gap = (89.0, 92.0, 88.0, 91.0);
    let report = run(&thin_until(3, &[gap, gap, gap, CALM]), buy());
    assert_eq!(exits(&report), [(3, 20.0, 89.0), (4, 20.0, 89.0)]);
    assert_eq!(entry(&report), (OrderStatus::Cancelled, OrderCause::TradeClosed, Some(3)));
    assert!(report.open_trades.is_empty());
    // Within a bar whose volume is used up it is touched all the same.
    let report = run(&thin_until(3, &[(100.0, 101.0, 89.0, 95.0), gap, gap, gap, gap]), buy());
    assert_eq!(exits(&report), [(4, 20.0, 89.0), (5, 20.0, 89.0), (6, 20.0, 89.0)]);
    assert_eq!(entry(&report), (OrderStatus::Cancelled, OrderCause::TradeClosed, Some(3)));
}

#[test]
fn an_order_takes_no_more_of_the_volume_than_it_pays_for() {
    let mut thin = bars(&[CALM; 4]);
    thin.iter_mut().for_each(|bar| bar.volume = 1_200.0);
    let backtest = Backtest::new(thin).at_end(AtEnd::Keep).participation(0.1);
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(60),
        1 => {
            // 40 of the 100 that it is for.
            ctx.buy(Size::Equity(1.0));
            ctx.sell(60);
        }
        _ => {}
    };
    let report = run(&backtest, strategy);
    assert_eq!(exits(&report), [(2, 60.0, 100.0)]);
    assert_eq!(report.orders[1].status, OrderStatus::Filled);
    // All of it or nothing, if the money is short, too.
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(60),
        1 => _ = ctx.buy(Ticket::new(Size::Equity(1.0)).fill_or_kill()),
        _ => {}
    };
    let report = run(&backtest, strategy);
    assert_eq!((report.orders[1].cause, report.open_trades.len()), (OrderCause::NotEnoughCash, 1));
}

#[test]
fn latency_passes_over_what_begins_before_the_order_is_there() {
    let prices: Vec<Prices> = (0..6).map(|at| (100.0 + f64::from(at), 120.0, 90.0, 105.0)).collect();
    let entry = |latency: Duration| {
        let report = run(&backtest(&prices).latency(latency), on_bar(0, |ctx| _ = ctx.buy(1)));
        report.open_trades.first().map(|trade| (trade.entry_bar, trade.entry_price))
    };
    assert_eq!(entry(Duration::ZERO), Some((1, 101.0)));
    assert_eq!(entry(Duration::from_nanos(1)), Some((2, 102.0)), "the next open is over");
    assert_eq!(entry(Duration::from_secs(2 * 86_400)), Some((3, 103.0)));
    // A cancellation is late, too: the order is filled by what began before.
    let cancel = |ctx: &mut StrategyContext<'_>| {
        if ctx.bar().index == 0 {
            ctx.buy(Ticket::new(1).limit(95.0));
        } else {
            ctx.cancel_all();
        }
    };
    let report = run(&backtest(&prices).latency(Duration::from_secs(86_400)), cancel);
    assert_eq!(report.open_trades[0].entry_bar, 2);
    let refused = backtest(&prices).latency(Duration::from_secs(1)).fill_at(FillAt::OnClose);
    assert!(refused.run(|_: &mut StrategyContext<'_>| {}).is_err());
}

#[test]
fn market_orders_may_be_filled_at_the_close_of_their_bar() {
    let prices = [CALM, (103.0, 110.0, 80.0, 105.0), (106.0, 107.0, 104.0, 106.0)];
    let buy = on_bar(0, |ctx| _ = ctx.buy(Ticket::new(1).stop_loss(90.0)));
    let report = run(&backtest(&prices).fill_at(FillAt::OnClose), buy);
    let trade = &report.trades[0];
    assert_eq!((trade.entry_bar, trade.entry_price), (0, 100.0));
    assert_eq!((trade.exit_bar, trade.exit_price), (1, 90.0), "it is protected from the next bar on");
    // Limits and stops wait for the next bar as ever.
    let limit = on_bar(0, |ctx| _ = ctx.buy(Ticket::new(1).limit(101.0)));
    let report = run(&backtest(&prices).fill_at(FillAt::OnClose), limit);
    assert_eq!(report.open_trades[0].entry_price, 101.0);
}

#[test]
fn credit_and_short_sales_pay_for_the_night() {
    // 200 units at 100: half of it is lent, for 8 nights (entered on bar 1, the last one is bar 9).
    let long = backtest(&[CALM; 10]).leverage(2.0).interest(0.365, 0.73);
    let report = run(&long, on_bar(0, |ctx| _ = ctx.buy(Size::All)));
    assert_eq!(report.charges.len(), 8);
    assert!(report.charges.iter().all(|charge| charge.kind == ChargeKind::Interest));
    assert!((report.charges[0].amount - 10.0).abs() < 1e-9, "{:?}", report.charges[0]);
    let paid: f64 = report.charges.iter().map(|charge| charge.amount).sum();
    assert!((report.statistics.equity_final - (10_000.0 - paid)).abs() < 1e-9);
    // Without credit there is nothing to pay.
    let report = run(&backtest(&[CALM; 10]).interest(0.365, 0.73), on_bar(0, |ctx| _ = ctx.buy(Size::All)));
    assert!(report.charges.is_empty());
    let report = run(&long, on_bar(0, |ctx| _ = ctx.sell(50)));
    assert_eq!((report.charges.len(), report.charges[0].kind), (8, ChargeKind::Borrow));
    assert!((report.charges[0].amount - 10.0).abs() < 1e-9);
}

#[test]
fn funding_goes_from_long_to_short() {
    let funded = backtest(&[CALM; 3]).funding(FundingEvery { hours: 8, rate: 0.001 });
    let long = run(&funded, on_bar(0, |ctx| _ = ctx.buy(10)));
    // Three times a day, on 1,000.
    assert_eq!(long.charges.iter().map(|charge| charge.amount).collect::<Vec<_>>(), [3.0]);
    let short = run(&funded, on_bar(0, |ctx| _ = ctx.sell(10)));
    assert_eq!(short.statistics.equity_final, 10_003.0);
}

#[test]
fn below_the_maintenance_margin_positions_are_closed_with_their_costs() {
    let fall = (100.0, 100.0, 93.0, 93.0);
    let margin =
        backtest(&[CALM, CALM, fall, CALM, CALM]).leverage(10.0).maintenance(0.05).commission(Share(0.001));
    let buy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(Ticket::new(Size::Cash(0.9)).take_profit(200.0)),
        2 => {
            assert!(ctx.is_flat() && ctx.orders().is_empty());
            let ended = ctx.updates().iter().filter(|update| update.status == OrderStatus::Cancelled);
            assert_eq!(ended.count(), 1, "what protects the position ends once");
        }
        3 => _ = ctx.buy(1),
        _ => {}
    };
    let report = run(&margin, buy);
    assert_eq!((report.trades[0].exit_bar, report.trades[0].exit_price), (2, 93.0));
    assert_eq!(report.orders[1].cause, OrderCause::MarginCall);
    assert!(report.equity[2] > 0.0, "something is left: {}", report.equity[2]);
    assert_eq!(report.open_trades.len(), 1, "it goes on trading");
    assert!(report.notes.iter().any(|note| note.contains("maintenance")), "{:?}", report.notes);
}

/// A bar whose volume is no amount.
fn of_volume(volume: f64) -> Backtest {
    Backtest::new(bars(&[CALM]).into_iter().map(|bar| Bar { volume, ..bar }).collect::<Vec<_>>())
}

#[test]
fn terms_out_of_range_are_refused() {
    let bad = [
        backtest(&[CALM]).participation(0.0),
        backtest(&[CALM]).participation(f64::NAN),
        backtest(&[CALM]).maintenance(1.0),
        backtest(&[CALM]).interest(-0.1, 0.0),
        backtest(&[CALM]).interest(0.0, f64::INFINITY),
        backtest(&[CALM]).terms("", |terms| terms.lot = 0.0),
        Backtest::new(bars(&[CALM, (0.0, 1.0, 0.0, 1.0)])),
        Backtest::new(bars(&[CALM, CALM]).into_iter().rev().collect::<Vec<_>>()),
        Backtest::new(bars(&[CALM, (100.0, 101.0, 100.5, 101.0)])),
        Backtest::new(bars(&[CALM, (100.0, 100.5, 99.0, 101.0)])),
        of_volume(-50.0),
        of_volume(f64::NAN),
    ];
    for backtest in bad {
        let error = backtest.run(|_: &mut StrategyContext<'_>| {}).expect_err("it is refused");
        assert!(error.to_string().len() > 20, "{error}");
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

fn quote(ms: i64, bid: f64, ask: f64) -> Quote {
    Quote { timestamp: at(ms), bid, ask, bid_size: 5.0, ask_size: 5.0, index: 0, asset: 0 }
}

#[test]
fn of_a_quote_buyers_pay_the_ask_and_a_limit_that_waits_gets_its_price() {
    let quotes = vec![
        quote(0, 99.0, 101.0),
        quote(1, 99.0, 101.0),
        quote(2, 96.0, 97.5),
        quote(3, 103.0, 105.0),
        quote(4, 103.0, 105.0),
    ];
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&seen);
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        watch.lock().expect("nobody panics").push((ctx.price(), ctx.position(), ctx.quotes().len()));
        match ctx.quotes().len() {
            1 => {
                ctx.buy(1);
                ctx.buy(Ticket::new(1).limit(98.0));
            }
            4 => _ = ctx.close(),
            _ => {}
        }
    };
    let report = run(&Backtest::of([("X", quotes)]), strategy);
    let entries: Vec<f64> = report.trades.iter().map(|trade| trade.entry_price).collect();
    assert_eq!(entries, [101.0, 98.0], "the ask, and the limit although the ask went below it");
    assert!(report.trades.iter().all(|trade| trade.exit_price == 103.0), "the bid");
    let positions: Vec<f64> = seen.lock().expect("nobody panics").iter().map(|row| row.1).collect();
    assert_eq!(positions, [0.0, 1.0, 2.0, 2.0, 0.0]);
    assert_eq!(seen.lock().expect("nobody panics")[0], (100.0, 0.0, 1), "valued in the middle");
    assert_eq!((report.trades[0].mae_pct * 101.0).round(), -500.0, "from 101 to a bid of 96");
}

#[test]
fn a_target_between_bid_and_ask_trades_nothing() {
    // At the ask there is too much, and at the bid too little.
    for size in [Size::Value(5_000.0), Size::Equity(0.5)] {
        let quotes =
            vec![quote(0, 99.0, 101.0), quote(1, 99.0, 101.0), quote(2, 99.1, 101.1), quote(3, 99.1, 101.1)];
        let backtest = Backtest::of([("X", quotes)]).at_end(AtEnd::Keep).lot(0.001);
        let report = run(&backtest, move |ctx| _ = ctx.target(size));
        let entries: Vec<f64> = report.open_trades.iter().map(|trade| trade.entry_price).collect();
        assert_eq!((entries, report.trades.len()), (vec![101.0], 0), "{size:?} {:?}", report.trades);
        assert!(report.orders.iter().take(3).all(|record| record.status == OrderStatus::Filled));
    }
}

#[test]
fn a_limit_that_waits_is_filled_by_ticks_beyond_it() {
    let tick = |(ms, price): (i64, f64)| Tick { timestamp: at(ms), price, size: 1.0, index: 0, asset: 0 };
    let rows = [100.0, 99.0, 98.5, 98.0, 97.9, 99.0];
    let ticks: Vec<Tick> = (0..).zip(rows).map(tick).collect();
    let report = run(&Backtest::of([("X", ticks)]), on_bar(0, |ctx| _ = ctx.buy(Ticket::new(1).limit(98.0))));
    assert_eq!((report.trades[0].entry_bar, report.trades[0].entry_price), (4, 98.0));
}

/// Bars so many hours long, from a day on.
fn every(hours: i64, from_day: i64, closes: &[f64]) -> Vec<Bar> {
    let bar = |(at, close): (i64, &f64)| Bar {
        timestamp: Timestamp::from_nanos(from_day * DAY_NS + at * hours * DAY_NS / 24),
        open: *close,
        high: *close,
        low: *close,
        close: *close,
        volume: 1.0,
        ..Bar::default()
    };
    (0..).zip(closes).map(bar).collect()
}

#[test]
fn a_bar_is_seen_when_it_is_over_whatever_its_length() {
    let hours: Vec<f64> = (0..72).map(|hour| 100.0 + f64::from(hour)).collect();
    let days = [10.0, 20.0, 30.0];
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&seen);
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        let (hour, day) = (ctx.price(), ctx.asset("day").price());
        watch.lock().expect("nobody panics").push((hour, day));
        if ctx.asset("day").is_flat() && hour == 130.0 {
            ctx.asset("day").buy(1);
        }
    };
    let backtest = Backtest::of([("hour", every(1, 0, &hours)), ("day", every(24, 0, &days))]);
    let report = run(&backtest.at_end(AtEnd::Keep), strategy);
    let seen = seen.lock().expect("nobody panics");
    // Hour 23 is over when the first day is: one moment.
    assert_eq!(seen[0], (123.0, 10.0));
    assert!(seen.iter().all(|(hour, day)| *day == 10.0 * ((hour - 99.0) / 24.0).floor()), "{seen:?}");
    // Decided at 7 o'clock of the second day: the day that runs has begun before.
    assert_eq!((report.open_trades[0].entry_bar, report.open_trades[0].entry_price), (2, 30.0));
}

#[test]
fn bars_of_one_time_are_one_moment_and_quotes_of_one_asset_are_not() {
    let calls = Arc::new(Mutex::new(0));
    let count = |assets: Backtest| {
        let watch = Arc::clone(&calls);
        *calls.lock().expect("nobody panics") = 0;
        run(&assets, move |_: &mut StrategyContext<'_>| *watch.lock().expect("nobody panics") += 1);
        *calls.lock().expect("nobody panics")
    };
    let of = |closes: &[f64]| every(24, 0, closes);
    assert_eq!(count(Backtest::of([("A", of(&[1.0, 2.0, 3.0])), ("B", of(&[1.0, 2.0, 3.0]))])), 3);
    // The second begins a day later: the first call is when it has a price.
    let late = every(24, 1, &[1.0, 2.0]);
    assert_eq!(count(Backtest::of([("A", of(&[1.0, 2.0, 3.0])), ("B", late)])), 2);
    let same: Vec<Quote> = (0..4).map(|_| quote(7, 1.0, 2.0)).collect();
    assert_eq!(count(Backtest::of([("X", same)])), 4);
    assert!(
        Backtest::of([("A", of(&[1.0])), ("A", of(&[1.0]))]).run(|_: &mut StrategyContext<'_>| {}).is_err()
    );
}

#[test]
fn assets_share_the_money_and_have_terms_of_their_own() {
    let flat = || bars(&[CALM; 4]);
    let strategy = |ctx: &mut StrategyContext<'_>| {
        if ctx.bar().index == 0 {
            ctx.buy(Size::Cash(0.75));
            ctx.asset("B").buy(Size::All);
            ctx.asset("C").buy(Ticket::new(1).limit(50.0));
        }
        assert_eq!(ctx.orders().len(), if ctx.bar().index == 0 { 3 } else { 1 });
    };
    let backtest = Backtest::of([("A", flat()), ("B", flat()), ("C", flat())]).at_end(AtEnd::Keep);
    let backtest = backtest.terms("B", |terms| {
        terms.lot = 0.1;
        terms.commission = Arc::new(Fixed(5.0));
    });
    let report = run(&backtest, strategy);
    let sizes: Vec<(u16, f64)> = report.open_trades.iter().map(|trade| (trade.asset, trade.size)).collect();
    assert_eq!(sizes, [(0, 75.0), (1, 24.900_000_000_000_002)], "2,500 less the commission, in tenths");
    assert_eq!(report.statistics.equity_final, 9_995.0);
    assert_eq!(report.orders[2].order.asset, 2);
}
