//! How fills, sizes and ruin are booked.

use std::sync::{Arc, Mutex};

use crate::common::{bars, on_bar};
use backtest::actors::Feed;
use backtest::engine::{AtEnd, FillAt, Market};
use backtest::messages::{Bar, ChargeKind, OrderCause, OrderStatus, Timestamp};
use backtest::source::History;
use backtest::strategy::{Backtest, Report, Size, StrategyContext, Ticket, Trader, Venue};
use mycelium::Isolate;

const HOUR_NS: i64 = 3_600_000_000_000;

type Prices = (f64, f64, f64, f64);

const CALM: Prices = (100.0, 101.0, 99.0, 100.0);

fn backtest(prices: &[Prices]) -> Backtest {
    Backtest::new(bars(prices)).at_end(AtEnd::Keep)
}

fn run(backtest: &Backtest, strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static) -> Report {
    backtest.run(strategy).expect("it runs")
}

#[test]
fn an_account_that_owes_more_than_it_has_is_ruined_also_when_it_is_flat() {
    let jump = (250.0, 251.0, 249.0, 250.0);
    let backtest = backtest(&[CALM, CALM, jump, jump, jump]);
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.sell(Ticket::new(100).stop_loss(110.0)),
        2 => {
            assert!(ctx.is_flat());
            assert_eq!((ctx.equity(), ctx.cash()), (0.0, 0.0));
            ctx.buy(1);
        }
        _ => {}
    };
    let report = run(&backtest, strategy);
    assert_eq!(report.equity, [10_000.0, 10_000.0, 0.0, 0.0, 0.0]);
    assert_eq!((report.trades.len(), report.trades[0].exit_price), (1, 250.0));
    let last = report.orders.last().expect("an order");
    assert_eq!((last.status, last.cause), (OrderStatus::Rejected, OrderCause::Ruined));
    // A debt that nobody can pay is booked, so that profits less charges are the change of the equity.
    let profits: f64 = report.trades.iter().map(|trade| trade.profit).sum();
    let charges: f64 = report.charges.iter().map(|charge| charge.amount).sum();
    assert_eq!((profits, charges), (-15_000.0, -5_000.0));
    assert_eq!(report.statistics.return_pct, -100.0);
    assert!(report.notes.iter().any(|note| note.contains("used up")), "{:?}", report.notes);
}

#[test]
fn a_position_that_is_closed_at_the_end_for_more_than_there_is_leaves_nothing() {
    // Bought with ten times the money; the commission at the end is more than what is left.
    let fall = (91.0, 91.0, 90.5, 91.0);
    let backtest = Backtest::new(bars(&[CALM, CALM, fall])).leverage(10.0);
    let backtest = backtest.commission(|units: f64, price: f64| if price < 95.0 { units * 2.0 } else { 0.0 });
    let report = run(&backtest, on_bar(0, |ctx| _ = ctx.buy(Size::All)));
    assert_eq!(report.statistics.equity_final, 0.0);
    assert_eq!(report.equity.last(), Some(&0.0));
}

/// Profits and charges of a run that began with 10,000.
fn profits_less_charges(report: &Report) -> f64 {
    let profits: f64 = report.trades.iter().map(|trade| trade.profit).sum();
    profits - report.charges.iter().map(|charge| charge.amount).sum::<f64>()
}

#[test]
fn what_a_liquidation_leaves_unpaid_is_written_off() {
    let jump = (250.0, 251.0, 249.0, 250.0);
    let report = run(&backtest(&[CALM, CALM, jump, jump]), on_bar(0, |ctx| _ = ctx.sell(100)));
    assert_eq!((report.equity[2], report.charges.len()), (0.0, 1), "{:?}", report.charges);
    assert_eq!((report.charges[0].kind, profits_less_charges(&report)), (ChargeKind::WriteOff, -10_000.0));
    // A margin call whose costs are more than what is left.
    let fall = (91.0, 91.0, 90.5, 91.0);
    let margin = backtest(&[CALM, CALM, fall, CALM]).leverage(10.0).maintenance(0.05);
    let margin = margin.commission(|units: f64, price: f64| if price < 95.0 { units * 2.0 } else { 0.0 });
    let report = run(&margin, |ctx| match ctx.bar().index {
        0 => _ = ctx.buy(Size::All),
        2 => {
            assert_eq!((ctx.equity(), ctx.is_flat()), (0.0, true));
            ctx.buy(1);
        }
        _ => {}
    });
    assert_eq!(report.equity, [10_000.0, 10_000.0, 0.0, 0.0]);
    assert!((profits_less_charges(&report) + 10_000.0).abs() < 1e-9, "{:?}", report.charges);
    assert_eq!(report.orders[1].cause, OrderCause::Ruined);
}

#[test]
fn a_margin_call_uses_up_the_volume_of_its_bar() {
    // Of 60 units the call closes 50, so 10 are left for what is sent for that close.
    let mut prices = bars(&[CALM, (84.0, 85.0, 83.0, 84.0), (90.0, 91.0, 89.0, 90.0)]);
    prices.iter_mut().for_each(|bar| bar.volume = 60.0);
    let market = Backtest::new(prices).cash(1_000.0).leverage(10.0).maintenance(0.05).participation(1.0);
    let report = run(&market.fill_at(FillAt::OnClose).at_end(AtEnd::Keep), |ctx| match ctx.bar().index {
        0 => _ = ctx.buy(50),
        1 => _ = ctx.buy(20),
        _ => {}
    });
    assert_eq!((report.trades.len(), report.trades[0].exit_bar, report.trades[0].exit_price), (1, 1, 84.0));
    let open = &report.open_trades[0];
    assert_eq!((open.entry_bar, open.size, open.entry_price), (1, 20.0, (84.0 + 90.0) / 2.0));
}

#[test]
fn a_size_below_zero_is_refused_and_turns_no_side() {
    let strategy = on_bar(0, |ctx: &mut StrategyContext<'_>| {
        ctx.buy(-5.0);
        ctx.sell(Size::Equity(-0.5));
        ctx.buy(Size::Value(0.0));
        ctx.one_cancels_other([(true, Ticket::new(Size::Cash(-1.0)))]);
        assert!(ctx.orders().is_empty());
        ctx.target(-5.0);
    });
    let report = run(&backtest(&[CALM; 3]), strategy);
    let causes: Vec<OrderCause> = report.orders.iter().map(|record| record.cause).collect();
    assert_eq!(causes[..4], [OrderCause::BadSize; 4]);
    assert_eq!((report.open_trades.len(), report.open_trades[0].size), (1, -5.0), "a target may be short");
}

#[test]
fn a_sortino_ratio_without_a_losing_day_is_none() {
    let up = |day: i32| (100.0 + f64::from(day), 110.0 + f64::from(day), 99.0, 101.0 + f64::from(day));
    let rising: Vec<Prices> = (0..10).map(up).collect();
    let figures = run(&backtest(&rising), on_bar(0, |ctx| _ = ctx.buy(10))).figures.expect("bars");
    assert!(figures.sharpe > 0.0 && figures.sortino.is_nan(), "{}", figures.sortino);
}

#[test]
fn the_log_of_orders_and_the_exposure_say_what_was_done() {
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.asset("B").buy(Ticket::new(10).limit(99.5).stop_loss(90.0).tag("dip")),
        1 => _ = ctx.target(Size::Equity(0.5)),
        2 => _ = ctx.sell(Ticket::new(Size::Value(250.0)).trailing_stop(3.0).day()),
        _ => {}
    };
    let assets = Backtest::of([("A", bars(&[CALM; 4])), ("B", bars(&[CALM; 4]))]).at_end(AtEnd::Keep);
    let report = run(&assets, strategy);
    let mut log = Vec::new();
    report.write_orders(&mut log).expect("in memory");
    let log = String::from_utf8(log).expect("text");
    let rows: Vec<&str> = log.lines().collect();
    assert_eq!(
        rows,
        [
            "order,asset,side,kind,size,size_in,limit,stop,trail,stop_loss,take_profit,tag,placed_bar,status,\
             cause,ended_bar,filled,fill_price,money,lot_price",
            "1,B,buy,Limit,10.0,units,99.5,,,90.0,,dip,0,Filled,NotApplicable,1,10.0,99.5,,",
            "2,B,sell,Stop,,,,90.0,,,,dip,1,Working,NotApplicable,,0.0,,,",
            "4,A,buy,Market,0.5,target equity,,,,,,,1,Filled,NotApplicable,2,50.0,100.0,,",
            "7,A,sell,TrailingStop,250.0,value,,,3.0,,,,2,Expired,SessionEnd,3,0.0,,,",
        ]
    );
    let json = report.to_json();
    let mut names: Vec<&str> = rows[0].split(',').collect();
    names.sort_unstable();
    let mut keys: Vec<&String> = json["orders"][0].as_object().expect("an object").keys().collect();
    keys.sort_unstable();
    assert_eq!(keys, names);
    assert_eq!(report.exposure, [0.0, 1_000.0 / 10_005.0, 6_000.0 / 10_005.0, 6_000.0 / 10_005.0]);
    let mut curve = Vec::new();
    report.write_equity(assets.bars(), &mut curve).expect("in memory");
    assert!(curve.starts_with(b"timestamp,equity,exposure\n1970-01-01"), "{:?}", curve.get(..60));
    // A position that is closed at the end is held no longer.
    let report = run(&Backtest::new(bars(&[CALM; 3])), on_bar(0, |ctx| _ = ctx.sell(50)));
    assert_eq!(report.exposure, [0.0, 0.5, 0.0]);
}

#[test]
fn an_order_that_is_filled_in_parts_after_another_stays_one_trade() {
    let mut thin = bars(&[CALM; 6]);
    thin.iter_mut().for_each(|bar| bar.volume = 200.0);
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(Ticket::new(25).limit(99.5).stop_loss(90.0)),
        1 => _ = ctx.buy(20),
        _ => {}
    };
    let report = run(&Backtest::new(thin).at_end(AtEnd::Keep).participation(0.1), strategy);
    let sizes: Vec<(u32, f64)> = report.open_trades.iter().map(|trade| (trade.number, trade.size)).collect();
    assert_eq!(sizes, [(1, 25.0), (2, 20.0)]);
    assert_eq!(report.orders.len(), 3, "one stop loss: {:?}", report.orders);
}

#[test]
fn a_target_that_sells_is_a_sale_in_the_list_of_orders() {
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.target(-10.0),
        1 => _ = ctx.target(Size::Equity(0.5)),
        2 => _ = ctx.target(Size::Value(1_000.0)),
        3 => _ = ctx.target(0.0),
        _ => {}
    };
    let report = run(&backtest(&[CALM; 6]), strategy);
    let sides: Vec<bool> = report.orders.iter().map(|record| record.order.buy).collect();
    assert_eq!(sides, [false, true, false, false]);
    let filled = report.trades.iter().map(|trade| trade.size).collect::<Vec<f64>>();
    assert_eq!(filled, [-10.0, 40.0, 10.0]);
}

#[test]
fn a_target_in_money_is_worth_so_much_at_the_price_of_its_fill() {
    let doubled = (200.0, 201.0, 199.0, 200.0);
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(50),
        1 => _ = ctx.target(Size::Value(8_000.0)),
        2 => _ = ctx.target(Size::Value(-2_000.0)),
        _ => {}
    };
    let report = run(&backtest(&[CALM, CALM, doubled, doubled]), strategy);
    let sold: Vec<f64> = report.trades.iter().map(|trade| trade.size).collect();
    assert_eq!(sold, [10.0, 40.0], "40 units at 200 are left, then none");
    assert_eq!(report.open_trades[0].size, -10.0);
}

#[test]
fn exposure_is_counted_in_moments_where_assets_have_bars_of_their_own() {
    let every = |hours: i64, count: i64| -> Vec<Bar> {
        let bar = |at: i64| Bar {
            timestamp: Timestamp::from_nanos(at * hours * HOUR_NS),
            open: 100.0,
            high: 100.0,
            low: 100.0,
            close: 100.0,
            volume: 1.0,
            ..Bar::default()
        };
        (0..count).map(bar).collect()
    };
    // Four days of 96 hours; the day is held from the second to the end of the third.
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.time().as_nanos() / HOUR_NS {
        23 => _ = ctx.asset("day").buy(1),
        71 => _ = ctx.asset("day").close(),
        _ => {}
    };
    let backtest = Backtest::of([("hour", every(1, 96)), ("day", every(24, 4))]);
    let report = run(&backtest, strategy);
    assert_eq!((report.trades[0].entry_bar, report.trades[0].exit_bar), (1, 3));
    // From the moment in which the second day is known to that of the fourth.
    let exposure = report.figures.expect("bars").exposure_pct;
    assert!((exposure - 49.0 / 96.0 * 100.0).abs() < 1e-9, "{exposure}");
}

#[test]
fn an_asset_has_lots_of_its_own_on_a_bus() {
    let (market, held) = (Market::default(), Arc::new(Mutex::new(Vec::new())));
    let mut terms = market.asset_terms();
    terms.lot = 0.1;
    let watch = Arc::clone(&held);
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        watch.lock().expect("nobody panics").push(ctx.position());
        if ctx.bar().index == 0 {
            ctx.buy(2.5);
        }
    };
    let mut isolate = Isolate::new(0);
    isolate.spawn(Trader::of(strategy, &market, [("X", &terms)])).expect("it is spawned");
    isolate.spawn(Venue::of(market, vec![terms])).expect("it is spawned");
    isolate.spawn_service(Feed::new(History::new(bars(&[CALM; 3]).into()))).expect("it is spawned");
    isolate.run().expect("it runs");
    assert_eq!(*held.lock().expect("nobody panics"), [0.0, 2.5, 2.5]);
}
